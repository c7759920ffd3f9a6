//! The `[secrets]` table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::SecretPrefix;

/// The application's secrets, apart from the database's, which RDS makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// What the secrets' names begin with, before `/redis-auth`, `/api-keys` and `/encryption-key`.
    pub prefix: SecretPrefix,
    /// How many characters the cache's password has.
    // ElastiCache accepts 16 to 128 (ElastiCache user guide, "Authenticating with the AUTH command").
    #[schemars(range(min = 16, max = 128))]
    pub redis_auth_length: u16,
    /// How many characters the application's encryption key has.
    #[schemars(range(min = 32, max = 256))]
    pub encryption_key_length: u16,
    /// How many days a deleted secret can be taken back. Its name is taken for so long.
    #[schemars(range(min = 7, max = 30))]
    pub recovery_window_days: u8,
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            prefix: SecretPrefix::known("fintech"),
            redis_auth_length: 64,
            encryption_key_length: 64,
            recovery_window_days: 30,
        }
    }
}

impl Secrets {
    /// The cache's password.
    pub fn redis_auth(&self) -> String {
        format!("{}/redis-auth", self.prefix)
    }

    /// The keys of other services, which the operator fills in.
    pub fn api_keys(&self) -> String {
        format!("{}/api-keys", self.prefix)
    }

    /// The application's encryption key.
    pub fn encryption_key(&self) -> String {
        format!("{}/encryption-key", self.prefix)
    }
}
