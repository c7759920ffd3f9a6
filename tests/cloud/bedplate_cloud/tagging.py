"""The Resource Groups Tagging API: what has tags, in every service that it covers.

What it does not cover is not guessed at: IAM roles are not in it (a policy of the account, an OIDC provider and an
instance profile are, in us-east-1) and Auto Scaling groups are not returned; "all resource types" are otherwise
(Resource Groups Tagging API Reference, "Services that support the Resource Groups Tagging API").
"""

import base64
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.ec2.models import EC2Backend
from moto.elbv2.models import elbv2_backends
from moto.resourcegroupstaggingapi.models import iter_taggable_backends
from moto.s3.models import s3_backends
from moto.wafv2.models import wafv2_backends

from . import clock, eks, elbv2, iam, settings, switches
from .ec2 import backend_of
from .ec2_rest import EC2_PREFIX_TO_RESOURCE
from .errors import AwsError
from .gateway import Call
from .registry import after, handles, on_reset
from .store import SHELVES, Document

Tags = dict[str, str]

# Where IAM's resources are found, as those of every global service.
HOME = "us-east-1"
# Shelves whose resources the API does not return.
LEFT_OUT = ("autoscaling.",)
# Services whose tags are looked up below; of every other one moto says what is tagged.
OWN = ("application-autoscaling", "ec2", "eks", "elasticache", "elasticloadbalancing", "iam", "rds", "autoscaling", "cloudfront")
# ARNs without a type of their own, which the filters name nevertheless.
NAMED_TYPES = {"s3": "bucket", "sns": "topic", "sqs": "queue"}


def tagged(region: str) -> Iterator[tuple[str, Tags]]:
    """ARN and tags of everything in a region that is tagged; the tags are the resource's own, not a copy."""
    for arn, tags in [*_own(region), *(_iam() if region == HOME else ())]:
        if tags:
            yield arn, tags
    for backend in iter_taggable_backends(settings.ACCOUNT, region):
        # Looked up above, and by far the most: this is asked after every call that changes something.
        if isinstance(backend, EC2Backend):
            continue
        for one in backend.iter_tagged_resources():
            service = one.arn.split(":")[2]
            if service not in OWN and one.tags and (service != "s3" or _bucket_region(one.arn) == region):
                yield one.arn, one.tags


def _own(region: str) -> Iterator[tuple[str, Tags]]:
    ec2 = backend_of(region)
    for resource_id, tags in ec2.tags.items():
        kind = EC2_PREFIX_TO_RESOURCE.get(resource_id.partition("-")[0], "instance")
        yield f"arn:aws:ec2:{region}:{settings.ACCOUNT}:{kind}/{resource_id}", tags
    for shelf in SHELVES:
        if not shelf.kind.startswith(LEFT_OUT):
            yield from ((doc[shelf.arn_key], doc["_tags"]) for (where, _), doc in shelf.rows.items() if where == region)
    for (where, _), cluster in eks.clusters.items():
        if where == region:
            yield cluster.doc["arn"], cluster.doc["tags"]
            yield from _inside(cluster)
    for by_name in applicationautoscaling_backends[settings.ACCOUNT][region].targets.values():
        yield from ((target.arn, getattr(target, "tag_map", {})) for target in by_name.values())
    cloudwatch = cloudwatch_backends[settings.ACCOUNT][region]
    for dashboard in cloudwatch.dashboards.values():
        yield dashboard.arn, cloudwatch.tagger.get_tag_dict_for_resource(dashboard.arn)
    waf = wafv2_backends[settings.ACCOUNT][region]
    elb = elbv2_backends[settings.ACCOUNT][region]
    for tags, alive in ((waf.tagging_service.tags, [*waf.wacls, *waf.ip_sets]), (elb.tagging_service.tags, elbv2.alive(region))):
        yield from ((arn, tags[arn]) for arn in alive if arn in tags)


def _iam() -> Iterator[tuple[str, Tags]]:
    kept = iam.backend()
    # Those of the account stand behind more than a thousand of AWS's.
    own = takewhile(lambda arn: f"::{settings.ACCOUNT}:" in arn, reversed(kept.managed_policies))
    policies = [kept.managed_policies[arn] for arn in own]
    for one in [*policies, *kept.open_id_providers.values(), *kept.instance_profiles.values()]:
        rows = one.tags.values() if isinstance(one.tags, dict) else one.tags
        yield one.arn, {row["Key"]: row["Value"] for row in rows}


def _inside(cluster: eks.Cluster) -> Iterator[tuple[str, Tags]]:
    parts = {
        "nodegroupArn": cluster.nodegroups,
        "fargateProfileArn": cluster.profiles,
        "addonArn": cluster.addons,
        "accessEntryArn": cluster.entries,
        "associationArn": cluster.associations,
    }
    for key, docs in parts.items():
        yield from ((doc[key], doc["tags"]) for doc in docs.values())


def _bucket_region(arn: str) -> str:
    bucket = s3_backends[settings.ACCOUNT]["aws"].buckets.get(arn.rpartition(":")[2])
    return bucket.region_name if bucket else ""


# What is known of each region; and of an ARN that changed: until when the old tags are shown, and these, None for none.
_known: dict[str, dict[str, Tags]] = {}
_old: dict[tuple[str, str], tuple[float, Tags | None]] = {}


@on_reset
def forget() -> None:
    """The index is up to date."""
    _known.clear()
    _old.clear()


@after("*")
def note(call: Call) -> None:
    """Look at what changed, after a call that may have changed something: the API's index lags as other reads do."""
    region = call.region
    if not switches.current.read_lag:
        return
    now, before = clock.now(), _known.get(region, {})
    after = {arn: dict(tags) for arn, tags in tagged(region)}
    for arn in before.keys() | after.keys():
        if before.get(arn) != after.get(arn) and _old.get((region, arn), (0, None))[0] <= now:
            _old[region, arn] = (now + switches.current.read_lag, before.get(arn))
    _known[region] = after


def shown(region: str) -> dict[str, Tags]:
    """The tags by ARN that the index shows now."""
    found, now = dict(tagged(region)), clock.now()
    for (where, arn), (until, tags) in _old.items():
        if where == region and until > now:
            if tags is None:
                found.pop(arn, None)
            else:
                found[arn] = tags
    return found


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


PAGING = ("PaginationToken", "ResourcesPerPage", "TagsPerPage")


@handles("resourcegroupstaggingapi:GetResources")
def get_resources(call: Call) -> Document:
    """A page of the tagged resources that match every filter."""
    params = call.params
    arns = params.get("ResourceARNList")
    if arns and any(params.get(key) for key in ("TagFilters", "ResourceTypeFilters", *PAGING)):
        raise _invalid("ResourceARNList cannot be given with filters or paging parameters.")
    most, most_tags = params.get("ResourcesPerPage"), params.get("TagsPerPage")
    if most is not None and not 1 <= most <= 100:
        raise _invalid("ResourcesPerPage must be between 1 and 100.")
    if most_tags is not None and not 100 <= most_tags <= 500:
        raise _invalid("TagsPerPage must be between 100 and 500.")
    found = sorted((arn, tags) for arn, tags in shown(call.region).items() if _wanted(params, arn, tags))
    if arns:
        return {"ResourceTagMappingList": [_row(*one) for one in found]}
    start, page, count = _start(params.get("PaginationToken")), [], 0
    most = min(most or 50, settings.page_size or 100)
    for arn, tags in found[start : start + most]:
        count += len(tags)
        if most_tags and count > most_tags:
            break
        page.append(_row(arn, tags))
    after = start + len(page)
    return {"ResourceTagMappingList": page, "PaginationToken": _token(after) if after < len(found) else ""}


def _row(arn: str, tags: Tags) -> Document:
    return {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _token(position: int) -> str:
    return base64.b64encode(f"after:{position}".encode()).decode()


def _start(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.b64decode(token).decode().removeprefix("after:"))
    except ValueError:
        raise AwsError("PaginationTokenExpiredException", "The pagination token is not valid.") from None


def _wanted(params: Document, arn: str, tags: Tags) -> bool:
    types, arns = params.get("ResourceTypeFilters"), params.get("ResourceARNList")
    if (types and not any(_is_of(arn, one) for one in types)) or (arns and arn not in arns):
        return False
    filters = params.get("TagFilters") or []
    return all(one["Key"] in tags and (not one.get("Values") or tags[one["Key"]] in one["Values"]) for one in filters)


def _is_of(arn: str, wanted: str) -> bool:
    """Whether an ARN is of a type like `ec2` or `ec2:subnet`; the type is what stands in the ARN."""
    service, _, kind = wanted.partition(":")
    parts = arn.split(":", 5)
    if parts[2] != service:
        return False
    return not kind or kind == NAMED_TYPES.get(service) or parts[5].startswith((f"{kind}/", f"{kind}:"))


@handles("resourcegroupstaggingapi:GetTagKeys", "resourcegroupstaggingapi:GetTagValues")
def used(call: Call) -> Document:
    """The keys in use, or the values of one key; a page of this list is longer than any test's."""
    key = call.params.get("Key")
    if call.target.operation == "GetTagKeys":
        return {"TagKeys": sorted({name for _, tags in tagged(call.region) for name in tags}), "PaginationToken": ""}
    return {
        "TagValues": sorted({tags[key] for _, tags in tagged(call.region) if key in tags}),
        "PaginationToken": "",
    }


@handles("resourcegroupstaggingapi:TagResources", "resourcegroupstaggingapi:UntagResources")
def change_tags(call: Call) -> Document:
    """Set or remove tags; what is not there fails by itself, and the others are changed."""
    params, known = call.params, dict(_own(call.region))
    _check_change(params)
    rest = []
    for arn in params["ResourceARNList"]:
        if arn not in known:
            rest.append(arn)
            continue
        known[arn].update(params.get("Tags") or {})
        for key in params.get("TagKeys") or []:
            known[arn].pop(key, None)
    failed: dict[str, Any] = {arn: _failure(arn) for arn in rest if arn.split(":")[2] in OWN}
    rest = [arn for arn in rest if arn not in failed]
    answer = call.forward(ResourceARNList=rest) if rest else {}
    return {"FailedResourcesMap": failed | (answer.get("FailedResourcesMap") or {})}


def _check_change(params: Document) -> None:
    if not 1 <= len(params.get("ResourceARNList") or []) <= 20:
        raise _invalid("ResourceARNList takes 1 to 20 ARNs.")
    keys = params.get("TagKeys") if "TagKeys" in params else params.get("Tags")
    if not 1 <= len(keys or []) <= 50:
        raise _invalid("A request takes 1 to 50 tags.")
    if any(key.lower().startswith("aws:") for key in keys or []):
        raise _invalid("Tag keys that start with aws: are reserved for internal use.")


def _failure(arn: str) -> Document:
    return {"StatusCode": 400, "ErrorCode": "InvalidParameterException", "ErrorMessage": f"{arn} does not exist."}
