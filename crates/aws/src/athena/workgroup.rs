//! A place for queries, with its limits and its results.

use crate::{Arn, Aws, error::Sent};
use aws_sdk_athena::types::{
    EncryptionConfiguration, EncryptionOption, ResultConfiguration, ResultConfigurationUpdates, Tag, WorkGroup,
    WorkGroupConfiguration, WorkGroupConfigurationUpdates,
};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Order, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};

/// A place for queries, with its limits and its results.
///
/// Its id is `account|name`. Queries in it cannot have other settings than it has. Deleting it deletes its saved queries
/// and its history, without which one that was ever used could not be deleted.
#[derive(Debug)]
pub enum Workgroup {}

/// Settings of a workgroup.
#[derive(Clone, Debug, Record)]
pub struct WorkgroupSpec<P: Phase> {
    /// The account it belongs to, 12 digits; results go into a bucket of this account only.
    #[replace]
    #[aws(none)]
    pub account: P::Of<String>,
    /// Its name, unique in the account and region; at most 128 characters of `a-z`, `A-Z`, `0-9`, `.`, `_` and `-`.
    #[replace]
    #[aws("Name")]
    pub name: P::Of<String>,
    /// What it is for, at most 1024 characters.
    #[aws("Description")]
    pub description: P::Of<String>,
    /// Where results go: `s3://bucket/prefix/`.
    #[aws("WorkGroupConfiguration")]
    pub output_location: P::Of<String>,
    /// The key that results are encrypted with.
    #[aws("WorkGroupConfiguration")]
    pub kms_key: P::Of<Arn>,
    /// Whether queries cannot have settings of their own.
    #[aws("WorkGroupConfiguration")]
    pub enforced: P::Of<bool>,
    /// Whether CloudWatch gets its metrics.
    #[aws("WorkGroupConfiguration")]
    pub metrics: P::Of<bool>,
    /// How many bytes one query may read before it is cancelled, at least 10,000,000.
    #[aws("WorkGroupConfiguration")]
    pub scan_limit_bytes: P::Of<i64>,
}

/// Outputs of a workgroup.
#[derive(Clone, Debug, Record)]
pub struct WorkgroupOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for Workgroup {
    const KIND: &'static str = "athena.workgroup";
    const DOC: &'static str = "A place for queries, with its limits and its results.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::Athena::WorkGroup");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_athena_workgroup", id: "{account_id}|{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "athena:CreateWorkGroup",
        "athena:DeleteWorkGroup",
        "athena:GetWorkGroup",
        "athena:ListTagsForResource",
        "athena:ListWorkGroups",
        "athena:TagResource",
        "athena:UntagResource",
        "athena:UpdateWorkGroup",
    ];
    // All that replaces it is in its id, so that old and new stand side by side.
    const ORDER: Order = Order::CreateFirst;
    type Cloud = Aws;
    type Spec<P: Phase> = WorkgroupSpec<P>;
    type Outputs<P: Phase> = WorkgroupOutputs<P>;

    fn identity(spec: &WorkgroupSpec<Observed>) -> Option<Id> {
        Some(Id::child(spec.account.as_ref()?, spec.name.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let account = match which {
            Which::Ids(ids) => ids.first().map(|id| id.split().0.to_owned()).unwrap_or_default(),
            Which::Owned(_) => cloud.account().await?,
        };
        let mut names = Vec::new();
        let mut pages = cloud.athena.list_work_groups().into_paginator().send();
        while let Some(page) = pages.next().await {
            names.extend(page.sent()?.work_groups.unwrap_or_default().into_iter().filter_map(|group| group.name));
        }
        let mut found = Vec::new();
        for name in names {
            let id = Id::child(&account, &name);
            if matches!(which, Which::Ids(ids) if !ids.contains(&id)) {
                continue;
            }
            let Some(tags) = tags(cloud, &id).await? else { continue };
            if !which.covers(&id, &tags) {
                continue;
            }
            let answer = cloud.athena.get_work_group().work_group(&name).send().await.found()?;
            if let Some(group) = answer.and_then(|answer| answer.work_group) {
                found.push(observe(&account, &group, Arn::new(arn(cloud, &id)), tags));
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &WorkgroupSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.athena.create_work_group().name(&spec.name).description(&spec.description);
        let request = request.configuration(to_configuration(spec));
        request.set_tags(Some(to_tags(&creation.tags))).send().await.sent()?;
        Ok(Id::child(&spec.account, &spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let request = cloud.athena.update_work_group().work_group(step.id.split().1);
        let request = request.description(&step.wanted.description).configuration_updates(to_updates(step.wanted));
        request.send().await.sent().map(drop)
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let arn = arn(cloud, id);
        if !set.is_empty() {
            let request = cloud.athena.tag_resource().resource_arn(&arn);
            request.set_tags(Some(to_tags(set))).send().await.sent()?;
        }
        if !remove.is_empty() {
            let request = cloud.athena.untag_resource().resource_arn(&arn);
            request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let request = cloud.athena.delete_work_group().work_group(id.split().1);
        request.recursive_delete_option(true).send().await.sent().map(drop)
    }
}

fn arn(cloud: &Aws, id: &Id) -> String {
    let (account, name) = id.split();
    let region = cloud.athena.config().region().map(AsRef::as_ref).unwrap_or_default();
    format!("arn:aws:athena:{region}:{account}:workgroup/{name}")
}

async fn tags(cloud: &Aws, id: &Id) -> Result<Option<Tags>, CallError> {
    let mut found = Tags::new();
    let request = cloud.athena.list_tags_for_resource().resource_arn(arn(cloud, id));
    let mut pages = request.into_paginator().items().send();
    while let Some(tag) = pages.next().await {
        let Some(tag) = tag.found()? else { return Ok(None) };
        if let (Some(key), Some(value)) = (tag.key, tag.value) {
            found.insert(key, value);
        }
    }
    found.retain(|key, _| !key.starts_with("aws:"));
    Ok(Some(found))
}

fn to_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn to_encryption(key: &Arn) -> EncryptionConfiguration {
    let encryption = EncryptionConfiguration::builder().encryption_option(EncryptionOption::SseKms);
    encryption.kms_key(key.as_str()).build().expect("it has an option")
}

fn to_configuration(spec: &WorkgroupSpec<Resolved>) -> WorkGroupConfiguration {
    let results = ResultConfiguration::builder()
        .output_location(&spec.output_location)
        .expected_bucket_owner(&spec.account)
        .encryption_configuration(to_encryption(&spec.kms_key));
    WorkGroupConfiguration::builder()
        .result_configuration(results.build())
        .enforce_work_group_configuration(spec.enforced)
        .publish_cloud_watch_metrics_enabled(spec.metrics)
        .bytes_scanned_cutoff_per_query(spec.scan_limit_bytes)
        .build()
}

fn to_updates(spec: &WorkgroupSpec<Resolved>) -> WorkGroupConfigurationUpdates {
    let results = ResultConfigurationUpdates::builder()
        .output_location(&spec.output_location)
        .expected_bucket_owner(&spec.account)
        .encryption_configuration(to_encryption(&spec.kms_key));
    WorkGroupConfigurationUpdates::builder()
        .result_configuration_updates(results.build())
        .enforce_work_group_configuration(spec.enforced)
        .publish_cloud_watch_metrics_enabled(spec.metrics)
        .bytes_scanned_cutoff_per_query(spec.scan_limit_bytes)
        .build()
}

fn observe(account: &str, group: &WorkGroup, arn: Arn, tags: Tags) -> Observation<Workgroup> {
    let name = group.name();
    let configuration = group.configuration();
    let results = configuration.and_then(WorkGroupConfiguration::result_configuration);
    let encryption = results.and_then(ResultConfiguration::encryption_configuration);
    // Without the account, results would go to whoever has a bucket of this name.
    let ours = results.and_then(ResultConfiguration::expected_bucket_owner) == Some(account);
    let location = results.and_then(ResultConfiguration::output_location).filter(|_| ours);
    let key = encryption.filter(|it| it.encryption_option() == &EncryptionOption::SseKms);
    Observation {
        id: Id::child(account, name),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: WorkgroupSpec {
            account: Some(account.to_owned()),
            name: Some(name.to_owned()),
            description: Some(group.description().unwrap_or_default().to_owned()),
            output_location: Some(location.unwrap_or_default().to_owned()),
            kms_key: Some(Arn::new(key.and_then(EncryptionConfiguration::kms_key).unwrap_or_default())),
            enforced: Some(configuration.and_then(|it| it.enforce_work_group_configuration()).unwrap_or(false)),
            metrics: Some(configuration.and_then(|it| it.publish_cloud_watch_metrics_enabled()).unwrap_or(false)),
            scan_limit_bytes: Some(configuration.and_then(|it| it.bytes_scanned_cutoff_per_query()).unwrap_or(0)),
        },
        outputs: Some(WorkgroupOutputs { name: name.to_owned(), arn }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> WorkgroupSpec<Resolved> {
        WorkgroupSpec {
            account: "797923187401".to_owned(),
            name: "costs".to_owned(),
            description: "Costs".to_owned(),
            output_location: "s3://bucket/results/".to_owned(),
            kms_key: Arn::new("arn:aws:kms:us-east-1:797923187401:key/k-1"),
            enforced: true,
            metrics: true,
            scan_limit_bytes: 10_000_000,
        }
    }

    fn seen(configuration: WorkGroupConfiguration) -> Observation<Workgroup> {
        let group = WorkGroup::builder().name("costs").description("Costs").configuration(configuration);
        observe("797923187401", &group.build().unwrap(), Arn::new("arn:workgroup"), Tags::new())
    }

    #[test]
    fn a_workgroup_reads_as_it_was_sent() {
        let seen = seen(to_configuration(&spec()));
        assert_eq!(seen.spec.to_json(), spec().to_json());
        assert_eq!(Workgroup::identity(&seen.spec), Some(seen.id));
    }

    #[test]
    fn results_that_may_go_to_a_stranger_are_a_difference() {
        let mut configuration = to_configuration(&spec());
        let results = configuration.result_configuration.as_mut().unwrap();
        results.expected_bucket_owner = None;
        assert_eq!(seen(configuration).spec.output_location.as_deref(), Some(""));
    }
}
