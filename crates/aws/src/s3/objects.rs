//! The objects that a bucket needs, and those that are in the way of its removal.

use crate::{
    Aws,
    error::{Sent, classify},
};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use aws_types::request_id::RequestId;
use bedplate_model::{CallError, Class, Id};
use std::collections::BTreeSet;

/// S3's code for a bucket that cannot be deleted yet.
pub(super) const NOT_EMPTY: &str = "BucketNotEmpty";

/// Elastic Load Balancing writes this file as soon as a bucket is named for its logs.
const LOAD_BALANCER_TEST: &str = "/ELBAccessLogTestFile";

/// How many objects are looked through one by one.
const FEW: i32 = 100;

/// In how many folders is looked for further ones. Each costs a call.
const LOOKED_INTO: usize = 32;

/// The folders down to the second level: what keys have in common up to a `/`. `None` where there is too much to look
/// through, as in a bucket of logs.
pub(super) async fn folders(cloud: &Aws, id: &Id) -> Result<Option<BTreeSet<String>>, CallError> {
    let (account, bucket) = id.split();
    let request = cloud.s3.list_objects_v2().bucket(bucket).expected_bucket_owner(account);
    // As long as there are few objects, one call shows them all. A page of a thousand would be long to read in vain.
    let Some(page) = request.max_keys(FEW).send().await.found()? else { return Ok(None) };
    if page.is_truncated() != Some(true) {
        let keys = page.contents().iter().filter_map(|object| object.key());
        return Ok(Some(keys.flat_map(folders_of).map(str::to_owned).collect()));
    }
    let Some(top) = level(cloud, id, "").await?.filter(|top| top.len() <= LOOKED_INTO) else { return Ok(None) };
    let mut found = top.clone();
    for folder in &top {
        let Some(below) = level(cloud, id, folder).await? else { return Ok(None) };
        found.extend(below);
    }
    Ok(Some(found))
}

/// The first two folders on the way to an object.
fn folders_of(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').take(2).map(|(slash, _)| &key[..=slash])
}

/// The folders right inside a folder, when one page shows them all.
async fn level(cloud: &Aws, id: &Id, folder: &str) -> Result<Option<BTreeSet<String>>, CallError> {
    let (account, bucket) = id.split();
    let request = cloud.s3.list_objects_v2().bucket(bucket).expected_bucket_owner(account);
    let Some(page) = request.prefix(folder).delimiter("/").send().await.found()? else { return Ok(None) };
    let folders = page.common_prefixes().iter().filter_map(|common| common.prefix().map(str::to_owned));
    Ok((page.is_truncated() != Some(true)).then(|| folders.collect()))
}

/// Makes empty objects that stand for folders.
pub(super) async fn put_folders(cloud: &Aws, id: &Id, folders: impl Iterator<Item = &String>) -> Result<(), CallError> {
    let (account, bucket) = id.split();
    for folder in folders {
        let request = cloud.s3.put_object().bucket(bucket).expected_bucket_owner(account);
        request.key(folder).content_length(0).send().await.sent()?;
    }
    Ok(())
}

/// Deletes everything in a bucket, with all versions and delete markers, and says how many there were. The bucket stays.
///
/// # Errors
/// When a call fails or S3 keeps an object.
pub async fn empty(cloud: &Aws, bucket: &Id) -> Result<usize, CallError> {
    let mut deleted = 0;
    loop {
        let Some(page) = versions(cloud, bucket, None).await? else { return Ok(deleted) };
        if page.all.is_empty() {
            return Ok(deleted);
        }
        deleted += page.all.len();
        delete_versions(cloud, bucket, page.all).await?;
    }
}

/// All versions of the empty objects that stand for folders, and of the file that Elastic Load Balancing tries its access
/// with; `None` when there is anything else.
pub(super) async fn folder_versions(cloud: &Aws, id: &Id) -> Result<Option<Vec<ObjectIdentifier>>, CallError> {
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let Some(page) = versions(cloud, id, next).await? else { return Ok(Some(found)) };
        if !page.only_folders {
            return Ok(None);
        }
        found.extend(page.all);
        next = page.next;
        if next.is_none() {
            return Ok(Some(found));
        }
    }
}

/// Deletes versions for good, in batches as large as S3 takes.
pub(super) async fn delete_versions(cloud: &Aws, id: &Id, versions: Vec<ObjectIdentifier>) -> Result<(), CallError> {
    let (account, bucket) = id.split();
    for batch in versions.chunks(1000) {
        let batch = Delete::builder().set_objects(Some(batch.to_vec())).quiet(true).build().expect("it has objects");
        let request = cloud.s3.delete_objects().bucket(bucket).expected_bucket_owner(account).delete(batch);
        let answer = request.send().await.sent()?;
        if let Some(kept) = answer.errors().first() {
            let code = kept.code().unwrap_or("Unknown").to_owned();
            let message = format!("{}: {}", kept.key().unwrap_or_default(), kept.message().unwrap_or_default());
            let class = classify(&code, &message);
            let request_id = answer.request_id().map(str::to_owned);
            return Err(CallError { operation: "s3:DeleteObjects".to_owned(), code, message, request_id, class });
        }
    }
    Ok(())
}

/// What to do about a bucket that holds objects. Trying again would not help.
pub(super) fn not_empty(error: CallError, bucket: &str) -> CallError {
    let message = format!(
        "bucket {bucket} holds objects; `bedplate destroy --empty-buckets` deletes them with all their versions, which \
         cannot be undone"
    );
    CallError { message, class: Class::Invalid, ..error }
}

/// A page of what a bucket holds.
struct Page {
    all: Vec<ObjectIdentifier>,
    only_folders: bool,
    /// The key and the version after which the next page begins.
    next: Option<(Option<String>, Option<String>)>,
}

/// Versions and delete markers; `None` when there is no such bucket.
async fn versions(
    cloud: &Aws,
    id: &Id,
    after: Option<(Option<String>, Option<String>)>,
) -> Result<Option<Page>, CallError> {
    let (account, bucket) = id.split();
    let (key, version) = after.unwrap_or_default();
    let request = cloud.s3.list_object_versions().bucket(bucket).expected_bucket_owner(account);
    let request = request.set_key_marker(key).set_version_id_marker(version);
    let Some(answer) = request.send().await.found()? else { return Ok(None) };
    let is_folder = |key: Option<&str>| key.is_some_and(|key| key.ends_with('/'));
    let is_test = |key: Option<&str>| key.is_some_and(|key| key.ends_with(LOAD_BALANCER_TEST));
    let expendable = |key, size| (is_folder(key) && size == Some(0)) || is_test(key);
    let only_folders = answer.versions().iter().all(|item| expendable(item.key(), item.size()))
        && answer.delete_markers().iter().all(|item| expendable(item.key(), Some(0)));
    let objects = answer.versions().iter().map(|item| (item.key(), item.version_id()));
    let markers = answer.delete_markers().iter().map(|item| (item.key(), item.version_id()));
    let identifier = |(key, version): (Option<&str>, Option<&str>)| {
        let identifier = ObjectIdentifier::builder().key(key?);
        Some(identifier.set_version_id(version.map(str::to_owned)).build().expect("it has a key"))
    };
    let all = objects.chain(markers).filter_map(identifier).collect();
    let more = answer.is_truncated() == Some(true);
    Ok(Some(Page { all, only_folders, next: more.then_some((answer.next_key_marker, answer.next_version_id_marker)) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_show_the_folders_they_lie_in() {
        let folders = |key| folders_of(key).collect::<Vec<_>>();
        assert_eq!(folders("raw/logs/2026/a.gz"), ["raw/", "raw/logs/"]);
        assert_eq!(folders("raw/"), ["raw/"]);
        assert!(folders("a.gz").is_empty());
    }
}
