"""What the services written here share: documents by region and name, their tags, and pending states.

A resource is a document in the shape of the service model; keys that start with an underscore are never sent.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

from . import clock, settings
from .errors import AwsError
from .registry import on_reset

Document = dict[str, Any]


class Shelf:
    """The resources of one kind. Names are without case, as RDS's and ElastiCache's are, where `fold` says so."""

    def __init__(self, kind: str, arn_key: str, missing: tuple[str, str], fold: bool = False) -> None:
        self.kind, self.arn_key, self.fold = kind, arn_key, fold
        # The code and the words for a resource that does not exist; `{}` in the words is its name.
        self.missing = missing
        self.rows: dict[tuple[str, str], Document] = {}
        SHELVES.append(self)
        on_reset(self.rows.clear)

    def _key(self, region: str, name: str) -> tuple[str, str]:
        return region, name.lower() if self.fold else name

    def find(self, region: str, name: str) -> Document | None:
        """The resource, or None."""
        return self.rows.get(self._key(region, name))

    def get(self, region: str, name: str) -> Document:
        """The resource, which has to exist."""
        found = self.find(region, name)
        if found is None:
            raise self.lacks(name)
        return found

    def lacks(self, name: str) -> AwsError:
        """The error for a name that nothing has."""
        code, words = self.missing
        return AwsError(code, words.format(name), 404)

    def put(self, region: str, name: str, doc: Document, tags: dict[str, str] | None = None) -> Document:
        """Keep a resource with its tags."""
        doc["_tags"] = dict(tags or {})
        self.rows[self._key(region, name)] = doc
        return doc

    def drop(self, region: str, name: str) -> None:
        """Forget a resource."""
        self.rows.pop(self._key(region, name), None)

    def all(self, region: str) -> list[Document]:
        """The region's resources by name."""
        return [doc for (where, _), doc in sorted(self.rows.items(), key=lambda one: one[0]) if where == region]

    def chosen(self, region: str, name: str | None) -> list[Document]:
        """The one that is named, or all."""
        return [self.get(region, name)] if name else self.all(region)


SHELVES: list[Shelf] = []


def shown(doc: Document) -> Document:
    """A copy of a document without what is never sent and what is absent."""
    return {key: copy.deepcopy(value) for key, value in doc.items() if not key.startswith("_") and value is not None}


def by_arn(service: str, arn: str) -> Document | None:
    """The resource of a service that has this ARN."""
    for shelf in SHELVES:
        if shelf.kind.startswith(service + "."):
            for doc in shelf.rows.values():
                if doc[shelf.arn_key] == arn:
                    return doc
    return None


def everything() -> Iterator[tuple[str, str]]:
    """Kind and ARN of every resource on a shelf."""
    for shelf in SHELVES:
        for doc in shelf.rows.values():
            yield shelf.kind, doc[shelf.arn_key]


def tag_map(pairs: list[dict[str, str]] | None) -> dict[str, str]:
    """Tags as a map; AWS takes no key of its own."""
    tags = {one["Key"]: one.get("Value") or "" for one in pairs or []}
    if any(key.startswith("aws:") for key in tags):
        raise AwsError("InvalidParameterValue", "Tag keys that start with aws: are reserved for internal use.")
    return tags


def tag_list(doc: Document) -> list[dict[str, str]]:
    """Tags as AWS lists them."""
    return [{"Key": key, "Value": value} for key, value in doc["_tags"].items()]


def settle(
    doc: Document, key: str, busy: str, duration: str, then: str, apply: Callable[[], None] | None = None
) -> None:
    """Show a busy state until its time is over. A later state wins over an earlier one."""
    doc[key] = busy
    doc["_turn"] = turn = doc.get("_turn", 0) + 1

    def finish() -> None:
        if doc["_turn"] == turn:
            doc[key] = then
        if apply is not None:
            apply()

    clock.later(settings.durations[duration], finish)
