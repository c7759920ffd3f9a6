//! The cost and usage report: where AWS delivers it, and where it is asked with SQL. Part of the layer "costs".

use crate::{
    Layers,
    storage::{bucket_arn, policy, private, rule, tls_only},
};
use bedplate_aws::{
    Arn,
    athena::{Workgroup, WorkgroupSpec},
    cur::{ReportDefinition, ReportDefinitionSpec},
    glue::{Database, DatabaseSpec},
    s3::{Bucket, BucketSpec, LifecycleRule},
};
use bedplate_model::{Input, Json};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Where the report lies in its bucket. AWS adds `/<name of the report>/`.
const REPORTS: &str = "reports";
/// Where the results of queries lie.
const RESULTS: &str = "query-results/";

/// Declares the report and what it takes to read it.
pub(crate) fn declare(layers: &mut Layers<'_>, key: &Input<Arn>) {
    let config = layers.config;
    let settings = &config.costs.report;
    let account = config.account_id.as_str();
    let name = config.name("costs");
    let expire = |prefix: &str, days: u16| LifecycleRule { expiration_days: Some(days.into()), ..rule(prefix) };
    let delivery = delivery_policy(layers, &name);
    // Encrypted with S3's own key: the delivery service has no part in ours.
    let bucket = layers.graph.add::<Bucket>(
        "costs/report-bucket",
        BucketSpec {
            policy: Input::from_expression(delivery),
            lifecycle: BTreeMap::from([
                ("reports".to_owned(), expire(&format!("{REPORTS}/"), settings.retention_days)),
                ("query-results".to_owned(), expire(RESULTS, settings.result_retention_days)),
            ])
            .into(),
            ..private(layers, config.report_bucket())
        },
    );
    let location = |path: &str| Input::join(["s3://".into(), bucket.name.clone(), format!("/{path}").into()]);
    layers.graph.add::<ReportDefinition>(
        "costs/report",
        ReportDefinitionSpec {
            account: account.into(),
            name: name.as_str().into(),
            time_unit: "HOURLY".into(),
            // Athena reads no other form that is overwritten in place.
            format: "Parquet".into(),
            compression: "Parquet".into(),
            schema_elements: BTreeSet::from(["RESOURCES".to_owned()]).into(),
            artifacts: BTreeSet::from(["ATHENA".to_owned()]).into(),
            bucket: bucket.name.clone(),
            prefix: REPORTS.into(),
            region: config.region.as_str().into(),
            refresh_closed: true.into(),
            versioning: "OVERWRITE_REPORT".into(),
        },
    );
    layers.graph.add::<Workgroup>(
        "costs/report-workgroup",
        WorkgroupSpec {
            account: account.into(),
            name: name.as_str().into(),
            description: format!("Queries of the costs of {}", config.stack()).into(),
            output_location: location(RESULTS),
            kms_key: key.clone(),
            enforced: true.into(),
            metrics: true.into(),
            scan_limit_bytes: (i64::from(settings.scan_limit_gb) * 1_000_000_000).into(),
        },
    );
    layers.graph.add::<Database>(
        "costs/report-database",
        DatabaseSpec {
            account: account.into(),
            // Athena takes no hyphen in an unquoted name.
            name: name.replace('-', "_").into(),
            description: format!("The costs of {}", config.stack()).into(),
            location: location(&format!("{REPORTS}/{name}/")),
        },
    );
}

/// Lets AWS deliver this report, and look whether the bucket is still this account's (Cost and Usage Reports user guide,
/// "Setting up an Amazon S3 bucket for Cost and Usage Reports").
fn delivery_policy(layers: &Layers<'_>, report: &str) -> Json {
    let config = layers.config;
    let account = config.account_id.as_str();
    let bucket = bucket_arn(layers, &config.report_bucket());
    // The service lives in us-east-1, wherever the bucket is.
    let source = format!("arn:{}:cur:us-east-1:{account}:definition/{report}", layers.facts.partition);
    let statement = |sid: &str, actions: Json, resource: String| {
        json!({
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": "billingreports.amazonaws.com"},
            "Action": actions,
            "Resource": resource,
            "Condition": {
                "StringEquals": {"aws:SourceAccount": account},
                "ArnLike": {"aws:SourceArn": source},
            },
        })
    };
    policy(vec![
        tls_only(&bucket),
        statement("CheckOfTheOwner", json!(["s3:GetBucketAcl", "s3:GetBucketPolicy"]), bucket.clone()),
        statement("Delivery", json!("s3:PutObject"), format!("{bucket}/{REPORTS}/*")),
    ])
}

/// What it costs is what is stored and read ("Amazon S3 pricing", "Amazon Athena pricing").
pub(crate) const COSTS_ON_TOP: &str = "mails beyond the first 1,000, requests to Cost Explorer (0.01 each), the report's storage, queries (5.00 per TB read)";
