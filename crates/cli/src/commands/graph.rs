//! `graph`: the dependency graph as a picture.

use crate::{
    args::{Globals, GraphArgs, GraphFormat},
    exit::Exit,
    render::Printer,
    session::{Local, Session},
};
use anyhow::Result;
use bedplate_plan::Graph;
use serde_json::json;
use std::{collections::BTreeMap, fmt::Write};

pub(crate) async fn run(globals: &Globals, args: &GraphArgs, printer: &Printer) -> Result<Exit> {
    // After the first run everything that was chosen is recorded, and AWS is not asked.
    let graph = match Local::open(globals).await?.recorded_graph()? {
        Some(graph) => graph,
        None => Session::open(globals).await?.graph,
    };
    match args.format {
        GraphFormat::Dot => printer.result(&dot(&graph)?),
        GraphFormat::Json => {
            let nodes: Vec<_> = graph
                .iter()
                .map(|(address, node)| {
                    json!({"address": address, "kind": node.kind, "depends_on": node.depends_on.keys().collect::<Vec<_>>()})
                })
                .collect();
            printer.document(&json!({"format": 1, "nodes": nodes}));
        }
    }
    Ok(Exit::Done)
}

/// One cluster per layer; an arrow leads from a resource to what it depends on, dashed where no data flows.
fn dot(graph: &Graph) -> Result<String> {
    let mut layers: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (address, node) in graph.iter() {
        layers.entry(address.layer()).or_default().push((address, node));
    }
    let mut text =
        String::from("digraph platform {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"Helvetica\"];\n");
    for (layer, nodes) in &layers {
        writeln!(text, "  subgraph \"cluster_{layer}\" {{\n    label=\"{layer}\";")?;
        for (address, node) in nodes {
            let rest = address.as_str().split_once('/').map_or(address.as_str(), |(_, rest)| rest);
            writeln!(text, "    \"{address}\" [label=\"{rest}\\n{}\"];", node.kind)?;
        }
        writeln!(text, "  }}")?;
    }
    for (address, node) in graph.iter() {
        for (to, why) in &node.depends_on {
            match why {
                None => writeln!(text, "  \"{address}\" -> \"{to}\";")?,
                Some(why) => writeln!(text, "  \"{address}\" -> \"{to}\" [style=dashed, tooltip=\"{why}\"];")?,
            }
        }
    }
    text.push('}');
    Ok(text)
}
