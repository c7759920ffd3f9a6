"""Checks of the cloud's own machinery: pages, faults, counts, inventory."""

import random
import signal
import subprocess
import sys
from typing import Any

import xmltodict

from .. import xml_writer
from .harness import ENVIRONMENT, FOLDER, REGION, Cloud, Network, fails, fresh, make_role, row, trust


@row("pages-ec2")
def pages_ec2(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    for number in range(7):
        ec2.create_vpc(CidrBlock=f"10.{100 + number}.0.0/16")
    everything = {one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"]}
    first = ec2.describe_vpcs(MaxResults=5)
    assert len(first["Vpcs"]) == 5 and first["NextToken"]
    pages = list(ec2.get_paginator("describe_vpcs").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(one["Vpcs"]) for one in pages[:-1]] == [5] * (len(pages) - 1)
    assert {one["VpcId"] for page in pages for one in page["Vpcs"]} == everything
    ids = ["eni-0123456789abcdef0"]
    fails("InvalidParameterCombination", lambda: ec2.describe_network_interfaces(MaxResults=5, NetworkInterfaceIds=ids))
    assert ec2.describe_vpcs(MaxResults=5, VpcIds=list(everything)[:1])["Vpcs"]
    fails("InvalidNextToken", lambda: ec2.describe_vpcs(MaxResults=5, NextToken="nonsense"))
    fails("InvalidParameterValue", lambda: ec2.describe_vpcs(MaxResults=2))


@row("pages-default")
def pages_default(cloud: Cloud) -> None:
    with Cloud("--page-size", "2") as small:
        iam, kms, logs = small.client("iam"), small.client("kms"), small.client("logs")
        for number in range(5):
            make_role(small, "ec2.amazonaws.com")
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            kms.create_alias(AliasName=f"alias/check-{number}", TargetKeyId=key)
            logs.create_log_group(logGroupName=f"/check/{number}")
        first = iam.list_roles()
        assert len(first["Roles"]) == 2 and first["IsTruncated"] and first["Marker"]
        sizes = lambda client, operation, key: [
            len(one.get(key) or []) for one in client.get_paginator(operation).paginate()
        ]
        assert sizes(iam, "list_roles", "Roles") == [2, 2, 1]
        assert sizes(kms, "list_keys", "Keys") == [2, 2, 1]
        assert sum(sizes(kms, "list_aliases", "Aliases")) >= 5
        assert sizes(logs, "describe_log_groups", "logGroups") == [2, 2, 1]
        assert sizes(small.client("eks"), "describe_cluster_versions", "clusterVersions") == [2, 2]
        assert max(sizes(small.client("eks"), "describe_addon_versions", "addons")) == 2
        pages = list(iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role"]))
        assert [len(one["RoleDetailList"]) for one in pages] == [2, 2, 1]


@row("xml-answers")
def xml_answers(_: Cloud) -> None:
    draw = random.Random(1)
    scalars = ["a", "", '<x>&"', "é", 0, 1.5, True, False, None, "  ", "a\nb", b"x"]

    def value(depth: int = 0) -> Any:
        kind = draw.random()
        if depth > 3 or kind < 0.3:
            return draw.choice(scalars)
        if kind < 0.5:
            return [value(depth + 1) for _ in range(draw.randrange(4))]
        if kind < 0.6:
            return {"@xmlns": 'http://x/&"', "a": value(depth + 1)}
        if kind < 0.65:
            return {"#text": draw.choice(["t", None, ""]), "@k": draw.choice(["v", None, True, 3])}
        return {draw.choice("abcdef"): value(depth + 1) for _ in range(draw.randrange(4))}

    for _number in range(500):
        document = {"Root": {"one": value(), "other": value()}}
        for options in ({}, {"short_empty_elements": True}, {"full_document": False}, {"pretty": True}):
            assert xml_writer.unparse(document, **options) == xmltodict.unparse(document, **options), document


@row("not-implemented")
def not_implemented(cloud: Cloud) -> None:
    error = fails("NotImplemented", lambda: cloud.client("savingsplans").describe_savings_plans())
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 501
    fails("NotImplemented", lambda: cloud.client("ec2").describe_ipam_pools())


@row("control-calls")
def control_calls(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    cloud.control("POST", "reset-calls")
    ec2.describe_vpcs()
    ec2.create_vpc(CidrBlock="10.50.0.0/16")
    found = cloud.control("GET", "calls")
    assert (found["total"], found["mutating"]) == (2, 1)
    assert found["by_operation"] == {"ec2:CreateVpc": 1, "ec2:DescribeVpcs": 1}
    assert found["regions"] == {"ec2": {ec2.meta.region_name: 2}}
    assert list(found["request_ids"]) == ["ec2:CreateVpc"] and len(found["request_ids"]["ec2:CreateVpc"]) == 1


@row("request-ids")
def request_ids(cloud: Cloud) -> None:
    cloud.control("POST", "reset-calls")
    s3, ec2, iam = cloud.client("s3"), cloud.client("ec2"), cloud.client("iam")
    role = lambda: iam.create_role(RoleName="request-ids", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))
    answers = [
        s3.create_bucket(Bucket="request-ids"),
        s3.put_bucket_versioning(Bucket="request-ids", VersioningConfiguration={"Status": "Enabled"}),
        ec2.create_vpc(CidrBlock="10.52.0.0/16"),
        role(),
        fails("EntityAlreadyExists", role),
    ]
    heads = [one["ResponseMetadata"]["HTTPHeaders"] for one in answers]
    said = {one.get("x-amzn-requestid") or one["x-amz-request-id"] for one in heads}
    noted = [one for ids in cloud.control("GET", "calls")["request_ids"].values() for one in ids]
    assert len(said) == len(noted) == len(answers) and said == set(noted), (said, noted)


@row("control-fault")
def control_fault(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    make = lambda: ec2.create_vpc(CidrBlock="10.51.0.0/16")
    error = {"code": "RequestLimitExceeded", "message": "slow down", "status": 503}
    cloud.control("POST", "fault", {"operation": "ec2:CreateVpc", "nth": 2, "error": error})
    make()
    assert fails("RequestLimitExceeded", make)["ResponseMetadata"]["HTTPStatusCode"] == 503
    make()
    count = lambda: len(ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.51.0.0/16"]}])["Vpcs"])
    before = count()
    cloud.control("POST", "fault", {"operation": "ec2:CreateVpc", "when": "after", "error": error})
    fails("RequestLimitExceeded", make)
    assert count() == before + 1
    cloud.control("POST", "fault", {"operation": "ec2:CreateVpc", "stays": True, "error": error})
    fails("RequestLimitExceeded", make)
    fails("RequestLimitExceeded", make)
    cloud.control("POST", "end-faults")
    make()


@row("control-inventory")
def control_inventory(_: Cloud) -> None:
    with Cloud() as cloud:
        assert cloud.control("GET", "inventory") == {}
        cloud.client("ec2", "eu-west-1").describe_vpcs()
        assert cloud.control("GET", "inventory") == {}
        net = Network(cloud)
        nat, endpoint = net.nat()["NatGatewayId"], net.endpoint()["VpcEndpointId"]
        role = make_role(cloud, "ec2.amazonaws.com", "AmazonEKSWorkerNodePolicy")
        cloud.client("iam").create_service_linked_role(AWSServiceName="rds.amazonaws.com")
        found = cloud.control("GET", "inventory")
        assert (
            found["ec2.vpc"] == [net.vpc]
            and found["ec2.nat-gateway"] == [nat]
            and found["ec2.vpc-endpoint"] == [endpoint]
        )
        assert found["iam.role"] == [role]
        assert len(found["iam.service-linked-role"]) == 1
        cloud.control("POST", "reset")
        assert cloud.control("GET", "inventory") == {}
        assert cloud.client("ec2").describe_vpcs()["Vpcs"][0]["IsDefault"]


@row("process-end")
def process_end(_: Cloud) -> None:
    """The cloud ends with SIGTERM, and with its parent."""
    with Cloud() as cloud:
        cloud.process.send_signal(signal.SIGTERM)
        assert cloud.process.wait(60) == 0
    script = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-m', 'bedplate_cloud', '--exit-with-parent'], "
        "stdout=subprocess.PIPE); p.stdout.readline()"
    )
    # The cloud has our pipe for its errors, and that ends with whoever is the last to have it.
    subprocess.run(
        [sys.executable, "-c", script], cwd=FOLDER, env=ENVIRONMENT, capture_output=True, check=True, timeout=60
    )


@row("real-durations")
def real_durations(_: Cloud) -> None:
    """With `--durations aws` a NAT gateway takes its real time, scaled."""
    with Cloud("--durations", "aws", "--scale", "0.5") as cloud:
        net = Network(cloud)
        nat = net.nat()["NatGatewayId"]
        cloud.advance(30)
        assert net.nat_state(nat) == "pending"
        cloud.advance(30)
        assert net.nat_state(nat) == "available"
        assert fresh("x") and REGION
