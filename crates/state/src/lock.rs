//! The lock on a state, and how long it can be relied on.

use crate::{Holder, Liveness};
use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

/// Keeps other processes away from a state as long as it lives.
pub struct Lock {
    lease: Arc<Lease>,
    // Gives the lock back when it is dropped.
    _guard: Box<dyn Any + Send + Sync>,
}

impl Lock {
    /// A lock that `guard` gives back when it is dropped.
    pub fn new(lease: Arc<Lease>, guard: impl Any + Send + Sync) -> Self {
        Self { lease, _guard: Box::new(guard) }
    }

    /// How long it can be relied on.
    pub fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").field("lease", &self.lease).finish_non_exhaustive()
    }
}

/// Who holds a lock now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Who it is, in words.
    pub by: String,
    /// Whether that process lives.
    pub liveness: Liveness,
}

impl Held {
    /// Held by a process that left its name, if it did.
    pub fn by(holder: Option<&Holder>, liveness: Liveness) -> Self {
        Self { by: holder.map_or_else(|| "another process".to_owned(), Holder::to_string), liveness }
    }
}

/// Whether a lock is still held, as far as this process can be sure without asking.
#[derive(Debug)]
pub struct Lease(Mutex<Term>);

#[derive(Clone, Copy, Debug)]
enum Term {
    /// As long as the process lives.
    Process,
    /// A while from the moment of the last renewal, by both clocks: one stands still while the machine sleeps, the other may be
    /// set back.
    From(Instant, SystemTime, Duration),
    Lost,
}

/// The moment from which a renewed lease counts: before the renewal was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Moment(Instant, SystemTime);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }
}

impl Lease {
    /// Held as long as the process lives.
    pub fn of_process() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Term::Process)))
    }

    /// Held for `term`, counted from `since`, unless it is renewed.
    pub fn from(since: Moment, term: Duration) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Term::From(since.0, since.1, term))))
    }

    /// Holds for `term` from `since` on. What is lost stays lost.
    pub fn renew(&self, since: Moment, term: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*now, Term::Lost) {
            *now = Term::From(since.0, since.1, term);
        }
    }

    /// Somebody else has it.
    pub fn lose(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Term::Lost;
    }

    /// Whether the lock is held for certain.
    pub fn holds(&self) -> bool {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Term::Process => true,
            Term::From(instant, wall, term) => {
                instant.elapsed() < term && wall.elapsed().map_or(true, |elapsed| elapsed < term)
            }
            Term::Lost => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM: Duration = Duration::from_secs(1000);

    #[test]
    fn a_lease_ends_by_either_clock() {
        let now = Moment::now();
        assert!(Lease::from(now, TERM).holds());
        assert!(!Lease::from(now, Duration::ZERO).holds());
        // The machine slept: its monotonic clock stood still.
        assert!(!Lease::from(Moment(now.0, now.1 - TERM), TERM).holds());
        // The wall clock was set back.
        assert!(Lease::from(Moment(now.0, now.1 + TERM), TERM).holds());
    }

    #[test]
    fn what_is_lost_stays_lost() {
        let lease = Lease::from(Moment::now(), Duration::ZERO);
        lease.renew(Moment::now(), TERM);
        assert!(lease.holds());
        lease.lose();
        lease.renew(Moment::now(), TERM);
        assert!(!lease.holds());
    }
}
