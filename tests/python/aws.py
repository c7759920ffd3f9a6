"""What the tests ask of a cloud, with boto3: a second client, so that no mistake of ours hides another one.

    python aws.py ENDPOINT ACCESS_KEY

One request a line on standard input, one answer a line on standard output, both JSON:

    {"service": "ec2", "operation": "describe_vpcs", "arguments": {"VpcIds": ["vpc-1"]}}
    {"service": "ec2", "region": "eu-west-1", "operation": "describe_vpcs"}
    {"method": "GET", "path": "/_cloud/calls"}
    {"cluster": "c", "method": "GET", "path": "/api/v1/namespaces", "body": null, "content": "application/json"}

The last one asks a cluster's own API; its result is the HTTP status and the document. The answer is {"result": ...}, with all pages of a list in one, or {"error": {"code": ..., "message": ...}}.
"""

import base64
import functools
import json
import ssl
import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.signers import RequestSigner

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


def cluster(name):
    """Where a cluster answers, and the certificate it is checked with."""
    found = client("eks", "us-east-1").describe_cluster(name=name)["cluster"]
    authority = base64.b64decode(found["certificateAuthority"]["data"]).decode()
    return found["endpoint"], ssl.create_default_context(cadata=authority)


def token(name):
    """A token as `aws eks get-token` makes it."""
    session = boto3.Session(aws_access_key_id=ACCESS_KEY, aws_secret_access_key="test", region_name="us-east-1")
    service = session.client("sts").meta.service_model.service_id
    signer = RequestSigner(service, "us-east-1", "sts", "v4", session.get_credentials(), session.events)
    url = "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
    request = {"method": "GET", "url": url, "body": {}, "headers": {"x-k8s-aws-id": name}, "context": {}}
    signed = signer.generate_presigned_url(request, region_name="us-east-1", expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(signed.encode()).decode().rstrip("=")


def kubernetes(name, method, path, body, content):
    endpoint, context = cluster(name)
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token(name)}", "Content-Type": content}
    request = urllib.request.Request(endpoint + path, data=data, headers=headers, method=method)
    try:
        response = urllib.request.urlopen(request, context=context)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return {"status": response.status, "body": json.load(response)}


def answer(request):
    try:
        if "cluster" in request:
            arguments = (request[key] for key in ("cluster", "method", "path", "body", "content"))
            return {"result": kubernetes(*arguments)}
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
