//! `state`: what is recorded, and how to set it right by hand.

mod edit;
mod recover;
mod transfer;
mod unlock;

use crate::{
    args::{Globals, StateCommand},
    exit::{Exit, Refused},
    render::Printer,
    session::Local,
};
use anyhow::Result;
use bedplate_model::Address;
use bedplate_state::State;
use serde_json::json;

pub(crate) async fn run(globals: &Globals, command: &StateCommand, printer: &Printer) -> Result<Exit> {
    match command {
        StateCommand::List => list(&Local::open(globals).await?.state(), printer),
        StateCommand::Show { address } => {
            let state = Local::open(globals).await?.state();
            printer.document(&json!(state.resources[&recorded(&state, address)?]));
        }
        StateCommand::Mv { from, to, consent } => edit::mv(globals, from, to, consent.yes, printer).await?,
        StateCommand::Rm { address, consent } => edit::rm(globals, address, consent.yes, printer).await?,
        StateCommand::Unlock(consent) => unlock::run(globals, consent.yes, printer).await?,
        StateCommand::Recover(_) => recover::run(globals, printer).await?,
        StateCommand::Pull => transfer::pull(globals, printer).await?,
        StateCommand::Push { file, consent } => transfer::push(globals, file.as_deref(), consent.yes, printer).await?,
    }
    Ok(Exit::Done)
}

fn list(state: &State, printer: &Printer) {
    if printer.json {
        printer.document(&json!({"format": 1, "resources": state.resources.keys().collect::<Vec<_>>()}));
    } else {
        state.resources.keys().for_each(|address| printer.result(address.as_str()));
    }
}

/// The address that a person wrote, when something is recorded there.
fn recorded(state: &State, text: &str) -> Result<Address> {
    let found = Address::new(text).ok().filter(|address| state.resources.contains_key(address));
    found.ok_or_else(|| {
        let hint = match similar(text, state.resources.keys()) {
            Some(address) => format!("did you mean `{address}`? `bedplate state list` shows all"),
            None => "`bedplate state list` shows what is recorded".to_owned(),
        };
        Refused::new(format!("nothing is recorded at {text}"), hint)
    })
}

/// The address that is most like a text, if one is.
pub(super) fn similar<'a>(text: &str, addresses: impl Iterator<Item = &'a Address>) -> Option<&'a Address> {
    let scored = addresses.map(|address| (strsim::jaro_winkler(text, address.as_str()), address));
    scored.filter(|(score, _)| *score > 0.8).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, address)| address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        let all = ["network/vpc", "network/subnet/app-a", "cluster/addon/coredns"].map(|it| Address::new(it).unwrap());
        let similar = |text| similar(text, all.iter()).map(Address::as_str);
        assert_eq!(similar("network/vcp"), Some("network/vpc"));
        assert_eq!(similar("network/subnet/app-A"), Some("network/subnet/app-a"));
        assert_eq!(similar("xyz"), None);
    }
}
