"""Budgets: budgets with notifications, subscribers and tags. Moto's are not used: they cannot be changed."""

from typing import Any

from . import clock, settings, store
from .errors import AwsError
from .gateway import Call
from .registry import handles
from .store import Document, Shelf, shown, tag_map

HOME = "us-east-1"
budgets = Shelf("budgets.budget", "_arn", ("NotFoundException", "Unable to get budget: {} - the budget doesn't exist."))

COST_TYPES = {
    "IncludeTax": True,
    "IncludeSubscription": True,
    "UseBlended": False,
    "IncludeRefund": True,
    "IncludeCredit": True,
    "IncludeUpfront": True,
    "IncludeRecurring": True,
    "IncludeOtherSubscription": True,
    "IncludeSupport": True,
    "IncludeDiscount": True,
    "UseAmortized": False,
}


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def _budget(call: Call) -> Document:
    if call.params["AccountId"] != settings.ACCOUNT:
        raise AwsError(
            "AccessDeniedException", f"Account {settings.ACCOUNT} is not the owner of {call.params['AccountId']}."
        )
    return budgets.get(HOME, call.params["BudgetName"])


def _complete(wanted: Document, old: Document | None = None) -> Document:
    if wanted.get("BudgetType") not in (
        "COST",
        "USAGE",
        "RI_UTILIZATION",
        "RI_COVERAGE",
        "SAVINGS_PLANS_UTILIZATION",
        "SAVINGS_PLANS_COVERAGE",
    ):
        raise _invalid(f"BudgetType {wanted.get('BudgetType')} is not valid.")
    limit = wanted.get("BudgetLimit")
    if limit and (not _number(limit.get("Amount")) or float(limit["Amount"]) <= 0):
        raise _invalid("Budget limit amount must be a positive number.")
    if wanted.get("CostFilters") and wanted.get("FilterExpression"):
        raise _invalid("CostFilters and FilterExpression cannot both be given.")
    start = clock.timestamp().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = start.replace(year=2087, month=6, day=15)
    doc = {
        key: value
        for key, value in wanted.items()
        if value is not None and key not in ("CalculatedSpend", "LastUpdatedTime")
    }
    if not wanted.get("Metrics") and not wanted.get("FilterExpression"):
        doc.setdefault("CostFilters", {})
        doc["CostTypes"] = COST_TYPES | (wanted.get("CostTypes") or {})
    if limit:
        doc["BudgetLimit"] = {"Amount": str(float(limit["Amount"])), "Unit": limit["Unit"]}
    period = (old or {}).get("TimePeriod") or {"Start": start, "End": end}
    doc["TimePeriod"] = period | {key: value for key, value in (wanted.get("TimePeriod") or {}).items() if value}
    doc["CalculatedSpend"] = {"ActualSpend": {"Amount": "0.0", "Unit": (limit or {}).get("Unit") or "USD"}}
    doc["HealthStatus"] = {"Status": "HEALTHY", "LastUpdatedTime": clock.timestamp()}
    doc["LastUpdatedTime"] = clock.timestamp()
    return doc


def _number(text: Any) -> bool:
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True


@handles("budgets:CreateBudget")
def create(call: Call) -> dict[str, Any]:
    """A budget with its notifications."""
    wanted = call.params["Budget"]
    name = wanted["BudgetName"]
    if not name or ":" in name or "\\" in name or "/action/" in name:
        raise _invalid("The budget's name cannot be empty and takes no colon, no backslash and no /action/.")
    if budgets.find(HOME, name):
        raise AwsError("DuplicateRecordException", f"Error creating budget: {name} - the budget already exists.")
    doc = _complete(wanted)
    doc["_arn"] = f"arn:aws:budgets::{settings.ACCOUNT}:budget/{name}"
    doc["_notifications"] = []
    for one in call.params.get("NotificationsWithSubscribers") or []:
        _notify(doc, one["Notification"], one["Subscribers"])
    budgets.put(HOME, name, doc, tag_map(call.params.get("ResourceTags")))
    return {}


@handles("budgets:UpdateBudget")
def update(call: Call) -> dict[str, Any]:
    """The budget as it is given, in place of the old one; notifications stay."""
    wanted = call.params["NewBudget"]
    old = budgets.get(HOME, wanted["BudgetName"])
    doc = _complete(wanted, old) | {key: old[key] for key in ("_arn", "_notifications")}
    budgets.put(HOME, wanted["BudgetName"], doc, old["_tags"])
    return {}


@handles("budgets:DescribeBudget")
def describe(call: Call) -> dict[str, Any]:
    """Show a budget."""
    return {"Budget": shown(_budget(call))}


@handles("budgets:DescribeBudgets")
def describe_all(call: Call) -> dict[str, Any]:
    """Show all budgets."""
    return {"Budgets": [shown(one) for one in budgets.all(HOME)]}


@handles("budgets:DeleteBudget")
def delete(call: Call) -> dict[str, Any]:
    """Delete a budget with its notifications."""
    budgets.drop(HOME, _budget(call)["BudgetName"])
    return {}


def _same(one: Document, other: Document) -> bool:
    return _identity(one) == _identity(other)


def _identity(one: Document) -> tuple[Any, ...]:
    kind = one.get("ThresholdType") or "PERCENTAGE"
    return one["NotificationType"], one["ComparisonOperator"], float(one["Threshold"]), kind


def _notify(doc: Document, notification: Document, subscribers: list[Document]) -> None:
    if any(_same(one["Notification"], notification) for one in doc["_notifications"]):
        raise AwsError("DuplicateRecordException", "Error creating notification - the notification already exists.")
    if len(doc["_notifications"]) >= 10:
        raise AwsError("CreationLimitExceededException", "A budget has at most 10 notifications.")
    if not subscribers:
        raise _invalid("A notification needs at least one subscriber.")
    entry: Document = {"Notification": _notification(notification), "Subscribers": []}
    for one in subscribers:
        _subscribe(entry, one)
    doc["_notifications"].append(entry)


def _notification(wanted: Document) -> Document:
    threshold = float(wanted["Threshold"])
    if not 0 < threshold <= 1_000_000_000:
        raise _invalid("The threshold has to be between 0 and 1000000000.")
    defaults = {"ThresholdType": "PERCENTAGE", "NotificationState": "OK"}
    return defaults | {key: value for key, value in wanted.items() if value is not None} | {"Threshold": threshold}


def _subscribe(entry: Document, wanted: Document) -> None:
    kind, rows = wanted["SubscriptionType"], entry["Subscribers"]
    if kind == "EMAIL" and "@" not in wanted["Address"]:
        raise _invalid(f"{wanted['Address']} is not a valid e-mail address.")
    if kind == "SNS" and not wanted["Address"].startswith("arn:aws:sns:"):
        raise _invalid(f"{wanted['Address']} is not a valid topic.")
    if wanted in rows:
        raise AwsError("DuplicateRecordException", "Error creating subscriber - the subscriber already exists.")
    if sum(one["SubscriptionType"] == kind for one in rows) >= (1 if kind == "SNS" else 10):
        raise AwsError("CreationLimitExceededException", f"Too many {kind} subscribers for one notification.")
    rows.append(dict(wanted))


def _entry(call: Call, key: str = "Notification") -> Document:
    for one in _budget(call)["_notifications"]:
        if _same(one["Notification"], call.params[key]):
            return one
    raise AwsError("NotFoundException", "Unable to find the notification - the notification doesn't exist.", 404)


@handles("budgets:CreateNotification")
def create_notification(call: Call) -> dict[str, Any]:
    """A further notification."""
    _notify(_budget(call), call.params["Notification"], call.params["Subscribers"])
    return {}


@handles("budgets:UpdateNotification")
def update_notification(call: Call) -> dict[str, Any]:
    """Another threshold; the subscribers stay."""
    entry, wanted = _entry(call, "OldNotification"), call.params["NewNotification"]
    if any(one is not entry and _same(one["Notification"], wanted) for one in _budget(call)["_notifications"]):
        raise AwsError("DuplicateRecordException", "Error updating notification - the notification already exists.")
    entry["Notification"] = _notification(wanted)
    return {}


@handles("budgets:DeleteNotification")
def delete_notification(call: Call) -> dict[str, Any]:
    """Remove a notification with its subscribers."""
    _budget(call)["_notifications"].remove(_entry(call))
    return {}


@handles("budgets:DescribeNotificationsForBudget")
def describe_notifications(call: Call) -> dict[str, Any]:
    """A budget's notifications."""
    return {"Notifications": [dict(one["Notification"]) for one in _budget(call)["_notifications"]]}


@handles("budgets:DescribeBudgetNotificationsForAccount")
def describe_account(call: Call) -> dict[str, Any]:
    """The notifications of all budgets that have any."""
    rows = [
        {
            "BudgetName": one["BudgetName"],
            "Notifications": [dict(entry["Notification"]) for entry in one["_notifications"]],
        }
        for one in budgets.all(HOME)
        if one["_notifications"]
    ]
    return {"BudgetNotificationsForAccount": rows}


@handles("budgets:CreateSubscriber")
def create_subscriber(call: Call) -> dict[str, Any]:
    """A further subscriber."""
    _subscribe(_entry(call), call.params["Subscriber"])
    return {}


@handles("budgets:UpdateSubscriber")
def update_subscriber(call: Call) -> dict[str, Any]:
    """Another subscriber in one's place."""
    rows, old, new = _entry(call)["Subscribers"], call.params["OldSubscriber"], call.params["NewSubscriber"]
    if old not in rows:
        raise AwsError("NotFoundException", "Unable to find the subscriber - the subscriber doesn't exist.", 404)
    if new in rows:
        raise AwsError("DuplicateRecordException", "Error updating subscriber - the subscriber already exists.")
    rows[rows.index(old)] = dict(new)
    return {}


@handles("budgets:DeleteSubscriber")
def delete_subscriber(call: Call) -> dict[str, Any]:
    """Remove a subscriber; with the last one goes the notification."""
    entry = _entry(call)
    if call.params["Subscriber"] not in entry["Subscribers"]:
        raise AwsError("NotFoundException", "Unable to find the subscriber - the subscriber doesn't exist.", 404)
    entry["Subscribers"].remove(call.params["Subscriber"])
    if not entry["Subscribers"]:
        _budget(call)["_notifications"].remove(entry)
    return {}


@handles("budgets:DescribeSubscribersForNotification")
def describe_subscribers(call: Call) -> dict[str, Any]:
    """A notification's subscribers."""
    return {"Subscribers": [dict(one) for one in _entry(call)["Subscribers"]]}


def _tagged(call: Call) -> Document:
    doc = store.by_arn("budgets", call.params["ResourceARN"])
    if doc is None:
        raise AwsError("NotFoundException", f"{call.params['ResourceARN']} doesn't exist.", 404)
    return doc


@handles("budgets:ListTagsForResource")
def list_tags(call: Call) -> dict[str, Any]:
    """List tags."""
    return {"ResourceTags": store.tag_list(_tagged(call))}


@handles("budgets:TagResource")
def tag(call: Call) -> dict[str, Any]:
    """Add tags."""
    _tagged(call)["_tags"].update(tag_map(call.params["ResourceTags"]))
    return {}


@handles("budgets:UntagResource")
def untag(call: Call) -> dict[str, Any]:
    """Remove tags."""
    tags = _tagged(call)["_tags"]
    for key in call.params["ResourceTagKeys"]:
        tags.pop(key, None)
    return {}
