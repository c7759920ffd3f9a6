//! A log group. Services make theirs by themselves, unencrypted and for ever: made first, they are ours.

use crate::{Arn, Aws, at_once::at_once, error::Sent};
use aws_sdk_cloudwatchlogs::types::{LogGroup as SdkLogGroup, LogGroupClass};
use bedplate_model::{
    CallError, Class, Creation, Id, Observation, Observed, Order, Phase, Readiness, Reconcile, Record, Resolved, Step,
    Tags, Terraform, Which,
};

/// AWS takes up to 50 names in one call.
const IDENTIFIERS: usize = 50;

/// A log group of CloudWatch Logs.
#[derive(Debug)]
pub enum LogGroup {}

/// Settings of a log group.
#[derive(Clone, Debug, Record)]
pub struct LogGroupSpec<P: Phase> {
    /// Its name, 1 to 512 characters of `a-z`, `A-Z`, `0-9` and `_-/.#`.
    #[refuse]
    #[aws("LogGroupName")]
    pub name: P::Of<String>,
    /// What it can do and costs: `STANDARD`, `INFREQUENT_ACCESS` or `DELIVERY`.
    #[refuse]
    #[aws("LogGroupClass")]
    pub class: P::Of<String>,
    /// How many days its events are kept, one of the numbers that AWS lists for PutRetentionPolicy; none keeps them for
    /// ever.
    #[aws("RetentionInDays")]
    pub retention_days: P::Of<Option<i32>>,
    /// The ARN of the key that new events are encrypted with; none leaves it to a key of the service's own.
    #[aws("KmsKeyId")]
    pub kms_key: P::Of<Option<Arn>>,
    /// Whether AWS refuses to delete it.
    #[aws("DeletionProtectionEnabled")]
    pub deletion_protection: P::Of<bool>,
}

/// Outputs of a log group.
#[derive(Clone, Debug, Record)]
pub struct LogGroupOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN, without the `:*` that stands for its streams.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for LogGroup {
    const KIND: &'static str = "logs.log_group";
    const DOC: &'static str = "A log group of CloudWatch Logs.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::Logs::LogGroup");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_cloudwatch_log_group", id: "{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "logs:CreateLogGroup",
        "logs:DeleteLogGroup",
        "logs:DescribeLogGroups",
        "logs:PutRetentionPolicy",
        "logs:DeleteRetentionPolicy",
        "logs:AssociateKmsKey",
        "logs:DisassociateKmsKey",
        "logs:PutLogGroupDeletionProtection",
        "logs:ListTagsForResource",
        "logs:TagResource",
        "logs:UntagResource",
        "tag:GetResources",
    ];
    // Another class under the same name.
    const ORDER: Order = Order::DeleteFirst;
    type Cloud = Aws;
    type Spec<P: Phase> = LogGroupSpec<P>;
    type Outputs<P: Phase> = LogGroupOutputs<P>;

    fn identity(spec: &LogGroupSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut groups = Vec::new();
        match which {
            // A filter: what does not exist is left out.
            Which::Ids(ids) => {
                for ids in ids.chunks(IDENTIFIERS) {
                    let names = ids.iter().map(Id::to_string).collect();
                    let request = cloud.logs.describe_log_groups().set_log_group_identifiers(Some(names));
                    let mut pages = request.into_paginator().items().send();
                    while let Some(group) = pages.next().await {
                        groups.push(group.sent()?);
                    }
                }
            }
            // Groups cannot be listed by tag.
            Which::Owned(_) => {
                let mut pages = cloud.logs.describe_log_groups().into_paginator().items().send();
                while let Some(group) = pages.next().await {
                    groups.push(group.sent()?);
                }
            }
        }
        groups.retain(|group| match which {
            Which::Ids(ids) => ids.iter().any(|id| Some(id.as_str()) == group.log_group_name()),
            Which::Owned(_) => true,
        });
        let tags = at_once(groups.iter().map(async |group| match arn(group) {
            Some(arn) => tags(cloud, arn).await,
            None => Ok(None),
        }));
        let seen = groups.iter().zip(tags.await?).filter_map(|(group, tags)| observe(group, tags?));
        Ok(seen.filter(|seen| which.covers(&seen.id, seen.tags.as_ref().unwrap_or(&Tags::new()))).collect())
    }

    async fn create(cloud: &Aws, spec: &LogGroupSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.logs.create_log_group().log_group_name(&spec.name);
        let request = request.log_group_class(LogGroupClass::from(spec.class.as_str()));
        let request = request.set_kms_key_id(spec.kms_key.clone().map(String::from));
        let request = request.deletion_protection_enabled(spec.deletion_protection);
        request.set_tags(Some(creation.tags.clone().into_iter().collect())).send().await.sent()?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (name, wanted) = (step.id.as_str(), step.wanted);
        if step.changes(&["retention_days"]) {
            match wanted.retention_days {
                Some(days) => {
                    let request = cloud.logs.put_retention_policy().log_group_name(name);
                    request.retention_in_days(days).send().await.sent().map(drop)?;
                }
                None => cloud.logs.delete_retention_policy().log_group_name(name).send().await.sent().map(drop)?,
            }
        }
        if step.changes(&["kms_key"]) {
            match &wanted.kms_key {
                Some(key) => {
                    let request = cloud.logs.associate_kms_key().log_group_name(name);
                    request.kms_key_id(key.as_str()).send().await.sent().map(drop)?;
                }
                None => cloud.logs.disassociate_kms_key().log_group_name(name).send().await.sent().map(drop)?,
            }
        }
        if step.changes(&["deletion_protection"]) {
            protect(cloud, step.id, wanted.deletion_protection).await?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let group = find(cloud, id).await?;
        let Some(arn) = group.as_ref().and_then(arn) else {
            return Err(CallError::local(
                "logs:DescribeLogGroups",
                "ResourceNotFound",
                "no such log group",
                Class::NotFound,
            ));
        };
        if !set.is_empty() {
            let tags = set.clone().into_iter().collect();
            cloud.logs.tag_resource().resource_arn(arn).set_tags(Some(tags)).send().await.sent()?;
        }
        if !remove.is_empty() {
            let keys = Some(remove.to_vec());
            cloud.logs.untag_resource().resource_arn(arn).set_tag_keys(keys).send().await.sent()?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.logs.delete_log_group().log_group_name(id.as_str()).send().await.sent().map(drop)
    }

    fn protection(spec: &LogGroupSpec<Observed>) -> Option<&'static str> {
        (spec.deletion_protection == Some(true)).then_some("deletion protection")
    }

    async fn unprotect(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        protect(cloud, id, false).await
    }
}

async fn protect(cloud: &Aws, id: &Id, enabled: bool) -> Result<(), CallError> {
    let request = cloud.logs.put_log_group_deletion_protection().log_group_identifier(id.as_str());
    request.deletion_protection_enabled(enabled).send().await.sent().map(drop)
}

/// The tags of a group; `None` when it is gone.
async fn tags(cloud: &Aws, arn: &str) -> Result<Option<Tags>, CallError> {
    if let Some(tags) = cloud.indexed_tags(arn).await {
        return Ok(Some(tags));
    }
    let answer = cloud.logs.list_tags_for_resource().resource_arn(arn).send().await.found()?;
    let tags = answer.map(|answer| answer.tags.unwrap_or_default().into_iter());
    Ok(tags.map(|tags| tags.filter(|(key, _)| !key.starts_with("aws:")).collect()))
}

/// The group of this name. Answers are sorted, so it comes first among those whose names begin with its own.
async fn find(cloud: &Aws, id: &Id) -> Result<Option<SdkLogGroup>, CallError> {
    let request = cloud.logs.describe_log_groups().log_group_name_prefix(id.as_str()).limit(1);
    let groups = request.send().await.sent()?.log_groups.unwrap_or_default();
    Ok(groups.into_iter().find(|group| group.log_group_name() == Some(id.as_str())))
}

fn arn(group: &SdkLogGroup) -> Option<&str> {
    group.log_group_arn().or(group.arn()).map(|arn| arn.trim_end_matches(":*"))
}

fn observe(group: &SdkLogGroup, tags: Tags) -> Option<Observation<LogGroup>> {
    let name = group.log_group_name()?;
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: LogGroupSpec {
            name: Some(name.to_owned()),
            class: Some(group.log_group_class().unwrap_or(&LogGroupClass::Standard).to_string()),
            // Where a policy of the account decides, AWS shows that and not what the group was set to.
            retention_days: group.retention_policy_name().is_none().then_some(group.retention_in_days()),
            kms_key: Some(group.kms_key_id().map(Arn::new)),
            deletion_protection: Some(group.deletion_protection_enabled().unwrap_or(false)),
        },
        outputs: arn(group).map(|arn| LogGroupOutputs { name: name.to_owned(), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_log_group_is_read_as_aws_shows_it() {
        let arn = "arn:aws:logs:us-east-1:797923187401:log-group:/aws/eks/c/cluster";
        let sdk = SdkLogGroup::builder()
            .log_group_name("/aws/eks/c/cluster")
            .arn(format!("{arn}:*"))
            .retention_in_days(90)
            .kms_key_id("arn:aws:kms:us-east-1:797923187401:key/k");
        let seen = observe(&sdk.clone().build(), Tags::new()).unwrap();
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "name": "/aws/eks/c/cluster", "class": "STANDARD", "retention_days": 90,
                "kms_key": "arn:aws:kms:us-east-1:797923187401:key/k", "deletion_protection": false,
            })
        );
        assert_eq!(seen.outputs.unwrap().arn.as_str(), arn);

        let governed = observe(&sdk.retention_policy_name("account").build(), Tags::new()).unwrap();
        assert_eq!(governed.spec.retention_days, None);
    }
}
