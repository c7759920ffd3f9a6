//! Cost Explorer: the detection of unusual costs.

mod anomaly_monitor;
mod anomaly_subscription;

pub use anomaly_monitor::{AnomalyMonitor, AnomalyMonitorOutputs, AnomalyMonitorSpec};
pub use anomaly_subscription::{AnomalySubscription, AnomalySubscriptionOutputs, AnomalySubscriptionSpec};

use crate::{Aws, error::Sent, once::Once};
use aws_sdk_costexplorer::{config, types::ResourceTag};
use bedplate_model::{CallError, Tags};

/// The tags of what has this ARN; `None` when there is no such thing.
async fn tags(cloud: &Aws, arn: &str) -> Result<Option<Tags>, CallError> {
    if let Some(tags) = cloud.indexed_tags(arn).await {
        return Ok(Some(tags));
    }
    let Some(answer) = cloud.cost_explorer.list_tags_for_resource().resource_arn(arn).send().await.found()? else {
        return Ok(None);
    };
    let tags = answer.resource_tags.unwrap_or_default().into_iter().filter(|tag| !tag.key.starts_with("aws:"));
    Ok(Some(tags.map(|tag| (tag.key, tag.value)).collect()))
}

/// For creates, which take no client token and no name that would be refused the second time.
fn once() -> config::Builder {
    config::Config::builder().retry_classifier(Once)
}

fn to_tags(tags: &Tags) -> Vec<ResourceTag> {
    let tag = |(key, value)| ResourceTag::builder().key(key).value(value).build().expect("it has a key and a value");
    tags.iter().map(tag).collect()
}

/// Tags of all that Cost Explorer tags are set and removed by the same two calls.
async fn retag(cloud: &Aws, arn: &str, set: &Tags, remove: &[String]) -> Result<(), CallError> {
    if !set.is_empty() {
        let request = cloud.cost_explorer.tag_resource().resource_arn(arn);
        request.set_resource_tags(Some(to_tags(set))).send().await.sent()?;
    }
    if !remove.is_empty() {
        let request = cloud.cost_explorer.untag_resource().resource_arn(arn);
        request.set_resource_tag_keys(Some(remove.to_vec())).send().await.sent()?;
    }
    Ok(())
}
