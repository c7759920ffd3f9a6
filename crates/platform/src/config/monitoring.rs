//! The `[monitoring]` table and the table in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The dashboard and the alarms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Monitoring {
    /// Whether there is a dashboard.
    pub dashboard: bool,
    /// The alarms.
    pub alarms: Alarms,
}

/// When somebody is told, through the topic for alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Alarms {
    /// Whether anybody is.
    pub enabled: bool,
    /// How many minutes one measurement takes in.
    #[schemars(range(min = 1, max = 60))]
    pub period_minutes: u8,
    /// How many measurements in a row have to be too high or too low. Refused requests and errors count at once.
    #[schemars(range(min = 1, max = 24))]
    pub periods: u8,
    /// The CPU use of the database that is too high, in percent.
    #[schemars(range(min = 1, max = 100))]
    pub database_cpu_percent: u8,
    /// The free memory of the database that is too low, in MiB.
    #[schemars(range(min = 1, max = 1048576))]
    pub database_free_memory_mib: u32,
    /// The memory use of the cache that is too high, in percent.
    #[schemars(range(min = 1, max = 100))]
    pub cache_memory_percent: u8,
    /// How many requests to the sessions table may be refused in one period because its capacity is used up.
    #[schemars(range(min = 0, max = 1000000))]
    pub throttled_requests: u32,
    /// How many answers of the load balancer may be errors of a server (5xx) in one period.
    #[schemars(range(min = 0, max = 1000000))]
    pub server_errors: u32,
    /// How many connections a NAT gateway may refuse in one period because its ports are used up.
    #[schemars(range(min = 0, max = 1000000))]
    pub nat_errors: u32,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self { dashboard: true, alarms: Alarms::default() }
    }
}

impl Default for Alarms {
    fn default() -> Self {
        Self {
            enabled: true,
            period_minutes: 5,
            periods: 3,
            database_cpu_percent: 80,
            // Of the 16 GiB of db.r6g.large, of which Aurora takes about three quarters for itself.
            database_free_memory_mib: 1024,
            cache_memory_percent: 80,
            throttled_requests: 10,
            server_errors: 10,
            nat_errors: 0,
        }
    }
}
