//! The state in a local file.

use crate::{Held, Holder, Lease, Liveness, Lock, SharedStore, Store, StoreError, Tell};
use bedplate_model::Boxed;
use std::{
    ffi::{OsStr, OsString},
    fs::TryLockError,
    io::{self, ErrorKind, Read, Seek, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

/// A file, replaced atomically: a temporary file beside it, fsync, rename, fsync of the folder. Mode 0600.
///
/// Before the first save of a process, the previous contents are kept in `<file>.backup`.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    backed_up: AtomicBool,
}

impl FileStore {
    /// A store at `path`. Nothing is read or written yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: target(path.into()), backed_up: AtomicBool::new(false) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the previous contents are kept.
    pub fn backup_path(&self) -> PathBuf {
        sibling(&self.path, "backup")
    }

    /// Where the lock is kept. The file stays; only who holds it at the moment counts.
    fn lock_path(&self) -> PathBuf {
        sibling(&self.path, "lock")
    }

    /// Takes the lock of the operating system: it ends with the value or the process, whichever comes first.
    fn try_lock(&self, holder: &Holder) -> Result<Lock, StoreError> {
        let io_error = |source| self.io_error("lock", source);
        fs_err::create_dir_all(self.folder()).map_err(io_error)?;
        let mut options = fs_err::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let mut file = options.open(self.lock_path()).map_err(io_error)?.into_parts().0;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { place: self.place(), holder: holder_of(&mut file).by });
            }
            Err(TryLockError::Error(error)) => return Err(io_error(error)),
        }
        let note = |file: &mut std::fs::File| {
            file.set_len(0)?;
            file.rewind()?;
            serde_json::to_writer(file, holder).map_err(io::Error::from)
        };
        note(&mut file).map_err(io_error)?;
        self.remove_unfinished();
        Ok(Lock::new(Lease::of_process(), file))
    }

    /// Removes what a run that was killed while it saved had begun to write. Who holds the lock is the only one who writes
    /// these two files. What cannot be removed is no harm: nobody reads it.
    fn remove_unfinished(&self) {
        let Ok(entries) = fs_err::read_dir(self.folder()) else { return };
        let backup = self.backup_path();
        for entry in entries.flatten() {
            let name = entry.file_name();
            if [&self.path, &backup].iter().any(|path| is_unfinished(&name, path)) {
                _ = fs_err::remove_file(entry.path());
            }
        }
    }

    fn who_holds(&self) -> Result<Option<Held>, StoreError> {
        let mut file = match fs_err::File::open(self.lock_path()) {
            Ok(file) => file.into_parts().0,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.io_error("lock", error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(holder_of(&mut file))),
            Err(TryLockError::Error(error)) => Err(self.io_error("lock", error)),
        }
    }

    fn folder(&self) -> &Path {
        folder(&self.path)
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        fs_err::create_dir_all(self.folder())?;
        if !self.backed_up.load(Ordering::Relaxed) {
            if let Some(previous) = read(&self.path)? {
                write_atomically(self.folder(), &self.backup_path(), &previous)?;
            }
            self.backed_up.store(true, Ordering::Relaxed);
        }
        write_atomically(self.folder(), &self.path, bytes)
    }

    fn io_error(&self, what: &'static str, source: io::Error) -> StoreError {
        StoreError::Io { what, place: self.place(), source }
    }
}

impl Store for FileStore {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn load(&self) -> Boxed<'_, Result<Option<Vec<u8>>, StoreError>> {
        let result = read(&self.path).map_err(|error| self.io_error("read", error));
        Box::pin(async move { result })
    }

    fn save<'a>(&'a self, bytes: &'a [u8]) -> Boxed<'a, Result<(), StoreError>> {
        let result = self.replace(bytes).map_err(|error| self.io_error("save", error));
        Box::pin(async move { result })
    }
}

impl SharedStore for FileStore {
    fn lock<'a>(&'a self, holder: &'a Holder, _tell: Tell<'a>) -> Boxed<'a, Result<Lock, StoreError>> {
        let result = self.try_lock(holder);
        Box::pin(async move { result })
    }

    fn held(&self) -> Boxed<'_, Result<Option<Held>, StoreError>> {
        let result = self.who_holds();
        Box::pin(async move { result })
    }

    /// The operating system takes the lock from who ended, and from nobody else.
    fn unlock(&self) -> Boxed<'_, Result<(), StoreError>> {
        let result = self.who_holds().and_then(|held| match held {
            None => Ok(()),
            Some(held) => Err(StoreError::Locked { place: self.place(), holder: held.by }),
        });
        Box::pin(async move { result })
    }

    fn way_back(&self) -> String {
        let (backup, place) = (self.backup_path(), self.place());
        match backup.exists() {
            true => format!(
                "Put the copy from before the last run back, and let AWS tell what that run made: mv '{}' '{place}' && bedplate state recover",
                backup.display()
            ),
            false => format!(
                "Put a copy of it back, or move it away (mv '{place}' '{place}.damaged') and let `bedplate state recover` \
                 find everything in AWS again"
            ),
        }
    }
}

/// Where a link leads, though nothing may be there yet: whoever comes another way has to meet the same lock, and a file that is
/// replaced must not take the link's place.
fn target(mut path: PathBuf) -> PathBuf {
    // As many as Linux follows.
    for _ in 0..40 {
        let Ok(to) = fs_err::read_link(&path) else { break };
        path = folder(&path).join(to);
    }
    path
}

/// Who holds a locked file: its process lives, since the lock ends with it.
fn holder_of(file: &mut std::fs::File) -> Held {
    let mut text = Vec::new();
    // A note that cannot be read is no reason not to say that it is locked.
    let holder = file.read_to_end(&mut text).ok().and_then(|_| serde_json::from_slice::<Holder>(&text).ok());
    Held::by(holder.as_ref(), Liveness::Alive)
}

/// No state is larger, and a wrong file is not read into memory as a whole. The whole platform's has 300 KB.
const LARGEST: u64 = 256 << 20;

/// A file's contents, if there is one.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    // Some are never read to their end, or wait at their beginning.
    match fs_err::metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("`{}` is no regular file", path.display())));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it is far too large for a state"));
    }
    Ok(Some(bytes))
}

/// Replaces a file, mode 0600; what stood there stays until the new contents are on disk.
pub(crate) fn write_atomically(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Temporary files are made with mode 0600.
    let mut file = tempfile::Builder::new().prefix(&unfinished(path)).rand_bytes(RANDOM).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The rename itself is on disk only when the folder is.
    fs_err::File::open(folder)?.sync_all()
}

/// How many letters and digits end the name of a temporary file.
const RANDOM: usize = 8;

/// How the names of the temporary files begin from which a file is replaced. Other stacks' states may lie beside it.
fn unfinished(path: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".unfinished-");
    prefix
}

/// Whether this is the name of such a file.
fn is_unfinished(name: &OsStr, path: &Path) -> bool {
    let random = name.as_encoded_bytes().strip_prefix(unfinished(path).as_encoded_bytes());
    random.is_some_and(|random| random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric))
}

/// The folder that a file lies in.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn sibling(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(extension);
    path.with_file_name(name)
}

/// Makes what these options make readable and writable for its owner only.
#[cfg(unix)]
pub fn private(options: &mut fs_err::OpenOptions) {
    use fs_err::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

/// Elsewhere the folder decides.
#[cfg(not(unix))]
pub fn private(_options: &mut fs_err::OpenOptions) {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// File access is synchronous, so its futures are ready at once.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("a file store never waits"),
        }
    }

    #[cfg(unix)]
    #[test]
    fn two_links_lead_to_one_state_and_stay_links() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real/state.json");
        let links = ["one.json", "two.json"].map(|name| folder.path().join(name));
        for link in &links {
            std::os::unix::fs::symlink("real/state.json", link).unwrap();
        }
        let [one, two] = links.each_ref().map(FileStore::new);
        let lock = one.try_lock(&holder(7)).unwrap();
        assert!(matches!(two.try_lock(&holder(8)), Err(StoreError::Locked { .. })));
        now(one.save(b"{}")).unwrap();
        drop(lock);
        assert_eq!(fs_err::read(real).unwrap(), b"{}");
        assert!(links.iter().all(|link| link.is_symlink()));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = read(folder.path()).unwrap_err();
        assert!(refused.to_string().ends_with("is no regular file"), "{refused}");
        assert!(read(Path::new("/dev/zero")).is_err());
    }

    #[test]
    fn a_save_replaces_the_file_and_keeps_the_previous_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path().join("deep/state.json"));
        assert!(now(store.load()).unwrap().is_none());
        now(store.save(b"one")).unwrap();
        let again = FileStore::new(store.path());
        now(again.save(b"two")).unwrap();
        now(again.save(b"three")).unwrap();
        assert_eq!(now(again.load()).unwrap().unwrap(), b"three");
        assert_eq!(fs_err::read(again.backup_path()).unwrap(), b"one");
        let left = fs_err::read_dir(folder.path().join("deep")).unwrap().count();
        assert_eq!(left, 2, "no temporary file is left");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path().join("state.json"));
        now(store.save(b"one")).unwrap();
        let _lock = store.try_lock(&holder(7)).unwrap();
        for file in fs_err::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
        }
    }

    fn holder(pid: u32) -> Holder {
        Holder { pid, ..Holder::this_process("bootstrap", "noon") }
    }

    #[test]
    fn a_second_lock_names_the_holder_and_since_when() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path().join("state.json"));
        assert_eq!(now(store.held()).unwrap(), None);
        let lock = now(store.lock(&holder(7), &|_| {})).unwrap();
        assert!(lock.lease().holds());
        let error = now(store.lock(&holder(8), &|_| {})).unwrap_err();
        assert!(error.to_string().contains("`bedplate bootstrap` (process 7) since noon"), "{error}");
        let held = now(store.held()).unwrap().unwrap();
        assert_eq!((held.by, held.liveness), (holder(7).to_string(), Liveness::Alive));
        assert!(matches!(now(store.unlock()), Err(StoreError::Locked { .. })), "a living process keeps its lock");
        drop(lock);
        assert_eq!(now(store.held()).unwrap(), None);
        now(store.unlock()).unwrap();
        now(store.lock(&holder(8), &|_| {})).unwrap();
    }

    #[test]
    fn what_a_killed_run_left_unfinished_goes_with_the_next_lock() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path().join("a.json"));
        now(store.save(b"one")).unwrap();
        let kept = || {
            let prefix = unfinished(&store.path);
            tempfile::Builder::new()
                .prefix(&prefix)
                .rand_bytes(RANDOM)
                .tempfile_in(folder.path())
                .unwrap()
                .keep()
                .unwrap()
        };
        let (_, killed) = kept();
        let backup = folder.path().join(".a.json.backup.unfinished-0aZ45678");
        let others = ["b.json", ".b.json.unfinished-0aZ45678", ".a.json.unfinished-short", "a.json.runs"];
        let others = others.map(|name| folder.path().join(name));
        for path in others.iter().chain([&backup]) {
            fs_err::write(path, "half of").unwrap();
        }
        let lock = store.try_lock(&holder(7)).unwrap();
        assert!(!killed.exists() && !backup.exists());
        assert!(others.iter().all(|path| path.exists()), "what is not this state's stays");
        assert_eq!(now(store.load()).unwrap().unwrap(), b"one");
        // Who does not get the lock touches nothing: somebody is writing.
        let (_, writing) = kept();
        assert!(store.try_lock(&holder(8)).is_err() && writing.exists());
        drop(lock);
    }

    #[test]
    fn what_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path().join("state.json"));
        now(store.save(b"one")).unwrap();
        // The backup cannot be written: nothing is.
        let again = FileStore::new(store.path());
        fs_err::create_dir(again.backup_path()).unwrap();
        let error = now(again.save(b"two")).unwrap_err();
        assert!(matches!(error, StoreError::Io { what: "save", .. }), "{error}");
        assert_eq!(now(store.load()).unwrap().unwrap(), b"one");
        let left: Vec<_> = fs_err::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "no temporary file is left: {left:?}");
    }
}
