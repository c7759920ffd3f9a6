//! The dependency graph as a picture.

mod dot;
mod layout;
mod page;

pub(crate) use dot::dot;
pub(crate) use page::{html, svg};

use bedplate_model::Json;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

/// What there is to draw: pure data, from whichever source.
#[derive(Debug)]
pub(crate) struct Picture {
    /// The stack.
    pub(crate) title: String,
    /// The resources, each after what it depends on.
    pub(crate) nodes: Vec<Node>,
}

/// A resource.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) address: String,
    pub(crate) kind: String,
    /// How long it usually takes to make.
    pub(crate) expected: Duration,
    pub(crate) status: Status,
    /// What it depends on, by position, with the reason where no data flows.
    pub(crate) depends_on: BTreeMap<usize, Option<&'static str>>,
}

/// How a resource stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Declared, not made.
    Declared,
    /// As it was last applied.
    Ready,
    /// A run was cut off while it worked on it.
    Unfinished,
    /// AWS shows something else than was applied.
    Drifted,
}

impl Status {
    pub(crate) const ALL: [Self; 4] = [Self::Declared, Self::Ready, Self::Unfinished, Self::Drifted];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Ready => "ready",
            Self::Unfinished => "unfinished",
            Self::Drifted => "drifted",
        }
    }
}

impl Node {
    pub(crate) fn layer(&self) -> &str {
        self.address.split('/').next().unwrap_or(&self.address)
    }

    /// The address without its layer.
    pub(crate) fn name(&self) -> &str {
        self.address.split_once('/').map_or(&*self.address, |(_, rest)| rest)
    }
}

/// Nodes and edges for scripts.
pub(crate) fn graph_json(picture: &Picture) -> Json {
    let nodes: Vec<Json> = picture
        .nodes
        .iter()
        .map(|node| {
            let depends_on: Vec<&str> =
                node.depends_on.keys().map(|&index| picture.nodes[index].address.as_str()).collect();
            json!({
                "address": node.address,
                "kind": node.kind,
                "status": node.status.word(),
                "expected_seconds": node.expected.as_secs(),
                "depends_on": depends_on,
            })
        })
        .collect();
    json!({"format": 1, "nodes": nodes})
}
