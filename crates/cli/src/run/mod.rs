//! What happened in a run: a log of JSON lines beside the state, and what follows from it.

mod log;
mod timeline;

pub(crate) use log::{RunLog, create, newest, read};
#[cfg(test)]
pub(crate) use timeline::tests::lines as sample;
pub(crate) use timeline::{Ending, Span, Timeline};

use bedplate_aws::Called;
use bedplate_engine::{Event, described};
use bedplate_model::Outsider;
use bedplate_plan::{Plan, Schemas, expected, schedule};
use serde::{Deserialize, Serialize};

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Seconds since the start of the run, when it was over or happened.
    pub(crate) at: f64,
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum What {
    /// The run begins.
    Run { format: u32, command: String, stack: String, started: String, effects: Vec<Effect> },
    /// An effect begins.
    Started { address: String, action: String },
    /// AWS works on it, in AWS's words.
    Waiting { address: String, state: String },
    /// A call failed in a way that passes.
    Retrying { address: String, operation: String, code: String, request_id: Option<String> },
    /// Something is in the way of a removal.
    Held { address: String, by: Vec<Outsider> },
    /// What others left behind under its name was removed.
    Swept { address: String, leftover: Outsider },
    /// An effect is complete.
    Finished { address: String, action: String },
    /// An effect failed.
    Failed { address: String, code: String, message: String },
    /// An effect was not tried.
    Skipped { address: String, because: Option<String> },
    /// A call is over, whatever came of it; those for the plan were before the run, at a time below 0. Only in the file.
    Call { operation: String, request_id: Option<String>, status: Option<u16>, attempts: u64, seconds: f64 },
    /// The run is over.
    End { ok: bool, interrupted: bool },
}

/// An effect of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Effect {
    pub(crate) address: String,
    pub(crate) kind: String,
    pub(crate) action: String,
    /// How long it usually takes, in seconds.
    pub(crate) expected: u64,
    /// The effects it waits for, by position.
    pub(crate) after: Vec<usize>,
}

/// The version of the log's format.
pub(crate) const FORMAT: u32 = 1;

/// The effects of a plan, in the order of its schedule.
pub(crate) fn effects(plan: &Plan, schemas: &dyn Schemas) -> Vec<Effect> {
    let graph = schedule(plan, schemas).graph;
    let effect = |node| {
        let (change, action) = described(plan, graph[node]);
        Effect {
            address: change.address.to_string(),
            kind: change.kind.clone(),
            action: word(action),
            expected: expected(change, schemas).as_secs(),
            after: graph.neighbors_directed(node, petgraph::Direction::Incoming).map(|node| node.index()).collect(),
        }
    };
    graph.node_indices().map(effect).collect()
}

fn word(action: bedplate_plan::Action) -> String {
    crate::render::action_word(action).to_owned()
}

impl From<&Called> for What {
    fn from(call: &Called) -> Self {
        Self::Call {
            operation: call.operation.clone(),
            request_id: call.request_id.clone(),
            status: call.status,
            attempts: call.attempts,
            seconds: call.took.as_secs_f64(),
        }
    }
}

impl From<&Event<'_>> for What {
    fn from(event: &Event<'_>) -> Self {
        match event {
            Event::Started { address, action } => Self::Started { address: address.to_string(), action: word(*action) },
            Event::Waiting { address, state, .. } => {
                Self::Waiting { address: address.to_string(), state: (*state).to_owned() }
            }
            Event::Retrying { address, error } => Self::Retrying {
                address: address.to_string(),
                operation: error.operation.clone(),
                code: error.code.clone(),
                request_id: error.request_id.clone(),
            },
            Event::Held { address, by } => Self::Held { address: address.to_string(), by: by.to_vec() },
            Event::Swept { address, leftover } => {
                Self::Swept { address: address.to_string(), leftover: (*leftover).clone() }
            }
            Event::Finished { address, action, .. } => {
                Self::Finished { address: address.to_string(), action: word(*action) }
            }
            Event::Failed { address, error } => {
                Self::Failed { address: address.to_string(), code: error.code().to_owned(), message: error.to_string() }
            }
            Event::Skipped { address, because } => {
                Self::Skipped { address: address.to_string(), because: because.map(ToString::to_string) }
            }
        }
    }
}
