//! The `[storage]` table and the tables in it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{Fault, Finding};
use super::values::ObjectPrefix;

/// The data lake and the bucket with the access logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// The prefixes of the data lake, which are there before anybody writes under them.
    #[schemars(extend("maxItems" = 100))]
    pub prefixes: BTreeSet<ObjectPrefix>,
    /// How many days the data lake keeps versions of objects that were overwritten or deleted.
    #[schemars(range(min = 1, max = 3650))]
    pub noncurrent_version_days: u16,
    /// How many days the parts of an upload are kept that was never completed.
    #[schemars(range(min = 1, max = 365))]
    pub incomplete_upload_days: u16,
    /// Whether requests to the data lake are recorded in the logs bucket.
    pub access_logs: bool,
    /// How many days the logs bucket keeps a log.
    #[schemars(range(min = 1, max = 3650))]
    pub logs_retention_days: u16,
    /// How objects under `archive/` get cheaper with age.
    pub archive: Archive,
    /// How objects under the other prefixes move to where they are cheapest.
    pub tiering: Tiering,
}

/// How objects under `archive/` get cheaper with age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Archive {
    /// Whether they do.
    pub enabled: bool,
    /// After how many days they move to Standard-Infrequent Access.
    // S3 accepts 30 and more (S3 user guide, "Transitioning objects", constraints).
    #[schemars(range(min = 30, max = 3650))]
    pub infrequent_access_days: u16,
    /// After how many days they move to Glacier Flexible Retrieval, from which a restore takes minutes to hours.
    #[schemars(range(min = 60, max = 3650))]
    pub glacier_days: u16,
    /// After how many days they move to Glacier Deep Archive, from which a restore takes up to two days.
    #[schemars(range(min = 60, max = 3650))]
    pub deep_archive_days: u16,
}

/// How objects under the other prefixes move to where they are cheapest: Intelligent-Tiering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tiering {
    /// Whether they do.
    pub enabled: bool,
    /// After how many days Intelligent-Tiering takes them over.
    #[schemars(range(min = 0, max = 3650))]
    pub after_days: u16,
    /// After how many days without access an object moves to the Archive Access tier.
    #[schemars(range(min = 90, max = 730))]
    pub archive_days: u16,
    /// After how many days without access an object moves to the Deep Archive Access tier.
    #[schemars(range(min = 180, max = 730))]
    pub deep_archive_days: u16,
}

impl Default for Storage {
    fn default() -> Self {
        let prefixes = [
            "raw/transactions/",
            "raw/logs/",
            "raw/events/",
            "processed/daily-reports/",
            "processed/aggregations/",
            "archive/compliance/",
            "analytics/ml-data/",
        ];
        Self {
            prefixes: prefixes.map(ObjectPrefix::known).into(),
            noncurrent_version_days: 90,
            incomplete_upload_days: 7,
            access_logs: true,
            logs_retention_days: 365,
            archive: Archive::default(),
            tiering: Tiering::default(),
        }
    }
}

impl Default for Archive {
    fn default() -> Self {
        Self { enabled: true, infrequent_access_days: 90, glacier_days: 180, deep_archive_days: 365 }
    }
}

impl Default for Tiering {
    fn default() -> Self {
        Self { enabled: true, after_days: 0, archive_days: 90, deep_archive_days: 180 }
    }
}

impl Storage {
    /// What is under [`Archive`]'s rules.
    pub const ARCHIVE: &str = "archive/";

    /// The outermost prefixes that Intelligent-Tiering has: all but `archive/`.
    pub fn tiered_prefixes(&self) -> BTreeSet<&str> {
        self.prefixes.iter().map(ObjectPrefix::top).filter(|top| *top != Self::ARCHIVE).collect()
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let Archive { infrequent_access_days: warm, glacier_days: cold, deep_archive_days: coldest, .. } = self.archive;
        if cold < warm + 30 {
            findings.push(Finding::at(
                ["storage.archive.glacier_days", "storage.archive.infrequent_access_days"],
                Fault::new(
                    format!("Glacier after {cold} days comes too soon after {warm} days"),
                    "S3 keeps objects in Infrequent Access for at least 30 days",
                    format!("write {} or more", warm + 30),
                ),
            ));
        }
        if coldest <= cold {
            findings.push(Finding::at(
                ["storage.archive.deep_archive_days", "storage.archive.glacier_days"],
                Fault::new(
                    format!("Deep Archive after {coldest} days does not come after {cold} days in Glacier"),
                    "objects move to colder storage only",
                    format!("write {} or more; 90 days in Glacier are paid for anyway", cold + 1),
                ),
            ));
        }
        let Tiering { archive_days, deep_archive_days, .. } = self.tiering;
        if deep_archive_days <= archive_days {
            findings.push(Finding::at(
                ["storage.tiering.deep_archive_days", "storage.tiering.archive_days"],
                Fault::new(
                    format!(
                        "Deep Archive Access after {deep_archive_days} days does not come after {archive_days} days"
                    ),
                    "objects move to colder tiers only",
                    format!("write {} or more", (archive_days + 1).max(180)),
                ),
            ));
        }
        findings
    }
}
