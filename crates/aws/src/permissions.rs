//! What a principal may not do, as IAM's policy simulator has it.

use crate::{Arn, Aws, clients::HOME, error::Sent};
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use bedplate_model::CallError;
use std::collections::{BTreeMap, BTreeSet};

/// How many actions are asked for at once: AWS names no limit but that of a request's length.
const AT_ONCE: usize = 100;

/// The most answers on a page (IAM API Reference, "SimulatePrincipalPolicy").
const PAGE: i32 = 1000;

/// The services whose calls all go to one region.
const GLOBAL: [&str; 5] = ["budgets", "ce", "cur", "iam", "organizations"];

/// Who is asked about, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The IAM user or role.
    pub principal: &'a Arn,
    /// The region of the calls that go to no other.
    pub region: &'a str,
    /// The ARN of a role as it will be made: roles are what policies limit by name.
    pub role: &'a str,
}

/// What a principal may not do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denied {
    /// What no policy allows.
    pub missing: BTreeSet<String>,
    /// What a policy denies, whatever others allow.
    pub forbidden: BTreeSet<String>,
}

/// Which of these actions the principal may not do. Its own policies, its groups', its permissions boundary and its organization's
/// policies are looked at. What depends on something that is known only in the call itself counts as allowed.
///
/// # Errors
/// When a call fails: a principal may not be allowed to ask.
pub async fn denied(cloud: &Aws, question: Question<'_>, actions: &BTreeSet<&str>) -> Result<Denied, CallError> {
    let mut groups: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
    for action in actions {
        groups.entry((resource(action, question), region(action, question))).or_default().push(*action);
    }
    let mut denied = Denied::default();
    for ((resource, region), actions) in groups {
        for some in actions.chunks(AT_ONCE) {
            let request = cloud.iam.simulate_principal_policy().policy_source_arn(question.principal.as_str());
            let request = request.set_action_names(Some(some.iter().map(|action| (*action).to_owned()).collect()));
            let request = request.resource_arns(&resource).context_entries(requested(region)).max_items(PAGE);
            let answers: Result<Vec<_>, _> = request.into_paginator().items().send().collect().await;
            answers.sent()?.into_iter().for_each(|answer| denied.take(answer));
        }
    }
    Ok(denied)
}

impl Denied {
    fn take(&mut self, answer: EvaluationResult) {
        if !answer.missing_context_values().is_empty() {
            return;
        }
        match answer.eval_decision {
            PolicyEvaluationDecisionType::ImplicitDeny => self.missing.insert(answer.eval_action_name),
            PolicyEvaluationDecisionType::ExplicitDeny => self.forbidden.insert(answer.eval_action_name),
            _ => return,
        };
    }
}

/// Roles and issuers have names that policies limit; everything else is asked for on any resource.
fn resource(action: &str, question: Question<'_>) -> String {
    let Some((account, _)) = question.role.split_once(":role/") else { return "*".to_owned() };
    match action {
        "iam:CreateServiceLinkedRole" => {
            format!("{account}:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS")
        }
        it if it.starts_with("iam:") && it.contains("OpenIDConnectProvider") => {
            format!("{account}:oidc-provider/oidc.eks.{}.amazonaws.com/id/0", question.region)
        }
        it if it.starts_with("iam:") => question.role.to_owned(),
        _ => "*".to_owned(),
    }
}

/// The region that a call goes to.
fn region<'a>(action: &str, question: Question<'a>) -> &'a str {
    let service = action.split(':').next().unwrap_or_default();
    if GLOBAL.contains(&service) { HOME } else { question.region }
}

/// What the call says of its region: policies that limit regions ask for it.
fn requested(region: &str) -> ContextEntry {
    let entry = ContextEntry::builder().context_key_name("aws:RequestedRegion");
    entry.context_key_type(ContextKeyTypeEnum::String).context_key_values(region).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_asked_for_where_policies_allow_it() {
        let principal = Arn::new("arn:aws:iam::111122223333:user/ada");
        let role = "arn:aws:iam::111122223333:role/fintechglobal-node-role";
        let question = Question { principal: &principal, region: "eu-west-1", role };
        let of = |action| (resource(action, question), region(action, question));
        assert_eq!(of("iam:CreateRole"), (role.to_owned(), HOME));
        let issuer = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0";
        assert_eq!(of("iam:CreateOpenIDConnectProvider"), (issuer.to_owned(), HOME));
        let linked = "arn:aws:iam::111122223333:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS";
        assert_eq!(of("iam:CreateServiceLinkedRole"), (linked.to_owned(), HOME));
        assert_eq!(of("ec2:CreateVpc"), ("*".to_owned(), "eu-west-1"));
        assert_eq!(of("budgets:ModifyBudget"), ("*".to_owned(), HOME));
    }

    #[test]
    fn what_depends_on_the_call_itself_is_not_denied() {
        let mut denied = Denied::default();
        for (action, decision, missing) in [
            ("ec2:CreateVpc", PolicyEvaluationDecisionType::Allowed, None),
            ("ec2:CreateSubnet", PolicyEvaluationDecisionType::ImplicitDeny, None),
            ("ec2:DeleteVpc", PolicyEvaluationDecisionType::ExplicitDeny, None),
            ("rds:CreateDBCluster", PolicyEvaluationDecisionType::ImplicitDeny, Some("aws:ViaAWSService")),
        ] {
            let answer = EvaluationResult::builder().eval_action_name(action).eval_decision(decision);
            let missing = missing.map(|key| vec![key.to_owned()]);
            denied.take(answer.set_missing_context_values(missing).build().unwrap());
        }
        assert_eq!(denied.missing, ["ec2:CreateSubnet".to_owned()].into());
        assert_eq!(denied.forbidden, ["ec2:DeleteVpc".to_owned()].into());
    }
}
