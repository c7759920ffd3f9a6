"""Says which commands of the AWS CLI name what AWS does not have, by botocore's models: nothing when all is well.

    python aws_cli.py COMMANDS

COMMANDS is a JSON list of [page, words]. What the AWS CLI has beside the operations (`aws s3`, `aws configure`) is only known by name.
"""

import json
import sys

import botocore.session
from botocore import xform_name

BESIDE = {"s3": {"mb", "cp", "ls", "rm", "sync"}, "configure": None, "sso": {"login"}, "login": None, "eks": {"update-kubeconfig"}}
GLOBAL = {"region", "profile", "output", "query", "endpoint-url", "no-cli-pager"}
SERVICES = {"s3api": "s3"}

session = botocore.session.Session()
services = set(session.get_available_services())


def fault(words):
    service, operation, *rest = words[1:] + [""]
    known = BESIDE.get(service, ())
    if known is None or operation in known or not operation:
        return None if known is None or operation or service in services else f"no service {service}"
    name = SERVICES.get(service, service)
    if name not in services:
        return f"no service {service}"
    model = session.get_service_model(name)
    operations = {xform_name(it, "-"): it for it in model.operation_names}
    if operation not in operations:
        return f"{service} has no {operation}"
    shape = model.operation_model(operations[operation]).input_shape
    options = {xform_name(it, "-") for it in shape.members} if shape else set()
    for word in rest:
        option = word.removeprefix("--").split("=")[0]
        switch = option.removeprefix("no-")
        if word.startswith("--") and option not in options | GLOBAL and switch not in options:
            return f"{service} {operation} has no --{option}"


for page, words in json.loads(sys.argv[1]):
    if wrong := fault(words):
        print(f"{page}: {wrong}: {' '.join(words)}")
