//! A state rebuilt from what exists.

use crate::{
    config::{place, representative},
    fake::{Bench, address},
};
use bedplate_engine::{Recovered, recover, search, settled};
use bedplate_model::{Id, Tags};
use bedplate_plan::{Action, Graph};
use bedplate_state::{Store, write};
use serde_json::json;
use std::time::Duration;

/// What `state recover` does: it makes no call that changes anything.
pub(crate) async fn recovered(bench: &Bench, graph: &Graph) -> Recovered {
    let calls = bench.cloud.calls().len();
    let (state, stack) = (bench.state(), graph.stack());
    let search = search(&bench.kinds, &bench.cloud, stack).await;
    let recovered = recover(&bench.kinds, &bench.cloud, graph, &state, search).await.unwrap();
    bench.store.save(&write(&recovered.state)).await.unwrap();
    assert_eq!(bench.cloud.calls().len(), calls, "it only looks");
    recovered
}

#[tokio::test(start_paused = true)]
async fn a_lost_state_is_rebuilt_and_nothing_is_left_to_do() {
    let (bench, graph) = (Bench::new(), representative().graph());
    bench.converge(&graph).await;
    let before = bench.state();
    bench.lose_state();
    let recovered = recovered(&bench, &graph).await;
    assert_eq!(recovered.found, before.resources.keys().cloned().collect::<Vec<_>>());
    assert!(recovered.undeclared.is_empty() && recovered.foreign.is_empty(), "{recovered:?}");
    for (address, known) in &before.resources {
        let found = &recovered.state.resources[address];
        assert_eq!((&found.id, &found.spec, &found.tags), (&known.id, &known.spec, &known.tags), "{address}");
        assert_eq!((&found.depends_on, &found.outputs), (&known.depends_on, &known.outputs), "{address}");
    }
    bench.check(&graph).await;
    bench.converge(&graph.emptied()).await;
    bench.check(&graph.emptied()).await;
}

#[tokio::test(start_paused = true)]
async fn a_complete_state_stays_as_it_is() {
    let (bench, graph) = (Bench::new(), representative().graph());
    bench.converge(&graph).await;
    let before = bench.state();
    let recovered = recovered(&bench, &graph).await;
    assert_eq!((recovered.state, recovered.found), (before, Vec::new()));
}

/// From a copy of before the last runs: what was replaced since, and what was made since.
/// A run made something and died before it showed, and its state is lost.
#[tokio::test(start_paused = true)]
async fn what_does_not_show_yet_is_found_when_anything_is() {
    let (bench, graph) = (Bench::new(), representative().graph());
    let effects = {
        let bench = bench.fork();
        bench.converge(&graph).await;
        bench.effects.count()
    };
    let mut late = 0;
    for place in 0..effects {
        let bench = bench.fork();
        bench.cloud.set_lag(3);
        bench.dies(&graph, place).await;
        bench.lose_state();
        let look = async || search(&bench.kinds, &bench.cloud, graph.stack()).await;
        let first = look().await.owned.len();
        let all = settled(look).await.owned.len();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(first == 0 || all == look().await.owned.len(), "at effect {place}");
        late += usize::from(first > 0 && first < all);
    }
    assert!(late > 0, "nothing was late");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_is_older_than_the_cloud_catches_up() {
    let (bench, mut config) = (Bench::new(), representative());
    config.slots[place("store/1")].present = false;
    bench.converge(&config.graph()).await;
    let old = bench.store.bytes.lock().unwrap().clone();
    config.slots[place("store/1")].present = true;
    config.slots[place("net/1")].fixed ^= 1;
    let graph = config.graph();
    bench.converge(&graph).await;
    let newer = bench.state();
    *bench.store.bytes.lock().unwrap() = old;
    let recovered = recovered(&bench, &graph).await;
    let ids = |state: &bedplate_state::State| -> Vec<_> {
        state.resources.iter().map(|(address, it)| (address.clone(), it.id.clone(), it.generation)).collect()
    };
    assert_eq!(ids(&recovered.state), ids(&newer));
    // What was removed meanwhile was in the old copy only; the next run forgets it.
    bench.converge(&graph).await;
    bench.check(&graph).await;
}

/// The configuration was lost, too, or it shrank: what the stack owns is known, and goes in the right order.
#[tokio::test(start_paused = true)]
async fn what_is_not_declared_is_known_all_the_same_and_can_be_removed() {
    let (bench, graph) = (Bench::new(), representative().graph());
    bench.converge(&graph).await;
    bench.lose_state();
    let nothing = graph.emptied();
    let recovered = recovered(&bench, &nothing).await;
    assert_eq!(recovered.undeclared, recovered.found);
    assert!(!recovered.undeclared.is_empty());
    let plan = bench.plan(&nothing).await;
    assert!(plan.changes.iter().all(|change| change.action == Action::Delete), "{plan:#?}");
    bench.converge(&nothing).await;
    let left = search(&bench.kinds, &bench.cloud, graph.stack()).await;
    assert!(left.owned.is_empty() && left.unsearched.is_empty(), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_foreign_is_named_and_left_alone() {
    let (bench, graph) = (Bench::new(), representative().graph());
    let spec = json!({"name": "role0-0", "path": "p", "policy": "p", "secret": 1, "protected": false});
    bench.cloud.plant("iam.role", "role0-0", spec, Tags::new());
    let recovered = recovered(&bench, &graph).await;
    assert_eq!(recovered.foreign.len(), 1);
    assert_eq!((&recovered.foreign[0].address, &recovered.foreign[0].id), (&address("role/0"), &Id::new("role0-0")));
    assert!(recovered.state.resources.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_searched_is_an_error_only_where_it_is_declared() {
    let (bench, graph) = (Bench::new(), representative().graph());
    bench.cloud.set_silent(&["iam.role"]);
    let search = search(&bench.kinds, &bench.cloud, graph.stack()).await;
    assert_eq!(search.unsearched.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), ["iam.role"]);
    let state = bench.state();
    let recovered = recover(&bench.kinds, &bench.cloud, &graph.emptied(), &state, search.clone()).await.unwrap();
    assert_eq!(recovered.unsearched, search.unsearched);
    let error = recover(&bench.kinds, &bench.cloud, &graph, &state, search).await.unwrap_err();
    assert_eq!(error.to_string(), "reading iam.role failed");
}
