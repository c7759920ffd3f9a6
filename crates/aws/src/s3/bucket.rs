//! A bucket with all its settings.

use super::{
    LifecycleRule, TieringRule,
    objects::{NOT_EMPTY, delete_versions, folder_versions, folders, not_empty, put_folders},
    rules::{lifecycle_rule, tiering_rule, to_lifecycle_rule, to_tiering_rule},
};
use crate::{Arn, Aws, Policy, at_once::at_once, error::Sent};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketLocationConstraint, BucketLoggingStatus, BucketVersioningStatus,
    CreateBucketConfiguration, IntelligentTieringConfiguration, LifecycleRule as SdkLifecycleRule, LoggingEnabled,
    ObjectOwnership, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
    VersioningConfiguration,
};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Order, Pace, Phase, Readiness, Reconcile, Record, Resolved, Step,
    Tags, Terraform, Which,
};
use std::collections::{BTreeMap, BTreeSet};

/// The region that must not be named when a bucket is made there.
const UNNAMED_REGION: &str = "us-east-1";

/// A bucket with all its settings.
///
/// Its id is `account|name`: names are unique in all of AWS, and every call says whose bucket it means.
#[derive(Debug)]
pub enum Bucket {}

/// Settings of a bucket.
#[derive(Clone, Debug, Record)]
pub struct BucketSpec<P: Phase> {
    /// The account it belongs to, 12 digits; a bucket of this name that belongs to another one is never touched.
    #[refuse]
    #[aws(none)]
    pub account: P::Of<String>,
    /// Its name, unique in all of AWS; 3 to 63 characters of `a-z`, `0-9`, `.` and `-`.
    #[refuse]
    #[aws("BucketName")]
    pub name: P::Of<String>,
    /// Whether overwritten and deleted objects are kept as noncurrent versions. Switching it off only stops making new
    /// ones.
    #[aws("VersioningConfiguration")]
    pub versioning: P::Of<bool>,
    /// The key that new objects are encrypted with; none leaves it to a key of S3's own (AES-256).
    #[aws("BucketEncryption")]
    pub kms_key: P::Of<Option<Arn>>,
    /// Whether S3 derives keys of its own from `kms_key`, which saves most KMS requests; without a key it means nothing.
    #[aws("BucketEncryption")]
    pub bucket_key: P::Of<bool>,
    /// Whether all four ways to make it or its objects public are blocked.
    #[aws("PublicAccessBlockConfiguration")]
    pub public_access_blocked: P::Of<bool>,
    /// Who owns the objects: `BucketOwnerEnforced` (no ACLs), `BucketOwnerPreferred` or `ObjectWriter`.
    #[aws("OwnershipControls")]
    pub object_ownership: P::Of<String>,
    /// Who may do what with it; none leaves that to IAM.
    #[aws(none)]
    pub policy: P::Of<Option<Policy>>,
    /// When objects move to other storage classes and when they expire, by the rule's id (at most 255 characters).
    #[aws("LifecycleConfiguration")]
    pub lifecycle: P::Of<BTreeMap<String, LifecycleRule>>,
    /// When objects in `INTELLIGENT_TIERING` are archived, by the configuration's id (at most 64 characters).
    #[aws("IntelligentTieringConfigurations")]
    pub intelligent_tiering: P::Of<BTreeMap<String, TieringRule>>,
    /// The name of the bucket that gets a log of every access; none keeps no log.
    #[aws("LoggingConfiguration")]
    pub log_bucket: P::Of<Option<String>>,
    /// What the keys of these logs begin with; without a log bucket it means nothing.
    #[aws("LoggingConfiguration")]
    pub log_prefix: P::Of<String>,
    /// The folders it has, `a/` or `a/b/`: one that nothing lies in gets an empty object of its name. Further folders
    /// are left alone.
    #[aws(none)]
    pub prefixes: P::Of<BTreeSet<String>>,
}

/// Outputs of a bucket.
#[derive(Clone, Debug, Record)]
pub struct BucketOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for Bucket {
    const KIND: &'static str = "s3.bucket";
    const DOC: &'static str = "A bucket with all its settings.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::S3::Bucket");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_s3_bucket", id: "{account_id}|{bucket}" }];
    const ACTIONS: &'static [&'static str] = &[
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:DeleteBucketPolicy",
        "s3:DeleteObject",
        "s3:DeleteObjectVersion",
        "s3:GetBucketLogging",
        "s3:GetBucketOwnershipControls",
        "s3:GetBucketPolicy",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketTagging",
        "s3:GetBucketVersioning",
        "s3:GetEncryptionConfiguration",
        "s3:GetIntelligentTieringConfiguration",
        "s3:GetLifecycleConfiguration",
        "s3:ListAllMyBuckets",
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:PutBucketLogging",
        "s3:PutBucketOwnershipControls",
        "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging",
        "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration",
        "s3:PutIntelligentTieringConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:PutObject",
        "s3:TagResource",
        // For the empty objects that stand for folders.
        "kms:GenerateDataKey",
        "tag:GetResources",
    ];
    // Its name is taken.
    const ORDER: Order = Order::DeleteFirst;
    // Lifecycle rules are shown everywhere after "a few minutes" (Amazon S3 user guide, "Setting an S3 Lifecycle configuration on
    // a bucket").
    const PACE: Pace = Pace::seconds(1, 2, 900).lagging(240);
    type Cloud = Aws;
    type Spec<P: Phase> = BucketSpec<P>;
    type Outputs<P: Phase> = BucketOutputs<P>;

    fn identity(spec: &BucketSpec<Observed>) -> Option<Id> {
        Some(Id::child(spec.account.as_ref()?, spec.name.as_ref()?))
    }

    /// Asks first which buckets the account has: of one that is somebody else's, S3 only says that it is forbidden. What a survey
    /// knows of was the account's, and is as long as S3 answers.
    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        if let Which::Ids(ids) = which
            && ids.iter().all(|id| cloud.recorded_settings(Self::KIND, id).is_some())
            && let Ok(found) = at_once(ids.iter().map(|id| look(cloud, id))).await
        {
            return Ok(found.into_iter().flatten().collect());
        }
        let mut existing = BTreeSet::new();
        let mut pages = cloud.s3.list_buckets().max_buckets(1000).into_paginator().send();
        while let Some(page) = pages.next().await {
            existing.extend(page.sent()?.buckets.unwrap_or_default().into_iter().filter_map(|bucket| bucket.name));
        }
        match which {
            Which::Ids(ids) => {
                let ids = ids.iter().filter(|id| existing.contains(id.split().1));
                let found = at_once(ids.map(|id| look(cloud, id))).await?;
                Ok(found.into_iter().flatten().collect())
            }
            Which::Owned(_) => {
                let account = cloud.account().await?;
                let ids: Vec<Id> = existing.iter().map(|name| Id::child(&account, name)).collect();
                let found = at_once(ids.iter().map(async |id| match raw_tags(cloud, id).await {
                    Ok(tags) if which.covers(id, &tags) => look(cloud, id).await,
                    // One in another region, or one that we may not look at, is not ours.
                    _ => Ok(None),
                }));
                Ok(found.await?.into_iter().flatten().collect())
            }
        }
    }

    async fn create(cloud: &Aws, spec: &BucketSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let region = cloud.s3.config().region().map_or(UNNAMED_REGION, |region| region.as_ref());
        let region = (region != UNNAMED_REGION).then(|| BucketLocationConstraint::from(region));
        let configuration = CreateBucketConfiguration::builder().set_location_constraint(region);
        let configuration = configuration.set_tags(Some(to_tags(&creation.tags))).build();
        let request = cloud.s3.create_bucket().bucket(&spec.name).create_bucket_configuration(configuration);
        request.send().await.sent()?;
        Ok(Id::child(&spec.account, &spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (s3, wanted, seen) = (&cloud.s3, step.wanted, step.seen);
        let (account, bucket) = step.id.split();
        macro_rules! call {
            ($call:ident $(, $setter:ident: $value:expr)*) => {
                s3.$call().bucket(bucket).expected_bucket_owner(account)$(.$setter($value))*.send().await.sent()?
            };
        }
        if step.changes(&["public_access_blocked"]) {
            if wanted.public_access_blocked {
                call!(put_public_access_block, public_access_block_configuration: block_everything());
            } else {
                call!(delete_public_access_block);
            }
        }
        if step.changes(&["object_ownership"]) {
            let ownership = ObjectOwnership::from(wanted.object_ownership.as_str());
            let rule = OwnershipControlsRule::builder().object_ownership(ownership).build().expect("it has an owner");
            let controls = OwnershipControls::builder().rules(rule).build().expect("it has a rule");
            call!(put_bucket_ownership_controls, ownership_controls: controls);
        }
        if step.changes(&["versioning"]) {
            let status =
                if wanted.versioning { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
            let versioning = VersioningConfiguration::builder().status(status).build();
            call!(put_bucket_versioning, versioning_configuration: versioning);
        }
        if step.changes(&["kms_key", "bucket_key"]) {
            let encryption = to_encryption(wanted.kms_key.as_ref(), wanted.bucket_key);
            call!(put_bucket_encryption, server_side_encryption_configuration: encryption);
        }
        if step.changes(&["policy"]) {
            match &wanted.policy {
                Some(policy) => drop(call!(put_bucket_policy, policy: policy.to_string())),
                None => drop(call!(delete_bucket_policy)),
            }
        }
        if step.changes(&["lifecycle"]) {
            if wanted.lifecycle.is_empty() {
                call!(delete_bucket_lifecycle);
            } else {
                let rules = wanted.lifecycle.iter().map(|(id, rule)| to_lifecycle_rule(id, rule)).collect();
                let rules = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build();
                call!(put_bucket_lifecycle_configuration, lifecycle_configuration: rules.expect("it has rules"));
            }
        }
        if step.changes(&["intelligent_tiering"]) {
            let before = seen.intelligent_tiering.clone().unwrap_or_default();
            for id in before.keys().filter(|id| !wanted.intelligent_tiering.contains_key(*id)) {
                call!(delete_bucket_intelligent_tiering_configuration, id: id);
            }
            let tiering = &wanted.intelligent_tiering;
            for (id, rule) in tiering.iter().filter(|(id, rule)| before.get(*id) != Some(*rule)) {
                let rule = to_tiering_rule(id, rule);
                call!(put_bucket_intelligent_tiering_configuration, id: id, intelligent_tiering_configuration: rule);
            }
        }
        if step.changes(&["log_bucket", "log_prefix"]) {
            let logging = wanted.log_bucket.as_ref().map(|target| {
                let target = LoggingEnabled::builder().target_bucket(target).target_prefix(&wanted.log_prefix);
                target.build().expect("it has a bucket and a prefix")
            });
            let status = BucketLoggingStatus::builder().set_logging_enabled(logging).build();
            call!(put_bucket_logging, bucket_logging_status: status);
        }
        // Last, so that the objects are encrypted with the right key.
        if step.changes(&["prefixes"]) {
            let existing = seen.prefixes.clone().unwrap_or_default();
            put_folders(cloud, step.id, wanted.prefixes.difference(&existing)).await?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let (account, bucket) = id.split();
        // S3 only knows all tags at once. Those that AWS set must be among them.
        let mut tags = raw_tags(cloud, id).await?;
        tags.retain(|key, _| !remove.contains(key));
        tags.extend(set.clone());
        let request = cloud.s3.put_bucket_tagging().bucket(bucket).expected_bucket_owner(account);
        let tags = Tagging::builder().set_tag_set(Some(to_tags(&tags))).build().expect("it has tags");
        request.tagging(tags).send().await.sent().map(drop)
    }

    /// Empties it: what it holds is what keeps it from removal.
    async fn unprotect(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        super::empty(cloud, id).await.map(drop)
    }

    /// Deletes the folders with it, which are ours. What else lies in it is for a person to decide.
    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let (account, bucket) = id.split();
        let request = cloud.s3.delete_bucket().bucket(bucket).expected_bucket_owner(account);
        match request.clone().send().await.sent() {
            Err(error) if error.code == NOT_EMPTY => {
                let Some(folders) = folder_versions(cloud, id).await? else { return Err(not_empty(error, bucket)) };
                delete_versions(cloud, id, folders).await?;
                let deleted = request.send().await.sent().map(drop);
                deleted.map_err(|error| if error.code == NOT_EMPTY { not_empty(error, bucket) } else { error })
            }
            answer => answer.map(drop),
        }
    }

    fn tolerate(wanted: &BucketSpec<Observed>, seen: &mut BucketSpec<Observed>) {
        if wanted.kms_key == Some(None) {
            seen.bucket_key = wanted.bucket_key;
        }
        if wanted.log_bucket == Some(None) {
            seen.log_prefix.clone_from(&wanted.log_prefix);
        }
        if let (Some(wanted), Some(seen)) = (&wanted.prefixes, &mut seen.prefixes) {
            seen.retain(|prefix| wanted.contains(prefix));
        }
    }
}

/// What S3 says of a bucket, from many calls.
#[derive(Debug, Default)]
struct Answers {
    versioning: Option<BucketVersioningStatus>,
    encryption: Option<ServerSideEncryptionRule>,
    access: Option<PublicAccessBlockConfiguration>,
    ownership: Option<ObjectOwnership>,
    policy: Option<String>,
    lifecycle: Vec<SdkLifecycleRule>,
    tiering: Vec<IntelligentTieringConfiguration>,
    logging: Option<LoggingEnabled>,
    prefixes: Option<BTreeSet<String>>,
    tags: Tags,
}

async fn look(cloud: &Aws, id: &Id) -> Result<Option<Observation<Bucket>>, CallError> {
    let (account, bucket) = id.split();
    // "No such configuration" and "no such bucket" are both none here; only the versioning tells them apart, which every
    // bucket has.
    macro_rules! get {
        ($call:ident) => {
            async { cloud.s3.$call().bucket(bucket).expected_bucket_owner(account).send().await.found() }
        };
    }
    let (versioning, encryption, access, ownership, policy, lifecycle, logging, tiering, prefixes, tags) = tokio::try_join!(
        get!(get_bucket_versioning),
        get!(get_bucket_encryption),
        get!(get_public_access_block),
        get!(get_bucket_ownership_controls),
        get!(get_bucket_policy),
        get!(get_bucket_lifecycle_configuration),
        get!(get_bucket_logging),
        tiering(cloud, id),
        async {
            // Where none were wanted, none are compared.
            let wanted =
                cloud.recorded_settings(Bucket::KIND, id).and_then(|settings| settings.get("prefixes")?.as_array());
            if wanted.is_some_and(Vec::is_empty) { Ok(None) } else { folders(cloud, id).await }
        },
        async {
            match cloud.indexed_tags(&arn(bucket)).await {
                Some(tags) => Ok(tags),
                None => raw_tags(cloud, id).await,
            }
        },
    )?;
    let Some(versioning) = versioning else { return Ok(None) };
    let rules = encryption.and_then(|answer| answer.server_side_encryption_configuration).map(|all| all.rules);
    let ownership = ownership.and_then(|answer| answer.ownership_controls).map(|all| all.rules);
    let answers = Answers {
        versioning: versioning.status,
        encryption: rules.into_iter().flatten().next(),
        access: access.and_then(|answer| answer.public_access_block_configuration),
        ownership: ownership.into_iter().flatten().next().map(|rule| rule.object_ownership),
        policy: policy.and_then(|answer| answer.policy),
        lifecycle: lifecycle.and_then(|answer| answer.rules).unwrap_or_default(),
        tiering,
        logging: logging.and_then(|answer| answer.logging_enabled),
        prefixes,
        tags,
    };
    Ok(Some(observe(id, answers)))
}

/// All intelligent-tiering configurations. The SDK has no paginator for them.
async fn tiering(cloud: &Aws, id: &Id) -> Result<Vec<IntelligentTieringConfiguration>, CallError> {
    let (account, bucket) = id.split();
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let request = cloud.s3.list_bucket_intelligent_tiering_configurations().bucket(bucket);
        let request = request.expected_bucket_owner(account).set_continuation_token(token);
        let Some(answer) = request.send().await.found()? else { return Ok(found) };
        found.extend(answer.intelligent_tiering_configuration_list.unwrap_or_default());
        token = answer.next_continuation_token.filter(|_| answer.is_truncated == Some(true));
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// All tags, those that AWS sets included.
async fn raw_tags(cloud: &Aws, id: &Id) -> Result<Tags, CallError> {
    let (account, bucket) = id.split();
    let request = cloud.s3.get_bucket_tagging().bucket(bucket).expected_bucket_owner(account);
    let tags = request.send().await.found()?.map(|answer| answer.tag_set).unwrap_or_default();
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

fn to_tags(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().expect("it has a key and a value");
    tags.iter().map(tag).collect()
}

fn block_everything() -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(true)
        .build()
}

fn to_encryption(key: Option<&Arn>, bucket_key: bool) -> ServerSideEncryptionConfiguration {
    let algorithm = if key.is_some() { ServerSideEncryption::AwsKms } else { ServerSideEncryption::Aes256 };
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(algorithm);
    let default = default.set_kms_master_key_id(key.map(Arn::to_string)).build().expect("it has an algorithm");
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default);
    let rule = rule.bucket_key_enabled(key.is_some() && bucket_key).build();
    ServerSideEncryptionConfiguration::builder().rules(rule).build().expect("it has a rule")
}

fn observe(id: &Id, answers: Answers) -> Observation<Bucket> {
    let (account, name) = id.split();
    let encryption = answers.encryption.as_ref().and_then(|rule| rule.apply_server_side_encryption_by_default());
    let kms_key = encryption.and_then(|encryption| match encryption.sse_algorithm() {
        ServerSideEncryption::Aes256 => None,
        ServerSideEncryption::AwsKms => Some(encryption.kms_master_key_id().unwrap_or("alias/aws/s3")),
        // Another algorithm reads as its name, which no setting is: so it is set again.
        other => Some(other.as_str()),
    });
    let blocked = answers.access.is_some_and(|access| access == block_everything());
    let policy = answers.policy.map(|text| Policy::parse(&text));
    let (log_bucket, log_prefix) =
        answers.logging.map(|logging| (logging.target_bucket, logging.target_prefix)).unzip();
    Observation {
        id: id.clone(),
        tags: Some(answers.tags.into_iter().filter(|(key, _)| !key.starts_with("aws:")).collect()),
        readiness: Readiness::Ready,
        spec: BucketSpec {
            account: Some(account.to_owned()),
            name: Some(name.to_owned()),
            versioning: Some(answers.versioning == Some(BucketVersioningStatus::Enabled)),
            kms_key: Some(kms_key.map(Arn::new)),
            bucket_key: Some(answers.encryption.as_ref().and_then(|rule| rule.bucket_key_enabled()).unwrap_or(false)),
            public_access_blocked: Some(blocked),
            // What buckets had before there were ownership controls.
            object_ownership: Some(answers.ownership.unwrap_or(ObjectOwnership::ObjectWriter).to_string()),
            policy: policy.transpose().ok(),
            lifecycle: Some(answers.lifecycle.iter().map(lifecycle_rule).collect()),
            intelligent_tiering: Some(answers.tiering.iter().map(tiering_rule).collect()),
            log_bucket: Some(log_bucket),
            log_prefix: Some(log_prefix.unwrap_or_default()),
            prefixes: answers.prefixes,
        },
        outputs: Some(BucketOutputs { name: name.to_owned(), arn: Arn::new(arn(name)) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bucket_is_read_as_aws_shows_it() {
        let id = Id::child("797923187401", "lake");
        let key = Arn::new("arn:aws:kms:us-east-1:797923187401:key/k");
        let answers = Answers {
            versioning: Some(BucketVersioningStatus::Enabled),
            encryption: to_encryption(Some(&key), true).rules.into_iter().next(),
            access: Some(block_everything()),
            ownership: Some(ObjectOwnership::BucketOwnerEnforced),
            policy: Some(r#"{"Statement": [], "Version": "2012-10-17"}"#.to_owned()),
            logging: Some(LoggingEnabled::builder().target_bucket("logs").target_prefix("l/").build().unwrap()),
            prefixes: Some(["raw/".to_owned(), "raw/logs/".to_owned()].into()),
            tags: Tags::from([("aws:x".into(), "theirs".into()), ("Name".into(), "x".into())]),
            ..Answers::default()
        };
        let seen = observe(&id, answers);
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "account": "797923187401", "name": "lake", "versioning": true, "kms_key": key, "bucket_key": true,
                "public_access_blocked": true, "object_ownership": "BucketOwnerEnforced",
                "policy": {"Statement": [], "Version": "2012-10-17"}, "lifecycle": {}, "intelligent_tiering": {},
                "log_bucket": "logs", "log_prefix": "l/", "prefixes": ["raw/", "raw/logs/"],
            })
        );
        assert_eq!(seen.tags.unwrap(), Tags::from([("Name".into(), "x".into())]));
        assert_eq!(seen.outputs.unwrap().arn.as_str(), "arn:aws:s3:::lake");
    }

    #[test]
    fn further_folders_are_no_difference() {
        let id = Id::child("797923187401", "lake");
        let prefixes = ["raw/", "raw/logs/", "theirs/"].map(str::to_owned);
        let mut seen = observe(&id, Answers { prefixes: Some(prefixes.into()), ..Answers::default() }).spec;
        let wanted = ["raw/logs/", "archive/"].map(str::to_owned);
        let wanted = BucketSpec { prefixes: Some(wanted.into()), ..seen.clone() };
        Bucket::tolerate(&wanted, &mut seen);
        assert_eq!(seen.prefixes, Some(["raw/logs/".to_owned()].into()));
    }
}
