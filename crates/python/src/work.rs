//! Long work, done without Python's lock: it can be watched, and Ctrl-C stops it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use platform::Error;
use profile_export::export::{Phase, Progress, ProgressSnapshot};
use profile_export::store::CatalogError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::errors::{Failure, Result};
use crate::sources::{Event, Sources, refuse};

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
        self.run_over(py, (watcher, total), Sources::new(), work)
    }

    /// The same over readers of Python's, which are asked on the caller's thread.
    pub(crate) fn run_over<T: Send>(
        &self,
        py: Python<'_>,
        watched: (Option<&Bound<'_, PyAny>>, u64),
        sources: Sources,
        work: impl FnOnce(&Arc<Progress>) -> Result<T, Error> + Send,
    ) -> Result<T> {
        let progress = Arc::new(Progress::default());
        self.wait(py, &progress, watched, (sources, || work(&progress)))
    }

    /// The same for work that has a progress already.
    pub(crate) fn go_on<T: Send>(
        &self,
        py: Python<'_>,
        progress: &Progress,
        watched: (Option<&Bound<'_, PyAny>>, u64),
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T> {
        self.wait(py, progress, watched, (Sources::new(), work))
    }

    fn wait<T: Send>(
        &self,
        py: Python<'_>,
        progress: &Progress,
        (watcher, total): (Option<&Bound<'_, PyAny>>, u64),
        (mut sources, work): (Sources, impl FnOnce() -> Result<T, Error> + Send),
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
        let mut looked = Instant::now();
        let done = Mutex::new(None);
        std::thread::scope(|scope| {
            let sender = sources.sender();
            let done = &done;
            scope.spawn(move || {
                let ended = self.install(work);
                *done.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
                // Whoever waits for it is there until it comes.
                let _ = sender.send(Event::Ended);
            });
            loop {
                let waiting = &mut sources;
                let seen = match py.detach(move || waiting.wait(TICK)) {
                    Ok(Event::Ended) | Err(RecvTimeoutError::Disconnected) => return,
                    Ok(Event::Wanted(_, asker)) if raised.is_some() => {
                        refuse(&asker);
                        continue;
                    }
                    Ok(Event::Wanted(number, asker)) => sources.answer(py, (number, asker)),
                    Err(RecvTimeoutError::Timeout) => Ok(()),
                };
                // A source that gives one batch after the other must not keep signals and progress from being told.
                let seen = match seen {
                    Ok(()) if raised.is_none() && looked.elapsed() >= TICK => {
                        looked = Instant::now();
                        py.check_signals().and_then(|()| tell(progress.snapshot()))
                    }
                    seen => seen,
                };
                if let Err(reason) = seen {
                    progress.cancel();
                    raised = Some(reason);
                }
            }
        });
        let ended = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let ended =
            ended.unwrap_or_else(|| Err(Error::Panic("the thread of the work is gone".to_owned())));
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
        (Phase::Load | Phase::Verify, 1..) => Some(snapshot.bytes as f64 / total as f64),
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
