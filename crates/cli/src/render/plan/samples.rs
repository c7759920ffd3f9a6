//! A plan for tests.

use bedplate_plan::{Action, Change, Plan};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn change(address: &str, kind: &str, action: Action, reason: &str, fields: Value) -> Change {
    let make = |id: Option<&str>, depends_on: Value| {
        json!({"generation": 0, "client_token": "t", "id": id, "draft": {}, "tags": {}, "depends_on": depends_on,
            "held": [], "interrupted": false})
    };
    let removal = |id: &str, first: bool| json!([{"generation": 0, "id": id, "depends_on": [], "unprotect": false, "discard": false, "first": first}]);
    let (make, removals) = match action {
        Action::Create if kind == "eks.node_group" => (make(None, json!(["cluster/cluster"])), json!([])),
        Action::Create => (make(None, json!(["network/vpc"])), json!([])),
        Action::Update | Action::Adopt => (make(Some("id-1"), json!([])), json!([])),
        Action::Replace => (make(None, json!([])), removal("old-1", true)),
        Action::Delete => (Value::Null, removal("old-2", false)),
        Action::Forget => (
            Value::Null,
            json!([{"generation": 0, "id": null, "depends_on": [], "unprotect": false, "discard": false, "first": false}]),
        ),
    };
    serde_json::from_value(json!({
        "address": address, "kind": kind, "action": action, "reason": reason, "fields": fields, "make": make,
        "removals": removals,
    }))
    .unwrap()
}

fn field(path: &str, before: Value, after: Value, forces_replacement: bool, drift: bool) -> Value {
    json!({"path": path, "before": before, "after": after, "forces_replacement": forces_replacement, "drift": drift})
}

/// A plan in which one tag changes everywhere: of most resources nothing else does, of some more does, and one had a tag
/// changed by somebody else.
pub(crate) fn retagged() -> Plan {
    let changed = "the configuration changed";
    let team = || field("tags.Team", Value::Null, json!("platform"), false, false);
    let tagged = |address: &str, kind: &str| change(address, kind, Action::Update, changed, json!([team()]));
    let mut changes = vec![
        tagged("network/vpc", "ec2.vpc"),
        change(
            "network/nat-gateway/b",
            "ec2.nat_gateway",
            Action::Update,
            "the configuration changed; also changed outside bedplate",
            json!([team(), field("tags.Owner", json!("someone"), json!("team-platform@yourcompany.com"), false, true)]),
        ),
        change(
            "network/flow-log",
            "ec2.flow_log",
            Action::Update,
            changed,
            json!([team(), field("max_aggregation_interval", json!(600), json!(60), false, false)]),
        ),
        tagged("security/key", "kms.key"),
        tagged("security/flow-log-role", "iam.role"),
        tagged("cluster/addon/coredns", "eks.addon"),
        tagged("cluster/node-group", "eks.node_group"),
        tagged("cluster/load-balancer", "elb.load_balancer"),
    ];
    for zone in ["a", "b", "c"] {
        changes.extend(
            ["public", "app", "data"].map(|tier| tagged(&format!("network/subnet/{tier}-{zone}"), "ec2.subnet")),
        );
        changes.push(tagged(&format!("network/route-table/app-{zone}"), "ec2.route_table"));
    }
    Plan { changes, ..plan() }
}

/// A plan with every action in it.
pub(crate) fn plan() -> Plan {
    let statement =
        |actions: Value| json!({"Effect": "Allow", "Action": actions, "Resource": "arn:aws:s3:::fintech/*"});
    let policy = |actions: Value| json!({"Version": "2012-10-17", "Statement": [statement(actions)]}).to_string();
    let subject = |account: &str| {
        format!(
            "system:serviceaccount:fintech-prod:fintechglobal-{account}-service-account-of-the-application-in-production"
        )
    };
    let trust = |account: &str| {
        let condition =
            json!({"StringEquals": {"oidc.eks.us-east-1.amazonaws.com/id/0A1B2C3D4E5F:sub": subject(account)}});
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Condition": condition}]}).to_string()
    };
    let changes = vec![
        change("costs/topic", "sns.topic", Action::Create, bedplate_plan::DOES_NOT_EXIST, json!([])),
        change(
            "network/vpc",
            "ec2.vpc",
            Action::Update,
            "changed outside bedplate",
            json!([field("tags.Owner", json!("someone"), json!("team-platform@yourcompany.com"), false, true),]),
        ),
        change(
            "network/subnet/app-a",
            "ec2.subnet",
            Action::Replace,
            "cidr_block cannot be changed in place",
            json!([
                field("cidr_block", json!("10.0.11.0/24"), json!("10.0.14.0/24"), true, false),
                field("vpc", json!("vpc-0a1"), json!({"$unknown": true}), true, false),
            ]),
        ),
        change(
            "cluster/cluster",
            "eks.cluster",
            Action::Create,
            bedplate_plan::DELETED_OUTSIDE,
            json!([field("name", Value::Null, json!("fintechglobal-cluster"), false, false),]),
        ),
        change("cluster/node-group", "eks.node_group", Action::Create, bedplate_plan::DOES_NOT_EXIST, json!([])),
        change(
            "storage/data-lake",
            "s3.bucket",
            Action::Update,
            "the configuration changed",
            json!([field(
                "policy",
                json!(policy(json!(["s3:GetObject", "s3:PutObject", "s3:ListBucket"]))),
                json!(policy(json!(["s3:GetObject", "s3:ListBucket"]))),
                false,
                false
            ),]),
        ),
        change(
            "security/key",
            "kms.key",
            Action::Adopt,
            "exists and is this stack's, but the state does not know it",
            json!([field("description", json!("fintechglobal"), json!("fintechglobal data"), false, true)]),
        ),
        change(
            "security/role/app",
            "iam.role",
            Action::Update,
            "the configuration changed",
            json!([field("assume_role_policy", json!(trust("app")), json!(trust("application")), false, false)]),
        ),
        change(
            "security/service-linked-role/dynamodb.application-autoscaling",
            "iam.service_linked_role",
            Action::Forget,
            "belongs to the account and stays",
            json!([]),
        ),
        change("gone/thing", "ec2.elastic_ip", Action::Delete, "is not in the configuration", json!([])),
    ];
    Plan {
        format: Plan::FORMAT,
        stack: bedplate_model::StackId::new("fintechglobal-production"),
        lineage: "l".to_owned(),
        serial: 3,
        changes,
        unchanged: 103,
        outputs: BTreeMap::new(),
        refusals: Vec::new(),
        unseen: BTreeMap::new(),
    }
}
