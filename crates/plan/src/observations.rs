//! What was found, as the plan takes it.

use bedplate_model::{Address, CallError, Id, Readiness, Seen};
use bedplate_state::{Resource, State};
use std::collections::BTreeMap;

/// What AWS showed.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    /// By address: everything declared or recorded that was found.
    pub found: BTreeMap<Address, Found>,
    /// What could not be looked at, and why. What was found of it is what is recorded.
    pub unseen: BTreeMap<Address, CallError>,
}

impl Observations {
    /// What AWS would show if it were as the state says.
    pub fn believed(state: &State) -> Self {
        let found = state.resources.iter().map(|(address, recorded)| (address.clone(), Found::believed(recorded)));
        Self { found: found.collect(), unseen: BTreeMap::new() }
    }
}

/// What was found for one address.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The resource that stands at the address, with its generation.
    pub current: Option<(u32, Seen)>,
    /// Earlier generations that still exist.
    pub older: Vec<(u32, Seen)>,
    /// What has the identity the resource shall have, and is not this stack's.
    pub rival: Option<Seen>,
}

impl Found {
    /// What would be found if all were as recorded.
    pub fn believed(recorded: &Resource) -> Self {
        let seen = |id: &Id| Seen {
            id: id.clone(),
            tags: Some(recorded.tags.clone()),
            readiness: Readiness::Ready,
            spec: recorded.spec.clone(),
            outputs: recorded.outputs.clone(),
        };
        let older = recorded.deposed.iter().map(|old| (old.generation, seen(&old.id)));
        let current = recorded.id.as_ref().map(|id| (recorded.generation, seen(id)));
        Self { current, older: older.collect(), rival: None }
    }
}
