"""The Auto Scaling groups of EKS's node groups, which target groups can be attached to.

They are kept here and not in moto, whose groups start instances of their own; every other group is moto's.
"""

import secrets

from moto.elbv2.models import elbv2_backends

from . import clock, settings
from .errors import AwsError
from .gateway import Call
from .registry import handles
from .store import Document, Shelf, shown

groups = Shelf("autoscaling.group", "AutoScalingGroupARN", ("ValidationError", "AutoScalingGroup name not found - {}"))


def follow(region: str, name: str, cluster: str, node_group: Document) -> None:
    """Make a node group's Auto Scaling group, or bring it in step with the node group."""
    scaling, subnets = node_group["scalingConfig"], node_group["subnets"]
    doc = groups.find(region, name)
    if doc is None:
        unique = f"{secrets.token_hex(4)}-{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(2)}-{secrets.token_hex(6)}"
        pairs = {
            "eks:cluster-name": cluster,
            "eks:nodegroup-name": node_group["nodegroupName"],
            f"kubernetes.io/cluster/{cluster}": "owned",
            f"k8s.io/cluster-autoscaler/{cluster}": "owned",
            "k8s.io/cluster-autoscaler/enabled": "true",
        }
        doc = {
            "AutoScalingGroupName": name,
            "AutoScalingGroupARN": f"arn:aws:autoscaling:{region}:{settings.ACCOUNT}:autoScalingGroup:{unique}:autoScalingGroupName/{name}",
            "DefaultCooldown": 300,
            "HealthCheckType": "EC2",
            "HealthCheckGracePeriod": 15,
            "LoadBalancerNames": [],
            "CreatedTime": clock.timestamp(),
            "SuspendedProcesses": [],
            "EnabledMetrics": [],
            "Tags": [
                {
                    "ResourceId": name,
                    "ResourceType": "auto-scaling-group",
                    "Key": key,
                    "Value": value,
                    "PropagateAtLaunch": True,
                }
                for key, value in pairs.items()
            ],
            "TerminationPolicies": ["AllocationStrategy", "OldestLaunchTemplate", "OldestInstance"],
            "NewInstancesProtectedFromScaleIn": False,
            "CapacityRebalance": True,
            "Instances": [],
            "_attached": [],
            "_moving": {},
        }
        groups.put(region, name, doc)
    doc |= {
        "MinSize": scaling["minSize"],
        "MaxSize": scaling["maxSize"],
        "DesiredCapacity": scaling["desiredSize"],
        "VPCZoneIdentifier": ",".join(subnets),
    }
    zones = _zones(region, subnets)
    doc["AvailabilityZones"] = sorted(set(zones))
    rows = doc["Instances"][: scaling["desiredSize"]]
    while len(rows) < scaling["desiredSize"]:
        row = {
            "InstanceId": f"i-{secrets.token_hex(8)}0",
            "InstanceType": (node_group["instanceTypes"] or ["t3.medium"])[0],
            "AvailabilityZone": zones[len(rows) % len(zones)],
            "LifecycleState": "InService",
            "HealthStatus": "Healthy",
            "ProtectedFromScaleIn": False,
        }
        rows = [*rows, row]
    doc["Instances"] = rows


def _zones(region: str, subnets: list[str]) -> list[str]:
    from .references import subnets as known

    return [one.availability_zone for one in known(region, subnets, "ValidationError")]


def _view(doc: Document) -> Document:
    row = shown(doc)
    row["TargetGroupARNs"] = list(doc["_attached"])
    row["TrafficSources"] = [{"Identifier": one, "Type": "elbv2"} for one in doc["_attached"]]
    return row


@handles("autoscaling:DescribeAutoScalingGroups")
def describe(call: Call) -> Document:
    """Moto's groups and the node groups'."""
    names, answer = call.params.get("AutoScalingGroupNames") or [], call.forward()
    rows = [_view(one) for one in groups.all(call.region) if not names or one["AutoScalingGroupName"] in names]
    for one in call.params.get("Filters") or []:
        rows = [row for row in rows if _matches(one, row["Tags"])]
    return answer | {"AutoScalingGroups": (answer.get("AutoScalingGroups") or []) + rows}


def _matches(wanted: Document, tags: list[Document]) -> bool:
    name, values = wanted["Name"], wanted.get("Values") or []
    if name.startswith("tag:"):
        return any(tag["Key"] == name[4:] and tag["Value"] in values for tag in tags)
    key = {"tag-key": "Key", "tag-value": "Value"}.get(name)
    if key is None:
        raise AwsError("ValidationError", f"Filter type {name} is not correct.")
    return any(tag[key] in values for tag in tags)


def _wanted(call: Call) -> list[str]:
    if "TrafficSources" in call.params:
        return [one["Identifier"] for one in call.params["TrafficSources"]]
    return list(call.params.get("TargetGroupARNs") or [])


ATTACH = ("autoscaling:AttachTrafficSources", "autoscaling:AttachLoadBalancerTargetGroups")
DETACH = ("autoscaling:DetachTrafficSources", "autoscaling:DetachLoadBalancerTargetGroups")


@handles(*ATTACH, *DETACH)
def attach(call: Call) -> Document:
    """Attach target groups to a group, or take them off; the nodes are registered with them."""
    doc = groups.find(call.region, call.params["AutoScalingGroupName"])
    if doc is None:
        if "TrafficSources" in call.params:
            raise groups.lacks(call.params["AutoScalingGroupName"])
        return call.forward()
    targets = elbv2_backends[settings.ACCOUNT][call.region].target_groups
    adds = call.target.name in ATTACH
    for arn in _wanted(call):
        if adds and arn not in targets:
            raise AwsError("ValidationError", f"Target group {arn} not found.")
        if adds and targets[arn].target_type == "ip":
            raise AwsError("ValidationError", "Target groups of type ip cannot be attached to an Auto Scaling group.")
        if not adds and arn not in doc["_attached"]:
            raise AwsError("ValidationError", f"Trying to remove Target Groups that are not part of the group: {arn}")
    doc["_attached"] = [one for one in doc["_attached"] if one not in _wanted(call)] + (_wanted(call) if adds else [])
    for arn in _wanted(call):
        doc["_moving"][arn] = "Adding" if adds else "Removing"
        seconds = settings.durations["traffic-source.attach" if adds else "traffic-source.detach"]
        clock.later(seconds, lambda arn=arn: doc["_moving"].pop(arn, None))
    return {}


def _states(call: Call) -> dict[str, str] | None:
    """What is attached, and what instances are still being taken off."""
    doc = groups.find(call.region, call.params["AutoScalingGroupName"])
    if doc is None:
        return None
    return dict.fromkeys(doc["_attached"], "InService") | doc["_moving"]


@handles("autoscaling:DescribeTrafficSources")
def traffic(call: Call) -> Document:
    """What is attached to a group."""
    rows = _states(call)
    if rows is None:
        raise groups.lacks(call.params["AutoScalingGroupName"])
    return {
        "TrafficSources": [
            {"TrafficSource": one, "Identifier": one, "State": state, "Type": "elbv2"} for one, state in rows.items()
        ]
    }


@handles("autoscaling:DescribeLoadBalancerTargetGroups")
def target_groups(call: Call) -> Document:
    """The target groups of a group."""
    rows = _states(call)
    if rows is None:
        return call.forward()
    rows = [{"LoadBalancerTargetGroupARN": one, "State": state} for one, state in rows.items()]
    return {"LoadBalancerTargetGroups": rows}


def drop(region: str, name: str) -> None:
    """The node group is gone, and its group with it."""
    groups.drop(region, name)
