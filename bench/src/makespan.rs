//! How long a bootstrap takes when AWS takes its usual time, compared with the longest path through the platform.

use crate::{
    old_way,
    rates::{peaks, refused},
    simulated::{Cloud, duration, kinds},
};
use anyhow::{Result, ensure};
use bedplate_aws::Throttle;
use bedplate_engine::{Engine, Event, Journal, Kinds, Sink, survey};
use bedplate_model::{Address, Json, StackId};
use bedplate_plan::{Graph, Need, Options, make};
use bedplate_platform::{Facts, build, choices, config::Config};
use bedplate_state::{MemoryStore, State};
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// When each resource was finished.
#[derive(Default)]
struct Clock(Mutex<BTreeMap<String, Instant>>);

impl Sink for Clock {
    fn event(&self, event: Event<'_>) {
        if let Event::Finished { address, .. } = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(address.to_string(), Instant::now());
        }
    }
}

/// What is decided once, as an account in us-east-1 would have it.
fn facts(config: &Config) -> Result<Facts> {
    let found = choices::Found {
        partition: "aws".to_owned(),
        principal_arn: Some("arn:aws:iam::797923187401:role/Admin".to_owned()),
        zones: ["use1-az1", "use1-az2", "use1-az4", "use1-az5", "use1-az6"].map(str::to_owned).into(),
        addon_versions: choices::addon_names(config).into_iter().map(|name| (name, "v1".to_owned())).collect(),
        member: false,
    };
    Ok(choices::decide(config, &found, &mut BTreeMap::new())?)
}

/// Bootstraps as many such platforms at the same moment, each with an engine of its own, in one account.
pub(crate) async fn measure(config: &Path, stacks: usize) -> Result<Json> {
    let config = Config::load(config)?;
    let graph = build(&config, &facts(&config)?)?;
    let kinds = Kinds::new(&kinds());
    tokio::time::pause();

    let throttle = Throttle::published();
    let clouds: Vec<Cloud> = (0..stacks).map(|_| Cloud::new(throttle.clone())).collect();
    let began = Instant::now();
    let mut runs = Vec::new();
    for cloud in &clouds {
        runs.push(bootstrap(&kinds, cloud, &graph));
    }
    let mut ends = Vec::new();
    for run in futures_in_turn(runs).await {
        ends.push(run?);
    }
    let makespan = began.elapsed();
    let finished = &ends[0];

    let spec = |address: &Address| graph.get(address).map(|node| (node.kind, &node.draft));
    let durations: BTreeMap<&Address, Duration> =
        graph.iter().map(|(address, node)| (address, duration(node.kind, &node.draft))).collect();
    let critical = longest(&graph, &durations);
    let world = clouds[0].world();
    // From "can be used" to "what waits for it may start", in intervals of its type's poll.
    let late = world.ready.iter().filter_map(|(address, ready)| {
        let (kind, draft) = spec(&Address::new(address.as_str()).ok()?)?;
        let waits = duration(kind, draft) > Duration::ZERO;
        let poll = kinds.get(kind)?.pace().poll;
        let late = finished.get(address)?.saturating_duration_since(*ready);
        waits.then(|| (late.as_secs_f64() / poll.as_secs_f64(), late.as_secs_f64()))
    });
    let late: Vec<(f64, f64)> = late.collect();
    let most = |pick: fn(&(f64, f64)) -> f64| late.iter().map(pick).fold(0.0, f64::max);
    let waiting: u64 = world.reads.values().sum();
    drop(world);
    let old = old_way::simulate(&graph, &durations);
    Ok(json!({
        "resources": graph.iter().count(),
        "makespan": makespan.as_secs_f64(),
        "critical_path": critical.as_secs_f64(),
        "ratio": makespan.as_secs_f64() / critical.as_secs_f64(),
        "reads": waiting,
        "late_in_polls": most(|late| late.0),
        "late_in_seconds": most(|late| late.1),
        "changes_per_second": peaks(&clouds),
        "refused": refused(&clouds),
        "old_way": {"makespan": old.makespan.as_secs_f64(), "polls": old.polls,
            "ratio": old.makespan.as_secs_f64() / makespan.as_secs_f64()},
    }))
}

async fn bootstrap(kinds: &Kinds<Cloud>, cloud: &Cloud, graph: &Graph) -> Result<BTreeMap<String, Instant>> {
    let state = State::new(StackId::new(graph.stack().as_str()), "797923187401", "us-east-1");
    let observations = survey(kinds, cloud, graph, &state, None).await?;
    cloud.world().reads.clear();
    let plan = make(graph, &state, &observations, kinds, &Options::default())?;
    ensure!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    let (store, clock) = (MemoryStore::default(), Clock::default());
    let journal = Journal::new(state, &store);
    let outcome = Engine::new(kinds, cloud, &journal, &clock, CancellationToken::new()).walk(&plan).await;
    ensure!(outcome.failed.is_empty() && outcome.skipped.is_empty(), "{:?}", outcome.failed);
    Ok(clock.0.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// All at once, on this one thread.
async fn futures_in_turn<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (future, answer) in &mut running {
            if answer.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *answer = Some(value),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, answer)| answer).collect()
}

/// The longest path: what could not be faster with any number of calls at once.
pub(crate) fn longest(graph: &Graph, durations: &BTreeMap<&Address, Duration>) -> Duration {
    let mut begins: BTreeMap<&Address, Duration> = BTreeMap::new();
    // A graph lists what is depended on first.
    for (address, node) in graph.iter() {
        let free = node.depends_on.iter().map(|(other, need)| match need {
            Need::Existence(_) => begins[other],
            Need::Outputs | Need::Ready(_) => begins[other] + durations[other],
        });
        begins.insert(address, free.max().unwrap_or_default());
    }
    begins.iter().map(|(address, begin)| *begin + durations[address]).max().unwrap_or_default()
}
