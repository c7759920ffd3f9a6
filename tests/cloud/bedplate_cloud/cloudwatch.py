"""CloudWatch over Smithy's rpc-v2-cbor, the only protocol the Rust SDK speaks to it.

Moto knows CloudWatch's older query protocol. A call is translated into it, and moto's answer back into CBOR.
"""

import re
import uuid
from typing import Any

import botocore.parsers
from moto.core.utils import get_service_model

from . import cbor
from .errors import AwsError
from .wire import Headers, Response, Target

PROTOCOL = "smithy-rpc-v2-cbor"
PATH = re.compile(r"/service/GraniteServiceVersion20100801/operation/(\w+)/?$")


def identify(path: str, region: str, body: bytes) -> Target | None:
    """The call in a request, if it is one of CloudWatch's in this protocol."""
    found = PATH.search(path)
    if not found:
        return None
    model = get_service_model("cloudwatch").operation_model(found[1])
    params = cbor.decode(body) if body else {}
    return Target("cloudwatch", found[1], region, params, PROTOCOL, model)


def serialize(target: Target, result: dict[str, Any]) -> Response:
    """Write a result."""
    shape = target.model.output_shape
    return _response(200, _shaped(shape, result) if shape is not None else {})


def _response(status: int, document: Any) -> Response:
    headers = {
        "Content-Type": "application/cbor",
        "smithy-protocol": "rpc-v2-cbor",
        "x-amzn-RequestId": str(uuid.uuid4()),
    }
    return Response(status, headers, cbor.encode(document))


def _shaped(shape: Any, value: Any) -> Any:
    """The value with the types the model asks for: a whole number may have to be a double."""
    if shape.type_name == "structure":
        members = {key: member for key, member in shape.members.items() if value.get(key) is not None}
        return {key: _shaped(member, value[key]) for key, member in members.items()}
    if shape.type_name == "list":
        return [_shaped(shape.member, one) for one in value]
    if shape.type_name == "map":
        return {key: _shaped(shape.value, one) for key, one in value.items()}
    if shape.type_name in ("double", "float"):
        return float(value)
    return value


def error_response(target: Target, error: AwsError) -> Response:
    """Write an error under the name of its shape; the code of the query protocol goes into a header."""
    name = error.code
    for shape in target.model.error_shapes:
        if error.code in (shape.name, shape.metadata.get("error", {}).get("code")):
            name = shape.name
    document = {"__type": f"com.amazonaws.cloudwatch#{name}", "message": error.message, **error.members}
    response = _response(error.status, document)
    response.headers["x-amzn-query-error"] = f"{error.code};{'Sender' if error.status < 500 else 'Receiver'}"
    return response


def translated(response: Response) -> AwsError:
    """Moto's error, out of the query protocol."""
    parser = botocore.parsers.create_parser("query")
    raw = {"status_code": response.status, "headers": Headers(response.headers), "body": response.body}
    try:
        error = parser.parse(raw, None).get("Error", {})
    except botocore.parsers.ResponseParserError:
        error = {}
    return AwsError(error.get("Code", "InternalServiceFault"), error.get("Message", "moto failed"), response.status)
