//! A namespace.

use super::{ACTIONS, CONTAINER, apply, create, delete, id, labels, marks, read, readiness, take};
use crate::Aws;
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Pace, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Which,
};
use k8s_openapi::{api::core::v1, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use std::collections::BTreeMap;

/// A namespace: what it is named after lies in it.
#[derive(Debug)]
pub enum Namespace {}

/// Settings of a namespace.
#[derive(Clone, Debug, Record)]
pub struct NamespaceSpec<P: Phase> {
    /// The cluster's name.
    #[replace]
    #[aws(none)]
    pub cluster: P::Of<String>,
    /// Its name. Everything in a namespace goes with it, also what is not bedplate's.
    #[refuse]
    #[aws(none)]
    pub name: P::Of<String>,
    /// Its labels. Others may set labels beside them.
    #[aws(none)]
    pub labels: P::Of<BTreeMap<String, String>>,
}

/// Outputs of a namespace.
#[derive(Clone, Debug, Record)]
pub struct NamespaceOutputs<P: Phase> {
    /// Its name. What lies in a namespace is not there again when the namespace is.
    pub name: P::Of<String>,
}

impl Reconcile for Namespace {
    const KIND: &'static str = "kubernetes.namespace";
    const DOC: &'static str = "A namespace of a cluster.";
    const CLOUDFORMATION: Option<&'static str> = None;
    const ACTIONS: &'static [&'static str] = ACTIONS;
    const CONTAINED_IN: Option<&'static str> = Some(CONTAINER);
    // It goes when everything in it is gone.
    const PACE: Pace = Pace::seconds(2, 5, 900);
    const TAGGED: bool = false;
    type Cloud = Aws;
    type Spec<P: Phase> = NamespaceSpec<P>;
    type Outputs<P: Phase> = NamespaceOutputs<P>;

    fn identity(spec: &NamespaceSpec<Observed>) -> Option<Id> {
        Some(id(spec.cluster.as_ref()?, None, spec.name.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        read(cloud, which, observe).await
    }

    async fn create(cloud: &Aws, spec: &NamespaceSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        create(cloud, &id(&spec.cluster, None, &spec.name), object(spec), creation).await
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        apply(cloud, step.id, object(step.wanted), step.creation).await
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, _remove: &[String]) -> Result<(), CallError> {
        take::<v1::Namespace>(cloud, id, set).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        delete::<v1::Namespace>(cloud, id).await
    }
}

fn object(spec: &NamespaceSpec<Resolved>) -> v1::Namespace {
    let metadata = ObjectMeta { labels: Some(spec.labels.clone()), ..ObjectMeta::default() };
    v1::Namespace { metadata, ..v1::Namespace::default() }
}

fn observe(id: Id, seen: &v1::Namespace) -> Observation<Namespace> {
    let (cluster, name) = id.split();
    let (cluster, name) = (cluster.to_owned(), name.to_owned());
    let readiness = match readiness(&seen.metadata) {
        Readiness::Busy(state) => Readiness::Busy(what_remains(state, seen)),
        ready => ready,
    };
    let outputs = (readiness == Readiness::Ready).then(|| NamespaceOutputs { name: name.clone() });
    Observation {
        id,
        tags: Some(marks(&seen.metadata)),
        readiness,
        spec: NamespaceSpec { cluster: Some(cluster), name: Some(name), labels: Some(labels(&seen.metadata)) },
        outputs,
    }
}

/// Why it is not gone yet, in the words of Kubernetes.
fn what_remains(state: String, seen: &v1::Namespace) -> String {
    let conditions = seen.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let remaining = conditions.filter(|condition| condition.status == "True").filter_map(|it| it.message.as_deref());
    remaining.fold(state, |text, message| format!("{text}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen(json: serde_json::Value) -> Observation<Namespace> {
        observe(id("c", None, "shop"), &serde_json::from_value(json).unwrap())
    }

    #[test]
    fn a_namespace_is_read_as_the_cluster_shows_it() {
        let fields = json!({"f:metadata": {"f:labels": {"f:team": {}}}});
        let owner = json!({"manager": "bedplate", "fieldsType": "FieldsV1", "fieldsV1": fields});
        let metadata = json!({"name": "shop", "labels": {"team": "a", "other": "b"}, "managedFields": [owner]});
        let seen = seen(json!({"metadata": metadata, "status": {"phase": "Active"}}));
        assert_eq!(seen.readiness, Readiness::Ready);
        assert_eq!(seen.spec.to_json(), json!({"cluster": "c", "name": "shop", "labels": {"team": "a"}}));
        assert_eq!(seen.outputs.unwrap().name, "shop");
    }

    #[test]
    fn what_keeps_a_namespace_is_said() {
        let metadata = json!({"name": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z"});
        let condition = |status, message| json!({"type": "t", "status": status, "message": message});
        let conditions = [condition("False", "All content successfully deleted"), condition("True", "wait for x")];
        let seen = seen(json!({"metadata": metadata, "status": {"phase": "Terminating", "conditions": conditions}}));
        assert_eq!(seen.readiness, Readiness::Busy("Terminating: wait for x".to_owned()));
        assert!(seen.outputs.is_none());
    }
}
