"""How much of each quota is used, and what a service answers when a call would exceed it.

The codes are those of the services' error lists; the wording is EC2's where its documentation has it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.elbv2.models import elbv2_backends
from moto.s3.models import s3_backends

from . import eks, elasticache_groups, iam, rds, rds_cluster, rds_instance, settings
from .ec2 import all_groups, all_subnets, backend, subnet
from .gateway import Call

Count = Callable[[Call], float]


def _one(_: Call) -> float:
    return 1


def _always(_: Call) -> bool:
    return True


@dataclass(frozen=True)
class Rule:
    """A quota's code, the use of it, and the error of a call that would exceed it."""

    code: str
    error: str
    words: str
    used: Count
    adds: Count = _one
    applies: Callable[[Call], bool] = _always
    status: int = 400


def _nats(call: Call) -> float:
    """NAT gateways in the zone of the wanted one; one that failed or is deleted no longer counts."""
    ec2 = backend(call)
    zone = subnet(ec2, call.params["SubnetId"]).availability_zone
    alive = [one for one in ec2.nat_gateways.values() if one.state in ("pending", "available", "deleting")]
    return sum(subnet(ec2, one.subnet_id).availability_zone == zone for one in alive)


def _rules(direction: str) -> Count:
    def count(call: Call) -> float:
        found = backend(call).get_security_group_from_id(call.params.get("GroupId"))
        return len(getattr(found, direction)) if found else 0

    return count


def _new_rules(call: Call) -> float:
    parts = ("IpRanges", "Ipv6Ranges", "UserIdGroupPairs", "PrefixListIds")
    return sum(len(one.get(part) or []) for one in call.params.get("IpPermissions") or [] for part in parts) or 1


def _endpoints(kind: str) -> Count:
    def count(call: Call) -> float:
        rows = [one for one in backend(call).vpc_end_points.values() if one.vpc_endpoint_type.lower() == kind]
        return sum(kind == "gateway" or one.vpc_id == call.params["VpcId"] for one in rows)

    return count


def _is_endpoint(kind: str) -> Callable[[Call], bool]:
    return lambda call: (call.params.get("VpcEndpointType") or "Gateway").lower() == kind


def _cluster(call: Call) -> Any:
    return eks.clusters.get((call.region, call.params["clusterName"]))


def _routes(call: Call) -> float:
    table = backend(call).route_tables.get(call.params["RouteTableId"])
    return len(table.routes) if table else 0


def _attached(call: Call) -> float:
    rows = [one for one in iam.backend().roles.values() if one.name == call.params["RoleName"]]
    return len(rows[0].managed_policies) if rows and call.params["PolicyArn"] not in rows[0].managed_policies else 0


def _balancers(call: Call) -> float:
    return len(elbv2_backends[settings.ACCOUNT][call.region].load_balancers)


def _nodes(call: Call) -> float:
    return sum(len(doc["MemberClusters"]) for doc in elasticache_groups.replication_groups.all(call.region))


def _wanted_nodes(call: Call) -> float:
    params = call.params
    shards, replicas = params.get("NumNodeGroups") or 1, params.get("ReplicasPerNodeGroup")
    return params.get("NumCacheClusters") or shards * (1 + (replicas or 0))


def _in_vpc(rows: Callable[[Any], list[Any]]) -> Count:
    return lambda call: sum(one.vpc_id == call.params["VpcId"] for one in rows(backend(call)))


def _reached(what: str) -> str:
    return f"The maximum number of {what} has been reached."


RULES: list[tuple[str, Rule]] = [
    ("ec2:CreateVpc", Rule("L-F678F1CE", "VpcLimitExceeded", _reached("VPCs"), lambda call: len(backend(call).vpcs))),
    (
        "ec2:AllocateAddress",
        Rule("L-0263D0A3", "AddressLimitExceeded", _reached("addresses"), lambda call: len(backend(call).addresses)),
    ),
    (
        "ec2:CreateInternetGateway",
        Rule(
            "L-A4707A72",
            "InternetGatewayLimitExceeded",
            _reached("internet gateways"),
            lambda call: len(backend(call).internet_gateways),
        ),
    ),
    (
        "ec2:CreateNatGateway",
        Rule(
            "L-FE5A380F",
            "NatGatewayLimitExceeded",
            "Performing this operation would exceed the limit of {limit} NAT gateways",
            _nats,
        ),
    ),
    (
        "ec2:CreateSubnet",
        Rule("L-407747CB", "SubnetLimitExceeded", _reached("subnets"), _in_vpc(all_subnets)),
    ),
    (
        "ec2:CreateRouteTable",
        Rule(
            "L-589F43AA",
            "RouteTableLimitExceeded",
            _reached("route tables"),
            _in_vpc(lambda ec2: list(ec2.route_tables.values())),
        ),
    ),
    ("ec2:CreateRoute", Rule("L-93826ACB", "RouteLimitExceeded", _reached("routes"), _routes)),
    (
        "ec2:CreateSecurityGroup",
        Rule(
            "L-E79EC296",
            "SecurityGroupLimitExceeded",
            _reached("security groups"),
            lambda call: len(all_groups(backend(call))),
        ),
    ),
    *(
        (
            f"ec2:AuthorizeSecurityGroup{way}",
            Rule(
                "L-0EA8095F",
                "RulesPerSecurityGroupLimitExceeded",
                _reached("rules per security group"),
                _rules(rules),
                _new_rules,
            ),
        )
        for way, rules in (("Ingress", "ingress_rules"), ("Egress", "egress_rules"))
    ),
    *(
        (
            "ec2:CreateVpcEndpoint",
            Rule(
                code,
                "VpcEndpointLimitExceeded",
                _reached("VPC endpoints"),
                _endpoints(kind),
                applies=_is_endpoint(kind),
            ),
        )
        for kind, code in (("interface", "L-29B6F2EB"), ("gateway", "L-1B52E74A"))
    ),
    (
        "eks:CreateCluster",
        Rule(
            "L-1194D53C",
            "ResourceLimitExceededException",
            "You have reached the maximum number of clusters ({limit}) in this region.",
            lambda call: sum(region == call.region for region, _ in eks.clusters),
            applies=lambda call: (call.region, call.params["name"]) not in eks.clusters,
        ),
    ),
    (
        "eks:CreateNodegroup",
        Rule(
            "L-6D54EA21",
            "ResourceLimitExceededException",
            "You have reached the maximum number of node groups ({limit}) in this cluster.",
            lambda call: len(_cluster(call).nodegroups),
            applies=lambda call: _cluster(call) is not None,
        ),
    ),
    (
        "eks:CreateFargateProfile",
        Rule(
            "L-33415657",
            "ResourceLimitExceededException",
            "You have reached the maximum number of Fargate profiles ({limit}) in this cluster.",
            lambda call: len(_cluster(call).profiles),
            applies=lambda call: _cluster(call) is not None,
        ),
    ),
    (
        "rds:CreateDBCluster",
        Rule(
            "L-952B80B8",
            "DBClusterQuotaExceededFault",
            "User attempted to create a new DB cluster and the user has already reached the maximum allowed quota.",
            lambda call: len(rds_cluster.clusters.all(call.region)),
            status=403,
        ),
    ),
    (
        "rds:CreateDBInstance",
        Rule(
            "L-7B6409FD",
            "InstanceQuotaExceeded",
            "The request would exceed the allowed number of DB instances.",
            lambda call: len(rds_instance.instances.all(call.region)),
        ),
    ),
    (
        "rds:CreateDBSubnetGroup",
        Rule(
            "L-48C6BF61",
            "DBSubnetGroupQuotaExceeded",
            "The request would result in the user exceeding the allowed number of DB subnet groups.",
            lambda call: len(rds.subnet_groups.all(call.region)),
        ),
    ),
    (
        "elasticache:CreateReplicationGroup",
        Rule(
            "L-DFE45DF3",
            "NodeQuotaForCustomerExceeded",
            "The request would exceed the allowed number of cache nodes per customer.",
            _nodes,
            _wanted_nodes,
        ),
    ),
    (
        "elbv2:CreateLoadBalancer",
        Rule("L-53DA6B97", "TooManyLoadBalancers", _reached("load balancers"), _balancers),
    ),
    (
        "dynamodb:CreateTable",
        Rule(
            "L-F98FE922",
            "LimitExceededException",
            "Subscriber limit exceeded: There is a limit of {limit} tables.",
            lambda call: len(dynamodb_backends[settings.ACCOUNT][call.region].tables),
        ),
    ),
    (
        "s3:CreateBucket",
        Rule(
            "L-DC2B2D3D",
            "TooManyBuckets",
            "You have attempted to create more buckets than allowed",
            lambda _: len(s3_backends[settings.ACCOUNT]["aws"].buckets),
        ),
    ),
    (
        "iam:CreateRole",
        Rule(
            "L-FE177D64",
            "LimitExceeded",
            "Cannot exceed quota for RolesPerAccount: {limit}",
            lambda _: len(iam.backend().roles),
            status=409,
        ),
    ),
    (
        "iam:AttachRolePolicy",
        Rule(
            "L-0DA4ABF3",
            "LimitExceeded",
            "Cannot exceed quota for PoliciesPerRole: {limit}",
            _attached,
            status=409,
        ),
    ),
]
