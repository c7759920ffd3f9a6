//! The state in a bucket: conditional writes, a lock with a lease, and what happens when S3 is out of reach.

use bedplate_tests::{Cloud, JsonExt, Project, Run, Running, counts};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const BUCKET: &str = "platform-states";
const KEY: &str = "team/production.json";
const PLACE: &str = "s3://platform-states/team/production.json";
const NO_CLUSTER: &str = "[cluster]\nenabled = false";
const UNSAVED: &str = "state/fintechglobal-production.unsaved.json";

/// A cloud with a bucket for states, in which a cluster takes so long that only the clock's jump ends it.
fn cloud() -> Cloud {
    let cloud = Cloud::with(&["--durations", "quick,cluster.create=36000"]);
    make_bucket(&cloud);
    cloud
}

fn make_bucket(cloud: &Cloud) {
    cloud.call("s3", "create_bucket", json!({"Bucket": BUCKET}));
    version(cloud, "Enabled");
}

fn version(cloud: &Cloud, status: &str) {
    let versioning = json!({"Bucket": BUCKET, "VersioningConfiguration": {"Status": status}});
    cloud.call("s3", "put_bucket_versioning", versioning);
}

fn run(project: &Project, args: &[&str]) -> Run {
    project.run_with(args, &[("BEDPLATE_STATE", PLACE)])
}

fn bootstrap(project: &Project) -> Run {
    run(project, &["bootstrap", "--yes"])
}

/// A bootstrap that waits for its cluster.
fn waiting(project: &Project) -> Running {
    let mut run = project.start(&["bootstrap", "--yes", "--state", PLACE]);
    run.wait_for(&["cluster/cluster", "creating"]);
    run
}

fn state(project: &Project) -> Value {
    run(project, &["state", "pull"]).ok().json()
}

fn put(cloud: &Cloud, key: &str, document: &Value) {
    let body = json!({"Bucket": BUCKET, "Key": key, "Body": document.to_string()});
    cloud.call("s3", "put_object", body);
}

/// How long an object is.
fn size(cloud: &Cloud, key: &str) -> usize {
    let objects = cloud.call("s3", "list_objects_v2", json!({"Bucket": BUCKET, "Prefix": key}));
    let object = objects.list("Contents").iter().find(|object| object["Key"] == key).expect("it is there");
    usize::try_from(object["Size"].as_u64().expect("a number")).expect("small")
}

/// What a holder on another machine wrote.
fn lock_of_another_machine(beat: u32) -> Value {
    json!({"format": 1, "nonce": "theirs", "beat": beat, "holder": {
        "user": "ada", "host": "elsewhere", "pid": 7, "command": "apply", "since": "noon", "process": null,
    }})
}

#[test]
fn a_state_in_a_bucket_is_as_good_as_one_in_a_file() {
    let cloud = cloud();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    bootstrap(&project).ok();
    run(&project, &["plan", "--detailed-exitcode"]).exits(0);
    // The log of the run stays on this machine, and nothing else.
    let files = fs_err::read_dir(project.path("state")).expect("the logs").map(|entry| entry.expect("it").file_name());
    assert_eq!(files.collect::<Vec<_>>(), ["fintechglobal-production.runs"]);
    let before = state(&project);
    let versions = cloud.call("s3", "list_object_versions", json!({"Bucket": BUCKET, "Prefix": KEY}));
    assert!(versions.list("Versions").len() > 10, "earlier states are earlier versions");
    let log = project.log("bootstrap");
    let saves = log.iter().filter(|line| line["operation"] == "s3:PutObject" && line["status"] == 200);
    assert!(saves.count() > 10, "the log has the calls that keep the state, too");

    // The lock was given back.
    let unlocked = run(&project, &["state", "unlock", "--json", "--yes"]).ok().json();
    assert_eq!(unlocked["unlocked"], false);
    // Lost, it is rebuilt.
    cloud.call("s3", "delete_object", json!({"Bucket": BUCKET, "Key": KEY}));
    run(&project, &["state", "recover"]).ok();
    let after = state(&project);
    let ids = |state: &Value| -> Vec<_> {
        state["resources"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(address, it)| (address.clone(), it["id"].clone()))
            .collect()
    };
    assert_eq!(ids(&after), ids(&before));
    run(&project, &["plan", "--detailed-exitcode"]).exits(0);

    // Damaged, it is not read and not overwritten.
    put(&cloud, KEY, &json!({"version": 1, "resources": {}}));
    cloud.reset_calls();
    for args in [&["apply", "--yes"][..], &["destroy", "--yes", "--lift-protection"]] {
        run(&project, args).exits(3).says(&["checksum", "list-object-versions", PLACE]);
    }
    assert!(cloud.calls().keys().all(|call| !call.starts_with("ec2:")), "{:?}", cloud.calls());
    assert!(run(&project, &["state", "pull"]).exits(3).stdout.is_empty());
}

#[test]
fn a_bucket_in_which_a_state_is_not_safe_is_refused() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    bootstrap(&project).exits(3).says(&["no bucket platform-states", "aws s3 mb"]);
    make_bucket(&cloud);
    version(&cloud, "Suspended");
    bootstrap(&project).exits(3).says(&["keeps no versions", "put-bucket-versioning"]);
    version(&cloud, "Enabled");
    cloud.call("s3", "delete_public_access_block", json!({"Bucket": BUCKET}));
    bootstrap(&project).exits(3).says(&["public", "put-public-access-block"]);
    for place in ["s3://platform-states", "s3:///key", "gs://bucket/key"] {
        project.run(&["plan", "--state", place]).exits(3).says(&[place, "s3://"]);
    }
    assert!(cloud.calls().keys().all(|call| !call.starts_with("ec2:")), "{:?}", cloud.calls());
}

#[test]
fn a_second_run_is_refused_and_a_dead_one_makes_room_at_once() {
    let cloud = cloud();
    let project = Project::network_and_cluster(&cloud, "");
    let first = waiting(&project);
    let words = [PLACE, "in use by", "`bedplate bootstrap`", "(process ", "since 2"];
    run(&project, &["apply", "--yes"]).exits(3).says(&words);
    run(&project, &["state", "unlock", "--yes"]).exits(3).says(&["runs on this machine"]);
    // Looking is not kept from anybody.
    run(&project, &["plan"]).ok();
    first.signal("KILL");
    assert_eq!(first.finish().code, None);
    cloud.advance(36000);
    bootstrap(&project).ok();
    run(&project, &["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(cloud.calls()["eks:CreateCluster"], 1);
}

#[test]
fn the_lock_of_another_machine_is_watched_and_taken_over_only_when_it_stands_still() {
    let cloud = cloud();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    let lock = format!("{KEY}.lock");
    put(&cloud, &lock, &lock_of_another_machine(1));
    // It lives: while it is watched, its holder writes.
    let mut second = project.start(&["bootstrap", "--yes", "--state", PLACE]);
    second.wait_for(&["locked by ada@elsewhere", "whether it lives"]);
    put(&cloud, &lock, &lock_of_another_machine(2));
    second.finish().exits(3).says(&["in use by ada@elsewhere, `bedplate apply` (process 7) since noon"]);
    // It is dead: nobody writes.
    bootstrap(&project).ok().says(&["locked by ada@elsewhere", "taken over"]);
    run(&project, &["plan", "--detailed-exitcode"]).exits(0);
    // A person may know sooner.
    put(&cloud, &lock, &lock_of_another_machine(3));
    run(&project, &["state", "unlock"]).exits(3).says(&["may be alive", "--yes"]);
    run(&project, &["state", "unlock", "--yes"]).ok();
    run(&project, &["apply", "--yes"]).ok();
}

#[test]
fn a_holder_writes_its_lock_for_as_long_as_it_waits() {
    let cloud = cloud();
    let project = Project::network_and_cluster(&cloud, "");
    let first = waiting(&project);
    let written = || {
        let lock = json!({"Bucket": BUCKET, "Prefix": format!("{KEY}.lock")});
        cloud.call("s3", "list_object_versions", lock).list("Versions").len()
    };
    let taken = written();
    // Two heartbeats, 16 s, after which a lock that nobody writes would soon be taken over.
    while written() < taken + 2 {
        std::thread::yield_now();
    }
    cloud.advance(36000);
    first.finish().exits(0);
}

#[test]
fn who_lost_the_lock_changes_nothing_more() {
    let cloud = cloud();
    let project = Project::network_and_cluster(&cloud, "");
    let first = waiting(&project);
    put(&cloud, &format!("{KEY}.lock"), &lock_of_another_machine(1));
    // A heartbeat finds it out, or a save of what is made beside the cluster.
    first.finish().exits(1).says(&["the lock on the state", "Not tried"]);
    // The lock is theirs, and stays so.
    assert_eq!(size(&cloud, &format!("{KEY}.lock")), lock_of_another_machine(1).to_string().len());
}

#[test]
fn a_stale_writer_overwrites_nothing() {
    let cloud = cloud();
    let project = Project::network_and_cluster(&cloud, "");
    let first = waiting(&project);
    // Somebody else goes on, whatever the lock says.
    let theirs = json!({"version": 1, "theirs": true});
    put(&cloud, KEY, &theirs);
    cloud.advance(36000);
    first.finish().exits(1).says(&["written by somebody else", UNSAVED]);
    assert_eq!(size(&cloud, KEY), theirs.to_string().len());
}

#[test]
fn what_could_not_be_saved_while_s3_was_out_of_reach_is_taken_from_nearby() {
    let cloud = Cloud::with(&["--durations", "quick,cluster.create=36000"]);
    let far = Cloud::start();
    make_bucket(&far);
    // The load balancer finds no bucket in the other cloud.
    let settings = "[cluster.load_balancer]\naccess_logs = false";
    let project = Project::network_and_cluster(&cloud, settings).with_service_in("s3", &far);
    let first = waiting(&project);
    far.freeze(true);
    cloud.advance(36000);
    first.finish().exits(1).says(&["The state is not saved"]);
    let kept = project.path(UNSAVED);
    assert_eq!(fs_err::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    far.freeze(false);

    bootstrap(&project).ok().says(&["could not save its state", UNSAVED]);
    assert!(!kept.exists());
    run(&project, &["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(cloud.calls()["eks:CreateCluster"], 1);
    let undisturbed = Cloud::start();
    Project::network_and_cluster(&undisturbed, settings).bootstrap();
    let mut expected =
        counts(&undisturbed.inventory()).into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect::<Vec<_>>();
    expected.retain(|(kind, _)| !kind.starts_with("s3."));
    let found = cloud.inventory();
    let found: Vec<(String, usize)> = counts(&found).into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect();
    assert_eq!(found, expected);
}
