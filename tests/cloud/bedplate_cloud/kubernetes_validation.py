"""What an API server refuses (Kubernetes API Reference, and the validation of each kind)."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from .kubernetes_objects import Kind, Object, Refused, get

NODE_PORTS = range(30000, 32768)
_NAME = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")

Fault = Callable[[str, str], Refused]


def check(kind: Kind, body: Object, old: Object | None, others: Iterable[Object]) -> None:
    """Refuse an object that no API server would take. `others` are the objects of the same kind."""
    name = body.get("metadata", {}).get("name") or ""

    def invalid(field: str, words: str) -> Refused:
        reason = words.split(":")[0].replace(" ", "") if words.startswith(("Invalid", "Required", "Forbidden")) else ""
        message = f'{kind.name} "{name}" is invalid: {field}: {words}'
        cause = {"reason": f"FieldValue{reason or 'Invalid'}", "message": words, "field": field}
        return Refused(422, "Invalid", message, [cause])

    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name):
        raise invalid("metadata.name", f'Invalid value: "{name}": a lowercase RFC 1123 subdomain is needed')
    _check_metadata(body.get("metadata") or {}, invalid)
    if kind.plural == "horizontalpodautoscalers":
        _check_autoscaler(body.get("spec") or {}, invalid)
    if kind.plural == "services":
        _check_service(body.get("spec") or {}, (old or {}).get("spec") or {}, others, invalid)


def _check_metadata(meta: Object, invalid: Fault) -> None:
    for field in ("labels", "annotations"):
        for key in meta.get(field) or {}:
            prefix, slash, rest = key.rpartition("/")
            if not _NAME.fullmatch(rest) or (slash and not _DOMAIN.fullmatch(prefix)):
                words = f'Invalid value: "{key}": name part must consist of alphanumeric characters, \'-\', \'_\' or \'.\''
                raise invalid(f"metadata.{field}", words)
    for value in (meta.get("labels") or {}).values():
        if not isinstance(value, str) or not _LABEL.fullmatch(value):
            raise invalid("metadata.labels", f'Invalid value: "{value}": a valid label must be up to 63 characters')
    for value in (meta.get("annotations") or {}).values():
        if not isinstance(value, str):
            raise Refused(400, "BadRequest", "json: cannot unmarshal into Go struct field ObjectMeta.annotations")


def _check_autoscaler(spec: Object, invalid: Fault) -> None:
    most, least = spec.get("maxReplicas"), spec.get("minReplicas", 1)
    if not isinstance(most, int) or most < 1:
        raise invalid("spec.maxReplicas", f"Invalid value: {most}: must be greater than 0")
    if not isinstance(least, int) or least < 1:
        raise invalid("spec.minReplicas", f"Invalid value: {least}: must be greater than or equal to 1")
    if least > most:
        raise invalid("spec.maxReplicas", f"Invalid value: {most}: must be greater than or equal to `minReplicas`")
    if not get(spec, ("scaleTargetRef", "name")):
        raise invalid("spec.scaleTargetRef.name", "Required value")
    if not get(spec, ("scaleTargetRef", "kind")):
        raise invalid("spec.scaleTargetRef.kind", "Required value")
    for place, metric in enumerate(spec.get("metrics") or []):
        source = metric.get("type", "")
        source = source[:1].lower() + source[1:]
        if source not in ("containerResource", "external", "object", "pods", "resource") or source not in metric:
            raise invalid(f"spec.metrics[{place}].{source or 'type'}", "Required value: must populate information for the given metric source")
        if source == "resource":
            _check_resource(metric["resource"], f"spec.metrics[{place}].resource", invalid)


def _check_resource(resource: Object, field: str, invalid: Fault) -> None:
    target = resource.get("target") or {}
    if not resource.get("name"):
        raise invalid(f"{field}.name", "Required value: must specify a resource name")
    if target.get("type") == "Utilization":
        percent = target.get("averageUtilization")
        if percent is None or percent < 1:
            raise invalid(f"{field}.target.averageUtilization", f"Invalid value: {percent}: must be greater than 0")


def _check_service(spec: Object, old: Object, others: Iterable[Object], invalid: Fault) -> None:
    ports = spec.get("ports") or []
    if spec.get("type") != "ExternalName" and not ports and spec.get("clusterIP") != "None":
        raise invalid("spec.ports", "Required value")
    if old.get("clusterIP") and spec.get("clusterIP") not in (None, old["clusterIP"]):
        words = f'Invalid value: ["{spec["clusterIP"]}"]: may not change once set'
        raise invalid("spec.clusterIPs[0]", words)
    if spec.get("type") not in (None, "ClusterIP", "NodePort", "LoadBalancer", "ExternalName"):
        raise invalid("spec.type", f'Unsupported value: "{spec["type"]}": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"')
    taken = {port for other in others for port in _node_ports(other.get("spec") or {})}
    for place, port in enumerate(ports):
        if not isinstance(port.get("port"), int) or not 1 <= port["port"] <= 65535:
            raise invalid(f"spec.ports[{place}].port", f"Invalid value: {port.get('port')}: must be between 1 and 65535, inclusive")
        if len(ports) > 1 and not port.get("name"):
            raise invalid(f"spec.ports[{place}].name", "Required value")
        number = port.get("nodePort")
        if number is None:
            continue
        if number not in NODE_PORTS:
            words = "provided port is not in the valid range. The range of valid ports is 30000-32767"
            raise invalid(f"spec.ports[{place}].nodePort", f"Invalid value: {number}: {words}")
        if number in taken:
            words = f"Invalid value: {number}: provided port is already allocated"
            raise invalid(f"spec.ports[{place}].nodePort", words)


def _node_ports(spec: Object) -> list[Any]:
    return [one["nodePort"] for one in spec.get("ports") or [] if one.get("nodePort")]
