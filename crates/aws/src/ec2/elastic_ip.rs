//! A public address that stays the same.

use super::{filters, nat_gateway, once, retag, tag_specification, tags};
use crate::{AllocationId, Aws, error::Sent};
use aws_sdk_ec2::types::{Address as SdkAddress, DomainType, ResourceType};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Recovery, Resolved, Step,
    Tags, Terraform, Which,
};
use std::{future::ready, net::Ipv4Addr};

/// A public IPv4 address that stays the same.
#[derive(Debug)]
pub enum ElasticIp {}

/// Settings of an elastic IP.
#[derive(Clone, Debug, Record)]
pub struct ElasticIpSpec<P: Phase> {
    /// The group of zones that AWS announces the address from (`us-east-1`, `us-east-1-bos-1`); none means the region's
    /// own, which is right everywhere but in local zones.
    #[replace]
    pub network_border_group: P::Of<Option<String>>,
}

/// Outputs of an elastic IP.
#[derive(Clone, Debug, Record)]
pub struct ElasticIpOutputs<P: Phase> {
    /// Its allocation id.
    pub id: P::Of<AllocationId>,
    /// The address.
    pub public_ip: P::Of<Ipv4Addr>,
}

impl Reconcile for ElasticIp {
    const KIND: &'static str = "ec2.elastic_ip";
    const DOC: &'static str = "A public IPv4 address that stays the same.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EC2::EIP");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_eip", id: "{id}" }];
    const ACTIONS: &'static [&'static str] = &[
        "ec2:AllocateAddress",
        "ec2:ReleaseAddress",
        "ec2:DescribeAddresses",
        "ec2:CreateTags",
        "ec2:DeleteTags",
        "tag:GetResources",
    ];
    const RECOVERY: Recovery = Recovery::Tag;
    type Cloud = Aws;
    type Spec<P: Phase> = ElasticIpSpec<P>;
    type Outputs<P: Phase> = ElasticIpOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        // An address never changes, and is not given back as long as a NAT gateway has it (EC2: ReleaseAddress).
        let gateways = if cloud.may_confirm(which) { nat_gateway::recorded(cloud).await } else { Vec::new() };
        let (mut found, rest) = cloud
            .confirmed(which, |seen: Observation<Self>| {
                let in_use = gateways.iter().any(|gateway| nat_gateway::has_address(gateway, seen.id.as_str()));
                ready(Ok(in_use.then_some(seen)))
            })
            .await?;
        for filter in filters(rest.which(), "allocation-id") {
            // This answer has no pages.
            let answer = cloud.ec2.describe_addresses().filters(filter).send().await.sent()?;
            found.extend(answer.addresses().iter().filter_map(observe));
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &ElasticIpSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.ec2.allocate_address().domain(DomainType::Vpc);
        let request = request.set_network_border_group(spec.network_border_group.clone());
        let tags = tag_specification(ResourceType::ElasticIp, &creation.tags);
        let answer = request.tag_specifications(tags).customize().config_override(once()).send().await.sent()?;
        answer.allocation_id.map(Id::new).ok_or_else(|| CallError::malformed("ec2:AllocateAddress", "AllocationId"))
    }

    async fn update(_: &Aws, _: &Step<'_, Self>) -> Result<(), CallError> {
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, id, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.ec2.release_address().allocation_id(id.as_str()).send().await.sent().map(drop)
    }

    fn tolerate(wanted: &ElasticIpSpec<Observed>, seen: &mut ElasticIpSpec<Observed>) {
        // Left to AWS, which then names the region.
        if wanted.network_border_group == Some(None) {
            seen.network_border_group = Some(None);
        }
    }
}

fn observe(address: &SdkAddress) -> Option<Observation<ElasticIp>> {
    let id = address.allocation_id()?;
    let public_ip = address.public_ip().and_then(|ip| ip.parse().ok());
    Some(Observation {
        id: Id::new(id),
        tags: Some(tags(address.tags())),
        readiness: Readiness::Ready,
        spec: ElasticIpSpec {
            network_border_group: address.network_border_group().map(|group| Some(group.to_owned())),
        },
        outputs: public_ip.map(|public_ip| ElasticIpOutputs { id: AllocationId::new(id), public_ip }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_aws_shows_it() {
        let sdk = SdkAddress::builder()
            .allocation_id("eipalloc-1")
            .public_ip("203.0.113.7")
            .network_border_group("us-east-1")
            .build();
        let mut seen = observe(&sdk).unwrap();
        assert_eq!(
            seen.outputs.unwrap().to_json(),
            serde_json::json!({"id": "eipalloc-1", "public_ip": "203.0.113.7"})
        );
        assert_eq!(seen.spec.to_json(), serde_json::json!({"network_border_group": "us-east-1"}));
        ElasticIp::tolerate(&ElasticIpSpec { network_border_group: Some(None) }, &mut seen.spec);
        assert_eq!(seen.spec.to_json(), serde_json::json!({"network_border_group": null}));
    }
}
