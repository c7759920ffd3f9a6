"""The moments of a call, for who proves what becomes of a client that is killed at one of them.

`before` a call has arrived, when it is `committed` and not answered, when it is `answered`; `waiting` is before a call that
only reads, and `written` is after the client wrote to its disk. At each the client can be killed, or a snapshot taken that
is exactly what a kill at that instant leaves: what the cloud has and what the disk has. Calls that are under way then
are lost with their connections, as they are for a dead client.
"""

import os
import signal
import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import calls, snapshots

# Of each operation that only reads, so many calls are moments: a run that waits looks again and again.
READS = 2
# How often the disk is looked at, in seconds.
PAUSE = 0.001
# How long a process has to take note of a signal before the next one, in seconds.
GAP = 0.1


@dataclass
class Recording:
    """Take a snapshot at the moments that are chosen, into folders that are named after them."""

    folder: Path
    disk: Path
    # These, by name; where none is named, those whose hash with the seed lies between `low` and `high` per mille.
    named: list[str] = field(default_factory=list)
    seed: int = 0
    low: int = 0
    high: int = 1000
    counts: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    worlds: set[str] = field(default_factory=set)
    # How many of those to keep were left out, by when, because a kill there leaves what one at an earlier moment leaves.
    same: Counter[str] = field(default_factory=Counter)

    def reached(self, operation: str, nth: int, when: str) -> bool:
        """Take one, unless the cloud and the disk are as they were at an earlier one."""
        name = f"{operation}#{nth}:{when}"
        if when == "answered":
            return False
        if when == "committed":
            # When it is answered, the cloud is the same; if the disk is not any more, the client was faster, and that is
            # `written`. It is counted here, because nobody waits for the thread that has sent an answer.
            self.same["answered"] += self.chosen(f"{operation}#{nth}:answered")
        world = f"{self.changes} {snapshots.digest(self.disk)}"
        known = world in self.worlds
        self.worlds.add(world)
        if self.chosen(name):
            if known and not self.named:
                self.same[when] += 1
            else:
                snapshots.take(self.folder / name, self.disk)
        return False

    def chosen(self, name: str) -> bool:
        """Whether a moment is one of those to keep."""
        if self.named:
            return name in self.named
        return self.low <= zlib.crc32(f"{self.seed} {name}".encode()) % 1000 < self.high


@dataclass
class Kill:
    """Kill a process at one moment. The operation `*` is any that changes something."""

    pid: int
    signals: list[int]
    operation: str
    nth: int
    when: str
    disk: Path
    counts: Counter[str] = field(default_factory=Counter)
    changes: int = 0
    done: bool = False

    def reached(self, operation: str, nth: int, when: str) -> bool:
        """Kill it, if this is the moment."""
        if self.done or when != self.when:
            return False
        if self.operation == "*":
            self.counts["*"] += 1
            nth = self.counts["*"]
        if nth != self.nth or self.operation not in ("*", operation):
            return False
        if not _runs(self.pid):
            return False
        for index, number in enumerate(self.signals):
            # Two that come at the same time are one.
            time.sleep(GAP * min(index, 1))
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                break
        # The first of these ends nothing at once.
        gentle = self.signals in ([signal.SIGHUP], [signal.SIGINT], [signal.SIGTERM])
        self.done = gentle or _until_dead(self.pid)
        return True


class Killed(Exception):
    """The client was killed before its call arrived."""


_watcher: Recording | Kill | None = None


def begin(watcher: Recording | Kill) -> None:
    """From now on moments count."""
    global _watcher
    _watcher = watcher
    # What the disk is like before anything happens is not for a thread to see, which may be late.
    threading.Thread(target=_watch_disk, args=(watcher, _stamps(watcher.disk)), daemon=True).start()


def end() -> dict[str, Any]:
    """They count no longer. Tells whether a kill was carried out, or how many moments were the same as others."""
    global _watcher
    watcher, _watcher = _watcher, None
    return {"same": watcher.same} if isinstance(watcher, Recording) else {"killed": bool(watcher and watcher.done)}


snapshots.woken.append(end)


def before(operation: str) -> int:
    """A call has not arrived yet. Returns which one of its operation it is."""
    watcher = _watcher
    if watcher is None:
        return 0
    changing = calls.is_mutating(operation)
    if not changing and not watcher.changes:
        return 0  # It still looks at what there is.
    watcher.counts[operation] += 1
    nth = watcher.counts[operation]
    if changing or nth <= READS:
        if watcher.reached(operation, nth, "before" if changing else "waiting"):
            raise Killed
    return nth


def committed(operation: str, nth: int) -> None:
    """It has happened and is not answered yet."""
    watcher = _watcher
    if watcher is not None and nth and calls.is_mutating(operation):
        watcher.changes += 1
        watcher.reached(operation, nth, "committed")


def answered(operation: str, nth: int) -> None:
    """The answer is sent."""
    watcher = _watcher
    if watcher is not None and nth and calls.is_mutating(operation):
        watcher.reached(operation, nth, "answered")


def _watch_disk(watcher: Recording | Kill, last: list[tuple[str, int, int]]) -> None:
    """See every change of the client's disk."""
    nth = 0
    while _watcher is watcher:
        time.sleep(PAUSE)
        stamps = _stamps(watcher.disk)
        if stamps != last:
            last, nth = stamps, nth + 1
            with snapshots.cloud.lock:
                watcher.reached("disk", nth, "written")


def _stamps(disk: Path) -> list[tuple[str, int, int]]:
    found = []
    for entry in os.scandir(disk) if disk.is_dir() else ():
        try:
            status = entry.stat()
        except FileNotFoundError:
            continue
        # What is being written, and the lock, say nothing of the platform yet.
        if entry.name.endswith((".json", ".backup")):
            found.append((entry.name, status.st_ino, status.st_mtime_ns))
    return sorted(found)


def _until_dead(pid: int) -> bool:
    """Wait until a killed process runs no more, so that nothing of it comes after the moment."""
    for _ in range(2000):
        if not _runs(pid):
            return True
        time.sleep(PAUSE)
    return False


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # before it is opened, or between that and the read
        return False
