"""The HTTP server under the cloud."""

import os
import sys
import threading

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

from . import snapshots
from .gateway import Cloud


class Handler(MotoRequestHandler):
    """Answers at once and in silence. Werkzeug closes the connection after each answer, and says so to the client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Say nothing: a test run makes thousands of calls."""


class Server(ThreadedWSGIServer):
    """Threads end with the process, so an open idle connection does not hold up its end."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


def serve(host: str, port: int) -> int:
    """Answer requests until the process is told to stop."""
    from . import services

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
