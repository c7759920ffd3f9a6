//! Resource types as values: the object-safe twin of [`Reconcile`], in JSON, with one blanket implementation.

use crate::{
    Address, CallError, Class, Creation, Field, Id, Observation, Observed, Order, Outsider, Ownership, Pace, Readiness,
    Reconcile, Record, RecordError, Recovery, Resolved, StackId, Step, Tags, Terraform, Verdict, Which,
};
use serde_json::Value as Json;
use std::{future::Future, marker::PhantomData, pin::Pin};

/// A boxed future.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What AWS says of one resource, in JSON.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its id.
    pub id: Id,
    /// Its tags; `None` for what cannot be tagged.
    pub tags: Option<Tags>,
    /// Whether it can be used.
    pub readiness: Readiness,
    /// Its settings, as far as AWS tells.
    pub spec: Json,
    /// Its outputs, when they exist.
    pub outputs: Option<Json>,
}

/// The facts and the pure functions of a resource type: all that a plan needs.
pub trait Schema: Send + Sync {
    /// `service.type`.
    fn name(&self) -> &'static str;
    /// One sentence for the reference.
    fn doc(&self) -> &'static str;
    /// Its CloudFormation type.
    fn cloudformation(&self) -> Option<&'static str>;
    /// See [`Reconcile::TERRAFORM`].
    fn terraform(&self) -> &'static [Terraform];
    /// The IAM actions it needs.
    fn actions(&self) -> &'static [&'static str];
    /// Its settings.
    fn fields(&self) -> &'static [Field];
    /// Its outputs.
    fn output_fields(&self) -> &'static [Field];
    /// See [`Order`].
    fn order(&self) -> Order;
    /// See [`Pace`].
    fn pace(&self) -> Pace;
    /// See [`Ownership`].
    fn ownership(&self) -> Ownership;
    /// See [`Recovery`].
    fn recovery(&self) -> Recovery;
    /// See [`Reconcile::CONTAINED_IN`].
    fn contained_in(&self) -> Option<&'static str>;
    /// See [`Reconcile::HOLDS`].
    fn holds(&self) -> &'static [&'static str];
    /// Whether it carries tags of its own.
    fn tagged(&self) -> bool;
    /// See [`Reconcile::LEAVES`].
    fn leaves(&self) -> bool;
    /// The id known before creation, as far as a partly known specification tells it.
    ///
    /// # Errors
    /// When the specification does not fit the type.
    fn identity(&self, spec: &Json) -> Result<Option<Id>, RecordError>;
    /// The canonical form of a partly known specification; unknown fields are left out.
    ///
    /// # Errors
    /// When the specification does not fit the type.
    fn canonical(&self, spec: &Json) -> Result<Json, RecordError>;
    /// See [`Reconcile::tolerate`].
    ///
    /// # Errors
    /// When one of them does not fit the type.
    fn tolerate(&self, wanted: &Json, seen: &Json) -> Result<Json, RecordError>;
    /// See [`Reconcile::coexist`].
    ///
    /// # Errors
    /// When one of them does not fit the type.
    fn coexist(&self, old: &Json, new: &Json) -> Result<bool, RecordError>;
    /// See [`Reconcile::judge`].
    ///
    /// # Errors
    /// When one of them does not fit the type.
    fn judge(&self, field: &str, before: &Json, after: &Json) -> Result<Option<Verdict>, RecordError>;
    /// See [`Reconcile::protection`].
    fn protection(&self, spec: &Json) -> Option<&'static str>;
}

/// A resource type over the clients `C`.
pub trait Kind<C>: Schema {
    /// See [`Reconcile::read`].
    fn read<'a>(&'a self, cloud: &'a C, which: Which<'a>) -> Boxed<'a, Result<Vec<Seen>, CallError>>;
    /// See [`Reconcile::create`].
    fn create<'a>(&'a self, cloud: &'a C, spec: &'a Json, creation: &'a Creation) -> Boxed<'a, Result<Id, CallError>>;
    /// See [`Reconcile::update`].
    fn update<'a>(&'a self, cloud: &'a C, step: JsonStep<'a>) -> Boxed<'a, Result<(), CallError>>;
    /// See [`Reconcile::tag`].
    fn tag<'a>(
        &'a self,
        cloud: &'a C,
        id: &'a Id,
        set: &'a Tags,
        remove: &'a [String],
    ) -> Boxed<'a, Result<(), CallError>>;
    /// See [`Reconcile::unprotect`].
    fn unprotect<'a>(&'a self, cloud: &'a C, id: &'a Id) -> Boxed<'a, Result<(), CallError>>;
    /// See [`Reconcile::discard`].
    fn discard<'a>(&'a self, cloud: &'a C, id: &'a Id) -> Boxed<'a, Result<(), CallError>>;
    /// See [`Reconcile::delete`].
    fn delete<'a>(&'a self, cloud: &'a C, id: &'a Id) -> Boxed<'a, Result<(), CallError>>;
    /// See [`Reconcile::leftovers`].
    fn leftovers<'a>(&'a self, cloud: &'a C, id: &'a Id, spec: &'a Json)
    -> Boxed<'a, Result<Vec<Outsider>, CallError>>;
    /// See [`Reconcile::sweep`].
    fn sweep<'a>(&'a self, cloud: &'a C, leftover: &'a Outsider) -> Boxed<'a, Result<(), CallError>>;
    /// See [`Reconcile::holders`].
    fn holders<'a>(&'a self, cloud: &'a C, id: &'a Id) -> Boxed<'a, Result<Vec<Outsider>, CallError>>;
}

/// A [`Step`] in JSON.
#[derive(Clone, Copy, Debug)]
pub struct JsonStep<'a> {
    /// The resource.
    pub id: &'a Id,
    /// What it shall be.
    pub wanted: &'a Json,
    /// What it is.
    pub seen: &'a Json,
    /// The names of the fields that differ.
    pub changed: &'a [&'static str],
    /// Owner, tags, token.
    pub creation: &'a Creation,
}

/// The table entry of a resource type: `static KINDS: &[&dyn Kind<Aws>] = &[&Entry::<Vpc>::NEW]`.
pub struct Entry<K>(PhantomData<fn() -> K>);

impl<K> Entry<K> {
    /// The entry.
    pub const NEW: Self = Self(PhantomData);
}

impl<K: Reconcile> Schema for Entry<K> {
    fn name(&self) -> &'static str {
        K::KIND
    }
    fn doc(&self) -> &'static str {
        K::DOC
    }
    fn cloudformation(&self) -> Option<&'static str> {
        K::CLOUDFORMATION
    }
    fn terraform(&self) -> &'static [Terraform] {
        K::TERRAFORM
    }
    fn actions(&self) -> &'static [&'static str] {
        K::ACTIONS
    }
    fn fields(&self) -> &'static [Field] {
        <K::Spec<Resolved> as Record>::FIELDS
    }
    fn output_fields(&self) -> &'static [Field] {
        <K::Outputs<Resolved> as Record>::FIELDS
    }
    fn order(&self) -> Order {
        K::ORDER
    }
    fn pace(&self) -> Pace {
        K::PACE
    }
    fn ownership(&self) -> Ownership {
        K::OWNERSHIP
    }
    fn recovery(&self) -> Recovery {
        K::RECOVERY
    }
    fn contained_in(&self) -> Option<&'static str> {
        K::CONTAINED_IN
    }
    fn holds(&self) -> &'static [&'static str] {
        K::HOLDS
    }
    fn tagged(&self) -> bool {
        K::TAGGED
    }
    fn leaves(&self) -> bool {
        K::LEAVES
    }

    fn identity(&self, spec: &Json) -> Result<Option<Id>, RecordError> {
        Ok(K::identity(&observed::<K>(spec)?))
    }

    fn canonical(&self, spec: &Json) -> Result<Json, RecordError> {
        Ok(observed::<K>(spec)?.to_json())
    }

    fn tolerate(&self, wanted: &Json, seen: &Json) -> Result<Json, RecordError> {
        let mut seen = observed::<K>(seen)?;
        K::tolerate(&observed::<K>(wanted)?, &mut seen);
        Ok(seen.to_json())
    }

    fn coexist(&self, old: &Json, new: &Json) -> Result<bool, RecordError> {
        Ok(K::coexist(&observed::<K>(old)?, &observed::<K>(new)?))
    }

    fn judge(&self, field: &str, before: &Json, after: &Json) -> Result<Option<Verdict>, RecordError> {
        Ok(K::judge(field, &observed::<K>(before)?, &observed::<K>(after)?))
    }

    fn protection(&self, spec: &Json) -> Option<&'static str> {
        K::protection(&observed::<K>(spec).ok()?)
    }
}

fn observed<K: Reconcile>(spec: &Json) -> Result<K::Spec<Observed>, RecordError> {
    Record::from_json(spec.clone())
}

impl<K: Reconcile> Kind<K::Cloud> for Entry<K> {
    fn read<'a>(&'a self, cloud: &'a K::Cloud, which: Which<'a>) -> Boxed<'a, Result<Vec<Seen>, CallError>> {
        Box::pin(async move {
            let observations = K::read(cloud, which).await?;
            Ok(observations.into_iter().map(to_seen).collect())
        })
    }

    fn create<'a>(
        &'a self,
        cloud: &'a K::Cloud,
        spec: &'a Json,
        creation: &'a Creation,
    ) -> Boxed<'a, Result<Id, CallError>> {
        Box::pin(async move {
            let spec = Record::from_json(spec.clone()).map_err(misfit::<K>)?;
            K::create(cloud, &spec, creation).await
        })
    }

    fn update<'a>(&'a self, cloud: &'a K::Cloud, step: JsonStep<'a>) -> Boxed<'a, Result<(), CallError>> {
        Box::pin(async move {
            let wanted = Record::from_json(step.wanted.clone()).map_err(misfit::<K>)?;
            let seen = observed::<K>(step.seen).map_err(misfit::<K>)?;
            let JsonStep { id, changed, creation, .. } = step;
            K::update(cloud, &Step { id, wanted: &wanted, seen: &seen, changed, creation }).await
        })
    }

    fn tag<'a>(
        &'a self,
        cloud: &'a K::Cloud,
        id: &'a Id,
        set: &'a Tags,
        remove: &'a [String],
    ) -> Boxed<'a, Result<(), CallError>> {
        Box::pin(K::tag(cloud, id, set, remove))
    }

    fn unprotect<'a>(&'a self, cloud: &'a K::Cloud, id: &'a Id) -> Boxed<'a, Result<(), CallError>> {
        Box::pin(K::unprotect(cloud, id))
    }

    fn discard<'a>(&'a self, cloud: &'a K::Cloud, id: &'a Id) -> Boxed<'a, Result<(), CallError>> {
        Box::pin(K::discard(cloud, id))
    }

    fn delete<'a>(&'a self, cloud: &'a K::Cloud, id: &'a Id) -> Boxed<'a, Result<(), CallError>> {
        Box::pin(K::delete(cloud, id))
    }

    fn leftovers<'a>(
        &'a self,
        cloud: &'a K::Cloud,
        id: &'a Id,
        spec: &'a Json,
    ) -> Boxed<'a, Result<Vec<Outsider>, CallError>> {
        Box::pin(async move {
            let spec = observed::<K>(spec).map_err(misfit::<K>)?;
            K::leftovers(cloud, id, &spec).await
        })
    }

    fn sweep<'a>(&'a self, cloud: &'a K::Cloud, leftover: &'a Outsider) -> Boxed<'a, Result<(), CallError>> {
        Box::pin(K::sweep(cloud, leftover))
    }

    fn holders<'a>(&'a self, cloud: &'a K::Cloud, id: &'a Id) -> Boxed<'a, Result<Vec<Outsider>, CallError>> {
        Box::pin(K::holders(cloud, id))
    }
}

fn to_seen<K: Reconcile>(observation: Observation<K>) -> Seen {
    Seen {
        id: observation.id,
        tags: observation.tags,
        readiness: observation.readiness,
        spec: observation.spec.to_json(),
        outputs: observation.outputs.map(|outputs| outputs.to_json()),
    }
}

fn misfit<K: Reconcile>(error: RecordError) -> CallError {
    CallError::local(K::KIND, "InvalidSpecification", error.to_string(), Class::Invalid)
}

/// The idempotency token of one attempt: the same intent gives the same token in every process.
///
/// `purpose` tells the calls of one resource apart. It has 64 hexadecimal digits, a length that all services accept: EC2
/// documents at most 64 characters, and EKS answers that it takes 33 to 126.
pub fn token(stack: &StackId, address: &Address, generation: u32, purpose: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(format!("{stack}\n{address}\n{generation}\n{purpose}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
