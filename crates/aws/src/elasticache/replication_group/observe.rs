//! What ElastiCache shows of a replication group.

use super::{AVAILABLE, ReplicationGroup, ReplicationGroupOutputs, ReplicationGroupSpec, TAG_SNAPSHOT};
use crate::{Arn, SecurityGroupId, elasticache::auth};
use aws_sdk_elasticache::types::{
    AutomaticFailoverStatus, CacheCluster, Endpoint, MultiAzStatus, ReplicationGroup as SdkGroup,
};
use bedplate_model::{Id, Observation, Readiness, Tags};

pub(super) fn observe(
    group: &SdkGroup,
    node: Option<&CacheCluster>,
    tags: Option<Tags>,
) -> Option<Observation<ReplicationGroup>> {
    let id = group.replication_group_id()?;
    let text = |text: Option<&str>| text.map(str::to_owned);
    let mut tags = tags;
    let auth_version = tags.as_mut().map(|tags| tags.remove(auth::TAG).unwrap_or_default());
    let final_snapshot = tags.as_mut().map(|tags| tags.remove(TAG_SNAPSHOT));
    let security_groups = node.map(|node| {
        let ids = node.security_groups().iter().filter_map(|group| group.security_group_id());
        ids.map(SecurityGroupId::new).collect()
    });
    let failover = group
        .automatic_failover()
        .map(|status| matches!(status, AutomaticFailoverStatus::Enabled | AutomaticFailoverStatus::Enabling));
    let shard = group.node_groups().first();
    let (primary, reader) =
        (shard.and_then(|shard| shard.primary_endpoint()), shard.and_then(|shard| shard.reader_endpoint()));
    let outputs = || {
        Some(ReplicationGroupOutputs {
            id: id.to_owned(),
            arn: Arn::new(group.arn()?),
            primary_endpoint: primary.and_then(Endpoint::address)?.to_owned(),
            reader_endpoint: reader.and_then(Endpoint::address)?.to_owned(),
            port: primary.and_then(Endpoint::port)?.try_into().ok()?,
        })
    };
    Some(Observation {
        id: Id::new(id),
        tags,
        readiness: match group.status() {
            Some(AVAILABLE) | None => Readiness::Ready,
            Some(status @ "create-failed") => Readiness::Broken(status.to_owned()),
            Some(status) => Readiness::Busy(status.to_owned()),
        },
        spec: ReplicationGroupSpec {
            id: Some(id.to_owned()),
            description: Some(group.description().unwrap_or_default().to_owned()),
            engine: text(group.engine().or(node.and_then(CacheCluster::engine))),
            engine_version: text(node.and_then(CacheCluster::engine_version)),
            node_type: text(group.cache_node_type()),
            nodes: group.member_clusters().len().try_into().ok(),
            automatic_failover: failover,
            multi_az: group.multi_az().map(|status| *status == MultiAzStatus::Enabled),
            at_rest_encryption: Some(group.at_rest_encryption_enabled().unwrap_or(false)),
            kms_key: Some(group.kms_key_id().map(Arn::new)),
            transit_encryption: Some(group.transit_encryption_enabled().unwrap_or(false)),
            subnet_group: text(node.and_then(CacheCluster::cache_subnet_group_name)),
            security_groups,
            port: primary.and_then(Endpoint::port).and_then(|port| port.try_into().ok()),
            parameter_group: text(
                node.and_then(CacheCluster::cache_parameter_group).and_then(|group| group.cache_parameter_group_name()),
            ),
            auth_secret: None,
            auth_version,
            snapshot_retention_days: group.snapshot_retention_limit().unwrap_or(0).try_into().ok(),
            snapshot_window: Some(text(group.snapshot_window())),
            maintenance_window: node.map(|node| text(node.preferred_maintenance_window())),
            auto_minor_version_upgrade: group.auto_minor_version_upgrade(),
            final_snapshot,
        },
        outputs: outputs(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use aws_sdk_elasticache::types::{CacheParameterGroupStatus, NodeGroup, SecurityGroupMembership};
    use bedplate_model::Record;
    use serde_json::json;

    const ARN: &str = "arn:aws:elasticache:us-east-1:797923187401:replicationgroup:p-redis";

    pub(in crate::elasticache::replication_group) fn seen(status: &str, auth: &str) -> Observation<ReplicationGroup> {
        let endpoint = |host| Endpoint::builder().address(host).port(6379).build();
        let shard = NodeGroup::builder().primary_endpoint(endpoint("master.p")).reader_endpoint(endpoint("replica.p"));
        let group = SdkGroup::builder()
            .replication_group_id("p-redis")
            .arn(ARN)
            .description("sessions")
            .status(status)
            .engine("redis")
            .cache_node_type("cache.r6g.large")
            .member_clusters("p-redis-001")
            .member_clusters("p-redis-002")
            .node_groups(shard.build())
            .automatic_failover(AutomaticFailoverStatus::Enabled)
            .multi_az(MultiAzStatus::Enabled)
            .at_rest_encryption_enabled(true)
            .kms_key_id("k")
            .transit_encryption_enabled(true)
            .snapshot_retention_limit(7)
            .snapshot_window("05:00-06:00")
            .auto_minor_version_upgrade(true)
            .build();
        let node = CacheCluster::builder()
            .engine_version("7.1.0")
            .cache_subnet_group_name("p-redis")
            .security_groups(SecurityGroupMembership::builder().security_group_id("sg-1").build())
            .cache_parameter_group(CacheParameterGroupStatus::builder().cache_parameter_group_name("p-redis7").build())
            .preferred_maintenance_window("sun:06:00-sun:07:00")
            .build();
        let tags = [("Name", "x"), (auth::TAG, auth), (TAG_SNAPSHOT, "p-redis-final")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
        observe(&group, Some(&node), Some(Tags::from(tags))).unwrap()
    }

    #[test]
    fn a_replication_group_is_read_as_aws_shows_it() {
        let seen = seen("modifying", "v1");
        assert_eq!(seen.readiness, Readiness::Busy("modifying".to_owned()));
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "id": "p-redis", "description": "sessions", "engine": "redis", "engine_version": "7.1.0",
                "node_type": "cache.r6g.large", "nodes": 2, "automatic_failover": true, "multi_az": true,
                "at_rest_encryption": true, "kms_key": "k", "transit_encryption": true, "subnet_group": "p-redis",
                "security_groups": ["sg-1"], "port": 6379, "parameter_group": "p-redis7", "auth_version": "v1",
                "snapshot_retention_days": 7, "snapshot_window": "05:00-06:00",
                "maintenance_window": "sun:06:00-sun:07:00", "auto_minor_version_upgrade": true,
                "final_snapshot": "p-redis-final",
            })
        );
        assert_eq!(seen.tags.unwrap(), Tags::from([("Name".into(), "x".into())]));
        let outputs = seen.outputs.unwrap();
        assert_eq!((outputs.primary_endpoint.as_str(), outputs.port), ("master.p", 6379));
    }
}
