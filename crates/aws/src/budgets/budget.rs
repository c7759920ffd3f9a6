//! A limit for costs, and who is told when they come near it.

use crate::{Arn, Aws, at_once::at_once, error::Sent};
use aws_sdk_budgets::types::{
    Budget as SdkBudget, BudgetType, ComparisonOperator, Notification, NotificationType, ResourceTag, Spend,
    Subscriber, SubscriptionType, ThresholdType, TimeUnit,
};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Order, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A limit for costs, and who is told when they come near it. Its id is `account|name`.
#[derive(Debug)]
pub enum Budget {}

/// Settings of a budget of costs.
#[derive(Clone, Debug, Record)]
pub struct BudgetSpec<P: Phase> {
    /// The account whose costs they are, 12 digits.
    #[replace]
    #[aws(none)]
    pub account: P::Of<String>,
    /// Its name, unique in the account; at most 100 characters, without `:` and `\`.
    #[replace]
    #[aws("Budget")]
    pub name: P::Of<String>,
    /// The limit, in `unit`.
    #[aws("Budget")]
    pub limit: P::Of<f64>,
    /// The currency: `USD`.
    #[aws("Budget")]
    pub unit: P::Of<String>,
    /// The time that the limit is for: `DAILY`, `MONTHLY`, `QUARTERLY` or `ANNUALLY`.
    #[aws("Budget")]
    pub time_unit: P::Of<String>,
    /// Which costs count, by kind of filter: `Service` and the names of services as they are on the bill. Empty for all.
    #[aws("Budget")]
    pub filters: P::Of<BTreeMap<String, BTreeSet<String>>>,
    /// Who is told and when, at most 10; any other is deleted.
    #[aws("NotificationsWithSubscribers")]
    pub notifications: P::Of<BTreeSet<BudgetNotification>>,
}

/// When somebody is told. It has at least one subscriber.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BudgetNotification {
    /// What is compared: what was spent (`ACTUAL`) or what probably will be (`FORECASTED`).
    pub kind: String,
    /// How: `GREATER_THAN`, `LESS_THAN` or `EQUAL_TO`.
    pub comparison: String,
    /// With how many percent of the limit.
    pub threshold_percent: u32,
    /// Who gets a mail, at most 10.
    pub emails: BTreeSet<String>,
    /// The SNS topic that gets a message.
    pub topic: Option<Arn>,
}

/// Outputs of a budget.
#[derive(Clone, Debug, Record)]
pub struct BudgetOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for Budget {
    const KIND: &'static str = "budgets.budget";
    const DOC: &'static str = "A limit for costs, and who is told when they come near it.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::Budgets::Budget");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_budgets_budget", id: "{account_id}|{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "budgets:ListTagsForResource",
        "budgets:ModifyBudget",
        "budgets:TagResource",
        "budgets:UntagResource",
        "budgets:ViewBudget",
        "tag:GetResources",
    ];
    // All that replaces it is in its id, so that old and new stand side by side.
    const ORDER: Order = Order::CreateFirst;
    type Cloud = Aws;
    type Spec<P: Phase> = BudgetSpec<P>;
    type Outputs<P: Phase> = BudgetOutputs<P>;

    fn identity(spec: &BudgetSpec<Observed>) -> Option<Id> {
        Some(Id::child(spec.account.as_ref()?, spec.name.as_ref()?))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let accounts: BTreeSet<String> = match which {
            Which::Ids(ids) => ids.iter().map(|id| id.split().0.to_owned()).collect(),
            Which::Owned(_) => [cloud.account().await?].into(),
        };
        let mut found = Vec::new();
        for account in accounts {
            let (mut budgets, known) = tokio::try_join!(all_budgets(cloud, &account), async {
                // Those asked for by name very likely exist; of none there is nothing more to ask.
                match which {
                    Which::Ids(_) => all_notifications(cloud, &account).await.map(Some),
                    Which::Owned(_) => Ok(None),
                }
            })?;
            budgets.retain(|(id, _)| !matches!(which, Which::Ids(ids) if !ids.contains(id)));
            let tags = at_once(budgets.iter().map(|(id, _)| tags(cloud, id))).await?;
            let ours = budgets.iter().zip(tags).filter_map(|((id, budget), tags)| Some((id, budget, tags?)));
            let ours: Vec<_> = ours.filter(|(id, _, tags)| which.covers(id, tags)).collect();
            if ours.is_empty() {
                continue;
            }
            let mut of_all = match known {
                Some(known) => known,
                None => all_notifications(cloud, &account).await?,
            };
            let questions = ours.into_iter().map(|(id, budget, tags)| {
                let of_this = of_all.remove(budget.budget_name()).unwrap_or_default();
                look(cloud, id, budget, of_this, tags)
            });
            found.extend(at_once(questions).await?);
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &BudgetSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.budgets.create_budget().account_id(&spec.account).budget(to_budget(spec));
        request.set_resource_tags(Some(to_tags(&creation.tags))).send().await.sent()?;
        Ok(Id::child(&spec.account, &spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (account, budget) = step.id.split();
        if step.changes(&["limit", "unit", "time_unit", "filters"]) {
            let request = cloud.budgets.update_budget().account_id(account).new_budget(to_budget(step.wanted));
            request.send().await.sent()?;
        }
        if step.changes(&["notifications"]) {
            let (nothing, wanted) = (BTreeSet::new(), &step.wanted.notifications);
            let seen = step.seen.notifications.as_ref().unwrap_or(&nothing);
            let kept: BTreeSet<&BudgetNotification> = seen.intersection(wanted).collect();
            // Old before new: a budget has one notification of a kind, comparison and threshold, and ten at most. They
            // are asked for, since one of a form that is never set here can only be deleted as AWS shows it.
            let request = cloud.budgets.describe_notifications_for_budget().account_id(account).budget_name(budget);
            let mut pages = request.into_paginator().items().send();
            let mut old = Vec::new();
            while let Some(notification) = pages.next().await {
                let Some(notification) = notification.found()? else { break };
                let as_seen = observe_notification(&notification, &[]);
                if !kept.iter().any(|kept| key(kept) == key(&as_seen)) {
                    old.push(notification);
                }
            }
            for notification in old {
                let request = cloud.budgets.delete_notification().account_id(account).budget_name(budget);
                request.notification(notification).send().await.ensured()?;
            }
            for notification in wanted.iter().filter(|wanted| !kept.contains(wanted)) {
                let request = cloud.budgets.create_notification().account_id(account).budget_name(budget);
                let request = request.set_subscribers(Some(to_subscribers(notification)));
                request.notification(to_notification(notification)).send().await.sent()?;
            }
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        if !set.is_empty() {
            let request = cloud.budgets.tag_resource().resource_arn(arn(id));
            request.set_resource_tags(Some(to_tags(set))).send().await.sent()?;
        }
        if !remove.is_empty() {
            let request = cloud.budgets.untag_resource().resource_arn(arn(id));
            request.set_resource_tag_keys(Some(remove.to_vec())).send().await.sent()?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let (account, budget) = id.split();
        cloud.budgets.delete_budget().account_id(account).budget_name(budget).send().await.sent().map(drop)
    }
}

fn arn(id: &Id) -> String {
    let (account, name) = id.split();
    format!("arn:aws:budgets::{account}:budget/{name}")
}

async fn tags(cloud: &Aws, id: &Id) -> Result<Option<Tags>, CallError> {
    if let Some(tags) = cloud.indexed_tags(&arn(id)).await {
        return Ok(Some(tags));
    }
    let answer = cloud.budgets.list_tags_for_resource().resource_arn(arn(id)).send().await.found()?;
    let Some(answer) = answer else { return Ok(None) };
    let tags = answer.resource_tags.unwrap_or_default().into_iter().filter(|tag| !tag.key.starts_with("aws:"));
    Ok(Some(tags.map(|tag| (tag.key, tag.value)).collect()))
}

fn to_tags(tags: &Tags) -> Vec<ResourceTag> {
    let tag = |(key, value)| ResourceTag::builder().key(key).value(value).build().expect("it has a key and a value");
    tags.iter().map(tag).collect()
}

async fn all_budgets(cloud: &Aws, account: &str) -> Result<Vec<(Id, SdkBudget)>, CallError> {
    let mut pages = cloud.budgets.describe_budgets().account_id(account).into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(budget) = pages.next().await {
        let Some(budget) = budget.found()? else { break };
        found.push((Id::child(account, budget.budget_name()), budget));
    }
    Ok(found)
}

/// The notifications of all budgets, by name.
async fn all_notifications(cloud: &Aws, account: &str) -> Result<BTreeMap<String, Vec<Notification>>, CallError> {
    let mut found = BTreeMap::new();
    let request = cloud.budgets.describe_budget_notifications_for_account().account_id(account);
    let mut pages = request.into_paginator().items().send();
    while let Some(budget) = pages.next().await {
        let Some(budget) = budget.found()? else { break };
        let notifications = budget.notifications.unwrap_or_default();
        found.entry(budget.budget_name.unwrap_or_default()).or_insert_with(Vec::new).extend(notifications);
    }
    Ok(found)
}

/// A budget with the subscribers of its notifications.
async fn look(
    cloud: &Aws,
    id: &Id,
    budget: &SdkBudget,
    notifications: Vec<Notification>,
    tags: Tags,
) -> Result<Observation<Budget>, CallError> {
    let subscribers = at_once(notifications.iter().map(|notification| subscribers(cloud, id, notification))).await?;
    let pairs = notifications.iter().zip(&subscribers);
    let notifications = pairs.map(|(notification, subscribers)| observe_notification(notification, subscribers));
    Ok(observe(id.split().0, budget, notifications.collect(), tags))
}

async fn subscribers(cloud: &Aws, id: &Id, notification: &Notification) -> Result<Vec<Subscriber>, CallError> {
    let (account, budget) = id.split();
    let mut found = Vec::new();
    let request = cloud.budgets.describe_subscribers_for_notification().account_id(account).budget_name(budget);
    let mut pages = request.notification(notification.clone()).into_paginator().items().send();
    while let Some(subscriber) = pages.next().await {
        let Some(subscriber) = subscriber.found()? else { break };
        found.push(subscriber);
    }
    Ok(found)
}

#[expect(deprecated, reason = "its successor is answered only on request and comes with settings of its own")]
fn to_budget(spec: &BudgetSpec<Resolved>) -> SdkBudget {
    let limit = Spend::builder().amount(spec.limit.to_string()).unit(&spec.unit).build();
    let filters = spec.filters.iter().map(|(filter, values)| (filter.clone(), values.iter().cloned().collect()));
    let budget = SdkBudget::builder()
        .budget_name(&spec.name)
        .budget_type(BudgetType::Cost)
        .time_unit(TimeUnit::from(spec.time_unit.as_str()))
        .budget_limit(limit.expect("it has an amount and a unit"))
        .set_cost_filters((!spec.filters.is_empty()).then(|| filters.collect()));
    budget.build().expect("it has a name, a type and a time unit")
}

/// What there is one of in a budget.
fn key(notification: &BudgetNotification) -> (&str, &str, u32) {
    (&notification.kind, &notification.comparison, notification.threshold_percent)
}

fn to_notification(notification: &BudgetNotification) -> Notification {
    let built = Notification::builder()
        .notification_type(NotificationType::from(notification.kind.as_str()))
        .comparison_operator(ComparisonOperator::from(notification.comparison.as_str()))
        .threshold(notification.threshold_percent.into())
        .threshold_type(ThresholdType::Percentage);
    built.build().expect("it has a type, a comparison and a threshold")
}

fn to_subscribers(notification: &BudgetNotification) -> Vec<Subscriber> {
    let emails = notification.emails.iter().map(|email| (SubscriptionType::Email, email.as_str()));
    let topic = notification.topic.iter().map(|topic| (SubscriptionType::Sns, topic.as_str()));
    let subscriber = |(kind, address)| {
        let subscriber = Subscriber::builder().subscription_type(kind).address(address);
        subscriber.build().expect("it has a type and an address")
    };
    emails.chain(topic).map(subscriber).collect()
}

fn observe_notification(notification: &Notification, subscribers: &[Subscriber]) -> BudgetNotification {
    let addresses = |kind: &SubscriptionType| {
        let those = subscribers.iter().filter(move |subscriber| subscriber.subscription_type() == kind);
        those.map(|subscriber| subscriber.address().to_owned()).collect::<BTreeSet<_>>()
    };
    let percentage = notification.threshold_type() != Some(&ThresholdType::AbsoluteValue);
    // An amount, or a part of a percent, reads as 0, which no setting is: so it is replaced.
    let threshold = (1..=u32::MAX).contains(&(notification.threshold() as u32))
        && percentage
        && notification.threshold().fract() == 0.0;
    BudgetNotification {
        kind: notification.notification_type().to_string(),
        comparison: notification.comparison_operator().to_string(),
        threshold_percent: if threshold { notification.threshold() as u32 } else { 0 },
        emails: addresses(&SubscriptionType::Email),
        topic: addresses(&SubscriptionType::Sns).pop_first().map(Arn::new),
    }
}

#[expect(deprecated, reason = "see `to_budget`")]
fn observe(
    account: &str,
    budget: &SdkBudget,
    notifications: BTreeSet<BudgetNotification>,
    tags: Tags,
) -> Observation<Budget> {
    let id = Id::child(account, budget.budget_name());
    let filters = budget.cost_filters().into_iter().flatten();
    let filters = filters.map(|(filter, values)| (filter.clone(), values.iter().cloned().collect()));
    Observation {
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: BudgetSpec {
            account: Some(account.to_owned()),
            name: Some(budget.budget_name().to_owned()),
            // AWS adds decimals: `5000.0`.
            limit: budget.budget_limit().and_then(|limit| limit.amount().parse().ok()),
            unit: budget.budget_limit().map(|limit| limit.unit().to_owned()),
            time_unit: Some(budget.time_unit().to_string()),
            filters: Some(filters.collect()),
            notifications: Some(notifications),
        },
        outputs: Some(BudgetOutputs { name: budget.budget_name().to_owned(), arn: Arn::new(arn(&id)) }),
        id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wanted() -> BudgetSpec<Resolved> {
        let notification = BudgetNotification {
            kind: "ACTUAL".to_owned(),
            comparison: "GREATER_THAN".to_owned(),
            threshold_percent: 80,
            emails: ["ops@example.com".to_owned()].into(),
            topic: Some(Arn::new("arn:aws:sns:us-east-1:797923187401:alerts")),
        };
        BudgetSpec {
            account: "797923187401".to_owned(),
            name: "monthly".to_owned(),
            limit: 5000.0,
            unit: "USD".to_owned(),
            time_unit: "MONTHLY".to_owned(),
            filters: [("Service".to_owned(), ["Amazon DynamoDB".to_owned()].into())].into(),
            notifications: [notification].into(),
        }
    }

    #[test]
    fn a_budget_is_read_as_it_was_sent() {
        let wanted = wanted();
        let notifications = wanted.notifications.iter();
        let notifications =
            notifications.map(|each| observe_notification(&to_notification(each), &to_subscribers(each))).collect();
        let seen = observe("797923187401", &to_budget(&wanted), notifications, Tags::new());
        assert_eq!(seen.spec.to_json(), wanted.to_json());
        assert_eq!(seen.spec.to_json()["limit"], json!(5000.0));
        assert_eq!(seen.id.as_str(), "797923187401|monthly");
        let arn = "arn:aws:budgets::797923187401:budget/monthly";
        assert_eq!(seen.outputs.unwrap().arn.as_str(), arn);
    }

    #[test]
    fn a_threshold_that_is_no_percentage_is_a_difference() {
        let notification = wanted().notifications.pop_first().unwrap();
        for (kind, threshold) in [(ThresholdType::AbsoluteValue, 80.0), (ThresholdType::Percentage, 80.5)] {
            let mut sdk = to_notification(&notification);
            (sdk.threshold_type, sdk.threshold) = (Some(kind), threshold);
            assert_eq!(observe_notification(&sdk, &[]).threshold_percent, 0);
        }
    }
}
