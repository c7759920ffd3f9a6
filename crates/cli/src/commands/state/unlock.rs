//! `state unlock`: takes the lock away from a run that cannot give it back.

use super::edit::done;
use crate::{args::Globals, commands::consent, exit::Refused, render::Printer, session::Local};
use anyhow::Result;
use bedplate_state::Liveness;
use serde_json::json;

/// Hardly ever needed: the next run takes the lock of a dead one over by itself.
pub(super) async fn run(globals: &Globals, yes: bool, printer: &Printer) -> Result<()> {
    let local = Local::unread(globals).await?;
    let place = local.store.place();
    let Some(held) = local.store.held().await? else {
        done(
            printer,
            &json!({"format": 1, "unlocked": false}),
            &format!("Nobody holds the lock on the state at {place}."),
        );
        return Ok(());
    };
    if held.liveness == Liveness::Alive {
        return Err(Refused::new(
            format!("the state at {place} is in use by {}, which runs on this machine", held.by),
            "wait for it to end, or interrupt it (Ctrl-C, or kill and its process number): it saves and gives the lock back",
        ));
    }
    if held.liveness == Liveness::Elsewhere {
        printer.warning(&format!(
            "{} may be alive: a run that wants the lock finds that out by itself within a minute",
            held.by
        ));
    }
    if !consent::ask(printer, &format!("Take the lock on the state at {place} away from {}?", held.by), yes).await? {
        return Ok(());
    }
    local.store.unlock().await?;
    done(
        printer,
        &json!({"format": 1, "unlocked": true, "holder": held.by}),
        &format!("The lock of {} is gone. If that run lives, it stops before its next change.", held.by),
    );
    Ok(())
}
