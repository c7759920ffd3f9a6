"""Client tokens: the same call repeated is the same resource.

EC2 keeps a token for a day or longer, also after its resource is gone, so a token that comes back with the same
parameters returns the first answer and with other parameters is refused. EKS knows a token as long as the resource
it made exists.
"""

import copy
import json
from typing import Any

from . import settings
from .errors import AwsError
from .registry import on_reset
from .wire import Target

# Operation -> name of the parameter that holds the token.
TOKEN_PARAMETERS = {
    "ec2:CreateNatGateway": "ClientToken",
    "ec2:CreateVpcEndpoint": "ClientToken",
    "ec2:CreateFlowLogs": "ClientToken",
    "ec2:CreateRouteTable": "ClientToken",
    "ec2:CreateLaunchTemplate": "ClientToken",
    "ec2:CreateLaunchTemplateVersion": "ClientToken",
    "ec2:CreateNetworkInterface": "ClientToken",
    "ec2:CreateNetworkAcl": "ClientToken",
    "ec2:CreateEgressOnlyInternetGateway": "ClientToken",
    "ec2:CreateManagedPrefixList": "ClientToken",
}

_answers: dict[tuple[str, str, str], tuple[str, dict[str, Any]]] = {}


def applies(target: Target) -> bool:
    """Whether this call carries a token this cloud honours."""
    return token_of(target) is not None


def token_of(target: Target) -> str | None:
    """The call's token, if its operation takes one."""
    parameter = TOKEN_PARAMETERS.get(target.name)
    return target.params.get(parameter) or None if parameter else None


# Longest token, where the documentation of the operation or its service names one.
LONGEST = {"ec2:CreateLaunchTemplate": 128, "ec2:CreateLaunchTemplateVersion": 128}
EC2_LONGEST = 64
EKS_SHORTEST, EKS_LONGEST = 33, 126


def check_length(target: Target) -> None:
    """Refuse a token that the service would not take; EKS says so only in its answer, not in its documentation."""
    token = target.params.get("clientRequestToken") if target.service == "eks" else token_of(target)
    if not token or settings.lenient:
        return
    if target.service == "eks" and not EKS_SHORTEST <= len(token) <= EKS_LONGEST:
        message = f"The client request token parameter must be between {EKS_SHORTEST} and {EKS_LONGEST} characters."
        raise AwsError("InvalidParameterException", message)
    longest = LONGEST.get(target.name, EC2_LONGEST)
    if target.service == "ec2" and len(token) > longest:
        raise AwsError("InvalidParameterValue", f"The client token is longer than {longest} characters.")


def fingerprint(target: Target) -> str:
    """The call's parameters without the token, in an order that does not depend on the caller."""
    parameter = TOKEN_PARAMETERS.get(target.name, "clientRequestToken")
    rest = {key: value for key, value in target.params.items() if key != parameter}
    return json.dumps(rest, sort_keys=True, default=str)


def replay(target: Target) -> dict[str, Any] | None:
    """The first answer to this token, or None for a new token."""
    token = token_of(target)
    known = _answers.get((target.region, target.name, token)) if token else None
    if known is None:
        return None
    if known[0] != fingerprint(target):
        raise AwsError(
            "IdempotentParameterMismatch",
            "The client token you have provided is associated with a resource that was created with different "
            "parameters. Use a different token, or use the same parameters.",
        )
    return copy.deepcopy(known[1])


def remember(target: Target, result: dict[str, Any]) -> None:
    """Keep the answer for the next call with this token."""
    token = token_of(target)
    if token:
        _answers[target.region, target.name, token] = (fingerprint(target), copy.deepcopy(result))


@on_reset
def forget() -> None:
    """Forget all tokens."""
    _answers.clear()
