//! Athena.

mod workgroup;

pub use workgroup::{Workgroup, WorkgroupOutputs, WorkgroupSpec};
