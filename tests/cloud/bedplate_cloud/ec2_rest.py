"""The rest of EC2: addresses, internet gateways, subnets' defaults, flow logs, and tags that outlive their resource."""

import random
from typing import Any

from moto.ec2.models import elastic_ip_addresses
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE

from .ec2 import backend, subnet, vpc
from .errors import AwsError
from .gateway import Call
from .registry import checks, handles

# DescribeTags names the type after the id's prefix, and moto's table has a name of its own for this one.
EC2_PREFIX_TO_RESOURCE["eipalloc"] = "elastic-ip"
EC2_PREFIX_TO_RESOURCE["fl"] = "vpc-flow-log"
EC2_PREFIX_TO_RESOURCE["vpce"] = "vpc-endpoint"
EC2_PREFIX_TO_RESOURCE["nat"] = "natgateway"
EC2_PREFIX_TO_RESOURCE["pl"] = "prefix-list"


def _public_ip() -> str:
    """An address that looks public; moto's are loopback addresses."""
    return f"52.{random.randint(0, 255)}.{random.randint(0, 255)}.{random.randint(1, 254)}"


elastic_ip_addresses.random_ip = _public_ip

# Operation -> the parameter with the ids of what is deleted at once, together with its tags.
DELETES = {
    "ec2:DeleteRouteTable": "RouteTableId",
    "ec2:DeleteInternetGateway": "InternetGatewayId",
    "ec2:DeleteFlowLogs": "FlowLogIds",
    "ec2:DeleteLaunchTemplate": "LaunchTemplateId",
    "ec2:DeleteNetworkInterface": "NetworkInterfaceId",
    "ec2:DeleteNetworkAcl": "NetworkAclId",
    "ec2:DeleteDhcpOptions": "DhcpOptionsId",
    "ec2:ReleaseAddress": "AllocationId",
}


@handles(*DELETES)
def delete_with_tags(call: Call) -> dict[str, Any]:
    """Delete, and forget the tags."""
    answer = call.forward()
    ids = call.params.get(DELETES[call.target.name]) or []
    for one in [ids] if isinstance(ids, str) else ids:
        backend(call).tags.pop(one, None)
    return answer


@checks("ec2:DeleteNetworkAcl")
def delete_acl(call: Call) -> None:
    """A VPC's default network ACL goes with the VPC."""
    acl = backend(call).network_acls.get(call.params["NetworkAclId"])
    if acl is not None and str(acl.default).lower() == "true":
        raise AwsError("InvalidParameterValue", f"cannot delete default network ACL {acl.id}")


@handles("ec2:CreateSubnet")
def create_subnet(call: Call) -> dict[str, Any]:
    """Moto takes the first subnet in a zone for the default one, public addresses included."""
    answer = call.forward()
    made = subnet(backend(call), answer["Subnet"]["SubnetId"])
    made.default_for_az = False
    made.map_public_ip_on_launch = False
    answer["Subnet"] |= {"DefaultForAz": False, "MapPublicIpOnLaunch": False}
    return answer


@handles("ec2:AllocateAddress")
def allocate_address(call: Call) -> dict[str, Any]:
    """Allocate an address."""
    return call.forward() | {"NetworkBorderGroup": call.region, "PublicIpv4Pool": "amazon"}


@handles("ec2:DescribeAddresses")
def describe_addresses(call: Call) -> dict[str, Any]:
    """List addresses; what an address is not associated with is absent, not empty."""
    answer = call.forward()
    rows = [{key: value for key, value in row.items() if value != ""} for row in answer.get("Addresses") or []]
    return {"Addresses": [row | {"NetworkBorderGroup": call.region, "PublicIpv4Pool": "amazon"} for row in rows]}


@checks("ec2:AttachInternetGateway")
def attach_internet_gateway(call: Call) -> None:
    """A VPC has one internet gateway."""
    ec2, vpc_id = backend(call), call.params["VpcId"]
    vpc(ec2, vpc_id)
    wanted = call.params["InternetGatewayId"]
    for gateway in ec2.internet_gateways.values():
        if gateway.vpc and gateway.vpc.id == vpc_id and gateway.id != wanted:
            raise AwsError("InvalidParameterValue", f"Network {vpc_id} already has an internet gateway attached")


@checks("ec2:CreateRoute", "ec2:ReplaceRoute")
def route_gateway(call: Call) -> None:
    """A route's internet gateway exists and is attached to the route table's VPC."""
    ec2, gateway_id = backend(call), call.params.get("GatewayId") or ""
    if not gateway_id.startswith("igw-"):
        return
    gateway = ec2.internet_gateways.get(gateway_id)
    if gateway is None:
        raise AwsError("InvalidGatewayID.NotFound", f"The gateway ID '{gateway_id}' does not exist")
    table = ec2.route_tables.get(call.params["RouteTableId"])
    if table is not None and (gateway.vpc is None or gateway.vpc.id != table.vpc_id):
        message = f"route table {table.id} and network gateway {gateway_id} belong to different networks"
        raise AwsError("InvalidParameterValue", message)


@handles("ec2:CreateFlowLogs")
def create_flow_logs(call: Call) -> dict[str, Any]:
    """Create flow logs; a log group may be named by its ARN, which moto takes for a bucket's."""
    destination = call.params.get("LogDestination") or ""
    if ":log-group:" not in destination:
        return {"ClientToken": call.params.get("ClientToken")} | call.forward()
    name = destination.split(":log-group:")[1].removesuffix(":*")
    answer = call.forward(LogDestination=None, LogGroupName=name)
    for log_id in answer.get("FlowLogIds") or []:
        backend(call).flow_logs[log_id].log_destination = destination
    return {"ClientToken": call.params.get("ClientToken")} | answer


@checks("ec2:ModifyVpcAttribute", "ec2:ModifySubnetAttribute")
def one_attribute(call: Call) -> None:
    """One attribute is changed per call."""
    given = [key for key in call.params if key not in ("VpcId", "SubnetId", "DryRun")]
    if len(given) > 1:
        raise AwsError(
            "InvalidParameterCombination", "Fields for multiple attribute types specified: " + ", ".join(given)
        )


@checks("ec2:CreateTags", "ec2:DeleteTags")
def reserved_tags(call: Call) -> None:
    """Tags that AWS sets are not the caller's to set or remove."""
    for tag in call.params.get("Tags") or []:
        if tag.get("Key", "").startswith("aws:"):
            message = "Tag keys starting with 'aws:' are reserved for internal use"
            raise AwsError("InvalidParameterValue", message)
