//! Who restarts when: two instances of a cluster at the same time would be an outage.

use super::restart_pending;
use crate::{Aws, error::Sent, rds::all_clusters};
use aws_sdk_rds::types::{DbCluster, DbInstance, Filter};
use bedplate_model::{CallError, Class, Id};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// Whose turn it is to restart.
pub(super) static TURNS: Mutex<Turns> =
    Mutex::const_new(Turns { last: None, gave_way: BTreeSet::new(), restarted: BTreeSet::new() });

/// For how long an instance that was told to change may still look as if it were not.
const UNTIL_IT_SHOWS: Duration = Duration::from_secs(120);

/// Lets instances of a cluster restart, for another class or for parameters, one after the other.
pub(super) struct Turns {
    /// Which instance was told last, and when.
    last: Option<(String, Instant)>,
    /// The writers that let a reader go first.
    gave_way: BTreeSet<String>,
    /// Those that were restarted for parameters.
    restarted: BTreeSet<String>,
}

impl Turns {
    /// Fails with `Busy` as long as it is another one's turn. A writer gives way once, so that its readers, if they change
    /// too, come first, and is not kept waiting by one that stays as it is.
    pub(super) async fn take(&mut self, cloud: &Aws, cluster: &str, id: &Id) -> Result<(), CallError> {
        let wait = |why: String| Err(CallError::local("rds:ModifyDBInstance", "OneAfterTheOther", why, Class::Busy));
        let filter = Filter::builder().name("db-cluster-id").values(cluster).build();
        let mut pages = cloud.rds.describe_db_instances().filters(filter).into_paginator().items().send();
        let (clusters, mut others) = (all_clusters(cloud).await?, false);
        while let Some(other) = pages.next().await {
            let other = other.sent()?;
            let name = other.db_instance_identifier().unwrap_or_default();
            if name == id.as_str() || other.db_cluster_identifier() != Some(cluster) {
                continue;
            }
            others = true;
            let told = self.last.as_ref().is_some_and(|(last, at)| last == name && at.elapsed() < UNTIL_IT_SHOWS);
            if is_restarting(&other, &clusters, told) {
                return wait(format!("{name} changes first"));
            }
        }
        if others && !self.gave_way.contains(id.as_str()) && is_writer(&clusters, id) {
            self.gave_way.insert(id.to_string());
            return wait("the readers change first".to_owned());
        }
        self.last = Some((id.to_string(), Instant::now()));
        Ok(())
    }

    /// Restarts it, once: where AWS goes on to say that parameters wait, another restart would change nothing.
    pub(super) async fn restart(&mut self, cloud: &Aws, id: &Id) -> Result<(), CallError> {
        if self.restarted.contains(id.as_str()) {
            return Ok(());
        }
        cloud.rds.reboot_db_instance().db_instance_identifier(id.as_str()).send().await.sent()?;
        self.restarted.insert(id.to_string());
        Ok(())
    }
}

/// Whether an instance is on its way to another state, also when it was told to be but does not show it yet.
fn is_restarting(instance: &DbInstance, clusters: &[DbCluster], told: bool) -> bool {
    let moves = ["creating", "modifying", "rebooting", "starting", "upgrading"];
    let pending = instance.pending_modified_values().is_some_and(|pending| pending.db_instance_class().is_some())
        || restart_pending(instance, clusters);
    instance.db_instance_status().is_some_and(|state| moves.contains(&state)) || (told && pending)
}

fn is_writer(clusters: &[DbCluster], id: &Id) -> bool {
    let mut members = clusters.iter().flat_map(DbCluster::db_cluster_members);
    members
        .any(|member| member.db_instance_identifier() == Some(id.as_str()) && member.is_cluster_writer() == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::PendingModifiedValues;

    fn instance(status: &str) -> DbInstance {
        let pending = PendingModifiedValues::builder().db_instance_class("db.r6g.xlarge").build();
        DbInstance::builder().pending_modified_values(pending).db_instance_status(status).build()
    }

    #[test]
    fn one_that_was_told_to_change_restarts_until_it_has() {
        assert!(is_restarting(&instance("modifying"), &[], false));
        assert!(is_restarting(&instance("available"), &[], true));
        assert!(!is_restarting(&instance("available"), &[], false));
        assert!(!is_restarting(&instance("stopped"), &[], false));
        let done = DbInstance::builder().db_instance_status("available").build();
        assert!(!is_restarting(&done, &[], true));
    }
}
