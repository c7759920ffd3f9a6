//! Rebuilds the state from what exists. Changes nothing.

use crate::{Kinds, SurveyError};
use bedplate_model::{
    Address, CallError, Id, Json, Kind, Owner, Readiness, RecordError, Schema, Seen, StackId, Tags, Which, resolve,
    token,
};
use bedplate_plan::{Graph, Node, Observations, differences, tag_differences};
use bedplate_state::{Deposed, Resource, State, Status};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What was made so long ago shows, as a rule (EC2 Developer Guide, "Eventual consistency": within seconds).
const LAG: Duration = Duration::from_secs(5);
/// A search is repeated so often at most.
const LOOKS: usize = 6;

/// A resource whose tags say that it is the stack's.
#[derive(Clone, Debug)]
pub struct Owned {
    /// Its type.
    pub kind: &'static str,
    /// Where its tags say it stands.
    pub owner: Owner,
    /// What AWS says of it.
    pub seen: Seen,
}

/// What has the name of a declared resource and is not the stack's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// The declared resource.
    pub address: Address,
    /// Its type.
    pub kind: String,
    /// What AWS calls the other one.
    pub id: Id,
}

/// What a search by ownership tags found.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// What is the stack's.
    pub owned: Vec<Owned>,
    /// Types that could not be searched, and why.
    pub unsearched: Vec<(&'static str, CallError)>,
}

impl Search {
    /// That nothing which is declared or recorded was left out. What lies in something that cannot be looked into may be.
    ///
    /// # Errors
    /// With the first such type that could not be searched.
    pub fn complete<C>(&self, kinds: &Kinds<C>, graph: &Graph, state: &State) -> Result<(), SurveyError> {
        let declared = graph.iter().map(|(_, node)| node.kind);
        let used: BTreeSet<&str> = declared.chain(state.resources.values().map(|it| it.kind.as_str())).collect();
        let contained = |name: &str| kinds.get(name).is_some_and(|kind| kind.contained_in().is_some());
        let missing = self.unsearched.iter().find(|(kind, _)| used.contains(kind) && !contained(kind));
        missing.map_or(Ok(()), |(kind, source)| Err(SurveyError::Call { kind, source: source.clone() }))
    }
}

/// A state and what it was made from.
#[derive(Debug)]
pub struct Recovered {
    /// The state. Its serial is that of the state that was given.
    pub state: State,
    /// What was found and not known before, or known otherwise.
    pub found: Vec<Address>,
    /// What the stack owns and the configuration does not declare.
    pub undeclared: Vec<Address>,
    /// What is not the stack's. It is not in the state.
    pub foreign: Vec<Foreign>,
    /// Types that could not be searched by their tags, and why. None of them is declared or recorded, or what is declared
    /// of it lies in something that cannot be looked into.
    pub unsearched: Vec<(&'static str, CallError)>,
}

/// Searches all types by the stack's ownership tags.
pub async fn search<C>(kinds: &Kinds<C>, cloud: &C, stack: &StackId) -> Search {
    // Where a type has no tags of its own, it shows those of what it hangs on.
    let reads = kinds.iter().filter(|kind| kind.tagged());
    let mut reads: FuturesUnordered<_> =
        reads.map(|kind| async { (kind.name(), search_kind(kind, cloud, stack).await) }).collect();
    let mut search = Search::default();
    while let Some((kind, found)) = reads.next().await {
        match found {
            Ok(found) => search.owned.extend(found),
            Err(error) => search.unsearched.push((kind, error)),
        }
    }
    search.owned.sort_by(|a, b| {
        (&a.owner.address, a.owner.generation, &a.seen.id).cmp(&(&b.owner.address, b.owner.generation, &b.seen.id))
    });
    search.unsearched.sort_by_key(|(kind, _)| *kind);
    search
}

/// Repeats a search that found something until it finds the same twice: reads lag behind creates, and the run that lost its
/// state may have made something just before. Where nothing at all was found, nothing is waited for.
#[expect(clippy::disallowed_methods, reason = "nothing is carried out yet, so there is nothing to interrupt")]
pub async fn settled(look: impl AsyncFn() -> Search) -> Search {
    let ids = |search: &Search| search.owned.iter().map(|it| (it.kind, it.seen.id.clone())).collect::<BTreeSet<_>>();
    let mut found = look().await;
    for _ in 0..LOOKS {
        if found.owned.is_empty() {
            break;
        }
        tokio::time::sleep(LAG).await;
        let again = look().await;
        let same = ids(&again) == ids(&found);
        found = again;
        if same {
            break;
        }
    }
    found
}

async fn search_kind<C>(kind: &'static dyn Kind<C>, cloud: &C, stack: &StackId) -> Result<Vec<Owned>, CallError> {
    let found = kind.read(cloud, Which::Owned(stack)).await?;
    let owned = found.into_iter().filter(|seen| seen.readiness != Readiness::Gone).filter_map(|seen| {
        let owner = Owner::from_tags(seen.tags.as_ref()?)?;
        (&owner.stack == stack).then(|| Owned { kind: kind.name(), owner, seen })
    });
    Ok(owned.collect())
}

/// Brings `state` up to what exists: what `search` found by its tags, and what a survey finds by the names of the declared
/// graph. What the state knows already stays as it is recorded, unless it was changed since into what is declared.
///
/// # Errors
/// When a read fails, or a type that is declared or recorded could not be searched.
pub async fn recover<C>(
    kinds: &Kinds<C>,
    cloud: &C,
    graph: &Graph,
    state: &State,
    search: Search,
) -> Result<Recovered, SurveyError> {
    search.complete(kinds, graph, state)?;
    let Search { owned, unsearched } = search;
    let mut recovery = Recovery { graph, state: state.clone(), seen: BTreeMap::new() };
    // What was moved to another address carries the old one in its tags until the next apply.
    let moved = |piece: &&Owned| {
        let mut records = state.resources.iter();
        records.any(|(address, it)| {
            *address != piece.owner.address && it.kind == piece.kind && it.id.as_ref() == Some(&piece.seen.id)
        })
    };
    let pieces: Vec<&Owned> = owned.iter().filter(|piece| !moved(piece)).collect();
    for pieces in pieces.chunk_by(|a, b| a.owner.address == b.owner.address) {
        recovery.take_owned(pieces);
    }
    // By their names, with the outputs of what was found so far. What is found may name others.
    let observations = crate::survey(kinds, cloud, graph, &recovery.state, None).await?;
    recovery.take_observed(&observations);
    let gone = recovery.take_gone(kinds, cloud, &observations, &owned).await?;
    recovery.complete(kinds)?;
    recovery.catch_up(kinds, &observations)?;

    let Recovery { state: recovered, seen, .. } = recovery;
    let foreign = graph.iter().filter_map(|(address, node)| {
        let rival = observations.found.get(address)?.rival.as_ref()?;
        let known = recovered.resources.contains_key(address);
        (!known).then(|| Foreign { address: address.clone(), kind: node.kind.to_owned(), id: rival.id.clone() })
    });
    let undeclared = recovered.resources.keys().filter(|address| graph.get(address).is_none()).cloned();
    Ok(Recovered {
        found: seen.into_keys().chain(gone).collect::<BTreeSet<_>>().into_iter().collect(),
        undeclared: undeclared.collect(),
        foreign: foreign.collect(),
        unsearched,
        state: recovered,
    })
}

struct Recovery<'a> {
    graph: &'a Graph,
    state: State,
    /// What AWS said of everything that is new in the state.
    seen: BTreeMap<Address, Seen>,
}

impl Recovery<'_> {
    /// Takes what the tags say stands at one address, the newest generation last.
    fn take_owned(&mut self, pieces: &[&Owned]) {
        let Some((newest, older)) = pieces.split_last() else { return };
        let address = &newest.owner.address;
        let mut deposed: Vec<Deposed> =
            older.iter().map(|piece| deposed(piece.owner.generation, &piece.seen.id)).collect();
        let recorded = self.state.resources.get(address).cloned();
        if let Some(recorded) = &recorded {
            deposed.retain(|old| recorded.deposed.iter().all(|known| known.id != old.id));
            deposed.extend(recorded.deposed.iter().filter(|known| known.id != newest.seen.id).cloned());
            let same = recorded.generation == newest.owner.generation;
            match &recorded.id {
                Some(id) if *id == newest.seen.id => {
                    if recorded.deposed != deposed {
                        self.resource(address).deposed = deposed;
                        self.seen.insert(address.clone(), newest.seen.clone());
                    }
                    return;
                }
                // What a create call made that was cut off before its answer was saved.
                None if same => {
                    let resource = self.resource(address);
                    resource.id = Some(newest.seen.id.clone());
                    resource.deposed = deposed;
                    self.seen.insert(address.clone(), newest.seen.clone());
                    return;
                }
                // It was replaced since.
                Some(id) if deposed.iter().all(|old| old.id != *id) => {
                    deposed.push(Deposed {
                        depends_on: recorded.depends_on.clone(),
                        ..self::deposed(recorded.generation, id)
                    });
                }
                _ => {}
            }
        }
        deposed.sort_by_key(|old| old.generation);
        self.insert(address, newest.kind, newest.owner.generation, newest.seen.clone(), deposed);
    }

    /// Takes what a survey found by name of what is declared and not known yet.
    fn take_observed(&mut self, observations: &Observations) {
        for (address, node) in self.graph.iter() {
            let Some(found) = observations.found.get(address) else { continue };
            let Some((generation, seen)) = &found.current else { continue };
            let recorded = self.state.resources.get(address);
            if seen.readiness == Readiness::Gone || recorded.is_some_and(|recorded| recorded.id.is_some()) {
                continue;
            }
            match recorded {
                Some(_) => {
                    self.resource(address).id = Some(seen.id.clone());
                    self.seen.insert(address.clone(), seen.clone());
                }
                None => self.insert(address, node.kind, *generation, seen.clone(), Vec::new()),
            }
        }
    }

    /// Takes what is gone itself and left something behind, which shows by its name: its removal was cut off before that
    /// was swept. Recorded as being removed, so that the next run sweeps it.
    async fn take_gone<C>(
        &mut self,
        kinds: &Kinds<C>,
        cloud: &C,
        observations: &Observations,
        owned: &[Owned],
    ) -> Result<Vec<Address>, SurveyError> {
        let mut gone = Vec::new();
        for (address, node) in self.graph.iter() {
            let Some(kind) = kinds.get(node.kind).filter(|kind| kind.leaves()) else { continue };
            // What has its name and is somebody else's has leftovers of its own.
            let rival = observations.found.get(address).is_some_and(|found| found.rival.is_some());
            if rival || self.state.resources.contains_key(address) {
                continue;
            }
            let mut left = None;
            for wanted in self.ever_wanted(node, owned) {
                let misfit = |source| SurveyError::Misfit { address: address.clone(), source };
                let spec = kind.canonical(&wanted).map_err(misfit)?;
                let Some(id) = kind.identity(&spec).map_err(misfit)? else { continue };
                let found = kind.leftovers(cloud, &id, &spec).await;
                if !found.map_err(|source| SurveyError::Call { kind: kind.name(), source })?.is_empty() {
                    left = Some((id, spec));
                    break;
                }
            }
            let Some((id, spec)) = left else { continue };
            // Whichever it was of: the next one is of a later generation than the first.
            let generation = *self.state.generations.entry(address.clone()).or_default();
            let resource = Resource {
                kind: node.kind.to_owned(),
                generation,
                status: Status::Deleting,
                id: Some(id),
                client_token: token(&self.state.stack, address, generation, "create"),
                spec,
                outputs: None,
                tags: Tags::new(),
                depends_on: node.depends_on.keys().cloned().collect(),
                adopted: true,
                deposed: Vec::new(),
            };
            self.state.resources.insert(address.clone(), resource);
            gone.push(address.clone());
        }
        Ok(gone)
    }

    /// The settings of a declared resource, and those it had while what it refers to was of an earlier generation.
    fn ever_wanted(&self, node: &Node, owned: &[Owned]) -> Vec<Json> {
        let referred = |piece: &&Owned| node.depends_on.contains_key(&piece.owner.address);
        let generations: BTreeSet<u32> = owned.iter().filter(referred).map(|piece| piece.owner.generation).collect();
        let at = |generation: Option<u32>| {
            let output = |to: &Address, field: &str| {
                let mut pieces = owned.iter().filter(|piece| piece.owner.address == *to);
                let piece = pieces.find(|piece| Some(piece.owner.generation) == generation);
                let then = piece.and_then(|piece| piece.seen.outputs.as_ref()?.get(field));
                then.or_else(|| self.state.output(to, field)).cloned()
            };
            resolve(&node.draft, &output)
        };
        let mut wanted = vec![at(None)];
        for generation in generations.into_iter().rev() {
            let then = at(Some(generation));
            if !wanted.contains(&then) {
                wanted.push(then);
            }
        }
        wanted
    }

    fn resource(&mut self, address: &Address) -> &mut Resource {
        self.state.resources.get_mut(address).expect("it was looked up")
    }

    fn insert(&mut self, address: &Address, kind: &str, generation: u32, seen: Seen, deposed: Vec<Deposed>) {
        let resource = Resource {
            kind: kind.to_owned(),
            generation,
            status: Status::Ready,
            id: Some(seen.id.clone()),
            client_token: token(&self.state.stack, address, generation, "create"),
            spec: seen.spec.clone(),
            outputs: seen.outputs.clone(),
            tags: Tags::new(),
            depends_on: BTreeSet::new(),
            adopted: true,
            deposed,
        };
        let used = self.state.generations.entry(address.clone()).or_default();
        *used = generation.max(*used);
        self.state.resources.insert(address.clone(), resource);
        self.seen.insert(address.clone(), seen);
    }

    /// Fills in what AWS does not tell.
    fn complete<C>(&mut self, kinds: &Kinds<C>) -> Result<(), SurveyError> {
        let names = Names::of(&self.state);
        let mut complete = Vec::new();
        for (address, seen) in &self.seen {
            let Some(resource) = self.state.resources.get(address) else { continue };
            if resource.status != Status::Ready {
                continue; // Its own record says more.
            }
            let mut resource = resource.clone();
            match self.graph.get(address).filter(|node| node.kind == resource.kind) {
                Some(node) => {
                    resource.depends_on = node.depends_on.keys().cloned().collect();
                    let wanted = resolve(&node.draft, &|to, field| self.state.output(to, field).cloned());
                    let misfit = |source| SurveyError::Misfit { address: address.clone(), source };
                    let unknown = || SurveyError::UnknownKind { address: address.clone(), kind: resource.kind.clone() };
                    let kind = kinds.get(&resource.kind).ok_or_else(unknown)?;
                    resource.spec = last_sent(kind, &wanted, &resource.spec).map_err(misfit)?;
                    // Tags of others stay theirs: what is recorded is what was set by us.
                    resource.tags = self.graph.tags(address, resource.generation);
                    if let Some(tags) = seen.tags.as_ref().filter(|_| kind.tagged()) {
                        resource.tags =
                            tags.iter().filter(|(key, _)| resource.tags.contains_key(*key)).map(pair).collect();
                    }
                }
                None => {
                    let tags = seen.tags.iter().flatten();
                    resource.tags = tags.filter(|(key, _)| key.starts_with("bedplate:")).map(pair).collect();
                    resource.depends_on = names.referred_to(address, &resource);
                }
            }
            for old in resource.deposed.iter_mut().filter(|old| old.depends_on.is_empty()) {
                old.depends_on.clone_from(&resource.depends_on);
            }
            complete.push((address.clone(), resource));
        }
        self.state.resources.extend(complete);
        break_cycles(&mut self.state, |address| self.graph.get(address).is_none());
        Ok(())
    }

    /// What was changed since the state was saved, and is as it is wanted by now, is recorded so.
    fn catch_up<C>(&mut self, kinds: &Kinds<C>, observations: &Observations) -> Result<(), SurveyError> {
        let graph = self.graph;
        for (address, node) in graph.iter() {
            if self.seen.contains_key(address) {
                continue;
            }
            let (Some(recorded), Some(found)) = (self.state.resources.get(address), observations.found.get(address))
            else {
                continue;
            };
            let (Some((_, seen)), Some(kind)) = (&found.current, kinds.get(node.kind)) else { continue };
            if recorded.status != Status::Ready || recorded.kind != node.kind || recorded.id.as_ref() != Some(&seen.id)
            {
                continue;
            }
            let misfit = |source| SurveyError::Misfit { address: address.clone(), source };
            let wanted = resolve(&node.draft, &|to, field| self.state.output(to, field).cloned());
            let tags = graph.tags(address, recorded.generation);
            let retag = seen.tags.as_ref().filter(|_| kind.tagged());
            let as_wanted = differences(kind, &wanted, &seen.spec, Some(&recorded.spec)).map_err(misfit)?.is_empty()
                && retag.is_none_or(|seen| tag_differences(&tags, seen, &recorded.tags).is_empty());
            if !as_wanted {
                continue;
            }
            let current = Resource {
                spec: kind.canonical(&wanted).map_err(misfit)?,
                outputs: seen.outputs.clone().or_else(|| recorded.outputs.clone()),
                tags,
                depends_on: node.depends_on.keys().cloned().collect(),
                ..recorded.clone()
            };
            if current != *recorded {
                self.seen.insert(address.clone(), seen.clone());
                self.state.resources.insert(address.clone(), current);
            }
        }
        Ok(())
    }
}

pub(crate) fn pair((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}

fn deposed(generation: u32, id: &Id) -> Deposed {
    Deposed { generation, id: id.clone(), depends_on: BTreeSet::new() }
}

/// The settings as they were sent: as they are wanted where AWS shows nothing else, as AWS shows them where they differ.
pub(crate) fn last_sent(schema: &dyn Schema, wanted: &Json, seen: &Json) -> Result<Json, RecordError> {
    let differing: Vec<&str> =
        differences(schema, wanted, seen, None)?.iter().map(|difference| difference.field.name).collect();
    let mut sent = seen.clone();
    if let (Json::Object(sent), Json::Object(wanted)) = (&mut sent, schema.canonical(wanted)?) {
        sent.extend(wanted.into_iter().filter(|(field, _)| !differing.contains(&field.as_str())));
    }
    Ok(sent)
}

/// What resources are called: ids, ARNs and other outputs.
struct Names<'a>(BTreeMap<&'a str, &'a Address>);

impl<'a> Names<'a> {
    fn of(state: &'a State) -> Self {
        let mut names = BTreeMap::new();
        for (address, resource) in &state.resources {
            let outputs = resource.outputs.iter().filter_map(Json::as_object).flat_map(|outputs| outputs.values());
            let outputs = outputs.filter_map(Json::as_str);
            for name in outputs.chain(resource.id.as_ref().map(Id::as_str)) {
                names.entry(name).or_insert(address);
            }
        }
        Self(names)
    }

    /// What the settings and the id of a resource name.
    fn referred_to(&self, address: &Address, resource: &Resource) -> BTreeSet<Address> {
        let mut words = Vec::new();
        words_of(&resource.spec, &mut words);
        words.extend(resource.id.as_ref().map(|id| id.split().0));
        let named = words.into_iter().filter_map(|word| self.0.get(word).copied());
        named.filter(|other| *other != address).cloned().collect()
    }
}

fn words_of<'a>(json: &'a Json, words: &mut Vec<&'a str>) {
    match json {
        Json::String(word) => words.push(word),
        Json::Array(items) => items.iter().for_each(|item| words_of(item, words)),
        Json::Object(map) => map.iter().for_each(|(key, value)| {
            words.push(key);
            words_of(value, words);
        }),
        _ => {}
    }
}

/// Two resources may name each other, as a key's policy and a role do. One of them has to go first: it may be either.
fn break_cycles(state: &mut State, guessed: impl Fn(&Address) -> bool) {
    let addresses: Vec<Address> = state.resources.keys().filter(|address| guessed(address)).cloned().collect();
    for address in addresses {
        let depends_on = state.resources[&address].depends_on.clone();
        let kept = depends_on.into_iter().filter(|to| !reaches(state, to, &address)).collect();
        if let Some(resource) = state.resources.get_mut(&address) {
            resource.depends_on = kept;
        }
    }
}

fn reaches(state: &State, from: &Address, to: &Address) -> bool {
    let (mut open, mut seen) = (vec![from], BTreeSet::new());
    while let Some(address) = open.pop() {
        if address == to {
            return true;
        }
        if seen.insert(address) {
            open.extend(state.resources.get(address).into_iter().flat_map(|resource| &resource.depends_on));
        }
    }
    false
}
