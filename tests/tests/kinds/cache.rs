//! Fields of the cache, and of the secrets, one of which is its password.

use crate::row::{Ids, Row, all, along, at, behind, call, set, set_second};
use bedplate_tests::{Cloud, JsonExt};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const GROUP: &str = "fintechglobal-redis-cluster";

pub(crate) fn rows(ids: &dyn Ids) -> Vec<Row> {
    let mut rows = groups(ids);
    rows.extend(redis());
    rows.extend(redis_behind(ids));
    rows.extend(secrets(ids));
    rows
}

fn groups(ids: &dyn Ids) -> Vec<Row> {
    const KIND: &str = "elasticache.subnet_group";
    const ADDRESS: &str = "cache/subnet-group";
    const NAME: &str = "fintechglobal-redis";
    let show = |field: &str| {
        let name = json!({"CacheSubnetGroupName": NAME});
        at("elasticache", "describe_cache_subnet_groups", name, &format!("/CacheSubnetGroups/0/{field}"))
    };
    let [a, b] = ["a", "b"].map(|letter| ids.id(&format!("network/subnet/data-{letter}")));
    let app = ids.id("network/subnet/app-a");
    let other = json!({
        "CacheSubnetGroupName": NAME, "CacheSubnetGroupDescription": "Theirs", "SubnetIds": [a, b, app],
    });
    let parameters = json!({"CacheParameterGroupName": "fintechglobal-redis7", "Source": "user"});
    vec![
        behind(KIND, ADDRESS, "description", call("elasticache", "modify_cache_subnet_group", other))
            .plan(json!("The data subnets"), json!("Theirs"))
            .seen(show("CacheSubnetGroupDescription")),
        along(KIND, ADDRESS, "subnets")
            .plan(json!(BTreeSet::from([&a, &b])), json!(BTreeSet::from([&a, &b, &app])))
            .seen(all(show("Subnets"), "SubnetIdentifier")),
        set(
            "elasticache.parameter_group",
            "cache/parameters",
            "parameters.maxmemory-policy",
            "cache.eviction = \"allkeys-lru\"",
        )
        .plan(json!("volatile-lru"), json!("allkeys-lru"))
        .seen(at("elasticache", "describe_cache_parameters", parameters, "/Parameters/0/ParameterValue")),
    ]
}

const KIND: &str = "elasticache.replication_group";
const ADDRESS: &str = "cache/redis";

fn group(field: &str) -> impl Fn(&Cloud) -> Value + use<> {
    let id = json!({"ReplicationGroupId": GROUP});
    at("elasticache", "describe_replication_groups", id, &format!("/ReplicationGroups/0/{field}"))
}

fn node(field: &str) -> impl Fn(&Cloud) -> Value + use<> {
    let id = json!({"CacheClusterId": format!("{GROUP}-001")});
    at("elasticache", "describe_cache_clusters", id, &format!("/CacheClusters/0/{field}"))
}

/// What the group's own tags say of it.
fn tag(cloud: &Cloud, name: &str) -> Value {
    let arn = json!({"ResourceName": group("ARN")(cloud)});
    json!(cloud.call("elasticache", "list_tags_for_resource", arn).tags().get(name))
}

fn redis() -> Vec<Row> {
    let set = |path, line| set(KIND, ADDRESS, path, line);
    let second = |path, line| set_second(KIND, ADDRESS, path, line);
    let members = |cloud: &Cloud| json!(group("MemberClusters")(cloud).as_array().map(Vec::len));
    vec![
        set("node_type", "cache.node_type = \"cache.r6g.xlarge\"")
            .plan(json!("cache.r6g.large"), json!("cache.r6g.xlarge"))
            .seen(group("CacheNodeType")),
        set("nodes", "cache.nodes = 3").plan(json!(2), json!(3)).seen(members),
        set("multi_az", "cache.multi_az = false").plan(json!(true), json!(false)).seen_as(
            group("MultiAZ"),
            json!("enabled"),
            json!("disabled"),
        ),
        second("automatic_failover", "cache.automatic_failover = false\ncache.multi_az = false")
            .plan(json!(true), json!(false))
            .seen_as(group("AutomaticFailover"), json!("enabled"), json!("disabled")),
        set("snapshot_retention_days", "cache.snapshot_retention_days = 3")
            .plan(json!(7), json!(3))
            .seen(group("SnapshotRetentionLimit")),
        set("snapshot_window", "cache.snapshot_window = \"08:00-09:00\"")
            .plan(json!("03:00-04:00"), json!("08:00-09:00"))
            .seen(group("SnapshotWindow")),
        set("maintenance_window", "cache.maintenance_window = \"sat:10:00-sat:11:00\"")
            .plan(json!("sun:05:00-sun:06:00"), json!("sat:10:00-sat:11:00"))
            .seen(node("PreferredMaintenanceWindow")),
        set("auto_minor_version_upgrade", "cache.auto_minor_version_upgrade = false")
            .plan(json!(true), json!(false))
            .seen(group("AutoMinorVersionUpgrade")),
        set("final_snapshot", "cache.final_snapshot = false")
            .plan(json!("fintechglobal-redis-cluster-final"), Value::Null)
            .seen_as(
                |cloud| tag(cloud, "bedplate:final-snapshot"),
                json!("fintechglobal-redis-cluster-final"),
                Value::Null,
            ),
    ]
}

fn redis_behind(ids: &dyn Ids) -> Vec<Row> {
    let modify = |what: &'static str, value: Value| {
        let arguments = json!({"ReplicationGroupId": GROUP, what: value, "ApplyImmediately": true});
        call("elasticache", "modify_replication_group", arguments)
    };
    let (mine, other) = (ids.id("network/security-group/cache"), ids.id("network/security-group/database"));
    vec![
        behind(KIND, ADDRESS, "description", modify("ReplicationGroupDescription", json!("Theirs")))
            .plan(json!("The cache of fintechglobal-production"), json!("Theirs"))
            .seen(group("Description")),
        behind(KIND, ADDRESS, "security_groups", modify("SecurityGroupIds", json!([other])))
            .plan(json!([mine]), json!([other]))
            .seen(all(node("SecurityGroups"), "SecurityGroupId")),
        behind(KIND, ADDRESS, "parameter_group", modify("CacheParameterGroupName", json!("default.redis7")))
            .plan(json!("fintechglobal-redis7"), json!("default.redis7"))
            .seen(node("CacheParameterGroup/CacheParameterGroupName")),
    ]
}

fn secrets(ids: &dyn Ids) -> Vec<Row> {
    const KIND: &str = "secrets.secret";
    const ADDRESS: &str = "secrets/api-keys";
    const NAME: &str = "fintech/api-keys";
    let show = |field: &str| at("secretsmanager", "describe_secret", json!({"SecretId": NAME}), &format!("/{field}"));
    let key = ids.output("security/key", "arn");
    let mine = "Keys of other services, which the operator fills in";
    let update = |what: &'static str, value: &str| {
        call("secretsmanager", "update_secret", json!({"SecretId": NAME, what: value}))
    };
    vec![
        behind(KIND, ADDRESS, "description", update("Description", "Theirs"))
            .plan(json!(mine), json!("Theirs"))
            .seen(show("Description")),
        behind(KIND, ADDRESS, "kms_key", update("KmsKeyId", "alias/aws/secretsmanager")).seen_as(
            move |cloud| json!(show("KmsKeyId")(cloud) == json!(key)),
            json!(true),
            json!(false),
        ),
        set(KIND, ADDRESS, "recovery_window_days", "secrets.recovery_window_days = 7")
            .plan(json!(30), json!(7))
            // Secrets Manager asks for it when the secret is deleted and not before: until then it is in a tag.
            .seen_as(
                |cloud| {
                    let secret = cloud.call("secretsmanager", "describe_secret", json!({"SecretId": NAME}));
                    json!(secret.tags()["bedplate:recovery-window"])
                },
                json!("30"),
                json!("7"),
            ),
    ]
}
