//! KMS: keys and their names.

mod alias;
mod key;

pub use alias::{Alias, AliasOutputs, AliasSpec};
pub use key::{Key, KeyOutputs, KeySpec};

use crate::{Aws, error::Sent};
use bedplate_model::{CallError, Class, Tags};

/// The tags of a key; `None` when there is no such key. In a survey they are asked once for the key and its aliases, and
/// those of a key that is in use are looked up in the index.
async fn tags(cloud: &Aws, key: &str, arn: &str) -> Result<Option<Tags>, CallError> {
    let Some(shared) = &cloud.shared else { return ask_tags(cloud, key).await };
    let ask = async {
        match cloud.indexed_tags_with(arn, &key::recorded_settings(cloud, key)).await {
            Some(tags) => Ok(Some(tags)),
            None => ask_tags(cloud, key).await,
        }
    };
    shared.key_tags.get(key.to_owned(), ask).await
}

async fn ask_tags(cloud: &Aws, key: &str) -> Result<Option<Tags>, CallError> {
    let mut tags = Tags::new();
    let mut pages = cloud.kms.list_resource_tags().key_id(key).into_paginator().items().send();
    while let Some(tag) = pages.next().await {
        let Some(tag) = tag.found()? else { return Ok(None) };
        if !tag.tag_key.starts_with("aws:") {
            tags.insert(tag.tag_key, tag.tag_value);
        }
    }
    Ok(Some(tags))
}

/// What a look at somebody else's key gives: its policy may keep us out, which our own keys never do.
fn unless_denied<T>(answer: Result<Option<T>, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Err(error) if error.class == Class::Denied => Ok(None),
        answer => answer,
    }
}
