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

/// How often it is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    /// Once: it counts, or takes medians itself.
    One,
    /// As often as asked for; the medians count.
    Many,
}

/// What is measured, by name, in this order.
const GROUPS: [(&str, Runs, Measure); 7] = [
    ("calls", Runs::One, measure::calls),
    ("plan", Runs::One, measure::plan),
    ("makespan", Runs::One, measure::makespan),
    ("paced", Runs::Many, measure::paced),
    ("scaled", Runs::Many, measure::scaled),
    ("engine", Runs::Many, measure::engine),
    ("start", Runs::One, measure::start),
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
        GROUPS.iter().filter(|(name, ..)| args.name.as_deref().is_none_or(|wanted| wanted == *name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = GROUPS.iter().map(|(name, ..)| *name).collect();
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
    for (name, runs, measure) in chosen {
        eprintln!("Measuring {name} …");
        let runs = if *runs == Runs::Many { args.runs.max(1) } else { 1 };
        let measured: Vec<_> = (0..runs).map(|_| measure(&bench)).collect::<Result<_>>()?;
        rows.extend(report::medians(measured));
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
