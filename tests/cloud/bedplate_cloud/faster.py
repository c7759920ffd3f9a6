"""What moto, or the standard library under it, does slowly and for every call: the same, in less time.

Each was found in a profile of a run. None of it changes an answer.
"""

import functools
import http.client
from typing import Any

import moto.core.responses
import moto.core.serialize
from moto.core.serialize import (
    MISSING,
    AttributePickerContext,
    DefaultAttributePicker,
    ResponseSerializer,
    XFormedAttributePicker,
    get_value,
)
from moto.ec2.models.tags import TagBackend
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix
from moto.iam.models import AWSManagedPolicy, IAMBackend

from . import xml_writer


def install() -> None:
    """Put it in the place of what it replaces."""
    http.client.parse_headers = _headers
    moto.core.serialize.xmltodict = xml_writer
    # It lists the methods of a class anew for every call.
    moto.core.responses.method_names_from_class = functools.cache(moto.core.responses.method_names_from_class)
    ResponseSerializer.get_value = _member  # type: ignore[method-assign]
    TagBackend.describe_tags = _describe_tags  # type: ignore[method-assign]
    IAMBackend.get_account_authorization_details = _account_details  # type: ignore[method-assign]


def _headers(file: Any, _class: type = http.client.HTTPMessage) -> Any:
    """The headers of a request, as lines. The standard library reads them as it reads mail, which takes a tenth of a call."""
    message = _class()
    for line in http.client._read_headers(file):
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            message[name] = value.strip()
    return message


_slow_member = ResponseSerializer.get_value


def _member(self: Any, value: Any, key: str, shape: Any) -> Any:
    """A member of what is answered. Moto finds the names it may have in an object anew for every object."""
    picker = self._value_picker
    if type(picker) is DefaultAttributePicker:
        return get_value(value, key, None)
    if type(picker) is not XFormedAttributePicker or picker.response_transformers or hasattr(value, "Meta"):
        return _slow_member(self, value, key, shape)
    names = shape.__dict__.setdefault("bedplate_names", {})
    if (known := names.get((key, type(value)))) is None:
        context = AttributePickerContext(obj=value, key=key, shape=shape)
        # One that failed is not there the second time either.
        known = names[key, type(value)] = tuple(dict.fromkeys(picker.get_possible_keys(context)))
    for name in known:
        if (found := get_value(value, name, MISSING)) is not MISSING:
            return found
    return None


_all_tags = TagBackend.describe_tags


def _describe_tags(self: Any, filters: dict[str, list[str]] | None = None) -> list[dict[str, str]]:
    """The tags of a resource. Moto looks through those of all others, too, and describes each resource several times."""
    if not filters or list(filters) != ["resource-id"] or any("*" in one or "?" in one for one in filters["resource-id"]):
        return _all_tags(self, filters)
    wanted = dict.fromkeys(filters["resource-id"])
    return [
        {
            "resource_id": one,
            "key": key,
            "value": value,
            "resource_type": EC2_PREFIX_TO_RESOURCE.get(get_prefix(one), ""),
        }
        for one in wanted
        # It holds what was never tagged as well, once it was asked for.
        for key, value in (self.tags[one] if one in self.tags else {}).items()
    ]


_any_details = IAMBackend.get_account_authorization_details


def _account_details(self: Any, policy_filter: list[str]) -> dict[str, Any]:
    """What is asked for. Moto compares the account's policies with a thousand of AWS's each time."""
    if not policy_filter:
        return _any_details(self, policy_filter)

    def asked(kind: str, rows: Any) -> Any:
        return rows if kind in policy_filter else []

    return {
        "instance_profiles": self.instance_profiles.values(),
        "roles": asked("Role", self.roles.values()),
        "groups": asked("Group", self.groups.values()),
        "users": asked("User", self.users.values()),
        "managed_policies": [
            one
            for one in self.managed_policies.values()
            if ("AWSManagedPolicy" if isinstance(one, AWSManagedPolicy) else "LocalManagedPolicy") in policy_filter
        ],
    }
