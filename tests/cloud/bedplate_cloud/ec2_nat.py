"""NAT gateways: they take time to come and to go, and stay visible for a while after they are gone."""

from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.route_tables import Route
from moto.ec2.utils import random_nat_gateway_id

from . import clock, settings
from .ec2 import backend, filtered, managed_interface, remove_interface, subnet, tag_list, tags_for
from .errors import AwsError
from .gateway import Call
from .registry import handles

FIELDS = {
    "nat-gateway-id": lambda row: row["NatGatewayId"],
    "state": lambda row: row["State"],
    "subnet-id": lambda row: row["SubnetId"],
    "vpc-id": lambda row: row["VpcId"],
}


class Gateway(NatGateway):
    """A NAT gateway kept where moto's routes look for it."""

    def __init__(self, ec2: Any, where: Any, kind: str, tags: dict[str, str]) -> None:
        self.id = random_nat_gateway_id()
        self.ec2_backend = ec2
        self.subnet_id = where.id
        self.vpc_id = where.vpc_id
        self.connectivity_type = kind
        self.state = "pending"
        self.failure: tuple[str, str] | None = None
        self.deleted_at = None
        self.allocation_id: str | None = None
        self.association_id: str | None = None
        self.public_ip: str | None = None
        self._created_at = utcnow()
        self.created = clock.timestamp()
        self.eni: Any = None
        self.add_tags(tags)


@handles("ec2:CreateNatGateway")
def create(call: Call) -> dict[str, Any]:
    """Start a NAT gateway. What the network lacks shows later, as a failed gateway, like on AWS."""
    ec2 = backend(call)
    where = subnet(ec2, call.params["SubnetId"])
    kind = call.params.get("ConnectivityType") or "public"
    address = _address(ec2, call.params.get("AllocationId"), kind)
    gateway = Gateway(ec2, where, kind, tags_for(call.params, "natgateway"))
    gateway.failure = _failure(ec2, gateway, address)
    if not gateway.failure:
        _connect(ec2, gateway, address)
    else:
        gateway.allocation_id = address.allocation_id if address else None
    ec2.nat_gateways[gateway.id] = gateway
    clock.later(settings.durations["nat-gateway.create"], lambda: _settle(ec2, gateway))
    return {"ClientToken": call.params.get("ClientToken"), "NatGateway": _row(ec2, gateway)}


def _address(ec2: Any, allocation_id: str | None, kind: str) -> Any:
    if kind == "private":
        if allocation_id:
            raise AwsError("InvalidParameterCombination", "AllocationId cannot be used with a private NAT gateway.")
        return None
    if not allocation_id:
        raise AwsError("MissingParameter", "The request must contain the parameter AllocationId")
    for address in ec2.addresses:
        if address.allocation_id == allocation_id:
            return address
    raise AwsError("InvalidAllocationID.NotFound", f"The allocation ID '{allocation_id}' does not exist")


def _failure(ec2: Any, gateway: Gateway, address: Any) -> tuple[str, str] | None:
    if address is None:
        return None
    if address.association_id:
        message = f"Elastic IP address [{address.allocation_id}] is already associated"
        return "Resource.AlreadyAssociated", message
    attached = any(igw.vpc and igw.vpc.id == gateway.vpc_id for igw in ec2.internet_gateways.values())
    if not attached:
        return "Gateway.NotAttached", f"Network {gateway.vpc_id} has no Internet gateway attached"
    return None


def _connect(ec2: Any, gateway: Gateway, address: Any) -> None:
    description = f"Interface for NAT Gateway {gateway.id}"
    gateway.eni = managed_interface(ec2, gateway.subnet_id, description, "nat_gateway", [])
    if address is not None:
        ec2.associate_address(eni=gateway.eni, allocation_id=address.allocation_id)
        gateway.allocation_id = address.allocation_id
        gateway.association_id = address.association_id
        gateway.public_ip = address.public_ip


def _settle(ec2: Any, gateway: Gateway) -> None:
    if gateway.state == "pending":
        gateway.state = "failed" if gateway.failure else "available"
        if gateway.failure:
            clock.later(settings.durations["nat-gateway.visible"], lambda: ec2.nat_gateways.pop(gateway.id, None))


@handles("ec2:DeleteNatGateway")
def delete(call: Call) -> dict[str, Any]:
    """Start deleting; the address and the interface stay taken until the gateway is deleted."""
    ec2 = backend(call)
    gateway = ec2.nat_gateways.get(call.params["NatGatewayId"])
    if gateway is None:
        raise AwsError("NatGatewayNotFound", f"The Nat Gateway {call.params['NatGatewayId']} was not found")
    if gateway.state in ("pending", "available", "failed"):
        gateway.state = "deleting"
        clock.later(settings.durations["nat-gateway.delete"], lambda: _deleted(ec2, gateway))
    return {"NatGatewayId": gateway.id}


def _deleted(ec2: Any, gateway: Gateway) -> None:
    gateway.state = "deleted"
    gateway.deleted_at = clock.timestamp()
    if gateway.eni is not None:
        remove_interface(ec2, gateway.eni.id)
    clock.later(settings.durations["nat-gateway.visible"], lambda: _forget(ec2, gateway))


def _forget(ec2: Any, gateway: Gateway) -> None:
    ec2.nat_gateways.pop(gateway.id, None)
    ec2.tags.pop(gateway.id, None)


@handles("ec2:DescribeNatGateways")
def describe(call: Call) -> dict[str, Any]:
    """List gateways, the deleted ones among them."""
    ec2 = backend(call)
    wanted = call.params.get("NatGatewayIds") or []
    for missing in (one for one in wanted if one not in ec2.nat_gateways):
        raise AwsError("NatGatewayNotFound", f"The Nat Gateway {missing} was not found")
    rows = [_row(ec2, one) for one in ec2.nat_gateways.values() if not wanted or one.id in wanted]
    return {"NatGateways": filtered(call, rows, FIELDS)}


def _row(ec2: Any, gateway: Gateway) -> dict[str, Any]:
    address: dict[str, Any] = {
        "AllocationId": gateway.allocation_id,
        "AssociationId": gateway.association_id,
        "PublicIp": gateway.public_ip,
        "IsPrimary": True,
        "Status": "failed" if gateway.failure else "succeeded",
    }
    if gateway.eni is not None:
        address |= {"NetworkInterfaceId": gateway.eni.id, "PrivateIp": gateway.eni.private_ip_address}
    row = {
        "NatGatewayId": gateway.id,
        "State": gateway.state,
        "SubnetId": gateway.subnet_id,
        "VpcId": gateway.vpc_id,
        "ConnectivityType": gateway.connectivity_type,
        "CreateTime": gateway.created,
        "DeleteTime": gateway.deleted_at,
        "NatGatewayAddresses": [address],
        "Tags": tag_list(ec2, gateway.id),
    }
    if gateway.failure and gateway.state != "pending":
        row |= {"FailureCode": gateway.failure[0], "FailureMessage": gateway.failure[1]}
    return row


def _route_state(route: Route) -> str:
    """A route whose target is gone is a black hole."""
    if route.nat_gateway is not None and route.nat_gateway.state in ("deleted", "failed"):
        return "blackhole"
    gateway = route.gateway
    if gateway is not None and gateway.id.startswith("igw-") and gateway.vpc is None:
        return "blackhole"
    return "active"


Route.state = property(_route_state)  # type: ignore[assignment]
