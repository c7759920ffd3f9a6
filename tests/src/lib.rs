//! End-to-end tests: the program as a user runs it, against a cloud of the test's own.
//!
//! `cargo xtask test` sets everything up and runs them. What exists afterwards is read back with boto3, a client that
//! shares no line with ours.

mod cloud;
mod door;
mod environment;
mod json;
mod leftovers;
mod project;
mod server;

pub use cloud::{AwsError, Cloud, Inventory, KEPT, counts, without_kept};
pub use door::Door;
pub use environment::{has_program, python, root, skip};
pub use json::{JsonExt, Plan, changed, set};
pub use project::{FIVE_LINES, Project, Run, Running, STACK, UNTAGGED};
