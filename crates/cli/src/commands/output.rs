//! `output`: the results, from the state alone.

use super::apply::show_outputs;
use crate::{
    args::{Globals, OutputArgs},
    exit::{Exit, Refused},
    render::Printer,
    session::{Local, outputs},
};
use anyhow::Result;
use bedplate_model::Json;

pub(crate) async fn run(globals: &Globals, args: &OutputArgs, printer: &Printer) -> Result<Exit> {
    let all = known(globals).await?;
    let Some(name) = &args.name else {
        if printer.json {
            printer.document(&all)
        } else {
            show_outputs(printer, &all)
        }
        return Ok(Exit::Done);
    };
    let Some(value) = all.get(name) else {
        let names: Vec<&str> = all.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        return Err(Refused::new(format!("there is no output `{name}`"), format!("there are {}", names.join(", "))));
    };
    match value {
        Json::String(text) if args.raw || !printer.json => printer.result(text),
        other => printer.document(other),
    }
    Ok(Exit::Done)
}

/// Every output that is known by now.
pub(crate) async fn known(globals: &Globals) -> Result<Json> {
    let local = Local::open(globals).await?;
    let graph = local.recorded_graph()?;
    match (&local.saved, graph) {
        (Some(state), Some(graph)) => Ok(outputs(&graph, state)),
        // Some settings have a part that is decided once, by the next plan: a version of the cluster, with its add-ons.
        (Some(_), None) => Err(Refused::new(
            "the configuration was changed since the last apply in a way that changes what the outputs are made of",
            "run `bedplate apply`, or look at them with the configuration as it was",
        )),
        _ => Err(Refused::new("nothing is built yet, so there are no outputs", "run `bedplate bootstrap`")),
    }
}
