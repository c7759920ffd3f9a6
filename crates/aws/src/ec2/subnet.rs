//! A subnet of a VPC in one availability zone.

use super::{filters, holders, retag, tag_specification, tags};
use crate::{Arn, Aws, SubnetId, VpcId, error::Sent};
use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, Subnet as SdkSubnet, SubnetState};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Order, Outsider, Pace, Phase, Readiness, Reconcile, Record,
    Recovery, Resolved, Step, Tags, Terraform, Which,
};
use ipnet::Ipv4Net;

/// A subnet of a VPC in one availability zone.
#[derive(Debug)]
pub enum Subnet {}

/// Settings of a subnet.
#[derive(Clone, Debug, Record)]
pub struct SubnetSpec<P: Phase> {
    /// The VPC it lies in.
    #[replace]
    #[aws("VpcId")]
    pub vpc: P::Of<VpcId>,
    /// Its address range, inside the VPC's.
    #[replace]
    #[aws("CidrBlock")]
    pub cidr: P::Of<Ipv4Net>,
    /// The id of its availability zone (`use1-az1`): the same place in every account, which a zone's name is not.
    #[replace]
    #[aws("AvailabilityZoneId")]
    pub zone_id: P::Of<String>,
    /// Whether instances started in it get a public address.
    #[aws("MapPublicIpOnLaunch")]
    pub public_addresses: P::Of<bool>,
}

/// Outputs of a subnet.
#[derive(Clone, Debug, Record)]
pub struct SubnetOutputs<P: Phase> {
    /// Its id.
    pub id: P::Of<SubnetId>,
    /// Its ARN.
    pub arn: P::Of<Arn>,
}

impl Reconcile for Subnet {
    const KIND: &'static str = "ec2.subnet";
    const DOC: &'static str = "A subnet of a VPC in one availability zone.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EC2::Subnet");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_subnet", id: "{id}" }];
    const ACTIONS: &'static [&'static str] = &[
        "ec2:CreateSubnet",
        "ec2:DeleteSubnet",
        "ec2:DescribeSubnets",
        "ec2:ModifySubnetAttribute",
        "ec2:CreateTags",
        "ec2:DeleteTags",
        // To name what keeps it from being deleted.
        "ec2:DescribeNetworkInterfaces",
    ];
    // Two subnets of one VPC cannot have overlapping ranges.
    const ORDER: Order = Order::DeleteFirst;
    const PACE: Pace = Pace::HELD;
    const RECOVERY: Recovery = Recovery::Tag;
    type Cloud = Aws;
    type Spec<P: Phase> = SubnetSpec<P>;
    type Outputs<P: Phase> = SubnetOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut found = Vec::new();
        for filter in filters(which, "subnet-id") {
            let mut pages = cloud.ec2.describe_subnets().filters(filter).into_paginator().items().send();
            while let Some(subnet) = pages.next().await {
                found.extend(observe(&subnet.sent()?));
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &SubnetSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.ec2.create_subnet().vpc_id(spec.vpc.as_str()).cidr_block(spec.cidr.to_string());
        let request = request.availability_zone_id(&spec.zone_id);
        let answer =
            request.tag_specifications(tag_specification(ResourceType::Subnet, &creation.tags)).send().await.sent()?;
        let id = answer.subnet.and_then(|subnet| subnet.subnet_id);
        id.map(Id::new).ok_or_else(|| CallError::malformed("ec2:CreateSubnet", "SubnetId"))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        if step.changes(&["public_addresses"]) {
            let value = AttributeBooleanValue::builder().value(step.wanted.public_addresses).build();
            let request = cloud.ec2.modify_subnet_attribute().subnet_id(step.id.as_str());
            request.map_public_ip_on_launch(value).send().await.sent()?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, id, set, remove).await
    }

    fn coexist(old: &SubnetSpec<Observed>, new: &SubnetSpec<Observed>) -> bool {
        let (Some(old), Some(new)) = (old.cidr, new.cidr) else { return false };
        !old.contains(&new) && !new.contains(&old)
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.ec2.delete_subnet().subnet_id(id.as_str()).send().await.sent().map(drop)
    }

    async fn holders(cloud: &Aws, id: &Id) -> Result<Vec<Outsider>, CallError> {
        holders::holders_of_subnet(cloud, id).await
    }
}

fn observe(subnet: &SdkSubnet) -> Option<Observation<Subnet>> {
    let id = subnet.subnet_id()?;
    Some(Observation {
        id: Id::new(id),
        tags: Some(tags(subnet.tags())),
        readiness: match subnet.state() {
            Some(SubnetState::Pending) => Readiness::Busy("pending".to_owned()),
            _ => Readiness::Ready,
        },
        spec: SubnetSpec {
            vpc: subnet.vpc_id().map(VpcId::new),
            cidr: subnet.cidr_block().and_then(|cidr| cidr.parse().ok()),
            zone_id: subnet.availability_zone_id().map(str::to_owned),
            public_addresses: subnet.map_public_ip_on_launch(),
        },
        outputs: subnet.subnet_arn().map(|arn| SubnetOutputs { id: SubnetId::new(id), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_do_not_overlap_stand_side_by_side() {
        let of = |cidr: &str| SubnetSpec {
            vpc: None,
            cidr: Some(cidr.parse().unwrap()),
            zone_id: None,
            public_addresses: None,
        };
        let coexist = |old, new| Subnet::coexist(&of(old), &of(new));
        assert!(coexist("10.0.1.0/24", "10.0.2.0/24"));
        assert!(!coexist("10.0.1.0/24", "10.0.1.0/24"));
        assert!(!coexist("10.0.0.0/22", "10.0.1.0/24") && !coexist("10.0.1.0/24", "10.0.0.0/22"));
    }

    #[test]
    fn a_subnet_is_read_as_aws_shows_it() {
        let sdk = SdkSubnet::builder()
            .subnet_id("subnet-1")
            .subnet_arn("arn:aws:ec2:us-east-1:797923187401:subnet/subnet-1")
            .vpc_id("vpc-1")
            .cidr_block("10.0.1.0/24")
            .availability_zone_id("use1-az1")
            .map_public_ip_on_launch(true)
            .state(SubnetState::Pending)
            .build();
        let seen = observe(&sdk).unwrap();
        assert_eq!(seen.readiness, Readiness::Busy("pending".to_owned()));
        assert_eq!(
            seen.spec.to_json(),
            serde_json::json!({
                "vpc": "vpc-1", "cidr": "10.0.1.0/24", "zone_id": "use1-az1", "public_addresses": true,
            })
        );
    }
}
