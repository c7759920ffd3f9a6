//! The JSON schema for editors, as an editor uses it: with a library of its own.

use serde_json::Value;
use std::{path::PathBuf, process::Command};

use bedplate_tests::{FIVE_LINES, python, root};

/// What is wrong with each of these files, as `path: message`.
fn check(files: &[&str]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths: Vec<PathBuf> = (0..files.len()).map(|number| folder.path().join(format!("{number}.toml"))).collect();
    for (path, text) in paths.iter().zip(files) {
        fs_err::write(path, text).expect("a file in a temporary folder");
    }
    let mut command = Command::new(python());
    command.arg(root().join("tests/python/schema.py")).arg(root().join("docs/platform.schema.json")).args(paths);
    let output = command.output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let line = |error: &Value| format!("{}: {}", error["path"].as_str().unwrap(), error["message"].as_str().unwrap());
    let lines = |errors: &Value| errors.as_array().unwrap().iter().map(line).collect();
    found.as_array().expect("a list").iter().map(lines).collect()
}

#[test]
fn a_file_that_is_right_passes() {
    let more =
        "[network]\nzones = 3\n[cluster.node_group]\nlabels = { role = \"system\" }\n[costs]\nservice_budgets = {}\n";
    let tables = format!("#:schema docs/platform.schema.json\n{FIVE_LINES}{more}");
    let number = FIVE_LINES.replace("\"5000\"", "5000.50");
    for (file, found) in ["five lines", "tables", "a number"].iter().zip(check(&[FIVE_LINES, &tables, &number])) {
        assert!(found.is_empty(), "{file}: {found:?}");
    }
}

#[test]
fn a_file_that_is_wrong_fails() {
    let with = |more: &str| format!("{FIVE_LINES}{more}");
    let wrong = [
        (FIVE_LINES.replace("region ", "regoin "), "'region' is a required property"),
        (with("[network]\nzones = 7\n"), "$.network.zones: 7 is greater than the maximum of 6"),
        (with("[network]\nzones = \"2\"\n"), "$.network.zones: '2' is not of type 'integer'"),
        (with("[network]\nnat_gateway = \"single\"\n"), "'nat_gateway' was unexpected"),
        (with("environment = \"staging\"\n"), "$.environment: 'staging' is not valid"),
        (with("[sorage]\nprefixes = []\n"), "'sorage' was unexpected"),
        (with("[costs]\nbudget_alert_percents = []\n"), "$.costs.budget_alert_percents: [] should be non-empty"),
        (with("[organization]\nenabled = \"yes\"\n"), "$.organization.enabled: 'yes' is not of type 'boolean'"),
    ];
    let files: Vec<&str> = wrong.iter().map(|(file, _)| file.as_str()).collect();
    for ((file, expected), found) in wrong.iter().zip(check(&files)) {
        assert!(found.iter().any(|line| line.contains(expected)), "{file}\n{found:?}");
    }
}
