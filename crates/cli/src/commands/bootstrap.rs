//! `bootstrap`: the one-shot command.

use super::{apply, preflight};
use crate::{
    args::{ConsentArgs, Globals},
    exit::{Beforehand, Exit},
    permissions,
    render::Printer,
    session::{Local, Session},
};
use anyhow::Result;
use bedplate_plan::{Options, Plan};

pub(crate) async fn run(globals: &Globals, args: &ConsentArgs, printer: &Printer) -> Result<Exit> {
    let (session, plan) = prepare(globals, printer).await.map_err(Beforehand::refused)?;
    let (exit, state) = apply::carry_out(&session, &plan, "Build this?", args.yes, "bootstrap", printer).await?;
    if exit == Exit::Done && !printer.json && !plan.is_empty() {
        printer.note("");
        apply::show_outputs(printer, &session.outputs(&state));
    }
    Ok(exit)
}

/// What is checked and planned before anybody is asked. The cluster's API needs no look of its own, as in a preflight: the plan
/// looks at what lies in it, and warns where that cannot be seen.
async fn prepare(globals: &Globals, printer: &Printer) -> Result<(Session, Plan)> {
    let local = Local::open_locked(globals, "bootstrap").await?;
    let session = Session::open_or_find(globals, local, printer).await?;
    // A first run says all that is missing at once. A later one asks only where something is to change: "no changes" takes no
    // call more than a plan.
    let first = session.local.saved.is_none();
    if first {
        permissions::check(&session, printer).await?;
    }
    preflight::check(&session, printer).await?;
    let mut plan = session.plan(&session.graph, &Options::default()).await?;
    if !first && !plan.is_empty() {
        permissions::check(&session, printer).await?;
    }
    preflight::complete(&session, &mut plan, printer).await;
    Ok((session, plan))
}
