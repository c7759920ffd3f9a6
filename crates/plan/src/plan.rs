//! A plan as data: what will be done and why. It leaves no choice to the walk, so it can be shown, saved and compared.

use bedplate_model::{Address, CallError, Id, Json, Outsider, StackId, Tags};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What will be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The format's version.
    pub format: u32,
    /// The stack.
    pub stack: StackId,
    /// The state it was made from.
    pub lineage: String,
    /// That state's serial: a plan fits only the state it was made from.
    pub serial: u64,
    /// The changes, each after what it depends on.
    pub changes: Vec<Change>,
    /// How many resources stay as they are.
    pub unchanged: usize,
    /// Outputs of these that AWS shows and the state does not know yet. The state gets them before anything is done: whoever
    /// refers to them takes them from there.
    pub outputs: BTreeMap<Address, Json>,
    /// What speaks against doing it. While there is any, nothing is done.
    pub refusals: Vec<Refusal>,
    /// What could not be looked at, and why: it is taken to be as recorded.
    #[serde(default)]
    pub unseen: BTreeMap<Address, CallError>,
}

impl Plan {
    /// The version this code writes.
    pub const FORMAT: u32 = 1;

    /// The changes by action.
    pub fn summary(&self) -> Summary {
        Summary { unchanged: self.unchanged, ..Summary::of(&self.changes) }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// How many changes there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names are those of the actions")]
pub struct Summary {
    pub create: usize,
    pub update: usize,
    pub replace: usize,
    pub delete: usize,
    pub adopt: usize,
    pub forget: usize,
    pub unchanged: usize,
}

impl Summary {
    /// Counts changes.
    pub fn of<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Self {
        let mut summary = Self::default();
        for change in changes {
            *match change.action {
                Action::Create => &mut summary.create,
                Action::Update => &mut summary.update,
                Action::Replace => &mut summary.replace,
                Action::Delete => &mut summary.delete,
                Action::Adopt => &mut summary.adopt,
                Action::Forget => &mut summary.forget,
            } += 1;
        }
        summary
    }
}

/// One resource's change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The resource.
    pub address: Address,
    /// Its type.
    pub kind: String,
    /// What happens to it.
    pub action: Action,
    /// Why.
    pub reason: String,
    /// The fields and tags that change.
    pub fields: Vec<FieldChange>,
    /// What is made or changed.
    pub make: Option<Make>,
    /// What is removed.
    pub removals: Vec<Removal>,
}

impl Change {
    /// Whether it is an update of nothing but tags.
    pub fn only_tags(&self) -> bool {
        self.action == Action::Update
            && self.removals.is_empty()
            && !self.fields.is_empty()
            && self.fields.iter().all(|field| field.path.starts_with("tags."))
    }
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// A new one is made and the old one removed.
    Replace,
    /// It is removed.
    Delete,
    /// It exists and is ours, but the state did not know it.
    Adopt,
    /// It is gone, or never was ours to remove: only the state forgets it.
    Forget,
}

/// One field's change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldChange {
    /// The field, with the key where it is a map: `routes.0.0.0.0/0`, `tags.Owner`.
    pub path: String,
    /// What it is.
    pub before: Json,
    /// What it will be; `{"$unknown": true}` where only the apply will tell.
    pub after: Json,
    /// Whether this change needs a new resource.
    pub forces_replacement: bool,
    /// Whether it was changed outside bedplate (the configuration still says what it said).
    pub drift: bool,
}

/// What is made or changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Make {
    /// Which of the resources made for this address it is.
    pub generation: u32,
    /// The idempotency token of its creation.
    pub client_token: String,
    /// Its id, when it exists already.
    pub id: Option<Id>,
    /// Its settings, as expressions.
    pub draft: Json,
    /// Its tags.
    pub tags: Tags,
    /// What it depends on.
    pub depends_on: BTreeSet<Address>,
    /// Of these, those that only have to exist.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub beside: BTreeSet<Address>,
    /// What it depended on until now and lets go of.
    pub held: BTreeSet<Address>,
    /// Whether an earlier run started to create it and was cut off.
    pub interrupted: bool,
}

/// What is removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removal {
    /// Which of the resources made for this address it is.
    pub generation: u32,
    /// Its id; `None` when only the state has to forget it.
    pub id: Option<Id>,
    /// What it depends on.
    pub depends_on: BTreeSet<Address>,
    /// Whether its protection is lifted first.
    pub unprotect: bool,
    /// Whether it goes without the last copy of its data that it is set to leave.
    pub discard: bool,
    /// Whether it has to be gone before its replacement can be made.
    pub first: bool,
    /// What it lies in and goes with, without a call of its own.
    #[serde(default)]
    pub goes_with: Option<Address>,
    /// What others made in its name, as it showed when the plan was made. What is there when it is gone is swept.
    #[serde(default)]
    pub sweeps: Vec<Outsider>,
}

/// Why a plan must not be applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The resource.
    pub address: Address,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub hint: String,
}
