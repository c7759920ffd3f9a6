"""Checks of listeners and of what is attached to Auto Scaling groups."""

from typing import Any

from .checks_platform import make_balancer
from .harness import REGION, Cloud, Network, fails, fresh, make_role, row

POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"


def make_target_group(cloud: Cloud, net: Network, **more: Any) -> str:
    """A target group for instances; returns its ARN."""
    make = {"Name": fresh("tg"), "Protocol": "HTTP", "Port": 30080, "VpcId": net.vpc, "TargetType": "instance"} | more
    return cloud.client("elbv2").create_target_group(**make)["TargetGroups"][0]["TargetGroupArn"]


@row("balancer-listeners")
def balancer_listeners(cloud: Cloud) -> None:
    elb, net = cloud.client("elbv2"), Network(cloud)
    balancer = make_balancer(cloud, net)["LoadBalancerArn"]
    name = fresh("tg")
    group = make_target_group(cloud, net, Name=name)
    assert make_target_group(cloud, net, Name=name) == group
    fails("DuplicateTargetGroupName", lambda: make_target_group(cloud, net, Name=name, Port=30081))
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    http = {"LoadBalancerArn": balancer, "Port": 80, "Protocol": "HTTP", "DefaultActions": forward}
    made = elb.create_listener(**http)["Listeners"][0]
    assert "SslPolicy" not in made
    assert made["DefaultActions"][0]["ForwardConfig"]["TargetGroups"][0]["TargetGroupArn"] == group
    assert elb.create_listener(**http)["Listeners"][0]["ListenerArn"] == made["ListenerArn"]
    fails("ResourceInUse", lambda: elb.delete_target_group(TargetGroupArn=group))
    redirect = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}
    fails("DuplicateListener", lambda: elb.create_listener(**http | {"DefaultActions": [redirect]}))

    missing = [{"CertificateArn": f"arn:aws:acm:{REGION}:797923187401:certificate/none"}]
    certificate = cloud.client("acm").request_certificate(DomainName="example.com")["CertificateArn"]
    https = http | {"Port": 443, "Protocol": "HTTPS", "SslPolicy": POLICY}
    fails("ValidationError", lambda: elb.create_listener(**https))
    fails("CertificateNotFound", lambda: elb.create_listener(**https, Certificates=missing))
    secure = https | {"Certificates": [{"CertificateArn": certificate}]}
    fails("SSLPolicyNotFound", lambda: elb.create_listener(**secure | {"SslPolicy": "ELBSecurityPolicy-None"}))
    arn = elb.create_listener(**secure)["Listeners"][0]["ListenerArn"]
    shown = elb.describe_listeners(ListenerArns=[arn])["Listeners"][0]
    assert (shown["SslPolicy"], shown["Certificates"][0]["CertificateArn"]) == (POLICY, certificate)
    fails("DuplicateListener", lambda: elb.modify_listener(ListenerArn=arn, Port=80))
    plain = elb.modify_listener(ListenerArn=arn, Port=8080, Protocol="HTTP")["Listeners"][0]
    assert (plain["Port"], plain.get("SslPolicy"), plain.get("Certificates")) == (8080, None, None)


@row("balancer-classic")
def balancer_classic(cloud: Cloud) -> None:
    elb, net, name = cloud.client("elb"), Network(cloud), fresh("classic")
    group = net.group()
    listener = {"Protocol": "TCP", "LoadBalancerPort": 80, "InstanceProtocol": "TCP", "InstancePort": 30080}
    make = {"LoadBalancerName": name, "Listeners": [listener], "SecurityGroups": [group]}
    fails("SubnetNotFound", lambda: elb.create_load_balancer(**make, Subnets=["subnet-none"]))
    fails("InvalidSecurityGroup", lambda: elb.create_load_balancer(**make | {"SecurityGroups": ["sg-none"]}, Subnets=net.private))
    owned = [{"Key": "kubernetes.io/cluster/main", "Value": "owned"}]
    elb.create_load_balancer(**make, Subnets=net.private, Tags=owned)
    shown = elb.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"][0]
    assert (shown["VPCId"], sorted(shown["Subnets"]), shown["SecurityGroups"]) == (net.vpc, sorted(net.private), [group])
    assert elb.describe_tags(LoadBalancerNames=[name])["TagDescriptions"] == [{"LoadBalancerName": name, "Tags": owned}]
    assert name in cloud.control("GET", "inventory")["elb.load-balancer"]
    fails("DependencyViolation", lambda: net.ec2.delete_security_group(GroupId=group))
    elb.delete_load_balancer(LoadBalancerName=name)
    elb.delete_load_balancer(LoadBalancerName=name)
    fails("LoadBalancerNotFound", lambda: elb.describe_load_balancers(LoadBalancerNames=[name]))
    fails("LoadBalancerNotFound", lambda: elb.describe_tags(LoadBalancerNames=[name]))
    # What it had in the network goes later.
    fails("DependencyViolation", lambda: net.ec2.delete_subnet(SubnetId=net.private[0]))
    cloud.advance()
    net.ec2.delete_security_group(GroupId=group)
    net.ec2.delete_subnet(SubnetId=net.private[0])


@row("traffic-sources")
def traffic_sources(cloud: Cloud) -> None:
    eks, scaling, net, name = cloud.client("eks"), cloud.client("autoscaling"), Network(cloud), fresh("cluster")
    role = make_role(cloud, "eks.amazonaws.com", "AmazonEKSClusterPolicy")
    nodes = make_role(cloud, "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy")
    eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": net.private})
    cloud.advance()
    of = {"clusterName": name, "nodegroupName": "ng"}
    eks.create_nodegroup(
        **of, subnets=net.private, nodeRole=nodes, scalingConfig={"minSize": 1, "desiredSize": 1, "maxSize": 1}
    )
    cloud.advance()
    group = eks.describe_nodegroup(**of)["nodegroup"]["resources"]["autoScalingGroups"][0]["name"]
    source = [{"Identifier": make_target_group(cloud, net), "Type": "elbv2"}]
    states = lambda: [
        one["State"] for one in scaling.describe_traffic_sources(AutoScalingGroupName=group)["TrafficSources"]
    ]
    scaling.attach_traffic_sources(AutoScalingGroupName=group, TrafficSources=source)
    assert states() == ["Adding"]
    cloud.advance()
    assert states() == ["InService"]
    scaling.detach_traffic_sources(AutoScalingGroupName=group, TrafficSources=source)
    assert states() == ["Removing"]
    cloud.advance()
    assert states() == []
