//! The row "ElastiCache Redis".

use crate::{assert_has, call, data_subnets, id, key};
use bedplate_tests::{JsonExt, set};
use serde_json::json;

const GROUP: &str = "fintechglobal-redis-cluster";

#[test]
fn redis_is_encrypted_and_fails_over() {
    let groups = call("elasticache", "describe_replication_groups", json!({"ReplicationGroupId": GROUP}));
    let group = &groups["ReplicationGroups"][0];
    let expected = json!({
        "Status": "available",
        "Engine": "redis",
        "CacheNodeType": "cache.r6g.large",
        "AtRestEncryptionEnabled": true,
        "KmsKeyId": key(),
        "TransitEncryptionEnabled": true,
        "TransitEncryptionMode": "required",
        "AuthTokenEnabled": true,
        "AutomaticFailover": "enabled",
        "MultiAZ": "enabled",
        "SnapshotRetentionLimit": 7,
        "PendingModifiedValues": {},
    });
    assert_has(group, expected);
    let members = group["NodeGroups"][0].list("NodeGroupMembers");
    assert_eq!(members.len(), 2);
    assert_eq!(group["NodeGroups"][0]["PrimaryEndpoint"]["Port"], 6379);
    assert_eq!(set(members, "PreferredAvailabilityZone").len(), 2, "they lie in two zones");
}

#[test]
fn its_nodes_lie_in_the_data_subnets() {
    let nodes = call("elasticache", "describe_cache_clusters", json!({"ShowCacheNodeInfo": true}));
    let nodes = nodes.list("CacheClusters");
    assert_eq!(nodes.len(), 2);
    for node in nodes {
        assert!(node.text("EngineVersion").starts_with("7."), "{node:#}");
        assert_has(node, json!({"ReplicationGroupId": GROUP, "CacheSubnetGroupName": "fintechglobal-redis"}));
        let groups = set(node.list("SecurityGroups"), "SecurityGroupId");
        assert_eq!(groups, [id("network/security-group/cache")].into());
        assert_eq!(node["CacheParameterGroup"]["CacheParameterGroupName"], id("cache/parameters"));
    }
    let name = json!({"CacheSubnetGroupName": "fintechglobal-redis"});
    let groups = call("elasticache", "describe_cache_subnet_groups", name);
    assert_eq!(set(groups["CacheSubnetGroups"][0].list("Subnets"), "SubnetIdentifier"), data_subnets());
}

#[test]
fn it_has_parameters_of_its_own() {
    let of = json!({"CacheParameterGroupName": id("cache/parameters"), "Source": "user"});
    let parameters = call("elasticache", "describe_cache_parameters", of);
    let parameters = parameters.list("Parameters");
    assert_eq!(parameters.len(), 1);
    assert_has(&parameters[0], json!({"ParameterName": "maxmemory-policy", "ParameterValue": "volatile-lru"}));
}
