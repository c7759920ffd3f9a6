"""Who may use a cluster: access entries with their policies, and pod identity associations."""

import re
import secrets
import uuid
from typing import Any

from moto.iam.models import iam_backends

from . import clock, eks, propagation, settings
from .eks import CREATOR_POLICY, Cluster, Document
from .gateway import Call
from .registry import handles

POLICY_PREFIX = "arn:aws:eks::aws:cluster-access-policy/"
POLICIES = [
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSAutoNodePolicy",
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSViewPolicy",
]
PRINCIPAL = re.compile(r"arn:aws:iam::\d{12}:(user|role)/.+")


def _entry(region: str, one: Cluster, principal: str, kind: str) -> Document:
    _, name = principal.split(":")[5].split("/", 1)
    sort = principal.split(":")[5].split("/", 1)[0]
    path = f"access-entry/{one.name}/{sort}/{settings.ACCOUNT}/{name.rpartition('/')[2]}/{uuid.uuid4()}"
    return {
        "clusterName": one.name,
        "principalArn": principal,
        "kubernetesGroups": [],
        "accessEntryArn": eks.arn(region, path),
        "createdAt": clock.timestamp(),
        "modifiedAt": clock.timestamp(),
        "tags": {},
        "username": _username(principal, kind),
        "type": kind,
        "_policies": {},
    }


def _username(principal: str, kind: str) -> str:
    if kind == "EC2_LINUX":
        return "system:node:{{EC2PrivateDNSName}}"
    if kind == "FARGATE_LINUX":
        return "system:node:{{SessionName}}"
    if ":role/" in principal:
        return f"arn:aws:sts::{settings.ACCOUNT}:assumed-role/{eks.role_name(principal)}/{{{{SessionName}}}}"
    return principal


def add_creator(one: Cluster) -> None:
    """The entry of whoever created the cluster, with the administrator's policy."""
    entry = _entry(one.region, one, settings.CALLER_ARN, "STANDARD")
    entry["_policies"][CREATOR_POLICY] = _association(CREATOR_POLICY, {"type": "cluster", "namespaces": []})
    one.entries.setdefault(settings.CALLER_ARN, entry)


def add_service_entry(one: Cluster, role_arn: str, kind: str) -> None:
    """The entry EKS adds by itself so that its nodes may join."""
    if settings.lenient or one.doc["accessConfig"]["authenticationMode"] == "CONFIG_MAP" or role_arn in one.entries:
        return
    entry = _entry(one.region, one, role_arn, kind)
    entry["kubernetesGroups"] = (
        ["system:nodes"] if kind == "EC2_LINUX" else ["system:bootstrappers", "system:nodes", "system:node-proxier"]
    )
    entry["_service"] = True
    one.entries[role_arn] = entry


def remove_service_entry(one: Cluster, role_arn: str) -> None:
    """An entry that EKS added goes with the nodes that needed it."""
    if one.entries.get(role_arn, {}).get("_service"):
        del one.entries[role_arn]


def _shown(entry: Document) -> Document:
    return {key: value for key, value in eks.public(entry).items() if key != "_service"}


def _api_cluster(call: Call) -> Cluster:
    one = eks.active_cluster(call)
    if one.doc["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
        message = "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation."
        raise eks.bad_request(message, clusterName=one.name)
    return one


def _check_principal(principal: str) -> None:
    if not PRINCIPAL.fullmatch(principal):
        raise eks.invalid("The specified principalArn is invalid: invalid principal.")
    iam = iam_backends[settings.ACCOUNT]["aws"]
    known = {one.arn for one in [*iam.roles.values(), *iam.users.values()]} | {settings.CALLER_ARN}
    if principal not in known or not propagation.known(principal):
        raise eks.invalid("The specified principalArn is invalid: invalid principal.")


@handles("eks:CreateAccessEntry")
def create(call: Call) -> dict[str, Any]:
    """Let a principal in."""
    one, params = _api_cluster(call), call.params
    principal = params["principalArn"]
    existing = one.entries.get(principal)
    if existing is not None:
        if eks.replayed(call, existing):
            return {"accessEntry": _shown(existing)}
        raise eks.in_use("The specified access entry resource is already in use on this cluster.", clusterName=one.name)
    _check_principal(principal)
    _check_groups(params.get("kubernetesGroups") or [])
    kind = params.get("type") or "STANDARD"
    entry = _entry(call.region, one, principal, kind)
    entry["kubernetesGroups"] = list(params.get("kubernetesGroups") or [])
    if params.get("username"):
        entry["username"] = params["username"]
    entry = eks.stamped(call, entry)
    one.entries[principal] = entry
    return {"accessEntry": _shown(entry)}


def _check_groups(groups: list[str]) -> None:
    for name in groups:
        if name.startswith(("system:", "eks:", "aws:", "amazon:", "iam:")):
            raise eks.invalid(
                f"The kubernetes group name {name} is invalid, it cannot start with system:, eks:, aws:, amazon: or iam:."
            )


def _access_entry(call: Call) -> tuple[Cluster, Document]:
    one, principal = _api_cluster(call), call.params["principalArn"]
    if principal not in one.entries:
        message = "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'."
        raise eks.not_found(message, clusterName=one.name)
    return one, one.entries[principal]


@handles("eks:DescribeAccessEntry")
def describe(call: Call) -> dict[str, Any]:
    """Show an entry."""
    return {"accessEntry": _shown(_access_entry(call)[1])}


@handles("eks:ListAccessEntries")
def list_all(call: Call) -> dict[str, Any]:
    """Name a cluster's principals."""
    one, policy = _api_cluster(call), call.params.get("associatedPolicyArn")
    return {
        "accessEntries": sorted(key for key, entry in one.entries.items() if not policy or policy in entry["_policies"])
    }


@handles("eks:UpdateAccessEntry")
def update(call: Call) -> dict[str, Any]:
    """Change an entry's groups or user name."""
    _, entry = _access_entry(call)
    if call.params.get("kubernetesGroups") is not None:
        _check_groups(call.params["kubernetesGroups"])
        entry["kubernetesGroups"] = list(call.params["kubernetesGroups"])
    if call.params.get("username"):
        entry["username"] = call.params["username"]
    entry["modifiedAt"] = clock.timestamp()
    return {"accessEntry": _shown(entry)}


@handles("eks:DeleteAccessEntry")
def delete(call: Call) -> dict[str, Any]:
    """Shut a principal out."""
    one, entry = _access_entry(call)
    del one.entries[entry["principalArn"]]
    return {}


@handles("eks:ListAccessPolicies")
def list_policies(_call: Call) -> dict[str, Any]:
    """Name the policies there are."""
    return {"accessPolicies": [{"name": name, "arn": POLICY_PREFIX + name} for name in POLICIES]}


def _association(policy: str, scope: Document) -> Document:
    return {
        "policyArn": policy,
        "accessScope": scope,
        "associatedAt": clock.timestamp(),
        "modifiedAt": clock.timestamp(),
    }


@handles("eks:AssociateAccessPolicy")
def associate(call: Call) -> dict[str, Any]:
    """Give an entry a policy; doing it again changes the scope."""
    one, entry = _access_entry(call)
    policy, scope = call.params["policyArn"], call.params["accessScope"]
    if policy not in [POLICY_PREFIX + name for name in POLICIES]:
        raise eks.invalid(f"The specified policyArn is invalid: {policy}", clusterName=one.name)
    if entry["type"] != "STANDARD":
        raise eks.bad_request(
            "Access policies can only be associated with access entries of type STANDARD.", clusterName=one.name
        )
    if scope.get("type") == "namespace" and not scope.get("namespaces"):
        raise eks.invalid("An access scope of type namespace needs namespaces.", clusterName=one.name)
    made = _association(policy, {"type": scope.get("type"), "namespaces": scope.get("namespaces") or []})
    if policy in entry["_policies"]:
        made["associatedAt"] = entry["_policies"][policy]["associatedAt"]
    entry["_policies"][policy] = made
    return {"clusterName": one.name, "principalArn": entry["principalArn"], "associatedAccessPolicy": made}


@handles("eks:DisassociateAccessPolicy")
def disassociate(call: Call) -> dict[str, Any]:
    """Take a policy from an entry."""
    one, entry = _access_entry(call)
    if entry["_policies"].pop(call.params["policyArn"], None) is None:
        raise eks.not_found("The specified policyArn is not associated with this access entry.", clusterName=one.name)
    return {}


@handles("eks:ListAssociatedAccessPolicies")
def list_associated(call: Call) -> dict[str, Any]:
    """List an entry's policies."""
    one, entry = _access_entry(call)
    policies = list(entry["_policies"].values())
    return {"clusterName": one.name, "principalArn": entry["principalArn"], "associatedAccessPolicies": policies}


def new_association(region: str, one: Cluster, namespace: str, account: str, role_arn: str) -> Document:
    """Bind a Kubernetes service account to a role."""
    for other in one.associations.values():
        if (other["namespace"], other["serviceAccount"]) == (namespace, account):
            raise eks.in_use(f"Association already exists: {other['associationId']}", clusterName=one.name)
    if eks.role(role_arn) is None:
        raise eks.invalid(f"Role provided in the request does not exist: {role_arn}", clusterName=one.name)
    unique = "a-" + secrets.token_hex(9)[:17]
    doc = {
        "clusterName": one.name,
        "namespace": namespace,
        "serviceAccount": account,
        "roleArn": role_arn,
        "associationArn": eks.arn(region, f"podidentityassociation/{one.name}/{unique}"),
        "associationId": unique,
        "tags": {},
        "createdAt": clock.timestamp(),
        "modifiedAt": clock.timestamp(),
        "disableSessionTags": False,
    }
    one.associations[unique] = doc
    return doc


@handles("eks:CreatePodIdentityAssociation")
def create_association(call: Call) -> dict[str, Any]:
    """Create an association."""
    one, params = eks.active_cluster(call), call.params
    for other in one.associations.values():
        if eks.replayed(call, other):
            return {"association": eks.public(other)}
    doc = new_association(call.region, one, params["namespace"], params["serviceAccount"], params["roleArn"])
    doc |= eks.stamped(call, {})
    for key in ("disableSessionTags", "targetRoleArn", "policy"):
        if params.get(key) is not None:
            doc[key] = params[key]
    return {"association": eks.public(doc)}


def _pod_association(call: Call) -> tuple[Cluster, Document]:
    one, unique = eks.cluster(call), call.params["associationId"]
    if unique not in one.associations:
        raise eks.not_found(f"No associations found for associationId: {unique}", clusterName=one.name)
    return one, one.associations[unique]


@handles("eks:DescribePodIdentityAssociation")
def describe_association(call: Call) -> dict[str, Any]:
    """Show an association."""
    return {"association": eks.public(_pod_association(call)[1])}


@handles("eks:ListPodIdentityAssociations")
def list_associations(call: Call) -> dict[str, Any]:
    """List a cluster's associations, by namespace or service account."""
    keys = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId", "ownerArn")
    rows = [{key: doc[key] for key in keys if key in doc} for doc in eks.cluster(call).associations.values()]
    for key in ("namespace", "serviceAccount"):
        if call.params.get(key):
            rows = [row for row in rows if row[key] == call.params[key]]
    return {"associations": rows}


@handles("eks:UpdatePodIdentityAssociation")
def update_association(call: Call) -> dict[str, Any]:
    """Bind the account to another role."""
    _, doc = _pod_association(call)
    for key in ("roleArn", "disableSessionTags", "targetRoleArn", "policy"):
        if call.params.get(key) is not None:
            doc[key] = call.params[key]
    doc["modifiedAt"] = clock.timestamp()
    return {"association": eks.public(doc)}


@handles("eks:DeletePodIdentityAssociation")
def delete_association(call: Call) -> dict[str, Any]:
    """Unbind the account."""
    one, doc = _pod_association(call)
    del one.associations[doc["associationId"]]
    return {"association": eks.public(doc)}
