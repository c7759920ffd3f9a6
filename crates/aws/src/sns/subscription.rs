//! Someone who gets a topic's messages.

use crate::{Arn, Aws, error::Sent};
use aws_sdk_sns::types::Subscription as SdkSubscription;
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Ownership, Phase, Readiness, Reconcile, Record, Resolved, Step,
    Terraform, Which,
};
use std::collections::BTreeSet;

/// What stands in place of the ARN as long as nobody confirmed.
const PENDING: &str = "PendingConfirmation";

/// What stands there for a short time after the end.
const DELETED: &str = "Deleted";

/// Someone who gets a topic's messages. Its id is `topic|protocol|endpoint`: it has an ARN only once it is confirmed.
///
/// Whoever is subscribed by mail has to confirm it. Until then it is ready all the same: nothing waits for a person. SNS
/// cannot delete it then and drops it by itself after some days, or with the topic; so it is let go of.
#[derive(Debug)]
pub enum Subscription {}

/// Settings of a subscription.
#[derive(Clone, Debug, Record)]
pub struct SubscriptionSpec<P: Phase> {
    /// The topic.
    #[replace]
    #[aws("TopicArn")]
    pub topic: P::Of<Arn>,
    /// How messages are delivered: `email`, `https`, `sqs`, `lambda`, ..
    #[replace]
    pub protocol: P::Of<String>,
    /// Where they are delivered: an address, a URL or an ARN.
    #[replace]
    pub endpoint: P::Of<String>,
}

/// Outputs of a subscription.
#[derive(Clone, Debug, Record)]
pub struct SubscriptionOutputs<P: Phase> {
    /// Whether it was confirmed; until then no message is delivered.
    #[volatile]
    pub confirmed: P::Of<bool>,
}

impl Reconcile for Subscription {
    const KIND: &'static str = "sns.subscription";
    const DOC: &'static str = "Someone who gets a topic's messages.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::SNS::Subscription");
    const TERRAFORM: &'static [Terraform] =
        &[Terraform { kind: "aws_sns_topic_subscription", id: "{topic_arn}|{protocol}|{endpoint}" }];
    const ACTIONS: &'static [&'static str] = &["sns:ListSubscriptionsByTopic", "sns:Subscribe", "sns:Unsubscribe"];
    // It exists only on its topic.
    const OWNERSHIP: Ownership = Ownership::Parent;
    const TAGGED: bool = false;
    type Cloud = Aws;
    type Spec<P: Phase> = SubscriptionSpec<P>;
    type Outputs<P: Phase> = SubscriptionOutputs<P>;

    fn identity(spec: &SubscriptionSpec<Observed>) -> Option<Id> {
        Some(id(spec.topic.as_ref()?.as_str(), spec.protocol.as_ref()?, spec.endpoint.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let Which::Ids(ids) = which else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for topic in ids.iter().map(|id| id.split().0).collect::<BTreeSet<_>>() {
            let subscriptions = subscriptions(cloud, topic).await?;
            let seen = subscriptions.iter().filter_map(observe);
            found.extend(seen.filter(|seen| ids.contains(&seen.id) && !cloud.released.holds(&seen.id)));
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &SubscriptionSpec<Resolved>, _: &Creation) -> Result<Id, CallError> {
        let request = cloud.sns.subscribe().topic_arn(spec.topic.as_str()).protocol(&spec.protocol);
        request.endpoint(&spec.endpoint).send().await.sent()?;
        let id = id(spec.topic.as_str(), &spec.protocol, &spec.endpoint);
        cloud.released.claim(&id);
        Ok(id)
    }

    /// Never called: all that it is makes up its id.
    async fn update(_: &Aws, _: &Step<'_, Self>) -> Result<(), CallError> {
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let subscriptions = subscriptions(cloud, id.split().0).await?;
        let this = subscriptions.iter().find(|each| observe(each).is_some_and(|seen| seen.id == *id));
        match this.and_then(SdkSubscription::subscription_arn) {
            Some(PENDING) => cloud.released.release(id),
            Some(arn) => drop(cloud.sns.unsubscribe().subscription_arn(arn).send().await.sent()?),
            None => {}
        }
        Ok(())
    }
}

fn id(topic: &str, protocol: &str, endpoint: &str) -> Id {
    Id::child(topic, &format!("{protocol}|{endpoint}"))
}

async fn subscriptions(cloud: &Aws, topic: &str) -> Result<Vec<SdkSubscription>, CallError> {
    let mut found = Vec::new();
    let mut pages = cloud.sns.list_subscriptions_by_topic().topic_arn(topic).into_paginator().items().send();
    while let Some(subscription) = pages.next().await {
        // Without the topic there is none.
        let Some(subscription) = subscription.found()? else { break };
        found.push(subscription);
    }
    Ok(found)
}

fn observe(subscription: &SdkSubscription) -> Option<Observation<Subscription>> {
    let arn = subscription.subscription_arn().filter(|arn| *arn != DELETED)?;
    let (topic, protocol) = (subscription.topic_arn()?, subscription.protocol()?);
    let endpoint = subscription.endpoint()?;
    Some(Observation {
        id: id(topic, protocol, endpoint),
        tags: None,
        readiness: Readiness::Ready,
        spec: SubscriptionSpec {
            topic: Some(Arn::new(topic)),
            protocol: Some(protocol.to_owned()),
            endpoint: Some(endpoint.to_owned()),
        },
        outputs: Some(SubscriptionOutputs { confirmed: arn != PENDING }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(arn: &str) -> Option<Observation<Subscription>> {
        let sdk = SdkSubscription::builder().subscription_arn(arn).topic_arn("arn:aws:sns:us-east-1:1:t");
        observe(&sdk.protocol("email").endpoint("ops@example.com").build())
    }

    #[test]
    fn a_subscription_is_read_as_aws_shows_it() {
        let seen = subscription("arn:aws:sns:us-east-1:1:t:7f").unwrap();
        assert_eq!(seen.id.as_str(), "arn:aws:sns:us-east-1:1:t|email|ops@example.com");
        assert!(seen.outputs.unwrap().confirmed);
    }

    #[test]
    fn one_that_nobody_confirmed_is_ready() {
        let seen = subscription(PENDING).unwrap();
        assert_eq!(seen.readiness, Readiness::Ready);
        assert!(!seen.outputs.unwrap().confirmed);
        assert!(subscription(DELETED).is_none());
    }
}
