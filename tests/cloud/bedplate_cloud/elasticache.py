"""ElastiCache's small things: subnet groups, parameter groups, versions, tags."""

import re
from typing import Any

from . import parameters, references, settings, store, switches
from .ec2 import backend_of
from .errors import AwsError
from .gateway import Call
from .parameters import Known
from .registry import handles
from .store import Document, Shelf, shown, tag_map

FAMILIES = {"redis6.x", "redis7", "valkey7", "valkey8"}
# Version asked for -> the version that runs; the newest of an engine is its default.
VERSIONS = {
    ("redis", "6.2"): ("6.2.6", "redis6.x"),
    ("redis", "7.0"): ("7.0.7", "redis7"),
    ("redis", "7.1"): ("7.1.0", "redis7"),
    ("valkey", "7.2"): ("7.2.6", "valkey7"),
    ("valkey", "8.0"): ("8.0.1", "valkey8"),
    ("valkey", "8.1"): ("8.1.0", "valkey8"),
}

subnet_groups = Shelf(
    "elasticache.subnet-group", "ARN", ("CacheSubnetGroupNotFoundFault", "Cache Subnet Group {} does not exist."), True
)
parameter_groups = Shelf(
    "elasticache.parameter-group", "ARN", ("CacheParameterGroupNotFound", "CacheParameterGroup {} not found."), True
)

POLICIES = "volatile-lru,allkeys-lru,volatile-lfu,allkeys-lfu,volatile-random,allkeys-random,volatile-ttl,noeviction"
KNOWN = {
    one.name: one
    for one in (
        Known("activedefrag", "no", "string", "yes,no"),
        Known("activerehashing", "yes", "string", "yes,no", True),
        Known("appendonly", "no", "string", "yes,no", modifiable=False),
        Known("client-query-buffer-limit", "1073741824", "integer", "1048576-1073741824"),
        Known("close-on-replica-write", "yes", "string", "yes,no", True),
        Known("cluster-enabled", "no", "string", "yes,no", True),
        Known("databases", "16", "integer", "1-1200000", True),
        Known("hash-max-listpack-entries", "512", "integer", "0-"),
        Known("lazyfree-lazy-eviction", "yes", "string", "yes,no", modifiable=False),
        Known("maxmemory-policy", "volatile-lru", "string", POLICIES),
        Known("maxmemory-samples", "3", "integer", "1-64"),
        Known("min-replicas-to-write", "0", "integer", "0-2147483647"),
        Known("notify-keyspace-events", None, "string"),
        Known("repl-backlog-size", "1048576", "integer", "16384-2147483647"),
        Known("reserved-memory-percent", "25", "integer", "0-100"),
        Known("slowlog-log-slower-than", "10000", "integer", "0-2147483647"),
        Known("slowlog-max-len", "128", "integer", "0-2147483647"),
        Known("tcp-keepalive", "300", "integer", "0-2147483647"),
        Known("timeout", "0", "integer", "0-2147483647"),
    )
}


def arn(region: str, kind: str, name: str) -> str:
    """The ARN of something in ElastiCache."""
    return f"arn:aws:elasticache:{region}:{settings.ACCOUNT}:{kind}:{name}"


def invalid(message: str) -> AwsError:
    """A value that is refused."""
    return AwsError("InvalidParameterValue", message)


def clash(message: str) -> AwsError:
    """Parameters that do not go together."""
    return AwsError("InvalidParameterCombination", message)


def check_name(name: str, what: str) -> str:
    """A lower-case name as ElastiCache takes it."""
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9-]{0,254}", name or "") or name.endswith("-") or "--" in name:
        raise invalid(
            f"The parameter {what} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII "
            "letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        )
    return name.lower()


@handles("elasticache:CreateCacheSubnetGroup")
def create_subnet_group(call: Call) -> dict[str, Any]:
    """A group of subnets in one VPC."""
    params = call.params
    name = check_name(params["CacheSubnetGroupName"], "CacheSubnetGroupName")
    if subnet_groups.find(call.region, name) or name == "default":
        raise AwsError("CacheSubnetGroupAlreadyExists", f"Cache subnet group {name} already exists.")
    doc = {
        "CacheSubnetGroupName": name,
        "CacheSubnetGroupDescription": params["CacheSubnetGroupDescription"],
        "ARN": arn(call.region, "subnetgroup", name),
        "SupportedNetworkTypes": ["ipv4"],
    } | _subnets(call)
    return {"CacheSubnetGroup": shown(subnet_groups.put(call.region, name, doc, tag_map(params.get("Tags"))))}


def _subnets(call: Call) -> Document:
    found = references.subnets(call.region, call.params.get("SubnetIds") or [], "InvalidSubnet")
    if not found:
        raise invalid("At least one subnet is needed.")
    rows = [
        {
            "SubnetIdentifier": one.id,
            "SubnetAvailabilityZone": {"Name": one.availability_zone},
            "SupportedNetworkTypes": ["ipv4"],
        }
        for one in found
    ]
    return {"VpcId": found[0].vpc_id, "Subnets": rows}


@handles("elasticache:ModifyCacheSubnetGroup")
def modify_subnet_group(call: Call) -> dict[str, Any]:
    """Other subnets or another description; a subnet with a node in it cannot be taken out."""
    doc = subnet_groups.get(call.region, call.params["CacheSubnetGroupName"])
    if call.params.get("SubnetIds"):
        changed = _subnets(call)
        kept = {row["SubnetIdentifier"] for row in changed["Subnets"]}
        for one in _users(call.region, doc["CacheSubnetGroupName"]):
            interfaces = backend_of(call.region).enis
            for interface in one["_interfaces"]:
                if interface in interfaces and interfaces[interface].subnet.id not in kept:
                    raise AwsError("SubnetInUse", f"The subnet {interfaces[interface].subnet.id} is in use.")
        doc |= changed
    if call.params.get("CacheSubnetGroupDescription"):
        doc["CacheSubnetGroupDescription"] = call.params["CacheSubnetGroupDescription"]
    return {"CacheSubnetGroup": shown(doc)}


@handles("elasticache:DescribeCacheSubnetGroups")
def describe_subnet_groups(call: Call) -> dict[str, Any]:
    """One subnet group or all."""
    found = subnet_groups.chosen(call.region, call.params.get("CacheSubnetGroupName"))
    return {"CacheSubnetGroups": [shown(one) for one in found]}


def _users(region: str, name: str, key: str = "_subnet_group") -> list[Document]:
    from .elasticache_groups import replication_groups

    return [one for one in replication_groups.all(region) if one[key] == name]


@handles("elasticache:DeleteCacheSubnetGroup")
def delete_subnet_group(call: Call) -> dict[str, Any]:
    """Delete a subnet group nothing uses."""
    name = subnet_groups.get(call.region, call.params["CacheSubnetGroupName"])["CacheSubnetGroupName"]
    if _users(call.region, name):
        raise AwsError("CacheSubnetGroupInUse", f"Cache subnet group {name} is currently in use by a cache cluster.")
    subnet_groups.drop(call.region, name)
    return {}


@handles("elasticache:CreateCacheParameterGroup")
def create_parameter_group(call: Call) -> dict[str, Any]:
    """A parameter group of a family."""
    params = call.params
    name = check_name(params["CacheParameterGroupName"], "CacheParameterGroupName")
    if params["CacheParameterGroupFamily"] not in FAMILIES:
        raise invalid(
            f"CacheParameterGroupFamily {params['CacheParameterGroupFamily']} is not a valid parameter group family."
        )
    if parameter_groups.find(call.region, name):
        raise AwsError("CacheParameterGroupAlreadyExists", f"The parameter group {name} already exists.")
    doc = {
        "CacheParameterGroupName": name,
        "CacheParameterGroupFamily": params["CacheParameterGroupFamily"],
        "Description": params["Description"],
        "IsGlobal": False,
        "ARN": arn(call.region, "parametergroup", name),
        "_values": {},
    }
    return {"CacheParameterGroup": shown(parameter_groups.put(call.region, name, doc, tag_map(params.get("Tags"))))}


def parameter_group(region: str, name: str) -> Document:
    """A parameter group, or one of AWS's default groups."""
    found = re.fullmatch(r"default\.([a-z0-9.]+?)(\.cluster\.on)?", name)
    if found and found[1] in FAMILIES:
        values = {"cluster-enabled": {"ParameterName": "cluster-enabled", "ParameterValue": "yes"}} if found[2] else {}
        return {
            "CacheParameterGroupName": name,
            "CacheParameterGroupFamily": found[1],
            "Description": f"Default parameter group for {found[1]}",
            "IsGlobal": False,
            "ARN": arn(region, "parametergroup", name),
            "_values": values,
        }
    return parameter_groups.get(region, name)


@handles("elasticache:DescribeCacheParameterGroups")
def describe_parameter_groups(call: Call) -> dict[str, Any]:
    """One parameter group, or all with AWS's default ones."""
    name = call.params.get("CacheParameterGroupName")
    if name:
        return {"CacheParameterGroups": [shown(parameter_group(call.region, name))]}
    given = [
        parameter_group(call.region, f"default.{one}{on}") for one in sorted(FAMILIES) for on in ("", ".cluster.on")
    ]
    return {"CacheParameterGroups": [shown(one) for one in given + parameter_groups.all(call.region)]}


@handles("elasticache:DescribeCacheParameters")
def describe_parameters(call: Call) -> dict[str, Any]:
    """A group's parameters, of one source if so asked."""
    doc = parameter_group(call.region, call.params["CacheParameterGroupName"])
    listed = parameters.rows(KNOWN, doc["_values"], call.params.get("Source"), "system")
    for row in listed:
        row["ChangeType"] = "requires-reboot" if KNOWN[row["ParameterName"]].static else "immediate"
        row["MinimumEngineVersion"] = "6.0.0"
    return {"Parameters": listed, "CacheNodeTypeSpecificParameters": []}


def _own_group(call: Call) -> Document:
    name = call.params["CacheParameterGroupName"]
    if name.startswith("default."):
        raise invalid(f"Modifications to AWS-owned CacheParameterGroup {name} are not allowed.")
    return parameter_groups.get(call.region, name)


@handles("elasticache:ModifyCacheParameterGroup")
def modify_parameters(call: Call) -> dict[str, Any]:
    """Set up to 20 parameters."""
    doc, wanted = _own_group(call), call.params.get("ParameterNameValues") or []
    if not 1 <= len(wanted) <= 20:
        raise invalid("A minimum of one and a maximum of 20 parameters may be modified per request.")
    for one in wanted:
        parameters.check(KNOWN, one["ParameterName"], one.get("ParameterValue") or "")
    doc["_values"] |= {
        one["ParameterName"]: {"ParameterName": one["ParameterName"], "ParameterValue": one.get("ParameterValue") or ""}
        for one in wanted
    }
    return {"CacheParameterGroupName": doc["CacheParameterGroupName"]}


@handles("elasticache:ResetCacheParameterGroup")
def reset_parameters(call: Call) -> dict[str, Any]:
    """Take parameters back to their defaults."""
    doc = _own_group(call)
    parameters.reset(doc["_values"], call.params, "ParameterNameValues")
    return {"CacheParameterGroupName": doc["CacheParameterGroupName"]}


@handles("elasticache:DeleteCacheParameterGroup")
def delete_parameter_group(call: Call) -> dict[str, Any]:
    """Delete a parameter group nothing uses."""
    name = _own_group(call)["CacheParameterGroupName"]
    if _users(call.region, name, "_parameter_group"):
        words = f"One or more cache clusters are still using the parameter group {name}."
        raise AwsError("InvalidCacheParameterGroupState", words)
    parameter_groups.drop(call.region, name)
    return {}


def offered() -> dict[tuple[str, str], tuple[str, str]]:
    """The versions that a cache can be made with."""
    return {one: known for one, known in VERSIONS.items() if ":".join(one) not in switches.current.withdrawn}


@handles("elasticache:DescribeCacheEngineVersions")
def describe_versions(call: Call) -> dict[str, Any]:
    """The versions that can be had."""
    params, rows = call.params, []
    for (engine, version), (_, family) in offered().items():
        row = {
            "Engine": engine,
            "EngineVersion": version,
            "CacheParameterGroupFamily": family,
            "CacheEngineDescription": engine.capitalize(),
            "CacheEngineVersionDescription": f"{engine} version {version}",
        }
        wanted = all(
            params.get(key) in (None, row[key]) for key in ("Engine", "EngineVersion", "CacheParameterGroupFamily")
        )
        if wanted:
            rows.append(row)
    if params.get("DefaultOnly"):
        rows = list({row["Engine"]: row for row in rows}.values())
    return {"CacheEngineVersions": rows}


def _tagged(call: Call) -> Document:
    name = call.params["ResourceName"]
    doc = store.by_arn("elasticache", name)
    if doc is None:
        parts = name.split(":")
        codes = {
            "replicationgroup": "ReplicationGroupNotFoundFault",
            "subnetgroup": "CacheSubnetGroupNotFoundFault",
            "parametergroup": "CacheParameterGroupNotFound",
            "snapshot": "SnapshotNotFoundFault",
        }
        code = codes.get(parts[5] if len(parts) > 6 else "", "CacheClusterNotFound" if len(parts) > 6 else "InvalidARN")
        raise AwsError(code, f"{name} is either not present or not available.", 404 if len(parts) > 6 else 400)
    return doc


@handles("elasticache:AddTagsToResource")
def add_tags(call: Call) -> dict[str, Any]:
    """Add tags."""
    doc = _tagged(call)
    doc["_tags"] |= tag_map(call.params.get("Tags"))
    return {"TagList": store.tag_list(doc)}


@handles("elasticache:RemoveTagsFromResource")
def remove_tags(call: Call) -> dict[str, Any]:
    """Remove tags; one that is not there is an error."""
    doc = _tagged(call)
    for key in call.params.get("TagKeys") or []:
        if key not in doc["_tags"]:
            raise AwsError("TagNotFound", f"The tag key {key} does not exist on the resource.", 404)
    for key in call.params.get("TagKeys") or []:
        doc["_tags"].pop(key, None)
    return {"TagList": store.tag_list(doc)}


@handles("elasticache:ListTagsForResource")
def list_tags(call: Call) -> dict[str, Any]:
    """List tags."""
    return {"TagList": store.tag_list(_tagged(call))}
