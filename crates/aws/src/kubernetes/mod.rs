//! Kubernetes: objects in a cluster, by server-side apply.
//!
//! bedplate is one writer among others. Each object has only the fields that we set, under the field manager
//! [`MANAGER`]; what others set beside them is theirs and is not looked at. A field of ours that somebody else has taken is
//! never taken back by force: the conflict is reported.

mod autoscaler;
mod connection;
mod namespace;
mod node_port_service;
mod service_account;
mod token;

pub use autoscaler::{Autoscaler, AutoscalerOutputs, AutoscalerSpec};
pub(crate) use connection::Clusters;
pub use namespace::{Namespace, NamespaceOutputs, NamespaceSpec};
pub use node_port_service::{NodePortService, NodePortServiceOutputs, NodePortServiceSpec};
pub use service_account::{ServiceAccount, ServiceAccountOutputs, ServiceAccountSpec};
pub use token::Token;

use crate::{Aws, eks};
use bedplate_model::{
    CallError, Class, Creation, Id, Observation, Owner, Readiness, Reconcile, TAG_STACK, Tags, Which,
};
use connection::Call;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::{collections::BTreeMap, fmt::Debug};

/// The name under which the API server keeps which fields are ours.
const MANAGER: &str = "bedplate";
/// What begins the annotations that say whose an object is. Keys of annotations have no colon, and values of labels no
/// slash (Kubernetes documentation, "Labels and Selectors", "Annotations"): so the ownership tags become annotations.
const MARK: &str = "bedplate.dev/";
const TAG: &str = "bedplate:";
/// The label by which our objects are found, one of those that Kubernetes recommends.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", MANAGER);
/// The type of what objects lie in.
const CONTAINER: &str = eks::Cluster::KIND;
/// Finding a cluster's address. What is allowed inside is up to its access entries.
const ACTIONS: &[&str] = &["eks:DescribeCluster", "eks:ListClusters"];

/// A kind of object.
trait Object: Resource<DynamicType = ()> + DeserializeOwned + Serialize + Clone + Debug + Send + Sync {}
impl<T: Resource<DynamicType = ()> + DeserializeOwned + Serialize + Clone + Debug + Send + Sync> Object for T {}

/// `cluster|namespace/name`, or `cluster|name` of what lies in no namespace.
fn id(cluster: &str, namespace: Option<&str>, name: &str) -> Id {
    let child = namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
    Id::child(cluster, &child)
}

/// Cluster, namespace and name.
fn place(id: &Id) -> (&str, Option<&str>, &str) {
    let (cluster, child) = id.split();
    match child.split_once('/') {
        Some((namespace, name)) => (cluster, Some(namespace), name),
        None => (cluster, None, child),
    }
}

/// Reads objects; `observe` gets each with its id and turns settings and outputs into an observation.
async fn read<K: Reconcile, T: Object>(
    cloud: &Aws,
    which: Which<'_>,
    observe: impl Fn(Id, &T) -> Observation<K>,
) -> Result<Vec<Observation<K>>, CallError> {
    let mut found = Vec::new();
    match which {
        Which::Ids(ids) => {
            for id in ids {
                found.extend(get(cloud, id).await?.map(|object| observe(id.clone(), &object)));
            }
        }
        Which::Owned(stack) => {
            for cluster in eks::clusters(cloud, stack).await? {
                let Some(connection) = cloud.kubernetes.open(cloud, &cluster).await? else { continue };
                let objects: Vec<T> = connection.list(MANAGED_BY).await?;
                let objects = objects
                    .iter()
                    .map(|object| observe(id(&cluster, object.namespace().as_deref(), &object.name_any()), object));
                found
                    .extend(objects.filter(|seen| seen.tags.as_ref().is_some_and(|tags| which.covers(&seen.id, tags))));
            }
        }
    }
    Ok(found)
}

/// Tries whether a cluster's API can be used from here; a cluster that does not exist is no obstacle.
///
/// # Errors
/// Why not.
pub async fn reach(cloud: &Aws, cluster: &str) -> Result<(), CallError> {
    // Every cluster has it.
    get::<k8s_openapi::api::core::v1::Namespace>(cloud, &id(cluster, None, "default")).await.map(drop)
}

/// The object, unless it or its cluster does not exist.
async fn get<T: Object>(cloud: &Aws, id: &Id) -> Result<Option<T>, CallError> {
    let (cluster, namespace, name) = place(id);
    match cloud.kubernetes.open(cloud, cluster).await? {
        Some(connection) => connection.get(namespace, name).await,
        None => Ok(None),
    }
}

/// Makes an object where there is none, or none of somebody else's: an apply would mix ours into theirs.
async fn create<T: Object>(cloud: &Aws, id: &Id, object: T, creation: &Creation) -> Result<Id, CallError> {
    let refused = |code, message, class| {
        Err(CallError::local(
            &connection::operation::<T>(Call::Apply),
            code,
            format!("{} {message}", place(id).2),
            class,
        ))
    };
    if let Some(found) = get::<T>(cloud, id).await? {
        if found.meta().deletion_timestamp.is_some() {
            return refused("Terminating", "is being deleted", Class::Busy);
        }
        if marks(found.meta()).get(TAG_STACK).map(String::as_str) != Some(creation.owner.stack.as_str()) {
            return refused("AlreadyExists", "exists already", Class::AlreadyExists);
        }
    }
    apply(cloud, id, object, creation).await?;
    Ok(id.clone())
}

/// Sets the object's fields, and gives up those that it no longer has.
async fn apply<T: Object>(cloud: &Aws, id: &Id, mut object: T, creation: &Creation) -> Result<(), CallError> {
    let (cluster, namespace, name) = place(id);
    object.meta_mut().name = Some(name.to_owned());
    object.meta_mut().namespace = namespace.map(str::to_owned);
    mark(&mut object, &creation.owner);
    match cloud.kubernetes.open(cloud, cluster).await? {
        Some(connection) => connection.apply(namespace, name, &object).await,
        None => Err(no_cluster(&connection::operation::<T>(Call::Apply), cluster)),
    }
}

/// Deletes the object, or starts to.
async fn delete<T: Object>(cloud: &Aws, id: &Id) -> Result<(), CallError> {
    let (cluster, namespace, name) = place(id);
    match cloud.kubernetes.open(cloud, cluster).await? {
        Some(connection) => connection.delete::<T>(namespace, name).await,
        None => Err(no_cluster(&connection::operation::<T>(Call::Delete), cluster)),
    }
}

fn no_cluster(operation: &str, cluster: &str) -> CallError {
    CallError::local(operation, "NotFound", format!("there is no cluster {cluster}"), Class::NotFound)
}

/// Makes an object ours that somebody else made: sets the marks in it, and nothing else.
async fn take<T: Object>(cloud: &Aws, id: &Id, tags: &Tags) -> Result<(), CallError> {
    let (cluster, namespace, name) = place(id);
    let marks: BTreeMap<String, &String> =
        tags.iter().map(|(key, value)| (key.replacen(TAG, MARK, 1), value)).collect();
    let part = json!({"metadata": {"annotations": marks, "labels": {MANAGED_BY.0: MANAGED_BY.1}}});
    match cloud.kubernetes.open(cloud, cluster).await? {
        Some(connection) => connection.merge::<T>(namespace, name, &part).await,
        None => Err(no_cluster(&connection::operation::<T>(Call::Apply), cluster)),
    }
}

/// Says in the object whose it is.
fn mark<T: Object>(object: &mut T, owner: &Owner) {
    let marks = owner.to_tags().into_iter().map(|(key, value)| (key.replacen(TAG, MARK, 1), value));
    object.annotations_mut().extend(marks);
    object.labels_mut().insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
}

/// The ownership tags that an object's annotations carry.
fn marks(meta: &ObjectMeta) -> Tags {
    let annotations = meta.annotations.iter().flatten();
    annotations.filter_map(|(key, value)| Some((format!("{TAG}{}", key.strip_prefix(MARK)?), value.clone()))).collect()
}

/// Whether it is there to stay.
fn readiness(meta: &ObjectMeta) -> Readiness {
    match meta.deletion_timestamp {
        Some(_) => Readiness::Busy("Terminating".to_owned()),
        None => Readiness::Ready,
    }
}

/// The labels that are ours, without the one that all have: others may set labels beside them.
fn labels(meta: &ObjectMeta) -> BTreeMap<String, String> {
    let entries = meta.managed_fields.iter().flatten().filter(|entry| entry.manager.as_deref() == Some(MANAGER));
    let fields: Vec<_> =
        entries.filter_map(|entry| entry.fields_v1.as_ref()?.0.pointer("/f:metadata/f:labels")).collect();
    let ours = |key: &str| fields.iter().any(|fields| fields.get(format!("f:{key}")).is_some());
    let labels = meta.labels.iter().flatten().filter(|(key, _)| *key != MANAGED_BY.0 && ours(key));
    labels.map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_model::{Address, Owner, StackId};
    use k8s_openapi::api::core::v1;

    #[test]
    fn an_id_names_the_place() {
        for (namespace, text) in [(Some("n"), "c|n/o"), (None, "c|o")] {
            let id = id("c", namespace, "o");
            assert_eq!(id.as_str(), text);
            assert_eq!(place(&id), ("c", namespace, "o"));
        }
    }

    #[test]
    fn ownership_survives_its_annotations() {
        let address = Address::new("cluster/namespace").unwrap();
        let owner = Owner { stack: StackId::new("s-production"), address, generation: 3 };
        let mut object = v1::Namespace::default();
        mark(&mut object, &owner);
        let annotations = object.metadata.annotations.clone().unwrap();
        let expected = [("address", "cluster/namespace"), ("generation", "3"), ("stack", "s-production")];
        let expected = expected.map(|(key, value)| (format!("bedplate.dev/{key}"), value.to_owned()));
        assert_eq!(annotations.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(Owner::from_tags(&marks(&object.metadata)), Some(owner));
    }

    #[test]
    fn labels_of_others_are_not_ours() {
        let metadata = json!({
            "labels": {"team": "a", "other": "b", "taken": "c", "app.kubernetes.io/managed-by": "bedplate"},
            "managedFields": [
                {"manager": "bedplate", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {
                    "f:labels": {".": {}, "f:team": {}, "f:app.kubernetes.io/managed-by": {}}}}},
                {"manager": "kubectl", "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {
                    "f:labels": {"f:other": {}, "f:taken": {}}}}},
            ],
        });
        let metadata: ObjectMeta = serde_json::from_value(metadata).unwrap();
        assert_eq!(labels(&metadata), BTreeMap::from([("team".to_owned(), "a".to_owned())]));
    }
}
