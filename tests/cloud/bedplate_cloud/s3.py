"""S3: what every new bucket has, and the settings moto loses or does not know."""

import copy
import fnmatch
import json
from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket, S3Backend, s3_backends

from . import clock, settings
from .errors import Answered, AwsError
from .gateway import Call
from .registry import handles
from .store import Document

ARCHIVE_TIERS = {"ARCHIVE_ACCESS": 90, "DEEP_ARCHIVE_ACCESS": 180}
SHORTEST = {"STANDARD_IA": 30, "ONEZONE_IA": 30}
BLOCKED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def _bucket(call: Call) -> Any:
    found = s3_backends[settings.ACCOUNT]["aws"].buckets.get(call.params["Bucket"])
    if found is None:
        raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404)
    return found


def _kept(call: Call) -> dict[str, Any]:
    """What is kept here of a bucket, beside moto's own settings."""
    bucket = _bucket(call)
    bucket.kept = getattr(bucket, "kept", {})
    return bucket.kept


def _or(call: Call, default: Document) -> Document:
    """Moto's answer, or what a new bucket has."""
    try:
        return call.forward()
    except Answered as answered:
        if answered.response.status != 404:
            raise
    return default


@handles("s3:CreateBucket")
def create(call: Call) -> Document:
    """A bucket has its tags from its first moment: moto forgets them."""
    answer = call.forward()
    tags = call.params.get("CreateBucketConfiguration", {}).get("Tags", [])
    if tags:
        s3_backends[settings.ACCOUNT]["aws"].put_bucket_tagging(
            call.params["Bucket"], {tag["Key"]: tag["Value"] for tag in tags}
        )
    return answer


@handles("s3:GetBucketEncryption")
def encryption(call: Call) -> Document:
    """Every bucket is encrypted, with S3's own keys unless told otherwise."""
    _bucket(call)
    plain = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
    answer = _or(call, {"ServerSideEncryptionConfiguration": {"Rules": [plain]}})
    for rule in answer["ServerSideEncryptionConfiguration"]["Rules"]:
        rule.setdefault("BucketKeyEnabled", False)
    return answer


@handles("s3:GetBucketOwnershipControls")
def ownership(call: Call) -> Document:
    """A new bucket has no access lists."""
    if _kept(call).get("ownership") == "deleted":
        return call.forward()
    return _or(call, {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}})


@handles("s3:PutBucketOwnershipControls", "s3:DeleteBucketOwnershipControls")
def change_ownership(call: Call) -> Document:
    """Remember whether the controls were taken away."""
    _kept(call)["ownership"] = "deleted" if call.target.operation.startswith("Delete") else "set"
    return call.forward()


@handles("s3:GetPublicAccessBlock")
def public_access(call: Call) -> Document:
    """A new bucket is closed to the public."""
    if _kept(call).get("public") == "deleted":
        return call.forward()
    return _or(call, {"PublicAccessBlockConfiguration": dict.fromkeys(BLOCKED, True)})


@handles("s3:PutPublicAccessBlock", "s3:DeletePublicAccessBlock")
def change_public_access(call: Call) -> Document:
    """Remember whether the block was taken away."""
    _kept(call)["public"] = "deleted" if call.target.operation.startswith("Delete") else "set"
    return call.forward()


@handles("s3:PutBucketLifecycleConfiguration")
def put_lifecycle(call: Call) -> Document:
    """Keep the rules as they are given: moto loses sizes and version counts."""
    rules = (call.params.get("LifecycleConfiguration") or {}).get("Rules") or []
    for number, rule in enumerate(rules):
        rule.setdefault("ID", f"rule-{number}")
        for one in rule.get("Transitions") or []:
            shortest = SHORTEST.get(one.get("StorageClass"), 0)
            if one.get("Days") is not None and one["Days"] < shortest:
                words = f"'Days' in Transition action must be greater than or equal to {shortest} for storageClass '{one['StorageClass']}'"
                raise AwsError("InvalidArgument", words)
    if len({rule["ID"] for rule in rules}) < len(rules):
        raise AwsError("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
    kept = _kept(call)
    call.forward()
    size = call.params.get("TransitionDefaultMinimumObjectSize") or "all_storage_classes_128K"
    kept["lifecycle"] = {"Rules": copy.deepcopy(rules), "TransitionDefaultMinimumObjectSize": size}
    return {"TransitionDefaultMinimumObjectSize": size}


@handles("s3:GetBucketLifecycleConfiguration")
def get_lifecycle(call: Call) -> Document:
    """The rules as they were given."""
    answer = call.forward()
    return copy.deepcopy(_kept(call).get("lifecycle")) or answer


@handles("s3:DeleteBucketLifecycle")
def delete_lifecycle(call: Call) -> Document:
    """Take the rules away."""
    _kept(call).pop("lifecycle", None)
    return call.forward()


def _lets_logs_in(target_bucket: Any, target_prefix: str | None) -> bool:
    """Whether a bucket's policy lets S3 write its access logs. Moto fails at statements for everyone."""
    wanted = f"arn:aws:s3:::{target_bucket.name}/{target_prefix or ''}x"
    for one in json.loads(target_bucket.policy or b"{}").get("Statement") or []:
        principal = one.get("Principal")
        services, actions, resources = (
            found if isinstance(found, list) else [found]
            for found in (
                principal.get("Service") if isinstance(principal, dict) else None,
                one.get("Action"),
                one.get("Resource"),
            )
        )
        lets = one.get("Effect") == "Allow" and "logging.s3.amazonaws.com" in services
        if lets and "s3:PutObject" in actions and any(fnmatch.fnmatchcase(wanted, str(row)) for row in resources):
            return True
    return False


def _neutral(_bucket: Any, _action: str, _resource: str) -> PermissionResult:
    """Bucket policies are not enforced, as IAM's are not. Moto does, but for conditions: "only over TLS" refused all."""
    return PermissionResult.NEUTRAL


_deliver = S3Backend.log_incoming_request
# Most records of an access log arrive within a few hours.
DELIVERY = 3600.0


def _deliver_later(backend: S3Backend, request: Any, bucket_name: str) -> None:
    bucket = backend.buckets.get(bucket_name)
    if bucket is not None and bucket.logging:
        clock.later(DELIVERY, lambda: _deliver(backend, request, bucket_name))


S3Backend.log_incoming_request = _deliver_later
FakeBucket.get_permission = _neutral
FakeBucket._log_permissions_enabled_policy = staticmethod(_lets_logs_in)


@handles("s3:PutBucketLogging")
def put_logging(call: Call) -> Document:
    """Keep the key format, which moto loses."""
    answer = call.forward()
    wanted = (call.params.get("BucketLoggingStatus") or {}).get("LoggingEnabled")
    _kept(call)["logging"] = copy.deepcopy(wanted)
    return answer


@handles("s3:GetBucketLogging")
def get_logging(call: Call) -> Document:
    """Where the access logs go."""
    answer, kept = call.forward(), _kept(call).get("logging")
    return {"LoggingEnabled": copy.deepcopy(kept)} if kept and answer.get("LoggingEnabled") else answer


def _tiering(call: Call) -> dict[str, Document]:
    return _kept(call).setdefault("tiering", {})


@handles("s3:PutBucketIntelligentTieringConfiguration")
def put_tiering(call: Call) -> Document:
    """Archive tiers of objects in Intelligent-Tiering."""
    wanted = call.params["IntelligentTieringConfiguration"]
    if wanted.get("Id") != call.params["Id"]:
        raise AwsError("InvalidArgument", "The Id in the configuration is not the one in the request.")
    for one in wanted.get("Tierings") or []:
        low = ARCHIVE_TIERS.get(one["AccessTier"])
        if low is None or not low <= one["Days"] <= 730:
            raise AwsError("InvalidArgument", f"Days has to be between {low} and 730 for {one['AccessTier']}.")
    _tiering(call)[call.params["Id"]] = copy.deepcopy(wanted)
    return {}


@handles("s3:GetBucketIntelligentTieringConfiguration", "s3:DeleteBucketIntelligentTieringConfiguration")
def one_tiering(call: Call) -> Document:
    """Show or delete a configuration."""
    rows, name = _tiering(call), call.params["Id"]
    if name not in rows:
        raise AwsError("NoSuchConfiguration", "The specified configuration does not exist.", 404)
    if call.target.operation.startswith("Delete"):
        rows.pop(name)
        return {}
    return {"IntelligentTieringConfiguration": copy.deepcopy(rows[name])}


@handles("s3:ListBucketIntelligentTieringConfigurations")
def list_tiering(call: Call) -> Document:
    """All configurations of a bucket."""
    rows = [copy.deepcopy(one) for _, one in sorted(_tiering(call).items())]
    return {"IsTruncated": False} | ({"IntelligentTieringConfigurationList": rows} if rows else {})
