//! What a run did and where its time went.

mod page;

pub(crate) use page::html;

use super::{Printer, about, count};
use crate::run::{Ending, Timeline};
use bedplate_model::Json;
use owo_colors::OwoColorize;
use serde_json::json;
use std::time::Duration;

/// The longest parts of the critical way that are named.
const NAMED: usize = 6;
/// Shorter parts say nothing.
const WORTH_NAMING: f64 = 1.0;

impl Ending {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::CutOff => "cut off",
        }
    }
}

/// Where the time went, for the end of a run: `Most of it waited for: cluster/cluster 9 min, ...`.
pub(crate) fn where_time_went(timeline: &Timeline) -> Option<String> {
    let mut way = timeline.critical();
    way.retain(|span| span.seconds() >= WORTH_NAMING);
    way.sort_by(|a, b| b.seconds().total_cmp(&a.seconds()));
    way.truncate(NAMED);
    way.sort_by(|a, b| a.from.total_cmp(&b.from));
    let parts: Vec<String> =
        way.iter().map(|span| format!("{} {}", span.effect.address, said(span.seconds()))).collect();
    (!parts.is_empty()).then(|| format!("The time went to {}.", parts.join(", then ")))
}

/// The whole run as text.
pub(crate) fn show_report(printer: &Printer, timeline: &Timeline) {
    printer.result(&format!(
        "{} of {}, {}: {} after {}",
        timeline.command.bold(),
        timeline.stack,
        timeline.started,
        timeline.ending.word(),
        said(timeline.seconds),
    ));
    let finished = timeline.spans.iter().filter(|span| span.finished).count();
    let retries: usize = timeline.spans.iter().map(|span| span.retries.len()).sum();
    printer.result(&format!(
        "{finished} done, {} not begun, {}\n",
        timeline.untouched,
        count(retries, "repeated call")
    ));
    let mut slowest: Vec<_> = timeline.spans.iter().filter(|span| span.seconds() >= WORTH_NAMING).collect();
    slowest.sort_by(|a, b| b.seconds().total_cmp(&a.seconds()));
    for span in slowest.iter().take(20) {
        let mark = if span.critical { "*".yellow().to_string() } else { " ".to_owned() };
        let usual = Duration::from_secs(span.effect.expected);
        let usual = format!("{}, usually {}", span.effect.action, about(usual));
        printer.result(&format!("{:>12} {mark} {}  {}", said(span.seconds()), span.effect.address, usual.dimmed()));
    }
    for span in &timeline.spans {
        if let Some(failure) = &span.failure {
            printer.result(&format!("{} {}: {failure}", "failed:".red().bold(), span.effect.address));
        }
    }
    if !slowest.is_empty() {
        printer.result(&"\n* the run waited for it".dimmed().to_string());
    }
}

/// The whole run for scripts.
pub(crate) fn report_json(timeline: &Timeline) -> Json {
    let spans: Vec<Json> = timeline
        .spans
        .iter()
        .map(|span| {
            json!({
                "address": span.effect.address,
                "kind": span.effect.kind,
                "action": span.effect.action,
                "from": span.from,
                "to": span.to,
                "finished": span.finished,
                "failure": span.failure,
                "critical": span.critical,
                "retries": span.retries.len(),
            })
        })
        .collect();
    json!({
        "format": 1,
        "command": timeline.command,
        "stack": timeline.stack,
        "started": timeline.started,
        "ending": timeline.ending.word(),
        "seconds": timeline.seconds,
        "not_begun": timeline.untouched,
        "effects": spans,
    })
}

/// Seconds as people say them.
fn said(seconds: f64) -> String {
    super::spoken(Duration::from_secs_f64(seconds.max(0.0)))
}
