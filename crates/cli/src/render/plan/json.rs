//! The contract of `plan --json`.

use super::{
    action_word,
    way::{longest, missing_meanwhile},
};
use crate::{advice::call_advice, render::ledger_json};
use bedplate_aws::Ledger;
use bedplate_model::{Address, Json, is_known};
use bedplate_plan::{Change, Plan, Schedule, Schemas, expected, schedule};
use serde_json::json;

/// The whole plan, with what the text tells besides: how long it may take, what decides that, and what is missing meanwhile.
pub(crate) fn plan_json(plan: &Plan, schemas: &dyn Schemas, ledger: &Ledger) -> Json {
    let schedule = schedule(plan, schemas);
    let way = longest(plan, schemas, &schedule);
    let mut critical_path: Vec<&Address> = way.steps.iter().map(|(change, _)| &change.address).collect();
    critical_path.dedup();
    let changes: Vec<Json> = plan.changes.iter().map(|change| change_json(change, schemas, &schedule)).collect();
    let unseen = plan.unseen.iter().map(|(address, error)| {
        let hint = call_advice(error).to_string();
        json!({"address": address, "operation": error.operation, "code": error.code, "message": error.message, "hint": hint})
    });
    let unseen: Vec<Json> = unseen.collect();
    json!({
        "format": 1,
        "summary": plan.summary(),
        "changes": changes,
        "expected_seconds": way.whole.as_secs(),
        "critical_path": critical_path,
        "refusals": plan.refusals,
        "unseen": unseen,
        "api_calls": ledger.calls(),
        "api_ledger": ledger_json(ledger),
    })
}

fn change_json(change: &Change, schemas: &dyn Schemas, schedule: &Schedule) -> Json {
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
    let removes = change.removals.iter().filter_map(|removal| Some((removal.id.as_ref()?, &removal.goes_with)));
    let removes: Vec<Json> = removes.map(|(id, with)| json!({"id": id, "with": with})).collect();
    json!({
        "address": change.address,
        "kind": change.kind,
        "action": action_word(change.action),
        "reason": change.reason,
        "fields": fields,
        "expected_seconds": expected(change, schemas).as_secs(),
        "missing_meanwhile": missing_meanwhile(change, schedule),
        "removes": removes,
        "sweeps": change.removals.iter().flat_map(|removal| &removal.sweeps).collect::<Vec<_>>(),
    })
}

/// Unknown values as the contract writes them.
fn shown(json: &Json) -> Json {
    if is_known(json) { json.clone() } else { json!({"unknown": true}) }
}
