//! A Redis cache: one primary node and its replicas.

mod observe;

use super::{auth, missing, retag, tags_with, to_tags};
use crate::{Arn, Aws, SecurityGroupId, engine_version::is_patched, error::Sent, secrets::reveal, snapshots::leaving};
use aws_sdk_elasticache::types::ReplicationGroup as SdkGroup;
use aws_smithy_types::date_time::Format;
use bedplate_model::{
    CallError, Change, Class, Creation, Id, Observation, Observed, Pace, Phase, Reconcile, Record, Resolved, Step,
    Tags, Terraform, Verdict, Which,
};
use observe::observe;
use std::collections::BTreeSet;

/// ElastiCache asks for the final snapshot's name only when the group is deleted.
const TAG_SNAPSHOT: &str = "bedplate:final-snapshot";

/// The state in which ElastiCache takes changes and tells tags.
const AVAILABLE: &str = "available";

/// A Redis cache: one primary node and its replicas.
#[derive(Debug)]
pub enum ReplicationGroup {}

/// Settings of a replication group.
#[derive(Clone, Debug, Record)]
pub struct ReplicationGroupSpec<P: Phase> {
    /// Its name, up to 40 lowercase letters, digits and hyphens.
    #[refuse]
    #[aws("ReplicationGroupId")]
    pub id: P::Of<String>,
    /// What it is for.
    #[aws("ReplicationGroupDescription")]
    pub description: P::Of<String>,
    /// The engine: `redis` or `valkey`.
    pub engine: P::Of<String>,
    /// The engine's version, `7.1`. The last part may be left out.
    pub engine_version: P::Of<String>,
    /// What each node is: `cache.r6g.large`.
    #[aws("CacheNodeType")]
    pub node_type: P::Of<String>,
    /// How many nodes there are, the primary included, 1 to 6.
    #[aws("NumCacheClusters")]
    pub nodes: P::Of<u32>,
    /// Whether a replica takes over when the primary fails. Needs two nodes.
    #[aws("AutomaticFailoverEnabled")]
    pub automatic_failover: P::Of<bool>,
    /// Whether the nodes stand in different zones. Needs automatic failover.
    #[aws("MultiAZEnabled")]
    pub multi_az: P::Of<bool>,
    /// Whether what is on disk is encrypted.
    #[refuse]
    #[aws("AtRestEncryptionEnabled")]
    pub at_rest_encryption: P::Of<bool>,
    /// The ARN of the key it is encrypted with on disk; none takes ElastiCache's own.
    #[refuse]
    #[aws("KmsKeyId")]
    pub kms_key: P::Of<Option<Arn>>,
    /// Whether connections are encrypted. AUTH needs it.
    #[aws("TransitEncryptionEnabled")]
    pub transit_encryption: P::Of<bool>,
    /// The name of the subnet group its nodes are put into.
    #[refuse]
    #[aws("CacheSubnetGroupName")]
    pub subnet_group: P::Of<String>,
    /// The security groups of its nodes.
    #[aws("SecurityGroupIds")]
    pub security_groups: P::Of<BTreeSet<SecurityGroupId>>,
    /// The port of its nodes.
    #[refuse]
    pub port: P::Of<u16>,
    /// The name of its parameter group, of the engine's family.
    #[aws("CacheParameterGroupName")]
    pub parameter_group: P::Of<String>,
    /// The ARN of the secret whose whole text is the AUTH token: 16 to 128 letters, digits and `!&#$^<>-`. It is read
    /// whenever ElastiCache is told the token, and kept nowhere.
    #[aws("AuthToken")]
    pub auth_secret: P::Of<Arn>,
    /// The version of that secret. Another one rotates the token.
    #[aws("AuthToken")]
    pub auth_version: P::Of<String>,
    /// Days that the daily snapshots are kept, up to 35; 0 makes none.
    #[aws("SnapshotRetentionLimit")]
    pub snapshot_retention_days: P::Of<u32>,
    /// When the daily snapshot is made, in UTC: `05:00-06:00`; none leaves it to AWS.
    pub snapshot_window: P::Of<Option<String>>,
    /// When maintenance is done, in UTC: `sun:06:00-sun:07:00`; none leaves it to AWS.
    #[aws("PreferredMaintenanceWindow")]
    pub maintenance_window: P::Of<Option<String>>,
    /// Whether AWS brings it to newer minor versions by itself.
    pub auto_minor_version_upgrade: P::Of<bool>,
    /// What the name of the snapshot that is made when it is removed begins with; the time at which the cache was made
    /// follows. None makes none.
    #[aws(none)]
    pub final_snapshot: P::Of<Option<String>>,
}

/// Outputs of a replication group.
#[derive(Clone, Debug, Record)]
pub struct ReplicationGroupOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub id: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
    /// The host that writes go to, whichever node is the primary.
    pub primary_endpoint: P::Of<String>,
    /// The host that spreads reads over the replicas.
    pub reader_endpoint: P::Of<String>,
    /// The port of both.
    pub port: P::Of<u16>,
}

impl Reconcile for ReplicationGroup {
    const KIND: &'static str = "elasticache.replication_group";
    const DOC: &'static str = "A Redis cache: one primary node and its replicas.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::ElastiCache::ReplicationGroup");
    const TERRAFORM: &'static [Terraform] =
        &[Terraform { kind: "aws_elasticache_replication_group", id: "{replication_group_id}" }];
    const ACTIONS: &'static [&'static str] = &[
        "elasticache:AddTagsToResource",
        "elasticache:CreateReplicationGroup",
        "elasticache:CreateSnapshot",
        "elasticache:DecreaseReplicaCount",
        "elasticache:DeleteReplicationGroup",
        "elasticache:DescribeCacheClusters",
        "elasticache:DescribeReplicationGroups",
        "elasticache:IncreaseReplicaCount",
        "elasticache:ListTagsForResource",
        "elasticache:ModifyReplicationGroup",
        "elasticache:RemoveTagsFromResource",
        "secretsmanager:GetSecretValue",
        // ElastiCache takes the key into use, and Secrets Manager opens the secret, with the caller's rights.
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:DescribeKey",
        "tag:GetResources",
    ];
    // Ten minutes for a new one; another node type for every node can take an hour.
    const PACE: Pace = Pace::seconds(600, 15, 5400);
    type Cloud = Aws;
    type Spec<P: Phase> = ReplicationGroupSpec<P>;
    type Outputs<P: Phase> = ReplicationGroupOutputs<P>;

    fn identity(spec: &ReplicationGroupSpec<Observed>) -> Option<Id> {
        spec.id.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut groups = Vec::new();
        match which {
            Which::Ids(ids) => {
                for id in ids {
                    groups.extend(describe(cloud, id).await?);
                }
            }
            // Groups cannot be listed by tag.
            Which::Owned(_) => {
                let mut pages = cloud.elasticache.describe_replication_groups().into_paginator().items().send();
                while let Some(group) = pages.next().await {
                    groups.push(group.sent()?);
                }
            }
        }
        let mut found = Vec::new();
        for group in groups {
            let tags = readable_tags(cloud, &group).await?;
            let id = Id::new(group.replication_group_id().unwrap_or_default());
            if !which.covers(&id, tags.as_ref().unwrap_or(&Tags::new())) {
                continue;
            }
            // What all nodes have in common is told of each node only.
            let mut node = None;
            if let Some(member) = group.member_clusters().first() {
                let request = cloud.elasticache.describe_cache_clusters().cache_cluster_id(member);
                let answer = request.send().await.found()?;
                node = answer.and_then(|answer| answer.cache_clusters?.into_iter().next());
            }
            found.extend(observe(&group, node.as_ref(), tags));
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &ReplicationGroupSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let id = Id::new(&spec.id);
        let mut tags = creation.tags.clone();
        tags.insert(auth::TAG.to_owned(), spec.auth_version.clone());
        tags.extend(spec.final_snapshot.clone().map(|name| (TAG_SNAPSHOT.to_owned(), name)));
        let token = reveal(cloud, &spec.auth_secret, &spec.auth_version).await?;
        let request = cloud.elasticache.create_replication_group().replication_group_id(&spec.id);
        let request = request.replication_group_description(&spec.description).engine(&spec.engine);
        let request = request.engine_version(&spec.engine_version).cache_node_type(&spec.node_type);
        let request = request.num_cache_clusters(signed(spec.nodes)).multi_az_enabled(spec.multi_az);
        let request = request.automatic_failover_enabled(spec.automatic_failover);
        let request = request.at_rest_encryption_enabled(spec.at_rest_encryption);
        let request = request.set_kms_key_id(spec.kms_key.clone().map(String::from));
        let request = request.transit_encryption_enabled(spec.transit_encryption);
        let request = request.cache_subnet_group_name(&spec.subnet_group);
        let request = request.set_security_group_ids(Some(group_ids(spec))).port(spec.port.into());
        let request = request.cache_parameter_group_name(&spec.parameter_group).auth_token(token.expose());
        let request = request.snapshot_retention_limit(signed(spec.snapshot_retention_days));
        let request = request.set_snapshot_window(spec.snapshot_window.clone());
        let request = request.set_preferred_maintenance_window(spec.maintenance_window.clone());
        let request = request.auto_minor_version_upgrade(spec.auto_minor_version_upgrade);
        let error = match request.set_tags(Some(to_tags(&tags))).send().await.sent() {
            Ok(_) => return Ok(id),
            Err(error) => token.redact(error),
        };
        // Whose it is cannot be told before its tags can be read.
        if error.class == Class::AlreadyExists
            && let Some(group) = describe(cloud, &id).await?
            && readable_tags(cloud, &group).await?.is_none()
        {
            return Err(CallError { class: Class::Busy, ..error });
        }
        Err(error)
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (id, wanted) = (step.id.as_str(), step.wanted);
        if step.changes(&["final_snapshot"]) {
            let set = wanted.final_snapshot.clone().map(|name| (TAG_SNAPSHOT.to_owned(), name)).into_iter().collect();
            let remove = wanted.final_snapshot.is_none().then(|| TAG_SNAPSHOT.to_owned());
            Self::tag(cloud, step.id, &set, remove.as_slice()).await?;
        }
        // Each call from here on keeps the group busy: the rest is for the next step. Failover needs two nodes: they are
        // added before it is turned on, and taken away after it is turned off.
        let replicas = signed(wanted.nodes.saturating_sub(1));
        let grows = step.seen.nodes.is_none_or(|seen| seen < wanted.nodes);
        if step.changes(&["nodes"]) && grows {
            let request = cloud.elasticache.increase_replica_count().replication_group_id(id);
            return request.new_replica_count(replicas).apply_immediately(true).send().await.ensured();
        }
        if step.changes(SETTINGS) {
            return modify(cloud, step).await;
        }
        if step.changes(&["nodes"]) {
            let request = cloud.elasticache.decrease_replica_count().replication_group_id(id);
            return request.new_replica_count(replicas).apply_immediately(true).send().await.ensured();
        }
        if step.changes(&["auth_version"]) {
            let group = describe(cloud, step.id).await?;
            let group = group.ok_or_else(|| missing("elasticache:DescribeReplicationGroups", step.id))?;
            let seen = step.seen.auth_version.as_deref().unwrap_or_default();
            auth::rotate(cloud, &group, seen, &wanted.auth_secret, &wanted.auth_version).await?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let group = describe(cloud, id).await?;
        let arn = group.as_ref().and_then(SdkGroup::arn);
        retag(cloud, arn.ok_or_else(|| missing("elasticache:DescribeReplicationGroups", id))?, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let group = describe(cloud, id).await?.filter(|group| group.status() != Some("deleting"));
        let Some(group) = group else { return Ok(()) };
        let mut snapshot = None;
        // One that could not be made holds nothing.
        if group.status() != Some("create-failed") {
            let Some(tags) = readable_tags(cloud, &group).await? else {
                let state =
                    format!("{id} is {}: whether it is saved first cannot be read", group.status().unwrap_or("?"));
                let operation = "elasticache:DeleteReplicationGroup";
                return Err(CallError::local(operation, "InvalidReplicationGroupState", state, Class::Busy));
            };
            snapshot = tags.get(TAG_SNAPSHOT).map(|prefix| snapshot_name(prefix, &group));
        }
        let delete = |snapshot| {
            let request = cloud.elasticache.delete_replication_group().replication_group_id(id.as_str());
            async move { request.set_final_snapshot_identifier(snapshot).send().await.sent().map(drop) }
        };
        leaving(snapshot, delete).await
    }

    async fn discard(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        match describe(cloud, id).await?.as_ref().and_then(SdkGroup::arn) {
            Some(arn) => retag(cloud, arn, &Tags::new(), &[TAG_SNAPSHOT.to_owned()]).await,
            None => Ok(()),
        }
    }

    fn tolerate(wanted: &ReplicationGroupSpec<Observed>, seen: &mut ReplicationGroupSpec<Observed>) {
        // The version's id says which secret it is of.
        seen.auth_secret = wanted.auth_secret.clone();
        // With automatic upgrades AWS moves a cache on within its major version (ElastiCache API, ModifyReplicationGroup,
        // `AutoMinorVersionUpgrade`).
        let upgraded = wanted.auto_minor_version_upgrade == Some(true) && wanted.engine == seen.engine;
        if let (Some(short), Some(full)) = (&wanted.engine_version, &seen.engine_version)
            && (full.strip_prefix(short.as_str()).is_some_and(|rest| rest.starts_with('.'))
                || upgraded && is_patched(short, full))
        {
            seen.engine_version = wanted.engine_version.clone();
        }
        // AWS may tell a key's id where its ARN was given.
        if let (Some(Some(arn)), Some(Some(key))) = (&wanted.kms_key, &seen.kms_key)
            && arn.as_str().rsplit('/').next() == Some(key.as_str())
        {
            seen.kms_key = wanted.kms_key.clone();
        }
        if wanted.snapshot_window == Some(None) {
            seen.snapshot_window = Some(None);
        }
        if wanted.maintenance_window == Some(None) {
            seen.maintenance_window = Some(None);
        }
    }

    fn judge(
        field: &str,
        before: &ReplicationGroupSpec<Observed>,
        after: &ReplicationGroupSpec<Observed>,
    ) -> Option<Verdict> {
        let refuse = |reason: String| Some(Verdict { change: Change::Refuse, reason });
        let updates = |reason: &str| Some(Verdict { change: Change::Update, reason: reason.to_owned() });
        match field {
            // ElastiCache User Guide, "Scaling ... node size": the data is copied to new nodes while the old ones answer.
            "node_type" => updates("moves to nodes of the other size: connections break for some seconds at the end"),
            "transit_encryption" => refuse(
                "turning encryption of connections on or off cuts off the clients that do not change with it: do it with \
                 ModifyReplicationGroup in the two steps that AWS describes"
                    .to_owned(),
            ),
            "engine" if before.engine.as_deref() == Some("valkey") => {
                refuse("ElastiCache does not take Valkey back to Redis".to_owned())
            }
            "engine_version" if before.engine == after.engine => {
                let (from, to) = (before.engine_version.as_ref()?, after.engine_version.as_ref()?);
                let numbers = |text: &str| text.split('.').map(str::parse).collect::<Result<Vec<u32>, _>>();
                let (old, new) = (numbers(from).ok()?, numbers(to).ok()?);
                let common = old.len().min(new.len());
                if new[..common] == old[..common] {
                    return None;
                }
                if new[..common] > old[..common] {
                    return updates("upgrades the replicas first, then the primary: connections break for some seconds");
                }
                refuse(format!("ElastiCache does not take a cache from {from} back to {to}"))
            }
            _ => None,
        }
    }
}

/// The settings that one call changes together.
const SETTINGS: &[&str] = &[
    "description",
    "engine",
    "engine_version",
    "node_type",
    "automatic_failover",
    "multi_az",
    "security_groups",
    "parameter_group",
    "snapshot_retention_days",
    "snapshot_window",
    "maintenance_window",
    "auto_minor_version_upgrade",
];

async fn modify(cloud: &Aws, step: &Step<'_, ReplicationGroup>) -> Result<(), CallError> {
    let wanted = step.wanted;
    let changed = |field, value: &str| step.changes(&[field]).then(|| value.to_owned());
    let request = cloud.elasticache.modify_replication_group().replication_group_id(step.id.as_str());
    let request = request.apply_immediately(true);
    let request = request.set_replication_group_description(changed("description", &wanted.description));
    let request = request.set_engine(changed("engine", &wanted.engine));
    let version = step.changes(&["engine", "engine_version"]).then(|| wanted.engine_version.clone());
    let request = request.set_engine_version(version);
    let request = request.set_cache_node_type(changed("node_type", &wanted.node_type));
    // Multi-AZ is refused without failover, and failover cannot be turned off under it: both go together.
    let failover = step.changes(&["automatic_failover", "multi_az"]);
    let request = request.set_automatic_failover_enabled(failover.then_some(wanted.automatic_failover));
    let request = request.set_multi_az_enabled(failover.then_some(wanted.multi_az));
    let request = request.set_security_group_ids(step.changes(&["security_groups"]).then(|| group_ids(wanted)));
    let request = request.set_cache_parameter_group_name(changed("parameter_group", &wanted.parameter_group));
    let days = step.changes(&["snapshot_retention_days"]).then(|| signed(wanted.snapshot_retention_days));
    let request = request.set_snapshot_retention_limit(days);
    let window = wanted.snapshot_window.clone().filter(|_| step.changes(&["snapshot_window"]));
    let request = request.set_snapshot_window(window);
    let window = wanted.maintenance_window.clone().filter(|_| step.changes(&["maintenance_window"]));
    let request = request.set_preferred_maintenance_window(window);
    let minor = step.changes(&["auto_minor_version_upgrade"]).then_some(wanted.auto_minor_version_upgrade);
    request.set_auto_minor_version_upgrade(minor).send().await.sent().map(drop)
}

async fn describe(cloud: &Aws, id: &Id) -> Result<Option<SdkGroup>, CallError> {
    let request = cloud.elasticache.describe_replication_groups().replication_group_id(id.as_str());
    Ok(request.send().await.found()?.and_then(|answer| answer.replication_groups?.into_iter().next()))
}

/// The name of the final snapshot. The time at which the group was made sets it apart from those of earlier groups of the
/// same name.
fn snapshot_name(prefix: &str, group: &SdkGroup) -> String {
    let made = group.replication_group_create_time().and_then(|time| time.fmt(Format::DateTime).ok());
    let made = made.unwrap_or_default().split('.').next().unwrap_or_default().to_lowercase();
    let made: String = made.chars().filter(char::is_ascii_alphanumeric).collect();
    [prefix, made.trim_end_matches('z')].join("-").trim_end_matches('-').to_owned()
}

/// The tags of a group; `None` as long as ElastiCache works on it and refuses to tell them, or when it is gone by now.
async fn readable_tags(cloud: &Aws, group: &SdkGroup) -> Result<Option<Tags>, CallError> {
    match tags_with(cloud, group.arn().unwrap_or_default(), &recorded_settings(cloud, group)).await {
        Err(error) if error.class == Class::Busy => Ok(None),
        answer => answer,
    }
}

/// The settings that a group keeps as tags, as they were last sent.
fn recorded_settings(cloud: &Aws, group: &SdkGroup) -> Tags {
    let id = Id::new(group.replication_group_id().unwrap_or_default());
    let settings = cloud.recorded_settings(ReplicationGroup::KIND, &id);
    let kept =
        [("auth_version", auth::TAG), ("final_snapshot", TAG_SNAPSHOT)].into_iter().filter_map(|(field, key)| {
            let value = settings?.get(field)?.as_str()?;
            Some((key.to_owned(), value.to_owned()))
        });
    kept.collect()
}

fn signed(number: u32) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

fn group_ids(spec: &ReplicationGroupSpec<Resolved>) -> Vec<String> {
    spec.security_groups.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::DateTime;
    use observe::tests::seen;

    #[test]
    fn the_final_snapshot_has_a_name_of_its_own() {
        let group = |time: &str| {
            let time = DateTime::from_str(time, Format::DateTime).unwrap();
            SdkGroup::builder().replication_group_create_time(time).build()
        };
        assert_eq!(snapshot_name("final", &group("2026-11-23T14:45:34Z")), "final-20261123t144534");
        assert_eq!(snapshot_name("final", &group("2026-11-23T14:45:34.125Z")), "final-20261123t144534");
        assert_eq!(snapshot_name("final", &SdkGroup::builder().build()), "final");
    }

    #[test]
    fn what_aws_fills_in_is_no_difference() {
        let mut spec = seen("available", "v1").spec;
        let wanted = ReplicationGroupSpec {
            engine_version: Some("7.1".to_owned()),
            kms_key: Some(Some(Arn::new("arn:aws:kms:us-east-1:797923187401:key/k"))),
            auth_secret: Some(Arn::new("arn:secret")),
            snapshot_window: Some(None),
            maintenance_window: Some(None),
            ..spec.clone()
        };
        ReplicationGroup::tolerate(&wanted, &mut spec);
        assert_eq!(spec.to_json(), wanted.to_json());

        // AWS itself upgrades, where that is wanted, and not to another major version.
        let tolerated = |version: &str, automatic: bool| {
            let (mut wanted, mut spec) = (wanted.clone(), spec.clone());
            (wanted.engine_version, wanted.auto_minor_version_upgrade) = (Some(version.to_owned()), Some(automatic));
            ReplicationGroup::tolerate(&wanted, &mut spec);
            spec.engine_version == wanted.engine_version
        };
        assert_eq!(["7.0", "7.2", "6.2"].map(|version| tolerated(version, true)), [true, false, false]);
        assert!(!tolerated("7.0", false));
    }

    #[test]
    fn versions_only_rise() {
        let before = seen("available", "v1").spec;
        let judged = |version: &str, engine: &str| {
            let after = ReplicationGroupSpec {
                engine: Some(engine.to_owned()),
                engine_version: Some(version.to_owned()),
                ..before.clone()
            };
            ReplicationGroup::judge("engine_version", &before, &after).map(|verdict| verdict.change)
        };
        assert_eq!(judged("7.0", "redis"), Some(Change::Refuse));
        assert_eq!(judged("7.1", "redis"), None);
        assert_eq!(judged("8.0", "redis"), Some(Change::Update));
        assert_eq!(judged("7.0", "valkey"), None);
    }
}
