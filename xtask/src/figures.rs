//! `cargo xtask figures`: how many calls the main job takes, written to `docs/figures.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result};
use fs_err as fs;
use serde_json::Value as Json;

use crate::{
    Workspace,
    cloud::Cloud,
    demo::{PLATFORM, bedplate},
    process, python,
};

const PAGE: &str = "docs/figures.md";

/// What is measured, in this order, with the arguments.
const RUNS: [(&str, &[&str]); 4] = [
    ("bootstrap", &["bootstrap", "--yes"]),
    ("second bootstrap", &["bootstrap", "--yes"]),
    ("plan", &["plan"]),
    ("destroy", &["destroy", "--yes", "--lift-protection"]),
];

pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let python = python::set_up(workspace)?;
    process::run(process::cargo(workspace).args(["build", "--package", "bedplate"]), "building bedplate")?;
    let folder = workspace.root.join("target/figures");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let config = folder.join("platform.toml");
    fs::write(&config, PLATFORM)?;
    let cloud = Cloud::start(workspace, &python, None)?;

    let mut calls: BTreeMap<String, [u64; RUNS.len()]> = BTreeMap::new();
    let mut resources = 0;
    for (column, (name, arguments)) in RUNS.iter().enumerate() {
        let mut command = bedplate(workspace, &config, &cloud.endpoint);
        let answer = json(command.arg("--json").args(*arguments)).with_context(|| (*name).to_owned())?;
        for (operation, number) in answer["api_calls"].as_object().context("no api_calls")? {
            calls.entry(operation.clone()).or_default()[column] = number.as_u64().context("no number")?;
        }
        if column == 0 {
            let done = answer["done"].as_array().context("no done")?;
            resources = done.iter().filter_map(|done| done["address"].as_str()).collect::<BTreeSet<_>>().len();
        }
    }
    fs::write(workspace.root.join(PAGE), page(resources, &calls)?)?;
    eprintln!("{PAGE} is written.");
    Ok(ExitCode::SUCCESS)
}

fn json(command: &mut Command) -> Result<Json> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn page(resources: usize, calls: &BTreeMap<String, [u64; RUNS.len()]>) -> Result<String> {
    let mut text = format!(
        "# Figures\n\nThe five-line `platform.toml` against the local cloud: **{resources} resources**. Settings that live inside a \
         parent are folded into it (routes and associations into their route table, a role's policies into the role), so that \
         one resource stands for what other tools count several times.\n\nAPI calls by operation, retries included, counted \
         by the program itself (`--json`, `api_calls`). How often a wait looks depends on how long AWS takes; everything else \
         does not. `cargo xtask figures` makes this page again.\n\n| operation |"
    );
    for (name, _) in RUNS {
        write!(text, " {name} |")?;
    }
    writeln!(text, "\n|---|{}", "--:|".repeat(RUNS.len()))?;
    let mut total = [0; RUNS.len()];
    let mut changing = [0; RUNS.len()];
    for (operation, numbers) in calls {
        writeln!(text, "| {operation} |{}", cells(numbers))?;
        for (column, number) in numbers.iter().enumerate() {
            total[column] += number;
            changing[column] += if reads(operation) { 0 } else { *number };
        }
    }
    writeln!(text, "| **all** |{}", cells(&total))?;
    writeln!(text, "| of these, changing something |{}", cells(&changing))?;
    Ok(text)
}

fn cells(numbers: &[u64]) -> String {
    numbers.iter().map(|number| if *number == 0 { " |".to_owned() } else { format!(" {number} |") }).collect()
}

/// By the verb in the operation's name, as AWS's own read-only policies do.
fn reads(operation: &str) -> bool {
    let name = operation.split(':').nth(1).unwrap_or(operation);
    ["Describe", "List", "Get"].iter().any(|verb| name.starts_with(verb))
}
