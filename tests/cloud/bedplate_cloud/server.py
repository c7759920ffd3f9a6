"""The HTTP server under the cloud."""

import _thread
import gc
import os
import re
import selectors
import socket
import sys
import threading
import time
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer

from . import faster, snapshots
from .gateway import Cloud


faster.install()

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Handler(MotoRequestHandler):
    """Answers at once and in silence, and keeps the connection, as AWS does.

    Werkzeug closes it after each answer: a thread, a connection and two writes for each of a run's hundreds of calls took
    longer than to answer them. It does so because it cannot know whether the body was read; here it always is.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Nothing yet: the server says when there is a request."""

    def finish(self) -> None:
        """Not yet either."""

    def answer(self) -> bool:
        """Answer one request, or see that there is none any more. Whether there may be another one."""
        self.close_connection = True
        try:
            if not self._is_whole():
                self.server.leave()
            self.handle_one_request()
        except OSError as error:
            self.close_connection = True
            self.connection_dropped(error)
        except Exception:
            # Of nobody else's concern.
            self.close_connection = True
            self.server.handle_error(self.connection, self.client_address)
        if self.close_connection:
            try:
                super().finish()
            except OSError:
                pass
        return not self.close_connection

    def _is_whole(self) -> bool:
        """Whether all of a request has come, or the end of the connection."""
        begun = self.connection.recv(1 << 16, socket.MSG_PEEK)
        head, end, body = begun.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        # Whoever expects to be told to continue has sent less; of what comes in pieces nobody knows.
        pieces = b"transfer-encoding:" in head.lower()
        return not begun or bool(end) and not pieces and len(body) >= (int(length[1]) if length else 0)

    def run_wsgi(self) -> None:
        """Answer one request."""
        head = b""

        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            nonlocal head
            ours = [("Date", self.date_time_string())]
            if self.close_connection:
                ours.append(("Connection", "close"))
            lines = [f"{self.protocol_version} {status}", *(f"{key}: {value}" for key, value in [*ours, *headers])]
            head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

        app: Any = self.server.app
        try:
            for body in app(self.make_environ() | {"bedplate.leave": self.server.leave}, start_response):
                self.wfile.write(head + body)
        except ConnectionError:
            # Nobody is there any more, or the answer was to be cut off.
            self.close_connection = True

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing: a test run makes thousands of calls."""


class Server(BaseWSGIServer):
    """Answers one request after the other, of however many connections, in one thread.

    A thread for each connection took a third of a plan's time: to start them, and to have them wait for the one that answers.
    Whoever has to wait, for the rest of a request or before an answer, leaves, and another thread goes on.
    """

    request_queue_size = 128
    # The thread that answers; none while one hands over to the next.
    leader: int | None = None

    def serve_forever(self, poll_interval: float = 0) -> None:
        """Answer until the process ends."""
        # A copy of the process must not touch what it shares with the first one.
        self.ready = selectors.DefaultSelector()
        self.socket.setblocking(False)
        self.ready.register(self.socket, selectors.EVENT_READ)
        self._answer()
        # Signals come to this thread. Not `signal.pause`: one that comes just before it would be waited for, for ever.
        while True:
            time.sleep(1)

    def leave(self) -> None:
        """Let another thread go on. This one ends with the answer it is at."""
        if self.leader == _thread.get_ident():
            self.leader = None
            _thread.start_new_thread(self._answer, ())

    def _answer(self) -> None:
        """Answer whatever is ready, as long as nobody else does."""
        me = self.leader = _thread.get_ident()
        while True:
            for key, _ in self.ready.select():
                if key.fileobj is self.socket:
                    self._accept()
                    continue
                self.ready.unregister(key.fileobj)
                if key.data.answer():
                    self.ready.register(key.fileobj, selectors.EVENT_READ, key.data)
                else:
                    self.shutdown_request(key.fileobj)
                if self.leader != me:
                    return

    def _accept(self) -> None:
        """Take in whoever waits at the door."""
        while True:
            try:
                request, address = self.get_request()
            except OSError:
                return
            request.setblocking(True)
            self.ready.register(request, selectors.EVENT_READ, self.RequestHandlerClass(request, address, self))


def serve(host: str, port: int) -> int:
    """Answer requests until the process is told to stop."""
    from . import services

    # What was loaded stays: the collector need not look at it after every few hundred objects of a call.
    gc.set_threshold(50_000, 20, 100)
    cloud = Cloud()
    server = Server(host, port, cloud, Handler)
    snapshots.cloud, snapshots.server = cloud, server
    print(f"bedplate cloud ready: http://{host}:{server.server_port}", flush=True)
    # Moto prints remarks; whoever reads our output expects the one line above and nothing else.
    sys.stdout = open(os.devnull, "w")
    threading.Thread(target=services.warm_up, args=(cloud,), daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.1)
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        server.server_close()
    return 0
