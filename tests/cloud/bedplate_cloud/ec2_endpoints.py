"""VPC endpoints, their interfaces and routes, the services they lead to and the managed prefix lists."""

import json
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models.vpcs import AWS_ENDPOINT_SERVICES, VPCEndPoint
from moto.ec2.utils import random_vpc_ep_id

from . import clock, settings
from .ec2 import backend, filtered, group, managed_interface, remove_interface, subnet, tag_list, tags_for, vpc
from .errors import AwsError
from .gateway import Call
from .registry import handles

GATEWAY_SERVICES = ("s3", "dynamodb")
DEFAULT_POLICY = json.dumps(VPCEndPoint.DEFAULT_POLICY)
FIELDS = {
    "ip-address-type": lambda row: row.get("IpAddressType"),
    "service-name": lambda row: row["ServiceName"],
    "vpc-endpoint-id": lambda row: row["VpcEndpointId"],
    "vpc-endpoint-state": lambda row: row["State"],
    "vpc-endpoint-type": lambda row: row["VpcEndpointType"],
    "vpc-id": lambda row: row["VpcId"],
}


class Endpoint(VPCEndPoint):
    """An endpoint kept where moto's routes look for it."""

    def __init__(self, ec2: Any, params: dict[str, Any], tags: dict[str, str]) -> None:
        self.ec2_backend = ec2
        self.id = random_vpc_ep_id()
        self.vpc_id = params["VpcId"]
        self.service_name = params["ServiceName"]
        self.vpc_endpoint_type = params.get("VpcEndpointType") or "Gateway"
        self.state = "available"
        self.policy_document = params.get("PolicyDocument") or DEFAULT_POLICY
        self.route_table_ids: list[str] = []
        self.subnet_ids: list[str] = []
        self.security_group_ids: list[str] = []
        self.interfaces: dict[str, str] = {}
        self.private_dns_enabled = False
        self.created = clock.timestamp()
        self.creation_timestamp = utcnow()
        self.add_tags(tags)

    @property
    def is_interface(self) -> bool:
        """Whether the endpoint is interfaces in subnets rather than routes in route tables."""
        return self.vpc_endpoint_type == "Interface"


@handles("ec2:CreateVpcEndpoint")
def create(call: Call) -> dict[str, Any]:
    """Create an endpoint; an interface endpoint is pending for a while."""
    ec2, params = backend(call), call.params
    network = vpc(ec2, params["VpcId"])
    _known_service(call, params.get("ServiceName", ""), params.get("VpcEndpointType") or "Gateway")
    tags = tags_for(params, "vpc-endpoint")
    if (params.get("VpcEndpointType") or "Gateway") == "Interface":
        endpoint = _create_interface(ec2, network, params, tags)
    else:
        endpoint = _create_gateway(ec2, params, tags)
    ec2.vpc_end_points[endpoint.id] = endpoint
    return {"VpcEndpoint": _row(ec2, endpoint), "ClientToken": params.get("ClientToken")}


def _known_service(call: Call, name: str, kind: str) -> None:
    for service in _services(call):
        if service["ServiceName"] == name and kind in [one["ServiceType"] for one in service["ServiceType"]]:
            return
    raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")


def _create_gateway(ec2: Any, params: dict[str, Any], tags: dict[str, str]) -> Endpoint:
    if params.get("SubnetIds") or params.get("SecurityGroupIds") or params.get("PrivateDnsEnabled"):
        raise AwsError(
            "InvalidParameter", "Endpoint type (Gateway) does not take subnets, security groups or private DNS."
        )
    tables = params.get("RouteTableIds") or []
    _check_tables(ec2, params["VpcId"], params["ServiceName"], tables)
    endpoint = Endpoint(ec2, params, tags)
    ec2.vpc_end_points[endpoint.id] = endpoint
    for table in tables:
        _add_route(ec2, endpoint, table)
    return endpoint


def _check_tables(ec2: Any, vpc_id: str, service: str, tables: list[str]) -> None:
    prefix_list = prefix_list_of(ec2, service)
    for table_id in tables:
        table = ec2.route_tables.get(table_id)
        if table is None:
            raise AwsError("InvalidRouteTableId.NotFound", f"The routeTable ID '{table_id}' does not exist")
        if table.vpc_id != vpc_id:
            raise AwsError("InvalidParameter", f"Route table {table_id} does not belong to network {vpc_id}")
        if any(route.destination_prefix_list_id == prefix_list.id for route in table.routes):
            message = f"route table {table_id} already has a route with destination-prefix-list-id {prefix_list.id}"
            raise AwsError("RouteAlreadyExists", message)


def prefix_list_of(ec2: Any, service: str) -> Any:
    """The managed prefix list of a gateway service."""
    for one in ec2.managed_prefix_lists.values():
        if one.prefix_list_name == service:
            return one
    raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{service}' does not exist")


def _add_route(ec2: Any, endpoint: Endpoint, table_id: str) -> None:
    prefix_list = prefix_list_of(ec2, endpoint.service_name)
    ec2.create_route(table_id, None, gateway_id=endpoint.id, destination_prefix_list_id=prefix_list.id)
    endpoint.route_table_ids.append(table_id)


def _remove_route(ec2: Any, endpoint: Endpoint, table_id: str) -> None:
    table = ec2.route_tables.get(table_id)
    if table is not None:
        kept = {key: route for key, route in table._routes.items() if route.gateway is not endpoint}
        table._routes.clear()
        table._routes.update(kept)
    endpoint.route_table_ids.remove(table_id)


def _create_interface(ec2: Any, network: Any, params: dict[str, Any], tags: dict[str, str]) -> Endpoint:
    if params.get("RouteTableIds"):
        raise AwsError("InvalidParameter", "Endpoint type (Interface) does not take route tables.")
    subnets, groups = params.get("SubnetIds") or [], params.get("SecurityGroupIds") or []
    _check_subnets(ec2, network.id, subnets)
    for one in groups:
        _check_group(ec2, network.id, one)
    private_dns = params.get("PrivateDnsEnabled", True)
    if private_dns:
        _check_private_dns(ec2, network, params["ServiceName"])
    endpoint = Endpoint(ec2, params, tags)
    endpoint.private_dns_enabled = private_dns
    endpoint.security_group_ids = groups or [ec2.get_default_security_group(network.id).id]
    for one in subnets:
        _add_subnet(ec2, endpoint, one)
    endpoint.state = "pending"
    clock.later(settings.durations["vpc-endpoint.create"], lambda: _available(endpoint))
    return endpoint


def _available(endpoint: Endpoint) -> None:
    if endpoint.state == "pending":
        endpoint.state = "available"


def _check_subnets(ec2: Any, vpc_id: str, subnets: list[str]) -> None:
    zones: set[str] = set()
    for one in subnets:
        where = subnet(ec2, one)
        if where.vpc_id != vpc_id:
            raise AwsError("InvalidParameter", f"Subnet {one} does not belong to network {vpc_id}")
        if where.availability_zone in zones:
            message = (
                f"Found another VPC endpoint subnet in the availability zone of {one}. VPC endpoint subnets should be in "
                "different availability zones supported by the VPC endpoint service."
            )
            raise AwsError("DuplicateSubnetsInSameZone", message)
        zones.add(where.availability_zone)


def _check_group(ec2: Any, vpc_id: str, group_id: str) -> None:
    if group(ec2, group_id).vpc_id != vpc_id:
        raise AwsError("InvalidParameter", f"Security group {group_id} does not belong to network {vpc_id}")


def _check_private_dns(ec2: Any, network: Any, service: str) -> None:
    if not (str(network.enable_dns_support).lower() == "true" and str(network.enable_dns_hostnames).lower() == "true"):
        message = (
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for "
            f"{network.id}"
        )
        raise AwsError("InvalidParameter", message)
    for other in ec2.vpc_end_points.values():
        same = other.vpc_id == network.id and other.service_name == service
        if same and other.is_interface and other.private_dns_enabled:
            message = (
                "private-dns-enabled cannot be set because there is already a conflicting DNS domain for "
                f"{private_dns_name(service)} in the VPC {network.id}"
            )
            raise AwsError("InvalidParameter", message)


def private_dns_name(service: str) -> str:
    """The name a service has inside the VPC: `com.amazonaws.us-east-1.ecr.api` is `api.ecr.us-east-1.amazonaws.com`."""
    _, _, region, *names = service.split(".")
    return ".".join([*reversed(names), region, "amazonaws.com"])


def _add_subnet(ec2: Any, endpoint: Endpoint, subnet_id: str) -> None:
    description = f"VPC Endpoint Interface {endpoint.id}"
    interface = managed_interface(ec2, subnet_id, description, "vpc_endpoint", endpoint.security_group_ids)
    endpoint.interfaces[subnet_id] = interface.id
    endpoint.subnet_ids.append(subnet_id)


@handles("ec2:ModifyVpcEndpoint")
def modify(call: Call) -> dict[str, Any]:
    """Change policy, subnets, groups, route tables or private DNS."""
    ec2, params = backend(call), call.params
    endpoint = _endpoint(ec2, params["VpcEndpointId"])
    network = vpc(ec2, endpoint.vpc_id)
    _modify_tables(ec2, endpoint, params)
    _modify_subnets(ec2, endpoint, params)
    _modify_groups(ec2, endpoint, params)
    if params.get("PolicyDocument"):
        endpoint.policy_document = params["PolicyDocument"]
    if params.get("ResetPolicy"):
        endpoint.policy_document = DEFAULT_POLICY
    wanted = params.get("PrivateDnsEnabled")
    if wanted is not None and wanted != endpoint.private_dns_enabled:
        if wanted:
            _check_private_dns(ec2, network, endpoint.service_name)
        endpoint.private_dns_enabled = wanted
    return {"Return": True}


def _modify_tables(ec2: Any, endpoint: Endpoint, params: dict[str, Any]) -> None:
    added = [one for one in params.get("AddRouteTableIds") or [] if one not in endpoint.route_table_ids]
    _check_tables(ec2, endpoint.vpc_id, endpoint.service_name, added) if added else None
    for table in added:
        _add_route(ec2, endpoint, table)
    for table in params.get("RemoveRouteTableIds") or []:
        if table in endpoint.route_table_ids:
            _remove_route(ec2, endpoint, table)


def _modify_subnets(ec2: Any, endpoint: Endpoint, params: dict[str, Any]) -> None:
    removed = [one for one in params.get("RemoveSubnetIds") or [] if one in endpoint.subnet_ids]
    added = [one for one in params.get("AddSubnetIds") or [] if one not in endpoint.subnet_ids]
    _check_subnets(ec2, endpoint.vpc_id, [one for one in endpoint.subnet_ids if one not in removed] + added)
    for one in removed:
        remove_interface(ec2, endpoint.interfaces.pop(one))
        endpoint.subnet_ids.remove(one)
    for one in added:
        _add_subnet(ec2, endpoint, one)


def _modify_groups(ec2: Any, endpoint: Endpoint, params: dict[str, Any]) -> None:
    for one in params.get("AddSecurityGroupIds") or []:
        _check_group(ec2, endpoint.vpc_id, one)
        if one not in endpoint.security_group_ids:
            endpoint.security_group_ids.append(one)
    for one in params.get("RemoveSecurityGroupIds") or []:
        if one in endpoint.security_group_ids:
            endpoint.security_group_ids.remove(one)
    for interface_id in endpoint.interfaces.values():
        ec2.enis[interface_id]._group_set = [group(ec2, one) for one in endpoint.security_group_ids]


def _endpoint(ec2: Any, endpoint_id: str) -> Endpoint:
    endpoint = ec2.vpc_end_points.get(endpoint_id)
    if endpoint is None:
        raise AwsError("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{endpoint_id}' does not exist")
    return endpoint


@handles("ec2:DeleteVpcEndpoints")
def delete(call: Call) -> dict[str, Any]:
    """Start deleting; ids that do not exist are reported in the answer, not as an error."""
    ec2 = backend(call)
    unsuccessful = []
    for endpoint_id in call.params.get("VpcEndpointIds") or []:
        endpoint = ec2.vpc_end_points.get(endpoint_id)
        if endpoint is None:
            error = {
                "Code": "InvalidVpcEndpoint.NotFound",
                "Message": f"The Vpc Endpoint Id '{endpoint_id}' does not exist",
            }
            unsuccessful.append({"ResourceId": endpoint_id, "Error": error})
        elif endpoint.state != "deleting":
            _start_delete(ec2, endpoint)
    return {"Unsuccessful": unsuccessful}


def _start_delete(ec2: Any, endpoint: Endpoint) -> None:
    endpoint.state = "deleting"
    # The name is free for another endpoint as soon as this one starts to go.
    endpoint.private_dns_enabled = False
    for table in list(endpoint.route_table_ids):
        _remove_route(ec2, endpoint, table)
    seconds = settings.durations["vpc-endpoint.delete"] if endpoint.is_interface else 0
    clock.later(seconds, lambda: _deleted(ec2, endpoint))


def _deleted(ec2: Any, endpoint: Endpoint) -> None:
    ec2.vpc_end_points.pop(endpoint.id, None)
    ec2.tags.pop(endpoint.id, None)
    for interface_id in endpoint.interfaces.values():
        # The interfaces outlive their endpoint, which is what makes a subnet undeletable for minutes.
        clock.later(settings.durations["vpc-endpoint.linger"], lambda one=interface_id: remove_interface(ec2, one))


@handles("ec2:DescribeVpcEndpoints")
def describe(call: Call) -> dict[str, Any]:
    """List endpoints."""
    ec2 = backend(call)
    wanted = call.params.get("VpcEndpointIds") or []
    for one in wanted:
        _endpoint(ec2, one)
    rows = [_row(ec2, one) for one in ec2.vpc_end_points.values() if not wanted or one.id in wanted]
    return {"VpcEndpoints": filtered(call, rows, FIELDS)}


def _row(ec2: Any, endpoint: Endpoint) -> dict[str, Any]:
    groups = [group(ec2, one) for one in endpoint.security_group_ids]
    return {
        "VpcEndpointId": endpoint.id,
        "VpcEndpointType": endpoint.vpc_endpoint_type,
        "VpcId": endpoint.vpc_id,
        "ServiceName": endpoint.service_name,
        "ServiceRegion": ec2.region_name,
        "State": endpoint.state,
        "PolicyDocument": endpoint.policy_document,
        "RouteTableIds": list(endpoint.route_table_ids),
        "SubnetIds": list(endpoint.subnet_ids),
        "Groups": [{"GroupId": one.id, "GroupName": one.name} for one in groups],
        "IpAddressType": "ipv4",
        "PrivateDnsEnabled": endpoint.private_dns_enabled,
        "RequesterManaged": False,
        "NetworkInterfaceIds": list(endpoint.interfaces.values()),
        "DnsEntries": _dns_entries(ec2, endpoint),
        "CreationTimestamp": endpoint.created,
        "Tags": tag_list(ec2, endpoint.id),
        "OwnerId": settings.ACCOUNT,
    }


def _dns_entries(ec2: Any, endpoint: Endpoint) -> list[dict[str, str]]:
    if not endpoint.is_interface:
        return []
    base = f"{endpoint.id}-{endpoint.id[-8:]}"
    names = endpoint.service_name.split(".")[3:]
    host = f"{'.'.join(reversed(names))}.{ec2.region_name}.vpce.amazonaws.com"
    entries = [f"{base}.{host}"]
    zones = sorted(subnet(ec2, one).availability_zone for one in endpoint.subnet_ids)
    entries += [f"{base}-{zone}.{host}" for zone in zones]
    rows = [{"DnsName": name, "HostedZoneId": "Z7HUB22UULQXV"} for name in entries]
    if endpoint.private_dns_enabled:
        private = {"DnsName": private_dns_name(endpoint.service_name), "HostedZoneId": "Z0" + endpoint.id[-17:].upper()}
        rows.append(private)
    return rows


def _services(call: Call) -> list[dict[str, Any]]:
    zones = [zone.name for zone in backend(call).describe_availability_zones()]
    names = sorted(set(AWS_ENDPOINT_SERVICES) | {"eks", "eks-auth", "ecr.api", "ecr.dkr", "s3", "dynamodb"})
    return [_service(call.region, zones, name, kind) for name in names for kind in _kinds(name)]


def _kinds(name: str) -> list[str]:
    return ["Gateway", "Interface"] if name in GATEWAY_SERVICES else ["Interface"]


def _service(region: str, zones: list[str], name: str, kind: str) -> dict[str, Any]:
    full = f"com.amazonaws.{region}.{name}"
    service = {
        "ServiceName": full,
        "ServiceId": f"vpce-svc-{abs(hash_of(full + kind)):017x}",
        "ServiceType": [{"ServiceType": kind}],
        "ServiceRegion": region,
        "AvailabilityZones": zones,
        "Owner": "amazon",
        "BaseEndpointDnsNames": [private_dns_name(full)],
        "VpcEndpointPolicySupported": True,
        "AcceptanceRequired": False,
        "ManagesVpcEndpoints": False,
        "SupportedIpAddressTypes": ["ipv4"],
        "Tags": [],
    }
    if kind == "Interface":
        service |= {
            "PrivateDnsName": private_dns_name(full),
            "PrivateDnsNames": [{"PrivateDnsName": private_dns_name(full)}],
            "PrivateDnsNameVerificationState": "verified",
        }
    return service


def hash_of(text: str) -> int:
    """A number that is the same in every process, for made-up ids."""
    import hashlib

    return int(hashlib.sha256(text.encode()).hexdigest()[:17], 16)


@handles("ec2:DescribeVpcEndpointServices")
def describe_services(call: Call) -> dict[str, Any]:
    """List the services an endpoint can lead to; a gateway service is listed once per type, as on AWS."""
    rows = _services(call)
    wanted = call.params.get("ServiceNames") or []
    known = {row["ServiceName"] for row in rows}
    for one in wanted:
        if one not in known:
            raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{one}' does not exist")
    rows = [row for row in rows if not wanted or row["ServiceName"] in wanted]
    fields = {
        "owner": lambda row: row["Owner"],
        "service-name": lambda row: row["ServiceName"],
        "service-region": lambda row: row["ServiceRegion"],
        "service-type": lambda row: [one["ServiceType"] for one in row["ServiceType"]],
        "supported-ip-address-types": lambda row: row["SupportedIpAddressTypes"],
    }
    rows = filtered(call, rows, fields)
    return {"ServiceNames": sorted({row["ServiceName"] for row in rows}), "ServiceDetails": rows}
