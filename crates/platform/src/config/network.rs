//! The `[network]` table.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cidr::{Slots, SubnetPlan, VpcCidr, slots};
use super::error::{Fault, Finding};
use super::values::{EndpointService, Ipv4Cidr, RetentionDays, ZoneId};

/// Zones in which EKS places no control plane, so that a cluster with a subnet there is refused.
///
/// Source: Amazon EKS user guide, "VPC and subnet requirements", subnet requirements for clusters.
pub const ZONES_WITHOUT_EKS: [&str; 3] = ["use1-az3", "usw1-az2", "cac1-az3"];

/// The VPC, its subnets, and what comes in and goes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// The private address range of the VPC, from which every subnet is cut. It cannot be changed without replacing
    /// everything in it.
    pub cidr: VpcCidr,
    /// The slot of the first public subnet; those of further zones follow. A slot is a /24, or 1/32 of the VPC where that is
    /// smaller: in 10.0.0.0/16, slot 1 is 10.0.1.0/24. It cannot be changed without replacing the subnet and what is in it.
    #[schemars(range(min = 0, max = 253))]
    pub public_subnet_slot: u8,
    /// The slot of the first app subnet, as for the public ones.
    #[schemars(range(min = 0, max = 253))]
    pub app_subnet_slot: u8,
    /// The slot of the first data subnet, as for the public ones.
    #[schemars(range(min = 0, max = 253))]
    pub data_subnet_slot: u8,
    /// How many availability zones the platform spans. EKS, Aurora and the load balancer need two. No region has more than
    /// six.
    #[schemars(range(min = 2, max = 6))]
    pub zones: u8,
    /// The zones to use, by id and in order; empty lets bedplate choose zones that EKS accepts. Ids, because the name
    /// `us-east-1a` is another zone in every account.
    #[schemars(extend("maxItems" = 6, "uniqueItems" = true))]
    pub zone_ids: Vec<ZoneId>,
    /// How many NAT gateways the private subnets go out through. Each one costs money by the hour.
    pub nat_gateways: NatGateways,
    /// Services reached through a gateway endpoint, a route that costs nothing.
    pub gateway_endpoints: BTreeSet<GatewayService>,
    /// Services reached through a private address in the VPC instead of the internet. Each one costs money by the hour
    /// and zone.
    pub interface_endpoints: BTreeSet<EndpointService>,
    /// The port of the database, which its security group opens. Aurora accepts ports from 1150.
    #[schemars(range(min = 1150, max = 65535))]
    pub database_port: u16,
    /// The port of the cache, which its security group opens.
    #[schemars(range(min = 1024, max = 65535))]
    pub cache_port: u16,
    /// Who may reach the load balancer. The default is the whole internet.
    #[schemars(extend("minItems" = 1))]
    pub load_balancer_cidrs: BTreeSet<Ipv4Cidr>,
    /// The port on which the load balancer listens for HTTP.
    #[schemars(range(min = 1, max = 65535))]
    pub http_port: u16,
    /// The port on which the load balancer listens for HTTPS, once it has a certificate.
    #[schemars(range(min = 1, max = 65535))]
    pub https_port: u16,
    /// Whether connections in the VPC are recorded in CloudWatch Logs.
    pub flow_logs: bool,
    /// How many days flow logs are kept. CloudWatch Logs accepts only these values.
    pub flow_logs_retention_days: RetentionDays,
}

/// How many NAT gateways there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NatGateways {
    /// One in every zone: a zone that fails takes only its own way out with it.
    PerZone,
    /// One for all zones: cheaper, for development.
    Single,
}

/// A service that has gateway endpoints. AWS offers them for these two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GatewayService {
    /// Amazon S3.
    S3,
    /// Amazon DynamoDB.
    DynamoDb,
}

impl GatewayService {
    /// The service's part of the endpoint's name: `s3` in `com.amazonaws.us-east-1.s3`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::DynamoDb => "dynamodb",
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        let endpoints = ["ecr.api", "ecr.dkr", "secretsmanager", "ssm", "ssmmessages", "sts", "logs", "ec2"];
        Self {
            cidr: VpcCidr::DEFAULT,
            public_subnet_slot: 1,
            app_subnet_slot: 11,
            data_subnet_slot: 21,
            zones: 2,
            zone_ids: Vec::new(),
            nat_gateways: NatGateways::PerZone,
            gateway_endpoints: [GatewayService::S3, GatewayService::DynamoDb].into(),
            interface_endpoints: endpoints.map(EndpointService::known).into(),
            database_port: 5432,
            cache_port: 6379,
            load_balancer_cidrs: [Ipv4Cidr::ANYWHERE].into(),
            http_port: 80,
            https_port: 443,
            flow_logs: true,
            flow_logs_retention_days: RetentionDays::THREE_MONTHS,
        }
    }
}

impl Network {
    /// Where the subnets lie.
    pub fn subnets(&self) -> SubnetPlan {
        let (public, app, data) = (self.public_subnet_slot, self.app_subnet_slot, self.data_subnet_slot);
        SubnetPlan::new(&self.cidr, self.zones, Slots { public, app, data })
    }

    /// What is wrong with the places of the tiers.
    fn slot_findings(&self) -> Vec<Finding> {
        let mut tiers = [
            ("network.public_subnet_slot", self.public_subnet_slot),
            ("network.app_subnet_slot", self.app_subnet_slot),
            ("network.data_subnet_slot", self.data_subnet_slot),
        ];
        tiers.sort_by_key(|(_, first)| *first);
        let zones = u16::from(self.zones);
        let mut findings = Vec::new();
        for pair in tiers.windows(2) {
            let [(lower, at), (upper, next)] = pair else { continue };
            if u16::from(*at) + zones > u16::from(*next) {
                findings.push(Finding::at(
                    [*upper, *lower, "network.zones"],
                    Fault::new(
                        format!("the subnets from slot {at} and those from slot {next} lie on each other"),
                        format!("{zones} zones take {zones} slots of each tier"),
                        format!("write {} or more, and leave room for a zone to come", u16::from(*at) + zones),
                    ),
                ));
            }
        }
        let (slots, [.., (last, first)]) = (slots(&self.cidr), tiers);
        if u16::from(first) + zones > slots {
            findings.push(Finding::at(
                [last, "network.cidr"],
                Fault::new(
                    format!("the subnets from slot {first} lie outside of {}", self.cidr),
                    format!("it has {slots} slots, counted from 0, and {zones} zones take {zones} of them"),
                    format!("write {} or less, or take a larger range", slots - zones),
                ),
            ));
        }
        findings
    }

    /// How many NAT gateways there are.
    pub fn nat_gateway_count(&self) -> u8 {
        match self.nat_gateways {
            NatGateways::PerZone => self.zones,
            NatGateways::Single => 1,
        }
    }

    pub(super) fn findings(&self, cluster: bool) -> Vec<Finding> {
        let mut findings = self.slot_findings();
        let pinned = self.zone_ids.len();
        if pinned != 0 && pinned != usize::from(self.zones) {
            findings.push(Finding::at(
                ["network.zone_ids", "network.zones"],
                Fault::new(
                    format!("`network.zone_ids` names {pinned}, but `network.zones` is {}", self.zones),
                    "a list of zones replaces the choice of zones, so both have to say how many there are",
                    "name one id per zone, or leave `zone_ids` out and let bedplate choose",
                ),
            ));
        }
        let without = self.zone_ids.iter().find(|id| ZONES_WITHOUT_EKS.contains(&id.as_str()));
        if let Some(id) = without.filter(|_| cluster) {
            findings.push(Finding::at(
                ["network.zone_ids", "cluster.enabled"],
                Fault::new(
                    format!("EKS does not support the zone `{id}`"),
                    format!("AWS places no control plane in {}", ZONES_WITHOUT_EKS.join(", ")),
                    "choose another zone of the region, or leave `zone_ids` out and let bedplate choose",
                ),
            ));
        }
        if self.http_port == self.https_port {
            findings.push(Finding::at(
                ["network.https_port", "network.http_port"],
                Fault::new(
                    format!("HTTP and HTTPS have the same port {}", self.https_port),
                    "a load balancer has one listener per port",
                    "give them different ports, for example 80 and 443",
                ),
            ));
        }
        findings
    }
}
