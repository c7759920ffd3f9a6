"""EKS add-ons and the catalogue they come from."""

import json
import uuid
from typing import Any

from . import clock, eks, settings
from .eks import Cluster, Document
from .eks_versions import VERSIONS
from .gateway import Call
from .registry import handles

# Add-on -> its versions, newest first, and the index of the default version per Kubernetes version.
CATALOGUE: dict[str, dict[str, Any]] = {
    "vpc-cni": {
        "type": "networking",
        "builds": ["v1.22.1-eksbuild.2", "v1.21.1-eksbuild.3", "v1.20.5-eksbuild.1"],
        "default": 1,
    },
    "eks-pod-identity-agent": {
        "type": "security",
        "builds": ["v1.3.14-eksbuild.1", "v1.3.10-eksbuild.2"],
        "default": 1,
    },
    "metrics-server": {"type": "observability", "builds": ["v0.8.2-eksbuild.1", "v0.8.0-eksbuild.6"], "default": 0},
    "aws-ebs-csi-driver": {"type": "storage", "builds": ["v1.63.0-eksbuild.1", "v1.58.0-eksbuild.1"], "default": 0},
    "coredns": {
        "type": "networking",
        "builds": ["v1.14.2-eksbuild.4", "v1.13.1-eksbuild.1", "v1.12.4-eksbuild.6"],
        "default": 1,
    },
    "kube-proxy": {"type": "networking", "builds": [], "default": 0},
}
# These run as Deployments: without a node or a matching Fargate profile their pods never start.
NEEDS_NODES = {"coredns", "metrics-server", "aws-ebs-csi-driver"}


def builds(name: str, kubernetes: str) -> list[str]:
    """The versions of an add-on that fit a Kubernetes version, newest first."""
    if name == "kube-proxy":
        patch = VERSIONS[kubernetes]["kubernetesPatchVersion"]
        return [f"v{patch}-eksbuild.5", f"v{kubernetes}.0-eksbuild.2"]
    return CATALOGUE[name]["builds"]


def default_build(name: str, kubernetes: str) -> str:
    """The version EKS installs when none is named."""
    return builds(name, kubernetes)[CATALOGUE[name]["default"]]


@handles("eks:DescribeAddonVersions")
def describe_versions(call: Call) -> dict[str, Any]:
    """Show the catalogue, or one add-on, for all or one Kubernetes version."""
    params = call.params
    wanted, kubernetes = params.get("addonName"), params.get("kubernetesVersion")
    if wanted and wanted not in CATALOGUE:
        raise eks.invalid(f"Addon {wanted} is not supported")
    versions = [one for one in VERSIONS if not kubernetes or one == kubernetes]
    rows = [_addon_row(name, versions) for name in CATALOGUE if not wanted or name == wanted]
    for key, member in (("types", "type"), ("publishers", "publisher"), ("owners", "owner")):
        if params.get(key):
            rows = [row for row in rows if row[member] in params[key]]
    return {"addons": [row for row in rows if row["addonVersions"]]}


def _addon_row(name: str, versions: list[str]) -> Document:
    fits: dict[str, list[Document]] = {}
    for kubernetes in versions:
        for build in builds(name, kubernetes):
            is_default = build == default_build(name, kubernetes)
            one = {"clusterVersion": kubernetes, "platformVersions": ["*"], "defaultVersion": is_default}
            fits.setdefault(build, []).append(one)
    rows = [
        {
            "addonVersion": build,
            "architecture": ["amd64", "arm64"],
            "computeTypes": ["ec2", "fargate"] if name in ("coredns", "metrics-server") else ["ec2"],
            "compatibilities": compatibilities,
            "requiresConfiguration": False,
            "requiresIamPermissions": name in ("vpc-cni", "aws-ebs-csi-driver"),
        }
        for build, compatibilities in fits.items()
    ]
    return {
        "addonName": name,
        "type": CATALOGUE[name]["type"],
        "addonVersions": rows,
        "publisher": "eks",
        "owner": "community" if name == "metrics-server" else "aws",
        "defaultNamespace": "kube-system",
    }


@handles("eks:DescribeAddonConfiguration")
def describe_configuration(call: Call) -> dict[str, Any]:
    """Show which configuration values an add-on takes."""
    name, version = call.params["addonName"], call.params["addonVersion"]
    if name not in CATALOGUE or not any(version in builds(name, one) for one in VERSIONS):
        raise eks.not_found(f"Addon {name} version {version} not found", addonName=name)
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": True,
        "properties": {
            "replicaCount": {"type": "integer"},
            "resources": {"type": "object"},
            "nodeSelector": {"type": "object"},
            "tolerations": {"type": "array"},
            "computeType": {"type": "string"},
        },
    }
    return {"addonName": name, "addonVersion": version, "configurationSchema": json.dumps(schema)}


@handles("eks:CreateAddon")
def create(call: Call) -> dict[str, Any]:
    """Start installing an add-on."""
    one, params = eks.active_cluster(call), call.params
    name = params["addonName"]
    existing = one.addons.get(name)
    if existing is not None:
        if eks.replayed(call, existing):
            return {"addon": _shown(one, existing)}
        raise eks.in_use("Addon already exists.", clusterName=one.name, addonName=name)
    version = _version(one, name, params.get("addonVersion"))
    _check_configuration(params.get("configurationValues"), name)
    _check_service_role(params.get("serviceAccountRoleArn"), name)
    doc = {
        "addonName": name,
        "clusterName": one.name,
        "status": "CREATING",
        "addonVersion": version,
        "health": {"issues": []},
        "addonArn": eks.arn(call.region, f"addon/{one.name}/{name}/{uuid.uuid4()}"),
        "createdAt": clock.timestamp(),
        "modifiedAt": clock.timestamp(),
        "_since": clock.now(),
    }
    for key in ("serviceAccountRoleArn", "configurationValues"):
        if params.get(key):
            doc[key] = params[key]
    doc["namespaceConfig"] = params.get("namespaceConfig") or {"namespace": "kube-system"}
    doc = eks.stamped(call, doc)
    one.addons[name] = doc
    _pod_identities(call, one, doc, params.get("podIdentityAssociations") or [])
    clock.later(settings.durations["addon.create"], lambda: _created(doc))
    return {"addon": _shown(one, doc)}


def _version(one: Cluster, name: str, wanted: str | None) -> str:
    kubernetes = one.doc["version"]
    if name not in CATALOGUE:
        raise eks.invalid(f"Addon {name} specified is not supported in {kubernetes} kubernetes version", addonName=name)
    if wanted and wanted not in builds(name, kubernetes):
        raise eks.invalid(f"Addon version specified is not supported: {wanted}", addonName=name)
    return wanted or default_build(name, kubernetes)


def _check_configuration(text: str | None, name: str) -> None:
    if not text:
        return
    import yaml

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        values = None
    if not isinstance(values, dict):
        message = "ConfigurationValue provided in request is not supported: Json schema validation failed with error: not an object"
        raise eks.invalid(message, addonName=name)


def _check_service_role(role_arn: str | None, name: str) -> None:
    if role_arn and eks.role(role_arn) is None:
        raise eks.invalid(f"Role ARN {role_arn} does not exist", addonName=name)


def _pod_identities(call: Call, one: Cluster, doc: Document, wanted: list[Document]) -> None:
    from .eks_access import new_association

    made = []
    for item in wanted:
        association = new_association(call.region, one, "kube-system", item["serviceAccount"], item["roleArn"])
        association["ownerArn"] = doc["addonArn"]
        made.append(association["associationArn"])
    if made:
        doc["podIdentityAssociations"] = made


def _created(doc: Document) -> None:
    if doc["status"] == "CREATING":
        doc["status"] = "ACTIVE"
        doc["modifiedAt"] = clock.timestamp()


def _has_room(one: Cluster, doc: Document) -> bool:
    if doc["addonName"] not in NEEDS_NODES:
        return True
    if any(
        node["status"] in ("ACTIVE", "UPDATING") and node["scalingConfig"]["desiredSize"]
        for node in one.nodegroups.values()
    ):
        return True
    profiles = [item for item in one.profiles.values() if item["status"] == "ACTIVE"]
    spaces = {selector["namespace"] for item in profiles for selector in item["selectors"]}
    # On Fargate, CoreDNS has to be told so, or its pods ask for a node.
    told = doc["addonName"] != "coredns" or "fargate" in (doc.get("configurationValues") or "").lower()
    return "kube-system" in spaces and told


def _shown(one: Cluster, doc: Document) -> Document:
    shown = eks.public(doc)
    if shown["status"] == "ACTIVE" and not _has_room(one, doc):
        late = clock.now() - doc["_since"] > settings.durations["addon.degraded"]
        shown["status"] = "DEGRADED" if late else "CREATING"
        if late:
            message = "The add-on is unhealthy because it doesn't have the desired number of replicas."
            issue = {"code": "InsufficientNumberOfReplicas", "message": message, "resourceIds": []}
            shown["health"] = {"issues": [issue]}
    return shown


def _addon(call: Call) -> tuple[Cluster, Document]:
    one, name = eks.cluster(call), call.params["addonName"]
    if name not in one.addons:
        message = f"No addon: {name} found in cluster: {one.name}"
        raise eks.not_found(message, clusterName=one.name, addonName=name)
    return one, one.addons[name]


@handles("eks:DescribeAddon")
def describe(call: Call) -> dict[str, Any]:
    """Show an add-on; one without room for its pods is not up."""
    one, doc = _addon(call)
    return {"addon": _shown(one, doc)}


@handles("eks:ListAddons")
def list_all(call: Call) -> dict[str, Any]:
    """Name a cluster's add-ons."""
    return {"addons": sorted(eks.cluster(call).addons)}


@handles("eks:UpdateAddon")
@eks.repeatable
def update(call: Call) -> dict[str, Any]:
    """Change version, configuration or role."""
    one, doc = _addon(call)
    params, name = call.params, doc["addonName"]
    if doc["status"] != "ACTIVE":
        raise eks.in_use(f"Addon {name} cannot be updated as it is currently in {doc['status']} state", addonName=name)
    changes: Document = {}
    if params.get("addonVersion"):
        changes["addonVersion"] = _version(one, name, params["addonVersion"])
    if params.get("configurationValues") is not None:
        _check_configuration(params["configurationValues"], name)
        changes["configurationValues"] = params["configurationValues"]
    if params.get("serviceAccountRoleArn"):
        _check_service_role(params["serviceAccountRoleArn"], name)
        changes["serviceAccountRoleArn"] = params["serviceAccountRoleArn"]
    else:
        # "If you don't specify an existing IAM role, then the add-on uses the permissions assigned to the node IAM role."
        doc.pop("serviceAccountRoleArn", None)
    shown = {
        "AddonVersion": changes.get("addonVersion"),
        "ResolveConflicts": params.get("resolveConflicts"),
        "ConfigurationValues": changes.get("configurationValues"),
        "ServiceAccountRoleArn": changes.get("serviceAccountRoleArn"),
    }
    seconds = settings.durations["addon.update"]
    started = eks.start_update(
        call, one, doc, "AddonUpdate", shown, seconds, lambda: doc.update(changes), ("addon", name)
    )
    return {"update": eks.public_update(started)}


@handles("eks:DeleteAddon")
def delete(call: Call) -> dict[str, Any]:
    """Start removing an add-on."""
    one, doc = _addon(call)
    if doc["status"] != "DELETING":
        doc["status"] = "DELETING"
        clock.later(settings.durations["addon.delete"], lambda: _deleted(one, doc))
    return {"addon": eks.public(doc)}


def _deleted(one: Cluster, doc: Document) -> None:
    one.addons.pop(doc["addonName"], None)
    for key, association in list(one.associations.items()):
        if association.get("ownerArn") == doc["addonArn"]:
            del one.associations[key]
