//! A security group. Its rules are resources of their own.

use super::{
    filters, holders, retag,
    security_group_rule::{revoke, rules_of},
    tag_specification, tags,
};
use crate::{Arn, Aws, SecurityGroupId, VpcId, error::Sent};
use aws_sdk_ec2::types::{
    Filter, IpPermission, IpRange, ResourceType, SecurityGroup as SdkGroup, SecurityGroupRule as SdkRule,
};
use bedplate_model::{
    CallError, Change, Creation, Id, Observation, Observed, Outsider, Pace, Phase, Readiness, Reconcile, Record,
    Recovery, Resolved, Step, Tags, Terraform, Verdict, Which,
};
use std::collections::BTreeSet;

/// A security group. Its rules are resources of their own.
#[derive(Debug)]
pub enum SecurityGroup {}

/// Settings of a security group.
#[derive(Clone, Debug, Record)]
pub struct SecurityGroupSpec<P: Phase> {
    /// Its name, unique in the VPC; at most 255 characters.
    #[replace]
    #[aws("GroupName")]
    pub name: P::Of<String>,
    /// What it is for; at most 255 characters.
    #[replace]
    #[aws("GroupDescription")]
    pub description: P::Of<String>,
    /// The VPC it belongs to.
    #[replace]
    #[aws("VpcId")]
    pub vpc: P::Of<VpcId>,
    /// Whether it keeps the rule that AWS adds to every new group and that lets all traffic out. Rules that bear a tag
    /// or a description are somebody's and never touched.
    #[aws(none)]
    pub default_egress: P::Of<bool>,
}

/// Outputs of a security group.
#[derive(Clone, Debug, Record)]
pub struct SecurityGroupOutputs<P: Phase> {
    /// Its id.
    pub id: P::Of<SecurityGroupId>,
    /// Its ARN.
    pub arn: P::Of<Arn>,
}

impl Reconcile for SecurityGroup {
    const KIND: &'static str = "ec2.security_group";
    const DOC: &'static str = "A security group. Its rules are resources of their own.";
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EC2::SecurityGroup");
    const TERRAFORM: &'static [Terraform] = &[Terraform { kind: "aws_security_group", id: "{id}" }];
    const ACTIONS: &'static [&'static str] = &[
        "ec2:CreateSecurityGroup",
        "ec2:DeleteSecurityGroup",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSecurityGroupRules",
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:CreateTags",
        "ec2:DeleteTags",
        // To name what keeps it from being deleted.
        "ec2:DescribeNetworkInterfaces",
    ];
    // CreateFirst (the default), though a name is unique in its VPC: a group in use cannot be deleted, and its users
    // can only move to a group that exists. `judge` refuses the one replacement that would keep the name.
    const PACE: Pace = Pace::HELD;
    // The name is no id, and a second group of that name is refused: an attempt that got through is found by its tag.
    const RECOVERY: Recovery = Recovery::Tag;
    type Cloud = Aws;
    type Spec<P: Phase> = SecurityGroupSpec<P>;
    type Outputs<P: Phase> = SecurityGroupOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let mut groups = Vec::new();
        if let Some(vpcs) = recorded_vpcs(cloud, which) {
            for vpc in vpcs {
                groups.extend(groups_of(cloud, vpc).await?);
            }
            groups.retain(|group| which.covers(&Id::new(group.group_id().unwrap_or_default()), &tags(group.tags())));
        } else {
            for filter in filters(which, "group-id") {
                groups.extend(describe(cloud, filter).await?);
            }
        }
        // Only the rules themselves tell whose a rule without a description is.
        let unclear = groups.iter().filter(|group| may_have_default_egress(group));
        let rules = rules_of(cloud, unclear.filter_map(SdkGroup::group_id)).await?;
        Ok(groups.iter().filter_map(|group| observe(group, &rules)).collect())
    }

    async fn create(cloud: &Aws, spec: &SecurityGroupSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let request = cloud.ec2.create_security_group().group_name(&spec.name).description(&spec.description);
        let request = request.vpc_id(spec.vpc.as_str());
        let tags = tag_specification(ResourceType::SecurityGroup, &creation.tags);
        let answer = request.tag_specifications(tags).send().await.sent()?;
        // The default rule is left to `update`, which a crash right here cannot keep from being called.
        answer.group_id.map(Id::new).ok_or_else(|| CallError::malformed("ec2:CreateSecurityGroup", "GroupId"))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        if !step.changes(&["default_egress"]) {
            return Ok(());
        }
        if step.wanted.default_egress {
            // Where it exists already, the read lagged behind the last step.
            let everywhere = IpRange::builder().cidr_ip("0.0.0.0/0").build();
            let permission = IpPermission::builder().ip_protocol("-1").ip_ranges(everywhere).build();
            let request = cloud.ec2.authorize_security_group_egress().group_id(step.id.as_str());
            return request.ip_permissions(permission).send().await.ensured();
        }
        let mut rules = rules_of(cloud, [step.id.as_str()]).await?;
        rules.retain(is_default_egress);
        revoke(cloud, &rules).await
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, id, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        cloud.ec2.delete_security_group().group_id(id.as_str()).send().await.sent().map(drop)
    }

    async fn holders(cloud: &Aws, id: &Id) -> Result<Vec<Outsider>, CallError> {
        holders::holders_of_group(cloud, id).await
    }

    fn judge(
        field: &str,
        before: &SecurityGroupSpec<Observed>,
        after: &SecurityGroupSpec<Observed>,
    ) -> Option<Verdict> {
        let same_place = before.name.is_some() && before.name == after.name && before.vpc == after.vpc;
        (field == "description" && same_place).then(|| Verdict {
            change: Change::Refuse,
            reason: "AWS cannot change a group's description, and two groups of one VPC cannot have the same name: \
                     change the name with it"
                .to_owned(),
        })
    }
}

/// The VPCs that the groups asked for are in, where a survey knows it of every one: then one call shows them together with
/// the VPC's default group.
fn recorded_vpcs<'a>(cloud: &'a Aws, which: Which<'_>) -> Option<BTreeSet<&'a str>> {
    let Which::Ids(ids) = which else { return None };
    ids.iter().map(|id| cloud.recorded_settings(SecurityGroup::KIND, id)?.get("vpc")?.as_str()).collect()
}

/// All security groups of a VPC, in a survey by one call for whoever asks.
pub(super) async fn groups_of(cloud: &Aws, vpc: &str) -> Result<Vec<SdkGroup>, CallError> {
    let ask = describe(cloud, Filter::builder().name("vpc-id").values(vpc).build());
    cloud.ask_once(|shared| &shared.groups, vpc.to_owned(), ask).await
}

async fn describe(cloud: &Aws, filter: Filter) -> Result<Vec<SdkGroup>, CallError> {
    let mut found = Vec::new();
    let mut pages = cloud.ec2.describe_security_groups().filters(filter).into_paginator().items().send();
    while let Some(group) = pages.next().await {
        found.push(group.sent()?);
    }
    Ok(found)
}

/// Whether a group lets everything out by a rule without a description, which is the one that AWS adds or one of somebody.
fn may_have_default_egress(group: &SdkGroup) -> bool {
    let unexplained = |text: Option<&str>| text.unwrap_or_default().is_empty();
    group.ip_permissions_egress().iter().filter(|permission| permission.ip_protocol() == Some("-1")).any(|permission| {
        let mut v4 = permission.ip_ranges().iter();
        let mut v6 = permission.ipv6_ranges().iter();
        v4.any(|range| range.cidr_ip() == Some("0.0.0.0/0") && unexplained(range.description()))
            || v6.any(|range| range.cidr_ipv6() == Some("::/0") && unexplained(range.description()))
    })
}

/// Whether it is the rule that AWS adds to every new group, for IPv4 or IPv6: it bears neither a tag nor a description.
fn is_default_egress(rule: &SdkRule) -> bool {
    rule.is_egress() == Some(true)
        && rule.ip_protocol() == Some("-1")
        && (rule.cidr_ipv4() == Some("0.0.0.0/0") || rule.cidr_ipv6() == Some("::/0"))
        && rule.tags().is_empty()
        && rule.description().unwrap_or_default().is_empty()
}

fn observe(group: &SdkGroup, rules: &[SdkRule]) -> Option<Observation<SecurityGroup>> {
    let id = group.group_id()?;
    Some(Observation {
        id: Id::new(id),
        tags: Some(tags(group.tags())),
        readiness: Readiness::Ready,
        spec: SecurityGroupSpec {
            name: group.group_name().map(str::to_owned),
            description: group.description().map(str::to_owned),
            vpc: group.vpc_id().map(VpcId::new),
            default_egress: Some(rules.iter().any(|rule| rule.group_id() == Some(id) && is_default_egress(rule))),
        },
        outputs: group
            .security_group_arn()
            .map(|arn| SecurityGroupOutputs { id: SecurityGroupId::new(id), arn: Arn::new(arn) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::{Tag, builders::SecurityGroupRuleBuilder};

    fn everything_out() -> SecurityGroupRuleBuilder {
        SdkRule::builder().group_id("sg-1").is_egress(true).ip_protocol("-1").cidr_ipv4("0.0.0.0/0")
    }

    fn seen(rules: &[SdkRule]) -> Observation<SecurityGroup> {
        let sdk = SdkGroup::builder()
            .group_id("sg-1")
            .security_group_arn("arn:aws:ec2:us-east-1:797923187401:security-group/sg-1")
            .group_name("database")
            .description("Aurora")
            .vpc_id("vpc-1")
            .build();
        observe(&sdk, rules).unwrap()
    }

    #[test]
    fn a_group_is_read_as_aws_shows_it() {
        let seen = seen(&[everything_out().build()]);
        assert_eq!(
            seen.spec.to_json(),
            serde_json::json!({"name": "database", "description": "Aurora", "vpc": "vpc-1", "default_egress": true})
        );
        assert!(seen.outputs.is_some());
    }

    #[test]
    fn a_rule_of_somebody_is_not_the_default_one() {
        let tag = Tag::builder().key("bedplate:stack").value("s").build();
        for rule in [
            everything_out().tags(tag),
            everything_out().description("by hand"),
            everything_out().group_id("sg-2"),
            everything_out().is_egress(false),
            everything_out().cidr_ipv4("10.0.0.0/8"),
            everything_out().ip_protocol("tcp"),
        ] {
            let rule = rule.build();
            assert_eq!(seen(std::slice::from_ref(&rule)).spec.default_egress, Some(false), "{rule:?}");
        }
    }

    #[test]
    fn a_new_description_needs_a_new_name() {
        let before = seen(&[]).spec;
        let described = SecurityGroupSpec { description: Some("PostgreSQL".to_owned()), ..before.clone() };
        let renamed = SecurityGroupSpec { name: Some("postgresql".to_owned()), ..described.clone() };
        let verdict = SecurityGroup::judge("description", &before, &described);
        assert_eq!(verdict.map(|verdict| verdict.change), Some(Change::Refuse));
        assert_eq!(SecurityGroup::judge("description", &before, &renamed), None);
    }
}
