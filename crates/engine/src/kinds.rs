//! The resource types by name.

use bedplate_model::{Kind, Schema};
use bedplate_plan::Schemas;
use std::collections::BTreeMap;

/// The resource types the engine can handle, over the clients `C`.
pub struct Kinds<C: 'static>(BTreeMap<&'static str, &'static dyn Kind<C>>);

impl<C> Kinds<C> {
    /// Indexes the table of resource types.
    pub fn new(table: &[&'static dyn Kind<C>]) -> Self {
        Self(table.iter().map(|kind| (kind.name(), *kind)).collect())
    }

    /// The type of this name.
    pub fn get(&self, name: &str) -> Option<&'static dyn Kind<C>> {
        self.0.get(name).copied()
    }

    /// All of them, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static dyn Kind<C>> {
        self.0.values().copied()
    }
}

impl<C> Schemas for Kinds<C> {
    fn schema(&self, kind: &str) -> Option<&dyn Schema> {
        self.get(kind).map(|kind| kind as &dyn Schema)
    }
}

impl<C> std::fmt::Debug for Kinds<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
