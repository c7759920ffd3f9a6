//! Where the bytes of a state are kept.

use crate::{FormatError, Held, Holder, Lock};
use bedplate_model::Boxed;
use std::{
    error::Error,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// A place for the bytes of one state. A save replaces them as a whole or not at all.
pub trait Store: Send + Sync {
    /// What a person calls the place: a path, an S3 address.
    fn place(&self) -> String;

    /// The bytes, or `None` where nothing was saved yet.
    fn load(&self) -> Boxed<'_, Result<Option<Vec<u8>>, StoreError>>;

    /// Replaces the bytes and returns when they would survive a power failure.
    fn save<'a>(&'a self, bytes: &'a [u8]) -> Boxed<'a, Result<(), StoreError>>;
}

/// A store that several processes may want at once: one of them at a time changes it.
pub trait SharedStore: Store {
    /// Takes the lock. `tell` gets what a person should know when it takes longer.
    fn lock<'a>(&'a self, holder: &'a Holder, tell: Tell<'a>) -> Boxed<'a, Result<Lock, StoreError>>;

    /// Who holds the lock.
    fn held(&self) -> Boxed<'_, Result<Option<Held>, StoreError>>;

    /// Takes the lock away from whoever holds it.
    fn unlock(&self) -> Boxed<'_, Result<(), StoreError>>;

    /// How a person gets the state of before back.
    fn way_back(&self) -> String;

    /// What a person should know of the bytes that were loaded, when they are others than those at the place.
    fn remark(&self) -> Option<String> {
        None
    }
}

/// Gets a line for a person.
pub type Tell<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// A state that cannot be read, saved or locked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The place cannot be read or written.
    #[error("cannot {what} the state at {place}")]
    Io {
        /// `read`, `save`, `lock`.
        what: &'static str,
        /// The place.
        place: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The place is far away, and a call failed.
    #[error("cannot {what} the state at {place}")]
    Remote {
        /// `read`, `save`, `lock`.
        what: &'static str,
        /// The place.
        place: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The bytes are no state.
    #[error("the state at {place} was not read: {problem}. Nothing was touched. {way_back}")]
    Format {
        /// The place.
        place: String,
        /// What to do.
        way_back: String,
        /// Why. Part of the message, since it is what the reader needs first, and therefore no source.
        problem: FormatError,
    },
    /// Another process works on the same state.
    #[error("the state at {place} is in use by {holder}. Wait for it to end, or stop it")]
    Locked {
        /// The place.
        place: String,
        /// Who holds the lock and since when.
        holder: String,
    },
    /// The lock was lost: another process may work on the state by now.
    #[error("the lock on the state at {place} was lost, so it was not written: another process may have taken it over")]
    LockLost {
        /// The place.
        place: String,
    },
    /// Somebody else wrote it since it was read.
    #[error("the state at {place} was written by somebody else since it was read; theirs was not overwritten")]
    Moved {
        /// The place.
        place: String,
    },
    /// The place is not fit to keep a state.
    #[error("no state is kept at {place}: {problem}. {remedy}")]
    Unfit {
        /// The place.
        place: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// It could not be saved at its place, and is kept nearby.
    #[error("the state is kept in {} for now; the next run takes it from there to {place}", .kept.display())]
    Kept {
        /// The place.
        place: String,
        /// The file.
        kept: PathBuf,
        /// Why it could not be saved.
        #[source]
        source: Box<StoreError>,
    },
}

/// A store in memory, for tests and for commands that must not write.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Option<Vec<u8>>>);

impl Store for MemoryStore {
    fn place(&self) -> String {
        "(memory)".to_owned()
    }

    fn load(&self) -> Boxed<'_, Result<Option<Vec<u8>>, StoreError>> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(async move { Ok(bytes) })
    }

    fn save<'a>(&'a self, bytes: &'a [u8]) -> Boxed<'a, Result<(), StoreError>> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes.to_vec());
        Box::pin(async { Ok(()) })
    }
}
