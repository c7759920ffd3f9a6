//! The table of resource types. A type that is not in it does not exist.

use crate::{Aws, ec2};
use bedplate_model::{Entry, Kind};

/// Every resource type, in the order of the platform's layers.
pub static KINDS: &[&dyn Kind<Aws>] = &[&Entry::<ec2::Vpc>::NEW, &Entry::<ec2::Subnet>::NEW];
