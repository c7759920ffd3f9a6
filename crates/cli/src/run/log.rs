//! The log file of a run: `<state>.runs/<time>-<command>.jsonl`, mode 0600.

use super::{FORMAT, Line, What, effects};
use anyhow::{Context, Result};
use bedplate_aws::{Called, Ledger, Listener};
use bedplate_engine::{Event, Sink};
use bedplate_plan::{Plan, Schemas};
use bedplate_state::private;
use std::{
    ffi::OsStr,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// How many logs are kept; the oldest go when a run begins.
const KEPT: usize = 50;

/// Writes down what happens, and passes it on.
pub(crate) struct RunLog<'a> {
    next: &'a dyn Sink,
    lines: Mutex<Vec<Line>>,
    writer: Arc<Writer>,
}

/// What is written down, event by event and call by call.
#[derive(Debug)]
struct Writer {
    started: Instant,
    file: Option<Mutex<File>>,
}

impl<'a> RunLog<'a> {
    /// A log that begins with the plan, and with the calls of these ledgers until then. It is kept in memory only, and without the calls, where no `file` can be had.
    pub(crate) fn new(
        next: &'a dyn Sink,
        file: Option<File>,
        command: &str,
        plan: &Plan,
        schemas: &dyn Schemas,
        ledgers: [&Ledger; 2],
    ) -> Self {
        let writer = Arc::new(Writer { started: Instant::now(), file: file.map(Mutex::new) });
        let log = Self { next, lines: Mutex::default(), writer };
        log.write(What::Run {
            format: FORMAT,
            command: command.to_owned(),
            stack: plan.stack.to_string(),
            started: jiff::ZonedDateTime::now().strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
            effects: effects(plan, schemas),
        });
        ledgers.into_iter().for_each(|ledger| ledger.tell(&log.writer));
        log
    }

    /// Notes how the run ended, and gives everything that was written.
    pub(crate) fn close(self, ok: bool, interrupted: bool) -> Vec<Line> {
        self.write(What::End { ok, interrupted });
        self.lines.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, what: What) {
        let line = Line { at: self.writer.started.elapsed().as_secs_f64(), what };
        self.writer.write(&line);
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

impl Writer {
    fn write(&self, line: &Line) {
        if let (Some(file), Ok(mut text)) = (&self.file, serde_json::to_vec(line)) {
            text.push(b'\n');
            // The log helps to understand a run; a run does not fail for want of it.
            _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&text);
        }
    }
}

impl Listener for Writer {
    fn called(&self, call: &Called) {
        let over = call.began + call.took;
        let at = match over.checked_duration_since(self.started) {
            Some(after) => after.as_secs_f64(),
            None => -self.started.duration_since(over).as_secs_f64(),
        };
        self.write(&Line { at, what: What::from(call) });
    }
}

impl Sink for RunLog<'_> {
    fn event(&self, event: Event<'_>) {
        self.write(What::from(&event));
        self.next.event(event);
    }
}

/// Where the logs of a state are.
fn folder(state: &Path) -> PathBuf {
    state.with_extension("runs")
}

/// Makes the log file of a run that begins now, and lets go of the oldest ones.
pub(crate) fn create(state: &Path, command: &str) -> Result<File> {
    let folder = folder(state);
    if let Some(above) = folder.parent() {
        fs_err::create_dir_all(above)?;
    }
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut old = logs(&folder)?;
    old.truncate(old.len().saturating_sub(KEPT - 1));
    for path in old {
        fs_err::remove_file(path)?;
    }
    let name = format!("{}-{command}.jsonl", jiff::Timestamp::now().strftime("%Y-%m-%dT%H-%M-%SZ"));
    let mut options = fs_err::OpenOptions::new();
    options.append(true).create(true);
    private(&mut options);
    Ok(options.open(folder.join(name))?.into_parts().0)
}

/// The log of the newest run.
pub(crate) fn newest(state: &Path) -> Result<Option<PathBuf>> {
    let folder = folder(state);
    Ok(if folder.exists() { logs(&folder)?.pop() } else { None })
}

/// The logs, the oldest first.
fn logs(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new("jsonl")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Reads a log. A last line that a crash cut off is left out.
pub(crate) fn read(path: &Path) -> Result<Vec<Line>> {
    let text = fs_err::read_to_string(path)?;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(line) => lines.push(line),
            Err(_) if !text.ends_with('\n') && number + 1 == text.lines().count() => {}
            Err(error) => anyhow::bail!("{}:{}: not a line of a run's log: {error}", path.display(), number + 1),
        }
    }
    Ok(lines)
}
