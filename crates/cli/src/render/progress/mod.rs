//! What happens during a run: a live picture on a terminal, a line per event in a log, JSON lines for scripts.

mod board;

use super::{Printer, plan::action_word, spoken};
use bedplate_engine::{Event, Sink};
use bedplate_model::{Address, Json};
use bedplate_plan::{Action, Plan, Schemas};
use board::Board;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use owo_colors::OwoColorize;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fmt::Write,
    io::IsTerminal,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// In a log the same wait is mentioned again only after this time.
const REMIND: Duration = Duration::from_secs(30);
/// How often a call is repeated without a word: most obstacles are gone within seconds.
const PATIENCE: u32 = 5;
/// How often the live picture is drawn again.
const FRAME: Duration = Duration::from_millis(200);

/// Shows events as they happen.
#[derive(Debug)]
pub(crate) struct Progress {
    printer: Printer,
    started: Instant,
    board: Arc<Mutex<Board>>,
    /// Last mention of each wait.
    waits: Mutex<BTreeMap<Address, (String, Duration)>>,
    /// How often calls of each were repeated.
    repeats: Mutex<BTreeMap<Address, u32>>,
    live: Option<ProgressBar>,
}

impl Progress {
    /// For a plan that is about to be carried out.
    pub(crate) fn new(printer: Printer, plan: &Plan, schemas: &dyn Schemas) -> Self {
        let board = Arc::new(Mutex::new(Board::new(plan, schemas)));
        let live = !printer.json && !printer.quiet && std::io::stderr().is_terminal();
        let live = live.then(|| picture(Arc::clone(&board)));
        Self { printer, started: Instant::now(), board, waits: Mutex::default(), repeats: Mutex::default(), live }
    }

    /// Says something without tearing the picture.
    pub(crate) fn say(&self, text: &str) {
        match &self.live {
            Some(bar) => bar.println(colored(text)),
            None => self.printer.note(text),
        }
    }

    /// Takes the picture away: the run is over.
    pub(crate) fn close(&self) {
        if let Some(bar) = &self.live {
            bar.finish_and_clear();
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, address: &Address, text: &str) {
        self.say(&format!("  {address:<40} {text}"));
    }

    fn show(&self, event: &Event<'_>) {
        match event {
            // The picture shows it.
            Event::Waiting { .. } if self.live.is_some() => {}
            Event::Waiting { address, state, elapsed, expected } => {
                let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
                let last = waits.get(*address);
                if last.is_none_or(|(word, at)| word != state || elapsed.saturating_sub(*at) >= REMIND) {
                    waits.insert((*address).clone(), ((*state).to_owned(), *elapsed));
                    let usual =
                        format!("{}, {} of about {}", state.to_lowercase(), spoken(*elapsed), spoken(*expected));
                    self.line(address, &usual.dimmed().to_string());
                }
            }
            Event::Retrying { address, error } if self.printer.verbose => {
                self.line(address, &format!("{}: {}, trying again", error.operation, error.code).dimmed().to_string());
            }
            Event::Held { address, by } => {
                for one in *by {
                    self.line(address, &format!("{} {one}", "held by".yellow()));
                }
            }
            Event::Swept { address, leftover } => self.line(address, &format!("{} {leftover}", "swept".red())),
            Event::Retrying { address, error } => {
                let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
                let repeated = repeats.entry((*address).clone()).or_default();
                *repeated += 1;
                if *repeated == PATIENCE + 1 {
                    self.line(address, &format!("trying again and again: {error}").dimmed().to_string());
                }
            }
            Event::Finished { address, action, elapsed } => {
                let progress = self.board().counts();
                self.line(address, &format!("{} in {} {}", done_word(*action), spoken(*elapsed), progress.dimmed()));
            }
            Event::Failed { address, error } => self.line(address, &format!("{} {error}", "failed:".red().bold())),
            Event::Started { .. } | Event::Skipped { .. } => {}
        }
    }
}

impl Sink for Progress {
    fn event(&self, event: Event<'_>) {
        self.board().event(self.started.elapsed(), &event);
        if self.printer.json {
            anstream::eprintln!("{}", event_json(&event));
        } else {
            self.show(&event);
        }
    }
}

/// The picture, drawn again and again by a thread of its own.
fn picture(board: Arc<Mutex<Board>>) -> ProgressBar {
    let draw = move |state: &ProgressState, out: &mut dyn Write| {
        let (width, height) = terminal_size::terminal_size_of(std::io::stderr())
            .map_or((80, 24), |(width, height)| (usize::from(width.0), usize::from(height.0)));
        let lines = board.lock().unwrap_or_else(PoisonError::into_inner).draw(state.elapsed(), width, height);
        _ = out.write_str(&colored(&lines.join("\n")));
    };
    let style = ProgressStyle::with_template("\n{board}").map(|style| style.with_key("board", draw));
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(FRAME);
    bar
}

/// With or without colour, as the person wants it.
fn colored(text: &str) -> String {
    match anstream::AutoStream::choice(&std::io::stderr()) {
        anstream::ColorChoice::Never => anstream::adapter::strip_str(text).to_string(),
        _ => text.to_owned(),
    }
}

/// An event as a line of JSON.
pub(crate) fn event_json(event: &Event<'_>) -> Json {
    let (name, address, mut more) = match event {
        Event::Started { address, action } => ("started", address, json!({"action": action_word(*action)})),
        Event::Waiting { address, state, elapsed, .. } => {
            ("waiting", address, json!({"state": state, "seconds": elapsed.as_secs()}))
        }
        Event::Retrying { address, error } => (
            "retrying",
            address,
            json!({"operation": error.operation, "code": error.code, "request_id": error.request_id}),
        ),
        Event::Held { address, by } => ("held", address, json!({"by": by})),
        Event::Swept { address, leftover } => {
            ("swept", address, json!({"kind": leftover.kind, "id": leftover.id, "about": leftover.about}))
        }
        Event::Finished { address, action, elapsed } => {
            ("finished", address, json!({"action": action_word(*action), "seconds": elapsed.as_secs_f64()}))
        }
        Event::Failed { address, error } => {
            ("failed", address, json!({"code": error.code(), "message": error.to_string()}))
        }
        Event::Skipped { address, because } => ("skipped", address, json!({"because": because})),
    };
    more["event"] = json!(name);
    more["address"] = json!(address);
    more
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
