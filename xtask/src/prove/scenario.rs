//! What is cut off.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use fs_err as fs;

use crate::{
    Workspace,
    demo::{PLATFORM, bedplate},
    process,
};

/// Longer than any run takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// A run that is cut off, and what is there before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// What is run before it, with the settings after the five lines.
    before: &'static [(&'static str, &'static [&'static str])],
    /// The settings after the five lines.
    settings: &'static str,
    /// What is run, and run again after it was cut off.
    command: &'static [&'static str],
    /// How often one recording is made again to be cut into parts, so that not all snapshots, each of some 30 MB, are there at once.
    pub(super) parts: u32,
}

const BOOTSTRAP: &[&str] = &["bootstrap", "--yes"];
const DESTROY: &[&str] = &["destroy", "--yes", "--lift-protection"];

pub(super) const SCENARIOS: [Scenario; 5] = [
    Scenario { name: "bootstrap", before: &[], settings: "", command: BOOTSTRAP, parts: 11 },
    Scenario {
        name: "update",
        before: &[("", BOOTSTRAP)],
        settings: r#"
[tags]
CostCenter = "4711"
[network]
flow_logs_retention_days = 30
[cluster]
public_access_cidrs = ["198.51.100.0/24"]
[cluster.node_group]
max = 5
[database]
backup_retention_days = 14
[cache]
snapshot_retention_days = 3
"#,
        command: BOOTSTRAP,
        parts: 8,
    },
    Scenario {
        name: "replace",
        before: &[("[database]\nenabled = false\n[cache]\nenabled = false\n", BOOTSTRAP)],
        // Another range replaces the network and the cluster.
        settings: r#"
[network]
cidr = "10.1.0.0/16"
[cluster]
deletion_protection = false
[database]
enabled = false
[cache]
enabled = false
"#,
        command: BOOTSTRAP,
        parts: 12,
    },
    Scenario { name: "destroy", before: &[("", BOOTSTRAP)], settings: "", command: DESTROY, parts: 8 },
    // Keys and secrets that wait for their end are taken back.
    Scenario { name: "return", before: &[("", BOOTSTRAP), ("", DESTROY)], settings: "", command: BOOTSTRAP, parts: 11 },
];

/// How a run ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) output: String,
}

/// A user's folder.
pub(super) struct Client<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) scenario: Scenario,
    pub(super) folder: PathBuf,
}

impl Client<'_> {
    /// Where the state is.
    pub(super) fn disk(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// What the state file holds, or nothing.
    pub(super) fn state(&self) -> String {
        fs::read_to_string(self.disk().join("fintechglobal-production.json")).unwrap_or_default()
    }

    pub(super) fn configure(&self, settings: &str) -> Result<()> {
        Ok(fs::write(self.folder.join("platform.toml"), format!("{PLATFORM}{settings}"))?)
    }

    /// Brings about what is there before the scenario, and configures the scenario itself.
    pub(super) fn prepare(&self, endpoint: &str) -> Result<()> {
        for (settings, command) in self.scenario.before {
            self.configure(settings)?;
            let ended = self.run(endpoint, command, |_| Ok(()))?;
            ensure!(ended.status.success(), "{} failed:\n{}", command.join(" "), ended.output);
        }
        self.configure(self.scenario.settings)
    }

    /// Asks every service once, so that the cloud has loaded what it knows of it.
    pub(super) fn look_around(&self, endpoint: &str) -> Result<()> {
        self.configure("")?;
        let ended = self.run(endpoint, &["plan"], |_| Ok(()))?;
        ensure!(ended.status.success(), "plan failed:\n{}", ended.output);
        Ok(())
    }

    /// The run that is cut off, and the run after it. `started` is told the process.
    pub(super) fn go(&self, endpoint: &str, started: impl FnOnce(u32) -> Result<()>) -> Result<Ended> {
        self.run(endpoint, self.scenario.command, started)
    }

    /// Whether nothing is left to do.
    pub(super) fn nothing_left(&self, endpoint: &str, changes: impl Fn() -> Result<u64>) -> Result<(bool, String)> {
        if self.scenario.command == DESTROY {
            let before = changes()?;
            let again = self.run(endpoint, DESTROY, |_| Ok(()))?;
            return Ok((again.status.success() && changes()? == before, again.output));
        }
        let plan = self.run(endpoint, &["plan", "--detailed-exitcode"], |_| Ok(()))?;
        Ok((plan.status.success(), plan.output))
    }

    fn run(&self, endpoint: &str, arguments: &[&str], started: impl FnOnce(u32) -> Result<()>) -> Result<Ended> {
        let log = self.folder.join("log");
        let file = fs::File::create(&log)?.into_parts().0;
        let mut command = bedplate(self.workspace, &self.folder.join("platform.toml"), endpoint);
        command.arg("-v").args(arguments).stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let mut child = command.spawn().context("bedplate does not start")?;
        let id = child.id();
        let (sender, receiver) = mpsc::channel();
        let waiting = thread::spawn(move || drop(sender.send(child.wait())));
        started(id)?;
        let status = match receiver.recv_timeout(PATIENCE) {
            Ok(status) => status?,
            Err(_) => {
                process::status(Command::new("kill").args(["-KILL", &id.to_string()]))?;
                let _ = waiting.join();
                bail!("bedplate {} did not end:\n{}", arguments.join(" "), text(&log));
            }
        };
        Ok(Ended { status, output: text(&log) })
    }
}

fn text(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
