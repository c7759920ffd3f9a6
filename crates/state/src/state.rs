//! The state as data, and its transitions.

use bedplate_model::{Address, Id, Json, JsonMap, StackId, Tags};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What one stack owns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The format's version.
    pub version: u32,
    /// The stack, `<project>-<environment>`.
    pub stack: StackId,
    /// The AWS account.
    pub account: String,
    /// The AWS region.
    pub region: String,
    /// Tells this state from another one of the same name: a saved plan fits only its own.
    pub lineage: String,
    /// Grows with every save.
    pub serial: u64,
    /// Choices made once and kept, so that a second run changes nothing: zones, add-on versions, the first administrator.
    pub choices: BTreeMap<String, Json>,
    /// The resources, by address.
    pub resources: BTreeMap<Address, Resource>,
    /// The last generation used for addresses that hold no resource now. A client token outlives its resource, so a
    /// generation is never used twice.
    pub generations: BTreeMap<Address, u32>,
}

/// One resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its type, `ec2.subnet`.
    pub kind: String,
    /// Which of the resources made for this address it is.
    pub generation: u32,
    /// How far it is.
    pub status: Status,
    /// Its id, once known.
    pub id: Option<Id>,
    /// The idempotency token of its creation.
    pub client_token: String,
    /// The settings last sent.
    pub spec: Json,
    /// Its outputs, once known.
    pub outputs: Option<Json>,
    /// The tags last sent.
    pub tags: Tags,
    /// What it depends on.
    pub depends_on: BTreeSet<Address>,
    /// Whether it was found, not made.
    pub adopted: bool,
    /// Earlier generations that are still to be removed.
    pub deposed: Vec<Deposed>,
}

/// How far a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Its creation was started.
    Creating,
    /// Its change was started.
    Updating,
    /// It is as `spec` says.
    Ready,
    /// Its removal was started.
    Deleting,
}

/// A replaced resource that still exists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deposed {
    /// Its generation.
    pub generation: u32,
    /// Its id.
    pub id: Id,
    /// What it depends on.
    pub depends_on: BTreeSet<Address>,
}

/// What a change is about to send.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The resource's type.
    pub kind: String,
    /// Which of the resources made for this address it is.
    pub generation: u32,
    /// The idempotency token.
    pub client_token: String,
    /// The settings.
    pub spec: Json,
    /// The tags.
    pub tags: Tags,
    /// What it depends on.
    pub depends_on: BTreeSet<Address>,
}

impl State {
    /// The version this code writes.
    pub const VERSION: u32 = 1;

    /// The state of a stack that owns nothing yet.
    pub fn new(stack: StackId, account: impl Into<String>, region: impl Into<String>) -> Self {
        Self {
            version: Self::VERSION,
            stack,
            account: account.into(),
            region: region.into(),
            lineage: uuid::Uuid::new_v4().to_string(),
            serial: 0,
            choices: BTreeMap::new(),
            resources: BTreeMap::new(),
            generations: BTreeMap::new(),
        }
    }

    /// The output `field` of a resource, if known.
    pub fn output(&self, address: &Address, field: &str) -> Option<&Json> {
        self.resources.get(address)?.outputs.as_ref()?.get(field)
    }

    /// A generation never used for this address.
    pub fn next_generation(&self, address: &Address) -> u32 {
        let held = self.resources.get(address).map(|resource| resource.generation);
        let past = self.generations.get(address).copied();
        held.max(past).map_or(0, |last| last + 1)
    }

    /// Before a create call. What stands at the address becomes deposed if it has an id and another generation.
    pub fn begin_create(&mut self, address: &Address, intent: Intent) {
        let mut deposed = Vec::new();
        if let Some(old) = self.resources.remove(address) {
            deposed = old.deposed;
            if let Some(id) = old.id
                && old.generation != intent.generation
            {
                deposed.push(Deposed { generation: old.generation, id, depends_on: old.depends_on });
            }
        }
        let Intent { kind, generation, client_token, spec, tags, depends_on } = intent;
        self.generations.insert(address.clone(), generation);
        self.resources.insert(
            address.clone(),
            Resource {
                kind,
                generation,
                status: Status::Creating,
                id: None,
                client_token,
                spec,
                outputs: None,
                tags,
                depends_on,
                adopted: false,
                deposed,
            },
        );
    }

    /// What stood at the address is gone, though nobody here removed it: nothing of it is left to be removed.
    pub fn vanished(&mut self, address: &Address) {
        if let Some(resource) = self.resources.get_mut(address) {
            resource.id = None;
        }
    }

    /// After a create call: the id is known.
    pub fn created(&mut self, address: &Address, id: Id) {
        if let Some(resource) = self.resources.get_mut(address) {
            // The same name again: what stands there now must not be taken for what stood there before.
            resource.deposed.retain(|old| old.id != id);
            resource.id = Some(id);
        }
    }

    /// Takes over what was found: like [`Self::begin_create`] and [`Self::created`], without a create call.
    pub fn adopt(&mut self, address: &Address, id: Id, intent: Intent) {
        self.begin_create(address, intent);
        if let Some(resource) = self.resources.get_mut(address) {
            resource.id = Some(id);
            resource.adopted = true;
            resource.status = Status::Updating;
        }
    }

    /// Takes note of what was found at an address that the state did not know: once its successor is recorded, nobody
    /// would search for it.
    pub fn discover(&mut self, address: &Address, kind: &str, mut found: Vec<Deposed>) {
        found.sort_by_key(|found| found.generation);
        let Some(newest) = found.pop() else { return };
        self.generations.insert(address.clone(), newest.generation);
        self.resources.entry(address.clone()).or_insert(Resource {
            kind: kind.to_owned(),
            generation: newest.generation,
            status: Status::Updating,
            id: Some(newest.id),
            client_token: String::new(),
            spec: Json::Object(JsonMap::new()),
            outputs: None,
            tags: Tags::new(),
            depends_on: newest.depends_on,
            adopted: true,
            deposed: found,
        });
    }

    /// Moves what stands at one address to another that is free, with all its generations. The tags of the resource name
    /// the old address until they are set anew.
    pub fn rename(&mut self, from: &Address, to: &Address) {
        let Some(resource) = self.resources.remove(from) else { return };
        for (address, last) in [(from, resource.generation), (to, resource.generation)] {
            let used = self.generations.entry(address.clone()).or_default();
            *used = last.max(*used);
        }
        self.resources.insert(to.clone(), resource);
        for resource in self.resources.values_mut() {
            let older = resource.deposed.iter_mut().map(|old| &mut old.depends_on);
            for depends_on in older.chain([&mut resource.depends_on]) {
                if depends_on.remove(from) {
                    depends_on.insert(to.clone());
                }
            }
        }
    }

    /// Forgets what stands at an address, with all its generations. It stays in AWS.
    pub fn forget(&mut self, address: &Address) {
        if let Some(resource) = self.resources.remove(address) {
            let used = self.generations.entry(address.clone()).or_default();
            *used = resource.generation.max(*used);
        }
    }

    /// Before the first call that changes a resource.
    ///
    /// The recorded dependencies are the union of the old and the new ones until the change is done: until then it may
    /// still hold on to both.
    pub fn begin_update(&mut self, address: &Address, depends_on: &BTreeSet<Address>) {
        if let Some(resource) = self.resources.get_mut(address) {
            if resource.status != Status::Creating {
                resource.status = Status::Updating;
            }
            resource.depends_on.extend(depends_on.iter().cloned());
        }
    }

    /// The resource is as wanted.
    pub fn ready(&mut self, address: &Address, spec: Json, tags: Tags, outputs: Json, depends_on: BTreeSet<Address>) {
        if let Some(resource) = self.resources.get_mut(address) {
            resource.status = Status::Ready;
            resource.spec = spec;
            resource.tags = tags;
            resource.outputs = Some(outputs);
            resource.depends_on = depends_on;
        }
    }

    /// AWS shows other outputs of it by now.
    pub fn tells(&mut self, address: &Address, outputs: Json) {
        if let Some(resource) = self.resources.get_mut(address) {
            resource.outputs = Some(outputs);
        }
    }

    /// Before the call that removes a generation of a resource.
    pub fn begin_delete(&mut self, address: &Address, generation: u32) {
        if let Some(resource) = self.resources.get_mut(address)
            && resource.generation == generation
        {
            resource.status = Status::Deleting;
        }
    }

    /// A generation of a resource is gone.
    pub fn deleted(&mut self, address: &Address, generation: u32) {
        let Some(resource) = self.resources.get_mut(address) else { return };
        resource.deposed.retain(|deposed| deposed.generation != generation);
        if resource.generation != generation {
            return;
        }
        // The newest one is gone; what is still deposed keeps the address.
        let last = self.generations.entry(address.clone()).or_default();
        *last = generation.max(*last);
        match resource.deposed.pop() {
            None => drop(self.resources.remove(address)),
            Some(last) => {
                resource.generation = last.generation;
                resource.id = Some(last.id);
                resource.depends_on = last.depends_on;
                resource.status = Status::Deleting;
            }
        }
    }

    /// What is made anew is empty: whatever of these kinds is recorded to lie in one of its name ([`Id::child`]) lay in an
    /// earlier one, and is gone with it.
    pub fn emptied(&mut self, container: &Id, kinds: &[&str]) {
        let inside = |id: &Id| id.split().0 == container.as_str();
        let mut gone = Vec::new();
        for (address, resource) in &self.resources {
            if kinds.contains(&resource.kind.as_str()) {
                let deposed = resource.deposed.iter().filter(|old| inside(&old.id)).map(|old| old.generation);
                let newest = resource.id.iter().filter(|id| inside(id)).map(|_| resource.generation);
                gone.extend(deposed.chain(newest).map(|generation| (address.clone(), generation)));
            }
        }
        for (address, generation) in gone {
            self.deleted(&address, generation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn address() -> Address {
        Address::new("a/b").unwrap()
    }

    fn intent(generation: u32) -> Intent {
        Intent {
            kind: "x.y".to_owned(),
            generation,
            client_token: String::new(),
            spec: json!({}),
            tags: Tags::new(),
            depends_on: BTreeSet::new(),
        }
    }

    fn state() -> State {
        State::new(StackId::new("s"), "797923187401", "us-east-1")
    }

    #[test]
    fn a_generation_is_never_used_twice() {
        let mut state = state();
        assert_eq!(state.next_generation(&address()), 0);
        state.begin_create(&address(), intent(0));
        state.deleted(&address(), 0);
        assert!(state.resources.is_empty());
        assert_eq!(state.next_generation(&address()), 1);
    }

    #[test]
    fn a_replaced_resource_is_kept_until_it_is_gone() {
        let mut state = state();
        state.begin_create(&address(), intent(0));
        state.created(&address(), Id::new("old"));
        state.begin_create(&address(), intent(1));
        state.created(&address(), Id::new("new"));
        assert_eq!(state.resources[&address()].deposed[0].id, Id::new("old"));
        state.deleted(&address(), 0);
        assert_eq!(state.resources[&address()].id, Some(Id::new("new")));
        assert!(state.resources[&address()].deposed.is_empty());
    }

    #[test]
    fn repeating_an_interrupted_create_deposes_nothing() {
        let mut state = state();
        state.begin_create(&address(), intent(0));
        state.begin_create(&address(), intent(0));
        assert!(state.resources[&address()].deposed.is_empty());
    }

    #[test]
    fn the_same_name_again_is_no_earlier_one() {
        let mut state = state();
        for generation in [0, 1] {
            state.begin_create(&address(), intent(generation));
            state.created(&address(), Id::new("name"));
        }
        assert!(state.resources[&address()].deposed.is_empty());
    }

    #[test]
    fn what_vanished_is_not_deposed() {
        let mut state = state();
        state.begin_create(&address(), intent(0));
        state.created(&address(), Id::new("old"));
        state.vanished(&address());
        state.begin_create(&address(), intent(1));
        assert!(state.resources[&address()].deposed.is_empty());
    }

    #[test]
    fn what_is_discovered_is_known_with_all_its_generations() {
        let mut state = state();
        let found = |generation, id| Deposed { generation, id: Id::new(id), depends_on: BTreeSet::new() };
        state.discover(&address(), "x.y", vec![found(3, "new"), found(1, "old")]);
        let resource = &state.resources[&address()];
        assert_eq!((resource.generation, &resource.id), (3, &Some(Id::new("new"))));
        assert_eq!(resource.deposed[0].id, Id::new("old"));
        assert_eq!(state.next_generation(&address()), 4);
    }

    #[test]
    fn what_moves_takes_its_dependents_along() {
        let (other, place) = (Address::new("a/c").unwrap(), Address::new("a/d").unwrap());
        let mut state = state();
        state.begin_create(&address(), intent(3));
        let depends_on = BTreeSet::from([address()]);
        state.begin_create(&other, Intent { depends_on, ..intent(0) });
        state.rename(&address(), &place);
        assert_eq!(state.resources[&place].generation, 3);
        assert_eq!(state.resources[&other].depends_on, [place.clone()].into());
        assert!(!state.resources.contains_key(&address()));
        // The tokens of the old address are spent.
        assert_eq!((state.next_generation(&address()), state.next_generation(&place)), (4, 4));
    }

    #[test]
    fn what_is_forgotten_has_used_its_generation() {
        let mut state = state();
        state.begin_create(&address(), intent(2));
        state.forget(&address());
        assert!(state.resources.is_empty());
        assert_eq!(state.next_generation(&address()), 3);
    }

    #[test]
    fn what_is_deposed_outlives_the_newer_one() {
        let mut state = state();
        state.begin_create(&address(), intent(0));
        state.created(&address(), Id::new("old"));
        state.begin_create(&address(), intent(1));
        state.deleted(&address(), 1);
        assert_eq!(state.resources[&address()].id, Some(Id::new("old")));
        state.deleted(&address(), 0);
        assert!(state.resources.is_empty());
        assert_eq!(state.next_generation(&address()), 2);
    }

    #[test]
    fn what_is_made_anew_is_empty() {
        let place = |name: &str| Address::new(format!("a/{name}")).unwrap();
        let mut state = state();
        for (name, id) in [("inside", "one|x"), ("elsewhere", "two|x"), ("moved", "one|y"), ("alone", "one")] {
            state.begin_create(&place(name), intent(4));
            state.created(&place(name), Id::new(id));
        }
        state.begin_create(&place("moved"), intent(5));
        state.created(&place("moved"), Id::new("two|y"));
        let as_it_was = state.clone();
        state.emptied(&Id::new("one"), &["another.kind"]);
        assert_eq!(state, as_it_was);
        state.emptied(&Id::new("one"), &["x.y"]);
        let left: Vec<&str> = state.resources.keys().map(Address::as_str).collect();
        assert_eq!(left, ["a/alone", "a/elsewhere", "a/moved"]);
        assert!(state.resources[&place("moved")].deposed.is_empty());
        assert_eq!(state.next_generation(&place("inside")), 5);
    }
}
