//! Signals: the first one starts nothing new, the second one leaves at once. Both leave a state from which the next run goes on.

use anyhow::{Context, Result};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

type First = Box<dyn FnOnce() + Send>;

/// What the first signal does while somebody has asked for it. There is one for the process, as signals are.
static FIRST: Mutex<Option<First>> = Mutex::new(None);

fn first() -> MutexGuard<'static, Option<First>> {
    FIRST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While it lives, the first signal is for who began it: who changes resources, or waits for a key.
pub(crate) struct FirstSignal;

impl FirstSignal {
    pub(crate) fn is_for(act: impl FnOnce() + Send + 'static) -> Self {
        *first() = Some(Box::new(act));
        Self
    }
}

impl Drop for FirstSignal {
    fn drop(&mut self) {
        *first() = None;
    }
}

/// Tells of the first signal whom it is for; where it is for nobody, `command` is given up. Ends the process at the second.
pub(crate) async fn watch(mut signals: Signals, command: CancellationToken) {
    signals.next().await;
    let act = first().take();
    match act {
        Some(act) => act(),
        None => command.cancel(),
    }
    signals.next().await;
    leave();
}

/// Ends the process at once.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing is under way, or the second signal leaves at once; the state on disk is complete at any instant"
)]
pub(crate) fn leave() -> ! {
    std::process::exit(130)
}

/// The signals that end a run. They are listened to from the beginning to the end, so that none is lost between two.
#[cfg(unix)]
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    /// The end of the terminal, unless whoever started this with `nohup` wants it to outlive that.
    closed: Option<tokio::signal::unix::Signal>,
    /// That a file would become larger than it may. Who hears of it learns so from the write, as of a full disk.
    _too_large: tokio::signal::unix::Signal,
}

/// SIGXFSZ, on Linux and macOS.
#[cfg(unix)]
const FILE_SIZE: i32 = 25;

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
            _too_large: signal(SignalKind::from_raw(FILE_SIZE)).context("cannot listen for SIGXFSZ")?,
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
