//! What ends a statement before it is done: its client, from another connection or by going away; the server's end; time.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, Sleep};

use crate::refusal::{CANCELLED, Problem, Refusal, STOPPING};

/// Who may end the statements of which session.
#[derive(Default)]
pub(crate) struct Cancels {
    by_key: Mutex<HashMap<(i32, i32), Arc<Notify>>>,
}

/// A session that can be found by its key, as long as it lives.
pub(crate) struct Cancellable {
    pub(crate) process: i32,
    pub(crate) key: i32,
    cancels: Arc<crate::front::Shared>,
    wish: Arc<Notify>,
}

impl Cancels {
    fn by_key(&self) -> MutexGuard<'_, HashMap<(i32, i32), Arc<Notify>>> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the statement that runs now in the session of that key, if there is one.
    pub(crate) fn cancel(&self, process: i32, key: i32) {
        if let Some(wish) = self.by_key().get(&(process, key)) {
            wish.notify_waiters();
        }
    }
}

impl Cancellable {
    /// A new session with a key of its own.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub(crate) fn new(shared: Arc<crate::front::Shared>) -> Result<Self, Problem> {
        let wish = Arc::new(Notify::new());
        let mut random = [0; 8];
        loop {
            getrandom::fill(&mut random).map_err(|error| {
                tracing::error!(%error, "no random numbers");
                Problem::Gone
            })?;
            let [process, key] = [0, 4].map(|at| {
                let four = [random[at], random[at + 1], random[at + 2], random[at + 3]];
                i32::from_be_bytes(four)
            });
            // Clients show the number as a process's, which is positive.
            let process = process & i32::MAX;
            let mut all = shared.cancels.by_key();
            if let std::collections::hash_map::Entry::Vacant(entry) = all.entry((process, key)) {
                entry.insert(Arc::clone(&wish));
                drop(all);
                return Ok(Self {
                    process,
                    key,
                    cancels: shared,
                    wish,
                });
            }
        }
    }
}

impl Drop for Cancellable {
    fn drop(&mut self) {
        let key = (self.process, self.key);
        self.cancels.cancels.by_key().remove(&key);
    }
}

/// Looks after one statement.
pub(crate) struct Watch {
    cancelled: Pin<Box<OwnedNotified>>,
    late: Option<(Pin<Box<Sleep>>, Duration)>,
    gone: watch::Receiver<bool>,
    stop: watch::Receiver<bool>,
}

impl Watch {
    /// From now on: a wish to end what ran before is none for this.
    pub(crate) fn new(
        session: &Cancellable,
        gone: &watch::Receiver<bool>,
        timeout: Option<Duration>,
    ) -> Self {
        let late = timeout.map(|after| {
            let sleep = tokio::time::sleep_until(Instant::now() + after);
            (Box::pin(sleep), after)
        });
        Self {
            cancelled: Box::pin(Arc::clone(&session.wish).notified_owned()),
            late,
            gone: gone.clone(),
            stop: session.cancels.stop.clone(),
        }
    }

    /// Does work, unless something ends it.
    ///
    /// # Errors
    ///
    /// That of the work; or why it was ended.
    pub(crate) async fn during<T>(
        &mut self,
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let late = async {
            match &mut self.late {
                None => std::future::pending().await,
                Some((sleep, after)) => {
                    sleep.await;
                    *after
                }
            }
        };
        tokio::select! {
            done = work => done,
            () = &mut self.cancelled => Err(Problem::Refused(Refusal::new(
                CANCELLED,
                "the statement was cancelled as its client wished",
            ))),
            after = late => Err(Problem::Refused(Refusal::new(
                CANCELLED,
                format!("the statement took longer than statement_timeout ({after:?})"),
            ))),
            _ = self.gone.wait_for(|gone| *gone) => Err(Problem::Gone),
            _ = self.stop.wait_for(|stop| *stop) => Err(stopping()),
        }
    }
}

/// The server ends.
pub(crate) fn stopping() -> Problem {
    Problem::Fatal(Refusal::new(STOPPING, "the server is being stopped"))
}
