//! Lost states, foreign resources, spent tokens.

use crate::{
    config::{place, representative},
    fake::{Bench, Lost, address},
};
use bedplate_model::{Id, Tags};
use bedplate_plan::Action;
use bedplate_state::{Status, Store, write};
use serde_json::json;

/// Nothing is known of the end of the first call for each, or what it refers to is too new: it is made up for within the
/// run, and nothing is made twice.
#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_made_up_for() {
    for lost in [Lost::Before, Lost::After, Lost::TooNew, Lost::Throttled] {
        for lag in [0, 10] {
            let (bench, mut config) = (Bench::new(), representative());
            bench.cloud.set_lag(lag);
            bench.cloud.set_losing(lost);
            bench.converge(&config.graph()).await;
            bench.check(&config.graph()).await;
            config.slots.iter_mut().for_each(|slot| (slot.free, slot.hidden) = (2, 1));
            bench.converge(&config.graph()).await;
            bench.check(&config.graph()).await;
            let nothing = config.graph().emptied();
            bench.converge(&nothing).await;
            bench.check(&nothing).await;
        }
    }
}

/// What has the same name again must not be taken for what stood there before.
#[tokio::test(start_paused = true)]
async fn what_was_deleted_outside_is_made_once_and_kept() {
    let (bench, graph) = (Bench::new(), representative().graph());
    bench.converge(&graph).await;
    for (kind, id) in [("iam.role", "role1-0"), ("kms.alias", "alias0-0")] {
        assert!(bench.cloud.vandalize(kind, &Id::new(id)));
    }
    let plan = bench.plan(&graph).await;
    assert!(plan.changes.iter().all(|change| change.action == Action::Create && change.removals.is_empty()));
    bench.converge(&graph).await;
    bench.check(&graph).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_state_is_read_from_the_tags() {
    let (bench, graph) = (Bench::new(), representative().graph());
    bench.converge(&graph).await;
    bench.lose_state();
    let plan = bench.plan(&graph).await;
    assert!(plan.changes.iter().all(|change| change.action == Action::Adopt), "{plan:#?}");
    let calls = bench.cloud.calls().len();
    bench.converge(&graph).await;
    assert_eq!(bench.cloud.calls().len(), calls, "adopting changes nothing");
    bench.check(&graph).await;
    bench.converge(&graph.emptied()).await;
    bench.check(&graph.emptied()).await;
}

/// Without a state, the generation and so the token start over; what the token made is gone.
#[tokio::test(start_paused = true)]
async fn a_spent_token_is_replaced_by_the_next() {
    let (bench, graph) = (Bench::new(), representative().graph());
    for _ in 0..3 {
        bench.converge(&graph).await;
        bench.converge(&graph.emptied()).await;
        bench.lose_state();
    }
    bench.converge(&graph).await;
    bench.check(&graph).await;
}

/// A create called back what had been there, as with a secret that waits for its end, and the run died before it could say
/// whose it is now.
#[tokio::test(start_paused = true)]
async fn what_was_called_back_gets_the_tags_of_the_new_one() {
    let (bench, graph, role) = (Bench::new(), representative().graph(), address("role/0"));
    bench.converge(&graph).await;
    let mut state = bench.state();
    state.generations.insert(role.clone(), 1);
    let recorded = state.resources.get_mut(&role).unwrap();
    (recorded.status, recorded.generation, recorded.id) = (Status::Creating, 1, None);
    recorded.tags = graph.tags(&role, 1);
    bench.store.save(&write(&state)).await.unwrap();
    bench.converge(&graph).await;
    bench.check(&graph).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_foreign_is_refused() {
    let (bench, graph) = (Bench::new(), representative().graph());
    let tags = Tags::from([("bedplate:stack".to_owned(), "another".to_owned())]);
    let spec = json!({"name": "role0-0", "path": "p", "policy": "p", "secret": 1, "protected": false});
    bench.cloud.plant("iam.role", "role0-0", spec, tags);
    let plan = bench.plan(&graph).await;
    assert_eq!(plan.refusals.len(), 1, "{plan:#?}");
    assert_eq!(plan.refusals[0].address, address("role/0"));
    assert!(plan.refusals[0].hint.contains("bedplate import role/0 'role0-0'"), "{:?}", plan.refusals);
}

/// It came between the survey and the walk.
#[tokio::test(start_paused = true)]
async fn what_is_foreign_is_not_adopted_by_the_walk() {
    let (bench, graph) = (Bench::new(), representative().graph());
    let plan = bench.plan(&graph).await;
    let spec = json!({"name": "role0-0", "path": "p", "policy": "p", "secret": 1, "protected": false});
    bench.cloud.plant("iam.role", "role0-0", spec, Tags::new());
    let outcome = bench.walk(&plan, &bedplate_engine::Silent, Default::default()).await;
    let codes: Vec<&str> = outcome.failed.iter().map(|failure| failure.error.code()).collect();
    assert_eq!(codes, ["ForeignResource"]);
}

/// What others learn from a resource changed, and nothing else did.
#[tokio::test(start_paused = true)]
async fn a_changed_output_reaches_who_refers_to_it() {
    let (bench, mut config) = (Bench::new(), representative());
    config.slots[place("gate/0")].hidden = 1;
    let graph = config.graph();
    bench.converge(&graph).await;
    let id = bench.state().resources[&address("net/1")].id.clone().unwrap();
    bench.cloud.meddle("net.net", &id, |net| net.revision = 9);
    bench.converge(&graph).await;
    bench.check(&graph).await;
    let gate = bench.state().resources[&address("gate/0")].id.clone().unwrap();
    assert_eq!(bench.cloud.get("net.gate", &gate).unwrap().spec["label"], "v9");
}
