"""Request throttling: token buckets with the rates AWS publishes, and each service's way of saying no.

Of services that publish nothing the rate is a guess, on the safe side of what users report.
"""

from dataclasses import dataclass

from . import calls, clock, switches
from .errors import AwsError
from .registry import on_reset
from .wire import Target


@dataclass
class Bucket:
    """Tokens that are left, and when they were counted."""

    left: float
    at: float


# Size and refill a second, of each operation by itself. EC2: Request throttling for the Amazon EC2 API (mutating and
# non-mutating actions, and the actions with buckets of their own). ELB and RDS: Request throttling for their APIs. KMS, Logs,
# CloudWatch, SNS, Secrets Manager, Service Quotas, tagging: the service's quotas page. EKS, IAM, ElastiCache, Auto Scaling,
# Budgets, Cost Explorer publish none.
MUTATING = {
    "ec2": (50, 5),
    "iam": (20, 5),
    "eks": (20, 5),
    "kms": (15, 15),
    "elasticache": (20, 5),
    "elbv2": (20, 3),
    "elb": (20, 3),
    "autoscaling": (20, 5),
    "application-autoscaling": (10, 10),
    "dynamodb": (10, 10),
    "sns": (30, 30),
    "secretsmanager": (50, 50),
    "logs": (10, 10),
    "cloudwatch": (10, 10),
    "budgets": (10, 5),
    "ce": (5, 5),
    "s3": (100, 100),
    "resourcegroupstaggingapi": (5, 5),
    "service-quotas": (5, 5),
}
READING = {
    "ec2": (100, 20),
    "iam": (40, 20),
    "eks": (40, 20),
    "kms": (500, 500),
    "elasticache": (40, 20),
    "elbv2": (40, 10),
    "elb": (40, 10),
    "autoscaling": (40, 20),
    "application-autoscaling": (20, 20),
    "dynamodb": (50, 50),
    "sns": (30, 30),
    "secretsmanager": (100, 100),
    "logs": (10, 10),
    "cloudwatch": (9, 9),
    "budgets": (20, 10),
    "ce": (10, 10),
    "s3": (500, 500),
    "resourcegroupstaggingapi": (15, 15),
    "service-quotas": (10, 5),
}
OWN = {
    "ec2:CreateVpcEndpoint": (4, 0.3),
    "ec2:ModifyVpcEndpoint": (4, 0.3),
    "ec2:DeleteVpcEndpoints": (4, 0.3),
    "cloudwatch:PutMetricAlarm": (3, 3),
    "cloudwatch:DeleteAlarms": (3, 3),
    "kms:CreateKey": (5, 5),
    "kms:CreateAlias": (5, 5),
    "kms:ScheduleKeyDeletion": (15, 15),
    "secretsmanager:ListSecrets": (100, 100),
    "ec2:CreateNatGateway": (10, 1),
    "ec2:DeleteNatGateway": (10, 1),
    "logs:PutRetentionPolicy": (5, 5),
    "logs:TagResource": (5, 5),
    "logs:UntagResource": (5, 5),
    "logs:ListTagsForResource": (5, 5),
    "cloudwatch:ListTagsForResource": (10, 10),
    "sns:ListTagsForResource": (10, 10),
    "sns:TagResource": (10, 10),
    "sns:UntagResource": (10, 10),
    "elbv2:CreateLoadBalancer": (10, 0.2),
    "elbv2:SetSubnets": (10, 0.2),
    "elbv2:RegisterTargets": (20, 4),
    "elbv2:DeregisterTargets": (20, 4),
}
# These are counted together as well: all changes, all reads, all calls.
TOGETHER = {
    "elbv2": {"changes": (20, 3), "reads": (40, 10), "calls": (40, 10)},
    "secretsmanager": {"changes": (50, 50)},
    "rds": {"calls": (300, 12)},
}

# What a throttled call is answered; of the query services and everything else not named it is `Throttling`.
ANSWERS = {
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "eks": ("ThrottlingException", "Rate exceeded", 429),
    "kms": (
        "ThrottlingException",
        "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
        400,
    ),
    "dynamodb": ("ThrottlingException", "Rate of requests exceeds the allowed throughput.", 400),
    "secretsmanager": ("ThrottlingException", "Rate exceeded", 400),
    "logs": ("ThrottlingException", "Rate exceeded", 400),
    "application-autoscaling": ("ThrottlingException", "Rate exceeded", 400),
    "budgets": ("ThrottlingException", "Rate exceeded", 400),
    "ce": ("LimitExceededException", "Rate exceeded", 400),
    "cur": ("ThrottlingException", "Rate exceeded", 400),
    "resourcegroupstaggingapi": ("ThrottledException", "Rate exceeded", 400),
    "service-quotas": ("TooManyRequestsException", "Rate exceeded", 400),
    "kubernetes": ("TooManyRequests", "the server has received too many requests, please try again later", 429),
}

_buckets: dict[tuple[str, str], Bucket] = {}


@on_reset
def forget() -> None:
    """Fill all buckets."""
    _buckets.clear()


def refusal(service: str) -> AwsError:
    """What a throttled call to a service is answered."""
    return AwsError(*ANSWERS.get(service, ("Throttling", "Rate exceeded", 400)))


def take(target: Target) -> None:
    """Take a token for a call from each of its buckets, or refuse it."""
    share = switches.current.throttle
    if not share:
        return
    mutating, now = calls.is_mutating(target.name), clock.now()
    rates = {target.name: OWN.get(target.name) or (MUTATING if mutating else READING).get(target.service)}
    for kind, rate in TOGETHER.get(target.service, {}).items():
        # What has a bucket of its own is not in that of its kind.
        if kind == "calls" or kind == ("changes" if mutating else "reads") and target.name not in OWN:
            rates[f"{target.service} {kind}"] = rate
    found = []
    for name, rate in rates.items():
        if rate is None:
            continue
        size, refill = rate
        bucket = _buckets.setdefault((target.region, name), Bucket(size, now))
        bucket.left = min(size, bucket.left + (now - bucket.at) * refill * share)
        bucket.at = now
        if bucket.left < 1:
            raise refusal(target.service)
        found.append(bucket)
    for bucket in found:
        bucket.left -= 1
