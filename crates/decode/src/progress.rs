use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::{Error, Result};

/// How far a load or an export is: watched, or told by a callback, and cancelled from another thread.
#[derive(Default)]
pub struct Progress {
    bytes: AtomicU64,
    rows: AtomicU64,
    cancelled: AtomicBool,
    callback: Option<Box<dyn Fn(Snapshot) + Send + Sync>>,
}

/// How far the work was at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Bytes read from inputs, or written to batches.
    pub bytes: u64,
    /// Records read, or rows written.
    pub rows: u64,
}

impl Progress {
    /// One that calls `callback` whenever more rows are done, on whatever thread did them.
    #[must_use]
    pub fn with_callback(callback: impl Fn(Snapshot) + Send + Sync + 'static) -> Self {
        Self {
            callback: Some(Box::new(callback)),
            ..Self::default()
        }
    }

    /// How far the work is.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            bytes: self.bytes.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
        }
    }

    /// Counts bytes.
    pub fn add_bytes(&self, n: u64) {
        self.bytes.fetch_add(n, Ordering::Relaxed);
    }

    /// Counts rows.
    pub fn add_rows(&self, n: u64) {
        self.rows.fetch_add(n, Ordering::Relaxed);
        if let Some(callback) = &self.callback {
            callback(self.snapshot());
        }
    }

    /// Asks the work to stop; it does so at its next step and leaves nothing behind.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Errs where the work was asked to stop.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(Error::Cancelled)
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("at", &self.snapshot())
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_callback_hears_of_every_step() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        let progress = Progress::with_callback(move |at| ears.lock().expect("ears").push(at.rows));
        progress.add_rows(2);
        progress.add_bytes(9);
        progress.add_rows(3);
        assert_eq!(*heard.lock().expect("ears"), [2, 5]);
        assert_eq!(progress.snapshot(), Snapshot { bytes: 9, rows: 5 });
    }
}
