//! Syncs that are waited for together.
//!
//! Each one by itself waits for the file system to write its journal, and those that are asked for meanwhile share
//! the next time that it does. So what is finished is handed over, and its writer goes on; before anything follows
//! from it being on the disk, all of it is waited for.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::error::{AtPath, Result, WriteError};

/// So many syncs share the journal; more gain nothing.
const AT_ONCE: usize = 32;
/// How many files may be open and wait. Whoever hands over one more waits, too.
const MOST_WAITING: usize = 64;

/// Files and folders on their way to the disk.
#[derive(Default)]
pub struct Syncs {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(usize, Handed)>,
    /// How many were handed over so far.
    handed: usize,
    at_work: usize,
    threads: usize,
    /// The first of those that failed.
    failed: Option<(usize, WriteError)>,
    closed: bool,
}

struct Handed {
    path: PathBuf,
    /// Open since it was written, so that what failed meanwhile is told; a folder is opened by its name.
    file: Option<File>,
    /// What it is called as soon as it is on the disk.
    name: Option<PathBuf>,
}

impl Syncs {
    /// Hands over a file that is written.
    pub fn file(&self, file: File, path: PathBuf) {
        self.hand(Handed {
            path,
            file: Some(file),
            name: None,
        });
    }

    /// Hands over a file that gets its name when it is on the disk, and that name on the disk, too: who finds it finds
    /// all of it.
    pub fn file_to_name(&self, file: File, path: PathBuf, name: PathBuf) {
        self.hand(Handed {
            path,
            file: Some(file),
            name: Some(name),
        });
    }

    /// Hands over what has this name: a folder with the names that were made in it so far, or a file.
    pub fn path(&self, path: impl Into<PathBuf>) {
        self.hand(Handed {
            path: path.into(),
            file: None,
            name: None,
        });
    }

    /// Waits until all that was handed over is on the disk.
    ///
    /// # Errors
    /// The first, in the order of being handed over, that the system could not bring there.
    pub fn wait(&self) -> Result<()> {
        let mut state = self.shared.state();
        while state.at_work > 0 || !state.waiting.is_empty() {
            state = self.shared.wait(state);
        }
        match state.failed.take() {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// Lets go of what has not begun, and waits for the rest: nothing that was handed over is touched any more.
    pub fn abandon(&self) {
        let mut state = self.shared.state();
        state.waiting.clear();
        while state.at_work > 0 {
            state = self.shared.wait(state);
        }
    }

    fn hand(&self, handed: Handed) {
        let mut state = self.shared.state();
        while state.waiting.len() >= MOST_WAITING {
            state = self.shared.wait(state);
        }
        let number = state.handed;
        state.handed += 1;
        state.waiting.push_back((number, handed));
        let idle = state.threads - state.at_work;
        if idle < state.waiting.len() && state.threads < AT_ONCE {
            state.threads += 1;
            drop(state);
            self.begin_thread();
        } else {
            drop(state);
        }
        self.shared.changed.notify_all();
    }

    fn begin_thread(&self) {
        let shared = Arc::clone(&self.shared);
        let begun = thread::Builder::new()
            .name("sync".to_owned())
            .spawn(move || shared.work());
        match begun {
            Ok(thread) => self.threads().push(thread),
            // The system has no more threads: those that are there do it, or this one.
            Err(_) => {
                let mut state = self.shared.state();
                state.threads -= 1;
                if state.threads == 0 {
                    while let Some(next) = state.waiting.pop_front() {
                        state = self.shared.sync(state, next);
                    }
                }
            }
        }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.state();
        while !state.closed {
            state = match state.waiting.pop_front() {
                Some(next) => self.sync(state, next),
                None => self.wait(state),
            };
        }
    }

    fn sync<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        (number, handed): (usize, Handed),
    ) -> MutexGuard<'a, State> {
        state.at_work += 1;
        drop(state);
        let synced = handed.sync();
        let mut state = self.state();
        state.at_work -= 1;
        if let Err(error) = synced
            && state
                .failed
                .as_ref()
                .is_none_or(|(first, _)| number < *first)
        {
            state.failed = Some((number, error));
        }
        self.changed.notify_all();
        state
    }
}

impl Handed {
    fn sync(self) -> Result<()> {
        match &self.file {
            Some(file) => file.sync_all().at(&self.path)?,
            None => sync_path(&self.path)?,
        }
        let Some(name) = self.name else {
            return Ok(());
        };
        fs::rename(&self.path, &name).at(&name)?;
        name.parent().map_or(Ok(()), sync_path)
    }
}

impl Drop for Syncs {
    fn drop(&mut self) {
        self.abandon();
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads().drain(..) {
            let _ = thread.join();
        }
    }
}

/// Syncs a folder, or a file, by its name.
pub(crate) fn sync_path(path: &Path) -> Result<()> {
    // The parent of a name alone is this folder.
    let path = match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    };
    File::open(path).and_then(|f| f.sync_all()).at(path)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn more_than_may_wait_are_handed_over_by_many_and_waited_for_once() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let syncs = Syncs::default();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= 3 * MOST_WAITING {
                            return;
                        }
                        let path = folder.path().join(number.to_string());
                        fs::write(&path, "text").expect("a file");
                        syncs.file(File::open(&path).expect("the file"), path);
                        syncs.path(folder.path());
                    }
                });
            }
        });
        syncs.wait().expect("synced");
        assert_eq!(syncs.shared.state().handed, 6 * MOST_WAITING);
        assert!(syncs.threads().len() <= AT_ONCE);
        syncs.wait().expect("nothing more");
    }

    #[test]
    fn the_first_that_fails_is_told() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        for _ in 0..20 {
            let syncs = Syncs::default();
            syncs.path(folder.path());
            syncs.path(&first);
            syncs.path(&second);
            let error = syncs.wait().expect_err("there is no such file");
            assert!(
                matches!(&error, WriteError::Io { path, .. } if *path == first),
                "{error}"
            );
        }
    }

    #[test]
    fn a_file_has_its_name_when_it_was_waited_for_and_what_is_abandoned_is_left_alone() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let syncs = Syncs::default();
        let (path, name) = (folder.path().join("new"), folder.path().join("named"));
        let file = File::create(&path).expect("a file");
        syncs.file_to_name(file, path.clone(), name.clone());
        syncs.wait().expect("on the disk");
        assert!(name.exists() && !path.exists());

        for _ in 0..MOST_WAITING {
            let file = File::create(&path).expect("a file");
            syncs.file_to_name(file, path.clone(), name.clone());
        }
        syncs.abandon();
        let before = path.exists();
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(path.exists(), before);
        drop(syncs);
    }
}
