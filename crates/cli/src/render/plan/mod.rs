//! A plan for people and for scripts.

mod alike;
mod json;
mod value;
mod way;

pub(crate) use json::plan_json;

use super::{Printer, about, count, hanging, width};
use crate::advice::call_advice;
use bedplate_engine::Kinds;
use bedplate_plan::{Action, Change, Plan, Schedule, Schemas, Summary, expected, schedule};
use bedplate_platform::LAYERS;
use owo_colors::OwoColorize;
use std::{collections::BTreeMap, fmt::Write, time::Duration};
use way::{longest, missing_meanwhile};

/// A part of the longest way that is shorter than this is not worth naming.
const WORTH_NAMING: Duration = Duration::from_secs(60);

/// What is said of a resource stands beside its name, unless that is longer.
const LONGEST: usize = 40;

/// Shows a plan on stdout, by layer.
pub(crate) fn show_plan<C>(printer: &Printer, plan: &Plan, kinds: &Kinds<C>) {
    printer.result(&text(plan, kinds, width(), printer.verbose));
    show_refusals(printer, plan);
}

/// Says what speaks against a plan.
pub(crate) fn show_refusals(printer: &Printer, plan: &Plan) {
    for refusal in &plan.refusals {
        printer.error(&format!("{}: {}", refusal.address, refusal.problem), Some(&refusal.hint.as_str().into()));
    }
}

/// Says what could not be looked at, and why.
pub(crate) fn warn_unseen(printer: &Printer, plan: &Plan) {
    // The calls differ, what came of them mostly does not.
    let mut reasons: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for (address, error) in &plan.unseen {
        reasons.entry((&error.message, call_advice(error).to_string())).or_default().push(address.as_str());
    }
    for ((reason, hint), addresses) in reasons {
        let what = addresses.join(", ");
        printer.warning(&format!("not looked at, and taken to be as recorded: {what}: {reason}; {hint}"));
    }
}

/// The whole plan, at most `width` columns wide. With `all`, the settings of what is created too, and each change for itself.
fn text(plan: &Plan, schemas: &dyn Schemas, width: usize, all: bool) -> String {
    if plan.is_empty() {
        let what = if plan.unchanged == 1 {
            "1 resource is".to_owned()
        } else {
            format!("{} are", count(plan.unchanged, "resource"))
        };
        return format!("No changes. {what} as the configuration says.");
    }
    let schedule = schedule(plan, schemas);
    let mut text = String::new();
    let mut layers: BTreeMap<(usize, &str), Vec<&Change>> = BTreeMap::new();
    for change in &plan.changes {
        let layer = change.address.layer();
        // What is left of layers that no longer exist comes last.
        let position = LAYERS.iter().position(|known| *known == layer).unwrap_or(LAYERS.len());
        layers.entry((position, layer)).or_default().push(change);
    }
    for ((_, layer), mut changes) in layers {
        let counts = counts(&Summary::of(changes.iter().copied()));
        let counts = hanging(&counts, layer.chars().count() + 2, width);
        _ = writeln!(text, "\n{}  {}", layer.bold(), counts.dimmed());
        let entries = if all {
            changes.sort_by_key(|change| &change.address);
            changes.into_iter().map(|change| vec![change]).collect()
        } else {
            alike::entries(changes)
        };
        let heads = entries.iter().map(|entry| match entry[..] {
            [change] => name(change).chars().count(),
            _ => alike::title(entry).chars().count(),
        });
        // What is longer than most would leave no room for what is said of the others.
        let column = heads.filter(|head| *head <= LONGEST.min(width / 2)).max().unwrap_or_default();
        let layout = Layout { column, width, all };
        for entry in &entries {
            match entry[..] {
                [change] => show_change(&mut text, change, schemas, &schedule, layout),
                _ => alike::show(&mut text, entry, layout),
            }
        }
    }
    let counts = counts(&plan.summary());
    let sum = format!("{counts}; {} unchanged. {}", plan.unchanged, expectation(plan, schemas, &schedule));
    _ = write!(text, "\n{}: {}", "Plan".bold(), hanging(&sum, "Plan: ".len(), width));
    text
}

/// How a change is laid out.
#[derive(Clone, Copy)]
struct Layout {
    /// The longest name of the layer that leaves room for what is said of it.
    column: usize,
    /// What fits in a line.
    width: usize,
    /// Whether to show the settings of what is created.
    all: bool,
}

/// `88 to create, 1 to update`
fn counts(summary: &Summary) -> String {
    let parts = [
        (summary.create, "to create"),
        (summary.update, "to update"),
        (summary.replace, "to replace"),
        (summary.adopt, "to adopt"),
        (summary.delete, "to delete"),
        (summary.forget, "to forget"),
    ];
    let parts = parts.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}"));
    parts.collect::<Vec<_>>().join(", ")
}

/// The address without its layer, which stands above.
fn name(change: &Change) -> &str {
    change.address.as_str().split_once('/').map_or(change.address.as_str(), |(_, rest)| rest)
}

fn show_change(text: &mut String, change: &Change, schemas: &dyn Schemas, schedule: &Schedule, layout: Layout) {
    let symbol = match change.action {
        Action::Create => "+".green().to_string(),
        Action::Update => "~".yellow().to_string(),
        Action::Replace => "±".magenta().to_string(),
        Action::Delete => "-".red().to_string(),
        Action::Adopt => "=".cyan().to_string(),
        Action::Forget => "x".dimmed().to_string(),
    };
    let name = name(change);
    let own = expected(change, schemas);
    let mut notes = vec![change.kind.clone()];
    if change.make.is_some() && own >= WORTH_NAMING && change.action != Action::Update {
        notes.push(about(own));
    }
    // That something is created because it does not exist, or removed because it is not wanted, goes without saying.
    if !matches!(change.action, Action::Create) || change.reason != bedplate_plan::DOES_NOT_EXIST {
        notes.push(format!("{}: {}", action_word(change.action), change.reason));
    }
    head(text, &symbol, name, &notes.join(" · "), layout);
    if change.action != Action::Create || layout.all {
        for field in &change.fields {
            value::field(text, field, layout.width, change.action == Action::Create);
        }
    }
    let below = |text: &mut String, word: &str, what: &str| {
        let what = wrapped(what, value::INDENT + word.len() + 1, layout.width);
        _ = writeln!(text, "{}{} {}", " ".repeat(value::INDENT), word.dimmed(), what.dimmed());
    };
    for (removal, id) in change.removals.iter().filter_map(|removal| Some((removal, removal.id.as_ref()?))) {
        let with = removal.goes_with.as_ref().map(|container| format!(" with {container}")).unwrap_or_default();
        below(text, "removes", &format!("{id}{with}"));
        for leftover in &removal.sweeps {
            below(text, "sweeps", &leftover.to_string());
        }
    }
    if missing_meanwhile(change, schedule) {
        let what = wrapped("missing for a while: the old one goes first", value::INDENT + 2, layout.width);
        _ = writeln!(text, "{}{} {what}", " ".repeat(value::INDENT), "!".yellow().bold());
    }
}

/// The first line of a change: its symbol, its name, and beside it, or below where that is long, what is said of it.
fn head(text: &mut String, symbol: &str, name: &str, notes: &str, layout: Layout) {
    let name_wide = name.chars().count();
    if name_wide <= layout.column {
        let pad = " ".repeat(layout.column - name_wide);
        let notes = wrapped(notes, layout.column + "  +   ".len(), layout.width);
        _ = writeln!(text, "  {symbol} {}{pad}  {}", name.bold(), notes.dimmed());
    } else {
        let notes = wrapped(notes, value::INDENT, layout.width);
        let name = value::cut(name, layout.width.saturating_sub("  + ".len()));
        _ = writeln!(text, "  {symbol} {}\n{}{}", name.bold(), " ".repeat(value::INDENT), notes.dimmed());
    }
}

/// A text whose lines begin in the same column, and none is wider than it may be, even where a word is.
fn wrapped(text: &str, column: usize, width: usize) -> String {
    let options = textwrap::Options::new(width.saturating_sub(column).max(24))
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).join(&format!("\n{}", " ".repeat(column)))
}

/// How long it will take, and what the longest way leads over.
fn expectation(plan: &Plan, schemas: &dyn Schemas, schedule: &Schedule) -> String {
    let way = longest(plan, schemas, schedule);
    if way.whole < WORTH_NAMING {
        return "Expected to take under a minute.".to_owned();
    }
    let steps = way.steps.iter().filter(|(_, own)| *own >= WORTH_NAMING);
    let steps: Vec<String> = steps.map(|(change, own)| format!("{} ({})", change.address, about(*own))).collect();
    let steps = if steps.len() > 1 { format!(": {}", steps.join(", then ")) } else { String::new() };
    format!("Expected to take about {}{}.", about(way.whole), steps.dimmed())
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

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
