"""Faults at random, drawn from a seed: throttling, server errors, cut connections, late answers."""

import random
from collections import Counter
from dataclasses import dataclass

from . import calls, switches, throttling
from .errors import AwsError
from .registry import on_reset

_drawn: Counter[str] = Counter()


@on_reset
def forget() -> None:
    """Draw from the beginning."""
    _drawn.clear()


@dataclass
class Fate:
    """What happens to one call: an error or a cut before it, or a cut or a delay after it."""

    error: AwsError | None = None
    cut_before: bool = False
    cut_after: bool = False
    delay: float = 0.0


def draw(name: str) -> Fate:
    """Decide about a call.

    It depends on the seed, the operation and how often the operation was called, not on what other calls come
    between: callers that call in parallel meet the same faults again.
    """
    now, service = switches.current, name.partition(":")[0]
    if not now.fault_rate or not _concerns(name, now.fault_operations):
        return Fate()
    _drawn[name] += 1
    dice = random.Random(f"{now.seed}:{name}:{_drawn[name]}")
    if dice.random() >= now.fault_rate:
        return Fate()
    match dice.choice(now.fault_kinds):
        case "throttling":
            return Fate(error=throttling.refusal(service))
        case "500":
            return Fate(error=_failure(service, 500))
        case "503":
            return Fate(error=_failure(service, 503))
        case "cut-before":
            return Fate(cut_before=True)
        case "cut-after":
            return Fate(cut_after=True)
        case _:
            return Fate(delay=now.fault_delay)


def _concerns(name: str, operations: tuple[str, ...]) -> bool:
    return not operations or name in operations or ("mutating" in operations and calls.is_mutating(name))


def _failure(service: str, status: int) -> AwsError:
    if status == 503:
        code = {"ec2": "Unavailable", "s3": "ServiceUnavailable"}.get(service, "ServiceUnavailable")
        return AwsError(code, "The service is unavailable. Please try again shortly.", 503)
    code = {"ec2": "InternalError", "s3": "InternalError", "eks": "ServerException", "kms": "KMSInternalException"}
    return AwsError(code.get(service, "InternalFailure"), "We encountered an internal error. Please try again.", 500)
