//! Where a load balancer sends requests: instances, and how it knows that they are well.

use super::{retag, tags_of, to_tags};
use crate::{Arn, Aws, VpcId, error::Sent};
use aws_sdk_elasticloadbalancingv2::types::{
    Matcher, ProtocolEnum, TargetGroup as SdkGroup, TargetGroupAttribute, TargetTypeEnum,
};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};
use std::collections::BTreeMap;

/// Where a load balancer sends requests. Its id is its name, which is unique in account and region.
///
/// A listener that uses it keeps it from removal. Give it a name that what replaces it is part of: then the new one is
/// made, the listener goes over to it, and the old one is removed.
#[derive(Debug)]
pub enum TargetGroup {}

/// Settings of a target group.
#[derive(Clone, Debug, Record)]
pub struct TargetGroupSpec<P: Phase> {
    /// Its name: up to 32 letters, digits and hyphens.
    #[replace]
    pub name: P::Of<String>,
    /// The VPC of its targets.
    #[replace]
    #[aws("VpcId")]
    pub vpc: P::Of<VpcId>,
    /// What its targets are: `instance`, `ip`.
    #[replace]
    pub target_type: P::Of<String>,
    /// The protocol that targets speak: `HTTP`, `HTTPS`.
    #[replace]
    pub protocol: P::Of<String>,
    /// Its version: `HTTP1`, `HTTP2`, `GRPC`.
    #[replace]
    pub protocol_version: P::Of<String>,
    /// The port that targets listen on.
    #[replace]
    pub port: P::Of<u16>,
    /// The protocol that a target is asked for its health in: `HTTP`, `HTTPS`.
    pub health_check_protocol: P::Of<String>,
    /// The port it is asked at; `traffic-port` is the one that requests go to.
    pub health_check_port: P::Of<String>,
    /// The path it is asked for.
    pub health_check_path: P::Of<String>,
    /// The status codes of a healthy target's answer: `200`, `200-399`.
    #[aws("Matcher")]
    pub health_check_codes: P::Of<String>,
    /// How many seconds lie between two questions, 5 to 300.
    #[aws("HealthCheckIntervalSeconds")]
    pub health_check_interval: P::Of<u32>,
    /// After how many seconds no answer is a bad one, 2 to 120 and less than the interval.
    #[aws("HealthCheckTimeoutSeconds")]
    pub health_check_timeout: P::Of<u32>,
    /// How many good answers in a row make a target healthy, 2 to 10.
    #[aws("HealthyThresholdCount")]
    pub healthy_threshold: P::Of<u32>,
    /// How many bad answers in a row make it unhealthy, 2 to 10.
    #[aws("UnhealthyThresholdCount")]
    pub unhealthy_threshold: P::Of<u32>,
    /// How many seconds a target that is taken out may finish its requests, 0 to 3600.
    #[aws("TargetGroupAttributes")]
    pub deregistration_delay: P::Of<u32>,
    /// Over how many seconds a new target gets its full share of requests, 30 to 900; 0 is at once.
    #[aws("TargetGroupAttributes")]
    pub slow_start: P::Of<u32>,
    /// How a target is chosen: `round_robin`, `least_outstanding_requests`, `weighted_random`.
    #[aws("TargetGroupAttributes")]
    pub algorithm: P::Of<String>,
    /// Whether a client stays with its target, by a cookie.
    #[aws("TargetGroupAttributes")]
    pub stickiness: P::Of<bool>,
}

/// Outputs of a target group.
#[derive(Clone, Debug, Record)]
pub struct TargetGroupOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    pub arn: P::Of<Arn>,
}

/// The settings that one call changes together.
const HEALTH_CHECK: &[&str] = &[
    "health_check_protocol",
    "health_check_port",
    "health_check_path",
    "health_check_codes",
    "health_check_interval",
    "health_check_timeout",
    "healthy_threshold",
    "unhealthy_threshold",
];
const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";
const SLOW_START: &str = "slow_start.duration_seconds";
const ALGORITHM: &str = "load_balancing.algorithm.type";
const STICKINESS: &str = "stickiness.enabled";

impl Reconcile for TargetGroup {
    const KIND: &'static str = "elb.target_group";
    const DOC: &'static str = "Where a load balancer sends requests, and how it knows that they are well there.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::ElasticLoadBalancingV2::TargetGroup");
    const TERRAFORM: &'static [Terraform] = &[
        Terraform { kind: "aws_lb_target_group", id: "{name}" },
        Terraform { kind: "aws_alb_target_group", id: "{name}" },
    ];
    const ACTIONS: &'static [&'static str] = &[
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:CreateTargetGroup",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:RemoveTags",
        "ec2:DescribeVpcs",
        "tag:GetResources",
    ];
    type Cloud = Aws;
    type Spec<P: Phase> = TargetGroupSpec<P>;
    type Outputs<P: Phase> = TargetGroupOutputs<P>;

    fn identity(spec: &TargetGroupSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut groups = Vec::new();
        match which {
            Which::Ids(names) => {
                for name in names {
                    let answer = cloud.elb.describe_target_groups().names(name.as_str()).send().await.found()?;
                    groups.extend(answer.and_then(|answer| answer.target_groups).unwrap_or_default());
                }
            }
            // They cannot be listed by tag.
            Which::Owned(_) => {
                let mut pages = cloud.elb.describe_target_groups().into_paginator().items().send();
                while let Some(group) = pages.next().await {
                    groups.push(group.sent()?);
                }
            }
        }
        let arns: Vec<&str> = groups.iter().filter_map(SdkGroup::target_group_arn).collect();
        let tags = tags_of(cloud, &arns).await?;
        let mut found = Vec::new();
        for group in groups {
            let arn = group.target_group_arn().unwrap_or_default();
            let Some(tags) = tags.get(arn) else { continue };
            if !which.covers(&Id::new(group.target_group_name().unwrap_or_default()), tags) {
                continue;
            }
            let request = cloud.elb.describe_target_group_attributes().target_group_arn(arn);
            let Some(answer) = request.send().await.found()? else { continue };
            found.extend(observe(&group, answer.attributes(), tags.clone()));
        }
        Ok(found)
    }

    async fn create(cloud: &Aws, spec: &TargetGroupSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.elb.create_target_group().name(&spec.name).vpc_id(spec.vpc.as_str()).port(spec.port.into());
        let request = request.target_type(TargetTypeEnum::from(spec.target_type.as_str()));
        let request = request.protocol(ProtocolEnum::from(spec.protocol.as_str()));
        // The health check and the attributes are set by `update`.
        let request = request.protocol_version(&spec.protocol_version);
        request.set_tags(to_tags(&creation.tags)).send().await.sent()?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (arn, wanted) = (arn_of(cloud, step.id).await?, step.wanted);
        if step.changes(HEALTH_CHECK) {
            let request = cloud.elb.modify_target_group().target_group_arn(&arn);
            let request = request.health_check_enabled(true).health_check_port(&wanted.health_check_port);
            let request = request.health_check_protocol(ProtocolEnum::from(wanted.health_check_protocol.as_str()));
            let request = request.health_check_path(&wanted.health_check_path);
            let request = request.matcher(Matcher::builder().http_code(&wanted.health_check_codes).build());
            let request = request.health_check_interval_seconds(signed(wanted.health_check_interval));
            let request = request.health_check_timeout_seconds(signed(wanted.health_check_timeout));
            let request = request.healthy_threshold_count(signed(wanted.healthy_threshold));
            request.unhealthy_threshold_count(signed(wanted.unhealthy_threshold)).send().await.sent()?;
        }
        let attributes = attributes(step);
        if !attributes.is_empty() {
            let request = cloud.elb.modify_target_group_attributes().target_group_arn(&arn);
            request.set_attributes(Some(attributes)).send().await.sent()?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, &arn_of(cloud, id).await?, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let arn = arn_of(cloud, id).await?;
        cloud.elb.delete_target_group().target_group_arn(arn).send().await.sent().map(drop)
    }
}

async fn arn_of(cloud: &Aws, id: &Id) -> Result<String, CallError> {
    let answer = cloud.elb.describe_target_groups().names(id.as_str()).send().await.sent()?;
    let arn = answer.target_groups().first().and_then(SdkGroup::target_group_arn).map(str::to_owned);
    arn.ok_or_else(|| CallError::malformed("elasticloadbalancing:DescribeTargetGroups", "TargetGroupArn"))
}

fn signed(number: u32) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// The attributes that differ. AWS leaves the others as they are.
fn attributes(step: &Step<'_, TargetGroup>) -> Vec<TargetGroupAttribute> {
    let wanted = step.wanted;
    let all = [
        ("deregistration_delay", DEREGISTRATION_DELAY, wanted.deregistration_delay.to_string()),
        ("slow_start", SLOW_START, wanted.slow_start.to_string()),
        ("algorithm", ALGORITHM, wanted.algorithm.clone()),
        ("stickiness", STICKINESS, wanted.stickiness.to_string()),
    ];
    let changed = all.into_iter().filter(|(field, ..)| step.changes(&[field]));
    changed.map(|(_, key, value)| TargetGroupAttribute::builder().key(key).value(value).build()).collect()
}

fn observe(group: &SdkGroup, attributes: &[TargetGroupAttribute], tags: Tags) -> Option<Observation<TargetGroup>> {
    let (name, arn) = (group.target_group_name()?, group.target_group_arn()?);
    let attributes: BTreeMap<&str, &str> =
        attributes.iter().filter_map(|attribute| Some((attribute.key()?, attribute.value()?))).collect();
    let seconds = |key: &str| attributes.get(key).and_then(|value| value.parse().ok());
    let unsigned = |number: Option<i32>| number.and_then(|number| number.try_into().ok());
    // A check that is off is a difference: no protocol is called that.
    let on = group.health_check_enabled() != Some(false);
    let protocol = if on { group.health_check_protocol().map(ToString::to_string) } else { Some("off".to_owned()) };
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags),
        readiness: Readiness::Ready,
        spec: TargetGroupSpec {
            name: Some(name.to_owned()),
            vpc: group.vpc_id().map(VpcId::new),
            target_type: group.target_type().map(ToString::to_string),
            protocol: group.protocol().map(ToString::to_string),
            protocol_version: group.protocol_version().map(str::to_owned),
            port: group.port().and_then(|port| port.try_into().ok()),
            health_check_protocol: protocol,
            health_check_port: group.health_check_port().map(str::to_owned),
            health_check_path: group.health_check_path().map(str::to_owned),
            health_check_codes: group.matcher().and_then(|matcher| matcher.http_code().map(str::to_owned)),
            health_check_interval: unsigned(group.health_check_interval_seconds()),
            health_check_timeout: unsigned(group.health_check_timeout_seconds()),
            healthy_threshold: unsigned(group.healthy_threshold_count()),
            unhealthy_threshold: unsigned(group.unhealthy_threshold_count()),
            deregistration_delay: seconds(DEREGISTRATION_DELAY),
            slow_start: seconds(SLOW_START),
            algorithm: attributes.get(ALGORITHM).map(|value| (*value).to_owned()),
            stickiness: attributes.get(STICKINESS).map(|value| *value == "true"),
        },
        outputs: Some(TargetGroupOutputs { name: name.to_owned(), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn group(check: bool) -> Observation<TargetGroup> {
        let sdk = SdkGroup::builder()
            .target_group_name("api-30080")
            .target_group_arn("arn:tg")
            .vpc_id("vpc-1")
            .target_type(TargetTypeEnum::Instance)
            .protocol(ProtocolEnum::Http)
            .protocol_version("HTTP1")
            .port(30080)
            .health_check_enabled(check)
            .health_check_protocol(ProtocolEnum::Http)
            .health_check_port("traffic-port")
            .health_check_path("/healthz")
            .matcher(Matcher::builder().http_code("200-399").build())
            .health_check_interval_seconds(15)
            .health_check_timeout_seconds(5)
            .healthy_threshold_count(2)
            .unhealthy_threshold_count(3)
            .build();
        let attributes =
            [(DEREGISTRATION_DELAY, "60"), (SLOW_START, "0"), (ALGORITHM, "round_robin"), (STICKINESS, "false")];
        let attributes = attributes.map(|(key, value)| TargetGroupAttribute::builder().key(key).value(value).build());
        observe(&sdk, &attributes, Tags::new()).unwrap()
    }

    #[test]
    fn a_target_group_is_read_as_aws_shows_it() {
        let seen = group(true);
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "name": "api-30080", "vpc": "vpc-1", "target_type": "instance", "protocol": "HTTP",
                "protocol_version": "HTTP1", "port": 30080, "health_check_protocol": "HTTP",
                "health_check_port": "traffic-port", "health_check_path": "/healthz", "health_check_codes": "200-399",
                "health_check_interval": 15, "health_check_timeout": 5, "healthy_threshold": 2,
                "unhealthy_threshold": 3, "deregistration_delay": 60, "slow_start": 0, "algorithm": "round_robin",
                "stickiness": false,
            })
        );
        assert_eq!((seen.id.as_str(), seen.outputs.unwrap().arn.as_str()), ("api-30080", "arn:tg"));
    }

    #[test]
    fn a_health_check_that_is_off_is_a_difference() {
        assert_eq!(group(false).spec.health_check_protocol.as_deref(), Some("off"));
    }
}
