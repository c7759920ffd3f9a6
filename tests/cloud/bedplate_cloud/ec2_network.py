"""Zones, and what EC2 refuses to delete while something still depends on it."""

from typing import Any

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from .ec2 import all_groups, all_subnets, backend, filtered, group, subnet, vpc
from .errors import AwsError
from .gateway import Call
from .registry import checks, handles

# The letters are shuffled per account; only the ids mean the same place to everyone.
US_EAST_1 = {"a": "az4", "b": "az6", "c": "az1", "d": "az2", "e": "az3", "f": "az5"}
for _zone in RegionsAndZonesBackend.zones["us-east-1"]:
    _zone.zone_id = f"use1-{US_EAST_1[_zone.name[-1]]}"


def violation(message: str) -> AwsError:
    """The error for anything that is still in use."""
    return AwsError("DependencyViolation", message)


@handles("ec2:DescribeAvailabilityZones")
def describe_zones(call: Call) -> dict[str, Any]:
    """List zones; local zones, which nobody opted in to, only when all zones are asked for."""
    region = call.region
    rows = [_zone_row(region, one.name, one.zone_id) for one in backend(call).describe_availability_zones()]
    if call.params.get("AllAvailabilityZones"):
        rows.append(_local_zone(region))
    for parameter, key in (("ZoneNames", "ZoneName"), ("ZoneIds", "ZoneId")):
        wanted = call.params.get(parameter) or []
        known = {row[key] for row in rows}
        for one in wanted:
            if one not in known:
                raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{one}]")
        rows = [row for row in rows if not wanted or row[key] in wanted]
    fields = {
        "group-name": lambda row: row["GroupName"],
        "opt-in-status": lambda row: row["OptInStatus"],
        "region-name": lambda row: row["RegionName"],
        "state": lambda row: row["State"],
        "zone-id": lambda row: row["ZoneId"],
        "zone-name": lambda row: row["ZoneName"],
        "zone-type": lambda row: row["ZoneType"],
    }
    return {"AvailabilityZones": filtered(call, rows, fields)}


def _zone_row(region: str, name: str, zone_id: str) -> dict[str, Any]:
    return {
        "ZoneName": name,
        "ZoneId": zone_id,
        "ZoneType": "availability-zone",
        "State": "available",
        "RegionName": region,
        "OptInStatus": "opt-in-not-required",
        "GroupName": f"{region}-zg-1",
        "NetworkBorderGroup": region,
        "Messages": [],
    }


def _local_zone(region: str) -> dict[str, Any]:
    row = _zone_row(region, f"{region}-bos-1a", f"{region.replace('-', '')}-bos1-az1")
    changes = {"ZoneType": "local-zone", "OptInStatus": "not-opted-in"}
    return row | changes | {"GroupName": f"{region}-bos-1", "NetworkBorderGroup": f"{region}-bos-1"}


@checks("ec2:CreateSubnet")
def subnet_zone(call: Call) -> None:
    """Refuse a zone this region does not have."""
    zones = backend(call).describe_availability_zones()
    name, zone_id = call.params.get("AvailabilityZone"), call.params.get("AvailabilityZoneId")
    if name and name not in [zone.name for zone in zones]:
        raise AwsError("InvalidParameterValue", f"Value ({name}) for parameter availabilityZone is invalid.")
    if zone_id and zone_id not in [zone.zone_id for zone in zones]:
        raise AwsError("InvalidParameterValue", f"Value ({zone_id}) for parameter availabilityZoneId is invalid.")


@checks("ec2:DeleteSubnet")
def delete_subnet(call: Call) -> None:
    """A subnet with interfaces in it (of NAT gateways, endpoints, clusters, nodes) stays."""
    ec2 = backend(call)
    subnet_id = subnet(ec2, call.params["SubnetId"]).id
    if any(interface.subnet.id == subnet_id for interface in ec2.enis.values()):
        raise violation(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")


@handles("ec2:DeleteSubnet")
def forget_subnet(call: Call) -> dict[str, Any]:
    """Delete a subnet with its route-table association and its tags, which moto leaves behind."""
    ec2, subnet_id = backend(call), call.params["SubnetId"]
    result = call.forward()
    for table in ec2.route_tables.values():
        for association, target in list(table._associations.items()):
            if target == subnet_id:
                del table._associations[association]
    for acl in ec2.network_acls.values():
        for association, link in list(acl._associations.items()):
            if link.subnet_id == subnet_id:
                del acl._associations[association]
    ec2.tags.pop(subnet_id, None)
    return result


@handles("ec2:DeleteVpc")
def delete_vpc(call: Call) -> dict[str, Any]:
    """Delete an empty VPC with what AWS made for it: default group, main route table, default network ACL."""
    ec2 = backend(call)
    network = vpc(ec2, call.params["VpcId"])
    if any(_tenants(ec2, network.id)):
        raise violation(f"The vpc '{network.id}' has dependencies and cannot be deleted.")
    # Moto would delete the DHCP options with the VPC; they are a resource of their own.
    if network.dhcp_options is not None:
        network.dhcp_options.vpc = None
        network.dhcp_options = None
    result = call.forward()
    for acl_id, acl in list(ec2.network_acls.items()):
        if acl.vpc_id == network.id:
            del ec2.network_acls[acl_id]
    for log_id, log in list(ec2.flow_logs.items()):
        if log.resource_id == network.id:
            del ec2.flow_logs[log_id]
    ec2.groups.pop(network.id, None)
    ec2.tags.pop(network.id, None)
    return result


def _tenants(ec2: Any, vpc_id: str) -> list[Any]:
    """Everything in a VPC that has to go before it."""
    return [
        *(one for one in all_subnets(ec2) if one.vpc_id == vpc_id),
        *(one for one in ec2.internet_gateways.values() if one.vpc and one.vpc.id == vpc_id),
        *(one for one in ec2.egress_only_internet_gateways.values() if one.vpc_id == vpc_id),
        *(one for one in ec2.groups.get(vpc_id, {}).values() if not is_default_group(one)),
        *(one for one in ec2.vpc_end_points.values() if one.vpc_id == vpc_id),
        *(one for one in ec2.nat_gateways.values() if one.vpc_id == vpc_id and one.state not in ("deleted", "failed")),
        *(one for one in ec2.enis.values() if one.subnet.vpc_id == vpc_id),
        *(one for one in ec2.route_tables.values() if one.vpc_id == vpc_id and one.main_association_id is None),
        *(one for one in ec2.network_acls.values() if one.vpc_id == vpc_id and not _is_default_acl(one)),
    ]


def is_default_group(one: Any) -> bool:
    """The group that a VPC is born with."""
    return one.name == "default"


def _is_default_acl(acl: Any) -> bool:
    return str(acl.default).lower() == "true"


@checks("ec2:DetachInternetGateway")
def detach_internet_gateway(call: Call) -> None:
    """A VPC with public addresses in use keeps its internet gateway."""
    ec2, vpc_id = backend(call), call.params["VpcId"]
    mapped = [one for one in ec2.enis.values() if one.subnet.vpc_id == vpc_id and one.public_ip]
    if mapped:
        message = f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
        raise violation(message)


@checks("ec2:DeleteSecurityGroup")
def delete_group(call: Call) -> None:
    """A group that interfaces use or that other groups' rules name stays."""
    ec2 = backend(call)
    group_id = call.params.get("GroupId")
    if not group_id:
        return
    doomed = group(ec2, group_id)
    if is_default_group(doomed):
        message = f'the specified group: "{group_id}" name: "default" cannot be deleted by a user'
        raise AwsError("CannotDelete", message)
    used = any(doomed in interface.group_set for interface in ec2.enis.values())
    used = used or any(group_id in getattr(one, "security_group_ids", []) for one in ec2.vpc_end_points.values())
    if used or any(_names(other, group_id) for other in all_groups(ec2) if other is not doomed):
        raise violation(f"resource {group_id} has a dependent object")


def _names(other: Any, group_id: str) -> bool:
    rules = [*other.ingress_rules, *other.egress_rules]
    return any(rule.source_group.get("GroupId") == group_id for rule in rules)


@checks("ec2:DeleteRouteTable")
def delete_route_table(call: Call) -> None:
    """A VPC's main route table goes with the VPC only."""
    table = backend(call).route_tables.get(call.params["RouteTableId"])
    if table is not None and table.main_association_id is not None:
        raise violation(f"The routeTable '{table.id}' has dependencies and cannot be deleted.")


@checks("ec2:ReleaseAddress")
def release_address(call: Call) -> None:
    """An address in use is not released."""
    for address in backend(call).addresses:
        if address.allocation_id == call.params.get("AllocationId") and address.association_id:
            raise AwsError("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")


@checks("ec2:DisassociateAddress")
def disassociate_address(call: Call) -> None:
    """A NAT gateway's address belongs to the gateway until it is deleted."""
    for address in backend(call).addresses:
        ours = address.association_id and address.association_id == call.params.get("AssociationId")
        if ours and address.eni is not None and address.eni.interface_type == "nat_gateway":
            raise AwsError("AuthFailure", "You do not have permission to access the specified resource.")


@checks("ec2:DeleteNetworkInterface")
def delete_interface(call: Call) -> None:
    """An interface in use, above all one that a service owns, is not deleted."""
    interface = backend(call).enis.get(call.params["NetworkInterfaceId"])
    if interface is not None and interface.status == "in-use":
        message = f"Network interface '{interface.id}' is currently in use."
        raise AwsError("InvalidParameterValue", message)


@checks("ec2:CreateRoute", "ec2:ReplaceRoute")
def route_target(call: Call) -> None:
    """Refuse a route to a NAT gateway that does not exist or is going."""
    ec2, gateway_id = backend(call), call.params.get("NatGatewayId")
    if gateway_id is None:
        return
    gateway = ec2.nat_gateways.get(gateway_id)
    if gateway is None:
        raise AwsError("InvalidNatGatewayID.NotFound", f"The natGateway ID '{gateway_id}' does not exist")
    if gateway.state in ("deleting", "deleted", "failed"):
        raise AwsError("InvalidGatewayID.NotFound", f"The gateway ID '{gateway_id}' does not exist")
    if call.target.operation == "CreateRoute":
        _free_destination(ec2, call)


def _free_destination(ec2: Any, call: Call) -> None:
    table = ec2.route_tables.get(call.params["RouteTableId"])
    wanted = call.params.get("DestinationCidrBlock")
    if table and any(route.local and route.destination_cidr_block == wanted for route in table.routes):
        raise AwsError("RouteAlreadyExists", f"The route identified by {wanted} already exists.")


@checks("ec2:AssociateRouteTable")
def associate_route_table(call: Call) -> None:
    """A subnet has one route table; moving it is ReplaceRouteTableAssociation's job."""
    ec2, wanted = backend(call), call.params.get("SubnetId")
    table = ec2.route_tables.get(call.params["RouteTableId"])
    if table is None:
        raise AwsError(
            "InvalidRouteTableID.NotFound", f"The routeTable ID '{call.params['RouteTableId']}' does not exist"
        )
    if wanted is None:
        return
    if subnet(ec2, wanted).vpc_id != table.vpc_id:
        raise AwsError(
            "InvalidParameterValue", f"Route table {table.id} and subnet {wanted} belong to different networks"
        )
    for other in ec2.route_tables.values():
        if other is not table and wanted in other._associations.values():
            message = f"the specified association for route table {other.id} conflicts with an existing association"
            raise AwsError("Resource.AlreadyAssociated", message)
