"""Imports every module with handlers, so that they register, and loads the large models ahead of the first call."""

from typing import Any

from moto.core.utils import get_service_model


def warm_up(_cloud: Any) -> None:
    """Load the models the first calls would wait for (EC2's takes most of a second)."""
    for service in ("ec2", "eks", "iam", "kms", "sts", "logs"):
        get_service_model(service)
