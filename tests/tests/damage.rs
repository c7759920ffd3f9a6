//! Files that were damaged or edited: refused with the way back, never overwritten, and never a reason to delete.

use bedplate_tests::{Cloud, Project};
use std::path::Path;

const NO_CLUSTER: &str = "[cluster]\nenabled = false";

/// What becomes of a file: cut off, one bit turned over, another id in it, all of it something else.
fn damages(good: &[u8], id: &str) -> [(&'static str, Vec<u8>); 4] {
    let text = std::str::from_utf8(good).expect("JSON");
    assert!(text.contains(id), "it names {id}");
    let mut flipped = good.to_vec();
    // In the middle of an id, where the file stays JSON.
    let at = text.find(id).expect("it is there") + id.len() - 1;
    flipped[at] ^= 1;
    [
        ("cut off", good[..good.len() / 2].to_vec()),
        ("one bit", flipped),
        ("edited", text.replace(id, "vpc-0123456789abcdef0").into_bytes()),
        ("something else", b"[]".to_vec()),
    ]
}

/// Nothing was changed in AWS, and the file is as it was.
fn assert_untouched(cloud: &Cloud, path: &Path, damaged: &[u8], what: &str) {
    assert_eq!(cloud.mutating_calls(), 0, "{what}: {:?}", cloud.calls());
    assert_eq!(fs_err::read(path).expect("it is there"), damaged, "{what}: it was not overwritten");
}

#[test]
fn a_state_that_is_not_as_it_was_saved_is_refused_and_left_as_it_is() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    project.bootstrap();
    let path = project.state_path();
    let good = fs_err::read(&path).unwrap();
    cloud.reset_calls();
    for (what, damaged) in damages(&good, &project.id("network/vpc")) {
        fs_err::write(&path, &damaged).unwrap();
        for args in [
            &["bootstrap", "--yes"][..],
            &["apply", "--yes"],
            &["destroy", "--yes", "--lift-protection"],
            &["drift", "--repair", "--yes"],
            &["state", "rm", "network/vpc", "--yes"],
            &["state", "recover"],
        ] {
            project.run(args).exits(3).says(&["fintechglobal-production.json", "mv "]);
            assert_untouched(&cloud, &path, &damaged, what);
        }
    }
    // The way back without a copy: away with it, and the next run finds everything again.
    fs_err::remove_file(&path).unwrap();
    project.assert_no_changes();
}

#[test]
fn a_saved_plan_that_is_not_as_it_was_saved_deletes_nothing() {
    let cloud = Cloud::start();
    let three = format!("{NO_CLUSTER}\n[network]\nzones = 3");
    let project = Project::network_and_cluster(&cloud, &three);
    project.bootstrap();
    // It removes what the third zone has.
    project.configure(NO_CLUSTER);
    let plan = project.run(&["plan", "--out", "saved.plan", "--json"]).ok().plan();
    assert!(plan.with("delete").contains(&"network/subnet/app-c"));
    let path = project.path("saved.plan");
    let good = fs_err::read(&path).unwrap();
    let before = cloud.inventory();
    cloud.reset_calls();
    for (what, damaged) in damages(&good, &project.id("network/subnet/app-c")) {
        fs_err::write(&path, &damaged).unwrap();
        project.run(&["apply", "saved.plan", "--yes"]).exits(3).says(&["saved.plan", "bedplate plan --out"]);
        assert_untouched(&cloud, &path, &damaged, what);
    }
    assert_eq!(cloud.inventory(), before);
    fs_err::write(&path, good).unwrap();
    project.run(&["apply", "saved.plan", "--yes"]).ok();
    project.assert_no_changes();
}
