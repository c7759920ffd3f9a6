//! `cargo xtask localstack`: LocalStack in host mode, the second opinion on what the local cloud says.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{Workspace, process, python};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The port on 127.0.0.1 [default: 4566, or a free one if that is in use]
    #[arg(long)]
    port: Option<u16>,
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    // The script needs the standard library only and makes LocalStack's own environment: its pins exclude ours.
    let mut command = Command::new(python::find()?);
    command.arg(workspace.root.join("tests/localstack/start.py")).current_dir(&workspace.root);
    command.arg("--port").arg(process::port(args.port, 4566)?.to_string());
    process::without_aws(&mut command);
    Err(process::exec(&mut command))
}
