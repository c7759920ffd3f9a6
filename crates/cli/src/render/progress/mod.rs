//! What happens during a run: a live picture on a terminal, a line per event in a log, JSON lines for scripts.

mod board;
mod lines;
#[cfg(test)]
mod samples;

use super::{Printer, plan::action_word};
use bedplate_engine::{Event, Sink};
use bedplate_model::Json;
use bedplate_plan::{Plan, Schemas};
use board::Board;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use lines::Lines;
use serde_json::json;
use std::{
    fmt::Write,
    io::IsTerminal,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How often the live picture is drawn again.
const FRAME: Duration = Duration::from_millis(200);

/// Shows events as they happen.
#[derive(Debug)]
pub(crate) struct Progress {
    printer: Printer,
    started: Instant,
    board: Arc<Mutex<Board>>,
    lines: Mutex<Lines>,
    live: Option<ProgressBar>,
}

impl Progress {
    /// For a plan that is about to be carried out.
    pub(crate) fn new(printer: Printer, plan: &Plan, schemas: &dyn Schemas) -> Self {
        let board = Arc::new(Mutex::new(Board::new(plan, schemas)));
        let live = !printer.json && !printer.quiet && std::io::stderr().is_terminal();
        let live = live.then(|| picture(Arc::clone(&board)));
        let lines = Lines::new(live.is_some(), printer.verbose);
        Self { printer, started: Instant::now(), board, lines: Mutex::new(lines), live }
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
}

impl Sink for Progress {
    fn event(&self, event: Event<'_>) {
        let now = self.started.elapsed();
        self.board().event(now, &event);
        if self.printer.json {
            anstream::eprintln!("{}", event_json(&event));
            return;
        }
        let said = self.lines.lock().unwrap_or_else(PoisonError::into_inner).of(&event, now, &self.board());
        said.iter().for_each(|line| self.say(line));
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
