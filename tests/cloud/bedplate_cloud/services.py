"""Imports every module with handlers, so that they register, and loads the large models ahead of the first call."""

from typing import Any

from moto.core.utils import get_service_model

from . import (  # noqa: F401
    athena,
    autoscaling,
    autoscaling_targets,
    budgets,
    cloudwatch,
    cost_explorer,
    cost_reports,
    credentials,
    dashboards,
    dynamodb,
    ec2_endpoints,
    ec2_groups,
    ec2_nat,
    ec2_network,
    ec2_rest,
    eks_access,
    eks_addon,
    eks_cluster,
    eks_common,
    eks_fargate,
    eks_nodegroup,
    eks_versions,
    elasticache,
    elasticache_groups,
    elb,
    elbv2,
    elbv2_listeners,
    glue,
    iam,
    iam_simulation,
    inventory,
    kms,
    logs,
    organizations,
    propagation,
    quotas,
    rds,
    rds_cluster,
    rds_instance,
    s3,
    secretsmanager,
    sns,
    tagging,
)


def warm_up(_cloud: Any) -> None:
    """Load the models the first calls would wait for (EC2's takes most of a second)."""
    for service in ("ec2", "eks", "iam", "kms", "sts", "logs"):
        get_service_model(service)
