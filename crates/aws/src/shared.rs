//! What the reads of one survey share: what several kinds need is asked once, and what tells the tags of many resources
//! at once is asked instead of each of them.
//!
//! A survey only reads, so an answer that is shared there cannot be older than a change of our own. The walk works with
//! clients that share nothing.

use crate::{Aws, clients::HOME, error::Sent};
use aws_sdk_resourcegroupstagging::types::TagFilter;
use bedplate_model::{CallError, Id, Json, StackId, TAG_STACK, Tags};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OnceCell;

/// The services whose tags are asked for one resource at a time, and are therefore looked up in the index. Of the others
/// the description of a resource has its tags, or they mean more than ownership.
const INDEXED: [&str; 11] = [
    "application-autoscaling",
    "budgets",
    "ce",
    "cloudwatch",
    "dynamodb",
    "elasticache",
    "elasticloadbalancing",
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
    /// The settings last sent, by resource type and id.
    settings: BTreeMap<(String, Id), Json>,
}

impl Recorded {
    /// Nothing, of this stack.
    pub fn new(stack: StackId) -> Self {
        Self { stack, tags: BTreeSet::new(), settings: BTreeMap::new() }
    }

    /// With what was last sent to a resource. Without tags, those of the index are not believed.
    pub fn add(&mut self, kind: &str, id: Option<&Id>, settings: &Json, tags: Option<&Tags>) {
        self.tags.extend(tags.cloned());
        self.settings.extend(id.map(|id| ((kind.to_owned(), id.clone()), settings.clone())));
    }

    /// Whether tags are exactly those that were last sent to something: they name its address and generation.
    fn is_unchanged(&self, tags: &Tags) -> bool {
        self.tags.contains(tags)
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
        index.get(arn).filter(|tags| shared.recorded.is_unchanged(tags)).cloned()
    }

    /// The settings last sent to a resource, in a survey.
    pub(crate) fn recorded_settings(&self, kind: &str, id: &Id) -> Option<&Json> {
        self.shared.as_ref()?.recorded.settings.get(&(kind.to_owned(), id.clone()))
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
        let mut recorded = Recorded::new(StackId::new("s"));
        recorded.add("sns.topic", None, &Json::Null, Some(&tags("team", "monitoring/topic")));
        assert!(recorded.is_unchanged(&tags("team", "monitoring/topic")));
        for other in [tags("somebody", "monitoring/topic"), tags("team", "monitoring/other"), Tags::new()] {
            assert!(!recorded.is_unchanged(&other), "{other:?}");
        }
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
