"""Fargate profiles: one at a time is created or deleted in a cluster."""

import uuid
from typing import Any

from . import clock, eks, settings
from .ec2 import backend_of, subnet
from .eks import Cluster, Document
from .errors import AwsError
from .gateway import Call
from .registry import handles


@handles("eks:CreateFargateProfile")
def create(call: Call) -> dict[str, Any]:
    """Start a profile."""
    one, params = eks.active_cluster(call), call.params
    name = params["fargateProfileName"]
    existing = one.profiles.get(name)
    if existing is not None and eks.replayed(call, existing):
        return {"fargateProfile": eks.public(existing)}
    if existing is not None:
        raise eks.in_use(
            f"A Fargate Profile already exists with this name in this cluster: {name}.", fargateProfileName=name
        )
    _check_alone(one, name, "create")
    _check_role(params["podExecutionRoleArn"])
    subnets = params.get("subnets") or one.doc["resourcesVpcConfig"]["subnetIds"]
    _check_subnets(one, subnets)
    if not params.get("selectors"):
        raise eks.invalid("Fargate Profile must have at least one selector.", fargateProfileName=name)
    if len(params["selectors"]) > 5:
        raise eks.invalid("A Fargate Profile has at most 5 selectors.", fargateProfileName=name)
    doc = eks.stamped(
        call,
        {
            "fargateProfileName": name,
            "fargateProfileArn": eks.arn(call.region, f"fargateprofile/{one.name}/{name}/{uuid.uuid4()}"),
            "clusterName": one.name,
            "createdAt": clock.timestamp(),
            "podExecutionRoleArn": params["podExecutionRoleArn"],
            "subnets": list(subnets),
            "selectors": [
                {"namespace": item["namespace"], "labels": item.get("labels") or {}} for item in params["selectors"]
            ],
            "status": "CREATING",
            "health": {"issues": []},
        },
    )
    one.profiles[name] = doc
    eks.ensure_service_linked_role("eks-fargate.amazonaws.com")
    from .eks_access import add_service_entry

    add_service_entry(one, params["podExecutionRoleArn"], "FARGATE_LINUX")
    clock.later(settings.durations["fargate-profile.create"], lambda: _created(doc))
    return {"fargateProfile": eks.public(doc)}


def _check_alone(one: Cluster, name: str, verb: str) -> None:
    for other in one.profiles.values():
        if other["status"] in ("CREATING", "DELETING"):
            message = (
                f"Cannot {verb} Fargate Profile {name} because cluster {one.name} currently has Fargate profile "
                f"{other['fargateProfileName']} in status {other['status']}"
            )
            raise eks.in_use(message, clusterName=one.name)


def _check_role(role_arn: str) -> None:
    found = eks.role(role_arn)
    if found is None or not eks.trusts(found, "eks-fargate-pods.amazonaws.com"):
        message = "Misconfigured PodExecutionRole Trust Policy; Please add the eks-fargate-pods.amazonaws.com Service Principal"
        raise eks.invalid(message)


def _check_subnets(one: Cluster, subnets: list[str]) -> None:
    ec2 = backend_of(one.region)
    for where in subnets:
        try:
            found = subnet(ec2, where)
        except AwsError as error:
            raise eks.invalid(error.message, clusterName=one.name) from None
        if found.vpc_id != one.doc["resourcesVpcConfig"]["vpcId"]:
            raise eks.invalid(f"Subnet {where} is not in the cluster's VPC", clusterName=one.name)
        if not settings.lenient and _is_public(ec2, found):
            raise eks.invalid(
                f"Subnet {where} provided in Fargate Profile is not a private subnet", clusterName=one.name
            )


def _is_public(ec2: Any, where: Any) -> bool:
    """Whether the subnet's own route table, or the VPC's main one, leads to an internet gateway."""
    tables = [one for one in ec2.route_tables.values() if where.id in one._associations.values()]
    tables = tables or [
        one for one in ec2.route_tables.values() if one.vpc_id == where.vpc_id and one.main_association_id
    ]
    return any((route.gateway_id or "").startswith("igw-") for one in tables for route in one.routes)


def _created(doc: Document) -> None:
    if doc["status"] == "CREATING":
        doc["status"] = "ACTIVE"


def _profile(call: Call) -> tuple[Cluster, Document]:
    one, name = eks.cluster(call), call.params["fargateProfileName"]
    if name not in one.profiles:
        message = f"No Fargate Profile found with name: {name}."
        raise eks.not_found(message, clusterName=one.name, fargateProfileName=name)
    return one, one.profiles[name]


@handles("eks:DescribeFargateProfile")
def describe(call: Call) -> dict[str, Any]:
    """Show a profile."""
    return {"fargateProfile": eks.public(_profile(call)[1])}


@handles("eks:ListFargateProfiles")
def list_all(call: Call) -> dict[str, Any]:
    """Name a cluster's profiles."""
    return {"fargateProfileNames": sorted(eks.cluster(call).profiles)}


@handles("eks:DeleteFargateProfile")
def delete(call: Call) -> dict[str, Any]:
    """Start deleting a profile."""
    one, doc = _profile(call)
    _check_alone(one, doc["fargateProfileName"], "delete")
    doc["status"] = "DELETING"
    clock.later(settings.durations["fargate-profile.delete"], lambda: _deleted(one, doc))
    return {"fargateProfile": eks.public(doc)}


def _deleted(one: Cluster, doc: Document) -> None:
    one.profiles.pop(doc["fargateProfileName"], None)
    from .eks_access import remove_service_entry

    if not any(other["podExecutionRoleArn"] == doc["podExecutionRoleArn"] for other in one.profiles.values()):
        remove_service_entry(one, doc["podExecutionRoleArn"])
