//! What the reads of one survey share: what several kinds need is asked once, and what tells the tags of many resources
//! at once is asked instead of each of them.
//!
//! A survey only reads, so an answer that is shared there cannot be older than a change of our own. The walk works with
//! clients that share nothing.

use crate::{Aws, at_once::at_once, clients::HOME, error::Sent};
use aws_sdk_resourcegroupstagging::types::TagFilter;
use bedplate_model::{CallError, Id, Json, Observation, Readiness, Reconcile, Record, StackId, TAG_STACK, Tags, Which};
use bedplate_state::{State, Status};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OnceCell;

/// What is looked up in the index: the services whose tags are asked for one resource at a time, and the types that need not be
/// described where something else shows that they exist. Of the others the description of a resource has its tags, or they mean
/// more than ownership.
const INDEXED: [&str; 15] = [
    "application-autoscaling",
    "budgets",
    "ce",
    "cloudwatch",
    "dynamodb",
    "ec2:elastic-ip",
    "ec2:internet-gateway",
    "ec2:vpc",
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

/// How far a survey goes by what was recorded and by the index of all tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// Not at all: every resource is described, and its service tells its tags.
    Nothing,
    /// The index tells tags, where it has those that were last sent.
    Tags,
    /// Besides, what another answer of the survey shows to be as recorded is not described. For surveys of everything, in which
    /// that answer is needed anyway.
    Records,
}

/// What the last run left behind, as the state has it.
#[derive(Clone, Debug)]
pub struct Recorded {
    stack: StackId,
    belief: Belief,
    /// The tags of every resource, as they were last sent.
    tags: BTreeSet<Tags>,
    /// What is known of each resource, by its type and id.
    resources: BTreeMap<(String, Id), Known>,
}

/// What is known of a resource.
#[derive(Clone, Debug)]
struct Known {
    /// Whether it was as it should be when it was last seen.
    ready: bool,
    /// The settings last sent.
    settings: Json,
    /// The outputs last seen.
    outputs: Option<Json>,
}

impl Recorded {
    /// All that the state has.
    pub fn new(state: &State, belief: Belief) -> Self {
        let all = state.resources.values();
        let known = all.clone().filter_map(|resource| {
            let known = Known {
                ready: resource.status == Status::Ready,
                settings: resource.spec.clone(),
                outputs: resource.outputs.clone(),
            };
            Some(((resource.kind.clone(), resource.id.clone()?), known))
        });
        let tags = all.clone().map(|resource| resource.tags.clone());
        Self { stack: state.stack.clone(), belief, tags: tags.collect(), resources: known.collect() }
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
    /// Keys by their ids and by the names of their aliases.
    pub(crate) keys: Memo<Option<aws_sdk_kms::types::KeyMetadata>>,
    /// The NAT gateways and route tables that are recorded.
    pub(crate) nat_gateways: Memo<Vec<aws_sdk_ec2::types::NatGateway>>,
    pub(crate) route_tables: Memo<Vec<aws_sdk_ec2::types::RouteTable>>,
    /// The security groups of VPCs.
    pub(crate) groups: Memo<Vec<aws_sdk_ec2::types::SecurityGroup>>,
    /// All roles of the account, those of AWS's services included.
    pub(crate) roles: OnceCell<Vec<aws_sdk_iam::types::RoleDetail>>,
    /// All database clusters and their members.
    pub(crate) database_clusters: Memo<Vec<aws_sdk_rds::types::DbCluster>>,
    pub(crate) database_instances: Memo<Vec<aws_sdk_rds::types::DbInstance>>,
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
            database_instances: Memo::default(),
            groups: Memo::default(),
            keys: Memo::default(),
            nat_gateways: Memo::default(),
            route_tables: Memo::default(),
            roles: OnceCell::new(),
            scaled: Memo::default(),
        };
        Self { shared: Some(Arc::new(shared)), ..self.clone() }
    }

    /// The answer to a question; in a survey the one that somebody got already, or waits for.
    pub(crate) async fn ask_once<V: Clone>(
        &self,
        answers: impl FnOnce(&Shared) -> &Memo<V>,
        question: String,
        ask: impl Future<Output = Result<V, CallError>>,
    ) -> Result<V, CallError> {
        match &self.shared {
            Some(shared) => answers(shared).get(question, ask).await,
            None => ask.await,
        }
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
        let shared = self.shared.as_ref().filter(|shared| shared.recorded.belief != Belief::Nothing)?;
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

    /// The same for what is known by its id, which no two resources of a region share.
    async fn indexed_tags_of(&self, id: &Id) -> Option<Tags> {
        let shared = self.shared.as_ref().filter(|shared| shared.recorded.belief != Belief::Nothing)?;
        let index = shared.index.get_or_init(|| index(&self.tagging, shared)).await;
        let is_of = |arn: &str| arn.rsplit_once('/').is_some_and(|(_, name)| name == id.as_str());
        let (_, tags) = index.iter().find(|(arn, _)| is_of(arn))?;
        shared.recorded.is_unchanged(tags, &Tags::new()).then(|| tags.clone())
    }

    /// A resource as it was left, where the index has exactly the tags that were last sent to it.
    ///
    /// The index shows what is gone, and does not tell settings. So whoever takes this instead of asking has to see in another
    /// answer that the resource exists, and whatever of it can change.
    async fn as_recorded<K: Reconcile>(&self, id: &Id) -> Option<Observation<K>> {
        let known = self.known(K::KIND, id).filter(|known| known.ready)?;
        let spec = Record::from_json(known.settings.clone()).ok()?;
        let outputs = known.outputs.as_ref()?;
        let tags = match outputs.get("arn").and_then(Json::as_str) {
            Some(arn) => self.indexed_tags(arn).await?,
            None => self.indexed_tags_of(id).await?,
        };
        let outputs = Some(Record::from_json(outputs.clone()).ok()?);
        Some(Observation { id: id.clone(), tags: Some(tags), readiness: Readiness::Ready, spec, outputs })
    }

    /// Whether anything of what is asked for may be confirmed, so that it is worth to look at another answer.
    pub(crate) fn may_confirm(&self, which: Which<'_>) -> bool {
        let believed = self.shared.as_ref().is_some_and(|shared| shared.recorded.belief == Belief::Records);
        believed && matches!(which, Which::Ids(_))
    }

    /// Of what is asked for, what `confirm` makes of the resources as they were left, where it sees them in answers to other
    /// questions; and the rest, which has to be asked for.
    pub(crate) async fn confirmed<'a, K: Reconcile, F>(
        &self,
        which: Which<'a>,
        confirm: impl Fn(Observation<K>) -> F + Send + Sync,
    ) -> Result<(Vec<Observation<K>>, Rest<'a>), CallError>
    where
        F: Future<Output = Result<Option<Observation<K>>, CallError>> + Send,
    {
        let (Which::Ids(ids), true) = (which, self.may_confirm(which)) else {
            return Ok((Vec::new(), Rest::All(which)));
        };
        let confirm = &confirm;
        let looked = at_once(ids.iter().map(|id| async move {
            match self.as_recorded(id).await {
                Some(recorded) => confirm(recorded).await,
                None => Ok(None),
            }
        }))
        .await?;
        let rest = ids.iter().zip(&looked).filter(|(_, seen)| seen.is_none()).map(|(id, _)| id.clone()).collect();
        Ok((looked.into_iter().flatten().collect(), Rest::Ids(rest)))
    }

    /// The ids of a type that a survey knows of.
    pub(crate) fn recorded_ids(&self, kind: &str) -> Vec<Id> {
        let all = self.shared.iter().flat_map(|shared| shared.recorded.resources.keys());
        all.filter(|(known, _)| known == kind).map(|(_, id)| id.clone()).collect()
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

/// What is still to be asked for.
#[derive(Debug)]
pub(crate) enum Rest<'a> {
    All(Which<'a>),
    Ids(Vec<Id>),
}

impl Rest<'_> {
    /// For the question.
    pub(crate) fn which(&self) -> Which<'_> {
        match self {
            Self::All(which) => *which,
            Self::Ids(ids) => Which::Ids(ids),
        }
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
    use crate::{Throttle, ec2::InternetGateway};
    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
    use aws_smithy_runtime_api::{
        client::{
            http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
            orchestrator::{HttpRequest, HttpResponse},
            runtime_components::RuntimeComponents,
        },
        http::StatusCode,
    };
    use aws_smithy_types::body::SdkBody;
    use bedplate_model::{Address, Class};
    use bedplate_state::Resource;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    const GATEWAY: &str = "igw-1";

    /// An AWS in which the index shows an internet gateway of our tags, whatever became of it.
    #[derive(Clone, Debug)]
    struct Indexed {
        owner: &'static str,
        /// The state of the route to it.
        route: &'static str,
        /// The operations asked for.
        asked: Arc<Mutex<Vec<&'static str>>>,
    }

    impl HttpConnector for Indexed {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
            let (asked, answer) = if body.contains("Action=DescribeRouteTables") {
                let route = format!("<gatewayId>{GATEWAY}</gatewayId><state>{}</state>", self.route);
                let table = format!("<item><vpcId>vpc-1</vpcId><routeSet><item>{route}</item></routeSet></item>");
                (
                    "tables",
                    format!(
                        "<DescribeRouteTablesResponse><routeTableSet>{table}</routeTableSet></DescribeRouteTablesResponse>"
                    ),
                )
            } else if body.contains("Action=DescribeInternetGateways") {
                ("gateways", "<DescribeInternetGatewaysResponse/>".to_owned())
            } else {
                let tags: Vec<_> = tags(self.owner)
                    .into_iter()
                    .map(|(key, value)| Json::from_iter([("Key", key), ("Value", value)]))
                    .collect();
                let arn = format!("arn:aws:ec2:us-east-1:797923187401:internet-gateway/{GATEWAY}");
                (
                    "index",
                    serde_json::json!({"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": tags}]}).to_string(),
                )
            };
            self.asked.lock().unwrap().push(asked);
            HttpConnectorFuture::ready(Ok(HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::from(answer))))
        }
    }

    impl HttpClient for Indexed {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    fn tags(owner: &str) -> Tags {
        let pairs = [("Owner", owner), ("bedplate:address", "network/internet-gateway"), ("bedplate:generation", "1")];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }

    /// What a survey sees of a recorded internet gateway, and what it asks for.
    async fn survey(
        belief: Belief,
        owner: &'static str,
        route: &'static str,
        status: Status,
    ) -> (Option<Json>, Vec<&'static str>) {
        let cloud = Indexed { owner, route, asked: Arc::default() };
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(HOME))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "test")))
            .http_client(cloud.clone())
            .build();
        let mut state = State::new(StackId::new("s"), "797923187401", HOME);
        for (address, kind, id, spec) in [
            ("network/internet-gateway", InternetGateway::KIND, GATEWAY, serde_json::json!({"vpc": "vpc-1"})),
            ("network/route-table/public", "ec2.route_table", "rtb-1", serde_json::json!({})),
        ] {
            let recorded = Resource {
                kind: kind.to_owned(),
                generation: 1,
                status,
                id: Some(Id::new(id)),
                client_token: String::new(),
                spec,
                outputs: Some(serde_json::json!({"id": id})),
                tags: tags("team"),
                depends_on: BTreeSet::new(),
                adopted: false,
                deposed: Vec::new(),
            };
            state.resources.insert(Address::new(address).unwrap(), recorded);
        }
        let aws = Aws::with_throttle(&config, &Throttle::unlimited()).surveying(Recorded::new(&state, belief));
        let seen = InternetGateway::read(&aws, Which::Ids(&[Id::new(GATEWAY)])).await.unwrap();
        let mut asked = cloud.asked.lock().unwrap().clone();
        asked.sort_unstable();
        (seen.first().map(|seen| seen.spec.to_json()), asked)
    }

    #[tokio::test]
    async fn a_record_is_taken_only_where_another_answer_confirms_it() {
        use Belief::{Nothing, Records, Tags};
        let as_recorded = Some(serde_json::json!({"vpc": "vpc-1"}));
        assert_eq!(survey(Records, "team", "active", Status::Ready).await, (as_recorded, vec!["index", "tables"]));
        // It is gone, and the index does not know it yet; somebody else's tags; it was not finished; it is not asked in passing.
        for (belief, owner, route, status) in [
            (Records, "team", "blackhole", Status::Ready),
            (Records, "somebody", "active", Status::Ready),
            (Records, "team", "active", Status::Updating),
            (Tags, "team", "active", Status::Ready),
            (Nothing, "team", "active", Status::Ready),
        ] {
            let (seen, asked) = survey(belief, owner, route, status).await;
            assert!(
                seen.is_none() && asked.contains(&"gateways"),
                "{belief:?} {owner} {route} {status:?}: {seen:?} {asked:?}"
            );
            assert!(belief == Records || asked == ["gateways"], "{belief:?}: {asked:?}");
        }
    }

    #[test]
    fn tags_are_believed_only_as_they_were_sent() {
        let tags = |owner: &str, address: &str| {
            let mut tags = tags(owner);
            tags.insert("bedplate:address".to_owned(), address.to_owned());
            tags
        };
        let recorded = Recorded {
            stack: StackId::new("s"),
            belief: Belief::Tags,
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
