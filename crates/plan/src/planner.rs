//! Makes the plan.

use crate::{
    Action, Change, Difference, FieldChange, Graph, Make, Node, Plan, Refusal, Removal, TagDifference, differences,
    tag_differences,
};
use bedplate_model::{
    Address, Change as Policy, Id, Json, Order, Ownership, Readiness, RecordError, Schema, Seen, Tags, is_known, resolve,
    token,
};
use bedplate_state::{Resource, State, Status};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The reason of a change that makes again what someone else removed.
pub const DELETED_OUTSIDE: &str = "was deleted outside bedplate";

/// What AWS showed.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    /// By address: everything declared or recorded that was found.
    pub found: BTreeMap<Address, Found>,
}

/// What was found for one address.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The resource that stands at the address, with its generation.
    pub current: Option<(u32, Seen)>,
    /// Earlier generations that still exist.
    pub older: Vec<(u32, Seen)>,
    /// What has the identity the resource shall have, and is not this stack's.
    pub rival: Option<Seen>,
}

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
    #[error("{address} is of type `{kind}`, which this version of bedplate does not know; use the version that made it")]
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
            refusals: Vec::new(),
        },
    };
    for (address, node) in graph.iter() {
        planner.declared(address, node)?;
    }
    let known: BTreeSet<&Address> = state.resources.keys().chain(observations.found.keys()).collect();
    for address in known.into_iter().rev().filter(|address| graph.get(address).is_none()) {
        planner.undeclared(address)?;
    }
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
        let judged = match &found.current {
            Some((generation, seen)) if seen.readiness != Readiness::Gone => {
                judge(schema, self.graph, address, &wanted, *generation, seen, recorded).map_err(misfit)?
            }
            _ => absent(schema, &wanted, recorded),
        };
        let found_outputs = found.current.as_ref().and_then(|(_, seen)| seen.outputs.clone());
        let outputs = found_outputs.or_else(|| recorded.and_then(|recorded| recorded.outputs.clone()));
        let leftovers = leftovers(found, recorded);

        if !self.targeted(address) {
            self.plan.unchanged += 1;
            self.fates.insert(address.clone(), Fate::Stays(outputs));
            return Ok(());
        }
        let fate = match judged.action {
            None => Fate::Stays(outputs),
            Some(Action::Update | Action::Adopt) => {
                let volatile = schema.output_fields().iter().filter(|field| field.volatile).map(|field| field.name);
                Fate::Updates(outputs, volatile.collect())
            }
            Some(_) => Fate::Made(named(schema, &wanted, recorded).map_err(misfit)?),
        };

        let mut removals = leftovers;
        let mut refusals = Vec::new();
        if judged.action == Some(Action::Replace)
            && let Some((generation, seen)) = &found.current
        {
            let depends_on = recorded.map(|recorded| recorded.depends_on.clone()).unwrap_or_default();
            let protection = schema.protection(&seen.spec);
            // The configuration itself may have taken the protection away.
            let wanted_protection = schema.protection(&wanted);
            let unprotect = protection.is_some() && (self.options.lift_protection || wanted_protection.is_none());
            if let (Some(protection), false) = (protection, unprotect) {
                refusals.push(Refusal {
                    address: address.clone(),
                    problem: format!("it would have to be replaced ({}) and has {protection}", judged.reason),
                    hint: "undo the change, or switch the protection off in the configuration and apply again".to_owned(),
                });
            }
            let id = Some(seen.id.clone());
            removals.push(Removal { generation: *generation, id, depends_on, unprotect });
        }
        if let Some(rival) = &found.rival
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
                self.plan.unchanged += 1;
                self.fates.insert(address.clone(), fate);
                return Ok(());
            }
            None => Action::Delete,
        };
        let reason = match judged.action {
            None => "left over from an earlier replacement".to_owned(),
            Some(_) => judged.reason,
        };
        let make = judged.action.map(|_| {
            let generation = match (action, &found.current) {
                (Action::Update | Action::Adopt, Some((generation, _))) => *generation,
                // Repeating a create that was cut off is the same create.
                (Action::Create, _) if judged.interrupted => {
                    recorded.map_or(0, |recorded| recorded.generation)
                }
                _ => self.state.next_generation(address),
            };
            let keeps = matches!(action, Action::Update | Action::Adopt);
            Make {
                generation,
                client_token: token(self.graph.stack(), address, generation, "create"),
                id: found.current.as_ref().filter(|_| keeps).map(|(_, seen)| seen.id.clone()),
                draft: node.draft.clone(),
                tags: self.graph.tags(address, generation),
                depends_on: node.depends_on.keys().cloned().collect(),
                held: recorded.map(|recorded| recorded.depends_on.clone()).unwrap_or_default(),
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
        let mut removals = leftovers(found, Some(recorded));
        let mut refusals = Vec::new();
        let ours = schema.ownership() != Ownership::Shared;
        let current = found.current.as_ref().filter(|(_, seen)| ours && seen.readiness != Readiness::Gone);
        let (action, reason) = match current {
            Some((generation, seen)) => {
                let protection = schema.protection(&seen.spec);
                let unprotect = protection.is_some() && self.options.lift_protection;
                if let (Some(protection), false) = (protection, unprotect) {
                    refusals.push(Refusal {
                        address: address.clone(),
                        problem: format!("it has {protection}"),
                        hint: format!("`bedplate destroy --lift-protection --target {address}` removes it all the same"),
                    });
                }
                let (id, depends_on) = (Some(seen.id.clone()), recorded.depends_on.clone());
                removals.push(Removal { generation: *generation, id, depends_on, unprotect });
                (Action::Delete, "no longer in the configuration")
            }
            None => {
                let depends_on = recorded.depends_on.clone();
                removals.push(Removal { generation: recorded.generation, id: None, depends_on, unprotect: false });
                let reason = if ours { "already gone" } else { "belongs to the account and stays" };
                (Action::Forget, reason)
            }
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

/// Earlier generations, as far as they were seen or recorded. What is recorded and was not seen is gone by now.
fn leftovers(found: &Found, recorded: Option<&Resource>) -> Vec<Removal> {
    let seen = |id: &Id| found.older.iter().any(|(_, seen)| &seen.id == id && seen.readiness != Readiness::Gone);
    let deposed = recorded.map(|recorded| recorded.deposed.as_slice()).unwrap_or_default();
    let mut removals: Vec<Removal> = deposed
        .iter()
        .map(|deposed| Removal {
            generation: deposed.generation,
            id: seen(&deposed.id).then(|| deposed.id.clone()),
            depends_on: deposed.depends_on.clone(),
            unprotect: false,
        })
        .collect();
    for (generation, seen) in &found.older {
        if seen.readiness != Readiness::Gone && deposed.iter().all(|deposed| deposed.id != seen.id) {
            let depends_on = recorded.map(|recorded| recorded.depends_on.clone()).unwrap_or_default();
            removals.push(Removal { generation: *generation, id: Some(seen.id.clone()), depends_on, unprotect: false });
        }
    }
    removals
}

/// The outputs that a resource has again when it is made anew under the same name.
fn named(schema: &dyn Schema, wanted: &Json, recorded: Option<&Resource>) -> Result<Json, RecordError> {
    let Some(recorded) = recorded.filter(|recorded| recorded.id.is_some() && is_known(wanted)) else {
        return Ok(Json::Null);
    };
    let Some(outputs) = &recorded.outputs else { return Ok(Json::Null) };
    if schema.identity(wanted)? != recorded.id {
        return Ok(Json::Null);
    }
    let named = schema.output_fields().iter().filter(|field| field.named);
    Ok(named.filter_map(|field| Some((field.name.to_owned(), outputs.get(field.name)?.clone()))).collect())
}

/// What has to happen to one declared resource.
#[derive(Default)]
struct Judged {
    action: Option<Action>,
    reason: String,
    fields: Vec<FieldChange>,
    refusals: Vec<(String, String)>,
    interrupted: bool,
}

fn absent(schema: &dyn Schema, wanted: &Json, recorded: Option<&Resource>) -> Judged {
    let fields = schema.fields().iter().filter_map(|field| {
        let after = wanted.get(field.name)?.clone();
        Some(FieldChange {
            path: field.name.to_owned(),
            before: Json::Null,
            after,
            forces_replacement: false,
            drift: false,
        })
    });
    let (reason, interrupted) = match recorded {
        None => ("does not exist", false),
        Some(recorded) if recorded.status == Status::Creating && recorded.id.is_none() => {
            ("its creation was cut off", true)
        }
        Some(recorded) if recorded.status == Status::Deleting => ("its replacement was cut off", false),
        Some(_) => (DELETED_OUTSIDE, false),
    };
    Judged {
        action: Some(Action::Create),
        reason: reason.to_owned(),
        fields: fields.collect(),
        interrupted,
        ..Judged::default()
    }
}

fn judge(
    schema: &dyn Schema,
    graph: &Graph,
    address: &Address,
    wanted: &Json,
    generation: u32,
    seen: &Seen,
    recorded: Option<&Resource>,
) -> Result<Judged, RecordError> {
    if let Readiness::Broken(why) = &seen.readiness {
        return Ok(Judged { action: Some(Action::Replace), reason: format!("is broken: {why}"), ..Judged::default() });
    }
    if recorded.is_some_and(|recorded| recorded.status == Status::Deleting) && schema.ownership() != Ownership::Shared {
        let reason = "its replacement was cut off".to_owned();
        return Ok(Judged { action: Some(Action::Replace), reason, ..Judged::default() });
    }
    let last = recorded.map(|recorded| &recorded.spec);
    let mut judged = Judged::default();
    let (mut replaced_by, mut drifted, mut configured) = (Vec::new(), false, false);
    for difference in differences(schema, wanted, &seen.spec, last)? {
        let Difference { field, before, after } = difference;
        let verdict = schema.judge(field.name, &seen.spec, wanted)?;
        let policy = verdict.as_ref().map_or(field.change, |verdict| verdict.change);
        let why = verdict.map(|verdict| verdict.reason);
        match policy {
            Policy::Update => {}
            Policy::Replace => {
                replaced_by.push(why.unwrap_or_else(|| format!("{} cannot be changed in place", field.name)));
            }
            Policy::Refuse => judged.refusals.push((
                why.unwrap_or_else(|| format!("{} cannot be changed, and a replacement would lose what it holds", field.name)),
                format!("set {} back to {}", field.name, before.as_ref().unwrap_or(&Json::Null)),
            )),
        }
        let drift = last.is_some_and(|last| is_known(&after) && last.get(field.name) == Some(&after));
        if drift { drifted = true } else { configured = true }
        judged.fields.extend(paths(field.name, before.unwrap_or(Json::Null), after).map(|(path, before, after)| {
            FieldChange { path, before, after, forces_replacement: policy == Policy::Replace, drift }
        }));
    }
    if schema.tagged()
        && let Some(tags) = &seen.tags
    {
        let last = recorded.map(|recorded| &recorded.tags);
        let wanted = graph.tags(address, generation);
        for TagDifference { key, before, after } in tag_differences(&wanted, tags, last.unwrap_or(&Tags::new())) {
            let drift = last.is_some_and(|last| last.get(&key) == after.as_ref());
            if drift { drifted = true } else { configured = true }
            let (before, after) = (json!(before), json!(after));
            judged.fields.push(FieldChange { path: format!("tags.{key}"), before, after, forces_replacement: false, drift });
        }
    }

    let unfinished = recorded.is_some_and(|recorded| recorded.status != Status::Ready);
    let busy = matches!(seen.readiness, Readiness::Busy(_));
    (judged.action, judged.reason) = if !replaced_by.is_empty() {
        (Some(Action::Replace), replaced_by.join("; "))
    } else if recorded.is_none() {
        (Some(Action::Adopt), "exists and is this stack's, but the state does not know it".to_owned())
    } else if !judged.fields.is_empty() {
        let reason = match (configured, drifted) {
            (true, true) => "the configuration changed; also changed outside bedplate",
            (false, true) => "changed outside bedplate",
            _ => "the configuration changed",
        };
        (Some(Action::Update), reason.to_owned())
    } else if unfinished {
        (Some(Action::Update), "an earlier run was cut off".to_owned())
    } else if busy && seen.outputs.is_none() {
        (Some(Action::Update), "AWS is still working on it".to_owned())
    } else {
        (None, String::new())
    };
    Ok(judged)
}

/// One change per key where both sides are maps, so that a plan shows exactly what changes.
fn paths(name: &str, before: Json, after: Json) -> impl Iterator<Item = (String, Json, Json)> {
    let mut changes = Vec::new();
    match (before, after) {
        (Json::Object(mut before), Json::Object(after)) if !before.is_empty() && is_known(&json!(after)) => {
            for (key, after) in after {
                let before = before.remove(&key).unwrap_or(Json::Null);
                if before != after {
                    changes.push((format!("{name}.{key}"), before, after));
                }
            }
            changes.extend(before.into_iter().map(|(key, before)| (format!("{name}.{key}"), before, Json::Null)));
        }
        (before, after) => changes.push((name.to_owned(), before, after)),
    }
    changes.into_iter()
}

/// Whether the old one goes first when a resource of this type is replaced.
pub(crate) fn deletes_first(schema: &dyn Schema) -> bool {
    schema.order() == Order::DeleteFirst
}
