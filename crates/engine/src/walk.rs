//! Carries out a plan: what has nothing to wait for starts at once, the longest remaining path first.

use crate::{EffectError, Event, Journal, Kinds, Sink, poller::Poller};
use bedplate_model::{Address, Kind, StackId};
use bedplate_plan::{Action, Change, Edge, Op, Plan, Schedule, schedule};
use bedplate_state::{Deposed, State};
use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use petgraph::{Direction, graph::NodeIndex, visit::EdgeRef};
use std::{
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// How many changing calls to one service are under way at once. EC2 and IAM allow a few a second; the SDK retries what
/// is throttled all the same.
const CALLS_PER_SERVICE: usize = 6;
/// After an interruption, calls under way have this long to be answered and recorded. What is not is found again by the
/// next run: its intent is saved.
const GRACE: Duration = Duration::from_secs(5);

/// Everything an effect needs.
pub struct Engine<'a, C: 'static> {
    pub(crate) kinds: &'a Kinds<C>,
    pub(crate) cloud: &'a C,
    pub(crate) stack: StackId,
    pub(crate) journal: &'a Journal<'a>,
    pub(crate) events: &'a dyn Sink,
    pub(crate) cancel: CancellationToken,
    pub(crate) poller: Poller,
    patience: Duration,
    slots: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was done, in the order it was finished.
    pub done: Vec<Done>,
    /// What failed.
    pub failed: Vec<Failure>,
    /// What was not tried.
    pub skipped: Vec<Skipped>,
    /// Whether the run was interrupted.
    pub interrupted: bool,
}

/// A finished effect.
#[derive(Debug)]
pub struct Done {
    /// The resource.
    pub address: Address,
    /// What was done to it.
    pub action: Action,
    /// How long it took.
    pub elapsed: Duration,
}

/// A failed effect.
#[derive(Debug)]
pub struct Failure {
    /// The resource.
    pub address: Address,
    /// Why.
    pub error: EffectError,
}

/// An effect that was not tried.
#[derive(Debug)]
pub struct Skipped {
    /// The resource.
    pub address: Address,
    /// The resource whose failure stands in its way; `None` after an interruption.
    pub because: Option<Address>,
}

impl<'a, C> Engine<'a, C> {
    /// An engine for one run. Cancelling `cancel` starts nothing new and ends every wait.
    pub fn new(
        kinds: &'a Kinds<C>,
        cloud: &'a C,
        journal: &'a Journal<'a>,
        events: &'a dyn Sink,
        cancel: CancellationToken,
    ) -> Self {
        let stack = journal.read(|state| state.stack.clone());
        let slots = Mutex::new(BTreeMap::new());
        let (poller, patience) = (Poller::default(), Duration::MAX);
        Self { kinds, cloud, stack, journal, events, cancel, poller, patience, slots }
    }

    /// Waits for no resource longer than this, and tries nothing again for longer, where the type's own deadline is later.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// How long a resource is waited for at most.
    pub(crate) fn deadline(&self, kind: &dyn Kind<C>) -> Duration {
        self.within_patience(kind.pace().deadline)
    }

    pub(crate) fn within_patience(&self, usual: Duration) -> Duration {
        usual.min(self.patience)
    }

    /// Carries out a plan. A failure stops what depends on it and nothing else, except that nothing more is begun once the
    /// state cannot be saved.
    pub async fn walk(&self, plan: &Plan) -> Outcome {
        let schedule = schedule(plan, self.kinds);
        let mut walk = Walk::new(plan, &schedule);
        if let Err(error) = self.note_found(plan).await {
            walk.outcome.failed.extend(plan.changes.first().map(|change| walk.failure(self.events, change, error)));
            return walk.close(self.events, self.cancel.is_cancelled());
        }
        let mut running: FuturesUnordered<LocalBoxFuture<'_, Ended>> = FuturesUnordered::new();
        let mut grace = pin!(self.grace());
        let mut unsaved = false;
        let (announce, mut announced) = mpsc::unbounded_channel();
        loop {
            while !self.cancel.is_cancelled()
                && let Some((_, node)) = walk.ready.pop()
            {
                let announce = announce.clone();
                // Nobody listens any more once the walk is over.
                let exists = move || _ = announce.send(node);
                running.push(self.run(plan, &schedule, node, exists).boxed_local());
            }
            let next = tokio::select! {
                biased;
                next = running.next() => next,
                Some(node) = announced.recv() => {
                    walk.exists(node);
                    continue;
                }
                () = &mut grace => None,
            };
            let Some((node, elapsed, result)) = next else { break };
            if matches!(result, Err(EffectError::Store(_))) {
                unsaved = true;
                self.cancel.cancel();
            }
            walk.finished(self.events, node, elapsed, result);
        }
        walk.close(self.events, self.cancel.is_cancelled() && !unsaved)
    }

    /// Ends a while after the interruption.
    #[expect(clippy::disallowed_methods, reason = "the engine is where waiting belongs")]
    async fn grace(&self) {
        self.cancel.cancelled().await;
        tokio::time::sleep(GRACE).await;
    }

    /// Records what was found: outputs that moved, and what will be removed although the state does not know it.
    async fn note_found(&self, plan: &Plan) -> Result<(), EffectError> {
        let mut found = Vec::new();
        for change in &plan.changes {
            let old = change.removals.iter().filter_map(|removal| {
                let (generation, depends_on) = (removal.generation, removal.depends_on.clone());
                Some(Deposed { generation, id: removal.id.clone()?, depends_on })
            });
            let mut old: Vec<Deposed> = old.collect();
            let unknown = self.journal.read(|state| !state.resources.contains_key(&change.address));
            if unknown && !old.is_empty() {
                let kept = change.make.as_ref().and_then(|make| Some((make, make.id.clone()?)));
                old.extend(kept.map(|(make, id)| Deposed {
                    generation: make.generation,
                    id,
                    depends_on: make.depends_on.clone(),
                }));
                found.push((change, old));
            }
        }
        if found.is_empty() && plan.outputs.is_empty() {
            return Ok(());
        }
        let discover = |state: &mut State| {
            plan.outputs.iter().for_each(|(address, outputs)| state.tells(address, outputs.clone()));
            found.into_iter().for_each(|(change, old)| state.discover(&change.address, &change.kind, old));
        };
        Ok(self.journal.record(discover).await?)
    }

    async fn run(&self, plan: &Plan, schedule: &Schedule, node: NodeIndex, exists: impl Fn()) -> Ended {
        let started = Instant::now();
        let (change, action) = described(plan, schedule.graph[node]);
        self.events.event(Event::Started { address: &change.address, action });
        let result = match schedule.graph[node] {
            Op::Make(_) => match &change.make {
                Some(make) => self.make(change, make, exists).await,
                None => Ok(()),
            },
            Op::Remove(_, removal) => self.remove(change, &change.removals[removal]).await,
        };
        (node, started.elapsed(), result)
    }

    pub(crate) fn kind(&self, name: &str) -> Result<&'static dyn Kind<C>, EffectError> {
        self.kinds.get(name).ok_or_else(|| EffectError::Misfit(format!("unknown resource type `{name}`")))
    }

    /// Makes a call when its service has a free slot. Waiting for AWS holds none.
    pub(crate) async fn slot<T>(&self, kind: &str, call: impl Future<Output = T>) -> T {
        let service = kind.split('.').next().unwrap_or(kind).to_owned();
        let semaphore = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(service).or_insert_with(|| Arc::new(Semaphore::new(CALLS_PER_SERVICE))))
        };
        let _permit = semaphore.acquire().await;
        call.await
    }

    /// Sleeps, unless the run is interrupted.
    #[expect(clippy::disallowed_methods, reason = "the engine is where waiting belongs")]
    pub(crate) async fn pause(&self, duration: Duration) -> Result<(), EffectError> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            () = self.cancel.cancelled() => Err(EffectError::Interrupted),
        }
    }

    pub(crate) fn interrupted(&self) -> Result<(), EffectError> {
        if self.cancel.is_cancelled() { Err(EffectError::Interrupted) } else { Ok(()) }
    }
}

/// The resource of an effect and what is done to it, as events say it.
pub fn described(plan: &Plan, op: Op) -> (&Change, Action) {
    match op {
        Op::Make(change) => {
            let change = &plan.changes[change];
            let action = if change.action == Action::Replace { Action::Create } else { change.action };
            (change, action)
        }
        Op::Remove(change, _) => {
            let change = &plan.changes[change];
            let action = if change.action == Action::Forget { Action::Forget } else { Action::Delete };
            (change, action)
        }
    }
}

/// An effect that ended, how long it took, and how it ended.
type Ended = (NodeIndex, Duration, Result<(), EffectError>);

struct Walk<'a> {
    plan: &'a Plan,
    schedule: &'a Schedule,
    /// How many others each effect still waits for.
    blocked_by: Vec<usize>,
    ready: BinaryHeap<(Duration, NodeIndex)>,
    /// What may start or has started: no failure of others stops it any more.
    free: BTreeSet<NodeIndex>,
    /// What exists, though it may not be ready.
    existing: BTreeSet<NodeIndex>,
    ended: BTreeSet<NodeIndex>,
    outcome: Outcome,
}

impl<'a> Walk<'a> {
    fn new(plan: &'a Plan, schedule: &'a Schedule) -> Self {
        let graph = &schedule.graph;
        let blocked_by: Vec<usize> =
            graph.node_indices().map(|node| graph.edges_directed(node, Direction::Incoming).count()).collect();
        let free: BTreeSet<_> = graph.node_indices().filter(|node| blocked_by[node.index()] == 0).collect();
        let ready = free.iter().map(|node| (schedule.remaining[node.index()], *node)).collect();
        let (existing, ended, outcome) = (BTreeSet::new(), BTreeSet::new(), Outcome::default());
        Self { plan, schedule, blocked_by, ready, free, existing, ended, outcome }
    }

    /// What needs no more of `node` than that it exists need not wait for it any longer.
    fn exists(&mut self, node: NodeIndex) {
        if self.existing.insert(node) {
            self.let_go(node, |edge| edge == Edge::Existence);
        }
    }

    fn let_go(&mut self, node: NodeIndex, over: impl Fn(Edge) -> bool) {
        for edge in self.schedule.graph.edges(node).filter(|edge| over(*edge.weight())) {
            let next = edge.target();
            self.blocked_by[next.index()] -= 1;
            if self.blocked_by[next.index()] == 0 && !self.ended.contains(&next) {
                self.free.insert(next);
                self.ready.push((self.schedule.remaining[next.index()], next));
            }
        }
    }

    fn finished(&mut self, events: &dyn Sink, node: NodeIndex, elapsed: Duration, result: Result<(), EffectError>) {
        self.ended.insert(node);
        let (change, action) = described(self.plan, self.schedule.graph[node]);
        let address = &change.address;
        match result {
            Ok(()) => {
                events.event(Event::Finished { address, action, elapsed });
                self.outcome.done.push(Done { address: address.clone(), action, elapsed });
                self.exists(node);
                self.let_go(node, |edge| edge != Edge::Existence);
            }
            Err(EffectError::Interrupted) => self.skip(events, node, None),
            Err(error) => {
                events.event(Event::Failed { address, error: &error });
                let graph = &self.schedule.graph;
                let mut reached = vec![node];
                while let Some(from) = reached.pop() {
                    for next in graph.neighbors(from) {
                        if !self.free.contains(&next) && self.ended.insert(next) {
                            self.skip(events, next, Some(address));
                            reached.push(next);
                        }
                    }
                }
                self.outcome.failed.push(Failure { address: address.clone(), error });
            }
        }
    }

    fn failure(&self, events: &dyn Sink, change: &Change, error: EffectError) -> Failure {
        events.event(Event::Failed { address: &change.address, error: &error });
        Failure { address: change.address.clone(), error }
    }

    fn skip(&mut self, events: &dyn Sink, node: NodeIndex, because: Option<&Address>) {
        let (change, _) = described(self.plan, self.schedule.graph[node]);
        events.event(Event::Skipped { address: &change.address, because });
        self.outcome.skipped.push(Skipped { address: change.address.clone(), because: because.cloned() });
    }

    fn close(mut self, events: &dyn Sink, interrupted: bool) -> Outcome {
        for node in self.schedule.graph.node_indices() {
            if self.ended.insert(node) {
                self.skip(events, node, None);
            }
        }
        self.outcome.interrupted = interrupted;
        self.outcome
    }
}
