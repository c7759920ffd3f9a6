//! Takes over what exists and is nobody's: looks at it, compares, and plans what makes it ours. Changes nothing.

mod matching;

pub use matching::{Candidate, Matched, Unmatched, matching};

use crate::{
    Kinds, SurveyError,
    recover::{last_sent, pair},
    survey,
};
use bedplate_model::{
    Address, Id, Json, Owner, Ownership, Readiness, RecordError, Schema, Seen, TAG_ADDRESS, TAG_GENERATION, TAG_STACK,
    Tags, resolve, token,
};
use bedplate_plan::{
    Action, Change, FieldChange, Graph, Make, Node, Observations, Options, Plan, PlanError, Refusal, make,
};
use bedplate_state::{Resource, State, Status};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// What an import does, and what comes after it.
#[derive(Debug)]
pub struct Import {
    /// The import itself: it sets the ownership tags and records what is there. Its refusals say what cannot be taken over.
    pub plan: Plan,
    /// What the next apply would change in what was taken over.
    pub next: Plan,
}

/// An import that cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A look at what exists failed.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// It cannot be compared with what is declared.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Plans to take over the resources with these ids at these addresses, which are declared and not recorded.
///
/// # Errors
/// When a read fails. What speaks against the import is in its plan.
pub async fn import<C>(
    kinds: &Kinds<C>,
    cloud: &C,
    graph: &Graph,
    state: &State,
    wanted: &BTreeMap<Address, Id>,
) -> Result<Import, ImportError> {
    // As if they were recorded: so they are looked at, and what refers to them knows them.
    let mut assumed = state.clone();
    for (address, id) in wanted {
        if let Some(node) = graph.get(address) {
            assumed.resources.insert(address.clone(), record(state, address, node, id));
        }
    }
    let targets: BTreeSet<Address> = wanted.keys().cloned().collect();
    let around = graph.with_dependencies(targets.clone());
    let mut observations = survey(kinds, cloud, graph, &assumed, Some(&around)).await?;

    let mut plan = empty(state);
    for (address, node) in graph.iter() {
        let Some(id) = wanted.get(address) else { continue };
        let unknown = || SurveyError::UnknownKind { address: address.clone(), kind: node.kind.to_owned() };
        let kind = kinds.get(node.kind).ok_or_else(unknown)?;
        let one = One { address, node, kind, id, graph };
        match one.look(&mut observations, &mut assumed).map_err(|source| one.misfit(source))? {
            Ok(change) => plan.changes.push(change),
            Err(refusal) => plan.refusals.push(refusal),
        }
    }
    if !plan.refusals.is_empty() {
        return Ok(Import { plan, next: empty(state) });
    }
    let options = Options { targets: Some(targets), ..Options::default() };
    let mut next = make(graph, &assumed, &observations, kinds, &options)?;
    next.changes.retain(|change| wanted.contains_key(&change.address));
    next.unchanged = wanted.len() - next.changes.len();
    plan.refusals = unfit(&next, graph, &assumed, wanted);
    Ok(Import { plan, next })
}

fn empty(state: &State) -> Plan {
    Plan {
        format: Plan::FORMAT,
        stack: state.stack.clone(),
        lineage: state.lineage.clone(),
        serial: state.serial,
        changes: Vec::new(),
        unchanged: 0,
        outputs: BTreeMap::new(),
        refusals: Vec::new(),
        unseen: BTreeMap::new(),
    }
}

/// What would be recorded, before anything is known of it but its id.
fn record(state: &State, address: &Address, node: &Node, id: &Id) -> Resource {
    let generation = state.next_generation(address);
    Resource {
        kind: node.kind.to_owned(),
        generation,
        status: Status::Ready,
        id: Some(id.clone()),
        client_token: token(&state.stack, address, generation, "create"),
        spec: json!({}),
        outputs: None,
        tags: Tags::new(),
        depends_on: node.depends_on.keys().cloned().collect(),
        adopted: true,
        deposed: Vec::new(),
    }
}

/// One resource that shall be taken over.
struct One<'a> {
    address: &'a Address,
    node: &'a Node,
    kind: &'a dyn Schema,
    id: &'a Id,
    graph: &'a Graph,
}

impl One<'_> {
    fn misfit(&self, source: RecordError) -> SurveyError {
        SurveyError::Misfit { address: self.address.clone(), source }
    }

    fn refusal(&self, problem: String, hint: impl Into<String>) -> Refusal {
        Refusal { address: self.address.clone(), problem, hint: hint.into() }
    }

    /// Completes the assumed record by what was found, and plans the takeover.
    fn look(
        &self,
        observations: &mut Observations,
        assumed: &mut State,
    ) -> Result<Result<Change, Refusal>, RecordError> {
        let Self { address, node, kind, id, graph } = self;
        if let Some(error) = observations.unseen.get(*address) {
            let problem = format!("{} {id} cannot be looked at: {}", node.kind, error.message);
            return Ok(Err(self.refusal(problem, "run the same command from where it can be reached")));
        }
        let wanted = resolve(&node.draft, &|to, field| output(observations, assumed, to, field));
        let found = observations.found.get_mut(*address).and_then(|found| found.current.as_mut());
        let Some((generation, seen)) = found.filter(|(_, seen)| seen.readiness != Readiness::Gone) else {
            return Ok(Err(self.absent(&wanted)?));
        };
        if seen.readiness.is_leaving() {
            let problem = format!("{} {id} is being removed", node.kind);
            return Ok(Err(self.refusal(problem, "wait until it is gone; the next apply makes a new one")));
        }
        let owned = match self.owned(seen) {
            Ok(owned) => owned,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(resource) = assumed.resources.get_mut(*address) else { return Ok(Err(self.absent(&wanted)?)) };
        if let Some(owned) = owned {
            resource.generation = owned;
            *generation = owned;
        }
        let owner = Owner { stack: graph.stack().clone(), address: (*address).clone(), generation: *generation };
        // Tags of others stay theirs: what is recorded is what a run of ours would set.
        let declared = graph.tags(address, *generation);
        let before = seen.tags.clone().unwrap_or_default();
        resource.spec = last_sent(*kind, &wanted, &seen.spec)?;
        resource.outputs.clone_from(&seen.outputs);
        resource.tags = before.iter().filter(|(key, _)| declared.contains_key(*key)).map(pair).collect();
        resource.tags.extend(owner.to_tags());
        if kind.tagged() {
            // As it will be after the import.
            seen.tags = Some(before.iter().map(pair).chain(owner.to_tags()).collect());
        }
        Ok(Ok(self.change(resource, &before, &owner)))
    }

    /// What sets the ownership tags and nothing else: the settings are those that it has.
    fn change(&self, resource: &Resource, before: &Tags, owner: &Owner) -> Change {
        let marks =
            self.kind.ownership() == Ownership::Tags && (self.kind.tagged() || self.kind.contained_in().is_some());
        let fields = owner.to_tags().into_iter().filter(|(key, value)| marks && before.get(key) != Some(value));
        let fields = fields.map(|(key, value)| FieldChange {
            before: json!(before.get(&key)),
            after: json!(value),
            path: format!("tags.{key}"),
            forces_replacement: false,
            drift: false,
        });
        Change {
            address: self.address.clone(),
            kind: self.node.kind.to_owned(),
            action: Action::Adopt,
            reason: format!("{} exists", self.id),
            fields: fields.collect(),
            make: Some(Make {
                generation: resource.generation,
                client_token: resource.client_token.clone(),
                id: Some(self.id.clone()),
                draft: resource.spec.clone(),
                tags: resource.tags.clone(),
                depends_on: resource.depends_on.clone(),
                beside: BTreeSet::new(),
                held: BTreeSet::new(),
                interrupted: false,
            }),
            removals: Vec::new(),
        }
    }

    fn absent(&self, wanted: &Json) -> Result<Refusal, RecordError> {
        let problem = format!("AWS shows no {} with the id {}", self.node.kind, self.id);
        let hint = match self.kind.identity(wanted)? {
            Some(identity) => {
                format!("check the id, the region and the account; the declared one would have the id `{identity}`")
            }
            None => "check the id, the region and the account".to_owned(),
        };
        Ok(self.refusal(problem, hint))
    }

    /// The generation that its tags name, when they say that it is this very resource; `None` when it is nobody's.
    fn owned(&self, seen: &Seen) -> Result<Option<u32>, Refusal> {
        let tag = |key: &str| seen.tags.as_ref().and_then(|tags| tags.get(key));
        let Some(stack) = tag(TAG_STACK) else { return Ok(None) };
        if stack != self.graph.stack().as_str() {
            return Err(self.refusal(
                format!("{} {} belongs to the stack {stack}", self.node.kind, self.id),
                format!(
                    "`bedplate state rm` in {stack} forgets it there; its tags ({TAG_STACK} and the others) go by hand"
                ),
            ));
        }
        if !self.kind.tagged() && self.kind.contained_in().is_none() {
            return Ok(None); // The tags are those of what it hangs on.
        }
        match tag(TAG_ADDRESS) {
            Some(address) if address != self.address.as_str() => Err(self.refusal(
                format!("{} {} is this stack's {address} already", self.node.kind, self.id),
                format!(
                    "`bedplate state recover` records it; `bedplate state mv {address} {}` moves it then",
                    self.address
                ),
            )),
            _ => Ok(tag(TAG_GENERATION).and_then(|generation| generation.parse().ok())),
        }
    }
}

/// An output of what was found or is recorded.
fn output(observations: &Observations, state: &State, address: &Address, field: &str) -> Option<Json> {
    let found = observations.found.get(address).and_then(|found| found.current.as_ref());
    let seen = found.and_then(|(_, seen)| seen.outputs.as_ref()?.get(field));
    seen.or_else(|| state.output(address, field)).cloned()
}

/// What is too different to become what is declared: the next apply would replace it.
fn unfit(next: &Plan, graph: &Graph, assumed: &State, wanted: &BTreeMap<Address, Id>) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for change in next.changes.iter().filter(|change| change.action == Action::Replace) {
        let missing: Vec<&str> = graph.get(&change.address).map_or_else(Vec::new, |node| {
            let missing = node.depends_on.keys().filter(|to| !assumed.resources.contains_key(*to));
            missing.map(Address::as_str).collect()
        });
        let open =
            change.fields.iter().any(|field| field.forces_replacement && !bedplate_model::is_known(&field.after));
        let different = change.fields.iter().filter(|field| field.forces_replacement);
        let different: Vec<String> =
            different.map(|field| format!("{} is {} and shall be {}", field.path, field.before, field.after)).collect();
        let id = wanted.get(&change.address).map(Id::as_str).unwrap_or_default();
        let (problem, hint) = if open && !missing.is_empty() {
            (
                format!("{} {id} cannot be compared: {} is not recorded yet", change.kind, missing.join(", ")),
                format!("import {} first, or in the same run", missing[0]),
            )
        } else {
            let why = if different.is_empty() { change.reason.clone() } else { different.join("; ") };
            (
                format!("{} {id} would be replaced by the next apply: {why}", change.kind),
                "change the configuration to what exists, or take over another one".to_owned(),
            )
        };
        refusals.push(Refusal { address: change.address.clone(), problem, hint });
    }
    let replaced: BTreeSet<Address> = refusals.iter().map(|refusal| refusal.address.clone()).collect();
    let others = next.refusals.iter().filter(|it| wanted.contains_key(&it.address) && !replaced.contains(&it.address));
    refusals.extend(others.cloned());
    refusals
}
