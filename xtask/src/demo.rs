//! `cargo xtask demo`: from nothing to a running platform in the local cloud.

use std::{
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use anyhow::Result;
use fs_err as fs;

use crate::{
    Workspace,
    cloud::Cloud,
    process::{self, say},
    python,
};

/// All that a person has to decide.
pub(crate) const PLATFORM: &str = r#"project_name = "fintechglobal"
region       = "us-east-1"
account_id   = "797923187401"
alert_email  = "team-platform@yourcompany.com"
monthly_budget_limit = "5000"
"#;

/// From the workspace's root, so that the printed commands are short.
const FOLDER: &str = "target/demo";

/// With `--exit`, which the tests run: a demo that is being played with keeps its files.
const BRIEF: &str = "target/demo-exit";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The local cloud's port on 127.0.0.1 [default: 5600, or a free one if that is in use]
    #[arg(long)]
    port: Option<u16>,
    /// End after the outputs instead of leaving the local cloud running
    #[arg(long)]
    exit: bool,
}

pub(crate) fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let python = python::set_up(workspace)?;
    eprintln!("Building bedplate; the first time this takes several minutes, nearly all of it for the AWS SDK …");
    process::run(process::cargo(workspace).args(["build", "--package", "bedplate"]), "building bedplate")?;

    // The cloud is empty whenever it starts, and a state of what was in the last one would be wrong in it.
    let place = if args.exit { BRIEF } else { FOLDER };
    let folder = workspace.root.join(place);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("platform.toml"), PLATFORM)?;

    let cloud = Cloud::start(workspace, &python, args.port)?;
    say(format!("The local cloud answers at {}. {place}/platform.toml says:\n\n{PLATFORM}", cloud.endpoint));
    for arguments in [&["bootstrap", "--yes"][..], &["output"]] {
        say(format!("$ bedplate {}\n", arguments.join(" ")));
        let mut command = bedplate(workspace, Path::new(place).join("platform.toml").as_path(), &cloud.endpoint);
        process::run(command.args(arguments), &format!("bedplate {}", arguments[0]))?;
        say("");
    }
    if args.exit {
        return Ok(ExitCode::SUCCESS);
    }
    say(next(workspace, &cloud.endpoint));
    cloud.wait()
}

/// The program, with a configuration, against a local cloud.
pub(crate) fn bedplate(workspace: &Workspace, config: &Path, endpoint: &str) -> Command {
    let mut command = Command::new(workspace.bedplate());
    process::without_aws(command.current_dir(&workspace.root).stdin(Stdio::null()));
    command.envs([("AWS_ACCESS_KEY_ID", "demo"), ("AWS_SECRET_ACCESS_KEY", "demo")]);
    command.arg("--config").arg(config).args(["--endpoint-url", endpoint]);
    command
}

/// What to try, as commands to paste into another terminal.
fn next(workspace: &Workspace, endpoint: &str) -> String {
    let root = quoted(&workspace.root.to_string_lossy());
    let binary = workspace.bedplate();
    let bedplate = quoted(&binary.strip_prefix(&workspace.root).unwrap_or(&binary).to_string_lossy());
    format!(
        "The platform is up. Ctrl-C here ends the local cloud. To go on, in another terminal:

    cd {root}
    unset AWS_PROFILE AWS_SESSION_TOKEN AWS_REGION
    export AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo AWS_EC2_METADATA_DISABLED=true
    export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
    export AWS_ENDPOINT_URL={endpoint} BEDPLATE_CONFIG={FOLDER}/platform.toml

    {bedplate} plan                          # no changes
    {bedplate} state list
    {bedplate} output cluster_endpoint --raw
    {bedplate} graph --format dot > {FOLDER}/graph.dot
    {bedplate} drift                         # none
    {bedplate} destroy                       # refused: a production stack is protected
    {bedplate} destroy --lift-protection
"
    )
}

/// For a shell.
fn quoted(text: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "/._-+".contains(it);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_a_shell() -> Result<()> {
        assert_eq!(quoted("/home/me/bedplate"), "/home/me/bedplate");
        for path in ["/home/me/it's here", "a b", "$HOME;ls"] {
            let output = Command::new("sh").args(["-c", &format!("printf %s {}", quoted(path))]).output()?;
            assert_eq!(String::from_utf8(output.stdout)?, path);
        }
        Ok(())
    }
}
