//! Readers that Application Auto Scaling adds to a cluster and takes away again.

use crate::{Aws, error::Sent};
use aws_sdk_rds::types::{DbCluster, DbInstance, Filter};
use bedplate_model::{CallError, Class, Id};

/// What their names begin with.
const PREFIX: &str = "application-autoscaling-";

/// Whether Aurora's autoscaling made it. Such a reader may carry copies of our tags and is not ours all the same.
pub(super) fn is_one(instance: &DbInstance) -> bool {
    instance.tag_list().iter().any(|tag| tag.key() == Some("application-autoscaling:resourceId"))
        || instance.db_instance_identifier().is_some_and(|name| name.starts_with(PREFIX))
}

/// How many a cluster has. It tells no more of its members than their names.
pub(super) fn count(cluster: &DbCluster) -> u32 {
    let names = cluster.db_cluster_members().iter().filter_map(|member| member.db_instance_identifier());
    names.filter(|name| name.starts_with(PREFIX)).count().try_into().unwrap_or(u32::MAX)
}

/// Deletes the readers beyond `keep`, the youngest first. As long as there are any, they keep the cluster busy. An instance
/// that somebody else added is not touched: RDS refuses to delete the cluster as long as it has it.
pub(super) async fn delete(cloud: &Aws, cluster: &Id, keep: u32) -> Result<(), CallError> {
    let filter = Filter::builder().name("db-cluster-id").values(cluster.as_str()).build();
    let mut pages = cloud.rds.describe_db_instances().filters(filter).into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(instance) = pages.next().await {
        let Some(instance) = instance.found()? else { break };
        if instance.db_cluster_identifier() == Some(cluster.as_str()) && is_one(&instance) {
            found.push(instance);
        }
    }
    // One that is going already counts first.
    let going = |instance: &DbInstance| instance.db_instance_status() == Some("deleting");
    let made = |instance: &DbInstance| instance.instance_create_time().map(|time| time.secs());
    found.sort_by_key(|instance| (!going(instance), std::cmp::Reverse(made(instance))));
    let surplus = found.len().saturating_sub(keep.try_into().unwrap_or(usize::MAX));
    for instance in found.iter().take(surplus).filter(|instance| !going(instance)) {
        let Some(name) = instance.db_instance_identifier() else { continue };
        let request = cloud.rds.delete_db_instance().db_instance_identifier(name).skip_final_snapshot(true);
        match request.send().await.sent() {
            // It is still being made; the next attempt takes it.
            Err(error) if error.class != Class::Busy && error.class != Class::NotFound => return Err(error),
            _ => {}
        }
    }
    if surplus == 0 {
        return Ok(());
    }
    let message = "readers that the autoscaler added are being deleted";
    Err(CallError::local("rds:DeleteDBInstance", "ReadersLeft", message, Class::Busy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::{DbClusterMember, Tag};

    #[test]
    fn readers_of_the_autoscaler_are_not_ours() {
        let tag = Tag::builder().key("application-autoscaling:resourceId").value("cluster:c").build();
        assert!(is_one(&DbInstance::builder().tag_list(tag).build()));
        assert!(is_one(&DbInstance::builder().db_instance_identifier("application-autoscaling-1").build()));
        assert!(!is_one(&DbInstance::builder().db_instance_identifier("writer").build()));
    }

    #[test]
    fn they_are_counted_by_name() {
        let member = |name| DbClusterMember::builder().db_instance_identifier(name).build();
        let cluster = DbCluster::builder().db_cluster_members(member("writer"));
        assert_eq!(count(&cluster.db_cluster_members(member("application-autoscaling-1")).build()), 1);
    }
}
