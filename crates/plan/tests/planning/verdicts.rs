//! What happens to each resource, and why.

use crate::kinds::{Net, NetSpec, Shared, SharedSpec, Store, StoreSpec, Sub, SubSpec, World, address, graph};
use bedplate_model::{Id, Input, Json, Readiness, is_known};
use bedplate_plan::{Action, Change, Graph, Plan};
use bedplate_state::Status;
use serde_json::json;
use std::collections::BTreeMap;

/// A network, a subnet in it, and a store that takes words from the network.
struct Declared {
    range: &'static str,
    label: &'static str,
    words: &'static [(&'static str, &'static str)],
    zone: &'static str,
    engine: &'static str,
    size: u32,
    protected: bool,
    /// Which of the network's outputs the store refers to.
    refers: &'static str,
}

const DECLARED: Declared = Declared {
    range: "r",
    label: "l",
    words: &[("a", "1"), ("b", "2")],
    zone: "z",
    engine: "e",
    size: 5,
    protected: false,
    refers: "id",
};

impl Declared {
    fn graph(&self) -> Graph {
        graph(|graph| {
            let words: BTreeMap<String, String> =
                self.words.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let net = NetSpec { range: self.range.into(), label: self.label.into(), map: words.into() };
            let net = graph.add::<Net>("net/0", net);
            let sub = SubSpec { net: net.id.clone(), range: "s".into(), label: "l".into() };
            _ = graph.add::<Sub>("sub/0", sub);
            let store = StoreSpec {
                name: "store".into(),
                zone: self.zone.into(),
                engine: self.engine.into(),
                size: self.size.into(),
                label: Input::reference(&address("net/0"), self.refers),
                protected: self.protected.into(),
            };
            let store = graph.add::<Store>("store/0", store);
            let last = NetSpec { range: "r".into(), label: store.arn, map: BTreeMap::new().into() };
            _ = graph.add::<Net>("net/last", last);
        })
    }

    fn world(&self) -> World {
        World::of(&self.graph())
    }
}

fn change<'a>(plan: &'a Plan, at: &str) -> &'a Change {
    plan.changes.iter().find(|change| change.address == address(at)).unwrap_or_else(|| panic!("{plan:#?}"))
}

fn actions(plan: &Plan) -> Vec<(&str, Action)> {
    plan.changes.iter().map(|change| (change.address.as_str(), change.action)).collect()
}

#[test]
fn what_is_as_declared_stays() {
    let plan = DECLARED.world().plan(&DECLARED.graph());
    assert!(plan.is_empty() && plan.refusals.is_empty(), "{plan:#?}");
    assert_eq!(plan.unchanged, 4);
}

#[test]
fn an_update_names_the_keys_that_change() {
    let wanted = Declared { words: &[("a", "1"), ("b", "3"), ("c", "4")], ..DECLARED };
    let plan = DECLARED.world().plan(&wanted.graph());
    assert_eq!(actions(&plan), [("net/0", Action::Update)]);
    let fields: Vec<_> = plan.changes[0].fields.iter().map(|f| (f.path.as_str(), &f.before, &f.after)).collect();
    assert_eq!(fields, [("map.b", &json!("2"), &json!("3")), ("map.c", &Json::Null, &json!("4"))]);
    assert_eq!(plan.changes[0].reason, "the configuration changed");
    assert!(plan.changes[0].fields.iter().all(|field| !field.drift && !field.forces_replacement));
}

#[test]
fn drift_is_told_from_configuration() {
    let mut world = DECLARED.world();
    world.set("net/0", "label", "somebody's");
    let plan = world.plan(&DECLARED.graph());
    assert_eq!(actions(&plan), [("net/0", Action::Update)]);
    assert_eq!(plan.changes[0].reason, "changed outside bedplate");
    assert!(plan.changes[0].fields[0].drift);

    let plan = world.plan(&Declared { words: &[], ..DECLARED }.graph());
    assert_eq!(plan.changes[0].reason, "the configuration changed; also changed outside bedplate");
    let drift: Vec<_> = plan.changes[0].fields.iter().map(|field| (field.path.as_str(), field.drift)).collect();
    assert_eq!(drift, [("label", true), ("map.a", false), ("map.b", false)]);
}

#[test]
fn lost_ownership_tags_are_restored_and_foreign_tags_are_left() {
    let mut world = DECLARED.world();
    let tags = world.object("net/0").tags.as_mut().unwrap();
    tags.remove("bedplate:stack");
    tags.insert("theirs".to_owned(), "1".to_owned());
    let plan = world.plan(&DECLARED.graph());
    let paths: Vec<_> = plan.changes[0].fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["tags.bedplate:stack"]);
    assert_eq!(plan.changes[0].reason, "changed outside bedplate");
}

#[test]
fn a_replacement_carries_on_to_what_cannot_move() {
    let plan = DECLARED.world().plan(&Declared { range: "other", ..DECLARED }.graph());
    let expected = [("net/0", Action::Replace), ("store/0", Action::Update), ("sub/0", Action::Replace)];
    assert_eq!(actions(&plan), expected);
    assert_eq!(change(&plan, "net/0").reason, "range cannot be changed in place");
    assert_eq!(change(&plan, "sub/0").reason, "net cannot be changed in place");
    let field = &change(&plan, "sub/0").fields[0];
    assert!(field.forces_replacement && !is_known(&field.after) && !field.drift);
    let net = change(&plan, "net/0");
    assert_eq!(net.make.as_ref().unwrap().generation, 1);
    assert_eq!(net.removals[0].generation, 0);
    assert_eq!(net.removals[0].id, Some(Id::new("net/0-0")));
}

#[test]
fn what_follows_from_a_name_stays_known() {
    // The name is the same again, so the last network, which refers to the ARN, is not touched.
    let plan = DECLARED.world().plan(&Declared { zone: "other", ..DECLARED }.graph());
    assert_eq!(actions(&plan), [("store/0", Action::Replace)]);
    // Also while another setting of the store is not known.
    let plan = DECLARED.world().plan(&Declared { zone: "other", range: "other", ..DECLARED }.graph());
    assert!(plan.changes.iter().all(|change| change.address != address("net/last")), "{plan:#?}");
}

#[test]
fn a_volatile_output_is_unknown_while_its_resource_changes() {
    let refers = Declared { refers: "revision", ..DECLARED };
    let plan = refers.world().plan(&Declared { label: "other", refers: "revision", ..DECLARED }.graph());
    assert_eq!(actions(&plan), [("net/0", Action::Update), ("store/0", Action::Update)]);
    assert!(!is_known(&change(&plan, "store/0").fields[0].after));
    let plan = DECLARED.world().plan(&Declared { label: "other", ..DECLARED }.graph());
    assert_eq!(actions(&plan), [("net/0", Action::Update)]);
}

/// The walk takes outputs from the state, so the state has to learn them first. That is no change of the resource.
#[test]
fn an_output_that_changed_outside_is_taken_over() {
    let declared = Declared { refers: "revision", ..DECLARED };
    let mut world = declared.world();
    world.object("net/0").outputs.as_mut().unwrap()["revision"] = json!("7");
    let plan = world.plan(&declared.graph());
    assert_eq!(actions(&plan), [("store/0", Action::Update)]);
    assert_eq!(plan.outputs[&address("net/0")]["revision"], "7");

    let mut world = DECLARED.world();
    world.object("net/0").outputs.as_mut().unwrap()["revision"] = json!("7");
    let plan = world.plan(&DECLARED.graph());
    assert!(plan.is_empty() && plan.outputs.len() == 1, "nobody refers to it: {plan:?}");
}

#[test]
fn values_can_decide_what_a_change_means() {
    let plan = DECLARED.world().plan(&Declared { size: 9, ..DECLARED }.graph());
    assert_eq!(change(&plan, "store/0").action, Action::Update);
    let plan = DECLARED.world().plan(&Declared { size: 1, ..DECLARED }.graph());
    assert_eq!(change(&plan, "store/0").action, Action::Replace);
    assert_eq!(change(&plan, "store/0").reason, "size cannot shrink");
}

#[test]
fn what_would_lose_data_is_refused() {
    let plan = DECLARED.world().plan(&Declared { engine: "other", ..DECLARED }.graph());
    assert_eq!(plan.refusals.len(), 1);
    assert!(plan.refusals[0].problem.starts_with("engine cannot be changed"), "{:?}", plan.refusals);
    assert_eq!(plan.refusals[0].hint, "set engine back to \"e\"");
}

#[test]
fn protection_refuses_unless_lifted_or_switched_off() {
    let protected = Declared { protected: true, ..DECLARED };
    let mut world = protected.world();
    let replaced = Declared { zone: "other", ..protected };
    let plan = world.plan(&replaced.graph());
    assert_eq!(plan.refusals.len(), 1);
    let expected = "it would have to be replaced (zone cannot be changed in place) and has deletion protection";
    assert_eq!(plan.refusals[0].problem, expected);

    let plan = world.plan(&Declared { protected: false, ..replaced }.graph());
    assert!(plan.refusals.is_empty() && change(&plan, "store/0").removals[0].unprotect);

    let nothing = DECLARED.graph().emptied();
    assert_eq!(world.plan(&nothing).refusals.len(), 1);
    world.options.lift_protection = true;
    let plan = world.plan(&nothing);
    assert!(plan.refusals.is_empty() && change(&plan, "store/0").removals[0].unprotect);
}

/// The run that switched it off was cut off: what it left must go all the same.
#[test]
fn what_is_left_over_keeps_no_protection() {
    let mut world = DECLARED.world();
    let mut old = world.object("store/0").clone();
    old.id = Id::new("old");
    old.spec["protected"] = json!(true);
    world.found("store/0").older.push((7, old));
    let plan = world.plan(&DECLARED.graph());
    assert!(plan.refusals.is_empty());
    assert_eq!(actions(&plan), [("store/0", Action::Delete)]);
    assert!(change(&plan, "store/0").make.is_none() && change(&plan, "store/0").removals[0].unprotect);
}

#[test]
fn a_foreign_rival_is_refused() {
    let mut world = World::empty();
    let rival = DECLARED.world().object("store/0").clone();
    world.found("store/0").rival = Some(rival);
    let plan = world.plan(&DECLARED.graph());
    assert_eq!(plan.refusals.len(), 1);
    assert_eq!(plan.refusals[0].problem, "db.store store exists already and does not belong to this stack");
}

#[test]
fn a_rival_on_its_way_out_is_waited_for() {
    for state in ["deleting", "DELETING", "Terminating: 1 pod is left"] {
        let mut world = World::empty();
        let mut rival = DECLARED.world().object("store/0").clone();
        rival.readiness = Readiness::Busy(state.to_owned());
        world.found("store/0").rival = Some(rival);
        let plan = world.plan(&DECLARED.graph());
        assert!(plan.refusals.is_empty(), "{state}");
        assert_eq!(change(&plan, "store/0").action, Action::Create, "{state}");
    }
}

#[test]
fn what_was_not_removed_after_all_stays_as_it_is() {
    let mut world = DECLARED.world();
    world.resource("store/0").status = Status::Deleting;
    let plan = world.plan(&DECLARED.graph());
    assert_eq!(actions(&plan), [("store/0", Action::Update)]);
    assert_eq!(plan.changes[0].reason, "its removal was cut off, and it is still there: it stays");
    // Somebody lifted its protection, to remove it.
    world.set("store/0", "protected", !DECLARED.protected);
    assert_eq!(actions(&world.plan(&DECLARED.graph())), [("store/0", Action::Update)]);
    // What AWS is removing goes, and comes anew.
    world.object("store/0").readiness = Readiness::Busy("deleting".to_owned());
    let plan = world.plan(&DECLARED.graph());
    assert_eq!(actions(&plan)[0], ("store/0", Action::Replace), "{plan:#?}");
}

#[test]
fn another_type_at_the_same_address_is_refused() {
    let mut world = DECLARED.world();
    world.resource("net/0").kind = "net.sub".to_owned();
    world.found("net/0").current = None;
    let plan = world.plan(&DECLARED.graph());
    assert_eq!(plan.refusals[0].problem, "a net.sub stands where a net.net shall be made");
}

#[test]
fn what_is_gone_is_made_again_with_a_new_generation() {
    let mut world = DECLARED.world();
    world.found("store/0").current = None;
    let plan = world.plan(&DECLARED.graph());
    assert_eq!(actions(&plan), [("store/0", Action::Create)]);
    assert_eq!(plan.changes[0].reason, "was deleted outside bedplate");
    assert_eq!(plan.changes[0].make.as_ref().unwrap().generation, 1);
}

/// With an id, too: it may only not show yet.
#[test]
fn a_creation_that_was_cut_off_is_the_same_creation() {
    for id in [None, Some(Id::new("store"))] {
        let mut world = DECLARED.world();
        world.found("store/0").current = None;
        world.resource("store/0").status = Status::Creating;
        world.resource("store/0").id = id;
        let plan = world.plan(&DECLARED.graph());
        let make = plan.changes[0].make.as_ref().unwrap();
        assert!(make.interrupted && make.generation == 0, "{plan:#?}");
    }
}

#[test]
fn without_a_state_generations_go_on_where_the_tags_say() {
    let mut world = World { state: World::empty().state, ..DECLARED.world() };
    world.found("net/0").current.as_mut().unwrap().0 = 4;
    let plan = world.plan(&Declared { range: "other", ..DECLARED }.graph());
    let net = change(&plan, "net/0");
    assert_eq!((net.action, net.make.as_ref().unwrap().generation), (Action::Replace, 5));
    assert_eq!(change(&plan, "sub/0").removals[0].depends_on, [address("net/0")].into());
    assert_eq!(change(&plan, "net/last").action, Action::Adopt);
}

#[test]
fn what_is_broken_is_replaced() {
    let mut world = DECLARED.world();
    world.object("store/0").readiness = Readiness::Broken("no capacity".to_owned());
    let plan = world.plan(&DECLARED.graph());
    assert_eq!(actions(&plan), [("store/0", Action::Replace)]);
    assert_eq!(plan.changes[0].reason, "is broken: no capacity");
    // It has the same name again, whatever the order of its type.
    assert!(plan.changes[0].removals[0].first);
}

#[test]
fn only_targets_change() {
    let mut world = DECLARED.world();
    world.target("net/0");
    let plan = world.plan(&Declared { label: "other", size: 9, ..DECLARED }.graph());
    assert_eq!(actions(&plan), [("net/0", Action::Update)]);
    assert_eq!(plan.unchanged, 3);
    world.target("sub/0");
    let plan = world.plan(&DECLARED.graph().emptied());
    assert_eq!(actions(&plan), [("sub/0", Action::Delete)]);
}

#[test]
fn what_belongs_to_the_account_is_never_removed() {
    let declared =
        |name: &'static str| graph(|graph| _ = graph.add::<Shared>("shared/0", SharedSpec { name: name.into() }));
    let mut world = World::of(&declared("a"));
    let plan = world.plan(&declared("a").emptied());
    assert_eq!(actions(&plan), [("shared/0", Action::Forget)]);
    assert_eq!(plan.changes[0].removals[0].id, None);
    let plan = world.plan(&declared("b"));
    assert_eq!(actions(&plan), [("shared/0", Action::Replace)]);
    assert_eq!(plan.changes[0].removals[0].id, None);
    // Cut off in between, it is an earlier generation that shows.
    let old = world.found("shared/0").current.take().unwrap();
    world.found("shared/0").older.push(old);
    let plan = world.plan(&declared("b"));
    assert!(plan.changes[0].removals.iter().all(|removal| removal.id.is_none()), "{plan:#?}");
}

#[test]
fn a_new_dependency_is_recorded_although_nothing_else_changes() {
    let declared = |after: bool| {
        graph(|graph| {
            let net =
                |range: &'static str| NetSpec { range: range.into(), label: "l".into(), map: BTreeMap::new().into() };
            _ = graph.add::<Net>("net/0", net("0"));
            let declaration = graph.declare("net/1");
            let declaration = if after { declaration.after("net/0", "a test says so") } else { declaration };
            _ = declaration.add::<Net>(net("1"));
        })
    };
    for (before, now) in [(false, true), (true, false)] {
        let plan = World::of(&declared(before)).plan(&declared(now));
        assert_eq!(actions(&plan), [("net/1", Action::Update)]);
        assert_eq!(plan.changes[0].reason, "what it depends on changed");
        assert!(plan.changes[0].fields.is_empty());
    }
}

/// It may exist although it was not seen: reads lag.
#[test]
fn what_was_being_made_is_removed_and_not_forgotten() {
    let mut world = DECLARED.world();
    world.found("net/0").current = None;
    world.resource("net/0").status = Status::Creating;
    let plan = world.plan(&DECLARED.graph().emptied());
    assert_eq!(change(&plan, "net/0").removals[0].id, Some(Id::new("net/0-0")));
    world.resource("net/0").status = Status::Ready;
    let plan = world.plan(&DECLARED.graph().emptied());
    assert_eq!((change(&plan, "net/0").action, &*change(&plan, "net/0").reason), (Action::Forget, "already gone"));
}

#[test]
fn what_is_held_fast_is_not_replaced() {
    let declared = |range: &'static str, label: &'static str| {
        graph(|graph| {
            let net = NetSpec { range: range.into(), label: label.into(), map: BTreeMap::new().into() };
            let net = graph.add::<Net>("net/0", net);
            let map = Input::entries([("a".into(), net.id)]);
            _ = graph.add::<Net>("net/1", NetSpec { range: "r".into(), label: "l".into(), map });
        })
    };
    let world = World::of(&declared("a", "l"));
    assert!(world.plan(&declared("a", "m")).refusals.is_empty(), "an update leaves it where it is");
    let plan = world.plan(&declared("b", "l"));
    let [refusal] = plan.refusals.as_slice() else { panic!("one refusal: {:?}", plan.refusals) };
    assert_eq!(refusal.address, address("net/1"));
    assert!(refusal.problem.contains("net/0 would have to be replaced"), "{}", refusal.problem);
}
