//! The way out to the internet for subnets that the internet shall not reach.

use super::{filters, retag, tag_specification, tags};
use crate::{AllocationId, Aws, NatGatewayId, SubnetId, error::Sent};
use aws_sdk_ec2::types::{NatGateway as SdkNatGateway, NatGatewayState, ResourceType};
use bedplate_model::{
    CallError, Creation, Id, Observation, Order, Pace, Phase, Readiness, Reconcile, Record, Recovery, Resolved, Step,
    Tags, Terraform, Which,
};
use std::net::Ipv4Addr;

/// A public NAT gateway: the way out to the internet for private subnets of one zone.
#[derive(Debug)]
pub enum NatGateway {}

/// Settings of a NAT gateway.
#[derive(Clone, Debug, Record)]
pub struct NatGatewaySpec<P: Phase> {
    /// The public subnet it stands in.
    #[replace]
    #[aws("SubnetId")]
    pub subnet: P::Of<SubnetId>,
    /// The elastic IP that its traffic comes from.
    #[replace]
    #[aws("AllocationId")]
    pub allocation: P::Of<AllocationId>,
}

/// Outputs of a NAT gateway.
#[derive(Clone, Debug, Record)]
pub struct NatGatewayOutputs<P: Phase> {
    /// Its id.
    pub id: P::Of<NatGatewayId>,
    /// The address that its traffic comes from.
    pub public_ip: P::Of<Ipv4Addr>,
}

impl Reconcile for NatGateway {
    const KIND: &'static str = "ec2.nat_gateway";
    const DOC: &'static str = "A public NAT gateway: the way out to the internet for private subnets of one zone.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EC2::NatGateway");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_nat_gateway", id: "{id}" }];
    const ACTIONS: &'static [&'static str] = &[
        "ec2:CreateNatGateway",
        "ec2:DeleteNatGateway",
        "ec2:DescribeNatGateways",
        "ec2:CreateTags",
        "ec2:DeleteTags",
    ];
    // The old one holds the elastic IP that the new one shall have.
    const ORDER: Order = Order::DeleteFirst;
    const PACE: Pace = Pace::seconds(120, 5, 900);
    const RECOVERY: Recovery = Recovery::Token;
    type Cloud = Aws;
    type Spec<P: Phase> = NatGatewaySpec<P>;
    type Outputs<P: Phase> = NatGatewayOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        Ok(describe(cloud, which).await?.iter().filter_map(observe).collect())
    }

    async fn create(cloud: &Aws, spec: &NatGatewaySpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.ec2.create_nat_gateway().client_token(&creation.token);
        let request = request.subnet_id(spec.subnet.as_str()).allocation_id(spec.allocation.as_str());
        let tags = tag_specification(ResourceType::Natgateway, &creation.tags);
        let answer = request.tag_specifications(tags).send().await.sent()?;
        let id = answer.nat_gateway.and_then(|gateway| gateway.nat_gateway_id);
        id.map(Id::new).ok_or_else(|| CallError::malformed("ec2:CreateNatGateway", "NatGatewayId"))
    }

    async fn update(_: &Aws, _: &Step<'_, Self>) -> Result<(), CallError> {
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, id, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.ec2.delete_nat_gateway().nat_gateway_id(id.as_str()).send().await.sent().map(drop)
    }
}

async fn describe(cloud: &Aws, which: Which<'_>) -> Result<Vec<SdkNatGateway>, CallError> {
    let mut found = Vec::new();
    for filter in filters(which, "nat-gateway-id") {
        let question = format!("{filter:?}");
        let ask = async {
            let pages = cloud.ec2.describe_nat_gateways().filter(filter).into_paginator().items().send();
            pages.collect::<Result<Vec<_>, _>>().await.sent()
        };
        found.extend(cloud.ask_once(|shared| &shared.nat_gateways, question, ask).await?);
    }
    Ok(found)
}

/// The gateways that a survey knows of; none where they cannot be read.
pub(super) async fn recorded(cloud: &Aws) -> Vec<SdkNatGateway> {
    describe(cloud, Which::Ids(&cloud.recorded_ids(NatGateway::KIND))).await.unwrap_or_default()
}

/// Whether a gateway is in use with this address.
pub(super) fn has_address(gateway: &SdkNatGateway, allocation: &str) -> bool {
    let mut addresses = gateway.nat_gateway_addresses().iter();
    gateway.state() == Some(&NatGatewayState::Available)
        && addresses.any(|address| address.allocation_id() == Some(allocation))
}

/// A deleted gateway is shown for about an hour; it is none any more.
fn observe(gateway: &SdkNatGateway) -> Option<Observation<NatGateway>> {
    let id = gateway.nat_gateway_id()?;
    let readiness = match gateway.state() {
        Some(NatGatewayState::Deleted) => return None,
        Some(NatGatewayState::Failed) => Readiness::Broken(failure(gateway)),
        Some(state @ (NatGatewayState::Pending | NatGatewayState::Deleting)) => Readiness::Busy(state.to_string()),
        _ => Readiness::Ready,
    };
    let addresses = gateway.nat_gateway_addresses();
    let address = addresses.iter().find(|address| address.is_primary() == Some(true)).or(addresses.first());
    let public_ip = address.and_then(|address| address.public_ip()).and_then(|ip| ip.parse().ok());
    Some(Observation {
        id: Id::new(id),
        tags: Some(tags(gateway.tags())),
        readiness,
        spec: NatGatewaySpec {
            subnet: gateway.subnet_id().map(SubnetId::new),
            allocation: address.and_then(|address| address.allocation_id()).map(AllocationId::new),
        },
        outputs: public_ip.map(|public_ip| NatGatewayOutputs { id: NatGatewayId::new(id), public_ip }),
    })
}

fn failure(gateway: &SdkNatGateway) -> String {
    [gateway.failure_code(), gateway.failure_message()].into_iter().flatten().collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::NatGatewayAddress;

    #[test]
    fn only_a_gateway_in_use_keeps_its_address() {
        let address = NatGatewayAddress::builder().allocation_id("eipalloc-1").build();
        let gateway = SdkNatGateway::builder().nat_gateway_addresses(address);
        let available = gateway.clone().state(NatGatewayState::Available).build();
        assert!(has_address(&available, "eipalloc-1") && !has_address(&available, "eipalloc-2"));
        for state in [NatGatewayState::Deleting, NatGatewayState::Deleted, NatGatewayState::Failed] {
            assert!(!has_address(&gateway.clone().state(state).build(), "eipalloc-1"));
        }
    }

    #[test]
    fn a_nat_gateway_is_read_as_aws_shows_it() {
        let address = NatGatewayAddress::builder().allocation_id("eipalloc-1");
        let sdk = SdkNatGateway::builder().nat_gateway_id("nat-1").subnet_id("subnet-1");

        let pending = sdk.clone().state(NatGatewayState::Pending).nat_gateway_addresses(address.clone().build());
        let seen = observe(&pending.build()).unwrap();
        assert_eq!(seen.readiness, Readiness::Busy("pending".to_owned()));
        assert_eq!(seen.spec.to_json(), serde_json::json!({"subnet": "subnet-1", "allocation": "eipalloc-1"}));
        assert!(seen.outputs.is_none());

        let address = address.public_ip("203.0.113.7").is_primary(true).build();
        let available = sdk.state(NatGatewayState::Available).nat_gateway_addresses(address);
        let seen = observe(&available.clone().build()).unwrap();
        assert_eq!(seen.readiness, Readiness::Ready);
        assert_eq!(seen.outputs.unwrap().to_json(), serde_json::json!({"id": "nat-1", "public_ip": "203.0.113.7"}));

        let failed = available.state(NatGatewayState::Failed).failure_code("Gateway.NotAttached").failure_message("no");
        assert_eq!(
            observe(&failed.clone().build()).unwrap().readiness,
            Readiness::Broken("Gateway.NotAttached: no".to_owned())
        );
        assert!(observe(&failed.state(NatGatewayState::Deleted).build()).is_none());
    }
}
