//! `cargo xtask docs`: the pages that are made from the code. The tests that hold them to it write them when they are asked.

use std::process::ExitCode;

use anyhow::Result;

use crate::{Workspace, process};

pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    // All of the workspace: another choice would mean other features of the dependencies, and they would be built again.
    for (pages, which) in [
        ("settings, schema, resource types and permissions", &["--test", "docs"][..]),
        ("commands", &["--bin", "bedplate", "reference::"]),
    ] {
        let mut command = process::cargo(workspace);
        command.args(["test", "--workspace", "--quiet"]).args(which).env("BEDPLATE_WRITE_DOCS", "1");
        process::run(&mut command, &format!("writing the pages of the {pages}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
