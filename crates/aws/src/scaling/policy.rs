//! The rule by which a target is scaled: towards a value of a metric.

use super::{id_of, parts, target_id, targets};
use crate::{Arn, Aws, at_once::at_once, error::Sent};
use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalingPolicy, ServiceNamespace,
    TargetTrackingScalingPolicyConfiguration,
};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};
use std::collections::{BTreeMap, BTreeSet};

/// The rule by which a target is scaled: towards a value of a metric.
///
/// It carries no tags: it is ours when its target is.
#[derive(Debug)]
pub enum Policy {}

/// Settings of a scaling policy.
#[derive(Clone, Debug, Record)]
pub struct PolicySpec<P: Phase> {
    /// The service of its target: `dynamodb`, `rds`.
    #[replace]
    #[aws("ServiceNamespace")]
    pub namespace: P::Of<String>,
    /// What is scaled: the target's output, `table/sessions` or `cluster:data`.
    #[replace]
    #[aws("ResourceId")]
    pub resource: P::Of<String>,
    /// What of it: the target's dimension.
    #[replace]
    #[aws("ScalableDimension")]
    pub dimension: P::Of<String>,
    /// Its name, up to 256 characters, without `|`.
    #[replace]
    #[aws("PolicyName")]
    pub name: P::Of<String>,
    /// The metric: `RDSReaderAverageCPUUtilization`, `DynamoDBReadCapacityUtilization`,
    /// `DynamoDBWriteCapacityUtilization`.
    #[aws("TargetTrackingScalingPolicyConfiguration")]
    pub metric: P::Of<String>,
    /// The value that the metric is held at, in percent for utilizations.
    #[aws("TargetTrackingScalingPolicyConfiguration")]
    pub target: P::Of<f64>,
    /// Seconds after a scale-in before the next.
    #[aws("TargetTrackingScalingPolicyConfiguration")]
    pub scale_in_cooldown: P::Of<i32>,
    /// Seconds after a scale-out before the next.
    #[aws("TargetTrackingScalingPolicyConfiguration")]
    pub scale_out_cooldown: P::Of<i32>,
    /// Whether capacity only ever grows.
    #[aws("TargetTrackingScalingPolicyConfiguration")]
    pub disable_scale_in: P::Of<bool>,
}

/// Outputs of a scaling policy.
#[derive(Clone, Debug, Record)]
pub struct PolicyOutputs<P: Phase> {
    /// Its ARN.
    pub arn: P::Of<Arn>,
}

impl Reconcile for Policy {
    const KIND: &'static str = "scaling.policy";
    const DOC: &'static str = "The rule by which a target is scaled: towards a value of a metric.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::ApplicationAutoScaling::ScalingPolicy");
    const TERRAFORM: &'static [Terraform] = &[Terraform {
        kind: "aws_appautoscaling_policy",
        id: "{service_namespace}|{resource_id}|{scalable_dimension}|{name}",
    }];
    const ACTIONS: &'static [&'static str] = &[
        "application-autoscaling:DeleteScalingPolicy",
        "application-autoscaling:DescribeScalableTargets",
        "application-autoscaling:DescribeScalingPolicies",
        "application-autoscaling:ListTagsForResource",
        "application-autoscaling:PutScalingPolicy",
        // The alarms that move the capacity are made with the caller's rights.
        "cloudwatch:DeleteAlarms",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:PutMetricAlarm",
        "tag:GetResources",
    ];
    const TAGGED: bool = false;
    type Cloud = Aws;
    type Spec<P: Phase> = PolicySpec<P>;
    type Outputs<P: Phase> = PolicyOutputs<P>;

    fn identity(spec: &PolicySpec<Observed>) -> Option<Id> {
        Some(policy_id(
            &target_id(spec.namespace.as_ref()?, spec.resource.as_ref()?, spec.dimension.as_ref()?),
            spec.name.as_ref()?,
        ))
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let targets = targets(cloud, which).await?;
        let owners: BTreeMap<Id, Tags> = targets.into_iter().map(|(target, tags)| (id_of(&target), tags)).collect();
        let namespaces: BTreeSet<&str> = owners.keys().map(|target| parts(target)[0]).collect();
        let policies = at_once(namespaces.into_iter().map(|namespace| policies(cloud, namespace))).await?;
        let found = policies.iter().flatten().filter_map(|policy| {
            let tags = owners.get(&target_of(policy))?;
            Some(observe(policy, tags.clone())).filter(|seen| which.covers(&seen.id, tags))
        });
        Ok(found.collect())
    }

    async fn create(cloud: &Aws, spec: &PolicySpec<Resolved>, _creation: &Creation) -> Result<Id, CallError> {
        put(cloud, spec).await?;
        Ok(policy_id(&target_id(&spec.namespace, &spec.resource, &spec.dimension), &spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        put(cloud, step.wanted).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let [namespace, resource, dimension, name] = parts(id);
        let request = cloud.scaling.delete_scaling_policy().policy_name(name).resource_id(resource);
        let request = request.service_namespace(ServiceNamespace::from(namespace));
        request.scalable_dimension(ScalableDimension::from(dimension)).send().await.sent().map(drop)
    }
}

/// Makes it or changes it.
async fn put(cloud: &Aws, spec: &PolicySpec<Resolved>) -> Result<(), CallError> {
    let metric =
        PredefinedMetricSpecification::builder().predefined_metric_type(MetricType::from(spec.metric.as_str()));
    let configuration = TargetTrackingScalingPolicyConfiguration::builder()
        .predefined_metric_specification(metric.build().expect("the metric is given"))
        .target_value(spec.target)
        .scale_in_cooldown(spec.scale_in_cooldown)
        .scale_out_cooldown(spec.scale_out_cooldown)
        .disable_scale_in(spec.disable_scale_in)
        .build()
        .expect("the value is given");
    let request = cloud.scaling.put_scaling_policy().policy_name(&spec.name).resource_id(&spec.resource);
    let request = request.service_namespace(ServiceNamespace::from(spec.namespace.as_str()));
    let request = request.scalable_dimension(ScalableDimension::from(spec.dimension.as_str()));
    let request = request.policy_type(PolicyType::TargetTrackingScaling);
    request.target_tracking_scaling_policy_configuration(configuration).send().await.sent().map(drop)
}

fn policy_id(target: &Id, name: &str) -> Id {
    Id::new(format!("{target}|{name}"))
}

/// The policies of a service.
async fn policies(cloud: &Aws, namespace: &str) -> Result<Vec<ScalingPolicy>, CallError> {
    let request = cloud.scaling.describe_scaling_policies().service_namespace(ServiceNamespace::from(namespace));
    let mut pages = request.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(policy) = pages.next().await {
        found.push(policy.sent()?);
    }
    Ok(found)
}

fn target_of(policy: &ScalingPolicy) -> Id {
    target_id(policy.service_namespace().as_str(), policy.resource_id(), policy.scalable_dimension().as_str())
}

fn observe(policy: &ScalingPolicy, tags: Tags) -> Observation<Policy> {
    let rule = policy.target_tracking_scaling_policy_configuration();
    let metric = rule.and_then(|rule| rule.predefined_metric_specification());
    Observation {
        id: policy_id(&target_of(policy), policy.policy_name()),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: PolicySpec {
            namespace: Some(policy.service_namespace().to_string()),
            resource: Some(policy.resource_id().to_owned()),
            dimension: Some(policy.scalable_dimension().to_string()),
            name: Some(policy.policy_name().to_owned()),
            // A rule of another kind has no such metric, and that is a difference.
            metric: Some(metric.map(|metric| metric.predefined_metric_type().to_string()).unwrap_or_default()),
            target: rule.map(TargetTrackingScalingPolicyConfiguration::target_value),
            scale_in_cooldown: Some(rule.and_then(|rule| rule.scale_in_cooldown()).unwrap_or_default()),
            scale_out_cooldown: Some(rule.and_then(|rule| rule.scale_out_cooldown()).unwrap_or_default()),
            disable_scale_in: Some(rule.and_then(|rule| rule.disable_scale_in()).unwrap_or_default()),
        },
        outputs: Some(PolicyOutputs { arn: Arn::new(policy.policy_arn()) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::DateTime;
    use serde_json::json;

    #[test]
    fn a_policy_is_read_as_aws_shows_it() {
        let metric = PredefinedMetricSpecification::builder()
            .predefined_metric_type(MetricType::RdsReaderAverageCpuUtilization)
            .build()
            .unwrap();
        let rule = TargetTrackingScalingPolicyConfiguration::builder()
            .predefined_metric_specification(metric)
            .target_value(70.0)
            .scale_in_cooldown(300)
            .scale_out_cooldown(60)
            .build()
            .unwrap();
        let sdk = ScalingPolicy::builder()
            .policy_arn("arn:p")
            .policy_name("cpu")
            .service_namespace(ServiceNamespace::Rds)
            .resource_id("cluster:c")
            .scalable_dimension(ScalableDimension::RdsClusterReadReplicaCount)
            .policy_type(PolicyType::TargetTrackingScaling)
            .target_tracking_scaling_policy_configuration(rule)
            .creation_time(DateTime::from_secs(0))
            .build()
            .unwrap();
        let seen = observe(&sdk, Tags::new());
        assert_eq!(seen.id.as_str(), "rds|cluster:c|rds:cluster:ReadReplicaCount|cpu");
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "namespace": "rds", "resource": "cluster:c", "dimension": "rds:cluster:ReadReplicaCount",
                "name": "cpu", "metric": "RDSReaderAverageCPUUtilization", "target": 70.0,
                "scale_in_cooldown": 300, "scale_out_cooldown": 60, "disable_scale_in": false,
            })
        );
    }
}
