"""Parameter groups of RDS and ElastiCache: defaults, changed values, where a value comes from."""

import re
from dataclasses import dataclass
from typing import Any

from .errors import AwsError
from .store import Document

# Both ends may be below zero, and there may be no upper one: `-1-2147483647`, `0-`.
RANGE = re.compile(r"(-?\d+)-(-?\d+)?")


@dataclass(frozen=True)
class Known:
    """A parameter of a family. A static one takes effect at the next restart."""

    name: str
    default: str | None = None
    kind: str = "string"
    allowed: str | None = None
    static: bool = False
    modifiable: bool = True


def check(known: dict[str, Known], name: str, value: str) -> Known:
    """A parameter that may be set to this value."""
    one = known.get(name)
    if one is None:
        raise AwsError("InvalidParameterValue", f"Could not find parameter with name: {name}")
    if not one.modifiable:
        raise AwsError("InvalidParameterValue", f"The parameter {name} cannot be modified.")
    if not _allowed(one, value):
        words = f"Invalid parameter value: {value} for: {name} allowed values are: {one.allowed}"
        raise AwsError("InvalidParameterValue", words)
    return one


def _allowed(one: Known, value: str) -> bool:
    if one.kind == "integer" and not value.lstrip("-").isdigit():
        return "{" in value
    if one.allowed is None or one.kind == "list":
        return True
    for part in one.allowed.split(","):
        if part == value:
            return True
        limits = RANGE.fullmatch(part)
        if limits and re.fullmatch(r"-?\d+", value):
            low, high = int(limits[1]), limits[2]
            if low <= int(value) and (high is None or int(value) <= int(high)):
                return True
    return False


def rows(known: dict[str, Known], values: dict[str, Document], source: str | None, given: str) -> list[Document]:
    """The parameters with their values; `given` is the source of what nobody changed."""
    listed: list[Document] = []
    for one in known.values():
        changed = values.get(one.name)
        value = changed["ParameterValue"] if changed else one.default
        origin = "user" if changed else (given if value is not None else "engine-default")
        row: Document = {
            "ParameterName": one.name,
            "Description": f"The engine's {one.name}.",
            "Source": origin,
            "DataType": one.kind,
            "IsModifiable": one.modifiable,
        }
        if value is not None:
            row["ParameterValue"] = value
        if one.allowed:
            row["AllowedValues"] = one.allowed
        listed.append(row | ({"ApplyMethod": changed["ApplyMethod"]} if changed and "ApplyMethod" in changed else {}))
    return [row for row in listed if source in (None, "", row["Source"])]


def reset(values: dict[str, Document], params: dict[str, Any], key: str) -> None:
    """Take values back: all of them, or those that are named."""
    if params.get("ResetAllParameters"):
        if params.get(key):
            raise AwsError("InvalidParameterCombination", f"ResetAllParameters and {key} cannot both be given.")
        values.clear()
        return
    if not params.get(key):
        raise AwsError("InvalidParameterValue", "No parameters were given to reset.")
    for one in params[key]:
        values.pop(one["ParameterName"], None)
