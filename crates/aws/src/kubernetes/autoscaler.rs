//! How many pods of a Deployment run.

use super::{ACTIONS, CONTAINER, apply, create, delete, id, marks, place, read, readiness, take};
use crate::Aws;
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags, Which,
};
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
    ResourceMetricSource,
};
use std::collections::BTreeMap;

const RESOURCE: &str = "Resource";
const UTILIZATION: &str = "Utilization";

/// How many pods of a Deployment run. The number itself is the autoscaler's.
#[derive(Debug)]
pub enum Autoscaler {}

/// Settings of an autoscaler.
#[derive(Clone, Debug, Record)]
pub struct AutoscalerSpec<P: Phase> {
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
    /// The Deployment's name. It need not exist yet.
    #[aws(none)]
    pub deployment: P::Of<String>,
    /// The fewest pods.
    #[aws(none)]
    pub min_replicas: P::Of<u32>,
    /// The most pods.
    #[aws(none)]
    pub max_replicas: P::Of<u32>,
    /// The use to hold, in percent of what the pods request, by resource: `cpu`, `memory`.
    #[aws(none)]
    pub utilization: P::Of<BTreeMap<String, u32>>,
}

/// Outputs of an autoscaler.
#[derive(Clone, Debug, Record)]
pub struct AutoscalerOutputs<P: Phase> {
    /// Its name.
    pub name: P::Of<String>,
}

impl Reconcile for Autoscaler {
    const KIND: &'static str = "kubernetes.autoscaler";
    const DOC: &'static str = "A HorizontalPodAutoscaler: how many pods of a Deployment run.";
    const CLOUDFORMATION: Option<&'static str> = None;
    const ACTIONS: &'static [&'static str] = ACTIONS;
    const CONTAINED_IN: Option<&'static str> = Some(CONTAINER);
    const TAGGED: bool = false;
    type Cloud = Aws;
    type Spec<P: Phase> = AutoscalerSpec<P>;
    type Outputs<P: Phase> = AutoscalerOutputs<P>;

    fn identity(spec: &AutoscalerSpec<Observed>) -> Option<Id> {
        Some(id(spec.cluster.as_ref()?, Some(spec.namespace.as_ref()?), spec.name.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        read(cloud, which, observe).await
    }

    async fn create(cloud: &Aws, spec: &AutoscalerSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        create(cloud, &id(&spec.cluster, Some(&spec.namespace), &spec.name), object(spec), creation).await
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        apply(cloud, step.id, object(step.wanted), step.creation).await
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, _remove: &[String]) -> Result<(), CallError> {
        take::<HorizontalPodAutoscaler>(cloud, id, set).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        delete::<HorizontalPodAutoscaler>(cloud, id).await
    }
}

fn object(spec: &AutoscalerSpec<Resolved>) -> HorizontalPodAutoscaler {
    let signed = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let metric = |(name, percent): (&String, &u32)| MetricSpec {
        type_: RESOURCE.to_owned(),
        resource: Some(ResourceMetricSource {
            name: name.clone(),
            target: MetricTarget {
                type_: UTILIZATION.to_owned(),
                average_utilization: Some(signed(*percent)),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    };
    let autoscaler = HorizontalPodAutoscalerSpec {
        scale_target_ref: CrossVersionObjectReference {
            api_version: Some("apps/v1".to_owned()),
            kind: "Deployment".to_owned(),
            name: spec.deployment.clone(),
        },
        min_replicas: Some(signed(spec.min_replicas)),
        max_replicas: signed(spec.max_replicas),
        metrics: Some(spec.utilization.iter().map(metric).collect()),
        behavior: None,
    };
    HorizontalPodAutoscaler { spec: autoscaler, ..HorizontalPodAutoscaler::default() }
}

fn observe(id: Id, seen: &HorizontalPodAutoscaler) -> Observation<Autoscaler> {
    let (cluster, namespace, name) = place(&id);
    let (cluster, namespace, name) = (cluster.to_owned(), namespace.map(str::to_owned), name.to_owned());
    let readiness = readiness(&seen.metadata);
    let outputs = (readiness == Readiness::Ready).then(|| AutoscalerOutputs { name: name.clone() });
    let spec = seen.spec.clone();
    let unsigned = |number: i32| u32::try_from(number).unwrap_or_default();
    let target = spec.scale_target_ref;
    let utilization = spec.metrics.iter().flatten().map(|metric| {
        let percent = metric.resource.as_ref().and_then(|resource| resource.target.average_utilization);
        match (&metric.resource, percent) {
            (Some(resource), Some(percent)) => (resource.name.clone(), unsigned(percent)),
            // Another kind of metric or target: it cannot be wanted, and so is a difference.
            _ => (metric.type_.clone(), 0),
        }
    });
    Observation {
        id,
        tags: Some(marks(&seen.metadata)),
        readiness,
        spec: AutoscalerSpec {
            cluster: Some(cluster),
            namespace,
            name: Some(name),
            deployment: Some(if target.kind == "Deployment" {
                target.name
            } else {
                format!("{}/{}", target.kind, target.name)
            }),
            min_replicas: Some(spec.min_replicas.map_or(1, unsigned)),
            max_replicas: Some(unsigned(spec.max_replicas)),
            utilization: Some(utilization.collect()),
        },
        outputs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_sent_is_what_is_read() {
        let spec: AutoscalerSpec<Resolved> = AutoscalerSpec {
            cluster: "c".to_owned(),
            namespace: "shop".to_owned(),
            name: "web-hpa".to_owned(),
            deployment: "web".to_owned(),
            min_replicas: 3,
            max_replicas: 10,
            utilization: BTreeMap::from([("cpu".to_owned(), 70), ("memory".to_owned(), 80)]),
        };
        assert_eq!(observe(id("c", Some("shop"), "web-hpa"), &object(&spec)).spec.to_json(), spec.to_json());
    }

    #[test]
    fn what_cannot_be_wanted_is_a_difference() {
        let spec = json!({
            "scaleTargetRef": {"kind": "StatefulSet", "name": "web"},
            "maxReplicas": 5,
            "metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "1"}}},
                {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "9"}}},
            ],
        });
        let seen = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
        let seen = observe(id("c", Some("shop"), "web-hpa"), &seen).spec;
        assert_eq!((seen.deployment.as_deref(), seen.min_replicas), (Some("StatefulSet/web"), Some(1)));
        let kinds = BTreeMap::from([("External".to_owned(), 0), ("Resource".to_owned(), 0)]);
        assert_eq!(seen.utilization, Some(kinds));
    }
}
