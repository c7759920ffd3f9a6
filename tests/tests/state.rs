//! The state: lost, out of date, damaged, moved around.

use bedplate_tests::{Cloud, JsonExt, Project, counts, without_kept};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NO_CLUSTER: &str = "[cluster]\nenabled = false";

fn addresses(state: &Value) -> BTreeSet<String> {
    state["resources"].as_object().expect("resources").keys().cloned().collect()
}

/// `state recover`, which changes nothing in AWS.
fn recover(cloud: &Cloud, project: &Project) -> Value {
    let before = cloud.inventory();
    cloud.reset_calls();
    let answer = project.run(&["state", "recover", "--json"]).ok().json();
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
    assert_eq!(cloud.inventory(), before);
    answer
}

#[test]
fn a_lost_state_is_rebuilt_from_what_exists() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    let empty = without_kept(cloud.inventory());
    project.bootstrap();
    let before = project.state();
    fs_err::remove_file(project.state_path()).unwrap();

    let answer = recover(&cloud, &project);
    assert_eq!((&answer["ok"], &answer["undeclared"], &answer["foreign"]), (&json!(true), &json!([]), &json!([])));
    let after = project.state();
    assert_eq!(addresses(&after), addresses(&before));
    assert_eq!(after["choices"], before["choices"]);
    for (address, known) in before["resources"].as_object().unwrap() {
        let found = &after["resources"][address];
        for field in ["kind", "id", "generation", "status", "spec", "outputs", "depends_on", "tags"] {
            assert_eq!(found[field], known[field], "{field} of {address}");
        }
    }
    project.assert_no_changes();
    assert_eq!(project.run(&["output", "--json"]).ok().json()["vpc_id"], json!(project.id("network/vpc")));
    // Once more, it finds nothing new and leaves the file alone.
    assert_eq!(recover(&cloud, &project)["recovered"], json!([]));
    assert_eq!(project.state(), after);

    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    assert_eq!(without_kept(cloud.inventory()), empty);
}

/// Nothing that is ours stays behind because nobody remembers it.
#[test]
fn a_destroy_without_a_state_leaves_nothing() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    let empty = without_kept(cloud.inventory());
    project.bootstrap();
    fs_err::remove_file(project.state_path()).unwrap();
    // Also without a state, production is protected.
    project.run(&["destroy", "--yes"]).exits(3).says(&["protected"]);
    project.run(&["destroy", "--yes", "--lift-protection"]).ok();
    assert_eq!(without_kept(cloud.inventory()), empty);
}

#[test]
fn a_state_that_is_older_than_the_cloud_catches_up_and_what_is_not_declared_is_known() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    project.bootstrap();
    let old = fs_err::read(project.state_path()).unwrap();
    let three = format!("{NO_CLUSTER}\n[network]\nzones = 3");
    project.configure(&three);
    project.apply();
    let newer = project.state();

    fs_err::write(project.state_path(), old).unwrap();
    let answer = recover(&cloud, &project);
    assert!(answer.list("recovered").contains(&json!("network/subnet/app-c")), "{answer}");
    assert_eq!(addresses(&project.state()), addresses(&newer));
    // Of three zones, two were recorded; the third is chosen as it is.
    assert_eq!(project.state()["choices"]["zones"], newer["choices"]["zones"]);
    project.assert_no_changes();

    // The configuration declares fewer things than the stack owns.
    fs_err::remove_file(project.state_path()).unwrap();
    project.configure(NO_CLUSTER);
    let undeclared = recover(&cloud, &project)["undeclared"].clone();
    assert!(undeclared.as_array().unwrap().contains(&json!("network/subnet/app-c")), "{undeclared}");
    let plan = project.plan();
    let deleted: Vec<&str> = plan.with("delete").into_iter().collect();
    assert_eq!(json!(deleted), undeclared);

    // The same without a word of `recover`: every plan finds again what there is when there is no state.
    fs_err::remove_file(project.state_path()).unwrap();
    let run = project.run(&["plan"]).ok();
    run.says(&["there is no state at", "again by their tags"]);
    assert!(!project.state_path().exists(), "a plan writes nothing");
    assert_eq!(project.plan().with("delete").into_iter().collect::<Vec<_>>(), deleted);
    project.apply();
    project.assert_no_changes();

    // Nothing to do is no reason to leave it unrecorded.
    let known = addresses(&project.state());
    fs_err::remove_file(project.state_path()).unwrap();
    project.run(&["bootstrap", "--yes"]).ok().says(&["found again"]);
    assert_eq!(addresses(&project.state()), known);
    project.assert_no_changes();
}

#[test]
fn what_has_our_name_and_not_our_tags_is_named_and_left_alone() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    project.bootstrap();
    let known = addresses(&project.state());
    let name = "fintechglobal-flow-logs-role";
    let keys = ["bedplate:stack", "bedplate:address", "bedplate:generation"];
    let role = project.id("security/role/flow-logs");
    assert_eq!(role, name);
    cloud.iam("untag_role", json!({"RoleName": name, "TagKeys": keys}));
    fs_err::remove_file(project.state_path()).unwrap();
    cloud.reset_calls();
    let run = project.run(&["state", "recover"]).exits(3);
    let run = run.says(&["security/role/flow-logs", name, "no ownership tag", "left alone"]);
    assert_eq!(cloud.mutating_calls(), 0, "{:?} {run}", cloud.calls());
    // Everything else is known.
    let mut expected = known;
    expected.remove("security/role/flow-logs");
    assert_eq!(addresses(&project.state()), expected);
    project.run(&["plan"]).exits(3).says(&["security/role/flow-logs", "does not belong to this stack"]);
}

/// Of each type that is found by its name, one that somebody made in our place: a tag of somebody else's, and none of ours.
#[test]
fn nothing_that_only_has_our_name_is_taken_over() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    project.bootstrap();
    let state = project.state();
    let keys = ["bedplate:stack", "bedplate:address", "bedplate:generation"];
    let arn = |address: &str| state["resources"][address]["outputs"]["arn"].clone();
    // The service, its way to take tags away, how it names the resource, and how it names the keys.
    let untag = [
        ("database/cluster", "rds", "remove_tags_from_resource", "ResourceName", "TagKeys"),
        ("database/subnet-group", "rds", "remove_tags_from_resource", "ResourceName", "TagKeys"),
        ("cache/subnet-group", "elasticache", "remove_tags_from_resource", "ResourceName", "TagKeys"),
        ("sessions/table", "dynamodb", "untag_resource", "ResourceArn", "TagKeys"),
        ("secrets/api-keys", "secretsmanager", "untag_resource", "SecretId", "TagKeys"),
        ("costs/topic", "sns", "untag_resource", "ResourceArn", "TagKeys"),
        ("cluster/cluster", "eks", "untag_resource", "resourceArn", "tagKeys"),
        ("cluster/load-balancer", "elbv2", "remove_tags", "ResourceArns", "TagKeys"),
        ("network/log-group", "logs", "untag_resource", "resourceArn", "tagKeys"),
    ];
    for (address, service, operation, resource, tags) in untag {
        let named = arn(address);
        assert!(named.is_string(), "{address} has an ARN: {:?}", addresses(&state));
        let named = if resource == "ResourceArns" { json!([named]) } else { named };
        cloud.call(service, operation, json!({resource: named, tags: keys}));
    }
    let bucket = state["resources"]["storage/data-lake"]["outputs"]["name"].clone();
    cloud.call("s3", "delete_bucket_tagging", json!({"Bucket": bucket}));

    fs_err::remove_file(project.state_path()).unwrap();
    let before = cloud.inventory();
    cloud.reset_calls();
    let named: Vec<&str> = untag.iter().map(|row| row.0).chain(["storage/data-lake"]).collect();
    project.run(&["state", "recover"]).exits(3).says(&named);
    for address in named {
        assert!(!addresses(&project.state()).contains(address), "{address}");
    }
    project.run(&["bootstrap", "--yes"]).exits(3).says(&["does not belong to this stack"]);
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
    assert_eq!(cloud.inventory(), before);
}

#[test]
fn records_are_moved_forgotten_and_brought_back() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    project.bootstrap();
    let refused = |args: &[&str], words: &[&str]| {
        let before = project.read("state/fintechglobal-production.json");
        project.run(args).exits(3).says(words);
        assert_eq!(project.read("state/fintechglobal-production.json"), before);
    };
    refused(&["state", "rm", "network/vcp", "--yes"], &["network/vcp", "did you mean `network/vpc`?"]);
    refused(&["state", "rm", "network/vpc"], &["--yes"]);
    refused(&["state", "mv", "network/vpc", "network/igw", "--yes"], &["network/igw", "declares nothing"]);
    refused(&["state", "mv", "network/vpc", "network/subnet/app-a", "--yes"], &["network/subnet/app-a is taken"]);
    refused(&["state", "mv", "network/vpc", "Not/An Address", "--yes"], &["is not an address"]);
    refused(&["state", "mv", "network/nowhere", "network/vpc", "--yes"], &["nothing is recorded"]);

    // Forgotten, it stays where it is, and comes back.
    let vpc = project.id("network/vpc");
    cloud.reset_calls();
    project.run(&["state", "rm", "network/vpc", "--yes"]).ok().says(&["stays in AWS", "state recover"]);
    assert!(!addresses(&project.state()).contains("network/vpc"));
    assert_eq!(recover(&cloud, &project)["recovered"], json!(["network/vpc"]));
    assert_eq!(project.id("network/vpc"), vpc);
    project.assert_no_changes();

    // Moved to an address that is free, the next apply sets the tag that names it.
    project.configure(&format!("{NO_CLUSTER}\n[network]\nzones = 3"));
    project.apply();
    let (from, to) = ("network/elastic-ip/c", "network/elastic-ip/b");
    refused(&["state", "mv", from, "network/elastic-ip/d", "--yes"], &["declares nothing"]);
    refused(&["state", "mv", from, to, "--yes"], &["is taken"]);
    project.run(&["state", "rm", to, "--yes"]).ok();
    refused(&["state", "mv", from, to, "--yes"], &["still declares network/elastic-ip/c"]);
    project.configure(NO_CLUSTER);
    let id = project.id(from);
    cloud.reset_calls();
    project.run(&["state", "mv", from, to, "--yes"]).ok().says(&["the next apply sets it"]);
    assert_eq!(project.id(to), id);
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
    let depends = project.state()["resources"]["network/nat/c"]["depends_on"].to_string();
    assert!(depends.contains(to), "{depends}");
    let plan = project.plan();
    let fields = plan.change(to)["fields"].to_string();
    assert!(fields.contains("tags.bedplate:address") && fields.contains(from), "{fields}");
}

#[test]
fn a_state_is_pulled_and_pushed_but_never_back_in_time() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    project.run(&["state", "pull"]).exits(3).says(&["no state", "bedplate bootstrap"]);
    project.bootstrap();
    let old = project.run(&["state", "pull"]).ok().stdout;
    assert_eq!(old, project.read("state/fintechglobal-production.json"));
    project.configure(&format!("{NO_CLUSTER}\n[tags]\nTeam = \"a\""));
    project.apply();
    let new = project.run(&["state", "pull"]).ok().stdout;

    project.run_reading(&["state", "push", "--yes"], &old).exits(3).says(&["older"]);
    project.run_reading(&["state", "push", "--yes"], &new.replace("vpc-", "vpx-")).exits(3).says(&["checksum"]);
    project.run_reading(&["state", "push", "--yes"], &new[..new.len() / 2]).exits(3).says(&["damaged"]);
    project.run_reading(&["state", "push", "--yes"], &new).ok();
    assert_eq!(project.read("state/fintechglobal-production.json"), new);

    // Where there is none, it is taken.
    fs_err::remove_file(project.state_path()).unwrap();
    project.write("pulled.json", &new);
    project.run(&["state", "push", "pulled.json"]).exits(3).says(&["--yes"]);
    project.run(&["state", "push", "pulled.json", "--yes"]).ok();
    assert_eq!(project.read("state/fintechglobal-production.json"), new);
    project.assert_no_changes();

    // A state of another lineage is no successor.
    let cloud = Cloud::start();
    let stranger = Project::network_and_cluster(&cloud, NO_CLUSTER);
    stranger.bootstrap();
    let theirs = stranger.run(&["state", "pull"]).ok().stdout;
    project.run_reading(&["state", "push", "--yes"], &theirs).exits(3).says(&["lineage"]);
}

#[test]
fn a_living_run_keeps_its_lock_and_a_dead_one_leaves_none() {
    let cloud = Cloud::with(&["--durations", "quick,cluster.create=36000"]);
    let project = Project::network_and_cluster(&cloud, "");
    let unlocked = project.run(&["state", "unlock", "--yes", "--json"]).ok().json();
    assert_eq!(unlocked["unlocked"], false);
    let mut run = project.start(&["bootstrap", "--yes"]);
    run.wait_for(&["cluster/cluster", "creating"]);
    project.run(&["state", "unlock", "--yes"]).exits(3).says(&["in use by", "`bedplate bootstrap`", "since 2"]);
    project.run(&["apply", "--yes"]).exits(3).says(&["in use by", "`bedplate bootstrap`", "(process ", "since 2"]);
    run.signal("KILL");
    assert_eq!(run.finish().code, None);
    project.run(&["state", "unlock"]).ok();
    cloud.advance(36000);
    project.bootstrap();
    project.assert_no_changes();
}

#[test]
fn a_folder_that_cannot_be_written_stops_a_run_before_it_changes_anything() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    // Not a folder at all: the same for every user, root included.
    project.write("state", "a file");
    cloud.reset_calls();
    project.run(&["bootstrap", "--yes"]).exits(3).says(&["state", "next:"]);
    assert_eq!(cloud.mutating_calls(), 0, "{:?}", cloud.calls());
}

#[test]
fn a_disk_that_fills_up_stops_a_run_and_loses_nothing() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    // No file may be longer than some kilobytes; the state soon is.
    let run = project.run_after("trap '' XFSZ; ulimit -f 80", &["bootstrap", "--yes"]).exits(1);
    let run = run.says(&["cannot save the state", "The state is not saved", "next:"]);
    let undisturbed = Cloud::start();
    Project::network_and_cluster(&undisturbed, NO_CLUSTER).bootstrap();
    assert_ne!(counts(&cloud.inventory()), counts(&undisturbed.inventory()), "it stopped: {run}");
    // The file is whole: what it was before it became too long.
    assert!(!project.run(&["state", "list"]).ok().stdout.is_empty());

    project.bootstrap();
    project.assert_no_changes();
    assert_eq!(counts(&cloud.inventory()), counts(&undisturbed.inventory()));
}
