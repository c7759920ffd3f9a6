//! `apply`, and what every command that changes something shares.

use super::{
    consent,
    plan::{REFUSED, SavedPlan},
    preflight,
};
use crate::{
    args::{ApplyArgs, Globals},
    exit::{Exit, Refused},
    organization, quotas,
    render::{
        Printer, Progress, outcome_json, report::where_time_went, show_ledger, show_outcome, show_plan, warn_unseen,
    },
    run::{self, RunLog, Timeline},
    session::{self, Local, Session},
    signals,
};
use anyhow::Result;
use bedplate_engine::{Engine, Journal};
use bedplate_model::{Address, Json};
use bedplate_plan::{Options, Plan};
use bedplate_platform::reminders;
use bedplate_state::{Lease, State};
use std::{fs::File, path::Path, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

pub(crate) async fn run(globals: &Globals, args: &ApplyArgs, printer: &Printer) -> Result<Exit> {
    let local = Local::open_locked(globals, "apply").await?;
    let mut session = Session::open_or_find(globals, local, printer).await?;
    organization::check(&session).await?;
    preflight::warn_private(&session, printer);
    session.warn(printer);
    let plan = match &args.file {
        Some(path) => saved_plan(path, &mut session)?,
        None => {
            let targets = session::targets(&args.targets.targets, &session.graph, &session.state)?;
            let options = Options {
                targets: targets.map(|targets| session.graph.with_dependencies(targets)),
                ..Options::default()
            };
            session.plan(&session.graph, &options).await?
        }
    };
    carry_out(&session, &plan, "Apply this plan?", args.consent.yes, "apply", printer).await.map(|(exit, _)| exit)
}

/// Reads a saved plan and checks that it still fits.
fn saved_plan(path: &Path, session: &mut Session) -> Result<Plan> {
    let refused = |what: String| {
        Refused::new(format!("{} {what}", path.display()), "make a new plan with `bedplate plan --out FILE`")
    };
    let text = fs_err::read(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    let SavedPlan { plan, choices, .. } =
        SavedPlan::read(&text).map_err(|problem| refused(format!("was not read: {problem}; nothing was touched")))?;
    if plan.format != Plan::FORMAT || &plan.stack != session.graph.stack() {
        return Err(refused(format!("is a plan of {} in format {}", plan.stack, plan.format)));
    }
    match &session.local.saved {
        Some(state) if state.lineage == plan.lineage && state.serial == plan.serial => {}
        // Before the first run there is no state on disk to compare with.
        None if plan.serial == 0 => session.state.lineage.clone_from(&plan.lineage),
        _ => return Err(refused("was made from another state: something was changed since".to_owned())),
    }
    session.state.choices = choices;
    Ok(plan)
}

/// Shows a plan, asks, carries it out, and says what came of it. Also returns the state afterwards.
pub(crate) async fn carry_out(
    session: &Session,
    plan: &Plan,
    question: &str,
    yes: bool,
    command: &str,
    printer: &Printer,
) -> Result<(Exit, State)> {
    warn_unseen(printer, plan);
    if let Some(refusal) = plan.refusals.first() {
        let all: Vec<String> = plan.refusals.iter().map(|it| format!("{}: {}", it.address, it.problem)).collect();
        let mut message = format!("nothing was touched: {}", all.join("; "));
        let mut hint = refusal.hint.as_str();
        if !printer.json && !printer.quiet {
            show_plan(printer, plan, &session.kinds);
            "nothing was touched: this plan cannot be applied".clone_into(&mut message);
            hint = REFUSED;
        }
        return Err(Refused::new(message, hint));
    }
    if plan.is_empty() {
        return nothing_to_do(session, plan, printer).await;
    }
    if !printer.json && !printer.quiet {
        show_plan(printer, plan, &session.kinds);
    }
    if !consent::ask(printer, question, yes).await? {
        printer.note("Nothing was changed.");
        return Ok((Exit::Done, session.state.clone()));
    }

    let patience = patience()?;
    let started = std::time::Instant::now();
    let journal = Journal::new(session.state.clone(), session.local.store.as_ref());
    // The choices are on disk before the first resource that follows from them.
    journal.record(|_| {}).await?;
    let progress = Arc::new(Progress::new(*printer, plan, &session.kinds));
    let cancel = CancellationToken::new();
    let walk = {
        let (cancel, progress) = (cancel.clone(), Arc::clone(&progress));
        signals::FirstSignal::is_for(move || {
            progress
                .say("\nInterrupted: nothing new is started, what is under way is recorded. Again to leave at once.");
            cancel.cancel();
        })
    };
    let mut watchers = tokio::task::JoinSet::new();
    if let Some(lease) = session.local.lease() {
        watchers.spawn(watch_lease(Arc::clone(lease), cancel.clone(), Arc::clone(&progress)));
    }
    let file = log_file(session, command, printer);
    let ledgers = [&session.aws.ledger, &session.local.stored];
    let log = RunLog::new(&*progress, file, command, plan, &session.kinds, ledgers);
    let engine = Engine::new(&session.kinds, &session.aws, &journal, &log, cancel).with_patience(patience);
    let outcome = engine.walk(plan).await;
    drop(engine);
    // What the last save left out; where it is kept was said before, if it cannot be saved now either.
    let saved = journal.flush().await.is_ok();
    let elapsed = started.elapsed();
    let quotas = quotas::values(&session.aws, &outcome.failed).await;
    watchers.shutdown().await;
    drop(walk);
    progress.close();
    let lines = log.close(outcome.failed.is_empty(), outcome.interrupted);
    let state = journal.into_state();
    if printer.json {
        let outputs = session.outputs(&state);
        printer.document(&outcome_json(&outcome, &quotas, elapsed, &session.aws.ledger, &outputs));
    } else {
        show_outcome(printer, &outcome, &quotas, elapsed, saved);
        if let Some(time) = Timeline::new(&lines).ok().as_ref().and_then(where_time_went) {
            printer.note(&time);
        }
        show_ledger(printer, &session.aws.ledger);
    }
    remind(session, &state, printer);
    let locked = session.local.lease().is_none_or(|lease| lease.holds());
    let exit = match (outcome.interrupted, outcome.failed.is_empty()) {
        _ if !saved || !locked => Exit::Failed,
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Done,
        (false, false) => Exit::Failed,
    };
    Ok((exit, state))
}

/// How long a run waits for one resource at most, in seconds: a pipeline may have less time than the slowest type takes.
const PATIENCE: &str = "BEDPLATE_PATIENCE";

fn patience() -> Result<Duration> {
    let Some(text) = std::env::var(PATIENCE).ok().filter(|text| !text.is_empty()) else { return Ok(Duration::MAX) };
    let refused =
        |_| Refused::new(format!("{PATIENCE} is `{text}`, which is no number of seconds"), "set it, or unset it");
    text.parse().map(Duration::from_secs).map_err(refused)
}

/// A run goes on without its log.
fn log_file(session: &Session, command: &str, printer: &Printer) -> Option<File> {
    match run::create(&session.local.logs, command) {
        Ok(file) => Some(file),
        Err(error) => {
            printer.warning(&format!("this run is not logged: {error:#}"));
            None
        }
    }
}

async fn nothing_to_do(session: &Session, plan: &Plan, printer: &Printer) -> Result<(Exit, State)> {
    let mut state = session.state.clone();
    // What was found again is recorded now.
    let new = session.local.saved.as_ref() != Some(&state);
    if new || !plan.outputs.is_empty() {
        let journal = Journal::new(state, session.local.store.as_ref());
        let record = |state: &mut State| {
            plan.outputs.iter().for_each(|(address, outputs)| state.tells(address, outputs.clone()));
        };
        journal.record(record).await?;
        state = journal.into_state();
    }
    if printer.json {
        let outputs = session.outputs(&state);
        let (outcome, quotas) = (bedplate_engine::Outcome::default(), quotas::Values::new());
        printer.document(&outcome_json(&outcome, &quotas, Duration::ZERO, &session.aws.ledger, &outputs));
    } else {
        show_plan(printer, plan, &session.kinds);
        show_ledger(printer, &session.aws.ledger);
    }
    remind(session, &state, printer);
    Ok((Exit::Done, state))
}

/// Says what is left for a person to do.
fn remind(session: &Session, state: &State, printer: &Printer) {
    let output = |address: &str, field: &str| state.output(&Address::new(address).ok()?, field).cloned();
    let reminders = reminders(&session.local.config, output);
    reminders.iter().filter(|_| !printer.quiet).for_each(|reminder| printer.warning(reminder));
}

/// Longer than any name or address: a certificate.
const LONG: usize = 400;

/// Prints the stack's outputs, one a line.
pub(crate) fn show_outputs(printer: &Printer, outputs: &Json) {
    for (name, value) in outputs.as_object().into_iter().flatten() {
        let text = match value.as_str() {
            Some(text) if text.contains('\n') => format!("(a whole file: `bedplate output {name}`)"),
            Some(text) if text.len() > LONG => format!("({} characters: `bedplate output {name}`)", text.len()),
            Some(text) => text.to_owned(),
            None => value.to_string(),
        };
        printer.result(&format!("{name} = {text}"));
    }
}

/// Begins nothing more once another run may have taken the lock over.
async fn watch_lease(lease: Arc<Lease>, cancel: CancellationToken, progress: Arc<Progress>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while lease.holds() {
        ticks.tick().await;
    }
    progress
        .say("warning: the lock on the state could not be kept: nothing new is started, what is under way is recorded");
    cancel.cancel();
}
