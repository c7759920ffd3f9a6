//! The row "cost and usage report".

use crate::{SMALL, project};
use bedplate_tests::{Cloud, JsonExt, Project, without_kept};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ACCOUNT: &str = "797923187401";
const NAME: &str = "fintechglobal-costs";
const DATABASE: &str = "fintechglobal_costs";
const BUCKET: &str = "fintechglobal-cost-reports-797923187401-us-east-1";
/// A bucket that somebody else lets the report go to.
const THEIRS: &str = "somebody-elses-reports";
const ON: &str = "[costs.report]\nenabled = true\n";

fn report(cloud: &Cloud) -> Value {
    let reports = cloud.call("cur", "describe_report_definitions", json!({}));
    assert_eq!(reports.list("ReportDefinitions").len(), 1, "{reports:#}");
    reports["ReportDefinitions"][0].clone()
}

fn workgroup(cloud: &Cloud) -> Value {
    cloud.call("athena", "get_work_group", json!({"WorkGroup": NAME}))["WorkGroup"].clone()
}

fn database(cloud: &Cloud) -> Value {
    cloud.call("glue", "get_database", json!({"Name": DATABASE}))["Database"].clone()
}

/// Prefix and days of each rule that lets objects expire.
fn expiry(cloud: &Cloud) -> BTreeSet<(String, i64)> {
    let rules = cloud.call("s3", "get_bucket_lifecycle_configuration", json!({"Bucket": BUCKET}));
    let rule = |rule: &Value| {
        let days = rule["Expiration"]["Days"].as_i64().expect("days");
        (rule["Filter"].text("Prefix").to_owned(), days)
    };
    rules.list("Rules").iter().map(rule).collect()
}

fn all(cloud: &Cloud) -> (Value, Value, Value, BTreeSet<(String, i64)>) {
    let mut workgroup = workgroup(cloud);
    // Athena's own times.
    workgroup.as_object_mut().expect("fields").remove("CreationTime");
    let mut database = database(cloud);
    database.as_object_mut().expect("fields").remove("CreateTime");
    (report(cloud), workgroup, database, expiry(cloud))
}

fn assert_as_asked(cloud: &Cloud) {
    let expected = json!({
        "ReportName": NAME,
        "TimeUnit": "HOURLY",
        "Format": "Parquet",
        "Compression": "Parquet",
        "AdditionalSchemaElements": ["RESOURCES"],
        "AdditionalArtifacts": ["ATHENA"],
        "S3Bucket": BUCKET,
        "S3Prefix": "reports",
        "S3Region": "us-east-1",
        "RefreshClosedReports": true,
        "ReportVersioning": "OVERWRITE_REPORT",
    });
    assert_eq!(report(cloud), expected);
    let workgroup = workgroup(cloud);
    assert_eq!(workgroup["State"], "ENABLED");
    let configuration = &workgroup["Configuration"];
    let key = cloud.call("kms", "describe_key", json!({"KeyId": "alias/fintech-data-key"}));
    let results = json!({
        "OutputLocation": format!("s3://{BUCKET}/query-results/"),
        "ExpectedBucketOwner": ACCOUNT,
        "EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": key["KeyMetadata"]["Arn"]},
    });
    assert_eq!(configuration["ResultConfiguration"], results);
    assert_eq!(configuration["EnforceWorkGroupConfiguration"], true);
    assert_eq!(configuration["PublishCloudWatchMetricsEnabled"], true);
    assert_eq!(configuration["BytesScannedCutoffPerQuery"], 100_000_000_000_i64);
    let database = database(cloud);
    assert_eq!(database["LocationUri"], format!("s3://{BUCKET}/reports/{NAME}/"));
    assert_eq!(expiry(cloud), [("reports/".to_owned(), 400), ("query-results/".to_owned(), 30)].into());
}

fn assert_tagged(cloud: &Cloud) {
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:us-east-1:{ACCOUNT}:{rest}");
    let report = cloud.call("cur", "list_tags_for_resource", json!({"ReportName": NAME}));
    let group = json!({"ResourceARN": arn("athena", &format!("workgroup/{NAME}"))});
    let group = cloud.call("athena", "list_tags_for_resource", group);
    let database = json!({"ResourceArn": arn("glue", &format!("database/{DATABASE}"))});
    let database = cloud.call("glue", "get_tags", database);
    for (address, tags) in [
        ("costs/report", report.tags()),
        ("costs/report-workgroup", group.tags()),
        ("costs/report-database", database.tags()),
    ] {
        assert_eq!(tags["bedplate:address"], address);
        assert_eq!((tags["Project"].as_str(), tags["Environment"].as_str()), ("fintechglobal", "production"));
    }
}

fn assert_delivery(cloud: &Cloud) {
    let policy = cloud.call("s3", "get_bucket_policy", json!({"Bucket": BUCKET}));
    let policy: Value = serde_json::from_str(policy.text("Policy")).expect("a policy");
    let statement = |sid: &str| {
        let found = policy.list("Statement").iter().find(|statement| statement["Sid"] == sid);
        found.unwrap_or_else(|| panic!("no statement {sid} in {policy:#}")).plain()
    };
    let condition = json!({
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": format!("arn:aws:cur:us-east-1:{ACCOUNT}:definition/{NAME}")},
    });
    for (sid, action, resource) in [
        ("CheckOfTheOwner", json!(["s3:GetBucketAcl", "s3:GetBucketPolicy"]), format!("arn:aws:s3:::{BUCKET}")),
        ("Delivery", json!("s3:PutObject"), format!("arn:aws:s3:::{BUCKET}/reports/*")),
    ] {
        let expected = json!({
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": "billingreports.amazonaws.com"},
            "Action": action,
            "Resource": resource,
            "Condition": condition,
        });
        assert_eq!(statement(sid), expected);
    }
    assert_eq!(statement("OnlyWithTls")["Effect"], "Deny");
    let blocked = cloud.call("s3", "get_public_access_block", json!({"Bucket": BUCKET}));
    let blocked = blocked["PublicAccessBlockConfiguration"].as_object().expect("fields");
    assert!(blocked.values().all(|value| value == true) && blocked.len() == 4, "{blocked:?}");
}

#[test]
fn it_comes_changes_and_goes() {
    let cloud = Cloud::start();
    let project = project(&cloud, "");
    project.bootstrap();
    let before = without_kept(cloud.inventory());
    let reports = cloud.call("cur", "describe_report_definitions", json!({}));
    assert!(reports.list("ReportDefinitions").is_empty(), "it is off unless it is asked for");

    project.configure(&format!("{SMALL}{ON}"));
    let parts = ["costs/report", "costs/report-bucket", "costs/report-database", "costs/report-workgroup"];
    assert_eq!(project.plan().with("create"), parts.into());
    project.apply();
    assert_as_asked(&cloud);
    assert_tagged(&cloud);
    assert_delivery(&cloud);
    cloud.reset_calls();
    project.run(&["bootstrap", "--yes"]).ok();
    assert_eq!(cloud.mutating_calls(), 0);
    project.assert_no_changes();

    let changed = "retention_days = 90\nresult_retention_days = 7\nscan_limit_gb = 2\n";
    project.configure(&format!("{SMALL}{ON}{changed}"));
    assert_eq!(project.plan().with("update"), ["costs/report-bucket", "costs/report-workgroup"].into());
    project.apply();
    assert_eq!(workgroup(&cloud)["Configuration"]["BytesScannedCutoffPerQuery"], 2_000_000_000_i64);
    assert_eq!(expiry(&cloud), [("reports/".to_owned(), 90), ("query-results/".to_owned(), 7)].into());
    project.assert_no_changes();
    project.configure(&format!("{SMALL}{ON}"));
    project.apply();
    assert_as_asked(&cloud);

    project.configure(SMALL);
    assert_eq!(project.plan().with("delete"), parts.into());
    project.apply();
    assert_eq!(without_kept(cloud.inventory()), before);
    project.assert_no_changes();
}

fn change_everything(cloud: &Cloud) {
    let mut moved = report(cloud);
    let everything = json!({
        "S3Prefix": "elsewhere",
        "S3Bucket": THEIRS,
        "S3Region": "eu-west-1",
        "Format": "textORcsv",
        "Compression": "GZIP",
        "AdditionalArtifacts": [],
        "RefreshClosedReports": false,
    });
    moved.as_object_mut().expect("fields").extend(everything.as_object().cloned().expect("fields"));
    let place = json!({"LocationConstraint": "eu-west-1"});
    cloud.call("s3", "create_bucket", json!({"Bucket": THEIRS, "CreateBucketConfiguration": place}));
    let policy = cloud.call("s3", "get_bucket_policy", json!({"Bucket": BUCKET}));
    let policy = policy.text("Policy").replace(BUCKET, THEIRS);
    cloud.call("s3", "put_bucket_policy", json!({"Bucket": THEIRS, "Policy": policy}));
    cloud.call("cur", "modify_report_definition", json!({"ReportName": NAME, "ReportDefinition": moved}));
    let open = json!({
        "EnforceWorkGroupConfiguration": false,
        "PublishCloudWatchMetricsEnabled": false,
        "RemoveBytesScannedCutoffPerQuery": true,
        "ResultConfigurationUpdates": {"RemoveExpectedBucketOwner": true, "RemoveEncryptionConfiguration": true},
    });
    let open = json!({"WorkGroup": NAME, "Description": "Theirs", "ConfigurationUpdates": open});
    cloud.call("athena", "update_work_group", open);
    let input = json!({"Name": DATABASE, "Description": "Theirs"});
    cloud.call("glue", "update_database", json!({"Name": DATABASE, "DatabaseInput": input}));
}

#[test]
fn what_others_change_and_delete_is_put_back() {
    let cloud = Cloud::start();
    let project: Project = project(&cloud, ON);
    project.bootstrap();
    let before = all(&cloud);

    change_everything(&cloud);
    let plan = project.plan();
    let changed = ["costs/report", "costs/report-database", "costs/report-workgroup"];
    assert_eq!(plan.with("update"), changed.into());
    let assert_fields = |address: &str, expected: &[&str]| {
        let fields = plan.change(address).list("fields");
        let paths: BTreeSet<&str> =
            fields.iter().map(|field| field.text("path").split('.').next().expect("a field")).collect();
        assert_eq!(paths, expected.iter().copied().collect(), "{address}");
        assert!(fields.iter().all(|field| field["drift"] == true), "{address}");
    };
    // Every field that can be updated.
    let parts = ["artifacts", "bucket", "compression", "format", "prefix", "refresh_closed", "region"];
    assert_fields("costs/report", &parts);
    let parts = ["description", "enforced", "kms_key", "metrics", "output_location", "scan_limit_bytes"];
    assert_fields("costs/report-workgroup", &parts);
    assert_fields("costs/report-database", &["description", "location"]);
    project.run(&["drift"]).exits(2);
    project.run(&["drift", "--repair", "--yes"]).ok();
    assert_eq!(all(&cloud), before);
    project.assert_no_changes();
    cloud.call("s3", "delete_bucket", json!({"Bucket": THEIRS}));

    cloud.call("cur", "delete_report_definition", json!({"ReportName": NAME}));
    cloud.call("athena", "delete_work_group", json!({"WorkGroup": NAME, "RecursiveDeleteOption": true}));
    cloud.call("glue", "delete_database", json!({"Name": DATABASE}));
    assert_eq!(project.plan().with("create"), changed.into());
    project.run(&["drift", "--repair", "--yes"]).ok();
    assert_eq!(all(&cloud), before);
    assert_tagged(&cloud);
    project.assert_no_changes();

    // With a report in the bucket and a query that somebody saved.
    let query = json!({"Name": "q", "Database": DATABASE, "QueryString": "select 1", "WorkGroup": NAME});
    cloud.call("athena", "create_named_query", query);
    cloud.call("s3", "put_object", json!({"Bucket": BUCKET, "Key": "reports/a.parquet", "Body": "x"}));
    project.run(&["destroy", "--yes", "--lift-protection"]).exits(1).says(&["--empty-buckets"]);
    project.run(&["destroy", "--yes", "--lift-protection", "--empty-buckets"]).ok();
    let left = without_kept(cloud.inventory());
    assert!(left.is_empty(), "{left:?}");
}
