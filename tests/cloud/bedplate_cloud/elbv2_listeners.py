"""Listeners and target groups: names and ports that are taken, certificates and security policies that exist."""

from typing import Any

from moto.elbv2.models import elbv2_backends
from moto.elbv2.ssl_policies import SSL_POLICIES

from . import settings
from .errors import AwsError
from .gateway import Call
from .registry import handles
from .store import Document


def _backend(call: Call) -> Any:
    return elbv2_backends[settings.ACCOUNT][call.region]


def _row(one: Any) -> Document:
    """A listener as AWS shows it: what belongs to HTTPS only there, and a forward in its long form, too."""
    actions = []
    for action in one.default_actions:
        row = dict(action.data)
        arn = row.get("TargetGroupArn")
        if row.get("Type") == "forward" and arn and "ForwardConfig" not in row:
            groups = [{"TargetGroupArn": arn, "Weight": 1}]
            row["ForwardConfig"] = {"TargetGroups": groups, "TargetGroupStickinessConfig": {"Enabled": False}}
        actions.append(row)
    row = {
        "ListenerArn": one.arn,
        "LoadBalancerArn": one.load_balancer_arn,
        "Port": int(one.port),
        "Protocol": one.protocol,
        "DefaultActions": actions,
    }
    if one.protocol == "HTTPS":
        row |= {"SslPolicy": one.ssl_policy, "Certificates": [{"CertificateArn": arn} for arn in one.certificates]}
    return row


def _check(call: Call, protocol: str, has: list[str]) -> None:
    params, backend = call.params, _backend(call)
    wanted = [one["CertificateArn"] for one in params.get("Certificates") or []]
    for arn in wanted:
        if not backend._certificate_exists(arn):
            raise AwsError("CertificateNotFound", f"Certificate '{arn}' not found")
    policy = params.get("SslPolicy")
    if policy is not None and policy not in SSL_POLICIES:
        raise AwsError("SSLPolicyNotFound", f"SSL policy '{policy}' not found")
    if protocol == "HTTPS" and len(wanted or has) != 1:
        raise AwsError("ValidationError", "A certificate must be specified for HTTPS listeners")
    if protocol == "HTTP" and (wanted or policy):
        raise AwsError("InvalidConfigurationRequest", "An HTTP listener has no certificates and no SSL policy")
    for action in params.get("DefaultActions") or []:
        arn = action.get("TargetGroupArn")
        if arn and arn not in backend.target_groups:
            raise AwsError("TargetGroupNotFound", f"Target groups '{arn}' not found")


def _taken(balancer: Any, port: Any) -> Any:
    return next((one for one in balancer.listeners.values() if int(one.port) == int(port)), None)


def _duplicate(balancer: Any) -> AwsError:
    return AwsError(
        "DuplicateListener", f"A listener already exists on this port for this load balancer '{balancer.arn}'"
    )


@handles("elbv2:CreateListener")
def create(call: Call) -> Document:
    """Make a listener, or find the same one."""
    params, balancer = call.params, _backend(call).load_balancers.get(call.params["LoadBalancerArn"])
    if balancer is None:
        raise AwsError("LoadBalancerNotFound", "One or more load balancers not found")
    existing = _taken(balancer, params["Port"])
    if existing is not None:
        short = lambda actions: [(one.get("Type"), one.get("TargetGroupArn")) for one in actions]
        same = existing.protocol == params.get("Protocol")
        if not same or short([one.data for one in existing.default_actions]) != short(params["DefaultActions"]):
            raise _duplicate(balancer)
        return {"Listeners": [_row(existing)]}
    _check(call, params.get("Protocol") or "", [])
    arn = call.forward()["Listeners"][0]["ListenerArn"]
    return {"Listeners": [_row(balancer.listeners[arn])]}


def _find(call: Call, arn: str) -> tuple[Any, Any]:
    for balancer in _backend(call).load_balancers.values():
        if arn in balancer.listeners:
            return balancer, balancer.listeners[arn]
    raise AwsError("ListenerNotFound", f"One or more listeners not found: {arn}")


@handles("elbv2:ModifyListener")
def modify(call: Call) -> Document:
    """Change a listener; with HTTPS go its certificate and its policy."""
    params = call.params
    balancer, one = _find(call, params["ListenerArn"])
    if "Port" in params and _taken(balancer, params["Port"]) not in (None, one):
        raise _duplicate(balancer)
    protocol = params.get("Protocol") or one.protocol
    _check(call, protocol, one.certificates)
    call.forward()
    if protocol != "HTTPS":
        one.certificate, one.certificates, one.ssl_policy = None, [], None
    return {"Listeners": [_row(one)]}


@handles("elbv2:DescribeListeners")
def describe(call: Call) -> Document:
    """Listeners, as AWS shows them."""
    answer = call.forward()
    rows = [_row(_find(call, row["ListenerArn"])[1]) for row in answer.get("Listeners") or []]
    return answer | {"Listeners": rows}


@handles("elbv2:CreateTargetGroup")
def create_target_group(call: Call) -> Document:
    """Make a target group, or find the same one."""
    params = call.params
    existing = next((one for one in _backend(call).target_groups.values() if one.name == params["Name"]), None)
    if existing is None:
        return call.forward()
    same = (existing.vpc_id, int(existing.port), existing.protocol) == (
        params.get("VpcId"),
        params.get("Port"),
        params.get("Protocol"),
    )
    if not same:
        words = f"A target group with the same name '{existing.name}' exists, but with different settings"
        raise AwsError("DuplicateTargetGroupName", words)
    return {"TargetGroups": [{"TargetGroupArn": existing.arn, "TargetGroupName": existing.name}]}
