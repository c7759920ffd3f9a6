//! Makes a resource, or brings it to what is wanted.

use crate::{EffectError, Engine, Event, survey::owned_generation};
use bedplate_model::{
    Address, CallError, Change as Policy, Class, Creation, Id, Json, JsonStep, Kind, Owner, Ownership, Readiness,
    RecordError, Recovery, Schema, Seen, Tags, Which, is_known, resolve, token,
};
use bedplate_plan::{Action, Change, Difference, Make, TagDifference, differences, tag_differences};
use bedplate_state::{Intent, State};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;

/// IAM, KMS and others take up to two minutes to know a fresh role or principal everywhere.
const PROPAGATION: Duration = Duration::from_secs(120);
/// Reads lag behind creates by seconds; after this time a wrong answer is believed. How far they lag behind changes is the type's
/// to say ([`bedplate_model::Pace::lag`]).
const LAG: Duration = Duration::from_secs(30);
/// How often a spent client token is replaced by the next one.
const TOKENS: usize = 3;
/// How many calls of whose end nothing is known are made up for. The SDK has tried several times by then, where it may.
const LOST: usize = 3;

impl<C> Engine<'_, C> {
    /// Carries out one [`Make`]. `exists` is told once what is made new is there and recorded, though it may not be ready yet.
    pub(crate) async fn make(&self, change: &Change, make: &Make, exists: impl Fn()) -> Result<(), EffectError> {
        let kind = self.kind(&change.kind)?;
        let spec = resolve(&make.draft, &|to, field| self.journal.read(|state| state.output(to, field).cloned()));
        if let Json::Object(fields) = &spec
            && let Some((field, _)) = fields.iter().find(|(_, value)| !is_known(value))
        {
            return Err(EffectError::Unresolved { field: field.clone() });
        }
        let spec = kind.canonical(&spec).map_err(misfit)?;
        let target = Target {
            kind,
            change,
            spec,
            depends_on: make.depends_on.clone(),
            owner: Owner { stack: self.stack.clone(), address: change.address.clone(), generation: make.generation },
            tags: make.tags.clone(),
            since: self.journal.read(|state| state.serial),
        };
        match &make.id {
            Some(id) if change.action == Action::Adopt => {
                let intent = target.intent(make.client_token.clone());
                self.journal.record(|state| state.adopt(&change.address, id.clone(), intent)).await?;
                self.mark(&target, id).await?;
                self.settle(&target, id, None).await
            }
            Some(id) => {
                let last = self.last_sent(&change.address);
                self.begin_update(&target, id).await?;
                self.settle(&target, id, last).await
            }
            None => {
                let (target, id, sent) = self.create(target, make).await?;
                exists();
                self.settle(&target, &id, sent).await
            }
        }
    }

    /// Where a resource has no tags to compare and says in itself whose it is, that is set before anything else.
    async fn mark(&self, target: &Target<'_, C>, id: &Id) -> Result<(), EffectError> {
        let kind = target.kind;
        if kind.tagged() || kind.contained_in().is_none() {
            return Ok(());
        }
        let seen = self.poller.look(kind, self.cloud, id, Duration::ZERO).await?;
        let owner = seen.and_then(|seen| Owner::from_tags(&seen.tags?));
        if owner.as_ref() != Some(&target.owner) {
            self.slot(kind.name(), kind.tag(self.cloud, id, &target.owner.to_tags(), &[])).await?;
        }
        Ok(())
    }

    /// The settings last sent, as recorded.
    fn last_sent(&self, address: &Address) -> Option<Json> {
        self.journal.read(|state| state.resources.get(address).map(|recorded| recorded.spec.clone()))
    }

    /// Records that it exists and is about to be changed.
    async fn begin_update(&self, target: &Target<'_, C>, id: &Id) -> Result<(), EffectError> {
        let address = &target.change.address;
        let record = |state: &mut State| {
            // It may be what a cut-off run made without saving its id.
            state.created(address, id.clone());
            state.begin_update(address, &target.depends_on);
        };
        Ok(self.journal.record(record).await?)
    }

    /// Creates it once, whatever happened before. With the settings it was made with.
    async fn create<'t>(
        &self,
        mut target: Target<'t, C>,
        make: &Make,
    ) -> Result<(Target<'t, C>, Id, Option<Json>), EffectError> {
        let address = &target.change.address;
        let kind = target.kind;
        let last = self.last_sent(address).filter(|_| make.interrupted);
        if let Some(last) = &last
            && let Some(id) = self.cut_off(&target, last).await?
        {
            self.begin_update(&target, &id).await?;
            return Ok((target, id, Some(last.clone())));
        }
        let mut client_token = make.client_token.clone();
        let intent = target.intent(client_token.clone());
        let replaces = target.change.action == Action::Replace;
        let contents: Vec<&str> =
            self.kinds.iter().filter(|it| it.contained_in() == Some(kind.name())).map(|it| it.name()).collect();
        let identity = kind.identity(&target.spec).map_err(misfit)?;
        let begin = |state: &mut State| {
            if !replaces {
                state.vanished(address);
            }
            state.begin_create(address, intent);
            if let Some(id) = &identity {
                state.emptied(id, &contents);
            }
        };
        self.journal.record(begin).await?;

        let (started, mut retries, mut spent, mut lost) = (Instant::now(), 0, 0, 0);
        let (id, sent) = loop {
            let creation = target.creation(client_token.clone());
            let error = match self.slot(kind.name(), kind.create(self.cloud, &target.spec, &creation)).await {
                Ok(id) => break (id, Some(target.spec.clone())),
                Err(error) => error,
            };
            match error.class {
                Class::AlreadyExists => match self.existing(&target).await? {
                    Some(id) => break (id, last),
                    None if started.elapsed() < LAG => {}
                    None => return Err(error.into()),
                },
                // The token outlived what it made. A new generation has a new one.
                Class::TokenSpent if spent < TOKENS => {
                    spent += 1;
                    let generation = self.journal.read(|state| state.next_generation(address));
                    target.renew(generation);
                    client_token = token(&self.stack, address, generation, "create");
                    let intent = target.intent(client_token.clone());
                    self.journal.record(|state| state.begin_create(address, intent)).await?;
                    continue;
                }
                // It may have been made all the same. The same token or name tells when the call is repeated; where there is
                // neither, the tags do.
                Class::Unreachable if lost < LOST => {
                    lost += 1;
                    if kind.recovery() == Recovery::Tag
                        && let Some(id) = self.search(kind, &target.owner, LAG).await?
                    {
                        break (id, Some(target.spec.clone()));
                    }
                }
                // A throttled call was not carried out: the SDK gives up after seconds, and a rate recovers in a minute or two.
                Class::NotYet | Class::Throttled if started.elapsed() < PROPAGATION => {}
                // What it refers to was made a moment ago and is not known everywhere yet (EC2 Developer Guide, "Eventual
                // consistency").
                Class::NotFound if started.elapsed() < LAG => {}
                Class::Busy if started.elapsed() < self.deadline(kind) => {}
                _ => return Err(error.into()),
            }
            self.events.event(Event::Retrying { address, error: &error });
            self.pause(backoff(&mut retries)).await?;
        };
        self.journal.record(|state| state.created(address, id.clone())).await?;
        Ok((target, id, sent))
    }

    /// What a create call that was cut off made, where repeating the call would not tell.
    async fn cut_off(&self, target: &Target<'_, C>, last: &Json) -> Result<Option<Id>, EffectError> {
        let kind = target.kind;
        let repeatable = match kind.recovery() {
            Recovery::Tag => false,
            // With other settings the token would be spent, and what it made would be lost.
            Recovery::Token => *last == target.spec,
            Recovery::Name => kind.identity(last).map_err(misfit)? == kind.identity(&target.spec).map_err(misfit)?,
        };
        if repeatable { Ok(None) } else { self.half_made(kind, &target.owner, last).await }
    }

    /// What a create call made of whose end nothing is known; `None` when it does not show after a while.
    pub(crate) async fn half_made(
        &self,
        kind: &dyn Kind<C>,
        owner: &Owner,
        sent: &Json,
    ) -> Result<Option<Id>, EffectError> {
        if kind.ownership() == Ownership::Shared {
            return Ok(None);
        }
        let Some(identity) = kind.identity(sent).map_err(misfit)? else {
            return self.search(kind, owner, LAG).await;
        };
        let (started, mut retries) = (Instant::now(), 0);
        loop {
            if let Some(seen) = self.poller.look(kind, self.cloud, &identity, Duration::ZERO).await? {
                return Ok(owned_generation(kind, &seen, &self.stack, &owner.address).map(|_| seen.id));
            }
            if started.elapsed() >= LAG {
                return Ok(None);
            }
            self.pause(backoff(&mut retries)).await?;
        }
    }

    /// What stands where the resource shall stand, if it is ours.
    async fn existing(&self, target: &Target<'_, C>) -> Result<Option<Id>, EffectError> {
        let identity = target.kind.identity(&target.spec).map_err(misfit)?;
        let Some(identity) = identity else { return self.search(target.kind, &target.owner, Duration::ZERO).await };
        let Some(seen) = self.poller.look(target.kind, self.cloud, &identity, Duration::ZERO).await? else {
            return Ok(None);
        };
        match owned_generation(target.kind, &seen, &self.stack, &target.owner.address) {
            Some(_) => Ok(Some(seen.id)),
            None => Err(EffectError::Foreign { id: seen.id }),
        }
    }

    /// Searches by the ownership tag, again and again for `patience`, because tag filters lag behind creates.
    pub(crate) async fn search(
        &self,
        kind: &dyn Kind<C>,
        owner: &Owner,
        patience: Duration,
    ) -> Result<Option<Id>, EffectError> {
        let (started, mut retries) = (Instant::now(), 0);
        loop {
            let seen = kind.read(self.cloud, Which::Owned(&self.stack)).await?;
            let ours = |seen: &Seen| {
                seen.tags.as_ref().and_then(Owner::from_tags).as_ref() == Some(owner)
                    && seen.readiness != Readiness::Gone
            };
            if let Some(seen) = seen.into_iter().find(ours) {
                return Ok(Some(seen.id));
            }
            if started.elapsed() >= patience {
                return Ok(None);
            }
            self.pause(backoff(&mut retries)).await?;
        }
    }

    /// Waits until AWS is done with it, compares, changes what differs, until nothing does.
    ///
    /// `sent` are the settings last sent, for the fields that AWS does not tell.
    async fn settle(&self, target: &Target<'_, C>, id: &Id, mut sent: Option<Json>) -> Result<(), EffectError> {
        let address = &target.change.address;
        let kind = target.kind;
        let pace = kind.pace();
        let mut last_tags = self
            .journal
            .read(|state| state.resources.get(address).map(|recorded| recorded.tags.clone()).unwrap_or_default());
        let started = Instant::now();
        let (mut changed_at, mut retries, mut lost) = (started, 0, 0);
        let mut unknown_since = None;
        let mut attempted: Option<Vec<(&'static str, Json)>> = None;
        let mut delay = Duration::ZERO;
        loop {
            self.interrupted()?;
            let seen = select_look(self, kind, id, delay).await?;
            delay = pace.poll.min(started.elapsed() / 8).max(Duration::from_millis(250).min(pace.poll));
            if started.elapsed() > self.deadline(kind) {
                let state = seen.map_or_else(|| "not found".to_owned(), |seen| words(&seen.readiness));
                return Err(EffectError::Deadline { after: started.elapsed(), state });
            }
            let Some(seen) = seen.filter(|seen| seen.readiness != Readiness::Gone) else {
                if changed_at.elapsed() > LAG {
                    return Err(EffectError::Vanished { id: id.clone() });
                }
                continue;
            };
            match &seen.readiness {
                Readiness::Broken(state) => return Err(EffectError::Broken { state: state.clone() }),
                Readiness::Busy(state) => {
                    let (elapsed, expected) = (started.elapsed(), pace.expected);
                    self.events.event(Event::Waiting { address, state, elapsed, expected });
                    // It is at work: only afterwards a wrong answer counts.
                    changed_at = Instant::now();
                    continue;
                }
                Readiness::Ready | Readiness::Gone => {}
            }

            let differing = differences(kind, &target.spec, &seen.spec, sent.as_ref()).map_err(misfit)?;
            let tags = match &seen.tags {
                Some(seen) if kind.tagged() => tag_differences(&target.tags, seen, &last_tags),
                _ => Vec::new(),
            };
            if differing.is_empty() && tags.is_empty() {
                let Some(outputs) = seen.outputs else {
                    let (elapsed, expected) = (started.elapsed(), pace.expected);
                    self.events.event(Event::Waiting { address, state: "no outputs yet", elapsed, expected });
                    continue;
                };
                let (spec, tags, depends_on) = (target.spec.clone(), target.tags.clone(), target.depends_on.clone());
                return Ok(self.journal.record(|state| state.ready(address, spec, tags, outputs, depends_on)).await?);
            }

            let fixed = fixed(kind, &differing, &seen.spec, &target.spec)?;
            if !fixed.is_empty() {
                return Err(EffectError::NeedsReplacement { fields: fixed.join(", ") });
            }
            let mut names: Vec<&'static str> = differing.iter().map(|difference| difference.field.name).collect();
            let settings = differing.iter().map(|difference| (difference.field.name, json!(difference.before)));
            let shown: Vec<(&'static str, Json)> =
                settings.chain(tags.iter().map(|tag| ("tags", json!([tag.key, tag.before])))).collect();
            // The same difference again: either the read lags behind the change, or AWS will never show it. Another
            // value of the same field is progress: some changes take several steps.
            if attempted.as_ref() == Some(&shown) {
                if changed_at.elapsed() > pace.lag {
                    let fields: BTreeSet<&str> = shown.iter().map(|(field, _)| *field).collect();
                    let fields = fields.into_iter().collect::<Vec<_>>().join(", ");
                    return Err(EffectError::WillNotSettle { fields });
                }
                if changed_at.elapsed() < pace.lag / 10 * u32::try_from(retries.min(9)).unwrap_or(9) {
                    continue;
                }
            } else {
                changed_at = Instant::now();
            }
            match self.step(target, id, &seen, &mut names, &tags).await {
                Ok(()) => {
                    unknown_since = None;
                    sent = Some(target.spec.clone());
                    last_tags = target.tags.clone();
                    retries = if attempted.as_ref() == Some(&shown) { retries + 1 } else { 0 };
                    attempted = Some(shown);
                    delay = Duration::ZERO;
                }
                Err(error) => {
                    let patience = match error.class {
                        // It may have happened all the same, or it did when the SDK asked before: the next look tells.
                        Class::Unreachable | Class::AlreadyExists if lost < LOST => {
                            lost += 1;
                            Duration::MAX
                        }
                        Class::NotYet | Class::Throttled => PROPAGATION,
                        // What it refers to may be too new. If the resource itself is gone, the next look tells.
                        Class::NotFound if unknown_since.get_or_insert_with(Instant::now).elapsed() < LAG => {
                            Duration::MAX
                        }
                        Class::Busy => self.deadline(kind),
                        _ => return Err(error.into()),
                    };
                    if started.elapsed() > patience {
                        return Err(error.into());
                    }
                    self.events.event(Event::Retrying { address, error: &error });
                    changed_at = Instant::now();
                    let mut soon = 2;
                    delay = backoff(&mut soon);
                }
            }
        }
    }

    /// One step towards what is wanted: tags, then settings.
    async fn step(
        &self,
        target: &Target<'_, C>,
        id: &Id,
        seen: &Seen,
        names: &mut [&'static str],
        tags: &[TagDifference],
    ) -> Result<(), CallError> {
        let kind = target.kind;
        if !tags.is_empty() {
            let set: Tags = tags.iter().filter_map(|tag| Some((tag.key.clone(), tag.after.clone()?))).collect();
            let remove: Vec<String> =
                tags.iter().filter(|tag| tag.after.is_none()).map(|tag| tag.key.clone()).collect();
            self.slot(kind.name(), kind.tag(self.cloud, id, &set, &remove)).await?;
        }
        if names.is_empty() {
            return Ok(());
        }
        // Within a run a repeated step is the same call. Another run's is not: who changes a value there and back again
        // would otherwise get the answer of the first time.
        let purpose = format!("update\n{}\n{}\n{}", target.since, seen.spec, target.spec);
        let step_token = token(&self.stack, &target.owner.address, target.owner.generation, &purpose);
        let creation = target.creation(step_token);
        let step = JsonStep { id, wanted: &target.spec, seen: &seen.spec, changed: names, creation: &creation };
        self.slot(kind.name(), kind.update(self.cloud, step)).await
    }
}

/// The fields that differ and cannot be changed in place.
fn fixed(
    schema: &dyn Schema,
    differing: &[Difference],
    seen: &Json,
    wanted: &Json,
) -> Result<Vec<&'static str>, EffectError> {
    let mut fixed = Vec::new();
    for Difference { field, .. } in differing {
        let verdict = schema.judge(field.name, seen, wanted).map_err(misfit)?;
        if verdict.map_or(field.change, |verdict| verdict.change) != Policy::Update {
            fixed.push(field.name);
        }
    }
    Ok(fixed)
}

fn misfit(error: RecordError) -> EffectError {
    EffectError::Misfit(error.to_string())
}

/// Looks, and gives up when the run is interrupted.
async fn select_look<C>(
    engine: &Engine<'_, C>,
    kind: &dyn Kind<C>,
    id: &Id,
    delay: Duration,
) -> Result<Option<Seen>, EffectError> {
    tokio::select! {
        biased;
        seen = engine.poller.look(kind, engine.cloud, id, delay) => Ok(seen?),
        () = engine.cancel.cancelled(), if !delay.is_zero() => Err(EffectError::Interrupted),
    }
}

/// What is being made.
pub(crate) struct Target<'a, C: 'static> {
    kind: &'static dyn Kind<C>,
    change: &'a Change,
    spec: Json,
    depends_on: BTreeSet<Address>,
    owner: Owner,
    tags: Tags,
    /// The state's serial when this began.
    since: u64,
}

impl<C> Target<'_, C> {
    fn intent(&self, client_token: String) -> Intent {
        Intent {
            kind: self.change.kind.clone(),
            generation: self.owner.generation,
            client_token,
            spec: self.spec.clone(),
            tags: self.tags.clone(),
            depends_on: self.depends_on.clone(),
        }
    }

    fn creation(&self, token: String) -> Creation {
        Creation { owner: self.owner.clone(), token, tags: self.tags.clone() }
    }

    fn renew(&mut self, generation: u32) {
        self.owner.generation = generation;
        self.tags.extend(self.owner.to_tags());
    }
}

/// 250 ms, doubling up to 15 s.
pub(crate) fn backoff(retries: &mut u32) -> Duration {
    let pause = Duration::from_millis(250) * 2u32.pow((*retries).min(6));
    *retries += 1;
    pause.min(Duration::from_secs(15))
}

pub(crate) fn words(readiness: &Readiness) -> String {
    match readiness {
        Readiness::Ready => "ready".to_owned(),
        Readiness::Busy(state) | Readiness::Broken(state) => state.clone(),
        Readiness::Gone => "gone".to_owned(),
    }
}
