"""Checks of Aurora."""

import json
from typing import Any

from .harness import ACCOUNT, REGION, Cloud, Network, fails, fresh, make_role, row

ENGINE = "aurora-postgresql"


def make_cluster(cloud: Cloud, net: Network, **more: Any) -> str:
    """A cluster with a managed password; returns its name without waiting for it."""
    rds, name = cloud.client("rds"), fresh("aurora")
    rds.create_db_subnet_group(DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=net.private)
    arguments = {
        "DBClusterIdentifier": name,
        "Engine": ENGINE,
        "EngineVersion": "16.8",
        "DatabaseName": "fintech",
        "MasterUsername": "fintechadmin",
        "ManageMasterUserPassword": True,
        "DBSubnetGroupName": name,
        "StorageEncrypted": True,
        "BackupRetentionPeriod": 35,
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    rds.create_db_cluster(**arguments | more)
    return name


def make_instance(cloud: Cloud, cluster: str, **more: Any) -> str:
    """A member of a cluster."""
    name = fresh("instance")
    arguments = {"DBInstanceIdentifier": name, "DBInstanceClass": "db.r6g.large", "Engine": ENGINE}
    cloud.client("rds").create_db_instance(**arguments | {"DBClusterIdentifier": cluster} | more)
    return name


def show(cloud: Cloud, name: str) -> Any:
    """A cluster as it stands."""
    return cloud.client("rds").describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]


def member(cloud: Cloud, name: str) -> Any:
    """An instance as it stands."""
    return cloud.client("rds").describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


@row("db-states")
def db_states(cloud: Cloud) -> None:
    rds, name = cloud.client("rds"), make_cluster(cloud, Network(cloud), EnableCloudwatchLogsExports=["postgresql"])
    found = show(cloud, name)
    assert (found["Status"], found["EngineMode"]) == ("creating", "provisioned")
    assert found["Endpoint"].startswith(f"{name}.cluster-") and ".cluster-ro-" in found["ReaderEndpoint"]
    writer = make_instance(cloud, name)
    assert member(cloud, writer)["DBInstanceStatus"] == "creating" and "Endpoint" not in member(cloud, writer)
    fails("InvalidDBInstanceState", lambda: rds.delete_db_instance(DBInstanceIdentifier=writer))
    cloud.advance()
    reader = make_instance(cloud, name)
    cloud.advance()
    assert member(cloud, writer)["Endpoint"]["Port"] == 5432
    roles = {one["DBInstanceIdentifier"]: one["IsClusterWriter"] for one in show(cloud, name)["DBClusterMembers"]}
    assert roles == {writer: True, reader: False}
    filters = [{"Name": "db-cluster-id", "Values": [found["DBClusterArn"]]}]
    assert len(rds.describe_db_instances(Filters=filters)["DBInstances"]) == 2
    group = f"/aws/rds/cluster/{name}/postgresql"
    assert cloud.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    inventory = cloud.control("GET", "inventory")
    assert found["DBClusterArn"] in inventory["rds.cluster"] and len(inventory["rds.instance"]) >= 2
    rds.failover_db_cluster(DBClusterIdentifier=name)
    cloud.advance()
    roles = {one["DBInstanceIdentifier"]: one["IsClusterWriter"] for one in show(cloud, name)["DBClusterMembers"]}
    assert roles == {writer: False, reader: True}


@row("db-delete")
def db_delete(cloud: Cloud) -> None:
    rds, net = cloud.client("rds"), Network(cloud)
    group = net.group()
    name = make_cluster(cloud, net, DeletionProtection=True, VpcSecurityGroupIds=[group])
    cloud.advance()
    instance = make_instance(cloud, name)
    cloud.advance()
    delete = lambda **more: rds.delete_db_cluster(DBClusterIdentifier=name, **more)
    fails("InvalidParameterCombination", lambda: delete(SkipFinalSnapshot=True))
    rds.modify_db_cluster(DBClusterIdentifier=name, DeletionProtection=False)
    assert show(cloud, name)["Status"] == "available"
    fails("InvalidDBClusterStateFault", lambda: delete(SkipFinalSnapshot=True))
    fails("InvalidDBSubnetGroupStateFault", lambda: rds.delete_db_subnet_group(DBSubnetGroupName=name))
    fails("DependencyViolation", lambda: net.ec2.delete_security_group(GroupId=group))
    rds.delete_db_instance(DBInstanceIdentifier=instance)
    fails("InvalidDBInstanceState", lambda: rds.delete_db_instance(DBInstanceIdentifier=instance))
    fails("InvalidParameterCombination", delete)
    secret = show(cloud, name)["MasterUserSecret"]["SecretArn"]
    delete(FinalDBSnapshotIdentifier=f"{name}-final")
    assert show(cloud, name)["Status"] == "deleting"
    cloud.advance()
    fails("DBClusterNotFoundFault", lambda: show(cloud, name))
    snapshot = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=f"{name}-final")["DBClusterSnapshots"][0]
    assert snapshot["Status"] == "available"
    fails("ResourceNotFoundException", lambda: cloud.client("secretsmanager").describe_secret(SecretId=secret))
    rds.delete_db_subnet_group(DBSubnetGroupName=name)
    net.ec2.delete_security_group(GroupId=group)


@row("db-secret")
def db_secret(cloud: Cloud) -> None:
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    name = make_cluster(cloud, Network(cloud), MasterUserSecretKmsKeyId=key)
    manager, rds = cloud.client("secretsmanager"), cloud.client("rds")
    cloud.advance()
    secret = show(cloud, name)["MasterUserSecret"]
    assert (secret["SecretStatus"], secret["KmsKeyId"]) == ("active", key)
    arn = secret["SecretArn"]
    assert f":{ACCOUNT}:secret:rds!cluster-" in arn
    assert json.loads(manager.get_secret_value(SecretId=arn)["SecretString"])["username"] == "fintechadmin"
    assert manager.describe_secret(SecretId=arn)["OwningService"] == "rds"
    fails("InvalidRequestException", lambda: manager.delete_secret(SecretId=arn))
    fails("InvalidRequestException", lambda: manager.put_secret_value(SecretId=arn, SecretString="x"))
    rds.modify_db_cluster(DBClusterIdentifier=name, RotateMasterUserPassword=True, ApplyImmediately=True)
    assert show(cloud, name)["MasterUserSecret"]["SecretStatus"] == "rotating"


@row("db-modify")
def db_modify(cloud: Cloud) -> None:
    rds, net = cloud.client("rds"), Network(cloud)
    name = make_cluster(cloud, net)
    cloud.advance()
    instance = make_instance(cloud, name)
    cloud.advance()
    change = lambda **more: rds.modify_db_cluster(DBClusterIdentifier=name, ApplyImmediately=True, **more)
    change(BackupRetentionPeriod=7, CloudwatchLogsExportConfiguration={"EnableLogTypes": ["postgresql"]})
    assert show(cloud, name)["Status"] == "modifying"
    fails("InvalidDBClusterStateFault", lambda: change(BackupRetentionPeriod=8))
    cloud.advance()
    found = show(cloud, name)
    assert (found["BackupRetentionPeriod"], found["EnabledCloudwatchLogsExports"]) == (7, ["postgresql"])
    fails("InvalidParameterCombination", lambda: change(EngineVersion="15.12"))
    fails("InvalidParameterCombination", lambda: change(EngineVersion="17.5"))
    change(EngineVersion="16.9")
    # Pending first, then at work.
    cloud.advance()
    cloud.advance()
    assert member(cloud, instance)["EngineVersion"] == "16.9"
    rds.modify_db_instance(DBInstanceIdentifier=instance, DBInstanceClass="db.r6g.xlarge")
    cloud.advance()
    found = member(cloud, instance)
    assert (found["DBInstanceClass"], found["PendingModifiedValues"]) == (
        "db.r6g.large",
        {"DBInstanceClass": "db.r6g.xlarge"},
    )
    rds.modify_db_instance(DBInstanceIdentifier=instance, DBInstanceClass="db.r6g.xlarge", ApplyImmediately=True)
    assert member(cloud, instance)["DBInstanceStatus"] == "modifying"
    cloud.advance()
    assert member(cloud, instance)["DBInstanceClass"] == "db.r6g.xlarge"


@row("db-http")
def db_http(cloud: Cloud) -> None:
    rds, name = cloud.client("rds"), make_cluster(cloud, Network(cloud))
    arn = show(cloud, name)["DBClusterArn"]
    fails("InvalidResourceStateFault", lambda: rds.enable_http_endpoint(ResourceArn=arn))
    cloud.advance()
    rds.modify_db_cluster(DBClusterIdentifier=name, EnableHttpEndpoint=True, ApplyImmediately=True)
    assert show(cloud, name)["HttpEndpointEnabled"] is False
    rds.enable_http_endpoint(ResourceArn=arn)
    assert show(cloud, name)["HttpEndpointEnabled"] is True
    rds.disable_http_endpoint(ResourceArn=arn)
    assert show(cloud, name)["HttpEndpointEnabled"] is False
    fails("ResourceNotFoundFault", lambda: rds.enable_http_endpoint(ResourceArn=arn + "x"))


@row("db-parameters")
def db_parameters(cloud: Cloud) -> None:
    rds, name = cloud.client("rds"), fresh("group")
    create = lambda: rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=name, DBParameterGroupFamily="aurora-postgresql16", Description="d"
    )
    create()
    fails("DBParameterGroupAlreadyExists", create)

    def put(key: str, value: str, method: str) -> None:
        one = {"ParameterName": key, "ParameterValue": value, "ApplyMethod": method}
        rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName=name, Parameters=[one])

    def user() -> dict[str, str]:
        found = rds.describe_db_cluster_parameters(DBClusterParameterGroupName=name, Source="user")["Parameters"]
        return {one["ParameterName"]: one["ParameterValue"] for one in found}

    assert user() == {}
    put("rds.force_ssl", "1", "immediate")
    assert user() == {"rds.force_ssl": "1"}
    named = [{"Name": "parameter-name", "Values": ["work_mem", "rds.force_ssl", "none"]}]
    found = rds.describe_db_cluster_parameters(DBClusterParameterGroupName=name, Filters=named)["Parameters"]
    assert sorted(one["ParameterName"] for one in found) == ["rds.force_ssl", "work_mem"], found
    fails("InvalidParameterValue", lambda: put("rds.force_ssl", "maybe", "immediate"))
    for value in ("-1", "500"):
        put("log_min_duration_statement", value, "immediate")
        assert user()["log_min_duration_statement"] == value
    fails("InvalidParameterValue", lambda: put("log_min_duration_statement", "-2", "immediate"))
    fails("InvalidParameterCombination", lambda: put("rds.logical_replication", "1", "immediate"))
    cluster = make_cluster(cloud, Network(cloud), DBClusterParameterGroupName=name)
    cloud.advance()
    instance = make_instance(cloud, cluster)
    cloud.advance()
    state = lambda: show(cloud, cluster)["DBClusterMembers"][0]["DBClusterParameterGroupStatus"]
    put("rds.logical_replication", "1", "pending-reboot")
    assert state() == "pending-reboot"
    rds.reboot_db_instance(DBInstanceIdentifier=instance)
    cloud.advance()
    assert state() == "in-sync"
    delete = lambda: rds.delete_db_cluster_parameter_group(DBClusterParameterGroupName=name)
    fails("InvalidDBParameterGroupState", delete)
    rds.reset_db_cluster_parameter_group(DBClusterParameterGroupName=name, ResetAllParameters=True)
    assert user() == {}
    assert state() == "pending-reboot"


@row("db-upgrade")
def db_upgrade(cloud: Cloud) -> None:
    rds, name, group = cloud.client("rds"), make_cluster(cloud, Network(cloud)), fresh("group")
    for major in (16, 17):
        family = {"DBParameterGroupFamily": f"{ENGINE}{major}", "Description": "d"}
        rds.create_db_parameter_group(DBParameterGroupName=f"{group}-{major}", **family)
        rds.create_db_cluster_parameter_group(DBClusterParameterGroupName=f"{group}-{major}", **family)
    instance = make_instance(cloud, name, DBParameterGroupName=f"{group}-16")
    cloud.advance()
    arguments = {"DBClusterIdentifier": name, "ApplyImmediately": True, "EngineVersion": "17.5"}
    major = lambda **more: rds.modify_db_cluster(**arguments, AllowMajorVersionUpgrade=True, **more)
    # The instances' group is of the old family.
    fails("InvalidParameterCombination", lambda: major())
    fails("InvalidParameterCombination", lambda: major(DBInstanceParameterGroupName=f"{group}-16"))
    default = f"default.{ENGINE}17"
    major(DBInstanceParameterGroupName=default, DBClusterParameterGroupName=f"{group}-17")
    found = show(cloud, name)
    assert (found["Status"], found["EngineVersion"]) == ("available", "16.8"), found
    assert found["PendingModifiedValues"] == {"EngineVersion": "17.5"}
    cloud.advance(0.4)
    found = show(cloud, name)
    assert found["Status"] == member(cloud, instance)["DBInstanceStatus"] == "upgrading"
    assert not found.get("PendingModifiedValues")
    cloud.advance()
    shown = member(cloud, instance)
    assert shown["EngineVersion"] == show(cloud, name)["EngineVersion"] == "17.5"
    assert shown["DBParameterGroups"] == [{"DBParameterGroupName": default, "ParameterApplyStatus": "in-sync"}]
    assert show(cloud, name)["DBClusterMembers"][0]["DBClusterParameterGroupStatus"] == "pending-reboot"


@row("db-references")
def db_references(cloud: Cloud) -> None:
    net = Network(cloud)
    make = lambda **more: make_cluster(cloud, net, **more)
    fails("DBSubnetGroupNotFoundFault", lambda: make(DBSubnetGroupName="none"))
    fails("DBClusterParameterGroupNotFound", lambda: make(DBClusterParameterGroupName="none"))
    fails("InvalidParameterCombination", lambda: make(DBClusterParameterGroupName="default.aurora-postgresql17"))
    fails("InvalidParameterValue", lambda: make(VpcSecurityGroupIds=["sg-0123456789abcdef0"]))
    fails("KMSKeyNotAccessibleFault", lambda: make(KmsKeyId=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/none"))
    fails("InvalidParameterCombination", lambda: make(EngineVersion="1.1"))
    fails("InvalidParameterValue", lambda: make(MasterUsername="admin"))
    fails("InvalidParameterCombination", lambda: make(MasterUserPassword="secret-enough"))
    fails("InvalidParameterValue", lambda: make(BackupRetentionPeriod=36))
    one_zone = {"DBSubnetGroupName": "bad", "DBSubnetGroupDescription": "d", "SubnetIds": [net.private[0]]}
    rds = cloud.client("rds")
    fails("DBSubnetGroupDoesNotCoverEnoughAZs", lambda: rds.create_db_subnet_group(**one_zone))
    fails("DBClusterNotFoundFault", lambda: make_instance(cloud, "none"))
    fails("InvalidParameterCombination", lambda: make_instance(cloud, make(), DBInstanceClass="db.m1.small"))
    cluster = make()
    make_instance(cloud, cluster)
    group = rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"][0]["DBSubnetGroup"]
    moved = {"DBSubnetGroupName": group, "SubnetIds": [net.subnet(63, "a"), net.subnet(64, "b")]}
    fails("SubnetAlreadyInUse", lambda: rds.modify_db_subnet_group(**moved))


@row("db-monitoring")
def db_monitoring(cloud: Cloud) -> None:
    name = make_cluster(cloud, Network(cloud))
    good = make_role(cloud, "monitoring.rds.amazonaws.com", "service-role/AmazonRDSEnhancedMonitoringRole")
    bad = make_role(cloud, "ec2.amazonaws.com")
    make = lambda **more: make_instance(cloud, name, **more)
    fails("InvalidParameterCombination", lambda: make(MonitoringInterval=60))
    fails("InvalidParameterValue", lambda: make(MonitoringInterval=60, MonitoringRoleArn=bad))
    advanced = {"EnablePerformanceInsights": True, "DatabaseInsightsMode": "advanced"}
    fails("InvalidParameterCombination", lambda: make(**advanced, PerformanceInsightsRetentionPeriod=7))
    fails("InvalidParameterCombination", lambda: make(DatabaseInsightsMode="advanced"))
    instance = make(MonitoringInterval=60, MonitoringRoleArn=good, **advanced)
    cloud.advance()
    found = member(cloud, instance)
    assert (found["MonitoringInterval"], found["MonitoringRoleArn"]) == (60, good)
    assert (found["DatabaseInsightsMode"], found["PerformanceInsightsRetentionPeriod"]) == ("advanced", 465)
    assert found["PerformanceInsightsKMSKeyId"]
    change = lambda **more: cloud.client("rds").modify_db_cluster(DBClusterIdentifier=name, **more)
    fails("InvalidParameterCombination", lambda: change(**advanced, PerformanceInsightsRetentionPeriod=7))
    change(**advanced, PerformanceInsightsRetentionPeriod=465)
    cloud.advance()
    assert show(cloud, name)["PerformanceInsightsKMSKeyId"]


@row("db-versions")
def db_versions(cloud: Cloud) -> None:
    rds = cloud.client("rds")
    versions = rds.describe_db_engine_versions(Engine=ENGINE, EngineVersion="16.8")["DBEngineVersions"]
    assert versions[0]["DBParameterGroupFamily"] == "aurora-postgresql16"
    assert "16.9" in [one["EngineVersion"] for one in versions[0]["ValidUpgradeTarget"]]
    options = rds.describe_orderable_db_instance_options(
        Engine=ENGINE, EngineVersion="16.8", DBInstanceClass="db.r6g.large"
    )
    assert len(options["OrderableDBInstanceOptions"]) == 1


@row("db-tags")
def db_tags(cloud: Cloud) -> None:
    rds, name = cloud.client("rds"), make_cluster(cloud, Network(cloud))
    arn = show(cloud, name)["DBClusterArn"]
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "c", "Value": "d"}])
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["a"])
    assert show(cloud, name)["TagList"] == [{"Key": "c", "Value": "d"}]
    fails("DBClusterNotFoundFault", lambda: rds.list_tags_for_resource(ResourceName=arn + "x"))
