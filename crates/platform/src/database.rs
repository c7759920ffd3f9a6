//! The database: an Aurora PostgreSQL cluster with a writer, readers, and more readers under load.

use crate::{
    Layers,
    config::{Config, Insights},
    cost::{Cost, Declared},
    network::Network,
    promise::{Promise, at_least, given, on},
    security::{self, service_linked_role},
};
use bedplate_aws::{
    Arn,
    logs::LogGroup,
    rds::{
        Cluster, ClusterOutputs, ClusterParameterGroup, ClusterSpec, Instance, InstanceSpec, ParameterGroup,
        ParameterGroupSpec, SubnetGroup, SubnetGroupSpec,
    },
    scaling::{Policy, PolicySpec, Target, TargetSpec},
};
use bedplate_model::{Draft, Input, Reconcile};
use std::collections::{BTreeMap, BTreeSet};

const ENGINE: &str = "aurora-postgresql";
/// Scales the readers.
const SCALER: &str = "rds.application-autoscaling";

/// Declares the layer.
pub(crate) fn declare(layers: &mut Layers<'_>, network: &Network, key: &Input<Arn>) -> ClusterOutputs<Draft> {
    let cluster = cluster(layers, network, key);
    let instances = instances(layers, &cluster, key);
    if layers.config.database.autoscaling.enabled {
        scaling(layers, &cluster, &instances);
    }
    layers.graph.output("database_endpoint", &cluster.endpoint);
    layers.graph.output("database_reader_endpoint", &cluster.reader_endpoint);
    layers.graph.output("database_secret_arn", &cluster.secret_arn);
    cluster
}

fn cluster(layers: &mut Layers<'_>, network: &Network, key: &Input<Arn>) -> ClusterOutputs<Draft> {
    let config = layers.config;
    let settings = &config.database;
    let name = config.database_name();
    let subnets = layers.graph.add::<SubnetGroup>(
        "database/subnet-group",
        SubnetGroupSpec {
            name: config.name("aurora").into(),
            description: "The data subnets".into(),
            subnets: Input::all(network.data_subnets.clone()),
        },
    );
    let family = settings.engine_version.parameter_family();
    let force_tls = if settings.force_tls { "1" } else { "0" };
    let parameters = layers.graph.add::<ClusterParameterGroup>(
        "database/cluster-parameters",
        ParameterGroupSpec {
            // A new major version takes a new group, which has to stand beside the old one.
            name: config.name(&family).into(),
            family: family.as_str().into(),
            description: "The database cluster".into(),
            parameters: BTreeMap::from([("rds.force_ssl".to_owned(), force_tls.to_owned())]).into(),
        },
    );
    let logs: BTreeSet<String> = settings.log_types.iter().map(|log| log.as_str().to_owned()).collect();
    for log in &logs {
        let group = format!("/aws/rds/cluster/{name}/{log}");
        layers.log_group(&log_group(log), &group, settings.log_retention_days, key);
    }

    let (insights_mode, insights_days) = insights(settings.insights);
    // Scaling counts all readers.
    let scaling = &settings.autoscaling;
    let scaled_readers = if scaling.enabled { u32::from(scaling.max.saturating_sub(settings.readers)) } else { 0 };
    let mut declaration = layers.graph.declare("database/cluster");
    for log in &logs {
        declaration = declaration.after(&log_group(log), "RDS would make the group itself, unencrypted and for ever");
    }
    if config.security.service_linked_roles {
        declaration = declaration.after(&service_linked_role("rds"), "RDS makes network interfaces with it");
    }
    declaration.add::<Cluster>(ClusterSpec {
        name: name.into(),
        engine: ENGINE.into(),
        engine_version: settings.engine_version.as_str().into(),
        database: settings.name.as_str().into(),
        master_user: settings.user.as_str().into(),
        secret_key: key.cast(),
        storage_encrypted: true.into(),
        kms_key: key.cast(),
        subnet_group: subnets.name,
        parameter_group: parameters.name,
        security_groups: Input::all([network.database.clone()]),
        port: config.network.database_port.into(),
        backup_retention_days: i32::from(settings.backup_retention_days).into(),
        backup_window: Some(settings.backup_window.to_string()).into(),
        maintenance_window: Some(settings.maintenance_window.to_string()).into(),
        deletion_protection: config.database_deletion_protection().into(),
        logs: logs.into(),
        data_api: settings.data_api.into(),
        iam_authentication: settings.iam_authentication.into(),
        copy_tags_to_snapshot: true.into(),
        insights_mode: insights_mode.into(),
        insights_days: insights_days.into(),
        insights_key: insights_days.map_or(None.into(), |_| key.cast()),
        scaled_readers: scaled_readers.into(),
        final_snapshot: config.database_final_snapshot().then(|| "final".to_owned()).into(),
    })
}

fn log_group(log: &str) -> String {
    format!("database/log-group/{log}")
}

/// The mode, and for how many days Performance Insights keeps what it measures: the two go together.
fn insights(insights: Insights) -> (&'static str, Option<i32>) {
    match insights {
        Insights::Off => ("standard", None),
        Insights::Standard => ("standard", Some(7)),
        Insights::Advanced => ("advanced", Some(465)),
    }
}

/// Declares the writer and the readers and returns their addresses. They are made at the same time: which one becomes the
/// writer is up to Aurora, then as at every failover.
fn instances(layers: &mut Layers<'_>, cluster: &ClusterOutputs<Draft>, key: &Input<Arn>) -> Vec<String> {
    let config = layers.config;
    let settings = &config.database;
    let family = settings.engine_version.parameter_family();
    let parameters = layers.graph.add::<ParameterGroup>(
        "database/parameters",
        ParameterGroupSpec {
            name: config.name(&family).into(),
            family: family.into(),
            description: "The database instances".into(),
            parameters: BTreeMap::new().into(),
        },
    );
    let interval = settings.monitoring_interval_seconds.get();
    let role = (interval > 0).then(|| security::database_monitoring_role(layers));
    let (_, insights_days) = insights(settings.insights);
    let addresses = (1..=settings.readers + 1).map(|number| {
        let address = format!("database/instance/{number}");
        let spec = InstanceSpec {
            cluster: cluster.id.clone(),
            name: config.name(&format!("aurora-{number}")).into(),
            engine: ENGINE.into(),
            class: settings.instance_class.as_str().into(),
            availability_zone: None.into(),
            parameter_group: parameters.name.clone(),
            monitoring_role: role.as_ref().map_or(None.into(), Input::cast),
            monitoring_interval: i32::from(interval).into(),
            insights_days: insights_days.into(),
            insights_key: insights_days.map_or(None.into(), |_| key.cast()),
            // Readers that scaling adds come last, with 15: they may go at any time.
            promotion_tier: i32::from(number > 1).into(),
            auto_minor_upgrade: settings.auto_minor_version_upgrade.into(),
            publicly_accessible: false.into(),
            restart_pending: false.into(),
        };
        layers.graph.add::<Instance>(&address, spec);
        address
    });
    addresses.collect()
}

fn scaling(layers: &mut Layers<'_>, cluster: &ClusterOutputs<Draft>, instances: &[String]) {
    let config = layers.config;
    let settings = &config.database.autoscaling;
    let mut declaration = layers.graph.declare("database/scaling");
    for instance in instances {
        declaration = declaration.after(instance, "AWS ignores a cluster that is registered before its instances run");
    }
    if config.security.service_linked_roles {
        declaration = declaration.after(&service_linked_role(SCALER), "readers are added and removed with it");
    }
    let (namespace, dimension) = ("rds", "rds:cluster:ReadReplicaCount");
    let target = declaration.add::<Target>(TargetSpec {
        namespace: namespace.into(),
        resource: Input::join(["cluster:".into(), cluster.id.clone()]),
        dimension: dimension.into(),
        min: i32::from(settings.min).into(),
        max: i32::from(settings.max).into(),
    });
    layers.graph.add::<Policy>(
        "database/scaling-policy",
        PolicySpec {
            namespace: namespace.into(),
            resource: target.resource,
            dimension: dimension.into(),
            name: config.name("aurora-readers").into(),
            metric: "RDSReaderAverageCPUUtilization".into(),
            target: f64::from(settings.cpu_percent).into(),
            scale_in_cooldown: i32::from(settings.scale_in_cooldown_seconds).into(),
            scale_out_cooldown: i32::from(settings.scale_out_cooldown_seconds).into(),
            disable_scale_in: false.into(),
        },
    );
}

/// RDS as it is on the bill.
const BILLED: &str = "Amazon Relational Database Service";

/// What the layer costs ("Amazon Aurora pricing", "Amazon CloudWatch pricing", "AWS Secrets Manager pricing").
pub(crate) fn costs(declared: &Declared<'_>) -> Vec<Cost> {
    let settings = &declared.config.database;
    let class = settings.instance_class.as_str();
    let instances = declared.count::<Instance>("database");
    let mut costs = vec![
        Cost::hourly(format!("instances, {class}"), instances, instance_price(class)).of(BILLED),
        Cost::monthly("the password's secret", declared.count::<Cluster>("database"), 0.40),
    ];
    if settings.insights == Insights::Advanced {
        let vcpus = cores(class).map(|cores| cores * instances);
        let price = vcpus.map(|_| 0.0125);
        costs.push(Cost::hourly("advanced insights, per vCPU", vcpus.unwrap_or(instances), price));
    }
    costs
}

/// Dollars an hour for Aurora PostgreSQL, standard storage.
fn instance_price(class: &str) -> Option<f64> {
    Some(match class {
        "db.t4g.medium" => 0.073,
        "db.t4g.large" => 0.146,
        "db.r6g.large" => 0.26,
        "db.r6g.xlarge" => 0.519,
        "db.r6g.2xlarge" => 1.038,
        "db.r6g.4xlarge" => 2.076,
        _ => return None,
    })
}

/// The vCPUs of a class, which follow from its size.
fn cores(class: &str) -> Option<u32> {
    let size = class.rsplit('.').next()?;
    match size.strip_suffix("xlarge") {
        Some("") => Some(4),
        Some(times) => times.parse::<u32>().ok().map(|times| times * 4),
        None => (size == "medium" || size == "large").then_some(2),
    }
}

/// What comes on top.
pub(crate) const COSTS_ON_TOP: &str = "storage, requests to it, backups beyond the database's size, logs and enhanced monitoring, readers that scaling adds";

/// What protects the database.
pub(crate) const PROMISES: &[Promise] = &[
    Promise::new("the database is encrypted at rest", "database", Cluster::KIND, |cluster, _| {
        on(cluster, "storage_encrypted")
    }),
    Promise::new("the database takes TLS connections only", "database", ClusterParameterGroup::KIND, |group, _| {
        Some(group.get("parameters")?.get("rds.force_ssl").is_some_and(|value| value == "1"))
    })
    .where_set(|config| config.database.force_tls),
    Promise::new("no instance has a public address", "database", Instance::KIND, |instance, _| {
        on(instance, "publicly_accessible").map(|public| !public)
    }),
    Promise::new("backups are kept as long as configured", "database", Cluster::KIND, |cluster, config| {
        at_least(cluster, "backup_retention_days", config.database.backup_retention_days)
    }),
    Promise::new("its password is RDS's own secret, under the key", "database", Cluster::KIND, |cluster, _| {
        given(cluster, "secret_key")
    }),
    Promise::new("its logs are encrypted", "database", LogGroup::KIND, |group, _| given(group, "kms_key")),
    Promise::new("the database cannot be deleted by mistake", "database", Cluster::KIND, |cluster, _| {
        on(cluster, "deletion_protection")
    })
    .where_set(Config::database_deletion_protection),
];
