//! Whatever is declared and whatever happens outside, an apply leads to exactly what is declared.

use crate::{
    config::{Config, config, edits},
    fake::Bench,
};
use bedplate_model::Json;
use proptest::{prelude::*, test_runner::Config as Runs};
use std::env;

/// Something that happens behind the engine's back.
#[derive(Clone, Debug)]
struct Drift {
    which: usize,
    what: u8,
}

fn drift() -> impl Strategy<Value = Vec<Drift>> {
    prop::collection::vec((0..64usize, 0..6u8).prop_map(|(which, what)| Drift { which, what }), 0..4)
}

/// The field that somebody changes.
fn loose(kind: &str) -> Option<(&'static str, Json)> {
    Some(match kind {
        "net.net" | "net.gate" => ("label", "somebody".into()),
        "net.sub" => ("mode", "somebody".into()),
        "net.entry" => ("gate", Json::Null),
        "net.default" => ("rules", 17.into()),
        "iam.role" => ("policy", "somebody".into()),
        "db.store" => ("version", 5.into()),
        _ => return None,
    })
}

impl Drift {
    fn happen(&self, bench: &Bench) {
        let objects = bench.cloud.objects();
        if objects.is_empty() {
            return;
        }
        let (kind, id, _) = &objects[self.which % objects.len()];
        match self.what {
            0 => bench.cloud.meddle(kind, id, |object| {
                if let Some((field, value)) = loose(kind) {
                    object.spec.insert(field.to_owned(), value);
                }
            }),
            1 => bench.cloud.meddle(kind, id, |object| object.tags.clear()),
            2 => bench.cloud.meddle(kind, id, |object| object.tags.retain(|key, _| key.starts_with("bedplate:"))),
            3 => bench.cloud.meddle(kind, id, |object| object.revision += 1),
            4 if ["net.gate", "net.sub", "net.entry", "iam.role", "db.store"].contains(kind) => {
                bench.cloud.meddle(kind, id, |object| object.broken = true);
            }
            _ => _ = bench.cloud.vandalize(kind, id),
        }
    }
}

type Round = (Vec<(usize, u8, u8)>, Vec<Drift>);

async fn live(mut config: Config, rounds: Vec<Round>) {
    let bench = Bench::new();
    let graph = config.graph();
    bench.converge(&graph).await;
    bench.check(&graph).await;
    for (edits, drift) in rounds {
        config.edit(&edits);
        drift.iter().for_each(|drift| drift.happen(&bench));
        let graph = config.graph();
        bench.converge(&graph).await;
        bench.check(&graph).await;
    }
    let nothing = config.graph().emptied();
    bench.converge(&nothing).await;
    bench.check(&nothing).await;
}

/// Runs on a clock that jumps ahead when all wait.
pub(crate) fn on_paused_clock(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test);
}

/// So many cases, unless `PROPTEST_CASES` says otherwise.
pub(crate) fn runs(cases: u32) -> Runs {
    let usual = Runs { failure_persistence: None, max_shrink_iters: 400, ..Runs::default() };
    if env::var_os("PROPTEST_CASES").is_some() { usual } else { Runs { cases, ..usual } }
}

proptest! {
    #![proptest_config(runs(120))]

    #[test]
    fn an_apply_leads_to_what_is_declared(
        config in config(),
        rounds in prop::collection::vec((edits(), drift()), 1..5),
    ) {
        on_paused_clock(live(config, rounds));
    }
}
