"""Which function answers which operation.

A handler takes a `Call` and returns the result as a dictionary in the shape of the service model. It may ask moto
with `call.forward()` and change what comes back. An operation without a handler goes to moto untouched.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gateway import Call

Handler = Callable[["Call"], dict[str, Any]]
Check = Callable[["Call"], None]

HANDLERS: dict[str, Handler] = {}
CHECKS: dict[str, list[Check]] = {}
AFTERS: dict[str, list[Check]] = {}
RESETS: list[Callable[[], None]] = []


def handles(*operations: str) -> Callable[[Handler], Handler]:
    """Answer these operations, named like `ec2:CreateVpc`."""

    def register(function: Handler) -> Handler:
        for operation in operations:
            assert operation not in HANDLERS, f"{operation} has two handlers"
            HANDLERS[operation] = function
        return function

    return register


def checks(*operations: str) -> Callable[[Check], Check]:
    """Run before these operations; the function raises an `AwsError` to refuse the call."""

    def register(function: Check) -> Check:
        for operation in operations:
            CHECKS.setdefault(operation, []).append(function)
        return function

    return register


def after(*operations: str) -> Callable[[Check], Check]:
    """Run after these operations, if they succeeded; `*` stands for every one that changes something."""

    def register(function: Check) -> Check:
        for operation in operations:
            AFTERS.setdefault(operation, []).append(function)
        return function

    return register


def on_reset(function: Callable[[], None]) -> Callable[[], None]:
    """Run when the whole cloud is emptied."""
    RESETS.append(function)
    return function
