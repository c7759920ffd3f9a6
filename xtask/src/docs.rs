//! `cargo xtask docs`: the pages that are made from the code. The tests that hold them to it write them when they are asked.

use std::process::ExitCode;

use anyhow::Result;

use crate::{Workspace, process};

pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    // All of the workspace: another choice would mean other features of the dependencies, and they would be built again.
    let mut command = process::cargo(workspace);
    command.args(["test", "--workspace", "--quiet", "--test", "docs"]).env("BEDPLATE_WRITE_DOCS", "1");
    process::run(&mut command, "writing docs/settings.md and docs/platform.schema.json")?;
    Ok(ExitCode::SUCCESS)
}
