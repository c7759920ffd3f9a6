"""Runs a probe of emulators against a cloud of its own: `python -m bedplate_cloud.selftest.probe FILE [cloud's options]`.

The probe is a script that takes a name and an endpoint and calls what the platform needs through boto3. It leaves a
cluster with a node group behind, which hold its subnets here as they would in AWS; they are deleted when it comes to
delete its network.
"""

import json
import runpy
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

from .harness import Cloud

PROBE_REGION = "eu-central-1"


def main(path: str, *options: str) -> int:
    """Run the probe and print what is not OK."""
    with Cloud(*options) as cloud, tempfile.NamedTemporaryFile("r", suffix=".json") as results:
        boto3.setup_default_session()
        swept = False

        def sweep(**_: Any) -> None:
            nonlocal swept
            if not swept:
                swept = True
                delete_clusters(cloud.client("eks", PROBE_REGION))

        boto3.DEFAULT_SESSION.events.register("before-call.ec2.DeleteVpcEndpoints", sweep)
        sys.argv = [path, "local", cloud.endpoint, "--region", PROBE_REGION, "--out", results.name]
        runpy.run_path(path, run_name="__main__")
        failed = [one for one in json.load(results)["results"] if one["status"] != "OK"]
    return 1 if failed else 0


def delete_clusters(eks: Any) -> None:
    """Delete every cluster with its node groups."""
    for name in eks.list_clusters()["clusters"]:
        for group in eks.list_nodegroups(clusterName=name)["nodegroups"]:
            eks.delete_nodegroup(clusterName=name, nodegroupName=group)
            wait_gone(lambda group=group: eks.describe_nodegroup(clusterName=name, nodegroupName=group))
        eks.delete_cluster(name=name)
        wait_gone(lambda: eks.describe_cluster(name=name))


def wait_gone(read: Callable[[], Any]) -> None:
    """Wait until a read says that there is nothing; the cloud's own durations bound it."""
    while True:
        try:
            read()
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return
            raise
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
