//! `graph`: the dependency graph as a picture.

use super::drift;
use crate::{
    args::{Globals, GraphArgs, GraphFormat},
    exit::Exit,
    render::{
        Printer,
        graph::{Node, Picture, Status, dot, graph_json, html, svg},
    },
    session::{Local, Session},
};
use anyhow::Result;
use bedplate_aws::KINDS;
use bedplate_engine::Kinds;
use bedplate_model::Address;
use bedplate_plan::{Graph, Options, Schemas};
use bedplate_state::State;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) async fn run(globals: &Globals, args: &GraphArgs, printer: &Printer) -> Result<Exit> {
    let picture = if args.drift {
        let session = Session::open(globals).await?;
        let plan = session.plan(&session.graph, &Options::default()).await?;
        let drifted = plan.changes.iter().filter(|change| drift::drifted(change)).map(|change| &change.address);
        picture(&session.graph, Some(&session.state), &drifted.collect())
    } else {
        let local = Local::open(globals).await?;
        // After the first run everything that was chosen is recorded, and AWS is not asked.
        match local.recorded_graph()? {
            Some(graph) => picture(&graph, local.saved.as_ref(), &BTreeSet::new()),
            None => picture(&Session::open(globals).await?.graph, None, &BTreeSet::new()),
        }
    };
    // Who wants JSON and names no format wants the graph as JSON.
    let format = args.format.unwrap_or(if printer.json { GraphFormat::Json } else { GraphFormat::Dot });
    match format {
        GraphFormat::Dot => printer.result(&dot(&picture)),
        GraphFormat::Svg => printer.result(&svg(&picture)),
        GraphFormat::Html => printer.result(&html(&picture)),
        GraphFormat::Json => printer.document(&graph_json(&picture)),
    }
    Ok(Exit::Done)
}

/// What is declared, how it stands, and what differs in AWS.
fn picture(graph: &Graph, state: Option<&State>, drifted: &BTreeSet<&Address>) -> Picture {
    let kinds = Kinds::new(KINDS);
    let positions: BTreeMap<&Address, usize> =
        graph.iter().enumerate().map(|(index, (address, _))| (address, index)).collect();
    let nodes = graph.iter().map(|(address, node)| {
        let recorded = state.and_then(|state| state.resources.get(address));
        let status = match recorded.map(|recorded| recorded.status) {
            None => Status::Declared,
            Some(_) if drifted.contains(address) => Status::Drifted,
            Some(bedplate_state::Status::Ready) => Status::Ready,
            Some(_) => Status::Unfinished,
        };
        Node {
            address: address.to_string(),
            kind: node.kind.to_owned(),
            expected: kinds.schema(node.kind).map_or(std::time::Duration::ZERO, |schema| schema.pace().expected),
            status,
            depends_on: node.depends_on.iter().map(|(address, need)| (positions[address], need.why())).collect(),
        }
    });
    Picture { title: graph.stack().to_string(), nodes: nodes.collect() }
}
