//! `bootstrap`: the one-shot command.

use super::{apply, preflight};
use crate::{
    args::{ConsentArgs, Globals},
    exit::Exit,
    quotas,
    render::Printer,
    session::{Local, Session},
};
use anyhow::Result;
use bedplate_plan::Options;

pub(crate) async fn run(globals: &Globals, args: &ConsentArgs, printer: &Printer) -> Result<Exit> {
    let local = Local::open_locked(globals, "bootstrap").await?;
    let session = Session::open_or_find(globals, local, printer).await?;
    preflight::check(&session, printer).await?;
    let mut plan = session.plan(&session.graph, &Options::default()).await?;
    quotas::check(&session, &mut plan, printer).await;
    let (exit, state) = apply::carry_out(&session, &plan, "Build this?", args.yes, "bootstrap", printer).await?;
    if exit == Exit::Done && !printer.json && !plan.is_empty() {
        printer.note("");
        apply::show_outputs(printer, &session.outputs(&state));
    }
    Ok(exit)
}
