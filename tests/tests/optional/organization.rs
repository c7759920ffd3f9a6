//! The row "organization policies".

use crate::{SMALL, project};
use bedplate_tests::{Cloud, JsonExt, Project, without_kept};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const SERVICE_CONTROL: &str = "SERVICE_CONTROL_POLICY";

/// An organization that the account manages, with a unit and both types of policies switched on.
struct Organization {
    root: String,
    unit: String,
}

fn organization(cloud: &Cloud) -> Organization {
    cloud.call("organizations", "create_organization", json!({"FeatureSet": "ALL"}));
    let root = cloud.call("organizations", "list_roots", json!({}))["Roots"][0].text("Id").to_owned();
    let unit = json!({"ParentId": root, "Name": "workloads"});
    let unit =
        cloud.call("organizations", "create_organizational_unit", unit)["OrganizationalUnit"].text("Id").to_owned();
    Organization { root, unit }
}

fn switch_on(cloud: &Cloud, root: &str, kind: &str) {
    cloud.call("organizations", "enable_policy_type", json!({"RootId": root, "PolicyType": kind}));
}

fn settings(target: &str, more: &str) -> String {
    format!("[organization]\nenabled = true\ntargets = [\"{target}\"]\n{more}")
}

/// The documents of the policies on a target that are not AWS's, by name.
fn attached(cloud: &Cloud, target: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for kind in [SERVICE_CONTROL, "TAG_POLICY"] {
        let request = json!({"TargetId": target, "Filter": kind});
        let answer = cloud.call("organizations", "list_policies_for_target", request);
        for summary in answer.list("Policies").iter().filter(|summary| summary["AwsManaged"] == false) {
            let policy = cloud.call("organizations", "describe_policy", json!({"PolicyId": summary["Id"]}));
            let content = serde_json::from_str(policy["Policy"].text("Content")).expect("a document");
            found.insert(summary.text("Name").to_owned(), content);
        }
    }
    found
}

fn statement(documents: &BTreeMap<String, Value>, name: &str) -> Value {
    documents[name].list("Statement")[0].plain()
}

#[test]
fn it_is_refused_where_it_cannot_be() {
    let cloud = Cloud::start();
    let project: Project = project(&cloud, &settings("r-ab12", ""));
    let refused = |words: &[&str]| {
        cloud.reset_calls();
        for command in [&["plan"][..], &["preflight"], &["bootstrap", "--yes"], &["apply", "--yes"]] {
            project.run(command).exits(3).says(words);
        }
        assert_eq!(cloud.mutating_calls(), 0);
        assert!(!project.state_path().exists(), "nothing was recorded");
    };
    refused(&["belongs to no organization", "enabled = false"]);

    cloud.call("organizations", "accept_handshake", json!({"HandshakeId": "h-examplehandshakeid111"}));
    refused(&["is a member of the organization of 111111111111", "only that account can have policies"]);
    cloud.call("organizations", "leave_organization", json!({}));

    let Organization { root, unit } = organization(&cloud);
    refused(&["SERVICE_CONTROL_POLICY are not switched on", &format!("enable-policy-type --root-id {root}")]);
    switch_on(&cloud, &root, SERVICE_CONTROL);
    refused(&["TAG_POLICY are not switched on", "--policy-type TAG_POLICY"]);
    switch_on(&cloud, &root, "TAG_POLICY");
    refused(&["names r-ab12, which the organization does not have"]);
    project.configure(&format!("{SMALL}{}", settings("ou-ab12-12345678", "")));
    refused(&["names ou-ab12-12345678, which the organization does not have"]);
    project.configure(&format!("{SMALL}{}", settings("999999999999", "")));
    refused(&["names 999999999999, which the organization does not have"]);

    project.configure(&format!("{SMALL}{}", settings(&unit, "")));
    project.run(&["preflight"]).ok();
}

#[test]
fn a_member_looks_for_unusual_costs_in_services() {
    let cloud = Cloud::start();
    cloud.call("organizations", "accept_handshake", json!({"HandshakeId": "h-examplehandshakeid111"}));
    let without = ["cluster", "database", "cache", "sessions"].map(|layer| format!("{layer}.enabled = false\n"));
    let project = Project::with(&cloud, &without.concat());
    project.bootstrap();
    let monitors = cloud.call("ce", "get_anomaly_monitors", json!({}));
    let [monitor] = monitors.list("AnomalyMonitors") else { panic!("{monitors:#}") };
    assert_eq!(monitor["MonitorDimension"], "SERVICE");
    // What was made for a member stays.
    cloud.call("organizations", "leave_organization", json!({}));
    project.assert_no_changes();
    fs_err::remove_file(project.state_path()).unwrap();
    project.run(&["state", "recover", "--yes"]).ok();
    project.assert_no_changes();
}

fn assert_documents(documents: &BTreeMap<String, Value>) {
    let names: BTreeSet<&str> = documents.keys().map(String::as_str).collect();
    let expected = ["deny-root-user", "protect-cloudtrail", "restrict-regions", "tags"];
    assert_eq!(names, expected.map(|name| format!("fintechglobal-{name}")).iter().map(String::as_str).collect());

    let root = statement(documents, "fintechglobal-deny-root-user");
    assert_eq!((&root["Effect"], &root["Action"], &root["Resource"]), (&json!("Deny"), &json!("*"), &json!("*")));
    assert_eq!(root["Condition"]["ArnLike"], json!({"aws:PrincipalArn": "arn:aws:iam::*:root"}));

    let exempt = json!({"aws:PrincipalArn": "arn:aws:iam::*:role/OrganizationAccountAccessRole"});
    let regions = statement(documents, "fintechglobal-restrict-regions");
    assert_eq!((&regions["Effect"], &regions["Resource"]), (&json!("Deny"), &json!("*")));
    assert_eq!(regions["Condition"]["StringNotEquals"], json!({"aws:RequestedRegion": "us-east-1"}));
    assert_eq!(regions["Condition"]["ArnNotLike"], exempt);
    let global = regions.list("NotAction");
    for service in ["iam:*", "organizations:*", "sts:*", "support:*", "route53:*", "cloudfront:*", "budgets:*", "kms:*"]
    {
        assert!(global.contains(&json!(service)), "{service} would be lost");
    }

    let trails = statement(documents, "fintechglobal-protect-cloudtrail");
    assert_eq!((&trails["Effect"], &trails["Resource"]), (&json!("Deny"), &json!("arn:aws:cloudtrail:*:*:trail/*")));
    assert!(trails.list("Action").contains(&json!("cloudtrail:StopLogging")), "{trails:#}");
    assert_eq!(trails["Condition"]["ArnNotLike"], exempt);

    let tags = &documents["fintechglobal-tags"]["tags"];
    for key in ["Environment", "Owner", "Project"] {
        assert_eq!(tags[key]["tag_key"]["@@assign"], key);
        assert_eq!(tags[key].get("enforced_for"), None, "it prevents nothing");
    }
    assert_eq!(tags["Environment"]["tag_value"]["@@assign"], json!(["development", "production"]));
}

#[test]
fn it_comes_changes_and_goes() {
    let cloud = Cloud::start();
    let Organization { root, unit } = organization(&cloud);
    switch_on(&cloud, &root, SERVICE_CONTROL);
    switch_on(&cloud, &root, "TAG_POLICY");
    let project = project(&cloud, "");
    project.bootstrap();
    assert!(attached(&cloud, &unit).is_empty(), "it is off unless it is asked for");
    let before = without_kept(cloud.inventory());

    let on = format!("{SMALL}{}", settings(&unit, ""));
    project.configure(&on);
    project.apply();
    let documents = attached(&cloud, &unit);
    assert_documents(&documents);
    assert!(attached(&cloud, &root).is_empty());
    let id = project.id("organization/deny-root-user");
    let tags = cloud.call("organizations", "list_tags_for_resource", json!({"ResourceId": id})).tags();
    assert_eq!(
        (tags["bedplate:address"].as_str(), tags["Project"].as_str()),
        ("organization/deny-root-user", "fintechglobal")
    );
    cloud.reset_calls();
    project.run(&["bootstrap", "--yes"]).ok();
    assert_eq!(cloud.mutating_calls(), 0);
    project.assert_no_changes();

    // Another target, more regions, other exemptions; one policy less.
    let more = "allowed_regions = [\"eu-west-1\"]\nexempt_roles = [\"team/Admin\"]\ntag_policy = false\n";
    project.configure(&format!("{SMALL}{}", settings(&root, more)));
    let plan = project.plan();
    let updated = ["organization/deny-root-user", "organization/protect-cloudtrail", "organization/restrict-regions"];
    assert_eq!((plan.with("update"), plan.with("delete")), (updated.into(), ["organization/tags"].into()));
    project.apply();
    assert!(attached(&cloud, &unit).is_empty());
    let moved = attached(&cloud, &root);
    let regions = statement(&moved, "fintechglobal-restrict-regions");
    assert_eq!(regions["Condition"]["StringNotEquals"]["aws:RequestedRegion"], json!(["eu-west-1", "us-east-1"]));
    assert_eq!(regions["Condition"]["ArnNotLike"]["aws:PrincipalArn"], "arn:aws:iam::*:role/team/Admin");
    assert_eq!(moved.len(), 3);
    project.assert_no_changes();
    project.configure(&on);
    project.apply();
    assert_eq!(attached(&cloud, &unit), documents);

    project.configure(SMALL);
    project.apply();
    assert_eq!(without_kept(cloud.inventory()), before);
    project.assert_no_changes();
}

#[test]
fn what_others_change_and_delete_is_put_back() {
    let cloud = Cloud::start();
    let Organization { root, unit } = organization(&cloud);
    switch_on(&cloud, &root, SERVICE_CONTROL);
    switch_on(&cloud, &root, "TAG_POLICY");
    let project = project(&cloud, &settings(&unit, ""));
    project.bootstrap();
    let documents = attached(&cloud, &unit);
    let ours = |name: &str| project.id(&format!("organization/{name}"));

    let weak = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]});
    let weak = json!({"PolicyId": ours("deny-root-user"), "Content": weak.to_string(), "Description": "Theirs", "Name": "theirs"});
    cloud.call("organizations", "update_policy", weak);
    let regions = ours("restrict-regions");
    cloud.call("organizations", "detach_policy", json!({"PolicyId": regions, "TargetId": unit}));
    cloud.call("organizations", "attach_policy", json!({"PolicyId": regions, "TargetId": root}));
    let trails = ours("protect-cloudtrail");
    cloud.call("organizations", "detach_policy", json!({"PolicyId": trails, "TargetId": unit}));
    cloud.call("organizations", "delete_policy", json!({"PolicyId": trails}));

    let plan = project.plan();
    let updated = ["organization/deny-root-user", "organization/restrict-regions"];
    assert_eq!(plan.with("update"), updated.into());
    plan.assert_drift("organization/protect-cloudtrail", "create", &[]);
    let fields = plan.change("organization/deny-root-user").list("fields").iter();
    let fields: BTreeSet<&str> = fields.map(|field| field.text("path").split('.').next().expect("a field")).collect();
    assert_eq!(fields, ["content", "description", "name"].into());
    project.run(&["drift"]).exits(2);
    project.run(&["drift", "--repair", "--yes"]).ok();
    assert_eq!(attached(&cloud, &unit), documents);
    assert!(attached(&cloud, &root).is_empty());
    project.assert_no_changes();

    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    let left = without_kept(cloud.inventory());
    assert_eq!(left.keys().collect::<Vec<_>>(), ["organizations.unit"], "{left:?}");
}

#[test]
fn a_policy_of_another_that_has_the_name_is_left_alone() {
    let cloud = Cloud::start();
    let Organization { root, unit } = organization(&cloud);
    switch_on(&cloud, &root, SERVICE_CONTROL);
    switch_on(&cloud, &root, "TAG_POLICY");
    let theirs = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]});
    let theirs = json!({
        "Name": "fintechglobal-deny-root-user",
        "Description": "Theirs",
        "Type": SERVICE_CONTROL,
        "Content": theirs.to_string(),
    });
    let theirs = cloud.call("organizations", "create_policy", theirs)["Policy"].clone();
    let project = project(&cloud, &settings(&unit, ""));
    project.run(&["bootstrap", "--yes"]).exits(1).says(&["DuplicatePolicyException", "same name already exists"]);
    let id = theirs["PolicySummary"]["Id"].clone();
    let after = cloud.call("organizations", "describe_policy", json!({"PolicyId": id}))["Policy"].clone();
    assert_eq!(after, theirs);
}
