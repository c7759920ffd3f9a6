"""What EC2's modules share: the backend, tags, filters and checks that a referenced resource exists."""

from collections.abc import Callable, Iterable
from typing import Any

from moto.ec2.models import ec2_backends

from . import settings
from .errors import AwsError
from .gateway import Call
from .patterns import like


def backend_of(region: str) -> Any:
    """Moto's EC2 in a region."""
    return ec2_backends[settings.ACCOUNT][region]


def backend(call: Call) -> Any:
    """Moto's EC2 in the region of the call."""
    return backend_of(call.region)


def tags_for(params: dict[str, Any], resource_type: str) -> dict[str, str]:
    """The tags a create call asks for."""
    tags: dict[str, str] = {}
    for specification in params.get("TagSpecifications") or []:
        if specification.get("ResourceType") != resource_type:
            message = f"'{specification.get('ResourceType')}' is not a valid taggable resource type for this operation."
            raise AwsError("InvalidParameterValue", message)
        tags.update({tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags") or []})
    return tags


def tag_list(ec2: Any, resource_id: str) -> list[dict[str, str]]:
    """A resource's tags as EC2 lists them."""
    return [{"Key": key, "Value": value} for key, value in ec2.tags.get(resource_id, {}).items()]


def filtered(
    call: Call, rows: Iterable[dict[str, Any]], fields: dict[str, Callable[[dict[str, Any]], Any]]
) -> list[dict[str, Any]]:
    """The rows that match every filter of the call; `fields` says where a filter finds its value in a row."""
    kept = list(rows)
    for entry in call.params.get("Filters") or call.params.get("Filter") or []:
        name, wanted = entry.get("Name", ""), entry.get("Values") or []
        kept = [row for row in kept if _matches(name, wanted, row, fields)]
    return kept


def _matches(name: str, wanted: list[str], row: dict[str, Any], fields: dict[str, Any]) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in row.get("Tags") or []}
    if name.startswith("tag:"):
        key = name[4:]
        return key in tags and any(like(tags[key], pattern) for pattern in wanted)
    if name == "tag-key":
        return any(like(key, pattern) for key in tags for pattern in wanted)
    if name not in fields:
        raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
    found = fields[name](row)
    values = found if isinstance(found, list) else [found]
    return any(like(str(value), pattern) for value in values if value is not None for pattern in wanted)


def chosen(
    call: Call, rows: list[dict[str, Any]], parameter: str, key: str, code: str, what: str
) -> list[dict[str, Any]]:
    """The rows whose ids the call names, all of them if it names none; an unknown id is an error."""
    ids = call.params.get(parameter) or []
    known = {row[key] for row in rows}
    for missing in (one for one in ids if one not in known):
        raise AwsError(code, f"The {what} '{missing}' does not exist")
    return [row for row in rows if not ids or row[key] in ids]


def subnet(ec2: Any, subnet_id: str) -> Any:
    """A subnet that exists."""
    for by_zone in ec2.subnets.values():
        if subnet_id in by_zone:
            return by_zone[subnet_id]
    raise AwsError("InvalidSubnetID.NotFound", f"The subnet ID '{subnet_id}' does not exist")


def vpc(ec2: Any, vpc_id: str) -> Any:
    """A VPC that exists."""
    if vpc_id not in ec2.vpcs:
        raise AwsError("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    return ec2.vpcs[vpc_id]


def group(ec2: Any, group_id: str) -> Any:
    """A security group that exists."""
    found = ec2.get_security_group_from_id(group_id)
    if found is None:
        raise AwsError("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
    return found


def all_groups(ec2: Any) -> list[Any]:
    """Every security group of the region."""
    return [one for groups in ec2.groups.values() for one in groups.values()]


def all_subnets(ec2: Any) -> list[Any]:
    """Every subnet of the region."""
    return [one for by_zone in ec2.subnets.values() for one in by_zone.values()]


def managed_interface(ec2: Any, subnet_id: str, description: str, kind: str, groups: list[str]) -> Any:
    """A network interface that an AWS service owns: it is in use, and only the service can delete it."""
    interface = ec2.create_network_interface(subnet(ec2, subnet_id), None, group_ids=groups, description=description)
    interface.requester_managed = True
    interface.requester_id = "amazon-aws"
    interface.status = "in-use"
    interface.interface_type = kind
    if not groups:
        interface._group_set = []
    return interface


def remove_interface(ec2: Any, interface_id: str) -> None:
    """Delete an interface, whoever owns it, together with its public address's association."""
    interface = ec2.enis.pop(interface_id, None)
    if interface is None:
        return
    ec2.tags.pop(interface_id, None)
    for address in ec2.addresses:
        if address.eni is interface:
            address.eni = None
            address.association_id = None
