//! Finds out which declared resource each of a list of existing ones is: by its name, or by what cannot be changed in it.

use crate::{Kinds, SurveyError};
use bedplate_model::{
    Address, Change as Policy, Id, Json, Kind, Readiness, RecordError, Seen, TAG_STACK, Which, is_known, references,
    resolve,
};
use bedplate_plan::{Graph, Node, differences};
use bedplate_state::State;
use std::collections::{BTreeMap, BTreeSet};

/// What may be a declared resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    /// What the list calls it: `aws_vpc.main`.
    pub name: String,
    /// Its type.
    pub kind: &'static str,
    /// Its id.
    pub id: Id,
}

/// Which resource is which.
#[derive(Debug, Default)]
pub struct Matched {
    /// Those that are one declared resource for certain, by its address.
    pub found: BTreeMap<Address, Candidate>,
    /// The others, and why.
    pub others: Vec<(Candidate, Unmatched)>,
}

/// Why a resource is no declared one for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// AWS does not show it.
    Absent,
    /// It is recorded already at this address.
    Recorded(Address),
    /// It belongs to another stack.
    Foreign(String),
    /// No declared resource is like it. Where there is one of its type left, with the fields that tell them apart.
    Unlike(Option<(Address, Vec<&'static str>)>),
    /// It may be any of these.
    Ambiguous(Vec<Address>),
}

/// Matches each candidate with at most one resource that is declared and not recorded. Nothing is guessed: a match is the
/// only one in both directions.
///
/// # Errors
/// When a read fails, or what AWS shows does not fit its type.
pub async fn matching<C>(
    kinds: &Kinds<C>,
    cloud: &C,
    graph: &Graph,
    state: &State,
    candidates: Vec<Candidate>,
) -> Result<Matched, SurveyError> {
    let mut matched = Matched::default();
    let mut by_kind: BTreeMap<&'static str, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        by_kind.entry(candidate.kind).or_default().push(candidate);
    }
    let mut matching = Matching { kinds, graph, state, open: Vec::new(), found: BTreeMap::new() };
    for (name, candidates) in by_kind {
        let Some(kind) = kinds.get(name) else { continue };
        let ids: Vec<Id> = candidates.iter().map(|candidate| candidate.id.clone()).collect();
        let seen = kind.read(cloud, Which::Ids(&ids)).await;
        let seen = seen.map_err(|source| SurveyError::Call { kind: kind.name(), source })?;
        let seen: BTreeMap<Id, Seen> = seen.into_iter().map(|seen| (seen.id.clone(), seen)).collect();
        for candidate in candidates {
            let seen = seen.get(&candidate.id).filter(|seen| seen.readiness != Readiness::Gone);
            match matching.obstacle(&candidate, seen) {
                Some(why) => matched.others.push((candidate, why)),
                None => matching.open.extend(seen.map(|seen| (candidate, seen.clone()))),
            }
        }
    }
    while matching.step()? {}
    for (candidate, seen) in std::mem::take(&mut matching.open) {
        let why = matching.why_not(&candidate, &seen)?;
        matched.others.push((candidate, why));
    }
    matched.others.sort_by(|(a, _), (b, _)| a.cmp(b));
    matched.found = matching.found.into_iter().map(|(address, (candidate, _))| (address, candidate)).collect();
    Ok(matched)
}

struct Matching<'a, C: 'static> {
    kinds: &'a Kinds<C>,
    graph: &'a Graph,
    state: &'a State,
    open: Vec<(Candidate, Seen)>,
    found: BTreeMap<Address, (Candidate, Seen)>,
}

/// How alike a declared and an existing resource are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// What cannot be changed is the same.
    Same,
    /// All that is known is the same.
    Equal,
}

impl<C> Matching<'_, C> {
    fn obstacle(&self, candidate: &Candidate, seen: Option<&Seen>) -> Option<Unmatched> {
        let Some(seen) = seen else { return Some(Unmatched::Absent) };
        let mut recorded = self.state.resources.iter();
        if let Some((address, _)) =
            recorded.find(|(_, it)| it.kind == candidate.kind && it.id.as_ref() == Some(&candidate.id))
        {
            return Some(Unmatched::Recorded(address.clone()));
        }
        let stack = seen.tags.as_ref().and_then(|tags| tags.get(TAG_STACK));
        stack.filter(|stack| *stack != self.graph.stack().as_str()).map(|stack| Unmatched::Foreign(stack.clone()))
    }

    /// The declared resources of a type.
    fn declared(&self, kind: &str) -> impl Iterator<Item = (&Address, &Node)> {
        self.graph.iter().filter(move |(_, node)| node.kind == kind)
    }

    /// Those of them that are nobody's yet.
    fn free(&self, kind: &str) -> impl Iterator<Item = (&Address, &Node)> {
        self.declared(kind).filter(|(address, _)| self.is_free(address))
    }

    fn is_free(&self, address: &Address) -> bool {
        !self.state.resources.contains_key(address) && !self.found.contains_key(address)
    }

    /// Takes what can be told by now. Whether something was: then more may follow.
    fn step(&mut self) -> Result<bool, SurveyError> {
        let mut sure: Vec<(usize, Address)> = Vec::new();
        let mut likeness: Vec<BTreeMap<Address, Likeness>> = Vec::new();
        for (candidate, seen) in &self.open {
            likeness.push(self.alike(candidate, seen)?);
        }
        for level in [Likeness::Same, Likeness::Equal] {
            for (index, addresses) in likeness.iter().enumerate() {
                // Those that are taken count too: what is left over at the end is no proof.
                let mut fitting = addresses.iter().filter(|(_, alike)| **alike >= level);
                let (Some((address, _)), None) = (fitting.next(), fitting.next()) else { continue };
                if !self.is_free(address) {
                    continue;
                }
                let rivals = likeness.iter().filter(|other| other.get(address).is_some_and(|alike| *alike >= level));
                if rivals.count() == 1 {
                    sure.push((index, address.clone()));
                }
            }
            if !sure.is_empty() {
                break;
            }
        }
        for (index, (candidate, seen)) in self.open.iter().enumerate() {
            if sure.iter().all(|(taken, _)| *taken != index)
                && let Some(address) = self.named_by_another(candidate, seen)
                && sure.iter().all(|(_, taken)| *taken != address)
            {
                sure.push((index, address));
            }
        }
        sure.sort_by_key(|(index, _)| std::cmp::Reverse(*index));
        let any = !sure.is_empty();
        for (index, address) in sure {
            let one = self.open.remove(index);
            self.found.insert(address, one);
        }
        Ok(any)
    }

    /// The declared resources that this may be.
    fn alike(&self, candidate: &Candidate, seen: &Seen) -> Result<BTreeMap<Address, Likeness>, SurveyError> {
        let Some(kind) = self.kinds.get(candidate.kind) else { return Ok(BTreeMap::new()) };
        let mut alike = BTreeMap::new();
        for (address, node) in self.declared(candidate.kind) {
            let misfit = |source| SurveyError::Misfit { address: address.clone(), source };
            let wanted = self.wanted(node);
            let fits = match kind.identity(&wanted).map_err(misfit)? {
                Some(identity) => (identity == candidate.id).then_some(Likeness::Equal),
                None => {
                    let (same, different, equal) = compare(kind, node, &wanted, seen).map_err(misfit)?;
                    let fits = same && different.is_empty();
                    fits.then_some(if equal { Likeness::Equal } else { Likeness::Same })
                }
            };
            alike.extend(fits.map(|likeness| (address.clone(), likeness)));
        }
        Ok(alike)
    }

    /// What a resource that is known by now refers to: a NAT gateway names its address.
    fn named_by_another(&self, candidate: &Candidate, seen: &Seen) -> Option<Address> {
        let outputs = seen.outputs.as_ref()?;
        for (address, (_, holder)) in &self.found {
            let Json::Object(draft) = &self.graph.get(address)?.draft else { continue };
            for (field, expression) in draft {
                let Some(value) = holder.spec.get(field) else { continue };
                for to in references(expression).iter().filter(|to| self.free(candidate.kind).any(|(it, _)| it == *to))
                {
                    let told = resolve(expression, &|of, field| {
                        if of == to { outputs.get(field).cloned() } else { self.output(of, field) }
                    });
                    if told == *value {
                        return Some(to.clone());
                    }
                }
            }
        }
        None
    }

    fn why_not(&self, candidate: &Candidate, seen: &Seen) -> Result<Unmatched, SurveyError> {
        let Some(kind) = self.kinds.get(candidate.kind) else { return Ok(Unmatched::Unlike(None)) };
        let (mut possible, mut unlike) = (Vec::new(), Vec::new());
        for (address, node) in self.free(candidate.kind) {
            let misfit = |source| SurveyError::Misfit { address: address.clone(), source };
            let wanted = self.wanted(node);
            let named = kind.identity(&wanted).map_err(misfit)?.is_some_and(|identity| identity != candidate.id);
            let (_, different, _) = compare(kind, node, &wanted, seen).map_err(misfit)?;
            if different.is_empty() && !named {
                possible.push(address.clone());
            } else {
                unlike.push((address.clone(), different));
            }
        }
        if !possible.is_empty() {
            return Ok(Unmatched::Ambiguous(possible));
        }
        let only = if unlike.len() == 1 { unlike.pop() } else { None };
        Ok(Unmatched::Unlike(only))
    }

    fn wanted(&self, node: &Node) -> Json {
        resolve(&node.draft, &|to, field| self.output(to, field))
    }

    fn output(&self, address: &Address, field: &str) -> Option<Json> {
        let found = self.found.get(address).and_then(|(_, seen)| seen.outputs.as_ref()?.get(field));
        found.or_else(|| self.state.output(address, field)).cloned()
    }
}

/// Whether anything that tells it from others (what cannot be changed, what it refers to) is known to be the same, what of it is known to differ, and whether nothing else
/// that is known differs either.
fn compare<C>(
    kind: &dyn Kind<C>,
    node: &Node,
    wanted: &Json,
    seen: &Seen,
) -> Result<(bool, Vec<&'static str>, bool), RecordError> {
    let all = differences(kind, wanted, &seen.spec, None)?;
    let differing: Vec<_> = all.iter().filter(|difference| is_known(&difference.after)).collect();
    let mut fixed = Vec::new();
    for difference in &differing {
        let verdict = kind.judge(difference.field.name, &seen.spec, wanted)?;
        if verdict.map_or(difference.field.change, |verdict| verdict.change) != Policy::Update {
            fixed.push(difference.field.name);
        }
    }
    let unequal: BTreeSet<&str> = all.iter().map(|difference| difference.field.name).collect();
    let refers = |field: &str| node.draft.get(field).is_some_and(|expression| !references(expression).is_empty());
    let same = kind.fields().iter().any(|field| {
        (field.change != Policy::Update || refers(field.name))
            && !unequal.contains(field.name)
            && seen.spec.get(field.name).is_some_and(|value| !value.is_null())
            && wanted.get(field.name).is_some_and(is_known)
    });
    Ok((same, fixed, differing.is_empty()))
}
