//! CloudWatch: what is shown and what raises an alarm.

mod alarm;
mod dashboard;

pub use alarm::{Alarm, AlarmOutputs, AlarmSpec};
pub use dashboard::{Dashboard, DashboardOutputs, DashboardSpec};

use crate::{Aws, error::Sent};
use aws_sdk_cloudwatch::types::Tag;
use bedplate_model::{CallError, Tags};

/// The tags of an alarm or a dashboard; `None` when it is gone.
async fn tags(cloud: &Aws, arn: &str) -> Result<Option<Tags>, CallError> {
    if let Some(tags) = cloud.indexed_tags(arn).await {
        return Ok(Some(tags));
    }
    let answer = cloud.cloudwatch.list_tags_for_resource().resource_arn(arn).send().await.found()?;
    let Some(answer) = answer else { return Ok(None) };
    let tags = answer.tags.unwrap_or_default().into_iter();
    let pairs = tags.filter_map(|tag| Some((tag.key?, tag.value?)));
    Ok(Some(pairs.filter(|(key, _)| !key.starts_with("aws:")).collect()))
}

fn to_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

async fn retag(cloud: &Aws, arn: &str, set: &Tags, remove: &[String]) -> Result<(), CallError> {
    if !set.is_empty() {
        cloud.cloudwatch.tag_resource().resource_arn(arn).set_tags(Some(to_tags(set))).send().await.sent()?;
    }
    if !remove.is_empty() {
        let request = cloud.cloudwatch.untag_resource().resource_arn(arn);
        request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
    }
    Ok(())
}
