//! The network: a VPC with public, app and data subnets in every zone, what comes in and goes out, and who may talk to
//! whom.

use crate::{
    Layers,
    config::NatGateways,
    cost::{Cost, Declared},
    promise::{Promise, given},
    security,
};
use bedplate_aws::{
    Arn, NatGatewayId, RouteTableId, SecurityGroupId, SubnetId, VpcId,
    ec2::{
        DefaultSecurityGroup, DefaultSecurityGroupSpec, Direction, ElasticIp, ElasticIpSpec, EndpointKind, FlowLog,
        FlowLogSpec, InternetGateway, InternetGatewaySpec, NatGateway, NatGatewaySpec, RouteTable, RouteTableSpec,
        RouteTarget, SecurityGroup, SecurityGroupRule, SecurityGroupRuleSpec, SecurityGroupSpec, Subnet, SubnetSpec,
        Vpc, VpcEndpoint, VpcEndpointSpec, VpcSpec,
    },
    logs::LogGroup,
};
use bedplate_model::{Input, Reconcile};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;

/// What the other layers need of the network.
pub(crate) struct Network {
    pub(crate) vpc: Input<VpcId>,
    pub(crate) public_subnets: Vec<Input<SubnetId>>,
    pub(crate) app_subnets: Vec<Input<SubnetId>>,
    pub(crate) data_subnets: Vec<Input<SubnetId>>,
    pub(crate) nats: Vec<Input<NatGatewayId>>,
    pub(crate) database: Input<SecurityGroupId>,
    pub(crate) cache: Input<SecurityGroupId>,
    /// Of the load balancer, if there is one.
    pub(crate) load_balancer: Option<Input<SecurityGroupId>>,
}

/// Subnets that are used alike, one per zone.
struct Tier {
    subnets: Vec<Input<SubnetId>>,
}

impl Tier {
    fn ids(&self) -> Input<BTreeSet<SubnetId>> {
        Input::all(self.subnets.clone())
    }
}

/// Declares the layer, apart from the rules that wait for the cluster.
pub(crate) fn declare(layers: &mut Layers<'_>, key: &Input<Arn>) -> Network {
    let settings = &layers.config.network;
    let vpc = layers.graph.add::<Vpc>(
        "network/vpc",
        VpcSpec { cidr: settings.cidr.net().into(), dns_support: true.into(), dns_hostnames: true.into() },
    );
    let vpc = vpc.id;
    layers.graph.add::<DefaultSecurityGroup>(
        "network/default-security-group",
        DefaultSecurityGroupSpec { vpc: vpc.clone(), rules: BTreeSet::new().into() },
    );

    let plan = settings.subnets();
    // The load balancer controller of Kubernetes finds the subnets for its load balancers by these tags.
    let public = tier(layers, &vpc, "public", &plan.public, Some("kubernetes.io/role/elb"));
    let app = tier(layers, &vpc, "app", &plan.app, Some("kubernetes.io/role/internal-elb"));
    let data = tier(layers, &vpc, "data", &plan.data, None);
    let Routes { private_tables, nats } = routes(layers, &vpc, &public, &app, &data);

    let database = group(layers, &vpc, "database", "The database");
    let cache = group(layers, &vpc, "cache", "The cache");
    endpoints(layers, &vpc, &app, &private_tables);
    let load_balancer = layers.config.cluster.has_load_balancer().then(|| load_balancer(layers, &vpc));
    if settings.flow_logs {
        flow_logs(layers, &vpc, key);
    }

    layers.graph.output("vpc_id", &vpc);
    layers.graph.output("public_subnet_ids", &public.ids());
    layers.graph.output("app_subnet_ids", &app.ids());
    layers.graph.output("data_subnet_ids", &data.ids());
    Network {
        vpc,
        public_subnets: public.subnets,
        app_subnets: app.subnets,
        data_subnets: data.subnets,
        nats,
        database,
        cache,
        load_balancer,
    }
}

/// The letter of a zone in addresses.
pub(crate) fn letter(index: usize) -> char {
    ('a'..='z').nth(index).unwrap_or('z')
}

fn tier(layers: &mut Layers<'_>, vpc: &Input<VpcId>, name: &str, ranges: &[Ipv4Net], role: Option<&str>) -> Tier {
    let zones = layers.facts.zones.iter().zip(ranges).enumerate();
    let subnets = zones.map(|(index, (zone, range))| {
        let mut declaration = layers.graph.declare(&format!("network/subnet/{name}-{}", letter(index)));
        if let Some(role) = role {
            declaration = declaration.tag(role, "1");
        }
        let spec = SubnetSpec {
            vpc: vpc.clone(),
            cidr: (*range).into(),
            zone_id: zone.as_str().into(),
            // NAT gateways and load balancers bring their own; nothing else belongs into a public subnet.
            public_addresses: false.into(),
        };
        declaration.add::<Subnet>(spec).id
    });
    Tier { subnets: subnets.collect() }
}

/// The ways out.
struct Routes {
    /// Of the app and data subnets.
    private_tables: Vec<Input<RouteTableId>>,
    nats: Vec<Input<NatGatewayId>>,
}

/// The ways out, and the route tables.
fn routes(layers: &mut Layers<'_>, vpc: &Input<VpcId>, public: &Tier, app: &Tier, data: &Tier) -> Routes {
    let anywhere = Ipv4Net::default();
    let gateway =
        layers.graph.add::<InternetGateway>("network/internet-gateway", InternetGatewaySpec { vpc: vpc.cast() });
    layers.graph.add::<RouteTable>(
        "network/route-table/public",
        RouteTableSpec {
            vpc: vpc.clone(),
            routes: RouteTarget::routes([(anywhere, RouteTarget::internet_gateway(&gateway.id))]),
            subnets: public.ids(),
        },
    );

    let count = match layers.config.network.nat_gateways {
        NatGateways::PerZone => public.subnets.len(),
        NatGateways::Single => 1,
    };
    let nats: Vec<_> =
        (0..).zip(&public.subnets).take(count).map(|(index, subnet)| nat(layers, index, subnet)).collect();

    let mut private = Vec::new();
    for (index, subnet) in app.subnets.iter().enumerate() {
        let out = nats.get(index).or(nats.first()).map(|nat| (anywhere, RouteTarget::nat_gateway(nat)));
        let spec = RouteTableSpec {
            vpc: vpc.clone(),
            routes: RouteTarget::routes(out),
            subnets: Input::all([subnet.clone()]),
        };
        private.push(layers.graph.add::<RouteTable>(&app_table(index), spec).id);
    }
    // Without a route to the internet, not even outwards.
    let spec = RouteTableSpec { vpc: vpc.clone(), routes: RouteTarget::routes([]), subnets: data.ids() };
    private.push(layers.graph.add::<RouteTable>("network/route-table/data", spec).id);
    Routes { private_tables: private, nats }
}

/// The address of the route table of one zone's app subnet.
pub(crate) fn app_table(zone: usize) -> String {
    format!("network/route-table/app-{}", letter(zone))
}

fn nat(layers: &mut Layers<'_>, index: usize, subnet: &Input<SubnetId>) -> Input<NatGatewayId> {
    let letter = letter(index);
    let address = layers
        .graph
        .add::<ElasticIp>(&format!("network/elastic-ip/{letter}"), ElasticIpSpec { network_border_group: None.into() });
    let declaration = layers
        .graph
        .declare(&format!("network/nat/{letter}"))
        .after(
            "network/internet-gateway",
            "without an attached gateway its creation fails, and with its address mapped the gateway cannot be detached",
        )
        .after("network/route-table/public", "it would be available without a way out, and what counts on it would fail");
    declaration.add::<NatGateway>(NatGatewaySpec { subnet: subnet.clone(), allocation: address.id }).id
}

fn endpoints(layers: &mut Layers<'_>, vpc: &Input<VpcId>, app: &Tier, tables: &[Input<RouteTableId>]) {
    let settings = &layers.config.network;
    let region = &layers.config.region;
    for service in &settings.gateway_endpoints {
        let spec = VpcEndpointSpec {
            vpc: vpc.clone(),
            service: format!("com.amazonaws.{region}.{}", service.as_str()).into(),
            kind: EndpointKind::Gateway.into(),
            route_tables: Input::all(tables.to_vec()),
            subnets: BTreeSet::new().into(),
            security_groups: BTreeSet::new().into(),
            private_dns: false.into(),
            policy: None.into(),
        };
        layers.graph.add::<VpcEndpoint>(&format!("network/endpoint/{}", service.as_str()), spec);
    }
    if settings.interface_endpoints.is_empty() {
        return;
    }
    let group = group(layers, vpc, "endpoints", "Private endpoints of AWS services");
    let from_vpc = "network/rule/endpoints-from-vpc";
    rule(layers, from_vpc, &group, Direction::Ingress, 443, Peer::Range(settings.cidr.net()), "HTTPS from the VPC");
    for service in &settings.interface_endpoints {
        let declaration = layers
            .graph
            .declare(&format!("network/endpoint/{service}"))
            .after(from_vpc, "its private name leads everyone in the VPC to it at once, and nobody would be let in");
        declaration.add::<VpcEndpoint>(VpcEndpointSpec {
            vpc: vpc.clone(),
            service: format!("com.amazonaws.{region}.{service}").into(),
            kind: EndpointKind::Interface.into(),
            route_tables: BTreeSet::new().into(),
            subnets: app.ids(),
            security_groups: Input::all([group.clone()]),
            private_dns: true.into(),
            policy: None.into(),
        });
    }
}

fn flow_logs(layers: &mut Layers<'_>, vpc: &Input<VpcId>, key: &Input<Arn>) {
    let name = format!("/aws/vpc/{}", layers.config.name("flow-logs"));
    let retention = layers.config.network.flow_logs_retention_days;
    let group = layers.log_group("network/log-group", &name, retention, key);
    let role = security::flow_log_role(layers, &group.arn);
    layers.graph.add::<FlowLog>(
        "network/flow-log",
        FlowLogSpec {
            vpc: vpc.clone(),
            traffic: "ALL".into(),
            log_group: group.name,
            role,
            // The default of AWS; 60 makes up to ten times as many records.
            interval_seconds: 600.into(),
        },
    );
}

fn load_balancer(layers: &mut Layers<'_>, vpc: &Input<VpcId>) -> Input<SecurityGroupId> {
    let settings = &layers.config.network;
    let group = group(layers, vpc, "load-balancer", "The load balancer");
    for (name, port, description) in
        [("http", settings.http_port, "HTTP from clients"), ("https", settings.https_port, "HTTPS from clients")]
    {
        for range in &settings.load_balancer_cidrs {
            let range = range.net();
            let address = format!("network/rule/load-balancer-{name}-from-{}-{}", range.network(), range.prefix_len());
            rule(layers, &address, &group, Direction::Ingress, port, Peer::Range(range), description);
        }
    }
    group
}

/// The cluster's own group for the interfaces of its control plane. EKS makes another one, for the nodes too, that lets
/// in only its members: without this one nobody else in the VPC reaches the private endpoint.
pub(crate) fn control_plane(layers: &mut Layers<'_>, network: &Network) -> Input<SecurityGroupId> {
    let group = group(layers, &network.vpc, "control-plane", "The Kubernetes API");
    let vpc = Peer::Range(layers.config.network.cidr.net());
    let address = "network/rule/control-plane-from-vpc";
    rule(layers, address, &group, Direction::Ingress, 443, vpc, "The Kubernetes API from the VPC");
    group
}

/// The rules between the cluster's nodes and pods, which all belong to the group that EKS makes, and everything else.
/// Only these wait for the cluster; the groups do not.
pub(crate) fn cluster_rules(layers: &mut Layers<'_>, network: &Network, cluster: &Input<SecurityGroupId>) {
    let settings = &layers.config.network;
    for (name, group, port) in
        [("database", &network.database, settings.database_port), ("cache", &network.cache, settings.cache_port)]
    {
        let address = format!("network/rule/{name}-from-cluster");
        rule(layers, &address, group, Direction::Ingress, port, Peer::Group(cluster), "Nodes and pods of the cluster");
    }
    if let Some(group) = &network.load_balancer {
        let port = layers.config.cluster.load_balancer.node_port;
        let (out, into) = ("network/rule/load-balancer-to-cluster", "network/rule/cluster-from-load-balancer");
        rule(layers, out, group, Direction::Egress, port, Peer::Group(cluster), "The application on the nodes");
        rule(layers, into, cluster, Direction::Ingress, port, Peer::Group(group), "The application on the nodes");
    }
}

/// Without a cluster, the app subnets stand for it: what is started there by other means reaches the data tiers.
pub(crate) fn app_rules(layers: &mut Layers<'_>, network: &Network) {
    let settings = &layers.config.network;
    for (index, range) in settings.subnets().app.into_iter().take(network.app_subnets.len()).enumerate() {
        for (name, group, port) in
            [("database", &network.database, settings.database_port), ("cache", &network.cache, settings.cache_port)]
        {
            let address = format!("network/rule/{name}-from-app-{}", letter(index));
            rule(layers, &address, group, Direction::Ingress, port, Peer::Range(range), "An app subnet");
        }
    }
}

/// A group that lets nothing in or out until rules say so. AWS cannot change its description.
fn group(layers: &mut Layers<'_>, vpc: &Input<VpcId>, name: &str, description: &str) -> Input<SecurityGroupId> {
    let spec = SecurityGroupSpec {
        name: layers.config.name(name).into(),
        description: description.into(),
        vpc: vpc.clone(),
        default_egress: false.into(),
    };
    layers.graph.add::<SecurityGroup>(&format!("network/security-group/{name}"), spec).id
}

/// Who is at the other end.
enum Peer<'a> {
    Range(Ipv4Net),
    Group(&'a Input<SecurityGroupId>),
}

/// A rule about one TCP port.
fn rule(
    layers: &mut Layers<'_>,
    address: &str,
    group: &Input<SecurityGroupId>,
    direction: Direction,
    port: u16,
    peer: Peer<'_>,
    description: &str,
) {
    let (cidr, peer_group) = match peer {
        Peer::Range(range) => (Some(range).into(), None.into()),
        Peer::Group(group) => (None.into(), group.cast()),
    };
    layers.graph.add::<SecurityGroupRule>(
        address,
        SecurityGroupRuleSpec {
            group: group.clone(),
            direction: direction.into(),
            protocol: "tcp".into(),
            from_port: Some(port).into(),
            to_port: Some(port).into(),
            cidr,
            peer_group,
            prefix_list: None.into(),
            description: description.into(),
        },
    );
}

/// What the layer costs ("Amazon VPC pricing", "AWS PrivateLink pricing").
pub(crate) fn costs(declared: &Declared<'_>) -> Vec<Cost> {
    let network = &declared.config.network;
    let endpoints = u32::try_from(network.interface_endpoints.len()).unwrap_or(u32::MAX);
    vec![
        Cost::hourly("NAT gateways", declared.count::<NatGateway>("network"), 0.045),
        Cost::hourly("public IPv4 addresses", declared.count::<ElasticIp>("network"), 0.005),
        Cost::hourly("interface endpoints in every zone", endpoints * u32::from(network.zones), 0.01),
    ]
}

/// What comes on top.
pub(crate) const COSTS_ON_TOP: &str = "traffic through NAT gateways and endpoints and between zones, flow logs";

/// What protects the network.
pub(crate) const PROMISES: &[Promise] = &[
    Promise::new("the VPC's traffic is logged", "network", FlowLog::KIND, |log, _| {
        Some(log.get("traffic")?.as_str()? == "ALL")
    }),
    Promise::new("the flow logs are encrypted", "network/log-group", LogGroup::KIND, |group, _| {
        given(group, "kms_key")
    }),
    Promise::new(
        "the VPC's default group lets nothing in or out",
        "network",
        DefaultSecurityGroup::KIND,
        |group, _| Some(group.get("rules")?.as_array()?.is_empty()),
    ),
    Promise::new(
        "the data subnets have no way to the internet",
        "network/route-table/data",
        RouteTable::KIND,
        |table, _| Some(table.get("routes")?.as_object()?.is_empty()),
    ),
];
