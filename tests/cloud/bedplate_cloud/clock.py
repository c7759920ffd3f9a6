"""The cloud's clock and its timers.

Nothing sleeps: a pending state is a timer, and `run_due` applies the timers that are due before each request is
answered. The clock can be moved forward by the control API, so a test need not wait for an hour to pass. It can be made to
stand still in between, so that what a test sees never depends on how fast the machine is.
"""

import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime

_offset = 0.0
_stopped_at: float | None = None
_timers: list[tuple[float, int, Callable[[], None]]] = []
_sequence = itertools.count()


def now() -> float:
    """Seconds since the epoch, as this cloud sees them."""
    return (time.time() if _stopped_at is None else _stopped_at) + _offset


def stop() -> None:
    """Stand still from now on, except when moved forward."""
    global _stopped_at
    _stopped_at = time.time()


def timestamp() -> datetime:
    """The current time to the millisecond, which is what AWS reports."""
    return datetime.fromtimestamp(round(now(), 3), UTC)


def advance(seconds: float) -> None:
    """Move the clock forward."""
    global _offset
    _offset += seconds


def later(seconds: float, action: Callable[[], None]) -> None:
    """Run the action before the first request that arrives after so many seconds."""
    heapq.heappush(_timers, (now() + seconds, next(_sequence), action))


def run_due() -> None:
    """Apply every timer that is due, in order of time; an action may start further timers."""
    while _timers and _timers[0][0] <= now():
        heapq.heappop(_timers)[2]()


def reset() -> None:
    """Forget all timers and all that the clock was moved forward."""
    global _offset
    _offset = 0.0
    _timers.clear()
