use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use decode::Progress;
use filter::MembershipMatches;

use crate::counts::BatchCounts;
use crate::dedupe::{Kept, passes_differ};
use crate::error::{Error, Result};
use crate::people::People;
use crate::pipeline::{MergedRows, Pipeline};

/// After so many chunks for each thread, what was read of the runs' keys is let go of: each time all threads stop for it.
const RELEASE: usize = 32;

/// Rows of a batch, a few thousand at a time, in order.
///
/// Dropped before its end, it makes no more of them.
pub struct Chunks {
    work: Arc<Work>,
    /// The chunk that is begun next.
    next: usize,
    /// What is left of the chunk that was taken last.
    rest: VecDeque<RecordBatch>,
    /// Chunks that are being made, or wait to be taken, in order.
    ahead: VecDeque<Receiver<Made>>,
    /// How many there are of the whole export, whose batches may be made side by side.
    all_ahead: Arc<AtomicUsize>,
    taken: usize,
    counts: BatchCounts,
    /// Why there is not even a first chunk.
    error: Option<Error>,
    failed: bool,
}

/// A chunk, why it could not be made, or the panic that came in between.
type Made = Result<Result<MergedRows>, Box<dyn Any + Send>>;

/// Whose rows there are.
pub(crate) struct Selection {
    pub(crate) people: People,
    pub(crate) matches: Option<MembershipMatches>,
    /// Which profiles of each chunk are nobody's duplicate.
    pub(crate) unique: Option<Kept>,
}

/// Who watches.
pub(crate) struct Watched {
    pub(crate) progress: Arc<Progress>,
    /// In how many parts the whole export is made.
    pub(crate) parts: usize,
    /// Whether the rows are those of the export, and not those of a first pass.
    pub(crate) counts_rows: bool,
}

struct Work {
    pipeline: Arc<Pipeline>,
    people: People,
    matches: Option<MembershipMatches>,
    /// Which profiles of each chunk are nobody's duplicate.
    unique: Option<Kept>,
    /// Whether its rows are those of the export, and not those of a first pass.
    counts_rows: bool,
    /// The schema that text is unpacked to, where dictionaries are not wanted.
    plain: Option<SchemaRef>,
    progress: Arc<Progress>,
    /// What part of the whole export each chunk is.
    share: f64,
    abandoned: AtomicBool,
}

impl Chunks {
    pub(crate) fn new(
        pipeline: Arc<Pipeline>,
        selected: Result<Selection>,
        plain: Option<SchemaRef>,
        watched: Watched,
        all_ahead: Arc<AtomicUsize>,
    ) -> Self {
        let nobody = Selection {
            people: People::nobody(),
            matches: None,
            unique: None,
        };
        let (selection, error) = match selected {
            Ok(selection) => (selection, None),
            Err(error) => (nobody, Some(error)),
        };
        let Selection {
            people,
            matches,
            unique,
        } = selection;
        let share = 1.0 / (people.chunks().max(1) * watched.parts) as f64;
        Self {
            work: Arc::new(Work {
                share,
                pipeline,
                people,
                matches,
                unique,
                plain,
                progress: watched.progress,
                counts_rows: watched.counts_rows,
                abandoned: AtomicBool::new(false),
            }),
            next: 0,
            rest: VecDeque::new(),
            ahead: VecDeque::new(),
            all_ahead,
            taken: 0,
            counts: BatchCounts::default(),
            error,
            failed: false,
        }
    }

    /// What the rows that were taken so far are.
    #[must_use]
    pub fn counts(&self) -> &BatchCounts {
        &self.counts
    }

    /// Begins chunks until as many are ahead as keep all threads busy; that bounds memory. One always is, however
    /// many others have.
    fn begin_more(&mut self) {
        let most = 4 * rayon::current_num_threads();
        let all_ahead = Arc::clone(&self.all_ahead);
        let has_room = |own: usize| own == 0 || all_ahead.load(Ordering::Relaxed) < most;
        while has_room(self.ahead.len()) && self.next < self.work.people.chunks() {
            all_ahead.fetch_add(1, Ordering::Relaxed);
            let (sender, receiver) = sync_channel(1);
            let (work, number) = (Arc::clone(&self.work), self.next);
            rayon::spawn_fifo(move || {
                let made = catch_unwind(AssertUnwindSafe(|| work.make(number)));
                // Nobody may be there any more.
                let _ = sender.send(made);
            });
            self.ahead.push_back(receiver);
            self.next += 1;
        }
    }

    fn take(&mut self, receiver: &Receiver<Made>) -> Result<RecordBatch> {
        let made = receive(receiver);
        self.all_ahead.fetch_sub(1, Ordering::Relaxed);
        let made = match made {
            Ok(made) => made?,
            Err(panic) => resume_unwind(panic),
        };
        self.work.pipeline.sources().check_whole()?;
        self.taken += 1;
        if self
            .taken
            .is_multiple_of(RELEASE * rayon::current_num_threads())
        {
            // What comes next lies elsewhere in the runs.
            self.work.pipeline.sources().release();
        }
        self.work.progress.add_share(self.work.share);
        if self.work.counts_rows {
            self.work.progress.add_rows(made.counts.profiles);
        }
        self.counts.add(made.counts);
        self.rest = made.rows.into();
        let first = self.rest.pop_front();
        Ok(first.unwrap_or_else(|| unreachable!("a chunk of no batch")))
    }
}

impl Iterator for Chunks {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if let Some(error) = self.error.take() {
            self.failed = true;
            return Some(Err(error));
        }
        if let Some(rows) = self.rest.pop_front() {
            return Some(Ok(rows));
        }
        self.begin_more();
        let taken = match self.ahead.pop_front() {
            Some(receiver) => self.take(&receiver),
            // That there is no more, or nothing at all, was read from the runs, too.
            None => Err(self.work.pipeline.sources().check_whole().err()?),
        };
        self.failed = taken.is_err();
        Some(taken)
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.work.abandoned.store(true, Ordering::Relaxed);
        self.all_ahead
            .fetch_sub(self.ahead.len(), Ordering::Relaxed);
    }
}

impl Work {
    fn is_to_stop(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed) || self.progress.is_cancelled()
    }

    fn make(&self, number: usize) -> Result<MergedRows> {
        if self.is_to_stop() {
            return Err(decode::Error::Cancelled.into());
        }
        self.pipeline.sources().begin_chunk();
        let people = self.people.rows(number, self.pipeline.sources())?;
        let unique = match &self.unique {
            None => None,
            Some(unique) => Some(unique.get(number).ok_or_else(passes_differ)?),
        };
        let is_to_stop = || self.is_to_stop();
        let mut made = (self.pipeline).rows(&people, self.matches.as_ref(), unique, &is_to_stop)?;
        if let Some(schema) = &self.plain {
            let rows = made.rows.iter();
            made.rows = rows
                .map(|rows| unpack(rows, schema))
                .collect::<Result<_>>()?;
        }
        Ok(made)
    }
}

/// Waits for a chunk. A thread of the pool works on others meanwhile, so that even a pool of one comes
/// to its end.
fn receive(receiver: &Receiver<Made>) -> Made {
    loop {
        match receiver.try_recv() {
            Ok(made) => return made,
            Err(TryRecvError::Empty) => match rayon::yield_now() {
                Some(rayon::Yield::Executed) => {}
                // No thread of a pool, or one that finds nothing to do: others are at it.
                Some(rayon::Yield::Idle) | None => match receiver.recv() {
                    Ok(made) => return made,
                    Err(_) => return gone(),
                },
            },
            Err(TryRecvError::Disconnected) => return gone(),
        }
    }
}

/// A task of the pool that ended without a word: the pool itself was taken down.
fn gone() -> Made {
    Err(Box::new("the thread pool of an export is gone"))
}

/// The rows with text as the schema has it.
pub(crate) fn unpack(rows: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = rows
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(column.clone())
            } else {
                cast(column, field.data_type())
            }
        })
        .collect::<Result<_, _>>()?;
    // Of no column the number of rows remains.
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        schema.clone(),
        columns,
        &options,
    )?)
}
