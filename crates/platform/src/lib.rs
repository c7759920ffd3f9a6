//! What a platform is made of: the configuration, and the resources that follow from it.
//!
//! One file per layer turns the configuration into declared resources. Nothing in here calls AWS: what has to be known of
//! the account comes in as [`Facts`], and what AWS assigns stays a reference until the resources exist.

pub mod choices;
pub mod config;
pub mod cost;
pub mod promise;

mod cache;
mod cluster;
mod costs;
mod database;
mod kubernetes;
mod load_balancer;
mod monitoring;
mod network;
mod organization;
mod report;
mod secrets;
mod security;
mod sessions;
mod storage;

#[cfg(test)]
mod tests;

use bedplate_aws::{Arn, logs};
use bedplate_model::{Draft, Input};
use bedplate_plan::{Graph, GraphBuilder, GraphError};
pub use costs::reminders;

use config::{Config, RetentionDays};
use std::collections::BTreeMap;

/// The layers, the first part of every address, in the order in which a reader expects them.
pub const LAYERS: [&str; 11] = [
    "network",
    "security",
    "cluster",
    "database",
    "cache",
    "sessions",
    "storage",
    "secrets",
    "monitoring",
    "costs",
    "organization",
];

/// What the configuration leaves open and the account decides. All of it is chosen already, once: see [`choices`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The partition, the second part of every ARN: `aws`.
    pub partition: String,
    /// The ids of the zones, in the order of the letters in addresses: the first is `a`.
    pub zones: Vec<String>,
    /// The ARNs of the IAM roles and users that administer the cluster.
    pub admins: Vec<String>,
    /// The version of each add-on, by its name. One that is missing gets EKS's default when it is made.
    pub addon_versions: BTreeMap<String, String>,
    /// Whether the account is a member of an organization that another account manages.
    pub member: bool,
}

/// Declares the platform.
///
/// Every name follows from the project's name, so that the same platform comes back under the same names after a
/// destroy. The environment is not part of them: two environments of one project clash in one account, as do two regions
/// (IAM roles are global). The engine then finds the other one's resources and refuses; give each its own
/// `project_name` or its own account.
///
/// # Errors
/// When the declaration has a defect, or names in the configuration give two resources one address.
pub fn build(config: &Config, facts: &Facts) -> Result<Graph, GraphError> {
    let stack = config.stack_id();
    let graph = GraphBuilder::new(stack, config.project_name.as_str(), config.resource_tags());
    let mut layers = Layers { config, facts, graph };

    let key = security::key(&mut layers);
    let network = network::declare(&mut layers, &key.arn);
    security::service_linked_roles(&mut layers);

    let secrets = secrets::declare(&mut layers, &key.arn);
    let database = config.database.enabled.then(|| database::declare(&mut layers, &network, &key.arn));
    if config.cache.enabled {
        cache::declare(&mut layers, &network, &secrets, &key.arn);
    }
    let table = config.sessions.enabled.then(|| sessions::declare(&mut layers, &key.arn));
    let buckets = storage::declare(&mut layers, &key.arn);
    let topic = costs::topic(&mut layers, &key.arn);
    costs::declare(&mut layers, &topic);
    if config.costs.report.enabled {
        report::declare(&mut layers, &key.arn);
    }
    monitoring::declare(&mut layers, &network, &topic);
    if config.organization.enabled {
        organization::declare(&mut layers);
    }

    if config.cluster.enabled {
        let roles = security::cluster_roles(&mut layers);
        let cluster::Parts { cluster, nodes } = cluster::declare(&mut layers, &network, &roles, &key.arn);
        load_balancer::declare(&mut layers, &network, &nodes, &buckets.logs, &topic);
        network::cluster_rules(&mut layers, &network, &cluster.security_group);
        let belongings = security::Belongings {
            secrets: secrets.arns.into_iter().chain(database.map(|database| database.secret_arn)).collect(),
            table: table.map(|table| table.arn),
            bucket: buckets.data_lake.arn.clone(),
        };
        let role = security::application(&mut layers, &cluster, &belongings, &key.arn);
        kubernetes::declare(&mut layers, &cluster, &role);
    } else {
        network::app_rules(&mut layers, &network);
    }
    layers.graph.finish()
}

/// What the layers read and write.
struct Layers<'a> {
    config: &'a Config,
    facts: &'a Facts,
    graph: GraphBuilder,
}

impl Layers<'_> {
    /// The ARN of something in the platform's region and account: `arn:aws:eks:us-east-1:123456789012:cluster/x`.
    fn arn(&self, service: &str, resource: &str) -> String {
        let Config { region, account_id, .. } = self.config;
        format!("arn:{}:{service}:{region}:{account_id}:{resource}", self.facts.partition)
    }

    /// A service's name in the platform's region, as key policies know it: `s3.us-east-1.amazonaws.com`.
    fn regional(&self, service: &str) -> String {
        format!("{service}.{}.amazonaws.com", self.config.region)
    }

    /// A log group that is encrypted with the key. Services make their groups themselves, without encryption and for
    /// ever: this one has to come before its service.
    fn log_group(
        &mut self,
        address: &str,
        name: &str,
        retention: RetentionDays,
        key: &Input<Arn>,
    ) -> logs::LogGroupOutputs<Draft> {
        self.graph.add::<logs::LogGroup>(
            address,
            logs::LogGroupSpec {
                name: name.into(),
                class: "STANDARD".into(),
                retention_days: Some(i32::from(retention.get())).into(),
                kms_key: key.cast(),
                deletion_protection: false.into(),
            },
        )
    }
}

/// A name as part of an address, which knows fewer characters.
fn slug(name: &str) -> String {
    let fits = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '.' | '-');
    name.to_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).collect()
}
