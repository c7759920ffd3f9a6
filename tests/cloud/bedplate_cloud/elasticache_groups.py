"""ElastiCache replication groups: creation, changes, replicas, token rotation, snapshots, deletion."""

import re
import secrets
from typing import Any

from . import clock, eks, references
from .elasticache import VERSIONS, arn, check_name, clash, invalid, offered, parameter_group, subnet_groups
from .errors import AwsError
from .gateway import Call
from .registry import handles
from .store import Document, Shelf, settle, shown, tag_map

replication_groups = Shelf(
    "elasticache.replication-group", "ARN", ("ReplicationGroupNotFoundFault", "ReplicationGroup {} not found."), True
)
snapshots = Shelf("elasticache.snapshot", "ARN", ("SnapshotNotFoundFault", "Snapshot {} not found."), True)

TOKEN = re.compile(r"[A-Za-z0-9!&#$^<>-]{16,128}")


@handles("elasticache:CreateReplicationGroup")
def create(call: Call) -> dict[str, Any]:
    """Start a replication group."""
    params = call.params
    name = check_name(params["ReplicationGroupId"], "ReplicationGroupId")
    if len(name) > 40:
        raise invalid("The parameter ReplicationGroupId must be no longer than 40 characters.")
    if not params.get("ReplicationGroupDescription"):
        raise invalid("The parameter ReplicationGroupDescription must be provided and must not be blank.")
    if replication_groups.find(call.region, name):
        raise AwsError("ReplicationGroupAlreadyExists", f"Replication group {name} already exists.")
    engine = params.get("Engine") or "redis"
    running, family = _version(engine, params.get("EngineVersion"))
    shards, replicas = _shape(params)
    group = _parameter_group(call.region, params.get("CacheParameterGroupName"), family, shards > 1)
    sharded = group["_values"].get("cluster-enabled", {}).get("ParameterValue") == "yes"
    if shards > 1 and not sharded:
        raise clash("Several node groups need a parameter group with cluster-enabled.")
    subnets, vpc_id, subnet_group = _subnets(call.region, params.get("CacheSubnetGroupName"))
    groups = params.get("SecurityGroupIds") or references.default_group(call.region, vpc_id)
    references.groups(call.region, groups, vpc_id, "InvalidParameterValue")
    _check_encryption(params)
    failover = bool(params.get("AutomaticFailoverEnabled"))
    _check_failover(failover or sharded, bool(params.get("MultiAZEnabled")), replicas)
    if params.get("NotificationTopicArn") and not references.topic(call.region, params["NotificationTopicArn"]):
        raise invalid(f"Topic {params['NotificationTopicArn']} does not exist.")
    eks.ensure_service_linked_role("elasticache.amazonaws.com")
    key = params.get("KmsKeyId")
    token = params.get("AuthToken")
    doc = {
        "ReplicationGroupId": name,
        "Description": params["ReplicationGroupDescription"],
        "Status": "creating",
        "PendingModifiedValues": {},
        "AutomaticFailover": "enabled" if failover or sharded else "disabled",
        "MultiAZ": "enabled" if params.get("MultiAZEnabled") else "disabled",
        "SnapshotRetentionLimit": params.get("SnapshotRetentionLimit") or 0,
        "SnapshotWindow": params.get("SnapshotWindow") or "05:00-06:00",
        "ClusterEnabled": sharded,
        "CacheNodeType": params.get("CacheNodeType") or "cache.r6g.large",
        "AuthTokenEnabled": bool(token),
        "AuthTokenLastModifiedDate": clock.timestamp() if token else None,
        "TransitEncryptionEnabled": bool(params.get("TransitEncryptionEnabled")),
        "AtRestEncryptionEnabled": bool(params.get("AtRestEncryptionEnabled")),
        "KmsKeyId": references.key_arn(call.region, key, "InvalidParameterValue") if key else None,
        "ARN": arn(call.region, "replicationgroup", name),
        "UserGroupIds": params.get("UserGroupIds") or None,
        "LogDeliveryConfigurations": [
            one | {"Status": "active"} for one in params.get("LogDeliveryConfigurations") or []
        ],
        "ReplicationGroupCreateTime": clock.timestamp(),
        "DataTiering": "enabled" if params.get("DataTieringEnabled") else "disabled",
        "AutoMinorVersionUpgrade": params.get("AutoMinorVersionUpgrade", True),
        "NetworkType": params.get("NetworkType") or "ipv4",
        "IpDiscovery": params.get("IpDiscovery") or "ipv4",
        "TransitEncryptionMode": (params.get("TransitEncryptionMode") or "required")
        if params.get("TransitEncryptionEnabled")
        else None,
        "ClusterMode": "enabled" if sharded else "disabled",
        "Engine": engine,
        "_version": running,
        "_parameter_group": group["CacheParameterGroupName"],
        "_subnet_group": subnet_group,
        "_subnets": subnets,
        "_groups": groups,
        "_port": params.get("Port") or 6379,
        "_maintenance": params.get("PreferredMaintenanceWindow") or "sun:06:00-sun:07:00",
        "_topic": params.get("NotificationTopicArn"),
        "_replicas": [replicas] * shards,
        "_tokens": [token] if token else [],
        "_unique": secrets.token_hex(3),
        "_pending": {},
    }
    _members(call.region, doc)
    replication_groups.put(call.region, name, doc, tag_map(params.get("Tags")))
    settle(doc, "Status", "creating", "replication-group.create", "available")
    return {"ReplicationGroup": _group(doc)}


def _version(engine: str, wanted: str | None) -> tuple[str, str]:
    versions = {version: one for (name, version), one in offered().items() if name == engine}
    if not versions:
        raise invalid(f"Invalid Engine: {engine}. Supported engines are: redis, valkey.")
    if wanted is None:
        return list(versions.values())[-1]
    for version, one in versions.items():
        if wanted in (version, one[0], version.split(".")[0] + ".x"):
            return one
    raise invalid(f"Cannot find version {wanted} for {engine}")


def _shape(params: Document) -> tuple[int, int]:
    nodes, shards = params.get("NumCacheClusters"), params.get("NumNodeGroups") or 1
    if nodes is not None and (params.get("ReplicasPerNodeGroup") is not None or shards > 1):
        raise clash("Cannot specify NumCacheClusters parameter together with NumNodeGroups or ReplicasPerNodeGroup.")
    replicas = nodes - 1 if nodes is not None else params.get("ReplicasPerNodeGroup") or 0
    if not 0 <= replicas <= 5:
        raise invalid("A node group can have between 0 and 5 replicas.")
    return shards, replicas


def _parameter_group(region: str, name: str | None, family: str, sharded: bool) -> Document:
    found = parameter_group(region, name or f"default.{family}{'.cluster.on' if sharded else ''}")
    if found["CacheParameterGroupFamily"] != family:
        words = f"Expected a parameter group of family {family} but found one of family {found['CacheParameterGroupFamily']}"
        raise clash(words)
    return found


def _subnets(region: str, name: str | None) -> tuple[list[tuple[str, str]], str, str]:
    if name and name != "default":
        doc = subnet_groups.get(region, name)
        rows = [(one["SubnetIdentifier"], one["SubnetAvailabilityZone"]["Name"]) for one in doc["Subnets"]]
        return rows, doc["VpcId"], doc["CacheSubnetGroupName"]
    found = references.default_vpc(region)
    if not found:
        raise AwsError("CacheSubnetGroupNotFoundFault", "No default subnet group: there is no default VPC.")
    return [(one.id, one.availability_zone) for one in found], found[0].vpc_id, "default"


def _check_encryption(params: Document) -> None:
    token = params.get("AuthToken")
    if token and not params.get("TransitEncryptionEnabled"):
        raise clash("The AUTH token is only supported when encryption-in-transit is enabled.")
    if token:
        check_token(token)
    if params.get("KmsKeyId") and not params.get("AtRestEncryptionEnabled"):
        raise clash("A KMS key needs encryption at rest to be enabled.")


def check_token(token: str) -> None:
    """Refuse a token with the wrong length or characters."""
    if not TOKEN.fullmatch(token):
        raise invalid(
            "Invalid AuthToken provided. Tokens must be 16 to 128 characters of letters, digits and the characters !, &, #, $, "
            "^, <, >, and -"
        )


def _check_failover(failover: bool, zones: bool, replicas: int) -> None:
    if failover and replicas < 1:
        raise clash("When using automatic failover, there must be at least 2 cache clusters in the replication group.")
    if zones and not failover:
        raise clash("Cannot enable Multi-AZ without automatic failover.")


def _host(region: str, doc: Document, prefix: str) -> str:
    short = "".join(part[:1] if number else part for number, part in enumerate(region.split("-")[:-1]))
    return f"{prefix}.{doc['_unique']}.{short}{region[-1]}.cache.amazonaws.com"


def _members(region: str, doc: Document) -> None:
    """Name the nodes, and put an interface for each into a subnet."""
    name, subnets, places, groups = doc["ReplicationGroupId"], doc["_subnets"], [], []
    sharded, port = doc["ClusterEnabled"], doc["_port"]
    for shard, replicas in enumerate(doc["_replicas"]):
        rows = []
        for number in range(replicas + 1):
            where, zone = subnets[(shard + number) % len(subnets)]
            places.append(where)
            member = f"{name}-{shard + 1:04d}-{number + 1:03d}" if sharded else f"{name}-{number + 1:03d}"
            row: Document = {"CacheClusterId": member, "CacheNodeId": "0001", "PreferredAvailabilityZone": zone}
            if not sharded:
                row["CurrentRole"] = "replica" if number else "primary"
                row["ReadEndpoint"] = {"Address": _host(region, doc, f"{member}.{name}"), "Port": port}
            rows.append(row)
        group: Document = {"NodeGroupId": f"{shard + 1:04d}", "Status": "available", "NodeGroupMembers": rows}
        if not sharded:
            group["PrimaryEndpoint"] = {"Address": _host(region, doc, f"master.{name}"), "Port": port}
            group["ReaderEndpoint"] = {"Address": _host(region, doc, f"replica.{name}"), "Port": port}
        groups.append(group)
    doc["NodeGroups"] = groups
    doc["MemberClusters"] = [row["CacheClusterId"] for one in groups for row in one["NodeGroupMembers"]]
    if sharded:
        doc["ConfigurationEndpoint"] = {"Address": _host(region, doc, f"clustercfg.{name}"), "Port": port}
    references.place(region, doc, places, doc["_groups"], f"ElastiCache {name}")


def _group(doc: Document) -> Document:
    row = shown(doc)
    if doc["Status"] == "creating":
        # The addresses come with the nodes.
        for key in ("NodeGroups", "ConfigurationEndpoint"):
            row.pop(key, None)
    return row


@handles("elasticache:DescribeReplicationGroups")
def describe(call: Call) -> dict[str, Any]:
    """One replication group or all."""
    found = replication_groups.chosen(call.region, call.params.get("ReplicationGroupId"))
    return {"ReplicationGroups": [_group(one) for one in found]}


@handles("elasticache:DescribeCacheClusters")
def describe_nodes(call: Call) -> dict[str, Any]:
    """The nodes of the replication groups: here stand version, security groups, parameter and subnet group."""
    rows = []
    if not call.params.get("ShowCacheClustersNotInReplicationGroups"):
        rows = [
            _node(call, doc, member) for doc in replication_groups.all(call.region) for member in doc["MemberClusters"]
        ]
    wanted = call.params.get("CacheClusterId")
    chosen = [row for row in rows if not wanted or row["CacheClusterId"] == wanted.lower()]
    if wanted and not chosen:
        raise AwsError("CacheClusterNotFound", f"CacheCluster not found: {wanted}", 404)
    return {"CacheClusters": chosen}


def _node(call: Call, doc: Document, member: str) -> Document:
    place = next(row for one in doc["NodeGroups"] for row in one["NodeGroupMembers"] if row["CacheClusterId"] == member)
    changes = doc["PendingModifiedValues"].get("AuthTokenStatus")
    row = {
        "CacheClusterId": member,
        "CacheNodeType": doc["CacheNodeType"],
        "Engine": doc["Engine"],
        "EngineVersion": doc["_version"],
        "CacheClusterStatus": doc["Status"],
        "NumCacheNodes": 1,
        "PreferredAvailabilityZone": place["PreferredAvailabilityZone"],
        "CacheClusterCreateTime": doc["ReplicationGroupCreateTime"],
        "PreferredMaintenanceWindow": doc["_maintenance"],
        "PendingModifiedValues": doc["_pending"] | ({"AuthTokenStatus": changes} if changes else {}),
        "CacheParameterGroup": {
            "CacheParameterGroupName": doc["_parameter_group"],
            "ParameterApplyStatus": "in-sync",
            "CacheNodeIdsToReboot": [],
        },
        "CacheSubnetGroupName": doc["_subnet_group"],
        "AutoMinorVersionUpgrade": doc["AutoMinorVersionUpgrade"],
        "SecurityGroups": [{"SecurityGroupId": one, "Status": "active"} for one in doc["_groups"]],
        "ReplicationGroupId": doc["ReplicationGroupId"],
        "SnapshotRetentionLimit": doc["SnapshotRetentionLimit"],
        "SnapshotWindow": doc["SnapshotWindow"],
        "AuthTokenEnabled": doc["AuthTokenEnabled"],
        "TransitEncryptionEnabled": doc["TransitEncryptionEnabled"],
        "AtRestEncryptionEnabled": doc["AtRestEncryptionEnabled"],
        "ARN": arn(call.region, "cluster", member),
        "ReplicationGroupLogDeliveryEnabled": bool(doc["LogDeliveryConfigurations"]),
        "NetworkType": doc["NetworkType"],
        "IpDiscovery": doc["IpDiscovery"],
    }
    if doc["TransitEncryptionMode"]:
        row["TransitEncryptionMode"] = doc["TransitEncryptionMode"]
    if doc["_topic"]:
        row["NotificationConfiguration"] = {"TopicArn": doc["_topic"], "TopicStatus": "active"}
    if call.params.get("ShowCacheNodeInfo") and doc["Status"] != "creating":
        node = {"CacheNodeId": "0001", "CacheNodeStatus": "available", "ParameterGroupStatus": "in-sync"}
        node["CacheNodeCreateTime"] = doc["ReplicationGroupCreateTime"]
        node["CustomerAvailabilityZone"] = place["PreferredAvailabilityZone"]
        row["CacheNodes"] = [node]
    return row


def _idle(call: Call) -> Document:
    doc = replication_groups.get(call.region, call.params["ReplicationGroupId"])
    if doc["Status"] != "available":
        words = f"Replication group must be in available state. Replication group {doc['ReplicationGroupId']} has state {doc['Status']}."
        raise AwsError("InvalidReplicationGroupState", words)
    return doc


@handles("elasticache:ModifyReplicationGroup")
def modify(call: Call) -> dict[str, Any]:
    """Change settings. What takes a restart waits for the maintenance window unless it is asked for at once."""
    doc, params = _idle(call), call.params
    now = bool(params.get("ApplyImmediately"))
    changes, later = _changes(call, doc)
    if params.get("AuthToken") or params.get("AuthTokenUpdateStrategy"):
        if not now:
            raise clash("The AUTH token can only be changed with ApplyImmediately.")
        changes |= _token(doc, params)
    at_once = {
        "Description",
        "SnapshotRetentionLimit",
        "SnapshotWindow",
        "_maintenance",
        "_topic",
        "AutoMinorVersionUpgrade",
    }
    doc |= {key: changes.pop(key) for key in list(changes) if key in at_once}
    names = {"_version": "EngineVersion", "CacheNodeType": "CacheNodeType"}
    doc["_pending"] |= {names[key]: value for key, value in later.items()}
    if now:
        # Whatever waits is applied together with what is asked for at once.
        changes |= {key: doc["_pending"][name] for key, name in names.items() if name in doc["_pending"]}

    def apply() -> None:
        moved = "_groups" in changes
        doc.update(changes)
        doc["PendingModifiedValues"] = {}
        if now:
            doc["_pending"] = {}
        if moved:
            _members(call.region, doc)

    settle(doc, "Status", "modifying", "replication-group.modify", "available", apply)
    return {"ReplicationGroup": _group(doc)}


def _changes(call: Call, doc: Document) -> tuple[Document, Document]:
    params, changes, later = call.params, {}, {}
    direct = {
        "ReplicationGroupDescription": "Description",
        "SnapshotRetentionLimit": "SnapshotRetentionLimit",
        "SnapshotWindow": "SnapshotWindow",
        "PreferredMaintenanceWindow": "_maintenance",
        "AutoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
        "NotificationTopicArn": "_topic",
        "IpDiscovery": "IpDiscovery",
        "TransitEncryptionEnabled": "TransitEncryptionEnabled",
        "TransitEncryptionMode": "TransitEncryptionMode",
    }
    for parameter, key in direct.items():
        if params.get(parameter) is not None:
            changes[key] = params[parameter]
    if params.get("NotificationTopicStatus") == "inactive":
        changes["_topic"] = None
    if params.get("SecurityGroupIds"):
        vpc_id = (
            subnet_groups.get(call.region, doc["_subnet_group"])["VpcId"] if doc["_subnet_group"] != "default" else None
        )
        references.groups(call.region, params["SecurityGroupIds"], vpc_id, "InvalidParameterValue")
        changes["_groups"] = params["SecurityGroupIds"]
    for parameter, key in (("AutomaticFailoverEnabled", "AutomaticFailover"), ("MultiAZEnabled", "MultiAZ")):
        if params.get(parameter) is not None:
            changes[key] = "enabled" if params[parameter] else "disabled"
    combined = doc | changes
    _check_failover(combined["AutomaticFailover"] == "enabled", combined["MultiAZ"] == "enabled", min(doc["_replicas"]))
    engine = params.get("Engine") or doc["Engine"]
    family = next(
        one for (name, _), (version, one) in VERSIONS.items() if (name, version) == (doc["Engine"], doc["_version"])
    )
    if params.get("EngineVersion") or engine != doc["Engine"]:
        running, family = _version(engine, params.get("EngineVersion"))
        if engine == doc["Engine"] and running < doc["_version"]:
            raise clash(f"Cannot downgrade from {doc['_version']} to {running}.")
        if engine != doc["Engine"]:
            changes["Engine"] = engine
        if running != doc["_version"]:
            later["_version"] = running
    if params.get("CacheNodeType") and params["CacheNodeType"] != doc["CacheNodeType"]:
        later["CacheNodeType"] = params["CacheNodeType"]
    if params.get("CacheParameterGroupName"):
        found = _parameter_group(call.region, params["CacheParameterGroupName"], family, doc["ClusterEnabled"])
        changes["_parameter_group"] = found["CacheParameterGroupName"]
    if params.get("LogDeliveryConfigurations"):
        wanted = [one for one in params["LogDeliveryConfigurations"] if one.get("Enabled", True)]
        kinds = {one["LogType"] for one in params["LogDeliveryConfigurations"]}
        kept = [one for one in doc["LogDeliveryConfigurations"] if one["LogType"] not in kinds]
        shape = [
            {key: value for key, value in one.items() if key != "Enabled"} | {"Status": "active"} for one in wanted
        ]
        changes["LogDeliveryConfigurations"] = kept + shape
    return changes, later


def _token(doc: Document, params: Document) -> Document:
    """ROTATE adds a token beside the present one, SET leaves only the new one, DELETE none."""
    if not doc["TransitEncryptionEnabled"]:
        raise clash("The AUTH token is only supported when encryption-in-transit is enabled.")
    strategy, token = params.get("AuthTokenUpdateStrategy") or "ROTATE", params.get("AuthToken")
    if strategy not in ("ROTATE", "SET", "DELETE"):
        raise invalid(f"Invalid AuthTokenUpdateStrategy: {strategy}")
    if strategy == "DELETE":
        doc["PendingModifiedValues"] = {"AuthTokenStatus": "SETTING"}
        return {"_tokens": [], "AuthTokenEnabled": False, "AuthTokenLastModifiedDate": clock.timestamp()}
    if not token:
        raise clash("AuthTokenUpdateStrategy needs an AuthToken.")
    check_token(token)
    if strategy == "ROTATE" and not doc["AuthTokenEnabled"]:
        raise clash("The AUTH token can only be rotated where AUTH is enabled; use SET.")
    doc["PendingModifiedValues"] = {"AuthTokenStatus": "ROTATING" if strategy == "ROTATE" else "SETTING"}
    tokens = [*doc["_tokens"][-1:], token] if strategy == "ROTATE" else [token]
    return {"_tokens": tokens, "AuthTokenEnabled": True, "AuthTokenLastModifiedDate": clock.timestamp()}


@handles("elasticache:IncreaseReplicaCount", "elasticache:DecreaseReplicaCount")
def change_replicas(call: Call) -> dict[str, Any]:
    """More or fewer replicas in every node group or in some."""
    doc, params = _idle(call), call.params
    if not params.get("ApplyImmediately"):
        raise invalid("The number of replicas can only be changed with ApplyImmediately.")
    wanted = list(doc["_replicas"])
    if params.get("NewReplicaCount") is not None:
        wanted = [params["NewReplicaCount"]] * len(wanted)
    for one in params.get("ReplicaConfiguration") or []:
        wanted[int(one["NodeGroupId"]) - 1] = one["NewReplicaCount"]
    if wanted == doc["_replicas"]:
        raise AwsError("NoOperationFault", "The operation was not performed because no changes were required.")
    grows = call.target.operation == "IncreaseReplicaCount"
    if any((new < old) if grows else (new > old) for new, old in zip(wanted, doc["_replicas"], strict=True)):
        raise invalid(f"NewReplicaCount has to be {'more' if grows else 'less'} than the current count.")
    if not all(0 <= one <= 5 for one in wanted):
        raise invalid("A node group can have between 0 and 5 replicas.")
    _check_failover(doc["AutomaticFailover"] == "enabled", doc["MultiAZ"] == "enabled", min(wanted))

    def apply() -> None:
        doc["_replicas"] = wanted
        _members(call.region, doc)

    settle(doc, "Status", "modifying", "replication-group.modify", "available", apply)
    return {"ReplicationGroup": _group(doc)}


@handles("elasticache:DeleteReplicationGroup")
def delete(call: Call) -> dict[str, Any]:
    """Start deleting, after a final snapshot if one is named."""
    doc = replication_groups.get(call.region, call.params["ReplicationGroupId"])
    name = doc["ReplicationGroupId"]
    if doc["Status"] != "available":
        words = f"Replication group {name} has status {doc['Status']} which is not valid for deletion."
        raise AwsError("InvalidReplicationGroupState", words)
    final = call.params.get("FinalSnapshotIdentifier")
    if final:
        _snapshot(call, doc, final, {})

    def gone() -> None:
        references.place(call.region, doc, [], [], "")
        replication_groups.drop(call.region, name)

    settle(doc, "Status", "deleting", "replication-group.delete", "deleted", gone)
    return {"ReplicationGroup": _group(doc)}


def _snapshot(call: Call, doc: Document, name: str, tags: dict[str, str]) -> Document:
    name = check_name(name, "SnapshotName")
    if snapshots.find(call.region, name):
        raise AwsError("SnapshotAlreadyExistsFault", f"The snapshot {name} already exists.")
    made = {
        "SnapshotName": name,
        "ReplicationGroupId": doc["ReplicationGroupId"],
        "ReplicationGroupDescription": doc["Description"],
        "SnapshotSource": "manual",
        "CacheNodeType": doc["CacheNodeType"],
        "Engine": doc["Engine"],
        "EngineVersion": doc["_version"],
        "PreferredMaintenanceWindow": doc["_maintenance"],
        "Port": doc["_port"],
        "CacheParameterGroupName": doc["_parameter_group"],
        "CacheSubnetGroupName": doc["_subnet_group"],
        "AutoMinorVersionUpgrade": doc["AutoMinorVersionUpgrade"],
        "SnapshotRetentionLimit": doc["SnapshotRetentionLimit"],
        "SnapshotWindow": doc["SnapshotWindow"],
        "NumNodeGroups": len(doc["_replicas"]),
        "AutomaticFailover": doc["AutomaticFailover"],
        "KmsKeyId": doc["KmsKeyId"],
        "ARN": arn(call.region, "snapshot", name),
        "NodeSnapshots": [],
    }
    snapshots.put(call.region, name, made, tags)
    settle(made, "SnapshotStatus", "creating", "snapshot.create", "available")
    return made


@handles("elasticache:CreateSnapshot")
def create_snapshot(call: Call) -> dict[str, Any]:
    """Start a snapshot of a replication group."""
    doc = _idle(call)
    return {"Snapshot": shown(_snapshot(call, doc, call.params["SnapshotName"], tag_map(call.params.get("Tags"))))}


@handles("elasticache:DescribeSnapshots")
def describe_snapshots(call: Call) -> dict[str, Any]:
    """Snapshots, by name or replication group."""
    group = call.params.get("ReplicationGroupId")
    rows = snapshots.chosen(call.region, call.params.get("SnapshotName"))
    return {"Snapshots": [shown(one) for one in rows if not group or one["ReplicationGroupId"] == group.lower()]}


@handles("elasticache:DeleteSnapshot")
def delete_snapshot(call: Call) -> dict[str, Any]:
    """Delete a snapshot."""
    doc = snapshots.get(call.region, call.params["SnapshotName"])
    settle(
        doc,
        "SnapshotStatus",
        "deleting",
        "snapshot.delete",
        "deleted",
        lambda: snapshots.drop(call.region, doc["SnapshotName"]),
    )
    return {"Snapshot": shown(doc)}


@handles("elasticache:CreateCacheCluster", "elasticache:DeleteCacheCluster")
def no_single_nodes(call: Call) -> dict[str, Any]:
    """Nodes exist in replication groups only."""
    raise AwsError("NotImplemented", f"{call.target.operation}: this cloud has replication groups only", 501)
