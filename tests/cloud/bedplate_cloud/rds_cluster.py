"""Aurora clusters: creation, changes, the managed password, snapshots, deletion."""

import json
import secrets as random
import string
import uuid
from typing import Any

from moto.secretsmanager.models import secretsmanager_backends

from . import clock, eks, references, settings
from .errors import AwsError
from .gateway import Call
from .rds import (
    DEFAULT_VERSION,
    ENGINE,
    LOG_TYPES,
    VERSIONS,
    arn,
    check_name,
    clash,
    filtered,
    invalid,
    newer,
    offered,
    parameter_group,
    subnet_groups,
    tags_of,
)
from .rds_insights import PARAMETERS, insights
from .registry import handles
from .store import Document, Shelf, settle, shown, tag_list, tag_map

clusters = Shelf("rds.cluster", "DBClusterArn", ("DBClusterNotFoundFault", "DBCluster {} not found."), True)
snapshots = Shelf(
    "rds.cluster-snapshot",
    "DBClusterSnapshotArn",
    ("DBClusterSnapshotNotFoundFault", "DBClusterSnapshot {} not found."),
    True,
)

RESERVED = {"admin", "rdsadmin", "postgres_admin", "user", "root", "public"}
BAD_PASSWORD = set('/"@ ')


@handles("rds:CreateDBCluster")
def create(call: Call) -> dict[str, Any]:
    """Start a cluster, which has no instances yet."""
    params, region = call.params, call.region
    name = check_name(params["DBClusterIdentifier"], "DBClusterIdentifier")
    if params["Engine"] != ENGINE:
        raise AwsError("NotImplemented", f"this cloud has {ENGINE} only, not {params['Engine']}", 501)
    if clusters.find(region, name):
        raise AwsError("DBClusterAlreadyExistsFault", "DB Cluster already exists")
    version = params.get("EngineVersion") or DEFAULT_VERSION
    versions = offered()
    if version not in versions:
        found = [one for one in versions if one.split(".")[0] == version]
        if not found:
            raise clash(f"Cannot find version {version} for {ENGINE}")
        version = found[-1]
    subnets = _subnet_group(region, params.get("DBSubnetGroupName"))
    groups = params.get("VpcSecurityGroupIds") or references.default_group(region, subnets["VpcId"])
    references.groups(
        region, groups, subnets["VpcId"], "InvalidVPCNetworkStateFault" if not groups else "InvalidParameterValue"
    )
    family = f"{ENGINE}{version.split('.')[0]}"
    parameters = _parameter_group(region, params.get("DBClusterParameterGroupName") or f"default.{family}", family)
    _check_password(params)
    retention = params.get("BackupRetentionPeriod") or 1
    _check_retention(retention)
    logs = _check_logs(params.get("EnableCloudwatchLogsExports") or [])
    key = params.get("KmsKeyId")
    if key and not params.get("StorageEncrypted"):
        raise clash("A KMS key can only be given for encrypted storage.")
    encrypted = bool(params.get("StorageEncrypted"))
    measured = insights(region, params, {"PerformanceInsightsEnabled": False})
    eks.ensure_service_linked_role("rds.amazonaws.com")
    unique = "".join(random.choice(string.ascii_uppercase + string.digits) for _ in range(26))
    host = f"{random.token_hex(6)}.{region}.rds.amazonaws.com"
    doc = {
        "DBClusterIdentifier": name,
        "DBClusterArn": arn(region, "cluster", name),
        "DbClusterResourceId": f"cluster-{unique}",
        "Status": "creating",
        "AllocatedStorage": 1,
        "AvailabilityZones": params.get("AvailabilityZones") or [f"{region}{letter}" for letter in "abc"],
        "BackupRetentionPeriod": retention,
        "DatabaseName": params.get("DatabaseName"),
        "DBClusterParameterGroup": parameters,
        "DBSubnetGroup": subnets["DBSubnetGroupName"],
        "Endpoint": f"{name}.cluster-{host}",
        "ReaderEndpoint": f"{name}.cluster-ro-{host}",
        "MultiAZ": False,
        "Engine": ENGINE,
        "EngineVersion": version,
        "EngineMode": "provisioned",
        "EngineLifecycleSupport": params.get("EngineLifecycleSupport") or "open-source-rds-extended-support",
        "Port": params.get("Port") or 5432,
        "MasterUsername": params.get("MasterUsername"),
        "PreferredBackupWindow": params.get("PreferredBackupWindow") or "04:00-04:30",
        "PreferredMaintenanceWindow": params.get("PreferredMaintenanceWindow") or "sun:06:00-sun:06:30",
        "ReadReplicaIdentifiers": [],
        "VpcSecurityGroups": [{"VpcSecurityGroupId": one, "Status": "active"} for one in groups],
        "HostedZoneId": "Z2R2ITUGPM61AM",
        "StorageEncrypted": encrypted,
        "KmsKeyId": references.key_arn(region, key or "alias/aws/rds", "KMSKeyNotAccessibleFault")
        if encrypted
        else None,
        "AssociatedRoles": [],
        "IAMDatabaseAuthenticationEnabled": bool(params.get("EnableIAMDatabaseAuthentication")),
        "ClusterCreateTime": clock.timestamp(),
        "EarliestRestorableTime": clock.timestamp(),
        "LatestRestorableTime": clock.timestamp(),
        "EnabledCloudwatchLogsExports": logs or None,
        "DeletionProtection": bool(params.get("DeletionProtection")),
        "HttpEndpointEnabled": bool(params.get("EnableHttpEndpoint")),
        "ActivityStreamStatus": "stopped",
        "CopyTagsToSnapshot": bool(params.get("CopyTagsToSnapshot")),
        "CrossAccountClone": False,
        "DomainMemberships": [],
        "NetworkType": params.get("NetworkType") or "IPV4",
        "StorageType": params.get("StorageType"),
        "AutoMinorVersionUpgrade": True,
        "ServerlessV2ScalingConfiguration": params.get("ServerlessV2ScalingConfiguration"),
        **measured,
        "_host": host,
        "_members": [],
        "_subnets": [row["SubnetIdentifier"] for row in subnets["Subnets"]],
        "_vpc": subnets["VpcId"],
    }
    if params.get("ManageMasterUserPassword"):
        manage_password(region, doc, params.get("MasterUserSecretKmsKeyId"))
    clusters.put(region, name, doc, tags_of(params))
    settle(doc, "Status", "creating", "db-cluster.create", "available", lambda: _secret_ready(doc))
    return {"DBCluster": view(doc)}


def _subnet_group(region: str, name: str | None) -> Document:
    if name and name != "default":
        return subnet_groups.get(region, name)
    found = references.default_vpc(region)
    if not found:
        raise AwsError("DBSubnetGroupNotFoundFault", "DB subnet group 'default' does not exist.", 404)
    rows = [{"SubnetIdentifier": one.id, "SubnetAvailabilityZone": {"Name": one.availability_zone}} for one in found]
    return {"DBSubnetGroupName": "default", "VpcId": found[0].vpc_id, "Subnets": rows}


def _parameter_group(region: str, name: str, family: str) -> str:
    try:
        doc = parameter_group(region, name, True)
    except AwsError as error:
        raise AwsError("DBClusterParameterGroupNotFound", error.message, 404) from None
    if doc["DBParameterGroupFamily"] != family:
        raise clash(
            f"The parameter group {name} with DBParameterGroupFamily {doc['DBParameterGroupFamily']} can't be used for this cluster. Use a parameter group with DBParameterGroupFamily {family}."
        )
    return doc["DBClusterParameterGroupName"]


def _check_password(params: Document) -> None:
    user, password, managed = (
        params.get(key) for key in ("MasterUsername", "MasterUserPassword", "ManageMasterUserPassword")
    )
    if not user:
        raise clash("The parameter MasterUsername must be provided and must not be blank.")
    if user.lower() in RESERVED:
        raise invalid(f"MasterUsername {user} cannot be used as it is a reserved word used by the engine")
    if managed and password:
        raise clash("You can't specify MasterUserPassword when ManageMasterUserPassword is on.")
    if not managed and not password:
        raise clash("The parameter MasterUserPassword must be provided and must not be blank.")
    if not managed and params.get("MasterUserSecretKmsKeyId"):
        raise clash("MasterUserSecretKmsKeyId needs ManageMasterUserPassword.")
    if password and (len(password) < 8 or BAD_PASSWORD & set(password)):
        raise invalid(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', "
            "' ' may be used."
        )


def _check_retention(days: int) -> None:
    if not 1 <= days <= 35:
        raise invalid(f"Invalid backup retention period: {days}. Retention period must be between 1 and 35.")


def _check_logs(kinds: list[str]) -> list[str]:
    wrong = [one for one in kinds if one not in LOG_TYPES]
    if wrong:
        raise clash(f"You cannot use the log types '{', '.join(wrong)}' with engine version {ENGINE}.")
    return sorted(kinds)


def manage_password(region: str, doc: Document, key: str | None) -> None:
    """The password as a secret that RDS owns and rotates."""
    chosen = references.key_arn(region, key or "alias/aws/secretsmanager", "KMSKeyNotAccessibleFault")
    password = "".join(random.choice(string.ascii_letters + string.digits) for _ in range(32))
    secret = secretsmanager_backends[settings.ACCOUNT][region].create_managed_secret(
        "rds",
        f"rds!cluster-{uuid.uuid4()}",
        secret_string=json.dumps({"username": doc["MasterUsername"], "password": password}),
        description=f"Secret associated with primary RDS DB cluster: {doc['DBClusterArn']}",
        tags=[{"Key": "aws:rds:primaryDBClusterArn", "Value": doc["DBClusterArn"]}],
        kms_key_id=chosen,
    )
    secret.rotation_requested = secret.rotation_enabled = True
    secret.auto_rotate_after_days = 7
    doc["MasterUserSecret"] = {"SecretArn": secret.arn, "SecretStatus": "creating", "KmsKeyId": chosen}


def _secret_ready(doc: Document) -> None:
    if doc.get("MasterUserSecret"):
        doc["MasterUserSecret"]["SecretStatus"] = "active"


def _drop_secret(region: str, doc: Document) -> None:
    secret = doc.pop("MasterUserSecret", None)
    backend = secretsmanager_backends[settings.ACCOUNT][region]
    if secret and backend.secrets.get(secret["SecretArn"]):
        backend.secrets.pop(secret["SecretArn"])


def view(doc: Document) -> Document:
    """A cluster as DescribeDBClusters shows it."""
    row = shown(doc)
    row["TagList"] = tag_list(doc)
    row["DBClusterMembers"] = [
        {
            "DBInstanceIdentifier": one["DBInstanceIdentifier"],
            "IsClusterWriter": number == 0,
            "DBClusterParameterGroupStatus": "pending-reboot" if one["_reboot_cluster"] else "in-sync",
            "PromotionTier": one["PromotionTier"],
        }
        for number, one in enumerate(doc["_members"])
    ]
    row["MultiAZ"] = len({one["AvailabilityZone"] for one in doc["_members"]}) > 1
    return row


FIELDS = {
    "db-cluster-id": ("DBClusterIdentifier", "DBClusterArn"),
    "db-cluster-resource-id": ("DbClusterResourceId",),
    "engine": ("Engine",),
}


@handles("rds:DescribeDBClusters")
def describe(call: Call) -> dict[str, Any]:
    """One cluster or all that match the filters."""
    name = (call.params.get("DBClusterIdentifier") or "").rpartition(":")[2] or None
    return {"DBClusters": [view(one) for one in filtered(call, clusters.chosen(call.region, name), FIELDS)]}


def idle(doc: Document) -> Document:
    """A cluster that is available."""
    if doc["Status"] != "available":
        words = f"DB cluster {doc['DBClusterIdentifier']} is not in available state: it is {doc['Status']}."
        raise AwsError("InvalidDBClusterStateFault", words)
    return doc


DIRECT = {
    "BackupRetentionPeriod": "BackupRetentionPeriod",
    "PreferredBackupWindow": "PreferredBackupWindow",
    "PreferredMaintenanceWindow": "PreferredMaintenanceWindow",
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    "DeletionProtection": "DeletionProtection",
    "CopyTagsToSnapshot": "CopyTagsToSnapshot",
    "Port": "Port",
    "StorageType": "StorageType",
    "NetworkType": "NetworkType",
    "ServerlessV2ScalingConfiguration": "ServerlessV2ScalingConfiguration",
    "AutoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "EngineLifecycleSupport": "EngineLifecycleSupport",
}
# These are in force as soon as the call returns.
AT_ONCE = {"DeletionProtection", "CopyTagsToSnapshot"}


@handles("rds:ModifyDBCluster")
def modify(call: Call) -> dict[str, Any]:
    """Change settings. EnableHttpEndpoint is taken and ignored, as it is for clusters with instances."""
    doc, params = idle(clusters.get(call.region, call.params["DBClusterIdentifier"])), call.params
    changes = {key: params[parameter] for parameter, key in DIRECT.items() if params.get(parameter) is not None}
    _check_retention(changes.get("BackupRetentionPeriod", doc["BackupRetentionPeriod"]))
    version = params.get("EngineVersion")
    if version and version != doc["EngineVersion"]:
        _check_upgrade(doc, version, bool(params.get("AllowMajorVersionUpgrade")))
        if not params.get("ApplyImmediately"):
            doc["PendingModifiedValues"] = {"EngineVersion": version}
        else:
            changes["EngineVersion"] = version
    family = f"{ENGINE}{(changes.get('EngineVersion') or doc['EngineVersion']).split('.')[0]}"
    if params.get("DBClusterParameterGroupName"):
        changes["DBClusterParameterGroup"] = _parameter_group(
            call.region, params["DBClusterParameterGroupName"], family
        )
    elif "EngineVersion" in changes and not doc["DBClusterParameterGroup"].startswith("default."):
        _parameter_group(call.region, doc["DBClusterParameterGroup"], family)
    elif "EngineVersion" in changes:
        changes["DBClusterParameterGroup"] = f"default.{family}"
    regrouped = _instance_group(call, doc, family) if "EngineVersion" in changes else None
    if params.get("VpcSecurityGroupIds"):
        references.groups(call.region, params["VpcSecurityGroupIds"], doc["_vpc"], "InvalidParameterValue")
        changes["VpcSecurityGroups"] = [
            {"VpcSecurityGroupId": one, "Status": "active"} for one in params["VpcSecurityGroupIds"]
        ]
    if any(params.get(key) is not None for key in PARAMETERS):
        changes |= insights(call.region, params, doc)
    _change_logs(doc, params, changes)
    _change_password(call, doc)
    doc |= {key: changes.pop(key) for key in list(changes) if key in AT_ONCE}
    if not changes and not params.get("RotateMasterUserPassword") and params.get("ManageMasterUserPassword") is None:
        return {"DBCluster": view(doc)}

    def apply() -> None:
        from .rds_instance import place

        moved = changes.get("DBClusterParameterGroup", doc["DBClusterParameterGroup"]) != doc["DBClusterParameterGroup"]
        doc.update(changes)
        _secret_ready(doc)
        for one in doc["_members"]:
            one["EngineVersion"] = doc["EngineVersion"]
            one["_reboot_cluster"] = one["_reboot_cluster"] or moved
            if regrouped:
                one["_parameter_group"], one["_reboot"] = regrouped, False
            place(call.region, one)

    if "EngineVersion" not in changes:
        settle(doc, "Status", "modifying", "db-cluster.modify", "available", apply)
        return {"DBCluster": view(doc)}

    def upgrade() -> None:
        doc.pop("PendingModifiedValues", None)
        for one in doc["_members"]:
            settle(one, "DBInstanceStatus", "upgrading", "db-cluster.modify", "available")
        settle(doc, "Status", "upgrading", "db-cluster.modify", "available", apply)

    # For a while it is available, and the version is only pending.
    doc["PendingModifiedValues"] = {"EngineVersion": changes["EngineVersion"]}
    clock.later(settings.durations["db-cluster.pending"], upgrade)
    return {"DBCluster": view(doc)}


def _instance_group(call: Call, doc: Document, family: str) -> str | None:
    """What the instances get with another major version: a group of the old family does not fit them any more."""
    from .rds_instance import group_of_family

    wanted = call.params.get("DBInstanceParameterGroupName")
    if wanted:
        return group_of_family(call.region, wanted, family)
    for one in doc["_members"]:
        if not one["_parameter_group"].startswith("default."):
            group_of_family(call.region, one["_parameter_group"], family)
    return f"default.{family}" if family != f"{ENGINE}{doc['EngineVersion'].split('.')[0]}" else None


def _check_upgrade(doc: Document, version: str, major: bool) -> None:
    if version not in newer(doc["EngineVersion"]):
        raise clash(f"Cannot upgrade {ENGINE} from {doc['EngineVersion']} to {version}")
    if version.split(".")[0] != doc["EngineVersion"].split(".")[0] and not major:
        raise clash("The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.")


def _change_logs(doc: Document, params: Document, changes: Document) -> None:
    wanted = params.get("CloudwatchLogsExportConfiguration")
    if wanted:
        kinds = set(doc["EnabledCloudwatchLogsExports"] or []) | set(_check_logs(wanted.get("EnableLogTypes") or []))
        changes["EnabledCloudwatchLogsExports"] = sorted(kinds - set(wanted.get("DisableLogTypes") or [])) or None


def _change_password(call: Call, doc: Document) -> None:
    params = call.params
    managed = params.get("ManageMasterUserPassword")
    if params.get("RotateMasterUserPassword"):
        if not doc.get("MasterUserSecret"):
            raise clash("RotateMasterUserPassword needs a password that RDS manages.")
        if not params.get("ApplyImmediately"):
            raise clash("You must specify apply immediately when rotating the master user password.")
        doc["MasterUserSecret"]["SecretStatus"] = "rotating"
    if managed and not doc.get("MasterUserSecret"):
        manage_password(call.region, doc, params.get("MasterUserSecretKmsKeyId"))
    elif params.get("MasterUserSecretKmsKeyId") and doc.get("MasterUserSecret"):
        raise clash("The key of a managed password cannot be changed.")
    if managed is False and doc.get("MasterUserSecret"):
        if not params.get("MasterUserPassword"):
            raise clash("You must specify MasterUserPassword to stop the management of the password.")
        _drop_secret(call.region, doc)
    elif params.get("MasterUserPassword") and doc.get("MasterUserSecret"):
        raise clash("You can't specify MasterUserPassword for a cluster whose password RDS manages.")


@handles("rds:EnableHttpEndpoint", "rds:DisableHttpEndpoint")
def http_endpoint(call: Call) -> dict[str, Any]:
    """Turn the Data API on or off."""
    name = call.params["ResourceArn"]
    doc = clusters.find(call.region, name.rpartition(":")[2])
    if doc is None:
        raise AwsError("ResourceNotFoundFault", f"The resource {name} was not found.", 404)
    if doc["Status"] != "available":
        raise AwsError("InvalidResourceStateFault", f"The cluster is {doc['Status']}.")
    doc["HttpEndpointEnabled"] = call.target.operation == "EnableHttpEndpoint"
    return {"ResourceArn": name, "HttpEndpointEnabled": doc["HttpEndpointEnabled"]}


@handles("rds:FailoverDBCluster")
def fail_over(call: Call) -> dict[str, Any]:
    """Make a reader the writer."""
    doc = idle(clusters.get(call.region, call.params["DBClusterIdentifier"]))
    members, target = doc["_members"], call.params.get("TargetDBInstanceIdentifier")
    if len(members) < 2:
        raise AwsError("InvalidDBClusterStateFault", "Cluster cannot be failed over: it has no reader.")
    names = [one["DBInstanceIdentifier"] for one in members]
    if target and target.lower() not in names[1:]:
        raise AwsError("InvalidDBInstanceState", f"{target} is not a reader of the cluster.")

    def apply() -> None:
        chosen = next((one for one in members[1:] if one["DBInstanceIdentifier"] == (target or "").lower()), members[1])
        members.remove(chosen)
        members.insert(0, chosen)

    settle(doc, "Status", "failing-over", "db-cluster.modify", "available", apply)
    return {"DBCluster": view(doc)}


@handles("rds:DeleteDBCluster")
def delete(call: Call) -> dict[str, Any]:
    """Start deleting a cluster without instances, after a final snapshot."""
    params = call.params
    doc = clusters.get(call.region, params["DBClusterIdentifier"])
    name, final = doc["DBClusterIdentifier"], params.get("FinalDBSnapshotIdentifier")
    if doc["DeletionProtection"]:
        raise clash("Cannot delete protected Cluster, please disable deletion protection and try again.")
    if any(one["DBInstanceStatus"] != "deleting" for one in doc["_members"]):
        words = "Cluster cannot be deleted, it still contains DB instances in non-deleting state."
        raise AwsError("InvalidDBClusterStateFault", words)
    if bool(params.get("SkipFinalSnapshot")) == bool(final):
        raise clash(
            "FinalDBSnapshotIdentifier can not be specified when deleting with SkipFinalSnapshot."
            if final
            else "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
        )
    idle(doc)
    if final:
        _snapshot(call, doc, final, doc["_tags"] if doc["CopyTagsToSnapshot"] else {})

    def gone() -> None:
        if doc["_members"]:
            # The cluster waits for its last instances.
            clock.later(settings.durations["db-instance.delete"] / 2, gone)
            return
        _drop_secret(call.region, doc)
        clusters.drop(call.region, name)

    settle(doc, "Status", "deleting", "db-cluster.delete", "deleting", gone)
    return {"DBCluster": view(doc)}


def _snapshot(call: Call, doc: Document, name: str, tags: dict[str, str]) -> Document:
    name = check_name(name, "DBClusterSnapshotIdentifier")
    if snapshots.find(call.region, name):
        words = f"Cannot create the cluster snapshot because a snapshot with the identifier {name} already exists."
        raise AwsError("DBClusterSnapshotAlreadyExistsFault", words)
    kept = (
        "AvailabilityZones",
        "DBClusterIdentifier",
        "Engine",
        "EngineMode",
        "AllocatedStorage",
        "Port",
        "EngineVersion",
    )
    kept += ("ClusterCreateTime", "MasterUsername", "StorageEncrypted", "KmsKeyId", "DbClusterResourceId")
    made = {key: doc[key] for key in kept} | {
        "DBClusterSnapshotIdentifier": name,
        "DBClusterSnapshotArn": arn(call.region, "cluster-snapshot", name),
        "SnapshotCreateTime": clock.timestamp(),
        "VpcId": doc["_vpc"],
        "LicenseModel": "postgresql-license",
        "SnapshotType": "manual",
        "PercentProgress": 0,
    }
    snapshots.put(call.region, name, made, tags)
    settle(made, "Status", "creating", "db-snapshot.create", "available", lambda: made.update(PercentProgress=100))
    return made


def _snapshot_view(doc: Document) -> Document:
    return shown(doc) | {"TagList": tag_list(doc)}


@handles("rds:CreateDBClusterSnapshot")
def create_snapshot(call: Call) -> dict[str, Any]:
    """Start a snapshot."""
    doc = idle(clusters.get(call.region, call.params["DBClusterIdentifier"]))
    tags = (doc["_tags"] if doc["CopyTagsToSnapshot"] else {}) | tag_map(call.params.get("Tags"))
    return {"DBClusterSnapshot": _snapshot_view(_snapshot(call, doc, call.params["DBClusterSnapshotIdentifier"], tags))}


@handles("rds:DescribeDBClusterSnapshots")
def describe_snapshots(call: Call) -> dict[str, Any]:
    """Snapshots, by name or cluster."""
    rows = snapshots.chosen(call.region, call.params.get("DBClusterSnapshotIdentifier"))
    cluster = call.params.get("DBClusterIdentifier")
    fields = {
        "db-cluster-id": ("DBClusterIdentifier",),
        "db-cluster-snapshot-id": ("DBClusterSnapshotIdentifier",),
        "snapshot-type": ("SnapshotType",),
        "engine": ("Engine",),
    }
    rows = [one for one in rows if not cluster or one["DBClusterIdentifier"] == cluster.lower()]
    return {"DBClusterSnapshots": [_snapshot_view(one) for one in filtered(call, rows, fields)]}


@handles("rds:DeleteDBClusterSnapshot")
def delete_snapshot(call: Call) -> dict[str, Any]:
    """Delete a snapshot that is complete."""
    doc = snapshots.get(call.region, call.params["DBClusterSnapshotIdentifier"])
    if doc["Status"] != "available":
        raise AwsError("InvalidDBClusterSnapshotStateFault", f"The snapshot is {doc['Status']}.")
    snapshots.drop(call.region, doc["DBClusterSnapshotIdentifier"])
    return {"DBClusterSnapshot": _snapshot_view(doc)}
