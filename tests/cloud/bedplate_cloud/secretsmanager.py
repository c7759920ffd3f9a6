"""Secrets Manager: secrets that a service manages, scheduled deletion, and keys that exist."""

from typing import Any

from moto.secretsmanager.models import secretsmanager_backends

from . import clock, references, settings
from .errors import AwsError
from .gateway import Call
from .registry import checks, handles


def _secret(call: Call) -> Any:
    return secretsmanager_backends[settings.ACCOUNT][call.region].secrets.get(call.params.get("SecretId") or "")


CHANGES = [
    "secretsmanager:DeleteSecret",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecret",
    "secretsmanager:UpdateSecretVersionStage",
]


@checks(*CHANGES)
def not_managed(call: Call) -> None:
    """A secret that belongs to a service is changed by that service only."""
    secret = _secret(call)
    if secret is not None and secret.owning_service:
        words = f"You can't perform this operation on the secret because it is managed by {secret.owning_service}."
        raise AwsError("InvalidRequestException", words)


@checks(
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecret",
    "secretsmanager:TagResource",
    "secretsmanager:UntagResource",
    "secretsmanager:PutResourcePolicy",
    "secretsmanager:RotateSecret",
)
def not_scheduled(call: Call) -> None:
    """A secret that waits for its deletion takes no changes."""
    secret = _secret(call)
    if secret is not None and secret.is_deleted():
        words = "You can't perform this operation on the secret because it was marked for deletion."
        raise AwsError("InvalidRequestException", words)


@checks("secretsmanager:CreateSecret")
def new_secret(call: Call) -> None:
    """The name of a secret that waits for its deletion stays taken, and a key has to exist."""
    found = secretsmanager_backends[settings.ACCOUNT][call.region].secrets.get(call.params["Name"])
    if found is not None and found.is_deleted():
        words = "You can't create this secret because a secret with this name is already scheduled for deletion."
        raise AwsError("InvalidRequestException", words)
    key_exists(call)


@checks("secretsmanager:UpdateSecret")
def key_exists(call: Call) -> None:
    """A key has to exist."""
    if call.params.get("KmsKeyId"):
        references.key_arn(call.region, call.params["KmsKeyId"], "InvalidParameterException")


@handles("secretsmanager:UpdateSecret")
def update_secret(call: Call) -> dict[str, Any]:
    """Change description, key or value; what is not named stays."""
    secret = _secret(call)
    if secret is None:
        return call.forward()
    if any(call.params.get(key) is not None for key in ("SecretString", "SecretBinary")):
        kept, tags = secret.description, secret.tags
        answer = call.forward()
        secret.tags = tags
        if call.params.get("Description") is None:
            secret.description = kept
        return answer
    if call.params.get("Description") is not None:
        secret.description = call.params["Description"]
    if call.params.get("KmsKeyId"):
        secret.kms_key_id = call.params["KmsKeyId"]
    secret.last_changed_date = int(clock.now())
    return {"ARN": secret.arn, "Name": secret.name}


@handles("secretsmanager:DeleteSecret")
def delete_secret(call: Call) -> dict[str, Any]:
    """Schedule the deletion: the secret is gone when its window is over."""
    if call.params.get("ForceDeleteWithoutRecovery"):
        return call.forward()
    answer, secret = call.forward(), _secret(call)
    days = call.params.get("RecoveryWindowInDays") or 30
    secrets = secretsmanager_backends[settings.ACCOUNT][call.region].secrets
    when = secret.deleted_date

    def gone() -> None:
        if secret.deleted_date == when and secrets.get(secret.arn) is secret:
            secrets.pop(secret.arn)

    clock.later(days * 86400, gone)
    return answer
