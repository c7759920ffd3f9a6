//! What came of a run.

use super::{Printer, count, ledger_json, plan::action_word, spoken};
use crate::{
    advice::{Advice, effect_advice},
    exit::with_request,
    quotas::{self, Values},
};
use bedplate_aws::Ledger;
use bedplate_engine::{Failure, Outcome};
use bedplate_model::Json;
use owo_colors::OwoColorize;
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

/// Says what was done, what failed and why, what was not tried, and how to go on.
pub(crate) fn show_outcome(printer: &Printer, outcome: &Outcome, values: &Values, elapsed: Duration, saved: bool) {
    let done = count(outcome.done.len(), "change");
    if outcome.failed.is_empty() && !outcome.interrupted {
        printer.note(&format!("\n{} {done} in {}.", "Done:".green().bold(), spoken(elapsed)));
        return;
    }
    for failure in &outcome.failed {
        let (details, advice) = explain(failure, values);
        printer.note("");
        printer.error(&with_request(format!("{}: {details}", failure.address), request_id(failure)), Some(&advice));
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

/// The request that failed, for AWS's support.
fn request_id(failure: &Failure) -> Option<&str> {
    failure.error.call()?.request_id.as_deref()
}

/// What happened, and what to do about it.
fn explain(failure: &Failure, values: &Values) -> (String, Advice) {
    let mut message = failure.error.to_string();
    // A transparent error shows its first line only; what is below says why.
    let mut cause = std::error::Error::source(&failure.error);
    while let Some(source) = cause {
        message = format!("{message}: {source}");
        cause = source.source();
    }
    let advice = effect_advice(&failure.error, |call| quotas::advice(call, values));
    (message, advice)
}

/// The contract of `apply --json`.
pub(crate) fn outcome_json(
    outcome: &Outcome,
    values: &Values,
    elapsed: Duration,
    ledger: &Ledger,
    outputs: &Json,
) -> Json {
    let done: Vec<Json> = outcome
        .done
        .iter()
        .map(|done| {
            json!({"address": done.address, "action": action_word(done.action), "seconds": done.elapsed.as_secs_f64()})
        })
        .collect();
    let failed: Vec<Json> = outcome.failed.iter().map(|failure| failure_json(failure, values)).collect();
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

fn failure_json(failure: &Failure, values: &Values) -> Json {
    let (message, advice) = explain(failure, values);
    let call = failure.error.call();
    json!({
        "address": failure.address,
        "operation": call.map(|call| &call.operation),
        "code": failure.error.code(),
        "message": message,
        "request_id": request_id(failure),
        "hint": advice.to_string(),
    })
}
