"""The Kubernetes versions EKS offers, with their support status."""

from datetime import UTC, datetime
from typing import Any

from .gateway import Call
from .registry import handles


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _version(
    patch: str, released: str, standard: str, extended: str, status: str, default: bool = False
) -> dict[str, Any]:
    return {
        "kubernetesPatchVersion": patch,
        "releaseDate": _day(released),
        "endOfStandardSupportDate": _day(standard),
        "endOfExtendedSupportDate": _day(extended),
        "versionStatus": status,
        "status": status.lower().replace("_", "-"),
        "defaultVersion": default,
    }


# Newest first, as EKS answers.
VERSIONS = {
    "1.36": _version("1.36.2", "2026-06-02", "2027-08-02", "2028-08-02", "STANDARD_SUPPORT"),
    "1.35": _version("1.35.4", "2026-01-28", "2027-03-27", "2028-03-27", "STANDARD_SUPPORT", default=True),
    "1.34": _version("1.34.8", "2025-10-02", "2026-12-02", "2027-12-02", "STANDARD_SUPPORT"),
    "1.33": _version("1.33.12", "2025-05-29", "2026-07-29", "2027-07-29", "EXTENDED_SUPPORT"),
}


def minor(version: str) -> int:
    """The minor number of a version like 1.34."""
    return int(version.split(".")[1])


def platform_version(version: str) -> str:
    """EKS's own release of a Kubernetes version."""
    return f"eks.{40 - minor(version)}"


@handles("eks:DescribeClusterVersions")
def describe_versions(call: Call) -> dict[str, Any]:
    """List versions, by number, status or default."""
    params = call.params
    rows = [
        {"clusterVersion": key, "clusterType": "eks", "defaultPlatformVersion": platform_version(key), **one}
        for key, one in VERSIONS.items()
    ]
    if params.get("clusterVersions"):
        rows = [row for row in rows if row["clusterVersion"] in params["clusterVersions"]]
    if params.get("defaultOnly"):
        rows = [row for row in rows if row["defaultVersion"]]
    for key in ("status", "versionStatus", "clusterType"):
        if params.get(key):
            rows = [row for row in rows if row[key] == params[key]]
    return {"clusterVersions": rows}
