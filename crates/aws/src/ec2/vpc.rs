//! A virtual private cloud.

use super::{filters, holders, once, retag, tag_specification, tags};
use crate::{Aws, VpcId, error::Sent};
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, Vpc as SdkVpc, VpcAttributeName, VpcState};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Order, Outsider, Phase, Readiness, Reconcile, Record, Recovery,
    Resolved, Step, Tags, Terraform, Which,
};
use ipnet::Ipv4Net;

/// A virtual private cloud.
#[derive(Debug)]
pub enum Vpc {}

/// Settings of a VPC.
#[derive(Clone, Debug, Record)]
pub struct VpcSpec<P: Phase> {
    /// Its address range.
    #[replace]
    #[aws("CidrBlock")]
    pub cidr: P::Of<Ipv4Net>,
    /// Whether instances get DNS answers from the VPC's resolver.
    #[aws("EnableDnsSupport")]
    pub dns_support: P::Of<bool>,
    /// Whether instances with public addresses get public DNS names; private DNS of endpoints needs it.
    #[aws("EnableDnsHostnames")]
    pub dns_hostnames: P::Of<bool>,
}

/// Outputs of a VPC.
#[derive(Clone, Debug, Record)]
pub struct VpcOutputs<P: Phase> {
    /// Its id.
    pub id: P::Of<VpcId>,
}

impl Reconcile for Vpc {
    const KIND: &'static str = "ec2.vpc";
    const DOC: &'static str = "A virtual private cloud.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EC2::VPC");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_vpc", id: "{id}" }];
    const ACTIONS: &'static [&'static str] = &[
        "ec2:CreateVpc",
        "ec2:DeleteVpc",
        "ec2:DescribeVpcs",
        "ec2:DescribeVpcAttribute",
        "ec2:ModifyVpcAttribute",
        "ec2:CreateTags",
        "ec2:DeleteTags",
        "tag:GetResources",
        // To name what keeps it from being deleted.
        "ec2:DescribeInternetGateways",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcEndpoints",
    ];
    const ORDER: Order = Order::CreateFirst;
    const RECOVERY: Recovery = Recovery::Tag;
    type Cloud = Aws;
    type Spec<P: Phase> = VpcSpec<P>;
    type Outputs<P: Phase> = VpcOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        // The range of one never changes, and its attributes, which are asked for anyway, show that it exists.
        let (mut found, rest) = cloud
            .confirmed(which, |mut seen: Observation<Self>| async move {
                let (support, hostnames) = attributes(cloud, Some(seen.id.as_str())).await?;
                (seen.spec.dns_support, seen.spec.dns_hostnames) = (support, hostnames);
                Ok((support.is_some() && hostnames.is_some()).then_some(seen))
            })
            .await?;
        for filter in filters(rest.which(), "vpc-id") {
            let mut pages = cloud.ec2.describe_vpcs().filters(filter).into_paginator().items().send();
            while let Some(vpc) = pages.next().await {
                let vpc = vpc.sent()?;
                let (support, hostnames) = attributes(cloud, vpc.vpc_id()).await?;
                found.extend(observe(&vpc, support, hostnames));
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &VpcSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.ec2.create_vpc().cidr_block(spec.cidr.to_string());
        let request = request.tag_specifications(tag_specification(ResourceType::Vpc, &creation.tags));
        let answer = request.customize().config_override(once()).send().await.sent()?;
        let id = answer.vpc.and_then(|vpc| vpc.vpc_id);
        id.map(Id::new).ok_or_else(|| CallError::malformed("ec2:CreateVpc", "VpcId"))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let flag = |value| AttributeBooleanValue::builder().value(value).build();
        // AWS takes one attribute per call.
        if step.changes(&["dns_support"]) {
            let request = cloud.ec2.modify_vpc_attribute().vpc_id(step.id.as_str());
            request.enable_dns_support(flag(step.wanted.dns_support)).send().await.sent()?;
        }
        if step.changes(&["dns_hostnames"]) {
            let request = cloud.ec2.modify_vpc_attribute().vpc_id(step.id.as_str());
            request.enable_dns_hostnames(flag(step.wanted.dns_hostnames)).send().await.sent()?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, id, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.ec2.delete_vpc().vpc_id(id.as_str()).send().await.sent().map(drop)
    }

    async fn holders(cloud: &Aws, id: &Id) -> Result<Vec<Outsider>, CallError> {
        holders::holders_of_vpc(cloud, id).await
    }
}

/// Whether DNS is supported, and whether there are DNS hostnames.
async fn attributes(cloud: &Aws, vpc: Option<&str>) -> Result<(Option<bool>, Option<bool>), CallError> {
    tokio::try_join!(
        attribute(cloud, vpc, VpcAttributeName::EnableDnsSupport),
        attribute(cloud, vpc, VpcAttributeName::EnableDnsHostnames),
    )
}

/// Reads one attribute; `None` when the VPC is not found: it is gone by now, or too new to be known everywhere.
async fn attribute(cloud: &Aws, vpc: Option<&str>, name: VpcAttributeName) -> Result<Option<bool>, CallError> {
    let request = cloud.ec2.describe_vpc_attribute().set_vpc_id(vpc.map(str::to_owned)).attribute(name.clone());
    let Some(answer) = request.send().await.found()? else { return Ok(None) };
    let value = match name {
        VpcAttributeName::EnableDnsSupport => answer.enable_dns_support,
        _ => answer.enable_dns_hostnames,
    };
    Ok(value.and_then(|value| value.value))
}

fn observe(vpc: &SdkVpc, dns_support: Option<bool>, dns_hostnames: Option<bool>) -> Option<Observation<Vpc>> {
    let id = vpc.vpc_id()?;
    let spec: VpcSpec<Observed> =
        VpcSpec { cidr: vpc.cidr_block().and_then(|cidr| cidr.parse().ok()), dns_support, dns_hostnames };
    Some(Observation {
        id: Id::new(id),
        tags: Some(tags(vpc.tags())),
        readiness: match vpc.state() {
            Some(VpcState::Pending) => Readiness::Busy("pending".to_owned()),
            // What is not told would count as being as wanted.
            _ if dns_support.is_none() || dns_hostnames.is_none() => {
                Readiness::Busy("not known everywhere yet".to_owned())
            }
            _ => Readiness::Ready,
        },
        spec,
        outputs: Some(VpcOutputs { id: VpcId::new(id) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::Tag;

    #[test]
    fn a_vpc_is_read_as_aws_shows_it() {
        let sdk = SdkVpc::builder()
            .vpc_id("vpc-1")
            .cidr_block("10.0.0.0/16")
            .state(VpcState::Available)
            .tags(Tag::builder().key("Name").value("x").build())
            .build();
        let seen = observe(&sdk, Some(true), Some(false)).unwrap();
        assert_eq!(seen.readiness, Readiness::Ready);
        let expected = serde_json::json!({"cidr": "10.0.0.0/16", "dns_support": true, "dns_hostnames": false});
        assert_eq!(seen.spec.to_json(), expected);
        assert_eq!(seen.tags.unwrap()["Name"], "x");
        assert_eq!(seen.outputs.unwrap().id.as_str(), "vpc-1");
        let unknown = observe(&sdk, Some(true), None).unwrap();
        assert!(matches!(unknown.readiness, Readiness::Busy(_)), "{unknown:?}");
    }
}
