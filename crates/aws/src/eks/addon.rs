//! Software in a cluster that EKS installs and keeps up.

use super::{child_ids, reason, retag, tags, to_tags};
use crate::{Arn, Aws, at_once::at_once, error::Sent};
use aws_sdk_eks::types::{Addon as SdkAddon, AddonStatus, ResolveConflicts};
use bedplate_model::{
    CallError, Creation, Id, Json, Observation, Observed, Order, Pace, Phase, Readiness, Reconcile, Record, Resolved,
    Step, Tags, Terraform, Which,
};

/// Software in a cluster that EKS installs and keeps up.
///
/// Conflicts are always resolved by overwriting: the declaration is what counts, a copy of the software that is in the
/// cluster already is taken over, and a setting that somebody changed in the cluster would make every later update
/// fail.
#[derive(Debug)]
pub enum Addon {}

/// Settings of an add-on.
#[derive(Clone, Debug, Record)]
pub struct AddonSpec<P: Phase> {
    /// The cluster's name.
    #[replace]
    #[aws("ClusterName")]
    pub cluster: P::Of<String>,
    /// Its name: `vpc-cni`.
    #[replace]
    #[aws("AddonName")]
    pub name: P::Of<String>,
    /// Its version, `v1.20.4-eksbuild.1`; none takes EKS's default for the cluster's version, once, at the creation.
    #[aws("AddonVersion")]
    pub version: P::Of<Option<String>>,
    /// Its settings as an object of the add-on's own schema, no secrets among them; none leaves the defaults.
    #[aws("ConfigurationValues")]
    pub configuration: P::Of<Option<Json>>,
    /// The IAM role of its service account; none leaves it with the rights of the node it runs on.
    pub service_account_role_arn: P::Of<Option<Arn>>,
}

/// Outputs of an add-on.
#[derive(Clone, Debug, Record)]
pub struct AddonOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    pub arn: P::Of<Arn>,
    /// The version that is installed.
    #[volatile]
    pub version: P::Of<String>,
}

impl Reconcile for Addon {
    const KIND: &'static str = "eks.addon";
    const DOC: &'static str = "Software in a cluster that EKS installs and keeps up.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EKS::Addon");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_eks_addon", id: "{cluster_name}|{addon_name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "eks:CreateAddon",
        "eks:DeleteAddon",
        "eks:DescribeAddon",
        "eks:DescribeCluster",
        "eks:ListAddons",
        "eks:ListClusters",
        "eks:TagResource",
        "eks:UntagResource",
        "eks:UpdateAddon",
        "iam:PassRole",
    ];
    // A cluster has one add-on of a name.
    const ORDER: Order = Order::DeleteFirst;
    const PACE: Pace = Pace::seconds(60, 5, 1200);
    type Cloud = Aws;
    type Spec<P: Phase> = AddonSpec<P>;
    type Outputs<P: Phase> = AddonOutputs<P>;

    fn identity(spec: &AddonSpec<Observed>) -> Option<Id> {
        Some(Id::child(spec.cluster.as_ref()?, spec.name.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let ids = child_ids!(cloud, which, list_addons);
        let found = at_once(ids.iter().map(|id| describe(cloud, id))).await?;
        Ok(super::owned(which, found.iter().flatten().filter_map(observe).collect()))
    }

    async fn create(cloud: &Aws, spec: &AddonSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.eks.create_addon().cluster_name(&spec.cluster).addon_name(&spec.name);
        let request = request.set_addon_version(spec.version.clone());
        let request = request.set_configuration_values(spec.configuration.as_ref().map(ToString::to_string));
        let request = request.set_service_account_role_arn(role(spec)).resolve_conflicts(ResolveConflicts::Overwrite);
        request.client_request_token(&creation.token).set_tags(to_tags(&creation.tags)).send().await.sent()?;
        Ok(Id::child(&spec.cluster, &spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (cluster, name) = step.id.split();
        // Everything is sent each time: without a role the add-on would go back to the node's rights, and without
        // settings it would keep those it has.
        let configuration = step.wanted.configuration.as_ref().map_or_else(|| "{}".to_owned(), ToString::to_string);
        let request = cloud.eks.update_addon().cluster_name(cluster).addon_name(name);
        let request = request.set_addon_version(step.wanted.version.clone()).configuration_values(configuration);
        let request = request.set_service_account_role_arn(role(step.wanted));
        let request = request.resolve_conflicts(ResolveConflicts::Overwrite);
        request.client_request_token(&step.creation.token).send().await.sent().map(drop)
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let addon = describe(cloud, id).await?;
        retag(cloud, addon.as_ref().and_then(SdkAddon::addon_arn), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let (cluster, name) = id.split();
        cloud.eks.delete_addon().cluster_name(cluster).addon_name(name).send().await.sent().map(drop)
    }

    fn tolerate(wanted: &AddonSpec<Observed>, seen: &mut AddonSpec<Observed>) {
        if wanted.version == Some(None) {
            seen.version = Some(None);
        }
    }
}

async fn describe(cloud: &Aws, id: &Id) -> Result<Option<SdkAddon>, CallError> {
    let (cluster, name) = id.split();
    let request = cloud.eks.describe_addon().cluster_name(cluster).addon_name(name);
    Ok(request.send().await.found()?.and_then(|answer| answer.addon))
}

fn role(spec: &AddonSpec<Resolved>) -> Option<String> {
    spec.service_account_role_arn.as_ref().map(ToString::to_string)
}

/// Settings as JSON. EKS takes YAML too; that stays a text, which no declaration equals.
fn configuration(text: &str) -> Option<Json> {
    let json = serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.trim().to_owned()));
    let empty = json.as_object().is_some_and(|object| object.is_empty()) || json == "" || json.is_null();
    (!empty).then_some(json)
}

fn observe(addon: &SdkAddon) -> Option<Observation<Addon>> {
    let (cluster, name) = (addon.cluster_name()?, addon.addon_name()?);
    let issues = addon.health().map(|health| health.issues()).unwrap_or_default().iter();
    let issues = issues.map(|issue| (issue.code().map(|code| code.as_str()), issue.message()));
    Some(Observation {
        id: Id::child(cluster, name),
        tags: Some(tags(addon.tags())),
        readiness: match addon.status() {
            // After a failed update it runs on with what it had. That is seen as a difference and tried again; a
            // replacement would take the software out of a running cluster.
            Some(AddonStatus::Active | AddonStatus::UpdateFailed) | None => Readiness::Ready,
            Some(status @ (AddonStatus::CreateFailed | AddonStatus::DeleteFailed)) => {
                Readiness::Broken(reason(status.as_str(), issues))
            }
            // A degraded add-on recovers by itself: `coredns` and `metrics-server` are degraded until there is a node
            // for their pods. What does not recover is told with its reason at the deadline.
            Some(status @ AddonStatus::Degraded) => Readiness::Busy(reason(status.as_str(), issues)),
            Some(status) => Readiness::Busy(status.to_string()),
        },
        spec: AddonSpec {
            cluster: Some(cluster.to_owned()),
            name: Some(name.to_owned()),
            version: Some(addon.addon_version().map(str::to_owned)),
            configuration: Some(addon.configuration_values().and_then(configuration)),
            service_account_role_arn: Some(addon.service_account_role_arn().map(Arn::new)),
        },
        outputs: addon.addon_arn().zip(addon.addon_version()).map(|(arn, version)| AddonOutputs {
            name: name.to_owned(),
            arn: Arn::new(arn),
            version: version.to_owned(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_eks::types::{AddonHealth, AddonIssue, AddonIssueCode};
    use serde_json::json;

    fn addon(status: AddonStatus) -> SdkAddon {
        let issue =
            AddonIssue::builder().code(AddonIssueCode::InsufficientNumberOfReplicas).message("no nodes").build();
        SdkAddon::builder()
            .cluster_name("c")
            .addon_name("coredns")
            .addon_arn("arn:coredns")
            .addon_version("v1.12.4-eksbuild.1")
            .status(status)
            .health(AddonHealth::builder().issues(issue).build())
            .configuration_values(r#"{"replicaCount": 3}"#)
            .build()
    }

    #[test]
    fn an_addon_is_read_as_aws_shows_it() {
        let seen = observe(&addon(AddonStatus::Active)).unwrap();
        assert_eq!((seen.id.as_str(), seen.readiness), ("c|coredns", Readiness::Ready));
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "cluster": "c", "name": "coredns", "version": "v1.12.4-eksbuild.1",
                "configuration": {"replicaCount": 3}, "service_account_role_arn": null,
            })
        );
    }

    #[test]
    fn a_degraded_addon_is_waited_for() {
        let readiness = |status| observe(&addon(status)).unwrap().readiness;
        let because = |state: &str| format!("{state}: InsufficientNumberOfReplicas: no nodes");
        assert_eq!(readiness(AddonStatus::Degraded), Readiness::Busy(because("DEGRADED")));
        assert_eq!(readiness(AddonStatus::CreateFailed), Readiness::Broken(because("CREATE_FAILED")));
        assert_eq!(readiness(AddonStatus::UpdateFailed), Readiness::Ready);
    }

    #[test]
    fn no_settings_have_many_forms() {
        for text in ["", "{}", "null", " "] {
            assert_eq!(configuration(text), None, "{text:?}");
        }
        assert_eq!(configuration("a: 1"), Some(json!("a: 1")));
    }
}
