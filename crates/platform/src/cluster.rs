//! The cluster: control plane, who administers it, add-ons, nodes, Fargate.

use crate::{
    Facts, Layers,
    config::{CapacityType, Config},
    cost::{Cost, Declared},
    network::{self, Network},
    promise::{Promise, given, on},
    security::{self, ClusterRoles},
    slug,
};
use bedplate_aws::{
    Arn, SubnetId,
    eks::{
        AccessEntry, AccessEntrySpec, AccessScope, Addon, AddonSpec, Cluster, ClusterOutputs, ClusterSpec,
        FargateProfile, FargateProfileSpec, FargateSelector, NodeGroup, NodeGroupOutputs, NodeGroupSpec,
    },
    logs::LogGroup,
};
use bedplate_model::{Draft, Input, Reconcile};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Add-ons that run once on every node, and that a node needs to be ready or to serve pods. The others run as ordinary
/// pods, which need nodes first.
const ON_EVERY_NODE: [&str; 3] = ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"];
/// The namespace of the add-ons.
const SYSTEM: &str = "kube-system";
const NODE_ROUTES: &str = "nodes fetch their images and join the cluster through the NAT gateways";
const POD_ROUTES: &str = "pods on Fargate fetch their images through the NAT gateways";

/// In how many zones the control plane has network interfaces. EKS asks for two, and takes no other zones later than those
/// of the creation: so it is those that every platform has, and a third zone can come and go.
const CONTROL_PLANE_ZONES: usize = 2;

/// What the other layers need of the cluster.
pub(crate) struct Parts {
    pub(crate) cluster: ClusterOutputs<Draft>,
    pub(crate) nodes: NodeGroupOutputs<Draft>,
}

/// Declares the layer.
pub(crate) fn declare(layers: &mut Layers<'_>, network: &Network, roles: &ClusterRoles, key: &Input<Arn>) -> Parts {
    let subnets: Input<BTreeSet<SubnetId>> = Input::all(network.app_subnets.clone());
    let cluster = control_plane(layers, network, roles, key);
    access(layers, &cluster.name);

    let (first, later): (Vec<&str>, Vec<&str>) =
        layers.config.cluster.addons.iter().map(|name| name.as_str()).partition(|name| ON_EVERY_NODE.contains(name));
    for name in &first {
        addon(layers, &cluster.name, name, &BTreeMap::new());
    }
    let (address, nodes) = node_group(layers, network, roles, &cluster.name, &subnets, &first);
    let mut before = BTreeMap::from([(address, "without nodes its pods do not start, and EKS calls it degraded")]);
    if let Some(profile) = fargate(layers, network, roles, &cluster.name, &subnets)
        && system_on_fargate(layers)
    {
        before.insert(profile, "pods stay where they were started, and the profile decides where these start");
    }
    for name in &later {
        addon(layers, &cluster.name, name, &before);
    }

    layers.graph.output("cluster_name", &cluster.name);
    layers.graph.output("cluster_endpoint", &cluster.endpoint);
    layers.graph.output("cluster_certificate_authority", &cluster.certificate_authority);
    layers.graph.output("cluster_security_group_id", &cluster.security_group);
    Parts { cluster, nodes }
}

fn control_plane(
    layers: &mut Layers<'_>,
    network: &Network,
    roles: &ClusterRoles,
    key: &Input<Arn>,
) -> ClusterOutputs<Draft> {
    let config = layers.config;
    let settings = &config.cluster;
    let name = config.cluster_name();
    let logs = "cluster/log-group";
    layers.log_group(logs, &format!("/aws/eks/{name}/cluster"), settings.log_retention_days, key);
    let group = network::control_plane(layers, network);
    let logs_why = "EKS would make the group itself, unencrypted and for ever";
    let mut declaration = layers.graph.declare("cluster/cluster").after(logs, logs_why);
    if config.security.service_linked_roles {
        let why = "EKS makes the control plane's network interfaces with it";
        declaration = declaration.after(&security::service_linked_role("eks"), why);
    }
    declaration.add::<Cluster>(ClusterSpec {
        name: name.into(),
        role_arn: roles.cluster.clone(),
        version: settings.version.as_str().into(),
        vpc: network.vpc.clone(),
        subnets: Input::all(network.app_subnets.iter().take(CONTROL_PLANE_ZONES).cloned()),
        security_groups: Input::all([group]),
        endpoint_private: true.into(),
        endpoint_public: settings.public_endpoint().into(),
        public_access_cidrs: settings
            .public_access_cidrs
            .iter()
            .map(|range| range.net())
            .collect::<BTreeSet<_>>()
            .into(),
        encryption_key: key.cast(),
        logs: settings.log_types.iter().map(|log| log.as_str().to_owned()).collect::<BTreeSet<_>>().into(),
        authentication_mode: "API".into(),
        support_type: settings.support_type.as_str().into(),
        deletion_protection: config.cluster_deletion_protection().into(),
        service_ipv4_cidr: None.into(),
    })
}

/// One access entry per administrator. EKS makes none for the caller by itself: it would stay when the caller changes.
fn access(layers: &mut Layers<'_>, cluster: &Input<String>) {
    let facts = layers.facts;
    let policy = format!("arn:{}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", facts.partition);
    for admin in &facts.admins {
        layers.graph.add::<AccessEntry>(
            &access_address(facts, admin),
            AccessEntrySpec {
                cluster: cluster.clone(),
                principal_arn: Arn::new(admin).into(),
                kind: "STANDARD".into(),
                kubernetes_groups: BTreeSet::new().into(),
                policies: BTreeMap::from([(Arn::new(&policy), AccessScope::Cluster)]).into(),
            },
        );
    }
}

/// The address of an administrator's access entry.
pub(crate) fn access_address(facts: &Facts, admin: &str) -> String {
    let name = principal(admin);
    if facts.admins.iter().filter(|other| principal(other) == name).count() > 1 {
        // The same name in two accounts.
        let account = admin.split(':').nth(4).unwrap_or_default();
        return format!("cluster/access/{name}-{account}");
    }
    format!("cluster/access/{name}")
}

/// `role-admin` of `arn:aws:iam::123456789012:role/path/Admin`.
fn principal(arn: &str) -> String {
    let resource = arn.rsplit(':').next().unwrap_or_default();
    let (kind, name) = resource.split_once('/').unwrap_or(("principal", resource));
    slug(&format!("{kind}-{}", name.rsplit('/').next().unwrap_or_default()))
}

/// The address of an add-on.
pub(crate) fn addon_address(name: &str) -> String {
    format!("cluster/addon/{}", slug(name))
}

fn addon(layers: &mut Layers<'_>, cluster: &Input<String>, name: &str, before: &BTreeMap<String, &'static str>) {
    // CoreDNS asks for EC2 nodes unless it is told otherwise.
    let no_nodes = layers.config.cluster.node_group.desired == 0 && system_on_fargate(layers);
    let configuration = (name == "coredns" && no_nodes).then(|| json!({"computeType": "Fargate"}));
    let mut declaration = layers.graph.declare(&addon_address(name));
    for (address, why) in before {
        declaration = declaration.after(address, why);
    }
    declaration.add::<Addon>(AddonSpec {
        cluster: cluster.clone(),
        name: name.into(),
        version: layers.facts.addon_versions.get(name).cloned().into(),
        configuration: configuration.into(),
        service_account_role_arn: None.into(),
    });
}

fn system_on_fargate(layers: &Layers<'_>) -> bool {
    layers.config.cluster.fargate_namespaces().iter().any(|namespace| namespace.as_str() == SYSTEM)
}

/// Declares the node group. With its address.
fn node_group(
    layers: &mut Layers<'_>,
    network: &Network,
    roles: &ClusterRoles,
    cluster: &Input<String>,
    subnets: &Input<BTreeSet<SubnetId>>,
    addons: &[&str],
) -> (String, NodeGroupOutputs<Draft>) {
    let config = layers.config;
    let settings = &config.cluster.node_group;
    let address = format!("cluster/node-group/{}", slug(&settings.name.to_string()));
    let mut declaration = layers.graph.declare(&address);
    for name in addons {
        let why = match *name {
            "vpc-cni" => "nodes get ready only with it, and pods stop only with it",
            _ => "nodes need it from the start",
        };
        // It comes to a node when the node joins, minutes later.
        declaration = declaration.beside(&addon_address(name), why);
    }
    for zone in 0..network.app_subnets.len() {
        declaration = declaration.after(&network::app_table(zone), NODE_ROUTES);
    }
    if config.security.service_linked_roles {
        let why = "EKS starts and stops the nodes with it";
        declaration = declaration.after(&security::service_linked_role("eks-nodegroup"), why);
    }
    let labels = settings.labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    let nodes = declaration.add::<NodeGroup>(NodeGroupSpec {
        cluster: cluster.clone(),
        name: settings.name.to_string().into(),
        node_role: roles.node.clone(),
        subnets: subnets.clone(),
        instance_types: settings.instance_types.iter().map(ToString::to_string).collect::<Vec<_>>().into(),
        ami_type: settings.ami_type.as_str().into(),
        disk_size: settings.disk_size_gb.into(),
        capacity_type: settings.capacity_type.as_str().into(),
        labels: labels.collect::<BTreeMap<_, _>>().into(),
        min: u32::from(settings.min).into(),
        desired: u32::from(settings.desired).into(),
        max: u32::from(settings.max).into(),
        max_unavailable: u32::from(settings.max_unavailable).into(),
        // Nodes follow the control plane, after it: they depend on it.
        version: Some(config.cluster.version.to_string()).into(),
        release: None.into(),
    });
    (address, nodes)
}

/// Declares the Fargate profile, unless no namespace is on Fargate, and returns its address.
fn fargate(
    layers: &mut Layers<'_>,
    network: &Network,
    roles: &ClusterRoles,
    cluster: &Input<String>,
    subnets: &Input<BTreeSet<SubnetId>>,
) -> Option<String> {
    let namespaces = layers.config.cluster.fargate_namespaces();
    if namespaces.is_empty() {
        return None;
    }
    let selectors = namespaces.iter().map(|namespace| FargateSelector::namespace(namespace.as_str()));
    let name = profile_name(layers);
    let address = "cluster/fargate-profile/fargate";
    let mut declaration = layers.graph.declare(address);
    for zone in 0..network.app_subnets.len() {
        declaration = declaration.after(&network::app_table(zone), POD_ROUTES);
    }
    if layers.config.security.service_linked_roles {
        let why = "EKS makes the pods' network interfaces with it";
        declaration = declaration.after(&security::service_linked_role("eks-fargate"), why);
    }
    declaration.add::<FargateProfile>(FargateProfileSpec {
        cluster: cluster.clone(),
        name: name.into(),
        pod_execution_role_arn: roles.fargate.clone(),
        subnets: subnets.clone(),
        selectors: selectors.collect::<BTreeSet<_>>().into(),
    });
    Some(address.to_owned())
}

/// What cannot be changed in a profile is in its name, so that with other subnets or namespaces the new one stands beside
/// the old one until that goes: a pod that starts while no profile matches it is never moved to Fargate. The name is unique
/// in the cluster only; names that begin with `eks` belong to EKS.
fn profile_name(layers: &Layers<'_>) -> String {
    let subnets = layers.facts.zones.iter().zip(layers.config.network.subnets().app);
    let subnets = subnets.map(|(zone, range)| format!("{zone} {range}"));
    let namespaces = layers.config.cluster.fargate_namespaces();
    let parts: Vec<String> = subnets.chain(namespaces.iter().map(ToString::to_string)).collect();
    let digest = Sha256::digest(parts.join("\n"));
    digest.iter().take(4).fold("fargate-".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// EKS as it is on the bill.
const BILLED: &str = "Amazon Elastic Container Service for Kubernetes";

/// What the cluster costs ("Amazon EKS pricing", "Amazon EC2 on-demand pricing", "Amazon EBS pricing").
pub(crate) fn costs(declared: &Declared<'_>) -> Vec<Cost> {
    let nodes = &declared.config.cluster.node_group;
    let kind = nodes.instance_types.first().map(ToString::to_string).unwrap_or_default();
    let machines = match nodes.capacity_type {
        CapacityType::OnDemand => Cost::hourly(format!("nodes, {kind}"), nodes.desired, machine_price(&kind)),
        // What it costs follows demand.
        CapacityType::Spot => Cost::hourly(format!("nodes, {kind}, spot"), nodes.desired, None),
    };
    let storage = f64::from(nodes.desired) * f64::from(nodes.disk_size_gb);
    vec![
        Cost::hourly("control plane, standard support", declared.count::<Cluster>("cluster"), 0.10).of(BILLED),
        machines,
        Cost::monthly("their volumes, gp3, per GB", storage, 0.08),
    ]
}

/// Dollars an hour for Linux on demand.
fn machine_price(kind: &str) -> Option<f64> {
    Some(match kind {
        "t3.small" => 0.0208,
        "t3.medium" => 0.0416,
        "t3.large" => 0.0832,
        "t3.xlarge" => 0.1664,
        "m5.large" | "m6i.large" => 0.096,
        "m5.xlarge" | "m6i.xlarge" => 0.192,
        "m5.2xlarge" | "m6i.2xlarge" => 0.384,
        _ => return None,
    })
}

/// What comes on top.
pub(crate) const COSTS_ON_TOP: &str = "pods on Fargate, the load balancer's capacity units, logs, extended support (0.60 an \
                                       hour in place of 0.10)";

/// What protects the cluster.
pub(crate) const PROMISES: &[Promise] = &[
    Promise::new(
        "secrets in the cluster are encrypted with the key",
        "cluster/cluster",
        Cluster::KIND,
        |cluster, _| given(cluster, "encryption_key"),
    ),
    Promise::new("the cluster's API answers inside the VPC", "cluster/cluster", Cluster::KIND, |cluster, _| {
        on(cluster, "endpoint_private")
    }),
    Promise::new(
        "outside the VPC it answers only whom the configuration names",
        "cluster/cluster",
        Cluster::KIND,
        |cluster, config| {
            let named = json!(config.cluster.public_access_cidrs);
            Some(!on(cluster, "endpoint_public")? || *cluster.get("public_access_cidrs")? == named)
        },
    ),
    Promise::new("the control plane is logged", "cluster/cluster", Cluster::KIND, |cluster, config| {
        let logs = cluster.get("logs")?.as_array()?;
        Some(config.cluster.log_types.iter().all(|log| logs.contains(&json!(log.as_str()))))
    }),
    Promise::new("its logs are encrypted", "cluster", LogGroup::KIND, |group, _| given(group, "kms_key")),
    Promise::new("the cluster cannot be deleted by mistake", "cluster/cluster", Cluster::KIND, |cluster, _| {
        on(cluster, "deletion_protection")
    })
    .where_set(Config::cluster_deletion_protection),
];
