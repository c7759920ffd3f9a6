"""The control API under `/_cloud/`: what tests ask of the cloud itself."""

import json
import os
from pathlib import Path
from typing import Any

from . import calls, clock, moments, registry, snapshots, switches
from .wire import Response


def answer(environ: dict[str, Any], body: bytes) -> Response:
    """Answer one control request."""
    action = ROUTES.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
    if action is None:
        return _json({"error": "unknown control request", "known": [" ".join(route) for route in ROUTES]}, 404)
    try:
        return _json(action(json.loads(body) if body else {}))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return _json({"error": f"bad request: {error!r}"}, 400)


def _json(document: Any, status: int = 200) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(document, indent=1).encode())


def _calls(_: dict[str, Any]) -> Any:
    return calls.summary()


def _reset_calls(_: dict[str, Any]) -> Any:
    calls.reset_calls()
    return {}


def _fault(document: dict[str, Any]) -> Any:
    calls.add_fault(document)
    return {}


def _end_faults(_: dict[str, Any]) -> Any:
    calls.reset_faults()
    return {}


def _settings(document: dict[str, Any]) -> Any:
    """Show the switches, after the changes the document asks for; `quota-values` sets quotas by code."""
    from . import quotas

    document = dict(document)
    quotas.apply(document.pop("quota-values", {}))
    switches.change(document)
    return switches.shown() | {"quota-values": quotas.describe()}


def _advance(document: dict[str, Any]) -> Any:
    clock.advance(float(document["seconds"]))
    clock.run_due()
    return {}


def _inventory(_: dict[str, Any]) -> Any:
    from . import inventory

    return inventory.take()


def _reach(document: dict[str, Any]) -> Any:
    from . import settings

    settings.clusters_reachable = bool(document["clusters"])
    return {}


def _reset(_: dict[str, Any]) -> Any:
    """Empty everything: moto's backends, our own records, counts, faults and the clock; switches as at the start."""
    from moto.core.base_backend import BackendDict
    from moto.core.model_instances import reset_model_data

    BackendDict.reset()
    reset_model_data()
    for reset in registry.RESETS:
        reset()
    calls.reset_calls()
    calls.reset_faults()
    clock.reset()
    switches.reset()
    _reach({"clusters": True})
    return {}


def _confirm(document: dict[str, Any]) -> Any:
    from . import sns

    return sns.confirm(document)


def _snapshot(document: dict[str, Any]) -> Any:
    return {"taken": snapshots.take(Path(document["folder"]), Path(document["disk"]))}


def _copy(document: dict[str, Any]) -> Any:
    return {"address": snapshots.copy(Path(document["alive"]))}


def _record(document: dict[str, Any]) -> Any:
    paths = {key: Path(document.pop(key)) for key in ("folder", "disk")}
    moments.begin(moments.Recording(**paths, **document))
    return {}


def _kill(document: dict[str, Any]) -> Any:
    signals = [int(one) for one in document["signals"]]
    where = (document["operation"], int(document["nth"]), document["when"])
    moments.begin(moments.Kill(int(document["pid"]), signals, *where, Path(document["disk"])))
    return {}


def _end_moments(_: dict[str, Any]) -> Any:
    return moments.end()


def _leave(_: dict[str, Any]) -> Any:
    os._exit(0)


ROUTES = {
    ("GET", "/_cloud/calls"): _calls,
    ("POST", "/_cloud/reset-calls"): _reset_calls,
    ("GET", "/_cloud/inventory"): _inventory,
    ("POST", "/_cloud/reset"): _reset,
    ("POST", "/_cloud/fault"): _fault,
    ("POST", "/_cloud/end-faults"): _end_faults,
    ("GET", "/_cloud/settings"): _settings,
    ("POST", "/_cloud/settings"): _settings,
    ("POST", "/_cloud/advance"): _advance,
    ("POST", "/_cloud/confirm"): _confirm,
    ("POST", "/_cloud/snapshot"): _snapshot,
    ("POST", "/_cloud/copy"): _copy,
    ("POST", "/_cloud/record"): _record,
    ("POST", "/_cloud/kill"): _kill,
    ("POST", "/_cloud/end-moments"): _end_moments,
    ("POST", "/_cloud/leave"): _leave,
    ("POST", "/_cloud/reach"): _reach,
}
