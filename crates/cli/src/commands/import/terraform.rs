//! Terraform's state (`terraform.tfstate`, version 4), as far as it names what exists.
//!
//! Of every resource its type, its name and the attributes that make its id are taken, and nothing else: the file holds
//! secrets in plain text.

use crate::{
    exit::Refused,
    render::{Printer, count},
    session::Session,
};
use anyhow::{Context, Result};
use bedplate_engine::{Candidate, Matched, Unmatched, matching};
use bedplate_model::{Address, Id, Json, JsonMap, Schema};
use owo_colors::OwoColorize;
use serde::Deserialize;
use serde_json::json;
use std::{collections::BTreeMap, path::Path};

/// The version of the format, since Terraform 0.12.
const VERSION: u64 = 4;

/// What the file says.
#[derive(Deserialize)]
pub(super) struct File {
    version: u64,
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    /// `managed`, or `data` for what is only looked at.
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    module: Option<String>,
    #[serde(default)]
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    #[serde(default)]
    index_key: Option<Json>,
    #[serde(default)]
    attributes: Option<JsonMap<String, Json>>,
}

impl Resource {
    /// As Terraform writes it: `module.vpc.aws_subnet.private[0]`.
    fn address(&self, instance: &Instance) -> String {
        let module = self.module.as_ref().map(|module| format!("{module}.")).unwrap_or_default();
        let index = instance.index_key.as_ref().map(|index| format!("[{index}]")).unwrap_or_default();
        format!("{module}{}.{}{index}", self.kind, self.name)
    }
}

/// Reads the file. What is wrong with it is said without a word of what is in it.
pub(super) fn read(path: &Path) -> Result<File> {
    let hint = "give a state as `terraform state pull` prints it";
    let refused = |what: String| Refused::new(format!("{} was not read: {what}", path.display()), hint);
    let text = fs_err::read(path).map_err(|error| refused(error.to_string()))?;
    let file: File = serde_json::from_slice(&text).map_err(|error| {
        let what = if error.is_data() { "is no Terraform state" } else { "is not JSON" };
        refused(format!("line {}, column {}: it {what}", error.line(), error.column()))
    })?;
    if file.version != VERSION {
        return Err(refused(format!("it has version {}, and version {VERSION} is known", file.version)));
    }
    Ok(file)
}

/// What the file names, as far as there is a type for it, and the types for which there is none.
fn candidates<'a>(
    file: &File,
    kinds: impl Iterator<Item = &'a dyn Schema> + Clone,
    account: &str,
) -> (Vec<Candidate>, BTreeMap<String, usize>) {
    let (mut candidates, mut unknown) = (Vec::new(), BTreeMap::new());
    for resource in file.resources.iter().filter(|resource| resource.mode == "managed") {
        let known = kinds.clone().find_map(|kind| {
            let same = kind.terraform().iter().find(|terraform| terraform.kind == resource.kind)?;
            Some((kind.name(), same.id))
        });
        for instance in &resource.instances {
            let id =
                known.and_then(|(kind, template)| Some((kind, id(template, instance.attributes.as_ref()?, account)?)));
            match id {
                Some((kind, id)) => candidates.push(Candidate { name: resource.address(instance), kind, id }),
                None => *unknown.entry(resource.kind.clone()).or_default() += 1,
            }
        }
    }
    (candidates, unknown)
}

/// Our id: a template with the attributes put in.
fn id(template: &str, attributes: &JsonMap<String, Json>, account: &str) -> Option<Id> {
    let mut id = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        id.push_str(before);
        let value = attributes.get(name).and_then(Json::as_str).filter(|value| !value.is_empty());
        id.push_str(value.or((name == "account_id").then_some(account))?);
        rest = after;
    }
    id.push_str(rest);
    Some(Id::new(id))
}

/// Says which declared resource each one is, and gives those that are one for certain; `None` when there are none.
pub(super) async fn matched(
    file: &File,
    session: &Session,
    printer: &Printer,
) -> Result<Option<BTreeMap<Address, Id>>> {
    let account = session.local.config.account_id.to_string();
    let kinds = bedplate_aws::KINDS.iter().map(|kind| *kind as &dyn Schema);
    let (candidates, unknown) = candidates(file, kinds, &account);
    let matched = matching(&session.kinds, &session.aws, &session.graph, &session.state, candidates)
        .await
        .context("looking at what Terraform's state names failed")?;
    show(&matched, &unknown, printer);
    if matched.found.is_empty() {
        if printer.json {
            printer.document(&json!({"format": 1, "ok": true, "done": [], "failed": [], "skipped": []}));
        }
        printer.note("Nothing of it can be taken over: nothing was changed.");
        return Ok(None);
    }
    Ok(Some(matched.found.into_iter().map(|(address, candidate)| (address, candidate.id)).collect()))
}

fn show(matched: &Matched, unknown: &BTreeMap<String, usize>, printer: &Printer) {
    if printer.json {
        let found = matched.found.iter();
        let found = found.map(|(address, it)| json!({"address": address, "terraform": it.name, "id": it.id}));
        let others = matched.others.iter();
        let others = others
            .map(|(it, why)| json!({"terraform": it.name, "kind": it.kind, "id": it.id, "reason": reason(it, why)}));
        printer.event(&json!({
            "event": "matched",
            "matched": found.collect::<Vec<_>>(),
            "not_matched": others.collect::<Vec<_>>(),
            "without_type": unknown,
        }));
        return;
    }
    printer.note(&format!("{} of Terraform's state can be taken over:", count(matched.found.len(), "resource")));
    for (address, it) in &matched.found {
        printer.note(&format!("  {:<44} {} {}", it.name, address.bold(), it.id.dimmed()));
    }
    if !matched.others.is_empty() {
        printer.note(&format!("\n{} cannot:", count(matched.others.len(), "resource")));
        for (it, why) in &matched.others {
            printer.note(&format!("  {:<44} {} {}", it.name, it.id, reason(it, why).dimmed()));
        }
    }
    if !unknown.is_empty() {
        let list = unknown.iter().map(|(kind, number)| format!("{kind} ({number})")).collect::<Vec<_>>().join(", ");
        printer.note(&format!(
            "\nOf types that are no resources of a platform by themselves, and are passed over: {list}"
        ));
    }
    printer.note("");
}

fn reason(candidate: &Candidate, why: &Unmatched) -> String {
    match why {
        Unmatched::Absent => "AWS does not show it".to_owned(),
        Unmatched::Recorded(address) => format!("is recorded already, at {address}"),
        Unmatched::Foreign(stack) => format!("belongs to the stack {stack}"),
        Unmatched::Unlike(None) => "the configuration declares nothing like it".to_owned(),
        Unmatched::Unlike(Some((address, fields))) if fields.is_empty() => {
            format!("{address} has another name")
        }
        Unmatched::Unlike(Some((address, fields))) => {
            format!("{address} differs in {}, which cannot be changed", fields.join(", "))
        }
        Unmatched::Ambiguous(addresses) => {
            let addresses = addresses.iter().map(Address::as_str).collect::<Vec<_>>().join(" or ");
            format!("may be {addresses}: choose with `bedplate import ADDR '{}'`", candidate.id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        file
    }

    fn refusal(text: &str) -> String {
        read(write(text).path()).err().expect("it is refused").to_string()
    }

    #[test]
    fn ids_are_made_of_attributes() {
        let text = json!({"version": 4, "resources": [
            {"mode": "managed", "type": "aws_vpc", "name": "main", "instances": [{"attributes": {"id": "vpc-1"}}]},
            {"mode": "data", "type": "aws_vpc", "name": "seen", "instances": [{"attributes": {"id": "vpc-2"}}]},
            {"mode": "managed", "type": "aws_eks_addon", "name": "a", "module": "module.eks", "instances": [
                {"index_key": "dns", "attributes": {"cluster_name": "c", "addon_name": "coredns"}}]},
            {"mode": "managed", "type": "aws_s3_bucket", "name": "b", "instances": [
                {"index_key": 0, "attributes": {"bucket": "logs"}}]},
            {"mode": "managed", "type": "random_password", "name": "p", "instances": [
                {"attributes": {"result": "hunter2"}}]},
        ]});
        let file = read(write(&text.to_string()).path()).unwrap();
        let kinds = bedplate_aws::KINDS.iter().map(|kind| *kind as &dyn Schema);
        let (candidates, unknown) = candidates(&file, kinds, "797923187401");
        let candidates: Vec<_> = candidates.iter().map(|it| (it.name.as_str(), it.kind, it.id.as_str())).collect();
        assert_eq!(
            candidates,
            [
                ("aws_vpc.main", "ec2.vpc", "vpc-1"),
                ("module.eks.aws_eks_addon.a[\"dns\"]", "eks.addon", "c|coredns"),
                ("aws_s3_bucket.b[0]", "s3.bucket", "797923187401|logs"),
            ]
        );
        assert_eq!(unknown, BTreeMap::from([("random_password".to_owned(), 1)]));
    }

    #[test]
    fn what_is_no_state_is_refused_without_a_word_of_it() {
        let wrong = refusal(r#"{"version": "hunter2"}"#);
        assert!(wrong.contains("line 1") && !wrong.contains("hunter2"), "{wrong}");
        assert!(refusal(r#"{"version": 3}"#).contains("version 3"));
        assert!(refusal("hunter2").contains("not JSON"));
    }

    #[test]
    fn a_terraform_type_is_one_of_ours() {
        let mut types: Vec<_> =
            bedplate_aws::KINDS.iter().flat_map(|kind| kind.terraform()).map(|terraform| terraform.kind).collect();
        let all = types.len();
        types.sort_unstable();
        types.dedup();
        assert_eq!(types.len(), all, "each is named once");
    }
}
