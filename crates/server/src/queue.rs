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
    /// Segment jobs.
    pub(crate) segment_jobs: Line<String>,
    /// System jobs: deletions.
    pub(crate) system_jobs: Line<String>,
    /// Queries of the query service.
    pub(crate) queries: Line<String>,
    /// What the scheduler waits at.
    pub(crate) scheduler: Notify,
    stopping: AtomicBool,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            jobs: Line::new("job"),
            batches: Line::new("batch"),
            segment_jobs: Line::new("segment job"),
            system_jobs: Line::new("system job"),
            queries: Line::new("query"),
            scheduler: Notify::new(),
            stopping: AtomicBool::default(),
        }
    }
}

impl Queue {
    /// Says that there is something new to do.
    pub(crate) fn wake(&self) {
        self.jobs.wake();
        self.batches.wake();
        self.segment_jobs.wake();
        self.system_jobs.wake();
        self.queries.wake();
    }

    /// Begins nothing more.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
        self.scheduler.notify_one();
    }

    /// Whether nothing more is to be begun.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// How much runs.
    pub(crate) fn running(&self) -> usize {
        self.jobs.running()
            + self.batches.running()
            + self.segment_jobs.running()
            + self.system_jobs.running()
            + self.queries.running()
    }

    /// Asks everything that runs to stop.
    pub(crate) fn cancel(&self) {
        self.jobs.cancel();
        self.batches.cancel();
        self.segment_jobs.cancel();
        self.system_jobs.cancel();
        self.queries.cancel();
    }
}

/// Work of one kind.
pub(crate) struct Line<Id> {
    kind: &'static str,
    new: Notify,
    state: Mutex<State<Id>>,
}

struct State<Id> {
    begun: HashMap<Id, Begun>,
    /// When each sandbox had its last turn, counted in turns.
    turns: HashMap<Scope, u64>,
    turn: u64,
}

/// Of how many turns it is remembered whose they were.
const TURNS: u64 = 10_000;

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
            state: Mutex::new(State {
                begun: HashMap::new(),
                turns: HashMap::new(),
                turn: 0,
            }),
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

    /// What is to begin next: of what waits and neither runs nor rests, the first of the sandbox whose
    /// last turn is the longest ago. What waits no more need not rest any longer.
    pub(crate) fn next(&self, waiting: Vec<(Scope, Id)>) -> Option<(Scope, Id)> {
        let mut state = self.state();
        let State { begun, turns, .. } = &mut *state;
        begun.retain(|id, begun| {
            begun.progress.is_some() || waiting.iter().any(|(_, waits)| waits == id)
        });
        let may_begin = |begun: &Begun| begun.progress.is_none() && begun.retry.is_due();
        let waiting = waiting.into_iter();
        let ready = waiting.filter(|(_, id)| begun.get(id).is_none_or(may_begin));
        // The first of several that are equal.
        ready.min_by_key(|(scope, _)| turns.get(scope).copied())
    }

    /// Notes that work runs; through its progress it is told to stop.
    pub(crate) fn begin(&self, scope: &Scope, id: &Id) -> Arc<Progress> {
        let progress = Arc::new(Progress::default());
        let mut state = self.state();
        let State { begun, turns, turn } = &mut *state;
        *turn += 1;
        turns.insert(scope.clone(), *turn);
        turns.retain(|_, last| *turn - *last < TURNS);
        let begun = begun.entry(id.clone()).or_default();
        begun.progress = Some(Arc::clone(&progress));
        progress
    }

    /// Notes that work runs no more: it is done, or rests.
    pub(crate) fn end<E: Display>(&self, id: &Id, result: Result<(), E>) {
        let begun = &mut self.state().begun;
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
        self.state().begun.len()
    }

    fn running(&self) -> usize {
        let state = self.state();
        let begun = state.begun.values();
        begun.filter(|begun| begun.progress.is_some()).count()
    }

    /// Asks one piece of work to stop, if it runs.
    pub(crate) fn cancel_one(&self, id: &Id) {
        let state = self.state();
        let begun = state.begun.get(id);
        if let Some(progress) = begun.and_then(|begun| begun.progress.as_ref()) {
            progress.cancel();
        }
    }

    fn cancel(&self) {
        for progress in self
            .state()
            .begun
            .values()
            .filter_map(|begun| begun.progress.as_ref())
        {
            progress.cancel();
        }
    }

    fn state(&self) -> MutexGuard<'_, State<Id>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
            line.next(waiting).map(|(_, id)| id)
        };
        assert_eq!(first(&[1, 2, 3]), Some(1));
        line.begin(&Scope::default(), &1);
        assert_eq!(first(&[1, 2, 3]), Some(2));
        line.begin(&Scope::default(), &2);
        line.end(&2, Err("the catalog is locked"));
        assert_eq!(first(&[1, 2, 3]), Some(3));
        assert_eq!((line.count(), line.running()), (2, 1));
        // Somebody cancelled the one that rests.
        assert_eq!(first(&[1]), None);
        assert_eq!(line.count(), 1);
        line.end(&1, Ok::<_, String>(()));
        assert_eq!((line.count(), first(&[])), (0, None));
    }

    #[test]
    fn sandboxes_take_turns_however_much_of_one_waits() {
        let line = Line::new("job");
        let scope = |org: &str| Scope {
            org: org.to_owned(),
            ..Scope::default()
        };
        let mut waiting: Vec<(Scope, i64)> = (1..=5).map(|id| (scope("many"), id)).collect();
        waiting.extend([(scope("few"), 6), (scope("few"), 7), (scope("one"), 8)]);
        let mut begun = Vec::new();
        while let Some((scope, id)) = line.next(waiting.clone()) {
            line.begin(&scope, &id);
            line.end(&id, Ok::<_, String>(()));
            waiting.retain(|(_, waits)| *waits != id);
            begun.push(id);
        }
        assert_eq!(begun, [1, 6, 8, 2, 7, 3, 4, 5]);
    }
}
