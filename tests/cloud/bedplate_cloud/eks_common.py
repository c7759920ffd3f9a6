"""EKS operations that work on every kind of resource: updates and tags."""

from typing import Any

from . import eks
from .eks import Cluster, Document
from .gateway import Call
from .registry import handles


def _scope(call: Call) -> tuple[str, str] | None:
    if call.params.get("nodegroupName"):
        return ("nodegroup", call.params["nodegroupName"])
    if call.params.get("addonName"):
        return ("addon", call.params["addonName"])
    return None


@handles("eks:DescribeUpdate")
def describe_update(call: Call) -> dict[str, Any]:
    """Show an update of a cluster, a node group or an add-on."""
    one, wanted = eks.cluster(call, "name"), call.params["updateId"]
    for update in one.updates:
        if update["id"] == wanted and update["_scope"] == _scope(call):
            return {"update": eks.public_update(update)}
    raise eks.not_found(f"No update found for ID: {wanted}", clusterName=one.name)


@handles("eks:ListUpdates")
def list_updates(call: Call) -> dict[str, Any]:
    """Name the updates, newest first."""
    one = eks.cluster(call, "name")
    return {"updateIds": [update["id"] for update in reversed(one.updates) if update["_scope"] == _scope(call)]}


def _tagged(arn: str) -> Document:
    for one in eks.clusters.values():
        for doc in _documents(one):
            if arn in (doc.get(key) for key in ARN_KEYS):
                return doc
    raise eks.AwsError("NotFoundException", f"The specified resource was not found: {arn}", 404)


ARN_KEYS = ("arn", "nodegroupArn", "fargateProfileArn", "addonArn", "accessEntryArn", "associationArn")


def _documents(one: Cluster) -> list[Document]:
    parts = (one.nodegroups, one.profiles, one.addons, one.entries, one.associations)
    return [one.doc, *(doc for part in parts for doc in part.values())]


@handles("eks:TagResource")
def tag(call: Call) -> dict[str, Any]:
    """Add tags."""
    _tagged(call.params["resourceArn"])["tags"] |= call.params["tags"]
    return {}


@handles("eks:UntagResource")
def untag(call: Call) -> dict[str, Any]:
    """Remove tags."""
    tags = _tagged(call.params["resourceArn"])["tags"]
    for key in call.params.get("tagKeys") or []:
        tags.pop(key, None)
    return {}


@handles("eks:ListTagsForResource")
def list_tags(call: Call) -> dict[str, Any]:
    """List tags."""
    return {"tags": dict(_tagged(call.params["resourceArn"])["tags"])}
