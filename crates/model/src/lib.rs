//! The words the rest of the project is written in: phases, expressions, addresses, and the contract of a resource type.
//!
//! No AWS and no runtime in here.

// The derived code names this crate by its path, also inside it.
extern crate self as bedplate_model;

mod error;
mod input;
mod kind;
mod names;
mod outsider;
mod phase;
mod reconcile;
mod record;

pub use bedplate_model_macros::Record;
pub use error::{CallError, Class};
pub use input::{Input, is_known, references, resolve, unknown};
pub use kind::{Boxed, Entry, JsonStep, Kind, Schema, Seen, token};
pub use names::{Address, AddressError, Id, Owner, StackId, TAG_ADDRESS, TAG_GENERATION, TAG_STACK, Tags};
pub use outsider::Outsider;
pub use phase::{Datum, Draft, Observed, Phase, Resolved};
pub use reconcile::{
    Creation, Observation, Order, Ownership, Pace, Readiness, Reconcile, Recovery, Step, Terraform, Verdict, Which,
    output_references,
};
pub use record::{Change, Field, Record, RecordError, object};
pub use serde_json::{Map as JsonMap, Value as Json};
