//! Elastic Load Balancing: the load balancer, what it listens for, and where it sends requests.

mod listener;
mod load_balancer;
mod target_group;

pub use listener::{Listener, ListenerAction, ListenerOutputs, ListenerSpec, Redirect};
pub use load_balancer::{LoadBalancer, LoadBalancerOutputs, LoadBalancerSpec};
pub use target_group::{TargetGroup, TargetGroupOutputs, TargetGroupSpec};

use crate::{Aws, error::Sent};
use aws_sdk_elasticloadbalancingv2::types::Tag;
use bedplate_model::{CallError, Tags};
use std::collections::BTreeMap;

/// AWS tells the tags of up to 20 resources in one call (DescribeTags).
const TAGGED: usize = 20;

/// The tags of resources by their ARNs. What is gone by now is not among them.
pub(crate) async fn tags_of(cloud: &Aws, arns: &[&str]) -> Result<BTreeMap<String, Tags>, CallError> {
    let (mut all, mut unsure) = (BTreeMap::new(), Vec::new());
    for arn in arns {
        match cloud.indexed_tags(arn).await {
            Some(tags) => drop(all.insert((*arn).to_owned(), tags)),
            None => unsure.push(*arn),
        }
    }
    for portion in unsure.chunks(TAGGED) {
        let ask = |arns: &[&str]| {
            let arns = arns.iter().map(|arn| (*arn).to_owned()).collect();
            cloud.elb.describe_tags().set_resource_arns(Some(arns)).send()
        };
        let mut answers = Vec::new();
        match ask(portion).await.found()? {
            Some(answer) => answers.push(answer),
            // One that is gone fails the call for all of them.
            None => {
                for arn in portion {
                    answers.extend(ask(&[*arn]).await.found()?);
                }
            }
        }
        for described in answers.iter().flat_map(|answer| answer.tag_descriptions()) {
            let arn = described.resource_arn().unwrap_or_default().to_owned();
            all.insert(arn, tags(described.tags()));
        }
    }
    Ok(all)
}

/// Tags as Elastic Load Balancing answers them, without those that AWS sets.
fn tags(tags: &[Tag]) -> Tags {
    let pairs = tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())));
    pairs.filter(|(key, _)| !key.starts_with("aws:")).collect()
}

/// Tags for a call.
fn to_tags(tags: &Tags) -> Option<Vec<Tag>> {
    Some(tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect())
}

/// Tags of all its resources are set and removed by the same two calls, which take the ARN.
async fn retag(cloud: &Aws, arn: &str, set: &Tags, remove: &[String]) -> Result<(), CallError> {
    if !set.is_empty() {
        cloud.elb.add_tags().resource_arns(arn).set_tags(to_tags(set)).send().await.sent()?;
    }
    if !remove.is_empty() {
        let request = cloud.elb.remove_tags().resource_arns(arn);
        request.set_tag_keys(Some(remove.to_vec())).send().await.sent()?;
    }
    Ok(())
}
