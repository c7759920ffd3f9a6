//! Whether the caller may do what the declared platform takes, as far as IAM can tell beforehand.

use crate::{advice::AGAIN, exit::Refused, render::Printer, session::Session};
use anyhow::Result;
use bedplate_aws::{
    facts, iam,
    permissions::{Question, denied},
};
use bedplate_model::Reconcile;
use serde_json::json;
use std::collections::BTreeSet;

/// Refuses when a policy denies the caller something that a declared type takes, and warns of what no policy allows on any
/// resource: policies that name single resources may. Where IAM cannot be asked, that is said.
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
    if !denied.missing.is_empty() {
        printer.warning(&missing(principal.as_str(), &denied.missing));
    }
    if denied.forbidden.is_empty() {
        return Ok(());
    }
    let forbidden = list(&denied.forbidden);
    Err(Refused::new(
        format!("{principal} may not do what this platform takes: an explicit deny forbids {forbidden}"),
        format!(
            "have the deny lifted (in a policy of the organization, a permissions boundary, or the caller's own policy), or use a \
             caller that it is not for, {AGAIN}"
        ),
    ))
}

fn missing(principal: &str, actions: &BTreeSet<String>) -> String {
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    format!(
        "no policy of {principal} allows {} on every resource. Where its policies name the right ones, that is enough; \
         otherwise add this statement:\n    {statement}",
        list(actions)
    )
}

fn list(actions: &BTreeSet<String>) -> String {
    actions.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
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
