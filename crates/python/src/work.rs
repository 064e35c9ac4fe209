//! Long work, done without Python's lock: it can be watched, and Ctrl-C stops it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use platform::Error;
use profile_export::export::{Phase, Progress, ProgressSnapshot};
use profile_export::store::CatalogError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::errors::{Failure, Result};

/// How often signals are looked for, and progress is told.
const TICK: Duration = Duration::from_millis(50);

/// The threads that a store's work is done on.
///
/// Not those that rayon has for all of a process: a child that a process forks has none of its parent's threads, and
/// would wait for them.
#[derive(Clone)]
pub(crate) struct Workers {
    pool: Arc<ThreadPool>,
    process: u32,
}

impl Workers {
    /// So many; one a core where it is not said.
    pub(crate) fn new(threads: Option<usize>) -> PyResult<Self> {
        if threads.is_some_and(|threads| !(1..=1024).contains(&threads)) {
            return Err(pyo3::exceptions::PyValueError::new_err(
                "threads: expected a number from 1 to 1024",
            ));
        }
        let builder = ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
        let builder = builder.thread_name(|number| format!("profile-export-{number}"));
        let pool = builder.build().map_err(|error| {
            pyo3::exceptions::PyOSError::new_err(format!("threads can't be started: {error}"))
        })?;
        Ok(Self {
            pool: Arc::new(pool),
            process: std::process::id(),
        })
    }

    /// Does something on these threads, which waits for it.
    ///
    /// # Errors
    /// The process is a child of the one that made them; a panic.
    pub(crate) fn install<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        if std::process::id() != self.process {
            let problem = "it was opened in the process that this one was forked from; open it here, or start \
                           processes by \"spawn\" or \"forkserver\"";
            return Err(CatalogError::Conflict(problem.to_owned()).into());
        }
        let done = catch_unwind(AssertUnwindSafe(|| self.pool.install(work)));
        done.unwrap_or_else(|panic| Err(Error::Panic(said(panic.as_ref()))))
    }

    /// Does long work. The caller's thread waits without Python's lock, looks for signals, and calls `watcher` with how
    /// far it is: the phase, the part of it that is done (between 0 and 1, or `None`), rows, and bytes. Whatever either
    /// raises stops the work, and is raised when it has stopped. `total` is how many bytes there are to be read, 0 where
    /// it is not known.
    pub(crate) fn run<T: Send>(
        &self,
        py: Python<'_>,
        (watcher, total): (Option<&Bound<'_, PyAny>>, u64),
        work: impl FnOnce(&Arc<Progress>) -> Result<T, Error> + Send,
    ) -> Result<T> {
        let progress = Arc::new(Progress::default());
        self.go_on(py, &progress, (watcher, total), || work(&progress))
    }

    /// The same for work that has a progress already.
    pub(crate) fn go_on<T: Send>(
        &self,
        py: Python<'_>,
        progress: &Progress,
        (watcher, total): (Option<&Bound<'_, PyAny>>, u64),
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T> {
        let mut told = None;
        let mut tell = |snapshot: ProgressSnapshot| match watcher {
            Some(watcher) if told != Some(snapshot) => {
                told = Some(snapshot);
                watcher.call1(at(snapshot, total)).map(drop)
            }
            _ => Ok(()),
        };
        let mut raised = None;
        let ended = std::thread::scope(|scope| {
            let (sender, mut receiver) = sync_channel(1);
            scope.spawn(move || {
                let ended = self.install(work);
                // Whoever waits for it is there until it comes.
                let _ = sender.send(ended);
            });
            loop {
                let waiting = &mut receiver;
                match py.detach(move || waiting.recv_timeout(TICK)) {
                    Ok(ended) => return ended,
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(Error::Panic("the thread of the work is gone".to_owned()));
                    }
                    Err(RecvTimeoutError::Timeout) if raised.is_some() => {}
                    Err(RecvTimeoutError::Timeout) => {
                        let seen = py.check_signals().and_then(|()| tell(progress.snapshot()));
                        if let Err(reason) = seen {
                            progress.cancel();
                            raised = Some(reason);
                        }
                    }
                }
            }
        });
        match (raised, ended) {
            (Some(reason), _) => Err(Failure::Raised(reason)),
            (None, Err(error)) => Err(Failure::Engine(error)),
            (None, Ok(done)) => {
                tell(progress.snapshot())?;
                Ok(done)
            }
        }
    }
}

/// How far the work is, as Python is told.
fn at(snapshot: ProgressSnapshot, total: u64) -> (String, Option<f64>, u64, u64) {
    let done = match (snapshot.phase, total) {
        (Phase::Load, 1..) => Some(snapshot.bytes as f64 / total as f64),
        (Phase::Export | Phase::Merge, _) => Some(f64::from(snapshot.millionths) / 1e6),
        _ => None,
    };
    (
        snapshot.phase.to_string(),
        // Inputs may grow while they are read.
        done.map(|done| done.min(1.0)),
        snapshot.rows,
        snapshot.bytes,
    )
}

/// What a panic said.
pub(crate) fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a word".to_owned())
}
