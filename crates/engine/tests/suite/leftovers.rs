//! What others leave behind when a resource goes, and what stands in the way of a removal.

use crate::fake::{Bench, MADE_BY, Net, NetSpec, Role, RoleSpec, Store, StoreSpec, address, finish, is_clean};
use crate::recover::recovered;
use bedplate_engine::{EffectError, Event, Sink, foresee};
use bedplate_model::{Id, Tags};
use bedplate_plan::Graph;
use bedplate_state::Status;
use serde_json::json;
use std::{sync::Mutex, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A store in a network.
fn graph() -> Graph {
    of("r", "z")
}

fn of(range: &'static str, zone: &'static str) -> Graph {
    finish(|graph| {
        let net = graph.add::<Net>("net/0", NetSpec { range: range.into(), label: "l".into() });
        let (policy, path, protected) = ("p".into(), "p".into(), false.into());
        let role = RoleSpec { name: "role".into(), path, policy, secret: 1.into(), protected };
        let role = graph.add::<Role>("role/0", role).arn;
        let spec = StoreSpec {
            name: "store".into(),
            zone: zone.into(),
            engine: "postgres".into(),
            version: 1.into(),
            net: net.id,
            role,
            password: 1.into(),
            protected: false.into(),
        };
        _ = graph.add::<Store>("store/0", spec);
    })
}

/// The graph, made; and what the store made in its network, something of another store, and something in another network.
async fn built() -> Bench {
    let bench = Bench::new();
    bench.converge(&graph()).await;
    let net = bench.state().resources[&address("net/0")].id.clone().unwrap();
    let plant = |id: &str, net: &str, store: &str| {
        let spec = json!({"net": net, "range": id, "mode": "m"});
        bench.cloud.plant("net.sub", id, spec, Tags::from([(MADE_BY.to_owned(), store.to_owned())]));
    };
    plant("left-1", net.as_str(), "store");
    plant("left-2", net.as_str(), "store");
    plant("elsewhere", "another-net", "store");
    bench
}

fn exists(bench: &Bench, id: &str) -> bool {
    bench.cloud.get("net.sub", &Id::new(id)).is_some()
}

/// What was swept and what was in the way, as events tell it.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Sink for Heard {
    fn event(&self, event: Event<'_>) {
        let mut heard = self.0.lock().unwrap();
        match event {
            Event::Swept { address, leftover } => heard.push(format!("{address} swept {leftover}")),
            Event::Held { address, by } => heard.extend(by.iter().map(|one| format!("{address} held by {one}"))),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_it_leaves_behind_is_announced_and_swept() {
    let bench = built().await;
    let nothing = graph().emptied();
    let mut plan = bench.plan(&nothing).await;
    foresee(&bench.kinds, &bench.cloud, &bench.state(), &mut plan).await.unwrap();
    let removals = plan.changes.iter().flat_map(|change| &change.removals);
    let sweeps: Vec<String> = removals.flat_map(|removal| &removal.sweeps).map(ToString::to_string).collect();
    assert_eq!(sweeps, ["net.sub left-1 (made by a store)", "net.sub left-2 (made by a store)"]);
    assert!(exists(&bench, "left-1"), "looking changes nothing");

    let heard = Heard::default();
    let outcome = bench.walk(&plan, &heard, CancellationToken::new()).await;
    assert!(is_clean(&outcome), "{outcome:#?}");
    let said: Vec<String> = sweeps.iter().map(|leftover| format!("store/0 swept {leftover}")).collect();
    assert_eq!(*heard.0.lock().unwrap(), said);
    assert!(exists(&bench, "elsewhere"));
    assert!(bench.state().resources.is_empty());
}

/// Killed anywhere, a run is followed by one that sweeps all the same, also when the store itself is gone, and the state too.
async fn is_swept_after_any_kill(declared: &Graph, wanted: &Graph) {
    let bench = built().await;
    let effects = {
        let bench = bench.fork();
        bench.converge(wanted).await;
        bench.effects.count()
    };
    for (place, state_lost) in (0..effects).flat_map(|place| [(place, false), (place, true)]) {
        let bench = bench.fork();
        bench.dies(wanted, place).await;
        if state_lost {
            bench.lose_state();
            recovered(&bench, declared).await;
        }
        bench.converge(wanted).await;
        for id in ["left-1", "left-2"] {
            let at = format!("effect {place} of {effects}, state lost: {state_lost}");
            assert!(!exists(&bench, id), "{id} is left after a kill at {at}");
        }
        assert!(exists(&bench, "elsewhere"));
        assert_eq!(bench.state().resources.len(), wanted.iter().count());
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_removal_is_followed_by_one_that_sweeps() {
    is_swept_after_any_kill(&graph(), &graph().emptied()).await;
}

#[tokio::test(start_paused = true)]
async fn a_killed_replace_is_followed_by_one_that_sweeps() {
    for wanted in [of("r", "elsewhere"), of("another", "elsewhere")] {
        is_swept_after_any_kill(&wanted, &wanted).await;
    }
}

/// The store is gone, and so is the state: what the store left shows by its name.
#[tokio::test(start_paused = true)]
async fn what_is_left_is_found_without_a_state_and_without_the_store() {
    for wanted in [graph().emptied(), graph()] {
        let bench = built().await;
        assert!(bench.cloud.vandalize("db.store", &Id::new("store")));
        bench.lose_state();
        let recovered = recovered(&bench, &graph()).await;
        assert_eq!(recovered.state.resources[&address("store/0")].status, Status::Deleting);
        assert!(recovered.found.contains(&address("store/0")));
        assert!(exists(&bench, "left-1"), "looking changes nothing");

        bench.converge(&wanted).await;
        assert!(!exists(&bench, "left-1") && !exists(&bench, "left-2") && exists(&bench, "elsewhere"));
        let made = wanted.iter().count();
        assert_eq!(bench.state().resources.len(), made);
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_holds_is_named_and_the_next_run_goes_on() {
    let (bench, nothing) = (built().await, graph().emptied());
    let net = bench.state().resources[&address("net/0")].id.clone().unwrap();
    let spec = json!({"net": net, "range": "theirs", "mode": "m"});
    bench.cloud.plant("net.sub", "theirs", spec, Tags::from([(MADE_BY.to_owned(), "other".to_owned())]));

    let heard = Heard::default();
    let (plan, started) = (bench.plan(&nothing).await, Instant::now());
    let outcome = bench.walk(&plan, &heard, CancellationToken::new()).await;
    assert!(started.elapsed() < Duration::from_secs(20 * 60), "the network's deadline counts");
    let [failure] = &outcome.failed[..] else { panic!("{outcome:#?}") };
    assert_eq!((failure.address.as_str(), failure.error.code()), ("net/0", "DependencyViolation"));
    let EffectError::Held { by, .. } = &failure.error else { panic!("{failure:#?}") };
    assert_eq!(by.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["theirs"]);
    assert!(failure.error.to_string().ends_with("held by net.sub theirs (made by a store)"), "{}", failure.error);
    // Said once, however long it lasts.
    let held = heard.0.lock().unwrap().iter().filter(|line| line.contains("held by")).count();
    assert_eq!(held, 1, "{heard:?}");
    assert!(exists(&bench, "theirs") && !exists(&bench, "left-1"));

    assert!(bench.cloud.vandalize("net.sub", &Id::new("theirs")));
    bench.converge(&nothing).await;
    assert!(bench.state().resources.is_empty());
}
