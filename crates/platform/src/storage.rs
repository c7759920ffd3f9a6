//! The buckets: the data lake, and the one that its access logs and the load balancer's go to.

use crate::{
    Layers,
    config::Storage,
    promise::{Promise, given, on},
};
use bedplate_aws::{
    Arn,
    s3::{Bucket, BucketOutputs, BucketSpec, LifecycleRule, TieringRule},
};
use bedplate_model::{Draft, Input, Json, Reconcile};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Where the logs of requests to the data lake lie in the logs bucket.
const ACCESS_LOGS: &str = "access-logs/";
/// Where the load balancer's logs lie in it. Elastic Load Balancing puts `/AWSLogs/<account>/` behind it.
pub(crate) const LOAD_BALANCER_LOGS: &str = "load-balancer";

/// What the other layers need of the buckets.
pub(crate) struct Buckets {
    pub(crate) data_lake: BucketOutputs<Draft>,
    pub(crate) logs: BucketOutputs<Draft>,
}

/// Declares the layer.
pub(crate) fn declare(layers: &mut Layers<'_>, key: &Input<Arn>) -> Buckets {
    let logs = logs(layers);
    let data_lake = data_lake(layers, &logs, key);
    layers.graph.output("logs_bucket", &logs.name);
    layers.graph.output("data_lake_bucket", &data_lake.name);
    Buckets { data_lake, logs }
}

/// Encrypted with S3's own key: neither S3's logs nor the load balancer's are delivered into a bucket with another one
/// (S3 user guide, "Enabling server access logging"; Elastic Load Balancing user guide, "Access logs").
fn logs(layers: &mut Layers<'_>) -> BucketOutputs<Draft> {
    let config = layers.config;
    let settings = &config.storage;
    let policy = logs_policy(layers);
    let expire = LifecycleRule {
        expiration_days: Some(settings.logs_retention_days.into()),
        abort_uploads_days: Some(settings.incomplete_upload_days.into()),
        ..rule("")
    };
    let spec = BucketSpec {
        policy: Input::from_expression(policy),
        lifecycle: BTreeMap::from([("expire".to_owned(), expire)]).into(),
        ..private(layers, config.logs_bucket())
    };
    layers.graph.add::<Bucket>("storage/logs", spec)
}

fn data_lake(layers: &mut Layers<'_>, logs: &BucketOutputs<Draft>, key: &Input<Arn>) -> BucketOutputs<Draft> {
    let config = layers.config;
    let settings = &config.storage;
    let name = config.data_lake_bucket();
    let policy = policy(vec![tls_only(&bucket_arn(layers, &name))]);
    let tiers = [
        ("ARCHIVE_ACCESS", settings.tiering.archive_days),
        ("DEEP_ARCHIVE_ACCESS", settings.tiering.deep_archive_days),
    ];
    let tiering = TieringRule { prefix: String::new(), tiers: days(tiers) };
    let tiering = settings.tiering.enabled.then(|| ("archive".to_owned(), tiering));
    let spec = BucketSpec {
        versioning: true.into(),
        kms_key: key.cast(),
        bucket_key: true.into(),
        policy: Input::from_expression(policy),
        lifecycle: lifecycle(settings).into(),
        intelligent_tiering: tiering.into_iter().collect::<BTreeMap<_, _>>().into(),
        log_bucket: if settings.access_logs { logs.name.cast() } else { None.into() },
        log_prefix: if settings.access_logs { ACCESS_LOGS } else { "" }.into(),
        prefixes: settings.prefixes.iter().map(ToString::to_string).collect::<BTreeSet<_>>().into(),
        ..private(layers, name)
    };
    layers.graph.add::<Bucket>("storage/data-lake", spec)
}

/// What all buckets have in common; of the rest, nothing.
pub(crate) fn private(layers: &Layers<'_>, name: String) -> BucketSpec<Draft> {
    BucketSpec {
        account: layers.config.account_id.as_str().into(),
        name: name.into(),
        versioning: false.into(),
        kms_key: None.into(),
        bucket_key: false.into(),
        public_access_blocked: true.into(),
        object_ownership: "BucketOwnerEnforced".into(),
        policy: None.into(),
        lifecycle: BTreeMap::new().into(),
        intelligent_tiering: BTreeMap::new().into(),
        log_bucket: None.into(),
        log_prefix: "".into(),
        prefixes: BTreeSet::new().into(),
    }
}

/// Objects under `archive/` get colder with age; those under the other prefixes go to Intelligent-Tiering, which archives
/// what nobody reads. No object is under two of these rules, because S3 would take the cheaper of both.
fn lifecycle(settings: &Storage) -> BTreeMap<String, LifecycleRule> {
    let versions = LifecycleRule {
        noncurrent_expiration_days: Some(settings.noncurrent_version_days.into()),
        abort_uploads_days: Some(settings.incomplete_upload_days.into()),
        ..rule("")
    };
    let mut rules = BTreeMap::from([("versions".to_owned(), versions)]);
    let archive = &settings.archive;
    if archive.enabled {
        let transitions = days([
            ("STANDARD_IA", archive.infrequent_access_days),
            ("GLACIER", archive.glacier_days),
            ("DEEP_ARCHIVE", archive.deep_archive_days),
        ]);
        rules.insert("archive".to_owned(), LifecycleRule { transitions, ..rule(Storage::ARCHIVE) });
    }
    if settings.tiering.enabled {
        for prefix in settings.tiered_prefixes() {
            let transitions = days([("INTELLIGENT_TIERING", settings.tiering.after_days)]);
            let id = format!("tiering-{}", prefix.trim_end_matches('/'));
            rules.insert(id, LifecycleRule { transitions, ..rule(prefix) });
        }
    }
    rules
}

fn days<const N: usize>(classes: [(&str, u16); N]) -> BTreeMap<String, i32> {
    classes.map(|(class, days)| (class.to_owned(), days.into())).into()
}

/// A rule that does nothing yet.
pub(crate) fn rule(prefix: &str) -> LifecycleRule {
    LifecycleRule {
        prefix: prefix.to_owned(),
        transitions: BTreeMap::new(),
        expiration_days: None,
        noncurrent_transitions: BTreeMap::new(),
        noncurrent_expiration_days: None,
        abort_uploads_days: None,
    }
}

pub(crate) fn bucket_arn(layers: &Layers<'_>, name: &str) -> String {
    format!("arn:{}:s3:::{name}", layers.facts.partition)
}

pub(crate) fn policy(statements: Vec<Json>) -> Json {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Refuses everybody who comes without TLS.
pub(crate) fn tls_only(bucket: &str) -> Json {
    json!({
        "Sid": "OnlyWithTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket, format!("{bucket}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    })
}

/// Lets S3 deliver the data lake's logs, and Elastic Load Balancing its own, for this account only.
fn logs_policy(layers: &Layers<'_>) -> Json {
    let config = layers.config;
    let bucket = bucket_arn(layers, &config.logs_bucket());
    let account = config.account_id.as_str();
    let mut statements = vec![tls_only(&bucket)];
    if config.storage.access_logs {
        statements.push(json!({
            "Sid": "AccessLogsOfTheDataLake",
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": format!("{bucket}/{ACCESS_LOGS}*"),
            "Condition": {
                "StringEquals": {"aws:SourceAccount": account},
                "ArnLike": {"aws:SourceArn": bucket_arn(layers, &config.data_lake_bucket())},
            },
        }));
    }
    if config.cluster.has_load_balancer() && config.cluster.load_balancer.access_logs {
        statements.push(json!({
            "Sid": "AccessLogsOfTheLoadBalancer",
            "Effect": "Allow",
            "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": format!("{bucket}/{LOAD_BALANCER_LOGS}/AWSLogs/{account}/*"),
            "Condition": {"ArnLike": {"aws:SourceArn": layers.arn("elasticloadbalancing", "loadbalancer/*")}},
        }));
    }
    policy(statements)
}

/// What it costs is what is stored ("Amazon S3 pricing").
pub(crate) const COSTS_ON_TOP: &str = "storage (0.023 per GB), requests, what is read back from cold classes";

/// What protects the buckets.
pub(crate) const PROMISES: &[Promise] = &[
    Promise::new("no bucket can be made public", "storage", Bucket::KIND, |bucket, _| {
        on(bucket, "public_access_blocked")
    }),
    Promise::new("nobody reads or writes without TLS", "storage", Bucket::KIND, |bucket, _| {
        Some(bucket.get("policy")?.to_string().contains("aws:SecureTransport"))
    }),
    Promise::new("objects belong to the bucket's owner", "storage", Bucket::KIND, |bucket, _| {
        Some(bucket.get("object_ownership")?.as_str()? == "BucketOwnerEnforced")
    }),
    Promise::new("the data lake is encrypted with the key", "storage/data-lake", Bucket::KIND, |bucket, _| {
        given(bucket, "kms_key")
    }),
    Promise::new("the data lake keeps what is overwritten", "storage/data-lake", Bucket::KIND, |bucket, _| {
        on(bucket, "versioning")
    }),
];
