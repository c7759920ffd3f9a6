//! A plan for people and for scripts.

use super::{Printer, count};
use bedplate_aws::Ledger;
use bedplate_engine::Kinds;
use bedplate_model::{Json, is_known};
use bedplate_plan::{Action, Change, FieldChange, Plan, schedule};
use owo_colors::OwoColorize;
use serde_json::json;

/// A value longer than this is cut in the text; `--json` has all of it.
const WIDTH: usize = 100;

/// Shows a plan on stdout, by layer.
pub(crate) fn show_plan<C>(printer: &Printer, plan: &Plan, kinds: &Kinds<C>) {
    if plan.is_empty() {
        printer.result(&format!("No changes. {} as the configuration says.", plural_are(plan.unchanged)));
        return;
    }
    // Layers in the order in which their first change comes, and so roughly in the order of the work.
    let mut layers: Vec<&str> = Vec::new();
    for change in &plan.changes {
        if !layers.contains(&change.address.layer()) {
            layers.push(change.address.layer());
        }
    }
    for layer in layers {
        printer.result(&format!("\n{}", layer.bold()));
        for change in plan.changes.iter().filter(|change| change.address.layer() == layer) {
            show_change(printer, change);
        }
    }
    let schedule = schedule(plan, kinds);
    for address in &schedule.outages {
        printer.result(&format!(
            "\n{} {address} is missing for a while: it cannot stand beside its replacement",
            "!".yellow()
        ));
    }
    let expected = schedule.remaining.iter().max().copied().unwrap_or_default();
    let minutes = expected.as_secs().div_ceil(60);
    let minutes = if minutes > 1 { format!("about {minutes} min") } else { "under a minute".to_owned() };
    printer.result(&format!("\n{}; {minutes}.", summary(plan)));
    for refusal in &plan.refusals {
        printer.error(&format!("{}: {}", refusal.address, refusal.problem), Some(&refusal.hint));
    }
}

fn plural_are(number: usize) -> String {
    if number == 1 { "1 resource is".to_owned() } else { format!("{} are", count(number, "resource")) }
}

/// `Plan: 88 to create, 1 to update; 2 unchanged`
fn summary(plan: &Plan) -> String {
    let summary = plan.summary();
    let parts = [
        (summary.create, "to create"),
        (summary.update, "to update"),
        (summary.replace, "to replace"),
        (summary.adopt, "to adopt"),
        (summary.delete, "to delete"),
        (summary.forget, "to forget"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
    format!("{}: {}; {} unchanged", "Plan".bold(), parts.join(", "), summary.unchanged)
}

fn show_change(printer: &Printer, change: &Change) {
    let symbol = match change.action {
        Action::Create => "+".green().to_string(),
        Action::Update => "~".yellow().to_string(),
        Action::Replace => "±".magenta().to_string(),
        Action::Delete => "-".red().to_string(),
        Action::Adopt => "=".cyan().to_string(),
        Action::Forget => "x".dimmed().to_string(),
    };
    let rest = change.address.as_str().split_once('/').map_or(change.address.as_str(), |(_, rest)| rest);
    let word = action_word(change.action);
    printer.result(&format!(
        "  {symbol} {} {} {}",
        rest.bold(),
        change.kind.dimmed(),
        format!("({word}: {})", change.reason).dimmed()
    ));
    // What is created is listed in full only in `--json`; here its address says enough.
    if change.action != Action::Create {
        for field in &change.fields {
            printer.result(&format!("      {}", describe(field)));
        }
    }
    for removal in change.removals.iter().filter_map(|removal| removal.id.as_ref()) {
        printer.result(&format!("      {} {}", "removes".dimmed(), removal.dimmed()));
    }
}

pub(crate) fn action_word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::Adopt => "adopt",
        Action::Forget => "forget",
    }
}

fn describe(field: &FieldChange) -> String {
    let mut line = format!("{}: {} → {}", field.path, value(&field.before).red(), value(&field.after).green());
    if field.forces_replacement {
        line.push_str(&format!("  {}", "forces replacement".magenta()));
    }
    if field.drift {
        line.push_str(&format!("  {}", "changed outside bedplate".yellow()));
    }
    line
}

fn value(json: &Json) -> String {
    if json.is_null() {
        return "(none)".to_owned();
    }
    if !is_known(json) {
        return "(known after apply)".to_owned();
    }
    let text = json.to_string();
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The contract of `plan --json`.
pub(crate) fn plan_json(plan: &Plan, ledger: &Ledger) -> Json {
    let changes: Vec<Json> = plan.changes.iter().map(change_json).collect();
    json!({
        "format": 1,
        "summary": plan.summary(),
        "changes": changes,
        "refusals": plan.refusals,
        "api_calls": ledger.calls(),
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
    })
}

/// Unknown values as the contract writes them.
fn shown(json: &Json) -> Json {
    if is_known(json) { json.clone() } else { json!({"unknown": true}) }
}
