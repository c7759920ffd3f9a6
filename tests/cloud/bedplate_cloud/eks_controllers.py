"""What the controllers in a cluster make in its VPC once there are nodes to run them, and nobody removes with the cluster."""

from functools import partial
from typing import Any

from moto.elbv2.models import elbv2_backends

from . import clock, settings, switches
from .ec2 import backend_of, subnet
from .ec2_groups import Wanted, add_rule
from .eks import Cluster
from .elbv2 import begin


def start(one: Cluster, subnets: list[str]) -> None:
    """Make a load balancer for an ingress, as soon as its controller runs, if there are controllers."""
    if switches.current.controllers:
        clock.later(settings.durations["controllers.act"], partial(_act, one, subnets))


def _act(one: Cluster, subnets: list[str]) -> None:
    """As the AWS Load Balancer Controller does: a load balancer, its groups and targets, all with the cluster's name."""
    ec2, elb = backend_of(one.region), elbv2_backends[settings.ACCOUNT][one.region]
    vpc, suffix = one.doc["resourcesVpcConfig"]["vpcId"], one.doc["resourcesVpcConfig"]["vpcId"][-8:]
    name = f"k8s-web-{suffix}"
    zones = {subnet(ec2, where).availability_zone: where for where in subnets}
    there = any(other.name == name for other in elb.load_balancers.values())
    if there or len(zones) < 2 or one.doc["status"] != "ACTIVE":
        return
    mark = {"elbv2.k8s.aws/cluster": one.name, "ingress.k8s.aws/stack": "shop/web"}
    made: Any = lambda part: ec2.create_security_group(f"k8s-{part}-{suffix}", "[k8s] managed", vpc, tags=dict(mark))
    front, back = made("web"), made("traffic")
    # Groups that name each other, which hold each other.
    add_rule(ec2, back, False, Wanted("-1", None, None, "GroupId", front.id))
    add_rule(ec2, front, True, Wanted("-1", None, None, "GroupId", back.id))
    tags = [{"Key": key, "Value": value} for key, value in mark.items()]
    balancer = elb.create_load_balancer(
        name, [front.id, back.id], sorted(zones.values()), scheme="internal", loadbalancer_type="application", tags=tags
    )
    begin(one.region, balancer)
    targets = elb.create_target_group(
        f"k8s-pods-{suffix}", protocol="HTTP", port=8080, vpc_id=vpc, target_type="ip", tags=tags
    )
    forward = [{"Type": "forward", "TargetGroupArn": targets.arn}]
    elb.create_listener(balancer.arn, "HTTP", 80, None, None, forward)
