//! `cargo xtask test`: everything CI checks. One part's failure does not stop the others, and the totals count them all.

use std::{
    env,
    ffi::OsString,
    fmt,
    ops::AddAssign,
    path::{Path, PathBuf},
    process::{self as std_process, Command, ExitCode, ExitStatus, Stdio},
    time::Instant,
};

use anyhow::Result;
use fs_err as fs;

use crate::{
    Workspace, cloud,
    process::{self, say},
    prove, python,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out rustfmt, clippy and cargo-deny
    #[arg(long, conflicts_with = "only")]
    no_lint: bool,
    /// Run this part only (may be given several times)
    #[arg(long, value_name = "PART")]
    only: Vec<Part>,
    /// For `cargo test`, such as part of a test's name, `--test FILE`, or `-- --nocapture`
    #[arg(last = true)]
    args: Vec<OsString>,
}

/// In this order.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Part {
    /// Is everything formatted
    Fmt,
    /// Lints, warnings being errors
    Clippy,
    /// Unit tests, documentation tests, and end to end
    Rust,
    /// The local cloud's own tests
    Cloud,
    /// `cargo xtask demo --exit`, which the README begins with
    Demo,
    /// A sample of `cargo xtask prove`
    Prove,
    /// Licences, advisories and sources of dependencies
    Deny,
}

impl Part {
    const ALL: [Self; 7] = [Self::Fmt, Self::Clippy, Self::Rust, Self::Cloud, Self::Demo, Self::Prove, Self::Deny];

    fn is_lint(self) -> bool {
        matches!(self, Self::Fmt | Self::Clippy | Self::Deny)
    }

    fn title(self) -> &'static str {
        match self {
            Self::Fmt => "rustfmt",
            Self::Clippy => "clippy",
            Self::Rust => "Rust tests",
            Self::Cloud => "local cloud's own tests",
            Self::Demo => "demo",
            Self::Prove => "killed runs",
            Self::Deny => "cargo-deny",
        }
    }
}

#[derive(Clone, Copy, Default, Debug, PartialEq)]
struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Totals {
    const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };
    const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// One check that is one command.
    fn of(status: ExitStatus) -> Self {
        if status.success() { Self::PASSED } else { Self::FAILED }
    }

    fn ran(self) -> bool {
        self.passed + self.failed > 0
    }

    /// What [`fmt::Display`] writes.
    fn parse(line: &str) -> Option<Self> {
        let [passed, failed, skipped] = line.trim().split(", ").collect::<Vec<_>>().try_into().ok()?;
        let number = |text: &str, word| text.strip_suffix(word)?.parse().ok();
        Some(Self {
            passed: number(passed, " passed")?,
            failed: number(failed, " failed")?,
            skipped: number(skipped, " skipped")?,
        })
    }

    /// Counts at least one failure for a command that failed: what broke it need not have been a test.
    fn or_failed(mut self, status: ExitStatus) -> Self {
        if !status.success() {
            self.failed = self.failed.max(1);
        }
        self
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Adds up what the test programs that `cargo test` starts one after the other say about themselves.
#[derive(Default)]
struct Libtest {
    totals: Totals,
    running: bool,
}

impl Libtest {
    fn line(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.running = false;
            let words: Vec<&str> = result.split_whitespace().collect();
            for pair in words.windows(2) {
                let Ok(number) = pair[0].parse::<u64>() else { continue };
                match pair[1].trim_end_matches(';') {
                    "passed" => self.totals.passed += number,
                    "failed" => self.totals.failed += number,
                    "ignored" => self.totals.skipped += number,
                    _ => {}
                }
            }
        } else if is_start(line) {
            self.abandoned();
            self.running = true;
        }
    }

    /// A program that started and gave no result has crashed.
    fn abandoned(&mut self) {
        self.totals.failed += u64::from(std::mem::take(&mut self.running));
    }

    fn finish(mut self, status: ExitStatus) -> Totals {
        self.abandoned();
        self.totals.or_failed(status)
    }
}

/// The name in `test NAME ... FAILED`, and in `FAILED NAME` of the local cloud's tests.
fn failing(line: &str) -> Option<&str> {
    let rust = || line.strip_prefix("test ")?.split_once(" ... ").filter(|(_, result)| result.contains("FAILED"));
    rust().map(|(name, _)| name).or_else(|| line.strip_prefix("FAILED "))
}

/// `running 3 tests`
fn is_start(line: &str) -> bool {
    let count = line.strip_prefix("running ").and_then(|rest| rest.split_once(" test"));
    count.is_some_and(|(number, rest)| number.parse::<u64>().is_ok() && matches!(rest, "" | "s"))
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let chosen = |part: &Part| match args.only.as_slice() {
        [] => !(args.no_lint && part.is_lint()),
        only => only.contains(part),
    };
    let parts: Vec<Part> = Part::ALL.into_iter().filter(chosen).collect();

    let mut report: Vec<(&str, Totals, u64, Vec<String>)> = Vec::new();
    let mut time = |title, part: &mut dyn FnMut(&mut Vec<String>) -> Result<Totals>| {
        say(format!("\n=== {title} ==="));
        let start = Instant::now();
        let mut names = Vec::new();
        // Nothing that goes wrong in one part keeps the others from running.
        let totals = part(&mut names).unwrap_or_else(|error| {
            say(format!("error: {error:#}"));
            Totals::FAILED
        });
        report.push((title, totals, start.elapsed().as_secs(), names));
    };

    let mut python = None;
    if parts.iter().any(|part| !part.is_lint()) {
        time("set-up", &mut |_| {
            python = Some(python::set_up(workspace)?);
            Ok(Totals::default())
        });
    }
    for part in parts {
        time(part.title(), &mut |names| match part {
            Part::Fmt => lint(workspace, "fmt", &["--all", "--check"]),
            Part::Clippy => {
                lint(workspace, "clippy", &["--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"])
            }
            Part::Rust => rust(workspace, python.as_deref(), &args.args, names),
            Part::Cloud => cloud(workspace, python.as_deref(), names),
            Part::Demo => demo(workspace),
            Part::Prove => proof(workspace, python.as_deref()),
            Part::Deny => deny(workspace),
        });
    }

    let mut totals = Totals::default();
    say("");
    for (title, part, seconds, names) in report {
        say(format!("{title:24} {seconds:>5} s   {part}"));
        names.iter().for_each(|name| say(format!("    failed: {name}")));
        totals += part;
    }
    if !totals.ran() {
        say("error: no test ran");
    }
    say(totals.to_string());
    Ok(if totals.failed == 0 && totals.ran() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A check by one of cargo's commands, skipped where that is not installed.
fn lint(workspace: &Workspace, name: &str, args: &[&str]) -> Result<Totals> {
    if !is_installed(workspace, name)? {
        return Ok(skipped(&format!(
            "cargo {name} is not installed (rustup component add {})",
            match name {
                "fmt" => "rustfmt",
                other => other,
            }
        )));
    }
    Ok(Totals::of(process::status(process::cargo(workspace).arg(name).args(args))?))
}

fn deny(workspace: &Workspace) -> Result<Totals> {
    // Compiling it takes minutes, which is for whoever wants it to decide.
    if !is_installed(workspace, "deny")? {
        return Ok(skipped("cargo-deny is not installed (cargo install --locked cargo-deny)"));
    }
    let deny = |args: &[&str]| process::status(process::cargo(workspace).arg("deny").args(args));
    let mut totals = Totals::of(deny(&["check", "bans", "licenses", "sources"])?);
    // Only the advisories need the network. Without it nothing is known about them, which is no failure of ours.
    totals += match deny(&["fetch", "db"])?.success() {
        true => Totals::of(deny(&["check", "--disable-fetch", "advisories"])?),
        false => skipped("the database of advisories cannot be fetched"),
    };
    Ok(totals)
}

fn is_installed(workspace: &Workspace, name: &str) -> Result<bool> {
    let mut command = process::cargo(workspace);
    Ok(process::status(command.args([name, "--version"]).stdout(Stdio::null()).stderr(Stdio::null()))?.success())
}

fn rust(workspace: &Workspace, python: Option<&Path>, args: &[OsString], names: &mut Vec<String>) -> Result<Totals> {
    // The end-to-end tests run the program, which is not among what `cargo test` builds. All targets at once, because
    // another choice may mean other features of the dependencies, and then these would be built twice.
    process::run(process::cargo(workspace).args(["build", "--workspace", "--bins", "--tests"]), "building")?;

    let skips = Skips::new(workspace)?;
    let mut command = process::cargo(workspace);
    process::without_aws(&mut command).args(["test", "--workspace", "--no-fail-fast"]).args(args);
    command.env("BEDPLATE_TEST_BINARY", workspace.bedplate()).env("BEDPLATE_TEST_SKIPS", &skips.0);
    match python {
        Some(python) => command.env("BEDPLATE_TEST_PYTHON", python),
        None => command.env_remove("BEDPLATE_TEST_PYTHON"),
    };
    let mut results = Libtest::default();
    let status = process::stream(&mut command, |line| {
        results.line(line);
        names.extend(failing(line).map(str::to_owned));
        true
    })?;
    let mut totals = results.finish(status);
    if !totals.ran() {
        say("error: no test ran");
        totals += Totals::FAILED;
    }
    for line in skips.lines()? {
        totals.passed = totals.passed.saturating_sub(1);
        totals += skipped(&line);
    }
    Ok(totals)
}

/// A file in which a test that cannot do its work here leaves a line `name: reason`. libtest knows no way to say so and
/// counts it as passed.
struct Skips(PathBuf);

impl Skips {
    fn new(workspace: &Workspace) -> Result<Self> {
        let path = workspace.bin.join(format!("skipped-tests-{}", std_process::id()));
        fs::write(&path, "")?;
        Ok(Self(path))
    }

    fn lines(&self) -> Result<Vec<String>> {
        Ok(fs::read_to_string(&self.0)?.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
    }
}

impl Drop for Skips {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn cloud(workspace: &Workspace, python: Option<&Path>, names: &mut Vec<String>) -> Result<Totals> {
    let module = workspace.root.join("tests/cloud/bedplate_cloud/selftest");
    if !module.is_dir() && !module.with_extension("py").is_file() {
        return Ok(skipped("the local cloud has no tests of its own"));
    }
    let Some(python) = python else { return Ok(skipped("the set-up failed")) };
    let mut totals = None;
    let status = process::stream(&mut cloud::module(workspace, python, "bedplate_cloud.selftest"), |line| {
        names.extend(failing(line).map(str::to_owned));
        // Not shown: a line like this is the last word of the whole run.
        let found = Totals::parse(line);
        totals = found.or(totals);
        found.is_none()
    })?;
    Ok(totals.map_or_else(|| Totals::of(status), |totals| totals.or_failed(status)))
}

/// What a newcomer types first, as a process of its own.
fn demo(workspace: &Workspace) -> Result<Totals> {
    // Not the running program: building the tests may have replaced it, and what is deleted cannot be started again.
    let mut command = Command::new(workspace.bin.join(format!("xtask{}", env::consts::EXE_SUFFIX)));
    command.args(["demo", "--exit"]).current_dir(&workspace.root).stdin(Stdio::null());
    Ok(Totals::of(process::status(&mut command)?))
}

fn proof(workspace: &Workspace, python: Option<&Path>) -> Result<Totals> {
    let Some(python) = python else { return Ok(skipped("the set-up failed")) };
    process::run(process::cargo(workspace).args(["build", "--workspace", "--bins", "--tests"]), "building")?;
    let (passed, failed) = prove::sample(workspace, python)?;
    Ok(Totals { passed, failed, skipped: 0 })
}

fn skipped(why: &str) -> Totals {
    say(format!("SKIPPED: {why}"));
    Totals::SKIPPED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: u8) -> ExitStatus {
        Command::new("sh").args(["-c", &format!("exit {code}")]).status().unwrap()
    }

    fn count(output: &str, code: u8) -> Totals {
        let mut results = Libtest::default();
        output.lines().for_each(|line| results.line(line));
        results.finish(exit(code))
    }

    const PASSING: &str = "running 3 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.01s\n";

    #[test]
    fn results_of_all_programs_are_added_up() {
        let failing = "running 1 test\ntest result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s\n";
        assert_eq!(count(&format!("{PASSING}{failing}{PASSING}"), 101), Totals { passed: 4, failed: 1, skipped: 2 });
    }

    #[test]
    fn colours_do_not_matter() {
        let line = "test result: \u{1b}[32mok\u{1b}[0m. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(count(line, 0), Totals { passed: 5, failed: 0, skipped: 0 });
    }

    #[test]
    fn a_crash_is_a_failure_wherever_it_happens() {
        let crash = "running 4 tests\ntest one ... ok\n";
        assert_eq!(count(&format!("{crash}{PASSING}{crash}"), 101), Totals { passed: 2, failed: 2, skipped: 1 });
    }

    #[test]
    fn what_does_not_compile_is_a_failure() {
        assert_eq!(count("", 101), Totals::FAILED);
        assert_eq!(count(PASSING, 101), Totals { passed: 2, failed: 1, skipped: 1 });
    }

    #[test]
    fn what_tests_print_is_not_counted() {
        let output = "running 1 test\nrunning a test\nrunning 2 testers\n  test result: ok. 9 passed\nsaw test result: ok. 9 passed\n\
                      test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(count(output, 0), Totals { passed: 1, failed: 0, skipped: 0 });
    }

    #[test]
    fn what_fails_is_named_at_the_end() {
        for (line, name) in [
            ("test report::it_shows_all ... FAILED", Some("report::it_shows_all")),
            ("test it_shows_all ... \u{1b}[31mFAILED\u{1b}[0m", Some("it_shows_all")),
            ("FAILED process-end", Some("process-end")),
            ("test it_shows_all ... ok", None),
            ("test result: FAILED. 0 passed; 1 failed; 0 ignored", None),
        ] {
            assert_eq!(failing(line), name, "{line}");
        }
    }

    #[test]
    fn the_closing_line_reads_back() {
        let totals = Totals { passed: 12, failed: 3, skipped: 0 };
        assert_eq!(totals.to_string(), "12 passed, 3 failed, 0 skipped");
        assert_eq!(Totals::parse(&totals.to_string()), Some(totals));
        for other in ["", "12 passed", "12 passed, 3 failed, 0 skipped, 1 more", "x passed, 3 failed, 0 skipped"] {
            assert_eq!(Totals::parse(other), None, "{other}");
        }
    }
}
