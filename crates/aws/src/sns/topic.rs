//! A topic that messages are published to.

use crate::{Arn, Aws, Policy, at_once::at_once, error::Sent};
use aws_sdk_sns::types::Tag;
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Order, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};
use std::collections::HashMap;

/// A topic that messages are published to. Its id is its ARN, which follows from account, region and name.
#[derive(Debug)]
pub enum Topic {}

/// Settings of a topic.
#[derive(Clone, Debug, Record)]
pub struct TopicSpec<P: Phase> {
    /// The account it belongs to, 12 digits.
    #[replace]
    #[aws(none)]
    pub account: P::Of<String>,
    /// The region it is in, that of the platform.
    #[replace]
    #[aws(none)]
    pub region: P::Of<String>,
    /// Its name, at most 256 letters, digits, `_` and `-`.
    #[replace]
    #[aws("TopicName")]
    pub name: P::Of<String>,
    /// The name that mails come from; empty for SNS's own.
    pub display_name: P::Of<String>,
    /// The key that messages are encrypted with; none stores them unencrypted. Services that publish must be allowed to
    /// use it.
    #[aws("KmsMasterKeyId")]
    pub kms_key: P::Of<Option<Arn>>,
    /// Who may publish to it and subscribe. Services that are not named here lose their messages in silence.
    #[aws(none)]
    pub policy: P::Of<Policy>,
}

/// Outputs of a topic.
#[derive(Clone, Debug, Record)]
pub struct TopicOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for Topic {
    const KIND: &'static str = "sns.topic";
    const DOC: &'static str = "A topic that messages are published to.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::SNS::Topic");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_sns_topic", id: "{arn}" }];
    const ACTIONS: &'static [&'static str] = &[
        "sns:CreateTopic",
        "sns:DeleteTopic",
        "sns:GetTopicAttributes",
        "sns:ListTagsForResource",
        "sns:ListTopics",
        "sns:SetTopicAttributes",
        "sns:TagResource",
        "sns:UntagResource",
        "tag:GetResources",
    ];
    // All that replaces it is in its ARN, so that old and new stand side by side.
    const ORDER: Order = Order::CreateFirst;
    type Cloud = Aws;
    type Spec<P: Phase> = TopicSpec<P>;
    type Outputs<P: Phase> = TopicOutputs<P>;

    fn identity(spec: &TopicSpec<Observed>) -> Option<Id> {
        Some(Id::new(format!(
            "arn:aws:sns:{}:{}:{}",
            spec.region.as_ref()?,
            spec.account.as_ref()?,
            spec.name.as_ref()?
        )))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut ids = Vec::new();
        match which {
            Which::Ids(asked) => ids.extend_from_slice(asked),
            // Topics cannot be listed by tag.
            Which::Owned(_) => {
                let mut pages = cloud.sns.list_topics().into_paginator().items().send();
                while let Some(topic) = pages.next().await {
                    ids.extend(topic.sent()?.topic_arn.map(Id::new));
                }
            }
        }
        let found = at_once(ids.iter().map(async |id| {
            let Some(tags) = tags(cloud, id).await?.filter(|tags| which.covers(id, tags)) else { return Ok(None) };
            let answer = cloud.sns.get_topic_attributes().topic_arn(id.as_str()).send().await.found()?;
            let attributes = answer.and_then(|answer| answer.attributes);
            Ok(attributes.map(|attributes| observe(id, &attributes, tags)))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn create(cloud: &Aws, spec: &TopicSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        // For a topic that exists SNS answers as for a new one, unless the tags differ; they name the owner.
        let request = cloud.sns.create_topic().name(&spec.name).set_tags(Some(to_tags(&creation.tags)));
        let answer = request.send().await.sent()?;
        answer.topic_arn.map(Id::new).ok_or_else(|| CallError::malformed("sns:CreateTopic", "TopicArn"))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let wanted = step.wanted;
        // The key first: nothing shall be published before it is encrypted. An empty value takes the key away.
        for (field, attribute, value) in [
            ("kms_key", "KmsMasterKeyId", wanted.kms_key.as_ref().map(Arn::to_string).unwrap_or_default()),
            ("policy", "Policy", wanted.policy.to_string()),
            ("display_name", "DisplayName", wanted.display_name.clone()),
        ] {
            if step.changes(&[field]) {
                let request = cloud.sns.set_topic_attributes().topic_arn(step.id.as_str());
                request.attribute_name(attribute).attribute_value(value).send().await.sent()?;
            }
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        if !set.is_empty() {
            let request = cloud.sns.tag_resource().resource_arn(id.as_str());
            request.set_tags(Some(to_tags(set))).send().await.sent()?;
        }
        if !remove.is_empty() {
            let request = cloud.sns.untag_resource().resource_arn(id.as_str());
            request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.sns.delete_topic().topic_arn(id.as_str()).send().await.sent().map(drop)
    }
}

async fn tags(cloud: &Aws, id: &Id) -> Result<Option<Tags>, CallError> {
    if let Some(tags) = cloud.indexed_tags(id.as_str()).await {
        return Ok(Some(tags));
    }
    let answer = cloud.sns.list_tags_for_resource().resource_arn(id.as_str()).send().await.found()?;
    let Some(answer) = answer else { return Ok(None) };
    let tags = answer.tags.unwrap_or_default().into_iter().filter(|tag| !tag.key.starts_with("aws:"));
    Ok(Some(tags.map(|tag| (tag.key, tag.value)).collect()))
}

fn to_tags(tags: &Tags) -> Vec<Tag> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().expect("it has a key and a value");
    tags.iter().map(tag).collect()
}

fn observe(id: &Id, attributes: &HashMap<String, String>, tags: Tags) -> Observation<Topic> {
    let mut parts = id.as_str().split(':').skip(3).map(str::to_owned);
    let (region, account, name) = (parts.next(), parts.next(), parts.next());
    // SNS leaves out what is not set, or says it is empty.
    let attribute = |name: &str| attributes.get(name).filter(|value| !value.is_empty());
    Observation {
        id: id.clone(),
        tags: Some(tags),
        readiness: Readiness::Ready,
        outputs: name.clone().map(|name| TopicOutputs { name, arn: Arn::new(id.as_str()) }),
        spec: TopicSpec {
            account,
            region,
            name,
            display_name: Some(attribute("DisplayName").cloned().unwrap_or_default()),
            kms_key: Some(attribute("KmsMasterKeyId").map(Arn::new)),
            policy: attribute("Policy").and_then(|policy| Policy::parse(policy).ok()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_topic_is_read_as_aws_shows_it() {
        let id = Id::new("arn:aws:sns:us-east-1:797923187401:alerts");
        let attributes = [
            ("KmsMasterKeyId", "arn:aws:kms:us-east-1:797923187401:key/k"),
            ("DisplayName", ""),
            ("Policy", r#"{"Version": "2012-10-17", "Statement": []}"#),
        ];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let seen = observe(&id, &attributes, Tags::new());
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "account": "797923187401", "region": "us-east-1", "name": "alerts", "display_name": "",
                "kms_key": "arn:aws:kms:us-east-1:797923187401:key/k",
                "policy": {"Version": "2012-10-17", "Statement": []},
            })
        );
        assert_eq!(seen.outputs.unwrap().name, "alerts");
    }
}
