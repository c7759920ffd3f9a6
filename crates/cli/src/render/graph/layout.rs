//! Where everything goes: a lane per layer from top to bottom, and from left to right what waits for what.

use super::Picture;
use bedplate_platform::LAYERS;
use petgraph::{
    adj::List,
    algo::tred::{dag_to_toposorted_adjacency_list, dag_transitive_reduction_closure},
    graph::DiGraph,
    visit::{EdgeRef, IntoEdgeReferences},
};
use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

/// A resource's box.
pub(super) const BOX: (f64, f64) = (232.0, 24.0);
/// From one box to the next.
const STEP: (f64, f64) = (264.0, 30.0);
/// Around a lane, and its heading.
const MARGIN: f64 = 16.0;
const HEADING: f64 = 26.0;
/// No more boxes than this stand above each other in one lane and column.
const STACK: usize = 9;

/// The drawing, in pixels.
#[derive(Debug)]
pub(super) struct Layout {
    /// The upper left corner of every box.
    pub(super) boxes: Vec<(f64, f64)>,
    /// Name, top and height of every lane.
    pub(super) lanes: Vec<(String, f64, f64)>,
    /// From what is depended on to what depends, without those that follow from others.
    pub(super) edges: Vec<(usize, usize)>,
    /// What takes longest one after the other.
    pub(super) way: Vec<usize>,
    pub(super) size: (f64, f64),
}

pub(super) fn layout(picture: &Picture) -> Layout {
    let edges = reduced(picture);
    let mut lanes: Vec<&str> = picture.nodes.iter().map(super::Node::layer).collect();
    lanes.sort_by_key(|lane| (LAYERS.iter().position(|known| known == lane).unwrap_or(LAYERS.len()), *lane));
    lanes.dedup();

    // The longest way that leads to a node is its column; nodes come after what they depend on.
    let mut column = vec![0; picture.nodes.len()];
    for (index, node) in picture.nodes.iter().enumerate() {
        column[index] = node.depends_on.keys().map(|&before| column[before] + 1).max().unwrap_or(0);
    }
    // A column with a tall stack in any lane is as many columns wide as it needs.
    let mut cells: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (index, node) in picture.nodes.iter().enumerate() {
        let lane = lanes.iter().position(|lane| *lane == node.layer()).unwrap_or_default();
        cells.entry((lane, column[index])).or_default().push(index);
    }
    let columns = column.iter().max().map_or(0, |last| last + 1);
    let mut left = Vec::new();
    let mut x = MARGIN;
    for number in 0..columns {
        left.push(x);
        let tallest = cells.iter().filter(|((_, it), _)| *it == number).map(|(_, cell)| cell.len()).max().unwrap_or(1);
        x += STEP.0 * tallest.div_ceil(STACK).max(1) as f64;
    }

    let mut boxes = vec![(0.0, 0.0); picture.nodes.len()];
    let mut placed = Vec::new();
    let mut top = MARGIN;
    for (number, lane) in lanes.iter().enumerate() {
        let first = top + HEADING;
        let mut bottom = first;
        for ((_, column), cell) in cells.iter().filter(|((lane, _), _)| *lane == number) {
            let mut cell = cell.clone();
            cell.sort_by_key(|&index| &picture.nodes[index].address);
            for (place, index) in cell.into_iter().enumerate() {
                let x = left[*column] + STEP.0 * (place / STACK) as f64;
                let y = first + STEP.1 * (place % STACK) as f64;
                boxes[index] = (x, y);
                bottom = bottom.max(y + STEP.1);
            }
        }
        placed.push(((*lane).to_owned(), top, bottom - top + MARGIN / 2.0));
        top = bottom + MARGIN * 1.5;
    }
    let way = longest(picture, &edges);
    Layout { boxes, lanes: placed, edges, way, size: (x + MARGIN, top) }
}

/// The way along drawn edges that takes longest, from its beginning.
fn longest(picture: &Picture, edges: &[(usize, usize)]) -> Vec<usize> {
    // How long it takes until each is made, and what it waits for last. Nodes come after what they depend on.
    let mut made: Vec<(Duration, Option<usize>)> = Vec::new();
    for (index, node) in picture.nodes.iter().enumerate() {
        let before = edges.iter().filter(|(_, to)| *to == index).map(|(from, _)| *from);
        let last = before.max_by_key(|&from| (made[from].0, Reverse(from)));
        made.push((node.expected + last.map_or(Duration::ZERO, |last| made[last].0), last));
    }
    let mut next = (0..made.len()).max_by_key(|&index| (made[index].0, Reverse(index)));
    let mut way = Vec::new();
    while let Some(index) = next {
        way.push(index);
        next = made[index].1;
    }
    way.reverse();
    way
}

/// The edges that do not follow from others.
fn reduced(picture: &Picture) -> Vec<(usize, usize)> {
    let mut graph = DiGraph::<(), ()>::new();
    let nodes: Vec<_> = picture.nodes.iter().map(|_| graph.add_node(())).collect();
    for (index, node) in picture.nodes.iter().enumerate() {
        for &before in node.depends_on.keys() {
            graph.add_edge(nodes[before], nodes[index], ());
        }
    }
    // The order of the nodes is a topological one already.
    let (sorted, _): (List<(), u32>, _) = dag_to_toposorted_adjacency_list(&graph, &nodes);
    let (reduction, _) = dag_transitive_reduction_closure(&sorted);
    reduction.edge_references().map(|edge| (edge.source() as usize, edge.target() as usize)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::graph::{Node, Status};

    #[test]
    fn the_longest_way_is_that_of_the_longest_time_and_follows_drawn_edges() {
        let node = |address: &str, seconds, depends_on: &[usize]| Node {
            address: address.to_owned(),
            kind: "ec2.vpc".to_owned(),
            expected: Duration::from_secs(seconds),
            status: Status::Declared,
            depends_on: depends_on.iter().map(|&index| (index, None)).collect(),
        };
        let nodes = vec![
            node("network/vpc", 1, &[]),
            node("network/subnet", 1, &[0]),
            node("cluster/cluster", 540, &[0, 1]),
            node("cache/redis", 600, &[0]),
            node("cluster/nodes", 150, &[0, 1, 2]),
        ];
        let layout = layout(&Picture { title: "stack".to_owned(), nodes });
        assert_eq!(layout.way, [0, 1, 2, 4], "longer than the cache alone");
        assert!(layout.way.windows(2).all(|pair| layout.edges.contains(&(pair[0], pair[1]))), "{layout:?}");
        assert!(layout.lanes.iter().map(|(name, ..)| &**name).eq(["network", "cluster", "cache"]), "{layout:?}");
    }
}
