//! `state mv` and `state rm`: what is recorded where. AWS is not asked and nothing there changes.

use super::{recorded, similar};
use crate::{args::Globals, commands::consent, exit::Refused, render::Printer, session::Local};
use anyhow::Result;
use bedplate_model::Address;
use serde_json::json;

/// Moves a record. The resource keeps the tag that names its old address until the next apply sets it, which the plan shows.
pub(super) async fn mv(globals: &Globals, from: &str, to: &str, yes: bool, printer: &Printer) -> Result<()> {
    let local = Local::open_locked(globals, "state mv").await?;
    let mut state = local.state();
    let from = recorded(&state, from)?;
    let to =
        Address::new(to).map_err(|error| Refused::new(error.to_string(), "write it as `bedplate state list` does"))?;
    let resource = &state.resources[&from];
    if state.resources.contains_key(&to) {
        return Err(Refused::new(
            format!("{to} is taken: {} stands there", described(&state.resources[&to])),
            "move that one away first, or choose another address",
        ));
    }
    if resource.id.is_none() {
        return Err(Refused::new(
            format!("the creation of {from} was cut off, and what it made is found by that address"),
            "run `bedplate bootstrap` first; it goes on from there",
        ));
    }
    if let Some(graph) = local.recorded_graph()? {
        match graph.get(&to) {
            Some(node) if node.kind == resource.kind => {}
            Some(node) => {
                return Err(Refused::new(
                    format!("{to} is a {} in the configuration, and {from} is a {}", node.kind, resource.kind),
                    "move it to an address of its own type",
                ));
            }
            None => {
                let of_kind = graph.iter().filter(|(_, node)| node.kind == resource.kind).map(|(address, _)| address);
                let free = of_kind.filter(|address| !state.resources.contains_key(*address)).collect::<Vec<_>>();
                let alike = similar(to.as_str(), free.iter().copied());
                let hint = match alike.or(free.first().copied().filter(|_| free.len() == 1)) {
                    Some(address) => format!("did you mean `{address}`?"),
                    None => "change the configuration first: `bedplate graph --format json` shows what it declares"
                        .to_owned(),
                };
                return Err(Refused::new(
                    format!(
                        "the configuration declares nothing at {to}, so the next apply would remove what stands there"
                    ),
                    hint,
                ));
            }
        }
        // Until its tag is set, it would be found at both addresses.
        if graph.get(&from).is_some() {
            return Err(Refused::new(
                format!(
                    "the configuration still declares {from}, so the next apply would take the resource back there"
                ),
                format!("take {from} out of the configuration first"),
            ));
        }
    }
    let what = described(resource);
    if !consent::ask(printer, &format!("Record {what} at {to} instead of {from}?"), yes).await? {
        return Ok(());
    }
    state.rename(&from, &to);
    local.save(state).await?;
    done(printer, &json!({"format": 1, "from": from, "to": to}), &format!("{what} is recorded at {to} now."));
    printer.note("Its tag in AWS still names the old address; the next apply sets it.");
    Ok(())
}

/// Forgets a record.
pub(super) async fn rm(globals: &Globals, address: &str, yes: bool, printer: &Printer) -> Result<()> {
    let local = Local::open_locked(globals, "state rm").await?;
    let mut state = local.state();
    let address = recorded(&state, address)?;
    let what = described(&state.resources[&address]);
    let question = format!("Forget {what} at {address}? It stays in AWS, and goes on costing what it costs.");
    if !consent::ask(printer, &question, yes).await? {
        return Ok(());
    }
    state.forget(&address);
    local.save(state).await?;
    done(printer, &json!({"format": 1, "forgotten": address}), &format!("{what} at {address} is forgotten."));
    printer.note(
        "It stays in AWS, with its tags. `bedplate state recover` brings it back into the state; so does the next apply, as long \
         as it is declared.",
    );
    Ok(())
}

fn described(resource: &bedplate_state::Resource) -> String {
    match &resource.id {
        Some(id) => format!("{} {id}", resource.kind),
        None => resource.kind.clone(),
    }
}

pub(super) fn done(printer: &Printer, document: &serde_json::Value, text: &str) {
    if printer.json { printer.document(document) } else { printer.result(text) }
}
