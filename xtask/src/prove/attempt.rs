//! Cuts off one kind of run at several points, each time from the same beginning, and judges what the run after it leaves.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Result, ensure};
use fs_err as fs;
use serde_json::json;

use super::{
    control::{Choice, Cloud, Nursery},
    judge::{Undisturbed, Verdict},
    point::{Point, Signal, is_drawn, kills},
    scenario::{Client, Scenario},
};
use crate::Workspace;

/// The snapshot of what is there before the run.
const START: &str = "start";

/// How many runs there are at most when calls go wrong.
const RUNS: u32 = 5;

/// How often a kill is drawn again whose moment did not come.
const DRAWS: u64 = 8;

/// How a run that was interrupted ends.
const INTERRUPTED: i32 = 130;

/// What is tried in one cloud: what lies before the run is brought about once.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) scenario: Scenario,
    /// Moments of the undisturbed run, and what becomes of them when the state file is lost.
    pub(super) moments: Option<Choice>,
    /// These besides.
    pub(super) points: Vec<Point>,
}

/// Where to work, and with what.
pub(super) struct Place<'a> {
    pub(super) workspace: &'a Workspace,
    /// Of which each unit gets a copy.
    pub(super) nursery: &'a Nursery,
    /// A folder for this unit alone.
    pub(super) folder: PathBuf,
    /// Where what shows a failure is kept.
    pub(super) failures: PathBuf,
    pub(super) seed: u64,
    /// At how many committed calls the state is lost as well, in per cent.
    pub(super) lost: u32,
}

/// Who is told what comes of it, at once.
pub(super) trait Told {
    /// So many moments, by when, leave what another one leaves.
    fn same(&self, moments: BTreeMap<String, usize>);

    /// What was found at one point.
    fn tried(&self, point: &Point, verdict: Verdict);
}

/// Tries all of it.
pub(super) fn run(place: &Place<'_>, unit: &Unit, told: &dyn Told) -> Result<()> {
    if place.folder.exists() {
        fs::remove_dir_all(&place.folder)?;
    }
    let client = Client { workspace: place.workspace, scenario: unit.scenario, folder: place.folder.join("client") };
    fs::create_dir_all(client.disk())?;
    let snapshots = place.folder.join("snapshots");
    fs::create_dir_all(&snapshots)?;
    let cloud = Cloud::start(place.nursery, snapshots, client.disk())?;

    client.prepare(&cloud.endpoint)?;
    cloud.snapshot(START)?;
    let named = unit.points.iter().filter_map(|point| match point {
        Point::Moment { moment, .. } => Some(moment.clone()),
        Point::Signal(..) | Point::Faults(_) => None,
    });
    let named: Vec<String> = named.collect();
    let choice = unit.moments.clone().or_else(|| (!named.is_empty()).then_some(Choice::Named(named)));
    let before = cloud.changes()?;
    if let Some(choice) = &choice {
        cloud.record(choice)?;
    }
    let ended = client.go(&cloud.endpoint, |_| Ok(()))?;
    ensure!(ended.status.success(), "the undisturbed run failed:\n{}", ended.output);
    if choice.is_some() {
        let same = cloud.end_record()?;
        if unit.moments.is_some() {
            told.same(same);
        }
    }
    let changes = cloud.changes()? - before;
    let undisturbed = Undisturbed::new(cloud.inventory()?, &client.state(), changes);

    let moments = if unit.moments.is_some() { cloud.kept()? } else { Vec::new() };
    let points: Vec<Point> = moments
        .into_iter()
        .flat_map(|moment| of_moment(moment, place.seed, place.lost))
        .chain(unit.points.iter().cloned())
        .collect();
    let bench = Bench { place, client, cloud, undisturbed };
    for point in &points {
        told.tried(point, bench.attempt(point)?);
    }
    Ok(())
}

/// A moment, and, if it is drawn, the same one without the state file where that is not the same as another one without it.
fn of_moment(moment: String, seed: u64, lost: u32) -> Vec<Point> {
    let drawn = moment.ends_with(":committed") && is_drawn(&moment, seed, lost);
    let lost = drawn.then(|| Point::Moment { moment: moment.clone(), state_lost: true });
    [Point::Moment { moment, state_lost: false }].into_iter().chain(lost).collect()
}

struct Bench<'a> {
    place: &'a Place<'a>,
    client: Client<'a>,
    cloud: Cloud,
    undisturbed: Undisturbed,
}

impl Bench<'_> {
    fn attempt(&self, point: &Point) -> Result<Verdict> {
        let mut logs = Vec::new();
        let mut verdict = Verdict::default();
        match point {
            Point::Moment { moment, state_lost } => {
                if !self.cloud.has(moment) {
                    verdict.problems.push("the undisturbed run did not come by this moment again".to_owned());
                    return Ok(verdict);
                }
                self.cloud.restore(moment)?;
                if *state_lost {
                    self.lose_state()?;
                }
            }
            Point::Signal(signal, number) => {
                if !self.kill(*signal, *number, &mut logs)? {
                    verdict.problems.push(format!("no run was cut off in {DRAWS} draws"));
                    return Ok(verdict);
                }
                if *signal == Signal::Lost {
                    self.lose_state()?;
                }
            }
            Point::Faults(number) => {
                self.cloud.restore(START)?;
                self.cloud.set(&json!({"fault-rate": 0.2, "seed": self.place.seed.wrapping_mul(1000) + number}))?;
                // What the run itself could not make up for is the next run's.
                for run in 1..RUNS {
                    let ended = self.client.go(&self.cloud.endpoint, |_| Ok(()))?;
                    let done = ended.status.success();
                    logs.push((format!("run {run}"), ended.output));
                    if done {
                        break;
                    }
                }
            }
        }
        let cut_off = self.client.state();

        // Without any help.
        let endpoint = &self.cloud.endpoint;
        let ended = self.client.go(endpoint, |_| Ok(()))?;
        if !ended.status.success() {
            verdict.prompted = ended.status.code() == Some(3);
            verdict.problems.push(format!("the next run ended with {}", ended.status));
        }
        logs.push(("the next run".to_owned(), ended.output));
        if matches!(point, Point::Faults(_)) {
            self.cloud.set(&json!({"fault-rate": 0}))?;
        }
        let (nothing, output) = self.client.nothing_left(endpoint, || self.cloud.changes())?;
        if !nothing {
            verdict.problems.push("something is left to do".to_owned());
        }
        logs.push(("what is left to do".to_owned(), output));
        verdict.compare(&self.undisturbed, &self.cloud.inventory()?, &self.client.state());
        if !verdict.converged() {
            let folder = self.place.failures.join(format!("{}:{point}", self.client.scenario.name));
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("state-when-cut-off.json"), cut_off)?;
            fs::write(folder.join("state-afterwards.json"), self.client.state())?;
            let text: String = logs.iter().map(|(title, log)| format!("=== {title}\n{log}\n")).collect();
            fs::write(folder.join("log"), format!("{}\n\n{text}", verdict.problems.join("\n")))?;
        }
        Ok(verdict)
    }

    /// Kills runs for real, as often as it takes until the moments that were drawn came. False when they never do.
    fn kill(&self, signal: Signal, number: u64, logs: &mut Vec<(String, String)>) -> Result<bool> {
        for draw in 0..DRAWS {
            self.cloud.restore(START)?;
            logs.clear();
            let mut carried_out = 0;
            for kill in kills(signal, number, draw, self.place.seed, self.undisturbed.changes) {
                let ended = self.client.go(&self.cloud.endpoint, |process| self.cloud.kill(process, &kill))?;
                // A signal may also come when the run is over.
                let cut_off = ended.status.code().is_none_or(|code| code == INTERRUPTED);
                let killed = self.cloud.end_kill()? && cut_off;
                carried_out += usize::from(killed);
                logs.push((format!("{kill:?}, killed: {killed}"), ended.output));
                if !killed {
                    break;
                }
            }
            if carried_out >= signal.needed() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lose_state(&self) -> Result<()> {
        fs::remove_dir_all(self.client.disk())?;
        Ok(fs::create_dir_all(self.client.disk())?)
    }
}
