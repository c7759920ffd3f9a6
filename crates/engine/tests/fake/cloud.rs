//! The cloud itself.

use super::{
    Effects,
    facts::{Facts, Hold},
};
use bedplate_model::{CallError, Class, Creation, Id, Json, JsonMap, Outsider, Readiness, TAG_STACK, Tags, Which};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::time::Instant;

type Key = (&'static str, Id);

/// Tells of a subnet which store made it.
pub(crate) const MADE_BY: &str = "made-by";

/// How the answer to a call is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The call with it.
    Before,
    /// Only the answer.
    After,
    /// It is refused, because what it refers to is not known everywhere yet.
    TooNew,
    /// It is refused, because there were too many; a removal, too.
    Throttled,
}

/// One resource.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) spec: JsonMap<String, Json>,
    pub(crate) tags: Tags,
    pub(crate) revision: u32,
    pub(crate) broken: bool,
    born: Instant,
    ready_at: Instant,
    gone_at: Option<Instant>,
    /// What reads still show.
    before: Option<(Instant, JsonMap<String, Json>)>,
}

/// What a read shows.
pub(crate) struct Shown {
    pub(crate) id: Id,
    pub(crate) tags: Option<Tags>,
    pub(crate) readiness: Readiness,
    pub(crate) spec: Json,
    pub(crate) outputs: Option<Json>,
}

#[derive(Clone, Debug, Default)]
struct World {
    objects: BTreeMap<Key, Object>,
    tokens: BTreeMap<String, (Id, Json)>,
    made: u32,
    /// Calls that change something, in order.
    calls: Vec<String>,
    reads: usize,
    /// What no correct engine does.
    violations: Vec<String>,
    lag: Duration,
    /// Kinds whose next creates fail for good.
    failing: Vec<&'static str>,
    /// Kinds that cannot be called.
    silent: Vec<&'static str>,
    /// Kinds whose settings never change whatever is asked.
    stubborn: Vec<&'static str>,
    /// How the first call of each goes wrong, and those that did.
    losing: Option<(Lost, BTreeSet<String>)>,
}

/// The fake cloud.
#[derive(Debug)]
pub(crate) struct Cloud {
    world: Mutex<World>,
    effects: Arc<Effects>,
}

impl Cloud {
    pub(crate) fn new(effects: Arc<Effects>) -> Self {
        Self { world: Mutex::default(), effects }
    }

    /// The same world once more, with effects of its own.
    pub(crate) fn fork(&self, effects: Arc<Effects>) -> Self {
        Self { world: Mutex::new(self.world().clone()), effects }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap();
        world.sweep();
        world
    }

    pub(crate) async fn read(&self, kind: &'static str, which: Which<'_>) -> Result<Vec<Shown>, CallError> {
        delay().await;
        let shown = {
            let mut world = self.world();
            world.reads += 1;
            world.reach(kind).map(|()| world.read(Facts::of(kind), which))
        };
        delay().await;
        shown
    }

    /// A call that changes something.
    async fn change<T>(
        &self,
        kind: &'static str,
        call: String,
        change: impl FnOnce(&mut World) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        self.effects.pass().await;
        delay().await;
        let answer = {
            let mut world = self.world();
            world.calls.push(call);
            world.reach(kind).and_then(|()| change(&mut world))
        };
        delay().await;
        self.effects.pass().await;
        answer
    }

    pub(crate) async fn create(
        &self,
        kind: &'static str,
        identity: Option<Id>,
        spec: Json,
        creation: &Creation,
    ) -> Result<Id, CallError> {
        let call = format!("create {kind} {}", creation.owner.address);
        self.change(kind, call.clone(), |world| {
            world.losing(call, kind, |world| world.create(Facts::of(kind), identity, spec, creation))
        })
        .await
    }

    pub(crate) async fn update(
        &self,
        kind: &'static str,
        id: &Id,
        changed: &[&'static str],
        wanted: Json,
    ) -> Result<(), CallError> {
        let call = format!("update {kind} {id} {}", changed.join(","));
        self.change(kind, call.clone(), |world| {
            world.losing(call, kind, |world| world.update(Facts::of(kind), id, changed, wanted))
        })
        .await
    }

    pub(crate) async fn tag(
        &self,
        kind: &'static str,
        id: &Id,
        set: &Tags,
        remove: &[String],
    ) -> Result<(), CallError> {
        self.change(kind, format!("tag {kind} {id}"), |world| world.tag(Facts::of(kind), id, set, remove)).await
    }

    pub(crate) async fn unprotect(&self, kind: &'static str, id: &Id) -> Result<(), CallError> {
        self.change(kind, format!("unprotect {kind} {id}"), |world| {
            world.get(kind, id)?.spec.insert("protected".to_owned(), Json::Bool(false));
            Ok(())
        })
        .await
    }

    pub(crate) async fn delete(&self, kind: &'static str, id: &Id) -> Result<(), CallError> {
        let call = format!("delete {kind} {id}");
        self.change(kind, call.clone(), |world| {
            // Of a removal only this is repeated: what else goes wrong, the next look tells, or the next run.
            match world.losing {
                Some((Lost::Throttled, _)) => world.losing(call, kind, |world| world.delete(Facts::of(kind), id)),
                _ => world.delete(Facts::of(kind), id),
            }
        })
        .await
    }
}

/// What tests see and do behind the engine's back.
impl Cloud {
    /// Subnets of a network that are no resource of a stack: those that a store made, or all.
    pub(crate) fn made_in(&self, net: &str, by: Option<&Id>) -> Vec<Outsider> {
        let world = self.world();
        let made = world.objects.iter().filter(|((kind, _), object)| {
            *kind == "net.sub"
                && object.spec.get("net").and_then(Json::as_str) == Some(net)
                && !object.tags.contains_key(TAG_STACK)
                && by.is_none_or(|by| object.tags.get(MADE_BY).is_some_and(|maker| maker == by.as_str()))
        });
        made.map(|((kind, id), _)| Outsider::new(kind, id.as_str(), "made by a store")).collect()
    }

    /// Everything that exists.
    pub(crate) fn objects(&self) -> Vec<(&'static str, Id, Object)> {
        self.world().objects.iter().map(|((kind, id), object)| (*kind, id.clone(), object.clone())).collect()
    }

    pub(crate) fn get(&self, kind: &'static str, id: &Id) -> Option<Object> {
        self.world().objects.get(&(kind, id.clone())).cloned()
    }

    pub(crate) fn outputs(&self, kind: &'static str, id: &Id) -> Option<Json> {
        self.world().objects.get(&(kind, id.clone())).map(|object| object.outputs(id))
    }

    /// Puts something there that the engine did not make.
    pub(crate) fn plant(&self, kind: &'static str, id: &str, spec: Json, tags: Tags) {
        let object = Object::new(spec, tags, Duration::ZERO);
        self.world().objects.insert((kind, Id::new(id)), object);
    }

    /// Changes something behind the engine's back.
    pub(crate) fn meddle(&self, kind: &'static str, id: &Id, change: impl FnOnce(&mut Object)) {
        if let Some(object) = self.world().objects.get_mut(&(kind, id.clone())) {
            change(object);
        }
    }

    /// Removes something at once, as a person would, if the cloud lets it go.
    pub(crate) fn vandalize(&self, kind: &'static str, id: &Id) -> bool {
        let mut world = self.world();
        let allowed = !Facts::of(kind).shared && world.blockers(kind, id).is_empty();
        if allowed {
            world.take(&(kind, id.clone()));
        }
        allowed
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.world().calls.clone()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.world().violations.clone()
    }

    pub(crate) fn set_lag(&self, seconds: u64) {
        self.world().lag = Duration::from_secs(seconds);
    }

    /// Lets creates of a kind fail, or no more.
    pub(crate) fn set_failing(&self, kinds: &[&'static str]) {
        self.world().failing = kinds.to_vec();
    }

    /// Loses the answer to the first call of each to create or update something.
    pub(crate) fn set_losing(&self, lost: Lost) {
        self.world().losing = Some((lost, BTreeSet::new()));
    }

    /// Lets no call of a kind come through, or all again.
    pub(crate) fn set_silent(&self, kinds: &[&'static str]) {
        self.world().silent = kinds.to_vec();
    }

    pub(crate) fn set_stubborn(&self, kinds: &[&'static str]) {
        self.world().stubborn = kinds.to_vec();
    }
}

impl Object {
    fn new(spec: Json, tags: Tags, making: Duration) -> Self {
        let Json::Object(spec) = spec else { panic!("{spec} is no specification") };
        let now = Instant::now();
        let ready_at = now + making;
        Self { spec, tags, revision: 0, broken: false, born: now, ready_at, gone_at: None, before: None }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.gone_at.is_none() && !self.broken && self.ready_at <= Instant::now()
    }

    /// Keeps it pending for long.
    pub(crate) fn stall(&mut self) {
        self.ready_at += Duration::from_secs(100_000);
    }

    fn outputs(&self, id: &Id) -> Json {
        serde_json::json!({"id": id, "arn": format!("arn:{id}"), "revision": self.revision.to_string()})
    }
}

impl World {
    /// Makes a call whose answer may be lost.
    fn losing<T>(
        &mut self,
        call: String,
        kind: &str,
        make: impl FnOnce(&mut Self) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let lost = self.losing.as_mut().and_then(|(lost, done)| done.insert(call).then_some(*lost));
        let nothing = || error(kind, "Timeout", "no answer", Class::Unreachable);
        match lost {
            Some(Lost::Before) => return Err(nothing()),
            Some(Lost::Throttled) => return Err(error(kind, "Throttling", "rate exceeded", Class::Throttled)),
            Some(Lost::TooNew) => return Err(error(kind, "NotFound", "no such thing", Class::NotFound)),
            _ => {}
        }
        let answer = make(self);
        if lost == Some(Lost::After) { Err(nothing()) } else { answer }
    }

    /// Carries out what time brings: removals that are complete.
    fn sweep(&mut self) {
        let now = Instant::now();
        let due = self.objects.iter().filter(|(_, object)| object.gone_at.is_some_and(|gone| gone <= now));
        let due: Vec<Key> = due.map(|(key, _)| key.clone()).collect();
        for key in due {
            self.take(&key);
        }
    }

    /// Removes something with all that goes with it.
    fn take(&mut self, key: &Key) {
        self.objects.remove(key);
        let goes: Vec<Key> = self.holders(key.0, &key.1, Hold::Cascades);
        for key in goes {
            self.take(&key);
        }
    }

    fn holders(&self, kind: &str, id: &Id, hold: Hold) -> Vec<Key> {
        let holds = |key: &Key, object: &Object| {
            let references = Facts::of(key.0).references.iter();
            references
                .filter(|reference| reference.hold == hold && reference.to == kind)
                .any(|reference| object.spec.get(reference.field).and_then(Json::as_str) == Some(id.as_str()))
        };
        self.objects.iter().filter(|(key, object)| holds(key, object)).map(|(key, _)| key.clone()).collect()
    }

    fn blockers(&self, kind: &str, id: &Id) -> Vec<Key> {
        self.holders(kind, id, Hold::Blocks)
    }

    fn reach(&self, kind: &str) -> Result<(), CallError> {
        let silent = self.silent.contains(&kind);
        if silent { Err(error(kind, "Silent", "nobody answers", Class::Unreachable)) } else { Ok(()) }
    }

    fn get(&mut self, kind: &'static str, id: &Id) -> Result<&mut Object, CallError> {
        let found = self.objects.get_mut(&(kind, id.clone()));
        found.ok_or_else(|| error(kind, "NotFound", format!("{id} does not exist"), Class::NotFound))
    }

    fn read(&self, facts: &Facts, which: Which<'_>) -> Vec<Shown> {
        let now = Instant::now();
        let all = self.objects.iter().filter(|((kind, _), _)| *kind == facts.kind);
        let visible = all.filter(|(_, object)| now >= object.born + self.lag);
        let shown = visible.filter_map(|((_, id), object)| {
            // As a KMS alias: the tags are those of what it points to.
            let target = || self.objects.get(&("net.net", Id::new(object.spec.get("target")?.as_str()?)));
            let tags = match facts.kind {
                "kms.alias" => target().map(|target| target.tags.clone()),
                _ => facts.tagged.then(|| object.tags.clone()),
            };
            let asked = match which {
                Which::Ids(ids) => ids.contains(id),
                Which::Owned(stack) => {
                    tags.as_ref().and_then(|tags| tags.get(TAG_STACK)).is_some_and(|owner| owner == stack.as_str())
                }
            };
            asked.then(|| self.show(facts, id, object, tags))
        });
        shown.collect()
    }

    fn show(&self, facts: &Facts, id: &Id, object: &Object, tags: Option<Tags>) -> Shown {
        let now = Instant::now();
        let readiness = match () {
            () if object.gone_at.is_some() => Readiness::Busy("deleting".to_owned()),
            () if object.broken => Readiness::Broken("failed".to_owned()),
            () if object.ready_at > now => Readiness::Busy("pending".to_owned()),
            () => Readiness::Ready,
        };
        let stale = object.before.as_ref().filter(|(until, _)| *until > now).map(|(_, spec)| spec);
        let mut spec = stale.unwrap_or(&object.spec).clone();
        spec.retain(|field, _| !facts.hidden.contains(&field.as_str()));
        let exist = !facts.late || object.ready_at <= now;
        let outputs = exist.then(|| object.outputs(id));
        Shown { id: id.clone(), tags, readiness, spec: Json::Object(spec), outputs }
    }

    /// What a specification refers to must be there and usable: the engine has to wait for it.
    fn check_references(&mut self, facts: &Facts, spec: &Json, fields: Option<&[&str]>) -> Result<(), CallError> {
        for reference in facts.references {
            let named = spec[reference.field].as_str().filter(|_| fields.is_none_or(|f| f.contains(&reference.field)));
            let Some(named) = named else { continue };
            let id = Id::new(named.strip_prefix("arn:").unwrap_or(named));
            let ready = self.objects.get(&(reference.to, id.clone())).is_some_and(Object::is_ready);
            if !ready {
                let message = format!("{} refers to {id}, which is not ready", facts.kind);
                self.violations.push(message.clone());
                return Err(error(facts.kind, "InvalidReference", message, Class::Invalid));
            }
        }
        Ok(())
    }

    fn create(
        &mut self,
        facts: &'static Facts,
        identity: Option<Id>,
        spec: Json,
        creation: &Creation,
    ) -> Result<Id, CallError> {
        let kind = facts.kind;
        if self.failing.contains(&kind) {
            return Err(error(kind, "Unlucky", "not today", Class::Other));
        }
        self.check_references(facts, &spec, None)?;
        if let Some((id, sent)) = self.tokens.get(&creation.token).filter(|_| facts.token) {
            let alive = self.objects.get(&(kind, id.clone())).is_some_and(|object| object.gone_at.is_none());
            if *sent == spec && alive {
                return Ok(id.clone());
            }
            return Err(error(kind, "IdempotentParameterMismatch", "the token is spent", Class::TokenSpent));
        }
        if kind == "net.default" {
            // It came with its network.
            return identity.ok_or_else(|| error(kind, "Malformed", "no identity", Class::Invalid));
        }
        let taken = |field: &str| {
            let mut others = self.objects.iter().filter(|((other, _), _)| *other == kind);
            others.any(|(_, other)| other.spec.get(field) == spec.get(field))
        };
        let exists = identity.as_ref().is_some_and(|id| self.objects.contains_key(&(kind, id.clone())));
        if exists || facts.unique.is_some_and(taken) {
            return Err(error(kind, "AlreadyExists", "it exists already", Class::AlreadyExists));
        }
        self.made += 1;
        let id = identity.unwrap_or_else(|| Id::new(format!("{}-{}", kind.replace('.', "-"), self.made)));
        if facts.token {
            self.tokens.insert(creation.token.clone(), (id.clone(), spec.clone()));
        }
        if kind == "net.net" {
            let default = serde_json::json!({"net": id, "rules": 3});
            let object = Object::new(default, Tags::new(), Duration::ZERO);
            self.objects.insert(("net.default", id.clone()), object);
        }
        let tags = if facts.tagged { creation.tags.clone() } else { Tags::new() };
        self.objects.insert((kind, id.clone()), Object::new(spec, tags, facts.making()));
        Ok(id)
    }

    fn update(&mut self, facts: &Facts, id: &Id, changed: &[&str], wanted: Json) -> Result<(), CallError> {
        if self.get(facts.kind, id)?.ready_at > Instant::now() || self.get(facts.kind, id)?.gone_at.is_some() {
            return Err(error(facts.kind, "InUse", "it is being changed", Class::Busy));
        }
        self.check_references(facts, &wanted, Some(changed))?;
        if let Some(field) = changed.iter().find(|field| facts.fixed.contains(field)) {
            self.violations.push(format!("{} {id}: {field} cannot be changed in place", facts.kind));
            return Err(error(facts.kind, "Unchangeable", *field, Class::Invalid));
        }
        if self.stubborn.contains(&facts.kind) {
            return Ok(());
        }
        let lag = self.lag;
        let object = self.get(facts.kind, id)?;
        let ready_at = Instant::now() + Duration::from_secs(facts.changing);
        object.before = Some((ready_at + lag, object.spec.clone()));
        for field in changed {
            let value = match (facts.stepwise == Some(*field), object.spec[*field].as_u64(), wanted[*field].as_u64()) {
                (true, Some(from), Some(to)) if from < to => Json::from(from + 1),
                (true, Some(from), Some(to)) if from > to => Json::from(from - 1),
                _ => wanted[*field].clone(),
            };
            object.spec.insert((*field).to_owned(), value);
        }
        object.revision += 1;
        object.ready_at = ready_at;
        Ok(())
    }

    fn tag(&mut self, facts: &Facts, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        if !facts.tagged {
            self.violations.push(format!("{} {id} cannot carry tags", facts.kind));
        }
        let object = self.get(facts.kind, id)?;
        object.tags.extend(set.clone());
        object.tags.retain(|key, _| !remove.contains(key));
        Ok(())
    }

    fn delete(&mut self, facts: &'static Facts, id: &Id) -> Result<(), CallError> {
        let kind = facts.kind;
        if facts.shared {
            self.violations.push(format!("{kind} {id} belongs to the account and was deleted"));
        }
        let object = self.get(kind, id)?;
        if object.spec.get("protected") == Some(&Json::Bool(true)) {
            return Err(error(kind, "Protected", "it is protected", Class::Invalid));
        }
        if object.gone_at.is_some() || (object.ready_at > Instant::now() && !object.broken) {
            return Err(error(kind, "InUse", "it is being changed", Class::Busy));
        }
        let blockers = self.blockers(kind, id);
        if !blockers.is_empty() {
            return Err(error(kind, "DependencyViolation", format!("{blockers:?} use it"), Class::Busy));
        }
        match facts.removing {
            0 => self.take(&(kind, id.clone())),
            seconds => self.get(kind, id)?.gone_at = Some(Instant::now() + Duration::from_secs(seconds)),
        }
        Ok(())
    }
}

fn error(kind: &str, code: &str, message: impl Into<String>, class: Class) -> CallError {
    CallError::local(kind, code, message, class)
}

/// A call takes time, so that calls overlap.
#[expect(clippy::disallowed_methods, reason = "the cloud's own time")]
async fn delay() {
    tokio::time::sleep(Duration::from_millis(40)).await;
}
