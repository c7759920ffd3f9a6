//! Costs: the topic for alerts, budgets, and the search for costs out of the ordinary.

use crate::{
    Layers,
    config::{Amount, Config},
    promise::{Promise, given},
};
use bedplate_aws::{
    Arn,
    budgets::{Budget, BudgetNotification, BudgetSpec},
    ce::{AnomalyMonitor, AnomalyMonitorSpec, AnomalySubscription, AnomalySubscriptionSpec},
    sns::{Subscription, SubscriptionSpec, Topic, TopicSpec},
};
use bedplate_model::{Input, Json, Reconcile};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const TOPIC: &str = "cost-alerts";
const MAIL: &str = "costs/subscription";
/// Unusual costs in each of AWS's services.
pub(crate) const SERVICES: &str = "SERVICE";
/// Unusual costs in each account. "Cost monitors for linked accounts, cost allocation tags, and cost categories can only be created
/// in the management account" (AWS Cost Management user guide, "Getting started with AWS Cost Anomaly Detection").
const ACCOUNTS: &str = "LINKED_ACCOUNT";

/// Declares the topic for alerts and returns its ARN.
pub(crate) fn topic(layers: &mut Layers<'_>, key: &Input<Arn>) -> Input<Arn> {
    let config = layers.config;
    let policy = topic_policy(layers);
    let topic = layers.graph.add::<Topic>(
        "costs/topic",
        TopicSpec {
            account: config.account_id.as_str().into(),
            region: config.region.as_str().into(),
            name: config.name(TOPIC).into(),
            display_name: config.project_name.as_str().into(),
            kms_key: key.cast(),
            policy: Input::from_expression(policy),
        },
    );
    if config.costs.email_subscription {
        layers.graph.add::<Subscription>(
            MAIL,
            SubscriptionSpec {
                topic: topic.arn.clone(),
                protocol: "email".into(),
                endpoint: config.alert_email.as_str().into(),
            },
        );
    }
    layers.graph.output("alerts_topic_arn", &topic.arn);
    topic.arn
}

/// Lets the services publish that have something to say, and only for this account. Without it their messages are lost,
/// and nobody is told.
fn topic_policy(layers: &Layers<'_>) -> Json {
    let config = layers.config;
    let account = config.account_id.as_str();
    let partition = &layers.facts.partition;
    let topic = layers.arn("sns", &config.name(TOPIC));
    let statement = |sid: &str, service: &str, source: Option<String>| {
        let mut condition = json!({"StringEquals": {"aws:SourceAccount": account}});
        if let Some(source) = source {
            condition["ArnLike"] = json!({"aws:SourceArn": source});
        }
        json!({
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sns:Publish",
            "Resource": topic,
            "Condition": condition,
        })
    };
    let alarms = layers.arn("cloudwatch", &format!("alarm:{}", config.name("*")));
    json!({
        "Version": "2012-10-17",
        "Statement": [
            statement("Budgets", "budgets.amazonaws.com", Some(format!("arn:{partition}:budgets::{account}:*"))),
            statement("CostAnomalies", "costalerts.amazonaws.com", None),
            statement("Alarms", "cloudwatch.amazonaws.com", Some(alarms)),
        ],
    })
}

/// Declares the budgets and the search for anomalies.
pub(crate) fn declare(layers: &mut Layers<'_>, topic: &Input<Arn>) {
    let settings = &layers.config.costs;
    let limit = &layers.config.monthly_budget_limit;
    budget(layers, "monthly", limit, &settings.budget_alert_percents, None, topic);
    for (service, limit) in &settings.service_budgets {
        let percents = &settings.service_alert_percents;
        budget(layers, &service.short(), limit, percents, Some(service.as_str()), topic);
    }
    if settings.anomaly_detection {
        anomalies(layers, topic);
    }
}

fn budget(
    layers: &mut Layers<'_>,
    name: &str,
    limit: &Amount,
    percents: &BTreeSet<u16>,
    service: Option<&str>,
    topic: &Input<Arn>,
) {
    let config = layers.config;
    // Mail needs no confirmation from a budget, but from a topic it does.
    let notification = |percent: &u16| BudgetNotification {
        kind: "ACTUAL".to_owned(),
        comparison: "GREATER_THAN".to_owned(),
        threshold_percent: u32::from(*percent),
        emails: BTreeSet::from([config.alert_email.to_string()]),
        topic: None,
    };
    let notifications = percents.iter().map(|percent| {
        let mut notification = json!(notification(percent));
        if config.costs.budgets_to_topic {
            notification["topic"] = json!(topic);
        }
        notification
    });
    let filters = service.map(|service| ("Service".to_owned(), BTreeSet::from([service.to_owned()])));
    let spec = BudgetSpec {
        account: config.account_id.as_str().into(),
        name: config.name(&format!("{name}-budget")).into(),
        limit: limit.dollars().into(),
        unit: "USD".into(),
        time_unit: "MONTHLY".into(),
        filters: filters.into_iter().collect::<BTreeMap<_, _>>().into(),
        notifications: Input::from_expression(notifications.collect()),
    };
    layers.graph.add::<Budget>(&format!("costs/budget/{name}"), spec);
}

fn anomalies(layers: &mut Layers<'_>, topic: &Input<Arn>) {
    let config = layers.config;
    let dimension = if layers.facts.member { SERVICES } else { ACCOUNTS };
    let monitor = layers.graph.add::<AnomalyMonitor>(
        "costs/anomaly-monitor",
        AnomalyMonitorSpec { name: config.name("cost-monitor").into(), dimension: dimension.into() },
    );
    layers.graph.add::<AnomalySubscription>(
        "costs/anomaly-subscription",
        AnomalySubscriptionSpec {
            name: config.name("cost-anomalies").into(),
            // At once is possible through a topic only.
            frequency: "IMMEDIATE".into(),
            minimum_impact: f64::from(config.costs.anomaly_impact_usd).into(),
            monitors: Input::all([monitor.arn]),
            topics: Input::all([topic.clone()]),
            emails: BTreeSet::new().into(),
        },
    );
}

/// What only a person can do for the platform that is built, by its outputs.
pub fn reminders(config: &Config, output: impl Fn(&str, &str) -> Option<Json>) -> Vec<String> {
    let waits = output(MAIL, "confirmed") == Some(Json::Bool(false));
    let mail = || {
        format!(
            "no alert is delivered by mail yet: open the mail from AWS Notifications to {} and confirm the subscription",
            config.alert_email
        )
    };
    waits.then(mail).into_iter().collect()
}

/// Budgets without actions and anomaly detection cost nothing ("AWS Cost Management pricing").
pub(crate) const COSTS_ON_TOP: &str = "mails beyond the first 1,000, requests to Cost Explorer (0.01 each)";

/// What protects the alerts.
pub(crate) const PROMISES: &[Promise] =
    &[Promise::new("alerts are encrypted", "costs", Topic::KIND, |topic, _| given(topic, "kms_key"))];
