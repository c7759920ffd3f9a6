//! The contract of `plan --json`.

use super::action_word;
use crate::{advice::call_advice, render::ledger_json};
use bedplate_aws::Ledger;
use bedplate_model::{Json, is_known};
use bedplate_plan::{Change, Plan};
use serde_json::json;

/// The whole plan.
pub(crate) fn plan_json(plan: &Plan, ledger: &Ledger) -> Json {
    let changes: Vec<Json> = plan.changes.iter().map(change_json).collect();
    let unseen = plan.unseen.iter().map(|(address, error)| {
        let hint = call_advice(error).to_string();
        json!({"address": address, "operation": error.operation, "code": error.code, "message": error.message, "hint": hint})
    });
    let unseen: Vec<Json> = unseen.collect();
    json!({
        "format": 1,
        "summary": plan.summary(),
        "changes": changes,
        "refusals": plan.refusals,
        "unseen": unseen,
        "api_calls": ledger.calls(),
        "api_ledger": ledger_json(ledger),
    })
}

fn change_json(change: &Change) -> Json {
    let fields: Vec<Json> = change
        .fields
        .iter()
        .map(|field| {
            json!({
                "path": field.path,
                "before": shown(&field.before),
                "after": shown(&field.after),
                "forces_replacement": field.forces_replacement,
                "drift": field.drift,
            })
        })
        .collect();
    json!({
        "address": change.address,
        "kind": change.kind,
        "action": action_word(change.action),
        "reason": change.reason,
        "fields": fields,
        "sweeps": change.removals.iter().flat_map(|removal| &removal.sweeps).collect::<Vec<_>>(),
    })
}

/// Unknown values as the contract writes them.
fn shown(json: &Json) -> Json {
    if is_known(json) { json.clone() } else { json!({"unknown": true}) }
}
