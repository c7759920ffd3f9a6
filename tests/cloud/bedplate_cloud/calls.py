"""Counts of the calls received, the ids of their answers, and the faults a test asked for."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from .errors import AwsError

_READS = ("Describe", "List", "Get", "Head", "BatchGet", "Simulate", "Lookup")

_counts: Counter[str] = Counter()
_regions: dict[str, Counter[str]] = {}
_request_ids: dict[str, list[str]] = {}
_faults: list["Fault"] = []


@dataclass
class Fault:
    """One failure to come: the nth next call of the operation fails, or this one and all after it."""

    operation: str
    nth: int
    error: AwsError
    # An error `after` the call lets the operation happen and loses its answer, like a broken connection.
    when: str
    stays: bool


def record(name: str, region: str | None = None) -> None:
    """Count one call, and the region it was signed for."""
    _counts[name] += 1
    if region:
        _regions.setdefault(name.partition(":")[0], Counter())[region] += 1


def answered(name: str, request_id: str | None) -> None:
    """Keep under which id a call was answered that may have changed something."""
    if request_id and is_mutating(name):
        _request_ids.setdefault(name, []).append(request_id)


def is_mutating(name: str) -> bool:
    """Whether an operation changes anything, judged by its name."""
    return not name.partition(":")[2].startswith(_READS)


def summary() -> dict[str, Any]:
    """The counts since the last reset."""
    mutating = sum(n for name, n in _counts.items() if is_mutating(name))
    regions = {service: dict(sorted(counts.items())) for service, counts in sorted(_regions.items())}
    by_operation = dict(sorted(_counts.items()))
    ids = {name: list(ids) for name, ids in sorted(_request_ids.items())}
    return {
        "total": _counts.total(),
        "mutating": mutating,
        "by_operation": by_operation,
        "regions": regions,
        "request_ids": ids,
    }


def reset_calls() -> None:
    """Start counting again."""
    _counts.clear()
    _regions.clear()
    _request_ids.clear()


def reset_faults() -> None:
    """Forget the failures that have not happened yet."""
    _faults.clear()


def add_fault(document: dict[str, Any]) -> None:
    """Plan a failure from the control API's document."""
    error = document.get("error", {})
    status = int(error.get("status", 400))
    _faults.append(
        Fault(
            operation=document["operation"],
            nth=int(document.get("nth", 1)),
            error=AwsError(error.get("code", "InternalError"), error.get("message", "A planned fault."), status),
            when=document.get("when", "before"),
            stays=bool(document.get("stays", False)),
        )
    )


def take_fault(name: str) -> Fault | None:
    """Count this call against the planned failures; the one that comes due is returned, and used up unless it stays."""
    due = None
    for fault in _faults:
        if fault.operation == name:
            fault.nth -= 1
            if fault.nth <= 0 and due is None:
                due = fault
    if due and not due.stays:
        _faults.remove(due)
    return due
