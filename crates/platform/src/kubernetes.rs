//! What lies in the cluster for the application: its namespace, the identity of its pods, the way in, how many run. The
//! application itself is deployed by others.

use crate::{
    Layers,
    cluster::{access_address, addon_address},
    config::METRICS,
};
use bedplate_aws::{
    Arn,
    eks::ClusterOutputs,
    kubernetes::{
        Autoscaler, AutoscalerSpec, Namespace, NamespaceSpec, NodePortService, NodePortServiceSpec, ServiceAccount,
        ServiceAccountSpec,
    },
};
use bedplate_model::{Draft, Input};
use std::collections::BTreeMap;

const ACCESS: &str = "only who has an access entry is let in";
/// The port of the application inside the cluster.
const HTTP: u16 = 80;

/// Declares the layer.
pub(crate) fn declare(layers: &mut Layers<'_>, cluster: &ClusterOutputs<Draft>, role: &Input<Arn>) {
    let settings = &layers.config.cluster;
    let cluster = &cluster.name;
    let application = settings.application.as_str();

    let mut declaration = layers.graph.declare("cluster/namespace");
    for admin in &layers.facts.admins {
        declaration = declaration.after(&access_address(layers.facts, admin), ACCESS);
    }
    let labels = settings.namespace_labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    let namespace = declaration.add::<Namespace>(NamespaceSpec {
        cluster: cluster.clone(),
        name: settings.namespace.as_str().into(),
        labels: labels.collect::<BTreeMap<_, _>>().into(),
    });
    layers.graph.add::<ServiceAccount>(
        "cluster/service-account",
        ServiceAccountSpec {
            cluster: cluster.clone(),
            namespace: namespace.name.clone(),
            name: settings.service_account.as_str().into(),
            role_arn: role.clone(),
        },
    );
    if settings.load_balancer.enabled {
        layers.graph.add::<NodePortService>(
            "cluster/service",
            NodePortServiceSpec {
                cluster: cluster.clone(),
                namespace: namespace.name.clone(),
                name: application.into(),
                service_type: "NodePort".into(),
                selector: BTreeMap::from([("app".to_owned(), application.to_owned())]).into(),
                port: HTTP.into(),
                target_port: settings.application_port.into(),
                node_port: settings.load_balancer.node_port.into(),
            },
        );
    }
    let scaling = &settings.autoscaling;
    if scaling.enabled {
        let why = "it reads the use of CPU and memory from there";
        let percent = [("cpu", scaling.cpu_percent), ("memory", scaling.memory_percent)];
        let percent = percent.map(|(name, percent)| (name.to_owned(), u32::from(percent)));
        layers.graph.declare("cluster/autoscaler").after(&addon_address(METRICS), why).add::<Autoscaler>(
            AutoscalerSpec {
                cluster: cluster.clone(),
                namespace: namespace.name,
                name: format!("{application}-hpa").into(),
                deployment: application.into(),
                min_replicas: u32::from(scaling.min_replicas).into(),
                max_replicas: u32::from(scaling.max_replicas).into(),
                utilization: BTreeMap::from(percent).into(),
            },
        );
    }
}
