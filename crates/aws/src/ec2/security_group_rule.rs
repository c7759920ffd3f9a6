//! One rule of a security group.

use super::{filters, retag, tag_specification, tags};
use crate::{Aws, PrefixListId, SecurityGroupId, SecurityGroupRuleId, error::Sent};
use aws_sdk_ec2::types::{
    IpPermission, IpRange, PrefixListId as SdkPrefixListId, ResourceType, SecurityGroupRule as SdkRule,
    SecurityGroupRuleRequest, SecurityGroupRuleUpdate, UserIdGroupPair,
};
use bedplate_model::{
    CallError, Creation, Id, Observation, Phase, Readiness, Reconcile, Record, Recovery, Resolved, Step, Tags,
    Terraform, Which,
};
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// One rule of a security group.
#[derive(Debug)]
pub enum SecurityGroupRule {}

/// Which traffic a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// What comes in.
    Ingress,
    /// What goes out.
    Egress,
}

/// Settings of a rule. Exactly one of `cidr`, `peer_group` and `prefix_list` is given.
#[derive(Clone, Debug, Record)]
pub struct SecurityGroupRuleSpec<P: Phase> {
    /// The group it belongs to.
    #[replace]
    #[aws("GroupId")]
    pub group: P::Of<SecurityGroupId>,
    /// `ingress` or `egress`.
    #[replace]
    #[aws(none)]
    pub direction: P::Of<Direction>,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, another protocol's number, or `-1` for all.
    #[replace]
    #[aws("IpProtocol")]
    pub protocol: P::Of<String>,
    /// The first port, or the ICMP type; none for all, which TCP and UDP do not take.
    #[replace]
    pub from_port: P::Of<Option<u16>>,
    /// The last port, or the ICMP code; none for all, which TCP and UDP do not take.
    #[replace]
    pub to_port: P::Of<Option<u16>>,
    /// The addresses at the other end, with no bit set behind the prefix.
    #[replace]
    #[aws("CidrIp")]
    pub cidr: P::Of<Option<Ipv4Net>>,
    /// The group whose members are at the other end.
    #[replace]
    #[aws("SourceSecurityGroupId")]
    pub peer_group: P::Of<Option<SecurityGroupId>>,
    /// The prefix list with the addresses at the other end.
    #[replace]
    #[aws("SourcePrefixListId")]
    pub prefix_list: P::Of<Option<PrefixListId>>,
    /// What it is for; at most 255 characters.
    pub description: P::Of<String>,
}

/// Outputs of a rule.
#[derive(Clone, Debug, Record)]
pub struct SecurityGroupRuleOutputs<P: Phase> {
    /// Its id.
    pub id: P::Of<SecurityGroupRuleId>,
}

impl Reconcile for SecurityGroupRule {
    const KIND: &'static str = "ec2.security_group_rule";
    const DOC: &'static str = "One rule of a security group.";
    // `SecurityGroupEgress` differs from it only in saying Destination for Source.
    const CLOUDFORMATION: Option<&'static str> = Some("AWS::EC2::SecurityGroupIngress");
    const TERRAFORM: &'static [Terraform] = &[
        Terraform { kind: "aws_vpc_security_group_ingress_rule", id: "{id}" },
        Terraform { kind: "aws_vpc_security_group_egress_rule", id: "{id}" },
    ];
    const ACTIONS: &'static [&'static str] = &[
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:AuthorizeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:ModifySecurityGroupRules",
        "ec2:DescribeSecurityGroupRules",
        "ec2:CreateTags",
        "ec2:DeleteTags",
    ];
    // CreateFirst (the default): a replacement differs in what it allows, so both can exist, and no traffic is cut.
    //
    // What a rule allows does not tell whose it is: a duplicate may be somebody else's. Only the tag does.
    const RECOVERY: Recovery = Recovery::Tag;
    type Cloud = Aws;
    type Spec<P: Phase> = SecurityGroupRuleSpec<P>;
    type Outputs<P: Phase> = SecurityGroupRuleOutputs<P>;

    async fn read(cloud: &Aws, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
        Ok(describe(cloud, which, "security-group-rule-id").await?.iter().filter_map(observe).collect())
    }

    async fn create(cloud: &Aws, spec: &SecurityGroupRuleSpec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
        let (group, tags) = (spec.group.as_str(), tag_specification(ResourceType::SecurityGroupRule, &creation.tags));
        let rules = match spec.direction {
            Direction::Ingress => {
                let request = cloud.ec2.authorize_security_group_ingress().group_id(group);
                let request = request.ip_permissions(permission(spec)).tag_specifications(tags);
                request.send().await.sent()?.security_group_rules
            }
            Direction::Egress => {
                let request = cloud.ec2.authorize_security_group_egress().group_id(group);
                let request = request.ip_permissions(permission(spec)).tag_specifications(tags);
                request.send().await.sent()?.security_group_rules
            }
        };
        let id = rules.unwrap_or_default().into_iter().find_map(|rule| rule.security_group_rule_id);
        id.map(Id::new)
            .ok_or_else(|| CallError::malformed("ec2:AuthorizeSecurityGroup(In|E)gress", "SecurityGroupRuleId"))
    }

    async fn update(cloud: &Aws, step: &Step<'_, Self>) -> Result<(), CallError> {
        let wanted = step.wanted;
        // AWS takes the whole rule, though only the description differs.
        let rule = SecurityGroupRuleRequest::builder()
            .ip_protocol(&wanted.protocol)
            .from_port(port(wanted.from_port))
            .to_port(port(wanted.to_port))
            .set_cidr_ipv4(wanted.cidr.map(|cidr| cidr.to_string()))
            .set_referenced_group_id(wanted.peer_group.as_ref().map(ToString::to_string))
            .set_prefix_list_id(wanted.prefix_list.as_ref().map(ToString::to_string))
            .description(&wanted.description);
        let update = SecurityGroupRuleUpdate::builder().security_group_rule_id(step.id.as_str());
        let request = cloud.ec2.modify_security_group_rules().group_id(wanted.group.as_str());
        request.security_group_rules(update.security_group_rule(rule.build()).build()).send().await.sent().map(drop)
    }

    async fn tag(cloud: &Aws, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
        retag(cloud, id, set, remove).await
    }

    async fn delete(cloud: &Aws, id: &Id) -> Result<(), CallError> {
        // Revoking needs the group and the direction too.
        let ids = std::slice::from_ref(id);
        revoke(cloud, &describe(cloud, Which::Ids(ids), "security-group-rule-id").await?).await
    }
}

/// All rules of these groups, whoever made them.
pub(crate) async fn rules_of(cloud: &Aws, groups: impl IntoIterator<Item = &str>) -> Result<Vec<SdkRule>, CallError> {
    let ids: Vec<Id> = groups.into_iter().map(Id::new).collect();
    describe(cloud, Which::Ids(&ids), "group-id").await
}

async fn describe(cloud: &Aws, which: Which<'_>, id_filter: &str) -> Result<Vec<SdkRule>, CallError> {
    let mut found = Vec::new();
    for filter in filters(which, id_filter) {
        let mut pages = cloud.ec2.describe_security_group_rules().filters(filter).into_paginator().items().send();
        while let Some(rule) = pages.next().await {
            found.push(rule.sent()?);
        }
    }
    Ok(found)
}

/// Revokes rules of one group by their ids, so that nobody else's can be meant. What is gone already is no error.
pub(crate) async fn revoke(cloud: &Aws, rules: &[SdkRule]) -> Result<(), CallError> {
    let Some(group) = rules.iter().find_map(SdkRule::group_id) else { return Ok(()) };
    let ids = |egress: bool| -> Vec<String> {
        let rules = rules.iter().filter(|rule| rule.is_egress() == Some(egress));
        rules.filter_map(|rule| rule.security_group_rule_id.clone()).collect()
    };
    let (ingress, egress) = (ids(false), ids(true));
    if !ingress.is_empty() {
        let request = cloud.ec2.revoke_security_group_ingress().group_id(group);
        request.set_security_group_rule_ids(Some(ingress)).send().await.ensured()?;
    }
    if !egress.is_empty() {
        let request = cloud.ec2.revoke_security_group_egress().group_id(group);
        request.set_security_group_rule_ids(Some(egress)).send().await.ensured()?;
    }
    Ok(())
}

/// AWS writes "all ports" as -1.
fn port(port: Option<u16>) -> i32 {
    port.map_or(-1, i32::from)
}

fn permission(spec: &SecurityGroupRuleSpec<Resolved>) -> IpPermission {
    let description = Some(spec.description.clone()).filter(|text| !text.is_empty());
    let addresses = spec.cidr.map(|cidr| {
        let range = IpRange::builder().cidr_ip(cidr.to_string());
        vec![range.set_description(description.clone()).build()]
    });
    let groups = spec.peer_group.as_ref().map(|group| {
        let pair = UserIdGroupPair::builder().group_id(group.as_str());
        vec![pair.set_description(description.clone()).build()]
    });
    let lists = spec.prefix_list.as_ref().map(|list| {
        let list = SdkPrefixListId::builder().prefix_list_id(list.as_str());
        vec![list.set_description(description.clone()).build()]
    });
    IpPermission::builder()
        .ip_protocol(&spec.protocol)
        .from_port(port(spec.from_port))
        .to_port(port(spec.to_port))
        .set_ip_ranges(addresses)
        .set_user_id_group_pairs(groups)
        .set_prefix_list_ids(lists)
        .build()
}

fn observe(rule: &SdkRule) -> Option<Observation<SecurityGroupRule>> {
    let id = rule.security_group_rule_id()?;
    let port = |port: Option<i32>| port.and_then(|port| u16::try_from(port).ok());
    let peer_group = rule.referenced_group_info().and_then(|group| group.group_id());
    Some(Observation {
        id: Id::new(id),
        tags: Some(tags(rule.tags())),
        readiness: Readiness::Ready,
        spec: SecurityGroupRuleSpec {
            group: rule.group_id().map(SecurityGroupId::new),
            direction: rule.is_egress().map(|egress| if egress { Direction::Egress } else { Direction::Ingress }),
            protocol: rule.ip_protocol().map(str::to_owned),
            from_port: Some(port(rule.from_port())),
            to_port: Some(port(rule.to_port())),
            cidr: Some(rule.cidr_ipv4().and_then(|cidr| cidr.parse().ok())),
            peer_group: Some(peer_group.map(SecurityGroupId::new)),
            prefix_list: Some(rule.prefix_list_id().map(PrefixListId::new)),
            description: Some(rule.description().unwrap_or_default().to_owned()),
        },
        outputs: Some(SecurityGroupRuleOutputs { id: SecurityGroupRuleId::new(id) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ec2::types::ReferencedSecurityGroup;
    use serde_json::json;

    #[test]
    fn a_rule_is_read_as_aws_shows_it() {
        let sdk = SdkRule::builder()
            .security_group_rule_id("sgr-1")
            .group_id("sg-1")
            .is_egress(false)
            .ip_protocol("tcp")
            .from_port(5432)
            .to_port(5432)
            .referenced_group_info(ReferencedSecurityGroup::builder().group_id("sg-2").build())
            .description("from the cluster")
            .build();
        assert_eq!(
            observe(&sdk).unwrap().spec.to_json(),
            json!({
                "group": "sg-1", "direction": "ingress", "protocol": "tcp", "from_port": 5432, "to_port": 5432,
                "cidr": null, "peer_group": "sg-2", "prefix_list": null, "description": "from the cluster",
            })
        );
    }

    #[test]
    fn all_ports_are_none() {
        let sdk = SdkRule::builder().security_group_rule_id("sgr-1").ip_protocol("-1").from_port(-1).to_port(-1);
        let seen = observe(&sdk.is_egress(true).cidr_ipv4("0.0.0.0/0").build()).unwrap();
        assert_eq!((seen.spec.from_port, seen.spec.to_port), (Some(None), Some(None)));
        assert_eq!(seen.spec.direction, Some(Direction::Egress));
        assert_eq!(seen.spec.description, Some(String::new()));
    }

    #[test]
    fn a_permission_names_the_one_peer() {
        let spec = json!({
            "group": "sg-1", "direction": "egress", "protocol": "-1", "from_port": null, "to_port": null,
            "cidr": "0.0.0.0/0", "peer_group": null, "prefix_list": null, "description": "",
        });
        let permission = permission(&Record::from_json(spec).unwrap());
        assert_eq!((permission.from_port(), permission.to_port()), (Some(-1), Some(-1)));
        assert_eq!(permission.ip_ranges()[0].cidr_ip(), Some("0.0.0.0/0"));
        assert_eq!(permission.ip_ranges()[0].description(), None);
        assert!(permission.user_id_group_pairs().is_empty() && permission.prefix_list_ids().is_empty());
    }
}
