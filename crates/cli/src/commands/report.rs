//! `report`: what a run did and where its time went.

use crate::{
    args::{Globals, ReportArgs},
    exit::{Exit, Refused},
    render::{
        Printer,
        report::{html, report_json, show_report},
    },
    run::{Timeline, newest, read},
    session,
};
use anyhow::Result;

pub(crate) fn run(globals: &Globals, args: &ReportArgs, printer: &Printer) -> Result<Exit> {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => newest(&session::log_place(globals, &session::load_config(globals)?))?
            .ok_or_else(|| Refused::new("no run has been logged yet", "run `bedplate bootstrap`, or name a log"))?,
    };
    let timeline = Timeline::new(&read(&path)?)?;
    if args.html {
        printer.result(&html(&timeline));
    } else if printer.json {
        printer.document(&report_json(&timeline));
    } else {
        show_report(printer, &timeline);
    }
    Ok(Exit::Done)
}
