//! What a session writes just now, and its end before the end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::AbortHandle;
use profile_export::export::Progress;

/// The write that is on.
#[derive(Default)]
pub(crate) struct Writing(Mutex<Option<Stop>>);

struct Stop {
    progress: Arc<Progress>,
    rows: AbortHandle,
}

impl Writing {
    /// A write is on until its end is dropped, which stops it where it is not done.
    pub(crate) fn begin(&self, progress: Arc<Progress>, rows: AbortHandle) -> WriteEnd<'_> {
        *self.now() = Some(Stop { progress, rows });
        WriteEnd(self)
    }

    /// Tells the write to stop, if one is on; what became of it, it says itself: all is written, or nothing.
    pub(crate) fn cancel(&self) -> bool {
        let now = self.now();
        if let Some(stop) = &*now {
            stop.progress.cancel();
            stop.rows.abort();
        }
        now.is_some()
    }

    fn now(&self) -> MutexGuard<'_, Option<Stop>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a write.
pub(crate) struct WriteEnd<'a>(&'a Writing);

impl Drop for WriteEnd<'_> {
    fn drop(&mut self) {
        self.0.cancel();
        *self.0.now() = None;
    }
}
