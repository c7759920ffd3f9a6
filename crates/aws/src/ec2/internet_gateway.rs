//! The VPC's door to the internet, with its attachment folded in.

use super::{filters, once, retag, route_table, tag_specification, tags};
use crate::{Aws, InternetGatewayId, VpcId, error::Sent};
use aws_sdk_ec2::types::{AttachmentStatus, Filter, InternetGateway as SdkInternetGateway, ResourceType};
use bedplate_model::{
    CallError, Change, Class, Creation, Id, Observation, Observed, Pace, Phase, Readiness, Reconcile, Record, Recovery,
    Resolved, Step, Tags, Terraform, Verdict, Which,
};
use std::future::ready;

/// An internet gateway, attached to a VPC.
#[derive(Debug)]
pub enum InternetGateway {}

/// Settings of an internet gateway.
#[derive(Clone, Debug, Record)]
pub struct InternetGatewaySpec<P: Phase> {
    /// The VPC it is attached to; none leaves it detached.
    #[aws(none)]
    pub vpc: P::Of<Option<VpcId>>,
}

/// Outputs of an internet gateway.
#[derive(Clone, Debug, Record)]
pub struct InternetGatewayOutputs<P: Phase> {
    /// Its id.
    pub id: P::Of<InternetGatewayId>,
}

impl Reconcile for InternetGateway {
    const KIND: &'static str = "ec2.internet_gateway";
    const DOC: &'static str = "An internet gateway, attached to a VPC.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EC2::InternetGateway");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_internet_gateway", id: "{id}" }];
    const ACTIONS: &'static [&'static str] = &[
        "ec2:CreateInternetGateway",
        "ec2:DeleteInternetGateway",
        "ec2:DescribeInternetGateways",
        "ec2:AttachInternetGateway",
        "ec2:DetachInternetGateway",
        "ec2:CreateTags",
        "ec2:DeleteTags",
        "tag:GetResources",
    ];
    // It cannot be detached while public addresses are mapped through it, a load balancer's among them.
    const PACE: Pace = Pace::HELD;
    const RECOVERY: Recovery = Recovery::Tag;
    type Cloud = Aws;
    type Spec<P: Phase> = InternetGatewaySpec<P>;
    type Outputs<P: Phase> = InternetGatewayOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        // A route to one that is gone or not attached to the route's VPC is a black hole (EC2: Route, `state`).
        let tables = if cloud.may_confirm(which) { route_table::recorded(cloud).await } else { Vec::new() };
        let (mut found, rest) = cloud
            .confirmed(which, |mut seen: Observation<Self>| {
                let table = tables.iter().find(|table| route_table::leads_to(table, seen.id.as_str()));
                let vpc = table.and_then(|table| table.vpc_id()).map(VpcId::new);
                ready(Ok(vpc.map(|vpc| {
                    seen.spec.vpc = Some(Some(vpc));
                    seen
                })))
            })
            .await?;
        for filter in filters(rest.which(), "internet-gateway-id") {
            found.extend(describe(cloud, filter).await?.iter().filter_map(observe));
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, _: &InternetGatewaySpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let tags = tag_specification(ResourceType::InternetGateway, &creation.tags);
        let request = cloud.ec2.create_internet_gateway().tag_specifications(tags);
        let answer = request.customize().config_override(once()).send().await.sent()?;
        let id = answer.internet_gateway.and_then(|gateway| gateway.internet_gateway_id);
        id.map(Id::new).ok_or_else(|| CallError::malformed("ec2:CreateInternetGateway", "InternetGatewayId"))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        if !step.changes(&["vpc"]) {
            return Ok(());
        }
        if let Some(Some(vpc)) = &step.seen.vpc {
            detach(cloud, step.id, vpc.as_str()).await?;
        }
        let Some(vpc) = &step.wanted.vpc else { return Ok(()) };
        let request = cloud.ec2.attach_internet_gateway().internet_gateway_id(step.id.as_str());
        match request.vpc_id(vpc.as_str()).send().await.sent() {
            // Reads lag: it was attached before, and the next look shows to which VPC.
            Err(error) if error.class == Class::AlreadyExists => Ok(()),
            answer => answer.map(drop),
        }
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, id, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let filter = Filter::builder().name("internet-gateway-id").values(id.as_str()).build();
        for gateway in describe(cloud, filter).await? {
            for vpc in gateway.attachments().iter().filter_map(|attachment| attachment.vpc_id()) {
                detach(cloud, id, vpc).await?;
            }
        }
        cloud.ec2.delete_internet_gateway().internet_gateway_id(id.as_str()).send().await.sent().map(drop)
    }

    fn judge(
        _: &str,
        before: &InternetGatewaySpec<Observed>,
        after: &InternetGatewaySpec<Observed>,
    ) -> Option<Verdict> {
        let attached = matches!(before.vpc, Some(Some(_)));
        (attached && after.vpc != Some(None) && after.vpc != before.vpc).then(|| Verdict {
            change: Change::Replace,
            reason: "a gateway cannot leave a VPC that still uses public addresses".to_owned(),
        })
    }
}

async fn describe(cloud: &Aws, filter: Filter) -> Result<Vec<SdkInternetGateway>, CallError> {
    let mut found = Vec::new();
    let mut pages = cloud.ec2.describe_internet_gateways().filters(filter).into_paginator().items().send();
    while let Some(gateway) = pages.next().await {
        found.push(gateway.sent()?);
    }
    Ok(found)
}

async fn detach(cloud: &Aws, id: &Id, vpc: &str) -> Result<(), CallError> {
    let request = cloud.ec2.detach_internet_gateway().internet_gateway_id(id.as_str()).vpc_id(vpc);
    request.send().await.ensured()
}

fn observe(gateway: &SdkInternetGateway) -> Option<Observation<InternetGateway>> {
    let id = gateway.internet_gateway_id()?;
    // A gateway has one attachment at most.
    let attachment = gateway.attachments().iter().find(|found| found.state() != Some(&AttachmentStatus::Detached));
    Some(Observation {
        id: Id::new(id),
        tags: Some(tags(gateway.tags())),
        readiness: match attachment.and_then(|attachment| attachment.state()) {
            Some(state @ (AttachmentStatus::Attaching | AttachmentStatus::Detaching)) => {
                Readiness::Busy(state.to_string())
            }
            _ => Readiness::Ready,
        },
        spec: InternetGatewaySpec { vpc: Some(attachment.and_then(|found| found.vpc_id()).map(VpcId::new)) },
        outputs: Some(InternetGatewayOutputs { id: InternetGatewayId::new(id) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::InternetGatewayAttachment;

    fn spec(vpc: Option<&str>) -> InternetGatewaySpec<Observed> {
        InternetGatewaySpec { vpc: Some(vpc.map(VpcId::new)) }
    }

    #[test]
    fn a_gateway_is_read_as_aws_shows_it() {
        let detached = SdkInternetGateway::builder().internet_gateway_id("igw-1");
        // AWS says `available` for attached, which its own model does not list.
        let attachment = InternetGatewayAttachment::builder().vpc_id("vpc-1").state("available".into()).build();
        let attached = detached.clone().attachments(attachment).build();
        assert_eq!(observe(&detached.build()).unwrap().spec.to_json(), serde_json::json!({"vpc": null}));
        let seen = observe(&attached).unwrap();
        assert_eq!(seen.readiness, Readiness::Ready);
        assert_eq!(seen.spec.to_json(), serde_json::json!({"vpc": "vpc-1"}));
    }

    #[test]
    fn another_vpc_gets_another_gateway() {
        let judge = |before, after| InternetGateway::judge("vpc", &before, &after).map(|verdict| verdict.change);
        assert_eq!(judge(spec(None), spec(Some("vpc-1"))), None);
        assert_eq!(judge(spec(Some("vpc-1")), spec(None)), None);
        assert_eq!(judge(spec(Some("vpc-1")), spec(Some("vpc-2"))), Some(Change::Replace));
        assert_eq!(judge(spec(Some("vpc-1")), InternetGatewaySpec { vpc: None }), Some(Change::Replace));
    }
}
