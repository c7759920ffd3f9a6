//! Organization: policies for the accounts of an AWS organization, when they are asked for.
//!
//! Service control policies never apply to the organization's management account, which is where they are made: whoever
//! runs this cannot be locked out by them.

use crate::{
    Layers,
    config::{Region, RoleName},
};
use bedplate_aws::organizations::{Policy, PolicySpec};
use bedplate_model::{Input, Json};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const SERVICE_CONTROL: &str = "SERVICE_CONTROL_POLICY";
const TAGS: &str = "TAG_POLICY";

/// What is not restricted to regions: services that AWS runs in one place for all of them (Organizations user guide,
/// "General examples", "Deny access to AWS based on the requested AWS Region"; Control Tower user guide, "Region deny
/// control applied to the OU"). Denied, they would be lost to the accounts altogether.
const GLOBAL: &[&str] = &[
    "account:*",
    "acm:*",
    "aws-marketplace-management:*",
    "aws-marketplace:*",
    "aws-portal:*",
    "billing:*",
    "billingconductor:*",
    "budgets:*",
    "ce:*",
    "chatbot:*",
    "chime:*",
    "cloudfront:*",
    "compute-optimizer:*",
    "config:*",
    "consolidatedbilling:*",
    "cur:*",
    "directconnect:*",
    "ec2:DescribeRegions",
    "ec2:DescribeTransitGateways",
    "ec2:DescribeVpnGateways",
    "fms:*",
    "freetier:*",
    "globalaccelerator:*",
    "health:*",
    "iam:*",
    "importexport:*",
    "invoicing:*",
    "kms:*",
    "networkmanager:*",
    "organizations:*",
    "payments:*",
    "pricing:*",
    "resource-explorer-2:*",
    "route53-recovery-cluster:*",
    "route53-recovery-control-config:*",
    "route53-recovery-readiness:*",
    "route53:*",
    "route53domains:*",
    "s3:GetAccountPublicAccessBlock",
    "s3:GetBucketLocation",
    "s3:ListAllMyBuckets",
    "s3:ListMultiRegionAccessPoints",
    "s3:PutAccountPublicAccessBlock",
    "savingsplans:*",
    "shield:*",
    "sts:*",
    "support:*",
    "supportplans:*",
    "sustainability:*",
    "tag:GetResources",
    "tax:*",
    "trustedadvisor:*",
    "waf-regional:*",
    "waf:*",
    "wafv2:*",
    "wellarchitected:*",
];

/// Declares the policies that are switched on.
pub(crate) fn declare(layers: &mut Layers<'_>) {
    let settings = &layers.config.organization;
    if settings.deny_root_user {
        let content = deny_root_user(layers);
        policy(layers, "deny-root-user", SERVICE_CONTROL, "Root users can do nothing", content);
    }
    if settings.restrict_regions {
        let content = restrict_regions(layers);
        policy(layers, "restrict-regions", SERVICE_CONTROL, "Nothing outside the regions in use", content);
    }
    if settings.protect_cloudtrail {
        let content = protect_cloudtrail(layers);
        policy(layers, "protect-cloudtrail", SERVICE_CONTROL, "Nobody stops the record of what is done", content);
    }
    if settings.tag_policy {
        policy(layers, "tags", TAGS, "How tags are written", tag_policy());
    }
}

fn policy(layers: &mut Layers<'_>, name: &str, kind: &str, description: &str, content: Json) {
    let config = layers.config;
    let targets: BTreeSet<String> = config.organization.targets.iter().map(ToString::to_string).collect();
    let spec = PolicySpec {
        kind: kind.into(),
        name: config.name(name).into(),
        description: description.into(),
        content: Input::from_expression(content),
        targets: targets.into(),
    };
    layers.graph.add::<Policy>(&format!("organization/{name}"), spec);
}

/// For the member accounts: what only the root user can do, the management account does with centralized root access.
fn deny_root_user(layers: &Layers<'_>) -> Json {
    let root = format!("arn:{}:iam::*:root", layers.facts.partition);
    // A session that the management account took with AssumeRoot is limited by its own task policy and has this key.
    let condition = json!({"ArnLike": {"aws:PrincipalArn": root}, "Null": {"aws:AssumedRoot": "true"}});
    deny("RootUser", json!({"Action": "*", "Resource": "*"}), condition)
}

fn restrict_regions(layers: &Layers<'_>) -> Json {
    let config = layers.config;
    let allowed = config.organization.allowed_regions.iter().chain([&config.region]);
    let allowed: BTreeSet<&str> = allowed.map(Region::as_str).collect();
    let condition = json!({"StringNotEquals": {"aws:RequestedRegion": allowed}});
    deny("OtherRegions", json!({"NotAction": GLOBAL, "Resource": "*"}), exempting(layers, condition))
}

fn protect_cloudtrail(layers: &Layers<'_>) -> Json {
    let actions = [
        "cloudtrail:DeleteTrail",
        "cloudtrail:PutEventSelectors",
        "cloudtrail:PutInsightSelectors",
        "cloudtrail:StopLogging",
        "cloudtrail:UpdateTrail",
    ];
    let trails = format!("arn:{}:cloudtrail:*:*:trail/*", layers.facts.partition);
    deny("Trails", json!({"Action": actions, "Resource": trails}), exempting(layers, json!({})))
}

/// A condition that does not hold for the exempt roles.
fn exempting(layers: &Layers<'_>, mut condition: Json) -> Json {
    let arn = |role: &RoleName| format!("arn:{}:iam::*:role/{role}", layers.facts.partition);
    let roles: Vec<String> = layers.config.organization.exempt_roles.iter().map(arn).collect();
    if !roles.is_empty() {
        condition["ArnNotLike"] = json!({"aws:PrincipalArn": roles});
    }
    condition
}

fn deny(sid: &str, mut statement: Json, condition: Json) -> Json {
    statement["Sid"] = json!(sid);
    statement["Effect"] = json!("Deny");
    if condition != json!({}) {
        statement["Condition"] = condition;
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// The tags that every resource of a platform has, in the spelling that they have there (Organizations user guide, "Tag
/// policy syntax").
fn tag_policy() -> Json {
    let tags = ["Environment", "Owner", "Project"].map(|key| (key, json!({"tag_key": {"@@assign": key}})));
    let mut tags = BTreeMap::from(tags);
    if let Some(environment) = tags.get_mut("Environment") {
        environment["tag_value"] = json!({"@@assign": ["development", "production"]});
    }
    json!({"tags": tags})
}
