//! Who pods are.

use super::{ACTIONS, CONTAINER, apply, create, delete, id, marks, place, read, readiness, take};
use crate::{Arn, Aws};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags, Which,
};
use k8s_openapi::{api::core::v1, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use std::collections::BTreeMap;

/// The annotation with the role that pods get (EKS user guide, "IAM roles for service accounts").
const ROLE: &str = "eks.amazonaws.com/role-arn";

/// A service account: who pods are.
#[derive(Debug)]
pub enum ServiceAccount {}

/// Settings of a service account.
#[derive(Clone, Debug, Record)]
pub struct ServiceAccountSpec<P: Phase> {
    /// The cluster's name.
    #[replace]
    #[aws(none)]
    pub cluster: P::Of<String>,
    /// The namespace's name.
    #[replace]
    #[aws(none)]
    pub namespace: P::Of<String>,
    /// Its name.
    #[replace]
    #[aws(none)]
    pub name: P::Of<String>,
    /// The IAM role whose credentials its pods get. Pods that run already keep what they have.
    #[aws(none)]
    pub role_arn: P::Of<Arn>,
}

/// Outputs of a service account.
#[derive(Clone, Debug, Record)]
pub struct ServiceAccountOutputs<P: Phase> {
    /// Its name.
    pub name: P::Of<String>,
}

impl Reconcile for ServiceAccount {
    const KIND: &'static str = "kubernetes.service_account";
    const DOC: &'static str = "A service account with an IAM role for its pods.";
    const CLOUDFORMATION: Option<&'static str> = None;
    const ACTIONS: &'static [&'static str] = ACTIONS;
    const CONTAINED_IN: Option<&'static str> = Some(CONTAINER);
    const TAGGED: bool = false;
    type Cloud = Aws;
    type Spec<P: Phase> = ServiceAccountSpec<P>;
    type Outputs<P: Phase> = ServiceAccountOutputs<P>;

    fn identity(spec: &ServiceAccountSpec<Observed>) -> Option<Id> {
        Some(id(spec.cluster.as_ref()?, Some(spec.namespace.as_ref()?), spec.name.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        read(cloud, which, observe).await
    }

    async fn create(cloud: &Aws, spec: &ServiceAccountSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        create(cloud, &id(&spec.cluster, Some(&spec.namespace), &spec.name), object(spec), creation).await
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        apply(cloud, step.id, object(step.wanted), step.creation).await
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, _remove: &[String]) -> Result<(), CallError> {
        take::<v1::ServiceAccount>(cloud, id, set).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        delete::<v1::ServiceAccount>(cloud, id).await
    }
}

fn object(spec: &ServiceAccountSpec<Resolved>) -> v1::ServiceAccount {
    let annotations = BTreeMap::from([(ROLE.to_owned(), spec.role_arn.to_string())]);
    let metadata = ObjectMeta { annotations: Some(annotations), ..ObjectMeta::default() };
    v1::ServiceAccount { metadata, ..v1::ServiceAccount::default() }
}

fn observe(id: Id, seen: &v1::ServiceAccount) -> Observation<ServiceAccount> {
    let (cluster, namespace, name) = place(&id);
    let (cluster, namespace, name) = (cluster.to_owned(), namespace.map(str::to_owned), name.to_owned());
    let readiness = readiness(&seen.metadata);
    let outputs = (readiness == Readiness::Ready).then(|| ServiceAccountOutputs { name: name.clone() });
    let role = seen.metadata.annotations.as_ref().and_then(|annotations| annotations.get(ROLE));
    Observation {
        id,
        tags: Some(marks(&seen.metadata)),
        readiness,
        spec: ServiceAccountSpec {
            cluster: Some(cluster),
            namespace,
            name: Some(name),
            // None is a difference too.
            role_arn: Some(Arn::new(role.map(String::as_str).unwrap_or_default())),
        },
        outputs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_is_read() {
        let spec: ServiceAccountSpec<Resolved> = ServiceAccountSpec {
            cluster: "c".to_owned(),
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            role_arn: Arn::new("arn:aws:iam::1:role/r"),
        };
        let (place, object) = (id("c", Some("shop"), "web"), object(&spec));
        assert_eq!(observe(place.clone(), &object).spec.to_json(), spec.to_json());
        let without = v1::ServiceAccount::default();
        assert_eq!(observe(place, &without).spec.role_arn, Some(Arn::new("")), "none is another one");
    }
}
