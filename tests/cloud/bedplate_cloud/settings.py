"""Everything that can be set from the command line, and the environment moto is imported under."""

import os

ACCOUNT = "797923187401"
CALLER_ARN = f"arn:aws:iam::{ACCOUNT}:user/bedplate"
CALLER_NAME = "bedplate"

# Seconds each pending state lasts. `aws` holds estimates of typical real times, not measurements; scale them down.
DURATIONS = {
    "quick": {
        "nat-gateway.create": 0.6,
        "nat-gateway.delete": 0.6,
        "nat-gateway.visible": 30.0,
        "vpc-endpoint.create": 0.4,
        "vpc-endpoint.delete": 0.3,
        "vpc-endpoint.linger": 0.2,
        "cluster.create": 1.0,
        "cluster.update": 0.5,
        "cluster.delete": 0.6,
        "nodegroup.create": 0.6,
        "nodegroup.update": 0.4,
        "nodegroup.delete": 0.5,
        "controllers.act": 0.1,
        "fargate-profile.create": 0.4,
        "fargate-profile.delete": 0.4,
        "addon.create": 0.3,
        "addon.degraded": 5.0,
        "addon.update": 0.3,
        "addon.delete": 0.2,
        "replication-group.create": 0.8,
        "replication-group.modify": 0.4,
        "replication-group.delete": 0.5,
        "snapshot.create": 0.3,
        "snapshot.delete": 0.1,
        "db-cluster.create": 0.8,
        "db-cluster.pending": 0.3,
        "db-cluster.modify": 0.3,
        "db-cluster.delete": 0.5,
        "db-instance.create": 0.8,
        "db-instance.modify": 0.4,
        "db-instance.delete": 0.5,
        "db-snapshot.create": 0.3,
        "table.create": 0.4,
        "table.update": 0.3,
        "table.delete": 0.3,
        "table.ttl": 0.2,
        "load-balancer.create": 0.5,
        "load-balancer.linger": 0.3,
        "quota.increase": 1.0,
        "traffic-source.attach": 0.2,
        "traffic-source.detach": 0.2,
    },
    "aws": {
        "nat-gateway.create": 120.0,
        "nat-gateway.delete": 50.0,
        "nat-gateway.visible": 3600.0,
        "vpc-endpoint.create": 90.0,
        "vpc-endpoint.delete": 120.0,
        "vpc-endpoint.linger": 90.0,
        "cluster.create": 540.0,
        "cluster.update": 180.0,
        "cluster.delete": 150.0,
        "nodegroup.create": 150.0,
        "nodegroup.update": 60.0,
        "nodegroup.delete": 240.0,
        "controllers.act": 30.0,
        "fargate-profile.create": 120.0,
        "fargate-profile.delete": 140.0,
        "addon.create": 60.0,
        "addon.degraded": 900.0,
        "addon.update": 40.0,
        "addon.delete": 20.0,
        "replication-group.create": 540.0,
        "replication-group.modify": 120.0,
        "replication-group.delete": 300.0,
        "snapshot.create": 180.0,
        "snapshot.delete": 20.0,
        "db-cluster.create": 60.0,
        "db-cluster.pending": 20.0,
        "db-cluster.modify": 60.0,
        "db-cluster.delete": 180.0,
        "db-instance.create": 480.0,
        "db-instance.modify": 180.0,
        "db-instance.delete": 240.0,
        "db-snapshot.create": 120.0,
        "table.create": 10.0,
        "table.update": 20.0,
        "table.delete": 10.0,
        "table.ttl": 600.0,
        "load-balancer.create": 150.0,
        "load-balancer.linger": 60.0,
        "quota.increase": 1800.0,
        "traffic-source.attach": 15.0,
        "traffic-source.detach": 60.0,
    },
}

# The values in force; `configure` fills them once, before the first request.
durations: dict[str, float] = dict(DURATIONS["quick"])
page_size: int | None = None
# Leaves out the checks of trust policies, attached policies and private subnets, for clients that use any role at hand.
lenient = False
# Whether the clusters' APIs answer where the caller is: an endpoint inside a VPC answers nobody outside.
clusters_reachable = True


def prepare() -> None:
    """Set the environment that moto reads while it is imported."""
    os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    # moto's own services call each other through boto3 in a few places and then need some credentials.
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "local")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "local")


def configure(choice: str, scale: float, pages: int | None, trusting: bool) -> None:
    """Choose the durations: a named set, or `key=seconds` pairs over the quick set."""
    global page_size, lenient
    page_size, lenient = pages, trusting
    durations.clear()
    durations.update(parse_durations(choice))
    for key in durations:
        durations[key] *= scale


def parse_durations(choice: str) -> dict[str, float]:
    """Read `quick`, `aws`, `k=v,...` or `aws,k=v,...`."""
    chosen = dict(DURATIONS["quick"])
    for part in filter(None, choice.split(",")):
        if part in DURATIONS:
            chosen = dict(DURATIONS[part])
            continue
        key, _, seconds = part.partition("=")
        if key not in chosen:
            raise ValueError(f"unknown duration {key!r}; known: {', '.join(sorted(chosen))}")
        chosen[key] = float(seconds)
    return chosen
