"""Cost and usage reports: their definitions. Nothing is delivered."""

import json
import re
from typing import Any

from moto.s3.models import s3_backends

from . import settings, store
from .errors import AwsError
from .gateway import Call
from .registry import handles
from .store import Document, Shelf, shown, tag_map

HOME = "us-east-1"
SERVICE = "billingreports.amazonaws.com"
NEEDED = ("s3:GetBucketAcl", "s3:GetBucketPolicy", "s3:PutObject")
LIMIT = 10
reports = Shelf("cur.report-definition", "_arn", ("ResourceNotFoundException", "Report {} does not exist."))


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _check(report: Document) -> None:
    if not re.fullmatch(r"[0-9A-Za-z!\-_.*'()]{1,256}", report["ReportName"]):
        raise _invalid("Report name has illegal characters.")
    if (report["Format"] == "Parquet") != (report["Compression"] == "Parquet"):
        raise _invalid("Parquet is a format and a compression at once.")
    artifacts = report.get("AdditionalArtifacts") or []
    if "ATHENA" in artifacts:
        rest = report["Format"] != "Parquet" or report.get("ReportVersioning") != "OVERWRITE_REPORT"
        if rest or artifacts != ["ATHENA"]:
            raise _invalid("Athena needs Parquet, overwritten reports, and no other artifact.")
    if not settings.lenient:
        _check_bucket(report)


def _check_bucket(report: Document) -> None:
    name = report["S3Bucket"]
    refused = _invalid(
        f"Failed to verify customer bucket permission. accountId: {settings.ACCOUNT}, bucket name: {name}"
    )
    bucket = s3_backends[settings.ACCOUNT]["aws"].buckets.get(name)
    if bucket is None or bucket.region_name != report["S3Region"] or not bucket.policy:
        raise refused
    allowed: set[str] = set()
    for statement in json.loads(bucket.policy)["Statement"]:
        services = (statement.get("Principal") or {}) if isinstance(statement.get("Principal"), dict) else {}
        if statement["Effect"] == "Allow" and SERVICE in _list(services.get("Service")):
            allowed |= set(_list(statement["Action"]))
    if not set(NEEDED) <= allowed:
        raise refused


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _kept(report: Document) -> Document:
    kept = {key: value for key, value in report.items() if value is not None}
    kept.setdefault("RefreshClosedReports", False)
    kept.setdefault("ReportVersioning", "CREATE_NEW_REPORT")
    kept["_arn"] = f"arn:aws:cur:{HOME}:{settings.ACCOUNT}:definition/{report['ReportName']}"
    return kept


@handles("cur:PutReportDefinition")
def put(call: Call) -> Document:
    """A new report, whose bucket lets the delivery service in."""
    report = call.params["ReportDefinition"]
    if reports.find(HOME, report["ReportName"]):
        raise AwsError("DuplicateReportNameException", f"A report named {report['ReportName']} exists already.")
    if len(reports.all(HOME)) >= LIMIT:
        raise AwsError("ReportLimitReachedException", f"This account has {LIMIT} reports.")
    _check(report)
    reports.put(HOME, report["ReportName"], _kept(report), tag_map(call.params.get("Tags")))
    return {}


@handles("cur:ModifyReportDefinition")
def modify(call: Call) -> Document:
    """Another definition under the same name; some parts stay as they were made."""
    name, report = call.params["ReportName"], call.params["ReportDefinition"]
    before = reports.find(HOME, name)
    if before is None:
        raise _invalid(f"No report named {name} exists.")
    for part in ("ReportName", "TimeUnit", "AdditionalSchemaElements", "ReportVersioning"):
        if report.get(part) != before.get(part):
            raise _invalid(f"{part} cannot be changed.")
    _check(report)
    reports.put(HOME, name, _kept(report), before["_tags"])
    return {}


@handles("cur:DescribeReportDefinitions")
def describe(call: Call) -> Document:
    """Five reports a page."""
    rows = [shown(one) for one in reports.all(HOME)]
    start, size = int(call.params.get("NextToken") or 0), min(call.params.get("MaxResults") or 5, 5)
    if settings.page_size:
        size = min(size, settings.page_size)
    more = str(start + size) if start + size < len(rows) else None
    return {"ReportDefinitions": rows[start : start + size], "NextToken": more}


@handles("cur:DeleteReportDefinition")
def delete(call: Call) -> Document:
    """End the deliveries of a report, whether there is one or not."""
    reports.drop(HOME, call.params.get("ReportName") or "")
    return {"ResponseMessage": "Report Definition deleted"}


@handles("cur:ListTagsForResource", "cur:TagResource", "cur:UntagResource")
def tags(call: Call) -> Document:
    """Read or change the tags of a report, which is named and not given by its ARN."""
    doc = reports.get(HOME, call.params["ReportName"])
    doc["_tags"] |= tag_map(call.params.get("Tags"))
    for key in call.params.get("TagKeys") or []:
        doc["_tags"].pop(key, None)
    return {"Tags": store.tag_list(doc)} if call.target.operation == "ListTagsForResource" else {}
