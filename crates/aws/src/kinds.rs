//! The table of resource types. A type that is not in it does not exist.

use crate::{Aws, ec2, eks, iam, kms, logs};
use bedplate_model::{Entry, Kind};

/// Every resource type, in the order of the platform's layers.
pub static KINDS: &[&dyn Kind<Aws>] = &[
    &Entry::<ec2::Vpc>::NEW,
    &Entry::<ec2::Subnet>::NEW,
    &Entry::<ec2::InternetGateway>::NEW,
    &Entry::<ec2::ElasticIp>::NEW,
    &Entry::<ec2::NatGateway>::NEW,
    &Entry::<ec2::RouteTable>::NEW,
    &Entry::<logs::LogGroup>::NEW,
    &Entry::<ec2::FlowLog>::NEW,
    &Entry::<ec2::VpcEndpoint>::NEW,
    &Entry::<ec2::SecurityGroup>::NEW,
    &Entry::<ec2::SecurityGroupRule>::NEW,
    &Entry::<ec2::DefaultSecurityGroup>::NEW,
    &Entry::<kms::Key>::NEW,
    &Entry::<kms::Alias>::NEW,
    &Entry::<iam::Role>::NEW,
    &Entry::<iam::OidcProvider>::NEW,
    &Entry::<iam::ServiceLinkedRole>::NEW,
    &Entry::<eks::Cluster>::NEW,
    &Entry::<eks::NodeGroup>::NEW,
    &Entry::<eks::FargateProfile>::NEW,
    &Entry::<eks::Addon>::NEW,
    &Entry::<eks::AccessEntry>::NEW,
];
