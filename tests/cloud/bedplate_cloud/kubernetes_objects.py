"""What the Kubernetes API behind a cluster's endpoint knows: kinds, defaults, and who owns which field."""

import copy
import json
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Path = tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of object and where it stands in the API."""

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool = True
    short: str = ""

    @property
    def api(self) -> str:
        """The object's apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version


KINDS = [
    Kind("", "v1", "namespaces", "Namespace", False, "ns"),
    Kind("", "v1", "nodes", "Node", False, "no"),
    Kind("", "v1", "serviceaccounts", "ServiceAccount", True, "sa"),
    Kind("", "v1", "services", "Service", True, "svc"),
    Kind("", "v1", "configmaps", "ConfigMap", True, "cm"),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "pods", "Pod", True, "po"),
    Kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True, "pvc"),
    Kind("apps", "v1", "deployments", "Deployment", True, "deploy"),
    Kind("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True, "hpa"),
    Kind("networking.k8s.io", "v1", "ingresses", "Ingress", True, "ing"),
]
GIVEN_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


class Refused(Exception):
    """An answer that is an error, as Kubernetes writes it."""

    def __init__(self, status: int, reason: str, message: str, causes: list[Object] | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.causes = status, reason, message, causes or []


def complete(kind: Kind, body: Object, old: Object | None, number: int) -> None:
    """Fill in what the API server fills in."""
    spec = body.setdefault("spec", {}) if kind.plural in ("services", "horizontalpodautoscalers", "namespaces") else {}
    if kind.plural == "namespaces":
        spec.setdefault("finalizers", ["kubernetes"])
        body.setdefault("status", {"phase": "Active"})
        body["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = body["metadata"]["name"]
    elif kind.plural == "horizontalpodautoscalers":
        spec.setdefault("minReplicas", 1)
        body.setdefault("status", {"currentMetrics": None, "desiredReplicas": 0})
    elif kind.plural == "services":
        _complete_service(spec, old, number)
        body.setdefault("status", {"loadBalancer": {}})


def _complete_service(spec: Object, old: Object | None, number: int) -> None:
    spec.setdefault("type", "ClusterIP")
    if spec["type"] != "ExternalName":
        spec.setdefault("clusterIP", f"172.20.{number // 250 % 250}.{number % 250 + 1}")
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("sessionAffinity", "None")
    exposed = spec["type"] in ("NodePort", "LoadBalancer")
    if exposed:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    else:
        spec.pop("externalTrafficPolicy", None)
    known = {one.get("port"): one for one in ((old or {}).get("spec") or {}).get("ports") or []}
    for place, one in enumerate(spec.get("ports") or []):
        one.setdefault("protocol", "TCP")
        one.setdefault("targetPort", one.get("port"))
        if exposed:
            one.setdefault(
                "nodePort", known.get(one.get("port"), {}).get("nodePort") or 30000 + (number * 7 + place) % 2768
            )
        else:
            one.pop("nodePort", None)


# Lists whose items are found by some of their fields, and maps that belong to one owner as a whole (Kubernetes API
# Reference, `listType` and `structType` of each field). All other lists belong to one owner as a whole.
LIST_KEYS: dict[tuple[str, Path], tuple[str, ...]] = {("services", ("spec", "ports")): ("port", "protocol")}
ATOMIC = {("services", ("spec", "selector")), ("horizontalpodautoscalers", ("spec", "scaleTargetRef"))}


def opened(kind: Kind, body: Object) -> Object:
    """The object with a map in place of every list whose items have keys."""
    body = copy.deepcopy(body)
    for (plural, path), keys in LIST_KEYS.items():
        items = get(body, path)
        if plural == kind.plural and isinstance(items, list):
            named = {"protocol": "TCP"}
            put(body, path, {_key({one: (named | item).get(one) for one in keys}): item for item in items})
    return body


def closed(kind: Kind, body: Object) -> Object:
    """The reverse of `opened`."""
    body = copy.deepcopy(body)
    for plural, path in LIST_KEYS:
        items = get(body, path)
        if plural == kind.plural and isinstance(items, dict):
            put(body, path, list(items.values()))
    return body


def _key(fields: Object) -> str:
    return "k:" + json.dumps(fields, separators=(",", ":"))


def leaves(kind: Kind, value: Object, prefix: Path = ()) -> dict[Path, Any]:
    """The fields of an opened object down to what belongs to one owner."""
    found: dict[Path, Any] = {}
    for key, one in value.items():
        if isinstance(one, dict) and one and (kind.plural, (*prefix, key)) not in ATOMIC:
            found |= leaves(kind, one, (*prefix, key))
        elif one is not None:
            found[*prefix, key] = one
    return found


IDENTITY = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")}
SERVER = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "deletionTimestamp", "selfLink")


def owned(kind: Kind, body: Object) -> dict[Path, Any]:
    """The fields a client can own: not the name, nothing that the server writes."""
    found = leaves(kind, opened(kind, {key: one for key, one in body.items() if key != "status"}))
    skipped = IDENTITY | {("metadata", key) for key in SERVER}
    return {
        path: one for path, one in found.items() if path not in skipped and path[:2] != ("metadata", "managedFields")
    }


def get(body: Object, path: Path) -> Any:
    """The value at a path, or None."""
    here: Any = body
    for key in path:
        if not isinstance(here, dict) or key not in here:
            return None
        here = here[key]
    return here


def put(body: Object, path: Path, value: Any) -> None:
    """Write a value at a path."""
    here = body
    for key in path[:-1]:
        if not isinstance(here.get(key), dict):
            here[key] = {}
        here = here[key]
    here[path[-1]] = copy.deepcopy(value)


def drop(body: Object, path: Path) -> None:
    """Take a value away, and the maps that are empty without it."""
    parents = [body]
    for key in path[:-1]:
        if not isinstance(parents[-1].get(key), dict):
            return
        parents.append(parents[-1][key])
    for parent, key in zip(reversed(parents), reversed(path), strict=True):
        if key in parent and (key == path[-1] and parent is parents[-1] or parent[key] == {}):
            parent.pop(key)


def covers(live: Any, wanted: Any) -> bool:
    """Whether a live value says what is wanted, leaving aside what the server filled in."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(covers(live.get(key), one) for key, one in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(live) == len(wanted) and all(map(covers, live, wanted))
    return live == wanted


def written(paths: set[Path]) -> Object:
    """Paths as the fieldsV1 of managedFields."""
    tree: Object = {}
    for path in sorted(paths):
        here = tree
        for key in path:
            here = here.setdefault(key if key.startswith("k:") else f"f:{key}", {})
    return tree


def spoken(path: Path) -> str:
    """A path as conflicts name it: `.spec.ports[port=80,protocol="TCP"].nodePort`."""
    words = ""
    for key in path:
        if key.startswith("k:"):
            fields = json.loads(key[2:]).items()
            words += f"[{','.join(f'{name}={json.dumps(value)}' for name, value in fields)}]"
        else:
            words += f".{key}"
    return words


def merged(old: Any, patch: Any) -> Any:
    """A JSON merge patch applied."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(old) if isinstance(old, dict) else {}
    for key, one in patch.items():
        if one is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), one)
    return result
