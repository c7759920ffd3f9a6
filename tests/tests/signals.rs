//! Signals and terminals that go away: the state has everything, and the next run goes on.

use bedplate_tests::{Cloud, Project, counts};

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

#[test]
fn a_signal_ends_a_run_that_gets_no_answers_and_a_second_one_ends_it_at_once() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "[cluster]\nenabled = false");
    for signals in [1, 2] {
        let mut run = project.start(&["bootstrap", "--yes"]);
        // Calls are under way from here on.
        run.wait_for(&["created in"]);
        cloud.freeze(true);
        run.interrupt();
        run.wait_for(&["Interrupted: nothing new is started"]);
        if signals == 2 {
            run.signal("TERM");
        }
        let run = run.finish().exits(130);
        // The first one gives what is under way some seconds, then sums up.
        assert_eq!(run.stderr.contains("goes on from here"), signals == 1, "{run}");
        cloud.freeze(false);
    }
    project.bootstrap();
    project.assert_no_changes();
    let undisturbed = Cloud::start();
    Project::network_and_cluster(&undisturbed, "[cluster]\nenabled = false").bootstrap();
    assert_eq!(counts(&cloud.inventory()), counts(&undisturbed.inventory()));
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
