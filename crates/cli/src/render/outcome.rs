//! What came of a run.

use super::{Printer, count, ledger_json, plan::action_word, spoken};
use crate::{
    advice::{HELD, call_hint},
    exit::store_hint,
};
use bedplate_aws::Ledger;
use bedplate_engine::{EffectError, Failure, Outcome};
use bedplate_model::Json;
use owo_colors::OwoColorize;
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

/// Says what was done, what failed and why, what was not tried, and how to go on.
pub(crate) fn show_outcome(printer: &Printer, outcome: &Outcome, elapsed: Duration, saved: bool) {
    let done = count(outcome.done.len(), "change");
    if outcome.failed.is_empty() && !outcome.interrupted {
        printer.note(&format!("\n{} {done} in {}.", "Done:".green().bold(), spoken(elapsed)));
        return;
    }
    for failure in &outcome.failed {
        let (details, hint) = explain(failure);
        printer.note("");
        printer.error(&format!("{}: {details}", failure.address), Some(&hint));
    }
    // Effects of one resource are skipped together.
    let skipped: BTreeSet<_> = outcome.skipped.iter().map(|skipped| (&skipped.address, &skipped.because)).collect();
    if !skipped.is_empty() {
        printer.note(&format!("\nNot tried: {}", count(skipped.len(), "resource")));
        for (address, because) in &skipped {
            if let Some(because) = because {
                printer.note(&format!("  {address} {}", format!("(waits for {because})").dimmed()));
            }
        }
    }
    let why = if outcome.interrupted { "Interrupted" } else { "Incomplete" };
    let state = match saved {
        true => "The state is saved; the same command goes on from here.",
        false => "The state is not saved; the same command goes on from what is, and finds the rest in AWS.",
    };
    printer.note(&format!(
        "\n{} after {}: {done} done, {} failed, {} not tried. {state}",
        why.red().bold(),
        spoken(elapsed),
        outcome.failed.len(),
        skipped.len(),
    ));
}

fn explain(failure: &Failure) -> (String, String) {
    let mut message = failure.error.to_string();
    // A transparent error shows its first line only; what is below says why.
    let mut cause = std::error::Error::source(&failure.error);
    while let Some(source) = cause {
        message = format!("{message}: {source}");
        cause = source.source();
    }
    let hint = match &failure.error {
        EffectError::Call(error) => call_hint(error),
        EffectError::Held { .. } => HELD.to_owned(),
        EffectError::Store(error) => store_hint(error),
        EffectError::Foreign { id } => format!(
            "choose another name in the configuration, or remove {id} if nobody needs it, then run the same command again"
        ),
        EffectError::WillNotSettle { .. } => {
            "someone or something else may be changing it back: find out who, then run the same command again"
                .to_owned()
        }
        EffectError::Deadline { .. } => "AWS is still working on it: the same command goes on waiting".to_owned(),
        EffectError::Broken { .. } => {
            "read AWS's reason above and remove its cause; the same command then replaces it".to_owned()
        }
        EffectError::NeedsReplacement { .. } => "the same command plans it".to_owned(),
        EffectError::Vanished { .. } => "the same command makes it again".to_owned(),
        EffectError::Unresolved { .. } | EffectError::Misfit(_) | EffectError::Interrupted => {
            "this is a defect of bedplate: please report it with this message".to_owned()
        }
    };
    (message, hint)
}

/// The contract of `apply --json`.
pub(crate) fn outcome_json(outcome: &Outcome, elapsed: Duration, ledger: &Ledger, outputs: &Json) -> Json {
    let done: Vec<Json> = outcome
        .done
        .iter()
        .map(|done| {
            json!({"address": done.address, "action": action_word(done.action), "seconds": done.elapsed.as_secs_f64()})
        })
        .collect();
    let failed: Vec<Json> = outcome.failed.iter().map(failure_json).collect();
    let skipped: Vec<Json> =
        outcome.skipped.iter().map(|skipped| json!({"address": skipped.address, "because": skipped.because})).collect();
    json!({
        "format": 1,
        "ok": outcome.failed.is_empty() && !outcome.interrupted,
        "done": done,
        "failed": failed,
        "skipped": skipped,
        "seconds": elapsed.as_secs_f64(),
        "api_calls": ledger.calls(),
        "api_ledger": ledger_json(ledger),
        "outputs": outputs,
    })
}

fn failure_json(failure: &Failure) -> Json {
    let (message, hint) = explain(failure);
    let call = failure.error.call();
    json!({
        "address": failure.address,
        "operation": call.map(|call| &call.operation),
        "code": failure.error.code(),
        "message": message,
        "request_id": call.and_then(|call| call.request_id.as_deref()),
        "hint": hint,
    })
}
