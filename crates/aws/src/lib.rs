//! AWS: clients, errors, and one file per resource type under the folder of its service.

pub mod ec2;

mod clients;
mod error;
mod kinds;
mod values;

pub use clients::{Aws, Ledger};
pub use kinds::KINDS;
pub use values::{
    AllocationId, Arn, InternetGatewayId, KeyId, NatGatewayId, Policy, RouteTableId, SecurityGroupId, SubnetId,
    VpcEndpointId, VpcId,
};
