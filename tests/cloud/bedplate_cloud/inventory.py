"""Everything that exists, as ids by kind.

What AWS has in every account (default VPCs, managed policies and keys) is left out, because a region's backend makes
it on the region's first call and a comparison of before and after would find it.
"""

from collections import defaultdict
from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.base_backend import BackendDict
from moto.dynamodb.models import dynamodb_backends
from moto.ec2.models import EC2Backend, ec2_backends
from moto.elb.models import elb_backends
from moto.elbv2.models import elbv2_backends
from moto.kms.models import kms_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends

from . import eks, kubernetes_server, settings, store
from .ec2 import all_groups, all_subnets
from .iam import backend as iam_backend
from .iam import is_service_linked

# Services listed below in detail; of every other service the tagged resources are listed by their ARN.
DETAILED = {"ec2", "iam", "kms", "logs", "eks", "cloudwatch", "dynamodb", "s3", "secretsmanager", "sns", "elb", "elbv2"}
DETAILED |= {"rds", "elasticache", "budgets", "ce", "applicationautoscaling", "application-autoscaling"}
# What AWS has in every account, in those other services.
GIVEN = (":parameter/aws/", ":event-bus/default", ":user:default", ":workgroup/primary")

_moto_init = EC2Backend.__init__


def _init(self: Any, *args: Any, **kwargs: Any) -> None:
    """Remember what a region comes with."""
    _moto_init(self, *args, **kwargs)
    self.factory = frozenset(one for ids in _ec2_of(self).values() for one in ids)


EC2Backend.__init__ = _init  # type: ignore[method-assign]


def take() -> dict[str, list[str]]:
    """The whole account, every region."""
    found: dict[str, set[str]] = defaultdict(set)
    for part in (_ec2, _iam, _kms, _logs, _eks, _cloudwatch, _shelves, _moto, kubernetes_server.inventory, _others):
        for kind, ids in part().items():
            found[kind] |= set(ids)
    return {kind: sorted(ids) for kind, ids in sorted(found.items()) if ids}


def _regions(backends: Any) -> list[tuple[str, Any]]:
    return list(backends[settings.ACCOUNT].items()) if settings.ACCOUNT in backends else []


def _merge(total: dict[str, list[str]], part: dict[str, list[str]]) -> None:
    for kind, ids in part.items():
        total.setdefault(kind, []).extend(ids)


def _ec2() -> dict[str, list[str]]:
    total: dict[str, list[str]] = {}
    for _, ec2 in _regions(ec2_backends):
        listed = {kind: [one for one in ids if one not in ec2.factory] for kind, ids in _ec2_of(ec2).items()}
        _merge(total, listed)
    return total


def _ec2_of(ec2: Any) -> dict[str, list[str]]:
    groups = all_groups(ec2)
    nats = [one.id for one in ec2.nat_gateways.values() if one.state not in ("deleted", "failed")]
    rules = [rule for one in groups for rule in one.ingress_rules + one.egress_rules]
    return {
        "ec2.vpc": list(ec2.vpcs),
        "ec2.subnet": [one.id for one in all_subnets(ec2)],
        "ec2.network-interface": list(ec2.enis),
        "ec2.route-table": list(ec2.route_tables),
        "ec2.internet-gateway": list(ec2.internet_gateways),
        "ec2.egress-only-internet-gateway": list(ec2.egress_only_internet_gateways),
        "ec2.nat-gateway": nats,
        "ec2.elastic-ip": [one.allocation_id for one in ec2.addresses if one.allocation_id],
        "ec2.vpc-endpoint": list(ec2.vpc_end_points),
        "ec2.security-group": [one.id for one in groups],
        "ec2.security-group-rule": [rule.id for rule in rules],
        "ec2.flow-log": list(ec2.flow_logs),
        "ec2.network-acl": list(ec2.network_acls),
        "ec2.dhcp-options": list(ec2.dhcp_options_sets),
        "ec2.launch-template": list(ec2.launch_templates),
        "ec2.vpc-peering": list(ec2.vpc_pcxs),
        "ec2.volume": list(ec2.volumes),
        "ec2.key-pair": list(ec2.key_pairs),
        "ec2.instance": [one.id for reservation in ec2.reservations.values() for one in reservation.instances],
        "ec2.prefix-list": [one.id for one in ec2.managed_prefix_lists.values() if one.owner_id == settings.ACCOUNT],
    }


def _iam() -> dict[str, list[str]]:
    iam = iam_backend()
    roles = list(iam.roles.values())
    own = [one for one in roles if not is_service_linked(one)]
    return {
        "iam.role": [one.arn for one in own],
        "iam.service-linked-role": [one.arn for one in roles if is_service_linked(one)],
        "iam.role-policy": [f"{one.name}|{name}" for one in own for name in one.policies],
        "iam.role-policy-attachment": [f"{one.name}|{arn}" for one in own for arn in one.managed_policies],
        "iam.policy": [arn for arn in iam.managed_policies if f"::{settings.ACCOUNT}:" in arn],
        "iam.oidc-provider": list(iam.open_id_providers),
        "iam.instance-profile": [one.arn for one in iam.instance_profiles.values()],
        "iam.user": [one.arn for one in iam.users.values()],
        "iam.group": [one.arn for one in iam.groups.values()],
    }


def _kms() -> dict[str, list[str]]:
    total: dict[str, list[str]] = {}
    for region, kms in _regions(kms_backends):
        own = [key for key in kms.keys.values() if key.key_manager == "CUSTOMER" and not _is_aws_key(key)]
        pending = [key for key in own if key.key_state == "PendingDeletion"]
        waiting = {key.id for key in pending}
        part = {
            "kms.key": [f"{key.arn}|{key.key_state}" for key in own if key.id not in waiting],
            "kms.key-pending-deletion": [key.arn for key in pending],
            "kms.alias": [f"{region}|{name}" for key in own for name in key.aliases],
        }
        _merge(total, part)
    return total


def _is_aws_key(key: Any) -> bool:
    return any(name.startswith("alias/aws/") for name in key.aliases)


def _logs() -> dict[str, list[str]]:
    return {"logs.log-group": [one.arn for _, logs in _regions(logs_backends) for one in logs.groups.values()]}


def _eks() -> dict[str, list[str]]:
    total: dict[str, list[str]] = {}
    for (region, name), one in eks.clusters.items():
        part = {
            "eks.cluster": [one.doc["arn"]],
            "eks.nodegroup": [doc["nodegroupArn"] for doc in one.nodegroups.values()],
            "eks.fargate-profile": [doc["fargateProfileArn"] for doc in one.profiles.values()],
            "eks.addon": [doc["addonArn"] for doc in one.addons.values()],
            "eks.access-entry": [f"{region}|{name}|{arn}" for arn in one.entries],
            "eks.access-policy": [
                f"{region}|{name}|{arn}|{policy}" for arn, doc in one.entries.items() for policy in doc["_policies"]
            ],
            "eks.pod-identity-association": [doc["associationArn"] for doc in one.associations.values()],
        }
        _merge(total, part)
    return total


def _cloudwatch() -> dict[str, list[str]]:
    alarms, dashboards = [], []
    for _, cloudwatch in _regions(cloudwatch_backends):
        alarms += [one.alarm_arn for one in cloudwatch.alarms.values()]
        dashboards += [one.arn for one in cloudwatch.dashboards.values()]
    return {"cloudwatch.alarm": alarms, "cloudwatch.dashboard": dashboards}


def _shelves() -> dict[str, list[str]]:
    total: dict[str, list[str]] = {}
    for kind, arn in store.everything():
        total.setdefault(kind, []).append(arn)
    return total


def _moto() -> dict[str, list[str]]:
    """The services of the platform that keep their state in moto."""
    total: dict[str, list[str]] = {}
    for _, one in _regions(dynamodb_backends):
        _merge(total, {"dynamodb.table": [table.table_arn for table in one.tables.values()]})
    for _, one in _regions(applicationautoscaling_backends):
        targets = [target for by_name in one.targets.values() for target in by_name.values()]
        policies = [
            f"{policy.resource_id}|{policy.scalable_dimension}|{policy.policy_name}" for policy in one.policies.values()
        ]
        _merge(total, {"application-autoscaling.target": [target.arn for target in targets]})
        _merge(total, {"application-autoscaling.policy": policies})
    for _, one in _regions(s3_backends):
        _merge(total, {"s3.bucket": list(one.buckets)})
    for _, one in _regions(secretsmanager_backends):
        secrets = list(one.secrets.values())
        kept = [secret.arn for secret in secrets if not secret.is_deleted()]
        waiting = [secret.arn for secret in secrets if secret.is_deleted()]
        _merge(total, {"secretsmanager.secret": kept, "secretsmanager.secret-pending-deletion": waiting})
    for _, one in _regions(sns_backends):
        _merge(total, {"sns.topic": list(one.topics), "sns.subscription": list(one.subscriptions)})
    for _, one in _regions(elb_backends):
        _merge(total, {"elb.load-balancer": list(one.load_balancers)})
    for _, one in _regions(elbv2_backends):
        balancers = list(one.load_balancers.values())
        listeners = [listener for balancer in balancers for listener in balancer.listeners]
        _merge(total, {"elbv2.load-balancer": list(one.load_balancers), "elbv2.listener": listeners})
        _merge(total, {"elbv2.target-group": list(one.target_groups)})
    return total


def _others() -> dict[str, list[str]]:
    total: dict[str, list[str]] = {}
    for backends in BackendDict._instances:
        if backends.service_name in DETAILED or settings.ACCOUNT not in backends:
            continue
        for backend in backends[settings.ACCOUNT].values():
            if hasattr(backend, "iter_tagged_resources"):
                for one in backend.iter_tagged_resources():
                    if not any(part in one.arn for part in GIVEN):
                        total.setdefault(one.resource_type.replace(":", "."), []).append(one.arn)
    return total
