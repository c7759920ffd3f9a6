//! What scripts read: with `--json` every command that answers something gives one JSON document on standard output.

use bedplate_tests::{Cloud, JsonExt, Project};
use serde_json::{Value, json};

/// Commands that change nothing in AWS and need no answer. Those that write a file write it into the project's folder.
const COMMANDS: &[&[&str]] = &[
    &["config"],
    &["preflight"],
    &["plan"],
    &["plan", "--no-refresh"],
    &["plan", "--detailed-exitcode"],
    &["plan", "--target", "network/vpc"],
    &["plan", "--out", "saved.plan"],
    &["drift"],
    &["cost"],
    &["verify"],
    &["output"],
    &["output", "cluster_endpoint"],
    &["output", "public_subnet_ids"],
    &["kubeconfig"],
    &["kubeconfig", "--out", "written"],
    &["kubeconfig", "--merge"],
    &["token", "--cluster", "fintechglobal-cluster", "--region", "us-east-1"],
    &["report"],
    &["graph"],
    &["graph", "--drift"],
    &["graph", "--format", "json"],
    &["state", "list"],
    &["state", "show", "network/vpc"],
    &["state", "pull"],
    &["state", "unlock"],
    &["state", "recover"],
    // There is nothing to do any more.
    &["apply", "--yes"],
    &["apply", "--yes", "saved.plan"],
    &["bootstrap", "--yes"],
    &["drift", "--repair", "--yes"],
];

/// With more arguments in front.
fn with<'a>(command: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [command, more].concat()
}

#[test]
fn every_command_that_answers_gives_one_document() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    // One that does something.
    let run = project.run(&["bootstrap", "--yes", "--json"]).ok();
    assert!(run.json()["outputs"]["vpc_id"].is_string(), "{run}");
    for command in COMMANDS {
        let run = project.run(&with(command, &["--json"])).ok();
        run.json();
        // And everything else is one, a line.
        for line in run.stderr.lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?} in {run}"));
            assert!(event["event"].is_string(), "{run}");
        }
    }

    // The forms that are not the same as without --json.
    let graph = project.run(&["graph", "--json"]).ok().json();
    assert_eq!(graph, project.run(&["graph", "--format", "json"]).ok().json());
    let written = project.run(&["kubeconfig", "--out", "written", "--json"]).ok().json();
    assert_eq!(written["written"], "written", "{written:#}");
    assert_eq!(written["context"], "fintechglobal-cluster", "{written:#}");
    let file: Value = serde_json::from_str(&project.read("written")).unwrap();
    assert_eq!(file["clusters"][0]["cluster"]["server"], written["endpoint"]);
    let merged = project.run(&["kubeconfig", "--merge", "--json"]).ok().json();
    assert!(merged.text("written").ends_with(".kube/config"), "{merged:#}");
    // A picture that is asked for is the result.
    assert!(project.run(&["graph", "--format", "svg", "--json"]).ok().stdout.starts_with("<svg "));
}

#[test]
fn a_plan_tells_scripts_what_it_tells_people() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    let plan = project.plan().0;
    let way: Vec<&str> = plan.list("critical_path").iter().filter_map(Value::as_str).collect();
    assert!(way.contains(&"cluster/cluster"), "{way:?}");
    let planned = |address: &str| plan.list("changes").iter().find(|change| change["address"] == address).unwrap();
    let sum: u64 = way.iter().map(|address| planned(address)["expected_seconds"].as_u64().unwrap()).sum();
    assert_eq!(plan["expected_seconds"], sum, "{way:?}");
    for change in plan.list("changes") {
        assert_eq!((&change["missing_meanwhile"], &change["removes"]), (&json!(false), &json!([])), "{change:#}");
    }
}

#[test]
fn a_plan_that_cannot_be_made_leaves_standard_output_empty() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "[network]\nno_such_setting = 1\n");
    for command in [&["plan"][..], &["apply", "--yes"], &["bootstrap", "--yes"], &["drift"], &["output"]] {
        let run = project.run(&with(command, &["--json"])).exits(3);
        assert_eq!(run.stdout, "", "{run}");
        assert_eq!(run.events("error").len(), 1, "{run}");
    }
}
