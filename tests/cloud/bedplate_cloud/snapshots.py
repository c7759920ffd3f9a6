"""Snapshots: what the cloud and its client's disk hold at one instant, to go back to as often as one likes.

A snapshot is a fork of this process that sleeps. To restore it is to fork it once more; that process answers at the same
addresses, which are in what the client has recorded. So only one may answer at a time: `/_cloud/leave` ends the one
before it. All of them end when the standard input of the first one is closed.
"""

import gc
import hashlib
import os
import select
import shutil
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from . import clock

# The HTTP server and the application behind it, once there are any.
server: Any = None
cloud: Any = None
# The API servers of the clusters there are.
clusters: Callable[[], list[Any]] = list
# What a restored cloud does first.
woken: list[Callable[[], object]] = []


class Handshakes:
    """TLS handshakes, for whose ends a fork waits.

    A library takes locks of the whole process during one, and other Python code runs meanwhile. A lock that a thread holds
    when another one forks is held in the copy for ever: no handshake came to an end there.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.under_way = 0
        self.unwanted = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """One handshake. It does not begin while there shall be none."""
        with self.changed:
            self.changed.wait_for(lambda: self.unwanted == 0)
            self.under_way += 1
        try:
            yield
        finally:
            with self.changed:
                self.under_way -= 1
                self.changed.notify_all()

    @contextmanager
    def none(self) -> Iterator[None]:
        """Waits until there is none, and lets none begin: neither now, or it might wait for ever, nor then."""
        with self.changed:
            self.unwanted += 1
            try:
                self.changed.wait_for(lambda: self.under_way == 0)
                yield
            finally:
                self.unwanted -= 1
                self.changed.notify_all()


handshakes = Handshakes()


def take(folder: Path, disk: Path) -> bool:
    """Keep this instant in a folder: `disk` is copied into it, and a byte written to its `restore` restores it.

    False when the folder is there already: another thread was faster.
    """
    with ExitStack() as held:
        # Nothing else happens meanwhile, and no lock is held by a thread that the fork leaves behind.
        held.enter_context(cloud.lock)
        for one in clusters():
            held.enter_context(one.api.lock)
        held.enter_context(handshakes.none())
        if folder.exists():
            return False
        folder.mkdir(parents=True)
        copy_disk(disk, folder / "disk")
        os.mkfifo(folder / "restore")
        instant = clock.now()
        # The collector writes into every object it looks at, and what is written no longer shares its memory.
        gc.freeze()
        if os.fork() == 0:
            try:
                _sleep(folder / "restore", instant)
            finally:
                os._exit(1)
    return True


def copy(alive: Path) -> str:
    """Start another cloud with all that this one holds and has loaded, and tell its address.

    It ends, with its snapshots, when nobody writes to the pipe `alive` any more, which is made here. Only a cloud without
    clusters can be copied: their addresses are theirs.
    """
    global server
    with cloud.lock, handshakes.none():
        if clusters():
            raise ValueError("there are clusters")
        os.mkfifo(alive)
        gc.freeze()
        other = type(server)(server.host, 0, cloud, server.RequestHandlerClass)
        address = f"http://{other.host}:{other.server_port}"
        instant = clock.now()
        if os.fork() == 0:
            try:
                server.socket.close()
                server = other
                os.dup2(os.open(alive, os.O_RDONLY), 0)
                _hang_up()
                _wake(instant)
            finally:
                os._exit(1)
        other.socket.close()
    return address


def copy_disk(disk: Path, to: Path) -> None:
    """Copy the files of a folder, which come and go. What lies deeper are logs, which no run reads."""
    to.mkdir()
    for path in _files(disk):
        try:
            shutil.copyfile(path, to / path.name)
        except FileNotFoundError:
            pass


def _files(disk: Path) -> list[Path]:
    return [path for path in disk.iterdir() if not path.is_dir()] if disk.is_dir() else []


def digest(disk: Path) -> str:
    """A hash of the files of a folder."""
    total = hashlib.sha256()
    for path in sorted(_files(disk)):
        try:
            total.update(path.name.encode() + b"\0" + path.read_bytes())
        except FileNotFoundError:
            pass
    return total.hexdigest()


def _sleep(door: Path, instant: float) -> None:
    _hang_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Open for writing too, so that it does not end with the first who restores.
    restore = os.open(door, os.O_RDWR)
    while True:
        ready, _, _ = select.select([restore, 0], [], [])
        if 0 in ready:
            os._exit(0)
        os.read(restore, 1)
        if os.fork() == 0:
            os.close(restore)
            _wake(instant)
            os._exit(0)


def _hang_up() -> None:
    """Close the connections, which belong to the process that goes on; keep what listens."""
    listening = {server.fileno(), *(one.fileno() for one in clusters())}
    null = os.open(os.devnull, os.O_RDWR)
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        try:
            connection = number > 2 and number not in listening and stat.S_ISSOCK(os.fstat(number).st_mode)
        except OSError:
            continue
        if connection:
            # Not just closed: some object still believes to own the number and will close it one day.
            os.dup2(null, number)


def _wake(instant: float) -> None:
    """Go on from the instant, answering at the same addresses."""
    global handshakes
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    clock.advance(instant - clock.now())
    cloud.lock, handshakes = threading.RLock(), Handshakes()
    for action in woken:
        action()
    for one in clusters():
        one.api.lock = threading.RLock()
        threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    threading.Thread(target=_end_with_input, daemon=True).start()
    server.serve_forever(poll_interval=0.1)


def _end_with_input() -> None:
    os.read(0, 1)
    os._exit(0)
