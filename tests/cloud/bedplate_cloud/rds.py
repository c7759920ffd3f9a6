"""RDS's small things, for Aurora PostgreSQL: subnet groups, parameter groups, versions, tags."""

import re
from typing import Any

from . import parameters, references, settings, store, switches
from .errors import AwsError
from .gateway import Call
from .parameters import Known
from .registry import handles
from .store import Document, Shelf, shown, tag_map

ENGINE = "aurora-postgresql"
VERSIONS = ["14.18", "15.12", "15.13", "16.6", "16.8", "16.9", "17.4", "17.5", "17.6"]
DEFAULT_VERSION = "17.5"
LOG_TYPES = ["iam-db-auth-error", "instance", "postgresql"]
SIZES = ["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"]
CLASSES = ["db.serverless", "db.t3.medium", "db.t3.large", "db.t4g.medium", "db.t4g.large"] + [
    f"db.{family}.{size}" for family in ("r5", "r6g", "r6i", "r7g", "r7i", "r8g") for size in SIZES
]

subnet_groups = Shelf(
    "rds.subnet-group", "DBSubnetGroupArn", ("DBSubnetGroupNotFoundFault", "DB subnet group '{}' does not exist."), True
)
cluster_groups = Shelf(
    "rds.cluster-parameter-group",
    "DBClusterParameterGroupArn",
    ("DBParameterGroupNotFound", "DBClusterParameterGroup not found: {}"),
    True,
)
instance_groups = Shelf(
    "rds.parameter-group", "DBParameterGroupArn", ("DBParameterGroupNotFound", "DBParameterGroup not found: {}"), True
)

BOTH = [
    Known("log_min_duration_statement", None, "integer", "-1-2147483647"),
    Known("log_statement", None, "string", "none,ddl,mod,all"),
    Known("log_connections", None, "boolean", "0,1"),
    Known("log_disconnections", None, "boolean", "0,1"),
    Known("log_lock_waits", None, "boolean", "0,1"),
    Known("log_temp_files", None, "integer", "-1-2147483647"),
    Known("max_connections", "LEAST({DBInstanceClassMemory/9531392},5000)", "integer", "6-262143", True),
    Known("shared_buffers", "SUM({DBInstanceClassMemory/12038},-50003)", "integer", "16-1073741823", True),
    Known(
        "shared_preload_libraries",
        "pg_stat_statements",
        "list",
        "pg_stat_statements,pgaudit,auto_explain,pg_cron",
        True,
    ),
    Known("statement_timeout", None, "integer", "0-2147483647"),
    Known("idle_in_transaction_session_timeout", "86400000", "integer", "0-2147483647"),
    Known("work_mem", None, "integer", "64-2147483647"),
    Known("random_page_cost", None, "float"),
    Known("pg_stat_statements.track", None, "string", "all,top,none"),
    Known("auto_explain.log_min_duration", None, "integer", "-1-2147483647"),
    Known(
        "pgaudit.log",
        None,
        "list",
        "ddl,function,misc,read,role,write,none,all,-ddl,-function,-misc,-read,-role,-write",
    ),
    Known(
        "rds.force_admin_logging_level", None, "string", "disabled,debug5,debug1,info,notice,warning,error,log,fatal"
    ),
]
CLUSTER_ONLY = [
    Known("rds.logical_replication", "0", "boolean", "0,1", True),
    Known("timezone", "UTC", "list", "UTC"),
    Known("password_encryption", "scram-sha-256", "string", "md5,scram-sha-256"),
    Known("rds.accepted_password_auth_method", "md5+scram", "string", "md5+scram,scram", True),
    Known("ssl_min_protocol_version", "TLSv1.2", "string", "TLSv1,TLSv1.1,TLSv1.2,TLSv1.3"),
    Known("server_encoding", "UTF8", "string", modifiable=False),
]


def known(family: str, cluster: bool) -> dict[str, Known]:
    """A family's parameters. TLS became the default with Aurora PostgreSQL 17."""
    force = Known("rds.force_ssl", "1" if int(family.removeprefix(ENGINE)) >= 17 else "0", "boolean", "0,1")
    return {
        one.name: one for one in sorted(BOTH + ([force, *CLUSTER_ONLY] if cluster else []), key=lambda one: one.name)
    }


def arn(region: str, kind: str, name: str) -> str:
    """The ARN of something in RDS."""
    return f"arn:aws:rds:{region}:{settings.ACCOUNT}:{kind}:{name}"


def invalid(message: str) -> AwsError:
    """A value that is refused."""
    return AwsError("InvalidParameterValue", message)


def clash(message: str) -> AwsError:
    """Parameters that do not go together."""
    return AwsError("InvalidParameterCombination", message)


def check_name(name: str, what: str) -> str:
    """An identifier as RDS takes it, in lower case."""
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9-]{0,62}", name or "") or name.endswith("-") or "--" in name:
        raise invalid(
            f"The parameter {what} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII "
            "letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        )
    return name.lower()


def tags_of(params: Document) -> dict[str, str]:
    """The tags of a create call."""
    return tag_map(params.get("Tags"))


@handles("rds:CreateDBSubnetGroup")
def create_subnet_group(call: Call) -> dict[str, Any]:
    """A group of subnets in at least two zones of one VPC."""
    params = call.params
    name = params["DBSubnetGroupName"].lower()
    if not re.fullmatch(r"[a-z0-9 ._-]{1,255}", name) or name == "default":
        raise invalid(f"The parameter DBSubnetGroupName is not a valid identifier: {name}")
    if subnet_groups.find(call.region, name):
        raise AwsError("DBSubnetGroupAlreadyExists", f"The DB subnet group '{name}' already exists.")
    doc = {
        "DBSubnetGroupName": name,
        "DBSubnetGroupDescription": params["DBSubnetGroupDescription"],
        "SubnetGroupStatus": "Complete",
        "DBSubnetGroupArn": arn(call.region, "subgrp", name),
        "SupportedNetworkTypes": ["IPV4"],
    } | _subnets(call)
    return {"DBSubnetGroup": shown(subnet_groups.put(call.region, name, doc, tags_of(params)))}


def _subnets(call: Call) -> Document:
    found = references.subnets(call.region, call.params.get("SubnetIds") or [], "InvalidSubnet")
    if len({one.availability_zone for one in found}) < 2:
        zones = ", ".join(sorted({one.availability_zone for one in found}))
        words = (
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: "
            f"{zones}. Add subnets to cover at least 2 AZs."
        )
        raise AwsError("DBSubnetGroupDoesNotCoverEnoughAZs", words)
    rows = [
        {
            "SubnetIdentifier": one.id,
            "SubnetAvailabilityZone": {"Name": one.availability_zone},
            "SubnetOutpost": {},
            "SubnetStatus": "Active",
        }
        for one in found
    ]
    return {"VpcId": found[0].vpc_id, "Subnets": rows}


@handles("rds:ModifyDBSubnetGroup")
def modify_subnet_group(call: Call) -> dict[str, Any]:
    """Other subnets or another description."""
    from .rds_instance import instances

    doc = subnet_groups.get(call.region, call.params["DBSubnetGroupName"])
    changed = _subnets(call)
    kept = {row["SubnetIdentifier"] for row in changed["Subnets"]}
    for one in instances.all(call.region):
        if one["_cluster"]["DBSubnetGroup"] == doc["DBSubnetGroupName"] and one["_subnet"] not in kept:
            words = f"The DB subnet {one['_subnet']} is already in use in the Availability Zone."
            raise AwsError("SubnetAlreadyInUse", words)
    doc |= changed
    if call.params.get("DBSubnetGroupDescription"):
        doc["DBSubnetGroupDescription"] = call.params["DBSubnetGroupDescription"]
    return {"DBSubnetGroup": shown(doc)}


@handles("rds:DescribeDBSubnetGroups")
def describe_subnet_groups(call: Call) -> dict[str, Any]:
    """One subnet group or all."""
    return {
        "DBSubnetGroups": [
            shown(one) for one in subnet_groups.chosen(call.region, call.params.get("DBSubnetGroupName"))
        ]
    }


def _clusters(region: str, key: str, name: str) -> list[Document]:
    from .rds_cluster import clusters

    return [one for one in clusters.all(region) if one[key] == name]


@handles("rds:DeleteDBSubnetGroup")
def delete_subnet_group(call: Call) -> dict[str, Any]:
    """Delete a subnet group nothing uses."""
    name = subnet_groups.get(call.region, call.params["DBSubnetGroupName"])["DBSubnetGroupName"]
    users = _clusters(call.region, "DBSubnetGroup", name)
    if users:
        words = f"Cannot delete the subnet group '{name}' because at least one database instance: {users[0]['DBClusterIdentifier']} is still using it."
        raise AwsError("InvalidDBSubnetGroupStateFault", words)
    subnet_groups.drop(call.region, name)
    return {}


def _kind(call: Call) -> tuple[Shelf, str, bool]:
    """Which of the two kinds of parameter group an operation is about: shelf, prefix of its fields, whether a cluster's."""
    cluster = "DBCluster" in call.target.operation
    return (
        (cluster_groups, "DBClusterParameterGroup", True) if cluster else (instance_groups, "DBParameterGroup", False)
    )


def group_document(region: str, name: str, family: str, description: str, cluster: bool) -> Document:
    """A parameter group of either kind."""
    prefix = "DBClusterParameterGroup" if cluster else "DBParameterGroup"
    return {
        f"{prefix}Name": name,
        "DBParameterGroupFamily": family,
        "Description": description,
        f"{prefix}Arn": arn(region, "cluster-pg" if cluster else "pg", name),
        "_values": {},
        "_tags": {},
    }


def parameter_group(region: str, name: str, cluster: bool) -> Document:
    """A parameter group, or AWS's default one of a family."""
    family = name.removeprefix("default.")
    if name.startswith("default.") and family in families():
        return group_document(region, name, family, f"Default parameter group for {family}", cluster)
    return (cluster_groups if cluster else instance_groups).get(region, name)


def families() -> list[str]:
    """The families of the versions that can be had."""
    return sorted({f"{ENGINE}{one.split('.')[0]}" for one in VERSIONS})


@handles("rds:CreateDBClusterParameterGroup", "rds:CreateDBParameterGroup")
def create_parameter_group(call: Call) -> dict[str, Any]:
    """A parameter group of a family."""
    shelf, prefix, cluster = _kind(call)
    params, name = call.params, check_name(call.params[f"{prefix}Name"].replace(".", "-"), f"{prefix}Name")
    name = params[f"{prefix}Name"].lower()
    if params["DBParameterGroupFamily"] not in families():
        raise invalid(f"ParameterGroupFamily {params['DBParameterGroupFamily']} is not a valid parameter group family")
    if shelf.find(call.region, name):
        raise AwsError("DBParameterGroupAlreadyExists", f"Parameter group {name} already exists")
    doc = group_document(call.region, name, params["DBParameterGroupFamily"], params["Description"], cluster)
    return {prefix: shown(shelf.put(call.region, name, doc, tags_of(params)))}


@handles("rds:DescribeDBClusterParameterGroups", "rds:DescribeDBParameterGroups")
def describe_parameter_groups(call: Call) -> dict[str, Any]:
    """One parameter group, or all with AWS's default ones."""
    shelf, prefix, cluster = _kind(call)
    name = call.params.get(f"{prefix}Name")
    if name:
        rows = [parameter_group(call.region, name, cluster)]
    else:
        rows = [parameter_group(call.region, f"default.{one}", cluster) for one in families()] + shelf.all(call.region)
    return {f"{prefix}s": [shown(one) for one in rows]}


@handles("rds:DescribeDBClusterParameters", "rds:DescribeDBParameters")
def describe_parameters(call: Call) -> dict[str, Any]:
    """A group's parameters, of one source or of some names if so asked."""
    _, prefix, cluster = _kind(call)
    doc = parameter_group(call.region, call.params[f"{prefix}Name"], cluster)
    family = known(doc["DBParameterGroupFamily"], cluster)
    rows = parameters.rows(family, doc["_values"], call.params.get("Source"), "system")
    for one in call.params.get("Filters") or []:
        if one["Name"] != "parameter-name":
            raise AwsError("InvalidParameterValue", f"Unrecognized filter name: {one['Name']}")
        rows = [row for row in rows if row["ParameterName"] in one["Values"]]
    for row in rows:
        row["ApplyType"] = "static" if family[row["ParameterName"]].static else "dynamic"
        row.setdefault("ApplyMethod", "pending-reboot")
        row["SupportedEngineModes"] = ["provisioned"]
    return {"Parameters": rows}


def _own_group(call: Call) -> tuple[Document, str, bool]:
    shelf, prefix, cluster = _kind(call)
    name = call.params[f"{prefix}Name"]
    if name.startswith("default."):
        raise invalid(f"Default DBParameterGroup {name} cannot be modified or deleted.")
    return shelf.get(call.region, name), prefix, cluster


@handles("rds:ModifyDBClusterParameterGroup", "rds:ModifyDBParameterGroup")
def modify_parameters(call: Call) -> dict[str, Any]:
    """Set up to 20 parameters."""
    doc, prefix, cluster = _own_group(call)
    wanted, family = call.params.get("Parameters") or [], known(doc["DBParameterGroupFamily"], cluster)
    if not 1 <= len(wanted) <= 20:
        raise invalid("A minimum of one and a maximum of 20 parameters may be modified in a single request.")
    for one in wanted:
        found = parameters.check(family, one["ParameterName"], one.get("ParameterValue") or "")
        if one.get("ApplyMethod") not in ("immediate", "pending-reboot"):
            raise invalid(f"ApplyMethod is required for parameter: {one['ParameterName']}")
        if found.static and one["ApplyMethod"] == "immediate":
            raise clash(f"cannot use immediate apply method for static parameter: {one['ParameterName']}")
        if found.static or one["ApplyMethod"] == "pending-reboot":
            _wait_for_reboot(call, doc, prefix, cluster)
    keys = ("ParameterName", "ParameterValue", "ApplyMethod")
    doc["_values"] |= {one["ParameterName"]: {key: one.get(key) or "" for key in keys} for one in wanted}
    return {f"{prefix}Name": doc[f"{prefix}Name"]}


def _wait_for_reboot(call: Call, doc: Document, prefix: str, cluster: bool) -> None:
    from .rds_instance import instances

    for one in instances.all(call.region):
        if cluster:
            used = one["_cluster"]["DBClusterParameterGroup"] == doc[f"{prefix}Name"]
            one["_reboot_cluster"] = one["_reboot_cluster"] or used
        elif one["_parameter_group"] == doc[f"{prefix}Name"]:
            one["_reboot"] = True


@handles("rds:ResetDBClusterParameterGroup", "rds:ResetDBParameterGroup")
def reset_parameters(call: Call) -> dict[str, Any]:
    """Take parameters back to their defaults."""
    doc, prefix, cluster = _own_group(call)
    before, family = set(doc["_values"]), known(doc["DBParameterGroupFamily"], cluster)
    parameters.reset(doc["_values"], call.params, "Parameters")
    if any(family[name].static for name in before - set(doc["_values"])):
        _wait_for_reboot(call, doc, prefix, cluster)
    return {f"{prefix}Name": doc[f"{prefix}Name"]}


@handles("rds:DeleteDBClusterParameterGroup", "rds:DeleteDBParameterGroup")
def delete_parameter_group(call: Call) -> dict[str, Any]:
    """Delete a parameter group nothing uses."""
    doc, prefix, cluster = _own_group(call)
    name = doc[f"{prefix}Name"]
    from .rds_instance import instances

    used = [one for one in instances.all(call.region) if one["_parameter_group"] == name]
    if _clusters(call.region, "DBClusterParameterGroup", name) if cluster else used:
        raise AwsError(
            "InvalidDBParameterGroupState", "One or more database instances are still members of this parameter group."
        )
    _kind(call)[0].drop(call.region, name)
    return {}


def newer(version: str) -> list[str]:
    """The versions a version can be upgraded to."""
    place = VERSIONS.index(version)
    return VERSIONS[place + 1 :]


def offered() -> list[str]:
    """The versions that a cluster can be made with."""
    return [one for one in VERSIONS if f"{ENGINE}:{one}" not in switches.current.withdrawn]


@handles("rds:DescribeDBEngineVersions")
def describe_versions(call: Call) -> dict[str, Any]:
    """The versions that can be had."""
    params = call.params
    if params.get("Engine") not in (None, ENGINE):
        return {"DBEngineVersions": []}
    rows = []
    for version in [DEFAULT_VERSION] if params.get("DefaultOnly") else offered():
        major = version.split(".")[0]
        family = f"{ENGINE}{major}"
        if params.get("EngineVersion") not in (None, version, major) or params.get("DBParameterGroupFamily") not in (
            None,
            family,
        ):
            continue
        targets = [
            {
                "Engine": ENGINE,
                "EngineVersion": one,
                "Description": f"Aurora PostgreSQL (Compatible with PostgreSQL {one})",
                "AutoUpgrade": False,
                "IsMajorVersionUpgrade": one.split(".")[0] != major,
            }
            for one in newer(version)
        ]
        rows.append(
            {
                "Engine": ENGINE,
                "MajorEngineVersion": major,
                "EngineVersion": version,
                "DBParameterGroupFamily": family,
                "DBEngineDescription": "Aurora (PostgreSQL)",
                "DBEngineVersionDescription": f"Aurora PostgreSQL (Compatible with PostgreSQL {version})",
                "ValidUpgradeTarget": targets,
                "ExportableLogTypes": LOG_TYPES,
                "SupportsLogExportsToCloudwatchLogs": True,
                "SupportsReadReplica": False,
                "SupportedEngineModes": ["provisioned"],
                "SupportedFeatureNames": ["s3Export", "s3Import", "Lambda"],
                "Status": "available",
                "SupportsGlobalDatabases": True,
            }
        )
    return {"DBEngineVersions": rows}


@handles("rds:DescribeOrderableDBInstanceOptions")
def describe_options(call: Call) -> dict[str, Any]:
    """The instance classes of each version."""
    params = call.params
    if params.get("Engine") != ENGINE:
        return {"OrderableDBInstanceOptions": []}
    zones = [{"Name": f"{call.region}{letter}"} for letter in "abc"]
    rows = [
        {
            "Engine": ENGINE,
            "EngineVersion": version,
            "DBInstanceClass": one,
            "LicenseModel": "postgresql-license",
            "AvailabilityZones": zones,
            "Vpc": True,
            "SupportsStorageEncryption": True,
            "StorageType": "aurora",
            "SupportsEnhancedMonitoring": True,
            "SupportsIAMDatabaseAuthentication": True,
            "SupportsPerformanceInsights": True,
            "SupportedEngineModes": ["provisioned"],
        }
        for version in VERSIONS
        for one in CLASSES
        if params.get("EngineVersion") in (None, version) and params.get("DBInstanceClass") in (None, one)
    ]
    return {"OrderableDBInstanceOptions": rows}


def _tagged(call: Call) -> Document | None:
    name = call.params["ResourceName"]
    doc = store.by_arn("rds", name)
    if doc is None:
        codes = {
            "cluster": "DBClusterNotFoundFault",
            "db": "DBInstanceNotFound",
            "subgrp": "DBSubnetGroupNotFoundFault",
            "cluster-pg": "DBParameterGroupNotFound",
            "pg": "DBParameterGroupNotFound",
            "cluster-snapshot": "DBClusterSnapshotNotFoundFault",
        }
        parts = name.split(":")
        if len(parts) < 7:
            raise invalid(f"Invalid resource name: {name}")
        if parts[5] in codes:
            raise AwsError(codes[parts[5]], f"{name} not found.", 404)
    return doc


@handles("rds:AddTagsToResource", "rds:RemoveTagsFromResource")
def change_tags(call: Call) -> dict[str, Any]:
    """Add or remove tags."""
    doc = _tagged(call)
    if doc is None:
        return call.forward()
    if call.params.get("Tags"):
        doc["_tags"] |= tag_map(call.params["Tags"])
    for key in call.params.get("TagKeys") or []:
        doc["_tags"].pop(key, None)
    return {}


@handles("rds:ListTagsForResource")
def list_tags(call: Call) -> dict[str, Any]:
    """List tags."""
    doc = _tagged(call)
    return call.forward() if doc is None else {"TagList": store.tag_list(doc)}


def filtered(call: Call, rows: list[Document], fields: dict[str, tuple[str, ...]]) -> list[Document]:
    """The rows that match every filter; a filter's value may be in any of its fields."""
    for one in call.params.get("Filters") or []:
        if one["Name"] not in fields:
            raise invalid(f"Unrecognized filter name: {one['Name']}")
        wanted = {value.lower() for value in one.get("Values") or []}
        rows = [row for row in rows if wanted & {str(row.get(key)).lower() for key in fields[one["Name"]]}]
    return rows
