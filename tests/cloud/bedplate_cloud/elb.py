"""Classic load balancers, as Kubernetes makes them: what they refer to and hold in the network."""

from typing import Any

from moto.elb.models import elb_backends

from . import clock, references, settings
from .ec2 import backend_of, managed_interface, remove_interface
from .errors import AwsError
from .gateway import Call
from .registry import handles
from .store import Document


def _balancers(call: Call) -> dict[str, Any]:
    return elb_backends[settings.ACCOUNT][call.region].load_balancers


@handles("elb:CreateLoadBalancer")
def create(call: Call) -> Document:
    """Make a load balancer in subnets of a VPC, with an interface in each."""
    params = call.params
    found = references.subnets(call.region, params.get("Subnets") or [], "SubnetNotFound")
    if not found:
        raise AwsError("ValidationError", "Either AvailabilityZones or SubnetIds must be specified")
    groups = params.get("SecurityGroups") or references.default_group(call.region, found[0].vpc_id)
    references.groups(call.region, groups, found[0].vpc_id, "InvalidSecurityGroup")
    answer, ec2 = call.forward(SecurityGroups=groups), backend_of(call.region)
    name = params["LoadBalancerName"]
    made = [managed_interface(ec2, where.id, f"ELB {name}", "interface", groups) for where in found]
    _balancers(call)[name].interfaces = [interface.id for interface in made]
    return answer


@handles("elb:DeleteLoadBalancer")
def delete(call: Call) -> Document:
    """Delete a load balancer; its interfaces stay for a while. One that is gone is no error."""
    one, ec2 = _balancers(call).get(call.params["LoadBalancerName"]), backend_of(call.region)
    answer = call.forward()

    def release() -> None:
        for interface in getattr(one, "interfaces", []):
            remove_interface(ec2, interface)

    clock.later(settings.durations["load-balancer.linger"], release)
    return answer
