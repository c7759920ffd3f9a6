//! EC2: the network.

mod default_security_group;
mod elastic_ip;
mod flow_log;
mod holders;
mod internet_gateway;
mod nat_gateway;
mod route_table;
mod security_group;
mod security_group_rule;
mod subnet;
mod vpc;
mod vpc_endpoint;

pub use default_security_group::{DefaultSecurityGroup, DefaultSecurityGroupOutputs, DefaultSecurityGroupSpec};
pub use elastic_ip::{ElasticIp, ElasticIpOutputs, ElasticIpSpec};
pub use flow_log::{FlowLog, FlowLogOutputs, FlowLogSpec};
pub(crate) use holders::{holders_of_group, interfaces};
pub use internet_gateway::{InternetGateway, InternetGatewayOutputs, InternetGatewaySpec};
pub use nat_gateway::{NatGateway, NatGatewayOutputs, NatGatewaySpec};
pub use route_table::{RouteTable, RouteTableOutputs, RouteTableSpec, RouteTarget};
pub use security_group::{SecurityGroup, SecurityGroupOutputs, SecurityGroupSpec};
pub use security_group_rule::{Direction, SecurityGroupRule, SecurityGroupRuleOutputs, SecurityGroupRuleSpec};
pub(crate) use security_group_rule::{revoke, rules_of};
pub use subnet::{Subnet, SubnetOutputs, SubnetSpec};
pub use vpc::{Vpc, VpcOutputs, VpcSpec};
pub use vpc_endpoint::{EndpointKind, VpcEndpoint, VpcEndpointOutputs, VpcEndpointSpec};

use crate::{
    Aws,
    error::{Sent, classify},
    once::Once,
};
use aws_sdk_ec2::{
    config,
    types::{Filter, ResourceType, Tag, TagSpecification, UnsuccessfulItem},
};
use aws_types::request_id::RequestId;
use bedplate_model::{CallError, Id, TAG_STACK, Tags, Which};

/// EC2 takes up to 200 values in a filter.
const FILTER_VALUES: usize = 200;

/// The filters that select `which`: one per request. Filters leave out what does not exist; id parameters would fail.
fn filters(which: Which<'_>, id_filter: &str) -> Vec<Filter> {
    match which {
        Which::Ids(ids) => ids
            .chunks(FILTER_VALUES)
            .map(|ids| {
                let values = ids.iter().map(|id| id.as_str().to_owned()).collect();
                Filter::builder().name(id_filter).set_values(Some(values)).build()
            })
            .collect(),
        Which::Owned(stack) => {
            vec![Filter::builder().name(format!("tag:{TAG_STACK}")).values(stack.as_str()).build()]
        }
    }
}

/// Tags as EC2 answers them, without those that AWS sets itself.
pub(crate) fn tags(tags: &[Tag]) -> Tags {
    let pairs = tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned())));
    pairs.filter(|(key, _)| !key.starts_with("aws:")).collect()
}

/// Tags for a create call, so that nothing exists untagged for a moment.
fn tag_specification(resource: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(resource).set_tags(Some(to_tags(tags))).build()
}

fn to_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags of all EC2 resources are set and removed by the same two calls.
async fn retag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
    if !set.is_empty() {
        cloud.ec2.create_tags().resources(id.as_str()).set_tags(Some(to_tags(set))).send().await.sent()?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().map(|key| Tag::builder().key(key).build()).collect();
        cloud.ec2.delete_tags().resources(id.as_str()).set_tags(Some(keys)).send().await.sent()?;
    }
    Ok(())
}

/// For creates without a client token, which the SDK must not repeat.
fn once() -> config::Builder {
    config::Config::builder().retry_classifier(Once)
}

/// The first failure of a call that works on many things at once and answers with what it could not do.
fn all_done(operation: &str, answer: &impl RequestId, failures: &[UnsuccessfulItem]) -> Result<(), CallError> {
    let Some(error) = failures.iter().find_map(UnsuccessfulItem::error) else { return Ok(()) };
    let code = error.code().unwrap_or("Unknown").to_owned();
    let message = error.message().unwrap_or("AWS gave no message").to_owned();
    let class = classify(&code, &message);
    let request_id = answer.request_id().map(str::to_owned);
    Err(CallError { operation: operation.to_owned(), code, message, request_id, class })
}
