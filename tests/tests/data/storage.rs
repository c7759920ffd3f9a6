//! The rows "S3 data lake" and "S3 logs bucket".

use crate::{ACCOUNT, assert_has, call, key, statement};
use bedplate_tests::{JsonExt, set};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const LAKE: &str = "fintechglobal-data-lake-797923187401-us-east-1";
const LOGS: &str = "fintechglobal-s3-logs-797923187401-us-east-1";

fn get(bucket: &str, operation: &str) -> Value {
    call("s3", operation, json!({"Bucket": bucket}))
}

fn policy(bucket: &str) -> String {
    get(bucket, "get_bucket_policy").text("Policy").to_owned()
}

#[test]
fn both_buckets_are_closed_and_want_tls() {
    for bucket in [LAKE, LOGS] {
        let blocked = &get(bucket, "get_public_access_block")["PublicAccessBlockConfiguration"];
        let settings = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
        assert!(settings.iter().all(|setting| blocked[setting] == true), "{bucket}: {blocked}");
        let controls = get(bucket, "get_bucket_ownership_controls");
        assert_eq!(controls["OwnershipControls"]["Rules"], json!([{"ObjectOwnership": "BucketOwnerEnforced"}]));
        let tls = statement(&policy(bucket), "OnlyWithTls");
        let arn = format!("arn:aws:s3:::{bucket}");
        let expected = json!({
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, format!("{arn}/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        });
        assert_has(&tls, expected);
    }
}

#[test]
fn the_data_lake_is_versioned_and_under_our_key() {
    assert_eq!(get(LAKE, "get_bucket_versioning")["Status"], "Enabled");
    let encryption = &get(LAKE, "get_bucket_encryption")["ServerSideEncryptionConfiguration"]["Rules"][0];
    assert_eq!(encryption["BucketKeyEnabled"], true);
    let expected = json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key()});
    assert_eq!(encryption["ApplyServerSideEncryptionByDefault"], expected);
}

#[test]
fn its_requests_are_recorded_in_the_logs_bucket() {
    let logging = get(LAKE, "get_bucket_logging");
    assert_has(&logging["LoggingEnabled"], json!({"TargetBucket": LOGS, "TargetPrefix": "access-logs/"}));
    let delivery = statement(&policy(LOGS), "AccessLogsOfTheDataLake");
    let expected = json!({
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": format!("arn:aws:s3:::{LOGS}/access-logs/*"),
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": format!("arn:aws:s3:::{LAKE}")},
        },
    });
    assert_has(&delivery, expected);
}

#[test]
fn it_has_seven_prefixes() {
    let prefixes = [
        "analytics/ml-data/",
        "archive/compliance/",
        "processed/aggregations/",
        "processed/daily-reports/",
        "raw/events/",
        "raw/logs/",
        "raw/transactions/",
    ];
    let objects = get(LAKE, "list_objects_v2");
    assert_eq!(set(objects.list("Contents"), "Key"), prefixes.map(str::to_owned).into());
    // Written once: a second version would be written by every run.
    assert_eq!(get(LAKE, "list_object_versions").list("Versions").len(), prefixes.len());
}

/// The rules of a bucket by their ids.
fn rules(bucket: &str) -> BTreeMap<String, Value> {
    let rules = get(bucket, "get_bucket_lifecycle_configuration");
    let rules = rules.list("Rules").iter().inspect(|rule| assert_eq!(rule["Status"], "Enabled", "{rule}"));
    rules.map(|rule| (rule.text("ID").to_owned(), rule.clone())).collect()
}

/// Storage class -> days.
fn transitions(rule: &Value) -> BTreeMap<&str, &Value> {
    rule.list("Transitions").iter().map(|step| (step.text("StorageClass"), &step["Days"])).collect()
}

#[test]
fn objects_get_cheaper_with_age() {
    let rules = rules(LAKE);
    let archive = &rules["archive"];
    assert_eq!(archive["Filter"]["Prefix"], "archive/");
    let (warm, cold, coldest) = (json!(90), json!(180), json!(365));
    let expected = [("STANDARD_IA", &warm), ("GLACIER", &cold), ("DEEP_ARCHIVE", &coldest)];
    assert_eq!(transitions(archive), expected.into());
    assert_eq!(rules["versions"]["Filter"]["Prefix"], "");
    assert_eq!(rules["versions"]["NoncurrentVersionExpiration"]["NoncurrentDays"], 90);
    for prefix in ["analytics", "processed", "raw"] {
        let rule = &rules[&format!("tiering-{prefix}")];
        assert_eq!(rule["Filter"]["Prefix"], format!("{prefix}/"));
        assert_eq!(transitions(rule), [("INTELLIGENT_TIERING", &json!(0))].into());
    }
    assert_eq!(rules.len(), 5, "{:?}", rules.keys());

    let tiering = get(LAKE, "list_bucket_intelligent_tiering_configurations");
    let tiering = tiering.list("IntelligentTieringConfigurationList");
    assert_eq!((tiering.len(), &tiering[0]["Status"]), (1, &json!("Enabled")));
    let tiers: BTreeMap<&str, &Value> =
        tiering[0].list("Tierings").iter().map(|tier| (tier.text("AccessTier"), &tier["Days"])).collect();
    assert_eq!(tiers, [("ARCHIVE_ACCESS", &warm), ("DEEP_ARCHIVE_ACCESS", &cold)].into());
}

#[test]
fn logs_are_encrypted_delivered_and_expire() {
    let encryption = &get(LOGS, "get_bucket_encryption")["ServerSideEncryptionConfiguration"]["Rules"][0];
    // Neither S3 nor Elastic Load Balancing delivers logs into a bucket with a key of our own.
    assert_eq!(encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
    let balancer = statement(&policy(LOGS), "AccessLogsOfTheLoadBalancer");
    assert_eq!(balancer["Principal"]["Service"], "logdelivery.elasticloadbalancing.amazonaws.com");
    let rules = rules(LOGS);
    assert_eq!(rules["expire"]["Expiration"]["Days"], 365);
    assert_eq!(rules["expire"]["Filter"]["Prefix"], "");
}
