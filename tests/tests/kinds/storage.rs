//! Fields of the buckets and of the sessions table.

use crate::row::{Ids, Row, along, at, behind, call, document, set, set_second};
use bedplate_tests::{Cloud, JsonExt};
use serde_json::{Value, json};

const LAKE: &str = "fintechglobal-data-lake-797923187401-us-east-1";
const LOGS: &str = "fintechglobal-s3-logs-797923187401-us-east-1";

pub(crate) fn rows(ids: &dyn Ids) -> Vec<Row> {
    let mut rows = bucket();
    rows.extend(bucket_behind(ids));
    rows.extend(table(ids));
    rows
}

const KIND: &str = "s3.bucket";
const ADDRESS: &str = "storage/data-lake";

fn bucket() -> Vec<Row> {
    let set = |path, line| set(KIND, ADDRESS, path, line);
    let logging =
        |field: &str| at("s3", "get_bucket_logging", json!({"Bucket": LAKE}), &format!("/LoggingEnabled/{field}"));
    vec![
        set("lifecycle.versions", "storage.noncurrent_version_days = 60").seen_as(
            |cloud| rule(cloud, "versions")["NoncurrentVersionExpiration"]["NoncurrentDays"].clone(),
            json!(90),
            json!(60),
        ),
        set("lifecycle.archive", "storage.archive.enabled = false").seen_as(
            |cloud| rule(cloud, "archive")["Status"].clone(),
            json!("Enabled"),
            Value::Null,
        ),
        set("intelligent_tiering.archive", "storage.tiering.archive_days = 120").seen_as(
            |cloud| {
                let all = cloud.call("s3", "list_bucket_intelligent_tiering_configurations", json!({"Bucket": LAKE}));
                let mut tiers = all["IntelligentTieringConfigurationList"][0].list("Tierings").iter();
                tiers.find(|tier| tier["AccessTier"] == "ARCHIVE_ACCESS").expect("a tier")["Days"].clone()
            },
            json!(90),
            json!(120),
        ),
        set("log_bucket", "storage.access_logs = false").plan(json!(LOGS), Value::Null).seen(logging("TargetBucket")),
    ]
}

/// Where the data lake's logs go.
fn logging(field: &str) -> impl Fn(&Cloud) -> Value + use<> {
    at("s3", "get_bucket_logging", json!({"Bucket": LAKE}), &format!("/LoggingEnabled/{field}"))
}

/// A lifecycle rule of the data lake.
fn rule(cloud: &Cloud, id: &str) -> Value {
    let rules = cloud.call("s3", "get_bucket_lifecycle_configuration", json!({"Bucket": LAKE}));
    rules.list("Rules").iter().find(|rule| rule["ID"] == id).cloned().unwrap_or_default()
}

fn bucket_behind(ids: &dyn Ids) -> Vec<Row> {
    let behind = |path, act| behind(KIND, ADDRESS, path, act);
    let put = |operation, what: &'static str, value: Value| call("s3", operation, json!({"Bucket": LAKE, what: value}));
    let encryption = |pointer: &str| {
        let pointer = format!("/ServerSideEncryptionConfiguration/Rules/0/{pointer}");
        at("s3", "get_bucket_encryption", json!({"Bucket": LAKE}), &pointer)
    };
    let key = ids.output("security/key", "arn");
    let plain = json!({"Rules": [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": false},
    ]});
    let open = json!({
        "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": false, "RestrictPublicBuckets": false,
    });
    let empty = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": format!("arn:aws:s3:::{LAKE}"),
    }]});
    let policy = document(at("s3", "get_bucket_policy", json!({"Bucket": LAKE}), "/Policy"));
    vec![
        behind("versioning", put("put_bucket_versioning", "VersioningConfiguration", json!({"Status": "Suspended"})))
            .plan(json!(true), json!(false))
            .seen_as(
                at("s3", "get_bucket_versioning", json!({"Bucket": LAKE}), "/Status"),
                json!("Enabled"),
                json!("Suspended"),
            ),
        behind("kms_key", put("put_bucket_encryption", "ServerSideEncryptionConfiguration", plain))
            .plan(json!(key), Value::Null)
            .seen(encryption("ApplyServerSideEncryptionByDefault/KMSMasterKeyID")),
        along(KIND, ADDRESS, "bucket_key").plan(json!(true), json!(false)).seen(encryption("BucketKeyEnabled")),
        behind("public_access_blocked", put("put_public_access_block", "PublicAccessBlockConfiguration", open))
            .plan(json!(true), json!(false))
            .seen(at(
                "s3",
                "get_public_access_block",
                json!({"Bucket": LAKE}),
                "/PublicAccessBlockConfiguration/RestrictPublicBuckets",
            )),
        behind(
            "object_ownership",
            put(
                "put_bucket_ownership_controls",
                "OwnershipControls",
                json!({"Rules": [{"ObjectOwnership": "ObjectWriter"}]}),
            ),
        )
        .plan(json!("BucketOwnerEnforced"), json!("ObjectWriter"))
        .seen(at(
            "s3",
            "get_bucket_ownership_controls",
            json!({"Bucket": LAKE}),
            "/OwnershipControls/Rules/0/ObjectOwnership",
        )),
        // A folder that leaves the file stays: it may hold something. So one of ours is deleted, with its version.
        crate::row::behind(KIND, ADDRESS, "prefixes", |cloud| {
            let folder = json!({"Bucket": LAKE, "Prefix": "raw/events/"});
            let versions = cloud.call("s3", "list_object_versions", folder);
            let version = &versions["Versions"][0]["VersionId"];
            cloud.call("s3", "delete_object", json!({"Bucket": LAKE, "Key": "raw/events/", "VersionId": version}));
        })
        .seen_as(
            |cloud| {
                let folder = json!({"Bucket": LAKE, "Prefix": "raw/events/"});
                json!(cloud.call("s3", "list_objects_v2", folder).get("Contents").is_some())
            },
            json!(true),
            json!(false),
        ),
        behind(
            "log_prefix",
            put(
                "put_bucket_logging",
                "BucketLoggingStatus",
                json!({"LoggingEnabled": {"TargetBucket": LOGS, "TargetPrefix": "access-logs/theirs/"}}),
            ),
        )
        .plan(json!("access-logs/"), json!("access-logs/theirs/"))
        .seen(logging("TargetPrefix")),
        behind("policy", put("put_bucket_policy", "Policy", json!(empty.to_string()))).seen_as(
            move |cloud| policy(cloud)["Statement"][0]["Sid"].clone(),
            json!("OnlyWithTls"),
            json!("Theirs"),
        ),
    ]
}

fn table(ids: &dyn Ids) -> Vec<Row> {
    const KIND: &str = "dynamodb.table";
    const ADDRESS: &str = "sessions/table";
    let of = || json!({"TableName": "fintech-sessions"});
    let show = move |field: &str| at("dynamodb", "describe_table", of(), &format!("/Table/{field}"));
    let update = |what: &'static str, value: Value| {
        let mut arguments = of();
        arguments[what] = value;
        call("dynamodb", "update_table", arguments)
    };
    let set = |path, line| set(KIND, ADDRESS, path, line);
    let backups = "ContinuousBackupsDescription/PointInTimeRecoveryDescription";
    let off = json!({"Enabled": false});
    let key = ids.output("security/key", "arn");
    vec![
        set("stream_view_type", "sessions.stream = \"KEYS_ONLY\"")
            .plan(json!("NEW_AND_OLD_IMAGES"), json!("KEYS_ONLY"))
            .seen(show("StreamSpecification/StreamViewType")),
        set_second(KIND, ADDRESS, "ttl_attribute", "sessions.ttl_attribute = \"endsAt\"").seen_as(
            at("dynamodb", "describe_time_to_live", of(), "/TimeToLiveDescription/AttributeName"),
            json!("expiresAt"),
            json!("endsAt"),
        ),
        set("recovery_days", "sessions.recovery_period_days = 14").seen_as(
            at("dynamodb", "describe_continuous_backups", of(), &format!("/{backups}/RecoveryPeriodInDays")),
            json!(35),
            json!(14),
        ),
        set("deletion_protection", "sessions.deletion_protection = false")
            .plan(json!(true), json!(false))
            .seen(show("DeletionProtectionEnabled")),
        behind(KIND, ADDRESS, "kms_key", update("SSESpecification", off))
            .plan(json!(key), Value::Null)
            .seen(show("SSEDescription/KMSMasterKeyArn")),
        behind(KIND, ADDRESS, "table_class", update("TableClass", json!("STANDARD_INFREQUENT_ACCESS")))
            .plan(json!("STANDARD"), json!("STANDARD_INFREQUENT_ACCESS"))
            .seen(show("TableClassSummary/TableClass")),
        behind(KIND, ADDRESS, "billing_mode", update("BillingMode", json!("PAY_PER_REQUEST")))
            .plan(json!("PROVISIONED"), json!("PAY_PER_REQUEST"))
            .seen_as(
                {
                    let mode = show("BillingModeSummary/BillingMode");
                    move |cloud| json!(mode(cloud) == json!("PAY_PER_REQUEST"))
                },
                json!(false),
                json!(true),
            ),
        // Which has no capacity of its own; `moved` moves it inside and outside the scaler's range.
        along(KIND, ADDRESS, "read_capacity")
            .plan(json!(5), json!(0))
            .seen(show("ProvisionedThroughput/ReadCapacityUnits")),
        along(KIND, ADDRESS, "write_capacity")
            .plan(json!(5), json!(0))
            .seen(show("ProvisionedThroughput/WriteCapacityUnits")),
    ]
}
