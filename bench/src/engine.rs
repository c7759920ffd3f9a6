//! The engine alone, with made-up resources in a cloud that answers at once, or soon.

use anyhow::{Result, ensure};
use bedplate_engine::{Engine, Journal, Kinds, Silent, survey};
use bedplate_model::{
    Boxed, CallError, Creation, Entry, Id, Json, Kind, Observation, Observed, Phase, Readiness, Reconcile, Record,
    Resolved, StackId, Step, Tags, Which,
};
use bedplate_plan::{Graph, GraphBuilder, Options, Plan, make};
use bedplate_state::{State, Store, StoreError};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How many resources stand on one.
const FANOUT: usize = 10;

/// A made-up resource type.
#[derive(Debug)]
enum Thing {}

/// Its settings, about as many as real ones have.
#[derive(Clone, Debug, Record)]
struct ThingSpec<P: Phase> {
    /// Its name.
    #[replace]
    #[aws(none)]
    name: P::Of<String>,
    /// What it stands on.
    #[replace]
    #[aws(none)]
    parent: P::Of<String>,
    /// Something that changes in place.
    #[aws(none)]
    settings: P::Of<BTreeMap<String, String>>,
}

/// Its outputs.
#[derive(Clone, Debug, Record)]
struct ThingOutputs<P: Phase> {
    /// Its name.
    #[named]
    name: P::Of<String>,
}

/// How long a call takes in the slower cloud: a tenth of AWS's time, so that ten thousand are done in half a minute.
const LATENCY: Duration = Duration::from_millis(15);

/// A cloud that answers at once, or after so long.
#[derive(Debug, Default)]
struct Cloud {
    held: Mutex<BTreeMap<Id, (Json, Tags)>>,
    latency: Option<Duration>,
}

impl Reconcile for Thing {
    const KIND: &'static str = "bench.thing";
    const DOC: &'static str = "A made-up resource.";
    const CLOUDFORMATION: Option<&'static str> = None;
    const ACTIONS: &'static [&'static str] = &[];
    type Cloud = Cloud;
    type Spec<P: Phase> = ThingSpec<P>;
    type Outputs<P: Phase> = ThingOutputs<P>;

    fn identity(spec: &ThingSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Cloud, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let Which::Ids(ids) = which else { return Ok(Vec::new()) };
        let held = cloud.held.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = ids.iter().filter_map(|id| {
            let (spec, tags) = held.get(id)?;
            Some(Observation {
                id: id.clone(),
                tags: Some(tags.clone()),
                readiness: Readiness::Ready,
                spec: Record::from_json(spec.clone()).ok()?,
                outputs: Some(ThingOutputs { name: id.to_string() }),
            })
        });
        Ok(seen.collect())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the cloud, which takes its time")]
    async fn create(cloud: &Cloud, spec: &ThingSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        if let Some(latency) = cloud.latency {
            tokio::time::sleep(latency).await;
        }
        let id = Id::new(&spec.name);
        let mut held = cloud.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert(id.clone(), (spec.to_json(), creation.tags.clone()));
        Ok(id)
    }

    async fn update(_: &Cloud, _: &Step<'_, Self>) -> Result<(), CallError> {
        Ok(())
    }

    async fn delete(_: &Cloud, _: &Id) -> Result<(), CallError> {
        Ok(())
    }
}

/// Counts what is saved, and keeps nothing.
#[derive(Debug, Default)]
struct Counter {
    saves: AtomicU64,
    bytes: AtomicU64,
}

impl Store for Counter {
    fn place(&self) -> String {
        "(counted)".to_owned()
    }

    fn load(&self) -> Boxed<'_, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    fn save<'a>(&'a self, bytes: &'a [u8]) -> Boxed<'a, Result<(), StoreError>> {
        self.saves.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes.len() as u64, Relaxed);
        // A disk takes a moment, and meanwhile the others go on.
        Box::pin(async {
            tokio::task::yield_now().await;
            Ok(())
        })
    }
}

fn graph(resources: usize) -> Result<Graph> {
    let mut graph = GraphBuilder::new(StackId::new("bench-stack"), "bench", Tags::new());
    let mut names = Vec::with_capacity(resources);
    for number in 0..resources {
        let settings =
            (0..8).map(|key| (format!("setting-{key}"), format!("value-{number}"))).collect::<BTreeMap<_, _>>();
        let parent = match number {
            0 => "none".into(),
            number => {
                let outputs: &ThingOutputs<bedplate_model::Draft> = &names[(number - 1) / FANOUT];
                outputs.name.clone()
            }
        };
        let spec = ThingSpec { name: format!("thing-{number}").into(), parent, settings: settings.into() };
        names.push(graph.add::<Thing>(&format!("layer/thing-{number:05}"), spec));
    }
    Ok(graph.finish()?)
}

/// A plan of so many new resources, its application, and a plan of the same resources when nothing has changed.
pub(crate) async fn measure(resources: usize) -> Result<Json> {
    let graph = graph(resources)?;
    let table: [&'static dyn Kind<Cloud>; 1] = [&Entry::<Thing>::NEW];
    let (kinds, cloud, store) = (Kinds::new(&table), Cloud::default(), Counter::default());
    let state = State::new(StackId::new("bench-stack"), "797923187401", "us-east-1");

    let began = Instant::now();
    let observations = survey(&kinds, &cloud, &graph, &state, None).await?;
    let plan = make(&graph, &state, &observations, &kinds, &Options::default())?;
    let first = began.elapsed();
    ensure!(plan.changes.len() == resources, "{} changes", plan.changes.len());

    let slow_store = Counter::default();
    let slow = Cloud { latency: Some(LATENCY), ..Cloud::default() };
    let (slow_apply, _) = apply(&kinds, &slow, state.clone(), &slow_store, &plan).await?;
    let (apply, state) = apply(&kinds, &cloud, state, &store, &plan).await?;
    let began = Instant::now();
    let observations = survey(&kinds, &cloud, &graph, &state, None).await?;
    let plan = make(&graph, &state, &observations, &kinds, &Options::default())?;
    let again = began.elapsed();
    ensure!(plan.is_empty(), "{} changes", plan.changes.len());
    Ok(json!({
        "resources": resources,
        "plan_new": first.as_secs_f64(),
        "plan_unchanged": again.as_secs_f64(),
        "apply": apply.as_secs_f64(),
        "saves": store.saves.load(Relaxed),
        "saved_bytes": store.bytes.load(Relaxed),
        "slow": {
            "apply": slow_apply.as_secs_f64(),
            "saves": slow_store.saves.load(Relaxed),
            "saved_bytes": slow_store.bytes.load(Relaxed),
        },
    }))
}

/// Carries out a plan; how long it took, and the state afterwards.
async fn apply(
    kinds: &Kinds<Cloud>,
    cloud: &Cloud,
    state: State,
    store: &Counter,
    plan: &Plan,
) -> Result<(Duration, State)> {
    let journal = Journal::new(state, store);
    let began = Instant::now();
    let outcome = Engine::new(kinds, cloud, &journal, &Silent, CancellationToken::new()).walk(plan).await;
    let elapsed = began.elapsed();
    ensure!(outcome.failed.is_empty() && outcome.done.len() == plan.changes.len(), "{:?}", outcome.failed);
    Ok((elapsed, journal.into_state()))
}
