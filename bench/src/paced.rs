//! A real bootstrap at the pace that AWS allows, against a local cloud that refuses what comes faster.

use anyhow::{Context, Result, ensure};
use aws_config::{BehaviorVersion, Region, retry::RetryConfig};
use bedplate_aws::{Aws, Belief, KINDS, Recorded, Throttle};
use bedplate_engine::{Engine, Journal, Kinds, Silent, survey};
use bedplate_model::Json;
use bedplate_plan::{Options, make};
use bedplate_platform::{build, choices, config::Config};
use bedplate_state::{MemoryStore, State, parse};
use serde_json::json;
use std::{path::Path, time::Instant};
use tokio_util::sync::CancellationToken;

/// Bootstraps it, with what an earlier bootstrap decided.
pub(crate) async fn measure(config: &Path, state: &Path, endpoint: &str) -> Result<Json> {
    let config = Config::load(config)?;
    let before = parse(&fs_err::read(state)?)?;
    let facts = choices::recorded(&config, &before.choices).context("the state has no choices")?;
    let graph = build(&config, &facts)?;
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(before.region.clone()))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::adaptive().with_max_attempts(6));
    let aws = Aws::with_throttle(&loader.load().await, &Throttle::published());

    let began = Instant::now();
    let kinds = Kinds::new(KINDS);
    let state = State::new(before.stack, &before.account, &before.region);
    let observations =
        survey(&kinds, &aws.surveying(Recorded::new(&state, Belief::Records)), &graph, &state, None).await?;
    let plan = make(&graph, &state, &observations, &kinds, &Options::default())?;
    let store = MemoryStore::default();
    let journal = Journal::new(state, &store);
    let outcome = Engine::new(&kinds, &aws, &journal, &Silent, CancellationToken::new()).walk(&plan).await;
    ensure!(outcome.failed.is_empty() && outcome.skipped.is_empty(), "{:?}", outcome.failed);

    let entries = aws.ledger.entries();
    let held = entries.iter().filter(|(_, entry)| entry.held_back >= 0.01);
    Ok(json!({
        "seconds": began.elapsed().as_secs_f64(),
        "calls": entries.values().map(|entry| entry.calls).sum::<u64>(),
        "retries": entries.values().map(|entry| entry.retries).sum::<u64>(),
        "held_back": held.map(|(operation, entry)| (operation, entry.held_back)).collect::<std::collections::BTreeMap<_, _>>(),
    }))
}
