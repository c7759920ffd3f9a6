//! A folder with a `platform.toml`, and the program run in it.

use crate::{Cloud, Door, JsonExt, Plan, environment};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

/// The reference input, as it is.
pub const FIVE_LINES: &str = r#"project_name = "fintechglobal"
region       = "us-east-1"
account_id   = "797923187401"
alert_email  = "team-platform@yourcompany.com"
monthly_budget_limit = "5000"
"#;

/// The switches of everything that can be left out beside network, security and cluster.
const WITHOUT_DATA_TIERS: &str = r#"
[database]
enabled = false
[cache]
enabled = false
[sessions]
enabled = false
[monitoring]
dashboard = false
alarms = { enabled = false }
[costs]
email_subscription = false
service_budgets = {}
anomaly_detection = false
budgets_to_topic = false
"#;

/// The stack of the five lines.
pub const STACK: &str = "fintechglobal-production.us-east-1";

/// Kinds of resources that carry no tags, because AWS has none for them or they belong to AWS's services.
pub const UNTAGGED: [&str; 10] = [
    "autoscaling.traffic_source",
    "ec2.default_security_group",
    "iam.service_linked_role",
    "kms.alias",
    "kubernetes.autoscaler",
    "kubernetes.namespace",
    "kubernetes.node_port_service",
    "kubernetes.service_account",
    "scaling.policy",
    "sns.subscription",
];

/// Longer than any run takes, so that a run that hangs is a failure with its output and not the end of the suite.
const PATIENCE: Duration = Duration::from_secs(180);

/// A user's folder, gone with this value.
#[derive(Debug)]
pub struct Project {
    folder: tempfile::TempDir,
    endpoint: String,
    access_key: &'static str,
    switches: &'static str,
    elsewhere: Vec<(String, String)>,
}

impl Project {
    /// With exactly the five lines.
    pub fn new(cloud: &Cloud) -> Self {
        Self::with(cloud, "")
    }

    /// With the five lines and more settings.
    pub fn with(cloud: &Cloud, settings: &str) -> Self {
        Self::switched(cloud, settings, "")
    }

    /// Without the data tiers, monitoring and most of the cost governance, for what they have no part in: a run takes
    /// two thirds of the time. Buckets, secrets, the topic and one budget cannot be left out.
    pub fn network_and_cluster(cloud: &Cloud, settings: &str) -> Self {
        Self::switched(cloud, settings, WITHOUT_DATA_TIERS)
    }

    fn switched(cloud: &Cloud, settings: &str, switches: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let project = Self {
            folder,
            endpoint: cloud.endpoint.clone(),
            access_key: cloud.access_key,
            switches,
            elsewhere: Vec::new(),
        };
        project.configure(settings);
        project
    }

    /// Through a door of the cloud.
    #[must_use]
    pub fn through(mut self, door: &Door) -> Self {
        self.endpoint.clone_from(&door.endpoint);
        self
    }

    /// With one service in another cloud.
    #[must_use]
    pub fn with_service_in(mut self, service: &str, cloud: &Cloud) -> Self {
        self.elsewhere.push((format!("AWS_ENDPOINT_URL_{}", service.to_uppercase()), cloud.endpoint.clone()));
        self
    }

    /// Replaces what stands after the five lines, apart from the tables of [`Project::network_and_cluster`].
    pub fn configure(&self, settings: &str) {
        self.write("platform.toml", &format!("{FIVE_LINES}{settings}\n{}", self.switches));
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        fs_err::write(self.path(name), text).expect("a file in a temporary folder");
    }

    /// Reads a file.
    pub fn read(&self, name: &str) -> String {
        fs_err::read_to_string(self.path(name)).expect("the file exists")
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The state file of the five lines.
    pub fn state_path(&self) -> PathBuf {
        self.path("state/fintechglobal-production.json")
    }

    /// What the state file holds.
    pub fn state(&self) -> Value {
        let text = fs_err::read_to_string(self.state_path()).expect("a state file");
        serde_json::from_str(&text).expect("a state file is JSON")
    }

    /// The lines of the log of the last run of a command, in the order in which they were written.
    pub fn log(&self, command: &str) -> Vec<Value> {
        let folder = fs_err::read_dir(self.state_path().with_extension("runs")).expect("logs beside the state");
        let paths = folder.map(|entry| entry.expect("it can be read").path());
        let of_command = |path: &PathBuf| path.to_string_lossy().ends_with(&format!("-{command}.jsonl"));
        let newest = paths.filter(of_command).max().unwrap_or_else(|| panic!("no {command} is logged"));
        let text = fs_err::read_to_string(newest).expect("a log");
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// What AWS calls the resource at an address.
    pub fn id(&self, address: &str) -> String {
        let state = self.state();
        let resource = &state["resources"][address];
        resource["id"].as_str().unwrap_or_else(|| panic!("no id is recorded at {address}: {resource}")).to_owned()
    }

    /// Runs the program to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, &[])
    }

    /// The same with more environment variables.
    pub fn run_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Run {
        let mut command = assert_cmd::Command::from_std(self.command(args));
        let output = command.envs(environment.iter().copied()).timeout(PATIENCE).output();
        let output = output.unwrap_or_else(|error| panic!("bedplate {args:?}: {error}"));
        Run::new(args, output)
    }

    /// Runs the program to its end with this on its standard input.
    pub fn run_reading(&self, args: &[&str], input: &str) -> Run {
        let output = assert_cmd::Command::from_std(self.command(args)).write_stdin(input).timeout(PATIENCE).output();
        let output = output.unwrap_or_else(|error| panic!("bedplate {args:?}: {error}"));
        Run::new(args, output)
    }

    /// Runs the program to its end in a shell that does something first: `ulimit -f 8`.
    pub fn run_after(&self, prelude: &str, args: &[&str]) -> Run {
        let inner = self.command(args);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{prelude}; exec \"$0\" \"$@\"")]).arg(inner.get_program()).args(inner.get_args());
        shell.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.current_dir(self.folder.path());
        let output = assert_cmd::Command::from_std(shell).timeout(PATIENCE).output();
        let output = output.unwrap_or_else(|error| panic!("{prelude}; bedplate {args:?}: {error}"));
        Run::new(args, output)
    }

    /// Runs the program to its end in a terminal of so many columns. Once words are on the screen, the answer to them is typed.
    /// What the terminal got, escape sequences and all, is its standard output.
    pub fn run_in_terminal(
        &self,
        columns: u16,
        args: &[&str],
        environment: &[(&str, &str)],
        typed: &[(&str, &str)],
    ) -> Run {
        let inner = self.command(args);
        let mut command = Command::new(environment::python());
        command.arg(environment::root().join("tests/python/terminal.py")).arg(columns.to_string());
        command.arg(serde_json::to_string(typed).expect("text")).arg(inner.get_program()).args(inner.get_args());
        command.env_clear().envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TERM", "xterm-256color").envs(environment.iter().copied()).current_dir(self.folder.path());
        let output = assert_cmd::Command::from_std(command).timeout(PATIENCE).output();
        let output = output.unwrap_or_else(|error| panic!("bedplate {args:?}: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut answer: Value = serde_json::from_slice(&output.stdout).expect("a document");
        let stdout = answer["seen"].as_str().expect("text").to_owned();
        let code = answer["code"].as_i64().and_then(|code| i32::try_from(code).ok());
        let run = Run { args: args.join(" "), code, stdout, stderr: String::new() };
        assert_eq!(answer["not_asked"].take(), serde_json::json!([]), "{run}");
        run
    }

    /// Runs the program to its end with nobody who reads its results: `bedplate … | head -0`.
    pub fn run_into_nothing(&self, args: &[&str]) -> Run {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = self.command(args);
        command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let output = command.spawn().and_then(Child::wait_with_output).expect("the program starts");
        Run::new(args, output)
    }

    /// Starts the program and leaves it running.
    pub fn start(&self, args: &[&str]) -> Running {
        self.start_with(args, &[])
    }

    /// The same with more environment variables.
    pub fn start_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Running {
        let mut command = self.command(args);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stderr = child.stderr.take().map(BufReader::new);
        Running { child, stderr, args: args.join(" "), seen: String::new() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(environment::binary());
        command.current_dir(self.folder.path()).env_clear();
        if self.elsewhere.is_empty() {
            command.args(["--endpoint-url", &self.endpoint]);
        } else {
            // The flag is for all services.
            command.env("AWS_ENDPOINT_URL", &self.endpoint).envs(self.elsewhere.iter().cloned());
        }
        command.args(args);
        command.envs([
            ("AWS_ACCESS_KEY_ID", self.access_key),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]);
        // Nothing of the person who runs the tests.
        command.env("HOME", self.folder.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// `bootstrap --yes`, which succeeds.
    pub fn bootstrap(&self) -> Run {
        self.run(&["bootstrap", "--yes"]).ok()
    }

    /// `apply --yes`, which succeeds.
    pub fn apply(&self) -> Run {
        self.run(&["apply", "--yes"]).ok()
    }

    /// `plan --json`, which succeeds.
    pub fn plan(&self) -> Plan {
        self.run(&["plan", "--json"]).ok().plan()
    }

    /// That nothing is left to do.
    pub fn assert_no_changes(&self) {
        let plan = self.plan();
        assert!(plan.changes().is_empty(), "these are left to do: {:#}", plan.0["changes"]);
        let run = self.run(&["plan", "--detailed-exitcode"]).exits(0);
        assert!(run.stdout.contains("No changes"), "{run}");
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    args: String,
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// The results.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

impl Run {
    fn new(args: &[&str], output: std::process::Output) -> Self {
        Self {
            args: args.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// It exits with 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// It exits with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Standard error has all of these.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        // Messages may break lines.
        let text = self.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(text.contains(word), "it does not say {word:?}: {self}");
        }
        self
    }

    /// Standard output has all of these.
    #[track_caller]
    pub fn has(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stdout.contains(word), "it does not have {word:?}: {self}");
        }
        self
    }

    /// The one JSON document on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The document of `plan --json`.
    #[track_caller]
    pub fn plan(&self) -> Plan {
        Plan::new(self.json())
    }

    /// The documents on standard error, one a line, of one event.
    #[track_caller]
    pub fn events(&self, event: &str) -> Vec<Value> {
        let lines = self.stderr.lines().map(|line| {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line:?} in {self}"))
        });
        lines.filter(|line| line.text("event") == event).collect()
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { args, code, stdout, stderr } = self;
        write!(f, "bedplate {args} (exit {code:?})\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
    }
}

/// A run that goes on.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// `None` once nobody listens any more.
    stderr: Option<BufReader<ChildStderr>>,
    args: String,
    seen: String,
}

impl Running {
    /// Waits for a line on standard error that has all of these.
    pub fn wait_for(&mut self, words: &[&str]) {
        let mut line = String::new();
        let stderr = self.stderr.as_mut().expect("somebody listens");
        while stderr.read_line(&mut line).expect("text") > 0 {
            let found = words.iter().all(|word| line.contains(word));
            self.seen.push_str(&line);
            line.clear();
            if found {
                return;
            }
        }
        panic!("bedplate {} ended without saying {words:?}:\n{}", self.args, self.seen);
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// Sends a signal: `INT`, `TERM`, `HUP`, `KILL`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill starts").success(), "the program runs");
    }

    /// Waits until it handles Ctrl-C itself. False where that cannot be seen, elsewhere than on Linux.
    pub fn wait_until_it_handles_signals(&self) -> bool {
        const INT: u64 = 1 << 1;
        let status = format!("/proc/{}/status", self.child.id());
        while let Ok(status) = fs_err::read_to_string(&status) {
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask");
            if u64::from_str_radix(caught.trim(), 16).expect("a mask") & INT != 0 {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    /// Closes what it writes to, as a terminal that goes away.
    pub fn stop_listening(&mut self) {
        drop((self.stderr.take(), self.child.stdout.take()));
    }

    /// Ends it at once, without a word.
    pub fn kill(mut self) {
        self.child.kill().expect("the program runs");
        self.child.wait().expect("it ends");
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Run {
        let mut stdout = String::new();
        if let (Some(stderr), Some(results)) = (&mut self.stderr, &mut self.child.stdout) {
            stderr.read_to_string(&mut self.seen).expect("text");
            results.read_to_string(&mut stdout).expect("text");
        }
        let code = self.child.wait().expect("it ends").code();
        Run { args: self.args.clone(), code, stdout, stderr: self.seen.clone() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
