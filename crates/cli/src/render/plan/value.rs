//! A field's change: on one line where it fits, line by line where it does not.

use bedplate_model::{Json, is_known};
use bedplate_plan::FieldChange;
use owo_colors::OwoColorize;
use similar::{ChangeTag, DiffOp, TextDiff};
use std::fmt::Write;

pub(super) const INDENT: usize = 6;
/// Unchanged lines around a change.
const CONTEXT: usize = 2;
/// A line has at least so much room, however narrow the terminal is.
const LEAST: usize = 20;

/// Writes one field. What is `new` has no value before.
pub(super) fn field(text: &mut String, field: &FieldChange, width: usize, new: bool) {
    let mut notes = Vec::new();
    if field.forces_replacement {
        notes.push("forces replacement".magenta().to_string());
    }
    if field.drift {
        notes.push("changed outside bedplate".yellow().to_string());
    }
    let notes = notes.join("  ");
    let columns = anstream::adapter::strip_str(&notes).to_string().chars().count();
    let beside = |length: usize| columns > 0 && length + 2 + columns <= width;
    let (before, after) = (short(&field.before), short(&field.after));
    let pad = " ".repeat(INDENT);
    let path = cut(&field.path, width.saturating_sub(INDENT + 1));
    if new {
        if !field.after.is_null() {
            let room = width.saturating_sub(INDENT + path.chars().count() + 2);
            _ = writeln!(text, "{pad}{path}: {}", cut(&after, room).green());
        }
        return;
    }
    let length = INDENT + path.chars().count() + before.chars().count() + after.chars().count() + ": ".len() + 3;
    if length <= width && !before.contains('\n') && !after.contains('\n') {
        _ = write!(text, "{pad}{path}: {} → {}", before.red(), after.green());
        _ = match beside(length) {
            true => writeln!(text, "  {notes}"),
            false if columns > 0 => writeln!(text, "\n{pad}  {notes}"),
            false => writeln!(text),
        };
        return;
    }
    _ = match beside(INDENT + path.chars().count() + 1) {
        true => writeln!(text, "{pad}{path}:  {notes}"),
        false if columns > 0 => writeln!(text, "{pad}{path}:\n{pad}  {notes}"),
        false => writeln!(text, "{pad}{path}:"),
    };
    differences(text, &long(&field.before), &long(&field.after), width.saturating_sub(INDENT + 4).max(LEAST));
}

/// Writes the lines that differ, and some around them.
fn differences(text: &mut String, before: &str, after: &str, room: usize) {
    let pad = " ".repeat(INDENT + 2);
    let diff = TextDiff::from_lines(before, after);
    for (number, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if number > 0 {
            _ = writeln!(text, "{pad}{}", "…".dimmed());
        }
        for op in group {
            let lines: Vec<_> = diff.iter_changes(op).collect();
            let shown = match *op {
                // Line by line the same thing, changed.
                DiffOp::Replace { old_len, new_len, .. } if old_len == new_len => {
                    let (old, new) = lines.split_at(old_len);
                    let pairs = old.iter().zip(new).map(|(old, new)| around(plain(old), plain(new), room));
                    let (old, new): (Vec<_>, Vec<_>) = pairs.unzip();
                    old.into_iter().chain(new).collect()
                }
                DiffOp::Equal { .. } => lines.iter().map(|line| vec![cut(plain(line), room)]).collect(),
                _ => lines.iter().map(|line| wrapped(plain(line), room)).collect::<Vec<_>>(),
            };
            for (line, parts) in lines.iter().zip(shown) {
                for (number, part) in parts.into_iter().enumerate() {
                    _ = match (line.tag(), number) {
                        (ChangeTag::Delete, 0) => writeln!(text, "{pad}{}", format!("- {part}").red()),
                        (ChangeTag::Insert, 0) => writeln!(text, "{pad}{}", format!("+ {part}").green()),
                        (ChangeTag::Equal, _) => writeln!(text, "{pad}{}", format!("  {part}").dimmed()),
                        (ChangeTag::Delete, _) => writeln!(text, "{pad}{}", format!("  {part}").red()),
                        (ChangeTag::Insert, _) => writeln!(text, "{pad}{}", format!("  {part}").green()),
                    };
                }
            }
        }
    }
}

fn plain<'a>(line: &similar::Change<&'a str>) -> &'a str {
    line.value().trim_end_matches('\n')
}

/// A line before and after. Where they do not fit and have much in common, only where they begin to differ, so that they
/// never look the same; otherwise all of both.
fn around(before: &str, after: &str, room: usize) -> (Vec<String>, Vec<String>) {
    let count = |text: &str| text.chars().count();
    let alike = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| {
        a.zip(b).take_while(|(a, b)| a == b).count()
    };
    let begin = alike(&mut before.chars(), &mut after.chars());
    let end = alike(&mut before.chars().rev(), &mut after.chars().rev());
    if count(before).max(count(after)) <= room || begin.max(end) < room / 2 {
        return (wrapped(before, room), wrapped(after, room));
    }
    let from = begin.saturating_sub(room / 3).min(count(before).max(count(after)).saturating_sub(room));
    let part = |text: &str| {
        let rest = text.chars().skip(from);
        let text: String = if from > 0 { ['…'].into_iter().chain(rest.skip(1)).collect() } else { rest.collect() };
        vec![cut(&text, room)]
    };
    (part(before), part(after))
}

/// All of a line, in as many as it takes. What follows stands under what it belongs to.
fn wrapped(line: &str, room: usize) -> Vec<String> {
    let indent = line.chars().take_while(|letter| *letter == ' ').count().min(room / 2);
    let pad = " ".repeat(indent);
    let letters: Vec<char> = line.chars().collect();
    let (first, rest) = letters.split_at(letters.len().min(room));
    let mut lines = vec![first.iter().collect()];
    let rest = rest.chunks((room - indent).max(1));
    lines.extend(rest.map(|part| format!("{pad}{}", part.iter().collect::<String>())));
    lines
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
pub(super) fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(before: &str, after: &str, room: usize) -> Vec<String> {
        let mut text = String::new();
        differences(&mut text, &format!("{before}\n"), &format!("{after}\n"), room);
        anstream::adapter::strip_str(&text).to_string().lines().map(|line| line.trim_start().to_owned()).collect()
    }

    #[test]
    fn long_lines_are_cut_around_where_they_differ() {
        let arn =
            |end: &str| format!("arn:aws:iam::797923187401:role/fintechglobal-production-{end}-of-the-application");
        assert_eq!(
            shown(&arn("reader"), &arn("writer"), 40),
            ["- …al-production-reader-of-the-application", "+ …al-production-writer-of-the-application"]
        );
        // What is longer by its end only.
        let (one, two) = ("a".repeat(60), "a".repeat(61));
        assert_eq!(shown(&one, &two, 40), [format!("- …{}", "a".repeat(38)), format!("+ …{}", "a".repeat(39))]);
    }

    proptest! {
        #[test]
        fn no_two_lines_that_differ_look_the_same(
            begin in "[ab ]{0,90}", before in "[ab]{0,50}", after in "[ab]{0,50}", end in "[ab]{0,90}", room in LEAST..100
        ) {
            let (before, after) = (format!("x{begin}{before}{end}"), format!("x{begin}{after}{end}"));
            prop_assume!(before != after);
            let (old, new) = around(&before, &after, room);
            prop_assert!(old != new, "{old:?}");
            prop_assert!(old.iter().chain(&new).all(|line| line.chars().count() <= room), "{old:?} {new:?}");
        }
    }
}
