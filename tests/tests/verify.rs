//! `verify`, and what else answers questions about a platform: environments, the manual, the version.

use bedplate_tests::{Cloud, JsonExt, Project};
use serde_json::json;

#[test]
fn a_platform_keeps_its_promises_until_somebody_breaks_one() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    project.run(&["verify"]).exits(3).says(&["nothing was applied yet"]);
    project.bootstrap();
    cloud.reset_calls();
    let verified = project.run(&["verify", "--json"]).ok().json();
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
    let promises = verified.list("promises");
    assert!(promises.len() > 25, "{}", promises.len());
    let not_ok: Vec<_> = promises.iter().filter(|promise| promise["status"] != "ok").collect();
    assert!(not_ok.is_empty(), "{not_ok:#?}");

    // By hand, behind its back.
    let bucket = "fintechglobal-data-lake-797923187401-us-east-1";
    cloud.call("s3", "delete_public_access_block", json!({"Bucket": bucket}));
    cloud.call(
        "dynamodb",
        "update_table",
        json!({"TableName": "fintech-sessions", "DeletionProtectionEnabled": false}),
    );
    let flow_log = project.id("network/flow-log");
    cloud.ec2("delete_flow_logs", json!({"FlowLogIds": [flow_log]}));
    let run = project.run(&["verify"]).exits(1).says(&["3 promises broken", "bedplate drift --repair"]);
    assert!(run.stdout.contains("storage/data-lake") && run.stdout.contains("it does not exist"), "{run}");
    let verified = project.run(&["verify", "--json"]).exits(1).json();
    let broken: Vec<&str> = verified
        .list("promises")
        .iter()
        .filter(|promise| promise["status"] == "broken")
        .map(|promise| promise.text("what"))
        .collect();
    assert_eq!(
        broken,
        ["the VPC's traffic is logged", "the table cannot be deleted by mistake", "no bucket can be made public"]
    );
    project.run(&["drift", "--repair", "--yes"]).ok();
    project.run(&["verify"]).ok();
}

#[test]
fn one_file_has_two_environments() {
    let cloud = Cloud::start();
    let different =
        "[environments.development]\nproject_name = \"fintechdev\"\n[environments.development.network]\nzones = 3";
    let project = Project::with(&cloud, different);
    let setting = |run: bedplate_tests::Run, path: &str| {
        let all = run.ok().json();
        let found = all.list("settings").iter().find(|setting| setting["path"] == path).cloned();
        found.unwrap_or_else(|| panic!("no {path} in {all:#}"))
    };
    let zones = setting(project.run(&["config", "--json"]), "network.zones");
    assert_eq!((&zones["value"], &zones["origin"]), (&json!(2), &json!("default")));
    let chosen = [("BEDPLATE_ENVIRONMENT", "development")];
    let zones = setting(project.run_with(&["config", "--json"], &chosen), "network.zones");
    assert_eq!((&zones["value"], &zones["origin"]), (&json!(3), &json!({"file": 9})));
    let environment = setting(project.run(&["--environment", "development", "config", "--json"]), "environment");
    assert_eq!(environment["value"], "development");

    let plan = project.run(&["--environment", "development", "plan", "--json"]).ok().plan();
    assert!(plan.changes().contains_key("network/subnet/app-c"), "{:?}", plan.changes().keys());
    assert!(!project.plan().changes().contains_key("network/subnet/app-c"));
    project.run(&["--environment", "staging", "plan"]).exits(3).says(&["staging", "production or development"]);
}

#[test]
fn the_manual_and_the_version_are_there() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    let page = project.run(&["man"]).ok().stdout;
    assert!(page.contains(".TH bedplate 1") && page.contains("bootstrap"), "{page}");
    project.run(&["man", "--out", "pages"]).ok();
    assert!(project.read("pages/bedplate-import.1").contains("from\\-terraform"));
    let version = project.run(&["--version"]).ok().stdout;
    for fact in ["bedplate ", "commit: ", "target: ", "rustc:  "] {
        assert!(version.contains(fact), "{version}");
    }
    assert_eq!(project.run(&["-V"]).ok().stdout.lines().count(), 1);
}
