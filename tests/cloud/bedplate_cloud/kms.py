"""KMS: key policies are checked, rotation has a period, and a key's state decides what may be done with it."""

import json
from datetime import timedelta
from typing import Any

from moto.kms.models import kms_backends

from . import clock, settings
from .errors import AwsError
from .gateway import Call
from .iam import parse_policy, statements_of, unknown_principal
from .registry import checks, handles

MALFORMED = "MalformedPolicyDocumentException"


def backend(call: Call) -> Any:
    """Moto's KMS in the region of the call."""
    return kms_backends[settings.ACCOUNT][call.region]


def key_of(call: Call, parameter: str = "KeyId") -> Any:
    """The key a call names by id, ARN or alias."""
    wanted = call.params[parameter]
    kms = backend(call)
    name = wanted.rpartition(":")[2] if ":alias/" in wanted else wanted
    if name.startswith("alias/"):
        unique = kms.get_key_id_from_alias(name)
        if unique is None:
            raise AwsError(
                "NotFoundException", f"Alias arn:aws:kms:{call.region}:{settings.ACCOUNT}:{name} is not found."
            )
    else:
        unique = wanted.rpartition("/")[2]
    key = kms.keys.get(unique)
    if key is None:
        arn = f"arn:aws:kms:{call.region}:{settings.ACCOUNT}:key/{unique}"
        raise AwsError("NotFoundException", f"Key '{arn}' does not exist")
    return key


def check_policy(call: Call, text: str) -> None:
    """Refuse a policy that is broken, names nobody, or locks everybody out."""
    document = parse_policy(text, MALFORMED)
    if unknown_principal(document):
        raise AwsError(MALFORMED, "Policy contains a statement with one or more invalid principals.")
    if not call.params.get("BypassPolicyLockoutSafetyCheck") and not _caller_keeps_control(document):
        raise AwsError(MALFORMED, "The new key policy will not allow you to update the key policy in the future.")


def _caller_keeps_control(document: dict[str, Any]) -> bool:
    owners = {f"arn:aws:iam::{settings.ACCOUNT}:root", settings.ACCOUNT, settings.CALLER_ARN, "*"}
    for statement in statements_of(document):
        principal = statement.get("Principal")
        names = principal.get("AWS", []) if isinstance(principal, dict) else [principal]
        actions = statement.get("Action", [])
        allowed = {one.lower() for one in ([actions] if isinstance(actions, str) else actions)}
        named = owners & set([names] if isinstance(names, str) else names)
        if statement.get("Effect") == "Allow" and named and allowed & {"*", "kms:*", "kms:put*", "kms:putkeypolicy"}:
            return True
    return False


@checks("kms:CreateKey")
def new_key(call: Call) -> None:
    """Check a new key's policy."""
    if call.params.get("Policy"):
        check_policy(call, call.params["Policy"])


@checks("kms:PutKeyPolicy")
def new_policy(call: Call) -> None:
    """Check a changed policy."""
    key_of(call)
    check_policy(call, call.params["Policy"])


@handles("kms:PutKeyPolicy", "kms:GetKeyPolicy")
def policy(call: Call) -> dict[str, Any]:
    """The policy's name may be left out: there is only one."""
    answer = call.forward(PolicyName=call.params.get("PolicyName") or "default")
    return answer | ({"PolicyName": "default"} if call.target.operation == "GetKeyPolicy" else {})


@handles("kms:CreateKey", "kms:DescribeKey")
def with_metadata(call: Call) -> dict[str, Any]:
    """A key's metadata, with what moto leaves out."""
    answer = call.forward()
    metadata = answer["KeyMetadata"]
    metadata.setdefault("MultiRegion", False)
    key = backend(call).keys[metadata["KeyId"]]
    if any(name.startswith("alias/aws/") for name in key.aliases):
        metadata["KeyManager"] = "AWS"
    for key in ("SigningAlgorithms", "EncryptionAlgorithms"):
        if not metadata.get(key):
            metadata.pop(key, None)
    return answer


INVALID_WHILE_PENDING = [
    "kms:CreateAlias",
    "kms:CreateGrant",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
]


@checks(*INVALID_WHILE_PENDING)
def not_pending(call: Call) -> None:
    """A key that waits for its deletion takes almost no call."""
    parameter = "TargetKeyId" if "Alias" in call.target.operation else "KeyId"
    if not call.params.get(parameter):
        return
    key = key_of(call, parameter)
    if key.key_state == "PendingDeletion":
        raise AwsError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    if key.key_state == "Disabled" and call.target.operation in (
        "EnableKeyRotation",
        "DisableKeyRotation",
        "Encrypt",
        "GenerateDataKey",
    ):
        raise AwsError("DisabledException", f"{key.arn} is disabled.")


@handles("kms:EnableKeyRotation")
def enable_rotation(call: Call) -> dict[str, Any]:
    """Turn rotation on, with a period in days."""
    period = call.params.get("RotationPeriodInDays") or 365
    if not 90 <= period <= 2560:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{period}' at 'rotationPeriodInDays' is out of range",
        )
    key = key_of(call)
    key.key_rotation_status = True
    key.rotation_period = period
    key.rotation_start = clock.timestamp()
    return {}


@handles("kms:GetKeyRotationStatus")
def rotation_status(call: Call) -> dict[str, Any]:
    """Whether and when the key rotates."""
    key = key_of(call)
    answer = {"KeyId": key.arn, "KeyRotationEnabled": bool(key.key_rotation_status)}
    if key.key_rotation_status and key.key_state != "PendingDeletion":
        period = getattr(key, "rotation_period", 365)
        answer |= {"RotationPeriodInDays": period, "NextRotationDate": key.rotation_start + timedelta(days=period)}
    elif key.key_state == "PendingDeletion":
        answer["KeyRotationEnabled"] = False
    return answer


@handles("kms:ScheduleKeyDeletion")
def schedule_deletion(call: Call) -> dict[str, Any]:
    """Start the waiting period, after which the key is gone."""
    days = call.params.get("PendingWindowInDays") or 30
    if not 7 <= days <= 30:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{days}' at 'pendingWindowInDays' is out of range",
        )
    key, kms = key_of(call), backend(call)
    answer = call.forward(KeyId=key.id)
    key.pending_since = clock.now()
    since = key.pending_since
    clock.later(days * 86400, lambda: _expire(kms, key, since))
    return {
        "KeyId": key.arn,
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": days,
        "DeletionDate": answer["DeletionDate"],
    }


def _expire(kms: Any, key: Any, since: float) -> None:
    if key.key_state == "PendingDeletion" and key.pending_since == since:
        kms.keys.pop(key.id, None)


@handles("kms:CancelKeyDeletion")
def cancel_deletion(call: Call) -> dict[str, Any]:
    """Keep the key after all; it comes back disabled."""
    key = key_of(call)
    if key.key_state != "PendingDeletion":
        raise AwsError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")
    call.forward(KeyId=key.id)
    return {"KeyId": key.arn}


def allows_service(key: Any, service: str) -> bool:
    """Whether a key's policy lets a service use the key."""
    for statement in statements_of(json.loads(key.policy)):
        principal = statement.get("Principal")
        names = principal.get("Service", []) if isinstance(principal, dict) else []
        if statement.get("Effect") == "Allow" and service in ([names] if isinstance(names, str) else names):
            return True
    return False
