//! What accounts of an organization may do, or how they tag.

use crate::{Arn, Aws, Policy as Document, error::Sent, once::Once};
use aws_sdk_organizations::types::{Policy as SdkPolicy, PolicyType, Tag};
use bedplate_model::{
    CallError, Creation, Id, Observation, Order, Phase, Readiness, Reconcile, Record, Recovery, Resolved, Step, Tags,
    Terraform, Which,
};
use std::collections::BTreeSet;

/// What accounts of an organization may do, or how they tag.
///
/// It has no effect before it is attached. Its attachments are settings of it, and no others are left: a policy of ours is
/// where the configuration says, and nowhere else.
#[derive(Debug)]
pub enum Policy {}

/// Settings of a policy.
#[derive(Clone, Debug, Record)]
pub struct PolicySpec<P: Phase> {
    /// Its type: `SERVICE_CONTROL_POLICY` or `TAG_POLICY`.
    #[replace]
    #[aws("Type")]
    pub kind: P::Of<String>,
    /// Its name, unique in the organization; at most 128 characters.
    #[aws("Name")]
    pub name: P::Of<String>,
    /// What it is for, at most 512 characters.
    #[aws("Description")]
    pub description: P::Of<String>,
    /// The policy itself.
    #[aws("Content")]
    pub content: P::Of<Document>,
    /// What it applies to: ids of the root, of organizational units and of accounts. It is taken off all others.
    #[aws("TargetIds")]
    pub targets: P::Of<BTreeSet<String>>,
}

/// Outputs of a policy.
#[derive(Clone, Debug, Record)]
pub struct PolicyOutputs<P: Phase> {
    /// Its id, `p-…`.
    pub id: P::Of<String>,
    /// Its ARN.
    pub arn: P::Of<Arn>,
}

impl Reconcile for Policy {
    const KIND: &'static str = "organizations.policy";
    const DOC: &'static str = "What accounts of an organization may do, or how they tag.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::Organizations::Policy");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_organizations_policy", id: "{id}" }];
    const ACTIONS: &'static [&'static str] = &[
        "organizations:AttachPolicy",
        "organizations:CreatePolicy",
        "organizations:DeletePolicy",
        "organizations:DescribePolicy",
        "organizations:DetachPolicy",
        "organizations:ListPolicies",
        "organizations:ListTagsForResource",
        "organizations:ListTargetsForPolicy",
        "organizations:TagResource",
        "organizations:UntagResource",
        "organizations:UpdatePolicy",
    ];
    // Its name is taken.
    const ORDER: Order = Order::DeleteFirst;
    // The name is no id, and a second policy of that name is refused: an attempt that got through is found by its tag.
    const RECOVERY: Recovery = Recovery::Tag;
    type Cloud = Aws;
    type Spec<P: Phase> = PolicySpec<P>;
    type Outputs<P: Phase> = PolicyOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let ids = match which {
            Which::Ids(ids) => ids.to_vec(),
            Which::Owned(_) => all(cloud).await?,
        };
        let mut found = Vec::new();
        for id in ids {
            let Some(tags) = tags(cloud, &id).await? else { continue };
            if !which.covers(&id, &tags) {
                continue;
            }
            let answer = cloud.organizations.describe_policy().policy_id(id.as_str()).send().await.found()?;
            let Some(policy) = answer.and_then(|answer| answer.policy) else { continue };
            let Some(targets) = targets(cloud, &id).await? else { continue };
            found.extend(observe(&policy, targets, tags));
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &PolicySpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.organizations.create_policy().r#type(PolicyType::from(spec.kind.as_str()));
        let request = request.name(&spec.name).description(&spec.description).content(spec.content.to_string());
        // A name that is taken already would be taken for somebody else's.
        let once = aws_sdk_organizations::config::Config::builder().retry_classifier(Once);
        let request = request.set_tags(Some(to_tags(&creation.tags)));
        let answer = request.customize().config_override(once).send().await.sent()?;
        // Where it applies is left to `update`, which a crash right here cannot keep from being called.
        let id = answer.policy.and_then(|policy| policy.policy_summary).and_then(|summary| summary.id);
        id.map(Id::new).ok_or_else(|| CallError::malformed("organizations:CreatePolicy", "Id"))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (id, wanted) = (step.id, step.wanted);
        if step.changes(&["name", "description", "content"]) {
            let request = cloud.organizations.update_policy().policy_id(id.as_str()).name(&wanted.name);
            let request = request.description(&wanted.description).content(wanted.content.to_string());
            request.send().await.sent()?;
        }
        if step.changes(&["targets"]) {
            let seen = step.seen.targets.clone().unwrap_or_default();
            for target in wanted.targets.difference(&seen) {
                let request = cloud.organizations.attach_policy().policy_id(id.as_str()).target_id(target);
                match request.send().await.sent() {
                    Err(error) if error.class == bedplate_model::Class::AlreadyExists => {}
                    answer => drop(answer?),
                }
            }
            for target in seen.difference(&wanted.targets) {
                detach(cloud, id, target).await?;
            }
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        if !set.is_empty() {
            let request = cloud.organizations.tag_resource().resource_id(id.as_str());
            request.set_tags(Some(to_tags(set))).send().await.sent()?;
        }
        if !remove.is_empty() {
            let request = cloud.organizations.untag_resource().resource_id(id.as_str());
            request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
        }
        Ok(())
    }

    /// Takes it off everything first: one that is attached cannot be deleted.
    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        for target in targets(cloud, id).await?.unwrap_or_default() {
            detach(cloud, id, &target).await?;
        }
        cloud.organizations.delete_policy().policy_id(id.as_str()).send().await.sent().map(drop)
    }
}

async fn detach(cloud: &Aws, id: &Id, target: &str) -> Result<(), CallError> {
    let request = cloud.organizations.detach_policy().policy_id(id.as_str()).target_id(target);
    request.send().await.ensured()
}

/// All policies of the types there are settings for, apart from AWS's own.
async fn all(cloud: &Aws) -> Result<Vec<Id>, CallError> {
    let mut found = Vec::new();
    for kind in [PolicyType::ServiceControlPolicy, PolicyType::TagPolicy] {
        let mut pages = cloud.organizations.list_policies().filter(kind).into_paginator().send();
        while let Some(page) = pages.next().await {
            let Some(page) = page.found()? else { return Ok(found) };
            let own = page.policies.unwrap_or_default().into_iter().filter(|policy| !policy.aws_managed);
            found.extend(own.filter_map(|policy| policy.id).map(Id::new));
        }
    }
    Ok(found)
}

/// What a policy is attached to; `None` when there is no such policy.
async fn targets(cloud: &Aws, id: &Id) -> Result<Option<BTreeSet<String>>, CallError> {
    let mut found = BTreeSet::new();
    let request = cloud.organizations.list_targets_for_policy().policy_id(id.as_str());
    let mut pages = request.into_paginator().send();
    while let Some(page) = pages.next().await {
        let Some(page) = page.found()? else { return Ok(None) };
        found.extend(page.targets.unwrap_or_default().into_iter().filter_map(|target| target.target_id));
    }
    Ok(Some(found))
}

/// The tags of a policy; `None` when there is no such policy.
async fn tags(cloud: &Aws, id: &Id) -> Result<Option<Tags>, CallError> {
    let mut found = Tags::new();
    let request = cloud.organizations.list_tags_for_resource().resource_id(id.as_str());
    let mut pages = request.into_paginator().send();
    while let Some(page) = pages.next().await {
        let Some(page) = page.found()? else { return Ok(None) };
        let tags = page.tags.unwrap_or_default().into_iter().filter(|tag| !tag.key.starts_with("aws:"));
        found.extend(tags.map(|tag| (tag.key, tag.value)));
    }
    Ok(Some(found))
}

fn to_tags(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().expect("it has a key and a value");
    tags.iter().map(tag).collect()
}

fn observe(policy: &SdkPolicy, targets: BTreeSet<String>, tags: Tags) -> Option<Observation<Policy>> {
    let summary = policy.policy_summary()?;
    let id = summary.id()?;
    Some(Observation {
        id: Id::new(id),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: PolicySpec {
            kind: summary.r#type().map(ToString::to_string),
            name: summary.name().map(str::to_owned),
            description: Some(summary.description().unwrap_or_default().to_owned()),
            content: policy.content().and_then(|text| Document::parse(text).ok()),
            targets: Some(targets),
        },
        outputs: summary.arn().map(|arn| PolicyOutputs { id: id.to_owned(), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_organizations::types::PolicySummary;
    use serde_json::json;

    #[test]
    fn a_policy_is_read_as_aws_shows_it() {
        let summary = PolicySummary::builder()
            .id("p-1")
            .arn("arn:aws:organizations::797923187401:policy/o-1/service_control_policy/p-1")
            .name("deny-root")
            .r#type(PolicyType::ServiceControlPolicy);
        let content = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
        let policy = SdkPolicy::builder().policy_summary(summary.build()).content(content).build();
        let seen = observe(&policy, ["r-1".to_owned()].into(), Tags::new()).unwrap();
        assert_eq!(seen.id.as_str(), "p-1");
        let content = json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Deny", "Action": ["*"], "Resource": ["*"]}],
        });
        let expected = json!({
            "kind": "SERVICE_CONTROL_POLICY",
            "name": "deny-root",
            "description": "",
            "content": content,
            "targets": ["r-1"],
        });
        assert_eq!(seen.spec.to_json(), expected);
    }
}
