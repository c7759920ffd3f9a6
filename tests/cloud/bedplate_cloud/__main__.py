"""Starts the local cloud: `python -m bedplate_cloud --port 5600`."""

import argparse
import logging
import os
import signal
import sys
import threading
import time
import warnings
from dataclasses import fields

from . import clock, settings, switches


def main(argv: list[str] | None = None) -> int:
    """Run until a signal or until the parent is gone."""
    options = parse(argv)
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.ERROR, format="%(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    for noisy in ("botocore", "boto3", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if not options.verbose:
        warnings.simplefilter("ignore")
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    if options.exit_with_parent:
        _watch_parent()
    settings.prepare()
    settings.configure(options.durations, options.scale, options.page_size, options.lenient)
    switches.choose(options.switches)
    if options.still:
        clock.stop()
    from .server import serve

    return serve(options.host, options.port)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bedplate_cloud", description="A local AWS for bedplate's tests.")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free port")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--durations", default="quick", help="quick, aws, or key=seconds pairs, comma-separated")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies every duration")
    parser.add_argument("--page-size", type=int, help="largest page of every paged list")
    parser.add_argument("--lenient", action="store_true", help="EKS takes any role and any subnet")
    parser.add_argument("--still", action="store_true", help="time passes only by /_cloud/advance")
    add_switches(parser)
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when the starting process ends")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args(argv)
    try:
        settings.parse_durations(options.durations)
        options.switches = {name: value for name, value in vars(options).items() if name in SWITCHES and value}
        switches.checked(switches.Switches(), options.switches)
    except ValueError as error:
        parser.error(str(error))
    return options


SWITCHES = ("realistic", *(one.name for one in fields(switches.Switches)))


def add_switches(parser: argparse.ArgumentParser) -> None:
    """The switches of `switches.py`, each an option of its name; the README says what they do."""
    group = parser.add_argument_group("what AWS does to its callers, off unless asked for")
    group.add_argument("--realistic", action="store_true", help="all of it, with sensible values; single ones still win")
    for one in fields(switches.Switches):
        name = "--" + one.name.replace("_", "-")
        if isinstance(one.default, bool):
            group.add_argument(name, action="store_true")
        else:
            group.add_argument(name, type=str if isinstance(one.default, tuple) else type(one.default))


def _stop(_signal: int, _frame: object) -> None:
    sys.exit(0)


def _watch_parent() -> None:
    """Exit when the parent changes, which it does when the parent dies: a test never leaves its cloud behind."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
