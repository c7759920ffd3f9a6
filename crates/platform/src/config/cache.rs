//! The `[cache]` table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{Fault, Finding};
use super::values::{CacheClass, DailyWindow, RedisVersion, WeeklyWindow};

/// The Redis replication group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// Whether there is a cache at all.
    pub enabled: bool,
    /// The version of Redis. It moves up and never down.
    pub engine_version: RedisVersion,
    /// The type of every node.
    pub node_type: CacheClass,
    /// How many nodes there are: the primary and its replicas.
    #[schemars(range(min = 1, max = 6))]
    pub nodes: u8,
    /// Whether a replica takes the primary's place when that fails. It needs two nodes.
    pub automatic_failover: bool,
    /// Whether the nodes are spread over the zones. It needs automatic failover.
    pub multi_az: bool,
    /// What Redis does when its memory is full.
    pub eviction: Eviction,
    /// How many days snapshots are kept; 0 makes none.
    #[schemars(range(min = 0, max = 35))]
    pub snapshot_retention_days: u8,
    /// When the daily snapshot is made, in UTC.
    pub snapshot_window: DailyWindow,
    /// When AWS may replace nodes for maintenance, in UTC.
    pub maintenance_window: WeeklyWindow,
    /// Whether AWS installs minor versions by itself in the maintenance window.
    pub auto_minor_version_upgrade: bool,
    /// Whether a last snapshot is made when the cache is deleted. Left out, it is on in production and off in
    /// development.
    pub final_snapshot: Option<bool>,
}

/// What Redis does when its memory is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Eviction {
    /// It drops the keys used longest ago among those that expire.
    VolatileLru,
    /// It drops the keys used longest ago.
    AllkeysLru,
    /// It drops the keys used least often among those that expire.
    VolatileLfu,
    /// It drops the keys used least often.
    AllkeysLfu,
    /// It drops the keys that expire first.
    VolatileTtl,
    /// It refuses to write.
    Noeviction,
}

impl Eviction {
    /// The name in the file and in Redis.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VolatileLru => "volatile-lru",
            Self::AllkeysLru => "allkeys-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::AllkeysLfu => "allkeys-lfu",
            Self::VolatileTtl => "volatile-ttl",
            Self::Noeviction => "noeviction",
        }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            enabled: true,
            engine_version: RedisVersion::known("7.1"),
            node_type: CacheClass::known("cache.r6g.large"),
            nodes: 2,
            automatic_failover: true,
            multi_az: true,
            // What Redis in ElastiCache does unless it is told otherwise.
            eviction: Eviction::VolatileLru,
            snapshot_retention_days: 7,
            snapshot_window: DailyWindow::starting(3),
            maintenance_window: WeeklyWindow::starting(5),
            auto_minor_version_upgrade: true,
            final_snapshot: None,
        }
    }
}

impl Cache {
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.automatic_failover && self.nodes < 2 {
            findings.push(Finding::at(
                ["cache.nodes", "cache.automatic_failover"],
                Fault::new(
                    "one node has nothing to fail over to",
                    "automatic failover puts a replica in the primary's place",
                    "write `nodes = 2`, or turn `automatic_failover` and `multi_az` off",
                ),
            ));
        }
        if self.multi_az && !self.automatic_failover {
            findings.push(Finding::at(
                ["cache.multi_az", "cache.automatic_failover"],
                Fault::new(
                    "the nodes cannot be spread over the zones without automatic failover",
                    "ElastiCache offers the one only with the other",
                    "turn `automatic_failover` on, or `multi_az` off",
                ),
            ));
        }
        if self.snapshot_window.overlaps(&self.maintenance_window) {
            findings.push(Finding::at(
                ["cache.maintenance_window", "cache.snapshot_window"],
                Fault::new(
                    format!("the windows {} and {} overlap", self.snapshot_window, self.maintenance_window),
                    "ElastiCache makes no snapshot while it may replace the nodes",
                    "move one of them",
                ),
            ));
        }
        findings
    }
}
