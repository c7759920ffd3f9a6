//! Who may do what: no wildcard without a reason, roles for this account only, the application with what is its own.

use super::{draft, platform, resolved};
use bedplate_model::{Address, Json};
use serde_json::json;
use std::collections::BTreeSet;

/// Where a policy has a `*`, and why it must.
const WILDCARDS: &[(&str, &str, &str)] = &[
    ("security/key", "Action kms:*", "the account's root keeps every right over the key, or nobody could change it"),
    ("security/key", "Resource *", "in a key's policy it means the key"),
    ("security/role/flow-logs", "Resource network/log-group.arn:*", "the streams of the one group"),
    (
        "security/role/flow-logs",
        "Resource arn:aws:logs:us-east-1:797923187401:log-group:*",
        "DescribeLogGroups asks about all groups of the region; it shows names only",
    ),
    ("security/role/app", "Resource storage/data-lake.arn/*", "the objects of the one bucket"),
    (
        "storage/logs",
        "Resource arn:aws:s3:::fintechglobal-s3-logs-797923187401-us-east-1/access-logs/*",
        "the logs of the data lake and nothing else",
    ),
    (
        "storage/logs",
        "Resource arn:aws:s3:::fintechglobal-s3-logs-797923187401-us-east-1/load-balancer/AWSLogs/797923187401/*",
        "the logs of the load balancer and nothing else",
    ),
];

#[test]
fn policies_have_no_wildcard_without_a_reason() {
    let mut found = BTreeSet::new();
    for (address, node) in platform("").iter() {
        let mut statements = Vec::new();
        collect_statements(&resolved(&node.draft), &mut statements);
        for statement in statements.into_iter().filter(|statement| statement["Effect"] == "Allow") {
            assert!(statement.get("NotAction").or(statement.get("NotResource")).is_none(), "{address}");
            assert_ne!(statement["Principal"], json!("*"), "{address}");
            for part in ["Action", "Resource"] {
                let values = match &statement[part] {
                    Json::Array(values) => values.clone(),
                    one => vec![one.clone()],
                };
                let texts = values.iter().filter_map(Json::as_str).filter(|text| text.contains('*'));
                found.extend(texts.map(|text| (address.to_string(), format!("{part} {text}"))));
            }
        }
    }
    let allowed = WILDCARDS.iter().map(|(address, what, _)| ((*address).to_owned(), (*what).to_owned()));
    assert_eq!(found, allowed.collect());
}

fn collect_statements(json: &Json, found: &mut Vec<Json>) {
    match json {
        Json::Object(map) => {
            if let Some(Json::Array(statements)) = map.get("Statement") {
                found.extend(statements.iter().cloned());
            }
            map.values().for_each(|value| collect_statements(value, found));
        }
        Json::Array(items) => items.iter().for_each(|item| collect_statements(item, found)),
        _ => {}
    }
}

#[test]
fn services_assume_roles_for_this_account_only() {
    // EC2 hands the role to instances and has no such conditions.
    const WITHOUT: &[&str] = &["security/role/node"];
    for (address, node) in platform("").iter().filter(|(_, node)| node.kind == "iam.role") {
        let statement = &node.draft["trust"]["Statement"][0];
        let source = statement["Condition"]["ArnLike"]["aws:SourceArn"].as_str().unwrap_or_default();
        let ours = source.starts_with("arn:aws:") && source.contains(":us-east-1:797923187401:");
        let service = statement["Principal"].get("Service").is_some();
        assert_eq!(ours, service && !WITHOUT.contains(&address.as_str()), "{address}");
    }
}

#[test]
fn the_application_is_known_by_its_service_account() {
    let trust = resolved(&draft(&platform(""), "security/role/app")["trust"]);
    assert_eq!(
        trust["Statement"][0]["Condition"]["StringEquals"],
        json!({
            "security/oidc-provider.issuer:aud": "sts.amazonaws.com",
            "security/oidc-provider.issuer:sub": "system:serviceaccount:fintech-prod:fintech-api",
        })
    );
}

#[test]
fn the_application_may_use_what_is_its_own() {
    let policy = resolved(&draft(&platform(""), "security/role/app")["inline_policies"]["application"]);
    let resources = |sid: &str| {
        let statements = policy["Statement"].as_array().unwrap();
        statements.iter().find(|statement| statement["Sid"] == sid).unwrap()["Resource"].clone()
    };
    assert_eq!(
        resources("Secrets"),
        json!([
            "secrets/redis-auth.arn",
            "secrets/api-keys.arn",
            "secrets/encryption-key.arn",
            "database/cluster.secret_arn"
        ])
    );
    assert_eq!(resources("Sessions"), json!("sessions/table.arn"));
    assert_eq!(resources("DataLake"), json!("storage/data-lake.arn"));
}

/// Aurora's instances take minutes: what the application's pods need must not wait for them.
#[test]
fn the_application_waits_for_no_instance_of_the_database() {
    let graph = platform("");
    let needed = graph.with_dependencies(BTreeSet::from([Address::new("security/role/app").unwrap()]));
    assert!(needed.contains(&Address::new("database/cluster").unwrap()));
    assert!(needed.iter().all(|address| !address.as_str().starts_with("database/instance")), "{needed:?}");
}
