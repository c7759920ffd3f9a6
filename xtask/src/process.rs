//! Child processes: none of them outlives its purpose, and none of them waits for input.

use std::{
    env,
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Error, Result, bail};

use crate::Workspace;

/// `cargo` at the workspace's root, as if started from a shell.
pub(crate) fn cargo(workspace: &Workspace) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&workspace.root).stdin(Stdio::null());
    // `cargo run` describes xtask in these. Build scripts that look at them would run again whenever a build is started
    // in the other way, and with them everything that depends on them.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Takes everything of AWS out of the environment of `command`, so that what it runs can reach no real account and sees no
/// setting of the person who started it.
pub(crate) fn without_aws(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        // AWS_LC_… configure the build of the TLS library.
        if text.starts_with("AWS_") && !text.starts_with("AWS_LC_") {
            command.env_remove(&name);
        }
    }
    command.envs([
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ])
}

/// Runs to the end. An unsuccessful one is an error that says what `purpose` failed.
pub(crate) fn run(command: &mut Command, purpose: &str) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("{purpose} failed ({status})");
    }
    Ok(())
}

/// Runs to the end.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| cannot_start(command))
}

/// Runs to the end and shows each line of standard output at once that `line` does not keep to itself (`false`).
pub(crate) fn stream(command: &mut Command, mut line: impl FnMut(&str) -> bool) -> Result<ExitStatus> {
    let mut child = Running::start(command)?;
    for_each_line(child.stdout()?, |text| {
        if line(text) {
            say(text);
        }
    });
    child.wait()
}

/// Becomes the command: signals, the terminal and the exit code are its own from here. Returns only to tell why not.
pub(crate) fn exec(command: &mut Command) -> Error {
    Error::new(command.exec()).context(cannot_start(command))
}

/// A line on standard output. Nobody reading it is no reason to stop.
pub(crate) fn say(text: impl AsRef<str>) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{}", text.as_ref());
    let _ = out.flush();
}

/// `wanted`, or `usual` when nobody uses it, or else any free one.
pub(crate) fn port(wanted: Option<u16>, usual: u16) -> Result<u16> {
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr().map(|it| it.port());
    match wanted {
        Some(port) => Ok(port),
        None => free(usual).or_else(|_| free(0)).context("no free port on 127.0.0.1"),
    }
}

/// A child process that ends, and is waited for, when this value goes.
///
/// Ctrl-C ends xtask without running destructors. The terminal sends the same signal to the child, and the servers are
/// started with `--exit-with-parent` for everything else that could end us.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.spawn().map(Self).with_context(|| cannot_start(command))
    }

    /// The same for a process whose children and grandchildren end with their standard input, which is open as long as the
    /// second value lives.
    pub(crate) fn start_alive(command: &mut Command) -> Result<(Self, ChildStdin)> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| cannot_start(command))?;
        let input = child.stdin.take().context("standard input is not piped")?;
        Ok((Self(child), input))
    }

    fn stdout(&mut self) -> Result<ChildStdout> {
        self.0.stdout.take().context("standard output is already being read")
    }

    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.0.wait()?)
    }

    /// The rest of the first line that starts with `prefix`. What comes before and after it goes to standard error.
    pub(crate) fn announced(&mut self, prefix: &'static str, patience: Duration) -> Result<String> {
        let stdout = self.stdout()?;
        let (sender, receiver) = mpsc::channel();
        // Reads on to the end: a server whose output nobody takes would stop one day.
        thread::spawn(move || {
            for_each_line(stdout, |line| match line.strip_prefix(prefix) {
                Some(rest) => drop(sender.send(rest.trim().to_owned())),
                None => eprintln!("{line}"),
            });
        });
        match receiver.recv_timeout(patience) {
            Ok(rest) => Ok(rest),
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("not ready after {} s", patience.as_secs()),
            Err(mpsc::RecvTimeoutError::Disconnected) => bail!("ended before it was ready ({})", self.wait()?),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only for a process that is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn for_each_line(from: ChildStdout, mut line: impl FnMut(&str)) {
    let mut from = BufReader::new(from);
    let mut bytes = Vec::new();
    // A test may print what is not UTF-8.
    while from.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
        line(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']));
        bytes.clear();
    }
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start {}", command.get_program().display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_server_announces_itself_and_ends_with_its_value() -> Result<()> {
        let mut server = Running::start(&mut sh("echo starting; echo ready: here; exec sleep 60"))?;
        assert_eq!(server.announced("ready: ", Duration::from_secs(10))?, "here");
        let id = server.0.id();
        drop(server);
        assert!(!status(sh(&format!("kill -0 {id}")).stderr(Stdio::null()))?.success());
        Ok(())
    }

    #[test]
    fn a_server_that_ends_or_hangs_is_an_error() -> Result<()> {
        let ended = Running::start(&mut sh("exit 3"))?.announced("ready: ", Duration::from_secs(10));
        assert!(ended.unwrap_err().to_string().contains("exit status: 3"));
        let hung = Running::start(&mut sh("exec sleep 60"))?.announced("ready: ", Duration::from_millis(50));
        assert!(hung.unwrap_err().to_string().starts_with("not ready"));
        Ok(())
    }

    #[test]
    fn a_port_in_use_is_avoided_unless_asked_for() -> Result<()> {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let taken = other.local_addr()?.port();
        assert_ne!(port(None, taken)?, taken);
        assert_eq!(port(Some(taken), 1)?, taken);
        Ok(())
    }
}
