//! What stands in AWS beside a stack's resources.

use crate::Id;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something in AWS that is no resource of a stack: what others made in a resource's name, or what stands in its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outsider {
    /// What it is, named like a resource type: `ec2.network_interface`.
    pub kind: String,
    /// Its id, as the call that removes it takes it.
    pub id: Id,
    /// What AWS says of it, for people: its name or description, who uses it. May be empty.
    pub about: String,
}

impl Outsider {
    /// One.
    pub fn new(kind: &str, id: impl Into<String>, about: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), id: Id::new(id), about: about.into() }
    }
}

impl fmt::Display for Outsider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)?;
        if self.about.is_empty() { Ok(()) } else { write!(f, " ({})", self.about) }
    }
}
