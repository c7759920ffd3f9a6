//! The contract of a resource type. Everything else is generic code over it, written once.

use crate::{Address, CallError, Draft, Id, Input, Observed, Outsider, Owner, Record, Resolved, StackId, Tags};
use std::{future::Future, time::Duration};

/// A resource type: how it is read, made, changed and removed.
///
/// No function waits: `read` says [`Readiness::Busy`] and the engine asks again. Every function may be called again
/// after a crash, so each is idempotent or recognizes what it did before.
pub trait Reconcile: Sized + Send + Sync + 'static {
    /// Its name, `service.type`. The service part groups what shares an API's request limits.
    const KIND: &'static str;
    /// One sentence for the reference.
    const DOC: &'static str;
    /// Its type in the CloudFormation registry, whose schema the fields' change policies are taken from.
    const CLOUDFORMATION: Option<&'static str>;
    /// What Terraform calls it, so that what is in its state can be taken over.
    const TERRAFORM: &'static [Terraform] = &[];
    /// The IAM actions that reading, making, changing and removing it need.
    const ACTIONS: &'static [&'static str];
    /// The clients it calls; a fake in the engine's tests.
    type Cloud: Send + Sync + 'static;
    /// Its settings.
    type Spec<P: crate::Phase>: Record;
    /// What other resources and the user learn from it.
    type Outputs<P: crate::Phase>: Record;

    /// Whether a replacement is made before or after the old one is removed.
    const ORDER: Order = Order::CreateFirst;
    /// How long things take.
    const PACE: Pace = Pace::QUICK;
    /// How it is known to be ours.
    const OWNERSHIP: Ownership = Ownership::Tags;
    /// How a create that was cut off is found again.
    const RECOVERY: Recovery = Recovery::Name;
    /// The type of what it lies in, whose id is the first half of its own ([`Id::child`]), where that has an API of its own
    /// that may be out of reach: a Kubernetes object lies in a cluster. It is gone when that is gone, so it is then
    /// forgotten without a call; and where it cannot be looked at, it is taken to be as recorded.
    const CONTAINED_IN: Option<&'static str> = None;
    /// Fields that lead to what cannot be replaced while this stays, because it does not let go of it: a database does not
    /// move to other subnets.
    const HOLDS: &'static [&'static str] = &[];
    /// Whether it carries tags of its own. Where it does not, observed tags are only evidence of who owns it: a KMS alias
    /// shows the tags of its key.
    const TAGGED: bool = true;
    /// Whether others make things in its name that stay when it goes, as the controllers in a cluster make load balancers.
    /// They are swept after it, before anything goes that it depends on: see `leftovers`.
    const LEAVES: bool = false;

    /// The id that is known before it exists (a name, `parent|child`); `None` where AWS assigns one, or as long as the
    /// fields it is made of are not known. The others need not be: whoever has the name is found before anything is made.
    fn identity(_spec: &Self::Spec<Observed>) -> Option<Id> {
        None
    }

    /// One read for all of them. What does not exist is absent from the answer.
    fn read(
        cloud: &Self::Cloud,
        which: Which<'_>,
    ) -> impl Future<Output = Result<Vec<Observation<Self>>, CallError>> + Send;

    /// Makes it and returns its id. Settings that `update` sets anyway may be left to it.
    fn create(
        cloud: &Self::Cloud,
        spec: &Self::Spec<Resolved>,
        creation: &Creation,
    ) -> impl Future<Output = Result<Id, CallError>> + Send;

    /// One step from what is seen towards what is wanted; called again while the difference shrinks.
    fn update(cloud: &Self::Cloud, step: &Step<'_, Self>) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Sets and removes tags, or the marks of ownership that what lies in something else carries instead. Only called for
    /// kinds that report tags.
    fn tag(
        _cloud: &Self::Cloud,
        _id: &Id,
        _set: &Tags,
        _remove: &[String],
    ) -> impl Future<Output = Result<(), CallError>> + Send {
        async { Ok(()) }
    }

    /// Removes it, or starts to.
    fn delete(cloud: &Self::Cloud, id: &Id) -> impl Future<Output = Result<(), CallError>> + Send;

    /// What protects it from removal, in words (`deletion protection`); `None` when nothing does.
    fn protection(_spec: &Self::Spec<Observed>) -> Option<&'static str> {
        None
    }

    /// Takes that protection away.
    fn unprotect(_cloud: &Self::Cloud, _id: &Id) -> impl Future<Output = Result<(), CallError>> + Send {
        async { Ok(()) }
    }

    /// Sees to it that its deletion leaves no last copy of its data.
    fn discard(_cloud: &Self::Cloud, _id: &Id) -> impl Future<Output = Result<(), CallError>> + Send {
        async { Ok(()) }
    }

    /// What others made in its name and is still there, in the order in which it has to go. Only asked of kinds that say so
    /// ([`Self::LEAVES`]), by the settings last recorded. Nothing that belongs to anybody else may be among it.
    fn leftovers(
        _cloud: &Self::Cloud,
        _id: &Id,
        _spec: &Self::Spec<Observed>,
    ) -> impl Future<Output = Result<Vec<Outsider>, CallError>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Removes one of its leftovers, or starts to.
    fn sweep(_cloud: &Self::Cloud, _leftover: &Outsider) -> impl Future<Output = Result<(), CallError>> + Send {
        async { Ok(()) }
    }

    /// What stands in the way of the removal of `id`, its own or a leftover's, as far as AWS tells. Read to be named, not
    /// to be acted upon.
    fn holders(_cloud: &Self::Cloud, _id: &Id) -> impl Future<Output = Result<Vec<Outsider>, CallError>> + Send {
        async { Ok(Vec::new()) }
    }

    /// Makes differences that are none equal, by changing what was seen to what is wanted (or to `None`): a live value
    /// that an autoscaler moves inside its range, a default that AWS fills in.
    fn tolerate(_wanted: &Self::Spec<Observed>, _seen: &mut Self::Spec<Observed>) {}

    /// Whether both can exist at once, where [`Order::DeleteFirst`] says of the type that two may not: a range that does not
    /// overlap.
    fn coexist(_old: &Self::Spec<Observed>, _new: &Self::Spec<Observed>) -> bool {
        false
    }

    /// What a change of `field` means where that depends on the values; `None` leaves it to the field's own policy. The
    /// reason of an update is shown as what else it does.
    fn judge(_field: &str, _before: &Self::Spec<Observed>, _after: &Self::Spec<Observed>) -> Option<Verdict> {
        None
    }
}

/// A resource type of Terraform's AWS provider (Terraform Registry, "AWS Provider").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terraform {
    /// Its name: `aws_vpc`.
    pub kind: &'static str,
    /// Our id, made of its attributes: `{cluster_name}|{addon_name}`. Where it has no `account_id`, the platform's is meant.
    pub id: &'static str,
}

/// What a change means in one case, with the reason to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Update, replace or refuse.
    pub change: crate::Change,
    /// Why.
    pub reason: String,
}

/// Which resources a read is for.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// These. What is not among them may be in the answer too and is ignored.
    Ids(&'a [Id]),
    /// All that carry this stack's ownership tag.
    Owned(&'a StackId),
}

impl Which<'_> {
    /// Whether an observation is asked for.
    pub fn covers(&self, id: &Id, tags: &Tags) -> bool {
        match self {
            Self::Ids(ids) => ids.contains(id),
            Self::Owned(stack) => tags.get(crate::TAG_STACK).is_some_and(|owner| owner == stack.as_str()),
        }
    }
}

/// What a create call is told besides the settings.
#[derive(Clone, Debug)]
pub struct Creation {
    /// Who will own it.
    pub owner: Owner,
    /// The idempotency token: the same for every attempt to make the same thing; 64 lowercase hexadecimal digits, which
    /// every service accepts.
    pub token: String,
    /// All tags it shall carry, ownership included.
    pub tags: Tags,
}

/// What AWS says of one resource.
#[derive(Clone, Debug)]
pub struct Observation<K: Reconcile> {
    /// Its id.
    pub id: Id,
    /// Its tags; `None` for what cannot be tagged.
    pub tags: Option<Tags>,
    /// Whether it can be used.
    pub readiness: Readiness,
    /// Its settings, as far as AWS tells.
    pub spec: K::Spec<Observed>,
    /// Its outputs; `None` as long as AWS has not made them.
    pub outputs: Option<K::Outputs<Resolved>>,
}

/// Whether a resource can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// It is being made, changed or removed; in AWS's words.
    Busy(String),
    /// It failed and will not recover by itself; in AWS's words.
    Broken(String),
    /// It is gone though AWS still shows it.
    Gone,
}

impl Readiness {
    /// Whether it is on its way out: AWS and Kubernetes say so in these words, for every type.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        match self {
            Readiness::Busy(state) => {
                let state = state.to_lowercase();
                ["deleting", "terminating", "removing"].iter().any(|word| state.starts_with(word))
            }
            Readiness::Gone => true,
            Readiness::Ready | Readiness::Broken(_) => false,
        }
    }
}

/// One step of an update.
#[derive(Debug)]
pub struct Step<'a, K: Reconcile> {
    /// The resource.
    pub id: &'a Id,
    /// What it shall be.
    pub wanted: &'a K::Spec<Resolved>,
    /// What it is.
    pub seen: &'a K::Spec<Observed>,
    /// The names of the fields that differ.
    pub changed: &'a [&'static str],
    /// Owner, tags, and a token for this very step.
    pub creation: &'a Creation,
}

impl<K: Reconcile> Step<'_, K> {
    /// Whether one of these fields differs.
    pub fn changes(&self, fields: &[&str]) -> bool {
        debug_assert!(
            fields.iter().all(|field| <K::Spec<Resolved> as Record>::FIELDS.iter().any(|known| known.name == *field)),
            "{fields:?} are not all fields of {}",
            K::KIND
        );
        self.changed.iter().any(|changed| fields.contains(changed))
    }
}

/// Whether a replacement is made before or after the old resource is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The new one first: no outage.
    CreateFirst,
    /// The old one first: both cannot exist at once (a name, an address range).
    DeleteFirst,
}

/// How it is known that a resource is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Its ownership tags say so.
    Tags,
    /// It exists only inside a resource of ours.
    Parent,
    /// It belongs to the account; it is used and never removed.
    Shared,
}

/// How a resource is found whose create call was cut off before its id was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// By its name: it has an identity.
    Name,
    /// By repeating the call with the same client token.
    Token,
    /// By its ownership tag only: reads lag behind creates, so a missing answer is believed only after a while.
    Tag,
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long making it usually takes.
    pub expected: Duration,
    /// The longest time between two looks at it.
    pub poll: Duration,
    /// After this time, waiting for it stops. The next run goes on waiting.
    pub deadline: Duration,
    /// So long after a change a read may show what was before it. After this time a wrong answer is believed.
    pub lag: Duration,
}

impl Pace {
    /// For what is there at once.
    pub const QUICK: Self = Self::seconds(1, 2, 300);
    /// For what is there at once and goes late: AWS's load balancers, endpoints and clusters give up their network interfaces
    /// some minutes after they are gone themselves, and what these lie in has to wait for it.
    pub const HELD: Self = Self::seconds(1, 5, 1200);

    /// Expected duration, longest poll interval and deadline, in seconds.
    pub const fn seconds(expected: u64, poll: u64, deadline: u64) -> Self {
        Self {
            expected: Duration::from_secs(expected),
            poll: Duration::from_secs(poll),
            deadline: Duration::from_secs(deadline),
            lag: Duration::from_secs(30),
        }
    }

    /// The same for what shows its changes later than others, in seconds.
    #[must_use]
    pub const fn lagging(self, lag: u64) -> Self {
        Self { lag: Duration::from_secs(lag), ..self }
    }
}

/// The outputs of a resource that is declared but not made: references to each of them.
pub fn output_references<K: Reconcile>(address: &Address) -> K::Outputs<Draft> {
    let fields = <K::Outputs<Draft> as Record>::FIELDS.iter();
    let map = fields.map(|field| {
        let reference = Input::<()>::reference(address, field.name);
        (field.name.to_owned(), reference.expression().clone())
    });
    Record::from_json(serde_json::Value::Object(map.collect())).expect("a draft takes any expression")
}
