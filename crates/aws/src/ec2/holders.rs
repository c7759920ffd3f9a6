//! What keeps a VPC, a subnet or a security group from being deleted: read to be named.

use crate::{Aws, error::Sent};
use aws_sdk_ec2::types::{Filter, NetworkInterface, Tag};
use bedplate_model::{CallError, Id, Outsider};

/// What keeps a subnet: the network interfaces in it (EC2: DeleteSubnet).
pub(super) async fn holders_of_subnet(cloud: &Aws, id: &Id) -> Result<Vec<Outsider>, CallError> {
    Ok(interfaces(cloud, vec![filter("subnet-id", id)]).await?.iter().filter_map(interface).collect())
}

/// What keeps a security group: interfaces that have it, and groups whose rules name it (EC2: DeleteSecurityGroup).
pub(crate) async fn holders_of_group(cloud: &Aws, id: &Id) -> Result<Vec<Outsider>, CallError> {
    let mut found: Vec<Outsider> =
        interfaces(cloud, vec![filter("group-id", id)]).await?.iter().filter_map(interface).collect();
    for name in ["ip-permission.group-id", "egress.ip-permission.group-id"] {
        found.extend(groups(cloud, filter(name, id)).await?.into_iter().filter(|group| group.id != *id));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// What keeps a VPC: whatever is in it or attached to it, except what AWS made with it (VPC User Guide: Delete your VPC).
pub(super) async fn holders_of_vpc(cloud: &Aws, id: &Id) -> Result<Vec<Outsider>, CallError> {
    let mut found: Vec<Outsider> =
        interfaces(cloud, vec![filter("vpc-id", id)]).await?.iter().filter_map(interface).collect();
    let mut pages = cloud.ec2.describe_subnets().filters(filter("vpc-id", id)).into_paginator().items().send();
    while let Some(subnet) = pages.next().await {
        let subnet = subnet.sent()?;
        found.extend(outsider("ec2.subnet", subnet.subnet_id(), name(subnet.tags())));
    }
    found.extend(groups(cloud, filter("vpc-id", id)).await?);
    let request = cloud.ec2.describe_vpc_endpoints().filters(filter("vpc-id", id));
    let mut pages = request.into_paginator().items().send();
    while let Some(endpoint) = pages.next().await {
        let endpoint = endpoint.sent()?;
        found.extend(outsider("ec2.vpc_endpoint", endpoint.vpc_endpoint_id(), endpoint.service_name()));
    }
    let request = cloud.ec2.describe_internet_gateways().filters(filter("attachment.vpc-id", id));
    for gateway in request.send().await.sent()?.internet_gateways() {
        found.extend(outsider("ec2.internet_gateway", gateway.internet_gateway_id(), name(gateway.tags())));
    }
    let request = cloud.ec2.describe_route_tables().filters(filter("vpc-id", id));
    for table in request.send().await.sent()?.route_tables() {
        let main = table.associations().iter().any(|association| association.main() == Some(true));
        let table = outsider("ec2.route_table", table.route_table_id(), name(table.tags()));
        found.extend(table.filter(|_| !main));
    }
    Ok(found)
}

/// Network interfaces.
pub(crate) async fn interfaces(cloud: &Aws, filters: Vec<Filter>) -> Result<Vec<NetworkInterface>, CallError> {
    let request = cloud.ec2.describe_network_interfaces().set_filters(Some(filters));
    let (mut pages, mut found) = (request.into_paginator().items().send(), Vec::new());
    while let Some(interface) = pages.next().await {
        found.push(interface.sent()?);
    }
    Ok(found)
}

/// An interface with its description and who uses it.
fn interface(interface: &NetworkInterface) -> Option<Outsider> {
    let attachment = interface.attachment();
    let description = interface.description().filter(|text| !text.is_empty()).map(str::to_owned);
    let user = match (attachment.and_then(|it| it.instance_id()), attachment.and_then(|it| it.instance_owner_id())) {
        (Some(instance), _) => Some(format!("attached to {instance}")),
        (None, Some(owner)) => Some(format!("attached by {owner}")),
        (None, None) => interface.status().map(|status| status.as_str().to_owned()),
    };
    let maker = interface.requester_id().map(|maker| format!("made by {maker}"));
    let about: Vec<String> = [description, user, maker].into_iter().flatten().collect();
    outsider("ec2.network_interface", interface.network_interface_id(), Some(&about.join(", ")))
}

async fn groups(cloud: &Aws, filter: Filter) -> Result<Vec<Outsider>, CallError> {
    let mut pages = cloud.ec2.describe_security_groups().filters(filter).into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(group) = pages.next().await {
        let group = group.sent()?;
        // It comes and goes with its VPC.
        if group.group_name() != Some("default") {
            found.extend(outsider("ec2.security_group", group.group_id(), group.group_name()));
        }
    }
    Ok(found)
}

fn outsider(kind: &str, id: Option<&str>, about: Option<&str>) -> Option<Outsider> {
    Some(Outsider::new(kind, id?, about.unwrap_or_default()))
}

fn name(tags: &[Tag]) -> Option<&str> {
    tags.iter().find(|tag| tag.key() == Some("Name")).and_then(Tag::value)
}

fn filter(name: &str, id: &Id) -> Filter {
    Filter::builder().name(name).values(id.as_str()).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{NetworkInterfaceAttachment, NetworkInterfaceStatus};

    #[test]
    fn an_interface_says_what_it_is_and_who_uses_it() {
        let sdk = NetworkInterface::builder().network_interface_id("eni-1").status(NetworkInterfaceStatus::InUse);
        let attachment = NetworkInterfaceAttachment::builder().instance_owner_id("amazon-elb").build();
        let managed = sdk.clone().description("ELB app/a/1").requester_id("amazon-elb").attachment(attachment).build();
        let told = interface(&managed).unwrap().to_string();
        assert_eq!(told, "ec2.network_interface eni-1 (ELB app/a/1, attached by amazon-elb, made by amazon-elb)");
        let attachment = NetworkInterfaceAttachment::builder().instance_owner_id("1").instance_id("i-1").build();
        let plain = sdk.clone().description("").attachment(attachment).build();
        assert_eq!(interface(&plain).unwrap().to_string(), "ec2.network_interface eni-1 (attached to i-1)");
        assert_eq!(interface(&sdk.build()).unwrap().to_string(), "ec2.network_interface eni-1 (in-use)");
    }
}
