//! The facts of the build that `--version` shows. Without git or a repository the commit is unknown, and the build goes on.

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // It grows with every commit; a path that does not exist would be a change in every build.
    if let Some(log) = output("git", &["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo::rerun-if-changed={log}");
    }
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]);
    let rustc = env::var("RUSTC").ok().and_then(|rustc| output(&rustc, &["--version"]));
    for (name, fact) in [("COMMIT", commit), ("RUSTC", rustc), ("TARGET", env::var("TARGET").ok())] {
        println!("cargo::rustc-env=BEDPLATE_{name}={}", fact.unwrap_or_else(|| "unknown".to_owned()));
    }
}

/// The one line that a program prints.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
    let line = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
