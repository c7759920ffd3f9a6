//! Makes the plan.

use crate::judge::{absent, judge};
use crate::{Action, Change, Found, Graph, Make, Node, Observations, Plan, Refusal, Removal};
use bedplate_model::{
    Address, Id, Json, Order, Ownership, Readiness, RecordError, Schema, Seen, references, resolve, token,
};
use bedplate_state::{Resource, State, Status};
use std::collections::{BTreeMap, BTreeSet};

/// The reason of a change that makes what never was there.
pub const DOES_NOT_EXIST: &str = "does not exist";

/// The reason of a change that makes again what someone else removed.
pub const DELETED_OUTSIDE: &str = "was deleted outside bedplate";

/// Finds the facts of a resource type by its name.
pub trait Schemas {
    /// The type.
    fn schema(&self, kind: &str) -> Option<&dyn Schema>;
}

/// What a plan is made for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only these, with what they depend on (or, for a removal, what depends on them). All, when absent.
    pub targets: Option<BTreeSet<Address>>,
    /// Whether protection may be lifted from what is removed.
    pub lift_protection: bool,
}

/// A plan that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The state or the graph has a type this version does not know.
    #[error(
        "{address} is of type `{kind}`, which this version of bedplate does not know; use the version that made it"
    )]
    UnknownKind {
        /// The resource.
        address: Address,
        /// Its type.
        kind: String,
    },
    /// A specification does not fit its type.
    #[error("{address}: {source}")]
    Misfit {
        /// The resource.
        address: Address,
        /// What does not fit.
        source: RecordError,
    },
}

/// Compares what is wanted, recorded and observed.
///
/// # Errors
/// When a type is unknown or a specification does not fit its type. What speaks against the plan is in the plan.
pub fn make(
    graph: &Graph,
    state: &State,
    observations: &Observations,
    schemas: &dyn Schemas,
    options: &Options,
) -> Result<Plan, PlanError> {
    let mut planner = Planner {
        graph,
        state,
        observations,
        schemas,
        options,
        fates: BTreeMap::new(),
        plan: Plan {
            format: Plan::FORMAT,
            stack: graph.stack().clone(),
            lineage: state.lineage.clone(),
            serial: state.serial,
            changes: Vec::new(),
            unchanged: 0,
            outputs: BTreeMap::new(),
            refusals: Vec::new(),
            unseen: observations.unseen.clone(),
        },
    };
    for (address, node) in graph.iter() {
        planner.declared(address, node)?;
    }
    let known: BTreeSet<&Address> = state.resources.keys().chain(observations.found.keys()).collect();
    for address in known.into_iter().rev().filter(|address| graph.get(address).is_none()) {
        planner.undeclared(address)?;
    }
    planner.contained();
    Ok(planner.plan)
}

/// What the others may count on while the plan is carried out.
enum Fate {
    /// Its outputs stay.
    Stays(Option<Json>),
    /// Its outputs stay, except the volatile ones.
    Updates(Option<Json>, BTreeSet<&'static str>),
    /// It is made: its outputs are not known yet, except these, which follow from its name.
    Made(Json),
}

struct Planner<'a> {
    graph: &'a Graph,
    state: &'a State,
    observations: &'a Observations,
    schemas: &'a dyn Schemas,
    options: &'a Options,
    fates: BTreeMap<Address, Fate>,
    plan: Plan,
}

impl Planner<'_> {
    fn schema(&self, address: &Address, kind: &str) -> Result<&dyn Schema, PlanError> {
        let unknown = || PlanError::UnknownKind { address: address.clone(), kind: kind.to_owned() };
        self.schemas.schema(kind).ok_or_else(unknown)
    }

    fn targeted(&self, address: &Address) -> bool {
        self.options.targets.as_ref().is_none_or(|targets| targets.contains(address))
    }

    fn declared(&mut self, address: &Address, node: &Node) -> Result<(), PlanError> {
        let schema = self.schema(address, node.kind)?;
        let misfit = |source| PlanError::Misfit { address: address.clone(), source };
        let recorded = self.state.resources.get(address);
        let empty = Found::default();
        let found = self.observations.found.get(address).unwrap_or(&empty);

        let wanted = resolve(&node.draft, &|to, field| self.output(to, field));
        let mut judged = match &found.current {
            Some((generation, seen)) if seen.readiness != Readiness::Gone => {
                let tags = self.graph.tags(address, *generation);
                judge(schema, &wanted, &tags, node.depends_on.keys(), seen, recorded).map_err(misfit)?
            }
            _ => absent(schema, &wanted, recorded),
        };
        let lost = found.current.as_ref().is_some_and(|(_, seen)| self.removed_container(schema, &seen.id).is_some());
        if lost && matches!(judged.action, None | Some(Action::Update | Action::Adopt)) {
            judged.action = Some(Action::Replace);
            judged.reason = "what it lies in is replaced".to_owned();
        }
        let found_outputs = found.current.as_ref().and_then(|(_, seen)| seen.outputs.clone());
        let recorded_outputs = recorded.and_then(|recorded| recorded.outputs.clone());
        let moved =
            found_outputs.clone().filter(|found| recorded.is_some() && recorded_outputs.as_ref() != Some(found));
        let outputs = found_outputs.or(recorded_outputs);
        let identity = schema.identity(&wanted).map_err(misfit)?;
        let held: BTreeSet<Address> = match recorded {
            Some(recorded) => recorded.depends_on.clone(),
            None => node.depends_on.keys().cloned().collect(),
        };
        let site = Site {
            address,
            schema,
            wanted: Some(&wanted),
            identity: identity.as_ref(),
            depends_on: &held,
            lift_protection: self.options.lift_protection,
        };
        let (mut removals, mut refusals) = site.leftovers(found, recorded);

        if !self.targeted(address) {
            self.stays(address, Fate::Stays(outputs), moved);
            return Ok(());
        }
        let fate = match judged.action {
            None => Fate::Stays(outputs),
            Some(Action::Update | Action::Adopt) => {
                let volatile = schema.output_fields().iter().filter(|field| field.volatile).map(|field| field.name);
                Fate::Updates(outputs, volatile.collect())
            }
            Some(_) => Fate::Made(named(schema, identity.as_ref(), recorded)),
        };

        if let Some(recorded) = recorded.filter(|recorded| recorded.kind != node.kind) {
            refusals.push(Refusal {
                address: address.clone(),
                problem: format!("a {} stands where a {} shall be made", recorded.kind, node.kind),
                hint: "use the version of bedplate that made it, or destroy it with that one first".to_owned(),
            });
        }
        if judged.action == Some(Action::Replace)
            && let Some((generation, seen)) = &found.current
        {
            let because = format!("it would have to be replaced ({})", judged.reason);
            let (removal, refusal) = site.removal(*generation, seen, &because);
            removals.push(removal);
            refusals.extend(refusal);
        }
        // What went in a run that was cut off may have left something behind.
        if let Some(recorded) = recorded.filter(|recorded| recorded.status == Status::Deleting && schema.leaves())
            && judged.action == Some(Action::Create)
        {
            removals.push(site.gone(recorded.generation, recorded.id.clone()));
        }
        if matches!(judged.action, None | Some(Action::Update | Action::Adopt)) {
            refusals.extend(self.held_fast(address, schema, node));
        }
        // A name that somebody gives up is free in a while: the create waits for it.
        if let Some(rival) = found.rival.as_ref().filter(|rival| !rival.readiness.is_leaving())
            && matches!(judged.action, Some(Action::Create | Action::Replace))
        {
            refusals.push(Refusal {
                address: address.clone(),
                problem: format!("{} {} exists already and does not belong to this stack", node.kind, rival.id),
                hint: format!(
                    "choose another name in the configuration, remove it, or take it over with \
                     `bedplate import {address} '{}'`",
                    rival.id
                ),
            });
        }
        refusals.extend(judged.refusals.into_iter().map(|(problem, hint)| Refusal {
            address: address.clone(),
            problem,
            hint,
        }));

        let action = match judged.action {
            Some(action) => action,
            None if removals.is_empty() => {
                self.stays(address, fate, moved);
                return Ok(());
            }
            None => Action::Delete,
        };
        let reason = match judged.action {
            None => "left over from an earlier replacement".to_owned(),
            Some(Action::Create) if recorded.is_none() && self.observations.unseen.contains_key(address) => {
                "is not recorded, and cannot be looked at".to_owned()
            }
            Some(_) => judged.reason,
        };
        let make = judged.action.map(|_| {
            let generation = match (action, &found.current) {
                (Action::Update | Action::Adopt, Some((generation, _))) => *generation,
                // Repeating a create that was cut off is the same create.
                (Action::Create, _) if judged.interrupted => recorded.map_or(0, |recorded| recorded.generation),
                _ => next_generation(self.state, address, found),
            };
            let keeps = matches!(action, Action::Update | Action::Adopt);
            Make {
                generation,
                client_token: token(self.graph.stack(), address, generation, "create"),
                id: found.current.as_ref().filter(|_| keeps).map(|(_, seen)| seen.id.clone()),
                draft: node.draft.clone(),
                tags: self.graph.tags(address, generation),
                depends_on: node.depends_on.keys().cloned().collect(),
                beside: node.only_existing(),
                held,
                interrupted: judged.interrupted,
            }
        });
        self.plan.refusals.extend(refusals);
        self.fates.insert(address.clone(), fate);
        self.plan.changes.push(Change {
            address: address.clone(),
            kind: node.kind.to_owned(),
            action,
            reason,
            fields: judged.fields,
            make,
            removals,
        });
        Ok(())
    }

    /// What this would have to let go of, and does not.
    fn held_fast(&self, address: &Address, schema: &dyn Schema, node: &Node) -> Option<Refusal> {
        let held: BTreeSet<Address> = schema.holds().iter().flat_map(|field| references(&node.draft[field])).collect();
        let mut replaced = self.plan.changes.iter().filter(|change| change.action == Action::Replace);
        let moved = replaced.find(|change| held.contains(&change.address))?;
        Some(Refusal {
            address: address.clone(),
            problem: format!(
                "{} would have to be replaced ({}), and what is in it does not move",
                moved.address, moved.reason
            ),
            hint: "undo the change; or keep the data elsewhere, and remove what is in it from the configuration first"
                .to_owned(),
        })
    }

    /// Nothing happens to it; what it tells others may have moved.
    fn stays(&mut self, address: &Address, fate: Fate, moved: Option<Json>) {
        self.plan.unchanged += 1;
        self.plan.outputs.extend(moved.map(|outputs| (address.clone(), outputs)));
        self.fates.insert(address.clone(), fate);
    }

    /// What another resource's expression gets for an output.
    fn output(&self, address: &Address, field: &str) -> Option<Json> {
        match self.fates.get(address)? {
            Fate::Stays(outputs) => outputs.as_ref()?.get(field).cloned(),
            Fate::Updates(_, volatile) if volatile.contains(field) => None,
            Fate::Updates(outputs, _) => outputs.as_ref()?.get(field).cloned(),
            Fate::Made(named) => named.get(field).cloned(),
        }
    }

    fn undeclared(&mut self, address: &Address) -> Result<(), PlanError> {
        let Some(recorded) = self.state.resources.get(address) else { return Ok(()) };
        let schema = self.schema(address, &recorded.kind)?;
        if !self.targeted(address) {
            self.plan.unchanged += 1;
            return Ok(());
        }
        let empty = Found::default();
        let found = self.observations.found.get(address).unwrap_or(&empty);
        let site = Site {
            address,
            schema,
            wanted: None,
            identity: None,
            depends_on: &recorded.depends_on,
            lift_protection: self.options.lift_protection,
        };
        let (mut removals, mut refusals) = site.leftovers(found, Some(recorded));
        let ours = schema.ownership() != Ownership::Shared;
        let cut_off = recorded.status == Status::Creating;
        let current = found.current.as_ref().filter(|(_, seen)| seen.readiness != Readiness::Gone);
        match current {
            Some((generation, seen)) => {
                let (removal, refusal) = site.removal(*generation, seen, "it would have to be removed");
                removals.push(removal);
                refusals.extend(refusal);
            }
            None => {
                // Reads lag behind creates: what was being made may exist although it was not seen. And what is gone may
                // have left something behind.
                let id = recorded.id.clone().filter(|_| ours && (cut_off || schema.leaves()));
                removals.push(site.gone(recorded.generation, id));
            }
        }
        let removes = removals.iter().any(|removal| removal.id.is_some());
        let (action, reason) = match () {
            () if removes => (Action::Delete, "no longer in the configuration"),
            () if !ours => (Action::Forget, "belongs to the account and stays"),
            () if cut_off => (Action::Forget, "its creation was cut off"),
            () => (Action::Forget, "already gone"),
        };
        self.plan.refusals.extend(refusals);
        self.plan.changes.push(Change {
            address: address.clone(),
            kind: recorded.kind.clone(),
            action,
            reason: reason.to_owned(),
            fields: Vec::new(),
            make: None,
            removals,
        });
        Ok(())
    }
}

impl Planner<'_> {
    /// What lies in something that is removed goes with it.
    fn contained(&mut self) {
        for index in 0..self.plan.changes.len() {
            let change = &self.plan.changes[index];
            let Some(schema) = self.schemas.schema(&change.kind).filter(|it| it.contained_in().is_some()) else {
                continue;
            };
            let ids = change.removals.iter().map(|removal| removal.id.as_ref());
            let containers: Vec<_> = ids.map(|id| self.removed_container(schema, id?).cloned()).collect();
            for (removal, container) in self.plan.changes[index].removals.iter_mut().zip(containers) {
                // Nothing keeps its name.
                removal.first |= container.is_some();
                removal.goes_with = container;
            }
        }
    }

    /// What this lies in, if it is removed.
    fn removed_container(&self, schema: &dyn Schema, id: &Id) -> Option<&Address> {
        let kind = schema.contained_in()?;
        let holds = |removal: &Removal| removal.id.as_ref().is_some_and(|container| container.as_str() == id.split().0);
        let mut removed = self.plan.changes.iter().filter(|change| change.kind == kind);
        removed.find(|change| change.removals.iter().any(holds)).map(|change| &change.address)
    }
}

/// Where something is removed.
struct Site<'a> {
    address: &'a Address,
    schema: &'a dyn Schema,
    /// What comes in its place, as far as it is known.
    wanted: Option<&'a Json>,
    /// The id that this will have, where its name tells.
    identity: Option<&'a Id>,
    depends_on: &'a BTreeSet<Address>,
    lift_protection: bool,
}

impl Site<'_> {
    /// Removes what was seen. What belongs to the account is only forgotten.
    fn removal(&self, generation: u32, seen: &Seen, because: &str) -> (Removal, Option<Refusal>) {
        if self.schema.ownership() == Ownership::Shared {
            return (self.gone(generation, None), None);
        }
        let protection = self.schema.protection(&seen.spec);
        // The configuration itself may have taken the protection away.
        let switched_off = self.wanted.is_some_and(|wanted| self.schema.protection(wanted).is_none());
        let unprotect = protection.is_some() && (self.lift_protection || switched_off);
        let refusal = protection.filter(|_| !unprotect).map(|protection| Refusal {
            address: self.address.clone(),
            problem: format!("{because} and has {protection}"),
            hint: match self.wanted {
                Some(_) => {
                    "undo the change, or switch the protection off in the configuration and apply again".to_owned()
                }
                None => {
                    format!("`bedplate destroy --lift-protection --target {}` removes it all the same", self.address)
                }
            },
        });
        let coexist = |wanted| self.schema.coexist(&seen.spec, wanted).unwrap_or_default();
        let mut removal = self.gone(generation, Some(seen.id.clone()));
        removal.first &= Some(&seen.id) == self.identity || !self.wanted.is_some_and(coexist);
        (Removal { unprotect, ..removal }, refusal)
    }

    /// Removes it without looking, or forgets it.
    fn gone(&self, generation: u32, id: Option<Id>) -> Removal {
        // Two of the same name cannot stand side by side, whatever the type says of others.
        let first = deletes_first(self.schema) || (id.is_some() && id.as_ref() == self.identity);
        Removal {
            generation,
            id,
            depends_on: self.depends_on.clone(),
            unprotect: false,
            discard: false,
            first,
            goes_with: None,
            sweeps: Vec::new(),
        }
    }

    /// Earlier generations, as far as they were seen or recorded. What is recorded and was not seen is gone by now.
    fn leftovers(&self, found: &Found, recorded: Option<&Resource>) -> (Vec<Removal>, Vec<Refusal>) {
        let deposed = recorded.map(|recorded| recorded.deposed.as_slice()).unwrap_or_default();
        let (mut removals, mut refusals) = (Vec::new(), Vec::new());
        for old in deposed {
            if found.older.iter().all(|(_, seen)| seen.id != old.id || seen.readiness == Readiness::Gone) {
                removals.push(Removal { depends_on: old.depends_on.clone(), ..self.gone(old.generation, None) });
            }
        }
        for (generation, seen) in found.older.iter().filter(|(_, seen)| seen.readiness != Readiness::Gone) {
            let known = deposed.iter().find(|old| old.id == seen.id);
            let (mut removal, refusal) = self.removal(*generation, seen, "an earlier one would have to be removed");
            if let Some(known) = known {
                removal.depends_on.clone_from(&known.depends_on);
            }
            removals.push(removal);
            refusals.extend(refusal);
        }
        (removals, refusals)
    }
}

/// A generation that neither the state nor the tags of what was found know.
fn next_generation(state: &State, address: &Address, found: &Found) -> u32 {
    let seen = found.current.iter().chain(&found.older).map(|(generation, _)| generation + 1).max();
    state.next_generation(address).max(seen.unwrap_or_default())
}

/// The outputs that a resource has again when it is made anew under the same name.
fn named(schema: &dyn Schema, identity: Option<&Id>, recorded: Option<&Resource>) -> Json {
    let same = recorded.filter(|recorded| recorded.id.is_some() && recorded.id.as_ref() == identity);
    let Some(outputs) = same.and_then(|recorded| recorded.outputs.as_ref()) else { return Json::Null };
    let named = schema.output_fields().iter().filter(|field| field.named);
    named.filter_map(|field| Some((field.name.to_owned(), outputs.get(field.name)?.clone()))).collect()
}

/// Whether the old one goes first when a resource of this type is replaced.
pub(crate) fn deletes_first(schema: &dyn Schema) -> bool {
    schema.order() == Order::DeleteFirst
}
