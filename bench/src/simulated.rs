//! The real resource types over a simulated AWS: what is made is there at once and ready after AWS's usual time. Meant
//! for a paused clock.

use bedplate_aws::Throttle;
use bedplate_model::{
    Boxed, CallError, Creation, Field, Id, Json, JsonStep, Kind, Order, Outsider, Ownership, Pace, Readiness,
    RecordError, Recovery, Schema, Seen, Tags, Terraform, Verdict, Which,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long one call takes.
pub(crate) const LATENCY: Duration = Duration::from_millis(150);

/// How long AWS usually takes until a resource can be used, in seconds.
const DURATIONS: [(&str, u64); 8] = [
    ("eks.cluster", 540),
    ("eks.node_group", 150),
    ("eks.fargate_profile", 120),
    ("eks.addon", 60),
    ("ec2.nat_gateway", 120),
    ("rds.cluster", 60),
    ("rds.instance", 480),
    ("elasticache.replication_group", 540),
];

/// A resource type's share, known by its settings: gateway endpoints are there at once, interface endpoints are not.
pub(crate) fn duration(kind: &str, spec: &Json) -> Duration {
    let seconds = match kind {
        "ec2.vpc_endpoint" if spec.to_string().contains("\"interface\"") => 90,
        kind if kind.ends_with(".load_balancer") => 150,
        kind => DURATIONS.iter().find(|(name, _)| *name == kind).map_or(0, |(_, seconds)| *seconds),
    };
    Duration::from_secs(seconds)
}

/// How the operations begin that make or set something, the likeliest first.
const CHANGES: [&str; 7] = ["Create", "Put", "Allocate", "Authorize", "Register", "Subscribe", "Attach"];
const READS: [&str; 3] = ["Describe", "Get", "List"];

/// The simulated AWS.
#[derive(Debug)]
pub(crate) struct Cloud {
    world: Mutex<World>,
    throttle: Throttle,
}

#[derive(Debug, Default)]
pub(crate) struct World {
    held: BTreeMap<(&'static str, Id), Held>,
    /// Reads, by type.
    pub(crate) reads: BTreeMap<&'static str, u64>,
    /// When each call was made that changes something, by operation.
    pub(crate) changes: BTreeMap<&'static str, Vec<Instant>>,
    /// When each other call was made, by operation.
    pub(crate) looks: BTreeMap<&'static str, Vec<Instant>>,
    /// When each resource could be used, by the address in its tags.
    pub(crate) ready: BTreeMap<String, Instant>,
}

#[derive(Clone, Debug)]
struct Held {
    spec: Json,
    tags: Tags,
    ready: Instant,
}

impl Cloud {
    /// An empty one that is called no faster than these limits say.
    pub(crate) fn new(throttle: Throttle) -> Self {
        Self { world: Mutex::default(), throttle }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::disallowed_methods, reason = "this is AWS, which takes its time")]
    async fn change<T>(&self, kind: &Simulated, change: impl FnOnce(&mut World) -> T) -> T {
        if let Some(operation) = self.turn(kind, &CHANGES).await {
            self.world().changes.entry(operation).or_default().push(Instant::now());
        }
        tokio::time::sleep(LATENCY).await;
        change(&mut self.world())
    }

    /// Waits for the turn of the operation that a type makes such calls with. One call stands for the few that the real type
    /// makes. What lies in a cluster is not asked of AWS.
    async fn turn(&self, kind: &Simulated, verbs: &[&str]) -> Option<&'static str> {
        let of = |verb: &&str| {
            let mut actions = kind.actions().iter();
            actions.find(|action| action.split_once(':').is_some_and(|(_, operation)| operation.starts_with(*verb)))
        };
        let action = verbs.iter().find_map(of).filter(|_| !kind.name().starts_with("kubernetes."))?;
        let (service, operation) = action.split_once(':')?;
        self.throttle.turn(service, operation).await;
        Some(action)
    }
}

/// A real resource type over the simulated AWS.
pub(crate) struct Simulated(&'static dyn Kind<bedplate_aws::Aws>);

/// All of them. They live as long as the process.
pub(crate) fn kinds() -> Vec<&'static dyn Kind<Cloud>> {
    let leaked = |kind: &&'static dyn Kind<bedplate_aws::Aws>| -> &'static dyn Kind<Cloud> {
        Box::leak(Box::new(Simulated(*kind)))
    };
    bedplate_aws::KINDS.iter().map(leaked).collect()
}

impl Schema for Simulated {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn doc(&self) -> &'static str {
        self.0.doc()
    }
    fn cloudformation(&self) -> Option<&'static str> {
        self.0.cloudformation()
    }
    fn terraform(&self) -> &'static [Terraform] {
        self.0.terraform()
    }
    fn actions(&self) -> &'static [&'static str] {
        self.0.actions()
    }
    fn fields(&self) -> &'static [Field] {
        self.0.fields()
    }
    fn output_fields(&self) -> &'static [Field] {
        self.0.output_fields()
    }
    fn order(&self) -> Order {
        self.0.order()
    }
    fn pace(&self) -> Pace {
        self.0.pace()
    }
    fn ownership(&self) -> Ownership {
        self.0.ownership()
    }
    fn recovery(&self) -> Recovery {
        self.0.recovery()
    }
    fn contained_in(&self) -> Option<&'static str> {
        self.0.contained_in()
    }
    fn holds(&self) -> &'static [&'static str] {
        self.0.holds()
    }
    fn tagged(&self) -> bool {
        self.0.tagged()
    }
    fn leaves(&self) -> bool {
        self.0.leaves()
    }
    fn identity(&self, spec: &Json) -> Result<Option<Id>, RecordError> {
        self.0.identity(spec)
    }
    fn canonical(&self, spec: &Json) -> Result<Json, RecordError> {
        self.0.canonical(spec)
    }
    fn tolerate(&self, wanted: &Json, seen: &Json) -> Result<Json, RecordError> {
        self.0.tolerate(wanted, seen)
    }
    fn coexist(&self, old: &Json, new: &Json) -> Result<bool, RecordError> {
        self.0.coexist(old, new)
    }
    fn judge(&self, field: &str, before: &Json, after: &Json) -> Result<Option<Verdict>, RecordError> {
        self.0.judge(field, before, after)
    }
    fn protection(&self, spec: &Json) -> Option<&'static str> {
        self.0.protection(spec)
    }
}

impl Simulated {
    fn seen(&self, id: &Id, held: &Held) -> Seen {
        let is_ready = held.ready <= Instant::now();
        // Every output that a resource refers to is a text.
        let outputs =
            self.output_fields().iter().map(|field| (field.name.to_owned(), json!(format!("{id}.{}", field.name))));
        Seen {
            id: id.clone(),
            tags: Some(held.tags.clone()),
            readiness: if is_ready { Readiness::Ready } else { Readiness::Busy("creating".to_owned()) },
            spec: held.spec.clone(),
            outputs: is_ready.then(|| outputs.collect()),
        }
    }
}

impl Kind<Cloud> for Simulated {
    #[expect(clippy::disallowed_methods, reason = "this is AWS, which takes its time")]
    fn read<'a>(&'a self, cloud: &'a Cloud, which: Which<'a>) -> Boxed<'a, Result<Vec<Seen>, CallError>> {
        Box::pin(async move {
            let operation = cloud.turn(self, &READS).await;
            let began = Instant::now();
            tokio::time::sleep(LATENCY).await;
            let mut world = cloud.world();
            if let Some(operation) = operation {
                world.looks.entry(operation).or_default().push(began);
            }
            *world.reads.entry(self.name()).or_default() += 1;
            let mine =
                world.held.iter().filter(|((kind, id), held)| *kind == self.name() && which.covers(id, &held.tags));
            Ok(mine.map(|((_, id), held)| self.seen(id, held)).collect())
        })
    }

    fn create<'a>(
        &'a self,
        cloud: &'a Cloud,
        spec: &'a Json,
        creation: &'a Creation,
    ) -> Boxed<'a, Result<Id, CallError>> {
        Box::pin(async move {
            let made = |world: &mut World| {
                let numbered = || Id::new(format!("{}-{}", self.name(), world.held.len()));
                let id = self.identity(spec).ok().flatten().unwrap_or_else(numbered);
                let ready = Instant::now() + duration(self.name(), spec);
                let held = Held { spec: spec.clone(), tags: creation.tags.clone(), ready };
                world.held.insert((self.name(), id.clone()), held);
                world.ready.insert(creation.owner.address.to_string(), ready);
                id
            };
            Ok(cloud.change(self, made).await)
        })
    }

    fn update<'a>(&'a self, cloud: &'a Cloud, step: JsonStep<'a>) -> Boxed<'a, Result<(), CallError>> {
        Box::pin(async move {
            let set = |world: &mut World| {
                if let Some(held) = world.held.get_mut(&(self.name(), step.id.clone())) {
                    held.spec = step.wanted.clone();
                }
            };
            cloud.change(self, set).await;
            Ok(())
        })
    }

    fn tag<'a>(
        &'a self,
        cloud: &'a Cloud,
        id: &'a Id,
        set: &'a Tags,
        _remove: &'a [String],
    ) -> Boxed<'a, Result<(), CallError>> {
        Box::pin(async move {
            let tag = |world: &mut World| {
                if let Some(held) = world.held.get_mut(&(self.name(), id.clone())) {
                    held.tags.extend(set.clone());
                }
            };
            cloud.change(self, tag).await;
            Ok(())
        })
    }

    fn unprotect<'a>(&'a self, _cloud: &'a Cloud, _id: &'a Id) -> Boxed<'a, Result<(), CallError>> {
        Box::pin(async { Ok(()) })
    }

    fn discard<'a>(&'a self, _cloud: &'a Cloud, _id: &'a Id) -> Boxed<'a, Result<(), CallError>> {
        Box::pin(async { Ok(()) })
    }

    fn delete<'a>(&'a self, cloud: &'a Cloud, id: &'a Id) -> Boxed<'a, Result<(), CallError>> {
        Box::pin(async move {
            cloud.change(self, |world| world.held.remove(&(self.name(), id.clone()))).await;
            Ok(())
        })
    }

    fn leftovers<'a>(
        &'a self,
        _cloud: &'a Cloud,
        _id: &'a Id,
        _spec: &'a Json,
    ) -> Boxed<'a, Result<Vec<Outsider>, CallError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn sweep<'a>(&'a self, _cloud: &'a Cloud, _leftover: &'a Outsider) -> Boxed<'a, Result<(), CallError>> {
        Box::pin(async { Ok(()) })
    }

    fn holders<'a>(&'a self, _cloud: &'a Cloud, _id: &'a Id) -> Boxed<'a, Result<Vec<Outsider>, CallError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
