"""Requests and responses on the wire: which operation is called, with which parameters, and how answers are written.

Parsing and serializing is moto's and botocore's own, driven by the service models, so every field of a model works.
"""

import io
import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode
from xml.sax.saxutils import escape

import botocore.parsers
import botocore.serialize
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

from . import registry
from .errors import AwsError

# Signing names that differ from botocore's name for the service.
SERVICE_BY_SIGNING_NAME = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi", "email": "ses", "servicequotas": "service-quotas"}
# Services whose parameters this cloud always looks into; of others (S3 objects) only where an operation is answered or
# checked here.
PARSED = {"ec2", "eks", "iam", "kms", "logs", "sts", "cloudwatch"}

# Root elements of S3's answers as its API Reference has them, where moto writes others. Some SDKs check them.
S3_ROOTS = {
    "GetBucketAccelerateConfiguration": b"AccelerateConfiguration",
    "GetBucketNotificationConfiguration": b"NotificationConfiguration",
    "GetBucketRequestPayment": b"RequestPaymentConfiguration",
    "GetBucketVersioning": b"VersioningConfiguration",
    "ListBucketIntelligentTieringConfigurations": b"ListBucketIntelligentTieringConfigurationsOutput",
}
_ROOT = re.compile(rb"<(\w+)")

_SCOPE = re.compile(r"Credential=([^/,]*)/\d+/([^/]+)/([^/]+)/aws4_request")


@dataclass
class Response:
    """An HTTP answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    # How the connection treats the answer: it is cut off instead of answering, or it answers late by so many seconds.
    cut: bool = False
    delay: float = 0.0


@dataclass
class Target:
    """What a request calls."""

    service: str
    operation: str
    region: str
    params: dict[str, Any]
    protocol: str
    model: Any = None

    @property
    def name(self) -> str:
        """The name used in counts, faults and handlers, e.g. `ec2:CreateVpc`."""
        return f"{self.service}:{self.operation}"


def read_body(environ: dict[str, Any]) -> bytes:
    """Read the request's body and put it back, because moto reads it again."""
    # What comes in chunks ends by itself.
    length = -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    set_body(environ, body)
    return body


def set_body(environ: dict[str, Any], body: bytes) -> None:
    """Replace the request's body."""
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ.pop("wsgi.input_terminated", None)


def identify(environ: dict[str, Any], body: bytes) -> Target:
    """Find service, region, operation and parameters of a request."""
    signing_name, region = signing_scope(environ)
    service = SERVICE_BY_SIGNING_NAME.get(signing_name, signing_name)
    if service == "elasticloadbalancing":
        service = "elbv2" if b"Version=2015-12-01" in body else "elb"
    from . import cloudwatch

    try:
        found = cloudwatch.identify(environ.get("PATH_INFO", ""), region, body)
        return found or route(service, region, environ, body)
    except Exception:
        # Services moto does not model are still counted, under the best name the request gives away.
        return Target(service, guess_operation(environ, body), region, {}, "unknown")


def signing_scope(environ: dict[str, Any]) -> tuple[str, str]:
    """The service and region a request is signed for; any credentials will do."""
    text = environ.get("HTTP_AUTHORIZATION", "")
    found = _SCOPE.search(text) or _SCOPE.search(environ.get("QUERY_STRING", ""))
    return (found[3].lower(), found[2]) if found else ("s3", "us-east-1")


def route(service: str, region: str, environ: dict[str, Any], body: bytes) -> Target:
    """Match the request against the service's model and parse its parameters."""
    from . import lag, pagination

    model = get_service_model(service)
    request = Request(dict(environ, **{"wsgi.input": io.BytesIO(body)}))
    operation, url_params = get_service_router(service).match(request)
    protocol = determine_request_protocol(model, request.content_type)
    params: dict[str, Any] = {}
    name = f"{service}:{operation.name}"
    looked_into = name in registry.HANDLERS or name in registry.CHECKS or name in registry.AFTERS
    if service in PARSED or looked_into or pagination.pages(service, name) or lag.concerns(name):
        parser = PROTOCOL_PARSERS[protocol](operation)
        params = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": body,
                "url_path": request.path,
                "url_params": url_params,
            }
        )
    return Target(service, operation.name, region, params, protocol, operation)


def guess_operation(environ: dict[str, Any], body: bytes) -> str:
    """Name the operation of a request no model describes."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return target.split(".")[-1]
    action = parse_qs(body[:4096].decode("utf-8", "replace")).get("Action")
    return action[0] if action else f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"


def serialize(target: Target, result: dict[str, Any]) -> Response:
    """Write a result in the protocol the request came in."""
    if target.protocol == "smithy-rpc-v2-cbor":
        from . import cloudwatch

        return cloudwatch.serialize(target, result)
    serializer = get_serializer_class(target.service, target.protocol)(operation_model=target.model)
    written = serializer.serialize(result)
    body = written["body"]
    request_id = str(uuid.uuid4())
    if isinstance(body, str):
        body = re.sub(r"(?<=<RequestId>).*?(?=</RequestId>)|(?<=<requestId>).*?(?=</requestId>)", request_id, body)
        body = body.encode()
    headers = dict(written["headers"]) | {"x-amzn-RequestId": request_id}
    return Response(written["status_code"], headers, body)


def request_id(response: Response) -> str:
    """The id under which AWS's support finds the call. Every answer has one, also where moto gives none."""
    headers = Headers(response.headers)
    found = headers.get("x-amzn-requestid") or headers.get("x-amz-request-id")
    if not found:
        found = response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    return str(found)


def rooted(target: Target, response: Response) -> Response:
    """The answer under the root element that the service's documentation names."""
    root = S3_ROOTS.get(target.operation) if target.service == "s3" and response.status == 200 else None
    found = _ROOT.search(response.body) if root else None
    if found:
        response.body = re.sub(rb"(?<=<)%b\b|(?<=</)%b(?=>)" % (found[1], found[1]), root, response.body)
    return response


def parse_response(target: Target, response: Response) -> dict[str, Any]:
    """Read moto's answer back into a dictionary, with botocore's own parser."""
    parser = botocore.parsers.create_parser(moto_protocol(target))
    parsed = parser.parse(
        {"status_code": response.status, "headers": Headers(response.headers), "body": response.body},
        target.model.output_shape,
    )
    parsed.pop("ResponseMetadata", None)
    return parsed


def moto_protocol(target: Target) -> str:
    """The protocol in which moto is asked."""
    return "query" if target.protocol == "smithy-rpc-v2-cbor" else target.protocol


def apply_params(environ: dict[str, Any], target: Target, params: dict[str, Any]) -> dict[str, Any]:
    """The same request with other parameters."""
    protocol = moto_protocol(target)
    serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
    request = serializer.serialize_to_request(params, target.model)
    changed = dict(environ)
    body = request["body"]
    if isinstance(body, dict):
        body = urlencode(body).encode()
    set_body(changed, body if isinstance(body, bytes) else str(body).encode())
    query = request.get("query_string") or {}
    if protocol.startswith("rest") and isinstance(query, dict):
        changed["QUERY_STRING"] = urlencode(query, doseq=True)
    if protocol != target.protocol:
        changed |= {
            "PATH_INFO": "/",
            "RAW_URI": "/",
            "REQUEST_URI": "/",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
        }
    return changed


class Headers(dict):  # type: ignore[type-arg]
    """Header names without case, which botocore's parsers expect."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__({key.lower(): value for key, value in headers.items()})

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key.lower(), default)

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(key.lower())

    def __contains__(self, key: object) -> bool:
        return super().__contains__(str(key).lower())


def error_response(target: Target, error: AwsError) -> Response:
    """Write an error in the protocol the request came in."""
    if target.protocol == "smithy-rpc-v2-cbor":
        from . import cloudwatch

        return cloudwatch.error_response(target, error)
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-RequestId": request_id}
    if target.protocol in ("ec2", "query", "rest-xml"):
        headers["Content-Type"] = "text/xml"
        return Response(error.status, headers, _xml_error(target.protocol, error, request_id).encode())
    json_11 = target.protocol == "json" or target.protocol == "unknown"
    headers["Content-Type"] = "application/x-amz-json-1.1" if json_11 else "application/json"
    headers["x-amzn-ErrorType"] = error.code
    document = {"__type": error.code, "message": error.message, **error.members}
    return Response(error.status, headers, json.dumps(document).encode())


def _xml_error(protocol: str, error: AwsError, request_id: str) -> str:
    code, message = escape(error.code), escape(error.message)
    inner = f"<Code>{code}</Code><Message>{message}</Message>"
    if protocol == "ec2":
        return f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    if protocol == "rest-xml":
        return f"<Error>{inner}<RequestId>{request_id}</RequestId></Error>"
    side = "Sender" if error.status < 500 else "Receiver"
    error_element = f"<Error><Type>{side}</Type>{inner}</Error>"
    return f"<ErrorResponse>{error_element}<RequestId>{request_id}</RequestId></ErrorResponse>"
