"""What EKS's modules share: the clusters, look-ups, updates in progress, tags and checks.

Moto's EKS is not used at all: it has no pending states, updates, add-ons or access entries.
"""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.iam.models import iam_backends

from . import clock, propagation, settings
from .errors import AwsError
from .gateway import Call
from .iam import linked_role
from .registry import Handler, on_reset

# A resource is a document in the shape of the service model, plus these keys that are never sent.
PRIVATE = ("_token", "_fingerprint", "_policies", "_since")
CREATOR_POLICY = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

Document = dict[str, Any]


@dataclass
class Cluster:
    """A cluster and everything in it."""

    region: str
    doc: Document
    nodegroups: dict[str, Document] = field(default_factory=dict)
    profiles: dict[str, Document] = field(default_factory=dict)
    addons: dict[str, Document] = field(default_factory=dict)
    entries: dict[str, Document] = field(default_factory=dict)
    associations: dict[str, Document] = field(default_factory=dict)
    updates: list[Document] = field(default_factory=list)
    interfaces: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.doc["name"]


clusters: dict[tuple[str, str], Cluster] = {}


@on_reset
def forget() -> None:
    """Forget all clusters."""
    clusters.clear()


def public(doc: Document) -> Document:
    """A document without what is never sent."""
    return {key: value for key, value in doc.items() if key not in PRIVATE}


def invalid(message: str, **members: Any) -> AwsError:
    """A parameter that EKS refuses."""
    return AwsError("InvalidParameterException", message, 400, **members)


def bad_request(message: str, **members: Any) -> AwsError:
    """A request that does not fit the state of things."""
    return AwsError("InvalidRequestException", message, 400, **members)


def not_found(message: str, **members: Any) -> AwsError:
    """Something that does not exist."""
    return AwsError("ResourceNotFoundException", message, 404, **members)


def in_use(message: str, **members: Any) -> AwsError:
    """Something that exists already, or is busy."""
    return AwsError("ResourceInUseException", message, 409, **members)


def cluster(call: Call, parameter: str = "clusterName") -> Cluster:
    """The cluster a call names."""
    name = call.params[parameter]
    found = clusters.get((call.region, name))
    if found is None:
        raise not_found(f"No cluster found for name: {name}.", clusterName=name)
    return found


def active_cluster(call: Call) -> Cluster:
    """The cluster a call names, which has to be up."""
    found = cluster(call)
    if found.doc["status"] not in ("ACTIVE", "UPDATING"):
        raise bad_request(f"Cluster '{found.name}' is not in ACTIVE status", clusterName=found.name)
    return found


def arn(region: str, path: str) -> str:
    """The ARN of something in EKS."""
    return f"arn:aws:eks:{region}:{settings.ACCOUNT}:{path}"


def replayed(call: Call, existing: Document | None) -> Document | None:
    """The resource this call's token made already; another token for the same name is not a replay."""
    token = call.params.get("clientRequestToken")
    if existing is None or not token or existing.get("_token") != token:
        return None
    if existing["_fingerprint"] != fingerprint(call.params):
        raise AwsError(
            "IdempotentParameterMismatch",
            "The request uses the same client token as a previous, but non-identical request.",
        )
    return existing


def fingerprint(params: Document) -> str:
    """The call's parameters without the token."""
    return json.dumps({k: v for k, v in params.items() if k != "clientRequestToken"}, sort_keys=True, default=str)


def stamped(call: Call, doc: Document) -> Document:
    """A new document with what recognizes its token later."""
    token = call.params.get("clientRequestToken")
    return doc | {
        "_token": token,
        "_fingerprint": fingerprint(call.params),
        "tags": dict(call.params.get("tags") or {}),
    }


def repeatable(handler: Handler) -> Handler:
    """An update call repeated while its update runs is that update, not a second one."""

    def run(call: Call) -> Document:
        owner = cluster(call, "clusterName" if "clusterName" in call.params else "name")
        mark = _mark(call)
        for update in owner.updates:
            if mark[1] and update["status"] == "InProgress" and update["_mark"] == mark:
                return {"update": public_update(update)}
        return handler(call)

    return run


def _mark(call: Call) -> tuple[str, str | None, str]:
    return (call.target.operation, call.params.get("clientRequestToken"), fingerprint(call.params))


def start_update(
    call: Call,
    owner: Cluster,
    doc: Document,
    kind: str,
    params: dict[str, Any],
    seconds: float,
    apply: Callable[[], None],
    scope: tuple[str, str] | None = None,
) -> Document:
    """Begin an update: the resource is UPDATING until the timer applies the change."""
    update = {
        "id": str(uuid.uuid4()),
        "status": "InProgress",
        "type": kind,
        "params": [{"type": key, "value": as_text(value)} for key, value in params.items() if value is not None],
        "createdAt": clock.timestamp(),
        "errors": [],
        "_scope": scope,
        "_mark": _mark(call),
    }
    owner.updates.append(update)
    doc["status"] = "UPDATING"

    def finish() -> None:
        update["status"] = "Successful"
        if doc["status"] == "UPDATING":
            apply()
            doc["status"] = "ACTIVE"
            if "modifiedAt" in doc:
                doc["modifiedAt"] = clock.timestamp()

    clock.later(seconds, finish)
    return update


def as_text(value: Any) -> str:
    """How an update's parameters show a value."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def public_update(update: Document) -> Document:
    """An update without what is never sent."""
    return {key: value for key, value in update.items() if not key.startswith("_")}


def role_name(role_arn: str) -> str:
    """The name at the end of a role's ARN."""
    return role_arn.rpartition("/")[2]


def role(role_arn: str) -> Any:
    """The IAM role with this ARN, or None; a new one is not known to other services at once."""
    roles = iam_backends[settings.ACCOUNT]["aws"].roles.values()
    return next((one for one in roles if one.arn == role_arn and propagation.known(role_arn)), None)


def trusts(one: Any, service: str) -> bool:
    """Whether a service may assume the role."""
    if settings.lenient:
        return True
    statements = propagation.trust_of(one).get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        if statement.get("Effect") == "Allow" and service in ([services] if isinstance(services, str) else services):
            return True
    return False


def ensure_service_linked_role(service: str) -> None:
    """EKS makes its service-linked roles itself when the first resource needs them."""
    try:
        linked_role(service)
    except AwsError:
        pass
