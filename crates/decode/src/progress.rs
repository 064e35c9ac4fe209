use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use crate::{Error, Result};

/// How far a load or an export is: watched, or told by a callback, and cancelled from another thread.
#[derive(Default)]
pub struct Progress {
    bytes: AtomicU64,
    rows: AtomicU64,
    /// A [`Phase`] by its number.
    phase: AtomicU8,
    /// How much of the phase is done, in 2^-40.
    share: AtomicU64,
    cancelled: AtomicBool,
    callback: Option<Box<dyn Fn(Snapshot) + Send + Sync>>,
}

/// What is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It begins, or waits for somebody else.
    #[default]
    Begin,
    /// Records are read and put in order.
    Load,
    /// Runs are merged into larger ones.
    Merge,
    /// An export's columns, and the identity graph, are prepared.
    Prepare,
    /// Rows are made and written.
    Export,
    /// What was written is brought to the disk and made visible.
    Publish,
    /// Bytes are compared with their digests.
    Verify,
}

const PHASES: [Phase; 7] = [
    Phase::Begin,
    Phase::Load,
    Phase::Merge,
    Phase::Prepare,
    Phase::Export,
    Phase::Publish,
    Phase::Verify,
];
/// All of a phase.
const WHOLE: f64 = (1u64 << 40) as f64;

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begin => "beginning",
            Self::Load => "loading",
            Self::Merge => "merging runs",
            Self::Prepare => "preparing",
            Self::Export => "exporting",
            Self::Publish => "publishing",
            Self::Verify => "checking",
        })
    }
}

/// How far the work was at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What is being done.
    pub phase: Phase,
    /// How much of the phase is done, in millionths, where it tells; bytes say it of a load.
    pub millionths: u32,
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
        let phase = PHASES.get(usize::from(self.phase.load(Ordering::Relaxed)));
        let share = self.share.load(Ordering::Relaxed) as f64 / WHOLE;
        Snapshot {
            phase: phase.copied().unwrap_or_default(),
            // Shares that were rounded may be more than the whole together.
            millionths: (share.min(1.0) * 1e6) as u32,
            bytes: self.bytes.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
        }
    }

    /// Says what is being done from now on.
    pub fn begin(&self, phase: Phase) {
        self.share.store(0, Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Counts a share of the phase, between 0 and 1.
    pub fn add_share(&self, share: f64) {
        self.share
            .fetch_add((share * WHOLE) as u64, Ordering::Relaxed);
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
        let at = progress.snapshot();
        assert_eq!((at.bytes, at.rows), (9, 5));
    }

    #[test]
    fn a_phase_tells_its_share_and_never_more_than_all() {
        let progress = Progress::default();
        assert_eq!(
            (progress.snapshot().phase, progress.snapshot().millionths),
            (Phase::Begin, 0)
        );
        progress.begin(Phase::Export);
        for done in 1..=3u32 {
            progress.add_share(1.0 / 3.0);
            let at = progress.snapshot();
            assert_eq!(at.phase, Phase::Export);
            assert!(at.millionths.abs_diff(done * 1_000_000 / 3) < 3, "{at:?}");
        }
        progress.add_share(0.5);
        assert_eq!(progress.snapshot().millionths, 1_000_000);
        progress.begin(Phase::Publish);
        assert_eq!(progress.snapshot().millionths, 0);
    }
}
