//! Random configurations, small enough to print.

use crate::fake::{
    Alias, AliasSpec, Default as DefaultGroup, DefaultSpec, Entry, EntrySpec, Gate, GateSpec, Linked, LinkedSpec, Net,
    NetSpec, Role, RoleSpec, Store, StoreSpec, Sub, SubSpec, address, finish,
};
use bedplate_model::Input;
use bedplate_plan::{Declaration, Graph};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// The type at each place, so that a place keeps its type.
const PLACES: &[&str] = &[
    "net/0",
    "net/1",
    "net/2",
    "sub/0",
    "sub/1",
    "sub/2",
    "gate/0",
    "gate/1",
    "entry/0",
    "entry/1",
    "default/0",
    "role/0",
    "role/1",
    "linked/0",
    "alias/0",
    "store/0",
    "store/1",
];

/// What stands at one place.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) present: bool,
    /// Decides what cannot be changed in place.
    pub(crate) fixed: u8,
    /// Decides what can.
    pub(crate) free: u8,
    /// Decides what is never shown.
    pub(crate) hidden: u8,
    /// Decides what it refers to.
    pub(crate) refers: u8,
}

/// On one line: a failed case prints many.
impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { present, fixed, free, hidden, refers } = self;
        write!(f, "{} fixed {fixed} free {free} hidden {hidden} refers {refers}", if *present { "+" } else { "-" })
    }
}

/// One configuration.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) slots: Vec<Slot>,
    /// Dependencies that no data carries, as far as they close no cycle.
    pub(crate) after: Vec<(usize, usize)>,
    /// Passes the ranges of the subnets around.
    pub(crate) rotation: usize,
}

pub(crate) fn config() -> impl Strategy<Value = Config> {
    let slot = (prop::bool::weighted(0.8), 0..2u8, 0..3u8, 0..2u8, 0..3u8)
        .prop_map(|(present, fixed, free, hidden, refers)| Slot { present, fixed, free, hidden, refers });
    let slots = prop::collection::vec(slot, PLACES.len());
    let after = prop::collection::vec((0..PLACES.len(), 0..PLACES.len()), 0..4);
    (slots, after, 0..3usize).prop_map(|(slots, after, rotation)| Config { slots, after, rotation })
}

/// Changes at some places, as a person makes them.
pub(crate) fn edits() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    prop::collection::vec((0..PLACES.len() + 2, 0..6u8, 0..3u8), 0..6)
}

impl Config {
    pub(crate) fn edit(&mut self, edits: &[(usize, u8, u8)]) {
        for &(place, what, value) in edits {
            let (places, slots) = (PLACES.len(), self.slots.len());
            match self.slots.get_mut(place) {
                Some(slot) => match what {
                    0 => slot.present = !slot.present,
                    1 => slot.fixed = value % 2,
                    2 => slot.free = value,
                    3 => slot.hidden = value,
                    _ => slot.refers = value,
                },
                None if place == places => self.rotation = usize::from(value),
                None => {
                    _ = self.after.pop();
                    self.after
                        .insert(0, (usize::from(what * 3 + value) % slots, usize::from(what + value * 5) % slots));
                }
            }
        }
    }

    pub(crate) fn graph(&self) -> Graph {
        let data = Build { config: self, after: Vec::new() };
        let mut graph = data.graph();
        let mut kept = Vec::new();
        for &(from, to) in &self.after {
            let (from_address, to_address) = (address(PLACES[from]), address(PLACES[to]));
            if !movable(PLACES[from], PLACES[to])
                || graph.get(&from_address).is_none()
                || graph.get(&to_address).is_none()
            {
                continue;
            }
            if graph.with_dependencies(BTreeSet::from([to_address])).contains(&from_address) {
                continue;
            }
            kept.push((from, to));
            graph = Build { config: self, after: kept.clone() }.graph();
        }
        graph
    }
}

/// What a store moves away from in place must not wait for what has to go first: no order could satisfy both.
fn movable(from: &str, to: &str) -> bool {
    let free = |place: &str| ["net/", "linked/", "alias/", "default/"].iter().any(|kind| place.starts_with(kind));
    !free(from) || free(to)
}

struct Build<'a> {
    config: &'a Config,
    after: Vec<(usize, usize)>,
}

impl Build<'_> {
    fn graph(&self) -> Graph {
        finish(|builder| {
            for (index, place) in PLACES.iter().enumerate() {
                if self.present(place).is_some() {
                    let mut declaration = builder.declare(place);
                    for (_, to) in self.after.iter().filter(|(from, _)| *from == index) {
                        declaration = match (index + to) % 2 {
                            0 => declaration.after(PLACES[*to], "a test says so"),
                            _ => declaration.beside(PLACES[*to], "a test says so"),
                        };
                    }
                    let slot = &self.config.slots[index];
                    if slot.free == 2 {
                        declaration = declaration.tag("Extra", "yes");
                    }
                    self.declare(place, slot, declaration);
                }
            }
        })
    }

    /// Whether it is declared: what refers to nothing is left out.
    fn present(&self, place: &str) -> Option<()> {
        let index = PLACES.iter().position(|other| *other == place)?;
        let slot = self.config.slots.get(index).filter(|slot| slot.present)?;
        match place.split('/').next()? {
            "sub" | "entry" | "default" | "alias" => self.pick("net", slot.refers).map(drop),
            "gate" => self.pick("sub", slot.refers).map(drop),
            "store" => self.pick("net", slot.refers).and(self.pick("role", slot.refers)).map(drop),
            _ => Some(()),
        }
    }

    fn pick(&self, kind: &str, choice: u8) -> Option<&'static str> {
        let of_kind = PLACES.iter().filter(|place| place.split('/').next() == Some(kind));
        let there: Vec<&&str> = of_kind.filter(|place| self.present(place).is_some()).collect();
        there.get(usize::from(choice) % there.len().max(1)).map(|place| **place)
    }

    fn refer<T>(&self, kind: &str, choice: u8, field: &str) -> Input<T> {
        Input::reference(&address(self.pick(kind, choice).expect("it is present")), field)
    }

    fn declare(&self, place: &str, slot: &Slot, to: Declaration<'_>) {
        let (kind, number) = place.split_once('/').expect("a place");
        let Slot { fixed, free, hidden, refers, .. } = *slot;
        let word = |letter: &str, of: u8| Input::from(format!("{letter}{number}-{of}"));
        let net = || self.refer("net", refers, "id");
        match kind {
            "net" => _ = to.add::<Net>(NetSpec { range: word("r", fixed), label: word("l", free) }),
            "sub" => {
                let range = (number.parse::<usize>().unwrap() + self.config.rotation) % 3;
                let range = Input::from(format!("range-{range}"));
                _ = to.add::<Sub>(SubSpec { net: net(), range, mode: word("m", free) });
            }
            "gate" => {
                let label = match free {
                    1 if self.pick("net", hidden).is_some() => {
                        Input::join(["v".into(), self.refer("net", hidden, "revision")])
                    }
                    _ => word("l", free),
                };
                let size = u32::from(fixed).into();
                _ = to.add::<Gate>(GateSpec { sub: self.refer("sub", refers, "id"), size, label });
            }
            "entry" => {
                let gate = match (free, self.pick("gate", hidden)) {
                    (1.., Some(_)) => self.refer("gate", hidden, "id"),
                    _ => None.into(),
                };
                _ = to.add::<Entry>(EntrySpec { net: net(), name: word("e", fixed), gate });
            }
            "default" => _ = to.add::<DefaultGroup>(DefaultSpec { net: net(), rules: u32::from(free).into() }),
            "role" => {
                _ = to.add::<Role>(RoleSpec {
                    name: word("role", refers % 2),
                    path: word("p", fixed),
                    policy: word("p", free),
                    secret: u32::from(hidden).into(),
                    protected: false.into(),
                });
            }
            "linked" => _ = to.add::<Linked>(LinkedSpec { name: "linked".into() }),
            "alias" => _ = to.add::<Alias>(AliasSpec { name: word("alias", fixed), target: net() }),
            _ => {
                _ = to.add::<Store>(StoreSpec {
                    name: word("store", 0),
                    zone: word("z", fixed),
                    engine: "postgres".into(),
                    version: u32::from(free + 1).into(),
                    net: net(),
                    role: self.refer("role", refers, "arn"),
                    password: u32::from(hidden).into(),
                    protected: false.into(),
                });
            }
        }
    }
}

/// Everything once, with references of every sort.
pub(crate) fn representative() -> Config {
    let slot = Slot { present: true, fixed: 0, free: 1, hidden: 0, refers: 0 };
    let mut config = Config { slots: vec![slot; PLACES.len()], after: vec![(14, 1), (8, 11)], rotation: 0 };
    // One store is enough: it takes no other paths.
    config.slots[16].present = false;
    config
}

/// Where something stands in [`PLACES`].
pub(crate) fn place(name: &str) -> usize {
    PLACES.iter().position(|place| *place == name).expect("a place")
}
