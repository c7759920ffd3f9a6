//! Whether the caller may do what the declared platform takes, as far as IAM can tell beforehand.

use crate::{advice::AGAIN, exit::Refused, render::Printer, session::Session};
use anyhow::Result;
use bedplate_aws::{
    facts, iam,
    permissions::{Denied, Question, denied},
};
use bedplate_model::Reconcile;
use serde_json::json;
use std::collections::BTreeSet;

/// Refuses when IAM says that the caller may not do something that a declared type takes. Where IAM cannot be asked, that is said.
pub(crate) async fn check(session: &Session, printer: &Printer) -> Result<()> {
    let Some(principal) = &session.caller.principal_arn else {
        printer.note(&format!("Permissions are not checked: {} is no IAM role or user.", session.caller.arn));
        return Ok(());
    };
    let region = session.local.config.region.to_string();
    let role = role(session);
    let question = Question { principal, region: &region, role: &role };
    let denied = match denied(&session.aws, question, &actions(session)).await {
        Ok(denied) => denied,
        Err(error) => {
            printer.note(&format!("Permissions are not checked: {error}."));
            return Ok(());
        }
    };
    let all: BTreeSet<&str> = denied.missing.iter().chain(&denied.forbidden).map(String::as_str).collect();
    if all.is_empty() {
        return Ok(());
    }
    Err(Refused::new(format!("{principal} may not do what this platform takes: {}", list(&all)), remedy(&denied)))
}

/// What to do. Of what is forbidden, a statement that allows it does not help.
fn remedy(Denied { missing, forbidden }: &Denied) -> String {
    let lift = format!("have the explicit deny of {} lifted, ", list(forbidden));
    let statement = json!({"Effect": "Allow", "Action": missing, "Resource": "*"});
    let add = format!("add this statement to its IAM policy, {AGAIN}:\n    {statement}");
    match (missing.is_empty(), forbidden.is_empty()) {
        (true, _) => format!("{lift}{AGAIN}"),
        (false, true) => add,
        (false, false) => format!("{lift}{add}"),
    }
}

fn list<T: AsRef<str>>(actions: &BTreeSet<T>) -> String {
    actions.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
}

/// The actions of the declared types. What lies in a cluster is the cluster's to allow.
fn actions(session: &Session) -> BTreeSet<&'static str> {
    let kinds: BTreeSet<&str> = session.graph.iter().map(|(_, node)| node.kind).collect();
    let kinds = kinds.into_iter().filter_map(|kind| session.kinds.get(kind));
    let actions = kinds.flat_map(|kind| kind.actions()).chain(facts::ACTIONS).copied();
    actions.filter(|action| !action.starts_with("kubernetes:")).collect()
}

/// The ARN of a role that the platform has.
fn role(session: &Session) -> String {
    let caller = &session.caller;
    let mut names = session.graph.iter().filter(|(_, node)| node.kind == iam::Role::KIND);
    let name = names.find_map(|(_, node)| node.draft["name"].as_str()).unwrap_or_default();
    format!("arn:{}:iam::{}:role/{name}", caller.partition, caller.account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forbidden_is_not_asked_to_be_allowed() {
        let set = |actions: &[&str]| actions.iter().map(|action| (*action).to_owned()).collect();
        let of =
            |missing: &[&str], forbidden: &[&str]| remedy(&Denied { missing: set(missing), forbidden: set(forbidden) });
        let statement = "add this statement to its IAM policy, then run the same command again:\n    \
                         {\"Action\":[\"ec2:CreateVpc\"],\"Effect\":\"Allow\",\"Resource\":\"*\"}";
        assert_eq!(of(&["ec2:CreateVpc"], &[]), statement);
        let lift = "have the explicit deny of iam:PassRole lifted, ";
        assert_eq!(of(&[], &["iam:PassRole"]), format!("{lift}then run the same command again"));
        assert_eq!(of(&["ec2:CreateVpc"], &["iam:PassRole"]), format!("{lift}{statement}"));
    }
}
