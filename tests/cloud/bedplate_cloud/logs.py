"""CloudWatch Logs: encryption keys are checked and can be changed, retention has fixed steps."""

from typing import Any

from moto.kms.models import kms_backends
from moto.logs.models import logs_backends

from . import settings
from .errors import AwsError
from .gateway import Call
from .kms import allows_service
from .registry import checks, handles

RETENTIONS = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}


def _groups(call: Call) -> dict[str, Any]:
    return logs_backends[settings.ACCOUNT][call.region].groups


def _group(call: Call) -> Any:
    name = call.params.get("logGroupName") or (call.params.get("resourceIdentifier") or "").split(":log-group:")[
        -1
    ].removesuffix(":*")
    if name not in _groups(call):
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    return _groups(call)[name]


@checks("logs:CreateLogGroup", "logs:AssociateKmsKey")
def encryption_key(call: Call) -> None:
    """The key exists, is enabled, and its policy lets CloudWatch Logs of the region use it."""
    arn = call.params.get("kmsKeyId")
    if not arn:
        return
    name = call.params.get("logGroupName")
    message = (
        "The specified KMS key does not exist or is not allowed to be used with Arn "
        f"'arn:aws:logs:{call.region}:{settings.ACCOUNT}:log-group:{name}'"
    )
    key = kms_backends[settings.ACCOUNT][call.region].keys.get(arn.rpartition("/")[2])
    if key is None or not arn.startswith("arn:") or key.key_state != "Enabled":
        raise AwsError("InvalidParameterException", message)
    if not settings.lenient and not allows_service(key, f"logs.{call.region}.amazonaws.com"):
        raise AwsError("InvalidParameterException", message)


@checks("logs:PutRetentionPolicy")
def retention(call: Call) -> None:
    """Refuse a number of days that is not on the list."""
    days = call.params["retentionInDays"]
    if days not in RETENTIONS:
        steps = ", ".join(str(one) for one in sorted(RETENTIONS))
        message = (
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy "
            f"enum value set: [{steps}]"
        )
        raise AwsError("InvalidParameterException", message)


@handles("logs:AssociateKmsKey")
def associate_key(call: Call) -> dict[str, Any]:
    """Encrypt from now on with this key."""
    _group(call).kms_key_id = call.params["kmsKeyId"]
    return {}


@handles("logs:DisassociateKmsKey")
def disassociate_key(call: Call) -> dict[str, Any]:
    """Go back to the service's own encryption."""
    _group(call).kms_key_id = None
    return {}


@handles("logs:DescribeLogGroups")
def describe_groups(call: Call) -> dict[str, Any]:
    """List groups with their class; of those that are named, the ones that exist."""
    names = call.params.get("logGroupIdentifiers")
    if names is None:
        answer = call.forward()
    else:
        others = {"logGroupNamePrefix", "logGroupNamePattern", "logGroupClass", "accountIdentifiers"} & set(call.params)
        if others or not 1 <= len(names) <= 50:
            raise AwsError("InvalidParameterException", "logGroupIdentifiers takes 1 to 50 names and no other filter.")
        named = sorted({name.split(":log-group:")[-1] for name in names} & set(_groups(call)))
        answer = {"logGroups": [_groups(call)[name].to_describe_dict() for name in named]}
    for row in answer.get("logGroups") or []:
        row.setdefault("logGroupClass", "STANDARD")
        row["deletionProtectionEnabled"] = is_protected(_groups(call)[row["logGroupName"]])
    return answer


def is_protected(group: Any) -> bool:
    """Whether a log group refuses to be deleted."""
    return bool(getattr(group, "deletion_protection", False))


@handles("logs:CreateLogGroup")
def create_group(call: Call) -> dict[str, Any]:
    """Create a group, protected if so asked."""
    answer = call.forward()
    _group(call).deletion_protection = call.params.get("deletionProtectionEnabled")
    return answer


@handles("logs:PutLogGroupDeletionProtection")
def protect_group(call: Call) -> dict[str, Any]:
    """Turn deletion protection on or off."""
    name = call.params["logGroupIdentifier"].split(":log-group:")[-1].removesuffix(":*")
    if name not in _groups(call):
        raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
    _groups(call)[name].deletion_protection = call.params["deletionProtectionEnabled"]
    return {}


@checks("logs:DeleteLogGroup")
def delete_group(call: Call) -> None:
    """A protected group stays."""
    group = _groups(call).get(call.params["logGroupName"])
    if group is not None and is_protected(group):
        raise AwsError("ValidationException", "The specified log group has deletion protection enabled.")


@checks("logs:ListTagsForResource", "logs:TagResource", "logs:UntagResource")
def tagged_group(call: Call) -> None:
    """A log group that does not exist has no tags, not even none."""
    arn = call.params["resourceArn"]
    if ":log-group:" in arn and arn.split(":log-group:")[1] not in _groups(call):
        raise AwsError("ResourceNotFoundException", "The specified resource does not exist.")
