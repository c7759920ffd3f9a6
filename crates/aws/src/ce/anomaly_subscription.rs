//! Who is told of unusual costs.

use super::{once, retag, tags, to_tags};
use crate::{Arn, Aws, error::Sent};
use aws_sdk_costexplorer::types::{
    AnomalySubscription as SdkSubscription, AnomalySubscriptionFrequency, Dimension, DimensionValues, Expression,
    MatchOption, Subscriber, SubscriberType,
};
use bedplate_model::{
    CallError, Creation, Id, Observation, Order, Phase, Readiness, Reconcile, Record, Recovery, Resolved, Step, Tags,
    Terraform, Which,
};
use std::collections::BTreeSet;

/// Who is told of unusual costs. Its id is its ARN.
#[derive(Debug)]
pub enum AnomalySubscription {}

/// Settings of an anomaly subscription.
#[derive(Clone, Debug, Record)]
pub struct AnomalySubscriptionSpec<P: Phase> {
    /// Its name.
    #[aws("SubscriptionName")]
    pub name: P::Of<String>,
    /// How often it tells: `IMMEDIATE` (only to topics), or `DAILY` or `WEEKLY` (only by mail).
    pub frequency: P::Of<String>,
    /// From how much more than expected it tells, in US dollars over all the time that it lasts; 0 or more.
    #[aws("ThresholdExpression")]
    pub minimum_impact: P::Of<f64>,
    /// The monitors whose findings it tells.
    #[aws("MonitorArnList")]
    pub monitors: P::Of<BTreeSet<Arn>>,
    /// The SNS topics it tells; at most one, and `costalerts.amazonaws.com` must be allowed to publish to it.
    #[aws("Subscribers")]
    pub topics: P::Of<BTreeSet<Arn>>,
    /// The addresses it mails to, at most 10.
    #[aws("Subscribers")]
    pub emails: P::Of<BTreeSet<String>>,
}

/// Outputs of an anomaly subscription.
#[derive(Clone, Debug, Record)]
pub struct AnomalySubscriptionOutputs<P: Phase> {
    /// Its ARN.
    pub arn: P::Of<Arn>,
}

impl Reconcile for AnomalySubscription {
    const KIND: &'static str = "ce.anomaly_subscription";
    const DOC: &'static str = "Who is told of unusual costs.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::CE::AnomalySubscription");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_ce_anomaly_subscription", id: "{arn}" }];
    const ACTIONS: &'static [&'static str] = &[
        "ce:CreateAnomalySubscription",
        "ce:DeleteAnomalySubscription",
        "ce:GetAnomalySubscriptions",
        "ce:ListTagsForResource",
        "ce:TagResource",
        "ce:UntagResource",
        "ce:UpdateAnomalySubscription",
        "tag:GetResources",
    ];
    const ORDER: Order = Order::CreateFirst;
    // Names need not be unique, and there is no client token.
    const RECOVERY: Recovery = Recovery::Tag;
    type Cloud = Aws;
    type Spec<P: Phase> = AnomalySubscriptionSpec<P>;
    type Outputs<P: Phase> = AnomalySubscriptionOutputs<P>;

    /// Lists them all: asked for by ARN, one that is missing would fail the call for all.
    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut found = Vec::new();
        let mut pages = cloud.cost_explorer.get_anomaly_subscriptions().into_paginator().send();
        while let Some(page) = pages.next().await {
            for subscription in page.sent()?.anomaly_subscriptions {
                let Some(arn) = subscription.subscription_arn() else { continue };
                if matches!(which, Which::Ids(ids) if !ids.contains(&Id::new(arn))) {
                    continue;
                }
                let Some(tags) = tags(cloud, arn).await? else { continue };
                if which.covers(&Id::new(arn), &tags) {
                    found.extend(observe(&subscription, tags));
                }
            }
        }
        Ok(found)
    }

    async fn create(
        cloud: &Aws,
        spec: &AnomalySubscriptionSpec<Resolved>,
        creation: &Creation,
    ) -> Result<Id, CallError> {
        let request = cloud.cost_explorer.create_anomaly_subscription().anomaly_subscription(to_subscription(spec));
        let request = request.set_resource_tags(Some(to_tags(&creation.tags)));
        let answer = request.customize().config_override(once()).send().await.sent()?;
        Ok(Id::new(answer.subscription_arn))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let wanted = to_subscription(step.wanted);
        // All at once: which subscribers it may have depends on the frequency.
        let request = cloud.cost_explorer.update_anomaly_subscription().subscription_arn(step.id.as_str());
        let request = request
            .subscription_name(wanted.subscription_name)
            .frequency(wanted.frequency)
            .set_threshold_expression(wanted.threshold_expression)
            .set_monitor_arn_list(Some(wanted.monitor_arn_list))
            .set_subscribers(Some(wanted.subscribers));
        request.send().await.sent().map(drop)
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, id.as_str(), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let request = cloud.cost_explorer.delete_anomaly_subscription().subscription_arn(id.as_str());
        request.send().await.sent().map(drop)
    }
}

fn to_subscription(spec: &AnomalySubscriptionSpec<Resolved>) -> SdkSubscription {
    let threshold = DimensionValues::builder()
        .key(Dimension::AnomalyTotalImpactAbsolute)
        .match_options(MatchOption::GreaterThanOrEqual)
        .values(spec.minimum_impact.to_string())
        .build();
    let topics = spec.topics.iter().map(|topic| (SubscriberType::Sns, topic.as_str()));
    let emails = spec.emails.iter().map(|email| (SubscriberType::Email, email.as_str()));
    let subscriber = |(kind, address)| Subscriber::builder().r#type(kind).address(address).build();
    let built = SdkSubscription::builder()
        .subscription_name(&spec.name)
        .frequency(AnomalySubscriptionFrequency::from(spec.frequency.as_str()))
        .threshold_expression(Expression::builder().dimensions(threshold).build())
        .set_monitor_arn_list(Some(spec.monitors.iter().map(Arn::to_string).collect()))
        .set_subscribers(Some(topics.chain(emails).map(subscriber).collect()));
    built.build().expect("it has a name, a frequency, monitors and subscribers")
}

/// The threshold in dollars. Another kind of threshold reads as -1, which no setting is: so it is set again.
fn minimum_impact(threshold: Option<&Expression>) -> f64 {
    let dimension = threshold.and_then(|threshold| threshold.dimensions());
    let absolute = dimension.filter(|values| values.key() == Some(&Dimension::AnomalyTotalImpactAbsolute));
    let value = absolute.and_then(|values| values.values().first()?.parse().ok());
    value.unwrap_or(-1.0)
}

fn observe(subscription: &SdkSubscription, tags: Tags) -> Option<Observation<AnomalySubscription>> {
    let arn = subscription.subscription_arn()?;
    let addresses = |kind: &SubscriberType| {
        let those = subscription.subscribers().iter().filter(move |subscriber| subscriber.r#type() == Some(kind));
        those.filter_map(|subscriber| subscriber.address().map(str::to_owned)).collect::<Vec<_>>()
    };
    Some(Observation {
        id: Id::new(arn),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: AnomalySubscriptionSpec {
            name: Some(subscription.subscription_name().to_owned()),
            frequency: Some(subscription.frequency().to_string()),
            minimum_impact: Some(minimum_impact(subscription.threshold_expression())),
            monitors: Some(subscription.monitor_arn_list().iter().map(Arn::new).collect()),
            topics: Some(addresses(&SubscriberType::Sns).into_iter().map(Arn::new).collect()),
            emails: Some(addresses(&SubscriberType::Email).into_iter().collect()),
        },
        outputs: Some(AnomalySubscriptionOutputs { arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> AnomalySubscriptionSpec<Resolved> {
        AnomalySubscriptionSpec {
            name: "anomalies".to_owned(),
            frequency: "IMMEDIATE".to_owned(),
            minimum_impact: 20.0,
            monitors: [Arn::new("arn:monitor")].into(),
            topics: [Arn::new("arn:topic")].into(),
            emails: BTreeSet::new(),
        }
    }

    #[test]
    fn a_subscription_is_read_as_it_was_sent() {
        let mut sdk = to_subscription(&wanted());
        sdk.subscription_arn = Some("arn:subscription".to_owned());
        let seen = observe(&sdk, Tags::new()).unwrap();
        assert_eq!(seen.spec.to_json(), wanted().to_json());
        assert_eq!(seen.outputs.unwrap().arn.as_str(), "arn:subscription");
    }

    #[test]
    fn another_kind_of_threshold_is_a_difference() {
        let mut sdk = to_subscription(&wanted());
        let threshold = sdk.threshold_expression.take();
        let nested = Expression::builder().set_and(threshold.map(|threshold| vec![threshold])).build();
        assert_eq!(minimum_impact(Some(&nested)), -1.0);
        assert_eq!(minimum_impact(None), -1.0);
    }
}
