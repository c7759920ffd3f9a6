//! The sessions: a DynamoDB table whose capacity follows the load.

use crate::{
    Layers,
    config::Config,
    cost::{Cost, Declared},
    promise::{Promise, given, on},
    security::service_linked_role,
};
use bedplate_aws::{
    Arn,
    dynamodb::{AttributeKind, CapacityRange, KeyAttribute, Table, TableOutputs, TableSpec},
    scaling::{Policy, PolicySpec, Target, TargetSpec},
};
use bedplate_model::{Draft, Input, Reconcile};

/// Scales the capacity.
const SCALER: &str = "dynamodb.application-autoscaling";

/// Declares the layer.
pub(crate) fn declare(layers: &mut Layers<'_>, key: &Input<Arn>) -> TableOutputs<Draft> {
    let config = layers.config;
    let settings = &config.sessions;
    let scaling = &settings.autoscaling;
    let text = |name: &str| KeyAttribute { name: name.to_owned(), kind: AttributeKind::S };
    let range = || scaling.enabled.then(|| CapacityRange { min: scaling.min.into(), max: scaling.max.into() });
    let recovery = settings.point_in_time_recovery.then(|| settings.recovery_period_days.into());
    let table = layers.graph.add::<Table>(
        "sessions/table",
        TableSpec {
            name: settings.table.as_str().into(),
            partition_key: text(settings.partition_key.as_str()).into(),
            sort_key: Some(text(settings.sort_key.as_str())).into(),
            billing_mode: "PROVISIONED".into(),
            read_capacity: u64::from(settings.read_capacity).into(),
            write_capacity: u64::from(settings.write_capacity).into(),
            read_range: range().into(),
            write_range: range().into(),
            stream_view_type: settings.stream.name().map(str::to_owned).into(),
            kms_key: key.cast(),
            ttl_attribute: Some(settings.ttl_attribute.to_string()).into(),
            recovery_days: recovery.into(),
            deletion_protection: config.sessions_deletion_protection().into(),
            table_class: "STANDARD".into(),
        },
    );
    if scaling.enabled {
        for (name, capacity) in [("read", "Read"), ("write", "Write")] {
            self::scaling(layers, &table, name, capacity);
        }
    }
    layers.graph.output("sessions_table", &table.name);
    table
}

fn scaling(layers: &mut Layers<'_>, table: &TableOutputs<Draft>, name: &str, capacity: &str) {
    let config = layers.config;
    let settings = &config.sessions.autoscaling;
    let (namespace, dimension) = ("dynamodb", format!("dynamodb:table:{capacity}CapacityUnits"));
    let address = format!("sessions/scaling/{name}");
    let mut declaration = layers.graph.declare(&address);
    if config.security.service_linked_roles {
        declaration = declaration.after(&service_linked_role(SCALER), "the capacity is moved with it");
    }
    // DynamoDB accepts 40,000 and less.
    let units = |capacity: u32| i32::try_from(capacity).unwrap_or(i32::MAX);
    let target = declaration.add::<Target>(TargetSpec {
        namespace: namespace.into(),
        resource: Input::join(["table/".into(), table.name.clone()]),
        dimension: dimension.as_str().into(),
        min: units(settings.min).into(),
        max: units(settings.max).into(),
    });
    layers.graph.add::<Policy>(
        &format!("sessions/scaling-policy/{name}"),
        PolicySpec {
            namespace: namespace.into(),
            resource: target.resource,
            dimension: dimension.into(),
            name: format!("{}-{name}", config.sessions.table).into(),
            metric: format!("DynamoDB{capacity}CapacityUtilization").into(),
            target: f64::from(settings.target_percent).into(),
            scale_in_cooldown: i32::from(settings.scale_in_cooldown_seconds).into(),
            scale_out_cooldown: i32::from(settings.scale_out_cooldown_seconds).into(),
            disable_scale_in: false.into(),
        },
    );
}

/// DynamoDB as it is on the bill.
const BILLED: &str = "Amazon DynamoDB";

/// What the layer costs ("Amazon DynamoDB pricing for provisioned capacity").
pub(crate) fn costs(declared: &Declared<'_>) -> Vec<Cost> {
    let settings = &declared.config.sessions;
    vec![
        Cost::hourly("read capacity", settings.read_capacity, 0.00013).of(BILLED),
        Cost::hourly("write capacity", settings.write_capacity, 0.00065).of(BILLED),
    ]
}

/// What comes on top.
pub(crate) const COSTS_ON_TOP: &str = "storage, recovery, reading the stream, capacity that scaling adds";

/// What protects the sessions.
pub(crate) const PROMISES: &[Promise] = &[
    Promise::new("the sessions are encrypted with the key", "sessions/table", Table::KIND, |table, _| {
        given(table, "kms_key")
    }),
    Promise::new("the sessions can be restored to any second", "sessions/table", Table::KIND, |table, _| {
        given(table, "recovery_days")
    })
    .where_set(|config| config.sessions.point_in_time_recovery),
    Promise::new("the table cannot be deleted by mistake", "sessions/table", Table::KIND, |table, _| {
        on(table, "deletion_protection")
    })
    .where_set(Config::sessions_deletion_protection),
];
