//! A Kubernetes control plane.

use super::{leftovers, reason, retag, tags, to_tags};
use crate::{Arn, Aws, SecurityGroupId, SubnetId, VpcId, at_once::at_once, ec2::holders_of_group, error::Sent};
use aws_sdk_eks::types::{
    AuthenticationMode, Cluster as SdkCluster, ClusterStatus, CreateAccessConfigRequest, EncryptionConfig,
    KubernetesNetworkConfigRequest, LogSetup, LogType, Logging, Provider, SupportType, UpdateAccessConfigRequest,
    UpgradePolicyRequest, VpcConfigRequest,
};
use bedplate_model::{
    CallError, Change, Class, Creation, Id, Observation, Observed, Order, Outsider, Pace, Phase, Readiness, Reconcile,
    Record, Resolved, Step, Tags, Terraform, Verdict, Which,
};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;

/// A Kubernetes control plane.
///
/// It comes without EKS's own copies of `vpc-cni`, `kube-proxy` and `coredns`, because the platform declares these as
/// add-ons. Nodes do not become ready before `vpc-cni` is there: a node group has to depend on that add-on.
///
/// Its creator is no administrator either: who may administer it is said by access entries, in the open.
#[derive(Debug)]
pub enum Cluster {}

/// Settings of a cluster. What AWS cannot change is refused, because a replacement would lose every Kubernetes object; but
/// it cannot stay behind in a VPC that goes.
#[derive(Clone, Debug, Record)]
pub struct ClusterSpec<P: Phase> {
    /// Its name, up to 100 letters, digits, `-` and `_`.
    #[refuse]
    pub name: P::Of<String>,
    /// The IAM role of the control plane.
    #[refuse]
    pub role_arn: P::Of<Arn>,
    /// The Kubernetes version, `1.35`. It moves up one minor version at a time and never down.
    pub version: P::Of<String>,
    /// The VPC of the subnets. EKS takes it from them and cannot take a cluster to another one.
    #[replace]
    #[aws(none)]
    pub vpc: P::Of<VpcId>,
    /// The subnets for the control plane's network interfaces, in two zones at least.
    #[aws("ResourcesVpcConfig")]
    pub subnets: P::Of<BTreeSet<SubnetId>>,
    /// Security groups of these interfaces, up to five, besides the one that EKS makes.
    #[aws("ResourcesVpcConfig")]
    pub security_groups: P::Of<BTreeSet<SecurityGroupId>>,
    /// Whether the API answers inside the VPC.
    #[aws("ResourcesVpcConfig")]
    pub endpoint_private: P::Of<bool>,
    /// Whether the API answers on the internet.
    #[aws("ResourcesVpcConfig")]
    pub endpoint_public: P::Of<bool>,
    /// Who may reach the API on the internet. It has no effect while that endpoint is off and must not be empty while
    /// it is on.
    #[aws("ResourcesVpcConfig")]
    pub public_access_cidrs: P::Of<BTreeSet<Ipv4Net>>,
    /// The KMS key that encrypts what Kubernetes stores; none leaves it to a key of AWS.
    #[refuse]
    #[aws("EncryptionConfig")]
    pub encryption_key: P::Of<Option<Arn>>,
    /// The control-plane logs that go to CloudWatch Logs: `api`, `audit`, `authenticator`, `controllerManager`,
    /// `scheduler`.
    #[aws("Logging")]
    pub logs: P::Of<BTreeSet<String>>,
    /// Where it is said who may use the cluster: `API`, `API_AND_CONFIG_MAP` or `CONFIG_MAP`. There is no way back from
    /// `API`.
    #[aws("AccessConfig")]
    pub authentication_mode: P::Of<String>,
    /// What happens when the version leaves standard support: `STANDARD` upgrades it, `EXTENDED` costs more.
    #[aws("UpgradePolicy")]
    pub support_type: P::Of<String>,
    /// Whether AWS refuses to delete it.
    pub deletion_protection: P::Of<bool>,
    /// The address range of Kubernetes services; none lets EKS choose one outside the VPC's.
    #[refuse]
    #[aws("KubernetesNetworkConfig/ServiceIpv4Cidr")]
    pub service_ipv4_cidr: P::Of<Option<Ipv4Net>>,
}

/// Outputs of a cluster.
#[derive(Clone, Debug, Record)]
pub struct ClusterOutputs<P: Phase> {
    /// Its name. It follows from the identity, but what lies in a cluster is not there again when the cluster is.
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
    /// The URL of its API.
    pub endpoint: P::Of<String>,
    /// The certificate that its API is checked with, base64 of PEM. It is public.
    pub certificate_authority: P::Of<String>,
    /// The URL of its OpenID Connect issuer.
    pub issuer: P::Of<String>,
    /// The issuer without `https://`, as IAM conditions name it.
    pub issuer_host: P::Of<String>,
    /// The security group that EKS made for control plane and nodes.
    pub security_group: P::Of<SecurityGroupId>,
    /// The Kubernetes version it runs.
    #[volatile]
    pub version: P::Of<String>,
}

impl Reconcile for Cluster {
    const KIND: &'static str = "eks.cluster";
    const DOC: &'static str = "A Kubernetes control plane.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EKS::Cluster");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_eks_cluster", id: "{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        // To find and to sweep what is left when it goes.
        "ec2:DeleteNetworkInterface",
        "ec2:DeleteSecurityGroup",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroups",
        "eks:CreateCluster",
        "eks:DeleteCluster",
        "eks:DescribeCluster",
        "eks:ListClusters",
        "eks:TagResource",
        "eks:UntagResource",
        "eks:UpdateClusterConfig",
        "eks:UpdateClusterVersion",
        "iam:PassRole",
        // EKS uses the caller's right to the key to make a grant for itself.
        "kms:CreateGrant",
        "kms:DescribeKey",
    ];
    const ORDER: Order = Order::DeleteFirst;
    const PACE: Pace = Pace::seconds(540, 15, 3600);
    const LEAVES: bool = true;
    type Cloud = Aws;
    type Spec<P: Phase> = ClusterSpec<P>;
    type Outputs<P: Phase> = ClusterOutputs<P>;

    fn identity(spec: &ClusterSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let names: Vec<String> = match which {
            Which::Ids(ids) => ids.iter().map(ToString::to_string).collect(),
            Which::Owned(stack) => super::clusters(cloud, stack).await?,
        };
        let found = at_once(names.iter().map(|name| super::describe_cluster(cloud, name))).await?;
        Ok(found.iter().flatten().filter_map(observe).collect())
    }

    async fn create(cloud: &Aws, spec: &ClusterSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let encryption = spec.encryption_key.as_ref().map(|key| vec![encryption(key.as_str())]);
        let access = CreateAccessConfigRequest::builder()
            .authentication_mode(AuthenticationMode::from(spec.authentication_mode.as_str()))
            .bootstrap_cluster_creator_admin_permissions(false)
            .build();
        let network = spec
            .service_ipv4_cidr
            .map(|cidr| KubernetesNetworkConfigRequest::builder().service_ipv4_cidr(cidr.to_string()).build());
        let request = cloud.eks.create_cluster().name(&spec.name).version(&spec.version);
        let request = request.role_arn(spec.role_arn.as_str()).resources_vpc_config(endpoints(spec, subnets(spec))?);
        let request = request.set_encryption_config(encryption).logging(logging(spec)).access_config(access);
        let request = request.set_kubernetes_network_config(network).upgrade_policy(upgrade_policy(spec));
        let request = request.deletion_protection(spec.deletion_protection).bootstrap_self_managed_addons(false);
        request.client_request_token(&creation.token).set_tags(to_tags(&creation.tags)).send().await.sent()?;
        cloud.kubernetes.forget(&spec.name).await;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (name, wanted) = (step.id.as_str(), step.wanted);
        let request = cloud.eks.update_cluster_config().name(name).client_request_token(&step.creation.token);
        // EKS takes one kind of change per call and one call at a time: the cluster is busy until it is done. Extended support
        // goes before a version that needs it, and ends after one that does not: with an old version it cannot (EKS user guide,
        // "Prevent increased cluster costs by disabling EKS extended support").
        let extends = wanted.support_type == "EXTENDED";
        let request = if step.changes(&["deletion_protection"]) {
            request.deletion_protection(wanted.deletion_protection)
        } else if step.changes(&["support_type"]) && (extends || !step.changes(&["version"])) {
            request.upgrade_policy(upgrade_policy(wanted))
        } else if step.changes(&["version"]) {
            let request = cloud.eks.update_cluster_version().name(name).version(&wanted.version);
            return request.client_request_token(&step.creation.token).send().await.sent().map(drop);
        } else if step.changes(&["subnets", "security_groups"]) {
            request.resources_vpc_config(subnets(wanted))
        } else if step.changes(&["endpoint_private", "endpoint_public", "public_access_cidrs"]) {
            request.resources_vpc_config(endpoints(wanted, VpcConfigRequest::builder().build())?)
        } else if step.changes(&["logs"]) {
            request.logging(logging(wanted))
        } else if step.changes(&["authentication_mode"]) {
            // Over both, never at once.
            let seen = step.seen.authentication_mode.as_deref();
            let mode = match AuthenticationMode::from(wanted.authentication_mode.as_str()) {
                AuthenticationMode::Api if seen == Some("CONFIG_MAP") => AuthenticationMode::ApiAndConfigMap,
                mode => mode,
            };
            request.access_config(UpdateAccessConfigRequest::builder().authentication_mode(mode).build())
        } else {
            return Ok(());
        };
        request.send().await.sent().map(drop)
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let answer = cloud.eks.describe_cluster().name(id.as_str()).send().await.sent()?;
        retag(cloud, answer.cluster().and_then(SdkCluster::arn), set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        match cloud.eks.delete_cluster().name(id.as_str()).send().await.sent() {
            // `unprotect` takes a while like any update, and until then EKS refuses for good.
            Err(error) if error.class == Class::Invalid && will_pass(cloud, id, &error).await? => {
                Err(CallError { class: Class::Busy, ..error })
            }
            answer => answer.map(drop),
        }
    }

    fn protection(spec: &ClusterSpec<Observed>) -> Option<&'static str> {
        (spec.deletion_protection == Some(true)).then_some("deletion protection")
    }

    async fn unprotect(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let request = cloud.eks.update_cluster_config().name(id.as_str()).deletion_protection(false);
        request.send().await.sent().map(drop)
    }

    async fn leftovers(cloud: &Aws, id: &Id, spec: &ClusterSpec<Observed>) -> Result<Vec<Outsider>, CallError> {
        match &spec.vpc {
            Some(vpc) => leftovers::find(cloud, id, vpc).await,
            None => Ok(Vec::new()),
        }
    }

    async fn sweep(cloud: &Aws, leftover: &Outsider) -> Result<(), CallError> {
        leftovers::sweep(cloud, leftover).await
    }

    async fn holders(cloud: &Aws, id: &Id) -> Result<Vec<Outsider>, CallError> {
        // Of what it leaves, only a security group can be held by others.
        if id.as_str().starts_with("sg-") { holders_of_group(cloud, id).await } else { Ok(Vec::new()) }
    }

    fn tolerate(wanted: &ClusterSpec<Observed>, seen: &mut ClusterSpec<Observed>) {
        // While the public endpoint is off, AWS shows the whole internet or nothing.
        if wanted.endpoint_public == Some(false) && seen.endpoint_public == Some(false) {
            seen.public_access_cidrs.clone_from(&wanted.public_access_cidrs);
        }
        if wanted.service_ipv4_cidr == Some(None) {
            seen.service_ipv4_cidr = Some(None);
        }
    }

    fn judge(field: &str, before: &ClusterSpec<Observed>, after: &ClusterSpec<Observed>) -> Option<Verdict> {
        let refuse = |reason: String| Some(Verdict { change: Change::Refuse, reason });
        match field {
            "version" => {
                let (from, to) = (before.version.as_deref()?, after.version.as_deref()?);
                match (minor(from)?, minor(to)?) {
                    (old, new) if new < old => refuse(format!("EKS does not take a cluster from {from} back to {to}")),
                    (old, new) if new > old + 1 => refuse(format!(
                        "EKS moves up one minor version at a time: go from {from} to 1.{} first, then on to {to}",
                        old + 1
                    )),
                    (old, new) if new > old => Some(Verdict {
                        change: Change::Update,
                        reason: "cannot be taken back; the control plane answers meanwhile, with short breaks"
                            .to_owned(),
                    }),
                    _ => None,
                }
            }
            "authentication_mode" => {
                let (from, to) = (before.authentication_mode.as_deref()?, after.authentication_mode.as_deref()?);
                let rank = |mode| ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"].iter().position(|known| *known == mode);
                if rank(to)? < rank(from)? {
                    return refuse(format!("EKS does not take a cluster from access mode {from} back to {to}"));
                }
                None
            }
            _ => None,
        }
    }
}

/// Whether what a deletion was refused for is being changed, or has just been: the update may end between the refusal and
/// this look.
async fn will_pass(cloud: &Aws, id: &Id, refusal: &CallError) -> Result<bool, CallError> {
    let answer = cloud.eks.describe_cluster().name(id.as_str()).send().await.sent()?;
    let Some(cluster) = answer.cluster() else { return Ok(false) };
    let by_protection = refusal.message.to_lowercase().contains("deletion protection");
    let unprotected = cluster.deletion_protection() != Some(true);
    Ok(cluster.status() == Some(&ClusterStatus::Updating) || (by_protection && unprotected))
}

/// `35` of `1.35`.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.parse().ok()
}

fn subnets(spec: &ClusterSpec<Resolved>) -> VpcConfigRequest {
    let request = VpcConfigRequest::builder();
    let request = request.set_subnet_ids(Some(spec.subnets.iter().map(ToString::to_string).collect()));
    request.set_security_group_ids(Some(spec.security_groups.iter().map(ToString::to_string).collect())).build()
}

fn endpoints(spec: &ClusterSpec<Resolved>, mut request: VpcConfigRequest) -> Result<VpcConfigRequest, CallError> {
    if spec.endpoint_public && spec.public_access_cidrs.is_empty() {
        let message = "a public endpoint without public_access_cidrs would be open to the whole internet";
        return Err(CallError::local("eks:CreateCluster", "OpenEndpoint", message, Class::Invalid));
    }
    request.endpoint_private_access = Some(spec.endpoint_private);
    request.endpoint_public_access = Some(spec.endpoint_public);
    let cidrs = || spec.public_access_cidrs.iter().map(ToString::to_string).collect();
    request.public_access_cidrs = spec.endpoint_public.then(cidrs);
    Ok(request)
}

/// All kinds of logs, those that are wanted and those that are not: the call merges.
fn logging(spec: &ClusterSpec<Resolved>) -> Logging {
    let (on, off): (Vec<_>, Vec<_>) =
        LogType::values().iter().map(|name| LogType::from(*name)).partition(|log| spec.logs.contains(log.as_str()));
    let setups = [(on, true), (off, false)].into_iter().filter(|(types, _)| !types.is_empty());
    let setups = setups.map(|(types, enabled)| LogSetup::builder().set_types(Some(types)).enabled(enabled).build());
    Logging::builder().set_cluster_logging(Some(setups.collect())).build()
}

#[expect(deprecated, reason = "EKS encrypts everything by now, but `secrets` is still the only value it documents")]
fn encryption(key: &str) -> EncryptionConfig {
    EncryptionConfig::builder().resources("secrets").provider(Provider::builder().key_arn(key).build()).build()
}

fn upgrade_policy(spec: &ClusterSpec<Resolved>) -> UpgradePolicyRequest {
    UpgradePolicyRequest::builder().support_type(SupportType::from(spec.support_type.as_str())).build()
}

fn observe(cluster: &SdkCluster) -> Option<Observation<Cluster>> {
    let name = cluster.name()?;
    let vpc = cluster.resources_vpc_config();
    let cidrs = |list: &[String]| list.iter().filter_map(|cidr| cidr.parse().ok()).collect();
    let logs = cluster.logging().map(|logging| {
        let enabled = logging.cluster_logging().iter().filter(|setup| setup.enabled() == Some(true));
        enabled.flat_map(LogSetup::types).map(ToString::to_string).collect()
    });
    let key = cluster.encryption_config().iter().find_map(|config| config.provider()?.key_arn());
    let issues = cluster.health().map(|health| health.issues()).unwrap_or_default().iter();
    let issues = issues.map(|issue| (issue.code().map(|code| code.as_str()), issue.message()));
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags(cluster.tags())),
        readiness: match cluster.status() {
            Some(ClusterStatus::Active) | None => Readiness::Ready,
            Some(status @ ClusterStatus::Failed) => Readiness::Broken(reason(status.as_str(), issues)),
            Some(status) => Readiness::Busy(status.to_string()),
        },
        spec: ClusterSpec {
            name: Some(name.to_owned()),
            role_arn: cluster.role_arn().map(Arn::new),
            version: cluster.version().map(str::to_owned),
            vpc: vpc.and_then(|vpc| vpc.vpc_id()).map(VpcId::new),
            subnets: vpc.map(|vpc| vpc.subnet_ids().iter().map(SubnetId::new).collect()),
            security_groups: vpc.map(|vpc| vpc.security_group_ids().iter().map(SecurityGroupId::new).collect()),
            endpoint_private: vpc.map(|vpc| vpc.endpoint_private_access),
            endpoint_public: vpc.map(|vpc| vpc.endpoint_public_access),
            public_access_cidrs: vpc.map(|vpc| cidrs(vpc.public_access_cidrs())),
            encryption_key: Some(key.map(Arn::new)),
            logs: Some(logs.unwrap_or_default()),
            authentication_mode: cluster
                .access_config()
                .and_then(|access| Some(access.authentication_mode()?.to_string())),
            support_type: cluster.upgrade_policy().and_then(|policy| Some(policy.support_type()?.to_string())),
            deletion_protection: Some(cluster.deletion_protection().unwrap_or_default()),
            service_ipv4_cidr: cluster
                .kubernetes_network_config()
                .map(|network| network.service_ipv4_cidr().and_then(|cidr| cidr.parse().ok())),
        },
        outputs: outputs(cluster),
    })
}

fn outputs(cluster: &SdkCluster) -> Option<ClusterOutputs<Resolved>> {
    let issuer = cluster.identity()?.oidc()?.issuer()?;
    Some(ClusterOutputs {
        name: cluster.name()?.to_owned(),
        arn: Arn::new(cluster.arn()?),
        endpoint: cluster.endpoint()?.to_owned(),
        certificate_authority: cluster.certificate_authority()?.data()?.to_owned(),
        issuer: issuer.to_owned(),
        issuer_host: issuer.trim_start_matches("https://").to_owned(),
        security_group: SecurityGroupId::new(cluster.resources_vpc_config()?.cluster_security_group_id()?),
        version: cluster.version()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_eks::types::{
        AccessConfigResponse, Certificate, ClusterHealth, ClusterIssue, ClusterIssueCode, Identity,
        KubernetesNetworkConfigResponse, Oidc, UpgradePolicyResponse, VpcConfigResponse,
    };
    use serde_json::json;

    fn cluster(status: ClusterStatus) -> SdkCluster {
        let issue = ClusterIssue::builder().code(ClusterIssueCode::AccessDenied).message("no").build();
        let network = VpcConfigResponse::builder()
            .vpc_id("vpc-1")
            .subnet_ids("subnet-2")
            .subnet_ids("subnet-1")
            .security_group_ids("sg-1")
            .cluster_security_group_id("sg-2")
            .endpoint_public_access(false)
            .endpoint_private_access(true)
            .public_access_cidrs("0.0.0.0/0")
            .build();
        let logs = LogSetup::builder().types(LogType::Audit).types(LogType::Api).enabled(true).build();
        let no_logs = LogSetup::builder().types(LogType::Scheduler).enabled(false).build();
        SdkCluster::builder()
            .name("c")
            .arn("arn:c")
            .role_arn("arn:role")
            .version("1.35")
            .status(status)
            .endpoint("https://x.eks.amazonaws.com")
            .certificate_authority(Certificate::builder().data("LS0t").build())
            .identity(Identity::builder().oidc(Oidc::builder().issuer("https://oidc/id/1").build()).build())
            .health(ClusterHealth::builder().issues(issue).build())
            .resources_vpc_config(network)
            .logging(Logging::builder().cluster_logging(logs).cluster_logging(no_logs).build())
            .encryption_config(encryption("arn:key"))
            .access_config(AccessConfigResponse::builder().authentication_mode(AuthenticationMode::Api).build())
            .upgrade_policy(UpgradePolicyResponse::builder().support_type(SupportType::Standard).build())
            .kubernetes_network_config(
                KubernetesNetworkConfigResponse::builder().service_ipv4_cidr("172.20.0.0/16").build(),
            )
            .tags("Name", "c")
            .tags("aws:x", "y")
            .build()
    }

    #[test]
    fn a_cluster_is_read_as_aws_shows_it() {
        let seen = observe(&cluster(ClusterStatus::Active)).unwrap();
        assert_eq!(seen.readiness, Readiness::Ready);
        assert_eq!(seen.tags.unwrap(), Tags::from([("Name".into(), "c".into())]));
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "name": "c", "role_arn": "arn:role", "version": "1.35", "vpc": "vpc-1", "subnets": ["subnet-1", "subnet-2"],
                "security_groups": ["sg-1"], "endpoint_private": true, "endpoint_public": false,
                "public_access_cidrs": ["0.0.0.0/0"], "encryption_key": "arn:key", "logs": ["api", "audit"],
                "authentication_mode": "API", "support_type": "STANDARD", "deletion_protection": false,
                "service_ipv4_cidr": "172.20.0.0/16",
            })
        );
        let outputs = seen.outputs.unwrap();
        assert_eq!(outputs.issuer_host, "oidc/id/1");
        assert_eq!(outputs.security_group.as_str(), "sg-2");
    }

    #[test]
    fn the_states_of_a_cluster() {
        let readiness = |status| observe(&cluster(status)).unwrap().readiness;
        assert_eq!(readiness(ClusterStatus::Updating), Readiness::Busy("UPDATING".into()));
        assert_eq!(readiness(ClusterStatus::Failed), Readiness::Broken("FAILED: AccessDenied: no".into()));
    }

    #[test]
    fn what_aws_shows_for_a_closed_endpoint_is_no_difference() {
        let mut seen = observe(&cluster(ClusterStatus::Active)).unwrap().spec;
        let mut wanted = seen.clone();
        wanted.public_access_cidrs = Some(BTreeSet::new());
        wanted.service_ipv4_cidr = Some(None);
        Cluster::tolerate(&wanted, &mut seen);
        assert_eq!(seen.to_json(), wanted.to_json());
    }

    #[test]
    fn versions_go_up_one_by_one() {
        let before = observe(&cluster(ClusterStatus::Active)).unwrap().spec;
        let verdict = |version: &str| {
            let after = ClusterSpec { version: Some(version.to_owned()), ..before.clone() };
            Cluster::judge("version", &before, &after)
        };
        let up = verdict("1.36").unwrap();
        assert_eq!((up.change, up.reason.contains("cannot be taken back")), (Change::Update, true));
        for version in ["1.37", "1.34"] {
            assert_eq!(verdict(version).unwrap().change, Change::Refuse, "{version}");
        }
    }

    #[test]
    fn every_log_is_turned_on_or_off() {
        let spec = observe(&cluster(ClusterStatus::Active)).unwrap().spec.to_json();
        let logging = logging(&Record::from_json(spec).unwrap());
        let counts: Vec<_> = logging.cluster_logging().iter().map(|s| (s.enabled(), s.types().len())).collect();
        assert_eq!(counts, [(Some(true), 2), (Some(false), 3)]);
    }
}
