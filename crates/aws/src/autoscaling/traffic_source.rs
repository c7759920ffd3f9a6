//! A target group that the instances of an Auto Scaling group are registered with.

use crate::{Arn, Aws, error::Sent};
use aws_sdk_autoscaling::types::TrafficSourceIdentifier;
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Ownership, Pace, Phase, Readiness, Reconcile, Record, Resolved,
    Step, Which,
};
use std::collections::{BTreeMap, BTreeSet};

/// A target group that the instances of an Auto Scaling group are registered with, those to come included.
///
/// AWS has two sets of calls for it. `AttachLoadBalancerTargetGroups` "is superseded by `AttachTrafficSources`" (EC2 Auto
/// Scaling API Reference), whose states also tell when the instances of a removed one have finished their requests.
#[derive(Debug)]
pub enum TrafficSource {}

/// Settings of a traffic source.
#[derive(Clone, Debug, Record)]
pub struct TrafficSourceSpec<P: Phase> {
    /// The name of the Auto Scaling group.
    #[replace]
    pub group: P::Of<String>,
    /// The target group.
    #[replace]
    pub target_group: P::Of<Arn>,
}

/// Outputs of a traffic source: none.
#[derive(Clone, Debug, Record)]
pub struct TrafficSourceOutputs<P: Phase> {
    /// The name of the Auto Scaling group.
    pub group: P::Of<String>,
}

/// How Auto Scaling calls target groups among other sources.
const TYPE: &str = "elbv2";

impl Reconcile for TrafficSource {
    const KIND: &'static str = "autoscaling.traffic_source";
    const DOC: &'static str = "A target group that the instances of an Auto Scaling group are registered with.";
    // In CloudFormation it is a property of the group, which here belongs to EKS.
    const CLOUDFORMATION: Option<&'static str> = None;
    const ACTIONS: &'static [&'static str] = &[
        "autoscaling:AttachTrafficSources",
        "autoscaling:DescribeTrafficSources",
        "autoscaling:DetachTrafficSources",
        // Both calls look at the target group with the caller's rights.
        "elasticloadbalancing:DescribeTargetGroups",
    ];
    const OWNERSHIP: Ownership = Ownership::Parent;
    const TAGGED: bool = false;
    // Instances that are taken out may finish their requests: as long as the target group lets them, an hour at most.
    const PACE: Pace = Pace::seconds(15, 5, 4500);
    type Cloud = Aws;
    type Spec<P: Phase> = TrafficSourceSpec<P>;
    type Outputs<P: Phase> = TrafficSourceOutputs<P>;

    fn identity(spec: &TrafficSourceSpec<Observed>) -> Option<Id> {
        Some(Id::child(spec.group.as_ref()?, spec.target_group.as_ref()?.as_str()))
    }

    /// It carries no tag of ours: nothing is owned.
    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let Which::Ids(ids) = which else { return Ok(Vec::new()) };
        let mut asked: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (group, target_group) in ids.iter().map(Id::split) {
            asked.entry(group).or_default().insert(target_group);
        }
        let mut found = Vec::new();
        for (group, target_groups) in asked {
            let request = cloud.autoscaling.describe_traffic_sources().auto_scaling_group_name(group);
            let mut pages = request.traffic_source_type(TYPE).into_paginator().send();
            while let Some(page) = pages.next().await {
                // No group, no sources.
                let Some(page) = page.found()? else { break };
                found.extend(page.traffic_sources().iter().filter_map(|source| {
                    let target_group = source.identifier().filter(|identifier| target_groups.contains(identifier))?;
                    Some(observe(group, target_group, source.state()))
                }));
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &TrafficSourceSpec<Resolved>, _: &Creation) -> Result<Id, CallError> {
        let request = cloud.autoscaling.attach_traffic_sources().auto_scaling_group_name(&spec.group);
        request.traffic_sources(source(spec.target_group.as_str())).send().await.sent()?;
        Ok(Id::child(&spec.group, spec.target_group.as_str()))
    }

    /// Nothing of it can be changed.
    async fn update(_: &Aws, _: &Step<'_, Self>) -> Result<(), CallError> {
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let (group, target_group) = id.split();
        let request = cloud.autoscaling.detach_traffic_sources().auto_scaling_group_name(group);
        request.traffic_sources(source(target_group)).send().await.sent().map(drop)
    }
}

fn source(target_group: &str) -> TrafficSourceIdentifier {
    TrafficSourceIdentifier::builder().identifier(target_group).r#type(TYPE).build()
}

fn observe(group: &str, target_group: &str, state: Option<&str>) -> Observation<TrafficSource> {
    Observation {
        id: Id::child(group, target_group),
        tags: None,
        readiness: match state {
            // In service is one whose instances are healthy, which they are only when the application runs on them.
            Some("Added" | "InService") | None => Readiness::Ready,
            Some("Removed") => Readiness::Gone,
            Some(state) => Readiness::Busy(state.to_owned()),
        },
        spec: TrafficSourceSpec { group: Some(group.to_owned()), target_group: Some(Arn::new(target_group)) },
        outputs: Some(TrafficSourceOutputs { group: group.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_source_is_read_as_aws_shows_it() {
        let seen = observe("eks-ng", "arn:tg", Some("InService"));
        assert_eq!(seen.id.as_str(), "eks-ng|arn:tg");
        assert_eq!(seen.spec.to_json(), json!({"group": "eks-ng", "target_group": "arn:tg"}));
        for (state, readiness) in [
            ("Adding", Readiness::Busy("Adding".to_owned())),
            ("Added", Readiness::Ready),
            ("Removing", Readiness::Busy("Removing".to_owned())),
            ("Removed", Readiness::Gone),
        ] {
            assert_eq!(observe("eks-ng", "arn:tg", Some(state)).readiness, readiness);
        }
    }
}
