//! `state recover`: the state, rebuilt from what exists. Nothing in AWS is changed.
//!
//! What is ours says so by its tags, or has a name that only a resource of ours can have. A state that is there already is
//! brought up to date: what it knows stays as it is recorded.

use crate::{
    args::Globals,
    exit::Refused,
    render::{Printer, count},
    session::{Account, Local, Session, search_account, warn_unsearched},
};
use anyhow::Result;
use bedplate_engine::{Foreign, Recovered};
use serde_json::json;

/// Asks nothing: it removes no record that a run would need, and the state of before is kept like before every run.
pub(super) async fn run(globals: &Globals, printer: &Printer) -> Result<()> {
    let local = Local::open_locked(globals, "state recover").await?;
    let account = Account::connect(globals, &local).await?;
    let before = local.saved.clone();
    let search = search_account(&local, &account).await;
    let (session, recovered) = Session::find_again(local, account, search).await?;
    if before.as_ref() != Some(&recovered.state) {
        session.local.save(recovered.state.clone()).await?;
    }
    show(printer, &recovered, &session.local.store.place());
    warn_unsearched(printer, &recovered);
    refuse(&recovered.foreign)
}

fn show(printer: &Printer, recovered: &Recovered, place: &str) {
    let Recovered { state, found, undeclared, foreign, .. } = recovered;
    if printer.json {
        let foreign: Vec<_> =
            foreign.iter().map(|it| json!({"address": it.address, "kind": it.kind, "id": it.id})).collect();
        printer.document(&json!({
            "format": 1,
            "ok": foreign.is_empty(),
            "resources": state.resources.len(),
            "recovered": found,
            "undeclared": undeclared,
            "foreign": foreign,
        }));
        return;
    }
    for address in found {
        let resource = &state.resources[address];
        let id = resource.id.as_ref().map(ToString::to_string).unwrap_or_default();
        printer.result(&format!("{address:<40} {} {id}", resource.kind));
    }
    let known = count(state.resources.len(), "resource");
    printer.note(&format!("{} found again; the state at {place} has {known}.", found.len()));
    if !undeclared.is_empty() {
        printer.warning(&format!(
            "the configuration does not declare {} of them, so the next apply removes {}",
            undeclared.len(),
            undeclared.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ));
    }
    printer.note("`bedplate plan` shows what is left to do.");
}

/// What has our names and not our tags.
fn refuse(foreign: &[Foreign]) -> Result<()> {
    let named: Vec<String> = foreign.iter().map(|it| format!("{} ({} {})", it.address, it.kind, it.id)).collect();
    let Some(first) = foreign.first() else { return Ok(()) };
    Err(Refused::new(
        format!(
            "{} our name and no ownership tag of this stack; left alone, and not in the state: {}",
            if named.len() == 1 { "1 resource has".to_owned() } else { format!("{} resources have", named.len()) },
            named.join(", ")
        ),
        format!(
            "choose another name in the configuration, remove it if nobody needs it, or take it over with `bedplate import {} \
             '{}'`",
            first.address, first.id
        ),
    ))
}
