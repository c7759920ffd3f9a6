//! In which order a plan is carried out.

use crate::kinds::{Kinds, Net, NetSpec, Store, StoreSpec, Sub, SubSpec, World, address, graph};
use bedplate_model::{Id, Input};
use bedplate_plan::{Edge, Graph, GraphBuilder, Op, Plan, Schedule, schedule};
use petgraph::algo::{is_cyclic_directed, toposort};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

fn net(graph: &mut GraphBuilder, at: &str, range: &'static str, after: &[&str]) -> Input<String> {
    let mut declaration = graph.declare(at);
    for to in after {
        declaration = declaration.after(to, "a test says so");
    }
    declaration.add::<Net>(NetSpec { range: range.into(), label: "l".into(), map: BTreeMap::new().into() }).id
}

fn sub(graph: &mut GraphBuilder, at: &str, net: &Input<String>, range: &'static str) -> Input<String> {
    graph.add::<Sub>(at, SubSpec { net: net.clone(), range: range.into(), label: "l".into() }).id
}

fn store(graph: &mut GraphBuilder, at: &str, zone: &'static str, label: Input<String>) {
    let (name, engine, protected) = (Input::from(at.to_owned()), "e".into(), false.into());
    _ = graph.add::<Store>(at, StoreSpec { name, zone: zone.into(), engine, size: 1.into(), label, protected });
}

/// The steps by name: `+` makes, `-` removes.
struct Steps(Schedule, Vec<String>);

impl Steps {
    fn of(plan: &Plan) -> Self {
        let schedule = schedule(plan, &Kinds);
        assert!(!is_cyclic_directed(&schedule.graph));
        let name = |op: &Op| match *op {
            Op::Make(change) => format!("+{}", plan.changes[change].address),
            Op::Remove(change, removal) => {
                let change = &plan.changes[change];
                format!("-{}.{}", change.address, change.removals[removal].generation)
            }
        };
        let names = schedule.graph.node_weights().map(name).collect();
        Self(schedule, names)
    }

    fn edges(&self, kind: Edge) -> BTreeSet<(&str, &str)> {
        let edges = self.0.graph.edge_indices().filter(|edge| self.0.graph[*edge] == kind);
        let ends = edges.map(|edge| self.0.graph.edge_endpoints(edge).unwrap());
        ends.map(|(from, to)| (&*self.1[from.index()], &*self.1[to.index()])).collect()
    }

    fn remaining(&self, step: &str) -> u64 {
        let index = self.1.iter().position(|name| name == step).unwrap();
        self.0.remaining[index].as_secs()
    }
}

fn change(before: &Graph, after: &Graph) -> Steps {
    Steps::of(&World::of(before).plan(after))
}

#[test]
fn what_depends_is_made_after_and_removed_before() {
    let declared = graph(|graph| {
        let net = net(graph, "net/0", "a", &[]);
        sub(graph, "sub/0", &net, "s");
    });
    let steps = Steps::of(&World::empty().plan(&declared));
    assert_eq!(steps.edges(Edge::Hard), [("+net/0", "+sub/0")].into());
    let steps = change(&declared, &declared.emptied());
    assert_eq!(steps.edges(Edge::Hard), [("-sub/0.0", "-net/0.0")].into());
}

#[test]
fn a_cascade_of_replacements() {
    let declared = |range| {
        graph(|graph| {
            let net = net(graph, "net/0", range, &[]);
            let sub = sub(graph, "sub/0", &net, "s");
            store(graph, "store/0", "z", sub);
        })
    };
    let steps = change(&declared("a"), &declared("b"));
    let hard = [
        ("+net/0", "+sub/0"),
        ("+sub/0", "+store/0"),
        ("-sub/0.0", "-net/0.0"),
        // Its type excludes two at once.
        ("-sub/0.0", "+sub/0"),
    ];
    assert_eq!(steps.edges(Edge::Hard), hard.into());
    // The network can wait until its replacement is there. The store cannot let go of the subnet before it goes.
    assert_eq!(steps.edges(Edge::Soft), [("+net/0", "-net/0.0")].into());
    assert!(steps.0.outages.is_empty());
}

#[test]
fn what_can_stand_beside_the_old_one_comes_first() {
    let declared = |range| {
        graph(|graph| {
            let net = net(graph, "net/0", "a", &[]);
            sub(graph, "sub/0", &net, range);
        })
    };
    let steps = change(&declared("s"), &declared("other"));
    assert_eq!(steps.edges(Edge::Hard), [("-sub/0.0", "+sub/0")].into());
    let steps = change(&declared("s"), &declared("beside"));
    assert_eq!(steps.edges(Edge::Hard), BTreeSet::new());
    assert_eq!(steps.edges(Edge::Soft), [("+sub/0", "-sub/0.0")].into());
}

#[test]
fn what_is_updated_lets_go_before_the_old_one_is_removed() {
    let declared = |which: usize| {
        graph(|graph| {
            let nets = [net(graph, "net/0", "a", &[]), net(graph, "net/1", "b", &[])];
            store(graph, "store/0", "z", nets[which].clone());
        })
    };
    let replaced = graph(|graph| {
        let net = net(graph, "net/0", "other", &[]);
        store(graph, "store/0", "z", net);
    });
    let steps = change(&declared(0), &replaced);
    let soft = [("+net/0", "-net/0.0"), ("+store/0", "-net/0.0")];
    assert_eq!(steps.edges(Edge::Soft), soft.into());

    let without = graph(|graph| {
        let net = net(graph, "net/1", "b", &[]);
        store(graph, "store/0", "z", net);
    });
    let steps = change(&declared(0), &without);
    assert_eq!(steps.edges(Edge::Soft), [("+store/0", "-net/0.0")].into());
}

#[test]
fn the_same_name_goes_before_it_comes_whatever_its_type_says() {
    let declared = |zone| graph(|graph| store(graph, "store/0", zone, "l".into()));
    let steps = change(&declared("a"), &declared("b"));
    assert_eq!(steps.edges(Edge::Hard), [("-store/0.0", "+store/0")].into());
}

#[test]
fn ranges_can_be_passed_around() {
    let declared = |ranges: [&'static str; 3]| {
        graph(|graph| {
            let net = net(graph, "net/0", "n", &[]);
            for (index, range) in ranges.into_iter().enumerate() {
                sub(graph, &format!("sub/{index}"), &net, range);
            }
        })
    };
    let steps = change(&declared(["a", "b", "c"]), &declared(["b", "a", "d"]));
    assert_eq!(steps.edges(Edge::Soft), [("-sub/1.0", "+sub/0"), ("-sub/0.0", "+sub/1")].into());

    // Of what goes for good the plan does not say what it had.
    let fewer = graph(|graph| {
        let net = net(graph, "net/0", "n", &[]);
        sub(graph, "sub/new", &net, "c");
        sub(graph, "sub/0", &net, "a");
        sub(graph, "sub/1", &net, "b");
    });
    let steps = change(&declared(["a", "b", "c"]), &fewer);
    assert_eq!(steps.edges(Edge::Soft), [("-sub/2.0", "+sub/new")].into());
}

/// A replacement that cannot be made first because what it needs cannot.
#[test]
fn an_outage_is_told() {
    let declared = |range| {
        graph(|graph| {
            let outer = net(graph, "net/0", "n", &[]);
            let sub = sub(graph, "sub/0", &outer, range);
            let spec = NetSpec { range: sub, label: "l".into(), map: BTreeMap::new().into() };
            _ = graph.add::<Net>("net/1", spec);
        })
    };
    let steps = change(&declared("a"), &declared("b"));
    assert_eq!(steps.0.outages, [address("net/1")]);
    assert_eq!(steps.edges(Edge::Soft), [].into());
}

/// Which of two generations is meant is not recorded; that must not become a circle.
#[test]
fn what_is_recorded_of_several_generations_closes_no_cycle() {
    let declared = graph(|graph| {
        net(graph, "net/x", "x", &[]);
        net(graph, "net/y", "y", &["net/x"]);
    });
    let mut world = World::of(&declared);
    let mut old = world.object("net/x").clone();
    old.id = Id::new("net/x-old");
    world.found("net/x").older.push((0, old.clone()));
    world.found("net/x").current.as_mut().unwrap().0 = 1;
    let x = world.resource("net/x");
    x.generation = 1;
    // The old one depended on what now depends on the new one.
    let depends_on = BTreeSet::from([address("net/y")]);
    x.deposed.push(bedplate_state::Deposed { generation: 0, id: old.id, depends_on });
    let steps = Steps::of(&world.plan(&declared.emptied()));
    assert_eq!(steps.edges(Edge::Hard), [("-net/x.0", "-net/y.0"), ("-net/y.0", "-net/x.1")].into());
}

#[test]
fn a_recorded_circle_is_no_deadlock() {
    let declared = graph(|graph| {
        net(graph, "net/a", "a", &[]);
        net(graph, "net/b", "b", &["net/a"]);
    });
    let mut world = World::of(&declared);
    world.resource("net/a").depends_on.insert(address("net/b"));
    let steps = Steps::of(&world.plan(&declared.emptied()));
    assert_eq!(steps.edges(Edge::Hard).len(), 1);
    assert_eq!(toposort(&steps.0.graph, None).unwrap().len(), 2);
}

#[test]
fn the_longest_path_is_told() {
    let declared = graph(|graph| {
        let slow = net(graph, "net/0", "n", &[]);
        let sub = sub(graph, "sub/0", &slow, "s");
        store(graph, "store/0", "z", sub);
        store(graph, "store/1", "z", slow);
        net(graph, "net/1", "n", &[]);
    });
    let steps = Steps::of(&World::empty().plan(&declared));
    let remaining = |step| steps.remaining(step);
    // 1 s for a network, 10 s for a subnet, 100 s for a store.
    assert_eq!([remaining("+store/1"), remaining("+store/0")], [100, 100]);
    assert_eq!([remaining("+sub/0"), remaining("+net/0"), remaining("+net/1")], [110, 111, 1]);
    assert!(steps.0.remaining.iter().all(|rest| *rest > Duration::ZERO));
}

#[test]
fn what_only_has_to_exist_is_not_waited_for() {
    let declared = graph(|graph| {
        store(graph, "store/0", "z", "l".into());
        let beside = NetSpec { range: "n".into(), label: "l".into(), map: BTreeMap::new().into() };
        let beside = graph.declare("net/0").beside("store/0", "a test says so").add::<Net>(beside).id;
        // An output is more than existence, whatever else is said.
        let both = NetSpec { range: "o".into(), label: beside, map: BTreeMap::new().into() };
        _ = graph.declare("net/1").beside("net/0", "a test says so").add::<Net>(both);
    });
    let steps = Steps::of(&World::empty().plan(&declared));
    assert_eq!(steps.edges(Edge::Existence), [("+store/0", "+net/0")].into());
    assert_eq!(steps.edges(Edge::Hard), [("+net/0", "+net/1")].into());
    assert_eq!(["+store/0", "+net/0", "+net/1"].map(|step| steps.remaining(step)), [100, 2, 1]);

    // What is there and is changed is waited for, by whom is there and by who is new.
    for missing in [None, Some("net/0")] {
        let mut world = World::of(&declared);
        if let Some(missing) = missing {
            world.seen.found.remove(&address(missing));
            world.state.resources.remove(&address(missing));
        } else {
            world.object("net/0").spec["label"] = "m".into();
        }
        world.object("store/0").spec["label"] = "m".into();
        let steps = Steps::of(&world.plan(&declared));
        assert_eq!(steps.edges(Edge::Existence), [].into());
        assert!(steps.edges(Edge::Hard).contains(&("+store/0", "+net/0")), "{missing:?}");
    }
    let removed = change(&declared, &declared.emptied());
    assert!(removed.edges(Edge::Hard).contains(&("-net/0.0", "-store/0.0")));
}

#[test]
fn tags_take_no_longer_because_what_carries_them_does() {
    let declared = graph(|graph| {
        let net = net(graph, "net/0", "n", &[]);
        store(graph, "store/0", "z", net);
    });
    let mut world = World::of(&declared);
    let tags = world.object("store/0").tags.as_mut().unwrap();
    tags.remove("bedplate:stack");
    let plan = world.plan(&declared);
    assert!(plan.changes[0].only_tags(), "{:?}", plan.changes);
    assert_eq!(Steps::of(&plan).remaining("+store/0"), 1, "and not 100");
}
