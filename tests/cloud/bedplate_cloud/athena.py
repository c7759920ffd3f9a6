"""Athena's workgroups: their settings can be changed, and what does not exist or is in use is told."""

from typing import Any

from moto.athena.models import athena_backends

from . import settings
from .errors import AwsError
from .gateway import Call
from .registry import checks, handles
from .store import Document

SMALLEST_CUTOFF = 10_000_000


def _backend(call: Call) -> Any:
    return athena_backends[settings.ACCOUNT][call.region]


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)


def _group(call: Call) -> Any:
    found = _backend(call).work_groups.get(call.params["WorkGroup"])
    if found is None:
        raise _invalid(f"WorkGroup {call.params['WorkGroup']} is not found.")
    return found


def _check_cutoff(configuration: Document) -> None:
    cutoff = configuration.get("BytesScannedCutoffPerQuery")
    if cutoff is not None and cutoff < SMALLEST_CUTOFF:
        raise _invalid(f"BytesScannedCutoffPerQuery has to be at least {SMALLEST_CUTOFF}.")


@checks("athena:CreateWorkGroup")
def new_group(call: Call) -> None:
    """One of a name, with a limit that Athena takes."""
    if call.params["Name"] in _backend(call).work_groups:
        raise _invalid("WorkGroup is already created")
    _check_cutoff(call.params.get("Configuration") or {})


@checks("athena:GetWorkGroup")
def known_group(call: Call) -> None:
    """It has to exist."""
    _group(call)


@handles("athena:UpdateWorkGroup")
def update_group(call: Call) -> Document:
    """Change what is given; what is not given stays, and what is to go is named."""
    group, params = _group(call), call.params
    updates = dict(params.get("ConfigurationUpdates") or {})
    _check_cutoff(updates)
    if params.get("Description") is not None:
        group.description = params["Description"]
    if params.get("State"):
        group.state = params["State"]
    if updates.pop("RemoveBytesScannedCutoffPerQuery", None):
        group.configuration.pop("BytesScannedCutoffPerQuery", None)
    results = dict(updates.pop("ResultConfigurationUpdates", None) or {})
    kept = group.configuration.setdefault("ResultConfiguration", {})
    for part in ("OutputLocation", "EncryptionConfiguration", "ExpectedBucketOwner", "AclConfiguration"):
        if results.pop(f"Remove{part}", None):
            kept.pop(part, None)
    kept |= {key: value for key, value in results.items() if value is not None}
    group.configuration |= {key: value for key, value in updates.items() if value is not None}
    return {}


@handles("athena:DeleteWorkGroup")
def delete_group(call: Call) -> Document:
    """Delete a workgroup, with what is in it only when that is asked for."""
    group, backend = _group(call), _backend(call)
    if group.name == "primary":
        raise _invalid("The primary workgroup cannot be deleted.")
    inside = [key for key, one in backend.named_queries.items() if one.workgroup is group]
    runs = [key for key, one in backend.executions.items() if one.workgroup is group]
    if (inside or runs) and not call.params.get("RecursiveDeleteOption"):
        raise _invalid(f"WorkGroup {group.name} is not empty")
    for key in inside:
        del backend.named_queries[key]
    for key in runs:
        del backend.executions[key]
    backend.tagger.delete_all_tags_for_resource(group.arn)
    return call.forward()


@checks("athena:ListTagsForResource", "athena:TagResource", "athena:UntagResource")
def tagged_group(call: Call) -> None:
    """What is tagged has to exist."""
    arn = call.params["ResourceARN"]
    if ":workgroup/" in arn and arn.split("/", 1)[1] not in _backend(call).work_groups:
        raise AwsError("ResourceNotFoundException", f"{arn} is not found.", ResourceName=arn)
