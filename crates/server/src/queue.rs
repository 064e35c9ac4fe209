//! What of the queue is being worked off. The catalog is the queue, so it survives restarts; what is here
//! only says when to look, what has been begun, and what rests since it failed.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use profile_export::export::Progress;
use profile_export::store::Scope;
use tokio::sync::Notify;

use crate::retry::Retry;

/// All that is worked off.
pub(crate) struct Queue {
    /// Export jobs, by their IDs in the catalog.
    pub(crate) jobs: Line<i64>,
    /// Incoming batches.
    pub(crate) batches: Line<String>,
    stopping: AtomicBool,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            jobs: Line::new("job"),
            batches: Line::new("batch"),
            stopping: AtomicBool::default(),
        }
    }
}

impl Queue {
    /// Says that there is something new to do.
    pub(crate) fn wake(&self) {
        self.jobs.wake();
        self.batches.wake();
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

    /// How much runs.
    pub(crate) fn running(&self) -> usize {
        self.jobs.running() + self.batches.running()
    }

    /// Asks everything that runs to stop.
    pub(crate) fn cancel(&self) {
        self.jobs.cancel();
        self.batches.cancel();
    }
}

/// Work of one kind.
pub(crate) struct Line<Id> {
    kind: &'static str,
    new: Notify,
    begun: Mutex<HashMap<Id, Begun>>,
}

/// Work that runs, or rests since it failed.
#[derive(Default)]
struct Begun {
    /// Where it runs; through it the work is told to stop.
    progress: Option<Arc<Progress>>,
    retry: Retry,
}

impl<Id: Clone + Display + Eq + Hash> Line<Id> {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            new: Notify::new(),
            begun: Mutex::default(),
        }
    }

    /// Says that there may be something to do.
    pub(crate) fn wake(&self) {
        self.new.notify_one();
    }

    /// Waits until there may be something to do, at the most so long.
    pub(crate) async fn wait(&self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.new.notified()).await;
    }

    /// The first of what waits that neither runs nor rests. What waits no more need not rest any longer.
    pub(crate) fn first(&self, waiting: Vec<(Scope, Id)>) -> Option<(Scope, Id)> {
        let mut begun = self.begun();
        begun.retain(|id, begun| {
            begun.progress.is_some() || waiting.iter().any(|(_, waits)| waits == id)
        });
        let may_begin = |begun: &Begun| begun.progress.is_none() && begun.retry.is_due();
        let mut waiting = waiting.into_iter();
        waiting.find(|(_, id)| begun.get(id).is_none_or(may_begin))
    }

    /// Notes that work runs; through its progress it is told to stop.
    pub(crate) fn begin(&self, id: &Id) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        let mut begun = self.begun();
        let begun = begun.entry(id.clone()).or_default();
        begun.progress = Some(Arc::clone(&progress));
        progress
    }

    /// Notes that work runs no more: it is done, or rests.
    pub(crate) fn end<E: Display>(&self, id: &Id, result: Result<(), E>) {
        let mut begun = self.begun();
        let Err(problem) = result else {
            begun.remove(id);
            return;
        };
        let begun = begun.entry(id.clone()).or_default();
        begun.progress = None;
        begun
            .retry
            .failed(format_args!("{} {id}", self.kind), problem);
    }

    /// How much runs or rests.
    pub(crate) fn count(&self) -> usize {
        self.begun().len()
    }

    fn running(&self) -> usize {
        let begun = self.begun();
        begun
            .values()
            .filter(|begun| begun.progress.is_some())
            .count()
    }

    fn cancel(&self) {
        for progress in self
            .begun()
            .values()
            .filter_map(|begun| begun.progress.as_ref())
        {
            progress.cancel();
        }
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<Id, Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_or_rests_lets_what_waits_behind_it_pass() {
        let line = Line::new("job");
        let first = |ids: &[i64]| {
            let waiting = ids.iter().map(|id| (Scope::default(), *id)).collect();
            line.first(waiting).map(|(_, id)| id)
        };
        assert_eq!(first(&[1, 2, 3]), Some(1));
        line.begin(&1);
        assert_eq!(first(&[1, 2, 3]), Some(2));
        line.begin(&2);
        line.end(&2, Err("the catalog is locked"));
        assert_eq!(first(&[1, 2, 3]), Some(3));
        assert_eq!((line.count(), line.running()), (2, 1));
        // Somebody cancelled the one that rests.
        assert_eq!(first(&[1]), None);
        assert_eq!(line.count(), 1);
        line.end(&1, Ok::<_, String>(()));
        assert_eq!((line.count(), first(&[])), (0, None));
    }
}
