//! What the reads of one survey share: what several kinds need is asked once, and what tells the tags of many resources
//! at once is asked instead of each of them.
//!
//! A survey only reads, so an answer that is shared there cannot be older than a change of our own. The walk works with
//! clients that share nothing.

use crate::{Aws, clients::HOME, error::Sent};
use aws_sdk_resourcegroupstagging::types::TagFilter;
use bedplate_model::{CallError, Id, Json, StackId, TAG_STACK, Tags};
use bedplate_state::State;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OnceCell;

/// The services whose tags are asked for one resource at a time, and are therefore looked up in the index. Of the others
/// the description of a resource has its tags, or they mean more than ownership.
const INDEXED: [&str; 12] = [
    "application-autoscaling",
    "budgets",
    "ce",
    "cloudwatch",
    "dynamodb",
    "elasticache",
    "elasticloadbalancing",
    "kms",
    "logs",
    "rds",
    "s3",
    "sns",
];

/// The most that the index puts on a page.
const PAGE: i32 = 100;

/// What the last run left behind, as the state has it.
#[derive(Clone, Debug)]
pub struct Recorded {
    stack: StackId,
    /// The tags of every resource, as they were last sent.
    tags: BTreeSet<Tags>,
    /// What is known of each resource, by its type and id.
    resources: BTreeMap<(String, Id), Known>,
}

/// What is known of a resource.
#[derive(Clone, Debug)]
struct Known {
    /// The settings last sent.
    settings: Json,
    /// The outputs last seen.
    outputs: Option<Json>,
}

impl Recorded {
    /// All that the state has. Without tags, those of the index are not believed, and every service is asked for its own.
    pub fn new(state: &State, tags: bool) -> Self {
        let all = state.resources.values();
        let known = all.clone().filter_map(|resource| {
            let known = Known { settings: resource.spec.clone(), outputs: resource.outputs.clone() };
            Some(((resource.kind.clone(), resource.id.clone()?), known))
        });
        let tags = all.clone().filter(|_| tags).map(|resource| resource.tags.clone());
        Self { stack: state.stack.clone(), tags: tags.collect(), resources: known.collect() }
    }

    /// Whether tags are exactly those that were last sent to something: they name its address and generation. `kept` are
    /// settings that a resource has as tags, beside its own.
    fn is_unchanged(&self, tags: &Tags, kept: &Tags) -> bool {
        let mut own = tags.clone();
        kept.iter().all(|(key, value)| own.remove(key).as_ref() == Some(value)) && self.tags.contains(&own)
    }
}

/// The answers that are shared.
#[derive(Debug)]
pub(crate) struct Shared {
    recorded: Recorded,
    index: OnceCell<BTreeMap<String, Tags>>,
    index_at_home: OnceCell<BTreeMap<String, Tags>>,
    /// The tags of KMS keys, which are those of their aliases too.
    pub(crate) key_tags: Memo<Option<Tags>>,
    /// Clusters by name, with the address of what lies in them.
    pub(crate) clusters: Memo<Option<aws_sdk_eks::types::Cluster>>,
    /// The security groups of VPCs.
    pub(crate) groups: Memo<Vec<aws_sdk_ec2::types::SecurityGroup>>,
    /// All roles of the account, those of AWS's services included.
    pub(crate) roles: OnceCell<Vec<aws_sdk_iam::types::RoleDetail>>,
    /// All database clusters.
    pub(crate) database_clusters: Memo<Vec<aws_sdk_rds::types::DbCluster>>,
    /// What is scaled, by namespace and resources.
    pub(crate) scaled: Memo<Vec<(aws_sdk_applicationautoscaling::types::ScalableTarget, Tags)>>,
}

/// Answers by question, each asked once.
#[derive(Debug)]
pub(crate) struct Memo<V>(Mutex<BTreeMap<String, Arc<OnceCell<V>>>>);

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V: Clone> Memo<V> {
    /// The answer to a question. Who asks while it is being asked waits for the same answer; a failure is not kept.
    pub(crate) async fn get(
        &self,
        question: String,
        ask: impl Future<Output = Result<V, CallError>>,
    ) -> Result<V, CallError> {
        let answer = {
            let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(question).or_default())
        };
        answer.get_or_try_init(|| ask).await.cloned()
    }
}

impl Aws {
    /// These clients for the reads of one survey, which share what they can.
    pub fn surveying(&self, recorded: Recorded) -> Self {
        let shared = Shared {
            recorded,
            index: OnceCell::new(),
            index_at_home: OnceCell::new(),
            key_tags: Memo::default(),
            clusters: Memo::default(),
            database_clusters: Memo::default(),
            groups: Memo::default(),
            roles: OnceCell::new(),
            scaled: Memo::default(),
        };
        Self { shared: Some(Arc::new(shared)), ..self.clone() }
    }

    /// The tags of what has this ARN, if the index of all tags has exactly those that were last sent.
    ///
    /// The index follows changes with a delay that AWS does not bound, and shows what is gone. So it is believed only
    /// where it says that nothing has changed; whoever gets `None` asks the service itself. It answers for as many
    /// resources as there are on a page (Resource Groups Tagging API Reference, "`GetResources`").
    pub(crate) async fn indexed_tags(&self, arn: &str) -> Option<Tags> {
        self.indexed_tags_with(arn, &Tags::new()).await
    }

    /// The same for what keeps settings as tags; those must be as given.
    pub(crate) async fn indexed_tags_with(&self, arn: &str, kept: &Tags) -> Option<Tags> {
        let shared = self.shared.as_ref().filter(|shared| !shared.recorded.tags.is_empty())?;
        let service = arn.split(':').nth(2)?;
        // What has no region is in the index of one; buckets are in that of their own.
        let anywhere = arn.split(':').nth(3)?.is_empty() && service != "s3";
        let here = self.tagging.config().region().is_some_and(|region| region.as_ref() == HOME);
        let index = if anywhere && !here {
            shared.index_at_home.get_or_init(|| index(&self.tagging_at_home, shared)).await
        } else {
            shared.index.get_or_init(|| index(&self.tagging, shared)).await
        };
        index.get(arn).filter(|tags| shared.recorded.is_unchanged(tags, kept)).cloned()
    }

    /// The settings last sent to a resource, in a survey.
    pub(crate) fn recorded_settings(&self, kind: &str, id: &Id) -> Option<&Json> {
        Some(&self.known(kind, id)?.settings)
    }

    /// An output of a resource as it was last seen, in a survey.
    pub(crate) fn recorded_output(&self, kind: &str, id: &Id, field: &str) -> Option<&str> {
        self.known(kind, id)?.outputs.as_ref()?.get(field)?.as_str()
    }

    fn known(&self, kind: &str, id: &Id) -> Option<&Known> {
        self.shared.as_ref()?.recorded.resources.get(&(kind.to_owned(), id.clone()))
    }
}

/// All resources of the stack in these services, with their tags. Nothing where the index cannot be asked: the services
/// are then asked one by one, which takes longer and tells the same.
async fn index(client: &aws_sdk_resourcegroupstagging::Client, shared: &Shared) -> BTreeMap<String, Tags> {
    let filter = TagFilter::builder().key(TAG_STACK).values(shared.recorded.stack.as_str()).build();
    let services = INDEXED.iter().map(|service| (*service).to_owned()).collect();
    let request = client.get_resources().tag_filters(filter).set_resource_type_filters(Some(services));
    let mut pages = request.resources_per_page(PAGE).into_paginator().items().send();
    let mut found = BTreeMap::new();
    while let Some(Ok(resource)) = pages.next().await.map(Sent::sent) {
        let tags = resource.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value));
        let tags: Tags = tags.filter(|(key, _)| !key.starts_with("aws:")).collect();
        found.extend(resource.resource_arn.map(|arn| (arn, tags)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_model::Class;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    #[test]
    fn tags_are_believed_only_as_they_were_sent() {
        let tags = |owner: &str, address: &str| -> Tags {
            let pairs = [("Owner", owner), ("bedplate:address", address), ("bedplate:generation", "1")];
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
        };
        let recorded = Recorded {
            stack: StackId::new("s"),
            tags: [tags("team", "monitoring/topic")].into(),
            resources: BTreeMap::new(),
        };
        let none = Tags::new();
        assert!(recorded.is_unchanged(&tags("team", "monitoring/topic"), &none));
        for other in [tags("somebody", "monitoring/topic"), tags("team", "monitoring/other"), Tags::new()] {
            assert!(!recorded.is_unchanged(&other, &none), "{other:?}");
        }

        // A setting that is kept as a tag must be there, as it was sent.
        let kept = |days: &str| Tags::from([("bedplate:window".to_owned(), days.to_owned())]);
        let mut with = tags("team", "monitoring/topic");
        assert!(!recorded.is_unchanged(&with, &kept("30")));
        with.extend(kept("30"));
        assert!(recorded.is_unchanged(&with, &kept("30")));
        assert!(!recorded.is_unchanged(&with, &kept("7")));
        assert!(!recorded.is_unchanged(&with, &none));
    }

    #[tokio::test]
    async fn a_question_is_asked_once() {
        let (memo, asked) = (Memo::default(), AtomicU32::new(0));
        let ask = || async {
            tokio::task::yield_now().await;
            Ok(asked.fetch_add(1, Relaxed))
        };
        let answers =
            tokio::join!(memo.get("a".into(), ask()), memo.get("a".into(), ask()), memo.get("b".into(), ask()));
        // Which question comes first is open.
        let (first, again, other) = (answers.0.unwrap(), answers.1.unwrap(), answers.2.unwrap());
        assert_eq!((first == again, first == other, asked.load(Relaxed)), (true, false, 2));
    }

    #[tokio::test]
    async fn a_failure_is_asked_again() {
        let memo = Memo::default();
        let failed = memo.get("a".into(), async { Err(CallError::local("o", "c", "m", Class::Unreachable)) }).await;
        assert!(failed.is_err());
        assert_eq!(memo.get("a".into(), async { Ok(1) }).await.unwrap(), 1);
    }
}
