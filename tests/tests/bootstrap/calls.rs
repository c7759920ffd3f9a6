//! What a plan asks of AWS when nothing has changed, and that every call is on record.

use crate::BUILT;
use bedplate_tests::JsonExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Calls that AWS answers for one thing at a time, and how many there are of it. Each reason is in `docs/performance.md`.
const ONE_BY_ONE: [(&str, u64); 15] = [
    ("application-autoscaling:DescribeScalableTargets", 2),
    ("application-autoscaling:DescribeScalingPolicies", 2),
    ("budgets:DescribeSubscribersForNotification", 7),
    ("ec2:DescribeVpcAttribute", 2),
    ("eks:DescribeAddon", 5),
    ("s3:GetBucketEncryption", 2),
    ("s3:GetBucketLifecycleConfiguration", 2),
    ("s3:GetBucketLogging", 2),
    ("s3:GetBucketOwnershipControls", 2),
    ("s3:GetBucketPolicy", 2),
    ("s3:GetBucketVersioning", 2),
    ("s3:GetPublicAccessBlock", 2),
    ("s3:ListBucketIntelligentTieringConfigurations", 2),
    ("secretsmanager:DescribeSecret", 3),
    ("rds:DescribeDBClusterParameters", 2),
];

#[test]
fn a_plan_asks_once_for_all_resources_of_a_type() {
    let plan = BUILT.project.plan();
    let calls: BTreeMap<&str, u64> = plan.0["api_calls"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(call, count)| (call.as_str(), count.as_u64().unwrap()))
        .collect();
    let allowed = BTreeMap::from(ONE_BY_ONE);
    let more: Vec<_> =
        calls.iter().filter(|(call, count)| **count > allowed.get(*call).copied().unwrap_or(1)).collect();
    assert!(more.is_empty(), "{more:?}");
    // Whoever lists tags one resource at a time shows here, also with one resource.
    let of_tags = [":ListTags", ":DescribeTags", ":ListResourceTags", "Tagging"];
    let tags: Vec<_> = calls.keys().filter(|call| of_tags.iter().any(|tags| call.contains(tags))).collect();
    assert_eq!(tags, [] as [&&str; 0]);
    // And all of them together, so that a further one is a decision.
    assert!(calls.values().sum::<u64>() <= 96, "{calls:#?}");
}

#[test]
fn the_ledger_tells_what_each_call_took() {
    let plan = BUILT.project.plan();
    let operations = plan.0["api_ledger"]["operations"].as_object().unwrap();
    let calls: serde_json::Map<String, Value> =
        operations.iter().map(|(operation, entry)| (operation.clone(), entry["calls"].clone())).collect();
    assert_eq!(Value::Object(calls), plan.0["api_calls"]);
    for (operation, entry) in operations {
        assert_eq!(entry["retries"], 0, "{operation}");
        assert!(
            entry["waited"].as_f64().unwrap() > 0.0 && entry["bytes"].as_u64().unwrap() > 0,
            "{operation}: {entry}"
        );
    }
    assert!(plan.0["api_ledger"]["per_second"]["s3"].as_u64().unwrap() > 1);
}

#[test]
fn the_log_of_the_run_has_every_call_and_the_id_under_which_aws_answered_it() {
    let log = BUILT.project.log("bootstrap");
    assert_eq!((log[0].text("event"), log[log.len() - 1].text("event")), ("run", "end"));
    let calls: Vec<&Value> = log.iter().filter(|line| line["event"] == "call").collect();
    let mut attempts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut logged: BTreeMap<&str, &str> = BTreeMap::new();
    for call in &calls {
        *attempts.entry(call.text("operation")).or_default() += call["attempts"].as_u64().unwrap();
        let other = logged.insert(call.text("request_id"), call.text("operation"));
        assert_eq!(other, None, "an id is one call's: {call}");
        let keys: Vec<&String> = call.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            ["at", "attempts", "event", "operation", "request_id", "seconds", "status"],
            "and nothing else"
        );
        assert!((200..600).contains(&call["status"].as_u64().unwrap()), "{call}");
        assert!(call["seconds"].as_f64().unwrap() > 0.0, "{call}");
    }
    assert_eq!(json!(attempts), BUILT.run.json()["api_calls"]);
    assert!(BUILT.request_ids.len() > 60, "{:?}", BUILT.request_ids.keys());
    // boto3 and IAM have other names for some services.
    let action = |operation: &str| operation.split_once(':').map(|(_, action)| action.to_owned());
    for (operation, ids) in &BUILT.request_ids {
        for id in ids {
            let found = logged.get(&**id).unwrap_or_else(|| panic!("{operation} {id} is not in the log"));
            assert_eq!(action(found), action(operation), "{id}");
        }
    }
    // What the plan was made from came before the run.
    let vpcs = calls.iter().find(|call| call["operation"] == "ec2:DescribeVpcs").unwrap();
    assert!(vpcs["at"].as_f64().unwrap() < 0.0, "{vpcs}");
}

#[test]
fn a_target_is_looked_at_with_what_it_depends_on_and_nothing_else() {
    let plan = BUILT.project.run(&["plan", "--json", "--target", "network/vpc"]).ok().plan();
    let calls: Vec<_> = plan.0["api_calls"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(calls, ["ec2:DescribeVpcAttribute", "ec2:DescribeVpcs", "sts:GetCallerIdentity"]);
    assert_eq!(plan.0["summary"]["unchanged"], json!(BUILT.project.state()["resources"].as_object().unwrap().len()));
}
