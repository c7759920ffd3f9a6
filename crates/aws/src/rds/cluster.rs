//! An Aurora cluster: its storage, its endpoints and its master user. The instances are resources of their own.

mod observe;

use super::{all_clusters, final_snapshot, retag, scaled_readers, to_tags};
use crate::{
    Arn, Aws, SecurityGroupId,
    engine_version::{is_patched, next_major, version},
    error::Sent,
    snapshots::leaving,
};
use aws_sdk_rds::types::{CloudwatchLogsExportConfiguration, DatabaseInsightsMode, DbCluster};
use bedplate_model::{
    CallError, Change, Creation, Id, Observation, Observed, Order, Pace, Phase, Reconcile, Record, Resolved, Step,
    Tags, Terraform, Verdict, Which,
};
use observe::observe;
use std::collections::BTreeSet;

/// An Aurora cluster: its storage, its endpoints and its master user.
///
/// RDS keeps the master user's password in Secrets Manager, rotates it, and never shows it here.
#[derive(Debug)]
pub enum Cluster {}

/// Settings of a cluster. What AWS cannot change is refused: a replacement would lose the data.
#[derive(Clone, Debug, Record)]
pub struct ClusterSpec<P: Phase> {
    /// Its name, up to 63 lowercase letters, digits and `-`, beginning with a letter.
    #[refuse]
    #[aws("DBClusterIdentifier")]
    pub name: P::Of<String>,
    /// The engine: `aurora-postgresql`.
    #[refuse]
    pub engine: P::Of<String>,
    /// The engine's version, `17.5`. It moves up one major version at a time and never down; a newer minor version, to
    /// which AWS has moved it, is left.
    pub engine_version: P::Of<String>,
    /// The database that is made with it.
    #[refuse]
    #[aws("DatabaseName")]
    pub database: P::Of<String>,
    /// The name of the master user.
    #[refuse]
    #[aws("MasterUsername")]
    pub master_user: P::Of<String>,
    /// The key of the secret that holds the master user's password; none leaves it to a key of AWS.
    #[aws("MasterUserSecret/KmsKeyId")]
    pub secret_key: P::Of<Option<Arn>>,
    /// Whether its storage is encrypted.
    #[refuse]
    pub storage_encrypted: P::Of<bool>,
    /// The key its storage is encrypted with; none leaves it to a key of AWS.
    #[refuse]
    #[aws("KmsKeyId")]
    pub kms_key: P::Of<Option<Arn>>,
    /// The name of the subnet group its instances lie in.
    #[refuse]
    #[aws("DBSubnetGroupName")]
    pub subnet_group: P::Of<String>,
    /// The name of its cluster parameter group, of the family of the engine's version.
    #[aws("DBClusterParameterGroupName")]
    pub parameter_group: P::Of<String>,
    /// The security groups of its instances.
    #[aws("VpcSecurityGroupIds")]
    pub security_groups: P::Of<BTreeSet<SecurityGroupId>>,
    /// The port of its endpoints, 1150 to 65535. A change restarts the instances.
    pub port: P::Of<u16>,
    /// Days that automatic backups are kept, 1 to 35.
    #[aws("BackupRetentionPeriod")]
    pub backup_retention_days: P::Of<i32>,
    /// When it is backed up every day, `07:00-07:30` in UTC; none leaves the choice to AWS.
    #[aws("PreferredBackupWindow")]
    pub backup_window: P::Of<Option<String>>,
    /// When it may be serviced every week, `sun:08:00-sun:08:30` in UTC and lowercase; none leaves the choice to AWS.
    #[aws("PreferredMaintenanceWindow")]
    pub maintenance_window: P::Of<Option<String>>,
    /// Whether AWS refuses to delete it.
    pub deletion_protection: P::Of<bool>,
    /// The logs that go to CloudWatch Logs: `postgresql`, `instance`, `iam-db-auth-error`.
    #[aws("EnableCloudwatchLogsExports")]
    pub logs: P::Of<BTreeSet<String>>,
    /// Whether it takes SQL through the RDS Data API.
    #[aws("EnableHttpEndpoint")]
    pub data_api: P::Of<bool>,
    /// Whether database users may sign in with IAM.
    #[aws("EnableIAMDatabaseAuthentication")]
    pub iam_authentication: P::Of<bool>,
    /// Whether its snapshots get its tags.
    pub copy_tags_to_snapshot: P::Of<bool>,
    /// Database Insights of all its instances: `standard`, or `advanced`, which needs `insights_days` 465.
    #[aws("DatabaseInsightsMode")]
    pub insights_mode: P::Of<String>,
    /// Days that Performance Insights keeps what it measured in the instances, the autoscaled ones included: 7, 31 times 1
    /// to 23, or 731; none turns it off.
    #[aws("PerformanceInsightsRetentionPeriod")]
    pub insights_days: P::Of<Option<i32>>,
    /// The key that Performance Insights encrypts with; none leaves it to a key of AWS.
    #[aws("PerformanceInsightsKmsKeyId")]
    pub insights_key: P::Of<Option<Arn>>,
    /// How many readers the autoscaler may have added; fewer are no difference. What is more than that is deleted.
    #[aws(none)]
    pub scaled_readers: P::Of<u32>,
    /// What the snapshot that is made when it is deleted begins with, up to 63 letters, digits and `-`; its own name and
    /// resource id follow. None deletes it without a snapshot.
    #[aws(none)]
    pub final_snapshot: P::Of<Option<String>>,
}

/// Outputs of a cluster.
#[derive(Clone, Debug, Record)]
pub struct ClusterOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub id: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
    /// The host name that leads to the writer.
    pub endpoint: P::Of<String>,
    /// The host name that leads to the readers, or to the writer while there is none.
    pub reader_endpoint: P::Of<String>,
    /// The port of both.
    pub port: P::Of<u16>,
    /// The ARN of the secret that holds the master user's name and password.
    pub secret_arn: P::Of<Arn>,
    /// Its id that no other cluster ever has, `cluster-…`.
    pub resource_id: P::Of<String>,
}

impl Reconcile for Cluster {
    const KIND: &'static str = "rds.cluster";
    const DOC: &'static str = "An Aurora cluster: its storage, its endpoints and its master user.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::RDS::DBCluster");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_rds_cluster", id: "{cluster_identifier}" }];
    const ACTIONS: &'static [&'static str] = &[
        "rds:AddTagsToResource",
        "rds:CreateDBCluster",
        "rds:CreateDBClusterSnapshot",
        "rds:DeleteDBCluster",
        "rds:DeleteDBInstance",
        "rds:DescribeDBClusters",
        "rds:DescribeDBInstances",
        "rds:DisableHttpEndpoint",
        "rds:EnableHttpEndpoint",
        "rds:ModifyDBCluster",
        "rds:RemoveTagsFromResource",
        // RDS uses the caller's rights to the keys and to make the secret.
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKey",
        "secretsmanager:CreateSecret",
        "secretsmanager:TagResource",
    ];
    const ORDER: Order = Order::DeleteFirst;
    // Without instances it is there in a minute. An upgrade of the engine, or a deletion that waits for autoscaled
    // readers, takes much longer.
    const PACE: Pace = Pace::seconds(90, 10, 5400);
    type Cloud = Aws;
    type Spec<P: Phase> = ClusterSpec<P>;
    type Outputs<P: Phase> = ClusterOutputs<P>;

    fn identity(spec: &ClusterSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let clusters = all_clusters(cloud).await?;
        let seen = clusters.iter().filter_map(observe);
        Ok(seen.filter(|seen| seen.tags.as_ref().is_some_and(|tags| which.covers(&seen.id, tags))).collect())
    }

    async fn create(cloud: &Aws, spec: &ClusterSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let mut tags = creation.tags.clone();
        tags.extend(final_snapshot::tag(spec.final_snapshot.as_deref()));
        let request = cloud.rds.create_db_cluster().db_cluster_identifier(&spec.name).set_tags(to_tags(&tags));
        let request = request.engine(&spec.engine).engine_version(&spec.engine_version);
        let request = request.database_name(&spec.database).master_username(&spec.master_user);
        let request = request.manage_master_user_password(true);
        let request = request.set_master_user_secret_kms_key_id(text(spec.secret_key.as_ref()));
        let request = request.storage_encrypted(spec.storage_encrypted).set_kms_key_id(text(spec.kms_key.as_ref()));
        let request = request.db_subnet_group_name(&spec.subnet_group);
        let request = request.db_cluster_parameter_group_name(&spec.parameter_group);
        let request = request.set_vpc_security_group_ids(security_groups(spec));
        let request = request.port(spec.port.into()).backup_retention_period(spec.backup_retention_days);
        let request = request.set_preferred_backup_window(spec.backup_window.clone());
        let request = request.set_preferred_maintenance_window(spec.maintenance_window.clone());
        let request = request.deletion_protection(spec.deletion_protection).enable_http_endpoint(spec.data_api);
        let request = request.enable_iam_database_authentication(spec.iam_authentication);
        let request = request.copy_tags_to_snapshot(spec.copy_tags_to_snapshot);
        let request = request.set_enable_cloudwatch_logs_exports(Some(spec.logs.iter().cloned().collect()));
        let request = request.database_insights_mode(DatabaseInsightsMode::from(spec.insights_mode.as_str()));
        let request = request.enable_performance_insights(spec.insights_days.is_some());
        let request = request.set_performance_insights_retention_period(spec.insights_days);
        let key = spec.insights_key.as_ref().filter(|_| spec.insights_days.is_some());
        request.set_performance_insights_kms_key_id(text(key)).send().await.sent()?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let wanted = step.wanted;
        if step.changes(&["final_snapshot"]) {
            retag(
                cloud,
                arn(cloud, step.id).await?.as_deref(),
                &final_snapshot::tag(wanted.final_snapshot.as_deref()),
                &[],
            )
            .await?;
        }
        // Only these two calls change it in a cluster that is not serverless.
        if step.changes(&["data_api"]) {
            let arn = arn(cloud, step.id).await?;
            return match wanted.data_api {
                true => cloud.rds.enable_http_endpoint().set_resource_arn(arn).send().await.sent().map(drop),
                false => cloud.rds.disable_http_endpoint().set_resource_arn(arn).send().await.sent().map(drop),
            };
        }
        let request = cloud.rds.modify_db_cluster().db_cluster_identifier(step.id.as_str()).apply_immediately(true);
        if step.changes(&["engine_version"]) {
            let request = request.engine_version(&wanted.engine_version);
            let upgrade = step.seen.engine_version.as_deref().and_then(|seen| next_major(seen, &wanted.engine_version));
            // Groups of the old family do not fit: the cluster's has to come along, and the instances get the default
            // until their own update gives them the right one.
            let Some(major) = upgrade else { return request.send().await.sent().map(drop) };
            let request = request.allow_major_version_upgrade(true);
            let request = request.db_cluster_parameter_group_name(&wanted.parameter_group);
            let request = request.db_instance_parameter_group_name(format!("default.{}{major}", wanted.engine));
            return request.send().await.sent().map(drop);
        }
        let mut any = false;
        let mut on = |fields: &[&str]| {
            let changes = step.changes(fields);
            any |= changes;
            changes
        };
        let mut request = request;
        if on(&["secret_key"]) {
            let key = text(wanted.secret_key.as_ref());
            request = request.manage_master_user_password(true).set_master_user_secret_kms_key_id(key);
        }
        if on(&["parameter_group"]) {
            request = request.db_cluster_parameter_group_name(&wanted.parameter_group);
        }
        if on(&["security_groups"]) {
            request = request.set_vpc_security_group_ids(security_groups(wanted));
        }
        if on(&["port"]) {
            request = request.port(wanted.port.into());
        }
        if on(&["backup_retention_days"]) {
            request = request.backup_retention_period(wanted.backup_retention_days);
        }
        if on(&["backup_window"]) {
            request = request.set_preferred_backup_window(wanted.backup_window.clone());
        }
        if on(&["maintenance_window"]) {
            request = request.set_preferred_maintenance_window(wanted.maintenance_window.clone());
        }
        if on(&["deletion_protection"]) {
            request = request.deletion_protection(wanted.deletion_protection);
        }
        if on(&["iam_authentication"]) {
            request = request.enable_iam_database_authentication(wanted.iam_authentication);
        }
        if on(&["copy_tags_to_snapshot"]) {
            request = request.copy_tags_to_snapshot(wanted.copy_tags_to_snapshot);
        }
        if on(&["logs"]) {
            request = request.cloudwatch_logs_export_configuration(log_changes(wanted, step.seen));
        }
        if on(&["insights_mode", "insights_days", "insights_key"]) {
            request = request.database_insights_mode(DatabaseInsightsMode::from(wanted.insights_mode.as_str()));
            request = request.enable_performance_insights(wanted.insights_days.is_some());
            request = request.set_performance_insights_retention_period(wanted.insights_days);
            let key = wanted.insights_key.as_ref().filter(|_| wanted.insights_days.is_some());
            request = request.set_performance_insights_kms_key_id(text(key));
        }
        if any {
            return request.send().await.sent().map(drop);
        }
        match step.changes(&["scaled_readers"]) {
            true => scaled_readers::delete(cloud, step.id, wanted.scaled_readers).await,
            false => Ok(()),
        }
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, arn(cloud, id).await?.as_deref(), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let Some(cluster) = describe(cloud, id).await? else { return Ok(()) };
        if cluster.status() == Some("deleting") {
            return Ok(());
        }
        scaled_readers::delete(cloud, id, 0).await?;
        let delete = |snapshot: Option<String>| {
            let request = cloud.rds.delete_db_cluster().db_cluster_identifier(id.as_str());
            let request = request.skip_final_snapshot(snapshot.is_none()).set_final_db_snapshot_identifier(snapshot);
            async move { request.send().await.sent().map(drop) }
        };
        leaving(final_snapshot::name(&cluster), delete).await
    }

    async fn discard(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let arn = arn(cloud, id).await?;
        if arn.is_none() { Ok(()) } else { retag(cloud, arn.as_deref(), &final_snapshot::tag(None), &[]).await }
    }

    fn protection(spec: &ClusterSpec<Observed>) -> Option<&'static str> {
        (spec.deletion_protection == Some(true)).then_some("deletion protection")
    }

    async fn unprotect(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let request = cloud.rds.modify_db_cluster().db_cluster_identifier(id.as_str());
        request.deletion_protection(false).apply_immediately(true).send().await.sent().map(drop)
    }

    fn tolerate(wanted: &ClusterSpec<Observed>, seen: &mut ClusterSpec<Observed>) {
        let versions = wanted.engine_version.as_deref().zip(seen.engine_version.as_deref());
        if versions.is_some_and(|(wanted, seen)| is_patched(wanted, seen)) {
            seen.engine_version.clone_from(&wanted.engine_version);
        }
        if seen.scaled_readers <= wanted.scaled_readers {
            seen.scaled_readers = wanted.scaled_readers;
        }
        let left_to_aws = |wanted: &Option<Option<Arn>>| *wanted == Some(None);
        // A password that RDS does not manage shows as an empty key, and that is a difference always.
        if left_to_aws(&wanted.secret_key) && seen.secret_key != Some(Some(Arn::new(""))) {
            seen.secret_key = Some(None);
        }
        if left_to_aws(&wanted.kms_key) {
            seen.kms_key = Some(None);
        }
        if left_to_aws(&wanted.insights_key) || wanted.insights_days == Some(None) {
            seen.insights_key.clone_from(&wanted.insights_key);
        }
        if wanted.backup_window == Some(None) {
            seen.backup_window = Some(None);
        }
        if wanted.maintenance_window == Some(None) {
            seen.maintenance_window = Some(None);
        }
    }

    fn judge(field: &str, before: &ClusterSpec<Observed>, after: &ClusterSpec<Observed>) -> Option<Verdict> {
        let refuse = |reason: String| Some(Verdict { change: Change::Refuse, reason });
        let updates = |reason: &str| Some(Verdict { change: Change::Update, reason: reason.to_owned() });
        match field {
            "engine_version" => {
                let (from, to) = (before.engine_version.as_deref()?, after.engine_version.as_deref()?);
                let (old, new) = (version(from)?, version(to)?);
                if new < old {
                    refuse(format!("RDS does not take a cluster from {from} back to {to}"))
                } else if new.0 > old.0 + 1 {
                    refuse(format!(
                        "one major version at a time: go from {from} to {} first, then on to {to}",
                        old.0 + 1
                    ))
                } else if new.0 > old.0 {
                    updates("takes the database offline for the upgrade, some minutes to hours with its size")
                } else if new == old {
                    None
                } else {
                    updates("restarts all instances: connections break for about a minute")
                }
            }
            "port" => updates("restarts all instances: connections break for about a minute"),
            "secret_key" if before.secret_key != Some(Some(Arn::new(""))) => {
                refuse("RDS does not change the key of a secret that it manages".to_owned())
            }
            "insights_key" if before.insights_days.is_some_and(|days| days.is_some()) => {
                refuse("RDS does not change the key of Performance Insights while it is on".to_owned())
            }
            _ => None,
        }
    }
}

async fn describe(cloud: &Aws, id: &Id) -> Result<Option<DbCluster>, CallError> {
    let answer = cloud.rds.describe_db_clusters().db_cluster_identifier(id.as_str()).send().await.found()?;
    Ok(answer.and_then(|answer| answer.db_clusters?.into_iter().next()))
}

async fn arn(cloud: &Aws, id: &Id) -> Result<Option<String>, CallError> {
    Ok(describe(cloud, id).await?.and_then(|cluster| cluster.db_cluster_arn))
}

fn text(arn: Option<&Arn>) -> Option<String> {
    arn.map(ToString::to_string)
}

fn security_groups(spec: &ClusterSpec<Resolved>) -> Option<Vec<String>> {
    Some(spec.security_groups.iter().map(ToString::to_string).collect())
}

/// The call merges: what is wanted and off is turned on, what is on and not wanted is turned off.
fn log_changes(wanted: &ClusterSpec<Resolved>, seen: &ClusterSpec<Observed>) -> CloudwatchLogsExportConfiguration {
    let seen = seen.logs.clone().unwrap_or_default();
    CloudwatchLogsExportConfiguration::builder()
        .set_enable_log_types(Some(wanted.logs.difference(&seen).cloned().collect()))
        .set_disable_log_types(Some(seen.difference(&wanted.logs).cloned().collect()))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use observe::tests::cluster;

    #[test]
    fn versions_go_up() {
        let before = observe(&cluster(None)).unwrap().spec;
        let verdict = |version: &str| {
            let after = ClusterSpec { engine_version: Some(version.to_owned()), ..before.clone() };
            Cluster::judge("engine_version", &before, &after)
        };
        assert_eq!(verdict("16.8"), None);
        assert!(verdict("16.9").is_some_and(|it| it.change == Change::Update && it.reason.contains("restarts")));
        assert!(verdict("17.5").is_some_and(|it| it.change == Change::Update && it.reason.contains("offline")));
        for version in ["15.9", "16.7", "18.1"] {
            assert_eq!(verdict(version).unwrap().change, Change::Refuse, "{version}");
        }
    }

    #[test]
    fn what_aws_chooses_is_no_difference() {
        let mut seen = observe(&cluster(Some("final"))).unwrap().spec;
        let mut wanted = seen.clone();
        wanted.engine_version = Some("16.6".to_owned());
        wanted.backup_window = Some(None);
        wanted.maintenance_window = Some(None);
        wanted.insights_key = Some(None);
        Cluster::tolerate(&wanted, &mut seen);
        assert_eq!(seen.to_json(), wanted.to_json());
    }

    #[test]
    fn a_password_that_rds_does_not_manage_is_a_difference() {
        let mut seen = observe(&DbCluster::builder().db_cluster_identifier("c").build()).unwrap().spec;
        let wanted = ClusterSpec { secret_key: Some(None), ..seen.clone() };
        assert_eq!(Cluster::judge("secret_key", &seen, &wanted), None);
        Cluster::tolerate(&wanted, &mut seen);
        assert_ne!(seen.secret_key, wanted.secret_key);
    }
}
