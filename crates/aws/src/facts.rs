//! What must be known of the account and the region before the platform can be declared. Nothing here changes anything.

use crate::{Arn, Aws, at_once::at_once, error::Sent};
use aws_sdk_ec2::types::{AvailabilityZone, AvailabilityZoneOptInStatus, AvailabilityZoneState, Filter};
use aws_sdk_eks::types::{AddonInfo, ClusterVersionInformation, VersionStatus};
use bedplate_model::{CallError, Class};
use std::collections::BTreeMap;

/// Zones in which EKS puts no control plane (EKS user guide, "VPC and subnet requirements").
const ZONES_WITHOUT_EKS: &[&str] = &["use1-az3", "usw1-az2", "cac1-az3"];

/// Who makes the calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account, 12 digits.
    pub account: String,
    /// The ARN that STS gives: of a session, a user, or the root user.
    pub arn: Arn,
    /// The partition: `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The IAM role or user that stands behind it and can be given access to a cluster. The root user and federated
    /// users have none.
    pub principal_arn: Option<Arn>,
}

/// An availability zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Zone {
    /// Its id, `use1-az1`: the same place in every account.
    pub id: String,
    /// Its name, `us-east-1a`: another place in every account.
    pub name: String,
}

/// How far AWS supports a Kubernetes version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// In full.
    Standard,
    /// For a higher price.
    Extended,
}

/// A Kubernetes version and its place among the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSupport {
    /// How far AWS supports it; `None` when EKS does not have it.
    pub support: Option<Support>,
    /// The versions in standard support, oldest first.
    pub standard: Vec<String>,
}

/// The IAM actions that these questions need.
pub const ACTIONS: &[&str] = &[
    "ec2:DescribeAvailabilityZones",
    "eks:DescribeAddonVersions",
    "eks:DescribeClusterVersions",
    "iam:GetRole",
    "sts:GetCallerIdentity",
];

/// The IAM actions of what is only asked beforehand. A caller without them is told less, and nothing else changes, except that who
/// may not ask for the organization is taken for no member of one.
pub const CHECKS: &[&str] = &[
    "elasticache:DescribeCacheEngineVersions",
    "iam:SimulatePrincipalPolicy",
    "organizations:DescribeOrganization",
    "rds:DescribeDBEngineVersions",
    "servicequotas:GetAWSDefaultServiceQuota",
    "servicequotas:GetServiceQuota",
];

/// Asks who makes the calls. For a role's session it looks up the role: the session's ARN lacks the role's path.
///
/// # Errors
/// When a call fails.
pub async fn caller(cloud: &Aws) -> Result<Caller, CallError> {
    let answer = cloud.sts.get_caller_identity().send().await.sent()?;
    let missing = || CallError::malformed("sts:GetCallerIdentity", "Arn of six parts");
    let arn = answer.arn().ok_or_else(missing)?;
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    let &[_, partition, service, _, account, resource] = parts.as_slice() else { return Err(missing()) };
    let principal_arn = match (service, resource.split_once('/')) {
        ("iam", Some(("user", _))) => Some(Arn::new(arn)),
        ("sts", Some(("assumed-role", role))) => {
            let name = role.split('/').next().unwrap_or_default();
            let answer = cloud.iam.get_role().role_name(name).send().await.sent()?;
            let role = answer.role.ok_or_else(|| CallError::malformed("iam:GetRole", "Role"))?;
            Some(Arn::new(role.arn))
        }
        _ => None,
    };
    Ok(Caller { account: account.to_owned(), arn: Arn::new(arn), partition: partition.to_owned(), principal_arn })
}

/// The zones of the region in which the platform can be built, sorted by id.
///
/// # Errors
/// When the call fails.
pub async fn zones(cloud: &Aws) -> Result<Vec<Zone>, CallError> {
    // Local zones and wavelength zones have no NAT gateways, databases and control planes.
    let filter = Filter::builder().name("zone-type").values("availability-zone").build();
    let answer = cloud.ec2.describe_availability_zones().filters(filter).send().await.sent()?;
    let mut zones: Vec<_> = answer.availability_zones().iter().filter_map(usable).collect();
    zones.sort();
    Ok(zones)
}

fn usable(zone: &AvailabilityZone) -> Option<Zone> {
    let (id, name) = (zone.zone_id()?, zone.zone_name()?);
    let usable = zone.state() == Some(&AvailabilityZoneState::Available)
        && zone.opt_in_status() != Some(&AvailabilityZoneOptInStatus::NotOptedIn)
        && zone.zone_type().is_none_or(|kind| kind == "availability-zone")
        && !ZONES_WITHOUT_EKS.contains(&id);
    usable.then(|| Zone { id: id.to_owned(), name: name.to_owned() })
}

/// How far AWS supports a Kubernetes version, and which versions it supports in full.
///
/// # Errors
/// When the call fails.
pub async fn cluster_version(cloud: &Aws, version: &str) -> Result<VersionSupport, CallError> {
    let mut versions = Vec::new();
    let mut pages = cloud.eks.describe_cluster_versions().into_paginator().items().send();
    while let Some(information) = pages.next().await {
        versions.push(information.sent()?);
    }
    Ok(support(&versions, version))
}

fn support(versions: &[ClusterVersionInformation], version: &str) -> VersionSupport {
    let supported = versions.iter().filter_map(|information| {
        let support = match information.version_status()? {
            VersionStatus::StandardSupport => Support::Standard,
            VersionStatus::ExtendedSupport => Support::Extended,
            _ => return None,
        };
        Some((information.cluster_version()?, support))
    });
    let supported: BTreeMap<_, _> = supported.collect();
    let standard = supported.iter().filter(|(_, support)| **support == Support::Standard);
    let standard: Vec<_> = standard.map(|(name, _)| (*name).to_owned()).collect();
    VersionSupport { support: supported.get(version).copied(), standard: sorted(standard) }
}

/// The version of each add-on that EKS installs by default on a cluster of this version. An add-on that EKS does not
/// have for it is left out.
///
/// # Errors
/// When a call fails.
pub async fn addon_versions(
    cloud: &Aws,
    cluster_version: &str,
    names: &[&str],
) -> Result<BTreeMap<String, String>, CallError> {
    // One name per call: without a name, EKS answers with the whole marketplace.
    let versions = at_once(names.iter().map(|name| addon_version(cloud, cluster_version, name))).await?;
    Ok(names.iter().zip(versions).filter_map(|(name, version)| Some(((*name).to_owned(), version?))).collect())
}

async fn addon_version(cloud: &Aws, cluster_version: &str, name: &str) -> Result<Option<String>, CallError> {
    let request = cloud.eks.describe_addon_versions().kubernetes_version(cluster_version).addon_name(name);
    let (mut pages, mut found) = (request.into_paginator().items().send(), None);
    while let Some(addon) = pages.next().await {
        let addon = match addon.sent() {
            Ok(addon) => addon,
            Err(error) if error.class == Class::NotFound || error.message.contains("is not supported") => break,
            Err(error) => return Err(error),
        };
        found = default_version(&addon, cluster_version).or(found);
    }
    Ok(found)
}

fn default_version(addon: &AddonInfo, cluster_version: &str) -> Option<String> {
    let default = addon.addon_versions().iter().find(|version| {
        let mut compatible = version.compatibilities().iter();
        compatible.any(|with| with.default_version() && with.cluster_version() == Some(cluster_version))
    })?;
    default.addon_version().map(str::to_owned)
}

/// The versions of a database engine that can be made in this region, oldest first.
///
/// # Errors
/// When a call fails.
pub async fn database_versions(cloud: &Aws, engine: &str) -> Result<Vec<String>, CallError> {
    let request = cloud.rds.describe_db_engine_versions().engine(engine);
    let (mut pages, mut found) = (request.into_paginator().items().send(), Vec::new());
    while let Some(version) = pages.next().await {
        found.extend(version.sent()?.engine_version);
    }
    Ok(sorted(found))
}

/// The versions of a cache engine that can be made in this region, oldest first.
///
/// # Errors
/// When a call fails.
pub async fn cache_versions(cloud: &Aws, engine: &str) -> Result<Vec<String>, CallError> {
    let request = cloud.elasticache.describe_cache_engine_versions().engine(engine);
    let (mut pages, mut found) = (request.into_paginator().items().send(), Vec::new());
    while let Some(version) = pages.next().await {
        found.extend(version.sent()?.engine_version);
    }
    Ok(sorted(found))
}

/// As numbers: 16.9 comes before 16.10.
fn sorted(mut versions: Vec<String>) -> Vec<String> {
    versions.sort_by_key(|name| numbers(name));
    versions
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// What a quota of the account is in this region.
///
/// # Errors
/// When a call fails.
pub async fn quota(cloud: &Aws, service: &str, code: &str) -> Result<f64, CallError> {
    let request = cloud.quotas.get_service_quota().service_code(service).quota_code(code);
    let quota = match request.send().await.found()? {
        Some(answer) => answer.quota,
        // Some quotas have no value of the account's own (Service Quotas API Reference, "GetServiceQuota").
        None => {
            let request = cloud.quotas.get_aws_default_service_quota().service_code(service).quota_code(code);
            request.send().await.sent()?.quota
        }
    };
    let value = quota.and_then(|quota| quota.value);
    value.ok_or_else(|| CallError::malformed("servicequotas:GetServiceQuota", "Value"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_eks::types::{AddonVersionInfo, Compatibility};

    #[test]
    fn zones_that_eks_does_not_take_are_left_out() {
        let zone = |id: &str, state, opt_in| {
            let zone = AvailabilityZone::builder().zone_id(id).zone_name("us-east-1x").zone_type("availability-zone");
            usable(&zone.state(state).opt_in_status(opt_in).build())
        };
        let (available, no_need) = (AvailabilityZoneState::Available, AvailabilityZoneOptInStatus::OptInNotRequired);
        assert!(zone("use1-az1", available.clone(), no_need.clone()).is_some());
        assert!(zone("use1-az3", available.clone(), no_need.clone()).is_none());
        assert!(zone("use1-az1", AvailabilityZoneState::Impaired, no_need).is_none());
        assert!(zone("use1-az1", available, AvailabilityZoneOptInStatus::NotOptedIn).is_none());
    }

    #[test]
    fn versions_are_sorted_as_numbers() {
        let version = |name: &str, status| {
            ClusterVersionInformation::builder().cluster_version(name).version_status(status).build()
        };
        let versions = [
            version("1.100", VersionStatus::StandardSupport),
            version("1.99", VersionStatus::StandardSupport),
            version("1.98", VersionStatus::ExtendedSupport),
            version("1.97", VersionStatus::Unsupported),
        ];
        let of = |name| support(&versions, name).support;
        assert_eq!(support(&versions, "1.99").standard, ["1.99", "1.100"]);
        assert_eq!(of("1.99"), Some(Support::Standard));
        assert_eq!(of("1.98"), Some(Support::Extended));
        assert_eq!((of("1.97"), of("2.0")), (None, None));
    }

    #[test]
    fn the_default_version_is_that_of_the_cluster_version() {
        let version = |name: &str, cluster: &str, default| {
            let with = Compatibility::builder().cluster_version(cluster).default_version(default).build();
            AddonVersionInfo::builder().addon_version(name).compatibilities(with).build()
        };
        let addon = AddonInfo::builder()
            .addon_versions(version("v3", "1.35", false))
            .addon_versions(version("v2", "1.35", true))
            .addon_versions(version("v1", "1.34", true))
            .build();
        assert_eq!(default_version(&addon, "1.35").as_deref(), Some("v2"));
        assert_eq!(default_version(&addon, "1.33"), None);
    }
}
