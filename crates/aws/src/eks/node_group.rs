//! Nodes of a cluster that EKS starts, updates and drains.

use super::{child_ids, reason, retag, tags, to_tags};
use crate::{Arn, Aws, SubnetId, at_once::at_once, error::Sent};
use aws_sdk_eks::types::{
    AmiTypes, CapacityTypes, Nodegroup as SdkNodegroup, NodegroupScalingConfig, NodegroupStatus, NodegroupUpdateConfig,
    UpdateLabelsPayload,
};
use bedplate_model::{
    CallError, Change, Creation, Id, Observation, Observed, Pace, Phase, Readiness, Reconcile, Record, Resolved, Step,
    Tags, Terraform, Verdict, Which,
};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

/// Nodes of a cluster that EKS starts, updates and drains.
#[derive(Debug)]
pub enum NodeGroup {}

/// Settings of a node group.
#[derive(Clone, Debug, Record)]
pub struct NodeGroupSpec<P: Phase> {
    /// The cluster's name.
    #[replace]
    #[aws("ClusterName")]
    pub cluster: P::Of<String>,
    /// Its name, up to 63 characters.
    #[replace]
    #[aws("NodegroupName")]
    pub name: P::Of<String>,
    /// The IAM role of the nodes. Its policies must be attached before the nodes start and stay until they are gone.
    #[replace]
    pub node_role: P::Of<Arn>,
    /// The subnets the nodes are spread over.
    #[replace]
    pub subnets: P::Of<BTreeSet<SubnetId>>,
    /// The instance types, best first; 1 to 20.
    #[replace]
    pub instance_types: P::Of<Vec<String>>,
    /// The image of the nodes, as EKS names it: `AL2023_x86_64_STANDARD`.
    #[replace]
    pub ami_type: P::Of<String>,
    /// The root volume of each node, in GiB.
    #[replace]
    pub disk_size: P::Of<u32>,
    /// How instances are paid for: `ON_DEMAND` or `SPOT`.
    #[replace]
    pub capacity_type: P::Of<String>,
    /// The Kubernetes labels of the nodes.
    pub labels: P::Of<BTreeMap<String, String>>,
    /// The fewest nodes there are.
    #[aws("ScalingConfig")]
    pub min: P::Of<u32>,
    /// How many nodes there are at first. Afterwards a number from `min` to `max` is left as it is.
    #[aws("ScalingConfig")]
    pub desired: P::Of<u32>,
    /// The most nodes there are, 450 at most.
    #[aws("ScalingConfig")]
    pub max: P::Of<u32>,
    /// How many nodes may be missing at once during an update, 1 to 100.
    #[aws("UpdateConfig")]
    pub max_unavailable: P::Of<u32>,
    /// The Kubernetes version of the nodes. Only the cluster's is possible; none takes that once, at the creation.
    pub version: P::Of<Option<String>>,
    /// The release of the image, `1.35.0-20260101`; none takes the newest whenever nodes are made or get a new version.
    #[aws("ReleaseVersion")]
    pub release: P::Of<Option<String>>,
}

/// Outputs of a node group.
#[derive(Clone, Debug, Record)]
pub struct NodeGroupOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    pub arn: P::Of<Arn>,
    /// The name of the Auto Scaling group that holds the nodes.
    pub auto_scaling_group: P::Of<String>,
}

impl Reconcile for NodeGroup {
    const KIND: &'static str = "eks.node_group";
    const DOC: &'static str = "Nodes of a cluster that EKS starts, updates and drains.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EKS::Nodegroup");
    const TERRAFORM: &'static [Terraform] =
        &[Terraform { kind: "aws_eks_node_group", id: "{cluster_name}|{node_group_name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "eks:CreateNodegroup",
        "eks:DeleteNodegroup",
        "eks:DescribeCluster",
        "eks:DescribeNodegroup",
        "eks:ListClusters",
        "eks:ListNodegroups",
        "eks:TagResource",
        "eks:UntagResource",
        "eks:UpdateNodegroupConfig",
        "eks:UpdateNodegroupVersion",
        // EKS checks the role and the subnets with the caller's rights.
        "ec2:DescribeSubnets",
        "iam:GetRole",
        "iam:ListAttachedRolePolicies",
        "iam:PassRole",
    ];
    const PACE: Pace = Pace::seconds(150, 10, 3600);
    type Cloud = Aws;
    type Spec<P: Phase> = NodeGroupSpec<P>;
    type Outputs<P: Phase> = NodeGroupOutputs<P>;

    fn identity(spec: &NodeGroupSpec<Observed>) -> Option<Id> {
        Some(Id::child(spec.cluster.as_ref()?, spec.name.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let ids = child_ids!(cloud, which, list_nodegroups);
        let found = at_once(ids.iter().map(|id| describe(cloud, id))).await?;
        Ok(super::owned(which, found.iter().flatten().filter_map(observe).collect()))
    }

    async fn create(cloud: &Aws, spec: &NodeGroupSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.eks.create_nodegroup().cluster_name(&spec.cluster).nodegroup_name(&spec.name);
        let request = request.node_role(spec.node_role.as_str()).scaling_config(scaling(spec, true));
        let request = request.set_subnets(Some(spec.subnets.iter().map(ToString::to_string).collect()));
        let request = request.set_instance_types(Some(spec.instance_types.clone()));
        let request = request.ami_type(AmiTypes::from(spec.ami_type.as_str())).disk_size(signed(spec.disk_size));
        let request = request.capacity_type(CapacityTypes::from(spec.capacity_type.as_str()));
        let request = request.set_labels(to_tags(&spec.labels)).update_config(update_config(spec));
        let request = request.set_version(spec.version.clone()).set_release_version(spec.release.clone());
        request.client_request_token(&creation.token).set_tags(to_tags(&creation.tags)).send().await.sent()?;
        Ok(Id::child(&spec.cluster, &spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let ((cluster, name), token) = (step.id.split(), &step.creation.token);
        if step.changes(&["labels", "min", "desired", "max", "max_unavailable"]) {
            let request = cloud.eks.update_nodegroup_config().cluster_name(cluster).nodegroup_name(name);
            let request = request.set_labels(step.changes(&["labels"]).then(|| labels(step)));
            // A desired number that does not differ may be the autoscaler's: not sent, it stays.
            let scaling = || scaling(step.wanted, step.changes(&["desired"]));
            let request = request.set_scaling_config(step.changes(&["min", "desired", "max"]).then(scaling));
            let update = || update_config(step.wanted);
            let request = request.set_update_config(step.changes(&["max_unavailable"]).then(update));
            // EKS makes one update at a time: the version is for the next step.
            return request.client_request_token(token).send().await.sent().map(drop);
        }
        if step.changes(&["version", "release"]) {
            let request = cloud.eks.update_nodegroup_version().cluster_name(cluster).nodegroup_name(name);
            let request = request.set_version(step.wanted.version.clone());
            let request = request.set_release_version(step.wanted.release.clone());
            request.client_request_token(token).send().await.sent()?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let group = describe(cloud, id).await?;
        retag(cloud, group.as_ref().and_then(SdkNodegroup::nodegroup_arn), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let (cluster, name) = id.split();
        cloud.eks.delete_nodegroup().cluster_name(cluster).nodegroup_name(name).send().await.sent().map(drop)
    }

    fn tolerate(wanted: &NodeGroupSpec<Observed>, seen: &mut NodeGroupSpec<Observed>) {
        if let (Some(min), Some(max), Some(live)) = (wanted.min, wanted.max, seen.desired)
            && (min..=max).contains(&live)
        {
            seen.desired = wanted.desired;
        }
        if wanted.version == Some(None) {
            seen.version = Some(None);
        }
        if wanted.release == Some(None) {
            seen.release = Some(None);
        }
    }

    fn judge(field: &str, before: &NodeGroupSpec<Observed>, after: &NodeGroupSpec<Observed>) -> Option<Verdict> {
        if field != "version" {
            let replaced = <NodeGroupSpec<Observed> as Record>::FIELDS
                .iter()
                .any(|known| known.name == field && known.change == Change::Replace);
            return (replaced && field != "name" && before.name == after.name).then(|| Verdict {
                change: Change::Replace,
                reason: format!(
                    "{field} cannot be changed in place; with another name as well, the new nodes would be there before \
                     the old ones go"
                ),
            });
        }
        let (from, to) = (before.version.as_ref()?.as_deref()?, after.version.as_ref()?.as_deref()?);
        let minor = |version: &str| version.strip_prefix("1.")?.parse::<u32>().ok();
        let (change, reason) = match minor(to)?.cmp(&minor(from)?) {
            Ordering::Less => (Change::Refuse, format!("EKS does not take nodes from {from} back to {to}")),
            Ordering::Greater => {
                (Change::Update, "replaces the nodes in turns: what runs on them is moved to others".to_owned())
            }
            Ordering::Equal => return None,
        };
        Some(Verdict { change, reason })
    }
}

async fn describe(cloud: &Aws, id: &Id) -> Result<Option<SdkNodegroup>, CallError> {
    let (cluster, name) = id.split();
    let request = cloud.eks.describe_nodegroup().cluster_name(cluster).nodegroup_name(name);
    Ok(request.send().await.found()?.and_then(|answer| answer.nodegroup))
}

fn signed(number: u32) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

fn scaling(spec: &NodeGroupSpec<Resolved>, desired: bool) -> NodegroupScalingConfig {
    let scaling = NodegroupScalingConfig::builder().min_size(signed(spec.min)).max_size(signed(spec.max));
    scaling.set_desired_size(desired.then(|| signed(spec.desired))).build()
}

fn update_config(spec: &NodeGroupSpec<Resolved>) -> NodegroupUpdateConfig {
    NodegroupUpdateConfig::builder().max_unavailable(signed(spec.max_unavailable)).build()
}

/// All wanted labels, and the removal of the others: the call merges.
fn labels(step: &Step<'_, NodeGroup>) -> UpdateLabelsPayload {
    let seen = step.seen.labels.iter().flatten().map(|(key, _)| key);
    let gone = seen.filter(|key| !step.wanted.labels.contains_key(*key)).cloned().collect::<Vec<_>>();
    let wanted = Some(&step.wanted.labels).filter(|labels| !labels.is_empty());
    let payload = UpdateLabelsPayload::builder().set_add_or_update_labels(wanted.and_then(to_tags));
    payload.set_remove_labels(Some(gone).filter(|gone| !gone.is_empty())).build()
}

fn observe(group: &SdkNodegroup) -> Option<Observation<NodeGroup>> {
    let (cluster, name) = (group.cluster_name()?, group.nodegroup_name()?);
    let unsigned = |number: Option<i32>| number.and_then(|number| number.try_into().ok());
    let scaling = group.scaling_config();
    // A percentage in its place is a difference too, and 0 is no number that can be wanted.
    let unavailable =
        group.update_config().and_then(|u| u.max_unavailable().or(u.max_unavailable_percentage().map(|_| 0)));
    let issues = group.health().map(|health| health.issues()).unwrap_or_default().iter();
    let issues = issues.map(|issue| (issue.code().map(|code| code.as_str()), issue.message()));
    let scaling_group = group.resources().and_then(|resources| resources.auto_scaling_groups().first()?.name());
    Some(Observation {
        id: Id::child(cluster, name),
        tags: Some(tags(group.tags())),
        readiness: match group.status() {
            // A degraded group has an issue that goes away with its cause, and takes updates: it is not to be replaced.
            Some(NodegroupStatus::Active | NodegroupStatus::Degraded) | None => Readiness::Ready,
            Some(status @ (NodegroupStatus::CreateFailed | NodegroupStatus::DeleteFailed)) => {
                Readiness::Broken(reason(status.as_str(), issues))
            }
            Some(status) => Readiness::Busy(status.to_string()),
        },
        spec: NodeGroupSpec {
            cluster: Some(cluster.to_owned()),
            name: Some(name.to_owned()),
            node_role: group.node_role().map(Arn::new),
            subnets: Some(group.subnets().iter().map(SubnetId::new).collect()),
            instance_types: Some(group.instance_types().to_vec()),
            ami_type: group.ami_type().map(ToString::to_string),
            disk_size: unsigned(group.disk_size()),
            capacity_type: group.capacity_type().map(ToString::to_string),
            labels: Some(group.labels().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect()),
            min: unsigned(scaling.and_then(NodegroupScalingConfig::min_size)),
            desired: unsigned(scaling.and_then(NodegroupScalingConfig::desired_size)),
            max: unsigned(scaling.and_then(NodegroupScalingConfig::max_size)),
            max_unavailable: unsigned(unavailable),
            version: Some(group.version().map(str::to_owned)),
            release: Some(group.release_version().map(str::to_owned)),
        },
        outputs: group.nodegroup_arn().zip(scaling_group).map(|(arn, scaling_group)| NodeGroupOutputs {
            name: name.to_owned(),
            arn: Arn::new(arn),
            auto_scaling_group: scaling_group.to_owned(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_eks::types::{AutoScalingGroup, Issue, NodegroupHealth, NodegroupIssueCode, NodegroupResources};
    use serde_json::json;

    fn group(status: NodegroupStatus, desired: i32) -> SdkNodegroup {
        let issue = Issue::builder().code(NodegroupIssueCode::NodeCreationFailure).message("no nodes").build();
        let asg = AutoScalingGroup::builder().name("eks-ng").build();
        SdkNodegroup::builder()
            .cluster_name("c")
            .nodegroup_name("ng")
            .nodegroup_arn("arn:ng")
            .status(status)
            .health(NodegroupHealth::builder().issues(issue).build())
            .resources(NodegroupResources::builder().auto_scaling_groups(asg).build())
            .node_role("arn:role")
            .subnets("subnet-2")
            .subnets("subnet-1")
            .instance_types("t3.medium")
            .ami_type(AmiTypes::Al2023X8664Standard)
            .disk_size(20)
            .capacity_type(CapacityTypes::OnDemand)
            .labels("role", "system")
            .scaling_config(NodegroupScalingConfig::builder().min_size(1).desired_size(desired).max_size(3).build())
            .update_config(NodegroupUpdateConfig::builder().max_unavailable_percentage(50).build())
            .version("1.35")
            .release_version("1.35.0-20260101")
            .build()
    }

    #[test]
    fn a_node_group_is_read_as_aws_shows_it() {
        let seen = observe(&group(NodegroupStatus::Active, 2)).unwrap();
        assert_eq!((seen.id.as_str(), seen.readiness), ("c|ng", Readiness::Ready));
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "cluster": "c", "name": "ng", "node_role": "arn:role", "subnets": ["subnet-1", "subnet-2"],
                "instance_types": ["t3.medium"], "ami_type": "AL2023_x86_64_STANDARD", "disk_size": 20,
                "capacity_type": "ON_DEMAND", "labels": {"role": "system"}, "min": 1, "desired": 2, "max": 3,
                "max_unavailable": 0, "version": "1.35", "release": "1.35.0-20260101",
            })
        );
        assert_eq!(seen.outputs.unwrap().auto_scaling_group, "eks-ng");
    }

    #[test]
    fn a_failure_comes_with_its_reason() {
        let seen = observe(&group(NodegroupStatus::CreateFailed, 2)).unwrap();
        assert_eq!(seen.readiness, Readiness::Broken("CREATE_FAILED: NodeCreationFailure: no nodes".into()));
        assert_eq!(observe(&group(NodegroupStatus::Degraded, 2)).unwrap().readiness, Readiness::Ready);
    }

    #[test]
    fn the_autoscaler_moves_the_desired_number_inside_its_range() {
        let wanted = observe(&group(NodegroupStatus::Active, 2)).unwrap().spec;
        for (live, tolerated) in [(3, Some(2)), (4, Some(4))] {
            let mut seen = observe(&group(NodegroupStatus::Active, live)).unwrap().spec;
            NodeGroup::tolerate(&wanted, &mut seen);
            assert_eq!(seen.desired, tolerated);
        }
    }

    #[test]
    fn nodes_do_not_go_back() {
        let before = observe(&group(NodegroupStatus::Active, 2)).unwrap().spec;
        let after = |version: &str| NodeGroupSpec { version: Some(Some(version.to_owned())), ..before.clone() };
        let up = NodeGroup::judge("version", &before, &after("1.36")).unwrap();
        assert_eq!((up.change, up.reason.contains("in turns")), (Change::Update, true));
        assert_eq!(NodeGroup::judge("version", &before, &after("1.34")).unwrap().change, Change::Refuse);
    }
}
