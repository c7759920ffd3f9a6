//! EKS: the cluster and what belongs to it.

mod access_entry;
mod addon;
mod cluster;
mod fargate_profile;
mod leftovers;
mod node_group;

pub use access_entry::{AccessEntry, AccessEntryOutputs, AccessEntrySpec, AccessScope};
pub use addon::{Addon, AddonOutputs, AddonSpec};
pub use cluster::{Cluster, ClusterOutputs, ClusterSpec};
pub use fargate_profile::{FargateProfile, FargateProfileOutputs, FargateProfileSpec, FargateSelector};
pub use node_group::{NodeGroup, NodeGroupOutputs, NodeGroupSpec};

use crate::{Aws, error::Sent};
use aws_sdk_eks::types::{Cluster as SdkCluster, ClusterStatus};
use bedplate_model::{CallError, Observation, Reconcile, StackId, TAG_STACK, Tags, Which};
use std::collections::HashMap;

/// Tags as EKS answers them, without those that AWS sets.
fn tags(tags: Option<&HashMap<String, String>>) -> Tags {
    let tags = tags.into_iter().flatten().filter(|(key, _)| !key.starts_with("aws:"));
    tags.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Tags for a call.
fn to_tags(tags: &Tags) -> Option<HashMap<String, String>> {
    Some(tags.clone().into_iter().collect())
}

/// Tags of all EKS resources are set and removed by the same two calls, which take the ARN.
async fn retag(cloud: &Aws, arn: Option<&str>, set: &Tags, remove: &[String]) -> Result<(), CallError> {
    let arn = arn.ok_or_else(|| CallError::malformed("eks:TagResource", "ARN of what is tagged"))?;
    if !set.is_empty() {
        cloud.eks.tag_resource().resource_arn(arn).set_tags(to_tags(set)).send().await.sent()?;
    }
    if !remove.is_empty() {
        let request = cloud.eks.untag_resource().resource_arn(arn);
        request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
    }
    Ok(())
}

/// A cluster, unless there is none of this name. A survey asks once for the cluster and for the way to what lies in it.
pub(crate) async fn describe_cluster(cloud: &Aws, name: &str) -> Result<Option<SdkCluster>, CallError> {
    let ask = async {
        let answer = cloud.eks.describe_cluster().name(name).send().await.found()?;
        Ok(answer.and_then(|answer| answer.cluster))
    };
    cloud.ask_once(|shared| &shared.clusters, name.to_owned(), ask).await
}

/// Whether a cluster stands: it is neither being made nor being removed.
async fn is_up(cloud: &Aws, name: &str) -> Result<bool, CallError> {
    Ok(describe_cluster(cloud, name).await?.is_some_and(|cluster| stands(&cluster)))
}

fn stands(cluster: &SdkCluster) -> bool {
    !matches!(cluster.status(), Some(ClusterStatus::Creating | ClusterStatus::Deleting | ClusterStatus::Failed))
}

/// The names of a stack's clusters that stand, and so may have children.
pub(crate) async fn clusters(cloud: &Aws, stack: &StackId) -> Result<Vec<String>, CallError> {
    let mut names = Vec::new();
    let mut pages = cloud.eks.list_clusters().into_paginator().items().send();
    while let Some(name) = pages.next().await {
        let name = name.sent()?;
        let cluster = describe_cluster(cloud, &name).await?;
        let owner = cluster.as_ref().and_then(|cluster| cluster.tags()?.get(TAG_STACK));
        if owner.is_some_and(|owner| owner == stack.as_str()) && cluster.as_ref().is_some_and(stands) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The ids of a cluster's children to describe: those asked for, or all that `$list` finds in the stack's clusters. A
/// macro, because the list calls have the same shape but no type in common.
macro_rules! child_ids {
    ($cloud:expr, $which:expr, $list:ident) => {{
        let mut ids = Vec::new();
        match $which {
            Which::Ids(asked) => ids.extend_from_slice(asked),
            Which::Owned(stack) => {
                for cluster in super::clusters($cloud, stack).await? {
                    let mut pages = $cloud.eks.$list().cluster_name(&cluster).into_paginator().items().send();
                    while let Some(name) = pages.next().await {
                        let Some(name) = name.found()? else { break };
                        ids.push(Id::child(&cluster, &name));
                    }
                }
            }
        }
        ids
    }};
}
use child_ids;

/// Leaves out the children that are not the stack's, when the stack's are asked for: EKS makes access entries itself.
fn owned<K: Reconcile>(which: Which<'_>, mut found: Vec<Observation<K>>) -> Vec<Observation<K>> {
    if matches!(which, Which::Owned(_)) {
        found.retain(|seen| seen.tags.as_ref().is_some_and(|tags| which.covers(&seen.id, tags)));
    }
    found
}

/// A state with the health issues that AWS gives as its reason.
fn reason<'a>(state: &str, issues: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>) -> String {
    issues.fold(state.to_owned(), |text, (code, message)| {
        let separator = if text.len() == state.len() { ": " } else { "; " };
        format!("{text}{separator}{}: {}", code.unwrap_or("unknown"), message.unwrap_or("no message"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_every_issue() {
        assert_eq!(reason("FAILED", [].into_iter()), "FAILED");
        let issues = [(Some("AccessDenied"), Some("no")), (None, None)];
        assert_eq!(reason("DEGRADED", issues.into_iter()), "DEGRADED: AccessDenied: no; unknown: no message");
    }
}
