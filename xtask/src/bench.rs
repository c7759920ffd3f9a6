//! `cargo xtask bench`: the figures of `docs/performance.md`, measured here and now.

mod measure;
mod report;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use fs_err as fs;

use crate::{Workspace, process, python};
use measure::Bench;
use report::{Row, compare, table};

/// Measures some rows.
type Measure = fn(&Bench<'_>) -> Result<Vec<Row>>;

/// What is measured, by name, in this order.
const GROUPS: [(&str, Measure); 7] = [
    ("calls", measure::calls),
    ("plan", measure::plan),
    ("makespan", measure::makespan),
    ("paced", measure::paced),
    ("scaled", measure::scaled),
    ("engine", measure::engine),
    ("start", measure::start),
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// calls, plan, makespan, paced, scaled, engine or start; everything when absent
    name: Option<String>,
    /// How often what takes time is measured; the median counts
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Measure the release build, which takes long to make
    #[arg(long)]
    release: bool,
    /// Where the figures go as JSON
    #[arg(long, default_value = "target/bench.json")]
    json: PathBuf,
    /// An earlier run's JSON to compare with
    #[arg(long)]
    compare: Option<PathBuf>,
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let chosen: Vec<_> =
        GROUPS.iter().filter(|(name, _)| args.name.as_deref().is_none_or(|wanted| wanted == *name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = GROUPS.iter().map(|(name, _)| *name).collect();
        bail!("nothing is called `{}`; there are {}", args.name.as_deref().unwrap_or_default(), names.join(", "));
    }
    let before = args.compare.as_ref().map(fs::read).transpose()?;
    let python = python::set_up(workspace)?;
    let mut build = process::cargo(workspace);
    build.args(["build", "--workspace", "--bins"]).args(args.release.then_some("--release"));
    process::run(&mut build, "building bedplate and its measurements")?;
    let profile = if args.release { "release" } else { "debug" };
    let bench = Bench::new(workspace, &python, profile, args.runs.max(1))?;

    let mut rows = Vec::new();
    for (name, measure) in chosen {
        eprintln!("Measuring {name} …");
        rows.extend(measure(&bench)?);
    }
    process::say(table(&rows, profile));
    let json = workspace.root.join(&args.json);
    fs::write(&json, serde_json::to_vec_pretty(&report::json(&rows, profile))?)?;
    eprintln!("{} is written.", json.display());
    if let Some(before) = before {
        process::say(compare(&rows, &serde_json::from_slice(&before)?)?);
    }
    Ok(ExitCode::SUCCESS)
}
