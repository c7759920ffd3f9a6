//! A private way from a VPC to an AWS service.

use super::{all_done, filters, retag, tag_specification, tags};
use crate::{Aws, Policy, RouteTableId, SecurityGroupId, SubnetId, VpcEndpointId, VpcId, error::Sent};
use aws_sdk_ec2::types::{ResourceType, SecurityGroupIdentifier, VpcEndpoint as SdkEndpoint, VpcEndpointType};
use bedplate_model::{
    CallError, Class, Creation, Datum, Id, Json, Observation, Observed, Order, Pace, Phase, Readiness, Reconcile,
    Record, Recovery, Resolved, Step, Tags, Terraform, Which,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{collections::BTreeSet, fmt::Display};

/// A private way from a VPC to an AWS service.
#[derive(Debug)]
pub enum VpcEndpoint {}

/// How an endpoint leads to its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointKind {
    /// By routes in route tables; S3 and DynamoDB only, free of charge.
    Gateway,
    /// By network interfaces in subnets.
    Interface,
}

/// Settings of a VPC endpoint.
#[derive(Clone, Debug, Record)]
pub struct VpcEndpointSpec<P: Phase> {
    /// The VPC it serves.
    #[replace]
    #[aws("VpcId")]
    pub vpc: P::Of<VpcId>,
    /// The service's name, `com.amazonaws.<region>.<service>`.
    #[replace]
    #[aws("ServiceName")]
    pub service: P::Of<String>,
    /// `Gateway` or `Interface`.
    #[replace]
    #[aws("VpcEndpointType")]
    pub kind: P::Of<EndpointKind>,
    /// The route tables that lead to it; empty for an interface endpoint.
    #[aws("RouteTableIds")]
    pub route_tables: P::Of<BTreeSet<RouteTableId>>,
    /// The subnets that hold its interfaces, at most one per zone; empty for a gateway endpoint.
    #[aws("SubnetIds")]
    pub subnets: P::Of<BTreeSet<SubnetId>>,
    /// The security groups of its interfaces, at least one; empty for a gateway endpoint.
    #[aws("SecurityGroupIds")]
    pub security_groups: P::Of<BTreeSet<SecurityGroupId>>,
    /// Whether the service's usual name leads to the endpoint inside the VPC; false for a gateway endpoint.
    #[aws("PrivateDnsEnabled")]
    pub private_dns: P::Of<bool>,
    /// Who may do what through it; none allows everything, and then the callers' own permissions decide alone.
    #[aws("PolicyDocument")]
    pub policy: P::Of<Option<Policy>>,
}

/// Outputs of a VPC endpoint.
#[derive(Clone, Debug, Record)]
pub struct VpcEndpointOutputs<P: Phase> {
    /// Its id.
    pub id: P::Of<VpcEndpointId>,
}

impl Reconcile for VpcEndpoint {
    const KIND: &'static str = "ec2.vpc_endpoint";
    const DOC: &'static str = "A private way from a VPC to an AWS service.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EC2::VPCEndpoint");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_vpc_endpoint", id: "{id}" }];
    const ACTIONS: &'static [&'static str] = &[
        "ec2:CreateVpcEndpoint",
        "ec2:DeleteVpcEndpoints",
        "ec2:DescribeVpcEndpoints",
        "ec2:ModifyVpcEndpoint",
        "ec2:CreateTags",
        "ec2:DeleteTags",
        // Private DNS is a hosted zone that AWS attaches to the VPC on the caller's behalf.
        "route53:AssociateVPCWithHostedZone",
    ];
    // A VPC takes one endpoint per private DNS name, a route table one route per service.
    const ORDER: Order = Order::DeleteFirst;
    // Gateway endpoints are there at once; the slower kind counts.
    const PACE: Pace = Pace::seconds(90, 10, 900);
    const RECOVERY: Recovery = Recovery::Token;
    type Cloud = Aws;
    type Spec<P: Phase> = VpcEndpointSpec<P>;
    type Outputs<P: Phase> = VpcEndpointOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut found = Vec::new();
        for filter in filters(which, "vpc-endpoint-id") {
            let mut pages = cloud.ec2.describe_vpc_endpoints().filters(filter).into_paginator().items().send();
            while let Some(endpoint) = pages.next().await {
                found.extend(observe(&endpoint.sent()?));
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &VpcEndpointSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let (kind, private_dns) = match spec.kind {
            EndpointKind::Gateway => (VpcEndpointType::Gateway, None),
            EndpointKind::Interface => (VpcEndpointType::Interface, Some(spec.private_dns)),
        };
        let request = cloud.ec2.create_vpc_endpoint().vpc_id(spec.vpc.as_str()).service_name(&spec.service);
        let request = request
            .vpc_endpoint_type(kind)
            .set_private_dns_enabled(private_dns)
            .set_route_table_ids(texts(spec.route_tables.iter()))
            .set_subnet_ids(texts(spec.subnets.iter()))
            .set_security_group_ids(texts(spec.security_groups.iter()))
            .set_policy_document(spec.policy.as_ref().map(Policy::to_string))
            .client_token(&creation.token)
            .tag_specifications(tag_specification(ResourceType::VpcEndpoint, &creation.tags));
        let answer = request.send().await.sent()?;
        let id = answer.vpc_endpoint.and_then(|endpoint| endpoint.vpc_endpoint_id);
        id.map(Id::new).ok_or_else(|| CallError::malformed("ec2:CreateVpcEndpoint", "VpcEndpointId"))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (wanted, seen) = (step.wanted, step.seen);
        let (add_tables, remove_tables) = difference(&wanted.route_tables, seen.route_tables.as_ref());
        let (add_subnets, remove_subnets) = difference(&wanted.subnets, seen.subnets.as_ref());
        let (add_groups, remove_groups) = difference(&wanted.security_groups, seen.security_groups.as_ref());
        let (policy, reset) = match (&wanted.policy, wanted.kind) {
            _ if !step.changes(&["policy"]) => (None, None),
            (Some(policy), _) => (Some(policy.to_string()), None),
            (None, EndpointKind::Gateway) => (None, Some(true)),
            // Only gateway endpoints are documented to take the reset.
            (None, EndpointKind::Interface) => (Some(json!({"Statement": full_access()}).to_string()), None),
        };
        let request = cloud.ec2.modify_vpc_endpoint().vpc_endpoint_id(step.id.as_str());
        let request = request
            .set_add_route_table_ids(add_tables)
            .set_remove_route_table_ids(remove_tables)
            .set_add_subnet_ids(add_subnets)
            .set_remove_subnet_ids(remove_subnets)
            .set_add_security_group_ids(add_groups)
            .set_remove_security_group_ids(remove_groups)
            .set_private_dns_enabled(step.changes(&["private_dns"]).then_some(wanted.private_dns))
            .set_policy_document(policy)
            .set_reset_policy(reset);
        match request.send().await.sent() {
            // The read lagged behind the last step, which added these route tables.
            Err(error) if error.class == Class::AlreadyExists => Ok(()),
            answer => answer.map(drop),
        }
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, id, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let answer = cloud.ec2.delete_vpc_endpoints().vpc_endpoint_ids(id.as_str()).send().await.sent()?;
        all_done("ec2:DeleteVpcEndpoints", &answer, answer.unsuccessful())
    }

    /// Without a policy AWS shows the one that allows everything.
    fn tolerate(wanted: &VpcEndpointSpec<Observed>, seen: &mut VpcEndpointSpec<Observed>) {
        if wanted.policy == Some(None)
            && let Some(Some(policy)) = &seen.policy
            && Json::from(policy.clone()).get("Statement") == Some(&full_access())
        {
            seen.policy = Some(None);
        }
    }
}

/// The statements of the policy that AWS gives an endpoint without one, in canonical form.
fn full_access() -> Json {
    json!([{"Effect": "Allow", "Principal": "*", "Action": ["*"], "Resource": ["*"]}])
}

/// As a list parameter; EC2 takes no empty ones.
fn texts<T: Display>(items: impl Iterator<Item = T>) -> Option<Vec<String>> {
    let list: Vec<String> = items.map(|item| item.to_string()).collect();
    (!list.is_empty()).then_some(list)
}

/// What to add and what to remove.
fn difference<T: Datum + Ord + Display>(
    wanted: &BTreeSet<T>,
    seen: Option<&BTreeSet<T>>,
) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let Some(seen) = seen else { return (texts(wanted.iter()), None) };
    (texts(wanted.difference(seen)), texts(seen.difference(wanted)))
}

fn observe(endpoint: &SdkEndpoint) -> Option<Observation<VpcEndpoint>> {
    let id = endpoint.vpc_endpoint_id()?;
    // The SDK lists the states with a capital letter, AWS answers them without.
    let state = endpoint.state().map(|state| state.as_str().to_lowercase()).unwrap_or_default();
    let reason = || {
        let error = endpoint.last_error().and_then(|error| error.message());
        let reason = error.or(endpoint.failure_reason()).unwrap_or("AWS gave no reason");
        format!("{state}: {reason}")
    };
    Some(Observation {
        id: Id::new(id),
        tags: Some(tags(endpoint.tags())),
        readiness: match state.as_str() {
            // A partial endpoint serves some of its subnets: to replace it would cut them off.
            "pending" | "pendingacceptance" | "partial" | "deleting" => Readiness::Busy(state),
            "failed" | "rejected" | "expired" => Readiness::Broken(reason()),
            "deleted" => Readiness::Gone,
            _ => Readiness::Ready,
        },
        spec: VpcEndpointSpec {
            vpc: endpoint.vpc_id().map(VpcId::new),
            service: endpoint.service_name().map(str::to_owned),
            kind: endpoint.vpc_endpoint_type().and_then(|kind| match kind {
                VpcEndpointType::Gateway => Some(EndpointKind::Gateway),
                VpcEndpointType::Interface => Some(EndpointKind::Interface),
                _ => None,
            }),
            route_tables: Some(endpoint.route_table_ids().iter().map(RouteTableId::new).collect()),
            subnets: Some(endpoint.subnet_ids().iter().map(SubnetId::new).collect()),
            security_groups: Some(
                endpoint
                    .groups()
                    .iter()
                    .filter_map(SecurityGroupIdentifier::group_id)
                    .map(SecurityGroupId::new)
                    .collect(),
            ),
            private_dns: Some(endpoint.private_dns_enabled().unwrap_or_default()),
            policy: match endpoint.policy_document() {
                Some(text) => Policy::parse(text).ok().map(Some),
                None => Some(None),
            },
        },
        outputs: Some(VpcEndpointOutputs { id: VpcEndpointId::new(id) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{LastError, State};

    fn sdk(state: State) -> SdkEndpoint {
        SdkEndpoint::builder()
            .vpc_endpoint_id("vpce-1")
            .vpc_id("vpc-1")
            .service_name("com.amazonaws.us-east-1.sts")
            .vpc_endpoint_type(VpcEndpointType::Interface)
            .state(state)
            .subnet_ids("subnet-2")
            .subnet_ids("subnet-1")
            .groups(SecurityGroupIdentifier::builder().group_id("sg-1").build())
            .private_dns_enabled(true)
            .policy_document(
                r#"{"Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]}"#,
            )
            .last_error(LastError::builder().message("no addresses left").build())
            .build()
    }

    #[test]
    fn an_endpoint_is_read_as_aws_shows_it() {
        let mut seen = observe(&sdk(State::from("available"))).unwrap();
        assert_eq!(seen.readiness, Readiness::Ready);
        let mut wanted = seen.spec.clone();
        wanted.policy = Some(None);
        VpcEndpoint::tolerate(&wanted, &mut seen.spec);
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "vpc": "vpc-1", "service": "com.amazonaws.us-east-1.sts", "kind": "Interface", "route_tables": [],
                "subnets": ["subnet-1", "subnet-2"], "security_groups": ["sg-1"], "private_dns": true, "policy": null,
            })
        );
    }

    #[test]
    fn states_have_a_meaning_in_either_spelling() {
        let readiness = |state: &str| observe(&sdk(State::from(state))).unwrap().readiness;
        assert_eq!(readiness("Pending"), Readiness::Busy("pending".to_owned()));
        assert_eq!(readiness("deleting"), Readiness::Busy("deleting".to_owned()));
        assert_eq!(readiness("failed"), Readiness::Broken("failed: no addresses left".to_owned()));
        assert_eq!(readiness("deleted"), Readiness::Gone);
    }

    #[test]
    fn another_policy_is_a_difference_when_none_is_wanted() {
        let mut seen = observe(&sdk(State::Available)).unwrap().spec;
        let policy = Policy::from(json!({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*"}]}));
        seen.policy = Some(Some(policy.clone()));
        let wanted = VpcEndpointSpec { policy: Some(None), ..seen.clone() };
        VpcEndpoint::tolerate(&wanted, &mut seen);
        assert_eq!(seen.policy, Some(Some(policy)));
    }

    #[test]
    fn only_what_differs_is_added_and_removed() {
        let set = |ids: &[&str]| ids.iter().map(|id| SubnetId::new(*id)).collect::<BTreeSet<_>>();
        let (add, remove) = difference(&set(&["a", "b"]), Some(&set(&["b", "c"])));
        assert_eq!((add, remove), (Some(vec!["a".to_owned()]), Some(vec!["c".to_owned()])));
        assert_eq!(difference(&set(&["a"]), Some(&set(&["a"]))), (None, None));
    }
}
