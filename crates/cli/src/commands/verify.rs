//! `verify`: does the running platform keep its promises?

use crate::{
    args::Globals,
    exit::{Exit, Refused},
    render::{Printer, count, ledger_json, show_ledger},
    session::Session,
};
use anyhow::Result;
use bedplate_model::Json;
use bedplate_platform::promise::{Kept, Verdict, verdicts};
use owo_colors::OwoColorize;
use serde_json::json;

pub(crate) async fn run(globals: &Globals, printer: &Printer) -> Result<Exit> {
    let session = Session::open(globals).await?;
    if session.local.saved.is_none() {
        return Err(Refused::new("nothing was applied yet, so nothing can be verified", "run `bedplate bootstrap`"));
    }
    let observations = session.observe().await?;
    let verdicts = verdicts(&session.local.config, &session.graph, &observations);
    let broken = verdicts.iter().filter(|verdict| matches!(verdict.kept(), Kept::No(_))).count();
    if printer.json {
        printer.document(&json!({
            "format": 1,
            "ok": broken == 0,
            "promises": verdicts.iter().map(verdict_json).collect::<Vec<_>>(),
            "api_calls": session.aws.ledger.calls(),
            "api_ledger": ledger_json(&session.aws.ledger),
        }));
    } else {
        show(&verdicts, printer);
        show_ledger(printer, &session.aws.ledger);
    }
    if broken == 0 {
        return Ok(Exit::Done);
    }
    printer.error(
        &format!("{} broken", count(broken, "promise")),
        Some(
            &"`bedplate drift` shows what was changed outside bedplate, and `bedplate drift --repair` puts it back"
                .into(),
        ),
    );
    Ok(Exit::Failed)
}

fn show(verdicts: &[Verdict], printer: &Printer) {
    for verdict in verdicts {
        let word = match verdict.kept() {
            Kept::Yes => "ok      ".green().to_string(),
            Kept::NotSeen(_) => "not seen".yellow().to_string(),
            Kept::No(_) => "broken  ".red().bold().to_string(),
        };
        let number = match verdict.resources.len() {
            1 => String::new(),
            number => format!(" ({number})"),
        };
        printer.result(&format!("{word}  {:<10} {}{}", verdict.layer, verdict.what, number.dimmed()));
        for (address, kept) in &verdict.resources {
            if let Kept::NotSeen(why) | Kept::No(why) = kept {
                printer.result(&format!("            {address}: {}", why.dimmed()));
            }
        }
    }
    let kept = verdicts.iter().filter(|verdict| *verdict.kept() == Kept::Yes).count();
    printer.result(&format!("\n{kept} of {} kept.", count(verdicts.len(), "promise")));
}

fn verdict_json(verdict: &Verdict) -> Json {
    let resources = verdict.resources.iter().map(|(address, kept)| {
        let (status, why) = status(kept);
        json!({"address": address, "status": status, "why": why})
    });
    json!({
        "layer": verdict.layer,
        "what": verdict.what,
        "status": status(verdict.kept()).0,
        "resources": resources.collect::<Vec<_>>(),
    })
}

fn status(kept: &Kept) -> (&'static str, Option<&str>) {
    match kept {
        Kept::Yes => ("ok", None),
        Kept::NotSeen(why) => ("not_seen", Some(why)),
        Kept::No(why) => ("broken", Some(why)),
    }
}
