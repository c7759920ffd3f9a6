//! `cargo xtask prove`: a run that is killed at any instant is finished by the next one.
//!
//! The local cloud is the judge. While one undisturbed run goes on it keeps a snapshot of itself and of the state file at
//! every call that changes something, before the call arrives and when it is committed, at every save of the state, and at
//! looks in between: together they are what a kill at that instant leaves. Each is gone back to, the same command is run
//! again, and the account has to be what the undisturbed run left. Real kills, at moments drawn from a seed, show that
//! the snapshots are like the real thing. Nothing is ever cleaned up.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
    path::Path,
    process::ExitCode,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::{
    Workspace,
    process::{self, say},
    python,
};

mod attempt;
mod control;
mod judge;
mod point;
mod report;
mod scenario;

use attempt::{Place, Told, Unit};
use control::{Choice, Nursery};
use judge::Verdict;
use point::{Point, Signal};
use report::Report;
use scenario::{Client, SCENARIOS};

/// In it, `failures` has a folder for each point that did not converge, with what the runs said and both states.
const FOLDER: &str = "target/prove";

/// Everything that AWS does to its callers, but no faults by chance: those are points of their own.
///
/// Twice AWS's rates, which every run exceeds all the same: at the rates themselves most of the time would go into waiting for
/// endpoints of the VPC, of which AWS makes one in three seconds.
const REALISTIC: &[&str] = &["--realistic", "--fault-rate", "0", "--throttle", "2"];

/// How many clouds work side by side when they make their callers wait, and when they do not: then two cores are busy, and
/// the snapshots take some 16 GB.
const LANES: u32 = 22;
const CALM_LANES: u32 = 10;

/// How often each scenario runs with a share of calls going wrong.
const FAULTS: u64 = 4;

/// How many real kills of each kind there are in each scenario.
const REAL: [(Signal, u64); 4] = [(Signal::Kill, 20), (Signal::Other, 12), (Signal::Double, 12), (Signal::Lost, 6)];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Try this point only, as a failure names it: `bootstrap:ec2:CreateVpc#1:committed` (may be given several times), or
    /// everything of one scenario: `bootstrap`
    #[arg(long, value_name = "POINT")]
    only: Vec<String>,
    /// Where what is drawn is drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How much of the whole, in per cent
    #[arg(long, default_value_t = 100, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=100))]
    sample: u32,
    /// At how many of the committed calls the state file is lost as well, in per cent; which ones follows from the seed
    #[arg(long, default_value_t = 33, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    lost: u32,
    /// How many clouds work side by side [default: 22, or 10 calm ones]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    lanes: Option<u32>,
    /// A cloud that does nothing to its callers: reads that do not lag, no throttling
    #[arg(long)]
    calm: bool,
    /// Try the optimized program, which takes long to build and less time to run
    #[arg(long)]
    release: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    /// What has to be the same for a point to be the same.
    fn again(&self) -> String {
        let flag = |given: bool, name: &'static str| if given { name } else { "" };
        format!(" --seed {}{}{}", self.seed, flag(self.calm, " --calm"), flag(self.release, " --release"))
    }
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let python = python::set_up(workspace)?;
    let optimized = args.release.then(|| workspace.optimized());
    if args.release {
        process::run(process::cargo(workspace).args(["build", "--release", "--bin", "bedplate"]), "building bedplate")?;
    } else {
        // With the tests, as the test command builds it.
        let everything = ["build", "--workspace", "--bins", "--tests"];
        process::run(process::cargo(workspace).args(everything), "building bedplate")?;
    }
    let started = Instant::now();
    let units = units(args)?;
    let report = prove(optimized.as_ref().unwrap_or(workspace), &python, args, units)?;
    let seconds = started.elapsed().as_secs();
    say(if args.json {
        report.json(args.seed, args.lost, seconds).to_string()
    } else {
        report.text(args.seed, args.lost, seconds)
    });
    Ok(if report.failed() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A sample that takes a few minutes: how many points converged, and how many did not.
pub(crate) fn sample(workspace: &Workspace, python: &Path) -> Result<(u64, u64)> {
    let args =
        Args { only: Vec::new(), seed: 1, sample: 1, lost: 100, lanes: None, calm: true, release: false, json: false };
    let started = Instant::now();
    let report = prove(workspace, python, &args, units(&args)?)?;
    say(report.text(args.seed, args.lost, started.elapsed().as_secs()));
    Ok((report.converged() as u64, report.failed() as u64))
}

/// What there is to do.
fn units(args: &Args) -> Result<Vec<Unit>> {
    let mut units = Vec::new();
    let share = |number: u64| (number * u64::from(args.sample)).div_ceil(100);
    let whole = |scenario: scenario::Scenario| {
        let mut units = Vec::new();
        let parts = (scenario.parts * args.sample).div_ceil(100);
        let bound = |part: u32| args.sample * 10 * part / parts;
        for part in 0..parts {
            let moments = Some(Choice::Share { seed: args.seed, low: bound(part), high: bound(part + 1) });
            units.push(Unit { scenario, moments, points: Vec::new() });
        }
        let mut rest: Vec<Vec<Point>> = REAL
            .map(|(signal, number)| (0..share(number)).map(|number| Point::Signal(signal, number)).collect())
            .into();
        rest.push((0..share(FAULTS)).map(Point::Faults).collect());
        // What lies before the run takes as long as several points: in a sample it is there twice.
        let rest = if parts == 1 { vec![rest.concat()] } else { rest };
        units.extend(rest.into_iter().map(|points| Unit { scenario, moments: None, points }));
        units
    };
    if args.only.is_empty() {
        units.extend(SCENARIOS.into_iter().flat_map(whole));
        // What takes long begins first, so that not one lane is left with it at the end. How many moments there are shows later.
        units.sort_by_key(|unit| (unit.moments.is_none(), Reverse(unit.points.len())));
    }
    for only in &args.only {
        let (name, point) = only.split_once(':').map_or((only.as_str(), None), |(name, point)| (name, Some(point)));
        let scenario = SCENARIOS.into_iter().find(|scenario| scenario.name == name);
        let scenario = scenario.with_context(|| {
            let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            format!("there is no scenario `{name}`: {}", names.join(", "))
        })?;
        let Some(point) = point.map(Point::parse) else {
            units.extend(whole(scenario));
            continue;
        };
        match units.iter_mut().find(|unit| unit.scenario.name == name && unit.moments.is_none()) {
            Some(unit) => unit.points.push(point),
            None => units.push(Unit { scenario, moments: None, points: vec![point] }),
        }
    }
    Ok(units)
}

/// Does it, in several clouds at once.
fn prove(workspace: &Workspace, python: &Path, args: &Args, units: Vec<Unit>) -> Result<Report> {
    let folder = workspace.root.join(FOLDER);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let nursery = nursery(workspace, python, args, &folder)?;
    let (units, report) = (Mutex::new(VecDeque::from(units)), Shared(Mutex::new(Report::new(args.again()))));
    let lane = |lane: u32| {
        let place = Place {
            workspace,
            nursery: &nursery,
            folder: folder.join(format!("lane-{lane}")),
            failures: folder.join("failures"),
            seed: args.seed,
            lost: args.lost,
        };
        loop {
            let unit = units.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(unit) = unit else { break };
            let name = unit.scenario.name;
            if let Err(error) = attempt::run(&place, &unit, &Teller { report: &report, scenario: name }) {
                eprintln!("{name}: {error:#}");
                report.lock().broken(name, &error);
            }
        }
    };
    let lanes = args.lanes.unwrap_or(if args.calm { CALM_LANES } else { LANES });
    thread::scope(|scope| (0..lanes).for_each(|number| drop(scope.spawn(move || lane(number)))));
    Ok(report.0.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The report that all lanes write.
struct Shared(Mutex<Report>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says and counts what comes of one unit.
struct Teller<'a> {
    report: &'a Shared,
    scenario: &'static str,
}

impl Told for Teller<'_> {
    fn same(&self, moments: BTreeMap<String, usize>) {
        for (when, moments) in moments {
            self.report.lock().same(self.scenario, &when, moments);
        }
    }

    fn tried(&self, point: &Point, verdict: Verdict) {
        let outcome = if verdict.converged() { "ok".to_owned() } else { report::brief(&verdict.problems) };
        eprintln!("{}:{point} ... {outcome}", self.scenario);
        self.report.lock().add(self.scenario, point, verdict);
    }
}

fn nursery(workspace: &Workspace, python: &Path, args: &Args, folder: &Path) -> Result<Nursery> {
    let nursery = Nursery::start(workspace, python, if args.calm { &[] } else { REALISTIC })?;
    let client = Client { workspace, scenario: SCENARIOS[0], folder: folder.join("first") };
    fs::create_dir_all(client.disk())?;
    client.look_around(&nursery.endpoint)?;
    Ok(nursery)
}
