"""Checks that what a data tier is placed in exists: subnets, security groups, keys, topics, roles."""

from typing import Any

from moto.kms.models import kms_backends
from moto.sns.models import sns_backends

from . import eks, settings
from .ec2 import backend_of, managed_interface, remove_interface, subnet
from .errors import AwsError


def subnets(region: str, ids: list[str], code: str) -> list[Any]:
    """Subnets that exist, all in one VPC."""
    ec2, found = backend_of(region), []
    for one in ids:
        try:
            found.append(subnet(ec2, one))
        except AwsError as error:
            raise AwsError(code, f"Some input subnets in :[{one}] are invalid: {error.message}") from None
    if len({one.vpc_id for one in found}) > 1:
        raise AwsError(code, "The subnets are not all in the same VPC.")
    return found


def groups(region: str, ids: list[str], vpc_id: str | None, code: str) -> None:
    """Security groups that exist, in the VPC of the subnets."""
    ec2 = backend_of(region)
    for one in ids:
        found = ec2.get_security_group_from_id(one)
        if found is None:
            raise AwsError(code, f"Invalid security group , groupId= {one}, groupName=.")
        if vpc_id and found.vpc_id != vpc_id:
            raise AwsError(code, f"The security group {one} is not in the VPC {vpc_id}.")


def default_group(region: str, vpc_id: str) -> list[str]:
    """The VPC's default group, which is taken when none is named."""
    ec2 = backend_of(region)
    return [one.id for one in ec2.groups.get(vpc_id, {}).values() if one.name == "default"]


def default_vpc(region: str) -> list[Any]:
    """The subnets of the default VPC."""
    ec2 = backend_of(region)
    default = {one.id for one in ec2.vpcs.values() if one.is_default == "true" or one.is_default is True}
    return [one for zone in ec2.subnets.values() for one in zone.values() if one.vpc_id in default]


def key_arn(region: str, name: str, code: str) -> str:
    """A key's ARN from its id, ARN or alias; AWS's own keys always exist."""
    kms = kms_backends[settings.ACCOUNT][region]
    plain = name.rpartition(":")[2] if ":alias/" in name else name
    if plain.startswith("alias/"):
        unique = kms.get_key_id_from_alias(plain)
        if unique is None and plain.startswith("alias/aws/"):
            unique = kms.describe_key(plain).id
    else:
        unique = plain.rpartition("/")[2]
    key = kms.keys.get(unique)
    if key is None or key.key_state not in ("Enabled",):
        if settings.lenient:
            return name
        raise AwsError(
            code, f"KMS key {name} does not exist, is not enabled or you do not have permissions to access it."
        )
    return key.arn


def role(arn: str, service: str) -> bool:
    """Whether a role exists and trusts a service."""
    found = eks.role(arn)
    return settings.lenient or (found is not None and eks.trusts(found, service))


def topic(region: str, arn: str) -> bool:
    """Whether an SNS topic exists."""
    return arn in sns_backends[settings.ACCOUNT][region].topics


def place(region: str, doc: dict[str, Any], wanted: list[str], group_ids: list[str], description: str) -> None:
    """Interfaces in these subnets, instead of those the resource had: they hold subnets and groups in use."""
    ec2 = backend_of(region)
    for one in doc.get("_interfaces") or []:
        remove_interface(ec2, one)
    doc["_interfaces"] = [managed_interface(ec2, one, description, "interface", group_ids).id for one in wanted]
