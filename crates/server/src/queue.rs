//! What of the queue is being worked off. The catalog is the queue, so it survives restarts; what is here
//! only says when to look, and what has been begun.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use profile_export::export::Progress;
use tokio::sync::Notify;

/// What runs now.
#[derive(Default)]
pub(crate) struct Queue {
    /// Told when there may be a job to run.
    pub(crate) jobs: Notify,
    /// Told when there may be a batch to load.
    pub(crate) batches: Notify,
    stopping: AtomicBool,
    running: Mutex<HashMap<Work, Arc<Progress>>>,
}

/// A piece of work, by its ID in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    /// An export job.
    Job(i64),
    /// An incoming batch.
    Batch(String),
}

impl Queue {
    /// Says that there is something new to do.
    pub(crate) fn wake(&self) {
        self.jobs.notify_one();
        self.batches.notify_one();
    }

    /// Begins nothing more.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether nothing more is to be begun.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Notes that a piece of work runs; through its progress it is told to stop.
    pub(crate) fn begin(&self, work: Work) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        self.running().insert(work, Arc::clone(&progress));
        progress
    }

    /// Notes that a piece of work runs no more.
    pub(crate) fn end(&self, work: &Work) {
        self.running().remove(work);
    }

    /// Whether a piece of work runs.
    pub(crate) fn has(&self, work: &Work) -> bool {
        self.running().contains_key(work)
    }

    /// How much runs.
    pub(crate) fn count(&self) -> usize {
        self.running().len()
    }

    /// Asks everything that runs to stop.
    pub(crate) fn cancel(&self) {
        for progress in self.running().values() {
            progress.cancel();
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Work, Arc<Progress>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
