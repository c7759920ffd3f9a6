"""What the tests ask of a cloud, with boto3: a second client, so that no mistake of ours hides another one.

    python aws.py ENDPOINT ACCESS_KEY

One request a line on standard input, one answer a line on standard output, both JSON:

    {"service": "ec2", "operation": "describe_vpcs", "arguments": {"VpcIds": ["vpc-1"]}}
    {"service": "ec2", "region": "eu-west-1", "operation": "describe_vpcs"}
    {"method": "GET", "path": "/_cloud/calls"}

The answer is {"result": ...}, with all pages of a list in one, or {"error": {"code": ..., "message": ...}}.
"""

import functools
import json
import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ENDPOINT, ACCESS_KEY = sys.argv[1:]


@functools.cache
def client(service, region):
    # A retry would hide a failure and count as a call.
    config = Config(retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": "test"}
    return boto3.client(service, region_name=region, endpoint_url=ENDPOINT, config=config, **keys)


def call(service, region, operation, arguments):
    caller = client(service, region)
    if caller.can_paginate(operation):
        result = caller.get_paginator(operation).paginate(**arguments).build_full_result()
    else:
        result = getattr(caller, operation)(**arguments)
    result.pop("ResponseMetadata", None)
    return result


def control(method, path, body):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(ENDPOINT + path, data=data, method=method)
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def answer(request):
    try:
        if "path" in request:
            return {"result": control(request["method"], request["path"], request.get("body"))}
        region = request.get("region", "us-east-1")
        return {"result": call(request["service"], region, request["operation"], request.get("arguments", {}))}
    except ClientError as error:
        return {"error": {"code": error.response["Error"]["Code"], "message": str(error)}}
    except (BotoCoreError, urllib.error.URLError, TypeError, AttributeError) as error:
        return {"error": {"code": type(error).__name__, "message": str(error)}}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line)), default=str), flush=True)
