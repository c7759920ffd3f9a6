//! The engine on the fake cloud, and what must be true after it ran.

use super::{Cloud, Effects, KINDS, facts::Facts};
use bedplate_engine::{Engine, Event, Journal, Kinds, Outcome, Silent, Sink, survey};
use bedplate_model::{Address, Boxed, Json, StackId, Tags, resolve};
use bedplate_plan::{Action, Graph, GraphBuilder, Need, Options, Plan, make};
use bedplate_state::{State, Status, Store, StoreError, parse};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};
use tokio_util::sync::CancellationToken;

pub(crate) const STACK: &str = "test-stack";

/// A store whose saves are effects, and that can fail.
#[derive(Debug)]
pub(crate) struct FakeStore {
    effects: Arc<Effects>,
    pub(crate) bytes: Mutex<Option<Vec<u8>>>,
    pub(crate) fails: AtomicBool,
    pub(crate) saves: AtomicUsize,
}

impl Store for FakeStore {
    fn place(&self) -> String {
        "(fake)".to_owned()
    }

    fn load(&self) -> Boxed<'_, Result<Option<Vec<u8>>, StoreError>> {
        let bytes = self.bytes.lock().unwrap().clone();
        Box::pin(async move { Ok(bytes) })
    }

    fn save<'a>(&'a self, bytes: &'a [u8]) -> Boxed<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.effects.pass().await;
            tokio::task::yield_now().await;
            if self.fails.load(SeqCst) {
                let source = std::io::Error::other("disk full");
                return Err(StoreError::Io { what: "save", place: self.place(), source });
            }
            *self.bytes.lock().unwrap() = Some(bytes.to_vec());
            self.saves.fetch_add(1, SeqCst);
            self.effects.pass().await;
            Ok(())
        })
    }
}

/// A cloud, a state, and the engine between them.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) kinds: Kinds<Cloud>,
    pub(crate) effects: Arc<Effects>,
    pub(crate) cloud: Cloud,
    pub(crate) store: FakeStore,
    pub(crate) options: Options,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let effects = Effects::new();
        Self::with(Cloud::new(Arc::clone(&effects)), effects, None)
    }

    /// The same once more: what is done to one does not show in the other.
    pub(crate) fn fork(&self) -> Self {
        let effects = Effects::new();
        let bytes = self.store.bytes.lock().unwrap().clone();
        Self::with(self.cloud.fork(Arc::clone(&effects)), effects, bytes)
    }

    fn with(cloud: Cloud, effects: Arc<Effects>, bytes: Option<Vec<u8>>) -> Self {
        let store = FakeStore {
            effects: Arc::clone(&effects),
            bytes: Mutex::new(bytes),
            fails: AtomicBool::default(),
            saves: AtomicUsize::default(),
        };
        Self { kinds: Kinds::new(KINDS), effects, cloud, store, options: Options::default() }
    }

    /// The saved state, as a new process finds it.
    pub(crate) fn state(&self) -> State {
        match self.store.bytes.lock().unwrap().as_deref() {
            Some(bytes) => parse(bytes).unwrap(),
            None => State::new(StackId::new(STACK), "797923187401", "us-east-1"),
        }
    }

    /// Forgets the state.
    pub(crate) fn lose_state(&self) {
        *self.store.bytes.lock().unwrap() = None;
    }

    pub(crate) async fn plan(&self, graph: &Graph) -> Plan {
        let state = self.state();
        let observations =
            survey(&self.kinds, &self.cloud, graph, &state, self.options.targets.as_ref()).await.unwrap();
        let plan = make(graph, &state, &observations, &self.kinds, &self.options).unwrap();
        let again = make(graph, &state, &observations, &self.kinds, &self.options).unwrap();
        assert_eq!(plan, again, "the same inputs give the same plan");
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan, "a plan survives being saved");
        plan
    }

    pub(crate) async fn walk(&self, plan: &Plan, events: &dyn Sink, cancel: CancellationToken) -> Outcome {
        let journal = Journal::new(self.state(), &self.store);
        Engine::new(&self.kinds, &self.cloud, &journal, events, cancel).walk(plan).await
    }

    /// What a person does: look, plan, apply.
    pub(crate) async fn apply(&self, graph: &Graph) -> Outcome {
        let plan = self.plan(graph).await;
        assert!(plan.refusals.is_empty(), "{:#?}", plan.refusals);
        let order = Order::new(self, graph, &plan);
        let outcome = self.walk(&plan, &order, CancellationToken::new()).await;
        order.check();
        outcome
    }

    /// Applies, and nothing may fail.
    pub(crate) async fn converge(&self, graph: &Graph) {
        let before = self.cloud.calls().len();
        let outcome = self.apply(graph).await;
        let calls = self.cloud.calls();
        assert!(is_clean(&outcome), "{outcome:#?}\n{:#?}\n{:#?}", &calls[before..], self.cloud.violations());
    }

    /// Applies and dies at the effect `place`. Whether it came so far.
    pub(crate) async fn dies(&self, graph: &Graph, place: usize) -> bool {
        self.effects.arm(Some(place));
        let died = self.effects.mortal(self.apply(graph)).await.is_none();
        self.effects.arm(None);
        died
    }

    /// The cloud holds what is declared and nothing else; the state knows it; there is nothing left to do.
    pub(crate) async fn check(&self, graph: &Graph) {
        let plan = self.plan(graph).await;
        assert!(plan.is_empty() && plan.refusals.is_empty(), "there is something left to do: {plan:#?}");
        let calls = self.cloud.calls().len();
        assert!(is_clean(&self.walk(&plan, &Silent, CancellationToken::new()).await));
        assert_eq!(self.cloud.calls().len(), calls, "an empty plan changes nothing");

        let state = self.state();
        let mut expected: BTreeSet<(&str, &str)> = BTreeSet::new();
        for (address, node) in graph.iter() {
            let recorded = &state.resources[address];
            let id = recorded.id.as_ref().unwrap_or_else(|| panic!("{address} has no id: {recorded:#?}"));
            expected.insert((node.kind, id.as_str()));
            let object = self.cloud.get(node.kind, id).unwrap_or_else(|| panic!("{address} ({id}) does not exist"));
            assert!(object.is_ready(), "{address}: {object:?}");
            let wanted = resolve(&node.draft, &|to, field| state.output(to, field).cloned());
            assert_eq!(Json::Object(object.spec.clone()), wanted, "{address} is not as declared");
            if Facts::of(node.kind).tagged {
                let tags = graph.tags(address, recorded.generation);
                assert!(tags.iter().all(|(key, value)| object.tags.get(key) == Some(value)), "{address}: {object:?}");
            }
            let outputs = self.cloud.outputs(node.kind, id).unwrap();
            let known = recorded.outputs.as_ref().and_then(Json::as_object).expect("outputs");
            assert!(
                known.iter().all(|(field, value)| &outputs[field] == value),
                "{address}: {outputs} is not {known:?}"
            );
            assert_eq!(recorded.status, Status::Ready, "{address}");
            assert!(recorded.deposed.is_empty(), "{address}: {recorded:?}");
            assert_eq!(recorded.depends_on, node.depends_on.keys().cloned().collect(), "{address}");
        }
        assert_eq!(state.resources.len(), expected.len(), "the state holds what is declared: {:#?}", state.resources);
        let objects = self.cloud.objects();
        let extra = objects.iter().filter(|(kind, id, _)| !expected.contains(&(kind, id.as_str())));
        let extra: Vec<_> = extra.filter(|(kind, ..)| !Facts::of(kind).shared).collect();
        assert!(extra.is_empty(), "left over: {extra:#?}\n{:#?}", self.cloud.calls());
        assert_eq!(self.cloud.violations(), Vec::<String>::new());
    }
}

pub(crate) fn is_clean(outcome: &Outcome) -> bool {
    outcome.failed.is_empty() && outcome.skipped.is_empty() && !outcome.interrupted
}

pub(crate) fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

/// A graph of declarations.
pub(crate) fn finish(declare: impl FnOnce(&mut GraphBuilder)) -> Graph {
    let tags = Tags::from([("Owner".to_owned(), "tests".to_owned())]);
    let mut builder = GraphBuilder::new(StackId::new(STACK), "test", tags);
    declare(&mut builder);
    builder.finish().unwrap()
}

/// Watches that nothing is started before what it depends on is ready, or exists where that is enough.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    bench: &'a Bench,
    /// What each resource that is made waits for, and whether the other only has to exist.
    waits_for: BTreeMap<Address, BTreeMap<Address, bool>>,
    seen: Mutex<(BTreeSet<Address>, Vec<String>)>,
}

impl<'a> Order<'a> {
    pub(crate) fn new(bench: &'a Bench, graph: &Graph, plan: &Plan) -> Self {
        let makes = plan.changes.iter().filter_map(|change| Some((&change.address, change.make.as_ref()?)));
        let new: BTreeMap<&Address, bool> = makes.map(|(address, make)| (address, make.id.is_none())).collect();
        let waits = |(address, is_new): (&&Address, &bool)| {
            let on = graph.get(address).into_iter().flat_map(|node| &node.depends_on);
            let on = on.filter_map(|(on, need)| {
                let other_is_new = *new.get(on)?;
                Some((on.clone(), *is_new && other_is_new && matches!(need, Need::Existence(_))))
            });
            ((*address).clone(), on.collect())
        };
        Self { bench, waits_for: new.iter().map(waits).collect(), seen: Mutex::default() }
    }

    fn check(&self) {
        assert_eq!(self.seen.lock().unwrap().1, Vec::<String>::new());
    }
}

impl Sink for Order<'_> {
    fn event(&self, event: Event<'_>) {
        let (finished, wrong) = &mut *self.seen.lock().unwrap();
        match event {
            Event::Started { address, action } if !matches!(action, Action::Delete | Action::Forget) => {
                let state = self.bench.state();
                let exists = |on| state.resources.get(on).is_some_and(|recorded| recorded.id.is_some());
                let early = self.waits_for[address].iter().filter(|(on, existence)| match existence {
                    true => !exists(on),
                    false => !finished.contains(*on),
                });
                wrong.extend(early.map(|(on, _)| format!("{address} was started too early for {on}")));
            }
            Event::Finished { address, action, .. } if !matches!(action, Action::Delete | Action::Forget) => {
                finished.insert(address.clone());
            }
            _ => {}
        }
    }
}
