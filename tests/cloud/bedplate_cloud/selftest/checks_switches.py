"""Checks of what AWS does to its callers: each switch of the cloud."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from .harness import ACCOUNT, REGION, Cloud, Network, fails, fresh, make_role, row, tags, trust

VPC = {"CidrBlock": "10.70.0.0/16"}


def switched(cloud: Cloud, **values: Any) -> None:
    """Turn switches on in a cloud."""
    cloud.control("POST", "settings", {key.replace("_", "-"): value for key, value in values.items()})


@row("switch-settings")
def settings(_: Cloud) -> None:
    with Cloud("--read-lag", "3", "--fault-kinds", "500,503") as cloud:
        now = cloud.control("GET", "settings")
        assert (now["read-lag"], now["fault-kinds"], now["quotas"]) == (3.0, ["500", "503"], False)
        switched(cloud, read_lag=0, quotas=True)
        assert cloud.control("GET", "settings")["quotas"] is True
        cloud.control("POST", "reset")
        now = cloud.control("GET", "settings")
        assert (now["read-lag"], now["quotas"]) == (3.0, False)
    with Cloud("--realistic", "--iam-lag", "7") as cloud:
        now = cloud.control("GET", "settings")
        assert now["iam-lag"] == 7 and all(now[key] for key in ("read-lag", "throttle", "quotas", "fault-rate"))


@row("read-lag")
def read_lag(_: Cloud) -> None:
    with Cloud("--read-lag", "20") as cloud:
        ec2, iam, api = cloud.client("ec2"), cloud.client("iam"), cloud.client("resourcegroupstaggingapi")
        mark = [{"Name": "tag:Mark", "Values": ["lag"]}]
        vpc = ec2.create_vpc(**VPC, TagSpecifications=tags("vpc", Mark="lag"))["Vpc"]["VpcId"]
        role = make_role(cloud, "ec2.amazonaws.com").rpartition("/")[2]
        listed = lambda: [one["VpcId"] for one in ec2.describe_vpcs(Filters=mark)["Vpcs"]]
        tagged = lambda: api.get_resources(TagFilters=[{"Key": "Mark"}])["ResourceTagMappingList"]
        roles = lambda: [
            one["RoleName"] for one in iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
        ]
        fails("InvalidVpcID.NotFound", lambda: ec2.describe_vpcs(VpcIds=[vpc]))
        fails("NoSuchEntity", lambda: iam.get_role(RoleName=role))
        assert not listed() and not tagged() and role not in roles()
        iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=allow_all())  # writes find it
        cloud.advance(20)
        assert listed() == [vpc] and len(tagged()) == 1 and role in roles()
        iam.delete_role_policy(RoleName=role, PolicyName="p")
        iam.delete_role(RoleName=role)
        ec2.delete_vpc(VpcId=vpc)
        assert listed() == [vpc] and len(tagged()) == 1 and role in roles()
        assert ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["VpcId"] == vpc
        assert iam.get_role(RoleName=role)["Role"]["RoleName"] == role
        assert not ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.99.0.0/16"]}])["Vpcs"]
        fails("InvalidVpcID.NotFound", lambda: ec2.delete_vpc(VpcId=vpc))
        cloud.advance(20)
        assert not listed() and not tagged() and role not in roles()


def allow_all() -> str:
    """A policy."""
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@row("use-lag")
def use_lag(_: Cloud) -> None:
    with Cloud("--use-lag", "20") as cloud:
        ec2 = cloud.client("ec2")
        vpc = ec2.create_vpc(**VPC)["Vpc"]["VpcId"]
        make = lambda: ec2.create_subnet(VpcId=vpc, CidrBlock="10.70.1.0/24")
        fails("InvalidVpcID.NotFound", make)
        cloud.advance(20)
        make()


@row("iam-propagation")
def iam_propagation(_: Cloud) -> None:
    with Cloud("--iam-lag", "20") as cloud:
        net, eks, kms = Network(cloud), cloud.client("eks"), cloud.client("kms")
        role = make_role(cloud, "eks.amazonaws.com", "AmazonEKSClusterPolicy")
        make = lambda: eks.create_cluster(
            name=fresh("cluster"), roleArn=role, resourcesVpcConfig={"subnetIds": net.private}
        )
        says = lambda code, action: fails(code, action)["Error"]["Message"]
        assert "could not be assumed" in says("InvalidParameterException", make)
        everyone = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*"}
        named = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "kms:Decrypt", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [everyone | {"Resource": "*"}, named]}
        create = lambda: kms.create_key(Policy=json.dumps(policy))
        assert "invalid principals" in says("MalformedPolicyDocumentException", create)
        again = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [again]})
        trusting = lambda: cloud.client("iam").create_role(
            RoleName=fresh("role"), AssumeRolePolicyDocument=document
        )
        assert "Invalid principal" in says("MalformedPolicyDocument", trusting)
        logs = {"ResourceIds": [net.vpc], "ResourceType": "VPC", "TrafficType": "ALL", "LogGroupName": "/flow"}
        flow = lambda: net.ec2.create_flow_logs(**logs, DeliverLogsPermissionArn=role)
        assert "Unable to assume" in says("InvalidParameter", flow)
        fails("AccessDenied", lambda: cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="s"))
        cloud.advance(20)
        assert make()["cluster"]["status"] == "CREATING"
        create(), trusting()
        # A changed trust policy and a new attachment are not seen at once either.
        other = make_role(cloud, "ec2.amazonaws.com", "AmazonEKSClusterPolicy")
        cloud.advance(20)
        name = other.rpartition("/")[2]
        cloud.client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=trust("eks.amazonaws.com"))
        role = other
        assert "could not be assumed" in says("InvalidParameterException", make)
        cloud.advance(20)
        make()


@row("throttling")
def throttled(_: Cloud) -> None:
    with Cloud("--throttle", "1") as cloud:
        # The clock moves on between the calls, so that more than the bucket's size may pass.
        def until(code: str, action: Callable[[], Any], at_most: int) -> int:
            for done in range(at_most):
                try:
                    action()
                except ClientError as error:
                    assert error.response["Error"]["Code"] == code, error
                    return done
            raise AssertionError(f"{at_most} calls and no {code}")

        ec2, logs = cloud.client("ec2"), cloud.client("logs")
        made = until("RequestLimitExceeded", lambda: ec2.create_internet_gateway(), 500)
        assert made >= 50
        ec2.describe_internet_gateways()  # a bucket of its own
        until("ThrottlingException", lambda: logs.create_log_group(logGroupName=fresh("/group")), 500)
        cloud.advance(10)
        ec2.create_internet_gateway()


@row("quotas-enforced")
def quotas_enforced(_: Cloud) -> None:
    with Cloud("--quotas") as cloud:
        ec2 = cloud.client("ec2")
        for number in range(4):  # the default VPC is the fifth
            ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")
        fails("VpcLimitExceeded", lambda: ec2.create_vpc(**VPC))
        for _number in range(5):
            ec2.allocate_address(Domain="vpc")
        fails("AddressLimitExceeded", lambda: ec2.allocate_address(Domain="vpc"))
        cloud.control("POST", "settings", {"quota-values": {"L-0263D0A3": 6}})
        ec2.allocate_address(Domain="vpc")
        fails("AddressLimitExceeded", lambda: ec2.allocate_address(Domain="vpc"))
        group = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
        ranges = [{"CidrIp": f"10.0.{number}.0/24"} for number in range(61)]
        rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1}
        add = lambda some: ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[rule | {"IpRanges": some}]
        )
        fails("RulesPerSecurityGroupLimitExceeded", lambda: add(ranges))
        add(ranges[:60])


@row("quotas")
def quotas(cloud: Cloud) -> None:
    api = cloud.client("service-quotas", "eu-west-1")
    of = {"ServiceCode": "ec2", "QuotaCode": "L-0263D0A3"}
    show = lambda: api.get_service_quota(**of)["Quota"]["Value"]
    assert show() == 5 and api.get_aws_default_service_quota(**of)["Quota"]["Value"] == 5
    names = [one["QuotaCode"] for one in api.list_service_quotas(ServiceCode="vpc")["Quotas"]]
    assert {"L-F678F1CE", "L-FE5A380F"} <= set(names)
    assert "vpc" in [one["ServiceCode"] for one in api.list_services()["Services"]]
    fails("NoSuchResourceException", lambda: api.get_service_quota(ServiceCode="ec2", QuotaCode="L-F678F1CE"))
    fails("NoSuchResourceException", lambda: api.get_service_quota(ServiceCode="iam", QuotaCode="L-FE177D64"))
    fails("IllegalArgumentException", lambda: api.request_service_quota_increase(**of, DesiredValue=5))
    assert api.request_service_quota_increase(**of, DesiredValue=9)["RequestedQuota"]["Status"] == "PENDING"
    fails("ResourceAlreadyExistsException", lambda: api.request_service_quota_increase(**of, DesiredValue=10))
    assert show() == 5
    cloud.advance(5)
    assert show() == 9
    assert cloud.client("service-quotas").get_service_quota(**of)["Quota"]["Value"] == 5


@row("faults-random")
def faults_random(_: Cloud) -> None:
    def outcomes(cloud: Cloud) -> list[str]:
        ec2, seen = cloud.client("ec2"), []
        for _number in range(60):
            try:
                ec2.create_internet_gateway()
                seen.append("made")
            except ClientError as error:
                seen.append(error.response["Error"]["Code"])
            except HTTPClientError:
                seen.append("cut")
        return seen

    options = ("--fault-rate", "0.4", "--fault-delay", "0", "--fault-operations", "mutating")
    with Cloud(*options, "--seed", "7") as first, Cloud(*options, "--seed", "8") as second:
        seen = outcomes(first)
        assert {"made", "cut", "RequestLimitExceeded", "InternalError", "Unavailable"} == set(seen)
        count = len(first.client("ec2").describe_internet_gateways()["InternetGateways"])
        # Some cuts come after the gateway was made, and some before; reads do not fail here.
        assert seen.count("made") < count < seen.count("made") + seen.count("cut")
        first.control("POST", "reset")
        assert outcomes(first) == seen and outcomes(second) != seen
    with Cloud("--fault-rate", "1", "--fault-kinds", "late", "--fault-delay", "0.3") as cloud:
        started = time.monotonic()
        cloud.client("ec2").describe_vpcs()
        assert time.monotonic() - started >= 0.3


@row("waiting")
def waiting(_: Cloud) -> None:
    """Neither a call that is answered late nor one that is only half sent holds up another one."""
    with Cloud("--latency", "3600") as cloud:
        host, port = cloud.endpoint.removeprefix("http://").split(":")
        head = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 43\r\n\r\n".encode()
        with socket.create_connection((host, int(port)), 60) as late, socket.create_connection((host, int(port)), 60) as half:
            late.sendall(head + b"Action=GetCallerIdentity&Version=2011-06-15")
            half.sendall(head + b"Action=")
            for _ in range(3):
                cloud.control("POST", "settings", {"latency": 0})
            half.sendall(b"GetCallerIdentity&Version=2011-06-15")
            assert half.recv(4096).startswith(b"HTTP/1.1 ")


@row("latency")
def latency(_: Cloud) -> None:
    with Cloud("--latency", "0.2") as cloud:
        started = time.monotonic()
        cloud.client("ec2").describe_vpcs()
        assert time.monotonic() - started >= 0.2
        cloud.control("POST", "settings", {"latency": 0})
        assert cloud.control("GET", "settings")["latency"] == 0


def signed_by(cloud: Cloud, service: str, key: str, secret: str = "any", token: str | None = None) -> Any:
    """A client with credentials of its own."""
    keys = {"aws_access_key_id": key, "aws_secret_access_key": secret, "aws_session_token": token}
    return boto3.client(
        service, REGION, endpoint_url=cloud.endpoint, config=Config(retries={"total_max_attempts": 1}), **keys
    )


def reads(client: Any, service: str) -> Any:
    """A call that changes nothing."""
    return {
        "sts": lambda: client.get_caller_identity(),
        "ec2": lambda: client.describe_vpcs(),
        "s3": lambda: client.list_buckets(),
        "eks": lambda: client.list_clusters(),
        "kms": lambda: client.list_keys(),
    }[service]()


@row("caller-key")
def caller_key(cloud: Cloud) -> None:
    iam, name = cloud.client("iam"), fresh("user")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    reads(signed_by(cloud, "sts", key), "sts")
    iam.delete_access_key(UserName=name, AccessKeyId=key)
    for service, code in {
        "sts": "InvalidClientTokenId",
        "ec2": "AuthFailure",
        "s3": "InvalidAccessKeyId",
        "eks": "UnrecognizedClientException",
    }.items():
        fails(code, lambda: reads(signed_by(cloud, service, key), service))


@row("caller-token")
def caller_token(_: Cloud) -> None:
    with Cloud() as cloud:
        given = cloud.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        call = lambda service: reads(signed_by(cloud, service, *(given[one] for one in names)), service)
        call("sts")
        cloud.advance(901)
        for service, code in {
            "sts": "ExpiredToken",
            "ec2": "RequestExpired",
            "s3": "ExpiredToken",
            "eks": "ExpiredTokenException",
        }.items():
            fails(code, lambda: call(service))


@row("caller-clock")
def caller_clock(_: Cloud) -> None:
    with Cloud() as cloud:
        call = lambda service: reads(cloud.client(service), service)
        cloud.advance(1000)
        call("sts")
        switched(cloud, check_clock=True)
        for service, code in {
            "sts": "SignatureDoesNotMatch",
            "ec2": "RequestExpired",
            "s3": "RequestTimeTooSkewed",
            "eks": "InvalidSignatureException",
            "kms": "InvalidSignatureException",
        }.items():
            fails(code, lambda: call(service))
        assert "is now earlier than" in fails("SignatureDoesNotMatch", lambda: call("sts"))["Error"]["Message"]
        cloud.advance(-1400)
        assert "is still later than" in fails("SignatureDoesNotMatch", lambda: call("sts"))["Error"]["Message"]
        cloud.advance(400)
        call("sts"), call("ec2")


@row("full-zones")
def full_zones(_: Cloud) -> None:
    with Cloud("--full-zones", "use1-az9") as cloud:
        net, eks, rds = Network(cloud), cloud.client("eks"), cloud.client("rds")
        zones = {one["ZoneName"]: one["ZoneId"] for one in net.ec2.describe_availability_zones()["AvailabilityZones"]}
        of = {
            one["SubnetId"]: zones[one["AvailabilityZone"]]
            for one in net.ec2.describe_subnets(SubnetIds=net.private)["Subnets"]
        }
        assert cloud.control("GET", "settings")["full-zones"] == ["use1-az9"]
        full, filled = net.private[:1], of[net.private[0]]
        switched(cloud, full_zones=[filled])
        role = make_role(cloud, "eks.amazonaws.com", "AmazonEKSClusterPolicy")
        make = lambda: eks.create_cluster(name="c", roleArn=role, resourcesVpcConfig={"subnetIds": net.private})
        said = fails("UnsupportedAvailabilityZoneException", make)
        assert "sufficient capacity" in said["message"], said
        switched(cloud, full_zones=[])
        make()
        cloud.advance()
        switched(cloud, full_zones=[filled])
        nodes = make_role(cloud, "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy")
        of_group = {"clusterName": "c", "nodegroupName": "ng"}
        eks.create_nodegroup(**of_group, subnets=full, nodeRole=nodes)
        cloud.advance()
        group = eks.describe_nodegroup(**of_group)["nodegroup"]
        (issue,) = group["health"]["issues"]
        assert group["status"] == "CREATE_FAILED" and "InsufficientInstanceCapacity" in issue["message"]
        rds.create_db_subnet_group(DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=net.private)
        rds.create_db_cluster(
            DBClusterIdentifier="db",
            Engine="aurora-postgresql",
            DBSubnetGroupName="g",
            MasterUsername="master",
            ManageMasterUserPassword=True,
        )
        add = lambda name: rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBClusterIdentifier="db",
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
        )["DBInstance"]["AvailabilityZone"]
        assert {zones[add(name)] for name in ("one", "two")} == set(of.values()) - {filled}
        switched(cloud, full_zones=list(of.values()))
        fails("InsufficientDBInstanceCapacity", lambda: add("three"))


@row("withdrawn-versions")
def withdrawn_versions(_: Cloud) -> None:
    with Cloud("--withdrawn", "redis:7.0,aurora-postgresql:16.8") as cloud:
        cache, rds = cloud.client("elasticache"), cloud.client("rds")
        named = lambda rows: {one["EngineVersion"] for one in rows}
        assert "7.0" not in named(cache.describe_cache_engine_versions(Engine="redis")["CacheEngineVersions"])
        assert "16.8" not in named(rds.describe_db_engine_versions(Engine="aurora-postgresql")["DBEngineVersions"])
        group = {"ReplicationGroupId": "r", "ReplicationGroupDescription": "d", "Engine": "redis"}
        fails("InvalidParameterValue", lambda: cache.create_replication_group(**group, EngineVersion="7.0"))
        cluster = {"DBClusterIdentifier": "db", "Engine": "aurora-postgresql", "EngineVersion": "16.8"}
        fails("InvalidParameterCombination", lambda: rds.create_db_cluster(**cluster))


@row("interface-lag")
def interface_lag(_: Cloud) -> None:
    with Cloud("--interface-lag", "50") as cloud:
        net, eks, name = Network(cloud), cloud.client("eks"), fresh("cluster")
        role = make_role(cloud, "eks.amazonaws.com", "AmazonEKSClusterPolicy")
        nodes = make_role(cloud, "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy")
        eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": net.private})
        cloud.advance()
        of = {"clusterName": name, "nodegroupName": "ng"}
        eks.create_nodegroup(**of, subnets=net.private, nodeRole=nodes)
        cloud.advance()
        eks.delete_nodegroup(**of)
        cloud.advance()
        eks.delete_cluster(name=name)
        cloud.advance()
        mark = [{"Name": "tag:cluster.k8s.amazonaws.com/name", "Values": [name]}]
        left = lambda: net.ec2.describe_network_interfaces(Filters=mark)["NetworkInterfaces"]
        assert {one["Status"] for one in left()} == {"available"} and len(left()) == 2
        fails("DependencyViolation", lambda: net.ec2.delete_subnet(SubnetId=left()[0]["SubnetId"]))
        net.ec2.delete_network_interface(NetworkInterfaceId=left()[0]["NetworkInterfaceId"])
        cloud.advance(50)
        assert not left()
        net.ec2.delete_subnet(SubnetId=net.private[0])


@row("controllers")
def controllers(_: Cloud) -> None:
    with Cloud("--controllers") as cloud:
        net, eks, name = Network(cloud), cloud.client("eks"), fresh("cluster")
        elb = cloud.client("elbv2")
        role = make_role(cloud, "eks.amazonaws.com", "AmazonEKSClusterPolicy")
        nodes = make_role(cloud, "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy")
        eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": net.private})
        cloud.advance()
        assert not elb.describe_load_balancers()["LoadBalancers"]
        of = {"clusterName": name, "nodegroupName": "ng"}
        eks.create_nodegroup(**of, subnets=net.private, nodeRole=nodes)
        cloud.advance()
        cloud.advance()
        eks.delete_nodegroup(**of)
        cloud.advance()
        eks.delete_cluster(name=name)
        cloud.advance()
        (balancer,), (targets,) = (
            elb.describe_load_balancers()["LoadBalancers"],
            elb.describe_target_groups()["TargetGroups"],
        )
        assert balancer["State"]["Code"] == "active" and balancer["VpcId"] == targets["VpcId"] == net.vpc
        for arn in (balancer["LoadBalancerArn"], targets["TargetGroupArn"]):
            (described,) = elb.describe_tags(ResourceArns=[arn])["TagDescriptions"]
            assert {"Key": "elbv2.k8s.aws/cluster", "Value": name} in described["Tags"]
        mark = [{"Name": "tag:elbv2.k8s.aws/cluster", "Values": [name]}]
        groups = net.ec2.describe_security_groups(Filters=mark)["SecurityGroups"]
        assert {one["GroupId"] for one in groups} == set(balancer["SecurityGroups"]) and len(groups) == 2
        fails("ResourceInUse", lambda: elb.delete_target_group(TargetGroupArn=targets["TargetGroupArn"]))
        fails("DependencyViolation", lambda: net.ec2.delete_security_group(GroupId=groups[0]["GroupId"]))
        fails("DependencyViolation", lambda: net.ec2.delete_subnet(SubnetId=net.private[0]))
        elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        elb.delete_target_group(TargetGroupArn=targets["TargetGroupArn"])
