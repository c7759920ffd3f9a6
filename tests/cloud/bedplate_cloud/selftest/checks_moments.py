"""Checks of snapshots and of kills at a moment of a call."""

import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import boto3

from .checks_kubernetes import Kubernetes
from .harness import ENVIRONMENT, FOLDER, REGION, Cloud, Network, row

CLIENT = """
import boto3, sys
from botocore.config import Config
ec2 = boto3.client("ec2", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="any",
                   aws_secret_access_key="any", config=Config(retries={"total_max_attempts": 1}))
sys.stdin.readline()
ec2.create_vpc(CidrBlock="10.60.0.0/16")
open(sys.argv[2] + "/answered.json", "w").close()
ec2.describe_vpcs()
sys.stdin.readline()
"""


class Restorable(Cloud):
    """A cloud whose snapshots live as long as its standard input is open."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "bedplate_cloud", "--port", "0", "--still"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, cwd=FOLDER, env=ENVIRONMENT, **pipes)
        assert self.process.stdout is not None
        self.endpoint = self.process.stdout.readline().strip().split(": ", 1)[1]
        self.clients = {}
        self.folder, self.disk = folder / "snapshots", folder / "disk"
        self.disk.mkdir()

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.kill()
        self.process.wait(10)

    def paths(self, name: str = "") -> dict[str, str]:
        return {"folder": str(self.folder / name), "disk": str(self.disk)}

    def restore(self, name: str) -> None:
        try:
            self.control("POST", "leave", {})
        except OSError:
            pass  # It ends instead of answering.
        (self.folder / name / "restore").write_text("!")

    def ids(self) -> set[str]:
        return set(self.control("GET", "inventory").get("ec2.vpc", []))


@row("control-snapshot")
def control_snapshot(_: Cloud) -> None:
    with tempfile.TemporaryDirectory() as folder, Restorable(Path(folder)) as cloud:
        net = Network(cloud)
        eks, nat = cloud.client("eks"), net.nat()["NatGatewayId"]
        (cloud.disk / "state.json").write_text("one")
        cloud.control("POST", "snapshot", cloud.paths("early"))
        cloud.control("POST", "record", cloud.paths())
        ec2 = boto3.client("ec2", REGION, endpoint_url=cloud.endpoint, aws_access_key_id="a", aws_secret_access_key="b")
        second = ec2.create_vpc(CidrBlock="10.61.0.0/16")["Vpc"]["VpcId"]
        (cloud.disk / "new").write_text("two")
        (cloud.disk / "new").rename(cloud.disk / "state.json")
        before = time.monotonic()
        while not (cloud.folder / "disk#1:written").exists():
            assert time.monotonic() - before < 60, "a save is a moment"
            time.sleep(0.01)
        ec2.describe_vpcs()
        same = cloud.control("POST", "end-moments", {})
        assert same == {"same": {"answered": 1, "waiting": 1}}, "a kill there leaves what one before it leaves"
        cloud.advance(60)
        assert net.nat_state(nat) == "available"

        cloud.restore("early")
        assert cloud.ids() == {net.vpc} and net.nat_state(nat) == "pending", "the clock goes back, too"
        names = {path.name for path in cloud.folder.iterdir()}
        made = "ec2:CreateVpc#1"
        assert names == {"early", f"{made}:before", f"{made}:committed", "disk#1:written"}, names
        for name, vpcs, text in (
            (f"{made}:before", {net.vpc}, "one"),
            (f"{made}:committed", {net.vpc, second}, "one"),
            ("disk#1:written", {net.vpc, second}, "two"),
        ):
            for _again in range(2):
                cloud.restore(name)
                assert cloud.ids() == vpcs
                ec2.create_vpc(CidrBlock="10.62.0.0/16")
            assert (cloud.folder / name / "disk" / "state.json").read_text() == text
        assert eks.list_clusters()["clusters"] == []


@row("control-snapshot-handshakes")
def control_snapshot_handshakes(_: Cloud) -> None:
    """One in twelve copies never answered again when a fork did not wait for the handshakes under way."""
    with tempfile.TemporaryDirectory() as folder, Restorable(Path(folder)) as cloud:
        api, names, done = Kubernetes(cloud), [f"{number}" for number in range(60)], threading.Event()
        host, port = api.endpoint.removeprefix("https://").split(":")

        def shake_hands() -> None:
            while not done.is_set():
                with socket.create_connection((host, int(port)), 60) as plain:
                    api.context.wrap_socket(plain, server_hostname=host).close()

        clients = [threading.Thread(target=shake_hands) for _ in range(4)]
        for client in clients:
            client.start()
        for name in names:
            cloud.control("POST", "snapshot", cloud.paths(name))
        done.set()
        for client in clients:
            client.join()
        for name in names:
            cloud.restore(name)
            assert urllib.request.urlopen(f"{api.endpoint}/readyz", context=api.context, timeout=30).read() == b"ok"


@row("control-kill")
def control_kill(_: Cloud) -> None:
    for when, there, answered in (("before", 0, False), ("committed", 1, False), ("waiting", 1, True)):
        with tempfile.TemporaryDirectory() as folder, Restorable(Path(folder)) as cloud:
            command = [sys.executable, "-c", CLIENT, cloud.endpoint, str(cloud.disk)]
            with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as client:
                order = {"pid": client.pid, "signals": [9], "operation": "*", "nth": 1, "when": when}
                cloud.control("POST", "kill", order | {"disk": str(cloud.disk)})
                assert client.stdin is not None
                client.stdin.write("go\n")
                client.stdin.flush()
                assert client.wait(60) == -9
            assert cloud.control("POST", "end-moments", {}) == {"killed": True}
            assert len(cloud.ids()) == there, when
            assert (cloud.disk / "answered.json").exists() == answered, when
