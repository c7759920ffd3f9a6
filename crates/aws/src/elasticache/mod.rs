//! ElastiCache.

mod auth;
mod parameter_group;
mod replication_group;
mod subnet_group;

pub use parameter_group::{ParameterGroup, ParameterGroupOutputs, ParameterGroupSpec};
pub use replication_group::{ReplicationGroup, ReplicationGroupOutputs, ReplicationGroupSpec};
pub use subnet_group::{SubnetGroup, SubnetGroupOutputs, SubnetGroupSpec};

use crate::{Aws, error::Sent};
use aws_sdk_elasticache::types::Tag;
use bedplate_model::{CallError, Class, Id, Tags};

/// The tags of what has this ARN; `None` when it is gone by now.
async fn tags(cloud: &Aws, arn: &str) -> Result<Option<Tags>, CallError> {
    tags_with(cloud, arn, &Tags::new()).await
}

/// The same for what keeps settings as tags, which were last set to `kept`.
async fn tags_with(cloud: &Aws, arn: &str, kept: &Tags) -> Result<Option<Tags>, CallError> {
    if let Some(tags) = cloud.indexed_tags_with(arn, kept).await {
        return Ok(Some(tags));
    }
    let answer = cloud.elasticache.list_tags_for_resource().resource_name(arn).send().await.found()?;
    let tags = answer.map(|answer| answer.tag_list.unwrap_or_default());
    let pairs = tags.map(|tags| tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value?))));
    Ok(pairs.map(|pairs| pairs.filter(|(key, _)| !key.starts_with("aws:")).collect()))
}

/// Tags for a call.
fn to_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags of everything are set and removed by the same two calls, which take the ARN.
async fn retag(cloud: &Aws, arn: &str, set: &Tags, remove: &[String]) -> Result<(), CallError> {
    if !set.is_empty() {
        let request = cloud.elasticache.add_tags_to_resource().resource_name(arn);
        request.set_tags(Some(to_tags(set))).send().await.sent()?;
    }
    if !remove.is_empty() {
        let request = cloud.elasticache.remove_tags_from_resource().resource_name(arn);
        // A tag that is gone already is an error to ElastiCache.
        request.set_tag_keys(Some(remove.to_vec())).send().await.ensured()?;
    }
    Ok(())
}

fn missing(operation: &str, id: &Id) -> CallError {
    CallError::local(operation, "NotFound", format!("there is no {id}"), Class::NotFound)
}
