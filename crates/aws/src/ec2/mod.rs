//! EC2: the network.

mod subnet;
mod vpc;

pub use subnet::{Subnet, SubnetOutputs, SubnetSpec};
pub use vpc::{Vpc, VpcOutputs, VpcSpec};

use crate::{Aws, error::Sent};
use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use bedplate_model::{CallError, Id, TAG_STACK, Tags, Which};

/// EC2 takes up to 200 values in a filter.
const FILTER_VALUES: usize = 200;

/// The filters that select `which`: one per request. Filters leave out what does not exist; id parameters would fail.
fn filters(which: Which<'_>, id_filter: &str) -> Vec<Filter> {
    match which {
        Which::Ids(ids) => ids
            .chunks(FILTER_VALUES)
            .map(|ids| {
                let values = ids.iter().map(|id| id.as_str().to_owned()).collect();
                Filter::builder().name(id_filter).set_values(Some(values)).build()
            })
            .collect(),
        Which::Owned(stack) => {
            vec![Filter::builder().name(format!("tag:{TAG_STACK}")).values(stack.as_str()).build()]
        }
    }
}

/// Tags as EC2 answers them.
fn tags(tags: &[Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()))).collect()
}

/// Tags for a create call, so that nothing exists untagged for a moment.
fn tag_specification(resource: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(resource).set_tags(Some(to_tags(tags))).build()
}

fn to_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Tags of all EC2 resources are set and removed by the same two calls.
async fn retag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
    if !set.is_empty() {
        cloud.ec2.create_tags().resources(id.as_str()).set_tags(Some(to_tags(set))).send().await.sent()?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().map(|key| Tag::builder().key(key).build()).collect();
        cloud.ec2.delete_tags().resources(id.as_str()).set_tags(Some(keys)).send().await.sent()?;
    }
    Ok(())
}
