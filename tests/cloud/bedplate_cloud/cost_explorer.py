"""Cost Explorer's anomaly detection: monitors, subscriptions, and the status of cost allocation tags."""

import uuid
from typing import Any

from . import clock, organizations, settings, store
from .errors import AwsError
from .gateway import Call
from .registry import handles, on_reset
from .store import Document, Shelf, shown, tag_map

HOME = "us-east-1"
monitors = Shelf("ce.anomaly-monitor", "MonitorArn", ("UnknownMonitorException", "No anomaly monitor found for {}"))
subscriptions = Shelf(
    "ce.anomaly-subscription",
    "SubscriptionArn",
    ("UnknownSubscriptionException", "No anomaly subscription found for {}"),
)
DIMENSIONS = ("SERVICE", "LINKED_ACCOUNT", "TAG", "COST_CATEGORY")
_tag_states: dict[str, Document] = {}


@on_reset
def forget() -> None:
    """Forget the states of cost allocation tags."""
    _tag_states.clear()


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _arn(kind: str) -> str:
    return f"arn:aws:ce::{settings.ACCOUNT}:{kind}/{uuid.uuid4()}"


@handles("ce:CreateAnomalyMonitor")
def create_monitor(call: Call) -> dict[str, Any]:
    """A monitor; of each dimension an account has one."""
    wanted = call.params["AnomalyMonitor"]
    kind, dimension = wanted.get("MonitorType"), wanted.get("MonitorDimension")
    if kind == "DIMENSIONAL":
        if dimension not in DIMENSIONS or wanted.get("MonitorSpecification"):
            raise _invalid("A DIMENSIONAL monitor needs a MonitorDimension and takes no MonitorSpecification.")
        if dimension != "SERVICE" and organizations.is_member():
            raise _invalid(f"A monitor of {dimension} can only be created in the management account")
        if any(one.get("MonitorDimension") == dimension for one in monitors.all(HOME)):
            raise _invalid("Limit exceeded on dimensional spend monitor creation")
    elif kind != "CUSTOM" or not wanted.get("MonitorSpecification") or dimension:
        raise _invalid("A CUSTOM monitor needs a MonitorSpecification and takes no MonitorDimension.")
    arn, now = _arn("anomalymonitor"), clock.timestamp().isoformat()
    doc = {key: value for key, value in wanted.items() if value is not None} | {
        "MonitorArn": arn,
        "CreationDate": now,
        "LastUpdatedDate": now,
        "DimensionalValueCount": 1 if kind == "DIMENSIONAL" else None,
    }
    monitors.put(HOME, arn, doc, tag_map(call.params.get("ResourceTags")))
    return {"MonitorArn": arn}


@handles("ce:GetAnomalyMonitors")
def get_monitors(call: Call) -> dict[str, Any]:
    """The monitors that are named, or all."""
    wanted = call.params.get("MonitorArnList") or []
    rows = [monitors.get(HOME, one) for one in wanted] or monitors.all(HOME)
    return {"AnomalyMonitors": [shown(one) for one in rows]}


@handles("ce:UpdateAnomalyMonitor")
def update_monitor(call: Call) -> dict[str, Any]:
    """Another name."""
    doc = monitors.get(HOME, call.params["MonitorArn"])
    if call.params.get("MonitorName"):
        doc |= {"MonitorName": call.params["MonitorName"], "LastUpdatedDate": clock.timestamp().isoformat()}
    return {"MonitorArn": doc["MonitorArn"]}


@handles("ce:DeleteAnomalyMonitor")
def delete_monitor(call: Call) -> dict[str, Any]:
    """Delete a monitor, and take it out of its subscriptions."""
    arn = monitors.get(HOME, call.params["MonitorArn"])["MonitorArn"]
    monitors.drop(HOME, arn)
    for one in subscriptions.all(HOME):
        one["MonitorArnList"] = [other for other in one["MonitorArnList"] if other != arn]
        if not one["MonitorArnList"]:
            subscriptions.drop(HOME, one["SubscriptionArn"])
    return {}


def _check_subscription(doc: Document) -> None:
    for one in doc["MonitorArnList"]:
        monitors.get(HOME, one)
    if doc["Frequency"] not in ("DAILY", "IMMEDIATE", "WEEKLY"):
        raise _invalid(f"Frequency {doc['Frequency']} is not valid.")
    kinds = {one["Type"] for one in doc["Subscribers"]}
    if doc["Frequency"] == "IMMEDIATE" and kinds != {"SNS"}:
        raise _invalid("Immediate frequency is only supported for SNS subscribers.")
    if doc["Frequency"] != "IMMEDIATE" and kinds != {"EMAIL"}:
        raise _invalid("Daily or weekly frequencies only support Email subscriptions")
    if (doc.get("Threshold") is None) == (doc.get("ThresholdExpression") is None):
        raise _invalid("Specify either Threshold or ThresholdExpression.")


def _subscribers(rows: list[Document]) -> list[Document]:
    return [{"Status": "CONFIRMED"} | {key: value for key, value in one.items() if value} for one in rows]


@handles("ce:CreateAnomalySubscription")
def create_subscription(call: Call) -> dict[str, Any]:
    """A subscription to monitors."""
    wanted = call.params["AnomalySubscription"]
    _check_subscription(wanted)
    arn = _arn("anomalysubscription")
    doc = {key: value for key, value in wanted.items() if value is not None} | {
        "SubscriptionArn": arn,
        "AccountId": settings.ACCOUNT,
        "Subscribers": _subscribers(wanted["Subscribers"]),
    }
    subscriptions.put(HOME, arn, doc, tag_map(call.params.get("ResourceTags")))
    return {"SubscriptionArn": arn}


@handles("ce:GetAnomalySubscriptions")
def get_subscriptions(call: Call) -> dict[str, Any]:
    """The subscriptions that are named, or those of a monitor, or all."""
    wanted, monitor = call.params.get("SubscriptionArnList") or [], call.params.get("MonitorArn")
    rows = [subscriptions.get(HOME, one) for one in wanted] or subscriptions.all(HOME)
    return {"AnomalySubscriptions": [shown(one) for one in rows if not monitor or monitor in one["MonitorArnList"]]}


@handles("ce:UpdateAnomalySubscription")
def update_subscription(call: Call) -> dict[str, Any]:
    """Change what is given."""
    doc, params = subscriptions.get(HOME, call.params["SubscriptionArn"]), call.params
    keys = ("Frequency", "MonitorArnList", "Subscribers", "SubscriptionName", "Threshold", "ThresholdExpression")
    changes = {key: params[key] for key in keys if params.get(key) is not None}
    changed = doc | changes
    if "ThresholdExpression" in changes and "Threshold" not in changes:
        changed.pop("Threshold", None)
    if "Frequency" not in changes and "Subscribers" not in changes:
        _check_subscription(changed)
    changed["Subscribers"] = _subscribers(changed["Subscribers"])
    subscriptions.put(HOME, doc["SubscriptionArn"], changed, doc["_tags"])
    return {"SubscriptionArn": doc["SubscriptionArn"]}


@handles("ce:DeleteAnomalySubscription")
def delete_subscription(call: Call) -> dict[str, Any]:
    """Delete a subscription."""
    subscriptions.drop(HOME, subscriptions.get(HOME, call.params["SubscriptionArn"])["SubscriptionArn"])
    return {}


@handles("ce:ListTagsForResource", "ce:TagResource", "ce:UntagResource")
def tags(call: Call) -> dict[str, Any]:
    """Read or change tags; cost categories are moto's."""
    arn = call.params["ResourceArn"]
    doc = store.by_arn("ce", arn)
    if doc is None and ":costcategory/" in arn:
        return call.forward()
    if doc is None:
        raise AwsError("ResourceNotFoundException", f"{arn} does not exist.")
    doc["_tags"] |= tag_map(call.params.get("ResourceTags"))
    for key in call.params.get("ResourceTagKeys") or []:
        doc["_tags"].pop(key, None)
    return {"ResourceTags": store.tag_list(doc)} if call.target.operation == "ListTagsForResource" else {}


@handles("ce:UpdateCostAllocationTagsStatus")
def update_tags_status(call: Call) -> dict[str, Any]:
    """Turn cost allocation by a tag on or off."""
    for one in call.params["CostAllocationTagsStatus"]:
        date = clock.timestamp().isoformat()
        _tag_states[one["TagKey"]] = {"Type": "UserDefined", "LastUpdatedDate": date} | one
    return {"Errors": []}


@handles("ce:ListCostAllocationTags")
def list_tags_status(call: Call) -> dict[str, Any]:
    """The tags whose status was set."""
    keys, status = call.params.get("TagKeys"), call.params.get("Status")
    rows = [one for one in _tag_states.values() if not keys or one["TagKey"] in keys]
    return {"CostAllocationTags": [one for one in rows if not status or one["Status"] == status]}
