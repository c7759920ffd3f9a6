//! The state while it is being changed: every transition is saved before the next effect.

use bedplate_state::{State, Store, StoreError, write};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A save writes the whole state. After it this many times as long as the writing took belongs to other work, so that the
/// share of saving in a run stays the same however large the state is.
const REST: u32 = 3;
/// No transition waits longer than this for its turn.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// The state and the place it is saved to.
pub struct Journal<'a> {
    state: Mutex<State>,
    store: &'a dyn Store,
    /// Held while saving, so that one save carries the transitions of all who wait.
    saved: tokio::sync::Mutex<Saved>,
}

/// The last save.
struct Saved {
    serial: u64,
    /// When the next one may begin.
    next: Instant,
}

impl<'a> Journal<'a> {
    /// A journal of `state` in `store`. Nothing is saved yet.
    pub fn new(state: State, store: &'a dyn Store) -> Self {
        let saved = tokio::sync::Mutex::new(Saved { serial: state.serial, next: Instant::now() });
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
        self.save(mine).await
    }

    /// Saves what an earlier save left out, if one failed or was given up.
    ///
    /// # Errors
    /// When it cannot be saved.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let last = self.read(|state| state.serial);
        self.save(last).await
    }

    /// Returns when the state with this serial, or a later one, is saved.
    #[expect(clippy::disallowed_methods, reason = "the engine is where waiting belongs")]
    async fn save(&self, mine: u64) -> Result<(), StoreError> {
        let mut saved = self.saved.lock().await;
        if saved.serial >= mine {
            return Ok(());
        }
        tokio::time::sleep_until(saved.next).await;
        let began = Instant::now();
        let (bytes, serial) = self.read(|state| (write(state), state.serial));
        saved.next = Instant::now() + (began.elapsed() * REST).min(LONGEST_REST);
        self.store.save(&bytes).await?;
        saved.serial = serial;
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

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_model::{Boxed, StackId};
    use bedplate_state::parse;
    use futures_util::future::join_all;
    use std::{
        io,
        sync::atomic::{AtomicBool, Ordering::SeqCst},
        time::Duration,
    };

    /// Saves slowly, and fails on demand.
    #[derive(Default)]
    struct Slow {
        saved: Mutex<Vec<State>>,
        fails: AtomicBool,
    }

    impl Store for Slow {
        fn place(&self) -> String {
            "(slow)".to_owned()
        }

        fn load(&self) -> Boxed<'_, Result<Option<Vec<u8>>, StoreError>> {
            Box::pin(async { Ok(None) })
        }

        #[expect(clippy::disallowed_methods, reason = "a slow disk")]
        fn save<'a>(&'a self, bytes: &'a [u8]) -> Boxed<'a, Result<(), StoreError>> {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                if self.fails.load(SeqCst) {
                    return Err(StoreError::Io { what: "save", place: self.place(), source: io::Error::other("full") });
                }
                self.saved.lock().unwrap().push(parse(bytes).unwrap());
                Ok(())
            })
        }
    }

    fn state() -> State {
        State::new(StackId::new("s"), "797923187401", "us-east-1")
    }

    async fn choose(journal: &Journal<'_>, name: &str) -> Result<(), StoreError> {
        journal.record(|state| _ = state.choices.insert(name.to_owned(), name.into())).await
    }

    #[tokio::test(start_paused = true)]
    async fn one_save_carries_the_changes_of_all_who_wait() {
        let store = Slow::default();
        let journal = Journal::new(state(), &store);
        let names: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        for result in join_all(names.iter().map(|name| choose(&journal, name))).await {
            result.unwrap();
        }
        let saved = store.saved.lock().unwrap();
        assert!(saved.len() <= 2, "{} saves", saved.len());
        assert_eq!(saved.last().unwrap().choices.len(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_saved_when_its_record_returns() {
        let store = Slow::default();
        let journal = Journal::new(state(), &store);
        for name in ["a", "b"] {
            choose(&journal, name).await.unwrap();
            assert!(store.saved.lock().unwrap().last().unwrap().choices.contains_key(name));
        }
        let serials: Vec<u64> = store.saved.lock().unwrap().iter().map(|state| state.serial).collect();
        assert_eq!(serials, [1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_wait_for_a_failed_save_fail_and_the_next_save_carries_their_changes() {
        let store = Slow::default();
        let journal = Journal::new(state(), &store);
        store.fails.store(true, SeqCst);
        for result in join_all(["a", "b", "c"].map(|name| choose(&journal, name))).await {
            assert!(result.is_err());
        }
        store.fails.store(false, SeqCst);
        choose(&journal, "d").await.unwrap();
        assert_eq!(store.saved.lock().unwrap().last().unwrap().choices.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_end_only_what_is_not_saved_yet_is_saved() {
        let store = Slow::default();
        let journal = Journal::new(state(), &store);
        journal.flush().await.unwrap();
        assert_eq!(store.saved.lock().unwrap().len(), 0);
        store.fails.store(true, SeqCst);
        choose(&journal, "a").await.unwrap_err();
        store.fails.store(false, SeqCst);
        journal.flush().await.unwrap();
        assert!(store.saved.lock().unwrap().last().unwrap().choices.contains_key("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_a_save_does_not_block_the_others() {
        let store = Slow::default();
        let journal = Journal::new(state(), &store);
        let given_up = tokio::time::timeout(Duration::from_millis(5), choose(&journal, "a")).await;
        assert!(given_up.is_err());
        choose(&journal, "b").await.unwrap();
        assert_eq!(store.saved.lock().unwrap().last().unwrap().choices.len(), 2);
    }
}
