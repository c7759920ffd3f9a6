"""Service Quotas: the quotas the platform can meet, with the codes and defaults AWS documents, and their enforcement."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import clock, quota_usage, settings, switches
from .errors import AwsError
from .gateway import Call
from .registry import checks, handles, on_reset
from .store import Document

SERVICES = {
    "dynamodb": "Amazon DynamoDB",
    "ec2": "Amazon Elastic Compute Cloud (Amazon EC2)",
    "eks": "Amazon Elastic Kubernetes Service (Amazon EKS)",
    "elasticache": "Amazon ElastiCache",
    "elasticloadbalancing": "Elastic Load Balancing (ELB)",
    "iam": "AWS Identity and Access Management (IAM)",
    "rds": "Amazon Relational Database Service (Amazon RDS)",
    "s3": "Amazon Simple Storage Service (Amazon S3)",
    "secretsmanager": "AWS Secrets Manager",
    "sns": "Amazon Simple Notification Service (Amazon SNS)",
    "vpc": "Amazon Virtual Private Cloud (Amazon VPC)",
}


@dataclass(frozen=True)
class Quota:
    """A quota with its default. A global one is asked for in us-east-1."""

    service: str
    code: str
    name: str
    default: float
    adjustable: bool = True
    everywhere: bool = False


QUOTAS = {
    one.code: one
    for one in (
        Quota("dynamodb", "L-F98FE922", "Maximum number of tables", 2500),
        Quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5),
        Quota("ec2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 5),
        Quota("eks", "L-1194D53C", "Clusters", 100),
        Quota("eks", "L-6D54EA21", "Managed node groups per cluster", 30),
        Quota("eks", "L-BD136A63", "Nodes per managed node group", 450),
        Quota("eks", "L-33415657", "Fargate profiles per cluster", 10),
        Quota("elasticache", "L-DFE45DF3", "Nodes per Region", 300),
        Quota("elasticloadbalancing", "L-53DA6B97", "Application Load Balancers per Region", 50),
        Quota("elasticloadbalancing", "L-B22855CB", "Target Groups per Region", 3000),
        Quota("iam", "L-FE177D64", "Roles per account", 1000, everywhere=True),
        Quota("iam", "L-0DA4ABF3", "Managed policies attached to an IAM role", 10, everywhere=True),
        Quota("iam", "L-858F3967", "OpenId connect providers per account", 100, everywhere=True),
        Quota("rds", "L-952B80B8", "DB clusters", 40),
        Quota("rds", "L-7B6409FD", "DB instances", 40),
        Quota("rds", "L-48C6BF61", "DB subnet groups", 50),
        Quota("rds", "L-DE55804A", "Parameter groups", 50),
        Quota("rds", "L-E4C808A8", "DB cluster parameter groups", 50),
        Quota("s3", "L-DC2B2D3D", "General purpose buckets", 10000, everywhere=True),
        Quota("secretsmanager", "L-2F66C23C", "Secrets per Region", 500000, adjustable=False),
        Quota("sns", "L-61103206", "Topics per Account", 100000),
        Quota("vpc", "L-F678F1CE", "VPCs per Region", 5),
        Quota("vpc", "L-A4707A72", "Internet gateways per Region", 5),
        Quota("vpc", "L-FE5A380F", "NAT gateways per Availability Zone", 5),
        Quota("vpc", "L-407747CB", "Subnets per VPC", 200),
        Quota("vpc", "L-589F43AA", "Route tables per VPC", 200),
        Quota("vpc", "L-93826ACB", "Routes per route table", 50),
        Quota("vpc", "L-E79EC296", "VPC security groups per Region", 2500),
        Quota("vpc", "L-0EA8095F", "Inbound or outbound rules per security group", 60),
        Quota("vpc", "L-2AFB9258", "Security groups per network interface", 5),
        Quota("vpc", "L-29B6F2EB", "Interface VPC endpoints per VPC", 50),
        Quota("vpc", "L-1B52E74A", "Gateway VPC endpoints per Region", 20),
        Quota("vpc", "L-DF5E4CA3", "Network interfaces per Region", 5000),
    )
}

# Values other than the default, by region and code, and the requests for more.
_applied: dict[tuple[str, str], float] = {}
_requests: list[Document] = []


@on_reset
def forget() -> None:
    """Return to the defaults."""
    _applied.clear()
    _requests.clear()


def value(region: str, code: str) -> float:
    """The quota in force; a value set for region `*` holds everywhere."""
    return _applied.get((region, code), _applied.get(("*", code), QUOTAS[code].default))


def apply(values: dict[str, float]) -> None:
    """Set quotas by code, in every region."""
    for code, wanted in values.items():
        if code not in QUOTAS:
            raise ValueError(f"unknown quota {code!r}; known: {', '.join(sorted(QUOTAS))}")
        _applied["*", code] = float(wanted)


def _quota(call: Call) -> Quota:
    service, code = call.params["ServiceCode"], call.params["QuotaCode"]
    found = QUOTAS.get(code)
    if service not in SERVICES:
        message = "This service is not available in the current Region. Choose a different Region or a different service."
        raise AwsError("NoSuchResourceException", message)
    if found is None or found.service != service or (found.everywhere and call.region != "us-east-1"):
        raise AwsError("NoSuchResourceException", "The request failed because the specified quota does not exist.")
    return found


def _row(call: Call, one: Quota, number: float, account: str = "") -> Document:
    return {
        "ServiceCode": one.service,
        "ServiceName": SERVICES[one.service],
        "QuotaArn": f"arn:aws:servicequotas:{call.region}:{account}:{one.service}/{one.code}",
        "QuotaCode": one.code,
        "QuotaName": one.name,
        "Value": float(number),
        "Unit": "None",
        "Adjustable": one.adjustable,
        "GlobalQuota": one.everywhere,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }


@handles("service-quotas:GetServiceQuota")
def get(call: Call) -> Document:
    """The value in force."""
    one = _quota(call)
    return {"Quota": _row(call, one, value(call.region, one.code), settings.ACCOUNT)}


@handles("service-quotas:GetAWSDefaultServiceQuota")
def get_default(call: Call) -> Document:
    """The value of a new account."""
    one = _quota(call)
    return {"Quota": _row(call, one, one.default)}


@handles("service-quotas:ListServiceQuotas", "service-quotas:ListAWSDefaultServiceQuotas")
def list_quotas(call: Call) -> Document:
    """The quotas of a service."""
    service = call.params["ServiceCode"]
    if service not in SERVICES:
        raise AwsError("NoSuchResourceException", "The request failed because the specified service does not exist.")
    rows = [one for one in QUOTAS.values() if one.service == service]
    rows = [one for one in rows if call.params.get("QuotaCode") in (None, one.code)]
    rows = [one for one in rows if call.region == "us-east-1" or not one.everywhere]
    if call.target.operation == "ListAWSDefaultServiceQuotas":
        return {"Quotas": [_row(call, one, one.default) for one in rows]}
    return {"Quotas": [_row(call, one, value(call.region, one.code), settings.ACCOUNT) for one in rows]}


@handles("service-quotas:ListServices")
def list_services(_: Call) -> Document:
    """The services that have quotas here."""
    return {"Services": [{"ServiceCode": code, "ServiceName": name} for code, name in SERVICES.items()]}


@handles("service-quotas:RequestServiceQuotaIncrease")
def request(call: Call) -> Document:
    """Ask for more, which is granted after a while."""
    one, wanted = _quota(call), float(call.params["DesiredValue"])
    if not one.adjustable:
        raise AwsError("IllegalArgumentException", "The quota is not adjustable.")
    if wanted <= value(call.region, one.code):
        raise AwsError("IllegalArgumentException", "The requested value must be greater than the current quota value.")
    waiting = [row for row in _requests if row["QuotaCode"] == one.code and row["_region"] == call.region]
    if any(row["Status"] == "PENDING" for row in waiting):
        raise AwsError("ResourceAlreadyExistsException", "Only one open service quota increase request is allowed per quota.")
    row = {key: one for key, one in _row(call, one, 0, settings.ACCOUNT).items() if key not in ("Value", "Adjustable")}
    row |= {"Id": uuid.uuid4().hex, "DesiredValue": wanted, "Status": "PENDING", "Requester": settings.CALLER_ARN}
    row |= {"Created": clock.timestamp(), "LastUpdated": clock.timestamp(), "_region": call.region}
    _requests.append(row)

    def grant() -> None:
        row.update(Status="APPROVED", LastUpdated=clock.timestamp())
        _applied[call.region, one.code] = wanted

    clock.later(settings.durations["quota.increase"], grant)
    return {"RequestedQuota": _public(row)}


def _public(row: Document) -> Document:
    return {key: value for key, value in row.items() if not key.startswith("_") and key != "QuotaAppliedAtLevel"}


@handles("service-quotas:ListRequestedServiceQuotaChangeHistoryByQuota")
def requests(call: Call) -> Document:
    """The requests made for one quota in this region."""
    code = _quota(call).code
    rows = [row for row in _requests if row["QuotaCode"] == code and row["_region"] == call.region]
    return {"RequestedQuotas": [_public(row) for row in rows if call.params.get("Status") in (None, row["Status"])]}


def _limited(operation: str, rule: quota_usage.Rule) -> Callable[[Call], None]:
    def check(call: Call) -> None:
        if not switches.current.quotas:
            return
        limit = value("us-east-1" if QUOTAS[rule.code].everywhere else call.region, rule.code)
        if rule.applies(call) and rule.used(call) + rule.adds(call) > limit:
            raise AwsError(rule.error, rule.words.format(limit=int(limit)), rule.status)

    return checks(operation)(check)


for _operation, _rule in quota_usage.RULES:
    _limited(_operation, _rule)


def describe() -> dict[str, Any]:
    """The quotas in force that are not the default."""
    return {f"{region}/{code}": number for (region, code), number in _applied.items()}
