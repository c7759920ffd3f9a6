//! What happens during an apply, one line per event.

use super::{Printer, plan::action_word, spoken};
use bedplate_engine::{Event, Sink};
use bedplate_model::Address;
use bedplate_plan::Action;
use owo_colors::OwoColorize;
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The same wait is mentioned again only after this time.
const REMIND: Duration = Duration::from_secs(30);

/// Shows events as they happen.
#[derive(Debug)]
pub(crate) struct Progress {
    printer: Printer,
    total: usize,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    finished: usize,
    waiting: BTreeMap<Address, (String, Duration)>,
}

impl Progress {
    /// For a plan of `total` effects.
    pub(crate) fn new(printer: Printer, total: usize) -> Self {
        Self { printer, total, seen: Mutex::default() }
    }

    fn line(&self, address: &Address, text: &str) {
        self.printer.note(&format!("  {address:<40} {text}"));
    }

    fn json(&self, event: &str, address: &Address, mut more: serde_json::Value) {
        more["event"] = json!(event);
        more["address"] = json!(address);
        anstream::eprintln!("{more}");
    }
}

impl Sink for Progress {
    fn event(&self, event: Event<'_>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if self.printer.json {
            match event {
                Event::Started { address, action } => {
                    self.json("started", address, json!({"action": action_word(action)}))
                }
                Event::Waiting { address, state, elapsed, .. } => {
                    self.json("waiting", address, json!({"state": state, "seconds": elapsed.as_secs()}));
                }
                Event::Retrying { address, error } => self.json(
                    "retrying",
                    address,
                    json!({"operation": error.operation, "code": error.code, "request_id": error.request_id}),
                ),
                Event::Finished { address, action, elapsed } => {
                    self.json(
                        "finished",
                        address,
                        json!({"action": action_word(action), "seconds": elapsed.as_secs_f64()}),
                    );
                }
                Event::Failed { address, error } => {
                    self.json("failed", address, json!({"code": error.code(), "message": error.to_string()}));
                }
                Event::Skipped { address, because } => self.json("skipped", address, json!({"because": because})),
            }
            return;
        }
        match event {
            Event::Waiting { address, state, elapsed, expected } => {
                let last = seen.waiting.get(address);
                if last.is_none_or(|(word, at)| word != state || elapsed.saturating_sub(*at) >= REMIND) {
                    seen.waiting.insert(address.clone(), (state.to_owned(), elapsed));
                    let usual = format!("{}, {} of about {}", state.to_lowercase(), spoken(elapsed), spoken(expected));
                    self.line(address, &usual.dimmed().to_string());
                }
            }
            Event::Retrying { address, error } if self.printer.verbose => {
                self.line(address, &format!("{}: {}, trying again", error.operation, error.code).dimmed().to_string());
            }
            Event::Finished { address, action, elapsed } => {
                seen.finished += 1;
                let progress = format!("[{}/{}]", seen.finished, self.total);
                self.line(address, &format!("{} in {} {}", done_word(action), spoken(elapsed), progress.dimmed()));
            }
            Event::Failed { address, error } => self.line(address, &format!("{} {error}", "failed:".red().bold())),
            Event::Started { .. } | Event::Retrying { .. } | Event::Skipped { .. } => {}
        }
    }
}

fn done_word(action: Action) -> String {
    match action {
        Action::Create => "created".green().to_string(),
        Action::Update => "updated".yellow().to_string(),
        Action::Replace => "replaced".magenta().to_string(),
        Action::Delete => "deleted".red().to_string(),
        Action::Adopt => "adopted".cyan().to_string(),
        Action::Forget => "forgotten".dimmed().to_string(),
    }
}
