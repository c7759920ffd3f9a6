//! A local cloud that goes back to its snapshots, and the requests to its control API.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::ChildStdin,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use fs_err as fs;
use serde_json::{Value as Json, json};

use super::point::Kill;
use crate::{Workspace, cloud, process::Running};

/// Every id that exists, by kind.
pub(super) type Inventory = BTreeMap<String, BTreeSet<String>>;

/// Which moments of a run are kept as snapshots.
#[derive(Clone, Debug)]
pub(super) enum Choice {
    /// These.
    Named(Vec<String>),
    /// Those whose hash lies between these, per mille.
    Share { seed: u64, low: u32, high: u32 },
}

/// A local cloud that has loaded everything and holds nothing, to be copied: loading takes longer than a run's calls, and what
/// was loaded before the copy is in memory once.
pub(super) struct Nursery {
    pub(super) endpoint: String,
    _process: Running,
    _alive: ChildStdin,
}

impl Nursery {
    pub(super) fn start(workspace: &Workspace, python: &Path, options: &[&str]) -> Result<Self> {
        let mut command = cloud::module(workspace, python, "bedplate_cloud");
        command.args(["--port", "0"]).args(options);
        let (mut process, alive) = Running::start_alive(&mut command)?;
        let endpoint = process
            .announced("bedplate cloud ready: ", Duration::from_secs(120))
            .context("the local cloud did not start")?;
        Ok(Self { endpoint, _process: process, _alive: alive })
    }
}

/// A local cloud, and the folder of the client whose disk belongs to its snapshots. Gone, with all snapshots, when this value
/// goes.
pub(super) struct Cloud {
    pub(super) endpoint: String,
    folder: PathBuf,
    disk: PathBuf,
    _alive: fs::File,
}

impl Cloud {
    /// Starts one. `disk` is the flat folder in which its client keeps its state; snapshots go into `folder`.
    pub(super) fn start(nursery: &Nursery, folder: PathBuf, disk: PathBuf) -> Result<Self> {
        let pipe = folder.join("alive");
        let answer = ask(&nursery.endpoint, "POST", "copy", Some(&json!({"alive": pipe})))?;
        let endpoint = answer["address"].as_str().context("the copy has no address")?.to_owned();
        let alive = fs::OpenOptions::new().write(true).open(pipe)?;
        Ok(Self { endpoint, folder, disk, _alive: alive })
    }

    /// Keeps this instant under a name.
    pub(super) fn snapshot(&self, name: &str) -> Result<()> {
        self.post("snapshot", &json!({"folder": self.folder.join(name), "disk": self.disk})).map(drop)
    }

    /// From now on keeps the chosen moments.
    pub(super) fn record(&self, choice: &Choice) -> Result<()> {
        let mut request = json!({"folder": self.folder, "disk": self.disk});
        match choice {
            Choice::Named(names) => request["named"] = json!(names),
            Choice::Share { seed, low, high } => {
                request["seed"] = json!(seed);
                request["low"] = json!(low);
                request["high"] = json!(high);
            }
        }
        self.post("record", &request).map(drop)
    }

    /// Kills a process at a moment to come.
    pub(super) fn kill(&self, process: u32, kill: &Kill) -> Result<()> {
        let Kill { signals, nth, when } = kill;
        let request =
            json!({"pid": process, "signals": signals, "operation": "*", "nth": nth, "when": when, "disk": self.disk});
        self.post("kill", &request).map(drop)
    }

    /// Ends [`Cloud::record`]; how many of the chosen moments were not kept, by when, because the cloud and the disk were as at
    /// an earlier one.
    pub(super) fn end_record(&self) -> Result<BTreeMap<String, usize>> {
        Ok(serde_json::from_value(self.post("end-moments", &json!({}))?["same"].take())?)
    }

    /// Ends [`Cloud::kill`]; whether the process was killed.
    pub(super) fn end_kill(&self) -> Result<bool> {
        Ok(self.post("end-moments", &json!({}))?["killed"] == true)
    }

    /// Whether there is a snapshot of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.folder.join(name).join("restore").exists()
    }

    /// Goes back to a snapshot, with the client's disk.
    pub(super) fn restore(&self, name: &str) -> Result<()> {
        // It ends instead of answering.
        let _ = self.post("leave", &json!({}));
        let folder = self.folder.join(name);
        fs::OpenOptions::new().write(true).open(folder.join("restore"))?.write_all(b"!")?;
        if self.disk.exists() {
            fs::remove_dir_all(&self.disk)?;
        }
        fs::create_dir_all(&self.disk)?;
        for file in fs::read_dir(folder.join("disk"))? {
            let file = file?;
            fs::copy(file.path(), self.disk.join(file.file_name()))?;
        }
        Ok(())
    }

    /// The names of the moments that were kept.
    pub(super) fn kept(&self) -> Result<Vec<String>> {
        let names = fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let mut names = names.collect::<Result<Vec<String>>>()?;
        names.retain(|name| name.contains('#'));
        names.sort();
        Ok(names)
    }

    /// Everything that exists once nothing is under way any more.
    pub(super) fn inventory(&self) -> Result<Inventory> {
        self.post("advance", &json!({"seconds": 7200}))?;
        Ok(serde_json::from_value(self.ask("GET", "inventory", None)?)?)
    }

    /// How many calls so far changed something.
    pub(super) fn changes(&self) -> Result<u64> {
        self.ask("GET", "calls", None)?["mutating"].as_u64().context("no number of calls")
    }

    /// Changes switches of the cloud.
    pub(super) fn set(&self, switches: &Json) -> Result<()> {
        self.post("settings", switches).map(drop)
    }

    /// A request that changes something of the cloud itself.
    fn post(&self, path: &str, body: &Json) -> Result<Json> {
        self.ask("POST", path, Some(body))
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Json>) -> Result<Json> {
        ask(&self.endpoint, method, path, body)
    }
}

fn ask(endpoint: &str, method: &str, path: &str, body: Option<&Json>) -> Result<Json> {
    let host = endpoint.trim_start_matches("http://");
    let body = body.map(Json::to_string).unwrap_or_default();
    let mut connection = TcpStream::connect(host)?;
    connection.set_read_timeout(Some(Duration::from_secs(120)))?;
    let length = body.len();
    let head = format!(
        "{method} /_cloud/{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    connection.write_all((head + &body).as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("{path}: no answer"))?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "{path}: {head}\n{body}");
    Ok(serde_json::from_str(body)?)
}
