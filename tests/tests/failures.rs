//! What goes wrong halfway: a failed call, an interruption, a plan that is out of date. The next run goes on.

use bedplate_tests::{Cloud, Inventory, JsonExt, Project, without_kept};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

fn counts(cloud: &Cloud) -> BTreeMap<String, usize> {
    cloud.inventory().into_iter().map(|(kind, ids)| (kind, ids.len())).collect()
}

/// How many there are of everything when nothing goes wrong.
static UNDISTURBED: LazyLock<BTreeMap<String, usize>> = LazyLock::new(|| built(""));

fn built(settings: &str) -> BTreeMap<String, usize> {
    let cloud = Cloud::start();
    Project::network_and_cluster(&cloud, settings).bootstrap();
    counts(&cloud)
}

#[test]
fn a_failed_call_stops_only_what_depends_on_it() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    cloud.fail_next("ec2:CreateFlowLogs", "FlowLogsLimitExceeded", "You have reached the maximum number of flow logs");
    cloud.fail_next("ec2:AllocateAddress", "AddressLimitExceeded", "The maximum number of addresses has been reached.");
    let run = project.run(&["bootstrap", "--yes", "--json"]).exits(1);
    let result = run.json();
    assert_eq!(result["ok"], false);

    let failed = result.list("failed");
    let of = |operation: &str| {
        failed.iter().find(|it| it["operation"] == operation).unwrap_or_else(|| panic!("{failed:#?}"))
    };
    assert_eq!(failed.len(), 2, "{failed:#?}");
    let flow_log = of("ec2:CreateFlowLogs");
    assert_eq!(flow_log["address"], "network/flow-log");
    assert_eq!(flow_log["code"], "FlowLogsLimitExceeded");
    assert!(flow_log.text("message").contains("maximum number of flow logs"), "{flow_log}");
    assert!(!flow_log.text("request_id").is_empty(), "{flow_log}");
    assert!(flow_log.text("hint").contains("quota"), "{flow_log}");
    let address = of("ec2:AllocateAddress").text("address");
    let letter = address.strip_prefix("network/elastic-ip/").unwrap_or_else(|| panic!("{address}"));

    // What needs the address, and what needs that.
    let skipped: BTreeSet<&str> = result.list("skipped").iter().map(|it| it.text("address")).collect();
    let table = format!("network/route-table/app-{letter}");
    for needs in [&format!("network/nat/{letter}"), &table, "network/endpoint/s3", "cluster/node-group/system-ng"] {
        assert!(skipped.contains(needs), "{needs}: {skipped:?}");
    }
    assert!(result.list("skipped").iter().all(|it| it["because"] == address), "{:#}", result["skipped"]);
    // Everything else is there: also what took long.
    let done: BTreeSet<&str> = result.list("done").iter().map(|it| it.text("address")).collect();
    for other in ["cluster/cluster", "network/endpoint/sts", "security/role/app", "network/rule/database-from-cluster"]
    {
        assert!(done.contains(other), "{other}: {done:?}");
    }
    let left = project.plan();
    assert_eq!(left.with("create"), &skipped | &failed.iter().map(|it| it.text("address")).collect());
    assert_eq!(left.0["summary"]["unchanged"], done.len());
    assert_eq!(run.events("failed").len(), 2);

    // For people.
    cloud.fail_next("ec2:CreateFlowLogs", "UnauthorizedOperation", "You are not authorized to perform this operation.");
    let words = [
        "network/flow-log",
        "ec2:CreateFlowLogs",
        "UnauthorizedOperation",
        "request id",
        "IAM policy",
        "goes on from here",
    ];
    project.run(&["bootstrap", "--yes"]).exits(1).says(&words);

    project.bootstrap();
    project.assert_no_changes();
    assert_eq!(counts(&cloud), *UNDISTURBED);
}

#[test]
fn a_lost_answer_makes_no_second_resource() {
    const SETTINGS: &str = "[cluster]\nenabled = false";
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, SETTINGS);
    // Each happens, and the answer is a server's error: what has a token or a name, and what only its tags tell.
    for operation in [
        "ec2:AllocateAddress",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateInternetGateway",
        "ec2:CreateNatGateway",
        "ec2:CreateSecurityGroup",
        "ec2:CreateSubnet",
        "ec2:CreateVpc",
        "ec2:CreateVpcEndpoint",
        "iam:CreateRole",
        "kms:CreateKey",
        "logs:CreateLogGroup",
    ] {
        cloud.lose_next_answer(operation);
    }
    // A failure stops what depends on it, so each run gets one step further at least.
    let runs = (0..6).map(|_| project.run(&["bootstrap", "--yes"])).find(|run| run.code == Some(0));
    assert!(runs.is_some(), "{}", project.run(&["bootstrap", "--yes"]));
    project.assert_no_changes();
    assert_eq!(counts(&cloud), built(SETTINGS));
}

#[test]
fn a_lost_answer_makes_no_second_watch_over_the_costs() {
    let cloud = Cloud::start();
    let project = Project::with(&cloud, "[cluster]\nenabled = false");
    for operation in
        ["budgets:CreateBudget", "ce:CreateAnomalyMonitor", "ce:CreateAnomalySubscription", "sns:CreateTopic"]
    {
        cloud.lose_next_answer(operation);
    }
    let target = ["apply", "--yes", "--target", "costs"];
    let runs = (0..4).map(|_| project.run(&target)).find(|run| run.code == Some(0));
    assert!(runs.is_some(), "{}", project.run(&target));
    let there = counts(&cloud);
    assert_eq!((there["ce.anomaly-monitor"], there["ce.anomaly-subscription"]), (1, 1));
    assert!(project.plan().changes().keys().all(|address| !address.starts_with("costs/")));
}

#[test]
fn what_is_repeated_is_told() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "[cluster]\nenabled = false");
    cloud.fail_next("ec2:CreateSecurityGroup", "RequestLimitExceeded", "Request limit exceeded.");
    project.run(&["bootstrap", "--yes", "-v"]).ok().says(&["ec2:CreateSecurityGroup, 1 of them again"]);
}

#[test]
fn an_interrupted_run_goes_on() {
    // Long enough that only the clock's jump ends it.
    let cloud = Cloud::with(&["--durations", "quick,cluster.create=36000"]);
    let project = Project::network_and_cluster(&cloud, "");
    let mut run = project.start(&["bootstrap", "--yes", "--json"]);
    run.wait_for(&["\"waiting\"", "cluster/cluster", "CREATING"]);
    run.interrupt();
    let run = run.finish().exits(130);
    let result = run.json();
    assert_eq!(result["ok"], false);
    assert_eq!(result["failed"], json!([]));
    let skipped: BTreeSet<&str> = result.list("skipped").iter().map(|it| it.text("address")).collect();
    assert!(skipped.contains("cluster/cluster") && skipped.contains("cluster/node-group/system-ng"), "{skipped:?}");
    let state = project.state();
    assert_eq!(state["resources"]["cluster/cluster"]["id"], "fintechglobal-cluster");
    assert_eq!(state["resources"]["cluster/cluster"]["status"], "creating");
    assert_eq!(state["resources"]["network/vpc"]["status"], "ready");

    cloud.advance(36000);
    project.bootstrap();
    project.assert_no_changes();
    assert_eq!(cloud.calls()["eks:CreateCluster"], 1);
    assert_eq!(counts(&cloud), *UNDISTURBED);
}

/// EKS answers nothing of the access entries of a cluster that is on its way in or out.
#[test]
fn a_run_that_was_cut_off_while_the_cluster_comes_or_goes_goes_on() {
    let cloud = Cloud::with(&["--durations", "quick,cluster.create=36000,cluster.delete=36000"]);
    let project = Project::network_and_cluster(&cloud, "");
    // In all this time the access logs arrive.
    let destroy = ["destroy", "--yes", "--lift-protection", "--empty-buckets", "--json"];
    for (args, state) in [(&["bootstrap", "--yes", "--json"][..], "CREATING"), (&destroy, "DELETING")] {
        let mut run = project.start(args);
        run.wait_for(&["\"waiting\"", "cluster/cluster", state]);
        run.kill();
        project.plan();
        // Also when nothing is known of it.
        fs_err::rename(project.state_path(), project.path("moved.json")).unwrap();
        project.plan();
        fs_err::rename(project.path("moved.json"), project.state_path()).unwrap();
        cloud.advance(36000);
        project.run(args).ok();
    }
    assert_eq!(cloud.inventory().get("eks.cluster"), None);
}

#[test]
fn a_saved_plan_is_applied_as_it_is_or_not_at_all() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "[cluster]\nenabled = false");
    // Before the first run.
    let plan = project.run(&["plan", "--out", "first.plan", "--json"]).ok().plan();
    project.run(&["apply", "first.plan", "--yes"]).ok();
    assert_eq!(plan.with("create").len(), project.state()["resources"].as_object().unwrap().len());
    project.assert_no_changes();

    project.configure("[network]\nflow_logs_retention_days = 30\n[cluster]\nenabled = false");
    project.run(&["plan", "--out", "second.plan"]).ok();
    let retention = |days: Value| {
        let groups = cloud.call("logs", "describe_log_groups", json!({}));
        assert_eq!(groups["logGroups"][0]["retentionInDays"], days);
    };
    retention(json!(90));
    project.run(&["apply", "second.plan", "--yes"]).ok();
    retention(json!(30));

    // The state moved since.
    cloud.reset_calls();
    for plan in ["first.plan", "second.plan"] {
        project.run(&["apply", plan, "--yes"]).exits(3).says(&[plan, "another state", "bedplate plan --out"]);
    }
    project.write("third.plan", "{}");
    project.run(&["apply", "third.plan", "--yes"]).exits(3).says(&["third.plan"]);
    project.run(&["apply", "nowhere.plan", "--yes"]).exits(3).says(&["nowhere.plan"]);
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
}

/// What was made is not found at once by the calls that name it, also not by those that read its parts.
#[test]
fn what_is_not_known_everywhere_yet_is_waited_for() {
    let cloud = Cloud::with(&["--use-lag", "4"]);
    let project = Project::network_and_cluster(&cloud, "");
    project.bootstrap();
    assert_eq!(counts(&cloud), *UNDISTURBED);
    project.assert_no_changes();
    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    assert_eq!(without_kept(cloud.inventory()), Inventory::new());
}
