//! A place nearby for what cannot be saved far away.

use crate::{
    FormatError, Held, Holder, Lock, SharedStore, State, Store, StoreError, Tell,
    file::{folder, read, write_atomically},
    format::hex,
    parse, seal, unseal,
};
use bedplate_model::Boxed;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeSet,
    io::ErrorKind,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The version of the file's format.
const FORMAT: u32 = 1;

/// A store that may be out of reach, with a local file (mode 0600) that takes the state when it is.
///
/// A save that fails is still an error, so nothing is begun that is not recorded where it belongs; the file keeps what was
/// under way. The next load takes it from there, if nobody has written the state since, and the next save brings it where it
/// belongs and removes the file.
#[derive(Debug)]
pub struct Fallback<S> {
    store: S,
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The serial of the state at its place, as last read or saved: what was kept continues this one.
    serial: Option<u64>,
    /// Whether the file exists.
    kept: bool,
    /// Whether the last load was from the file.
    taken: bool,
    /// The digests of what was sent since the last save that is known to have arrived.
    sent: BTreeSet<String>,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    format: u32,
    /// Where it belongs.
    place: String,
    /// The serial of the state that it continues; `None` where there was none.
    continues: Option<u64>,
    /// The digests of what was sent since then: some of it may arrive after all, later than anybody waited for it.
    sent: BTreeSet<String>,
    state: State,
}

impl<S: SharedStore> Fallback<S> {
    /// `store`, with the file at `path`. Nothing is read or written yet.
    pub fn new(store: S, path: impl Into<PathBuf>) -> Self {
        Self { store, path: path.into(), known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn load(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let there = self.store.load().await?;
        let kept = self.kept()?;
        let state = match &there {
            // Whoever loads it says what is wrong with it.
            Some(bytes) => match parse(bytes) {
                Ok(state) => Some(state),
                Err(_) => return Ok(there),
            },
            None => None,
        };
        let serial = state.as_ref().map(|state| state.serial);
        *self.known() = Known { serial, kept: kept.is_some(), ..Known::default() };
        let Some(kept) = kept else { return Ok(there) };
        if state.as_ref() == Some(&kept.state) {
            // It was saved after all, and only the answer was lost.
            self.remove()?;
            return Ok(there);
        }
        let same = state.as_ref().is_none_or(|state| state.lineage == kept.state.lineage);
        let late = there.as_ref().is_some_and(|there| kept.sent.contains(&digest(there)));
        if kept.place != self.store.place() || !same || (serial != kept.continues && !late) {
            return Err(StoreError::Unfit {
                place: self.store.place(),
                problem: format!(
                    "{} keeps what an earlier run could not save at {} after serial {}, and the state has serial {} now",
                    self.path.display(),
                    kept.place,
                    kept.continues.unwrap_or_default(),
                    serial.unwrap_or_default(),
                ),
                remedy: format!(
                    "Somebody went on without it. Move the file away (mv '{0}' '{0}.old'); then `bedplate state recover` finds \
                     in AWS what only the file knows",
                    self.path.display()
                ),
            });
        }
        self.known().taken = true;
        Ok(Some(crate::write(&kept.state)))
    }

    async fn save(&self, bytes: &[u8]) -> Result<(), StoreError> {
        // Also when nobody waits for the answer any more.
        self.known().sent.insert(digest(bytes));
        match self.store.save(bytes).await {
            Ok(()) => {
                let saved = parse(bytes).ok().map(|state| state.serial);
                let kept = std::mem::replace(&mut *self.known(), Known { serial: saved, ..Known::default() }).kept;
                if kept { self.remove() } else { Ok(()) }
            }
            Err(error) => Err(self.keep(bytes, error)),
        }
    }

    /// Writes the file, and says where it is.
    fn keep(&self, bytes: &[u8], source: StoreError) -> StoreError {
        let Ok(state) = parse(bytes) else { return source };
        let place = self.store.place();
        let (continues, sent) = {
            let known = self.known();
            (known.serial, known.sent.clone())
        };
        let kept = Kept { format: FORMAT, place: place.clone(), continues, sent, state };
        let sealed = seal(serde_json::to_value(kept).expect("plain data with text keys"));
        let written = fs_err::create_dir_all(folder(&self.path))
            .and_then(|()| write_atomically(folder(&self.path), &self.path, &sealed));
        match written {
            Ok(()) => {
                self.known().kept = true;
                StoreError::Kept { place, kept: self.path.clone(), source: Box::new(source) }
            }
            // What was under way is found by its intent, its name or its tags.
            Err(_) => source,
        }
    }

    fn kept(&self) -> Result<Option<Kept>, StoreError> {
        let place = self.path.display().to_string();
        let Some(bytes) = read(&self.path).map_err(|source| self.io_error("read", source))? else { return Ok(None) };
        let parsed = unseal(&bytes, "format", FORMAT).and_then(|json| {
            serde_json::from_value::<Kept>(json).map_err(|error| FormatError::Damaged(error.to_string()))
        });
        parsed.map(Some).map_err(|problem| StoreError::Format {
            way_back: format!(
                "It keeps what an earlier run could not save. Move it away (mv '{place}' '{place}.damaged'); then `bedplate \
                 state recover` finds in AWS what only the file knew"
            ),
            place,
            problem,
        })
    }

    fn remove(&self) -> Result<(), StoreError> {
        self.known().kept = false;
        match fs_err::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.io_error("save", error)),
            _ => Ok(()),
        }
    }

    fn io_error(&self, what: &'static str, source: std::io::Error) -> StoreError {
        StoreError::Io { what, place: self.path.display().to_string(), source }
    }
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

impl<S: SharedStore> Store for Fallback<S> {
    fn place(&self) -> String {
        self.store.place()
    }

    fn load(&self) -> Boxed<'_, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(self.load())
    }

    fn save<'a>(&'a self, bytes: &'a [u8]) -> Boxed<'a, Result<(), StoreError>> {
        Box::pin(self.save(bytes))
    }
}

impl<S: SharedStore> SharedStore for Fallback<S> {
    fn lock<'a>(&'a self, holder: &'a Holder, tell: Tell<'a>) -> Boxed<'a, Result<Lock, StoreError>> {
        self.store.lock(holder, tell)
    }

    fn held(&self) -> Boxed<'_, Result<Option<Held>, StoreError>> {
        self.store.held()
    }

    fn unlock(&self) -> Boxed<'_, Result<(), StoreError>> {
        self.store.unlock()
    }

    fn way_back(&self) -> String {
        self.store.way_back()
    }

    fn remark(&self) -> Option<String> {
        self.known().taken.then(|| {
            format!(
                "the last run could not save its state at {}: it goes on from {}",
                self.place(),
                self.path.display()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileStore, write};
    use bedplate_model::StackId;
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("a file store never waits"),
        }
    }

    /// A far store that is a file; where its folder is taken away, it is out of reach.
    struct Far {
        folder: tempfile::TempDir,
        state: State,
    }

    impl Far {
        fn new() -> Self {
            let state = State::new(StackId::new("s"), "797923187401", "us-east-1");
            Self { folder: tempfile::tempdir().unwrap(), state }
        }

        /// One that a run lost while it saved these serials, and that is back.
        fn cut_off(unsaved: &[u64]) -> Self {
            let far = Self::new();
            let store = far.store();
            now(store.save(&far.at(1))).unwrap();
            far.reachable(false);
            for serial in unsaved {
                now(store.save(&far.at(*serial))).unwrap_err();
            }
            far.reachable(true);
            far
        }

        fn store(&self) -> Fallback<FileStore> {
            let far = FileStore::new(self.folder.path().join("far/state.json"));
            Fallback::new(far, self.kept())
        }

        fn kept(&self) -> PathBuf {
            self.folder.path().join("near/s.unsaved.json")
        }

        fn reachable(&self, reachable: bool) {
            let (near, away) = (self.folder.path().join("far"), self.folder.path().join("away"));
            if reachable {
                fs_err::remove_file(&near).unwrap();
                fs_err::rename(&away, &near).unwrap();
            } else {
                fs_err::rename(&near, &away).unwrap();
                fs_err::write(&near, "not a folder").unwrap();
            }
        }

        fn at(&self, serial: u64) -> Vec<u8> {
            write(&State { serial, ..self.state.clone() })
        }
    }

    #[test]
    fn what_could_not_be_saved_is_taken_from_nearby_and_brought_where_it_belongs() {
        let far = Far::new();
        let store = far.store();
        assert_eq!(now(store.load()).unwrap(), None);
        now(store.save(&far.at(1))).unwrap();
        far.reachable(false);
        let error = now(store.save(&far.at(2))).unwrap_err();
        assert!(matches!(&error, StoreError::Kept { kept, .. } if *kept == far.kept()), "{error}");
        now(store.save(&far.at(3))).unwrap_err();
        far.reachable(true);

        let next = far.store();
        assert_eq!(now(next.load()).unwrap().unwrap(), far.at(3));
        assert!(next.remark().unwrap().contains("s.unsaved.json"));
        now(next.save(&far.at(3))).unwrap();
        assert!(!far.kept().exists() && next.remark().is_none());
        assert_eq!(now(far.store().load()).unwrap().unwrap(), far.at(3));
    }

    #[test]
    fn within_a_run_the_next_save_brings_it_where_it_belongs() {
        let far = Far::new();
        let store = far.store();
        now(store.save(&far.at(1))).unwrap();
        far.reachable(false);
        now(store.save(&far.at(2))).unwrap_err();
        far.reachable(true);
        now(store.save(&far.at(3))).unwrap();
        assert!(!far.kept().exists());
    }

    #[test]
    fn what_was_saved_after_all_is_no_reason_to_stop() {
        let far = Far::cut_off(&[2]);
        now(FileStore::new(far.folder.path().join("far/state.json")).save(&far.at(2))).unwrap();
        assert_eq!(now(far.store().load()).unwrap().unwrap(), far.at(2));
        assert!(!far.kept().exists());
    }

    #[test]
    fn what_arrives_later_than_anybody_waited_for_it_is_no_reason_to_stop() {
        let far = Far::cut_off(&[2, 3]);
        now(FileStore::new(far.folder.path().join("far/state.json")).save(&far.at(2))).unwrap();
        assert_eq!(now(far.store().load()).unwrap().unwrap(), far.at(3));
    }

    #[test]
    fn who_went_on_without_it_is_told_what_to_do() {
        let far = Far::cut_off(&[2]);
        now(FileStore::new(far.folder.path().join("far/state.json")).save(&far.at(5))).unwrap();
        let error = now(far.store().load()).unwrap_err().to_string();
        assert!(error.contains("state recover") && error.contains("s.unsaved.json"), "{error}");
        assert!(far.kept().exists());
    }

    #[test]
    fn a_damaged_file_is_not_believed() {
        let far = Far::cut_off(&[2]);
        let bytes = fs_err::read(far.kept()).unwrap();
        fs_err::write(far.kept(), &bytes[..bytes.len() / 2]).unwrap();
        let error = now(far.store().load()).unwrap_err();
        assert!(matches!(error, StoreError::Format { .. }), "{error}");
        assert!(error.to_string().contains("state recover"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let far = Far::cut_off(&[2]);
        assert_eq!(fs_err::metadata(far.kept()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
