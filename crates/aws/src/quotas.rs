//! The account's quotas that a platform meets: which error says that one is reached, and how much of it is used.

use crate::{Aws, ec2, eks, elb, error::Sent, facts, rds};
use aws_sdk_ec2::types::{Address, Filter, NatGatewayState};
use aws_sdk_elasticloadbalancingv2::types::LoadBalancerTypeEnum;
use bedplate_model::{CallError, Id, Reconcile, Which};
use std::collections::{BTreeMap, BTreeSet};

/// Engines that RDS lists, too, and that are services of their own.
const OTHER_DATABASES: [&str; 2] = ["docdb", "neptune"];

/// A quota of the account, as Service Quotas knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The service's code in Service Quotas.
    pub service: &'static str,
    /// The quota's code.
    pub code: &'static str,
    /// Its name in the console.
    pub name: &'static str,
    /// The error code that says it is reached.
    error: &'static str,
    /// The operation that is answered so, where others have the same code for quotas of their own.
    operation: Option<&'static str>,
    /// The resource type that it is a number of, where that is counted before anything is made.
    pub counts: Option<&'static str>,
    /// Whether it is counted in each zone, and not in the region.
    pub per_zone: bool,
}

/// The quotas (AWS General Reference, "Service endpoints and quotas"; Amazon VPC User Guide, "Amazon VPC quotas"). Of those that
/// belong to one VPC, cluster or group, a platform takes a small part, so they are not counted beforehand.
pub const QUOTAS: &[Quota] = &[
    quota("AddressLimitExceeded", "ec2", "L-0263D0A3", "EC2-VPC Elastic IPs").of(ec2::ElasticIp::KIND),
    quota("VpcLimitExceeded", "vpc", "L-F678F1CE", "VPCs per Region").of(ec2::Vpc::KIND),
    quota("NatGatewayLimitExceeded", "vpc", "L-FE5A380F", "NAT gateways per Availability Zone")
        .of(ec2::NatGateway::KIND)
        .in_each_zone(),
    quota("InternetGatewayLimitExceeded", "vpc", "L-A4707A72", "Internet gateways per Region")
        .of(ec2::InternetGateway::KIND),
    quota("VpcEndpointLimitExceeded", "vpc", "L-29B6F2EB", "Interface VPC endpoints per VPC"),
    quota("SubnetLimitExceeded", "vpc", "L-407747CB", "Subnets per VPC"),
    quota("RouteTableLimitExceeded", "vpc", "L-589F43AA", "Route tables per VPC"),
    quota("SecurityGroupLimitExceeded", "vpc", "L-E79EC296", "VPC security groups per Region"),
    quota("RulesPerSecurityGroupLimitExceeded", "vpc", "L-0EA8095F", "Inbound or outbound rules per security group"),
    quota("ResourceLimitExceededException", "eks", "L-1194D53C", "Clusters")
        .by("eks:CreateCluster")
        .of(eks::Cluster::KIND),
    quota("ResourceLimitExceededException", "eks", "L-6D54EA21", "Managed node groups per cluster")
        .by("eks:CreateNodegroup"),
    quota("ResourceLimitExceededException", "eks", "L-33415657", "Fargate profiles per cluster")
        .by("eks:CreateFargateProfile"),
    quota("DBClusterQuotaExceeded", "rds", "L-952B80B8", "DB clusters").of(rds::Cluster::KIND),
    quota("InstanceQuotaExceeded", "rds", "L-7B6409FD", "DB instances").of(rds::Instance::KIND),
    quota("TooManyLoadBalancers", "elasticloadbalancing", "L-53DA6B97", "Application Load Balancers per Region")
        .of(elb::LoadBalancer::KIND),
    quota("TooManyTargetGroups", "elasticloadbalancing", "L-B22855CB", "Target Groups per Region"),
];

const fn quota(error: &'static str, service: &'static str, code: &'static str, name: &'static str) -> Quota {
    Quota { service, code, name, error, operation: None, counts: None, per_zone: false }
}

impl Quota {
    /// The quota that an error says is reached.
    #[must_use]
    pub fn reached(error: &CallError) -> Option<&'static Self> {
        // RDS ends some of its codes with it.
        let code = error.code.strip_suffix("Fault").unwrap_or(&error.code);
        let answered = |quota: &Self| quota.operation.is_none_or(|operation| operation == error.operation);
        QUOTAS.iter().find(|quota| quota.error == code && answered(quota))
    }

    const fn by(self, operation: &'static str) -> Self {
        Self { operation: Some(operation), ..self }
    }

    const fn of(self, kind: &'static str) -> Self {
        Self { counts: Some(kind), ..self }
    }

    const fn in_each_zone(self) -> Self {
        Self { per_zone: true, ..self }
    }
}

/// How many there are, by the id of their zone; `None` is the region as a whole.
pub type Used = BTreeMap<Option<String>, usize>;

/// What a quota is in this account and region, and how much of it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The value in force.
    pub value: f64,
    /// What counts against it. What AWS may not count is left out: where this says that there is no room, there is none.
    pub used: Used,
}

/// Asks what a quota is, and how much of it `account` uses. Of a quota that is not counted beforehand, nothing is used.
///
/// # Errors
/// When a call fails.
pub async fn standing(cloud: &Aws, account: &str, quota: &Quota) -> Result<Standing, CallError> {
    let (value, used) = tokio::try_join!(facts::quota(cloud, quota.service, quota.code), used(cloud, account, quota))?;
    Ok(Standing { value, used })
}

async fn used(cloud: &Aws, account: &str, quota: &Quota) -> Result<Used, CallError> {
    let count = match quota.counts {
        Some(ec2::ElasticIp::KIND) => elastic_ips(cloud).await?,
        Some(ec2::Vpc::KIND) => vpcs(cloud, account).await?,
        Some(ec2::InternetGateway::KIND) => internet_gateways(cloud, account).await?,
        Some(ec2::NatGateway::KIND) => return nat_gateways(cloud).await,
        Some(elb::LoadBalancer::KIND) => load_balancers(cloud).await?,
        Some(eks::Cluster::KIND) => clusters(cloud).await?,
        Some(rds::Cluster::KIND) => database_clusters(cloud).await?,
        Some(rds::Instance::KIND) => database_instances(cloud).await?,
        _ => return Ok(Used::new()),
    };
    Ok(Used::from([(None, count)]))
}

async fn elastic_ips(cloud: &Aws) -> Result<usize, CallError> {
    // This answer has no pages.
    let answer = cloud.ec2.describe_addresses().send().await.sent()?;
    Ok(answer.addresses().iter().filter(|address| is_amazons(address)).count())
}

/// Whether an address was allocated from Amazon's, by the account itself: not from a range that it brought, not by a service.
fn is_amazons(address: &Address) -> bool {
    address.public_ipv4_pool().is_none_or(|pool| pool == "amazon") && address.service_managed().is_none()
}

async fn vpcs(cloud: &Aws, account: &str) -> Result<usize, CallError> {
    let all: Result<Vec<_>, _> = cloud.ec2.describe_vpcs().into_paginator().items().send().collect().await;
    Ok(all.sent()?.iter().filter(|vpc| is_own(vpc.owner_id(), account)).count())
}

async fn internet_gateways(cloud: &Aws, account: &str) -> Result<usize, CallError> {
    let all: Result<Vec<_>, _> = cloud.ec2.describe_internet_gateways().into_paginator().items().send().collect().await;
    Ok(all.sent()?.iter().filter(|gateway| is_own(gateway.owner_id(), account)).count())
}

/// Whether something is the account's. What others share with it is listed, too.
fn is_own(owner: Option<&str>, account: &str) -> bool {
    owner.is_none_or(|owner| owner == account)
}

/// NAT gateways by zone: those that are there, and those that come or go (Amazon VPC User Guide, "Amazon VPC quotas").
async fn nat_gateways(cloud: &Aws) -> Result<Used, CallError> {
    let states = [NatGatewayState::Pending, NatGatewayState::Available, NatGatewayState::Deleting];
    let values = states.iter().map(|state| state.as_str().to_owned()).collect();
    let counted = Filter::builder().name("state").set_values(Some(values)).build();
    let request = cloud.ec2.describe_nat_gateways().filter(counted);
    let all: Result<Vec<_>, _> = request.into_paginator().items().send().collect().await;
    // A gateway of the whole region has no subnet, and a quota of its own.
    let subnets: Vec<Id> = all.sent()?.iter().filter_map(|gateway| gateway.subnet_id().map(Id::new)).collect();
    let distinct: Vec<Id> = subnets.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let zones = ec2::Subnet::read(cloud, Which::Ids(&distinct)).await?.into_iter();
    let zones: BTreeMap<Id, Option<String>> = zones.map(|subnet| (subnet.id, subnet.spec.zone_id)).collect();
    let mut used = Used::new();
    for subnet in &subnets {
        *used.entry(zones.get(subnet).cloned().flatten()).or_default() += 1;
    }
    Ok(used)
}

async fn load_balancers(cloud: &Aws) -> Result<usize, CallError> {
    let all: Result<Vec<_>, _> = cloud.elb.describe_load_balancers().into_paginator().items().send().collect().await;
    Ok(all.sent()?.iter().filter(|balancer| balancer.r#type() == Some(&LoadBalancerTypeEnum::Application)).count())
}

async fn clusters(cloud: &Aws) -> Result<usize, CallError> {
    let all: Result<Vec<_>, _> = cloud.eks.list_clusters().into_paginator().items().send().collect().await;
    Ok(all.sent()?.len())
}

async fn database_clusters(cloud: &Aws) -> Result<usize, CallError> {
    let all: Result<Vec<_>, _> = cloud.rds.describe_db_clusters().into_paginator().items().send().collect().await;
    Ok(all.sent()?.iter().filter(|cluster| is_of_rds(cluster.engine())).count())
}

async fn database_instances(cloud: &Aws) -> Result<usize, CallError> {
    let all: Result<Vec<_>, _> = cloud.rds.describe_db_instances().into_paginator().items().send().collect().await;
    Ok(all.sent()?.iter().filter(|instance| is_of_rds(instance.engine())).count())
}

fn is_of_rds(engine: Option<&str>) -> bool {
    engine.is_none_or(|engine| !OTHER_DATABASES.contains(&engine))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_model::Class;

    fn reached(operation: &str, code: &str) -> Option<&'static str> {
        Quota::reached(&CallError::local(operation, code, "", Class::Quota)).map(|quota| quota.code)
    }

    #[test]
    fn an_error_names_its_quota() {
        assert_eq!(reached("ec2:AllocateAddress", "AddressLimitExceeded"), Some("L-0263D0A3"));
        assert_eq!(reached("rds:CreateDBCluster", "DBClusterQuotaExceededFault"), Some("L-952B80B8"));
        assert_eq!(reached("ec2:CreateFlowLogs", "FlowLogsLimitExceeded"), None);
        // EKS has one code for all of its quotas.
        let of_eks = |operation| reached(operation, "ResourceLimitExceededException");
        assert_eq!(of_eks("eks:CreateCluster"), Some("L-1194D53C"));
        assert_eq!(of_eks("eks:CreateNodegroup"), Some("L-6D54EA21"));
        assert_eq!(of_eks("eks:CreateAddon"), None);
    }

    #[test]
    fn what_may_not_count_is_not_counted() {
        let address = Address::builder().allocation_id("eipalloc-1");
        assert!(is_amazons(&address.clone().build()));
        assert!(is_amazons(&address.clone().public_ipv4_pool("amazon").build()));
        assert!(!is_amazons(&address.clone().public_ipv4_pool("ipv4pool-ec2-1").build()));
        assert!(!is_amazons(&address.service_managed("alb".into()).build()));

        assert!(is_own(Some("111122223333"), "111122223333") && is_own(None, "111122223333"));
        assert!(!is_own(Some("444455556666"), "111122223333"));
        assert!(is_of_rds(Some("aurora-postgresql")) && is_of_rds(Some("mysql")));
        assert!(!is_of_rds(Some("docdb")) && !is_of_rds(Some("neptune")));
    }
}
