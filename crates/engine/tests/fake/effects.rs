//! Counts what has effects and stops the program at one of them.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};
use tokio::sync::Notify;

/// The places where a program can die: before and after each change of the cloud and each save of the state.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    count: AtomicUsize,
    /// The place to die at, plus one; 0 for nowhere.
    deadly: AtomicUsize,
    died: Notify,
}

impl Effects {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// One place. After the deadly one nothing goes on: not the caller, nor anything else of the same run.
    pub(crate) async fn pass(&self) {
        let here = self.count.fetch_add(1, SeqCst) + 1;
        let deadly = self.deadly.load(SeqCst);
        if deadly != 0 && here >= deadly {
            self.died.notify_one();
            pending::<()>().await;
        }
    }

    /// Starts to count anew.
    pub(crate) fn arm(&self, deadly: Option<usize>) {
        self.count.store(0, SeqCst);
        self.deadly.store(deadly.map_or(0, |place| place + 1), SeqCst);
    }

    /// How many were passed.
    pub(crate) fn count(&self) -> usize {
        self.count.load(SeqCst)
    }

    /// Runs until it ends, or dies (`None`).
    pub(crate) async fn mortal<T>(&self, run: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.died.notified() => None,
            result = run => Some(result),
        }
    }
}
