//! What an IAM principal may do in a cluster.

use super::{child_ids, retag, tags, to_tags};
use crate::{Arn, Aws, at_once::at_once, error::Sent};
use aws_sdk_eks::types::{AccessEntry as SdkEntry, AccessScope as SdkScope, AccessScopeType, AssociatedAccessPolicy};
use bedplate_model::{
    CallError, Class, Creation, Id, Observation, Observed, Order, Phase, Readiness, Reconcile, Record, Resolved, Step,
    Tags, Terraform, Which,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What an IAM principal may do in a cluster.
#[derive(Debug)]
pub enum AccessEntry {}

/// Settings of an access entry.
#[derive(Clone, Debug, Record)]
pub struct AccessEntrySpec<P: Phase> {
    /// The cluster's name.
    #[replace]
    #[aws("ClusterName")]
    pub cluster: P::Of<String>,
    /// The IAM role or user. A role's ARN has its path: EKS looks the role up.
    #[replace]
    pub principal_arn: P::Of<Arn>,
    /// What it is: `STANDARD` for people and programs; the others are for nodes.
    #[replace]
    #[aws("Type")]
    pub kind: P::Of<String>,
    /// The Kubernetes groups it belongs to. EKS sets those of nodes itself.
    pub kubernetes_groups: P::Of<BTreeSet<String>>,
    /// The EKS access policies it has, by ARN (`arn:aws:eks::aws:cluster-access-policy/…`), and where each holds.
    #[aws("AccessPolicies")]
    pub policies: P::Of<BTreeMap<Arn, AccessScope>>,
}

/// Where an access policy holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessScope {
    /// In the whole cluster.
    Cluster,
    /// In these namespaces.
    Namespaces(BTreeSet<String>),
}

/// Outputs of an access entry.
#[derive(Clone, Debug, Record)]
pub struct AccessEntryOutputs<P: Phase> {
    /// Its ARN.
    pub arn: P::Of<Arn>,
}

impl Reconcile for AccessEntry {
    const KIND: &'static str = "eks.access_entry";
    const DOC: &'static str = "What an IAM principal may do in a cluster.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EKS::AccessEntry");
    const TERRAFORM: &'static [Terraform] =
        &[Terraform { kind: "aws_eks_access_entry", id: "{cluster_name}|{principal_arn}" }];
    const ACTIONS: &'static [&'static str] = &[
        "eks:AssociateAccessPolicy",
        "eks:CreateAccessEntry",
        "eks:DeleteAccessEntry",
        "eks:DescribeAccessEntry",
        "eks:DescribeCluster",
        "eks:DisassociateAccessPolicy",
        "eks:ListAccessEntries",
        "eks:ListAssociatedAccessPolicies",
        "eks:ListClusters",
        "eks:TagResource",
        "eks:UntagResource",
        "eks:UpdateAccessEntry",
    ];
    // A cluster has one entry for a principal.
    const ORDER: Order = Order::DeleteFirst;
    type Cloud = Aws;
    type Spec<P: Phase> = AccessEntrySpec<P>;
    type Outputs<P: Phase> = AccessEntryOutputs<P>;

    fn identity(spec: &AccessEntrySpec<Observed>) -> Option<Id> {
        Some(Id::child(spec.cluster.as_ref()?, spec.principal_arn.as_ref()?.as_str()))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let ids = child_ids!(cloud, which, list_access_entries);
        let found = at_once(ids.iter().map(async |id| {
            // Not at once: where the cluster goes, its entries are gone, and their policies a question that EKS refuses.
            let Some(entry) = describe(cloud, id).await? else { return Ok(None) };
            Ok(observe(&entry, &policies(cloud, id).await?))
        }));
        Ok(super::owned(which, found.await?.into_iter().flatten().collect()))
    }

    async fn create(cloud: &Aws, spec: &AccessEntrySpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.eks.create_access_entry().cluster_name(&spec.cluster);
        let request = request.principal_arn(spec.principal_arn.as_str()).r#type(&spec.kind);
        // Types for nodes refuse groups, even an empty list.
        let groups = (!spec.kubernetes_groups.is_empty()).then(|| groups(spec));
        let request = request.set_kubernetes_groups(groups).set_tags(to_tags(&creation.tags));
        request.client_request_token(&creation.token).send().await.sent()?;
        Ok(Id::child(&spec.cluster, spec.principal_arn.as_str()))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (cluster, principal) = step.id.split();
        if step.changes(&["kubernetes_groups"]) {
            let request = cloud.eks.update_access_entry().cluster_name(cluster).principal_arn(principal);
            let request = request.set_kubernetes_groups(Some(groups(step.wanted)));
            request.client_request_token(&step.creation.token).send().await.sent()?;
        }
        if step.changes(&["policies"]) {
            let (nothing, wanted) = (BTreeMap::new(), &step.wanted.policies);
            let seen = step.seen.policies.as_ref().unwrap_or(&nothing);
            for policy in seen.keys().filter(|policy| !wanted.contains_key(policy)) {
                let request = cloud.eks.disassociate_access_policy().cluster_name(cluster).principal_arn(principal);
                request.policy_arn(policy.as_str()).send().await.ensured()?;
            }
            // For a policy it has already, this changes the scope.
            for (policy, scope) in wanted.iter().filter(|(policy, scope)| seen.get(policy) != Some(scope)) {
                let request = cloud.eks.associate_access_policy().cluster_name(cluster).principal_arn(principal);
                request.policy_arn(policy.as_str()).access_scope(to_scope(scope)).send().await.sent()?;
            }
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let entry = describe(cloud, id).await?;
        retag(cloud, entry.as_ref().and_then(SdkEntry::access_entry_arn), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let (cluster, principal) = id.split();
        let request = cloud.eks.delete_access_entry().cluster_name(cluster).principal_arn(principal);
        request.send().await.sent().map(drop)
    }

    fn tolerate(wanted: &AccessEntrySpec<Observed>, seen: &mut AccessEntrySpec<Observed>) {
        if wanted.kind.as_deref().is_some_and(|kind| kind != "STANDARD") {
            seen.kubernetes_groups.clone_from(&wanted.kubernetes_groups);
        }
    }
}

/// The access policies of an entry; none of one that is gone.
async fn policies(cloud: &Aws, id: &Id) -> Result<Vec<AssociatedAccessPolicy>, CallError> {
    let (cluster, principal) = id.split();
    let request = cloud.eks.list_associated_access_policies().cluster_name(cluster).principal_arn(principal);
    let mut pages = request.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(policy) = pages.next().await {
        let Some(policy) = policy.found()? else { break };
        found.push(policy);
    }
    Ok(found)
}

async fn describe(cloud: &Aws, id: &Id) -> Result<Option<SdkEntry>, CallError> {
    let (cluster, principal) = id.split();
    let request = cloud.eks.describe_access_entry().cluster_name(cluster).principal_arn(principal);
    match request.send().await.found() {
        // EKS does not answer for a cluster that has no entries yet, or not for long.
        Err(error) if error.class == Class::Busy && !super::is_up(cloud, cluster).await? => Ok(None),
        answer => Ok(answer?.and_then(|answer| answer.access_entry)),
    }
}

fn groups(spec: &AccessEntrySpec<Resolved>) -> Vec<String> {
    spec.kubernetes_groups.iter().cloned().collect()
}

fn to_scope(scope: &AccessScope) -> SdkScope {
    match scope {
        AccessScope::Cluster => SdkScope::builder().r#type(AccessScopeType::Cluster).build(),
        AccessScope::Namespaces(names) => {
            let names = names.iter().cloned().collect();
            SdkScope::builder().r#type(AccessScopeType::Namespace).set_namespaces(Some(names)).build()
        }
    }
}

fn scope(scope: &SdkScope) -> Option<AccessScope> {
    match scope.r#type()? {
        AccessScopeType::Cluster => Some(AccessScope::Cluster),
        AccessScopeType::Namespace => Some(AccessScope::Namespaces(scope.namespaces().iter().cloned().collect())),
        _ => None,
    }
}

fn observe(entry: &SdkEntry, policies: &[AssociatedAccessPolicy]) -> Option<Observation<AccessEntry>> {
    let (cluster, principal) = (entry.cluster_name()?, entry.principal_arn()?);
    let policies =
        policies.iter().filter_map(|policy| Some((Arn::new(policy.policy_arn()?), scope(policy.access_scope()?)?)));
    Some(Observation {
        id: Id::child(cluster, principal),
        tags: Some(tags(entry.tags())),
        readiness: Readiness::Ready,
        spec: AccessEntrySpec {
            cluster: Some(cluster.to_owned()),
            principal_arn: Some(Arn::new(principal)),
            kind: entry.r#type().map(str::to_owned),
            kubernetes_groups: Some(entry.kubernetes_groups().iter().cloned().collect()),
            policies: Some(policies.collect()),
        },
        outputs: entry.access_entry_arn().map(|arn| AccessEntryOutputs { arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_access_entry_is_read_as_aws_shows_it() {
        let sdk = SdkEntry::builder()
            .cluster_name("c")
            .principal_arn("arn:aws:iam::797923187401:role/admin")
            .access_entry_arn("arn:entry")
            .r#type("STANDARD")
            .kubernetes_groups("viewers")
            .build();
        let policy = |arn: &str, scope| AssociatedAccessPolicy::builder().policy_arn(arn).access_scope(scope).build();
        let namespaces = AccessScope::Namespaces(["prod".to_owned()].into());
        let policies =
            [policy("arn:admin", to_scope(&AccessScope::Cluster)), policy("arn:view", to_scope(&namespaces))];
        let seen = observe(&sdk, &policies).unwrap();
        assert_eq!(seen.id.as_str(), "c|arn:aws:iam::797923187401:role/admin");
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "cluster": "c", "principal_arn": "arn:aws:iam::797923187401:role/admin", "kind": "STANDARD",
                "kubernetes_groups": ["viewers"],
                "policies": {"arn:admin": "cluster", "arn:view": {"namespaces": ["prod"]}},
            })
        );
    }
}
