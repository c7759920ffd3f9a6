//! Updates of tags that say the same of many resources: one entry for all of them.

use super::{Layout, head, name, value, wrapped};
use crate::render::count;
use bedplate_plan::Change;
use owo_colors::OwoColorize;
use std::fmt::Write;

/// From how many on they are one entry.
const MANY: usize = 3;

/// The entries of a layer, in the order of their first names: each of one change, or of many that say the same.
pub(super) fn entries(mut changes: Vec<&Change>) -> Vec<Vec<&Change>> {
    changes.sort_by_key(|change| &change.address);
    let mut entries: Vec<Vec<&Change>> = Vec::new();
    for change in changes {
        match entries.iter_mut().find(|entry| alike(entry[0], change)) {
            Some(entry) => entry.push(change),
            None => entries.push(vec![change]),
        }
    }
    let (many, few): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.len() >= MANY);
    let mut entries = many;
    entries.extend(few.into_iter().flatten().map(|change| vec![change]));
    entries.sort_by_key(|entry| &entry[0].address);
    entries
}

fn alike(one: &Change, other: &Change) -> bool {
    one.only_tags() && other.only_tags() && one.reason == other.reason && one.fields == other.fields
}

/// What stands in the place of a name.
pub(super) fn title(entry: &[&Change]) -> String {
    count(entry.len(), "resource")
}

/// Writes what changes, and of which resources.
pub(super) fn show(text: &mut String, entry: &[&Change], layout: Layout) {
    let title = title(entry);
    let notes = format!("tags · update: {} (-v shows each)", entry[0].reason);
    head(text, &"~".yellow().to_string(), &title, &notes, layout);
    for field in &entry[0].fields {
        value::field(text, field, layout.width, false);
    }
    let names: Vec<&str> = entry.iter().map(|change| name(change)).collect();
    _ = writeln!(
        text,
        "      {} {}",
        "of".dimmed(),
        wrapped(&names.join(", "), value::INDENT + "of ".len(), layout.width)
    );
}
