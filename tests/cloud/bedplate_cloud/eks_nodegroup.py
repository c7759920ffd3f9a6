"""Managed node groups."""

import secrets
import uuid
from functools import partial
from typing import Any

from . import autoscaling, clock, eks, eks_controllers, settings, switches
from .ec2 import backend_of, managed_interface, remove_interface, subnet
from .eks import Cluster, Document
from .eks_versions import VERSIONS, minor
from .errors import AwsError
from .gateway import Call
from .registry import handles

# Without these a node starts and never joins, which EKS reports after a long wait.
NODE_POLICIES = ("arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",)


def release_version(version: str, ami_type: str) -> str:
    """The image release for a Kubernetes version."""
    if ami_type.startswith("BOTTLEROCKET"):
        return "1.49.0-bb0c4a7e"
    return f"{VERSIONS[version]['kubernetesPatchVersion']}-20261110"


@handles("eks:CreateNodegroup")
def create(call: Call) -> dict[str, Any]:
    """Start a node group."""
    one, params = eks.active_cluster(call), call.params
    name = params["nodegroupName"]
    existing = one.nodegroups.get(name)
    if existing is not None:
        if eks.replayed(call, existing):
            return {"nodegroup": _shown(existing)}
        raise eks.in_use(
            "NodeGroup already exists with name " + name + " and cluster name " + one.name, nodegroupName=name
        )
    _check_role(params["nodeRole"], name)
    _check_subnets(one, params["subnets"])
    scaling = {"minSize": 1, "maxSize": 2, "desiredSize": 2} | (params.get("scalingConfig") or {})
    _check_scaling(scaling)
    version = params.get("version") or one.doc["version"]
    _check_version(one, version)
    doc = _document(call, one, scaling, version)
    one.nodegroups[name] = doc
    eks.ensure_service_linked_role("eks-nodegroup.amazonaws.com")
    from .eks_access import add_service_entry

    add_service_entry(one, params["nodeRole"], "EC2_LINUX")
    clock.later(settings.durations["nodegroup.create"], lambda: _created(one, doc))
    return {"nodegroup": _shown(doc)}


def _check_role(role_arn: str, name: str) -> None:
    found = eks.role(role_arn)
    if found is None:
        raise eks.invalid(f"The role with name {eks.role_name(role_arn)} cannot be found.", nodegroupName=name)
    if not eks.trusts(found, "ec2.amazonaws.com"):
        message = "Following required service principals [ec2.amazonaws.com] were not found in the trust relationships of nodeRole"
        raise eks.invalid(f"{message} {role_arn}", nodegroupName=name)


def _check_subnets(one: Cluster, subnets: list[str]) -> None:
    ec2 = backend_of(one.region)
    for where in subnets:
        try:
            found = subnet(ec2, where)
        except AwsError as error:
            raise eks.invalid(error.message, clusterName=one.name) from None
        if found.vpc_id != one.doc["resourcesVpcConfig"]["vpcId"]:
            raise eks.invalid(f"Subnet {where} is not in the cluster's VPC", clusterName=one.name)


def _check_scaling(scaling: Document) -> None:
    low, desired, high = (scaling[key] for key in ("minSize", "desiredSize", "maxSize"))
    if low > high:
        raise eks.invalid(f"Minimum capacity {low} can't be greater than maximum size {high}")
    if low > desired:
        raise eks.invalid(f"Minimum capacity {low} can't be greater than desired size {desired}")
    if desired > high:
        raise eks.invalid(f"Desired capacity {desired} can't be greater than max size {high}")


def _check_version(one: Cluster, version: str) -> None:
    current = one.doc["version"]
    if version not in VERSIONS or minor(version) > minor(current):
        message = f"Requested Nodegroup version {version} is not supported with cluster version {current}"
        raise eks.invalid(message, clusterName=one.name)


def _document(call: Call, one: Cluster, scaling: Document, version: str) -> Document:
    params, name = call.params, call.params["nodegroupName"]
    template = params.get("launchTemplate")
    ami_type = params.get("amiType") or "AL2023_x86_64_STANDARD"
    doc = {
        "nodegroupName": name,
        "nodegroupArn": eks.arn(call.region, f"nodegroup/{one.name}/{name}/{uuid.uuid4()}"),
        "clusterName": one.name,
        "version": version,
        "releaseVersion": params.get("releaseVersion") or release_version(version, ami_type),
        "createdAt": clock.timestamp(),
        "modifiedAt": clock.timestamp(),
        "status": "CREATING",
        "capacityType": params.get("capacityType") or "ON_DEMAND",
        "scalingConfig": scaling,
        "subnets": list(params["subnets"]),
        "amiType": ami_type,
        "nodeRole": params["nodeRole"],
        "labels": dict(params.get("labels") or {}),
        "updateConfig": params.get("updateConfig") or {"maxUnavailable": 1},
        "health": {"issues": []},
        "_interfaces": [],
    }
    if template:
        doc["launchTemplate"] = _launch_template(call, template)
    else:
        doc |= {"diskSize": params.get("diskSize") or 20}
    doc["instanceTypes"] = params.get("instanceTypes") or ([] if template else ["t3.medium"])
    for key in ("taints", "remoteAccess", "nodeRepairConfig", "warmPoolConfig"):
        if params.get(key):
            doc[key] = params[key]
    return eks.stamped(call, doc)


def _launch_template(call: Call, wanted: Document) -> Document:
    templates = backend_of(call.region).launch_templates.values()
    for one in templates:
        if one.id == wanted.get("id") or one.name == wanted.get("name"):
            return {"id": one.id, "name": one.name, "version": wanted.get("version") or str(one.default_version_number)}
    raise eks.invalid("Launch template couldn't be found.")


def _created(one: Cluster, doc: Document) -> None:
    if doc["status"] != "CREATING":
        return
    role = eks.role(doc["nodeRole"])
    missing = [arn for arn in NODE_POLICIES if role is None or arn not in role.managed_policies]
    group = {"name": f"eks-{doc['nodegroupName']}-{uuid.uuid4()}"}
    doc["resources"] = {"autoScalingGroups": [group]}
    doc["modifiedAt"] = clock.timestamp()
    if missing and not settings.lenient:
        doc["status"] = "CREATE_FAILED"
        message = "Instances failed to join the kubernetes cluster"
        doc["health"] = {"issues": [{"code": "NodeCreationFailure", "message": message, "resourceIds": []}]}
        return
    full = _full_zone(one, doc["subnets"]) if doc["scalingConfig"]["desiredSize"] else None
    if full:
        doc["status"] = "CREATE_FAILED"
        kind = (doc["instanceTypes"] or ["m5.large"])[0]
        message = (
            "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient "
            f"{kind} capacity in the Availability Zone you requested ({full}). Our system will be working on provisioning "
            "additional capacity. Launching EC2 instance failed."
        )
        doc["health"] = {"issues": [{"code": "AsgInstanceLaunchFailures", "message": message, "resourceIds": []}]}
        return
    doc["status"] = "ACTIVE"
    _place_nodes(one, doc)
    eks_controllers.start(one, doc["subnets"])


def _full_zone(one: Cluster, subnets: list[str]) -> str | None:
    """The zone of a group's subnets where nothing can be started, if there is no other."""
    found = [subnet(backend_of(one.region), where) for where in subnets]
    full = [where.availability_zone for where in found if where.availability_zone_id in switches.current.full_zones]
    return full[0] if full and len(full) == len(found) else None


def _place_nodes(one: Cluster, doc: Document) -> None:
    """The nodes' interfaces, which keep their subnets in use."""
    ec2 = backend_of(one.region)
    for interface in doc["_interfaces"]:
        remove_interface(ec2, interface)
    security_group = one.doc["resourcesVpcConfig"]["clusterSecurityGroupId"]
    count, subnets = doc["scalingConfig"]["desiredSize"], doc["subnets"]
    chosen = [subnets[number % len(subnets)] for number in range(count)]
    doc["_interfaces"] = [managed_interface(ec2, where, "", "interface", [security_group]).id for where in chosen]
    for group in doc["resources"]["autoScalingGroups"]:
        autoscaling.follow(one.region, group["name"], one.name, doc)


def _shown(doc: Document) -> Document:
    return {key: value for key, value in eks.public(doc).items() if key != "_interfaces"}


def nodegroup(call: Call) -> tuple[Cluster, Document]:
    """The node group a call names, with its cluster."""
    one, name = eks.cluster(call), call.params["nodegroupName"]
    if name not in one.nodegroups:
        raise eks.not_found(f"No node group found for name: {name}.", clusterName=one.name, nodegroupName=name)
    return one, one.nodegroups[name]


@handles("eks:DescribeNodegroup")
def describe(call: Call) -> dict[str, Any]:
    """Show a node group."""
    return {"nodegroup": _shown(nodegroup(call)[1])}


@handles("eks:ListNodegroups")
def list_all(call: Call) -> dict[str, Any]:
    """Name a cluster's node groups."""
    return {"nodegroups": sorted(eks.cluster(call).nodegroups)}


@handles("eks:DeleteNodegroup")
def delete(call: Call) -> dict[str, Any]:
    """Start deleting a node group."""
    one, doc = nodegroup(call)
    if doc["status"] == "UPDATING":
        raise eks.in_use(_busy(one, doc), nodegroupName=doc["nodegroupName"])
    if doc["status"] != "DELETING":
        doc["status"] = "DELETING"
        clock.later(settings.durations["nodegroup.delete"], lambda: _deleted(one, doc))
    return {"nodegroup": _shown(doc)}


def _deleted(one: Cluster, doc: Document) -> None:
    _release(one, doc)
    for group in (doc.get("resources") or {}).get("autoScalingGroups") or []:
        autoscaling.drop(one.region, group["name"])
    one.nodegroups.pop(doc["nodegroupName"], None)
    from .eks_access import remove_service_entry

    if not any(other["nodeRole"] == doc["nodeRole"] for other in one.nodegroups.values()):
        remove_service_entry(one, doc["nodeRole"])


def _release(one: Cluster, doc: Document) -> None:
    """The nodes' interfaces go, or stay behind free, as those that the VPC CNI plug-in attached do when it ends first."""
    ec2, lag = backend_of(one.region), switches.current.interface_lag
    for interface_id in doc["_interfaces"]:
        if not lag:
            remove_interface(ec2, interface_id)
            continue
        interface, node = ec2.enis[interface_id], f"i-{secrets.token_hex(9)[:17]}"
        interface.status, interface.requester_managed = "available", False
        interface.description = f"aws-K8S-{node}"
        ec2.create_tags(
            [interface_id],
            {"cluster.k8s.amazonaws.com/name": one.name, "node.k8s.amazonaws.com/instance_id": node},
        )
        clock.later(lag, partial(remove_interface, ec2, interface_id))


def _busy(one: Cluster, doc: Document) -> str:
    name = doc["nodegroupName"]
    running = [
        item["id"] for item in one.updates if item["_scope"] == ("nodegroup", name) and item["status"] == "InProgress"
    ]
    return f"Nodegroup {name} currently has update {running[0] if running else 'unknown'} in progress"


def _idle(one: Cluster, doc: Document) -> None:
    name, status = doc["nodegroupName"], doc["status"]
    if status == "UPDATING":
        raise eks.in_use(_busy(one, doc), nodegroupName=name)
    if status not in ("ACTIVE", "DEGRADED"):
        raise eks.in_use(
            f"Nodegroup cannot be updated as it is currently not in Active State: {status}", nodegroupName=name
        )


@handles("eks:UpdateNodegroupConfig")
@eks.repeatable
def update_config(call: Call) -> dict[str, Any]:
    """Change scaling, labels, taints or the update settings."""
    one, doc = nodegroup(call)
    _idle(one, doc)
    params, changes = call.params, {}
    shown: dict[str, Any] = {}
    if params.get("scalingConfig"):
        changes["scalingConfig"] = doc["scalingConfig"] | params["scalingConfig"]
        _check_scaling(changes["scalingConfig"])
        names = {"minSize": "MinSize", "maxSize": "MaxSize", "desiredSize": "DesiredSize"}
        shown |= {names[key]: value for key, value in params["scalingConfig"].items()}
    if params.get("labels"):
        labels = {**doc["labels"], **(params["labels"].get("addOrUpdateLabels") or {})}
        removed = params["labels"].get("removeLabels") or []
        changes["labels"] = {key: value for key, value in labels.items() if key not in removed}
        shown |= {"LabelsToAdd": params["labels"].get("addOrUpdateLabels"), "LabelsToRemove": removed or None}
    if params.get("taints"):
        changes["taints"] = _taints(doc.get("taints") or [], params["taints"])
        shown |= {
            "TaintsToAdd": params["taints"].get("addOrUpdateTaints"),
            "TaintsToRemove": params["taints"].get("removeTaints"),
        }
    for key, name in (
        ("updateConfig", "MaxUnavailable"),
        ("nodeRepairConfig", "NodeRepairConfig"),
        ("warmPoolConfig", "WarmPoolState"),
    ):
        if params.get(key):
            changes[key] = params[key]
            shown[name] = params[key]
    if not changes:
        raise eks.invalid("Nodegroup config update needs at least one change", nodegroupName=doc["nodegroupName"])
    # The settings show at once; the group is UPDATING until the nodes follow.
    doc |= changes
    return _start(call, one, doc, "ConfigUpdate", shown, lambda: _place_nodes(one, doc))


def _taints(old: list[Document], wanted: Document) -> list[Document]:
    def identity(taint: Document) -> tuple[Any, Any]:
        return taint.get("key"), taint.get("effect")

    kept = {identity(taint): taint for taint in old}
    for taint in wanted.get("removeTaints") or []:
        kept.pop(identity(taint), None)
    kept |= {identity(taint): taint for taint in wanted.get("addOrUpdateTaints") or []}
    return list(kept.values())


def _start(call: Call, one: Cluster, doc: Document, kind: str, shown: Document, apply: Any) -> dict[str, Any]:
    scope = ("nodegroup", doc["nodegroupName"])
    update = eks.start_update(call, one, doc, kind, shown, settings.durations["nodegroup.update"], apply, scope)
    return {"update": eks.public_update(update)}


@handles("eks:UpdateNodegroupVersion")
@eks.repeatable
def update_version(call: Call) -> dict[str, Any]:
    """Move the nodes to the cluster's version or to another image release."""
    one, doc = nodegroup(call)
    _idle(one, doc)
    params = call.params
    version = params.get("version") or one.doc["version"]
    _check_version(one, version)
    if minor(version) < minor(doc["version"]):
        raise eks.invalid(
            f"Nodegroup Kubernetes version should be equal to or greater than current version {doc['version']}"
        )
    release = params.get("releaseVersion") or release_version(version, doc["amiType"])
    shown = {"Version": version, "ReleaseVersion": release}
    changes: Document = {"version": version, "releaseVersion": release}
    if params.get("launchTemplate"):
        changes["launchTemplate"] = _launch_template(call, params["launchTemplate"])
        shown["LaunchTemplateVersion"] = changes["launchTemplate"]["version"]

    def apply() -> None:
        doc.update(changes)
        _place_nodes(one, doc)

    return _start(call, one, doc, "VersionUpdate", shown, apply)
