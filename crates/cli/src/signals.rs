//! Signals: the first one starts nothing new, the second one leaves at once. Both leave a state from which the next run goes on.

use anyhow::{Context, Result};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

type First = Box<dyn FnOnce() + Send>;

/// What the first signal does while resources are changed. There is one for the process, as signals are.
static WALK: Mutex<Option<First>> = Mutex::new(None);

fn walk() -> MutexGuard<'static, Option<First>> {
    WALK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While it lives, resources are changed, and the first signal is for who changes them.
pub(crate) struct Walk;

impl Walk {
    pub(crate) fn begin(first: impl FnOnce() + Send + 'static) -> Self {
        *walk() = Some(Box::new(first));
        Self
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        *walk() = None;
    }
}

/// Tells who changes resources of the first signal; where nobody does, `command` is given up. Ends the process at the second.
pub(crate) async fn watch(mut signals: Signals, command: CancellationToken) {
    signals.next().await;
    let first = walk().take();
    match first {
        Some(first) => first(),
        None => command.cancel(),
    }
    signals.next().await;
    leave();
}

#[expect(
    clippy::disallowed_methods,
    reason = "the second signal leaves at once; the state on disk is complete at any instant"
)]
fn leave() -> ! {
    std::process::exit(130)
}

/// The signals that end a run. They are listened to from the beginning to the end, so that none is lost between two.
#[cfg(unix)]
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    /// The end of the terminal, unless whoever started this with `nohup` wants it to outlive that.
    closed: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
            closed: match hangup_ignored() {
                true => None,
                false => Some(signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?),
            },
        })
    }

    async fn next(&mut self) {
        let closed = async {
            match &mut self.closed {
                Some(closed) => closed.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = closed => {}
        }
    }
}

/// Whether this process was started to ignore the end of its terminal. Elsewhere than on Linux, it is taken for not so.
#[cfg(unix)]
fn hangup_ignored() -> bool {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Bit 0 is signal 1, SIGHUP (man 5 proc_pid_status).
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Ctrl-C, which is all there is elsewhere.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
    pub(crate) fn listen() -> Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
