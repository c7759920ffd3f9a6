//! An application load balancer: the address that clients know.

use super::{retag, tags_of, to_tags};
use crate::{Arn, Aws, SecurityGroupId, SubnetId, VpcId, at_once::at_once, error::Sent};
use aws_sdk_elasticloadbalancingv2::types::{
    AvailabilityZone, IpAddressType, LoadBalancer as SdkBalancer, LoadBalancerAttribute, LoadBalancerSchemeEnum,
    LoadBalancerStateEnum, LoadBalancerTypeEnum,
};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Pace, Phase, Readiness, Reconcile, Record, Resolved, Step, Tags,
    Terraform, Which,
};
use std::collections::{BTreeMap, BTreeSet};

/// An application load balancer: the address that clients know. Its id is its name, which is unique in account and
/// region.
#[derive(Debug)]
pub enum LoadBalancer {}

/// Settings of a load balancer.
#[derive(Clone, Debug, Record)]
pub struct LoadBalancerSpec<P: Phase> {
    /// Its name: up to 32 letters, digits and hyphens, not beginning with `internal-`.
    #[replace]
    pub name: P::Of<String>,
    /// Where its addresses are: `internet-facing` or `internal`.
    #[replace]
    pub scheme: P::Of<String>,
    /// The VPC that its subnets are in.
    // It follows from the subnets, which can only be changed for others of the same VPC.
    #[replace]
    #[aws(none)]
    pub vpc: P::Of<VpcId>,
    /// Its subnets, in two zones at least.
    pub subnets: P::Of<BTreeSet<SubnetId>>,
    /// Who may reach it, and whom it may reach.
    pub security_groups: P::Of<BTreeSet<SecurityGroupId>>,
    /// The addresses that clients reach it at: `ipv4`, `dualstack`.
    pub ip_address_type: P::Of<String>,
    /// The bucket in which it records every request; none records nothing. Its policy must let it.
    #[aws("LoadBalancerAttributes")]
    pub log_bucket: P::Of<Option<String>>,
    /// Where in the bucket. AWS puts `/AWSLogs/<account>/` behind it.
    #[aws("LoadBalancerAttributes")]
    pub log_prefix: P::Of<String>,
    /// Whether AWS refuses to delete it.
    #[aws("LoadBalancerAttributes")]
    pub deletion_protection: P::Of<bool>,
    /// After how many seconds without traffic it closes a connection, 1 to 4000.
    #[aws("LoadBalancerAttributes")]
    pub idle_timeout_seconds: P::Of<u32>,
    /// How many seconds a client may keep a connection, 60 to 604800.
    #[aws("LoadBalancerAttributes")]
    pub keep_alive_seconds: P::Of<u32>,
    /// Whether it takes away headers whose names are not valid, instead of passing them on.
    #[aws("LoadBalancerAttributes")]
    pub drop_invalid_headers: P::Of<bool>,
    /// What it does with requests that two servers may read differently: `monitor`, `defensive`, `strictest`.
    #[aws("LoadBalancerAttributes")]
    pub desync_mitigation: P::Of<String>,
    /// Whether clients may speak HTTP/2.
    #[aws("LoadBalancerAttributes")]
    pub http2: P::Of<bool>,
}

/// Outputs of a load balancer.
#[derive(Clone, Debug, Record)]
pub struct LoadBalancerOutputs<P: Phase> {
    /// Its name.
    #[named]
    pub name: P::Of<String>,
    /// Its ARN.
    pub arn: P::Of<Arn>,
    /// The end of its ARN, by which its metrics know it: `app/name/id`.
    pub full_name: P::Of<String>,
    /// The DNS name that clients reach it at.
    pub dns_name: P::Of<String>,
}

const LOGS: &str = "access_logs.s3.enabled";
const LOG_BUCKET: &str = "access_logs.s3.bucket";
const LOG_PREFIX: &str = "access_logs.s3.prefix";
const PROTECTION: &str = "deletion_protection.enabled";

impl Reconcile for LoadBalancer {
    const KIND: &'static str = "elb.load_balancer";
    const DOC: &'static str = "An application load balancer: the address that clients know.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::ElasticLoadBalancingV2::LoadBalancer");
    const TERRAFORM: &'static [Terraform] =
        &[Terraform { kind: "aws_lb", id: "{name}" }, Terraform { kind: "aws_alb", id: "{name}" }];
    const ACTIONS: &'static [&'static str] = &[
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:RemoveTags",
        "elasticloadbalancing:SetIpAddressType",
        "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
        // It is made with the caller's rights in the network.
        "ec2:DescribeAccountAttributes",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
        "tag:GetResources",
    ];
    const PACE: Pace = Pace::seconds(150, 10, 1200);
    type Cloud = Aws;
    type Spec<P: Phase> = LoadBalancerSpec<P>;
    type Outputs<P: Phase> = LoadBalancerOutputs<P>;

    fn identity(spec: &LoadBalancerSpec<Observed>) -> Option<Id> {
        spec.name.as_ref().map(Id::new)
    }

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let balancers = balancers(cloud, which).await?;
        let found = at_once(balancers.into_iter().map(async |(balancer, tags)| {
            let arn = balancer.load_balancer_arn().unwrap_or_default();
            let request = cloud.elb.describe_load_balancer_attributes().load_balancer_arn(arn);
            let answer = request.send().await.found()?;
            Ok(answer.and_then(|answer| observe(&balancer, answer.attributes(), tags)))
        }));
        Ok(found.await?.into_iter().flatten().collect())
    }

    async fn create(cloud: &Aws, spec: &LoadBalancerSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.elb.create_load_balancer().name(&spec.name).r#type(LoadBalancerTypeEnum::Application);
        let request = request.scheme(LoadBalancerSchemeEnum::from(spec.scheme.as_str()));
        let request = request.ip_address_type(IpAddressType::from(spec.ip_address_type.as_str()));
        let request = request.set_subnets(subnets(spec)).set_security_groups(security_groups(spec));
        request.set_tags(to_tags(&creation.tags)).send().await.sent()?;
        Ok(Id::new(&spec.name))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let (arn, wanted) = (arn_of(cloud, step.id).await?, step.wanted);
        if step.changes(&["subnets"]) {
            let request = cloud.elb.set_subnets().load_balancer_arn(&arn).set_subnets(subnets(wanted));
            request.send().await.sent()?;
        }
        if step.changes(&["security_groups"]) {
            let request = cloud.elb.set_security_groups().load_balancer_arn(&arn);
            request.set_security_groups(security_groups(wanted)).send().await.sent()?;
        }
        if step.changes(&["ip_address_type"]) {
            let request = cloud.elb.set_ip_address_type().load_balancer_arn(&arn);
            request.ip_address_type(IpAddressType::from(wanted.ip_address_type.as_str())).send().await.sent()?;
        }
        let attributes = attributes(step);
        if !attributes.is_empty() {
            modify(cloud, &arn, attributes).await?;
        }
        Ok(())
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, &arn_of(cloud, id).await?, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let arn = arn_of(cloud, id).await?;
        cloud.elb.delete_load_balancer().load_balancer_arn(arn).send().await.sent().map(drop)
    }

    fn protection(spec: &LoadBalancerSpec<Observed>) -> Option<&'static str> {
        (spec.deletion_protection == Some(true)).then_some("deletion protection")
    }

    async fn unprotect(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        let attributes = vec![attribute(PROTECTION, "false")];
        modify(cloud, &arn_of(cloud, id).await?, attributes).await
    }
}

/// Load balancers with their tags.
pub(super) async fn balancers(cloud: &Aws, which: Which<'_>) -> Result<Vec<(SdkBalancer, Tags)>, CallError> {
    let mut found = Vec::new();
    match which {
        Which::Ids(names) => {
            for name in names {
                let request = cloud.elb.describe_load_balancers().names(name.as_str());
                found
                    .extend(request.send().await.found()?.and_then(|answer| answer.load_balancers).unwrap_or_default());
            }
        }
        // They cannot be listed by tag.
        Which::Owned(_) => {
            let mut pages = cloud.elb.describe_load_balancers().into_paginator().items().send();
            while let Some(balancer) = pages.next().await {
                found.push(balancer.sent()?);
            }
        }
    }
    let arns: Vec<&str> = found.iter().filter_map(SdkBalancer::load_balancer_arn).collect();
    let mut tags = tags_of(cloud, &arns).await?;
    let tagged = found.into_iter().filter_map(|balancer| {
        let tags = tags.remove(balancer.load_balancer_arn()?)?;
        let covered = which.covers(&Id::new(balancer.load_balancer_name()?), &tags);
        covered.then_some((balancer, tags))
    });
    Ok(tagged.collect())
}

async fn arn_of(cloud: &Aws, id: &Id) -> Result<String, CallError> {
    let answer = cloud.elb.describe_load_balancers().names(id.as_str()).send().await.sent()?;
    let arn = answer.load_balancers().first().and_then(SdkBalancer::load_balancer_arn).map(str::to_owned);
    arn.ok_or_else(|| CallError::malformed("elasticloadbalancing:DescribeLoadBalancers", "LoadBalancerArn"))
}

fn subnets(spec: &LoadBalancerSpec<Resolved>) -> Option<Vec<String>> {
    Some(spec.subnets.iter().map(ToString::to_string).collect())
}

fn security_groups(spec: &LoadBalancerSpec<Resolved>) -> Option<Vec<String>> {
    Some(spec.security_groups.iter().map(ToString::to_string).collect())
}

fn attribute(key: &str, value: impl Into<String>) -> LoadBalancerAttribute {
    LoadBalancerAttribute::builder().key(key).value(value).build()
}

async fn modify(cloud: &Aws, arn: &str, attributes: Vec<LoadBalancerAttribute>) -> Result<(), CallError> {
    let request = cloud.elb.modify_load_balancer_attributes().load_balancer_arn(arn);
    request.set_attributes(Some(attributes)).send().await.sent().map(drop)
}

/// The attributes that differ. AWS leaves the others as they are.
fn attributes(step: &Step<'_, LoadBalancer>) -> Vec<LoadBalancerAttribute> {
    let wanted = step.wanted;
    let mut attributes = Vec::new();
    if step.changes(&["log_bucket", "log_prefix"]) {
        attributes.push(attribute(LOGS, wanted.log_bucket.is_some().to_string()));
        // Where they went stays as it is when they end: AWS takes no empty bucket.
        if let Some(bucket) = &wanted.log_bucket {
            attributes.extend([attribute(LOG_BUCKET, bucket), attribute(LOG_PREFIX, &wanted.log_prefix)]);
        }
    }
    for (field, key, value) in [
        ("deletion_protection", PROTECTION, wanted.deletion_protection.to_string()),
        ("idle_timeout_seconds", "idle_timeout.timeout_seconds", wanted.idle_timeout_seconds.to_string()),
        ("keep_alive_seconds", "client_keep_alive.seconds", wanted.keep_alive_seconds.to_string()),
        (
            "drop_invalid_headers",
            "routing.http.drop_invalid_header_fields.enabled",
            wanted.drop_invalid_headers.to_string(),
        ),
        ("desync_mitigation", "routing.http.desync_mitigation_mode", wanted.desync_mitigation.clone()),
        ("http2", "routing.http2.enabled", wanted.http2.to_string()),
    ] {
        if step.changes(&[field]) {
            attributes.push(attribute(key, value));
        }
    }
    attributes
}

fn observe(
    balancer: &SdkBalancer,
    attributes: &[LoadBalancerAttribute],
    tags: Tags,
) -> Option<Observation<LoadBalancer>> {
    let (name, arn) = (balancer.load_balancer_name()?, balancer.load_balancer_arn()?);
    let attributes: BTreeMap<&str, &str> =
        attributes.iter().filter_map(|attribute| Some((attribute.key()?, attribute.value()?))).collect();
    let text = |key: &str| attributes.get(key).map(|value| (*value).to_owned());
    let flag = |key: &str| attributes.get(key).map(|value| *value == "true");
    let number = |key: &str| attributes.get(key).and_then(|value| value.parse().ok());
    // Logs that go nowhere have a bucket all the same, if they once had.
    let logs = flag(LOGS).unwrap_or_default();
    let (log_bucket, log_prefix) = if logs { (text(LOG_BUCKET), text(LOG_PREFIX)) } else { (None, None) };
    let state = balancer.state();
    let full_name = arn.split_once(":loadbalancer/").map(|(_, end)| end.to_owned());
    Some(Observation {
        id: Id::new(name),
        tags: Some(tags),
        readiness: match state.and_then(|state| state.code()) {
            // An impaired one works, with less room to grow than it should have.
            Some(LoadBalancerStateEnum::Active | LoadBalancerStateEnum::ActiveImpaired) | None => Readiness::Ready,
            Some(LoadBalancerStateEnum::Failed) => {
                let reason = state.and_then(|state| state.reason()).unwrap_or("AWS gave no reason");
                Readiness::Broken(format!("failed: {reason}"))
            }
            Some(code) => Readiness::Busy(code.to_string()),
        },
        spec: LoadBalancerSpec {
            name: Some(name.to_owned()),
            scheme: balancer.scheme().map(ToString::to_string),
            vpc: balancer.vpc_id().map(VpcId::new),
            subnets: Some(
                balancer
                    .availability_zones()
                    .iter()
                    .filter_map(AvailabilityZone::subnet_id)
                    .map(SubnetId::new)
                    .collect(),
            ),
            security_groups: Some(balancer.security_groups().iter().map(SecurityGroupId::new).collect()),
            ip_address_type: balancer.ip_address_type().map(ToString::to_string),
            log_bucket: Some(log_bucket),
            log_prefix: Some(log_prefix.unwrap_or_default()),
            deletion_protection: flag(PROTECTION),
            idle_timeout_seconds: number("idle_timeout.timeout_seconds"),
            keep_alive_seconds: number("client_keep_alive.seconds"),
            drop_invalid_headers: flag("routing.http.drop_invalid_header_fields.enabled"),
            desync_mitigation: text("routing.http.desync_mitigation_mode"),
            http2: flag("routing.http2.enabled"),
        },
        outputs: full_name.zip(balancer.dns_name()).map(|(full_name, dns_name)| LoadBalancerOutputs {
            name: name.to_owned(),
            arn: Arn::new(arn),
            full_name,
            dns_name: dns_name.to_owned(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_elasticloadbalancingv2::types::LoadBalancerState;
    use serde_json::json;

    const ARN: &str = "arn:aws:elasticloadbalancing:us-east-1:797923187401:loadbalancer/app/lb/50dc6c495c0c9188";

    fn balancer(state: LoadBalancerStateEnum) -> SdkBalancer {
        let zone = |subnet: &str| AvailabilityZone::builder().subnet_id(subnet).build();
        SdkBalancer::builder()
            .load_balancer_name("lb")
            .load_balancer_arn(ARN)
            .dns_name("lb-1.us-east-1.elb.amazonaws.com")
            .scheme(LoadBalancerSchemeEnum::InternetFacing)
            .vpc_id("vpc-1")
            .availability_zones(zone("subnet-2"))
            .availability_zones(zone("subnet-1"))
            .security_groups("sg-1")
            .ip_address_type(IpAddressType::Ipv4)
            .state(LoadBalancerState::builder().code(state).reason("no room").build())
            .build()
    }

    fn defaults(logs: &str) -> Vec<LoadBalancerAttribute> {
        vec![
            attribute(LOGS, logs),
            attribute(LOG_BUCKET, "logs"),
            attribute(LOG_PREFIX, "lb"),
            attribute(PROTECTION, "true"),
            attribute("idle_timeout.timeout_seconds", "60"),
            attribute("client_keep_alive.seconds", "3600"),
            attribute("routing.http.drop_invalid_header_fields.enabled", "false"),
            attribute("routing.http.desync_mitigation_mode", "defensive"),
            attribute("routing.http2.enabled", "true"),
            attribute("waf.fail_open.enabled", "false"),
        ]
    }

    #[test]
    fn a_load_balancer_is_read_as_aws_shows_it() {
        let seen = observe(&balancer(LoadBalancerStateEnum::Active), &defaults("true"), Tags::new()).unwrap();
        assert_eq!((seen.id.as_str(), seen.readiness), ("lb", Readiness::Ready));
        assert_eq!(
            seen.spec.to_json(),
            json!({
                "name": "lb", "scheme": "internet-facing", "vpc": "vpc-1", "subnets": ["subnet-1", "subnet-2"],
                "security_groups": ["sg-1"], "ip_address_type": "ipv4", "log_bucket": "logs", "log_prefix": "lb",
                "deletion_protection": true, "idle_timeout_seconds": 60, "keep_alive_seconds": 3600,
                "drop_invalid_headers": false, "desync_mitigation": "defensive", "http2": true,
            })
        );
        let outputs = seen.outputs.unwrap();
        assert_eq!(outputs.full_name, "app/lb/50dc6c495c0c9188");
        assert_eq!(outputs.dns_name, "lb-1.us-east-1.elb.amazonaws.com");
    }

    #[test]
    fn logs_that_are_off_go_nowhere() {
        let seen = observe(&balancer(LoadBalancerStateEnum::Active), &defaults("false"), Tags::new()).unwrap();
        assert_eq!((seen.spec.log_bucket, seen.spec.log_prefix.as_deref()), (Some(None), Some("")));
    }

    #[test]
    fn a_state_has_a_meaning() {
        for (state, readiness) in [
            (LoadBalancerStateEnum::Provisioning, Readiness::Busy("provisioning".to_owned())),
            (LoadBalancerStateEnum::ActiveImpaired, Readiness::Ready),
            (LoadBalancerStateEnum::Failed, Readiness::Broken("failed: no room".to_owned())),
        ] {
            assert_eq!(observe(&balancer(state), &[], Tags::new()).unwrap().readiness, readiness);
        }
    }
}
