//! The configuration file: `platform.toml` to [`Config`].
//!
//! A setting is written down once, as a field with its doc comment, its range and its default. The JSON schema made
//! from these fields is what the file is checked against, what names the settings in messages, and what the reference
//! page is generated from.

mod cache;
mod check;
mod cidr;
mod cluster;
mod costs;
mod database;
mod environments;
mod error;
mod monitoring;
mod network;
mod organization;
mod origin;
mod parse;
mod reference;
mod schema;
mod secrets;
mod security;
mod sessions;
mod storage;
mod suggest;
mod tags;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bedplate_model::StackId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::cache::{Cache, Eviction};
pub use self::cidr::{SubnetPlan, VpcCidr};
pub(crate) use self::cluster::METRICS;
pub use self::cluster::{AmiType, Autoscaling, CapacityType, Cluster, LoadBalancer, LogType, NodeGroup, SupportType};
pub use self::costs::{BilledService, Costs, Report};
pub use self::database::{Database, DatabaseLog, Insights, MonitoringInterval, ReaderScaling};
pub use self::error::{ConfigError, Fault, Problem};
pub use self::monitoring::{Alarms, Monitoring};
pub use self::network::{GatewayService, NatGateways, Network, ZONES_WITHOUT_EKS};
pub use self::organization::{Organization, OrganizationTarget, RoleName};
pub use self::reference::reference_page;
pub use self::schema::{Setting, json_schema, settings};
pub use self::secrets::Secrets;
pub use self::security::Security;
pub use self::sessions::{CapacityScaling, Sessions, StreamView};
pub use self::storage::{Archive, Storage, Tiering};
pub use self::tags::{TagKey, TagValue};
pub use self::values::{
    AccountId, AddonName, Amount, AttributeName, AuroraVersion, CacheClass, CertificateArn, DailyWindow, DatabaseClass,
    DatabaseName, DatabaseUser, DnsLabel, Email, EndpointService, HttpPath, InstanceType, Ipv4Cidr, KeyAlias,
    KubernetesVersion, LabelKey, LabelValue, NamespaceLabelKey, NodeGroupName, ObjectPrefix, PrincipalArn, ProjectName,
    RedisVersion, Region, RetentionDays, SecretPrefix, SslPolicy, TableName, WeeklyWindow, ZoneId,
};

use self::error::Finding;

/// Amazon S3 user guide, "General purpose bucket naming rules".
const LONGEST_BUCKET: usize = 63;

/// Everything a platform is built from: five required settings, and one table per layer in which every setting has a
/// default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name from which every resource's name is derived. Changing it later means another platform.
    pub project_name: ProjectName,
    /// The AWS region everything is built in, apart from budgets and billing, which answer only in us-east-1.
    pub region: Region,
    /// The AWS account to build in. It is compared with the caller's identity before anything is touched.
    pub account_id: AccountId,
    /// The e-mail address for budget and cost alerts. It is also the value of the `Owner` tag.
    pub alert_email: Email,
    /// The monthly budget of the platform in US dollars. `costs.budget_alert_percents` says when mail goes out.
    pub monthly_budget_limit: Amount,
    /// What the platform is for. In production deletion protection and final snapshots are on, in development they
    /// are off. In both, the key and the secrets of a destroyed platform are pending deletion for the days that their
    /// settings say.
    #[serde(default)]
    pub environment: Environment,
    /// Tags for every resource that can be tagged, next to `Environment`, `Project` and `Owner`, which are set already.
    #[serde(default)]
    #[schemars(schema_with = "tags::schema")]
    pub tags: BTreeMap<TagKey, TagValue>,
    /// The VPC, its subnets, and what comes in and goes out.
    #[serde(default)]
    pub network: Network,
    /// The encryption key and the service-linked roles.
    #[serde(default)]
    pub security: Security,
    /// The EKS cluster, its nodes, and the application's place in it.
    #[serde(default)]
    pub cluster: Cluster,
    /// The Aurora PostgreSQL cluster.
    #[serde(default)]
    pub database: Database,
    /// The Redis replication group.
    #[serde(default)]
    pub cache: Cache,
    /// The DynamoDB table with the application's sessions.
    #[serde(default)]
    pub sessions: Sessions,
    /// The data lake and the bucket with the access logs.
    #[serde(default)]
    pub storage: Storage,
    /// The application's secrets, apart from the database's, which RDS makes.
    #[serde(default)]
    pub secrets: Secrets,
    /// The dashboard and the alarms.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// Budgets, cost anomaly detection, and the cost and usage report.
    #[serde(default)]
    pub costs: Costs,
    /// Policies for the accounts of an AWS organization. Only its management account can have them.
    #[serde(default)]
    pub organization: Organization,
    /// What the file itself says, by dotted path: `cluster.node_group.max`. The rest has its default.
    #[serde(skip)]
    #[schemars(skip)]
    written: BTreeSet<String>,
}

/// What the platform is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Deletion protection and final snapshots are on.
    #[default]
    Production,
    /// Deletion protection and final snapshots are off, so that a destroy leaves no snapshot. The key and the secrets
    /// are pending deletion for the days their settings say, as in production, and come back with the next bootstrap.
    Development,
}

impl Environment {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Production, Self::Development];

    /// The environment of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|environment| environment.as_str() == name)
    }

    /// The name in the file, in the stack's name and in the `Environment` tag.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Development => "development",
        }
    }
}

impl std::fmt::Display for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    ///
    /// The file is missing, unreadable or not UTF-8, or it has [problems](ConfigError::problems).
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::load_for(path, None)
    }

    /// The same for an environment that is chosen elsewhere than in the file.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn load_for(path: impl AsRef<Path>, environment: Option<Environment>) -> Result<Self, ConfigError> {
        parse::load(path.as_ref(), environment)
    }

    /// Checks a configuration that is already in memory; `file_name` is what messages call it.
    ///
    /// # Errors
    ///
    /// The text has [problems](ConfigError::problems): all of them are in the error, unless it is not TOML, in which
    /// case only the first syntax error is.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, ConfigError> {
        Self::parse_for(text, file_name, None)
    }

    /// The same for an environment that is chosen elsewhere than in the text.
    ///
    /// # Errors
    ///
    /// As [`Config::parse`].
    pub fn parse_for(text: &str, file_name: &str, environment: Option<Environment>) -> Result<Self, ConfigError> {
        parse::parse(text, file_name, environment)
    }

    /// The line, from 1, of every setting that a valid file sets and that is in force, by its dotted path:
    /// `cluster.node_group.max`.
    pub fn lines(text: &str, environment: Option<Environment>) -> BTreeMap<String, usize> {
        origin::lines(text, environment)
    }

    /// The name of the stack, under which the state is kept: `fintechglobal-production`.
    pub fn stack(&self) -> String {
        format!("{}-{}", self.project_name, self.environment)
    }

    /// Who owns what this configuration makes, in the tags of it: the stack in its region, `fintechglobal-production.us-east-1`. Names in
    /// IAM are the account's, whatever the region, and what another region's stack uses is not this one's.
    pub fn stack_id(&self) -> StackId {
        StackId::new(format!("{}.{}", self.stack(), self.region))
    }

    /// Whether this is production.
    pub fn is_production(&self) -> bool {
        self.environment == Environment::Production
    }

    /// The name of a resource of this project: `fintechglobal-cluster` for `cluster`.
    pub fn name(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.project_name)
    }

    /// The name of the EKS cluster.
    pub fn cluster_name(&self) -> String {
        self.name("cluster")
    }

    /// The name of the database cluster.
    pub fn database_name(&self) -> String {
        self.name("aurora-cluster")
    }

    /// The name of the cache.
    pub fn cache_name(&self) -> String {
        self.name("redis-cluster")
    }

    /// The name that ElastiCache gives a node of the cache; the first is 1.
    pub fn cache_node(&self, number: u8) -> String {
        format!("{}-{number:03}", self.cache_name())
    }

    /// The name of the data lake's bucket, which is unique among all accounts.
    pub fn data_lake_bucket(&self) -> String {
        self.bucket("data-lake")
    }

    /// The name of the bucket with the access logs.
    pub fn logs_bucket(&self) -> String {
        self.bucket("s3-logs")
    }

    /// The name of the bucket with the cost and usage report.
    pub fn report_bucket(&self) -> String {
        self.bucket("cost-reports")
    }

    fn bucket(&self, suffix: &str) -> String {
        format!("{}-{}-{}", self.name(suffix), self.account_id, self.region)
    }

    /// The report's bucket has the longest name of all.
    fn bucket_findings(&self) -> Option<Finding> {
        let name = self.report_bucket();
        let over = name.len().saturating_sub(LONGEST_BUCKET);
        (self.costs.report.enabled && over > 0).then(|| {
            Finding::at(
                ["project_name", "costs.report.enabled"],
                Fault::new(
                    format!("the bucket `{name}` of the report has {} characters", name.len()),
                    format!("S3 takes {LONGEST_BUCKET} at most"),
                    format!("shorten `project_name` by {over}, or leave `enabled = true` out of `[costs.report]`"),
                ),
            )
        })
    }

    /// A switch that, left out, is on in production and off in development.
    fn protects(&self, setting: Option<bool>) -> bool {
        setting.unwrap_or_else(|| self.is_production())
    }

    /// Whether AWS refuses to delete the cluster and the load balancer: the setting, or else whether this is
    /// production.
    pub fn cluster_deletion_protection(&self) -> bool {
        self.protects(self.cluster.deletion_protection)
    }

    /// Whether AWS refuses to delete the database: the setting, or else whether this is production.
    pub fn database_deletion_protection(&self) -> bool {
        self.protects(self.database.deletion_protection)
    }

    /// Whether the database leaves a snapshot behind: the setting, or else whether this is production.
    pub fn database_final_snapshot(&self) -> bool {
        self.protects(self.database.final_snapshot)
    }

    /// Whether the cache leaves a snapshot behind: the setting, or else whether this is production.
    pub fn cache_final_snapshot(&self) -> bool {
        self.protects(self.cache.final_snapshot)
    }

    /// Whether AWS refuses to delete the sessions table: the setting, or else whether this is production.
    pub fn sessions_deletion_protection(&self) -> bool {
        self.protects(self.sessions.deletion_protection)
    }

    /// The tags of every resource, apart from the engine's ownership tags: `Environment`, `Project` and `Owner`, and
    /// those of the file.
    pub fn resource_tags(&self) -> BTreeMap<String, String> {
        let own = [
            ("Environment", self.environment.to_string()),
            ("Project", self.project_name.to_string()),
            ("Owner", self.alert_email.to_string()),
        ];
        let own = own.into_iter().map(|(key, value)| (key.to_owned(), value));
        own.chain(self.tags.iter().map(|(key, value)| (key.to_string(), value.to_string()))).collect()
    }

    /// What is allowed, and what somebody may regret.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.cluster.has_load_balancer() && self.cluster.load_balancer.certificate_arn.is_none() {
            warnings.push(
                "clients reach the load balancer with plain HTTP, which anybody on the way can read and change: request \
                 a certificate in Certificate Manager and set cluster.load_balancer.certificate_arn"
                    .to_owned(),
            );
        }
        for (table, enabled) in
            [("organization", self.organization.enabled), ("costs.report", self.costs.report.enabled)]
        {
            let switch = format!("{table}.enabled");
            let mut idle = self.written.iter().filter(|setting| setting.starts_with(&format!("{table}.")));
            // Who writes `enabled = false` knows.
            if let Some(setting) = idle.next()
                && !enabled
                && !self.written.contains(&switch)
            {
                warnings.push(format!("{setting} has no effect: it is part of what is off unless {switch} is true"));
            }
        }
        warnings
    }

    /// What is wrong between settings that are each right for themselves.
    fn findings(&self) -> Vec<Finding> {
        let mut findings = tags::findings(&self.tags);
        findings.extend(self.network.findings(self.cluster.enabled));
        findings.extend(self.cluster.findings(&self.region, &self.account_id));
        findings.extend(self.database.findings());
        findings.extend(self.cache.findings());
        findings.extend(self.sessions.findings());
        findings.extend(self.storage.findings());
        findings.extend(self.costs.findings());
        findings.extend(self.organization.findings());
        findings.extend(self.bucket_findings());
        findings
    }
}

#[cfg(test)]
mod tests;
