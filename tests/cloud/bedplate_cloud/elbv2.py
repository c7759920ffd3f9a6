"""Load balancers: provisioning, deletion protection, access logs, what they hold in the network."""

import json
from typing import Any

from moto.elbv2.models import elbv2_backends
from moto.s3.models import s3_backends

from . import clock, eks, references, settings
from .ec2 import backend_of, managed_interface, remove_interface
from .errors import AwsError
from .gateway import Call
from .iam import statements_of
from .patterns import like
from .registry import checks, handles
from .store import Document

# Elastic Load Balancing's own accounts, which older bucket policies name.
ACCOUNTS = {
    "us-east-1": "127311923021",
    "us-east-2": "033677994240",
    "us-west-2": "797873946194",
    "eu-central-1": "054676820928",
    "eu-west-1": "156460612806",
}
SERVICE = "logdelivery.elasticloadbalancing.amazonaws.com"
APPLICATION = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.prefix": "",
    "client_keep_alive.seconds": "3600",
    "deletion_protection.enabled": "false",
    "idle_timeout.timeout_seconds": "60",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}


def _balancers(call: Call) -> dict[str, Any]:
    return elbv2_backends[settings.ACCOUNT][call.region].load_balancers


@handles("elbv2:CreateLoadBalancer")
def create(call: Call) -> Document:
    """Start a load balancer, or find the same one."""
    params = call.params
    existing = next((one for one in _balancers(call).values() if one.name == params["Name"]), None)
    wanted = list(params.get("Subnets") or []) or [one["SubnetId"] for one in params.get("SubnetMappings") or []]
    kind = params.get("Type") or "application"
    if existing is not None:
        same = (
            set(wanted) == {one.id for one in existing.subnets}
            and set(params.get("SecurityGroups") or existing.security_groups) == set(existing.security_groups)
            and (params.get("Scheme") or "internet-facing") == existing.scheme
            and kind == existing.type
        )
        if not same:
            words = f"A load balancer with the same name '{params['Name']}' exists, but with different settings"
            raise AwsError("DuplicateLoadBalancerName", words)
        return {"LoadBalancers": [_row(existing, _bare(existing))]}
    _check(call, wanted, kind)
    eks.ensure_service_linked_role("elasticloadbalancing.amazonaws.com")
    answer = call.forward()
    made = _balancers(call)[answer["LoadBalancers"][0]["LoadBalancerArn"]]
    made.scheme = answer["LoadBalancers"][0]["Scheme"] = made.scheme or "internet-facing"
    if not made.security_groups and kind == "application":
        made.security_groups = references.default_group(call.region, made.vpc_id)
    begin(call.region, made)
    return {"LoadBalancers": [_row(made, answer["LoadBalancers"][0])]}


def begin(region: str, made: Any) -> None:
    """A new load balancer is provisioned, with an interface in each of its subnets."""
    if made.type == "application":
        made.attrs = dict(APPLICATION)
    made.bedplate_state = "provisioning"
    _place(region, made)
    clock.later(settings.durations["load-balancer.create"], lambda: setattr(made, "bedplate_state", "active"))


def _check(call: Call, wanted: list[str], kind: str) -> None:
    found = references.subnets(call.region, wanted, "SubnetNotFound")
    if kind == "application" and len({one.availability_zone for one in found}) < 2:
        raise AwsError("ValidationError", "At least two subnets in two different Availability Zones must be specified")
    if len({one.availability_zone for one in found}) < len(found):
        raise AwsError(
            "InvalidConfigurationRequest",
            "A load balancer cannot be attached to multiple subnets in the same Availability Zone",
        )
    references.groups(call.region, call.params.get("SecurityGroups") or [], found[0].vpc_id, "InvalidSecurityGroup")
    public = (call.params.get("Scheme") or "internet-facing") == "internet-facing"
    ec2 = backend_of(call.region)
    if (
        public
        and not settings.lenient
        and not any(_vpc(one) == found[0].vpc_id for one in ec2.internet_gateways.values())
    ):
        raise AwsError("InvalidSubnet", f"VPC {found[0].vpc_id} has no internet gateway")


def _vpc(gateway: Any) -> str | None:
    return gateway.vpc.id if gateway.vpc else None


def _place(region: str, one: Any) -> None:
    ec2 = backend_of(region)
    for interface in getattr(one, "interfaces", []):
        remove_interface(ec2, interface)
    path = one.arn.partition(":loadbalancer/")[2]
    places, groups = [subnet.id for subnet in one.subnets], list(one.security_groups or [])
    one.interfaces = [managed_interface(ec2, where, f"ELB {path}", "interface", groups).id for where in places]


def _row(one: Any, row: Document) -> Document:
    row["State"] = {"Code": getattr(one, "bedplate_state", "active")}
    row["SecurityGroups"] = list(one.security_groups or [])
    # A real hosted zone: records that point at the load balancer need one.
    row["CanonicalHostedZoneId"] = "Z35SXDOTRQ7X7K"
    return row


def _bare(one: Any) -> Document:
    places = [
        {"ZoneName": where.availability_zone, "SubnetId": where.id, "LoadBalancerAddresses": []}
        for where in one.subnets
    ]
    return {
        "LoadBalancerArn": one.arn,
        "DNSName": one.dns_name,
        "LoadBalancerName": one.name,
        "Scheme": one.scheme,
        "VpcId": one.vpc_id,
        "Type": one.type,
        "IpAddressType": one.ip_address_type,
        "CreatedTime": one.created_time,
        "AvailabilityZones": places,
    }


@handles("elbv2:DescribeLoadBalancers", "elbv2:SetSubnets")
def describe(call: Call) -> Document:
    """Load balancers with their state."""
    answer = call.forward()
    for row in answer.get("LoadBalancers") or []:
        _row(_balancers(call)[row["LoadBalancerArn"]], row)
    if call.target.operation == "SetSubnets":
        _place(call.region, _balancers(call)[call.params["LoadBalancerArn"]])
    return answer


@handles("elbv2:SetSecurityGroups")
def set_groups(call: Call) -> Document:
    """Other groups, also on the interfaces."""
    one = _balancer(call)
    references.groups(call.region, call.params["SecurityGroups"], one.vpc_id, "InvalidSecurityGroup")
    call.forward()
    _place(call.region, one)
    return {"SecurityGroupIds": list(one.security_groups)}


def _balancer(call: Call) -> Any:
    found = _balancers(call).get(call.params["LoadBalancerArn"])
    if found is None:
        raise AwsError("LoadBalancerNotFound", "One or more load balancers not found")
    return found


@checks("elbv2:ModifyLoadBalancerAttributes")
def attributes(call: Call) -> None:
    """Access logs need a bucket whose policy lets them in."""
    one = _balancer(call)
    wanted = one.attrs | {item["Key"]: item.get("Value") or "" for item in call.params["Attributes"]}
    for kind in ("access_logs", "connection_logs"):
        if wanted.get(f"{kind}.s3.enabled") != "true" or settings.lenient:
            continue
        name, prefix = wanted.get(f"{kind}.s3.bucket") or "", wanted.get(f"{kind}.s3.prefix") or ""
        bucket = s3_backends[settings.ACCOUNT]["aws"].buckets.get(name)
        if bucket is None:
            raise AwsError("InvalidConfigurationRequest", f"The S3 bucket {name} does not exist")
        if not _lets_in(bucket, call.region, prefix):
            raise AwsError(
                "InvalidConfigurationRequest", f"Access Denied for bucket: {name}. Please check S3bucket permission"
            )
        if kind == "access_logs":
            text = f"Enable AccessLog for ELB: {one.arn} at {clock.timestamp().isoformat()}".encode()
            s3_backends[settings.ACCOUNT]["aws"].put_object(name, _test_file(prefix), value=text)


def _test_file(prefix: str) -> str:
    """What Elastic Load Balancing writes to try whether it may."""
    return f"{prefix}/".lstrip("/") + f"AWSLogs/{settings.ACCOUNT}/ELBAccessLogTestFile"


def _lets_in(bucket: Any, region: str, prefix: str) -> bool:
    try:
        document = json.loads(bucket.policy or "{}")
    except ValueError:
        return False
    sample = f"arn:aws:s3:::{bucket.name}/{_test_file(prefix)}"
    for one in statements_of(document) if document else []:
        principal = one.get("Principal")
        if not isinstance(principal, dict) or one.get("Effect") != "Allow":
            continue
        services, names = _list(principal.get("Service")), _list(principal.get("AWS"))
        known = SERVICE in services or any(ACCOUNTS.get(region, "none") in name for name in names)
        acts = any(action in ("s3:PutObject", "s3:Put*", "s3:*", "*") for action in _list(one.get("Action")))
        if known and acts and any(like(sample, pattern) for pattern in _list(one.get("Resource"))):
            return True
    return False


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


@handles("elbv2:DeleteLoadBalancer")
def delete(call: Call) -> Document:
    """Delete a load balancer that is not protected; its interfaces stay for a while. One that is gone is no error."""
    one = _balancers(call).get(call.params["LoadBalancerArn"])
    if one is None:
        return {}
    if one.attrs.get("deletion_protection.enabled") == "true":
        words = f"Load balancer '{one.arn}' cannot be deleted because deletion protection is enabled"
        raise AwsError("OperationNotPermitted", words)
    answer, ec2 = call.forward(), backend_of(call.region)

    def release() -> None:
        for interface in getattr(one, "interfaces", []):
            remove_interface(ec2, interface)

    clock.later(settings.durations["load-balancer.linger"], release)
    return answer


# What an ARN is of, and the error for one that does not exist.
MISSING = {
    "loadbalancer": "LoadBalancerNotFound",
    "targetgroup": "TargetGroupNotFound",
    "listener": "ListenerNotFound",
    "listener-rule": "RuleNotFound",
}


def alive(region: str) -> list[str]:
    """The ARNs of a region's load balancers, target groups, listeners and rules."""
    elb = elbv2_backends[settings.ACCOUNT][region]
    listeners = {arn: one for balancer in elb.load_balancers.values() for arn, one in balancer.listeners.items()}
    rules = [arn for one in listeners.values() for arn in one.rules]
    return [*elb.load_balancers, *elb.target_groups, *listeners, *rules]


@checks("elbv2:DescribeTags")
def describe_tags(call: Call) -> None:
    """Up to twenty resources, which all exist."""
    arns, known = call.params.get("ResourceArns") or [], alive(call.region)
    if len(arns) > 20:
        raise AwsError("ValidationError", "Cannot have more than 20 resource ARNs in a request.")
    for arn in arns:
        if arn not in known:
            code = MISSING.get(arn.partition("/")[0].rpartition(":")[2], "ValidationError")
            raise AwsError(code, f"'{arn}' was not found.")
