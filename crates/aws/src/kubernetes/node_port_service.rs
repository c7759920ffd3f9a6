//! A way into the cluster through its nodes.

use super::{ACTIONS, CONTAINER, apply, create, delete, id, marks, place, read, readiness, take};
use crate::Aws;
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Order, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Which,
};
use k8s_openapi::{api::core::v1, apimachinery::pkg::util::intstr::IntOrString};
use std::collections::BTreeMap;

/// The name of the port. Others may add ports beside it.
const PORT: &str = "http";
const TCP: &str = "TCP";

/// A service on a port of every node.
#[derive(Debug)]
pub enum NodePortService {}

/// Settings of a service.
#[derive(Clone, Debug, Record)]
pub struct NodePortServiceSpec<P: Phase> {
    /// The cluster's name.
    #[replace]
    #[aws(none)]
    pub cluster: P::Of<String>,
    /// The namespace's name.
    #[replace]
    #[aws(none)]
    pub namespace: P::Of<String>,
    /// Its name, which is also its DNS name in the namespace.
    #[replace]
    #[aws(none)]
    pub name: P::Of<String>,
    /// Its type: `NodePort` opens a port on the nodes and nothing else.
    #[aws(none)]
    pub service_type: P::Of<String>,
    /// The labels of the pods it leads to.
    #[aws(none)]
    pub selector: P::Of<BTreeMap<String, String>>,
    /// Its port in the cluster.
    #[aws(none)]
    pub port: P::Of<u16>,
    /// The port on which the pods listen.
    #[aws(none)]
    pub target_port: P::Of<u16>,
    /// The port on every node, 30000 to 32767. No two services have the same one.
    #[aws(none)]
    pub node_port: P::Of<u16>,
}

/// Outputs of a service.
#[derive(Clone, Debug, Record)]
pub struct NodePortServiceOutputs<P: Phase> {
    /// Its name.
    pub name: P::Of<String>,
}

impl Reconcile for NodePortService {
    const KIND: &'static str = "kubernetes.node_port_service";
    const DOC: &'static str = "A service on a port of every node.";
    const CLOUDFORMATION: Option<&'static str> = None;
    const ACTIONS: &'static [&'static str] = ACTIONS;
    const CONTAINED_IN: Option<&'static str> = Some(CONTAINER);
    // Under another name it has the same port.
    const ORDER: Order = Order::DeleteFirst;
    const TAGGED: bool = false;
    type Cloud = Aws;
    type Spec<P: Phase> = NodePortServiceSpec<P>;
    type Outputs<P: Phase> = NodePortServiceOutputs<P>;

    fn identity(spec: &NodePortServiceSpec<Observed>) -> Option<Id> {
        Some(id(spec.cluster.as_ref()?, Some(spec.namespace.as_ref()?), spec.name.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        read(cloud, which, observe).await
    }

    async fn create(cloud: &Aws, spec: &NodePortServiceSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        create(cloud, &id(&spec.cluster, Some(&spec.namespace), &spec.name), object(spec), creation).await
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        apply(cloud, step.id, object(step.wanted), step.creation).await
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, _remove: &[String]) -> Result<(), CallError> {
        take::<v1::Service>(cloud, id, set).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        delete::<v1::Service>(cloud, id).await
    }
}

fn object(spec: &NodePortServiceSpec<Resolved>) -> v1::Service {
    let port = v1::ServicePort {
        name: Some(PORT.to_owned()),
        protocol: Some(TCP.to_owned()),
        port: spec.port.into(),
        target_port: Some(IntOrString::Int(spec.target_port.into())),
        node_port: Some(spec.node_port.into()),
        ..v1::ServicePort::default()
    };
    let service = v1::ServiceSpec {
        type_: Some(spec.service_type.clone()),
        selector: Some(spec.selector.clone()),
        ports: Some(vec![port]),
        ..v1::ServiceSpec::default()
    };
    v1::Service { spec: Some(service), ..v1::Service::default() }
}

fn observe(id: Id, seen: &v1::Service) -> Observation<NodePortService> {
    let (cluster, namespace, name) = place(&id);
    let (cluster, namespace, name) = (cluster.to_owned(), namespace.map(str::to_owned), name.to_owned());
    let readiness = readiness(&seen.metadata);
    let outputs = (readiness == Readiness::Ready).then(|| NodePortServiceOutputs { name: name.clone() });
    let spec = seen.spec.clone().unwrap_or_default();
    let port = spec.ports.unwrap_or_default().into_iter().find(|port| port.name.as_deref() == Some(PORT));
    let port = port.unwrap_or_default();
    // 0 is no port that can be wanted, and so a difference.
    let number = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
    let target = match port.target_port {
        Some(IntOrString::Int(target)) => Some(target),
        Some(IntOrString::String(_)) | None => None,
    };
    Observation {
        id,
        tags: Some(marks(&seen.metadata)),
        readiness,
        spec: NodePortServiceSpec {
            cluster: Some(cluster),
            namespace,
            name: Some(name),
            service_type: Some(spec.type_.unwrap_or_default()),
            selector: Some(spec.selector.unwrap_or_default()),
            port: Some(number(Some(port.port))),
            target_port: Some(number(target)),
            node_port: Some(number(port.node_port)),
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
        let spec: NodePortServiceSpec<Resolved> = NodePortServiceSpec {
            cluster: "c".to_owned(),
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            service_type: "NodePort".to_owned(),
            selector: BTreeMap::from([("app".to_owned(), "web".to_owned())]),
            port: 80,
            target_port: 8080,
            node_port: 30080,
        };
        let (place, mut object) = (id("c", Some("shop"), "web"), object(&spec));
        assert_eq!(observe(place.clone(), &object).spec.to_json(), spec.to_json());
        // Ports of others, before and after ours.
        let ports = object.spec.as_mut().unwrap().ports.as_mut().unwrap();
        ports.insert(0, v1::ServicePort { name: Some("metrics".to_owned()), port: 9090, ..Default::default() });
        assert_eq!(observe(place.clone(), &object).spec.to_json(), spec.to_json());
        let other = json!({"metadata": {}, "spec": {"type": "ClusterIP", "ports": [{"name": "http", "port": 80, "targetPort": "web"}]}});
        let seen = observe(place, &serde_json::from_value(other).unwrap()).spec;
        assert_eq!(
            (seen.service_type.as_deref(), seen.target_port, seen.node_port),
            (Some("ClusterIP"), Some(0), Some(0))
        );
        assert_eq!(seen.selector, Some(BTreeMap::new()));
    }
}
