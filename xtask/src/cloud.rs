//! `cargo xtask cloud`: the local cloud, moto extended by `tests/cloud`.

use std::{
    ffi::OsString,
    path::Path,
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    Workspace,
    process::{self, Running},
    python,
};

const USUAL_PORT: u16 = 5600;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The port on 127.0.0.1 [default: 5600, or a free one if that is in use]
    #[arg(long)]
    port: Option<u16>,
    /// For the local cloud itself: `-- --help` lists them
    #[arg(last = true)]
    args: Vec<OsString>,
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let python = python::set_up(workspace)?;
    let mut command = module(workspace, &python, "bedplate_cloud");
    command.arg("--port").arg(process::port(args.port, USUAL_PORT)?.to_string()).args(&args.args);
    eprintln!("Starting the local cloud; Ctrl-C stops it …");
    Err(process::exec(&mut command))
}

/// A module of `tests/cloud`.
pub(crate) fn module(workspace: &Workspace, python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", name]).current_dir(&workspace.root).stdin(Stdio::null());
    // Unbuffered, so that what it prints is seen when it happens.
    command.env("PYTHONPATH", workspace.root.join("tests/cloud"));
    command.env("PYTHONUNBUFFERED", "1").env_remove("PYTHONHOME");
    process::without_aws(&mut command);
    command
}

/// The local cloud as a child process, gone when this value goes.
pub(crate) struct Cloud {
    pub(crate) endpoint: String,
    process: Running,
}

impl Cloud {
    /// Starts it and waits until it answers.
    pub(crate) fn start(workspace: &Workspace, python: &Path, port: Option<u16>) -> Result<Self> {
        Self::with(workspace, python, port, &[])
    }

    /// The same with arguments of the local cloud's.
    pub(crate) fn with(workspace: &Workspace, python: &Path, port: Option<u16>, args: &[&str]) -> Result<Self> {
        let mut command = module(workspace, python, "bedplate_cloud");
        command.arg("--port").arg(process::port(port, USUAL_PORT)?.to_string()).arg("--exit-with-parent").args(args);
        let mut process = Running::start(&mut command)?;
        // A second or two, on a machine that does nothing else.
        let endpoint = process
            .announced("bedplate cloud ready: ", Duration::from_secs(120))
            .context("the local cloud did not start")?;
        Ok(Self { endpoint, process })
    }

    /// Waits until it ends by itself or by Ctrl-C, which ends us at the same moment.
    pub(crate) fn wait(mut self) -> Result<ExitCode> {
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "the local cloud ended ({status})");
        Ok(ExitCode::SUCCESS)
    }
}
