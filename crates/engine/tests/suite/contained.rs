//! What lies in something that can be out of reach.

use crate::fake::{Bench, Net, NetSpec, Role, RoleSpec, Store, StoreSpec, Table, TableSpec, address, finish, is_clean};
use bedplate_engine::Outcome;
use bedplate_model::Id;
use bedplate_plan::{Action, Graph};
use std::collections::BTreeSet;

/// A store with two tables, each with a word; and a network whose word changes nothing else.
fn graph(zone: &'static str, word: &'static str, tables: &[(&'static str, &'static str)]) -> Graph {
    finish(|graph| {
        let net = graph.add::<Net>("net/0", NetSpec { range: "r".into(), label: word.into() });
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
        let store = graph.add::<Store>("store/0", spec);
        // Known only when the store is made: what lies in it is not there again when it is.
        for (name, label) in tables {
            let spec = TableSpec { store: store.id.clone(), name: (*name).into(), label: (*label).into() };
            _ = graph.declare(&format!("table/{name}")).after("net/0", "a test says so").add::<Table>(spec);
        }
    })
}

const BOTH: &[(&str, &str)] = &[("a", "1"), ("b", "1")];

fn failed(outcome: &Outcome) -> BTreeSet<&str> {
    outcome.failed.iter().map(|failure| failure.address.as_str()).collect()
}

async fn built() -> Bench {
    let bench = Bench::new();
    bench.converge(&graph("z", "w", BOTH)).await;
    bench.check(&graph("z", "w", BOTH)).await;
    bench
}

fn deletes(bench: &Bench) -> Vec<String> {
    bench.cloud.calls().into_iter().filter(|call| call.starts_with("delete db.table")).collect()
}

#[tokio::test(start_paused = true)]
async fn it_is_taken_to_be_as_recorded() {
    let bench = built().await;
    bench.cloud.set_silent(&["db.table"]);
    let plan = bench.plan(&graph("z", "w", BOTH)).await;
    assert!(plan.is_empty(), "{plan:#?}");
    assert_eq!(plan.unseen.keys().collect::<Vec<_>>(), [&address("table/a"), &address("table/b")]);
    assert_eq!(plan.unseen[&address("table/a")].code, "Silent");
    assert!(is_clean(&bench.apply(&graph("z", "other", BOTH)).await), "everything else goes on");
    bench.cloud.set_silent(&[]);
    bench.check(&graph("z", "other", BOTH)).await;
}

#[tokio::test(start_paused = true)]
async fn its_own_changes_wait_until_it_can_be_reached() {
    let bench = built().await;
    bench.cloud.set_silent(&["db.table"]);
    // One changes, one goes.
    let changed = graph("z", "other", &[("a", "2")]);
    let outcome = bench.apply(&changed).await;
    assert_eq!(failed(&outcome), ["table/a", "table/b"].into());
    assert!(outcome.failed.iter().all(|failure| failure.error.code() == "Silent"), "{outcome:#?}");
    assert!(outcome.done.iter().any(|done| done.address == address("net/0")));
    bench.cloud.set_silent(&[]);
    bench.converge(&changed).await;
    bench.check(&changed).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_never_made_is_made_when_it_can_be_reached() {
    let (bench, graph) = (Bench::new(), graph("z", "w", BOTH));
    bench.cloud.set_silent(&["db.table"]);
    assert_eq!(failed(&bench.apply(&graph).await), ["table/a", "table/b"].into());
    let plan = bench.plan(&graph).await;
    assert!(plan.changes.iter().all(|change| change.action == Action::Create), "{plan:#?}");
    assert_eq!(plan.changes.len(), 2);
    bench.cloud.set_silent(&[]);
    bench.converge(&graph).await;
    bench.check(&graph).await;
}

/// It is not recorded, and exists: nobody can know before it can be reached.
#[tokio::test(start_paused = true)]
async fn a_lost_state_is_completed_when_it_can_be_reached() {
    let (bench, graph) = (built().await, graph("z", "w", BOTH));
    bench.lose_state();
    bench.cloud.set_silent(&["db.table"]);
    let plan = bench.plan(&graph).await;
    let tables = plan.changes.iter().filter(|change| change.kind == "db.table");
    let reasons: Vec<&str> = tables.map(|change| change.reason.as_str()).collect();
    assert_eq!(reasons, ["is not recorded, and cannot be looked at"; 2]);
    assert_eq!(failed(&bench.apply(&graph).await), ["table/a", "table/b"].into());
    bench.cloud.set_silent(&[]);
    bench.converge(&graph).await;
    bench.check(&graph).await;
}

#[tokio::test(start_paused = true)]
async fn it_goes_with_what_it_lies_in_without_a_call() {
    for silent in [&[][..], &["db.table"]] {
        let (bench, graph) = (built().await, graph("z", "w", BOTH));
        bench.cloud.set_silent(silent);
        bench.converge(&graph.emptied()).await;
        assert_eq!(deletes(&bench), Vec::<String>::new());
        bench.cloud.set_silent(&[]);
        bench.check(&graph.emptied()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_made_again_when_what_it_lies_in_is_replaced() {
    let bench = built().await;
    let other = graph("elsewhere", "w", BOTH);
    let plan = bench.plan(&other).await;
    let with: Vec<_> = plan.changes.iter().flat_map(|change| &change.removals).map(|it| it.goes_with.clone()).collect();
    assert_eq!(with.iter().flatten().count(), 2, "{plan:#?}");
    bench.converge(&other).await;
    assert_eq!(deletes(&bench), Vec::<String>::new());
    bench.check(&other).await;
}

/// As long as it stands, what lies in it is removed by a call of its own.
#[tokio::test(start_paused = true)]
async fn it_is_removed_alone_from_what_stays() {
    let (bench, one) = (built().await, graph("z", "w", &[("a", "1")]));
    bench.converge(&one).await;
    assert_eq!(deletes(&bench), ["delete db.table store|b"]);
    bench.check(&one).await;
}

/// What it lies in went behind the engine's back, and everything in it too.
#[tokio::test(start_paused = true)]
async fn it_is_gone_when_what_it_lies_in_is() {
    let (bench, graph) = (built().await, graph("z", "w", BOTH));
    assert!(bench.cloud.vandalize("db.store", &Id::new("store")));
    bench.converge(&graph).await;
    bench.check(&graph).await;
    assert!(bench.cloud.vandalize("db.store", &Id::new("store")));
    bench.converge(&graph.emptied()).await;
    bench.check(&graph.emptied()).await;
    assert_eq!(deletes(&bench), Vec::<String>::new());
}

/// A run that ends when the new one is there, and what lies in it is not, leaves nothing that says it were. Nobody may be able
/// to look into the new one yet: who may is told it after it is made.
#[tokio::test(start_paused = true)]
async fn what_lay_in_an_earlier_one_is_not_taken_to_be_in_the_new_one() {
    let other = graph("elsewhere", "other", BOTH);
    for vandalized in [true, false] {
        for place in 0.. {
            let bench = built().await;
            if vandalized {
                assert!(bench.cloud.vandalize("db.store", &Id::new("store")));
            }
            let died = bench.dies(&other, place).await;
            bench.cloud.set_silent(&["db.table"]);
            let plan = bench.plan(&other).await;
            for table in ["a", "b"] {
                let there = bench.cloud.get("db.table", &Id::new(format!("store|{table}"))).is_some();
                let planned = plan.changes.iter().any(|change| change.address == address(&format!("table/{table}")));
                assert!(there || planned, "vandalized: {vandalized}, place {place}: {plan:#?}");
            }
            if !died {
                break;
            }
        }
    }
}
