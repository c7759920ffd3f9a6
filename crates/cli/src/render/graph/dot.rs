//! For Graphviz.

use super::Picture;
use std::{collections::BTreeMap, fmt::Write};

/// One cluster per layer; an arrow leads from a resource to what it depends on, dashed where no data flows.
pub(crate) fn dot(picture: &Picture) -> String {
    let mut layers: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for node in &picture.nodes {
        layers.entry(node.layer()).or_default().push(node);
    }
    let mut text =
        String::from("digraph platform {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"Helvetica\"];\n");
    for (layer, nodes) in &layers {
        _ = writeln!(text, "  subgraph \"cluster_{layer}\" {{\n    label=\"{layer}\";");
        for node in nodes {
            _ = writeln!(text, "    \"{}\" [label=\"{}\\n{}\"];", node.address, node.name(), node.kind);
        }
        _ = writeln!(text, "  }}");
    }
    for node in &picture.nodes {
        for (&to, why) in &node.depends_on {
            let (from, to) = (&node.address, &picture.nodes[to].address);
            _ = match why {
                None => writeln!(text, "  \"{from}\" -> \"{to}\";"),
                Some(why) => writeln!(text, "  \"{from}\" -> \"{to}\" [style=dashed, tooltip=\"{why}\"];"),
            };
        }
    }
    text.push('}');
    text
}
