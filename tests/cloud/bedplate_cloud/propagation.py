"""IAM is eventually consistent: what was made a moment ago is not yet known to the services that should use it."""

import json
from typing import TYPE_CHECKING, Any

from moto.iam.models import iam_backends

from . import clock, settings, switches
from .errors import AwsError
from .registry import after, checks, on_reset

if TYPE_CHECKING:
    from .gateway import Call

# When a role or profile (by ARN), or the attachment of a policy (by both ARNs), was made.
_made: dict[str, float] = {}
# A role's trust policy before its last change, and when it was changed.
_trust: dict[str, tuple[float, str]] = {}


@on_reset
def forget() -> None:
    """Everything is known everywhere."""
    _made.clear()
    _trust.clear()


def _role(name: str) -> Any:
    roles = iam_backends[settings.ACCOUNT]["aws"].roles.values()
    return next((one for one in roles if one.name == name), None)


@after("iam:CreateRole")
def role_made(call: "Call") -> None:
    """Remember when a role was made."""
    _made[_role(call.params["RoleName"]).arn] = clock.now()


@after("iam:AttachRolePolicy")
def policy_attached(call: "Call") -> None:
    """Remember when a policy was attached, unless it was attached before."""
    _made.setdefault(f"{_role(call.params['RoleName']).arn}|{call.params['PolicyArn']}", clock.now())


@after("iam:DetachRolePolicy")
def policy_detached(call: "Call") -> None:
    """The next attachment is a new one."""
    _made.pop(f"{_role(call.params['RoleName']).arn}|{call.params['PolicyArn']}", None)


@checks("iam:UpdateAssumeRolePolicy")
def trust_changes(call: "Call") -> None:
    """Keep the trust policy that services go on seeing for a while."""
    role = _role(call.params["RoleName"])
    if role is not None and switches.current.iam_lag:
        _trust[role.arn] = (clock.now(), role.assume_role_policy_document)


def known(name: str) -> bool:
    """Whether other services know a role, or an attachment, by now."""
    return clock.now() - _made.get(name, 0) >= switches.current.iam_lag


def trust_of(role: Any) -> Any:
    """The trust policy that other services see."""
    since, old = _trust.get(role.arn, (0, None))
    document = old if old and clock.now() - since < switches.current.iam_lag else role.assume_role_policy_document
    return json.loads(document) if isinstance(document, str) else document


def attached(role: Any) -> set[str]:
    """The managed policies that other services see on a role."""
    return {arn for arn in role.managed_policies if known(f"{role.arn}|{arn}")}


@checks("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity")
def assume(call: "Call") -> None:
    """A new role cannot be assumed yet."""
    arn = call.params["RoleArn"]
    if not known(arn):
        message = f"User: {settings.CALLER_ARN} is not authorized to perform: sts:{call.target.operation} on resource: {arn}"
        raise AwsError("AccessDenied", message, 403)


@checks("lambda:CreateFunction", "lambda:UpdateFunctionConfiguration")
def function_role(call: "Call") -> None:
    """The role of a function."""
    if not known(call.params.get("Role") or ""):
        message = "The role defined for the function cannot be assumed by Lambda."
        raise AwsError("InvalidParameterValueException", message)


@checks("ec2:CreateFlowLogs")
def flow_logs_role(call: "Call") -> None:
    """The role that delivers flow logs."""
    if not known(call.params.get("DeliverLogsPermissionArn") or ""):
        raise AwsError("InvalidParameter", "Unable to assume given IAM role")
