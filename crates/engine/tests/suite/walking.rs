//! What a walk does when not everything goes well.

use crate::{
    config::{place, representative},
    fake::{Bench, Net, NetSpec, Role, RoleSpec, Store, StoreSpec, address, finish, is_clean},
};
use bedplate_engine::{EffectError, Outcome, Silent};
use bedplate_model::Id;
use bedplate_plan::{Action, Graph, GraphBuilder};
use std::{collections::BTreeSet, sync::atomic::Ordering::SeqCst, time::Duration};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

fn net(range: &'static str, label: &'static str) -> Graph {
    finish(|graph| _ = graph.add::<Net>("net/0", NetSpec { range: range.into(), label: label.into() }))
}

fn store(version: u32) -> Graph {
    finish(|graph| declare_store(graph, version))
}

fn declare_store(graph: &mut GraphBuilder, version: u32) {
    let net = graph.add::<Net>("net/0", NetSpec { range: "r".into(), label: "l".into() });
    let (policy, path, protected) = ("p".into(), "p".into(), false.into());
    let role = RoleSpec { name: "role".into(), path, policy, secret: 1.into(), protected };
    let role = graph.add::<Role>("role/0", role).arn;
    let spec = StoreSpec {
        name: "store".into(),
        zone: "z".into(),
        engine: "postgres".into(),
        version: version.into(),
        net: net.id,
        role,
        password: 1.into(),
        protected: false.into(),
    };
    _ = graph.add::<Store>("store/0", spec);
}

/// Applies, and the store never gets ready by itself.
async fn apply_with_a_stalled_store(bench: &Bench, graph: &Graph) -> Outcome {
    let id = Id::new("store");
    let stall = async {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        while bench.cloud.get("db.store", &id).is_none() {
            second.tick().await;
        }
        bench.cloud.meddle("db.store", &id, |store| store.stall());
    };
    tokio::join!(bench.apply(graph), stall).0
}

fn the_failure(outcome: &Outcome) -> &EffectError {
    assert_eq!(outcome.failed.len(), 1, "{outcome:#?}");
    &outcome.failed[0].error
}

#[tokio::test(start_paused = true)]
async fn a_failure_stops_what_depends_on_it_and_nothing_else() {
    let (bench, graph) = (Bench::new(), representative().graph());
    bench.cloud.set_failing(&["net.sub"]);
    let outcome = bench.apply(&graph).await;
    let failed: Vec<&str> = outcome.failed.iter().map(|failure| failure.address.as_str()).collect();
    assert_eq!(BTreeSet::from_iter(failed), BTreeSet::from(["sub/0", "sub/1", "sub/2"]));
    let skipped: BTreeSet<&str> = outcome.skipped.iter().map(|skipped| skipped.address.as_str()).collect();
    assert_eq!(skipped, BTreeSet::from(["gate/0", "gate/1", "entry/0", "entry/1"]));
    assert!(outcome.skipped.iter().all(|skipped| skipped.because.is_some()));
    assert_eq!(outcome.done.len(), graph.iter().count() - 7, "{outcome:#?}");
    assert!(!outcome.interrupted);

    bench.cloud.set_failing(&[]);
    bench.converge(&graph).await;
    bench.check(&graph).await;
}

/// A store that takes its time, a net that needs it to exist, one that needs it to be ready, and one that needs the first.
fn beside() -> Graph {
    finish(|graph| {
        declare_store(graph, 1);
        for (net, other, exists) in [("net/1", "store/0", true), ("net/2", "store/0", false), ("net/3", "net/1", false)]
        {
            let declaration = graph.declare(net);
            let declaration = if exists { declaration.beside(other, "x") } else { declaration.after(other, "x") };
            _ = declaration.add::<Net>(NetSpec { range: net.into(), label: "l".into() });
        }
    })
}

#[tokio::test(start_paused = true)]
async fn what_needs_only_the_existence_starts_before_the_other_is_ready() {
    let (bench, graph) = (Bench::new(), beside());
    let outcome = bench.apply(&graph).await;
    let done: Vec<&str> = outcome.done.iter().map(|done| done.address.as_str()).collect();
    assert_eq!(done[2..], ["net/1", "net/3", "store/0", "net/2"], "{done:?}");
    bench.check(&graph).await;
}

#[tokio::test(start_paused = true)]
async fn what_began_beside_something_that_fails_is_finished() {
    let (bench, graph) = (Bench::new(), beside());
    let outcome = apply_with_a_stalled_store(&bench, &graph).await;
    assert!(matches!(the_failure(&outcome), EffectError::Deadline { .. }), "{outcome:#?}");
    let done: BTreeSet<&str> = outcome.done.iter().map(|done| done.address.as_str()).collect();
    assert_eq!(done, BTreeSet::from(["net/0", "role/0", "net/1", "net/3"]));
    let skipped: Vec<&str> = outcome.skipped.iter().map(|skipped| skipped.address.as_str()).collect();
    assert_eq!(skipped, ["net/2"]);
    tokio::time::advance(Duration::from_secs(100_000)).await;
    bench.converge(&graph).await;
    bench.check(&graph).await;
}

#[tokio::test(start_paused = true)]
async fn what_needs_the_existence_of_something_that_cannot_be_made_is_not_tried() {
    let (bench, graph) = (Bench::new(), beside());
    bench.cloud.set_failing(&["db.store"]);
    let outcome = bench.apply(&graph).await;
    assert_eq!(the_failure(&outcome).code(), "Unlucky");
    let skipped: BTreeSet<&str> = outcome.skipped.iter().map(|skipped| skipped.address.as_str()).collect();
    assert_eq!(skipped, BTreeSet::from(["net/1", "net/2", "net/3"]));
    assert!(outcome.skipped.iter().all(|skipped| skipped.because == Some(address("store/0"))));
    bench.cloud.set_failing(&[]);
    bench.converge(&graph).await;
    bench.check(&graph).await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_replacement_keeps_the_old_one() {
    let bench = Bench::new();
    bench.converge(&net("a", "l")).await;
    bench.cloud.set_failing(&["net.net"]);
    let outcome = bench.apply(&net("b", "l")).await;
    assert_eq!(the_failure(&outcome).code(), "Unlucky");
    assert_eq!(bench.cloud.objects().iter().filter(|(kind, ..)| *kind == "net.net").count(), 1);
    bench.cloud.set_failing(&[]);
    bench.converge(&net("b", "l")).await;
    bench.check(&net("b", "l")).await;
}

#[tokio::test(start_paused = true)]
async fn an_interruption_ends_every_wait_and_the_next_run_goes_on() {
    let (bench, graph) = (Bench::new(), representative().graph());
    let plan = bench.plan(&graph).await;
    let cancel = CancellationToken::new();
    let walk = bench.walk(&plan, &Silent, cancel.clone());
    tokio::pin!(walk);
    // By now only the store is still in the making.
    assert!(timeout(Duration::from_secs(200), &mut walk).await.is_err());
    cancel.cancel();
    let cancelled = Instant::now();
    let outcome = walk.await;
    assert!(cancelled.elapsed() < Duration::from_secs(1), "{:?}", cancelled.elapsed());
    assert!(outcome.interrupted && outcome.failed.is_empty(), "{outcome:#?}");
    assert!(outcome.skipped.iter().all(|skipped| skipped.because.is_none()), "{outcome:#?}");
    assert!(outcome.skipped.iter().any(|skipped| skipped.address == address("store/0")));
    bench.converge(&graph).await;
    bench.check(&graph).await;
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_removal_goes_on_in_the_next_run() {
    let (bench, graph) = (Bench::new(), store(1));
    bench.converge(&graph).await;
    let plan = bench.plan(&graph.emptied()).await;
    let cancel = CancellationToken::new();
    let walk = bench.walk(&plan, &Silent, cancel.clone());
    tokio::pin!(walk);
    assert!(timeout(Duration::from_secs(20), &mut walk).await.is_err());
    cancel.cancel();
    let cancelled = Instant::now();
    let outcome = walk.await;
    assert!(cancelled.elapsed() < Duration::from_secs(1) && outcome.done.is_empty(), "{outcome:#?}");
    bench.converge(&graph.emptied()).await;
    bench.check(&graph.emptied()).await;
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_at_the_deadline_and_the_next_run_waits_on() {
    let (bench, graph) = (Bench::new(), store(1));
    let outcome = apply_with_a_stalled_store(&bench, &graph).await;
    let EffectError::Deadline { after, state } = the_failure(&outcome) else { panic!("{outcome:#?}") };
    assert_eq!(state, "pending");
    assert!(*after >= Duration::from_secs(1800) && *after < Duration::from_secs(1830), "{after:?}");
    tokio::time::advance(Duration::from_secs(100_000)).await;
    bench.converge(&graph).await;
    bench.check(&graph).await;
    let made = bench.cloud.calls().into_iter().filter(|call| call.starts_with("create db.store"));
    assert_eq!(made.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_never_settles_is_named() {
    let bench = Bench::new();
    bench.converge(&net("a", "before")).await;
    bench.cloud.set_stubborn(&["net.net"]);
    let outcome = bench.apply(&net("a", "after")).await;
    let EffectError::WillNotSettle { fields } = the_failure(&outcome) else { panic!("{outcome:#?}") };
    assert_eq!(fields, "label");
    bench.cloud.set_stubborn(&[]);
    bench.converge(&net("a", "after")).await;
    bench.check(&net("a", "after")).await;
}

#[tokio::test(start_paused = true)]
async fn what_shows_its_changes_late_is_given_the_time() {
    for (kind, graphs, lag) in
        [("net.net", [net("a", "before"), net("a", "after")], 30), ("db.store", [store(1), store(2)], 200)]
    {
        let bench = Bench::new();
        bench.converge(&graphs[0]).await;
        bench.cloud.set_stubborn(&[kind]);
        let begun = Instant::now();
        let outcome = bench.apply(&graphs[1]).await;
        assert!(matches!(the_failure(&outcome), EffectError::WillNotSettle { .. }), "{outcome:#?}");
        let took = begun.elapsed().as_secs();
        assert!((lag..lag + 60).contains(&took), "{kind} was given up after {took} s");
    }
}

/// Each step takes longer than a read may lag.
#[tokio::test(start_paused = true)]
async fn a_change_of_many_slow_steps_is_carried_through() {
    let bench = Bench::new();
    bench.converge(&store(1)).await;
    bench.converge(&store(5)).await;
    bench.check(&store(5)).await;
    let steps = bench.cloud.calls().into_iter().filter(|call| call.starts_with("update db.store"));
    assert_eq!(steps.count(), 4);
}

#[tokio::test(start_paused = true)]
async fn updates_settle_although_reads_lag() {
    let bench = Bench::new();
    bench.cloud.set_lag(20);
    for graph in [net("a", "before"), net("a", "after"), store(1), store(3)] {
        bench.converge(&graph).await;
        bench.check(&graph).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_its_intent_is_saved() {
    let (bench, graph) = (Bench::new(), representative().graph());
    bench.store.fails.store(true, SeqCst);
    let outcome = bench.apply(&graph).await;
    assert!(!outcome.failed.is_empty());
    assert!(outcome.failed.iter().all(|failure| failure.error.code() == "StateNotSaved"), "{outcome:#?}");
    assert_eq!(bench.cloud.calls(), Vec::<String>::new());

    bench.store.fails.store(false, SeqCst);
    bench.converge(&graph).await;
    let calls = bench.cloud.calls().len();
    bench.store.fails.store(true, SeqCst);
    let outcome = bench.apply(&graph.emptied()).await;
    assert!(!outcome.failed.is_empty() && outcome.done.is_empty(), "{outcome:#?}");
    assert_eq!(bench.cloud.calls().len(), calls);
}

/// One save carries the transitions of all who wait for it.
#[tokio::test(start_paused = true)]
async fn saves_are_shared() {
    let bench = Bench::new();
    let graph = finish(|graph| {
        for number in 0..5 {
            let spec = NetSpec { range: format!("{number}").into(), label: "l".into() };
            _ = graph.add::<Net>(&format!("net/{number}"), spec);
        }
    });
    bench.converge(&graph).await;
    let saves = bench.store.saves.load(SeqCst);
    // Intent, id and result of each; at best three saves for all.
    assert!(saves <= 9, "{saves} saves");
}

#[tokio::test(start_paused = true)]
async fn the_slowest_path_starts_first() {
    let (bench, graph) = (Bench::new(), representative().graph());
    let started = Instant::now();
    let outcome = bench.apply(&graph).await;
    assert!(is_clean(&outcome));
    // The store takes 300 s and waits for a network and a role; all others fit beside it.
    assert!(started.elapsed() < Duration::from_secs(330), "{:?}", started.elapsed());
}

/// A subnet is removed only when its gate is gone, and the new gate is there first where that can be.
#[tokio::test(start_paused = true)]
async fn a_replacement_is_there_before_the_old_one_goes() {
    let (bench, mut config) = (Bench::new(), representative());
    bench.converge(&config.graph()).await;
    config.slots[place("gate/0")].fixed = 1;
    let outcome = bench.apply(&config.graph()).await;
    let of_gate = outcome.done.iter().filter(|done| done.address == address("gate/0"));
    assert_eq!(of_gate.map(|done| done.action).collect::<Vec<_>>(), [Action::Create, Action::Delete]);
    bench.check(&config.graph()).await;
}
