//! The batches of a job, several at once.
//!
//! A batch of few people keeps no more than one core at work. Each thread here takes the next batch and waits for its
//! rows, which are made on rayon's threads. None of those ever waits for one of these: what waits is no task of the
//! pool, so that no task can find itself below another one that waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use catalog::JobRecord;
use decode::Progress;
use export::{BatchCounts, Export};
use tracing::Span;
use writer::{BatchOptions, BatchWriter, Spread, StagedBatch, Syncs, WriterOptions};

use super::metadata::FileMetadata;
use super::{RunOptions, RunningJob, what_it_said};
use crate::error::{Error, Result};
use crate::jobs::batch_names::BatchPlace;
use crate::jobs::goal::ASIDE;
use crate::jobs::object::lacking;
use crate::jobs::since::{JobChanges, Since};

/// Each batch at work has a row group in memory.
const MOST_AT_ONCE: usize = 8;

/// A batch whose files are written.
pub(super) struct StagedJobBatch {
    pub(super) id: String,
    pub(super) has_own_folder: bool,
    pub(super) staged: StagedBatch,
    pub(super) counts: BatchCounts,
    /// How it is other than that of an earlier job, where that is asked for.
    pub(super) changes: JobChanges,
}

/// What all batches of a job have in common.
struct Common<'a> {
    export: &'a Export,
    since: Option<&'a Since<'a>>,
    ids: Vec<String>,
    places: Vec<BatchPlace>,
    metadata: FileMetadata,
    options: &'a RunOptions,
    progress: &'a Progress,
    syncs: Option<Arc<Syncs>>,
    /// Where they are written, and where they will be.
    staging: &'a Path,
    target: &'a Path,
}

/// Writes a job's batches into its staging folder; they are in the order of its plan.
///
/// # Errors
/// That of the first batch, in this order, which can't be written. None is begun after it.
pub(super) fn stage_batches(
    job: &RunningJob<'_>,
    record: &JobRecord,
    (export, since): (&Export, Option<&Since<'_>>),
    (target, places): (&Path, Vec<BatchPlace>),
) -> Result<Vec<StagedJobBatch>> {
    let ids = job.job.batch_ids();
    if [ids.len(), places.len()] != [export.batch_count(); 2] {
        return Err(lacking(
            record.id,
            "it has not one batch for each of its plan",
        ));
    }
    let common = Common {
        export,
        since,
        ids,
        places,
        metadata: FileMetadata::new(
            record,
            job.job.destination.batches.is_some(),
            job.options.max_rows_per_file.is_some(),
        )?,
        options: job.options,
        progress: job.progress,
        syncs: job.is_durable().then(|| Arc::clone(&job.syncs)),
        staging: job.staging.batches(),
        target,
    };
    common.stage_all()
}

impl Common<'_> {
    fn stage_all(&self) -> Result<Vec<StagedJobBatch>> {
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let span = Span::current();
        let work = || {
            let _span = span.enter();
            let mut made = Vec::new();
            while !failed.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= self.ids.len() {
                    break;
                }
                let batch = self.stage_or_say(number);
                failed.fetch_or(batch.is_err(), Ordering::Relaxed);
                made.push((number, batch));
            }
            made
        };
        let mut made = thread::scope(|scope| {
            // Where the system has no more threads, those that are there do it.
            let others: Vec<_> = (1..self.at_once())
                .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
                .collect();
            let mut made = work();
            for other in others {
                match other.join() {
                    Ok(batches) => made.extend(batches),
                    Err(panic) => made.push((0, Err(Error::Panic(what_it_said(&*panic))))),
                }
            }
            made
        });
        made.sort_by_key(|(number, _)| *number);
        made.into_iter().map(|(_, batch)| batch).collect()
    }

    fn at_once(&self) -> usize {
        match rayon::current_thread_index() {
            None => (rayon::current_num_threads()).min(MOST_AT_ONCE.min(self.ids.len())),
            // Other threads would make the rows in another pool than the caller's.
            Some(_) => 1,
        }
    }

    fn stage_or_say(&self, number: usize) -> Result<StagedJobBatch> {
        catch_unwind(AssertUnwindSafe(|| self.stage(number)))
            .unwrap_or_else(|panic| Err(Error::Panic(what_it_said(&*panic))))
    }

    fn stage(&self, number: usize) -> Result<StagedJobBatch> {
        let (Some(id), Some(place)) = (self.ids.get(number), self.places.get(number)) else {
            unreachable!("there are as many IDs as batches");
        };
        let batch = self.export.batch(number);
        let options = BatchOptions {
            writer: WriterOptions {
                metadata: self.metadata.of_batch(number)?,
                ..self.options.writer.clone()
            },
            max_rows_per_file: self.options.max_rows_per_file,
            names: Some(place.files.clone()),
            spread: place.folder.is_none().then(|| Spread {
                replaces: self.options.replaces.clone(),
                aside: self.staging.join(ASIDE),
            }),
            syncs: self.syncs.clone(),
        };
        let target = match &place.folder {
            Some(folder) => self.target.join(folder),
            None => self.target.to_owned(),
        };
        let staging = self.staging.join(id);
        let schema = self
            .since
            .map_or_else(|| batch.schema(), |since| since.schema().clone());
        let mut writer = BatchWriter::create(staging, target, schema, options)?;
        let (counts, changes) = match self.since {
            Some(since) => since.write(&batch, (number, id), &mut writer)?,
            None => (batch.write_into(&mut writer)?, JobChanges::default()),
        };
        let staged = writer.finish()?;
        let lengths = staged.files().iter().map(|file| file.length);
        self.progress.add_bytes(lengths.sum());
        Ok(StagedJobBatch {
            id: id.clone(),
            has_own_folder: place.folder.is_some(),
            staged,
            counts,
            changes,
        })
    }
}
