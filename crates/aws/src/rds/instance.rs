//! A member of an Aurora cluster: the writer or a reader.

mod turns;

use super::{all_clusters, retag, scaled_readers, tags, to_tags};
use crate::{Arn, Aws, error::Sent};
use aws_sdk_rds::types::{DbCluster, DbInstance};
use bedplate_model::{
    CallError, Change, Creation, Id, Observation, Observed, Order, Pace, Phase, Readiness, Reconcile, Record, Resolved,
    Step, Tags, Terraform, Verdict, Which,
};
use turns::TURNS;

/// A member of an Aurora cluster: the writer or a reader.
///
/// The first member of a cluster becomes its writer; which one is the writer later is Aurora's choice.
#[derive(Debug)]
pub enum Instance {}

/// Settings of an instance.
#[derive(Clone, Debug, Record)]
pub struct InstanceSpec<P: Phase> {
    /// The cluster's name.
    #[replace]
    #[aws("DBClusterIdentifier")]
    pub cluster: P::Of<String>,
    /// Its name, up to 63 lowercase letters, digits and `-`, beginning with a letter.
    #[replace]
    #[aws("DBInstanceIdentifier")]
    pub name: P::Of<String>,
    /// The engine, the same as the cluster's.
    #[replace]
    pub engine: P::Of<String>,
    /// Its size: `db.r6g.large`. A change of it restarts the instance.
    #[aws("DBInstanceClass")]
    pub class: P::Of<String>,
    /// The name of its availability zone, `us-east-1a`; none leaves the choice to Aurora.
    #[replace]
    pub availability_zone: P::Of<Option<String>>,
    /// The name of its parameter group, of the family of the engine's version.
    #[aws("DBParameterGroupName")]
    pub parameter_group: P::Of<String>,
    /// The IAM role that writes what enhanced monitoring measures; none when it is off.
    #[aws("MonitoringRoleArn")]
    pub monitoring_role: P::Of<Option<Arn>>,
    /// Seconds between two measurements of enhanced monitoring: 1, 5, 10, 15, 30 or 60; 0 turns it off.
    pub monitoring_interval: P::Of<i32>,
    /// Days that Performance Insights keeps what it measured, the same as the cluster's; none turns it off.
    #[aws("PerformanceInsightsRetentionPeriod")]
    pub insights_days: P::Of<Option<i32>>,
    /// The key that Performance Insights encrypts with, the same as the cluster's; none leaves it to a key of AWS.
    #[aws("PerformanceInsightsKMSKeyId")]
    pub insights_key: P::Of<Option<Arn>>,
    /// How soon it becomes the writer when that fails, 0 (first) to 15.
    pub promotion_tier: P::Of<i32>,
    /// Whether AWS may move it to newer minor versions by itself, in the maintenance window.
    #[aws("AutoMinorVersionUpgrade")]
    pub auto_minor_upgrade: P::Of<bool>,
    /// Whether it has a public address.
    pub publicly_accessible: P::Of<bool>,
    /// Whether parameters, of its own group or of its cluster's, wait for a restart before they are in force. Wanted, they
    /// never do: where it is so, it is restarted.
    #[aws(none)]
    pub restart_pending: P::Of<bool>,
}

/// Outputs of an instance.
#[derive(Clone, Debug, Record)]
pub struct InstanceOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub id: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
    /// Its host name.
    pub endpoint: P::Of<String>,
    /// The cluster's name: who names it this way waits for the instance, too.
    pub cluster: P::Of<String>,
    /// Its id that no other instance ever has, `db-…`: the name of its log streams of enhanced monitoring.
    pub resource_id: P::Of<String>,
}

impl Reconcile for Instance {
    const KIND: &'static str = "rds.instance";
    const DOC: &'static str = "A member of an Aurora cluster: the writer or a reader.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::RDS::DBInstance");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_rds_cluster_instance", id: "{identifier}" }];
    const ACTIONS: &'static [&'static str] = &[
        "rds:AddTagsToResource",
        "rds:CreateDBInstance",
        "rds:DeleteDBInstance",
        "rds:DescribeDBClusters",
        "rds:DescribeDBInstances",
        "rds:ModifyDBInstance",
        "rds:RebootDBInstance",
        "rds:RemoveTagsFromResource",
        "iam:PassRole",
        "kms:CreateGrant",
        "kms:DescribeKey",
    ];
    const ORDER: Order = Order::DeleteFirst;
    const PACE: Pace = Pace::seconds(420, 15, 3600);
    type Cloud = Aws;
    type Spec<P: Phase> = InstanceSpec<P>;
    type Outputs<P: Phase> = InstanceOutputs<P>;

    fn identity(spec: &InstanceSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let (clusters, instances) = tokio::try_join!(all_clusters(cloud), all_instances(cloud))?;
        let of_autoscaling =
            |instance: &&DbInstance| matches!(which, Which::Owned(_)) && scaled_readers::is_one(instance);
        let seen = instances.iter().filter(|instance| !of_autoscaling(instance));
        let seen = seen.filter_map(|instance| observe(instance, &clusters));
        Ok(seen.filter(|seen| seen.tags.as_ref().is_some_and(|tags| which.covers(&seen.id, tags))).collect())
    }

    async fn create(cloud: &Aws, spec: &InstanceSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.rds.create_db_instance().db_instance_identifier(&spec.name);
        let request = request.db_cluster_identifier(&spec.cluster).engine(&spec.engine).db_instance_class(&spec.class);
        let request = request.set_availability_zone(spec.availability_zone.clone());
        let request = request.db_parameter_group_name(&spec.parameter_group);
        let request = request.monitoring_interval(spec.monitoring_interval);
        let request = request.set_monitoring_role_arn(spec.monitoring_role.clone().map(String::from));
        let request = request.enable_performance_insights(spec.insights_days.is_some());
        let request = request.set_performance_insights_retention_period(spec.insights_days);
        let request = request.set_performance_insights_kms_key_id(insights_key(spec));
        let request = request.promotion_tier(spec.promotion_tier);
        let request = request.auto_minor_version_upgrade(spec.auto_minor_upgrade);
        let request = request.publicly_accessible(spec.publicly_accessible);
        request.set_tags(to_tags(&creation.tags)).send().await.sent()?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let wanted = step.wanted;
        let mut request = cloud.rds.modify_db_instance().db_instance_identifier(step.id.as_str());
        request = request.apply_immediately(true);
        // Held until RDS has answered: two instances that restart at the same time would be an outage.
        let mut turn = None;
        let restart = step.changed == ["restart_pending"];
        if restart || step.changes(&["class"]) {
            let mut turns = TURNS.lock().await;
            turns.take(cloud, &wanted.cluster, step.id).await?;
            if restart {
                return turns.restart(cloud, step.id).await;
            }
            turn = Some(turns);
            request = request.db_instance_class(&wanted.class);
        }
        if step.changes(&["parameter_group"]) {
            request = request.db_parameter_group_name(&wanted.parameter_group);
        }
        if step.changes(&["monitoring_role", "monitoring_interval"]) {
            request = request.monitoring_interval(wanted.monitoring_interval);
            request = request.set_monitoring_role_arn(wanted.monitoring_role.clone().map(String::from));
        }
        if step.changes(&["insights_days", "insights_key"]) {
            request = request.enable_performance_insights(wanted.insights_days.is_some());
            request = request.set_performance_insights_retention_period(wanted.insights_days);
            request = request.set_performance_insights_kms_key_id(insights_key(wanted));
        }
        if step.changes(&["promotion_tier"]) {
            request = request.promotion_tier(wanted.promotion_tier);
        }
        if step.changes(&["auto_minor_upgrade"]) {
            request = request.auto_minor_version_upgrade(wanted.auto_minor_upgrade);
        }
        if step.changes(&["publicly_accessible"]) {
            request = request.publicly_accessible(wanted.publicly_accessible);
        }
        let answer = request.send().await.sent().map(drop);
        drop(turn);
        answer
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let answer = cloud.rds.describe_db_instances().db_instance_identifier(id.as_str()).send().await.sent()?;
        retag(cloud, answer.db_instances().first().and_then(DbInstance::db_instance_arn), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        // The data belong to the cluster, which makes the final snapshot.
        let request = cloud.rds.delete_db_instance().db_instance_identifier(id.as_str()).skip_final_snapshot(true);
        request.send().await.sent().map(drop)
    }

    fn tolerate(wanted: &InstanceSpec<Observed>, seen: &mut InstanceSpec<Observed>) {
        if wanted.availability_zone == Some(None) {
            seen.availability_zone = Some(None);
        }
        if wanted.insights_key == Some(None) || wanted.insights_days == Some(None) {
            seen.insights_key.clone_from(&wanted.insights_key);
        }
        // RDS keeps the role of a monitoring that is off.
        if wanted.monitoring_interval == Some(0) && seen.monitoring_interval == Some(0) {
            seen.monitoring_role.clone_from(&wanted.monitoring_role);
        }
    }

    fn judge(field: &str, before: &InstanceSpec<Observed>, _after: &InstanceSpec<Observed>) -> Option<Verdict> {
        let (change, reason) = match field {
            "insights_key" if before.insights_days.is_some_and(|days| days.is_some()) => {
                (Change::Replace, "RDS does not change the key of Performance Insights while it is on")
            }
            "class" | "restart_pending" => {
                (Change::Update, "restarts it, readers before the writer: its connections break for about a minute")
            }
            _ => return None,
        };
        Some(Verdict { change, reason: reason.to_owned() })
    }
}

fn insights_key(spec: &InstanceSpec<Resolved>) -> Option<String> {
    spec.insights_key.as_ref().filter(|_| spec.insights_days.is_some()).map(ToString::to_string)
}

/// Whether parameters of its own group or of its cluster's wait for a restart.
fn restart_pending(instance: &DbInstance, clusters: &[DbCluster]) -> bool {
    let name = instance.db_instance_identifier();
    let members = clusters.iter().flat_map(DbCluster::db_cluster_members);
    let mut member = members.filter(|member| member.db_instance_identifier() == name);
    let waits = |status: Option<&str>| status == Some("pending-reboot");
    instance.db_parameter_groups().iter().any(|group| waits(group.parameter_apply_status()))
        || member.any(|member| waits(member.db_cluster_parameter_group_status()))
}

/// All members of all clusters. A survey asks once: their subnets are in them.
pub(super) async fn all_instances(cloud: &Aws) -> Result<Vec<DbInstance>, CallError> {
    let ask = async {
        let pages = cloud.rds.describe_db_instances().into_paginator().items().send();
        pages.collect::<Result<Vec<_>, _>>().await.sent()
    };
    cloud.ask_once(|shared| &shared.database_instances, String::new(), ask).await
}

fn observe(instance: &DbInstance, clusters: &[DbCluster]) -> Option<Observation<Instance>> {
    let name = instance.db_instance_identifier()?;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let pending = instance.pending_modified_values();
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags(instance.tag_list())),
        readiness: match instance.db_instance_status() {
            Some("available" | "backing-up" | "storage-optimization") | None => Readiness::Ready,
            // Its data are the cluster's, so another one may take its place.
            Some(state @ ("failed" | "restore-error")) => Readiness::Broken(state.to_owned()),
            Some(state) => Readiness::Busy(state.to_owned()),
        },
        spec: InstanceSpec {
            cluster: owned(instance.db_cluster_identifier()),
            name: Some(name.to_owned()),
            engine: owned(instance.engine()),
            class: owned(pending.and_then(|pending| pending.db_instance_class()).or(instance.db_instance_class())),
            availability_zone: Some(owned(instance.availability_zone())),
            parameter_group: owned(
                instance.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name()),
            ),
            monitoring_role: Some(instance.monitoring_role_arn().map(Arn::new)),
            monitoring_interval: Some(instance.monitoring_interval().unwrap_or_default()),
            insights_days: Some(
                (instance.performance_insights_enabled() == Some(true))
                    .then(|| instance.performance_insights_retention_period().unwrap_or(7)),
            ),
            insights_key: Some(instance.performance_insights_kms_key_id().map(Arn::new)),
            promotion_tier: instance.promotion_tier(),
            auto_minor_upgrade: instance.auto_minor_version_upgrade(),
            publicly_accessible: instance.publicly_accessible(),
            restart_pending: Some(restart_pending(instance, clusters)),
        },
        outputs: outputs(instance),
    })
}

fn outputs(instance: &DbInstance) -> Option<InstanceOutputs<Resolved>> {
    Some(InstanceOutputs {
        id: instance.db_instance_identifier()?.to_owned(),
        arn: Arn::new(instance.db_instance_arn()?),
        endpoint: instance.endpoint()?.address()?.to_owned(),
        cluster: instance.db_cluster_identifier()?.to_owned(),
        resource_id: instance.dbi_resource_id()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::{DbClusterMember, DbParameterGroupStatus, Endpoint, PendingModifiedValues};
    use serde_json::json;

    fn instance(status: &str) -> DbInstance {
        DbInstance::builder()
            .db_instance_identifier("i")
            .db_instance_arn("arn:i")
            .dbi_resource_id("db-1")
            .db_cluster_identifier("c")
            .engine("aurora-postgresql")
            .db_instance_class("db.r6g.large")
            .pending_modified_values(PendingModifiedValues::builder().db_instance_class("db.r6g.xlarge").build())
            .db_instance_status(status)
            .availability_zone("us-east-1a")
            .db_parameter_groups(DbParameterGroupStatus::builder().db_parameter_group_name("p").build())
            .monitoring_interval(60)
            .monitoring_role_arn("arn:r")
            .performance_insights_enabled(true)
            .performance_insights_retention_period(465)
            .performance_insights_kms_key_id("arn:k")
            .promotion_tier(1)
            .auto_minor_version_upgrade(true)
            .publicly_accessible(false)
            .endpoint(Endpoint::builder().address("i.1").port(5432).build())
            .build()
    }

    #[test]
    fn an_instance_is_read_as_aws_shows_it() {
        let seen = observe(&instance("available"), &[]).unwrap();
        assert_eq!(seen.readiness, Readiness::Ready);
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "cluster": "c", "name": "i", "engine": "aurora-postgresql", "class": "db.r6g.xlarge",
                "availability_zone": "us-east-1a", "parameter_group": "p", "monitoring_role": "arn:r",
                "monitoring_interval": 60, "insights_days": 465, "insights_key": "arn:k", "promotion_tier": 1,
                "auto_minor_upgrade": true, "publicly_accessible": false, "restart_pending": false,
            })
        );
        assert_eq!(seen.outputs.unwrap().endpoint, "i.1");
    }

    #[test]
    fn parameters_of_either_group_wait_for_a_restart() {
        let group = |status| DbParameterGroupStatus::builder().parameter_apply_status(status).build();
        let instance =
            |status| DbInstance::builder().db_instance_identifier("i").db_parameter_groups(group(status)).build();
        let cluster = |name, status| {
            let member = DbClusterMember::builder().db_instance_identifier(name);
            DbCluster::builder().db_cluster_members(member.db_cluster_parameter_group_status(status).build()).build()
        };
        assert!(restart_pending(&instance("pending-reboot"), &[]));
        assert!(restart_pending(&instance("in-sync"), &[cluster("i", "pending-reboot")]));
        assert!(!restart_pending(&instance("applying"), &[cluster("i", "in-sync"), cluster("j", "pending-reboot")]));
    }

    #[test]
    fn the_states_of_an_instance() {
        let readiness = |state| observe(&instance(state), &[]).unwrap().readiness;
        assert_eq!(
            readiness("configuring-enhanced-monitoring"),
            Readiness::Busy("configuring-enhanced-monitoring".into())
        );
        assert_eq!(readiness("failed"), Readiness::Broken("failed".into()));
    }

    #[test]
    fn what_aws_chooses_is_no_difference() {
        let mut seen = observe(&instance("available"), &[]).unwrap().spec;
        let wanted = InstanceSpec { availability_zone: Some(None), insights_key: Some(None), ..seen.clone() };
        Instance::tolerate(&wanted, &mut seen);
        assert_eq!(seen.to_json(), wanted.to_json());
    }
}
