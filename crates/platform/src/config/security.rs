//! The `[security]` table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::KeyAlias;

/// The encryption key and the service-linked roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Security {
    /// The alias of the KMS key that encrypts everything at rest, without `alias/`. An alias exists once per account
    /// and region.
    pub key_alias: KeyAlias,
    /// How many days KMS waits before it deletes a key for good. Until then a deletion can be taken back.
    #[schemars(range(min = 7, max = 30))]
    pub key_deletion_window_days: u8,
    /// How many days pass between two rotations of the key. What an older key encrypted stays readable.
    #[schemars(range(min = 90, max = 2560))]
    pub key_rotation_period_days: u16,
    /// Whether bedplate makes sure of the service-linked roles that EKS, RDS, ElastiCache, load balancing and auto
    /// scaling need. Turn it off where another team creates them; bedplate never deletes one.
    pub service_linked_roles: bool,
}

impl Default for Security {
    fn default() -> Self {
        Self {
            key_alias: KeyAlias::known("fintech-data-key"),
            key_deletion_window_days: 30,
            key_rotation_period_days: 365,
            service_linked_roles: true,
        }
    }
}
