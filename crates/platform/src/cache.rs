//! The cache: a Redis replication group in the data subnets.

use crate::{
    Layers,
    config::RedisVersion,
    cost::{Cost, Declared},
    network::Network,
    promise::{Promise, at_least, on},
    secrets::Secrets,
    security::service_linked_role,
};
use bedplate_aws::{
    Arn,
    elasticache::{
        ParameterGroup, ParameterGroupSpec, ReplicationGroup, ReplicationGroupSpec, SubnetGroup, SubnetGroupSpec,
    },
};
use bedplate_model::{Input, Reconcile};
use std::collections::BTreeMap;

/// Declares the layer.
pub(crate) fn declare(layers: &mut Layers<'_>, network: &Network, secrets: &Secrets, key: &Input<Arn>) {
    let config = layers.config;
    let settings = &config.cache;
    let subnets = layers.graph.add::<SubnetGroup>(
        "cache/subnet-group",
        SubnetGroupSpec {
            name: config.name("redis").into(),
            description: "The data subnets".into(),
            subnets: Input::all(network.data_subnets.clone()),
        },
    );
    let family = RedisVersion::PARAMETER_FAMILY;
    let eviction = ("maxmemory-policy".to_owned(), settings.eviction.as_str().to_owned());
    let parameters = layers.graph.add::<ParameterGroup>(
        "cache/parameters",
        ParameterGroupSpec {
            name: config.name(family).into(),
            family: family.into(),
            parameters: BTreeMap::from([eviction]).into(),
        },
    );
    let name = config.cache_name();
    let mut declaration = layers.graph.declare("cache/redis");
    if config.security.service_linked_roles {
        let why = "ElastiCache makes network interfaces with it";
        declaration = declaration.after(&service_linked_role("elasticache"), why);
    }
    let redis = declaration.add::<ReplicationGroup>(ReplicationGroupSpec {
        final_snapshot: config.cache_final_snapshot().then(|| format!("{name}-final")).into(),
        id: name.into(),
        description: format!("The cache of {}", config.stack()).into(),
        engine: "redis".into(),
        engine_version: settings.engine_version.as_str().into(),
        node_type: settings.node_type.as_str().into(),
        nodes: u32::from(settings.nodes).into(),
        automatic_failover: settings.automatic_failover.into(),
        multi_az: settings.multi_az.into(),
        at_rest_encryption: true.into(),
        kms_key: key.cast(),
        transit_encryption: true.into(),
        subnet_group: subnets.name,
        security_groups: Input::all([network.cache.clone()]),
        port: config.network.cache_port.into(),
        parameter_group: parameters.name,
        auth_secret: secrets.redis_auth.arn.clone(),
        auth_version: secrets.redis_auth.version_id.clone(),
        snapshot_retention_days: u32::from(settings.snapshot_retention_days).into(),
        snapshot_window: Some(settings.snapshot_window.to_string()).into(),
        maintenance_window: Some(settings.maintenance_window.to_string()).into(),
        auto_minor_version_upgrade: settings.auto_minor_version_upgrade.into(),
    });
    layers.graph.output("redis_primary_endpoint", &redis.primary_endpoint);
    layers.graph.output("redis_reader_endpoint", &redis.reader_endpoint);
}

/// ElastiCache as it is on the bill.
const BILLED: &str = "Amazon ElastiCache";

/// What the layer costs ("Amazon ElastiCache pricing").
pub(crate) fn costs(declared: &Declared<'_>) -> Vec<Cost> {
    let settings = &declared.config.cache;
    let kind = settings.node_type.as_str();
    let nodes = u32::from(settings.nodes) * declared.count::<ReplicationGroup>("cache");
    vec![Cost::hourly(format!("nodes, {kind}"), nodes, node_price(kind)).of(BILLED)]
}

/// Dollars an hour for Redis.
fn node_price(kind: &str) -> Option<f64> {
    Some(match kind {
        "cache.t4g.micro" => 0.016,
        "cache.t4g.small" => 0.032,
        "cache.t4g.medium" => 0.065,
        "cache.r6g.large" => 0.206,
        "cache.r6g.xlarge" => 0.411,
        "cache.r6g.2xlarge" => 0.821,
        _ => return None,
    })
}

/// What comes on top.
pub(crate) const COSTS_ON_TOP: &str = "snapshots beyond the first, traffic between zones";

/// What protects the cache.
pub(crate) const PROMISES: &[Promise] = &[
    Promise::new("the cache is encrypted at rest", "cache", ReplicationGroup::KIND, |cache, _| {
        on(cache, "at_rest_encryption")
    }),
    Promise::new("the cache takes TLS connections only", "cache", ReplicationGroup::KIND, |cache, _| {
        on(cache, "transit_encryption")
    }),
    Promise::new("snapshots are kept as long as configured", "cache", ReplicationGroup::KIND, |cache, config| {
        at_least(cache, "snapshot_retention_days", config.cache.snapshot_retention_days)
    }),
];
