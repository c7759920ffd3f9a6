//! AWS: clients, errors, and one file per resource type under the folder of its service.

pub mod ec2;
pub mod eks;
pub mod facts;
pub mod iam;
pub mod kms;
pub mod logs;

mod clients;
mod error;
mod kinds;
mod once;
mod values;

pub use clients::{Aws, Ledger};
pub use kinds::KINDS;
pub use values::{
    AllocationId, Arn, FlowLogId, InternetGatewayId, KeyId, NatGatewayId, Policy, PrefixListId, RouteTableId,
    SecurityGroupId, SecurityGroupRuleId, SubnetId, VpcEndpointId, VpcId,
};
