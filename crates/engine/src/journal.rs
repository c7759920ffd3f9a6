//! The state while it is being changed: every transition is saved before the next effect.

use bedplate_state::{State, Store, StoreError, write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The state and the place it is saved to.
pub struct Journal<'a> {
    state: Mutex<State>,
    store: &'a dyn Store,
    /// The serial of the last save. Held while saving, so that one save carries the transitions of all who wait.
    saved: tokio::sync::Mutex<u64>,
}

impl<'a> Journal<'a> {
    /// A journal of `state` in `store`. Nothing is saved yet.
    pub fn new(state: State, store: &'a dyn Store) -> Self {
        let saved = tokio::sync::Mutex::new(state.serial);
        Self { state: Mutex::new(state), store, saved }
    }

    /// Looks at the state.
    pub fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state())
    }

    /// Changes the state and returns when the change is saved.
    ///
    /// # Errors
    /// When it cannot be saved. The change stays in memory and goes out with the next save.
    pub async fn record(&self, change: impl FnOnce(&mut State)) -> Result<(), StoreError> {
        let mine = {
            let mut state = self.state();
            change(&mut state);
            state.serial += 1;
            state.serial
        };
        let mut saved = self.saved.lock().await;
        if *saved >= mine {
            return Ok(());
        }
        let (bytes, serial) = self.read(|state| (write(state), state.serial));
        self.store.save(&bytes).await?;
        *saved = serial;
        Ok(())
    }

    /// The state, at the end.
    pub fn into_state(self) -> State {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Journal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("place", &self.store.place()).finish_non_exhaustive()
    }
}
