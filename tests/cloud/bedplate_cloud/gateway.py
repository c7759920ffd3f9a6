"""The front door: every request passes here on its way to a handler or to moto."""

import functools
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from moto.backends import list_of_moto_modules
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from . import (
    calls,
    chance,
    clock,
    cloudwatch,
    control,
    lag,
    moments,
    pagination,
    registry,
    settings,
    switches,
    throttling,
    tokens,
    wire,
)
from .errors import Answered, AwsError
from .wire import Response, Target

_MOTO_SERVICES = {name.replace("-", "") for name in list_of_moto_modules()} | {"monitoring"}

_SET = re.compile(rb"\{((?:'|&#x27;|&apos;)[\w.:/-]+(?:'|&#x27;|&apos;))\}")

log = logging.getLogger("bedplate_cloud")


class Call:
    """One call, as handlers see it."""

    def __init__(self, target: Target, environ: dict[str, Any], moto: Any) -> None:
        self.target = target
        self.params = dict(target.params)
        # What the request at hand says; nothing, if it is another operation's.
        self.received: dict[str, Any] | None = target.params
        self.region = target.region
        self.environ = environ
        self._moto = moto

    def forward(self, **changes: Any) -> dict[str, Any]:
        """Ask moto, with changed parameters if any (`None` leaves one out), and return its answer."""
        params = {key: value for key, value in {**self.params, **changes}.items() if value is not None}
        unchanged = params == self.received and wire.moto_protocol(self.target) == self.target.protocol
        environ = self.environ if unchanged else wire.apply_params(self.environ, self.target, params)
        response = forward_raw(self._moto, environ)
        if response.status >= 300:
            raise Answered(response)
        return wire.parse_response(self.target, response)

    def with_target(self, target: Target) -> "Call":
        """Another call of the same service by the same caller, for handlers that need to know more."""
        other = Call(target, self.environ, self._moto)
        other.received = None
        return other


def forward_raw(moto: Any, environ: dict[str, Any]) -> Response:
    """Hand a request to moto's own WSGI application."""
    response = Response()

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
        response.status = int(status.split()[0])
        response.headers = dict(headers)

    # The application may be asked twice for one call, so the body is wound back each time.
    environ = dict(environ)
    environ["wsgi.input"].seek(0)
    result = moto(environ, start_response)
    response.body = b"".join(result)
    if response.status >= 400:
        # Moto formats some ids as Python sets: "VpcID {'vpc-1'} does not exist".
        response.body = _SET.sub(rb"\1", response.body)
    if hasattr(result, "close"):
        result.close()
    return response


class _Moto(DomainDispatcherApplication):
    """Moto, which otherwise lists its folders twice for every request: a quarter of the time of a run."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self.get_backend_for_host = functools.cache(super().get_backend_for_host)


class Cloud:
    """The WSGI application."""

    def __init__(self) -> None:
        self.moto = _Moto()
        # Moto's backends are not safe for threads, and one call takes a few milliseconds: calls run one by one.
        self.lock = threading.RLock()
        # Handlers need this module, and the checks of a caller need handlers.
        from . import credentials

        self.check_caller = credentials.check

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        body = wire.read_body(environ)
        with self.lock:
            clock.run_due()
            response = self.answer(environ, body)
        if response.delay:
            environ["bedplate.leave"]()
            time.sleep(response.delay)
        if response.cut:
            # Without a status line: the client sees its connection end.
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        headers = {key: value for key, value in response.headers.items() if key.lower() != "content-length"}
        headers["Content-Length"] = str(len(response.body))
        start_response(f"{response.status} {_reason(response.status)}", [(k, str(v)) for k, v in headers.items()])
        # An answer to HEAD has a length but no body.
        return _sent(b"" if environ["REQUEST_METHOD"] == "HEAD" else response.body, environ)

    def answer(self, environ: dict[str, Any], body: bytes) -> Response:
        """Answer one request, whatever happens inside."""
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_cloud/"):
            return control.answer(environ, body)
        if path == "/moto-api/reset":
            # Whoever knows moto resets it this way; our own records have to go with its backends.
            return control.answer(environ | {"PATH_INFO": "/_cloud/reset"}, b"")
        if path.startswith("/moto-api"):
            return forward_raw(self.moto, environ)
        target = wire.identify(environ, body)
        response = self.settle(target, environ)
        response.delay += switches.current.latency
        if not response.cut:
            calls.answered(target.name, wire.request_id(response))
        return response

    def settle(self, target: Target, environ: dict[str, Any]) -> Response:
        """The answer to a call of a service."""
        try:
            return self.run(target, environ)
        except moments.Killed:
            return wire.error_response(target, AwsError("Killed", "Nobody is there to read this.", 500))
        except AwsError as error:
            log.debug("%s -> %s", target.name, error)
            return wire.error_response(target, error)
        except Answered as answered:
            if target.protocol == cloudwatch.PROTOCOL:
                return wire.error_response(target, cloudwatch.translated(answered.response))
            return answered.response
        except NotImplementedError as error:
            return wire.error_response(target, AwsError("NotImplemented", f"{target.name}: {error}", 501))
        except Exception as error:
            if target.service.replace("-", "") not in _MOTO_SERVICES:
                return wire.error_response(target, AwsError("NotImplemented", f"moto has no {target.service}", 501))
            log.exception("%s failed", target.name)
            return wire.error_response(target, AwsError("InternalFailure", f"{target.name}: {error!r}", 500))

    def run(self, target: Target, environ: dict[str, Any]) -> Response:
        """Count the call, let it fail if a test asked for that, then run it."""
        nth = moments.before(target.name)
        calls.record(target.name, target.region)
        fault = calls.take_fault(target.name)
        if fault and fault.when == "before":
            raise fault.error
        fate = chance.draw(target.name)
        if fate.cut_before:
            return Response(cut=True)
        if fate.error:
            raise fate.error
        throttling.take(target)
        self.check_caller(target, environ)
        refuse_dry_run(target)
        refuse_region(target)
        response = wire.rooted(target, self.perform(target, environ))
        moments.committed(target.name, nth)
        environ["bedplate.call"] = target.name, nth
        if fault:
            raise fault.error
        response.cut, response.delay = fate.cut_after, fate.delay
        return response

    def perform(self, target: Target, environ: dict[str, Any]) -> Response:
        """Answer from a client token, from a handler or from moto."""
        call = Call(target, environ, self.moto)
        tokens.check_length(target)
        lag.check_use(target)
        replayed = tokens.replay(target)
        if replayed is not None:
            return wire.serialize(target, replayed)
        for check in registry.CHECKS.get(target.name, []):
            check(call)
        response = self.produce(call)
        if response.status < 300:
            for follow in registry.AFTERS.get(target.name, []):
                follow(call)
            for follow in registry.AFTERS.get("*", []) if calls.is_mutating(target.name) else []:
                follow(call)
        return response

    def produce(self, call: Call) -> Response:
        """The answer of a handler or of moto, as far as it is shown already, in pages."""
        target = call.target
        handler = registry.HANDLERS.get(target.name)
        special = (
            handler
            or target.protocol == cloudwatch.PROTOCOL
            or tokens.applies(target)
            or pagination.applies(target)
            or lag.alters(target)
        )
        if not special:
            return forward_raw(self.moto, call.environ)
        result = pagination.paged(call, lambda one: lag.run(one, handler or Call.forward))
        tokens.remember(target, result)
        return wire.serialize(target, result)


def _sent(body: bytes, environ: dict[str, Any]) -> Iterator[bytes]:
    """The body of an answer; WSGI asks for more when it is sent."""
    yield body
    if call := environ.get("bedplate.call"):
        moments.answered(*call)


def refuse_dry_run(target: Target) -> None:
    """EC2 answers a dry run with an error that says it would have worked."""
    if target.service == "ec2" and target.params.get("DryRun") is True:
        raise AwsError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)


# Billing answers in one region only; a call signed for another one is not accepted.
HOME = {"budgets": "us-east-1", "ce": "us-east-1", "cur": "us-east-1"}


def refuse_region(target: Target) -> None:
    """Refuse a call to a service that lives in one region, signed for another."""
    home = HOME.get(target.service)
    if home and target.region != home and not settings.lenient:
        raise AwsError(
            "InvalidSignatureException", f"Credential should be scoped to a valid region, not '{target.region}'.", 403
        )


def _reason(status: int) -> str:
    from http.client import responses

    return responses.get(status, "Unknown")
