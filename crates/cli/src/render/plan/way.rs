//! The longest way through a plan: what decides how long it takes.

use bedplate_plan::{Change, Edge, Op, Plan, Schedule, Schemas, expected};
use petgraph::{Direction, visit::EdgeRef};
use std::{cmp::Reverse, time::Duration};

/// What takes longest one after the other, and how long all of it takes.
pub(super) struct Way<'a> {
    pub(super) whole: Duration,
    /// The changes on it with what an effect of each takes; a change that removes and makes may be on it twice.
    pub(super) steps: Vec<(&'a Change, Duration)>,
}

pub(super) fn longest<'a>(plan: &'a Plan, schemas: &dyn Schemas, schedule: &Schedule) -> Way<'a> {
    let first = schedule.graph.externals(Direction::Incoming);
    let mut next = first.max_by_key(|node| (schedule.remaining[node.index()], Reverse(*node)));
    let whole = next.map_or(Duration::ZERO, |node| schedule.remaining[node.index()]);
    let mut steps = Vec::new();
    while let Some(node) = next {
        let (Op::Make(change) | Op::Remove(change, _)) = schedule.graph[node];
        let change = &plan.changes[change];
        let own = expected(change, schemas);
        let after = schedule.graph.edges_directed(node, Direction::Outgoing).map(|edge| {
            let beside = *edge.weight() == Edge::Existence;
            let own = if beside { Duration::ZERO } else { own };
            (own + schedule.remaining[edge.target().index()], Reverse(edge.target()), beside)
        });
        let after = after.max().filter(|(rest, ..)| *rest >= own);
        // Nothing waits for the time of what only has to exist.
        if after.is_none_or(|(.., beside)| !beside) {
            steps.push((change, own));
        }
        next = after.map(|(_, Reverse(node), _)| node);
    }
    Way { whole, steps }
}

/// Whether a resource is missing for a while: the old one has to go before the new one can come.
pub(super) fn missing_meanwhile(change: &Change, schedule: &Schedule) -> bool {
    let gone_first = change.make.is_some() && change.removals.iter().any(|it| it.first && it.id.is_some());
    gone_first || schedule.outages.contains(&change.address)
}
