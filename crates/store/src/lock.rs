use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often somebody who waits looks whether the lock is free, or they are to stop.
const LOOK: Duration = Duration::from_millis(20);

/// A lock on a file, held until it is dropped or its process ends.
///
/// Whoever lets go may delete the file, so a lock counts only on the file that still has the name.
pub struct FileLock {
    path: PathBuf,
    _file: File,
}

impl FileLock {
    /// Takes the lock, waiting for whoever holds it.
    ///
    /// # Errors
    /// The file can't be made or locked.
    pub fn acquire(path: &Path) -> io::Result<Self> {
        loop {
            let file = open(path)?;
            file.lock()?;
            if has_name(&file, path)? {
                return Ok(Self::new(path, file));
            }
        }
    }

    /// Takes the lock, waiting for whoever holds it as long as `go_on` says so, which is told for how long
    /// that is now; `None` where it says no.
    ///
    /// # Errors
    /// The file can't be made or locked.
    pub fn acquire_while(
        path: &Path,
        mut go_on: impl FnMut(Duration) -> bool,
    ) -> io::Result<Option<Self>> {
        let start = Instant::now();
        loop {
            let lock = Self::try_acquire(path)?;
            if lock.is_some() || !go_on(start.elapsed()) {
                return Ok(lock);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The process that holds a lock, as it has written there itself.
    #[must_use]
    pub fn holder(path: &Path) -> Option<u32> {
        fs::read_to_string(path).ok()?.trim().parse().ok()
    }

    /// Takes the lock; `None` where somebody else holds it.
    ///
    /// # Errors
    /// The file can't be made or locked.
    pub fn try_acquire(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            if has_name(&file, path)? {
                return Ok(Some(Self::new(path, file)));
            }
        }
    }

    fn new(path: &Path, mut file: File) -> Self {
        // Who holds it is a courtesy for those who wait: a full disk must not keep anybody from working.
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        Self {
            path: path.to_owned(),
            _file: file,
        }
    }

    /// Deletes the file and lets go.
    ///
    /// # Errors
    /// The file can't be deleted.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
}

fn has_name(file: &File, path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(named) => Ok(named.ino() == file.metadata()?.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_counts_for_the_file_that_has_the_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.lock");
        let first = FileLock::acquire(&path).expect("a lock");
        assert!(FileLock::try_acquire(&path).expect("a try").is_none());
        first.remove().expect("deleted");
        let second = FileLock::try_acquire(&path).expect("a try");
        assert!(second.is_some() && path.exists());
        drop(second);
        assert!(path.exists());
    }

    #[test]
    fn who_waits_may_stop_and_is_told_who_holds_the_lock() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.lock");
        let held = FileLock::acquire(&path).expect("a lock");
        assert_eq!(FileLock::holder(&path), Some(std::process::id()));
        let mut looks = 0;
        let waited = FileLock::acquire_while(&path, |_| {
            looks += 1;
            looks < 3
        });
        assert!(waited.expect("a wait").is_none());
        drop(held);
        let free = FileLock::acquire_while(&path, |_| false);
        assert!(free.expect("no wait").is_some());
    }
}
