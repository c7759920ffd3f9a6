//! The same platform elsewhere: in another region, and in development instead of production.

use bedplate_tests::{Cloud, FIVE_LINES, Inventory, JsonExt, Plan, Project, without_kept};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const REGION: &str = "eu-west-1";

#[test]
fn another_region_has_everything_but_what_aws_has_in_one_only() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    let five = FIVE_LINES.replace("us-east-1", REGION);
    project.write("platform.toml", &format!("{five}[costs.report]\nenabled = true\n"));
    cloud.reset_calls();
    project.bootstrap();
    project.assert_no_changes();

    let mut regions = cloud.regions();
    // IAM is in no region.
    regions.remove("iam");
    let home: BTreeMap<String, u64> = [("us-east-1".to_owned(), 0)].into();
    for service in ["budgets", "ce", "cur"] {
        let counted = regions.remove(service).expect(service);
        assert!(counted.keys().eq(home.keys()), "{service}: {counted:?}");
    }
    // The tags of what is in no region are in the index of one.
    let tagging = regions.remove("resourcegroupstaggingapi").expect("the index of tags is asked");
    assert!(tagging.keys().eq([REGION, "us-east-1"]), "{tagging:?}");
    assert!(regions.len() > 12, "{regions:?}");
    for (service, counted) in regions {
        assert!(counted.keys().eq([REGION]), "{service}: {counted:?}");
    }

    // Nothing but what is in no region is anywhere else.
    let bucket = json!({"Bucket": "fintechglobal-data-lake-797923187401-eu-west-1"});
    let location = cloud.call_in(REGION, "s3", "get_bucket_location", bucket);
    assert_eq!(location["LocationConstraint"], REGION);
    let endpoints = cloud.call_in(REGION, "ec2", "describe_vpc_endpoints", json!({}));
    let names: Vec<&str> = endpoints.list("VpcEndpoints").iter().map(|it| it.text("ServiceName")).collect();
    assert!(names.len() == 10 && names.iter().all(|name| name.starts_with("com.amazonaws.eu-west-1.")), "{names:?}");
    let key = cloud.call_in(REGION, "kms", "describe_key", json!({"KeyId": "alias/fintech-data-key"}));
    let policy = cloud.call_in(REGION, "kms", "get_key_policy", json!({"KeyId": key["KeyMetadata"]["KeyId"]}));
    assert!(policy.text("Policy").contains("logs.eu-west-1.amazonaws.com"), "{policy}");
    assert!(!policy.text("Policy").contains("us-east-1"), "{policy}");
    let report = cloud.call("cur", "describe_report_definitions", json!({}))["ReportDefinitions"][0].clone();
    assert_eq!(
        (report.text("S3Region"), report.text("S3Bucket")),
        (REGION, "fintechglobal-cost-reports-797923187401-eu-west-1")
    );
    // Charges are measured in one region only; everything else in its own.
    let dashboard = json!({"DashboardName": "fintechglobal-operations"});
    let dashboard = cloud.call_in(REGION, "cloudwatch", "get_dashboard", dashboard);
    let body: Value = serde_json::from_str(dashboard.text("DashboardBody")).expect("a document");
    for widget in body.list("widgets") {
        let graph = &widget["properties"];
        let billing = graph["metrics"][0][0] == "AWS/Billing";
        assert_eq!(graph["region"], if billing { "us-east-1" } else { REGION }, "{graph}");
    }

    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    assert_eq!(without_kept(cloud.inventory()), Inventory::new());
}

/// Address -> field -> value of everything that a plan would make.
fn planned(settings: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
    let cloud = Cloud::start();
    let Plan(plan) = Project::with(&cloud, settings).plan();
    let fields = |change: &Value| {
        let fields = change.list("fields").iter();
        fields.map(|field| (field.text("path").to_owned(), field["after"].clone())).collect()
    };
    plan.list("changes").iter().map(|change| (change.text("address").to_owned(), fields(change))).collect()
}

#[test]
fn development_is_production_without_protection() {
    let production = planned("");
    let development = planned("environment = \"development\"");
    assert!(production.keys().eq(development.keys()), "the same resources");
    let mut differences = BTreeMap::new();
    for (address, fields) in &production {
        for (field, value) in fields {
            let other = &development[address][field];
            // The stack's name stands in descriptions.
            let named = value.as_str().map(|text| text.replace("production", "development"));
            if value != other && (named.is_none() || named.as_deref() != other.as_str()) {
                differences.insert(format!("{address} {field}"), (value.clone(), other.clone()));
            }
        }
    }
    let switched = |field: &str| (field.to_owned(), (json!(true), json!(false)));
    let dropped = |field: &str, name: &str| (field.to_owned(), (json!(name), Value::Null));
    let expected = BTreeMap::from([
        switched("cluster/cluster deletion_protection"),
        switched("cluster/load-balancer deletion_protection"),
        switched("database/cluster deletion_protection"),
        switched("sessions/table deletion_protection"),
        dropped("database/cluster final_snapshot", "final"),
        dropped("cache/redis final_snapshot", "fintechglobal-redis-cluster-final"),
    ]);
    assert_eq!(differences, expected);
}
