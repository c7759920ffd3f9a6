//! The state in a local file.

use crate::{Store, StoreError};
use bedplate_model::Boxed;
use std::{
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
        Self { path: path.into(), backed_up: AtomicBool::new(false) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the previous contents are kept.
    pub fn backup_path(&self) -> PathBuf {
        sibling(&self.path, "backup")
    }

    /// Takes the lock that keeps other processes away. It ends with the value or the process, whichever comes first.
    ///
    /// # Errors
    /// [`StoreError::Locked`] names who holds it.
    pub fn lock(&self, holder: &str) -> Result<Lock, StoreError> {
        let io_error = |source| self.io_error("lock", source);
        fs_err::create_dir_all(self.folder()).map_err(io_error)?;
        let path = sibling(&self.path, "lock");
        let mut options = fs_err::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let mut file = options.open(&path).map_err(io_error)?.into_parts().0;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                let known = file.read_to_string(&mut text).is_ok() && !text.trim().is_empty();
                let holder = if known { text.trim().to_owned() } else { "another process".to_owned() };
                return Err(StoreError::Locked { place: self.place(), holder });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(io_error(error)),
        }
        let note = |file: &mut std::fs::File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(holder.as_bytes())
        };
        note(&mut file).map_err(io_error)?;
        Ok(Lock { _file: file })
    }

    fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        fs_err::create_dir_all(self.folder())?;
        if !self.backed_up.load(Ordering::Relaxed) {
            match fs_err::read(&self.path) {
                Ok(previous) => write_atomically(self.folder(), &self.backup_path(), &previous)?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
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
        let result = match fs_err::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.io_error("read", error)),
        };
        Box::pin(async move { result })
    }

    fn save<'a>(&'a self, bytes: &'a [u8]) -> Boxed<'a, Result<(), StoreError>> {
        let result = self.replace(bytes).map_err(|error| self.io_error("save", error));
        Box::pin(async move { result })
    }
}

/// Keeps other processes away from a state as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: std::fs::File,
}

fn write_atomically(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Temporary files are made with mode 0600.
    let mut file = tempfile::Builder::new().prefix(".state-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The rename itself is on disk only when the folder is.
    fs_err::File::open(folder)?.sync_all()
}

fn sibling(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(extension);
    path.with_file_name(name)
}

#[cfg(unix)]
fn private(options: &mut fs_err::OpenOptions) {
    use fs_err::os::unix::fs::OpenOptionsExt;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_options: &mut fs_err::OpenOptions) {}

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
        let _lock = store.lock("me").unwrap();
        for file in fs_err::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
        }
    }

    #[test]
    fn a_second_lock_names_the_holder() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::new(folder.path().join("state.json"));
        let lock = store.lock("process 7, since noon").unwrap();
        let error = store.lock("process 8").unwrap_err();
        assert!(error.to_string().contains("process 7, since noon"), "{error}");
        drop(lock);
        store.lock("process 8").unwrap();
    }
}
