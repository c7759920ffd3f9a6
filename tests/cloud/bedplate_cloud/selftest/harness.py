"""Starts clouds and gives the checks what they share."""

import itertools
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

FOLDER = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(FOLDER)}
REGION = "us-east-1"
ACCOUNT = "797923187401"
_numbers = itertools.count(1)

CHECKS: dict[str, Callable[["Cloud"], None]] = {}


def row(name: str) -> Callable[[Callable[["Cloud"], None]], Callable[["Cloud"], None]]:
    """Mark the check of one row of the README's table."""

    def register(function: Callable[["Cloud"], None]) -> Callable[["Cloud"], None]:
        assert name not in CHECKS, f"{name} is checked twice"
        CHECKS[name] = function
        return function

    return register


def fresh(prefix: str) -> str:
    """A name no other check uses."""
    return f"{prefix}-{next(_numbers)}"


def fails(code: str, action: Callable[[], Any]) -> dict[str, Any]:
    """The action must fail with this code; returns the error's document."""
    try:
        action()
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, f"expected {code}, got {error}"
        return error.response
    raise AssertionError(f"expected {code}, but the call succeeded")


class Cloud:
    """A running local cloud."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "bedplate_cloud", "--port", "0", "--exit-with-parent", "--still", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=FOLDER, env=ENVIRONMENT)
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line.startswith("bedplate cloud ready: http://"), line
        self.endpoint = line.split(": ", 1)[1]
        self.clients: dict[tuple[str, str], Any] = {}

    def __enter__(self) -> "Cloud":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)

    def client(self, service: str, region: str = REGION) -> Any:
        """A client without retries and without checks of its own, so that the cloud sees and answers everything."""
        if (service, region) not in self.clients:
            config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
            keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
            made = boto3.client(service, endpoint_url=self.endpoint, region_name=region, config=config, **keys)
            self.clients[service, region] = made
        return self.clients[service, region]

    def control(self, method: str, action: str, document: Any = None) -> Any:
        """Ask the control API."""
        data = json.dumps(document).encode() if document is not None else None
        request = urllib.request.Request(f"{self.endpoint}/_cloud/{action}", data=data, method=method)
        return json.load(urllib.request.urlopen(request, timeout=120))

    def advance(self, seconds: float = 5.0) -> None:
        """Let time pass without waiting for it."""
        self.control("POST", "advance", {"seconds": seconds})


def tags(resource_type: str, **pairs: str) -> list[dict[str, Any]]:
    """TagSpecifications."""
    return [{"ResourceType": resource_type, "Tags": [{"Key": key, "Value": value} for key, value in pairs.items()]}]


def trust(service: str) -> str:
    """A trust policy for a service."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_role(cloud: Cloud, service: str, *policies: str) -> str:
    """A role with AWS's policies attached; returns its ARN."""
    iam, name = cloud.client("iam"), fresh("role")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))["Role"]["Arn"]
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")
    return arn


class Network:
    """A VPC with an internet gateway, a public and two private subnets."""

    def __init__(self, cloud: Cloud) -> None:
        ec2 = self.ec2 = cloud.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        self.gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.public = self.subnet(1, "a")
        self.private = [self.subnet(11, "a"), self.subnet(12, "b")]
        self.table = ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0", GatewayId=self.gateway)
        ec2.associate_route_table(RouteTableId=self.table, SubnetId=self.public)

    def subnet(self, number: int, letter: str) -> str:
        """A further subnet."""
        zone = f"{REGION}{letter}"
        answer = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)
        return answer["Subnet"]["SubnetId"]

    def address(self) -> str:
        """An elastic IP."""
        return self.ec2.allocate_address(Domain="vpc")["AllocationId"]

    def group(self) -> str:
        """A security group."""
        return self.ec2.create_security_group(GroupName=fresh("group"), Description="d", VpcId=self.vpc)["GroupId"]

    def nat(self, **more: Any) -> dict[str, Any]:
        """A NAT gateway."""
        arguments = {"SubnetId": self.public, "AllocationId": more.pop("AllocationId", None) or self.address()} | more
        return self.ec2.create_nat_gateway(**arguments)["NatGateway"]

    def nat_state(self, nat: str) -> str:
        """A NAT gateway's state."""
        return self.ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]["State"]

    def endpoint(self, service: str = "sts", **more: Any) -> dict[str, Any]:
        """An interface endpoint."""
        arguments = {
            "VpcId": self.vpc,
            "ServiceName": f"com.amazonaws.{REGION}.{service}",
            "VpcEndpointType": "Interface",
        }
        arguments |= {"SubnetIds": self.private, "PrivateDnsEnabled": True} | more
        return self.ec2.create_vpc_endpoint(**arguments)["VpcEndpoint"]
