"""SNS: e-mail subscriptions wait for their confirmation, policies are read, topics are compared."""

import json
from typing import Any

from moto.sns.models import sns_backends

from . import clock, settings
from .errors import AwsError
from .gateway import Call
from .registry import checks, handles
from .store import Document

MAIL = ("email", "email-json")
PENDING = "PendingConfirmation"
# A confirmation that nobody answers ends with the subscription.
PATIENCE = 2 * 86400


def _backend(call: Call) -> Any:
    return sns_backends[settings.ACCOUNT][call.region]


def is_pending(one: Any) -> bool:
    """Whether a subscription waits for its confirmation."""
    return bool(getattr(one, "waits", False))


@checks("sns:CreateTopic")
def same_topic(call: Call) -> None:
    """A topic made again is the same topic only with the same attributes and tags."""
    arn = f"arn:aws:sns:{call.region}:{settings.ACCOUNT}:{call.params['Name']}"
    topic = _backend(call).topics.get(arn)
    if topic is None:
        return
    tags = {one["Key"]: one.get("Value") or "" for one in call.params.get("Tags") or []}
    if tags and dict(topic._tags or {}) != tags:
        raise AwsError("InvalidParameter", "Invalid parameter: Tags Reason: Topic already exists with different tags")
    wanted = {**(call.params.get("Attributes") or {})}
    key = wanted.get("KmsMasterKeyId")
    if key is not None and key != topic.kms_master_key_id:
        words = "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
        raise AwsError("InvalidParameter", words)


@checks("sns:SetTopicAttributes")
def attribute(call: Call) -> None:
    """A topic's policy has to be a policy."""
    if call.params.get("AttributeName") == "Policy":
        try:
            document = json.loads(call.params.get("AttributeValue") or "")
            assert document["Statement"]
        except (ValueError, KeyError, TypeError, AssertionError):
            words = "Invalid parameter: Policy Error: null"
            raise AwsError("InvalidParameter", words) from None


@handles("sns:GetTopicAttributes")
def topic_attributes(call: Call) -> Document:
    """A topic's attributes, with its subscriptions counted."""
    answer = call.forward()
    rows = [one for one in _backend(call).subscriptions.values() if one.topic.arn == call.params["TopicArn"]]
    waiting = sum(is_pending(one) for one in rows)
    answer["Attributes"] |= {"SubscriptionsPending": str(waiting), "SubscriptionsConfirmed": str(len(rows) - waiting)}
    return answer


@handles("sns:Subscribe")
def subscribe(call: Call) -> Document:
    """Subscribe; whoever gets mail has to say yes first."""
    known = set(_backend(call).subscriptions)
    protocol, address = call.params["Protocol"], call.params.get("Endpoint") or ""
    if protocol in MAIL and "@" not in address:
        raise AwsError("InvalidParameter", "Invalid parameter: Email address")
    answer = call.forward()
    one = _backend(call).subscriptions[answer["SubscriptionArn"]]
    if protocol in MAIL and one.arn not in known:
        one.waits = True
        subscriptions = _backend(call).subscriptions
        clock.later(PATIENCE, lambda: subscriptions.pop(one.arn, None) if is_pending(one) else None)
    if is_pending(one) and not call.params.get("ReturnSubscriptionArn"):
        return {"SubscriptionArn": "pending confirmation"}
    return answer


@handles("sns:ListSubscriptions", "sns:ListSubscriptionsByTopic")
def list_subscriptions(call: Call) -> Document:
    """A subscription that waits has no ARN to show."""
    answer = call.forward()
    for row in answer.get("Subscriptions") or []:
        one = _backend(call).subscriptions.get(row["SubscriptionArn"])
        if one is not None and is_pending(one):
            row["SubscriptionArn"] = PENDING
    return answer


@handles("sns:GetSubscriptionAttributes")
def subscription_attributes(call: Call) -> Document:
    """Whether a subscription waits stands in its attributes."""
    _whole(call)
    answer = call.forward()
    one = _backend(call).subscriptions[call.params["SubscriptionArn"]]
    waits = is_pending(one)
    answer["Attributes"] |= {
        "PendingConfirmation": str(waits).lower(),
        "ConfirmationWasAuthenticated": str(not waits).lower(),
        "RawMessageDelivery": str(answer["Attributes"].get("RawMessageDelivery", False)).lower(),
    }
    return answer


def _whole(call: Call) -> None:
    parts = len(call.params["SubscriptionArn"].split(":"))
    if parts < 6:
        words = f"Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not {parts}"
        raise AwsError("InvalidParameter", words)


@checks("sns:Unsubscribe")
def unsubscribe(call: Call) -> None:
    """What waits for its confirmation cannot be taken back; it ends by itself, or with its topic."""
    _whole(call)
    one = _backend(call).subscriptions.get(call.params["SubscriptionArn"])
    if one is not None and is_pending(one):
        words = "Invalid parameter: SubscriptionArn Reason: This subscription is pending confirmation"
        raise AwsError("InvalidParameter", words)


def confirm(document: dict[str, Any]) -> Any:
    """Say yes for everybody who was asked, as a person would by mail: all topics, or the one that is named."""
    confirmed = []
    for backend in sns_backends[settings.ACCOUNT].values():
        for one in backend.subscriptions.values():
            if is_pending(one) and document.get("topic") in (None, one.topic.arn):
                one.waits = False
                confirmed.append(one.arn)
    return {"confirmed": confirmed}
