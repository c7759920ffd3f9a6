//! From what is wanted, recorded and observed to a plan: pure, synchronous, without a clock.

mod diff;
mod graph;
mod judge;
mod observations;
mod plan;
mod planner;
mod schedule;

pub use diff::{Difference, TagDifference, differences, tag_differences};
pub use graph::{Declaration, Graph, GraphBuilder, GraphError, Need, Node};
pub use observations::{Found, Observations};
pub use plan::{Action, Change, FieldChange, Make, Plan, Refusal, Removal, Summary};
pub use planner::{DELETED_OUTSIDE, DOES_NOT_EXIST, Options, PlanError, Schemas, make};
pub use schedule::{Edge, Op, Schedule, expected, schedule};
