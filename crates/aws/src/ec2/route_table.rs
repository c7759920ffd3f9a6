//! Where traffic from subnets goes, with the routes and the subnets' associations folded in.

use super::{filters, retag, tag_specification, tags};
use crate::{Aws, InternetGatewayId, NatGatewayId, RouteTableId, SubnetId, VpcId, error::Sent};
use aws_sdk_ec2::types::{
    Filter, ResourceType, Route as SdkRoute, RouteOrigin, RouteState, RouteTable as SdkRouteTable,
    RouteTableAssociation, RouteTableAssociationStateCode as Association,
};
use bedplate_model::{
    CallError, Class, Creation, Id, Input, Observation, Phase, Readiness, Reconcile, Record, Recovery, Resolved, Step,
    Tags, Terraform, Which,
};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A route table of a VPC: its routes, and the subnets that use it.
#[derive(Debug)]
pub enum RouteTable {}

/// Settings of a route table.
#[derive(Clone, Debug, Record)]
pub struct RouteTableSpec<P: Phase> {
    /// The VPC it belongs to.
    #[replace]
    #[aws("VpcId")]
    pub vpc: P::Of<VpcId>,
    /// Where traffic goes, by the address range it is for. Routes that AWS adds by itself are not among them.
    #[aws(none)]
    pub routes: P::Of<BTreeMap<Ipv4Net, RouteTarget>>,
    /// The subnets whose traffic it directs. A subnet has one route table: it leaves the one it had.
    #[aws(none)]
    pub subnets: P::Of<BTreeSet<SubnetId>>,
}

/// Outputs of a route table.
#[derive(Clone, Debug, Record)]
pub struct RouteTableOutputs<P: Phase> {
    /// Its id.
    pub id: P::Of<RouteTableId>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteTarget {
    /// To the internet, and from there.
    InternetGateway(InternetGatewayId),
    /// To the internet only.
    NatGateway(NatGatewayId),
    /// To what somebody else chose, or nowhere: `blackhole nat-…` when its target is gone. It is only ever seen.
    Other(String),
}

impl RouteTarget {
    /// Routes to targets that may not exist yet: `[(anywhere, RouteTarget::nat_gateway(&nat.id))]`.
    pub fn routes(
        routes: impl IntoIterator<Item = (Ipv4Net, Input<RouteTarget>)>,
    ) -> Input<BTreeMap<Ipv4Net, RouteTarget>> {
        let routes = routes.into_iter().map(|(range, target)| (range.to_string(), target.expression().clone()));
        Input::from_expression(routes.collect())
    }

    /// To an internet gateway that may not exist yet.
    pub fn internet_gateway(id: &Input<InternetGatewayId>) -> Input<RouteTarget> {
        Input::from_expression(serde_json::json!({ "internet_gateway": id }))
    }

    /// To a NAT gateway that may not exist yet.
    pub fn nat_gateway(id: &Input<NatGatewayId>) -> Input<RouteTarget> {
        Input::from_expression(serde_json::json!({ "nat_gateway": id }))
    }

    /// The id as an internet gateway's and as a NAT gateway's: the parameters that route calls have for them.
    fn parameters(&self) -> (Option<String>, Option<String>) {
        match self {
            Self::InternetGateway(id) => (Some(id.to_string()), None),
            Self::NatGateway(id) => (None, Some(id.to_string())),
            // AWS refuses a route without a target, and says so.
            Self::Other(_) => (None, None),
        }
    }
}

impl Reconcile for RouteTable {
    const KIND: &'static str = "ec2.route_table";
    const DOC: &'static str = "A route table of a VPC: its routes, and the subnets that use it.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EC2::RouteTable");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_route_table", id: "{id}" }];
    const ACTIONS: &'static [&'static str] = &[
        "ec2:CreateRouteTable",
        "ec2:DeleteRouteTable",
        "ec2:DescribeRouteTables",
        "ec2:CreateRoute",
        "ec2:ReplaceRoute",
        "ec2:DeleteRoute",
        "ec2:AssociateRouteTable",
        "ec2:ReplaceRouteTableAssociation",
        "ec2:DisassociateRouteTable",
        "ec2:CreateTags",
        "ec2:DeleteTags",
    ];
    const RECOVERY: Recovery = Recovery::Token;
    type Cloud = Aws;
    type Spec<P: Phase> = RouteTableSpec<P>;
    type Outputs<P: Phase> = RouteTableOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        Ok(read(cloud, which).await?.iter().filter_map(observe).collect())
    }

    async fn create(cloud: &Aws, spec: &RouteTableSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.ec2.create_route_table().vpc_id(spec.vpc.as_str()).client_token(&creation.token);
        let tags = tag_specification(ResourceType::RouteTable, &creation.tags);
        let answer = request.tag_specifications(tags).send().await.sent()?;
        let id = answer.route_table.and_then(|table| table.route_table_id);
        id.map(Id::new).ok_or_else(|| CallError::malformed("ec2:CreateRouteTable", "RouteTableId"))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        if step.changes(&["routes"]) {
            update_routes(cloud, step).await?;
        }
        if step.changes(&["subnets"]) {
            update_subnets(cloud, step).await?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, id, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let filter = Filter::builder().name("route-table-id").values(id.as_str()).build();
        for table in describe(cloud, filter).await? {
            for association in associations(&table).filter_map(|found| found.route_table_association_id()) {
                cloud.ec2.disassociate_route_table().association_id(association).send().await.ensured()?;
            }
        }
        cloud.ec2.delete_route_table().route_table_id(id.as_str()).send().await.sent().map(drop)
    }
}

async fn update_routes(cloud: &Aws, step: &Step<'_, RouteTable>) -> Result<(), CallError> {
    let (id, none) = (step.id.as_str(), BTreeMap::new());
    let (seen, wanted) = (step.seen.routes.as_ref().unwrap_or(&none), &step.wanted.routes);
    for (range, target) in wanted.iter().filter(|(range, target)| seen.get(range) != Some(target)) {
        let (internet, nat) = target.parameters();
        if !seen.contains_key(range) {
            let request = cloud.ec2.create_route().route_table_id(id).destination_cidr_block(range.to_string());
            match request.set_gateway_id(internet.clone()).set_nat_gateway_id(nat.clone()).send().await.sent() {
                // Reads lag, or AWS propagated a route to this range: it is set to the target below.
                Err(error) if error.class == Class::AlreadyExists => {}
                answer => {
                    answer?;
                    continue;
                }
            }
        }
        let request = cloud.ec2.replace_route().route_table_id(id).destination_cidr_block(range.to_string());
        request.set_gateway_id(internet).set_nat_gateway_id(nat).send().await.sent()?;
    }
    for range in seen.keys().filter(|range| !wanted.contains_key(range)) {
        let request = cloud.ec2.delete_route().route_table_id(id).destination_cidr_block(range.to_string());
        request.send().await.ensured()?;
    }
    Ok(())
}

async fn update_subnets(cloud: &Aws, step: &Step<'_, RouteTable>) -> Result<(), CallError> {
    let (id, none) = (step.id.as_str(), BTreeSet::new());
    let (seen, wanted) = (step.seen.subnets.as_ref().unwrap_or(&none), &step.wanted.subnets);
    let differing = wanted.symmetric_difference(seen).map(ToString::to_string).collect::<Vec<_>>();

    // Where these subnets are associated at this moment, be it here or elsewhere.
    let mut current = BTreeMap::new();
    let filter = Filter::builder().name("association.subnet-id").set_values(Some(differing)).build();
    for table in describe(cloud, filter).await? {
        let table_id = table.route_table_id().unwrap_or_default();
        for association in associations(&table) {
            if let (Some(subnet), Some(key)) = (association.subnet_id(), association.route_table_association_id()) {
                current.insert(SubnetId::new(subnet), (key.to_owned(), table_id.to_owned()));
            }
        }
    }

    for subnet in wanted.difference(seen) {
        match current.get(subnet) {
            Some((_, table)) if table == id => {}
            // One call, so that the subnet is not without routes in between.
            Some((key, _)) => {
                let request = cloud.ec2.replace_route_table_association().association_id(key);
                request.route_table_id(id).send().await.sent()?;
            }
            None => {
                let request = cloud.ec2.associate_route_table().subnet_id(subnet.as_str());
                request.route_table_id(id).send().await.sent()?;
            }
        }
    }
    for subnet in seen.difference(wanted) {
        // Another table may have taken it by now.
        if let Some((key, _)) = current.get(subnet).filter(|(_, table)| table == id) {
            cloud.ec2.disassociate_route_table().association_id(key).send().await.ensured()?;
        }
    }
    Ok(())
}

async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<SdkRouteTable>, CallError> {
    let mut found = Vec::new();
    for filter in filters(which, "route-table-id") {
        found.extend(describe(cloud, filter).await?);
    }
    Ok(found)
}

/// The tables that a survey knows of; none where they cannot be read.
pub(super) async fn recorded(cloud: &Aws) -> Vec<SdkRouteTable> {
    read(cloud, Which::Ids(&cloud.recorded_ids(RouteTable::KIND))).await.unwrap_or_default()
}

/// Whether a table has a route to a gateway that is there.
pub(super) fn leads_to(table: &SdkRouteTable, gateway: &str) -> bool {
    let mut routes = table.routes().iter();
    routes.any(|route| route.gateway_id() == Some(gateway) && route.state() == Some(&RouteState::Active))
}

async fn describe(cloud: &Aws, filter: Filter) -> Result<Vec<SdkRouteTable>, CallError> {
    let question = format!("{filter:?}");
    let ask = async {
        let pages = cloud.ec2.describe_route_tables().filters(filter).into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.sent()
    };
    cloud.ask_once(|shared| &shared.route_tables, question, ask).await
}

/// The associations with subnets and gateways. That of a VPC's main table is none: it cannot be removed.
fn associations(table: &SdkRouteTable) -> impl Iterator<Item = &RouteTableAssociation> {
    table.associations().iter().filter(|found| {
        let state = found.association_state().and_then(|state| state.state());
        let over =
            matches!(state, Some(Association::Disassociating | Association::Disassociated | Association::Failed));
        !over && found.main() != Some(true)
    })
}

/// A route that somebody made, with its range. AWS makes others: the VPC's own range, what gateways and route servers
/// propagate, and prefix lists of gateway endpoints, which have no range.
fn route(route: &SdkRoute) -> Option<(Ipv4Net, RouteTarget)> {
    let range = route.destination_cidr_block()?.parse().ok()?;
    if route.origin().is_some_and(|origin| *origin != RouteOrigin::CreateRoute) || route.gateway_id() == Some("local") {
        return None;
    }
    let target = [
        route.gateway_id(),
        route.nat_gateway_id(),
        route.vpc_peering_connection_id(),
        route.transit_gateway_id(),
        route.network_interface_id(),
        route.instance_id(),
        route.local_gateway_id(),
        route.carrier_gateway_id(),
        route.core_network_arn(),
    ];
    let target = target.into_iter().flatten().next().unwrap_or("unknown");
    let target = if route.state() == Some(&RouteState::Blackhole) {
        RouteTarget::Other(format!("blackhole {target}"))
    } else if target.starts_with("igw-") {
        RouteTarget::InternetGateway(InternetGatewayId::new(target))
    } else if target.starts_with("nat-") {
        RouteTarget::NatGateway(NatGatewayId::new(target))
    } else {
        RouteTarget::Other(target.to_owned())
    };
    Some((range, target))
}

fn observe(table: &SdkRouteTable) -> Option<Observation<RouteTable>> {
    let id = table.route_table_id()?;
    let associating = |association: &RouteTableAssociation| {
        association.association_state().and_then(|state| state.state()) == Some(&Association::Associating)
    };
    Some(Observation {
        id: Id::new(id),
        tags: Some(tags(table.tags())),
        readiness: if associations(table).any(associating) {
            Readiness::Busy("associating".to_owned())
        } else {
            Readiness::Ready
        },
        spec: RouteTableSpec {
            vpc: table.vpc_id().map(VpcId::new),
            routes: Some(table.routes().iter().filter_map(route).collect()),
            subnets: Some(associations(table).filter_map(|found| found.subnet_id()).map(SubnetId::new).collect()),
        },
        outputs: Some(RouteTableOutputs { id: RouteTableId::new(id) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::RouteTableAssociationState;
    use bedplate_model::{Address, resolve};
    use serde_json::json;

    fn made(range: &str) -> aws_sdk_ec2::types::builders::RouteBuilder {
        SdkRoute::builder().destination_cidr_block(range).origin(RouteOrigin::CreateRoute).state(RouteState::Active)
    }

    #[test]
    fn a_black_hole_leads_nowhere() {
        let table = |route: SdkRoute| SdkRouteTable::builder().routes(route).build();
        let route = made("0.0.0.0/0").gateway_id("igw-1");
        assert!(leads_to(&table(route.clone().build()), "igw-1"));
        assert!(!leads_to(&table(route.clone().build()), "igw-2"));
        assert!(!leads_to(&table(route.state(RouteState::Blackhole).build()), "igw-1"));
    }

    #[test]
    fn a_route_table_is_read_as_aws_shows_it() {
        let link = RouteTableAssociation::builder().route_table_id("rtb-1");
        let gone = RouteTableAssociationState::builder().state(Association::Disassociated).build();
        let sdk = SdkRouteTable::builder()
            .route_table_id("rtb-1")
            .vpc_id("vpc-1")
            .routes(made("10.0.0.0/16").origin(RouteOrigin::CreateRouteTable).gateway_id("local").build())
            .routes(made("10.9.0.0/16").origin(RouteOrigin::EnableVgwRoutePropagation).gateway_id("vgw-1").build())
            .routes(
                SdkRoute::builder()
                    .destination_prefix_list_id("pl-1")
                    .gateway_id("vpce-1")
                    .origin(RouteOrigin::CreateRoute)
                    .build(),
            )
            .routes(made("0.0.0.0/0").gateway_id("igw-1").build())
            .routes(made("10.1.0.0/16").nat_gateway_id("nat-1").build())
            .routes(made("10.2.0.0/16").nat_gateway_id("nat-2").state(RouteState::Blackhole).build())
            .routes(made("10.3.0.0/16").vpc_peering_connection_id("pcx-1").build())
            .associations(link.clone().subnet_id("subnet-b").build())
            .associations(link.clone().subnet_id("subnet-a").build())
            .associations(link.clone().subnet_id("subnet-c").association_state(gone).build())
            .associations(link.main(true).build())
            .build();
        let seen = observe(&sdk).unwrap();
        assert_eq!(seen.readiness, Readiness::Ready);
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "vpc": "vpc-1",
                "routes": {
                    "0.0.0.0/0": {"internet_gateway": "igw-1"},
                    "10.1.0.0/16": {"nat_gateway": "nat-1"},
                    "10.2.0.0/16": {"other": "blackhole nat-2"},
                    "10.3.0.0/16": {"other": "pcx-1"},
                },
                "subnets": ["subnet-a", "subnet-b"],
            })
        );
    }

    #[test]
    fn declared_routes_resolve_to_what_is_read() {
        let nat = Input::reference(&Address::new("network/nat/a").unwrap(), "id");
        let declared = RouteTarget::routes([("0.0.0.0/0".parse().unwrap(), RouteTarget::nat_gateway(&nat))]);
        let resolved = resolve(declared.expression(), &|_, _| Some(json!("nat-1")));
        let routes: BTreeMap<Ipv4Net, RouteTarget> = serde_json::from_value(resolved).unwrap();
        let seen = route(&made("0.0.0.0/0").nat_gateway_id("nat-1").build());
        assert_eq!(routes.into_iter().next(), seen);
    }
}
