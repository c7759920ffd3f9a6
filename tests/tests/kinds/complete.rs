//! That the tables cover every resource type and every field, from the reviewed list of types.

use crate::{gone, replaced, row::NoIds, rows};
use std::collections::{BTreeMap, BTreeSet};

/// The list that `crates/aws/tests/schema.rs` keeps.
const KINDS: &str = include_str!("../../../crates/aws/tests/snapshots/kinds.snap");

/// Fields that AWS or the engine can update and that have no row, and why.
const EXEMPT: &[(&str, &str)] = &[
    (
        "ec2.internet_gateway.vpc",
        "AWS detaches none while NAT gateways have addresses behind it; `gone` detaches it after them",
    ),
    ("eks.cluster.version", "goes up only: changes::kubernetes_goes_up_one_minor_version_at_a_time"),
    ("eks.cluster.authentication_mode", "EKS moves it towards API only, where it is from the start"),
    ("eks.node_group.version", "follows the cluster's"),
    ("eks.node_group.release", "no setting pins it, and what EKS installs is left as it is"),
    ("elb.load_balancer.ip_address_type", "IPv6 needs subnets that have it, and the platform has none"),
    ("elb.listener.port", "load_balancer::a_certificate_turns_http_into_a_way_to_https"),
    ("elb.listener.protocol", "HTTP always, or HTTPS always"),
    ("elb.listener.certificate", "load_balancer::a_certificate_turns_http_into_a_way_to_https"),
    ("elb.listener.ssl_policy", "load_balancer::a_certificate_turns_http_into_a_way_to_https"),
    ("rds.cluster.engine_version", "goes up only, so it cannot change back: `upgrades`"),
    ("elasticache.replication_group.engine", "Redis only, and ElastiCache has no way back from Valkey"),
    ("elasticache.replication_group.engine_version", "goes up only, so it cannot change back: `upgrades`"),
    (
        "elasticache.replication_group.transit_encryption",
        "on from the start; ElastiCache does not turn it off while there is a password",
    ),
    ("elasticache.replication_group.auth_secret", "a reference: what it leads to changes with its version"),
    ("elasticache.replication_group.auth_version", "moved::a_new_password_is_rotated_in"),
    ("secrets.secret.initial_value", "is of the past: what is in a secret now is the operator's"),
    ("dynamodb.table.read_range", "says what a plan tolerates; in AWS it is the scaling target's"),
    ("dynamodb.table.write_range", "says what a plan tolerates; in AWS it is the scaling target's"),
];

/// What a platform has on request only: the suite `optional` changes each field of these and deletes them.
const OPTIONAL: [&str; 4] = ["cur.report_definition", "athena.workgroup", "glue.database", "organizations.policy"];

/// Type -> fields that can be updated, of the types that every platform has.
fn kinds() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut kinds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut last = "";
    for line in KINDS.lines().skip_while(|line| *line != "---").skip(1).skip_while(|line| *line != "---").skip(1) {
        let (name, rest) = line.trim_start().split_once([' ', ':']).unwrap_or((line, ""));
        if !line.starts_with(' ') {
            last = name;
            kinds.insert(name, BTreeSet::new());
        } else if rest.contains(", update, ") {
            kinds.entry(last).or_default().insert(name);
        }
    }
    kinds.remove("");
    for optional in OPTIONAL {
        assert!(kinds.remove(optional).is_some(), "there is no {optional}");
    }
    kinds
}

#[test]
fn every_field_that_can_change_has_a_row() {
    let rows: BTreeSet<String> = rows(&NoIds).iter().map(crate::row::Row::field).collect();
    let exempt: BTreeSet<&str> = EXEMPT.iter().map(|(field, _)| *field).collect();
    let fields: BTreeSet<String> =
        kinds().iter().flat_map(|(kind, fields)| fields.iter().map(move |field| format!("{kind}.{field}"))).collect();
    assert!(fields.len() > 100, "the list of types is read: {fields:?}");
    let missing: Vec<&String> =
        fields.iter().filter(|field| !rows.contains(*field) && !exempt.contains(field.as_str())).collect();
    assert!(missing.is_empty(), "give these a row, or a reason: {missing:#?}");
    let stale: Vec<&&str> = exempt.iter().filter(|field| !fields.contains(**field) || rows.contains(**field)).collect();
    assert!(stale.is_empty(), "these exemptions excuse nothing: {stale:?}");
    let unknown: Vec<&String> = rows.iter().filter(|field| !fields.contains(*field)).collect();
    assert!(unknown.is_empty(), "no such fields: {unknown:?}");
}

/// Types with a field that cannot be changed in place.
fn with_fixed_fields() -> BTreeSet<&'static str> {
    let (mut kinds, mut last) = (BTreeSet::new(), "");
    for line in KINDS.lines() {
        if !line.starts_with(' ') {
            last = line.split(' ').next().unwrap_or_default();
        } else if line.contains(", replace, ") || line.contains(", refuse, ") {
            kinds.insert(last);
        }
    }
    kinds
}

#[test]
fn every_type_is_replaced_or_cannot_be() {
    let kinds = with_fixed_fields();
    assert!(kinds.len() > 40, "the list of types is read: {kinds:?}");
    let replaced = replaced::kinds();
    let kept: BTreeSet<&str> = replaced::KEPT.iter().map(|(kind, _)| *kind).collect();
    let covered: BTreeSet<&str> = replaced.union(&kept).copied().collect();
    assert_eq!(kinds, covered, "each has a row, or a reason why no setting replaces it");
    let twice: Vec<&&str> = replaced.intersection(&kept).collect();
    assert!(twice.is_empty(), "a row and a reason: {twice:?}");
}

#[test]
fn every_type_is_deleted_behind_our_back() {
    let kinds: BTreeSet<&str> = kinds().into_keys().collect();
    let alone: BTreeSet<&str> = gone::rows(&NoIds).iter().map(|row| row.kind).collect();
    let held: BTreeSet<&str> = gone::HELD.iter().map(|(kind, _)| *kind).collect();
    let covered: BTreeSet<&str> = alone.union(&held).copied().collect();
    assert_eq!(kinds, covered, "each has a row, or a reason why it cannot go alone");
    let twice: Vec<&&str> = alone.intersection(&held).collect();
    assert!(twice.is_empty(), "a row and a reason: {twice:?}");
}
