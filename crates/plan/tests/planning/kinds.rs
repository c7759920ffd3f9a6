//! Types that are never called, and a state and observations as if they had been.

use bedplate_model::{
    Address, CallError, Change, Creation, Entry, Id, Json, Observation, Observed, Order, Ownership, Pace, Phase,
    Readiness, Reconcile, Record, Recovery, Resolved, Schema, Seen, StackId, Step, Verdict, Which, resolve,
};
use bedplate_plan::{Found, Graph, GraphBuilder, Observations, Options, Plan, Schemas, make};
use bedplate_state::{Resource, State, Status};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

macro_rules! reconcile {
    ($kind:ident, $spec:ident, $outputs:ident, $name:literal, { $($rest:tt)* }) => {
        #[derive(Debug)]
        pub(crate) enum $kind {}

        impl Reconcile for $kind {
            const KIND: &'static str = $name;
            const DOC: &'static str = "A fake.";
            const CLOUDFORMATION: Option<&'static str> = None;
            const ACTIONS: &'static [&'static str] = &[];
            type Cloud = ();
            type Spec<P: Phase> = $spec<P>;
            type Outputs<P: Phase> = $outputs<P>;

            $($rest)*

            async fn read(_: &(), _: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
                unreachable!("a plan calls nothing")
            }

            async fn create(_: &(), _: &$spec<Resolved>, _: &Creation) -> Result<Id, CallError> {
                unreachable!("a plan calls nothing")
            }

            async fn update(_: &(), _: &Step<'_, Self>) -> Result<(), CallError> {
                unreachable!("a plan calls nothing")
            }

            async fn delete(_: &(), _: &Id) -> Result<(), CallError> {
                unreachable!("a plan calls nothing")
            }
        }
    };
}

/// Outputs of all.
#[derive(Clone, Debug, Record)]
pub(crate) struct Outputs<P: Phase> {
    /// The id the cloud gave it.
    pub(crate) id: P::Of<String>,
    /// Follows from the name.
    #[named]
    pub(crate) arn: P::Of<String>,
    /// Counts changes.
    #[volatile]
    pub(crate) revision: P::Of<String>,
}

// The new one before the old one.
reconcile!(Net, NetSpec, Outputs, "net.net", {
    const RECOVERY: Recovery = Recovery::Tag;
    const HOLDS: &'static [&'static str] = &["map"];
});

/// Settings of a network.
#[derive(Clone, Debug, Record)]
pub(crate) struct NetSpec<P: Phase> {
    /// Addresses.
    #[replace]
    pub(crate) range: P::Of<String>,
    /// A word.
    pub(crate) label: P::Of<String>,
    /// Words by word.
    pub(crate) map: P::Of<BTreeMap<String, String>>,
}

// The old one before the new one.
reconcile!(Sub, SubSpec, Outputs, "net.sub", {
    const RECOVERY: Recovery = Recovery::Tag;
    const ORDER: Order = Order::DeleteFirst;
    const PACE: Pace = Pace::seconds(10, 2, 60);

    fn coexist(_old: &SubSpec<Observed>, new: &SubSpec<Observed>) -> bool {
        new.range.as_ref().is_some_and(|range| range == "beside")
    }
});

/// Settings of a subnet.
#[derive(Clone, Debug, Record)]
pub(crate) struct SubSpec<P: Phase> {
    /// Its network.
    #[replace]
    pub(crate) net: P::Of<String>,
    /// Addresses.
    #[replace]
    pub(crate) range: P::Of<String>,
    /// A word.
    pub(crate) label: P::Of<String>,
}

// Named and protected; its size only grows.
reconcile!(Store, StoreSpec, Outputs, "db.store", {
    const PACE: Pace = Pace::seconds(100, 2, 600);

    fn identity(spec: &StoreSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    fn protection(spec: &StoreSpec<Observed>) -> Option<&'static str> {
        spec.protected.unwrap_or_default().then_some("deletion protection")
    }

    fn judge(field: &str, before: &StoreSpec<Observed>, after: &StoreSpec<Observed>) -> Option<Verdict> {
        (field == "size" && after.size < before.size)
            .then(|| Verdict { change: Change::Replace, reason: "size cannot shrink".to_owned() })
    }
});

/// Settings of a store.
#[derive(Clone, Debug, Record)]
pub(crate) struct StoreSpec<P: Phase> {
    /// Its name.
    #[replace]
    pub(crate) name: P::Of<String>,
    /// Where it stands.
    #[replace]
    pub(crate) zone: P::Of<String>,
    /// What it is.
    #[refuse]
    pub(crate) engine: P::Of<String>,
    /// How much it holds.
    pub(crate) size: P::Of<u32>,
    /// A word, from others.
    pub(crate) label: P::Of<String>,
    /// Whether it can be removed.
    pub(crate) protected: P::Of<bool>,
}

// Belongs to the account.
reconcile!(Shared, SharedSpec, Outputs, "iam.shared", {
    const OWNERSHIP: Ownership = Ownership::Shared;
    const TAGGED: bool = false;

    fn identity(spec: &SharedSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }
});

/// Settings of what belongs to the account.
#[derive(Clone, Debug, Record)]
pub(crate) struct SharedSpec<P: Phase> {
    /// Its name.
    #[replace]
    pub(crate) name: P::Of<String>,
}

pub(crate) struct Kinds;

impl Schemas for Kinds {
    fn schema(&self, kind: &str) -> Option<&dyn Schema> {
        static ALL: &[&dyn Schema] =
            &[&Entry::<Net>::NEW, &Entry::<Sub>::NEW, &Entry::<Store>::NEW, &Entry::<Shared>::NEW];
        ALL.iter().find(|schema| schema.name() == kind).copied()
    }
}

pub(crate) fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

pub(crate) fn graph(declare: impl FnOnce(&mut GraphBuilder)) -> Graph {
    let mut builder = GraphBuilder::new(StackId::new("s"), "s", bedplate_model::Tags::new());
    declare(&mut builder);
    builder.finish().unwrap()
}

/// A world in which a graph was applied.
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) seen: Observations,
    pub(crate) options: Options,
}

impl World {
    pub(crate) fn empty() -> Self {
        let state = State::new(StackId::new("s"), "797923187401", "us-east-1");
        Self { state, seen: Observations::default(), options: Options::default() }
    }

    pub(crate) fn of(graph: &Graph) -> Self {
        let mut world = Self::empty();
        for (address, node) in graph.iter() {
            let spec = resolve(&node.draft, &|to, field| world.state.output(to, field).cloned());
            let identity = Kinds.schema(node.kind).unwrap().identity(&spec).unwrap();
            let id = identity.unwrap_or_else(|| Id::new(format!("{address}-0")));
            let outputs = json!({"id": id, "arn": format!("arn:{id}"), "revision": "0"});
            let tags = graph.tags(address, 0);
            let seen = Seen {
                id: id.clone(),
                tags: Some(tags.clone()),
                readiness: Readiness::Ready,
                spec: spec.clone(),
                outputs: Some(outputs.clone()),
            };
            world.seen.found.insert(address.clone(), Found { current: Some((0, seen)), ..Found::default() });
            let resource = Resource {
                kind: node.kind.to_owned(),
                generation: 0,
                status: Status::Ready,
                id: Some(id),
                client_token: String::new(),
                spec,
                outputs: Some(outputs),
                tags,
                depends_on: node.depends_on.keys().cloned().collect(),
                adopted: false,
                deposed: Vec::new(),
            };
            world.state.resources.insert(address.clone(), resource);
        }
        world
    }

    pub(crate) fn plan(&self, graph: &Graph) -> Plan {
        make(graph, &self.state, &self.seen, &Kinds, &self.options).unwrap()
    }

    pub(crate) fn resource(&mut self, at: &str) -> &mut Resource {
        self.state.resources.get_mut(&address(at)).unwrap()
    }

    pub(crate) fn found(&mut self, at: &str) -> &mut Found {
        self.seen.found.entry(address(at)).or_default()
    }

    /// What is seen at an address.
    pub(crate) fn object(&mut self, at: &str) -> &mut Seen {
        &mut self.found(at).current.as_mut().unwrap().1
    }

    pub(crate) fn set(&mut self, at: &str, field: &str, value: impl Into<Json>) {
        self.object(at).spec[field] = value.into();
    }

    pub(crate) fn target(&mut self, at: &str) {
        self.options.targets = Some(BTreeSet::from([address(at)]));
    }
}
