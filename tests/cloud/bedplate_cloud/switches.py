"""What makes the cloud as unpleasant as AWS: each a switch, all off unless asked for.

They come from the command line, or from `POST /_cloud/settings`, where they have the same names.
"""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

FAULT_KINDS = ("throttling", "500", "503", "cut-before", "cut-after", "late")


@dataclass(frozen=True)
class Switches:
    """The switches with their meaning; durations are seconds of the cloud's clock, rates are between 0 and 1."""

    # Reads do not show what was made, and still show what was deleted, for so long.
    read_lag: float = 0.0
    # EC2 calls that name what was made so recently do not find it.
    use_lag: float = 0.0
    # New roles, their trust, policies attached to them and instance profiles are unknown to other services so long.
    iam_lag: float = 0.0
    # Calls a second, as a share of the rates AWS publishes; 1 is AWS's own rate, 0 no limit.
    throttle: float = 0.0
    # Whether quotas are enforced.
    quotas: bool = False
    # The network interfaces of nodes stay behind, free, for so long after their node group is gone.
    interface_lag: float = 0.0
    # Whether a cluster's controllers make a load balancer with its groups and targets, which stay when the cluster goes.
    controllers: bool = False
    # Whether a call signed more than a quarter of an hour away from the cloud's clock is refused.
    check_clock: bool = False
    # Zones, by id, without room for databases, nodes and control planes.
    full_zones: tuple[str, ...] = ()
    # Versions of engines that cannot be made any more: `redis:7.0`.
    withdrawn: tuple[str, ...] = ()
    # The share of calls that fail at random, how they may fail, and how late a late answer is, in real seconds.
    fault_rate: float = 0.0
    fault_kinds: tuple[str, ...] = FAULT_KINDS
    fault_delay: float = 0.5
    # Only these operations, or `mutating`, fail at random; empty for all.
    fault_operations: tuple[str, ...] = ()
    # How long every answer is on its way, in real seconds.
    latency: float = 0.0
    # The same seed draws the same faults for the nth call of each operation.
    seed: int = 1


# What `--realistic` turns on.
REALISTIC = {
    "read_lag": 1.0,
    "use_lag": 0.3,
    "iam_lag": 2.0,
    "throttle": 1.0,
    "quotas": True,
    "interface_lag": 2.0,
    "controllers": True,
    "fault_rate": 0.02,
}

current = Switches()
_chosen = Switches()


def choose(values: dict[str, Any]) -> None:
    """Set the switches the command line asks for; a reset of the cloud returns to them."""
    global current, _chosen
    current = _chosen = checked(Switches(), values)


def change(values: dict[str, Any]) -> None:
    """Change switches; names with dashes or underscores."""
    global current
    current = checked(current, values)


def reset() -> None:
    """Return to the switches of the command line."""
    global current
    current = _chosen


def shown() -> dict[str, Any]:
    """All switches with the names of the control API."""
    return {key.replace("_", "-"): value for key, value in asdict(current).items()}


def checked(old: Switches, values: dict[str, Any]) -> Switches:
    """The switches with some changed; a name or value that is none is a ValueError."""
    values = {key.replace("-", "_"): value for key, value in values.items()}
    if values.pop("realistic", False):
        values = REALISTIC | values
    known = {one.name: one for one in fields(Switches)}
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"unknown switch {key!r}; known: {', '.join(sorted(known))}")
        values[key] = _as(type(known[key].default), key, value)
    new = replace(old, **values)
    if not 0 <= new.fault_rate <= 1 or set(new.fault_kinds) - set(FAULT_KINDS):
        raise ValueError(f"fault-rate is between 0 and 1, fault-kinds are {', '.join(FAULT_KINDS)}")
    return new


def _as(kind: type, key: str, value: Any) -> Any:
    if kind is tuple:
        return tuple(value.split(",") if isinstance(value, str) else value)
    if kind is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{key} is true or false")
        return value
    if isinstance(value, bool) or float(value) < 0:
        raise ValueError(f"{key} is a number that is not negative")
    return kind(value)
