"""DynamoDB tables: pending states, one change at a time, what moto forgets on update."""

from typing import Any

from moto.dynamodb.models import dynamodb_backends

from . import clock, references, settings
from .errors import AwsError
from .gateway import Call
from .registry import checks, handles


def _tables(call: Call) -> Any:
    return dynamodb_backends[settings.ACCOUNT][call.region].tables


def _name(call: Call) -> str:
    return call.params["TableName"].rpartition("/")[2]


def _table(call: Call) -> Any:
    return _tables(call).get(_name(call))


def _turn(table: Any, state: str, duration: str, then: str, apply: Any = None) -> None:
    table.state, table.turn = state, getattr(table, "turn", 0) + 1
    turn = table.turn

    def finish() -> None:
        if table.turn == turn:
            table.state = then
            if apply:
                apply()

    clock.later(settings.durations[duration], finish)


def _state(table: Any) -> str:
    return getattr(table, "state", "ACTIVE")


def _idle(call: Call) -> Any:
    """A table that is ACTIVE, if it exists."""
    table = _table(call)
    if table is not None and _state(table) != "ACTIVE":
        what = {"CREATING": "created", "UPDATING": "updated", "DELETING": "deleted"}[_state(table)]
        words = f"Attempt to change a resource which is still in use: Table is being {what}: {_name(call)}"
        raise AwsError("ResourceInUseException", words)
    return table


def _described(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    table = _tables(call).get(row["TableName"])
    if table is None:
        return row
    row["TableStatus"] = _state(table)
    row["TableId"] = table.table_id = getattr(table, "table_id", None) or _uuid()
    row.setdefault("DeletionProtectionEnabled", False)
    row["DeletionProtectionEnabled"] = bool(row["DeletionProtectionEnabled"])
    if getattr(table, "table_class", None):
        row["TableClassSummary"] = {"TableClass": table.table_class}
    if table.billing_mode == "PROVISIONED" and not getattr(table, "was_on_demand", False):
        # A table that never was on demand says nothing of its mode.
        row.pop("BillingModeSummary", None)
    if table.billing_mode == "PAY_PER_REQUEST":
        row["ProvisionedThroughput"] = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    row["ProvisionedThroughput"] = {"NumberOfDecreasesToday": 0} | (row.get("ProvisionedThroughput") or {})
    key = (row.get("SSEDescription") or {}).get("KMSMasterKeyArn")
    if key:
        row["SSEDescription"]["KMSMasterKeyArn"] = references.key_arn(call.region, key, "ValidationException")
    for empty in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        if not row.get(empty):
            row.pop(empty, None)
    return row


def _uuid() -> str:
    import uuid

    return str(uuid.uuid4())


@handles("dynamodb:CreateTable")
def create(call: Call) -> dict[str, Any]:
    """Start a table."""
    existing = _table(call)
    if existing is not None:
        raise AwsError("ResourceInUseException", f"Table already exists: {_name(call)}")
    _check_key(call)
    answer = call.forward()
    table = _table(call)
    table.table_class = call.params.get("TableClass")
    table.was_on_demand = call.params.get("BillingMode") == "PAY_PER_REQUEST"
    _turn(table, "CREATING", "table.create", "ACTIVE")
    return answer | {"TableDescription": _described(call, answer["TableDescription"])}


def _check_key(call: Call) -> None:
    wanted = (call.params.get("SSESpecification") or {}).get("KMSMasterKeyId")
    if wanted:
        references.key_arn(call.region, wanted, "ValidationException")


@handles("dynamodb:DescribeTable")
def describe(call: Call) -> dict[str, Any]:
    """Show a table."""
    answer = call.forward()
    return answer | {"Table": _described(call, answer["Table"])}


CHANGES = (
    "AttributeDefinitions",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexUpdates",
    "StreamSpecification",
    "SSESpecification",
    "ReplicaUpdates",
    "TableClass",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "WarmThroughput",
)


@handles("dynamodb:UpdateTable")
def update(call: Call) -> dict[str, Any]:
    """Change a table. Deletion protection is changed at once, everything else takes its time."""
    table, params = _idle(call), call.params
    if table is None:
        return call.forward()
    given = [key for key in CHANGES if params.get(key) is not None]
    if not given:
        raise AwsError(
            "ValidationException",
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
        )
    _check_throughput(table, params)
    _check_stream(table, params)
    _check_key(call)
    if params.get("StreamSpecification", {}).get("StreamEnabled"):
        # Moto takes the label of a stream that ended for one that runs.
        table.latest_stream_label = None
    answer = call.forward()
    table.was_on_demand = getattr(table, "was_on_demand", False) or table.billing_mode == "PAY_PER_REQUEST"
    if params.get("TableClass"):
        table.table_class = params["TableClass"]
    wanted = params.get("SSESpecification")
    if wanted:
        _encrypt(table, wanted)
    if given != ["DeletionProtectionEnabled"]:
        _turn(table, "UPDATING", "table.update", "ACTIVE")
    row = table.describe()["TableDescription"]
    return answer | {"TableDescription": _described(call, row | answer["TableDescription"] | _encryption(row))}


def _encryption(row: dict[str, Any]) -> dict[str, Any]:
    return {"SSEDescription": dict(row["SSEDescription"])} if row.get("SSEDescription") else {}


def _encrypt(table: Any, wanted: dict[str, Any]) -> None:
    old = table.sse_specification or {}
    table.sse_specification = {**wanted, "Enabled": wanted.get("Enabled", True)}
    if table.sse_specification["Enabled"] and not wanted.get("KMSMasterKeyId"):
        table.sse_specification["KMSMasterKeyId"] = old.get("KMSMasterKeyId") or "alias/aws/dynamodb"


def _check_throughput(table: Any, params: dict[str, Any]) -> None:
    wanted, mode = params.get("ProvisionedThroughput"), params.get("BillingMode") or table.billing_mode
    if wanted and mode == "PAY_PER_REQUEST":
        words = "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        raise AwsError("ValidationException", words)
    same = wanted and all(
        wanted.get(key) == table.throughput.get(key) for key in ("ReadCapacityUnits", "WriteCapacityUnits")
    )
    if same and not params.get("BillingMode") and not params.get("GlobalSecondaryIndexUpdates"):
        words = (
            "The provisioned throughput for the table will not change. The requested value equals the current value. Current "
            f"ReadCapacityUnits provisioned for the table: {wanted['ReadCapacityUnits']}. Requested ReadCapacityUnits: "
            f"{wanted['ReadCapacityUnits']}. Current WriteCapacityUnits provisioned for the table: {wanted['WriteCapacityUnits']}. "
            f"Requested WriteCapacityUnits: {wanted['WriteCapacityUnits']}. Refer to the Amazon DynamoDB Developer Guide for "
            "current limits and how to request higher limits."
        )
        raise AwsError("ValidationException", words)


def _check_stream(table: Any, params: dict[str, Any]) -> None:
    wanted = params.get("StreamSpecification")
    if not wanted:
        return
    current = bool(table.stream_specification and table.stream_specification.get("StreamEnabled"))
    if current and wanted.get("StreamEnabled"):
        raise AwsError("ValidationException", f"Table already has an enabled stream: TableName={table.name}")
    if not current and not wanted.get("StreamEnabled"):
        raise AwsError("ValidationException", f"Table is already disabled for streams: TableName={table.name}")


@handles("dynamodb:DeleteTable")
def delete(call: Call) -> dict[str, Any]:
    """Start deleting a table that is not protected."""
    table = _idle(call)
    if table is None:
        return call.forward()
    if table.deletion_protection_enabled:
        words = "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."
        raise AwsError("ValidationException", words)
    tables, name = dynamodb_backends[settings.ACCOUNT][call.region], _name(call)
    _turn(table, "DELETING", "table.delete", "DELETING", lambda: tables.delete_table(name))
    return {"TableDescription": _described(call, table.describe()["TableDescription"])}


@checks("dynamodb:UpdateContinuousBackups")
def backups(call: Call) -> None:
    """A new table takes no backups yet."""
    table = _table(call)
    if table is not None and _state(table) == "CREATING":
        words = f"Backups are being enabled for the table: {_name(call)}. Please retry later"
        raise AwsError("ContinuousBackupsUnavailableException", words)


@handles("dynamodb:UpdateTimeToLive")
def time_to_live(call: Call) -> dict[str, Any]:
    """Turn expiry on or off, which takes up to an hour, and nothing else of it can be changed meanwhile."""
    table = _idle(call)
    if table is None:
        return call.forward()
    wanted, now = call.params["TimeToLiveSpecification"], table.ttl.get("TimeToLiveStatus", "DISABLED")
    if now in ("ENABLING", "DISABLING"):
        raise AwsError("ValidationException", "Time to live has been modified multiple times within a fixed interval")
    if bool(wanted["Enabled"]) == (now == "ENABLED"):
        raise AwsError("ValidationException", f"TimeToLive is already {now.lower()}")
    if not wanted["Enabled"] and wanted["AttributeName"] != table.ttl.get("AttributeName"):
        words = f"TimeToLive is active on a different AttributeName: current AttributeName is {table.ttl.get('AttributeName')}"
        raise AwsError("ValidationException", words)
    answer = call.forward()
    final = table.ttl["TimeToLiveStatus"]
    table.ttl["TimeToLiveStatus"] = "ENABLING" if wanted["Enabled"] else "DISABLING"
    clock.later(settings.durations["table.ttl"], lambda: table.ttl.update(TimeToLiveStatus=final))
    return answer


@handles("dynamodb:DescribeTimeToLive")
def describe_time_to_live(call: Call) -> dict[str, Any]:
    """The attribute is named only while expiry is on."""
    answer = call.forward()
    if answer["TimeToLiveDescription"].get("TimeToLiveStatus") == "DISABLED":
        answer["TimeToLiveDescription"].pop("AttributeName", None)
    return answer
