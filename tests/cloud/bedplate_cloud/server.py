"""The HTTP server under the cloud."""

import _thread
import gc
import os
import sys
import threading
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

from . import faster, snapshots
from .gateway import Cloud


faster.install()


class Handler(MotoRequestHandler):
    """Answers at once and in silence, and keeps the connection, as AWS does.

    Werkzeug closes it after each answer: a thread, a connection and two writes for each of a run's hundreds of calls took
    longer than to answer them. It does so because it cannot know whether the body was read; here it always is.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

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
            for body in app(self.make_environ(), start_response):
                self.wfile.write(head + body)
        except ConnectionError:
            # Nobody is there any more, or the answer was to be cut off.
            self.close_connection = True

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing: a test run makes thousands of calls."""


class Server(ThreadedWSGIServer):
    """Threads end with the process, so an open idle connection does not hold up its end."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for each connection, without waiting until it has begun."""
        _thread.start_new_thread(self.process_request_thread, (request, client_address))


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
