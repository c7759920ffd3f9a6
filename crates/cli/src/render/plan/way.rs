//! The longest way through a plan: what decides how long it takes.

use bedplate_plan::{Change, Op, Plan, Schedule, Schemas, expected};
use petgraph::{Direction, graph::NodeIndex, visit::EdgeRef};
use std::{cmp::Reverse, time::Duration};

/// What takes longest one after the other, and how long all of it takes.
pub(super) struct Way<'a> {
    pub(super) whole: Duration,
    /// The changes on it with what an effect of each takes; a change that removes and makes may be on it twice.
    pub(super) steps: Vec<(&'a Change, Duration)>,
}

pub(super) fn longest<'a>(plan: &'a Plan, schemas: &dyn Schemas, schedule: &Schedule) -> Way<'a> {
    let latest = |nodes: &mut dyn Iterator<Item = NodeIndex>| {
        nodes.max_by_key(|node| (schedule.remaining[node.index()], Reverse(*node)))
    };
    let mut next = latest(&mut schedule.graph.externals(Direction::Incoming));
    let whole = next.map_or(Duration::ZERO, |node| schedule.remaining[node.index()]);
    let mut steps = Vec::new();
    while let Some(node) = next {
        let (Op::Make(change) | Op::Remove(change, _)) = schedule.graph[node];
        let change = &plan.changes[change];
        steps.push((change, expected(change, schemas)));
        let mut after = schedule.graph.edges_directed(node, Direction::Outgoing).map(|edge| edge.target());
        next = latest(&mut after);
    }
    Way { whole, steps }
}

/// Whether a resource is missing for a while: the old one has to go before the new one can come.
pub(super) fn missing_meanwhile(change: &Change, schedule: &Schedule) -> bool {
    let gone_first = change.make.is_some() && change.removals.iter().any(|it| it.first && it.id.is_some());
    gone_first || schedule.outages.contains(&change.address)
}
