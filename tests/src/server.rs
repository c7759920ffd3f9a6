//! A child process that announces when it is ready, and ends when its value goes.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

#[derive(Debug)]
pub(crate) struct Server(Child);

impl Server {
    /// Starts it and waits for the line that begins with `prefix`; gives the rest of that line. An error tells how it ended
    /// instead.
    pub(crate) fn start(
        command: &mut Command,
        prefix: &'static str,
        patience: Duration,
    ) -> Result<(Self, String), Option<ExitStatus>> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = child.stdout.take().expect("it is piped");
        let mut server = Self(child);
        let (sender, receiver) = mpsc::channel();
        // Reads on to the end: a server whose output nobody takes would stop one day.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(rest) = line.strip_prefix(prefix) {
                    _ = sender.send(rest.trim().to_owned());
                }
            }
        });
        match receiver.recv_timeout(patience) {
            Ok(rest) => Ok((server, rest)),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(server.0.wait().ok()),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(None),
        }
    }
}

impl Server {
    /// Stands still, or goes on: whoever calls waits for an answer.
    pub(crate) fn freeze(&self, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
        assert!(status.expect("kill starts").success(), "the server runs");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.freeze(false);
        // SIGTERM, so that it can take its own children along; it is waited for in any case.
        let id = self.0.id().to_string();
        if Command::new("kill").arg(&id).stderr(Stdio::null()).status().is_err() {
            _ = self.0.kill();
        }
        _ = self.0.wait();
    }
}
