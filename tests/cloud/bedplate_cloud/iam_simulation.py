"""IAM's simulator: what the policies of a user or a role decide."""

import json
from fnmatch import fnmatchcase
from typing import Any

from . import settings
from .errors import AwsError
from .gateway import Call
from .iam import backend, statements_of
from .registry import handles

# The caller has no policies here, and may do everything.
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}

# What a condition asks of the values of a key: whether any of them is like one that is asked for, or none.
CONDITIONS = {"StringEquals": True, "StringLike": True, "StringNotEquals": False, "StringNotLike": False}


@handles("iam:SimulatePrincipalPolicy")
def simulate(call: Call) -> dict[str, Any]:
    """Decide about every action on every resource; where none is named, on `*`."""
    statements = _statements(call.params["PolicySourceArn"])
    context = {one["ContextKeyName"].lower(): one["ContextKeyValues"] for one in call.params.get("ContextEntries") or []}
    resources = call.params.get("ResourceArns") or ["*"]
    pairs = [(action, resource) for action in call.params.get("ActionNames") or [] for resource in resources]
    return {"EvaluationResults": [_decided(statements, *pair, context) for pair in pairs], "IsTruncated": False}


def _statements(source: str) -> list[dict[str, Any]]:
    """The statements of a principal's own policies, attached ones and those of its groups."""
    if source == settings.CALLER_ARN:
        return [EVERYTHING]
    principals = [*backend().roles.values(), *backend().users.values()]
    principal = next((one for one in principals if one.arn == source), None)
    if principal is None:
        raise AwsError("NoSuchEntity", f"The entity {source} cannot be found.", 404)
    holders = [principal, *(group for group in backend().groups.values() if principal in group.users)]
    documents = [text for one in holders for text in one.policies.values()]
    attached = [version for one in holders for policy in one.managed_policies.values() for version in policy.versions]
    documents += [version.document for version in attached if version.is_default]
    return [one for text in documents for one in statements_of(json.loads(text) if isinstance(text, str) else text)]


def _decided(statements: list[dict[str, Any]], action: str, resource: str, context: dict[str, list[str]]) -> dict[str, Any]:
    missing: set[str] = set()
    effects = set()
    for one in statements:
        named = _names(one, "Action", action.lower(), str.lower) and _names(one, "Resource", resource, str)
        if named and _holds(one.get("Condition") or {}, context, missing):
            effects.add(one["Effect"])
    decision = "explicitDeny" if "Deny" in effects else "allowed" if "Allow" in effects else "implicitDeny"
    row = {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision}
    return row | {"MatchedStatements": [], "MissingContextValues": sorted(missing)}


def _names(statement: dict[str, Any], element: str, value: str, form: Any) -> bool:
    """Whether a statement is about a value, or about all others."""
    patterns = statement.get(element, statement.get(f"Not{element}", []))
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatchcase(value, form(one)) for one in patterns) == (element in statement)


def _holds(condition: dict[str, Any], context: dict[str, list[str]], missing: set[str]) -> bool:
    """Whether the context is as a condition asks; the keys that it does not have are `missing`, and do not hold."""
    holds = True
    for operator, keys in condition.items():
        for key, wanted in keys.items():
            given = context.get(key.lower())
            if given is None or operator not in CONDITIONS:
                missing.add(key)
                holds = False
                continue
            wanted = [wanted] if isinstance(wanted, str) else wanted
            alike = any(fnmatchcase(one, pattern) for one in given for pattern in wanted)
            holds = holds and alike == CONDITIONS[operator]
    return holds
