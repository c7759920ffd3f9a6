//! The `[database]` table and the table in it.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{Fault, Finding};
use super::values::{
    AuroraVersion, DailyWindow, DatabaseClass, DatabaseName, DatabaseUser, RetentionDays, WeeklyWindow,
};

/// The Aurora PostgreSQL cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// Whether there is a database at all.
    pub enabled: bool,
    /// The version of Aurora PostgreSQL. It moves up and never down.
    pub engine_version: AuroraVersion,
    /// The name of the database that is made with the cluster. It cannot be changed without replacing the cluster.
    pub name: DatabaseName,
    /// The name of the first user, whose password RDS makes, keeps in Secrets Manager and changes every week. It cannot
    /// be changed without replacing the cluster.
    pub user: DatabaseUser,
    /// The instance class of the writer and the readers.
    pub instance_class: DatabaseClass,
    /// How many readers there are beside the writer, apart from those that scaling adds. The first one takes the
    /// writer's place when that fails.
    // A cluster has up to 15 readers (Aurora user guide, "Replication with Amazon Aurora").
    #[schemars(range(min = 0, max = 15))]
    pub readers: u8,
    /// How many days of backups are kept, to any second of which the database can be restored.
    #[schemars(range(min = 1, max = 35))]
    pub backup_retention_days: u8,
    /// When the daily backup is made, in UTC.
    pub backup_window: DailyWindow,
    /// When AWS may restart instances for maintenance, in UTC.
    pub maintenance_window: WeeklyWindow,
    /// Whether AWS installs minor versions by itself in the maintenance window. A later minor version than the one in
    /// this file is then left as it is.
    pub auto_minor_version_upgrade: bool,
    /// Whether connections without TLS are refused.
    pub force_tls: bool,
    /// Whether the Data API runs SQL over HTTPS, for callers outside the VPC that IAM lets in.
    pub data_api: bool,
    /// Whether database users may sign in with IAM instead of a password.
    pub iam_authentication: bool,
    /// How much Database Insights keeps of what the instances did.
    pub insights: Insights,
    /// How many seconds lie between two measurements of the operating system; 0 turns them off.
    pub monitoring_interval_seconds: MonitoringInterval,
    /// The logs that go to CloudWatch Logs.
    pub log_types: BTreeSet<DatabaseLog>,
    /// How many days the logs are kept. CloudWatch Logs accepts only these values.
    pub log_retention_days: RetentionDays,
    /// Whether AWS refuses to delete the database. Left out, it is on in production and off in development.
    pub deletion_protection: Option<bool>,
    /// Whether a last snapshot is made when the database is deleted. Left out, it is on in production and off in
    /// development.
    pub final_snapshot: Option<bool>,
    /// How the number of readers follows the load.
    pub autoscaling: ReaderScaling,
}

/// How much Database Insights keeps, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Insights {
    /// Nothing.
    Off,
    /// Performance counters and the load by statement for 7 days, at no cost.
    Standard,
    /// Also locks, plans and the operating system's processes, for 15 months, at a price per vCPU.
    Advanced,
}

/// A number of seconds between two measurements that RDS accepts (ModifyDBInstance, `MonitoringInterval`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct MonitoringInterval(u8);

impl MonitoringInterval {
    /// What RDS accepts.
    pub const ACCEPTED: [u8; 7] = [0, 1, 5, 10, 15, 30, 60];

    /// The number of seconds.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for MonitoringInterval {
    type Error = Fault;

    fn try_from(seconds: u8) -> Result<Self, Self::Error> {
        if Self::ACCEPTED.contains(&seconds) {
            return Ok(Self(seconds));
        }
        Err(Fault::new(
            format!("RDS cannot measure every {seconds} seconds"),
            "it accepts only some numbers of seconds",
            "write 0, 1, 5, 10, 15, 30 or 60",
        ))
    }
}

impl From<MonitoringInterval> for u8 {
    fn from(interval: MonitoringInterval) -> Self {
        interval.0
    }
}

impl JsonSchema for MonitoringInterval {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MonitoringInterval".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "enum": Self::ACCEPTED })
    }
}

/// A log of Aurora PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseLog {
    /// What PostgreSQL logs: errors, slow statements, connections.
    Postgresql,
    /// What happens to an instance: starts, failovers, upgrades.
    Instance,
    /// Errors of connections that IAM lets in.
    IamDbAuthError,
}

impl DatabaseLog {
    /// The name in the file and in the RDS API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Instance => "instance",
            Self::IamDbAuthError => "iam-db-auth-error",
        }
    }
}

/// How the number of readers follows the load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReaderScaling {
    /// Whether it does.
    pub enabled: bool,
    /// The fewest readers there are.
    #[schemars(range(min = 0, max = 15))]
    pub min: u8,
    /// The most readers there are.
    #[schemars(range(min = 1, max = 15))]
    pub max: u8,
    /// The CPU use of the readers to hold, in percent.
    #[schemars(range(min = 1, max = 100))]
    pub cpu_percent: u8,
    /// How many seconds pass after a reader went before another one goes.
    #[schemars(range(min = 0, max = 3600))]
    pub scale_in_cooldown_seconds: u16,
    /// How many seconds pass after a reader came before another one comes.
    #[schemars(range(min = 0, max = 3600))]
    pub scale_out_cooldown_seconds: u16,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            enabled: true,
            engine_version: AuroraVersion::known("16.8"),
            name: DatabaseName::known("fintech"),
            user: DatabaseUser::known("fintechadmin"),
            instance_class: DatabaseClass::known("db.r6g.large"),
            readers: 1,
            backup_retention_days: 35,
            backup_window: DailyWindow::starting(2),
            maintenance_window: WeeklyWindow::starting(4),
            auto_minor_version_upgrade: true,
            force_tls: true,
            data_api: true,
            iam_authentication: false,
            insights: Insights::Standard,
            monitoring_interval_seconds: MonitoringInterval(60),
            log_types: [DatabaseLog::Postgresql].into(),
            log_retention_days: RetentionDays::ONE_YEAR,
            deletion_protection: None,
            final_snapshot: None,
            autoscaling: ReaderScaling::default(),
        }
    }
}

impl Default for ReaderScaling {
    fn default() -> Self {
        Self {
            enabled: true,
            min: 1,
            max: 5,
            cpu_percent: 70,
            scale_in_cooldown_seconds: 300,
            scale_out_cooldown_seconds: 60,
        }
    }
}

impl Database {
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let ReaderScaling { enabled, min, max, .. } = self.autoscaling;
        if min > max {
            findings.push(Finding::at(
                ["database.autoscaling.min", "database.autoscaling.max"],
                Fault::new(
                    format!("at least {min} readers are more than at most {max}"),
                    "what the file leaves out has its default",
                    "lower `min` or raise `max`",
                ),
            ));
        }
        if enabled && self.readers > max {
            findings.push(Finding::at(
                ["database.readers", "database.autoscaling.max"],
                Fault::new(
                    format!("there are {} readers before scaling, which stops at {max}", self.readers),
                    "scaling counts all readers, and takes away only those that it added",
                    "lower `readers` or raise `database.autoscaling.max`",
                ),
            ));
        }
        if self.backup_window.overlaps(&self.maintenance_window) {
            findings.push(Finding::at(
                ["database.maintenance_window", "database.backup_window"],
                Fault::new(
                    format!("the windows {} and {} overlap", self.backup_window, self.maintenance_window),
                    "RDS makes no backup while it may restart the instances",
                    "move one of them",
                ),
            ));
        }
        findings
    }
}
