//! IAM: who may do what.

mod oidc_provider;
mod role;
mod service_linked_role;

pub use oidc_provider::{OidcProvider, OidcProviderOutputs, OidcProviderSpec};
pub use role::{Role, RoleOutputs, RoleSpec};
pub use service_linked_role::{ServiceLinkedRole, ServiceLinkedRoleOutputs, ServiceLinkedRoleSpec};

use aws_sdk_iam::types::Tag;
use bedplate_model::Tags;

/// The most that IAM puts on a page.
const PAGE: i32 = 1000;

/// Tags as IAM answers them, without those of AWS itself.
fn tags(tags: &[Tag]) -> Tags {
    let ours = tags.iter().filter(|tag| !tag.key().starts_with("aws:"));
    ours.map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

fn to_tags(tags: &Tags) -> Option<Vec<Tag>> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().expect("it has a key and a value");
    Some(tags.iter().map(tag).collect())
}
