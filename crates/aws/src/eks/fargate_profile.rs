//! Which pods of a cluster run on Fargate.

use super::{child_ids, reason, retag, tags, to_tags};
use crate::{Arn, Aws, SubnetId, at_once::at_once, error::Sent};
use aws_sdk_eks::types::{FargateProfile as SdkProfile, FargateProfileSelector, FargateProfileStatus};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Pace, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Which pods of a cluster run on Fargate.
///
/// Pods that exist before the profile stay where they are or, without nodes, stay pending: they are not moved to it.
#[derive(Debug)]
pub enum FargateProfile {}

/// Settings of a Fargate profile.
#[derive(Clone, Debug, Record)]
pub struct FargateProfileSpec<P: Phase> {
    /// The cluster's name.
    #[replace]
    #[aws("ClusterName")]
    pub cluster: P::Of<String>,
    /// Its name, up to 100 characters.
    #[replace]
    #[aws("FargateProfileName")]
    pub name: P::Of<String>,
    /// The IAM role that Fargate itself uses to fetch images and write logs. Pods do not get it.
    #[replace]
    pub pod_execution_role_arn: P::Of<Arn>,
    /// The subnets of the pods; private ones only.
    #[replace]
    pub subnets: P::Of<BTreeSet<SubnetId>>,
    /// The pods, 1 to 5 selectors. A pod that one of them selects runs on Fargate.
    #[replace]
    pub selectors: P::Of<BTreeSet<FargateSelector>>,
}

/// Some pods of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FargateSelector {
    /// The namespace.
    pub namespace: String,
    /// The labels that the pods must have, up to 5; none selects all pods.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl FargateSelector {
    /// All pods of a namespace.
    pub fn namespace(name: impl Into<String>) -> Self {
        Self { namespace: name.into(), labels: BTreeMap::new() }
    }
}

/// Outputs of a Fargate profile.
#[derive(Clone, Debug, Record)]
pub struct FargateProfileOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    pub arn: P::Of<Arn>,
}

impl Reconcile for FargateProfile {
    const KIND: &'static str = "eks.fargate_profile";
    const DOC: &'static str = "Which pods of a cluster run on Fargate.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EKS::FargateProfile");
    const TERRAFORM: &'static [Terraform] =
        &[Terraform { kind: "aws_eks_fargate_profile", id: "{cluster_name}|{fargate_profile_name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "eks:CreateFargateProfile",
        "eks:DeleteFargateProfile",
        "eks:DescribeCluster",
        "eks:DescribeFargateProfile",
        "eks:ListClusters",
        "eks:ListFargateProfiles",
        "eks:TagResource",
        "eks:UntagResource",
        "iam:GetRole",
        "iam:PassRole",
    ];
    // CreateFirst (the default): a pod that starts while no profile matches it is never moved to Fargate. EKS makes and removes
    // one profile of a cluster at a time and calls others busy.
    const PACE: Pace = Pace::seconds(120, 10, 1800);
    type Cloud = Aws;
    type Spec<P: Phase> = FargateProfileSpec<P>;
    type Outputs<P: Phase> = FargateProfileOutputs<P>;

    fn identity(spec: &FargateProfileSpec<Observed>) -> Option<Id> {
        Some(Id::child(spec.cluster.as_ref()?, spec.name.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let ids = child_ids!(cloud, which, list_fargate_profiles);
        let found = at_once(ids.iter().map(|id| describe(cloud, id))).await?;
        Ok(super::owned(which, found.iter().flatten().filter_map(observe).collect()))
    }

    async fn create(cloud: &Aws, spec: &FargateProfileSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let selectors = spec.selectors.iter().map(|selector| {
            let labels = to_tags(&selector.labels).filter(|labels| !labels.is_empty());
            FargateProfileSelector::builder().namespace(&selector.namespace).set_labels(labels).build()
        });
        let request = cloud.eks.create_fargate_profile().cluster_name(&spec.cluster).fargate_profile_name(&spec.name);
        let request = request.pod_execution_role_arn(spec.pod_execution_role_arn.as_str());
        let request = request.set_subnets(Some(spec.subnets.iter().map(ToString::to_string).collect()));
        let request = request.set_selectors(Some(selectors.collect())).client_request_token(&creation.token);
        request.set_tags(to_tags(&creation.tags)).send().await.sent()?;
        Ok(Id::child(&spec.cluster, &spec.name))
    }

    /// A profile never changes.
    async fn update(_cloud: &Aws, _step: &Step<'_, Self>) -> Result<(), CallError> {
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let profile = describe(cloud, id).await?;
        retag(cloud, profile.as_ref().and_then(SdkProfile::fargate_profile_arn), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let (cluster, name) = id.split();
        let request = cloud.eks.delete_fargate_profile().cluster_name(cluster).fargate_profile_name(name);
        request.send().await.sent().map(drop)
    }
}

async fn describe(cloud: &Aws, id: &Id) -> Result<Option<SdkProfile>, CallError> {
    let (cluster, name) = id.split();
    let request = cloud.eks.describe_fargate_profile().cluster_name(cluster).fargate_profile_name(name);
    Ok(request.send().await.found()?.and_then(|answer| answer.fargate_profile))
}

fn observe(profile: &SdkProfile) -> Option<Observation<FargateProfile>> {
    let (cluster, name) = (profile.cluster_name()?, profile.fargate_profile_name()?);
    let issues = profile.health().map(|health| health.issues()).unwrap_or_default().iter();
    let issues = issues.map(|issue| (issue.code().map(|code| code.as_str()), issue.message()));
    let selectors = profile.selectors().iter().filter_map(|selector| {
        let labels = selector.labels().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
        Some(FargateSelector { namespace: selector.namespace()?.to_owned(), labels: labels.collect() })
    });
    Some(Observation {
        id: Id::child(cluster, name),
        tags: Some(tags(profile.tags())),
        readiness: match profile.status() {
            Some(FargateProfileStatus::Active) | None => Readiness::Ready,
            Some(status @ (FargateProfileStatus::CreateFailed | FargateProfileStatus::DeleteFailed)) => {
                Readiness::Broken(reason(status.as_str(), issues))
            }
            Some(status) => Readiness::Busy(status.to_string()),
        },
        spec: FargateProfileSpec {
            cluster: Some(cluster.to_owned()),
            name: Some(name.to_owned()),
            pod_execution_role_arn: profile.pod_execution_role_arn().map(Arn::new),
            subnets: Some(profile.subnets().iter().map(SubnetId::new).collect()),
            selectors: Some(selectors.collect()),
        },
        outputs: profile
            .fargate_profile_arn()
            .map(|arn| FargateProfileOutputs { name: name.to_owned(), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_eks::types::{FargateProfileHealth, FargateProfileIssue, FargateProfileIssueCode};
    use serde_json::json;

    fn profile(status: FargateProfileStatus) -> SdkProfile {
        let issue = FargateProfileIssue::builder().code(FargateProfileIssueCode::AccessDenied).message("no").build();
        SdkProfile::builder()
            .cluster_name("c")
            .fargate_profile_name("fp")
            .fargate_profile_arn("arn:fp")
            .status(status)
            .health(FargateProfileHealth::builder().issues(issue).build())
            .pod_execution_role_arn("arn:role")
            .subnets("subnet-1")
            .selectors(FargateProfileSelector::builder().namespace("prod").labels("a", "b").build())
            .selectors(FargateProfileSelector::builder().namespace("default").build())
            .build()
    }

    #[test]
    fn a_profile_is_read_as_aws_shows_it() {
        let seen = observe(&profile(FargateProfileStatus::Active)).unwrap();
        assert_eq!((seen.id.as_str(), seen.readiness), ("c|fp", Readiness::Ready));
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "cluster": "c", "name": "fp", "pod_execution_role_arn": "arn:role", "subnets": ["subnet-1"],
                "selectors": [{"namespace": "default", "labels": {}}, {"namespace": "prod", "labels": {"a": "b"}}],
            })
        );
    }

    #[test]
    fn the_states_of_a_profile() {
        let readiness = |status| observe(&profile(status)).unwrap().readiness;
        assert_eq!(readiness(FargateProfileStatus::Deleting), Readiness::Busy("DELETING".into()));
        assert_eq!(
            readiness(FargateProfileStatus::CreateFailed),
            Readiness::Broken("CREATE_FAILED: AccessDenied: no".into())
        );
    }
}
