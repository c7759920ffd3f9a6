//! The state as an object in S3, written only by who holds the lock and only over what was read.
//!
//! Every write is conditional (Amazon S3 User Guide, "Conditional writes"): over the version that was read or written last, by its
//! ETag, or over nothing. So a writer that lost its lock without noticing cannot overwrite anything. Earlier states are the
//! bucket's earlier versions. The bucket's own settings encrypt it: S3 encrypts every object, and with which key is for the
//! bucket to say.

mod lease;

use crate::{Fence, Ledger, Throttle, error::Sent, http};
use aws_config::{Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_s3::{Client, error::SdkError, types::BucketVersioningStatus};
use bedplate_model::{Boxed, CallError, Class};
use bedplate_state::{Held, Holder, Lease, Lock, SharedStore, Store, StoreError, Tell};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How often a call is tried.
const ATTEMPTS: u32 = 4;
/// How long one attempt may take: an answer that comes later is none.
const ATTEMPT: Duration = Duration::from_secs(10);

/// A state in S3: `s3://bucket/key`, with its lock in `key.lock`.
#[derive(Debug)]
pub struct StateObject {
    object: Object,
    lock: Object,
    known: Mutex<Known>,
}

/// An object in a bucket.
#[derive(Clone, Debug)]
struct Object {
    client: Client,
    bucket: String,
    key: String,
}

#[derive(Debug, Default)]
struct Known {
    /// The version that was read or written last; `None` where there was none.
    etag: Option<String>,
    /// What was sent since then without an answer that says whether it was written.
    unanswered: Vec<Vec<u8>>,
    /// Of the lock, once it was taken.
    lease: Option<Arc<Lease>>,
}

impl StateObject {
    /// The IAM actions on the bucket that a state in it needs. Who may not list it is told of a missing object as if it were
    /// forbidden.
    pub const BUCKET_ACTIONS: &[&str] = &["s3:GetBucketPublicAccessBlock", "s3:GetBucketVersioning", "s3:ListBucket"];
    /// The IAM actions on the state and its lock.
    pub const OBJECT_ACTIONS: &[&str] = &["s3:DeleteObject", "s3:GetObject", "s3:PutObject"];

    /// Finds the bucket's region. Nothing is written. The ledger is told of every call to the bucket.
    ///
    /// # Errors
    /// When there is no such bucket or it cannot be reached.
    pub async fn connect(config: &SdkConfig, bucket: &str, key: &str, ledger: &Ledger) -> Result<Self, StoreError> {
        // It is how the lock is kept, so no lock holds it back.
        let http = http::client(config, &Throttle::unlimited(), &Fence::default(), ledger);
        let client = |region: Option<Region>| {
            let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build();
            let builder = aws_sdk_s3::config::Builder::from(config)
                .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
                .timeout_config(timeouts)
                .http_client(http.clone())
                .interceptor(ledger.clone());
            let builder = if region.is_some() { builder.region(region) } else { builder };
            Client::from_conf(builder.build())
        };
        let here = client(None);
        let place = || format!("s3://{bucket}/{key}");
        let answer = here.head_bucket().bucket(bucket).send().await;
        let response = answer.as_ref().err().and_then(SdkError::raw_response);
        // Also in the answer of another region's endpoint, which is an error.
        let home = response.and_then(|response| response.headers().get("x-amz-bucket-region")).map(str::to_owned);
        let status = response.map(|response| response.status().as_u16());
        let home = match (answer, status) {
            (Ok(answer), _) => answer.bucket_region,
            (Err(_), Some(301 | 400)) if home.is_some() => home,
            (Err(_), Some(404)) => {
                return Err(StoreError::Unfit {
                    place: place(),
                    problem: format!("there is no bucket {bucket}"),
                    remedy: format!(
                        "Make it (aws s3 mb s3://{bucket}) and switch its versions on (aws s3api put-bucket-versioning --bucket \
                         {bucket} --versioning-configuration Status=Enabled)"
                    ),
                });
            }
            (Err(_), Some(403)) => {
                return Err(StoreError::Unfit {
                    place: place(),
                    problem: format!("the caller may not use the bucket {bucket}"),
                    remedy: format!(
                        "Allow s3:ListBucket, s3:GetBucketVersioning and s3:GetBucketPublicAccessBlock on the bucket, and \
                         s3:GetObject and s3:PutObject on {key} and {key}.lock"
                    ),
                });
            }
            (Err(error), _) => {
                let source = Err::<(), _>(error).sent().expect_err("it failed").into();
                return Err(StoreError::Remote { what: "read", place: place(), source });
            }
        };
        let elsewhere = home.filter(|home| config.region().is_none_or(|region| region.as_ref() != home));
        let client = match elsewhere {
            Some(region) => client(Some(Region::new(region))),
            None => here,
        };
        let object = Object { client, bucket: bucket.to_owned(), key: key.to_owned() };
        let lock = Object { key: format!("{key}.lock"), ..object.clone() };
        Ok(Self { object, lock, known: Mutex::default() })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn load(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.object.get().await.map_err(|error| self.remote("read", error))?;
        let (etag, bytes) = found.map(|(etag, bytes)| (Some(etag), Some(bytes))).unwrap_or_default();
        let mut known = self.known();
        (known.etag, known.unanswered) = (etag, Vec::new());
        Ok(bytes)
    }

    async fn save(&self, bytes: &[u8]) -> Result<(), StoreError> {
        // Who lost the lock may not write even where nobody has written yet: the other one has read it by now.
        let lost = self.known().lease.as_ref().is_some_and(|lease| !lease.holds());
        if lost {
            return Err(StoreError::LockLost { place: self.place() });
        }
        let mut expected = {
            let mut known = self.known();
            // Also when nobody waits for the answer any more.
            known.unanswered.push(bytes.to_vec());
            known.etag.clone()
        };
        loop {
            let error = match self.object.put(bytes, expected.as_deref()).await {
                Ok(etag) => {
                    let mut known = self.known();
                    (known.etag, known.unanswered) = (Some(etag), Vec::new());
                    return Ok(());
                }
                Err(error) => error,
            };
            if !is_conflict(&error) {
                return Err(self.remote("save", error));
            }
            // Either somebody else wrote it, or an attempt of this process was written whose answer was lost.
            let there = self.object.get().await.map_err(|error| self.remote("save", error))?;
            let etag = there.as_ref().map(|(etag, _)| etag.clone());
            match there {
                Some((etag, there)) if there == bytes => {
                    let mut known = self.known();
                    (known.etag, known.unanswered) = (Some(etag), Vec::new());
                    return Ok(());
                }
                // Two conditional writes met, and this one was refused although the object did not change.
                _ if etag == expected => return Err(self.remote("save", error)),
                Some((_, there)) if self.known().unanswered.contains(&there) => {}
                _ => return Err(StoreError::Moved { place: self.place() }),
            }
            expected = etag;
        }
    }

    /// Refuses a bucket in which a state would not be safe.
    async fn check_bucket(&self) -> Result<(), StoreError> {
        let Object { client, bucket, .. } = &self.object;
        let unfit = |problem: String, remedy: String| StoreError::Unfit { place: self.place(), problem, remedy };
        let versioning = client.get_bucket_versioning().bucket(bucket).send().await.sent();
        let versioning = versioning.map_err(|error| self.remote("lock", error))?;
        if versioning.status() != Some(&BucketVersioningStatus::Enabled) {
            return Err(unfit(
                "the bucket keeps no versions, and they are the only way back from a damaged state".to_owned(),
                format!(
                    "Switch them on: aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"
                ),
            ));
        }
        let block = client.get_public_access_block().bucket(bucket).send().await.sent();
        let block = match block {
            Ok(answer) => answer.public_access_block_configuration,
            Err(error) if error.code == "NoSuchPublicAccessBlockConfiguration" => None,
            Err(error) => return Err(self.remote("lock", error)),
        };
        let closed = block.is_some_and(|block| {
            let all = [
                block.block_public_acls(),
                block.ignore_public_acls(),
                block.block_public_policy(),
                block.restrict_public_buckets(),
            ];
            all.iter().all(|closed| *closed == Some(true))
        });
        if !closed {
            return Err(unfit(
                "the bucket can be opened to the public, and a state names the account, the network and the endpoints"
                    .to_owned(),
                format!(
                    "Close it: aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration \
                     BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
                ),
            ));
        }
        Ok(())
    }

    fn remote(&self, what: &'static str, error: CallError) -> StoreError {
        StoreError::Remote { what, place: self.place(), source: error.into() }
    }
}

impl Store for StateObject {
    fn place(&self) -> String {
        let Object { bucket, key, .. } = &self.object;
        format!("s3://{bucket}/{key}")
    }

    fn load(&self) -> Boxed<'_, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(self.load())
    }

    fn save<'a>(&'a self, bytes: &'a [u8]) -> Boxed<'a, Result<(), StoreError>> {
        Box::pin(self.save(bytes))
    }
}

impl SharedStore for StateObject {
    fn lock<'a>(&'a self, holder: &'a Holder, tell: Tell<'a>) -> Boxed<'a, Result<Lock, StoreError>> {
        Box::pin(async move {
            self.check_bucket().await?;
            let lock = lease::take(&self.lock, &self.place(), holder, tell).await?;
            self.known().lease = Some(Arc::clone(lock.lease()));
            Ok(lock)
        })
    }

    fn held(&self) -> Boxed<'_, Result<Option<Held>, StoreError>> {
        Box::pin(async move { lease::held(&self.lock).await.map_err(|error| self.remote("lock", error)) })
    }

    fn unlock(&self) -> Boxed<'_, Result<(), StoreError>> {
        Box::pin(async move { lease::free(&self.lock).await.map_err(|error| self.remote("unlock", error)) })
    }

    fn way_back(&self) -> String {
        let Object { bucket, key, .. } = &self.object;
        format!(
            "Its earlier versions are in the bucket: aws s3api list-object-versions --bucket '{bucket}' --prefix '{key}'; put one \
             back with aws s3api copy-object --bucket '{bucket}' --key '{key}' --copy-source '{bucket}/{key}?versionId=ID'"
        )
    }
}

impl Object {
    /// The object's ETag and contents, if it exists.
    async fn get(&self) -> Result<Option<(String, Vec<u8>)>, CallError> {
        let answer = self.client.get_object().bucket(&self.bucket).key(&self.key).send().await.sent();
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.code == "NoSuchKey" => return Ok(None),
            Err(error) => return Err(error),
        };
        let missing = || CallError::malformed("s3:GetObject", "ETag");
        let etag = answer.e_tag.ok_or_else(missing)?;
        let cut = |error: aws_sdk_s3::primitives::ByteStreamError| {
            CallError::local("s3:GetObject", "Unreachable", error.to_string(), Class::Unreachable)
        };
        Ok(Some((etag, answer.body.collect().await.map_err(cut)?.to_vec())))
    }

    /// Writes over the version with this ETag, or over nothing.
    async fn put(&self, bytes: &[u8], over: Option<&str>) -> Result<String, CallError> {
        let request = self.client.put_object().bucket(&self.bucket).key(&self.key).content_type("application/json");
        let request = match over {
            Some(etag) => request.if_match(etag),
            None => request.if_none_match("*"),
        };
        let answer = request.body(bytes.to_vec().into()).send().await.sent()?;
        answer.e_tag.ok_or_else(|| CallError::malformed("s3:PutObject", "ETag"))
    }
}

/// Whether a conditional write was refused: somebody else wrote first (412), is just writing (409), or it is gone (404).
fn is_conflict(error: &CallError) -> bool {
    matches!(error.code.as_str(), "PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey")
}
