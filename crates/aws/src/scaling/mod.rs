//! Application Auto Scaling: what is scaled, and by what rule.

mod policy;
mod target;

pub use policy::{Policy, PolicyOutputs, PolicySpec};
pub use target::{Target, TargetOutputs, TargetSpec};

use crate::{Aws, at_once::at_once, error::Sent};
use aws_sdk_applicationautoscaling::types::{ScalableTarget, ServiceNamespace};
use bedplate_model::{CallError, Id, Tags, Which};
use std::collections::{BTreeMap, BTreeSet};

/// The services in which a search looks: those that the platform scales. Lists are per service.
const NAMESPACES: [&str; 2] = ["dynamodb", "rds"];

/// AWS takes up to 50 resources in one call.
const RESOURCES: usize = 50;

/// The id of a target.
fn target_id(namespace: &str, resource: &str, dimension: &str) -> Id {
    Id::new(format!("{namespace}|{resource}|{dimension}"))
}

/// Namespace, resource and dimension of an id, and the policy's name if it has one.
fn parts(id: &Id) -> [&str; 4] {
    let mut parts = id.as_str().splitn(4, '|');
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// The targets that ids (of targets or of policies) name, or that the stack owns, each with its tags.
async fn targets(cloud: &Aws, which: Which<'_>) -> Result<Vec<(ScalableTarget, Tags)>, CallError> {
    let mut asked: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    match which {
        Which::Owned(_) => asked.extend(NAMESPACES.map(|namespace| (namespace, BTreeSet::new()))),
        Which::Ids(ids) => {
            for [namespace, resource, ..] in ids.iter().map(parts) {
                asked.entry(namespace).or_default().insert(resource);
            }
        }
    }
    let mut portions = Vec::new();
    for (namespace, resources) in asked {
        let resources: Vec<String> = resources.into_iter().map(str::to_owned).collect();
        match resources.is_empty() {
            // No resources at all mean all of them.
            true => portions.push((namespace, None)),
            false => portions.extend(resources.chunks(RESOURCES).map(|some| (namespace, Some(some.to_vec())))),
        }
    }
    let found = at_once(portions.iter().map(async |(namespace, portion)| {
        let ask = describe(cloud, namespace, portion.as_deref());
        cloud.ask_once(|shared| &shared.scaled, format!("{namespace} {portion:?}"), ask).await
    }));
    let all = found.await?.into_iter().flatten();
    let asked = |target: &ScalableTarget, tags: &Tags| which.covers(&id_of(target), tags);
    Ok(all.filter(|(target, tags)| matches!(which, Which::Ids(_)) || asked(target, tags)).collect())
}

/// The targets of a service, or those of some of its resources, each with its tags.
async fn describe(
    cloud: &Aws,
    namespace: &str,
    resources: Option<&[String]>,
) -> Result<Vec<(ScalableTarget, Tags)>, CallError> {
    let request = cloud.scaling.describe_scalable_targets().service_namespace(ServiceNamespace::from(namespace));
    let mut pages = request.set_resource_ids(resources.map(<[_]>::to_vec)).into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(target) = pages.next().await {
        let target = target.sent()?;
        if let Some(tags) = tags(cloud, target.scalable_target_arn()).await? {
            found.push((target, tags));
        }
    }
    Ok(found)
}

fn id_of(target: &ScalableTarget) -> Id {
    target_id(target.service_namespace().as_str(), target.resource_id(), target.scalable_dimension().as_str())
}

/// The tags of a target; `None` when it is gone.
async fn tags(cloud: &Aws, arn: Option<&str>) -> Result<Option<Tags>, CallError> {
    let Some(arn) = arn else { return Ok(Some(Tags::new())) };
    if let Some(tags) = cloud.indexed_tags(arn).await {
        return Ok(Some(tags));
    }
    let answer = cloud.scaling.list_tags_for_resource().resource_arn(arn).send().await.found()?;
    let tags = answer.map(|answer| answer.tags.unwrap_or_default().into_iter());
    Ok(tags.map(|tags| tags.filter(|(key, _)| !key.starts_with("aws:")).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_parts() {
        let id = target_id("rds", "cluster:c", "rds:cluster:ReadReplicaCount");
        assert_eq!(parts(&id), ["rds", "cluster:c", "rds:cluster:ReadReplicaCount", ""]);
        assert_eq!(parts(&Id::new("rds|cluster:c|d|p"))[3], "p");
    }
}
