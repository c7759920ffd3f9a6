//! The `[sessions]` table and the table in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{Fault, Finding};
use super::values::{AttributeName, TableName};

/// Names of scaling policies have up to 256 characters (Application Auto Scaling API, PutScalingPolicy), and end in `-write`.
const LONGEST_SCALED: usize = 250;

/// The DynamoDB table with the application's sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// Whether there is a sessions table at all.
    pub enabled: bool,
    /// The name of the table, unique in the account and region.
    pub table: TableName,
    /// The attribute that items are spread by, a text. It cannot be changed without replacing the table.
    pub partition_key: AttributeName,
    /// The attribute that a user's items are sorted by, a text. It cannot be changed without replacing the table.
    pub sort_key: AttributeName,
    /// The attribute with the second since 1970 after which DynamoDB deletes an item.
    pub ttl_attribute: AttributeName,
    /// How many items of up to 4 KB may be read per second at first. Afterwards scaling moves the number.
    #[schemars(range(min = 1, max = 40000))]
    pub read_capacity: u32,
    /// How many items of up to 1 KB may be written per second at first. Afterwards scaling moves the number.
    #[schemars(range(min = 1, max = 40000))]
    pub write_capacity: u32,
    /// What the stream of changes says of an item.
    pub stream: StreamView,
    /// Whether the table can be restored to any second of the recovery period.
    pub point_in_time_recovery: bool,
    /// How many days the recovery period is.
    #[schemars(range(min = 1, max = 35))]
    pub recovery_period_days: u8,
    /// Whether AWS refuses to delete the table. Left out, it is on in production and off in development.
    pub deletion_protection: Option<bool>,
    /// How the capacity follows the load.
    pub autoscaling: CapacityScaling,
}

/// What a stream of changes says of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StreamView {
    /// There is no stream.
    Off,
    /// Its keys.
    KeysOnly,
    /// The whole item as it is now.
    NewImage,
    /// The whole item as it was.
    OldImage,
    /// Both.
    NewAndOldImages,
}

impl StreamView {
    /// The name in the DynamoDB API; none for no stream.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Off => None,
            Self::KeysOnly => Some("KEYS_ONLY"),
            Self::NewImage => Some("NEW_IMAGE"),
            Self::OldImage => Some("OLD_IMAGE"),
            Self::NewAndOldImages => Some("NEW_AND_OLD_IMAGES"),
        }
    }
}

/// How the capacity of reads and of writes follows the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CapacityScaling {
    /// Whether it does.
    pub enabled: bool,
    /// The least capacity.
    #[schemars(range(min = 1, max = 40000))]
    pub min: u32,
    /// The greatest capacity.
    #[schemars(range(min = 1, max = 40000))]
    pub max: u32,
    /// The use of the capacity to hold, in percent.
    // DynamoDB accepts 20 to 90 (DynamoDB developer guide, "Managing throughput capacity automatically").
    #[schemars(range(min = 20, max = 90))]
    pub target_percent: u8,
    /// How many seconds pass after a decrease before the next one.
    #[schemars(range(min = 0, max = 3600))]
    pub scale_in_cooldown_seconds: u16,
    /// How many seconds pass after an increase before the next one.
    #[schemars(range(min = 0, max = 3600))]
    pub scale_out_cooldown_seconds: u16,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            enabled: true,
            table: TableName::known("fintech-sessions"),
            partition_key: AttributeName::known("userId"),
            sort_key: AttributeName::known("sessionId"),
            ttl_attribute: AttributeName::known("expiresAt"),
            read_capacity: 5,
            write_capacity: 5,
            stream: StreamView::NewAndOldImages,
            point_in_time_recovery: true,
            recovery_period_days: 35,
            deletion_protection: None,
            autoscaling: CapacityScaling::default(),
        }
    }
}

impl Default for CapacityScaling {
    fn default() -> Self {
        Self {
            enabled: true,
            min: 5,
            max: 100,
            target_percent: 70,
            scale_in_cooldown_seconds: 60,
            scale_out_cooldown_seconds: 60,
        }
    }
}

impl Sessions {
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let CapacityScaling { enabled, min, max, .. } = self.autoscaling;
        if min > max {
            findings.push(Finding::at(
                ["sessions.autoscaling.min", "sessions.autoscaling.max"],
                Fault::new(
                    format!("a capacity of at least {min} is more than at most {max}"),
                    "what the file leaves out has its default",
                    "lower `min` or raise `max`",
                ),
            ));
        }
        for (key, capacity) in [("read_capacity", self.read_capacity), ("write_capacity", self.write_capacity)] {
            if enabled && min <= max && !(min..=max).contains(&capacity) {
                findings.push(Finding::at(
                    [&*format!("sessions.{key}"), "sessions.autoscaling.min", "sessions.autoscaling.max"],
                    Fault::new(
                        format!("`{key}` is {capacity}, but scaling keeps it from {min} to {max}"),
                        "scaling would change it at once",
                        format!("write a number from {min} to {max}"),
                    ),
                ));
            }
        }
        let length = self.table.as_str().len();
        if enabled && length > LONGEST_SCALED {
            findings.push(Finding::at(
                ["sessions.table", "sessions.autoscaling.enabled"],
                Fault::new(
                    format!("the name of a table that is scaled has at most {LONGEST_SCALED} characters, and this one has {length}"),
                    "the policies that scale it are named after it, and their names have 256",
                    "shorten it, or write `enabled = false` in `[sessions.autoscaling]`",
                ),
            ));
        }
        if self.partition_key == self.sort_key {
            findings.push(Finding::at(
                ["sessions.sort_key", "sessions.partition_key"],
                Fault::new(
                    format!("both keys are `{}`", self.sort_key),
                    "items with the same partition key are told apart by the sort key",
                    "name another attribute",
                ),
            ));
        }
        findings
    }
}
