//! An alarm on a metric.

use super::{retag, tags, to_tags};
use crate::{Arn, Aws, at_once::at_once, error::Sent};
use aws_sdk_cloudwatch::types::{AlarmType, ComparisonOperator, Dimension, MetricAlarm, Statistic};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Order, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};
use std::collections::{BTreeMap, BTreeSet};

/// CloudWatch takes up to 100 names in a call.
const NAMES: usize = 100;

/// An alarm on a metric.
#[derive(Debug)]
pub enum Alarm {}

/// Settings of an alarm.
#[derive(Clone, Debug, Record)]
pub struct AlarmSpec<P: Phase> {
    /// Its name, unique in account and region; at most 255 characters.
    #[replace]
    #[aws("AlarmName")]
    pub name: P::Of<String>,
    /// What it means and what to do about it; at most 1024 characters.
    #[aws("AlarmDescription")]
    pub description: P::Of<String>,
    /// The metric's namespace: `AWS/RDS`.
    pub namespace: P::Of<String>,
    /// The metric's name.
    #[aws("MetricName")]
    pub metric: P::Of<String>,
    /// The metric's dimensions, at most 30; all of them, or there is no data.
    pub dimensions: P::Of<BTreeMap<String, String>>,
    /// What is taken of a period: `Average`, `Maximum`, `Minimum`, `SampleCount`, `Sum`, or a percentile such as `p99`.
    pub statistic: P::Of<String>,
    /// The length of a period in seconds: 10, 20, 30 or a multiple of 60.
    #[aws("Period")]
    pub period_seconds: P::Of<i32>,
    /// How many periods in a row must be over the threshold.
    pub evaluation_periods: P::Of<i32>,
    /// What the statistic is compared with.
    pub threshold: P::Of<f64>,
    /// How it is compared: `GreaterThanThreshold`, `GreaterThanOrEqualToThreshold`, `LessThanThreshold` or
    /// `LessThanOrEqualToThreshold`.
    #[aws("ComparisonOperator")]
    pub comparison: P::Of<String>,
    /// What a period without data counts as: `missing`, `ignore`, `breaching` or `notBreaching`.
    #[aws("TreatMissingData")]
    pub missing_data: P::Of<String>,
    /// Whether it tells anybody.
    pub actions_enabled: P::Of<bool>,
    /// What is told when it is raised, at most 5: topics, by ARN.
    pub alarm_actions: P::Of<BTreeSet<Arn>>,
    /// What is told when it is over, at most 5.
    #[aws("OKActions")]
    pub ok_actions: P::Of<BTreeSet<Arn>>,
}

/// Outputs of an alarm.
#[derive(Clone, Debug, Record)]
pub struct AlarmOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    #[named]
    pub arn: P::Of<Arn>,
}

impl Reconcile for Alarm {
    const KIND: &'static str = "cloudwatch.alarm";
    const DOC: &'static str = "An alarm on a metric.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::CloudWatch::Alarm");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_cloudwatch_metric_alarm", id: "{alarm_name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "cloudwatch:DeleteAlarms",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:ListTagsForResource",
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:TagResource",
        "cloudwatch:UntagResource",
        "tag:GetResources",
    ];
    // The name is what replaces it, so that old and new stand side by side.
    const ORDER: Order = Order::CreateFirst;
    type Cloud = Aws;
    type Spec<P: Phase> = AlarmSpec<P>;
    type Outputs<P: Phase> = AlarmOutputs<P>;

    fn identity(spec: &AlarmSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let names = match which {
            Which::Ids(ids) => ids.chunks(NAMES).map(|ids| Some(ids.iter().map(Id::to_string).collect())).collect(),
            Which::Owned(_) => vec![None],
        };
        let mut found = Vec::new();
        for names in names {
            let request = cloud.cloudwatch.describe_alarms().set_alarm_names(names);
            let mut pages = request.alarm_types(AlarmType::MetricAlarm).into_paginator().send();
            while let Some(page) = pages.next().await {
                let alarms = page.sent()?.metric_alarms.unwrap_or_default();
                let arns = alarms.iter().map(|alarm| alarm.alarm_arn().unwrap_or_default());
                let tags = at_once(arns.map(|arn| tags(cloud, arn))).await?;
                let seen = alarms.iter().zip(tags).filter_map(|(alarm, tags)| observe(alarm, tags?));
                found.extend(seen.filter(|seen| seen.tags.as_ref().is_some_and(|tags| which.covers(&seen.id, tags))));
            }
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &AlarmSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        put(cloud, spec, Some(&creation.tags)).await?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        put(cloud, step.wanted, None).await
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        let request = cloud.cloudwatch.describe_alarms().alarm_names(id.as_str()).alarm_types(AlarmType::MetricAlarm);
        let alarms = request.send().await.sent()?.metric_alarms.unwrap_or_default();
        let arn = alarms.into_iter().next().and_then(|alarm| alarm.alarm_arn);
        let arn = arn.ok_or_else(|| CallError::malformed("cloudwatch:DescribeAlarms", "AlarmArn"))?;
        retag(cloud, &arn, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.cloudwatch.delete_alarms().alarm_names(id.as_str()).send().await.sent().map(drop)
    }
}

/// Makes it or sets all it has anew, except its tags, which CloudWatch takes only when it is made.
async fn put(cloud: &Aws, spec: &AlarmSpec<Resolved>, tags: Option<&Tags>) -> Result<(), CallError> {
    let dimension = |(name, value)| Dimension::builder().name(name).value(value).build();
    let request = cloud
        .cloudwatch
        .put_metric_alarm()
        .alarm_name(&spec.name)
        .alarm_description(&spec.description)
        .namespace(&spec.namespace)
        .metric_name(&spec.metric)
        .set_dimensions(Some(spec.dimensions.iter().map(dimension).collect()))
        .period(spec.period_seconds)
        .evaluation_periods(spec.evaluation_periods)
        .threshold(spec.threshold)
        .comparison_operator(ComparisonOperator::from(spec.comparison.as_str()))
        .treat_missing_data(&spec.missing_data)
        .actions_enabled(spec.actions_enabled)
        .set_alarm_actions(Some(spec.alarm_actions.iter().map(Arn::to_string).collect()))
        .set_ok_actions(Some(spec.ok_actions.iter().map(Arn::to_string).collect()))
        .set_tags(tags.map(to_tags));
    let request = if Statistic::values().contains(&spec.statistic.as_str()) {
        request.statistic(Statistic::from(spec.statistic.as_str()))
    } else {
        request.extended_statistic(&spec.statistic)
    };
    request.send().await.sent().map(drop)
}

fn observe(alarm: &MetricAlarm, tags: Tags) -> Option<Observation<Alarm>> {
    let name = alarm.alarm_name()?;
    let text = |value: Option<&str>| Some(value.unwrap_or_default().to_owned());
    let dimensions = alarm.dimensions().iter();
    let dimensions = dimensions.filter_map(|each| Some((each.name()?.to_owned(), each.value()?.to_owned())));
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: AlarmSpec {
            name: Some(name.to_owned()),
            description: text(alarm.alarm_description()),
            namespace: text(alarm.namespace()),
            metric: text(alarm.metric_name()),
            dimensions: Some(dimensions.collect()),
            statistic: text(alarm.statistic().map(Statistic::as_str).or(alarm.extended_statistic())),
            period_seconds: Some(alarm.period().unwrap_or_default()),
            evaluation_periods: alarm.evaluation_periods(),
            threshold: alarm.threshold(),
            comparison: text(alarm.comparison_operator().map(ComparisonOperator::as_str)),
            missing_data: Some(alarm.treat_missing_data().unwrap_or("missing").to_owned()),
            actions_enabled: Some(alarm.actions_enabled().unwrap_or(true)),
            alarm_actions: Some(alarm.alarm_actions().iter().map(Arn::new).collect()),
            ok_actions: Some(alarm.ok_actions().iter().map(Arn::new).collect()),
        },
        outputs: alarm.alarm_arn().map(|arn| AlarmOutputs { name: name.to_owned(), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_alarm_is_read_as_aws_shows_it() {
        let sdk = MetricAlarm::builder()
            .alarm_name("aurora-cpu")
            .alarm_arn("arn:alarm")
            .namespace("AWS/RDS")
            .metric_name("CPUUtilization")
            .dimensions(Dimension::builder().name("DBClusterIdentifier").value("c").build())
            .extended_statistic("p99")
            .period(60)
            .evaluation_periods(3)
            .threshold(80.0)
            .comparison_operator(ComparisonOperator::GreaterThanThreshold)
            .actions_enabled(false)
            .alarm_actions("arn:topic");
        let seen = observe(&sdk.build(), Tags::new()).unwrap();
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "name": "aurora-cpu", "description": "", "namespace": "AWS/RDS", "metric": "CPUUtilization",
                "dimensions": {"DBClusterIdentifier": "c"}, "statistic": "p99", "period_seconds": 60,
                "evaluation_periods": 3, "threshold": 80.0, "comparison": "GreaterThanThreshold",
                "missing_data": "missing", "actions_enabled": false, "alarm_actions": ["arn:topic"], "ok_actions": [],
            })
        );
        assert_eq!(seen.outputs.unwrap().arn.as_str(), "arn:alarm");
    }
}
