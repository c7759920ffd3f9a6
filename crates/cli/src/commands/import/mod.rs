//! `import`: takes over what exists. It gets the ownership tags and a record; nothing else of it is changed.

mod terraform;

use super::{apply, state::similar};
use crate::{
    args::{Globals, ImportArgs},
    exit::{Exit, Refused},
    render::{Printer, plan_json, show_plan},
    session::Session,
};
use anyhow::Result;
use bedplate_engine::{ImportError, SurveyError, import};
use bedplate_model::{Address, Class, Id};
use bedplate_plan::Plan;
use owo_colors::OwoColorize;
use serde_json::json;
use std::collections::BTreeMap;

pub(crate) async fn run(globals: &Globals, args: &ImportArgs, printer: &Printer) -> Result<Exit> {
    let listed = args.from_terraform.as_deref().map(terraform::read).transpose()?;
    let session = Session::open_locked(globals, "import").await?;
    let wanted = match (&listed, &args.address, &args.id) {
        (Some(file), ..) => terraform::matched(file, &session, printer).await?,
        (None, Some(address), Some(id)) => one(&session, address, id, printer)?,
        _ => None,
    };
    let Some(wanted) = wanted else { return Ok(Exit::Done) };
    let planned = import(&session.kinds, &session.aws, &session.graph, &session.state, &wanted).await;
    let planned = planned.map_err(|error| not_an_id(error, &wanted))?;
    if let Some(first) = planned.plan.refusals.first() {
        let all = planned.plan.refusals.iter().map(|it| format!("{}: {}", it.address, it.problem));
        let all = all.collect::<Vec<_>>().join("; ");
        return Err(Refused::new(format!("nothing was touched: {all}"), first.hint.clone()));
    }
    show_next(&planned.next, &session, printer);
    let (exit, _) =
        apply::carry_out(&session, &planned.plan, "Take this over?", args.consent.yes, "import", printer).await?;
    if exit == Exit::Done && !planned.next.is_empty() {
        printer.note("`bedplate plan` shows what the next apply changes in it.");
    }
    Ok(exit)
}

/// The one resource that the arguments name; `None` when it is recorded already.
fn one(session: &Session, address: &str, id: &str, printer: &Printer) -> Result<Option<BTreeMap<Address, Id>>> {
    let address = declared(session, address)?;
    let Some(node) = session.graph.get(&address) else { return Ok(None) };
    let id = Id::new(id);
    if let Some(recorded) = session.state.resources.get(&address) {
        if recorded.id.as_ref() == Some(&id) {
            let text = format!("{address} is recorded as {id} already: nothing to do.");
            match printer.json {
                true => printer.document(&json!({"format": 1, "ok": true, "done": [], "failed": [], "skipped": []})),
                false => printer.result(&text),
            }
            return Ok(None);
        }
        let stands = recorded.id.as_ref().map_or_else(|| "one that was not finished".to_owned(), ToString::to_string);
        return Err(Refused::new(
            format!("{address} is taken: {} {stands} is recorded there", recorded.kind),
            format!("`bedplate state rm {address}` forgets that one; it stays in AWS"),
        ));
    }
    let mut others = session.state.resources.iter();
    if let Some((other, _)) = others.find(|(_, it)| it.kind == node.kind && it.id.as_ref() == Some(&id)) {
        return Err(Refused::new(
            format!("{} {id} is this stack's already: it is recorded at {other}", node.kind),
            format!("`bedplate state mv {other} {address}` records it at the other address"),
        ));
    }
    Ok(Some(BTreeMap::from([(address, id)])))
}

/// The address that a person wrote, when the configuration declares something there.
fn declared(session: &Session, text: &str) -> Result<Address> {
    let found = Address::new(text).ok().filter(|address| session.graph.get(address).is_some());
    found.ok_or_else(|| {
        let all = "`bedplate graph --format json` shows what it declares";
        let hint = match similar(text, session.graph.iter().map(|(address, _)| address)) {
            Some(address) => format!("did you mean `{address}`? {all}"),
            None => all.to_owned(),
        };
        Refused::new(format!("the configuration declares nothing at {text}"), hint)
    })
}

/// What AWS says of a text that is no id at all.
fn not_an_id(error: ImportError, wanted: &BTreeMap<Address, Id>) -> anyhow::Error {
    match (&error, wanted.first_key_value()) {
        (ImportError::Survey(SurveyError::Call { kind, source }), Some((_, id)))
            if wanted.len() == 1 && matches!(source.class, Class::Invalid | Class::NotFound) =>
        {
            Refused::new(
                format!("AWS does not take {id} for the id of a {kind}: {}", source.message),
                "check the id, the region and the account",
            )
        }
        _ => error.into(),
    }
}

/// What the next apply would change in what is taken over.
fn show_next(next: &Plan, session: &Session, printer: &Printer) {
    if printer.json {
        let changes = plan_json(next, &session.kinds, &session.aws.ledger)["changes"].take();
        printer.event(&json!({"event": "next_apply", "changes": changes}));
    } else if next.is_empty() {
        printer.note("It is as the configuration says: the next apply changes nothing in it.");
    } else if !printer.quiet {
        printer.result(&"What the next apply would change in it:".bold().to_string());
        show_plan(printer, next, &session.kinds);
        printer.result(&format!("\n{}", "What the import does:".bold()));
    }
}
