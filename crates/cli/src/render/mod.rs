//! The only place that prints.

pub(crate) mod graph;
mod ledger;
mod outcome;
mod plan;
mod progress;
pub(crate) mod report;

pub(crate) use ledger::{ledger_json, show_ledger};
pub(crate) use outcome::{outcome_json, show_outcome};
pub(crate) use plan::{action_word, plan_json, show_plan, show_refusals, warn_unseen};
pub(crate) use progress::Progress;

use crate::{advice::Advice, args::Globals};
use bedplate_model::Json;
use owo_colors::OwoColorize;
use std::{
    io::{ErrorKind, Write},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// Prints results on stdout and everything else on stderr.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
}

impl Printer {
    pub(crate) fn new(globals: &Globals) -> Self {
        Self { json: globals.json, quiet: globals.quiet, verbose: globals.verbose }
    }

    /// A line of the result.
    pub(crate) fn result(&self, text: &str) {
        to_stdout(text);
    }

    /// The one document of `--json`.
    pub(crate) fn document(&self, json: &Json) {
        to_stdout(&format!("{json:#}"));
    }

    /// What is going on, for scripts: one line.
    pub(crate) fn event(&self, json: &Json) {
        to_stderr(&json.to_string());
    }

    /// What is going on.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            to_stderr(text);
        }
    }

    /// Something that may go wrong later.
    pub(crate) fn warning(&self, text: &str) {
        if self.json {
            to_stderr(&serde_json::json!({"event": "warning", "message": text}).to_string());
        } else {
            to_stderr(&labelled(&"warning:".yellow().bold(), "warning:".len(), text, stderr_width()));
        }
    }

    /// What went wrong and what to do.
    pub(crate) fn error(&self, message: &str, advice: Option<&Advice>) {
        if self.json {
            let hint = advice.map(Advice::to_string);
            to_stderr(&serde_json::json!({"event": "error", "message": message, "hint": hint}).to_string());
            return;
        }
        to_stderr(&error_text(message, advice, stderr_width()));
    }

    /// Asks something; the answer comes from elsewhere.
    pub(crate) fn question(&self, text: &str) {
        _ = write!(anstream::stderr(), "\n{text} [y/N] ");
    }

    /// An error that is already drawn.
    pub(crate) fn picture(&self, plain: &str, colored: &str) {
        if self.json {
            self.error(plain, None);
        } else {
            to_stderr(colored);
        }
    }
}

/// What went wrong, why that is likely and what to do, at most `width` columns wide.
pub(crate) fn error_text(message: &str, advice: Option<&Advice>, width: usize) -> String {
    let mut parts = vec![labelled(&"error:".red().bold(), "error:".len(), message, width)];
    if let Some(advice) = advice {
        let why = advice.why().map(|why| labelled(&"  why:".yellow().bold(), "  why:".len(), why, width));
        parts.extend(why);
        parts.push(labelled(&" next:".cyan().bold(), " next:".len(), advice.next(), width));
    }
    parts.join("\n")
}

/// A text beside its label. What is to be copied, behind four spaces, is one line however long it is.
fn labelled(label: &dyn std::fmt::Display, columns: usize, text: &str, width: usize) -> String {
    format!("{label} {}", hanging(text, columns + 1, width))
}

/// How many columns errors and notes may use.
pub(crate) fn stderr_width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(LOG, |(width, _)| usize::from(width.0))
}

/// A text whose lines begin in the same column, the first without that.
pub(crate) fn hanging(text: &str, column: usize, width: usize) -> String {
    let room = width.saturating_sub(column).max(24);
    let options = textwrap::Options::new(room)
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = text.lines().flat_map(|line| match line.starts_with("    ") {
        true => vec![line.into()],
        false => textwrap::wrap(line, &options),
    });
    lines.collect::<Vec<_>>().join(&format!("\n{}", " ".repeat(column)))
}

/// Nobody reads on, or the terminal is gone: a run under way goes on all the same, as its record is the state.
fn to_stderr(text: &str) {
    _ = writeln!(anstream::stderr(), "{text}");
}

/// Results that cannot be written are an error, except where the reader has read enough.
fn to_stdout(text: &str) {
    let mut stdout = anstream::stdout();
    if let Err(error) = writeln!(stdout, "{text}").and_then(|()| stdout.flush())
        && error.kind() != ErrorKind::BrokenPipe
        && !UNWRITTEN.swap(true, Relaxed)
    {
        to_stderr(&format!("{} cannot write the result: {error}", "error:".red().bold()));
    }
}

/// Whether a result could not be written.
static UNWRITTEN: AtomicBool = AtomicBool::new(false);

/// Whether all results were written, as far as anybody wanted them.
pub(crate) fn all_written() -> bool {
    !UNWRITTEN.load(Relaxed)
}

/// A duration as people say it: `0.4 s`, `12 s`, `3 min 20 s`.
pub(crate) fn spoken(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        _ => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// A duration as an estimate: `50 s`, `9 min`, `2 min 30 s`, `1 h 10 min`.
pub(crate) fn about(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, rest) = (seconds / 60, seconds % 60);
    match (minutes, rest) {
        (0, _) => format!("{seconds} s"),
        (60.., _) if minutes % 60 == 0 => format!("{} h", minutes / 60),
        (60.., _) => format!("{} h {} min", minutes / 60, minutes % 60),
        // Past a few minutes nobody counts the seconds.
        (1..5, 1..) => format!("{minutes} min {rest} s"),
        _ => format!("{minutes} min"),
    }
}

/// What reads well in the log of a pipeline, in columns.
const LOG: usize = 120;

/// How many columns a result may use: those of the terminal, or what reads well in the log of a pipeline.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(LOG, |(width, _)| usize::from(width.0))
}

/// `1 resource`, `2 resources`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_copied_is_one_line() {
        let text = "set it, then run the same command again:\n    timedatectl set-ntp true --and --something --longer";
        let expected = "set it, then run the same\n       command again:\n           timedatectl set-ntp true --and --something --longer";
        assert_eq!(hanging(text, 7, 32), expected);
    }
}
