//! Manners in a terminal and without one: colours, what moves, and questions.

use bedplate_tests::{Cloud, Project, Run, has_program, skip};
use std::process::Command;

const NO_CLUSTER: &str = "[cluster]\nenabled = false";

/// A sequence that sets colours or a style.
fn is_coloured(run: &Run) -> bool {
    let sequences = run.stdout.split("\u{1b}[").chain(run.stderr.split("\u{1b}[")).skip(1);
    sequences
        .into_iter()
        .any(|rest| rest.trim_start_matches(|it: char| it.is_ascii_digit() || it == ';').starts_with('m'))
}

/// Anything that is not text.
fn has_sequences(run: &Run) -> bool {
    run.stdout.contains('\u{1b}') || run.stderr.contains('\u{1b}')
}

#[test]
fn colours_are_for_who_wants_them() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    for args in [&["plan"][..], &["config"], &["cost"], &["output", "nothing"]] {
        let with = |flags: &[&str], environment: &[(&str, &str)]| {
            project.run_in_terminal(100, &[args, flags].concat(), environment, &[])
        };
        let shown = with(&[], &[]);
        assert!(is_coloured(&shown), "in a terminal: {shown}");
        for (flags, environment) in
            [(&["--color", "never"][..], &[][..]), (&[], &[("NO_COLOR", "1")][..]), (&[], &[("TERM", "dumb")])]
        {
            let plain = with(flags, environment);
            assert!(!has_sequences(&plain), "{flags:?} {environment:?}: {plain}");
        }
        // Who says so is believed before the surroundings.
        let asked = with(&["--color", "always"], &[("NO_COLOR", "1")]);
        assert!(is_coloured(&asked), "{asked}");
        let piped = project.run(args);
        assert!(!has_sequences(&piped), "{piped}");
        let piped = project.run(&[args, &["--color", "always"]].concat());
        assert!(is_coloured(&piped), "{piped}");
    }
}

#[test]
fn what_moves_is_only_in_a_terminal() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    let log = project.run(&["bootstrap", "--yes"]).ok();
    assert!(!has_sequences(&log) && !log.stderr.contains('\r') && !log.stderr.contains('━'), "{log}");
    let log = project.run(&["destroy", "--yes", "--lift-protection", "--color", "always"]).ok();
    assert!(is_coloured(&log) && !log.stderr.contains('\r') && !log.stderr.contains('━'), "{log}");

    // In a terminal there is a tree, also without colours.
    let seen = project.run_in_terminal(100, &["bootstrap", "--yes"], &[("NO_COLOR", "1")], &[]).ok();
    assert!(seen.stdout.contains('━') && !is_coloured(&seen), "{seen}");
}

#[test]
fn a_question_is_for_somebody() {
    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, NO_CLUSTER);
    let refused = &["--yes"];
    project.run(&["bootstrap"]).exits(3).says(refused);
    project.run(&["bootstrap", "--json"]).exits(3).says(refused);
    project.run_in_terminal(80, &["bootstrap", "--json"], &[], &[]).exits(3).has(refused);
    assert_eq!(cloud.mutating_calls(), 0);
    project
        .run_in_terminal(80, &["bootstrap"], &[], &[("Build this? [y/N]", "n\r")])
        .ok()
        .has(&["Nothing was changed"]);
    assert_eq!(cloud.mutating_calls(), 0);
    project.run_in_terminal(80, &["bootstrap"], &[], &[("Build this? [y/N]", "y\r")]).ok();
    for args in
        [&["apply"][..], &["destroy", "--lift-protection"], &["drift", "--repair"], &["state", "rm", "network/vpc"]]
    {
        // What has nothing to change has nothing to ask.
        cloud.ec2(
            "create_tags",
            serde_json::json!({"Resources": [project.id("network/vpc")], "Tags": [{"Key": "Name", "Value": "x"}]}),
        );
        cloud.reset_calls();
        project.run(args).exits(3).says(refused);
        assert_eq!(cloud.mutating_calls(), 0, "{args:?}");
    }
}

#[test]
fn completions_are_what_the_shells_read() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    // `-n` reads and runs nothing.
    for (shell, check) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        let script = project.run(&["completions", shell]).ok().has(&["bootstrap", "lift-protection", "color"]);
        project.write(shell, &script.stdout);
        if !has_program(shell, "--version") {
            skip(&format!("terminal::completions_are_what_the_shells_read ({shell})"), "the shell is not installed");
            continue;
        }
        let checked = Command::new(shell).args(check).arg(project.path(shell)).output().unwrap();
        assert!(checked.status.success(), "{shell}: {}", String::from_utf8_lossy(&checked.stderr));
    }
    // They work, too.
    let ask =
        "source ./bash; COMP_WORDS=(bedplate boo); COMP_CWORD=1; _bedplate bedplate boo bedplate; echo ${COMPREPLY[@]}";
    let answer = Command::new("bash").args(["--norc", "-c", ask]).current_dir(project.path("")).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&answer.stdout).trim(),
        "bootstrap",
        "{}",
        String::from_utf8_lossy(&answer.stderr)
    );
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let cloud = Cloud::start();
    let project = Project::new(&cloud);
    for args in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["man"],
        &["config", "--schema"],
        &["config"],
        &["--help"],
    ] {
        // Closes what it reads before anything is written.
        let run = project.run_into_nothing(args);
        assert_eq!(run.code, Some(0), "{run}");
        assert_eq!(run.stderr, "", "{run}");
    }
}
