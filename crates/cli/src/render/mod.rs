//! The only place that prints.

pub(crate) mod graph;
mod outcome;
mod plan;
mod progress;
pub(crate) mod report;

pub(crate) use outcome::{outcome_json, show_outcome};
pub(crate) use plan::{action_word, plan_json, show_plan, warn_unseen};
pub(crate) use progress::Progress;

use crate::args::Globals;
use bedplate_model::Json;
use owo_colors::OwoColorize;

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
        anstream::println!("{text}");
    }

    /// The one document of `--json`.
    pub(crate) fn document(&self, json: &Json) {
        anstream::println!("{json:#}");
    }

    /// What is going on.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && !self.json {
            anstream::eprintln!("{text}");
        }
    }

    /// Something that may go wrong later.
    pub(crate) fn warning(&self, text: &str) {
        if self.json {
            anstream::eprintln!("{}", serde_json::json!({"event": "warning", "message": text}));
        } else {
            anstream::eprintln!("{} {text}", "warning:".yellow().bold());
        }
    }

    /// What went wrong and what to do.
    pub(crate) fn error(&self, message: &str, hint: Option<&str>) {
        if self.json {
            anstream::eprintln!("{}", serde_json::json!({"event": "error", "message": message, "hint": hint}));
            return;
        }
        anstream::eprintln!("{} {message}", "error:".red().bold());
        if let Some(hint) = hint {
            anstream::eprintln!(" {} {hint}", "next:".cyan().bold());
        }
    }

    /// An error that is already drawn.
    pub(crate) fn picture(&self, plain: &str, colored: &str) {
        if self.json {
            self.error(plain, None);
        } else {
            anstream::eprintln!("{colored}");
        }
    }
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

/// How many columns a result may use: those of the terminal, or what reads well in the log of a pipeline.
fn width() -> usize {
    const LOG: usize = 120;
    terminal_size::terminal_size_of(std::io::stdout()).map_or(LOG, |(width, _)| usize::from(width.0))
}

/// `1 resource`, `2 resources`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
