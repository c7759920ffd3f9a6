//! The load balancer in front of the application: what it listens for, and the nodes it sends requests to.

use crate::{
    Layers,
    config::Config,
    cost::{Cost, Declared},
    monitoring,
    network::Network,
    promise::{Promise, given, on},
    security, storage,
};
use bedplate_aws::{
    Arn,
    autoscaling::{TrafficSource, TrafficSourceSpec},
    eks::NodeGroupOutputs,
    elb::{
        Listener, ListenerAction, ListenerSpec, LoadBalancer, LoadBalancerOutputs, LoadBalancerSpec, TargetGroup,
        TargetGroupSpec,
    },
    s3::BucketOutputs,
};
use bedplate_model::{Draft, Input, Reconcile};

const HTTPS: &str = "cluster/listener/https";

/// Declares the layer, unless it is turned off.
pub(crate) fn declare(
    layers: &mut Layers<'_>,
    network: &Network,
    nodes: &NodeGroupOutputs<Draft>,
    logs: &BucketOutputs<Draft>,
    topic: &Input<Arn>,
) {
    let Some(balancer) = balancer(layers, network, logs) else { return };
    let group = target_group(layers, network);
    listeners(layers, &balancer.arn, &group);
    // Its nodes come and go, and register themselves.
    layers.graph.add::<TrafficSource>(
        "cluster/traffic-source",
        TrafficSourceSpec { group: nodes.auto_scaling_group.clone(), target_group: group },
    );
    monitoring::load_balancer_alarms(layers, &balancer.full_name, topic);
    layers.graph.output("load_balancer_dns", &balancer.dns_name);
}

fn balancer(
    layers: &mut Layers<'_>,
    network: &Network,
    logs: &BucketOutputs<Draft>,
) -> Option<LoadBalancerOutputs<Draft>> {
    let config = layers.config;
    let settings = &config.cluster.load_balancer;
    let group = network.load_balancer.clone()?;
    let mut declaration = layers
        .graph
        .declare("cluster/load-balancer")
        .after(
            "network/internet-gateway",
            "without an attached gateway its creation fails, and with its addresses mapped the gateway cannot be detached",
        )
        .after("network/route-table/public", "its answers go back through it");
    if config.security.service_linked_roles {
        let why = "Elastic Load Balancing makes its network interfaces with it";
        declaration = declaration.after(&security::service_linked_role("elasticloadbalancing"), why);
    }
    Some(declaration.add::<LoadBalancer>(LoadBalancerSpec {
        name: config.name("alb").into(),
        scheme: "internet-facing".into(),
        vpc: network.vpc.clone(),
        subnets: Input::all(network.public_subnets.clone()),
        security_groups: Input::all([group]),
        ip_address_type: "ipv4".into(),
        log_bucket: if settings.access_logs { logs.name.cast() } else { None.into() },
        log_prefix: if settings.access_logs { storage::LOAD_BALANCER_LOGS } else { "" }.into(),
        deletion_protection: config.cluster_deletion_protection().into(),
        idle_timeout_seconds: u32::from(settings.idle_timeout_seconds).into(),
        // The default of AWS, an hour.
        keep_alive_seconds: 3600.into(),
        // What the application might read otherwise than whoever checks requests before it.
        drop_invalid_headers: true.into(),
        desync_mitigation: "defensive".into(),
        http2: true.into(),
    }))
}

/// Its name has the port in it, so that with another port the new group stands beside the old one until the listener has
/// gone over to it.
fn target_group(layers: &mut Layers<'_>, network: &Network) -> Input<Arn> {
    let settings = &layers.config.cluster.load_balancer;
    let spec = TargetGroupSpec {
        name: layers.config.name(&settings.node_port.to_string()).into(),
        vpc: network.vpc.clone(),
        target_type: "instance".into(),
        protocol: "HTTP".into(),
        protocol_version: "HTTP1".into(),
        port: settings.node_port.into(),
        health_check_protocol: "HTTP".into(),
        health_check_port: "traffic-port".into(),
        health_check_path: settings.health_check_path.as_str().into(),
        // As Kubernetes judges its own probes.
        health_check_codes: "200-399".into(),
        health_check_interval: u32::from(settings.health_check_interval_seconds).into(),
        health_check_timeout: 5.into(),
        healthy_threshold: 2.into(),
        unhealthy_threshold: 2.into(),
        deregistration_delay: u32::from(settings.deregistration_delay_seconds).into(),
        slow_start: 0.into(),
        algorithm: "least_outstanding_requests".into(),
        stickiness: false.into(),
    };
    layers.graph.add::<TargetGroup>("cluster/target-group", spec).arn
}

/// With a certificate, HTTPS, and HTTP only to lead there; without one, HTTP.
fn listeners(layers: &mut Layers<'_>, balancer: &Input<Arn>, group: &Input<Arn>) {
    let network = &layers.config.network;
    let settings = &layers.config.cluster.load_balancer;
    let http = ListenerSpec {
        load_balancer: balancer.clone(),
        port: network.http_port.into(),
        protocol: "HTTP".into(),
        certificate: None.into(),
        ssl_policy: None.into(),
        action: match settings.certificate_arn {
            Some(_) => ListenerAction::to_https(network.https_port).into(),
            None => ListenerAction::forward(group),
        },
    };
    if let Some(certificate) = &settings.certificate_arn {
        let https = ListenerSpec {
            port: network.https_port.into(),
            protocol: "HTTPS".into(),
            certificate: Some(Arn::new(certificate.as_str())).into(),
            ssl_policy: Some(settings.ssl_policy.to_string()).into(),
            action: ListenerAction::forward(group),
            ..http.clone()
        };
        layers.graph.add::<Listener>(HTTPS, https);
    }
    let mut declaration = layers.graph.declare("cluster/listener/http");
    if settings.certificate_arn.is_some() {
        declaration = declaration.after(HTTPS, "it leads there");
    }
    declaration.add::<Listener>(http);
}

/// What the load balancer costs ("Elastic Load Balancing pricing", "Amazon VPC pricing").
pub(crate) fn costs(declared: &Declared<'_>) -> Vec<Cost> {
    let balancers = declared.count::<LoadBalancer>("cluster");
    let addresses = balancers * u32::from(declared.config.network.zones);
    vec![Cost::hourly("load balancer", balancers, 0.0225), Cost::hourly("its public IPv4 addresses", addresses, 0.005)]
}

/// What protects the load balancer.
pub(crate) const PROMISES: &[Promise] = &[
    Promise::new(
        "requests with invalid headers are dropped",
        "cluster/load-balancer",
        LoadBalancer::KIND,
        |balancer, _| on(balancer, "drop_invalid_headers"),
    ),
    Promise::new(
        "requests to the load balancer are logged",
        "cluster/load-balancer",
        LoadBalancer::KIND,
        |balancer, _| given(balancer, "log_bucket"),
    )
    .where_set(|config| config.cluster.load_balancer.access_logs),
    Promise::new(
        "the load balancer cannot be deleted by mistake",
        "cluster/load-balancer",
        LoadBalancer::KIND,
        |balancer, _| on(balancer, "deletion_protection"),
    )
    .where_set(Config::cluster_deletion_protection),
    Promise::new("clients are sent to HTTPS", "cluster/listener/http", Listener::KIND, |listener, _| {
        Some(listener.get("action")?.get("redirect")?.get("protocol")? == "HTTPS")
    })
    .where_set(|config| config.cluster.load_balancer.certificate_arn.is_some()),
    Promise::new("HTTPS uses the configured TLS policy", HTTPS, Listener::KIND, |listener, config| {
        Some(listener.get("ssl_policy")?.as_str()? == config.cluster.load_balancer.ssl_policy.as_str())
    })
    .where_set(|config| config.cluster.load_balancer.certificate_arn.is_some()),
];
