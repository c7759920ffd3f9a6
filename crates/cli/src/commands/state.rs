//! `state`: what is recorded.

use crate::{
    args::{Globals, StateCommand},
    exit::{Exit, Refused},
    render::Printer,
    session::Local,
};
use anyhow::Result;
use bedplate_model::Address;
use serde_json::json;

pub(crate) async fn run(globals: &Globals, command: &StateCommand, printer: &Printer) -> Result<Exit> {
    let state = Local::open(globals).await?.state();
    match command {
        StateCommand::List if printer.json => {
            printer.document(&json!({"format": 1, "resources": state.resources.keys().collect::<Vec<_>>()}));
        }
        StateCommand::List => state.resources.keys().for_each(|address| printer.result(address.as_str())),
        StateCommand::Show { address } => {
            let recorded = Address::new(address.as_str()).ok().and_then(|address| state.resources.get(&address));
            let missing =
                || Refused::new(format!("nothing is recorded at {address}"), "`bedplate state list` shows what is");
            printer.document(&json!(recorded.ok_or_else(missing)?));
        }
    }
    Ok(Exit::Done)
}
