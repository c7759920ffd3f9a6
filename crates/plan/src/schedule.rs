//! In which order the changes of a plan are carried out.

use crate::{Action, Change, FieldChange, Make, Plan, Schemas, planner::deletes_first};
use bedplate_model::Address;
use petgraph::{
    Direction,
    algo::{has_path_connecting, toposort},
    graph::{DiGraph, NodeIndex},
    visit::EdgeRef,
};
use std::{collections::BTreeMap, time::Duration};

/// How long a change of nothing but tags takes.
const TAGGING: Duration = Duration::from_secs(1);

/// One effect: makes or changes, or removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Carries out `plan.changes[.0].make`.
    Make(usize),
    /// Carries out `plan.changes[.0].removals[.1]`.
    Remove(usize, usize),
}

/// Why one effect waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// It could not succeed otherwise.
    Hard,
    /// It could not succeed before the other exists. Whether that can be used does not matter to it.
    Existence,
    /// It avoids an outage; given up where it would close a cycle.
    Soft,
}

/// The effects of a plan and what each waits for.
#[derive(Debug)]
pub struct Schedule {
    /// From what goes first to what waits for it.
    pub graph: DiGraph<Op, Edge>,
    /// By node: how long it takes from its start to the end of everything that waits for it, at the usual pace.
    pub remaining: Vec<Duration>,
    /// Wishes that would have closed a cycle: here a resource is missing for a while.
    pub outages: Vec<Address>,
}

/// Orders the effects of a plan.
///
/// Hard edges: what depends is made after, and removed before, what it depends on (and while both are made for the first time,
/// may be made as soon as that exists, where its existence is enough); what cannot stand beside its replacement is removed before that is made. No hard edge leads from a make to a removal, so they close no cycle.
pub fn schedule(plan: &Plan, schemas: &dyn Schemas) -> Schedule {
    let mut graph = DiGraph::new();
    let mut makes: BTreeMap<&Address, NodeIndex> = BTreeMap::new();
    let mut removes: BTreeMap<&Address, Vec<(NodeIndex, usize, usize)>> = BTreeMap::new();
    for (i, change) in plan.changes.iter().enumerate() {
        if change.make.is_some() {
            makes.insert(&change.address, graph.add_node(Op::Make(i)));
        }
        for (j, _) in change.removals.iter().enumerate() {
            let node = graph.add_node(Op::Remove(i, j));
            removes.entry(&change.address).or_default().push((node, i, j));
        }
    }

    let (mut replaced, mut drops) = (Vec::new(), Vec::new());
    for change in &plan.changes {
        let own_make = makes.get(&change.address).copied();
        if let (Some(make), Some(node)) = (&change.make, own_make) {
            for dependency in &make.depends_on {
                if let Some(&before) = makes.get(dependency) {
                    let made_new = |make: &Make| make.id.is_none();
                    let (Op::Make(other) | Op::Remove(other, _)) = graph[before];
                    let both_new = made_new(make) && plan.changes[other].make.as_ref().is_some_and(made_new);
                    let enough = both_new && make.beside.contains(dependency);
                    graph.add_edge(before, node, if enough { Edge::Existence } else { Edge::Hard });
                }
            }
        }
        for &(node, i, j) in removes.get(&change.address).into_iter().flatten() {
            let removal = &plan.changes[i].removals[j];
            if let Some(container) = &removal.goes_with {
                // It waits for nothing else: then it is gone, whatever it depended on.
                for &(container, ..) in removes.get(container).into_iter().flatten() {
                    graph.add_edge(container, node, Edge::Hard);
                }
            }
            for dependency in removal.depends_on.iter().filter(|_| removal.goes_with.is_none()) {
                let after = removes.get(dependency).into_iter().flatten();
                let newest = after.clone().map(|&(_, i, j)| plan.changes[i].removals[j].generation).max();
                drops.extend(
                    after.map(|&(after, i, j)| (newest != Some(plan.changes[i].removals[j].generation), node, after)),
                );
            }
            match own_make {
                Some(make) if removal.first => _ = graph.add_edge(node, make, Edge::Hard),
                Some(make) => replaced.push((make, node, Some(change.address.clone()))),
                None => {}
            }
        }
    }
    // Where earlier generations still stand, what is recorded may go in a circle: which of them is meant is not
    // recorded, but it rather is the newest.
    drops.sort_by_key(|(older, ..)| *older);
    for (_, before, after) in drops {
        if !has_path_connecting(&graph, after, before, None) {
            graph.add_edge(before, after, Edge::Hard);
        }
    }
    // The most needed first: without room nothing can be made, without letting go nothing can be removed, and without
    // the new one before the old one there only is an outage.
    let mut soft = same_place(plan, schemas, &makes, &removes);
    soft.extend(moves(plan, &makes, &removes));
    soft.extend(replaced);

    let mut outages = Vec::new();
    for (before, after, replaced) in soft {
        if before != after && !has_path_connecting(&graph, after, before, None) {
            graph.add_edge(before, after, Edge::Soft);
        } else {
            outages.extend(replaced);
        }
    }
    let remaining = remaining(plan, schemas, &graph);
    Schedule { graph, remaining, outages }
}

type Wish = (NodeIndex, NodeIndex, Option<Address>);
type Removes<'a> = BTreeMap<&'a Address, Vec<(NodeIndex, usize, usize)>>;

/// A resource that is updated lets go of what is removed before that is removed. A replaced one lets go by its removal.
fn moves(plan: &Plan, makes: &BTreeMap<&Address, NodeIndex>, removes: &Removes<'_>) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for change in plan.changes.iter().filter(|change| change.action != Action::Replace) {
        let (Some(make), Some(&node)) = (&change.make, makes.get(&change.address)) else { continue };
        for dependency in make.depends_on.union(&make.held) {
            wishes.extend(removes.get(dependency).into_iter().flatten().map(|&(after, ..)| (node, after, None)));
        }
    }
    wishes
}

/// Of a type whose resources exclude each other, what goes goes before what comes: a range or a name may pass on.
fn same_place(
    plan: &Plan,
    schemas: &dyn Schemas,
    makes: &BTreeMap<&Address, NodeIndex>,
    removes: &Removes<'_>,
) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for gone in plan.changes.iter().filter(|gone| schemas.schema(&gone.kind).is_some_and(deletes_first)) {
        let others = plan.changes.iter().filter(|made| made.kind == gone.kind && made.address != gone.address);
        for make in others.filter(|made| takes_place(made, gone)).filter_map(|made| makes.get(&made.address)) {
            let nodes = removes.get(&gone.address).into_iter().flatten();
            wishes.extend(nodes.map(|&(before, ..)| (before, *make, None)));
        }
    }
    wishes
}

/// Whether `made` may need what only `gone` has now. Of what is removed for good the plan does not tell what it has.
fn takes_place(made: &Change, gone: &Change) -> bool {
    let passes = |field: &FieldChange| made.fields.iter().any(|f| f.path == field.path && f.after == field.before);
    matches!(made.action, Action::Create | Action::Replace) && (gone.make.is_none() || gone.fields.iter().any(passes))
}

/// How long an effect of a change usually takes: as long as its type says, except that nothing has to be waited for where only
/// tags change.
pub fn expected(change: &Change, schemas: &dyn Schemas) -> Duration {
    let usual = schemas.schema(&change.kind).map_or(Duration::ZERO, |schema| schema.pace().expected);
    if change.only_tags() { usual.min(TAGGING) } else { usual }
}

fn remaining(plan: &Plan, schemas: &dyn Schemas, graph: &DiGraph<Op, Edge>) -> Vec<Duration> {
    let mut remaining = vec![Duration::ZERO; graph.node_count()];
    let order = toposort(graph, None).expect("soft edges are added only where they close no cycle");
    for node in order.into_iter().rev() {
        let (Op::Make(change) | Op::Remove(change, _)) = graph[node];
        let own = expected(&plan.changes[change], schemas);
        let after = graph.edges_directed(node, Direction::Outgoing).map(|edge| {
            let rest = remaining[edge.target().index()];
            if *edge.weight() == Edge::Existence { rest } else { own + rest }
        });
        remaining[node.index()] = after.max().unwrap_or_default().max(own);
    }
    remaining
}
