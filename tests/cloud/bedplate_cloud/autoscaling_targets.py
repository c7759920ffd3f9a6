"""Application Auto Scaling: targets that exist, policies that belong to a target, tags."""

from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.dynamodb.models import dynamodb_backends

from . import eks, settings
from .errors import AwsError
from .gateway import Call
from .rds_cluster import clusters
from .registry import handles

# A service's own role, and the end of its name.
ROLES = {
    "rds": ("rds", "RDSCluster"),
    "dynamodb": ("dynamodb", "DynamoDBTable"),
    "elasticache": ("elasticache", "ElastiCacheRG"),
}


def _backend(call: Call) -> Any:
    return applicationautoscaling_backends[settings.ACCOUNT][call.region]


def _target(call: Call) -> Any:
    return _backend(call).targets.get(call.params["ScalableDimension"], {}).get(call.params["ResourceId"])


def _needed(call: Call) -> Any:
    found = _target(call)
    if found is None:
        words = (
            f"No scalable target registered for service namespace: {call.params['ServiceNamespace']}, resource ID: "
            f"{call.params['ResourceId']}, scalable dimension: {call.params['ScalableDimension']}"
        )
        raise AwsError("ObjectNotFoundException", words)
    return found


@handles("application-autoscaling:RegisterScalableTarget")
def register(call: Call) -> dict[str, Any]:
    """Register a target, or change its limits."""
    params, existing = call.params, _target(call)
    low, high = (
        params.get(key) if params.get(key) is not None else getattr(existing, attribute, None)
        for key, attribute in (("MinCapacity", "min_capacity"), ("MaxCapacity", "max_capacity"))
    )
    if low is None or high is None:
        raise AwsError(
            "ValidationException", "The parameters MinCapacity and MaxCapacity are required for a new scalable target."
        )
    if low > high:
        raise AwsError("ValidationException", "Maximum capacity cannot be less than minimum capacity")
    if existing is not None and params.get("Tags"):
        raise AwsError(
            "ValidationException",
            "The scalable target that you tried to tag already exists. To update tags on an existing scalable target, use the "
            "TagResource API.",
        )
    if any(not value.strip() for value in (params.get("Tags") or {}).values()):
        raise AwsError("ValidationException", "Tag values cannot be empty or blank")
    if not settings.lenient:
        _resource_exists(call)
    namespace = params["ServiceNamespace"]
    role = None
    if namespace in ROLES:
        service, suffix = ROLES[namespace]
        principal = f"{service}.application-autoscaling.amazonaws.com"
        eks.ensure_service_linked_role(principal)
        name = f"AWSServiceRoleForApplicationAutoScaling_{suffix}"
        role = f"arn:aws:iam::{settings.ACCOUNT}:role/aws-service-role/{principal}/{name}"
    answer, made = call.forward(), _target(call)
    made.role_arn = role or made.role_arn
    if existing is None:
        made.tag_map = dict(params.get("Tags") or {})
    return answer


def _resource_exists(call: Call) -> None:
    namespace, resource = call.params["ServiceNamespace"], call.params["ResourceId"]
    if namespace == "rds" and clusters.find(call.region, resource.removeprefix("cluster:")) is None:
        raise AwsError("ValidationException", f"RDS cluster does not exist: {resource}")
    tables = dynamodb_backends[settings.ACCOUNT][call.region].tables
    if namespace == "dynamodb" and resource.split("/")[1] not in tables:
        raise AwsError("ValidationException", f"DynamoDB table does not exist: {resource}")


@handles("application-autoscaling:DescribeScalableTargets")
def describe(call: Call) -> dict[str, Any]:
    """Targets with what moto leaves out."""
    answer, backend = call.forward(), _backend(call)
    for row in answer.get("ScalableTargets") or []:
        row["ScalableTargetARN"] = backend.targets[row["ScalableDimension"]][row["ResourceId"]].arn
        states = {f"{one}Suspended": False for one in ("DynamicScalingIn", "DynamicScalingOut", "ScheduledScaling")}
        row["SuspendedState"] = states | (row.get("SuspendedState") or {})
    if not answer.get("NextToken"):
        answer.pop("NextToken", None)
    return answer


def _policies(call: Call) -> dict[str, Any]:
    """The policies of the call's target, by name."""
    wanted = tuple(call.params[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension"))
    rows = _backend(call).policies.values()
    return {
        one.policy_name: one
        for one in rows
        if (one.service_namespace, one.resource_id, one.scalable_dimension) == wanted
    }


@handles("application-autoscaling:DeregisterScalableTarget")
def deregister(call: Call) -> dict[str, Any]:
    """Remove a target; its policies and their alarms go with it."""
    _needed(call)
    for one in _policies(call).values():
        one.delete_alarms(settings.ACCOUNT, call.region)
    backend, doomed = _backend(call), set(map(id, _policies(call).values()))
    backend.policies = {key: one for key, one in backend.policies.items() if id(one) not in doomed}
    return call.forward()


@handles("application-autoscaling:PutScalingPolicy")
def put_policy(call: Call) -> dict[str, Any]:
    """Make or change a policy of a target."""
    _needed(call)
    existing = _policies(call).get(call.params["PolicyName"])
    config = call.params.get("TargetTrackingScalingPolicyConfiguration")
    if config is not None:
        tracked = [
            one
            for one in _policies(call).values()
            if one is not existing and _metric(one._policy_body) == _metric(config)
        ]
        if tracked:
            words = f"Only one TargetTrackingScaling policy for a given metric specification is allowed: {tracked[0].policy_name}"
            raise AwsError("ValidationException", words)
    if existing is not None:
        existing.delete_alarms(settings.ACCOUNT, call.region)
    answer = call.forward()
    made = _policies(call)[call.params["PolicyName"]]
    if existing is not None:
        # A policy that is changed stays the same policy.
        made.policy_arn, made.creation_time = existing.policy_arn, existing.creation_time
        answer["PolicyARN"] = existing.policy_arn
    return answer


def _metric(config: Any) -> Any:
    return (config or {}).get("PredefinedMetricSpecification") or (config or {}).get("CustomizedMetricSpecification")


@handles("application-autoscaling:DeleteScalingPolicy")
def delete_policy(call: Call) -> dict[str, Any]:
    """Remove a policy."""
    if call.params["PolicyName"] not in _policies(call):
        raise AwsError("ObjectNotFoundException", f"No scaling policy found: {call.params['PolicyName']}")
    return call.forward()


def _tagged(call: Call) -> dict[str, str]:
    for by_name in _backend(call).targets.values():
        for one in by_name.values():
            if one.arn == call.params["ResourceARN"]:
                one.tag_map = getattr(one, "tag_map", {})
                return one.tag_map
    raise AwsError("ResourceNotFoundException", f"The resource {call.params['ResourceARN']} does not exist.")


@handles("application-autoscaling:ListTagsForResource")
def list_tags(call: Call) -> dict[str, Any]:
    """List a target's tags."""
    return {"Tags": dict(_tagged(call))}


@handles("application-autoscaling:TagResource")
def tag(call: Call) -> dict[str, Any]:
    """Add tags."""
    _tagged(call).update(call.params["Tags"])
    return {}


@handles("application-autoscaling:UntagResource")
def untag(call: Call) -> dict[str, Any]:
    """Remove tags."""
    tags = _tagged(call)
    for key in call.params["TagKeys"]:
        tags.pop(key, None)
    return {}
