//! A field's change: on one line where it fits, line by line where it does not.

use bedplate_model::{Json, is_known};
use bedplate_plan::FieldChange;
use owo_colors::OwoColorize;
use similar::{ChangeTag, TextDiff};
use std::fmt::Write;

const INDENT: usize = 6;
/// Unchanged lines around a change.
const CONTEXT: usize = 2;

/// Writes one field. What is `new` has no value before.
pub(super) fn field(text: &mut String, field: &FieldChange, width: usize, new: bool) {
    let mut notes = String::new();
    if field.forces_replacement {
        _ = write!(notes, "  {}", "forces replacement".magenta());
    }
    if field.drift {
        _ = write!(notes, "  {}", "changed outside bedplate".yellow());
    }
    let (before, after) = (short(&field.before), short(&field.after));
    let pad = " ".repeat(INDENT);
    let path = &field.path;
    if new {
        if !field.after.is_null() {
            let room = width.saturating_sub(INDENT + path.chars().count() + 2);
            _ = writeln!(text, "{pad}{path}: {}", cut(&after, room).green());
        }
        return;
    }
    let length = INDENT + path.chars().count() + before.chars().count() + after.chars().count() + " → : ".len();
    if length <= width && !before.contains('\n') && !after.contains('\n') {
        _ = writeln!(text, "{pad}{path}: {} → {}{notes}", before.red(), after.green());
        return;
    }
    _ = writeln!(text, "{pad}{path}:{notes}");
    let room = width.saturating_sub(INDENT + 4);
    let (before, after) = (long(&field.before), long(&field.after));
    let diff = TextDiff::from_lines(&before, &after);
    for (number, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if number > 0 {
            _ = writeln!(text, "{pad}  {}", "…".dimmed());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = cut(change.value().trim_end_matches('\n'), room);
            _ = match change.tag() {
                ChangeTag::Delete => writeln!(text, "{pad}  {}", format!("- {line}").red()),
                ChangeTag::Insert => writeln!(text, "{pad}  {}", format!("+ {line}").green()),
                ChangeTag::Equal => writeln!(text, "{pad}  {}", format!("  {line}").dimmed()),
            };
        }
    }
}

/// A value on one line.
fn short(json: &Json) -> String {
    match json {
        Json::Null => "(none)".to_owned(),
        json if !is_known(json) => "(known after apply)".to_owned(),
        json => json.to_string(),
    }
}

/// A value over several lines. A text that holds a document, as policies and dashboards do, is shown as that document.
fn long(json: &Json) -> String {
    let document = json.as_str().and_then(|text| serde_json::from_str(text).ok()).filter(|inner: &Json| {
        // A text that happens to be a number is a text.
        inner.is_object() || inner.is_array()
    });
    let mut text = match document.as_ref().unwrap_or(json) {
        json if json.is_null() || !is_known(json) => short(json),
        Json::String(text) => text.clone(),
        json => format!("{json:#}"),
    };
    text.push('\n');
    text
}

/// At most `room` characters; `…` stands for the rest.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}
