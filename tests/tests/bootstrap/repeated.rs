//! A second run changes nothing.

use crate::BUILT;
use bedplate_tests::{Cloud, Inventory, Project, without_kept};

// One test, because they count the calls of the cloud that all tests here share… which only boto3 reads meanwhile.
#[test]
fn a_second_run_says_no_changes_and_makes_none() {
    let (cloud, project) = (&BUILT.cloud, &BUILT.project);
    let before = cloud.inventory();
    let state = project.read("state/fintechglobal-production.json");
    cloud.reset_calls();

    let run = project.run(&["bootstrap", "--yes"]).ok();
    assert!(run.stdout.contains("No changes"), "{run}");
    // Nobody has to be asked when there is nothing to do.
    project.run(&["bootstrap"]).ok();
    project.run(&["apply"]).ok();
    project.run(&["drift"]).exits(0);
    project.assert_no_changes();
    let plan = project.run(&["plan", "--no-refresh", "--detailed-exitcode", "--json"]).exits(0).plan();
    assert!(plan.changes().is_empty(), "{:#}", plan.0["changes"]);

    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
    assert_eq!(cloud.inventory(), before);
    assert_eq!(project.read("state/fintechglobal-production.json"), state, "nothing was written");
}

#[test]
fn small_pages_change_nothing() {
    let cloud = Cloud::with(&["--page-size", "2"]);
    let project = Project::new(&cloud);
    project.bootstrap();
    cloud.reset_calls();
    project.assert_no_changes();
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    assert_eq!(without_kept(cloud.inventory()), Inventory::new());
}
