//! The `[cluster]` table and the tables in it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::{Fault, Finding};
use super::values::{
    AccountId, AddonName, CertificateArn, DnsLabel, HttpPath, InstanceType, Ipv4Cidr, KubernetesVersion, LabelKey,
    LabelValue, NamespaceLabelKey, NodeGroupName, PrincipalArn, Region, RetentionDays, SslPolicy,
};

/// The add-on that gives the autoscaler its numbers.
pub(crate) const METRICS: &str = "metrics-server";

/// The EKS cluster, its nodes, and the application's place in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// Whether there is a cluster at all. Without one the network and the data tiers are still built.
    pub enabled: bool,
    /// The Kubernetes version. EKS moves up one minor version at a time and never down.
    pub version: KubernetesVersion,
    /// What happens when the version leaves standard support.
    pub support_type: SupportType,
    /// Who may reach the cluster's API from the internet. Empty turns the public endpoint off: then the API answers
    /// only inside the VPC, and bedplate has to run there to put objects into the cluster.
    #[schemars(extend("maxItems" = 40))]
    pub public_access_cidrs: BTreeSet<Ipv4Cidr>,
    /// The control-plane logs that go to CloudWatch Logs.
    pub log_types: BTreeSet<LogType>,
    /// How many days control-plane logs are kept. CloudWatch Logs accepts only these values.
    pub log_retention_days: RetentionDays,
    /// Whether AWS refuses to delete the cluster and its load balancer. Left out, it is on in production and off in
    /// development.
    pub deletion_protection: Option<bool>,
    /// The IAM roles and users that administer the cluster. Empty means the caller of the first bootstrap.
    pub admin_principals: BTreeSet<PrincipalArn>,
    /// The Kubernetes namespace of the application. It cannot be renamed: what lies in it would be lost.
    pub namespace: DnsLabel,
    /// The labels of the namespace, which say for instance what its pods may do. Labels that others set stay as they are.
    #[schemars(schema_with = "super::values::namespace_labels_schema")]
    pub namespace_labels: BTreeMap<NamespaceLabelKey, LabelValue>,
    /// The service account that the application's pods run as, which gets the application's IAM role.
    pub service_account: DnsLabel,
    /// The name of the application's Deployment and Service, which the autoscaler and the load balancer refer to.
    pub application: DnsLabel,
    /// The port on which the application's pods listen. They are the pods with the label `app` and the application's name.
    #[schemars(range(min = 1, max = 65535))]
    pub application_port: u16,
    /// The namespaces whose pods run on Fargate; empty means no Fargate profile. Left out, they are `default`,
    /// `kube-system` and the application's namespace.
    // A profile has at most five selectors (EKS service quotas, "Selectors per Fargate profile").
    #[schemars(extend("maxItems" = 5))]
    pub fargate_namespaces: Option<BTreeSet<DnsLabel>>,
    /// The EKS add-ons, each in the version that EKS has as default for the cluster's version.
    pub addons: BTreeSet<AddonName>,
    /// The managed node group.
    pub node_group: NodeGroup,
    /// How many pods of the application run.
    pub autoscaling: Autoscaling,
    /// The load balancer in front of the application.
    pub load_balancer: LoadBalancer,
}

/// What happens when a Kubernetes version leaves standard support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SupportType {
    /// AWS upgrades the cluster.
    Standard,
    /// The version stays for another year, for a higher price per hour.
    Extended,
}

impl SupportType {
    /// The name in the file and in the EKS API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Extended => "EXTENDED",
        }
    }
}

/// A log of the EKS control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogType {
    /// Requests to the Kubernetes API.
    Api,
    /// Who did what in the cluster.
    Audit,
    /// IAM identities that asked to be let in.
    Authenticator,
    /// The control loops of Kubernetes.
    ControllerManager,
    /// Where pods were placed.
    Scheduler,
}

impl LogType {
    /// The name in the file and in the EKS API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Audit => "audit",
            Self::Authenticator => "authenticator",
            Self::ControllerManager => "controllerManager",
            Self::Scheduler => "scheduler",
        }
    }
}

/// The managed node group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NodeGroup {
    /// The name of the node group.
    pub name: NodeGroupName,
    /// The instance types, best first. With `ON_DEMAND` the first one that is available is taken.
    // EKS takes up to 20 (CreateNodegroup).
    #[schemars(extend("minItems" = 1, "maxItems" = 20, "uniqueItems" = true))]
    pub instance_types: Vec<InstanceType>,
    /// How the instances are paid for.
    pub capacity_type: CapacityType,
    /// The operating system of the nodes. Instance types with Graviton processors need one of the `ARM_64` images.
    pub ami_type: AmiType,
    /// The fewest nodes there are.
    #[schemars(range(min = 0, max = 450))]
    pub min: u16,
    /// How many nodes there are at first. Afterwards a number between `min` and `max` is left as it is.
    #[schemars(range(min = 0, max = 450))]
    pub desired: u16,
    /// The most nodes there are. A node group holds up to 450.
    #[schemars(range(min = 1, max = 450))]
    pub max: u16,
    /// How many nodes may be missing at once during an update.
    #[schemars(range(min = 1, max = 100))]
    pub max_unavailable: u16,
    /// The root volume of each node, in GiB.
    #[schemars(range(min = 20, max = 16384))]
    pub disk_size_gb: u32,
    /// The Kubernetes labels of the nodes.
    #[schemars(schema_with = "super::values::labels_schema")]
    pub labels: BTreeMap<LabelKey, LabelValue>,
}

/// How instances are paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CapacityType {
    /// By the second, and they stay.
    OnDemand,
    /// At a discount, and AWS may take them back with two minutes' notice.
    Spot,
}

impl CapacityType {
    /// The name in the file and in the EKS API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "ON_DEMAND",
            Self::Spot => "SPOT",
        }
    }
}

/// The operating system of the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AmiType {
    /// Amazon Linux 2023 for Intel and AMD.
    #[serde(rename = "AL2023_x86_64_STANDARD")]
    Al2023X86,
    /// Amazon Linux 2023 for Graviton.
    #[serde(rename = "AL2023_ARM_64_STANDARD")]
    Al2023Arm,
    /// Bottlerocket for Intel and AMD.
    #[serde(rename = "BOTTLEROCKET_x86_64")]
    BottlerocketX86,
    /// Bottlerocket for Graviton.
    #[serde(rename = "BOTTLEROCKET_ARM_64")]
    BottlerocketArm,
}

impl AmiType {
    /// The name in the file and in the EKS API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Al2023X86 => "AL2023_x86_64_STANDARD",
            Self::Al2023Arm => "AL2023_ARM_64_STANDARD",
            Self::BottlerocketX86 => "BOTTLEROCKET_x86_64",
            Self::BottlerocketArm => "BOTTLEROCKET_ARM_64",
        }
    }
}

/// How many pods of the application run: its HorizontalPodAutoscaler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Autoscaling {
    /// Whether the number of pods follows the load. It needs the add-on `metrics-server`.
    pub enabled: bool,
    /// The fewest pods there are.
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: u16,
    /// The most pods there are.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: u16,
    /// The CPU use to hold, in percent of what the pods request.
    #[schemars(range(min = 1, max = 100))]
    pub cpu_percent: u8,
    /// The memory use to hold, in percent of what the pods request.
    #[schemars(range(min = 1, max = 100))]
    pub memory_percent: u8,
}

/// The load balancer in front of the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LoadBalancer {
    /// Whether there is a load balancer.
    pub enabled: bool,
    /// The certificate for HTTPS, from Certificate Manager in the same account and region. Without one the load
    /// balancer speaks plain HTTP; with one HTTP redirects to HTTPS.
    pub certificate_arn: Option<CertificateArn>,
    /// The TLS versions and ciphers that the load balancer accepts, as a security policy of Elastic Load Balancing.
    pub ssl_policy: SslPolicy,
    /// The port on every node behind which the application's Service listens. Kubernetes has these ports for it.
    #[schemars(range(min = 30000, max = 32767))]
    pub node_port: u16,
    /// The path that the load balancer asks to find out whether a node is healthy.
    pub health_check_path: HttpPath,
    /// How often it asks, in seconds.
    #[schemars(range(min = 10, max = 300))]
    pub health_check_interval_seconds: u16,
    /// After how many seconds without traffic a connection is closed.
    #[schemars(range(min = 1, max = 4000))]
    pub idle_timeout_seconds: u16,
    /// How many seconds a node that goes may finish its requests. It is not stopped before.
    #[schemars(range(min = 0, max = 3600))]
    pub deregistration_delay_seconds: u16,
    /// Whether every request is recorded in the logs bucket.
    pub access_logs: bool,
}

impl Default for Cluster {
    fn default() -> Self {
        let addons = ["vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent", METRICS];
        let logs =
            [LogType::Api, LogType::Audit, LogType::Authenticator, LogType::ControllerManager, LogType::Scheduler];
        Self {
            enabled: true,
            version: KubernetesVersion::known("1.35"),
            support_type: SupportType::Standard,
            public_access_cidrs: BTreeSet::new(),
            log_types: logs.into(),
            log_retention_days: RetentionDays::ONE_YEAR,
            deletion_protection: None,
            admin_principals: BTreeSet::new(),
            namespace: DnsLabel::known("fintech-prod"),
            namespace_labels: BTreeMap::new(),
            service_account: DnsLabel::known("fintech-api"),
            application: DnsLabel::known("fintech-api"),
            application_port: 8080,
            fargate_namespaces: None,
            addons: addons.map(AddonName::known).into(),
            node_group: NodeGroup::default(),
            autoscaling: Autoscaling::default(),
            load_balancer: LoadBalancer::default(),
        }
    }
}

impl Default for NodeGroup {
    fn default() -> Self {
        Self {
            name: NodeGroupName::known("system-ng"),
            instance_types: vec![InstanceType::known("t3.medium")],
            capacity_type: CapacityType::OnDemand,
            ami_type: AmiType::Al2023X86,
            min: 1,
            desired: 2,
            max: 3,
            max_unavailable: 1,
            disk_size_gb: 20,
            labels: [(LabelKey::known("role"), LabelValue::known("system"))].into(),
        }
    }
}

impl Default for Autoscaling {
    fn default() -> Self {
        Self { enabled: true, min_replicas: 3, max_replicas: 10, cpu_percent: 70, memory_percent: 80 }
    }
}

impl Default for LoadBalancer {
    fn default() -> Self {
        Self {
            enabled: true,
            certificate_arn: None,
            ssl_policy: SslPolicy::known("ELBSecurityPolicy-TLS13-1-2-2021-06"),
            node_port: 30080,
            health_check_path: HttpPath::known("/"),
            health_check_interval_seconds: 15,
            idle_timeout_seconds: 60,
            deregistration_delay_seconds: 60,
            access_logs: true,
        }
    }
}

impl Cluster {
    /// Whether the API answers on the internet, to [`Cluster::public_access_cidrs`].
    pub fn public_endpoint(&self) -> bool {
        !self.public_access_cidrs.is_empty()
    }

    /// Whether there is a load balancer: it stands in front of the cluster.
    pub fn has_load_balancer(&self) -> bool {
        self.enabled && self.load_balancer.enabled
    }

    /// The namespaces whose pods run on Fargate: the setting, or else `default`, `kube-system` and the application's.
    pub fn fargate_namespaces(&self) -> BTreeSet<DnsLabel> {
        self.fargate_namespaces.clone().unwrap_or_else(|| {
            [DnsLabel::known("default"), DnsLabel::known("kube-system"), self.namespace.clone()].into()
        })
    }

    pub(super) fn findings(&self, region: &Region, account: &AccountId) -> Vec<Finding> {
        let mut findings = Vec::new();
        let NodeGroup { min, desired, max, max_unavailable, .. } = self.node_group;
        if !(min <= desired && desired <= max) {
            findings.push(Finding::at(
                ["cluster.node_group.desired", "cluster.node_group.min", "cluster.node_group.max"],
                Fault::new(
                    format!("`desired` is {desired}, but `min` is {min} and `max` is {max}"),
                    "`desired` has to lie between the two; what the file leaves out has its default",
                    "change one of them so that `min` <= `desired` <= `max`",
                ),
            ));
        }
        if max_unavailable > max {
            findings.push(Finding::at(
                ["cluster.node_group.max_unavailable", "cluster.node_group.max"],
                Fault::new(
                    format!("{max_unavailable} nodes may be missing, but there are never more than {max}"),
                    "an update would be allowed to stop every node at once",
                    format!("write a number from 1 to {max}"),
                ),
            ));
        }
        let Autoscaling { enabled, min_replicas, max_replicas, .. } = self.autoscaling;
        if min_replicas > max_replicas {
            findings.push(Finding::at(
                ["cluster.autoscaling.min_replicas", "cluster.autoscaling.max_replicas"],
                Fault::new(
                    format!("at least {min_replicas} pods are more than at most {max_replicas}"),
                    "Kubernetes asks for `min_replicas` <= `max_replicas`",
                    "lower `min_replicas` or raise `max_replicas`",
                ),
            ));
        }
        if self.enabled && enabled && !self.addons.iter().any(|addon| addon.as_str() == METRICS) {
            findings.push(Finding::at(
                ["cluster.addons", "cluster.autoscaling.enabled"],
                Fault::new(
                    format!("autoscaling is on, but the add-on `{METRICS}` is not in the list"),
                    "the autoscaler reads CPU and memory from it, and without it would never scale",
                    format!("add `\"{METRICS}\"` to the list, or write `enabled = false` in `[cluster.autoscaling]`"),
                ),
            ));
        }
        if let Some(certificate) = &self.load_balancer.certificate_arn {
            findings.extend(certificate_findings(certificate, region, account));
        }
        findings
    }
}

fn certificate_findings(certificate: &CertificateArn, region: &Region, account: &AccountId) -> Vec<Finding> {
    let key = "cluster.load_balancer.certificate_arn";
    let mut findings = Vec::new();
    if certificate.region() != region.as_str() {
        findings.push(Finding::at(
            [key, "region"],
            Fault::new(
                format!("the certificate is in `{}`, but the platform in `{region}`", certificate.region()),
                "a load balancer uses certificates of its own region only",
                format!("request or import the certificate in `{region}`"),
            ),
        ));
    }
    if certificate.account() != account.as_str() {
        findings.push(Finding::at(
            [key, "account_id"],
            Fault::new(
                format!("the certificate is in account {}, but the platform in {account}", certificate.account()),
                "a load balancer uses certificates of its own account only",
                format!("request or import the certificate in account {account}"),
            ),
        ));
    }
    findings
}
