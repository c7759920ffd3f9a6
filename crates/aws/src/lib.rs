//! AWS: clients, errors, and one file per resource type under the folder of its service.

pub mod athena;
pub mod autoscaling;
pub mod budgets;
pub mod ce;
pub mod cloudwatch;
pub mod cur;
pub mod dynamodb;
pub mod ec2;
pub mod eks;
pub mod elasticache;
pub mod elb;
pub mod facts;
pub mod glue;
pub mod iam;
pub mod kms;
pub mod kubernetes;
pub mod logs;
pub mod organizations;
pub mod permissions;
pub mod quotas;
pub mod rds;
pub mod s3;
pub mod scaling;
pub mod secrets;
pub mod sns;

mod action;
mod at_once;
mod clients;
mod engine_version;
mod error;
mod fence;
mod http;
mod kinds;
mod ledger;
mod once;
mod shared;
mod snapshots;
mod state_object;
mod throttle;
mod values;

pub use action::action;
pub use clients::Aws;
pub use fence::Fence;
pub use http::{BadBundle, connections};
pub use kinds::KINDS;
pub use ledger::{Called, Entry as LedgerEntry, Ledger, Listener};
pub use shared::{Belief, Recorded};
pub use state_object::StateObject;
pub use throttle::{Limit, Rate, Throttle, limits};
pub use values::{
    AllocationId, Arn, FlowLogId, InternetGatewayId, KeyId, NatGatewayId, Policy, PrefixListId, RouteTableId,
    SecurityGroupId, SecurityGroupRuleId, SubnetId, VpcEndpointId, VpcId,
};
