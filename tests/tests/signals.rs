//! Signals and terminals that go away: the state has everything, and the next run goes on.

use bedplate_tests::{Cloud, Project, Run, Running, counts, skip};
use std::time::{Duration, Instant};

const NO_CLUSTER: &str = "[cluster]\nenabled = false";
const WAITING: &[&str] = &["cluster/cluster", "creating"];

/// The cluster takes so long that only the clock's jump ends it.
fn slow_cloud() -> Cloud {
    Cloud::with(&["--durations", "quick,cluster.create=36000"])
}

#[test]
fn the_first_signal_of_any_kind_saves_and_leaves_while_it_waits_for_a_cluster() {
    let cloud = slow_cloud();
    let project = Project::network_and_cluster(&cloud, "");
    for signal in ["INT", "TERM", "HUP"] {
        if signal == "HUP" && hangup_ignored() {
            skip("signals::HUP", "it is ignored here, and so by what is started from here");
            continue;
        }
        let mut run = project.start(&["bootstrap", "--yes"]);
        run.wait_for(WAITING);
        run.signal(signal);
        run.finish().exits(130).says(&["Interrupted: nothing new is started", "The state is saved"]);
        assert_eq!(project.state()["resources"]["cluster/cluster"]["status"], "creating", "{signal}");
    }
    cloud.advance(36000);
    project.bootstrap();
    project.assert_no_changes();
    assert_eq!(cloud.calls()["eks:CreateCluster"], 1);
}

/// Interrupts a run whose calls are not answered any more, and does something more before it ends.
fn interrupted_without_answers(cloud: &Cloud, project: &Project, then: impl FnOnce(&Running)) -> Run {
    let mut run = project.start(&["bootstrap", "--yes"]);
    // Calls are under way from here on.
    run.wait_for(&["created in"]);
    cloud.freeze(true);
    run.interrupt();
    run.wait_for(&["Interrupted: nothing new is started"]);
    then(&run);
    let run = run.finish().exits(130);
    cloud.freeze(false);
    run
}

#[test]
fn a_signal_ends_a_run_that_gets_no_answers() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    // What is under way gets some seconds, then it sums up.
    interrupted_without_answers(&cloud, &project, |_| {}).says(&["The state is saved"]);
    project.bootstrap();
    project.assert_no_changes();
    let undisturbed = Cloud::start();
    Project::network_and_cluster(&undisturbed, NO_CLUSTER).bootstrap();
    assert_eq!(counts(&cloud.inventory()), counts(&undisturbed.inventory()));
}

#[test]
fn a_second_signal_leaves_at_once_and_the_state_is_whole() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    let run = interrupted_without_answers(&cloud, &project, |run| run.signal("TERM"));
    assert!(!run.stderr.contains("goes on from here"), "it does not sum up: {run}");
    assert!(!project.run(&["state", "list"]).ok().stdout.is_empty());
}

#[test]
fn a_signal_gives_up_a_command_that_only_looks_and_its_lock_is_free() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    cloud.freeze(true);
    for command in [&["plan"][..], &["bootstrap", "--yes"], &["state", "recover"]] {
        let run = project.start(command);
        if !run.wait_until_it_handles_signals() {
            cloud.freeze(false);
            return skip("signals::only_looks", "what a process handles cannot be seen here");
        }
        run.interrupt();
        let began = Instant::now();
        run.finish().exits(130).says(&["Interrupted."]);
        assert!(began.elapsed() < Duration::from_secs(10), "{command:?}");
    }
    cloud.freeze(false);
    project.bootstrap();
}

/// Whether what runs from here ignores that its terminal goes away, as under `nohup`.
fn hangup_ignored() -> bool {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or_default();
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & 1 == 1)
}

#[test]
fn a_run_that_nobody_listens_to_goes_on_to_its_end() {
    let cloud = slow_cloud();
    let project = Project::network_and_cluster(&cloud, "");
    let mut run = project.start(&["bootstrap", "--yes"]);
    run.wait_for(WAITING);
    run.stop_listening();
    cloud.advance(36000);
    run.finish().exits(0);
    project.assert_no_changes();
}
