//! What RDS shows of a cluster.

use super::{Cluster, ClusterOutputs, ClusterSpec};
use crate::{
    Arn, SecurityGroupId,
    rds::{final_snapshot, scaled_readers, tags},
};
use aws_sdk_rds::types::{ClusterPendingModifiedValues, DbCluster, PendingCloudwatchLogsExports};
use bedplate_model::{Id, Observation, Readiness, Resolved};
use std::collections::BTreeSet;

/// The logs that are exported once what was asked for has happened.
fn logs(cluster: &DbCluster) -> BTreeSet<String> {
    let pending = cluster.pending_modified_values().and_then(|pending| pending.pending_cloudwatch_logs_exports());
    let mut logs: BTreeSet<String> = cluster.enabled_cloudwatch_logs_exports().iter().cloned().collect();
    logs.extend(pending.map(PendingCloudwatchLogsExports::log_types_to_enable).unwrap_or_default().iter().cloned());
    for log in pending.map(PendingCloudwatchLogsExports::log_types_to_disable).unwrap_or_default() {
        logs.remove(log);
    }
    logs
}

pub(super) fn observe(cluster: &DbCluster) -> Option<Observation<Cluster>> {
    let name = cluster.db_cluster_identifier()?;
    let mut tags = tags(cluster.tag_list());
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let groups = cluster.vpc_security_groups().iter().filter(|group| group.status() != Some("removing"));
    let pending = cluster.pending_modified_values();
    // What is to happen at once is shown as pending for a while before the status tells of it.
    let pends = |pending: &ClusterPendingModifiedValues| {
        pending.engine_version().is_some() || pending.iam_database_authentication_enabled().is_some()
    };
    Some(Observation {
        id: Id::new(name),
        readiness: match cluster.status() {
            Some("available" | "backing-up") if pending.is_some_and(pends) => {
                Readiness::Busy("change pending".to_owned())
            }
            Some("available" | "backing-up") | None => Readiness::Ready,
            // Never broken: a replacement would lose the data. A key that cannot be used now may be usable again.
            Some(state) => Readiness::Busy(state.to_owned()),
        },
        spec: ClusterSpec {
            name: Some(name.to_owned()),
            engine: owned(cluster.engine()),
            engine_version: owned(pending.and_then(|pending| pending.engine_version()).or(cluster.engine_version())),
            database: owned(cluster.database_name()),
            master_user: owned(cluster.master_username()),
            // Without a secret the password is not managed. That reads as an empty key, which no setting is.
            secret_key: Some(match cluster.master_user_secret() {
                Some(secret) => secret.kms_key_id().map(Arn::new),
                None => Some(Arn::new("")),
            }),
            storage_encrypted: cluster.storage_encrypted(),
            kms_key: Some(cluster.kms_key_id().map(Arn::new)),
            subnet_group: owned(cluster.db_subnet_group()),
            parameter_group: owned(cluster.db_cluster_parameter_group()),
            security_groups: Some(
                groups.filter_map(|group| group.vpc_security_group_id().map(SecurityGroupId::new)).collect(),
            ),
            port: cluster.port().and_then(|port| port.try_into().ok()),
            backup_retention_days: pending
                .and_then(|pending| pending.backup_retention_period())
                .or(cluster.backup_retention_period()),
            backup_window: Some(owned(cluster.preferred_backup_window())),
            maintenance_window: Some(owned(cluster.preferred_maintenance_window())),
            deletion_protection: Some(cluster.deletion_protection().unwrap_or_default()),
            logs: Some(logs(cluster)),
            data_api: Some(cluster.http_endpoint_enabled().unwrap_or_default()),
            iam_authentication: pending
                .and_then(|pending| pending.iam_database_authentication_enabled())
                .or(Some(cluster.iam_database_authentication_enabled().unwrap_or_default())),
            copy_tags_to_snapshot: Some(cluster.copy_tags_to_snapshot().unwrap_or_default()),
            insights_mode: cluster.database_insights_mode().map(ToString::to_string),
            insights_days: cluster
                .performance_insights_enabled()
                .map(|on| on.then(|| cluster.performance_insights_retention_period().unwrap_or(7))),
            insights_key: cluster
                .performance_insights_enabled()
                .map(|_| cluster.performance_insights_kms_key_id().map(Arn::new)),
            scaled_readers: Some(scaled_readers::count(cluster)),
            final_snapshot: Some(final_snapshot::taken_from(&mut tags)),
        },
        tags: Some(tags),
        outputs: outputs(cluster),
    })
}

fn outputs(cluster: &DbCluster) -> Option<ClusterOutputs<Resolved>> {
    Some(ClusterOutputs {
        id: cluster.db_cluster_identifier()?.to_owned(),
        arn: Arn::new(cluster.db_cluster_arn()?),
        endpoint: cluster.endpoint()?.to_owned(),
        reader_endpoint: cluster.reader_endpoint()?.to_owned(),
        port: cluster.port()?.try_into().ok()?,
        secret_arn: Arn::new(cluster.master_user_secret()?.secret_arn()?),
        resource_id: cluster.db_cluster_resource_id()?.to_owned(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use aws_sdk_rds::types::{DatabaseInsightsMode, MasterUserSecret, Tag, VpcSecurityGroupMembership};
    use bedplate_model::{Record, Tags};
    use serde_json::json;

    pub(in crate::rds::cluster) fn cluster(snapshot: Option<&str>) -> DbCluster {
        let pending = PendingCloudwatchLogsExports::builder().log_types_to_enable("postgresql").build();
        DbCluster::builder()
            .db_cluster_identifier("c")
            .db_cluster_arn("arn:c")
            .db_cluster_resource_id("cluster-ABC")
            .engine("aurora-postgresql")
            .engine_version("16.8")
            .status("available")
            .database_name("fintech")
            .master_username("fintechadmin")
            .master_user_secret(MasterUserSecret::builder().secret_arn("arn:s").kms_key_id("arn:k").build())
            .storage_encrypted(true)
            .kms_key_id("arn:k")
            .db_subnet_group("g")
            .db_cluster_parameter_group("p")
            .vpc_security_groups(
                VpcSecurityGroupMembership::builder().vpc_security_group_id("sg-1").status("active").build(),
            )
            .backup_retention_period(1)
            .preferred_backup_window("07:00-07:30")
            .preferred_maintenance_window("sun:08:00-sun:08:30")
            .deletion_protection(true)
            .http_endpoint_enabled(true)
            .copy_tags_to_snapshot(true)
            .database_insights_mode(DatabaseInsightsMode::Standard)
            .performance_insights_enabled(true)
            .performance_insights_retention_period(7)
            .performance_insights_kms_key_id("arn:k")
            .pending_modified_values(
                ClusterPendingModifiedValues::builder()
                    .pending_cloudwatch_logs_exports(pending)
                    .backup_retention_period(35)
                    .build(),
            )
            .endpoint("c.cluster-1")
            .reader_endpoint("c.cluster-ro-1")
            .port(5432)
            .tag_list(Tag::builder().key("Name").value("c").build())
            .set_tag_list(
                snapshot.map(|value| vec![Tag::builder().key("bedplate:final-snapshot").value(value).build()]),
            )
            .build()
    }

    #[test]
    fn a_cluster_is_read_as_aws_shows_it() {
        let seen = observe(&cluster(Some("final"))).unwrap();
        assert_eq!(seen.readiness, Readiness::Ready);
        assert_eq!(seen.tags.unwrap(), Tags::new());
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "name": "c", "engine": "aurora-postgresql", "engine_version": "16.8", "database": "fintech",
                "master_user": "fintechadmin", "secret_key": "arn:k", "storage_encrypted": true, "kms_key": "arn:k",
                "subnet_group": "g", "parameter_group": "p", "security_groups": ["sg-1"], "port": 5432,
                "backup_retention_days": 35,
                "backup_window": "07:00-07:30", "maintenance_window": "sun:08:00-sun:08:30",
                "deletion_protection": true, "logs": ["postgresql"], "data_api": true, "iam_authentication": false,
                "copy_tags_to_snapshot": true, "insights_mode": "standard", "insights_days": 7,
                "insights_key": "arn:k", "scaled_readers": 0, "final_snapshot": "final",
            })
        );
        let outputs = seen.outputs.unwrap();
        assert_eq!((outputs.secret_arn.as_str(), outputs.port), ("arn:s", 5432));
    }

    #[test]
    fn a_cluster_is_never_broken() {
        let state = "inaccessible-encryption-credentials-recoverable";
        let seen = observe(&DbCluster::builder().db_cluster_identifier("c").status(state).build()).unwrap();
        assert_eq!(seen.readiness, Readiness::Busy(state.to_owned()));
    }

    #[test]
    fn a_version_that_is_pending_is_waited_for() {
        let pending = ClusterPendingModifiedValues::builder().engine_version("17.5").build();
        let mut cluster = cluster(None);
        cluster.pending_modified_values = Some(pending);
        let seen = observe(&cluster).unwrap();
        assert_eq!(seen.readiness, Readiness::Busy("change pending".to_owned()));
        assert_eq!(seen.spec.engine_version.as_deref(), Some("17.5"));
    }

    #[test]
    fn a_final_snapshot_can_be_declined() {
        assert_eq!(observe(&cluster(Some("none"))).unwrap().spec.final_snapshot, Some(None));
        // Without the tag there is a difference from every setting.
        assert_eq!(observe(&cluster(None)).unwrap().spec.final_snapshot, Some(Some(String::new())));
    }
}
