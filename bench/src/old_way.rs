//! The same platform the way it is usually built: the data tiers wait for the cluster's security group, ten resources at
//! a time, each holding its slot and asking for itself while it waits.

use bedplate_model::Address;
use bedplate_plan::Graph;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const SLOTS: usize = 10;

/// The time between two looks at one resource.
const POLL: Duration = Duration::from_secs(10);

/// The least that a resource takes: its calls.
const CALLS: Duration = Duration::from_secs(1);

/// What the reference design's data tiers wait for though they need it for a rule only.
const EXTRA: [&str; 2] = ["rds.cluster", "elasticache.replication_group"];

/// How it went.
pub(crate) struct Outcome {
    pub(crate) makespan: Duration,
    pub(crate) polls: u64,
}

/// Goes through it in simulated time; what can start starts in the order of the addresses.
pub(crate) fn simulate(graph: &Graph, durations: &BTreeMap<&Address, Duration>) -> Outcome {
    let cluster = graph.iter().find(|(_, node)| node.kind == "eks.cluster").map(|(address, _)| address);
    let mut waits: BTreeMap<&Address, BTreeSet<&Address>> = BTreeMap::new();
    for (address, node) in graph.iter() {
        let mut on: BTreeSet<&Address> = node.depends_on.keys().collect();
        on.extend(cluster.filter(|_| EXTRA.contains(&node.kind)));
        waits.insert(address, on);
    }
    let (mut now, mut polls) = (Duration::ZERO, 0);
    let mut running: BTreeSet<(Duration, &Address)> = BTreeSet::new();
    loop {
        let free: Vec<&Address> = waits.iter().filter(|(_, on)| on.is_empty()).map(|(address, _)| *address).collect();
        for address in free.into_iter().take(SLOTS - running.len()) {
            waits.remove(address);
            // It is seen to be ready at the first look after that.
            let looks = durations[address].as_secs().div_ceil(POLL.as_secs());
            polls += looks.max(1);
            running.insert((now + CALLS + POLL * u32::try_from(looks).unwrap_or(u32::MAX), address));
        }
        let Some((end, done)) = running.pop_first() else { return Outcome { makespan: now, polls } };
        now = end;
        waits.values_mut().for_each(|on| _ = on.remove(done));
    }
}
