"""The Kubernetes API of a cluster: objects, server-side apply with owners of fields, discovery, watches."""

import copy
import json
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import yaml

from . import clock
from .eks_versions import VERSIONS
from .kubernetes_objects import (
    GIVEN_NAMESPACES,
    KINDS,
    Kind,
    Object,
    Path,
    Refused,
    closed,
    complete,
    covers,
    drop,
    get,
    merged,
    opened,
    owned,
    put,
    spoken,
    written,
)
from .kubernetes_validation import check

# How long a namespace is Terminating.
TERMINATION = 0.3
LONGEST_WATCH = 30.0


class Api:
    """The objects of one cluster."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.objects: dict[tuple[str, str, str], Object] = {}
        # Who owns what: per object, per manager and operation, the paths.
        self.owners: dict[tuple[str, str, str], dict[tuple[str, str], set[Path]]] = {}
        self.events: list[tuple[int, str, str, Object]] = []
        self.ending: list[tuple[float, str]] = []
        self.count = 0
        self.lock = threading.RLock()
        for name in GIVEN_NAMESPACES:
            self.write(KINDS[0], "", {"metadata": {"name": name}}, "kube-apiserver", set())
        service = {"metadata": {"name": "kubernetes"}, "spec": {"ports": [{"name": "https", "port": 443}]}}
        self.write(_kind("", "v1", "services"), "default", service, "kube-apiserver", set())
        self.given = frozenset(self.objects)

    def write(
        self, kind: Kind, namespace: str, body: Object, manager: str, paths: set[Path], apply: bool = False
    ) -> Object:
        """Keep an object under the next version, if it is another one than before."""
        name = body["metadata"]["name"]
        key, meta = (kind.plural, namespace, name), body["metadata"]
        old = self.objects.get(key)
        others = [one for at, one in self.objects.items() if at[0] == kind.plural and at != key]
        check(kind, body, old, others)
        body |= {"apiVersion": kind.api, "kind": kind.name}
        complete(kind, body, old, self.count + 1)
        meta.pop("managedFields", None)
        owners = self.owners.setdefault(key, {})
        mine = (manager, "Apply" if apply else "Update")
        if paths:
            owners[mine] = set(paths)
        else:
            owners.pop(mine, None)
        if namespace:
            meta["namespace"] = namespace
        meta["uid"] = old["metadata"]["uid"] if old else str(uuid.uuid4())
        meta["creationTimestamp"] = old["metadata"]["creationTimestamp"] if old else now()
        if "spec" in body and kind.plural != "namespaces":
            before = old["metadata"].get("generation", 0) if old else 0
            meta["generation"] = before + (old is None or old.get("spec") != body.get("spec"))
        meta["managedFields"] = _managed(kind, owners, (old or {}).get("metadata", {}).get("managedFields") or [])
        if old is not None and _same(old, body):
            return old
        self.count += 1
        meta["resourceVersion"] = str(self.count)
        self.objects[key] = body
        self.events.append((self.count, "MODIFIED" if old else "ADDED", kind.plural, copy.deepcopy(body)))
        if kind.plural == "namespaces" and old is None:
            account = {"metadata": {"name": "default"}}
            self.write(_kind("", "v1", "serviceaccounts"), name, account, "kube-controller-manager", set())
        return body

    def read(self, kind: Kind, namespace: str, name: str) -> Object:
        """An object that exists."""
        found = self.objects.get((kind.plural, namespace, name))
        if found is None:
            where = kind.plural + (f".{kind.group}" if kind.group else "")
            raise Refused(404, "NotFound", f'{where} "{name}" not found')
        return found

    def apply(
        self, kind: Kind, namespace: str, name: str, body: Object, manager: str, force: bool
    ) -> tuple[int, Object]:
        """Server-side apply: take ownership of the fields given, give up those that are no longer given."""
        if not manager:
            raise Refused(
                400,
                "BadRequest",
                "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply patch",
            )
        if body.get("kind") != kind.name or body.get("apiVersion") != kind.api:
            raise Refused(400, "BadRequest", f"the object's kind and apiVersion have to be {kind.name} and {kind.api}")
        given_name = (body.get("metadata") or {}).setdefault("name", name) if body.get("metadata") else name
        if given_name != name:
            raise Refused(
                400, "BadRequest", f"the name of the object ({given_name}) does not match the name on the URL ({name})"
            )
        if (body.get("metadata") or {}).get("managedFields"):
            raise Refused(400, "BadRequest", "metadata.managedFields must be nil")
        key, wanted = (kind.plural, namespace, name), owned(kind, body)
        live = opened(kind, self.objects.get(key) or {"metadata": {"name": name}})
        owners, mine = self.owners.get(key, {}), (manager, "Apply")
        others = {who: paths for who, paths in owners.items() if who != mine}
        conflicts = [
            (who, path)
            for path, value in wanted.items()
            if not covers(get(live, path), value)
            for who, paths in others.items()
            if any(_touch(path, one) for one in paths)
        ]
        if conflicts and not force:
            raise _conflict(kind, conflicts)
        for who, path in conflicts:
            owners[who] = {one for one in owners[who] if not _touch(path, one)}
            if not owners[who]:
                owners.pop(who)
        elsewhere = set().union(*(paths for who, paths in owners.items() if who != mine))
        for path in owners.get(mine, set()) - set(wanted):
            # An item of a list goes as a whole when nobody owns a part of it any more; until then it keeps its keys.
            item = next((path[: at + 1] for at, key in enumerate(path) if key.startswith("k:")), None)
            shared = item and any(one[: len(item)] == item for one in elsewhere | set(wanted))
            if item and not shared:
                drop(live, item)
            elif path not in elsewhere and not (item and path[-1] in json.loads(item[-1][2:])):
                drop(live, path)
        for path, value in wanted.items():
            if not covers(get(live, path), value):
                put(live, path, value)
        created = key not in self.objects
        if created:
            self._namespace_is_there(kind, namespace)
        live = closed(kind, live)
        return (201 if created else 200), self.write(kind, namespace, live, manager, set(wanted), apply=True)

    def create(self, kind: Kind, namespace: str, body: Object, manager: str) -> Object:
        """A new object."""
        name = (body.get("metadata") or {}).get("name")
        if not name and (body.get("metadata") or {}).get("generateName"):
            name = body["metadata"]["name"] = body["metadata"]["generateName"] + uuid.uuid4().hex[:5]
        if (kind.plural, namespace, name) in self.objects:
            raise Refused(409, "AlreadyExists", f'{kind.plural} "{name}" already exists')
        self._namespace_is_there(kind, namespace)
        return self.write(kind, namespace, {"metadata": {}, **body}, manager, set(owned(kind, body)))

    def _namespace_is_there(self, kind: Kind, namespace: str) -> None:
        if not kind.namespaced:
            return
        found = self.objects.get(("namespaces", "", namespace))
        if found is None:
            raise Refused(404, "NotFound", f'namespaces "{namespace}" not found')
        if found["metadata"].get("deletionTimestamp"):
            words = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise Refused(
                403,
                "Forbidden",
                words,
                [{"reason": "NamespaceTerminating", "message": words, "field": "metadata.namespace"}],
            )

    def replace(self, kind: Kind, namespace: str, name: str, body: Object, manager: str) -> Object:
        """An object in place of the old one: whoever changes a field owns it."""
        old = self.read(kind, namespace, name)
        version = body.get("metadata", {}).get("resourceVersion")
        if version and version != old["metadata"]["resourceVersion"]:
            words = f'Operation cannot be fulfilled on {kind.plural} "{name}": the object has been modified; please apply your changes to the latest version and try again'
            raise Refused(409, "Conflict", words)
        before, after = owned(kind, old), owned(kind, body)
        changed = {path for path, value in after.items() if path not in before or before[path] != value}
        gone, owners = set(before) - set(after), self.owners.setdefault((kind.plural, namespace, name), {})
        for who in list(owners):
            lost = gone | (changed if who != (manager, "Update") else set())
            owners[who] -= lost
            if not owners[who]:
                owners.pop(who)
        mine = owners.get((manager, "Update"), set()) | changed
        new = copy.deepcopy(body) | {"status": body.get("status", old.get("status"))}
        if new["status"] is None:
            new.pop("status")
        for key in ("deletionTimestamp",):
            if key in old["metadata"]:
                new["metadata"][key] = old["metadata"][key]
        body = self.write(kind, namespace, new, manager, mine)
        ending = body["metadata"].get("deletionTimestamp") and not body["metadata"].get("finalizers")
        if ending and kind.plural != "namespaces":
            self._forget(kind.plural, namespace, name)
        return body

    def delete(self, kind: Kind, namespace: str, name: str) -> Object:
        """Delete an object; a namespace is Terminating for a while, and takes everything in it along."""
        found = self.read(kind, namespace, name)
        if kind.plural == "namespaces":
            if name in GIVEN_NAMESPACES:
                raise Refused(403, "Forbidden", f'namespaces "{name}" is forbidden: this namespace may not be deleted')
            if not found["metadata"].get("deletionTimestamp"):
                found = self._end(kind.plural, "", name, {"phase": "Terminating"})
                self.ending.append((clock.now() + TERMINATION, name))
            return found
        if found["metadata"].get("finalizers"):
            return self._end(kind.plural, namespace, name, found.get("status"))
        self._forget(kind.plural, namespace, name)
        details = {"name": name, "group": kind.group, "kind": kind.plural, "uid": found["metadata"]["uid"]}
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}

    def _forget(self, plural: str, namespace: str, name: str) -> None:
        body = self.objects.pop((plural, namespace, name))
        self.owners.pop((plural, namespace, name), None)
        self.count += 1
        body = copy.deepcopy(body)
        body["metadata"]["resourceVersion"] = str(self.count)
        self.events.append((self.count, "DELETED", plural, body))

    def _end(self, plural: str, namespace: str, name: str, status: Object | None) -> Object:
        """Mark an object as being deleted: something has to happen first."""
        body = copy.deepcopy(self.objects[plural, namespace, name])
        body["metadata"].setdefault("deletionTimestamp", now())
        if status is not None:
            body["status"] = status
        self.count += 1
        body["metadata"]["resourceVersion"] = str(self.count)
        self.objects[plural, namespace, name] = body
        self.events.append((self.count, "MODIFIED", plural, copy.deepcopy(body)))
        return body

    def tick(self) -> None:
        """End the namespaces whose time is over, each when nothing in it has a finalizer any more."""
        for one in [one for one in self.ending if one[0] <= clock.now()]:
            held: dict[str, int] = {}
            for plural, namespace, name in [key for key in self.objects if key[1] == one[1]]:
                finalizers = self.objects[plural, namespace, name]["metadata"].get("finalizers")
                if not finalizers:
                    self._forget(plural, namespace, name)
                    continue
                if not self.objects[plural, namespace, name]["metadata"].get("deletionTimestamp"):
                    self._end(plural, namespace, name, self.objects[plural, namespace, name].get("status"))
                for finalizer in finalizers:
                    held[finalizer] = held.get(finalizer, 0) + 1
            if not held:
                self.ending.remove(one)
                self._forget("namespaces", "", one[1])
                continue
            rest = ", ".join(f"{name} in {number} resource instances" for name, number in sorted(held.items()))
            condition = {
                "type": "NamespaceFinalizersRemaining",
                "status": "True",
                "reason": "SomeFinalizersRemain",
                "message": f"Some content in the namespace has finalizers remaining: {rest}",
            }
            status = {"phase": "Terminating", "conditions": [condition]}
            if self.objects["namespaces", "", one[1]].get("status") != status:
                self._end("namespaces", "", one[1], status)

    def listed(self, kind: Kind, namespace: str | None, query: dict[str, str]) -> Object:
        """All objects of a kind, in a namespace or in all, that match the selectors."""
        rows = [
            body
            for (plural, where, _), body in sorted(self.objects.items())
            if plural == kind.plural and namespace in (None, where) and selected(body, query)
        ]
        meta = {"resourceVersion": str(self.count)}
        return {"kind": f"{kind.name}List", "apiVersion": kind.api, "metadata": meta, "items": rows}

    def watched(self, kind: Kind, namespace: str | None, query: dict[str, str]) -> Any:
        """Events as they come, until the time is over."""
        since, end = (
            query.get("resourceVersion") or "0",
            time.monotonic() + min(float(query.get("timeoutSeconds") or LONGEST_WATCH), LONGEST_WATCH),
        )
        seen = int(since) if since.isdigit() else 0
        if seen == 0:
            with self.lock:
                found, seen = self.listed(kind, namespace, query), self.count
            for body in found["items"]:
                yield {"type": "ADDED", "object": body}
        while time.monotonic() < end:
            with self.lock:
                self.tick()
                fresh = [one for one in self.events if one[0] > seen and one[2] == kind.plural]
                seen = self.count
            for _, what, _, body in fresh:
                if namespace in (None, body["metadata"].get("namespace", "")) and selected(body, query):
                    yield {"type": what, "object": body}
            time.sleep(0.05)


def now() -> str:
    """The time as Kubernetes writes it."""
    return datetime.fromtimestamp(clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _kind(group: str, version: str, plural: str) -> Kind:
    for one in KINDS:
        if (one.group, one.version, one.plural) == (group, version, plural):
            return one
    raise Refused(404, "NotFound", "the server could not find the requested resource")


def _same(old: Object, new: Object) -> bool:
    def plain(body: Object) -> Object:
        meta = {key: one for key, one in body["metadata"].items() if key not in ("managedFields", "resourceVersion")}
        return body | {"metadata": meta}

    def who(body: Object) -> list[Object]:
        return [
            {key: one for key, one in entry.items() if key != "time"} for entry in body["metadata"]["managedFields"]
        ]

    return plain(old) == plain(new) and who(old) == who(new)


def _managed(kind: Kind, owners: dict[tuple[str, str], set[Path]], old: list[Object]) -> list[Object]:
    times = {(one["manager"], one["operation"]): (one["fieldsV1"], one["time"]) for one in old}
    rows = []
    for who, paths in owners.items():
        fields = written(paths)
        known = times.get(who)
        rows.append(
            {
                "manager": who[0],
                "operation": who[1],
                "apiVersion": kind.api,
                "time": known[1] if known and known[0] == fields else now(),
                "fieldsType": "FieldsV1",
                "fieldsV1": fields,
            }
        )
    return rows


def _touch(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _conflict(kind: Kind, conflicts: list[tuple[tuple[str, str], Path]]) -> Refused:
    causes, lines = [], []
    for (manager, _), path in conflicts:
        words = f'conflict with "{manager}" using {kind.api}'
        causes.append({"reason": "FieldManagerConflict", "message": words, "field": spoken(path)})
        lines.append(f"{words}: {spoken(path)}")
    words = f"Apply failed with {len(conflicts)} conflict{'s' if len(conflicts) > 1 else ''}: {'; '.join(lines)}"
    return Refused(409, "Conflict", words, causes)


def selected(body: Object, query: dict[str, str]) -> bool:
    """Whether an object matches the selectors of a request."""
    labels, meta = body["metadata"].get("labels") or {}, body["metadata"]
    for part in filter(None, (query.get("labelSelector") or "").split(",")):
        key, sign, value = part.partition("!=") if "!=" in part else part.replace("==", "=").partition("=")
        if (sign == "=" and labels.get(key) != value) or (sign == "!=" and labels.get(key) == value):
            return False
        if not sign and (key.lstrip("!") in labels) == key.startswith("!"):
            return False
    for part in filter(None, (query.get("fieldSelector") or "").split(",")):
        key, _, value = part.replace("==", "=").partition("=")
        if key.startswith("metadata.") and meta.get(key.removeprefix("metadata.")) != value:
            return False
    return True


def discovery(api: Api, parts: list[str]) -> Object | None:
    """What the server has: groups, versions, resources."""
    groups = sorted({(one.group, one.version) for one in KINDS if one.group})
    described = {
        group: {
            "name": group,
            "versions": [{"groupVersion": f"{group}/{version}", "version": version}],
            "preferredVersion": {"groupVersion": f"{group}/{version}", "version": version},
        }
        for group, version in groups
    }
    if parts == ["version"]:
        return _version(api.version)
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if parts == ["apis"]:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": list(described.values())}
    if len(parts) == 2 and parts[0] == "apis" and parts[1] in described:
        return {"kind": "APIGroup", "apiVersion": "v1"} | described[parts[1]]
    for group, version in [("", "v1"), *groups]:
        if parts == (["apis", group, version] if group else ["api", version]):
            rows = [_resource(one) for one in KINDS if (one.group, one.version) == (group, version)]
            api_version = f"{group}/{version}" if group else version
            return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": rows}
    return None


def _resource(kind: Kind) -> Object:
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    row = {
        "name": kind.plural,
        "singularName": kind.name.lower(),
        "namespaced": kind.namespaced,
        "kind": kind.name,
        "verbs": verbs,
    }
    return row | ({"shortNames": [kind.short]} if kind.short else {})


def _version(version: str) -> Object:
    major, minor = version.split(".")
    patch = VERSIONS[version]["kubernetesPatchVersion"]
    return {"major": major, "minor": f"{minor}+", "gitVersion": f"v{patch}-eks-0000000", "platform": "linux/amd64"}


def answer(
    api: Api, method: str, path: str, query: dict[str, str], content: str, agent: str, body: bytes
) -> tuple[int, Any]:
    """Answer one request: status and document, or a generator of events."""
    parts = [one for one in path.split("/") if one]
    if method == "GET" and (found := discovery(api, parts)) is not None:
        return 200, found
    kind, namespace, name = _place(parts)
    manager = query.get("fieldManager") or agent.split("/")[0] or "unknown"
    if method == "GET":
        if name:
            return 200, api.read(kind, namespace or "", name)
        if query.get("watch") in ("true", "1"):
            return 200, api.watched(kind, namespace, query)
        return 200, api.listed(kind, namespace, query)
    if method == "POST" and not name:
        return 201, api.create(kind, namespace or "", _read(body), manager)
    if method == "PUT" and name:
        return 200, api.replace(kind, namespace or "", name, _read(body), manager)
    if method == "DELETE" and name:
        return 200, api.delete(kind, namespace or "", name)
    if method == "PATCH" and name:
        if content.startswith("application/apply-patch+"):
            force = query.get("force") in ("true", "1")
            return api.apply(kind, namespace or "", name, _read(body), query.get("fieldManager") or "", force)
        if content.startswith(("application/merge-patch+json", "application/strategic-merge-patch+json")):
            old = api.read(kind, namespace or "", name)
            return 200, api.replace(kind, namespace or "", name, merged(copy.deepcopy(old), _read(body)), manager)
        raise Refused(415, "UnsupportedMediaType", f"the body of the request was in an unknown format - {content}")
    raise Refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def _place(parts: list[str]) -> tuple[Kind, str | None, str | None]:
    """Kind, namespace and name in a path; without a namespace a namespaced kind is meant in all of them."""
    group, rest = "", parts
    if parts[:1] == ["api"]:
        rest = parts[1:]
    elif parts[:1] == ["apis"] and len(parts) > 2:
        group, rest = parts[1], parts[2:]
    if len(rest) >= 4 and rest[1] == "namespaces":
        kind = _kind(group, rest[0], rest[3])
        if kind.namespaced and len(rest) <= 5:
            return kind, rest[2], rest[4] if len(rest) == 5 else None
    if 2 <= len(rest) <= 3:
        kind = _kind(group, rest[0], rest[1])
        if not (kind.namespaced and len(rest) == 3):
            return kind, None if kind.namespaced else "", rest[2] if len(rest) == 3 else None
    raise Refused(404, "NotFound", "the server could not find the requested resource")


def _read(body: bytes) -> Object:
    try:
        found = json.loads(body) if body[:1] == b"{" else yaml.safe_load(body)
        assert isinstance(found, dict)
    except (ValueError, AssertionError, yaml.YAMLError):
        raise Refused(400, "BadRequest", "the body of the request is not an object") from None
    return found
