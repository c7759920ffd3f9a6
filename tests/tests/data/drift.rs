//! Changes behind the program's back in the data tiers, monitoring and costs: shown field by field, and put back.

use crate::{ACCOUNT, TOPIC};
use bedplate_tests::{Cloud, JsonExt, Project};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LAKE: &str = "fintechglobal-data-lake-797923187401-us-east-1";
const ALARM: &str = "fintechglobal-sessions-read-throttles";
const BUDGET: &str = "fintechglobal-monthly-budget";

fn alarm(cloud: &Cloud) -> Value {
    cloud.call("cloudwatch", "describe_alarms", json!({"AlarmNames": [ALARM]}))["MetricAlarms"][0].clone()
}

fn budget(cloud: &Cloud) -> Value {
    cloud.call("budgets", "describe_budget", json!({"AccountId": ACCOUNT, "BudgetName": BUDGET}))["Budget"].clone()
}

fn blocked(cloud: &Cloud) -> Value {
    let answer = cloud.call("s3", "get_public_access_block", json!({"Bucket": LAKE}));
    answer["PublicAccessBlockConfiguration"].clone()
}

#[test]
fn settings_are_put_back() {
    let cloud = Cloud::start();
    let project =
        Project::with(&cloud, "[cluster]\nenabled = false\n[cache]\nenabled = false\n[database]\nenabled = false");
    project.bootstrap();
    let before = (alarm(&cloud)["Threshold"].clone(), budget(&cloud)["BudgetLimit"].clone(), blocked(&cloud));

    // An alarm that is never raised, a bucket that is open, a budget that nobody exceeds.
    let mut raised = alarm(&cloud);
    let settable = [
        "AlarmName",
        "AlarmDescription",
        "OKActions",
        "AlarmActions",
        "MetricName",
        "Namespace",
        "Statistic",
        "Dimensions",
        "Period",
        "EvaluationPeriods",
        "ComparisonOperator",
        "TreatMissingData",
    ];
    raised.as_object_mut().unwrap().retain(|field, _| settable.contains(&field.as_str()));
    raised["Threshold"] = json!(1_000_000);
    cloud.call("cloudwatch", "put_metric_alarm", raised);
    let open = json!({
        "BlockPublicAcls": true,
        "IgnorePublicAcls": true,
        "BlockPublicPolicy": false,
        "RestrictPublicBuckets": false,
    });
    cloud.call("s3", "put_public_access_block", json!({"Bucket": LAKE, "PublicAccessBlockConfiguration": open}));
    let limit = json!({"Amount": "50000", "Unit": "USD"});
    let large = json!({"BudgetName": BUDGET, "BudgetLimit": limit, "TimeUnit": "MONTHLY", "BudgetType": "COST"});
    cloud.call("budgets", "update_budget", json!({"AccountId": ACCOUNT, "NewBudget": large}));

    let plan = project.plan();
    let expected = ["costs/budget/monthly", "monitoring/alarm/sessions-read-throttles", "storage/data-lake"];
    assert_eq!(plan.changes().into_keys().collect::<BTreeSet<_>>(), expected.into(), "{:#}", plan.0["changes"]);
    let threshold = ("threshold", json!(1_000_000.0), json!(10.0));
    plan.assert_drift("monitoring/alarm/sessions-read-throttles", "update", &[threshold]);
    plan.assert_drift("storage/data-lake", "update", &[("public_access_blocked", json!(false), json!(true))]);
    let change = plan.change("costs/budget/monthly");
    assert_eq!(change["action"], "update");
    assert!(change.list("fields").iter().all(|field| field["path"] == "limit" && field["drift"] == true), "{change:#}");
    project.run(&["drift"]).exits(2);

    project.apply();
    let after = (alarm(&cloud)["Threshold"].clone(), budget(&cloud)["BudgetLimit"].clone(), blocked(&cloud));
    assert_eq!(after, before);
    assert_eq!(alarm(&cloud)["AlarmActions"], json!([TOPIC]));
    project.assert_no_changes();
    project.run(&["drift"]).exits(0);
}

#[test]
fn what_was_deleted_is_made_again() {
    let cloud = Cloud::start();
    let project =
        Project::with(&cloud, "[cluster]\nenabled = false\n[cache]\nenabled = false\n[database]\nenabled = false");
    project.bootstrap();
    cloud.call("cloudwatch", "delete_alarms", json!({"AlarmNames": [ALARM]}));
    cloud.call("cloudwatch", "delete_dashboards", json!({"DashboardNames": ["fintechglobal-operations"]}));
    cloud.call("budgets", "delete_budget", json!({"AccountId": ACCOUNT, "BudgetName": BUDGET}));
    cloud.call("s3", "delete_bucket_policy", json!({"Bucket": LAKE}));
    cloud.call("s3", "delete_bucket_lifecycle", json!({"Bucket": LAKE}));
    // With its version: in moto's lists, a key under a delete marker goes on to make a folder.
    let versions = cloud.call("s3", "list_object_versions", json!({"Bucket": LAKE, "Prefix": "raw/events/"}));
    let version = &versions["Versions"][0]["VersionId"];
    cloud.call("s3", "delete_object", json!({"Bucket": LAKE, "Key": "raw/events/", "VersionId": version}));
    let subscription = cloud.call("ce", "get_anomaly_subscriptions", json!({}));
    let subscription = json!({"SubscriptionArn": subscription["AnomalySubscriptions"][0]["SubscriptionArn"]});
    cloud.call("ce", "delete_anomaly_subscription", subscription);
    let scaler = json!({
        "ServiceNamespace": "dynamodb",
        "ResourceId": "table/fintech-sessions",
        "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
    });
    // Its policy goes with it.
    cloud.call("application-autoscaling", "deregister_scalable_target", scaler);

    let plan = project.plan();
    let created = [
        "costs/anomaly-subscription",
        "costs/budget/monthly",
        "monitoring/alarm/sessions-read-throttles",
        "monitoring/dashboard",
        "sessions/scaling-policy/write",
        "sessions/scaling/write",
    ];
    assert_eq!(plan.with("create"), created.into());
    assert_eq!(plan.with("update"), ["storage/data-lake"].into());
    for address in created {
        plan.assert_drift(address, "create", &[]);
    }
    let fields: BTreeSet<&str> =
        plan.change("storage/data-lake").list("fields").iter().map(|field| field.text("path")).collect();
    for field in ["lifecycle", "policy", "prefixes"] {
        assert!(fields.iter().any(|path| path.split('.').next() == Some(field)), "{field}: {fields:?}");
    }
    project.apply();
    project.assert_no_changes();
    let objects = cloud.call("s3", "list_objects_v2", json!({"Bucket": LAKE}));
    assert_eq!(objects.list("Contents").len(), 7);
}
