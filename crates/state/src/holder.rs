//! Who works on a state, and whether that process still lives.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The user.
    pub user: String,
    /// The machine's name.
    pub host: String,
    /// The process id.
    pub pid: u32,
    /// The command, without `bedplate`.
    pub command: String,
    /// Since when, for people.
    pub since: String,
    /// What tells the process from all others, where the system tells it.
    pub process: Option<Process>,
}

/// A process among those of all machines, as Linux tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// One boot of one machine, and the namespace that the process id counts in: a container has its own.
    pub space: String,
    /// When it started, in clock ticks since the boot: process ids are used again.
    pub started: u64,
}

/// What can be said of a process from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It runs on this machine.
    Alive,
    /// It ran on this machine and ended.
    Dead,
    /// It runs or ran elsewhere.
    Elsewhere,
}

impl Holder {
    /// This process.
    pub fn this_process(command: &str, since: impl Into<String>) -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let pid = std::process::id();
        Self {
            user: variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "unknown".to_owned()),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid,
            command: command.to_owned(),
            since: since.into(),
            process: space().and_then(|space| Some(Process { space, started: started(pid)? })),
        }
    }

    /// Whether it still lives, as far as it can be seen from here.
    pub fn liveness(&self) -> Liveness {
        match (&self.process, space()) {
            (Some(process), Some(here)) if process.space == here => {
                if started(self.pid) == Some(process.started) {
                    Liveness::Alive
                } else {
                    Liveness::Dead
                }
            }
            _ => Liveness::Elsewhere,
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, pid, command, since, .. } = self;
        write!(f, "{user}@{host}, `bedplate {command}` (process {pid}) since {since}")
    }
}

/// Where process ids mean what they mean here: <https://man7.org/linux/man-pages/man7/pid_namespaces.7.html>. `None` where
/// the system has no such files.
fn space() -> Option<String> {
    let boot = fs_err::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs_err::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// When a process started; `None` when it does not run (any more).
fn started(pid: u32) -> Option<u64> {
    let stat = fs_err::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // `pid (name) state ...`, and the name may hold anything. The start time is field 22 (man 5 proc_pid_stat).
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    let state = fields.next()?;
    // Ended, though its parent has not noticed yet.
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Holder {
        Holder::this_process("bootstrap", "noon")
    }

    #[test]
    fn it_says_who_and_since_when() {
        let holder = Holder { user: "ada".to_owned(), host: "engine".to_owned(), pid: 7, ..me() };
        assert_eq!(holder.to_string(), "ada@engine, `bedplate bootstrap` (process 7) since noon");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_lives_until_it_has_ended() {
        assert_eq!(me().liveness(), Liveness::Alive);
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let process = Some(Process { space: space().unwrap(), started: started(pid).unwrap() });
        let holder = Holder { pid, process, ..me() };
        assert_eq!(holder.liveness(), Liveness::Alive);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(holder.liveness(), Liveness::Dead);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_id_that_is_used_again_is_another_process() {
        let holder = me();
        let earlier = holder.process.clone().map(|process| Process { started: process.started - 1, ..process });
        assert_eq!(Holder { process: earlier, ..holder }.liveness(), Liveness::Dead);
    }

    #[test]
    fn of_another_machine_nothing_is_known() {
        let elsewhere = Process { space: "another boot".to_owned(), started: 1 };
        assert_eq!(Holder { process: Some(elsewhere), ..me() }.liveness(), Liveness::Elsewhere);
        assert_eq!(Holder { process: None, ..me() }.liveness(), Liveness::Elsewhere);
    }
}
