"""Checks of ElastiCache."""

from typing import Any

from .harness import REGION, Cloud, Network, fails, fresh, row


def make_cache(cloud: Cloud, net: Network, **more: Any) -> str:
    """A replication group of two nodes with AUTH; returns its name without waiting for it."""
    cache, name = cloud.client("elasticache"), fresh("redis")
    cache.create_cache_subnet_group(
        CacheSubnetGroupName=name,
        CacheSubnetGroupDescription="d",
        SubnetIds=net.private,
        Tags=[{"Key": "a", "Value": "b"}],
    )
    arguments = {
        "ReplicationGroupId": name,
        "ReplicationGroupDescription": "d",
        "Engine": "redis",
        "EngineVersion": "7.1",
        "CacheNodeType": "cache.r6g.large",
        "NumCacheClusters": 2,
        "AutomaticFailoverEnabled": True,
        "MultiAZEnabled": True,
        "CacheSubnetGroupName": name,
        "TransitEncryptionEnabled": True,
        "AtRestEncryptionEnabled": True,
        "AuthToken": "a" * 32,
        "SnapshotRetentionLimit": 7,
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    cache.create_replication_group(**arguments | more)
    return name


def show(cloud: Cloud, name: str) -> Any:
    """A replication group as it stands."""
    return cloud.client("elasticache").describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"][0]


@row("cache-parameters")
def cache_parameters(cloud: Cloud) -> None:
    cache, name = cloud.client("elasticache"), fresh("group")
    cache.create_cache_parameter_group(
        CacheParameterGroupName=name, CacheParameterGroupFamily="redis7", Description="d"
    )
    twice = lambda: cache.create_cache_parameter_group(
        CacheParameterGroupName=name, CacheParameterGroupFamily="redis7", Description="d"
    )
    fails("CacheParameterGroupAlreadyExists", twice)
    put = lambda key, value: cache.modify_cache_parameter_group(
        CacheParameterGroupName=name, ParameterNameValues=[{"ParameterName": key, "ParameterValue": value}]
    )
    user = lambda: {
        one["ParameterName"]: one["ParameterValue"]
        for one in cache.describe_cache_parameters(CacheParameterGroupName=name, Source="user")["Parameters"]
    }
    assert user() == {}
    put("maxmemory-policy", "allkeys-lru")
    put("timeout", "300")
    assert user() == {"maxmemory-policy": "allkeys-lru", "timeout": "300"}
    fails("InvalidParameterValue", lambda: put("maxmemory-policy", "nonsense"))
    fails("InvalidParameterValue", lambda: put("no-such", "1"))
    cache.reset_cache_parameter_group(CacheParameterGroupName=name, ParameterNameValues=[{"ParameterName": "timeout"}])
    assert user() == {"maxmemory-policy": "allkeys-lru"}
    cache.reset_cache_parameter_group(CacheParameterGroupName=name, ResetAllParameters=True)
    assert user() == {}
    cache.delete_cache_parameter_group(CacheParameterGroupName=name)
    fails("CacheParameterGroupNotFound", lambda: cache.describe_cache_parameter_groups(CacheParameterGroupName=name))


@row("cache-states")
def cache_states(cloud: Cloud) -> None:
    name = make_cache(cloud, Network(cloud))
    cache, found = cloud.client("elasticache"), show(cloud, name)
    assert found["Status"] == "creating" and "NodeGroups" not in found
    fails("InvalidReplicationGroupState", lambda: cache.delete_replication_group(ReplicationGroupId=name))
    cloud.advance()
    found = show(cloud, name)
    assert found["Status"] == "available"
    group = found["NodeGroups"][0]
    assert group["PrimaryEndpoint"]["Address"].startswith(f"master.{name}.") and len(group["NodeGroupMembers"]) == 2
    node = cache.describe_cache_clusters(CacheClusterId=found["MemberClusters"][0])["CacheClusters"][0]
    assert (node["EngineVersion"], node["CacheSubnetGroupName"]) == ("7.1.0", name)
    assert node["CacheParameterGroup"]["CacheParameterGroupName"] == "default.redis7"
    assert found["ARN"] in cloud.control("GET", "inventory")["elasticache.replication-group"]
    cache.delete_replication_group(ReplicationGroupId=name, FinalSnapshotIdentifier=f"{name}-final")
    assert show(cloud, name)["Status"] == "deleting"
    cloud.advance()
    fails("ReplicationGroupNotFoundFault", lambda: show(cloud, name))
    assert cache.describe_snapshots(SnapshotName=f"{name}-final")["Snapshots"][0]["SnapshotStatus"] == "available"
    cache.delete_cache_subnet_group(CacheSubnetGroupName=name)


@row("cache-modify")
def cache_modify(cloud: Cloud) -> None:
    net = Network(cloud)
    name, group = make_cache(cloud, net), net.group()
    cache = cloud.client("elasticache")
    cloud.advance()
    change = lambda **more: cache.modify_replication_group(
        **{"ReplicationGroupId": name, "ApplyImmediately": True, **more}
    )
    change(CacheNodeType="cache.r6g.xlarge", ApplyImmediately=False)
    cloud.advance()
    assert show(cloud, name)["CacheNodeType"] == "cache.r6g.large"
    nodes = lambda: cache.describe_cache_clusters()["CacheClusters"]
    node = next(one for one in nodes() if one["ReplicationGroupId"] == name)
    assert node["PendingModifiedValues"]["CacheNodeType"] == "cache.r6g.xlarge"
    change(CacheNodeType="cache.r6g.xlarge", SecurityGroupIds=[group])
    assert show(cloud, name)["Status"] == "modifying"
    fails("InvalidReplicationGroupState", lambda: change(SnapshotRetentionLimit=3))
    cloud.advance()
    assert show(cloud, name)["CacheNodeType"] == "cache.r6g.xlarge"
    node = next(one for one in nodes() if one["ReplicationGroupId"] == name)
    assert [one["SecurityGroupId"] for one in node["SecurityGroups"]] == [group] and not node["PendingModifiedValues"]
    fails("DependencyViolation", lambda: net.ec2.delete_security_group(GroupId=group))


@row("cache-token")
def cache_token(cloud: Cloud) -> None:
    name = make_cache(cloud, Network(cloud))
    cache = cloud.client("elasticache")
    cloud.advance()
    change = lambda strategy, token="b" * 20: cache.modify_replication_group(
        ReplicationGroupId=name, ApplyImmediately=True, AuthToken=token, AuthTokenUpdateStrategy=strategy
    )
    fails("InvalidParameterValue", lambda: change("ROTATE", "short"))
    fails("InvalidParameterValue", lambda: change("ROTATE", "with a space" * 3))
    for strategy, state in (("ROTATE", "ROTATING"), ("SET", "SETTING")):
        assert change(strategy)["ReplicationGroup"]["PendingModifiedValues"]["AuthTokenStatus"] == state
        cloud.advance()
        assert not show(cloud, name)["PendingModifiedValues"]


@row("cache-references")
def cache_references(cloud: Cloud) -> None:
    net = Network(cloud)
    make = lambda **more: make_cache(cloud, net, **more)
    fails("CacheSubnetGroupNotFoundFault", lambda: make(CacheSubnetGroupName="none"))
    fails("CacheParameterGroupNotFound", lambda: make(CacheParameterGroupName="none"))
    fails("InvalidParameterCombination", lambda: make(CacheParameterGroupName="default.redis6.x"))
    fails("InvalidParameterValue", lambda: make(SecurityGroupIds=["sg-0123456789abcdef0"]))
    fails("InvalidParameterValue", lambda: make(KmsKeyId=f"arn:aws:kms:{REGION}:797923187401:key/none"))
    fails("InvalidParameterValue", lambda: make(EngineVersion="7.9"))
    fails("InvalidParameterCombination", lambda: make(TransitEncryptionEnabled=False))
    fails("InvalidParameterCombination", lambda: make(NumCacheClusters=1))
    fails("InvalidParameterCombination", lambda: make(AutomaticFailoverEnabled=False))
    cache, name = cloud.client("elasticache"), make()
    fails("CacheSubnetGroupInUse", lambda: cache.delete_cache_subnet_group(CacheSubnetGroupName=name))
    bad = {"CacheSubnetGroupName": "bad", "CacheSubnetGroupDescription": "d", "SubnetIds": ["subnet-0123456789abcdef0"]}
    fails("InvalidSubnet", lambda: cache.create_cache_subnet_group(**bad))
    group = show(cloud, name)["MemberClusters"][0]
    group = cache.describe_cache_clusters(CacheClusterId=group)["CacheClusters"][0]["CacheSubnetGroupName"]
    left = {"CacheSubnetGroupName": group, "SubnetIds": net.private[:1]}
    fails("SubnetInUse", lambda: cache.modify_cache_subnet_group(**left))


@row("cache-replicas")
def cache_replicas(cloud: Cloud) -> None:
    name = make_cache(cloud, Network(cloud))
    cache = cloud.client("elasticache")
    cloud.advance()
    arguments = lambda count: {"ReplicationGroupId": name, "NewReplicaCount": count, "ApplyImmediately": True}
    fails("NoOperationFault", lambda: cache.increase_replica_count(**arguments(1)))
    cache.increase_replica_count(**arguments(3))
    cloud.advance()
    assert len(show(cloud, name)["MemberClusters"]) == 4
    fails("InvalidParameterCombination", lambda: cache.decrease_replica_count(**arguments(0)))
    cache.decrease_replica_count(**arguments(1))
    cloud.advance()
    assert len(show(cloud, name)["MemberClusters"]) == 2


@row("cache-tags")
def cache_tags(cloud: Cloud) -> None:
    name = make_cache(cloud, Network(cloud))
    cache, arn = cloud.client("elasticache"), show(cloud, name)["ARN"]
    subnets = cache.describe_cache_subnet_groups(CacheSubnetGroupName=name)["CacheSubnetGroups"][0]["ARN"]
    for one in (arn, subnets):
        assert cache.list_tags_for_resource(ResourceName=one)["TagList"] == [{"Key": "a", "Value": "b"}]
        cache.add_tags_to_resource(ResourceName=one, Tags=[{"Key": "c", "Value": "d"}])
        cache.remove_tags_from_resource(ResourceName=one, TagKeys=["a"])
        fails("TagNotFound", lambda one=one: cache.remove_tags_from_resource(ResourceName=one, TagKeys=["a"]))
        assert cache.list_tags_for_resource(ResourceName=one)["TagList"] == [{"Key": "c", "Value": "d"}]
    fails("ReplicationGroupNotFoundFault", lambda: cache.list_tags_for_resource(ResourceName=arn + "x"))
