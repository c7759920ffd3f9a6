"""Aurora instances: the members of a cluster."""

import secrets as random
import string
from typing import Any

from moto.logs.models import logs_backends

from . import clock, references, settings, switches
from .errors import AwsError
from .gateway import Call
from .rds import CLASSES, ENGINE, arn, check_name, clash, filtered, invalid, parameter_group, subnet_groups, tags_of
from .rds_cluster import clusters
from .rds_insights import insights
from .registry import handles
from .store import Document, Shelf, settle, shown, tag_list

instances = Shelf("rds.instance", "DBInstanceArn", ("DBInstanceNotFound", "DBInstance {} not found."), True)

INTERVALS = (0, 1, 5, 10, 15, 30, 60)


@handles("rds:CreateDBInstance")
def create(call: Call) -> dict[str, Any]:
    """Start an instance in a cluster."""
    params, region = call.params, call.region
    if not params.get("DBClusterIdentifier"):
        raise AwsError("NotImplemented", "this cloud has instances of Aurora clusters only", 501)
    name = check_name(params["DBInstanceIdentifier"], "DBInstanceIdentifier")
    cluster = clusters.get(region, params["DBClusterIdentifier"])
    if instances.find(region, name):
        raise AwsError("DBInstanceAlreadyExists", "DB Instance already exists")
    if cluster["Status"] == "deleting":
        raise AwsError("InvalidDBClusterStateFault", f"DB cluster {cluster['DBClusterIdentifier']} is being deleted.")
    if params["Engine"] != cluster["Engine"]:
        raise clash(
            f"The engine name requested for your DB instance ({params['Engine']}) doesn't match the engine name of your DB cluster ({ENGINE})."
        )
    for refused in (
        "MasterUsername",
        "MasterUserPassword",
        "StorageEncrypted",
        "KmsKeyId",
        "VpcSecurityGroupIds",
        "DBName",
    ):
        if params.get(refused):
            raise clash(
                f"The requested DB Instance will be a member of a DB Cluster. Set {refused} for the DB Cluster."
            )
    check_class(params["DBInstanceClass"], cluster)
    family = f"{ENGINE}{cluster['EngineVersion'].split('.')[0]}"
    group = group_of_family(region, params.get("DBParameterGroupName") or f"default.{family}", family)
    watched = _monitoring(region, params, {"MonitoringInterval": 0})
    measured = insights(region, params, {"PerformanceInsightsEnabled": False})
    subnets = cluster["_subnets"]
    where = _with_room(region, subnets, params.get("AvailabilityZone"), len(cluster["_members"]))
    unique = "".join(random.choice(string.ascii_uppercase + string.digits) for _ in range(26))
    doc = {
        "DBInstanceIdentifier": name,
        "DBInstanceClass": params["DBInstanceClass"],
        "Engine": ENGINE,
        "EngineVersion": cluster["EngineVersion"],
        "DBInstanceStatus": "creating",
        "InstanceCreateTime": clock.timestamp(),
        "PreferredMaintenanceWindow": params.get("PreferredMaintenanceWindow") or "sun:07:00-sun:07:30",
        "PendingModifiedValues": {},
        "MultiAZ": False,
        "AutoMinorVersionUpgrade": params.get("AutoMinorVersionUpgrade", True),
        "ReadReplicaDBInstanceIdentifiers": [],
        "LicenseModel": "postgresql-license",
        "PubliclyAccessible": bool(params.get("PubliclyAccessible")),
        "StorageType": "aurora",
        "DbInstancePort": 0,
        "DBClusterIdentifier": cluster["DBClusterIdentifier"],
        "DbiResourceId": f"db-{unique}",
        "CACertificateIdentifier": params.get("CACertificateIdentifier") or "rds-ca-rsa2048-g1",
        "DomainMemberships": [],
        "CopyTagsToSnapshot": bool(params.get("CopyTagsToSnapshot")),
        "PromotionTier": params["PromotionTier"] if params.get("PromotionTier") is not None else 1,
        "DBInstanceArn": arn(region, "db", name),
        "DeletionProtection": False,
        "AssociatedRoles": [],
        "CustomerOwnedIpEnabled": False,
        "NetworkType": "IPV4",
        "BackupTarget": "region",
        "AvailabilityZone": params.get("AvailabilityZone") or _zone(region, where),
        "_cluster": cluster,
        "_parameter_group": group,
        "_subnet": where,
        "_reboot": False,
        "_reboot_cluster": False,
        **watched,
        **measured,
    }
    instances.put(region, name, doc, tags_of(params))
    cluster["_members"].append(doc)
    place(region, doc)
    settle(
        doc, "DBInstanceStatus", "creating", "db-instance.create", "available", lambda: _export_logs(region, cluster)
    )
    return {"DBInstance": view(region, doc)}


def _with_room(region: str, subnets: list[str], zone: str | None, number: int) -> str:
    """The subnet of the cluster's next instance, in the zone that is asked for if one is."""
    found = references.subnets(region, subnets, "InvalidSubnet")
    full = switches.current.full_zones
    open_ones = [one for one in found if one.availability_zone_id not in full and zone in (None, one.availability_zone)]
    if not open_ones and full:
        message = "Cannot create a database instance because there isn't enough capacity for the requested instance class."
        raise AwsError("InsufficientDBInstanceCapacity", message)
    usual = subnets[number % len(subnets)]
    return usual if usual in [one.id for one in open_ones] or not full else open_ones[number % len(open_ones)].id


def _zone(region: str, subnet: str) -> str:
    return references.subnets(region, [subnet], "InvalidSubnet")[0].availability_zone


def place(region: str, doc: Document) -> None:
    """The instance's interface, in the cluster's groups."""
    groups = [one["VpcSecurityGroupId"] for one in doc["_cluster"]["VpcSecurityGroups"]]
    references.place(region, doc, [doc["_subnet"]], groups, "RDSNetworkInterface")


def check_class(wanted: str, cluster: Document) -> None:
    """An instance class that Aurora has."""
    if wanted not in CLASSES:
        raise clash(
            f"RDS does not support creating a DB instance with the following combination: DBInstanceClass={wanted}, "
            f"Engine={ENGINE}, EngineVersion={cluster['EngineVersion']}, LicenseModel=postgresql-license."
        )
    if wanted == "db.serverless" and not cluster["ServerlessV2ScalingConfiguration"]:
        raise clash(
            "Set the Serverless v2 scaling configuration on the parent DB cluster before creating a Serverless v2 DB instance."
        )


def group_of_family(region: str, name: str, family: str) -> str:
    """The name of a parameter group, if it is of this family."""
    doc = parameter_group(region, name, False)
    if doc["DBParameterGroupFamily"] != family:
        raise clash(
            f"The parameter group {name} with DBParameterGroupFamily {doc['DBParameterGroupFamily']} can't be used for this instance."
        )
    return doc["DBParameterGroupName"]


def _monitoring(region: str, params: Document, now: Document) -> Document:
    """Enhanced monitoring as it will be: an interval and a role that RDS may assume."""
    interval = (
        now.get("MonitoringInterval", 0) if params.get("MonitoringInterval") is None else params["MonitoringInterval"]
    )
    role = params.get("MonitoringRoleArn") or now.get("MonitoringRoleArn")
    if interval not in INTERVALS:
        raise invalid(f"Invalid monitoring interval: {interval}. Valid values: 0, 1, 5, 10, 15, 30, 60")
    if interval and not role:
        raise clash("A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0.")
    if params.get("MonitoringRoleArn") and not interval:
        raise clash(
            "You must specify a MonitoringInterval value other than 0 when you specify a MonitoringRoleARN value."
        )
    if interval and not references.role(role, "monitoring.rds.amazonaws.com"):
        raise invalid(
            "The IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING"
        )
    stream = f"arn:aws:logs:{region}:{settings.ACCOUNT}:log-group:RDSOSMetrics:log-stream:db" if interval else None
    return {
        "MonitoringInterval": interval,
        "MonitoringRoleArn": role if interval else None,
        "EnhancedMonitoringResourceArn": stream,
    }


def _export_logs(region: str, cluster: Document) -> None:
    """RDS makes the log groups it writes to, if nobody did, and leaves them behind."""
    logs = logs_backends[settings.ACCOUNT][region]
    for kind in cluster["EnabledCloudwatchLogsExports"] or []:
        name = f"/aws/rds/cluster/{cluster['DBClusterIdentifier']}/{kind}"
        if name not in logs.groups:
            logs.create_log_group(name, {})


def view(region: str, doc: Document) -> Document:
    """An instance as DescribeDBInstances shows it."""
    cluster, row = doc["_cluster"], shown(doc)
    subnets = subnet_groups.find(region, cluster["DBSubnetGroup"])
    keys = ("MasterUsername", "StorageEncrypted", "KmsKeyId", "VpcSecurityGroups", "BackupRetentionPeriod")
    keys += (
        "PreferredBackupWindow",
        "IAMDatabaseAuthenticationEnabled",
        "EnabledCloudwatchLogsExports",
        "AllocatedStorage",
    )
    row |= {key: cluster[key] for key in keys if cluster[key] is not None}
    if cluster["DatabaseName"]:
        row["DBName"] = cluster["DatabaseName"]
    status = "pending-reboot" if doc["_reboot"] else "in-sync"
    row["DBParameterGroups"] = [{"DBParameterGroupName": doc["_parameter_group"], "ParameterApplyStatus": status}]
    row["DBSubnetGroup"] = shown(subnets) if subnets else {"DBSubnetGroupName": cluster["DBSubnetGroup"]}
    row["TagList"] = tag_list(doc)
    if doc["DBInstanceStatus"] != "creating":
        address = f"{doc['DBInstanceIdentifier']}.{cluster['_host']}"
        row["Endpoint"] = {"Address": address, "Port": cluster["Port"], "HostedZoneId": cluster["HostedZoneId"]}
    return row


FIELDS = {
    "db-cluster-id": ("DBClusterIdentifier",),
    "db-instance-id": ("DBInstanceIdentifier", "DBInstanceArn"),
    "dbi-resource-id": ("DbiResourceId",),
    "engine": ("Engine",),
}


@handles("rds:DescribeDBInstances")
def describe(call: Call) -> dict[str, Any]:
    """One instance or all that match the filters; a cluster may be named by its ARN."""
    for one in call.params.get("Filters") or []:
        if one["Name"] == "db-cluster-id":
            one["Values"] = [value.rpartition(":")[2] for value in one.get("Values") or []]
    rows = instances.chosen(call.region, call.params.get("DBInstanceIdentifier"))
    return {"DBInstances": [view(call.region, one) for one in filtered(call, rows, FIELDS)]}


def idle(call: Call) -> Document:
    """The instance a call names, which has to be available."""
    doc = instances.get(call.region, call.params["DBInstanceIdentifier"])
    if doc["DBInstanceStatus"] != "available":
        words = f"Database instance is not in available state: it is {doc['DBInstanceStatus']}."
        raise AwsError("InvalidDBInstanceState", words)
    return doc


@handles("rds:ModifyDBInstance")
def modify(call: Call) -> dict[str, Any]:
    """Change settings; another class waits for the maintenance window unless it is asked for at once."""
    doc, params, region = idle(call), call.params, call.region
    changes: Document = {}
    for key in (
        "PreferredMaintenanceWindow",
        "AutoMinorVersionUpgrade",
        "PubliclyAccessible",
        "PromotionTier",
        "CopyTagsToSnapshot",
        "CACertificateIdentifier",
    ):
        if params.get(key) is not None:
            changes[key] = params[key]
    for refused in (
        "VpcSecurityGroupIds",
        "MasterUserPassword",
        "BackupRetentionPeriod",
        "EngineVersion",
        "DeletionProtection",
    ):
        if params.get(refused):
            raise clash(f"The DB instance is a member of a DB cluster. Change {refused} on the cluster.")
    changes |= _monitoring(region, params, doc)
    changes |= insights(region, params, doc)
    if params.get("DBParameterGroupName"):
        family = f"{ENGINE}{doc['EngineVersion'].split('.')[0]}"
        changes["_parameter_group"] = group_of_family(region, params["DBParameterGroupName"], family)
        changes["_reboot"] = changes["_parameter_group"] != doc["_parameter_group"]
    wanted, pending = params.get("DBInstanceClass"), dict(doc["PendingModifiedValues"])
    if wanted and wanted != doc["DBInstanceClass"]:
        check_class(wanted, doc["_cluster"])
        pending["DBInstanceClass"] = wanted
    if params.get("ApplyImmediately"):
        changes, pending = changes | pending, {}
    elif pending:
        doc["PendingModifiedValues"] = pending
    changed = {key: value for key, value in changes.items() if doc.get(key) != value}
    if not changed:
        return {"DBInstance": view(region, doc)}

    def apply() -> None:
        doc.update(changed)
        doc["PendingModifiedValues"] = pending

    settle(doc, "DBInstanceStatus", "modifying", "db-instance.modify", "available", apply)
    return {"DBInstance": view(region, doc)}


@handles("rds:RebootDBInstance")
def reboot(call: Call) -> dict[str, Any]:
    """Restart, so that waiting parameters take effect."""
    doc = idle(call)
    settle(
        doc,
        "DBInstanceStatus",
        "rebooting",
        "db-instance.modify",
        "available",
        lambda: doc.update(_reboot=False, _reboot_cluster=False),
    )
    return {"DBInstance": view(call.region, doc)}


@handles("rds:DeleteDBInstance")
def delete(call: Call) -> dict[str, Any]:
    """Start deleting; if it was the writer, a reader takes over."""
    doc = instances.get(call.region, call.params["DBInstanceIdentifier"])
    name, cluster = doc["DBInstanceIdentifier"], doc["_cluster"]
    if doc["DBInstanceStatus"] == "deleting":
        raise AwsError("InvalidDBInstanceState", f"Instance {name} is already being deleted.")
    if doc["DBInstanceStatus"] == "creating":
        raise AwsError("InvalidDBInstanceState", f"Instance {name} is currently creating - please try later.")
    if call.params.get("FinalDBSnapshotIdentifier"):
        raise clash("Members of a DB cluster have no snapshots of their own.")

    def gone() -> None:
        references.place(call.region, doc, [], [], "")
        instances.drop(call.region, name)
        cluster["_members"].remove(doc)

    settle(doc, "DBInstanceStatus", "deleting", "db-instance.delete", "deleting", gone)
    return {"DBInstance": view(call.region, doc)}
