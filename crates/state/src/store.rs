//! Where the bytes of a state are kept.

use crate::FormatError;
use bedplate_model::Boxed;
use std::sync::{Mutex, PoisonError};

/// A place for the bytes of one state. A save replaces them as a whole or not at all.
pub trait Store: Send + Sync {
    /// What a person calls the place: a path, an S3 address.
    fn place(&self) -> String;

    /// The bytes, or `None` where nothing was saved yet.
    fn load(&self) -> Boxed<'_, Result<Option<Vec<u8>>, StoreError>>;

    /// Replaces the bytes and returns when they would survive a power failure.
    fn save<'a>(&'a self, bytes: &'a [u8]) -> Boxed<'a, Result<(), StoreError>>;
}

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
