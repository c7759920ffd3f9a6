//! The security group that every VPC comes with.

use super::{
    security_group::groups_of,
    security_group_rule::{revoke, rules_of},
};
use crate::{Aws, SecurityGroupId, SecurityGroupRuleId, VpcId};
use aws_sdk_ec2::types::{SecurityGroup as SdkGroup, SecurityGroupRule as SdkRule};
use bedplate_model::{
    CallError, Creation, Id, Observation, Observed, Ownership, Phase, Readiness, Reconcile, Record, Resolved, Step,
    Which,
};
use std::collections::BTreeSet;

/// The security group that every VPC comes with. What is started without a group gets it, so it is emptied.
#[derive(Debug)]
pub enum DefaultSecurityGroup {}

/// Settings of a VPC's default security group.
#[derive(Clone, Debug, Record)]
pub struct DefaultSecurityGroupSpec<P: Phase> {
    /// Its VPC.
    #[replace]
    #[aws(none)]
    pub vpc: P::Of<VpcId>,
    /// The rules it keeps; empty to let nothing in or out. Rules are only ever taken away, whoever made them.
    #[aws(none)]
    pub rules: P::Of<BTreeSet<SecurityGroupRuleId>>,
}

/// Outputs of a VPC's default security group.
#[derive(Clone, Debug, Record)]
pub struct DefaultSecurityGroupOutputs<P: Phase> {
    /// The group's id.
    pub id: P::Of<SecurityGroupId>,
}

impl Reconcile for DefaultSecurityGroup {
    const KIND: &'static str = "ec2.default_security_group";
    const DOC: &'static str = "The security group that every VPC comes with.";
    const CLOUDFORMATION: Option<&'static str> = None;
    const ACTIONS: &'static [&'static str] = &[
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSecurityGroupRules",
        "ec2:RevokeSecurityGroupIngress",
        "ec2:RevokeSecurityGroupEgress",
    ];
    // It comes and goes with the VPC. `Parent` would make the engine delete it and wait until it is gone, which it is
    // only after the VPC that waits for it.
    const OWNERSHIP: Ownership = Ownership::Shared;
    const TAGGED: bool = false;
    type Cloud = Aws;
    type Spec<P: Phase> = DefaultSecurityGroupSpec<P>;
    type Outputs<P: Phase> = DefaultSecurityGroupOutputs<P>;

    fn identity(spec: &DefaultSecurityGroupSpec<Observed>) -> Option<Id> {
        Some(Id::new(spec.vpc.as_ref()?.as_str()))
    }

    /// It carries no tag of ours: nothing is owned.
    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        let Which::Ids(ids) = which else { return Ok(Vec::new()) };
        let mut groups = Vec::new();
        for vpc in ids {
            groups.extend(groups_of(cloud, vpc.as_str()).await?.into_iter().filter(is_default));
        }
        // As long as it is empty, there is nothing more to learn about its rules.
        let full = groups.iter().filter(|group| !is_empty(group)).filter_map(SdkGroup::group_id);
        let rules = rules_of(cloud, full).await?;
        Ok(groups.iter().filter_map(|group| observe(group, &rules)).collect())
    }

    async fn create(_: &Aws, spec: &DefaultSecurityGroupSpec<Resolved>, _: &Creation) -> Result<Id, CallError> {
        Ok(Id::new(spec.vpc.as_str()))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let groups = groups_of(cloud, step.id.as_str()).await?;
        let default = groups.iter().filter(|group| is_default(group));
        let mut rules = rules_of(cloud, default.filter_map(SdkGroup::group_id)).await?;
        rules.retain(|rule| !id_of(rule).is_some_and(|id| step.wanted.rules.contains(&id)));
        revoke(cloud, &rules).await
    }

    async fn delete(_: &Aws, _: &Id) -> Result<(), CallError> {
        Ok(())
    }
}

/// AWS gives no other group this name (VPC User Guide, "Default security groups for your VPCs").
fn is_default(group: &SdkGroup) -> bool {
    group.group_name() == Some("default")
}

fn is_empty(group: &SdkGroup) -> bool {
    group.ip_permissions().is_empty() && group.ip_permissions_egress().is_empty()
}

fn id_of(rule: &SdkRule) -> Option<SecurityGroupRuleId> {
    rule.security_group_rule_id().map(SecurityGroupRuleId::new)
}

fn observe(group: &SdkGroup, rules: &[SdkRule]) -> Option<Observation<DefaultSecurityGroup>> {
    let (id, vpc) = (group.group_id()?, group.vpc_id()?);
    let rules = rules.iter().filter(|rule| rule.group_id() == Some(id)).filter_map(id_of);
    Some(Observation {
        id: Id::new(vpc),
        tags: None,
        readiness: Readiness::Ready,
        spec: DefaultSecurityGroupSpec { vpc: Some(VpcId::new(vpc)), rules: Some(rules.collect()) },
        outputs: Some(DefaultSecurityGroupOutputs { id: SecurityGroupId::new(id) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_group_is_read_with_its_own_rules() {
        let sdk = SdkGroup::builder().group_id("sg-1").vpc_id("vpc-1").group_name("default").build();
        let rule = |group: &str, id: &str| SdkRule::builder().group_id(group).security_group_rule_id(id).build();
        let rules = [rule("sg-1", "sgr-2"), rule("sg-1", "sgr-1"), rule("sg-2", "sgr-3")];
        let seen = observe(&sdk, &rules).unwrap();
        assert_eq!(seen.id.as_str(), "vpc-1");
        assert_eq!(seen.spec.to_json(), serde_json::json!({"vpc": "vpc-1", "rules": ["sgr-1", "sgr-2"]}));
        assert_eq!(seen.outputs.unwrap().id.as_str(), "sg-1");
    }
}
