"""Pages for every list operation the service models know a paginator for.

Moto returns most lists whole. Here the whole list is fetched, cut to the page asked for, and the rest is left behind
a token, as the operation's entry in the service's paginators model says.
"""

import base64
import json
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.utils import set_value_from_jmespath

from . import settings
from .errors import AwsError
from .registry import Handler
from .wire import Target

if TYPE_CHECKING:
    from .gateway import Call

# Page sizes of the services that page even when the caller asks for nothing. Where the documentation has a smaller
# page for one operation, it stands beside its name.
DEFAULT_SIZES = {
    "iam": 100,
    "kms": 100,
    "eks": 100,
    "logs": 50,
    "elasticache": 100,
    "rds": 100,
    "budgets": 100,
    "secretsmanager": 100,
    "sns": 100,
    "cloudwatch": 50,
    "cloudwatch:ListDashboards": 1000,
    "application-autoscaling": 50,
    "autoscaling": 50,
    "elb": 400,
    "elbv2": 400,
    "ce": 100,
    "dynamodb:ListTagsOfResource": 10,
    "service-quotas": 100,
    "pricing": 100,
    "savingsplans": 1000,
    "bcm-data-exports": 100,
}
SERVICES = {"ec2", "dynamodb"} | {name for name in DEFAULT_SIZES if ":" not in name}
INVALID_TOKEN = {
    "ec2": ("InvalidNextToken", "The token is not valid."),
    "iam": ("ValidationError", "Invalid Marker."),
    "kms": ("InvalidMarkerException", "The marker is not valid."),
    "eks": ("InvalidParameterException", "Invalid nextToken."),
    "elasticache": ("InvalidParameterValue", "Invalid Marker."),
    "rds": ("InvalidParameterValue", "Invalid Marker."),
    "budgets": ("InvalidNextTokenException", "The token is not valid."),
    "logs": ("InvalidParameterException", "The specified nextToken is invalid."),
    "secretsmanager": ("InvalidNextTokenException", "The NextToken value is invalid."),
    "sns": ("InvalidParameter", "Invalid parameter: NextToken"),
    "cloudwatch": ("InvalidNextToken", "The next token specified is invalid."),
    "application-autoscaling": ("InvalidNextTokenException", "The next token supplied is invalid."),
    "autoscaling": ("InvalidNextToken", "The NextToken value is not valid."),
    "elb": ("ValidationError", "The marker is not valid."),
    "elbv2": ("ValidationError", "The marker is not valid."),
    "ce": ("InvalidNextTokenException", "The pagination token is invalid."),
    "dynamodb": ("ValidationException", "The NextToken is not valid."),
    "service-quotas": ("InvalidPaginationTokenException", "Invalid input."),
    "pricing": ("InvalidNextTokenException", "The pagination token is invalid."),
    "savingsplans": ("ValidationException", "The token is not valid."),
    "bcm-data-exports": ("ValidationException", "The token is not valid."),
}
# Operations whose paginator has a token but no list worth cutting, and those that moto cuts itself.
SKIPPED = {
    "ec2:DescribeSpotFleetInstances",
    "ec2:DescribeSpotFleetRequestHistory",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListMetrics",
    "dynamodb:ListTables",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:ListBackups",
}


@cache
def _models(service: str) -> dict[str, Any]:
    loader = botocore.session.get_session().get_component("data_loader")
    return loader.load_service_model(service, "paginators-1")["pagination"]


def pages(service: str, name: str) -> dict[str, Any] | None:
    """The paginator of an operation whose answers are cut here."""
    if service not in SERVICES or name in SKIPPED:
        return None
    model = _models(service).get(name.partition(":")[2])
    if model is None or not isinstance(model["input_token"], str):
        return None
    return model


def _model(target: Target) -> dict[str, Any] | None:
    return pages(target.service, target.name)


def applies(target: Target) -> bool:
    """Whether this call's answer has to be cut into pages."""
    model = _model(target)
    if model is None:
        return False
    asked = model.get("limit_key") in target.params or model["input_token"] in target.params
    return asked or _default_size(target) is not None


def _default_size(target: Target) -> int | None:
    return DEFAULT_SIZES.get(target.name, DEFAULT_SIZES.get(target.service))


def paged(call: "Call", produce: Handler) -> dict[str, Any]:
    """Produce the whole answer and return the page the call asked for."""
    model = _model(call.target)
    if model is None:
        return produce(call)
    start, size = _position(call, model)
    call.params.pop(model["input_token"], None)
    call.params.pop(model.get("limit_key", ""), None)
    result = produce(call)
    if size is not None:
        _cut(result, model, start, size, call.target.name)
    return result


def _position(call: "Call", model: dict[str, Any]) -> tuple[int, int | None]:
    service = call.target.service
    token = call.params.get(model["input_token"])
    limit = call.params.get(model.get("limit_key", ""))
    if service == "ec2" and limit is not None:
        _check_limit(call, model, int(limit))
    start = _offset(token, call.target) if token else 0
    size = int(limit) if limit else _default_size(call.target)
    # The smaller page is always allowed: AWS may return fewer results than asked for.
    if settings.page_size and size:
        size = min(size, settings.page_size)
    if size is None and token:
        size = 1000
    return start, size


def _check_limit(call: "Call", model: dict[str, Any], limit: int) -> None:
    """Refuse what the documentation of the page size refuses: too small a page, or ids beside it."""
    shape = call.target.model.input_shape.members[model["limit_key"]]
    smallest = shape.metadata.get("min")
    if smallest and limit < smallest:
        message = f"Value ( {limit} ) for parameter maxResults is invalid. Expecting a value greater than or equal to {smallest}."
        raise AwsError("InvalidParameterValue", message)
    given = [key for key, value in call.params.items() if key.endswith("Ids") and value]
    if given and "You cannot specify this parameter and the" in shape.documentation:
        message = f"The parameter {given[0]} cannot be used with the parameter MaxResults"
        raise AwsError("InvalidParameterCombination", message)


def _offset(token: str, target: Target) -> int:
    try:
        document = json.loads(base64.urlsafe_b64decode(token.encode()))
        assert document["operation"] == target.name
        return int(document["offset"])
    except Exception:
        raise AwsError(*INVALID_TOKEN[target.service]) from None


def _cut(result: dict[str, Any], model: dict[str, Any], start: int, size: int, operation: str) -> None:
    keys = model["result_key"]
    keys = [keys] if isinstance(keys, str) else list(keys)
    more = False
    budget = size
    skip = start
    # Several lists (GetAccountAuthorizationDetails) are paged as if they were one after the other.
    for key in keys:
        rows = result.get(key) or []
        skipped = min(skip, len(rows))
        page = rows[skipped : skipped + budget]
        skip -= skipped
        budget -= len(page)
        more = more or skipped + len(page) < len(rows)
        result[key] = page
    outputs = model["output_token"]
    output = outputs if isinstance(outputs, str) else outputs[0]
    result.pop(output, None)
    if model.get("more_results"):
        result[model["more_results"]] = more
    if more:
        document = json.dumps({"operation": operation, "offset": start + size})
        set_value_from_jmespath(result, output, base64.urlsafe_b64encode(document.encode()).decode())
