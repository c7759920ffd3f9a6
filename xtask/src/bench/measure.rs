//! One function per group of figures.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use serde_json::Value as Json;

use super::report::{self, Row};
use crate::{Workspace, cloud::Cloud, demo::PLATFORM, process::without_aws};

/// Runs a program several times and prints the seconds of each and the most memory that one of them had, in MB.
const TIMED: &str = "
import json, resource, subprocess, sys, time
seconds = []
for _ in range(int(sys.argv[1])):
    began = time.monotonic()
    subprocess.run(sys.argv[2:], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds.append(time.monotonic() - began)
unit = 1 if sys.platform == 'darwin' else 1024
print(json.dumps({'seconds': seconds, 'memory': resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e6}))
";

/// Adds so many rules to the security groups of a stack and to others in its VPC, as somebody else would. A group takes 60.
const RULES: &str = "
import boto3, sys
ec2 = boto3.client('ec2', endpoint_url=sys.argv[1], region_name='us-east-1', aws_access_key_id='demo', aws_secret_access_key='demo')
groups = ec2.describe_security_groups(Filters=[{'Name': 'tag-key', 'Values': ['bedplate:stack']}])['SecurityGroups']
ids, vpc = [group['GroupId'] for group in groups], groups[0]['VpcId']
for start in range(0, int(sys.argv[2]), 50):
    if not ids:
        ids.append(ec2.create_security_group(GroupName=f'bench-{start}', Description='bench', VpcId=vpc)['GroupId'])
    ranges = [{'CidrIp': f'172.16.{number // 256}.{number % 256}/32'} for number in range(start, start + 50)]
    permission = {'IpProtocol': 'tcp', 'FromPort': 9000, 'ToPort': 9000, 'IpRanges': ranges}
    ec2.authorize_security_group_ingress(GroupId=ids.pop(), IpPermissions=[permission])
";

/// About what a call of AWS takes, in seconds.
const ROUND_TRIP: f64 = 0.1;

/// How many pairs of a plan and its bare calls there are for each run that is asked for: both take a fraction of a second.
const PAIRS: usize = 5;

/// AWS's minutes as seconds.
const SCALE: f64 = 1.0 / 60.0;

/// Where everything is.
pub(crate) struct Bench<'a> {
    workspace: &'a Workspace,
    python: &'a Path,
    bin: PathBuf,
    flag: &'static str,
    runs: usize,
}

/// A platform in a cloud of its own.
struct Built {
    cloud: Cloud,
    config: PathBuf,
    state: PathBuf,
    /// What `bootstrap --json` said.
    outcome: Json,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(workspace: &'a Workspace, python: &'a Path, profile: &str, runs: usize) -> Result<Self> {
        let bin = workspace.bin.parent().context("the build folder has no parent")?.join(profile);
        let flag = if profile == "release" { " --release" } else { "" };
        Ok(Self { workspace, python, bin, flag, runs })
    }

    fn row(&self, group: &str, figure: impl Into<String>, value: f64, unit: &'static str, at_most: Option<f64>) -> Row {
        let command = format!("cargo xtask bench {group}{}", self.flag);
        Row { figure: figure.into(), value, unit, at_most, command }
    }

    fn program(&self, name: &str) -> PathBuf {
        self.bin.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.workspace.root.join("target/bench").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    fn bedplate(&self, config: &Path, endpoint: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program("bedplate"));
        with_keys(&mut command).arg("--config").arg(config).args(["--endpoint-url", endpoint]).args(arguments);
        command
    }

    /// The answer of one of our measuring programs.
    fn measured(&self, arguments: &[&str]) -> Result<Json> {
        let mut command = Command::new(self.program("bedplate-bench"));
        json(with_keys(&mut command).args(arguments))
    }

    fn python(&self, script: &str, arguments: &[&str]) -> Result<Vec<u8>> {
        let mut command = Command::new(self.python);
        output(with_keys(&mut command).args(["-c", script]).args(arguments))
    }

    /// Seconds of the median run, and memory in MB.
    fn timed(&self, command: &Command, runs: usize) -> Result<(f64, f64)> {
        let runs = runs.to_string();
        let mut arguments = vec![runs.as_str(), command.get_program().to_str().context("the path is no text")?];
        for argument in command.get_args() {
            arguments.push(argument.to_str().context("the argument is no text")?);
        }
        let answer: Json = serde_json::from_slice(&self.python(TIMED, &arguments)?)?;
        Ok((median(&answer["seconds"])?, float(&answer["memory"])?))
    }

    fn built(&self, name: &str, settings: &str, cloud: &[&str]) -> Result<Built> {
        let folder = self.folder(name)?;
        let config = folder.join("platform.toml");
        fs::write(&config, format!("{PLATFORM}{settings}"))?;
        let cloud = Cloud::with(self.workspace, self.python, None, cloud)?;
        let outcome = json(&mut self.bedplate(&config, &cloud.endpoint, &["bootstrap", "--yes", "--json"]))?;
        Ok(Built { cloud, config, state: folder.join("state/fintechglobal-production.json"), outcome })
    }
}

/// Calls of a plan that finds nothing to do, by how much there is.
pub(crate) fn calls(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    // EKS takes five of us-east-1's six zones.
    for zones in [2, 3, 5] {
        let built = bench.built("calls", &format!("[network]\nzones = {zones}\n"), &[])?;
        let plan = json(&mut bench.bedplate(&built.config, &built.cloud.endpoint, &["plan", "--json"]))?;
        let resources = float(&plan["summary"]["unchanged"])?;
        let figure = format!("API calls of a plan without changes, {zones} zones, {resources} resources");
        rows.push(bench.row("calls", figure, total(&plan)?, "", (zones == 2).then_some(80.0)));
        if zones == 2 {
            bench.python(RULES, &[&built.cloud.endpoint, "500"])?;
            let plan = json(&mut bench.bedplate(&built.config, &built.cloud.endpoint, &["plan", "--json"]))?;
            let figure = "the same with 500 further rules in security groups of the VPC";
            rows.push(bench.row("calls", figure, total(&plan)?, "", None));
        }
    }
    Ok(rows)
}

/// How long such a plan takes, compared with its requests one after the other.
pub(crate) fn plan(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let built = bench.built("plan", "", &[])?;
    let endpoint = built.cloud.endpoint.as_str();
    let (config, state) = (built.config.to_string_lossy(), built.state.to_string_lossy());
    let (mut plans, mut bares, mut ratios, mut memories) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut requests = 0.0;
    // In turns, each with the one right before it: a machine that others use as well is slower at one moment than at another.
    for _ in 0..PAIRS * bench.runs {
        let replay = bench.measured(&["replay", &config, &state, endpoint, "--runs", "1"])?;
        let (seconds, memory) = bench.timed(&bench.bedplate(&built.config, endpoint, &["plan"]), 1)?;
        let bare = median(&replay["back_to_back"])?;
        requests = float(&replay["requests"])?;
        plans.push(seconds);
        bares.push(bare);
        ratios.push(seconds / bare);
        memories.push(memory);
    }
    let middle = |values| report::median(values).context("an empty list");
    let distant = bench.built("distant", "", &["--latency", &ROUND_TRIP.to_string()])?;
    let (far, _) = bench.timed(&bench.bedplate(&distant.config, &distant.cloud.endpoint, &["plan"]), bench.runs)?;
    let calls = format!("its {requests} calls by a bare client, one after the other");
    Ok(vec![
        bench.row("plan", "plan without changes, start-up included", middle(plans)?, " s", None),
        bench.row("plan", calls, middle(bares)?, " s", None),
        bench.row("plan", "ratio of the two, in the median pair", middle(ratios)?, "", Some(1.3)),
        bench.row("plan", "memory of the plan", memories.into_iter().fold(0.0, f64::max), " MB", Some(80.0)),
        bench.row("plan", "the same plan where every call takes 0.1 s", far, " s", None),
        bench.row("plan", "that is, in calls one after the other", far / ROUND_TRIP, "", None),
    ])
}

/// How long a bootstrap takes when AWS takes its usual time.
pub(crate) fn makespan(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let config = bench.folder("makespan")?.join("platform.toml");
    fs::write(&config, PLATFORM)?;
    let config = config.to_string_lossy();
    let one = bench.measured(&["makespan", &config])?;
    let many = bench.measured(&["makespan", &config, "--stacks", "20"])?;
    let row = |figure: &str, value: &Json, unit, most| {
        Ok::<_, anyhow::Error>(bench.row("makespan", figure, float(value)?, unit, most))
    };
    let mut rows = vec![
        row("bootstrap at AWS's usual pace, simulated", &one["makespan"], " s", None)?,
        row("its longest path", &one["critical_path"], " s", None)?,
        row("ratio of the two", &one["ratio"], "", Some(1.05))?,
        row("reads during it", &one["reads"], "", None)?,
        row("from ready to the next, in poll intervals, at worst", &one["late_in_polls"], "", Some(2.0))?,
        row("the same the old way", &one["old_way"]["makespan"], " s", None)?,
        row("looks during it the old way", &one["old_way"]["polls"], "", None)?,
        row("our gain", &one["old_way"]["ratio"], "×", None)?,
    ];
    for (count, measured) in [(1, &one), (20, &many)] {
        for (service, most) in measured["changes_per_second"].as_object().context("no services")? {
            let figure = format!("changing calls to {service} in the busiest second, {count} stack(s) at once");
            rows.push(bench.row("makespan", figure, float(most)?, "", None));
        }
        let figure = format!("calls that AWS would refuse, {count} stack(s) at once");
        rows.push(bench.row("makespan", figure, float(&measured["refused"])?, "", Some(0.0)));
    }
    rows.push(row("bootstrap of 20 stacks at once, by one process", &many["makespan"], " s", None)?);
    Ok(rows)
}

/// A real bootstrap at the pace that AWS allows, against a local cloud that refuses what comes faster.
pub(crate) fn paced(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let built = bench.built("paced", "", &[])?;
    let (config, state) = (built.config.to_string_lossy(), built.state.to_string_lossy());
    let strict = Cloud::with(bench.workspace, bench.python, None, &["--throttle", "1"])?;
    let paced = bench.measured(&["paced", &config, &state, &strict.endpoint])?;
    let held = paced["held_back"].as_object().context("no held_back")?;
    let mut rows = vec![
        bench.row(
            "paced",
            "bootstrap at the pace that AWS allows, against the local cloud",
            float(&paced["seconds"])?,
            " s",
            None,
        ),
        bench.row("paced", "calls of it that were sent again", float(&paced["retries"])?, "", Some(0.0)),
    ];
    for (operation, seconds) in held {
        rows.push(bench.row("paced", format!("{operation} held back, all together"), float(seconds)?, " s", None));
    }
    Ok(rows)
}

/// The same for real, against the local cloud with AWS's times made shorter.
pub(crate) fn scaled(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let scale = SCALE.to_string();
    let built = bench.built("scaled", "", &["--durations", "aws", "--scale", &scale])?;
    let seconds = float(&built.outcome["seconds"])?;
    let done = built.outcome["done"].as_array().context("nothing was done")?;
    let slowest = done.iter().filter_map(|done| done["seconds"].as_f64()).fold(0.0, f64::max);
    let simulated = bench.measured(&["makespan", &built.config.to_string_lossy()])?;
    let critical = float(&simulated["critical_path"])? * SCALE;
    Ok(vec![
        bench.row("scaled", "bootstrap against the local cloud, AWS's times divided by 60", seconds, " s", None),
        bench.row("scaled", "its longest path, divided by 60", critical, " s", None),
        bench.row("scaled", "ratio of the two", seconds / critical, "", Some(1.15)),
        bench.row("scaled", "its slowest resource", slowest, " s", None),
    ])
}

/// The engine alone.
pub(crate) fn engine(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for resources in [1_000, 3_000, 10_000] {
        let measured = bench.measured(&["engine", &resources.to_string()])?;
        let most = (resources == 10_000).then_some(2.0);
        let figure = |what: &str| format!("{what}, {resources} resources");
        rows.push(bench.row("engine", figure("plan without changes"), float(&measured["plan_unchanged"])?, " s", most));
        rows.push(bench.row("engine", figure("plan of all as new"), float(&measured["plan_new"])?, " s", most));
        rows.push(bench.row(
            "engine",
            figure("apply in a cloud that answers at once"),
            float(&measured["apply"])?,
            " s",
            None,
        ));
        let slow = &measured["slow"];
        let what = "apply in a cloud that takes 15 ms, six calls at once";
        rows.push(bench.row("engine", figure(what), float(&slow["apply"])?, " s", None));
        for (measured, of) in [(&measured, ""), (slow, ", slower cloud")] {
            let (saves, bytes) = (float(&measured["saves"])?, float(&measured["saved_bytes"])? / 1e6);
            rows.push(bench.row("engine", figure(&format!("saves of the state{of}")), saves, "", None));
            rows.push(bench.row("engine", figure(&format!("bytes they wrote{of}")), bytes, " MB", None));
        }
    }
    Ok(rows)
}

/// Start-up and size.
pub(crate) fn start(bench: &Bench<'_>) -> Result<Vec<Row>> {
    let program = bench.program("bedplate");
    let mut command = Command::new(&program);
    command.arg("--help");
    let (seconds, memory) = bench.timed(&command, bench.runs)?;
    let size = fs::metadata(&program)?.len();
    Ok(vec![
        bench.row("start", "`bedplate --help`", seconds * 1e3, " ms", Some(50.0)),
        bench.row("start", "memory of it", memory, " MB", None),
        bench.row("start", "size of the program", size as f64 / 1e6, " MB", (!bench.flag.is_empty()).then_some(40.0)),
    ])
}

fn with_keys(command: &mut Command) -> &mut Command {
    let keys = [("AWS_ACCESS_KEY_ID", "demo"), ("AWS_SECRET_ACCESS_KEY", "demo")];
    without_aws(command).envs(keys).stdin(Stdio::null())
}

fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.stderr(Stdio::piped()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

fn json(command: &mut Command) -> Result<Json> {
    Ok(serde_json::from_slice(&output(command)?)?)
}

fn total(plan: &Json) -> Result<f64> {
    let calls = plan["api_calls"].as_object().context("no api_calls")?;
    Ok(calls.values().filter_map(Json::as_f64).sum())
}

fn float(value: &Json) -> Result<f64> {
    value.as_f64().context("no number")
}

fn median(values: &Json) -> Result<f64> {
    let values = values.as_array().context("no list")?.iter().filter_map(Json::as_f64);
    report::median(values.collect()).context("an empty list")
}
