//! What looks for unusual costs.

use super::{once, retag, tags, to_tags};
use crate::{Arn, Aws, error::Sent};
use aws_sdk_costexplorer::types::{AnomalyMonitor as SdkMonitor, MonitorDimension, MonitorType};
use bedplate_model::{
    CallError, Creation, Id, Observation, Order, Owner, Phase, Readiness, Reconcile, Record, Recovery, Resolved, Step,
    Tags, Terraform, Which,
};

/// The first part of the id of a monitor that is somebody else's.
const BORROWED: &str = "borrowed";

/// What looks for unusual costs, in each value of a dimension.
///
/// AWS allows one per dimension and account, and makes one for services by itself. Where there is one that is not ours,
/// `create` borrows it: its id is then `borrowed|ARN` instead of the ARN, so that every later call, in any process, knows
/// without asking. A borrowed monitor is never changed, tagged or deleted: it shows no name and no tags, and removing it
/// means to let go of it. When its owner deletes it, it reads as gone, and the next run makes one of our own.
#[derive(Debug)]
pub enum AnomalyMonitor {}

/// Settings of an anomaly monitor.
#[derive(Clone, Debug, Record)]
pub struct AnomalyMonitorSpec<P: Phase> {
    /// Its name, at most 1024 characters. A borrowed one keeps its own.
    #[aws("MonitorName")]
    pub name: P::Of<String>,
    /// What it divides the costs by: `SERVICE` or `LINKED_ACCOUNT`.
    #[replace]
    #[aws("MonitorDimension")]
    pub dimension: P::Of<String>,
}

/// Outputs of an anomaly monitor.
#[derive(Clone, Debug, Record)]
pub struct AnomalyMonitorOutputs<P: Phase> {
    /// Its ARN.
    pub arn: P::Of<Arn>,
    /// Whether it is somebody else's, and stays when the platform goes.
    pub borrowed: P::Of<bool>,
}

impl Reconcile for AnomalyMonitor {
    const KIND: &'static str = "ce.anomaly_monitor";
    const DOC: &'static str = "What looks for unusual costs, in each value of a dimension.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::CE::AnomalyMonitor");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_ce_anomaly_monitor", id: "{arn}" }];
    const ACTIONS: &'static [&'static str] = &[
        "ce:CreateAnomalyMonitor",
        "ce:DeleteAnomalyMonitor",
        "ce:GetAnomalyMonitors",
        "ce:ListTagsForResource",
        "ce:TagResource",
        "ce:UntagResource",
        "ce:UpdateAnomalyMonitor",
        "tag:GetResources",
    ];
    // Only the dimension replaces it, and there is one for each.
    const ORDER: Order = Order::CreateFirst;
    const RECOVERY: Recovery = Recovery::Tag;
    type Cloud = Aws;
    type Spec<P: Phase> = AnomalyMonitorSpec<P>;
    type Outputs<P: Phase> = AnomalyMonitorOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut found = Vec::new();
        for monitor in monitors(cloud).await? {
            let Some(arn) = monitor.monitor_arn() else { continue };
            let borrowed = Id::child(BORROWED, arn);
            if matches!(which, Which::Ids(ids) if ids.contains(&borrowed)) && !cloud.released.holds(&borrowed) {
                found.extend(observe(&monitor, None));
            }
            if matches!(which, Which::Ids(ids) if !ids.contains(&Id::new(arn))) {
                continue;
            }
            let tags = tags(cloud, arn).await?;
            found.extend(
                observe(&monitor, tags)
                    .filter(|seen| seen.tags.as_ref().is_some_and(|tags| which.covers(&seen.id, tags))),
            );
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &AnomalyMonitorSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let dimension = MonitorDimension::from(spec.dimension.as_str());
        let monitors = monitors(cloud).await?;
        let mut same = monitors.iter().filter(|monitor| monitor.monitor_dimension() == Some(&dimension));
        if let Some(arn) = same.find_map(SdkMonitor::monitor_arn) {
            let tags = tags(cloud, arn).await?.unwrap_or_default();
            if Owner::from_tags(&tags).as_ref() == Some(&creation.owner) {
                return Ok(Id::new(arn));
            }
            let id = Id::child(BORROWED, arn);
            cloud.released.claim(&id);
            return Ok(id);
        }
        let monitor = SdkMonitor::builder().monitor_name(&spec.name).monitor_type(MonitorType::Dimensional);
        let monitor = monitor.monitor_dimension(dimension).build().expect("it has a name and a type");
        let request = cloud.cost_explorer.create_anomaly_monitor().anomaly_monitor(monitor);
        let request = request.set_resource_tags(Some(to_tags(&creation.tags)));
        let answer = request.customize().config_override(once()).send().await.sent()?;
        Ok(Id::new(answer.monitor_arn))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        if is_borrowed(step.id) {
            return Ok(());
        }
        let request = cloud.cost_explorer.update_anomaly_monitor().monitor_arn(step.id.as_str());
        request.monitor_name(&step.wanted.name).send().await.sent().map(drop)
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        if is_borrowed(id) {
            return Ok(());
        }
        retag(cloud, id.as_str(), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        if is_borrowed(id) {
            cloud.released.release(id);
            return Ok(());
        }
        cloud.cost_explorer.delete_anomaly_monitor().monitor_arn(id.as_str()).send().await.sent().map(drop)
    }
}

fn is_borrowed(id: &Id) -> bool {
    id.split().0 == BORROWED
}

/// All monitors of the account. Asked for by ARN, one that is missing would fail the call for all.
async fn monitors(cloud: &Aws) -> Result<Vec<SdkMonitor>, CallError> {
    let mut found = Vec::new();
    let mut pages = cloud.cost_explorer.get_anomaly_monitors().into_paginator().send();
    while let Some(page) = pages.next().await {
        found.extend(page.sent()?.anomaly_monitors);
    }
    Ok(found)
}

/// Without tags, as one that is borrowed.
fn observe(monitor: &SdkMonitor, tags: Option<Tags>) -> Option<Observation<AnomalyMonitor>> {
    let arn = monitor.monitor_arn()?;
    let borrowed = tags.is_none();
    Some(Observation {
        id: if borrowed { Id::child(BORROWED, arn) } else { Id::new(arn) },
        readiness: Readiness::Ready,
        spec: AnomalyMonitorSpec {
            name: (!borrowed).then(|| monitor.monitor_name().to_owned()),
            dimension: monitor.monitor_dimension().map(ToString::to_string),
        },
        outputs: Some(AnomalyMonitorOutputs { arn: Arn::new(arn), borrowed }),
        tags,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn monitor() -> SdkMonitor {
        let sdk = SdkMonitor::builder().monitor_arn("arn:monitor").monitor_name("theirs");
        let sdk = sdk.monitor_type(MonitorType::Dimensional).monitor_dimension(MonitorDimension::LinkedAccount);
        sdk.build().unwrap()
    }

    #[test]
    fn a_monitor_is_read_as_aws_shows_it() {
        let seen = observe(&monitor(), Some(Tags::new())).unwrap();
        assert_eq!(seen.id.as_str(), "arn:monitor");
        assert_eq!(seen.spec.to_json(), json!({"name": "theirs", "dimension": "LINKED_ACCOUNT"}));
        assert!(!seen.outputs.unwrap().borrowed);
    }

    #[test]
    fn a_borrowed_monitor_shows_nothing_that_could_be_changed() {
        let seen = observe(&monitor(), None).unwrap();
        assert!(is_borrowed(&seen.id));
        assert_eq!(seen.spec.to_json(), json!({"dimension": "LINKED_ACCOUNT"}));
        assert_eq!(seen.tags, None);
        let outputs = seen.outputs.unwrap();
        assert_eq!((outputs.arn.as_str(), outputs.borrowed), ("arn:monitor", true));
    }
}
