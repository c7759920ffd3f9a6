//! Looks at everything that is declared or recorded. Changes nothing.

use crate::Kinds;
use bedplate_model::{
    Address, CallError, Id, Json, Kind, Owner, Ownership, RecordError, Recovery, Seen, StackId, Which, resolve,
};
use bedplate_plan::{Found, Graph, Observations};
use bedplate_state::{State, Status};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::collections::{BTreeMap, BTreeSet};

/// A survey that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// A read failed.
    #[error("reading {kind} failed")]
    Call {
        /// The resource type.
        kind: &'static str,
        /// Why.
        #[source]
        source: CallError,
    },
    /// A specification does not fit its type.
    #[error("{address}: {source}")]
    Misfit {
        /// The resource.
        address: Address,
        /// What does not fit. Part of the message.
        source: RecordError,
    },
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
}

/// Reads what exists: one read per kind, or two where something has to be searched by its ownership tag. With `targets`,
/// only of those; what they depend on should be among them.
///
/// Where a name depends on an output that only this survey finds (after the state was lost), further rounds follow.
///
/// What lies in something that cannot be looked into ([`bedplate_model::Reconcile::CONTAINED_IN`]) is taken to be as
/// recorded, unless that is gone.
///
/// # Errors
/// When another read fails.
pub async fn survey<C>(
    kinds: &Kinds<C>,
    cloud: &C,
    graph: &Graph,
    state: &State,
    targets: Option<&BTreeSet<Address>>,
) -> Result<Observations, SurveyError> {
    let mut survey =
        Survey { kinds, graph, state, targets, observations: Observations::default(), done: BTreeSet::new() };
    loop {
        let round = survey.next_round()?;
        if round.is_empty() {
            return Ok(survey.concluded());
        }
        let mut reads = FuturesUnordered::new();
        for (name, questions) in &round {
            let Some(kind) = kinds.get(name) else { continue };
            reads.push(ask(kind, cloud, graph.stack(), questions));
        }
        let mut answers = BTreeMap::new();
        while let Some(answer) = reads.next().await {
            let (kind, answer) = answer?;
            answers.insert(kind, answer);
        }
        drop(reads);
        survey.take(round, &answers);
    }
}

/// What one read of a kind is for.
#[derive(Debug, Default)]
struct Questions {
    ids: BTreeSet<Id>,
    search: bool,
    asked_by: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    address: Address,
    /// The id it has, if it was made.
    recorded: Option<Id>,
    /// The id it shall have, if its name is known.
    identity: Option<Id>,
}

#[derive(Debug, Default)]
struct Answers {
    by_id: BTreeMap<Id, Seen>,
    owned: Vec<(Owner, Seen)>,
    /// Why there are no answers.
    unseen: Option<CallError>,
}

async fn ask<C>(
    kind: &'static dyn Kind<C>,
    cloud: &C,
    stack: &StackId,
    questions: &Questions,
) -> Result<(&'static str, Answers), SurveyError> {
    match look(kind, cloud, stack, questions).await {
        Ok(answers) => Ok((kind.name(), answers)),
        Err(error) if kind.contained_in().is_some() => {
            Ok((kind.name(), Answers { unseen: Some(error), ..Answers::default() }))
        }
        Err(source) => Err(SurveyError::Call { kind: kind.name(), source }),
    }
}

async fn look<C>(kind: &dyn Kind<C>, cloud: &C, stack: &StackId, questions: &Questions) -> Result<Answers, CallError> {
    let mut answers = Answers::default();
    if !questions.ids.is_empty() {
        let ids: Vec<Id> = questions.ids.iter().cloned().collect();
        let seen = kind.read(cloud, Which::Ids(&ids)).await?;
        answers.by_id = seen.into_iter().map(|seen| (seen.id.clone(), seen)).collect();
    }
    if questions.search {
        let seen = kind.read(cloud, Which::Owned(stack)).await?;
        let owned = seen.into_iter().filter_map(|seen| Some((Owner::from_tags(seen.tags.as_ref()?)?, seen)));
        answers.owned = owned.filter(|(owner, _)| &owner.stack == stack).collect();
    }
    Ok(answers)
}

struct Survey<'a, C: 'static> {
    kinds: &'a Kinds<C>,
    graph: &'a Graph,
    state: &'a State,
    targets: Option<&'a BTreeSet<Address>>,
    observations: Observations,
    done: BTreeSet<Address>,
}

impl<C> Survey<'_, C> {
    /// The questions that can be asked now.
    fn next_round(&mut self) -> Result<BTreeMap<&'static str, Questions>, SurveyError> {
        let mut round: BTreeMap<&'static str, Questions> = BTreeMap::new();
        let declared = self.graph.iter().map(|(address, node)| (address, node.kind));
        let recorded = self.state.resources.iter().map(|(address, resource)| (address, resource.kind.as_str()));
        let all: BTreeMap<&Address, &str> = recorded.chain(declared).collect();
        for (address, kind) in all {
            if self.done.contains(address) || self.targets.is_some_and(|targets| !targets.contains(address)) {
                continue;
            }
            let unknown = || SurveyError::UnknownKind { address: address.clone(), kind: kind.to_owned() };
            let kind = self.kinds.get(kind).ok_or_else(unknown)?;
            let recorded = self.state.resources.get(address);
            let identity = self.identity(kind, address)?;
            let id = self.recorded_id(kind, address)?;
            if id.is_none() && identity.is_none() && kind.recovery() == Recovery::Name {
                continue; // Its name is not known yet; maybe after this round.
            }
            let questions = round.entry(kind.name()).or_default();
            questions.search |= id.is_none() && identity.is_none();
            questions.ids.extend(id.clone());
            questions.ids.extend(identity.clone());
            questions.ids.extend(recorded.iter().flat_map(|recorded| &recorded.deposed).map(|old| old.id.clone()));
            questions.asked_by.push(Asked { address: address.clone(), recorded: id, identity });
            self.done.insert(address.clone());
        }
        Ok(round)
    }

    /// The id the resource shall have, as far as its name is known by now.
    fn identity(&self, kind: &dyn Kind<C>, address: &Address) -> Result<Option<Id>, SurveyError> {
        let Some(node) = self.graph.get(address) else { return Ok(None) };
        let spec = resolve(&node.draft, &|to, field| self.output(to, field));
        kind.identity(&spec).map_err(|source| SurveyError::Misfit { address: address.clone(), source })
    }

    /// The recorded id. Where a create call was cut off before it was saved, the recorded settings may name it.
    fn recorded_id(&self, kind: &dyn Kind<C>, address: &Address) -> Result<Option<Id>, SurveyError> {
        let Some(recorded) = self.state.resources.get(address) else { return Ok(None) };
        if recorded.id.is_some() || recorded.status != Status::Creating {
            return Ok(recorded.id.clone());
        }
        kind.identity(&recorded.spec).map_err(|source| SurveyError::Misfit { address: address.clone(), source })
    }

    fn output(&self, address: &Address, field: &str) -> Option<Json> {
        let found = self.observations.found.get(address).and_then(|found| found.current.as_ref());
        let seen = found.and_then(|(_, seen)| seen.outputs.as_ref()?.get(field));
        seen.or_else(|| self.state.output(address, field)).cloned()
    }

    fn take(&mut self, round: BTreeMap<&'static str, Questions>, answers: &BTreeMap<&'static str, Answers>) {
        for (name, questions) in round {
            let (Some(kind), Some(answers)) = (self.kinds.get(name), answers.get(name)) else { continue };
            for asked in questions.asked_by {
                let found = match &answers.unseen {
                    None => self.found(kind, &asked, answers),
                    Some(error) => {
                        self.observations.unseen.insert(asked.address.clone(), error.clone());
                        self.state.resources.get(&asked.address).map(Found::believed).unwrap_or_default()
                    }
                };
                self.observations.found.insert(asked.address, found);
            }
        }
    }

    /// What could not be looked at, and lies in something that was looked at and is not there, is not there either.
    fn concluded(mut self) -> Observations {
        let mut standing: BTreeMap<&str, BTreeSet<Id>> = BTreeMap::new();
        for (address, found) in &self.observations.found {
            let recorded = self.state.resources.get(address).map(|recorded| recorded.kind.as_str());
            if let Some(kind) = recorded.or_else(|| self.graph.get(address).map(|node| node.kind)) {
                let there = found.current.iter().chain(&found.older).filter(|(_, seen)| !seen.readiness.is_leaving());
                standing.entry(kind).or_default().extend(there.map(|(_, seen)| seen.id.clone()));
            }
        }
        let unseen: Vec<Address> = self.observations.unseen.keys().cloned().collect();
        for address in unseen {
            let kind = self.state.resources.get(&address).and_then(|recorded| self.kinds.get(&recorded.kind));
            let containers = kind.and_then(|kind| standing.get(kind.contained_in()?));
            let (Some(containers), Some(found)) = (containers, self.observations.found.get_mut(&address)) else {
                continue;
            };
            let is_gone = |seen: &Seen| !containers.contains(&Id::new(seen.id.split().0));
            if found.current.take_if(|(_, seen)| is_gone(seen)).is_some() {
                self.observations.unseen.remove(&address);
            }
            found.older.retain(|(_, seen)| !is_gone(seen));
        }
        self.observations
    }

    fn found(&self, kind: &dyn Kind<C>, asked: &Asked, answers: &Answers) -> Found {
        let Asked { address, recorded: recorded_id, identity } = asked;
        let recorded = self.state.resources.get(address);
        let mut found = Found::default();
        if let Some(recorded) = recorded {
            let older = recorded.deposed.iter();
            found.older = older.filter_map(|old| Some((old.generation, answers.by_id.get(&old.id)?.clone()))).collect();
            let seen = recorded_id.as_ref().and_then(|id| answers.by_id.get(id)).cloned();
            match seen {
                // What has the name may be somebody else's, as long as no answer told that it was made for us.
                Some(seen) if recorded.id.is_none() => match owned_generation(kind, &seen, self.graph.stack(), address)
                {
                    // Tags of an earlier generation stay on what was called back from the dead.
                    Some(generation) => {
                        found.current = Some((recorded.generation.max(generation.unwrap_or_default()), seen));
                    }
                    None if *recorded_id == *identity => found.rival = Some(seen),
                    None => {}
                },
                seen => found.current = seen.map(|seen| (recorded.generation, seen)),
            }
        }
        if let Some(identity) = identity.as_ref().filter(|identity| Some(*identity) != recorded_id.as_ref())
            && let Some(seen) = answers.by_id.get(identity)
        {
            match owned_generation(kind, seen, self.graph.stack(), address) {
                Some(generation) if recorded_id.is_none() => {
                    let recorded = recorded.map_or(0, |recorded| recorded.generation);
                    found.current = Some((recorded.max(generation.unwrap_or_default()), seen.clone()));
                }
                Some(_) => {}
                None => found.rival = Some(seen.clone()),
            }
        } else if recorded_id.is_none() {
            let mut owned: Vec<(u32, Seen)> = answers
                .owned
                .iter()
                .filter(|(owner, seen)| {
                    owner.address == *address && found.older.iter().all(|(_, older)| older.id != seen.id)
                })
                .map(|(owner, seen)| (owner.generation, seen.clone()))
                .collect();
            owned.sort_by_key(|(generation, seen)| (*generation, seen.id.clone()));
            let wanted = recorded.map(|recorded| recorded.generation);
            // Without a record, the newest is the current one.
            let current = match wanted {
                Some(wanted) => owned.iter().position(|(generation, _)| *generation == wanted),
                None => owned.len().checked_sub(1),
            };
            found.current = current.map(|index| owned.remove(index));
            found.older.extend(owned);
        }
        found
    }
}

/// `Some` when it is ours, with the generation its tags name.
pub(crate) fn owned_generation<C>(
    kind: &dyn Kind<C>,
    seen: &Seen,
    stack: &StackId,
    address: &Address,
) -> Option<Option<u32>> {
    let owner = seen.tags.as_ref().and_then(Owner::from_tags);
    match kind.ownership() {
        Ownership::Parent | Ownership::Shared => Some(owner.map(|owner| owner.generation)),
        Ownership::Tags => {
            let owner = owner.filter(|owner| &owner.stack == stack)?;
            if kind.tagged() {
                (&owner.address == address).then_some(Some(owner.generation))
            } else {
                // The tags are those of what it hangs on, at another address.
                Some(None)
            }
        }
    }
}
