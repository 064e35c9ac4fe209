use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use catalog::{Batch, BatchFile, BatchMetrics, BatchStatus, JobMove, JobRecord, JobStatus, Kind};
use decode::Progress;
use export::{BatchCounts, Export, ExportRequest, Plan, UnionSchemas};
use merge::MergePolicy;
use serde_json::Value;
use store::{Store, StoreError};
use writer::{BatchOptions, BatchWriter, FileInfo, StagedBatch, WriterOptions};

use super::object::{Job, JobError, JobTime, damaged};
use super::staging::{JobStaging, sweep};
use super::watch::watched;
use crate::error::{Error, Result};
use crate::memory::peak_memory;

/// How a job is run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Where batches are published; the store's own folder where it is missing.
    pub out: Option<PathBuf>,
    /// Rows after which a batch's next file begins.
    pub max_rows_per_file: Option<usize>,
    /// How Parquet files are written; their metadata is the job's.
    pub writer: WriterOptions,
}

/// What a job that succeeded wrote.
#[derive(Clone, Debug)]
pub struct FinishedJob {
    /// The job object.
    pub job: Job,
    /// Its batches, in the order of its plan.
    pub batches: Vec<ExportedBatch>,
    /// Rows in all batches.
    pub profiles: u64,
    /// Events in all rows.
    pub events: u64,
}

/// A batch that a job wrote.
#[derive(Clone, Debug)]
pub struct ExportedBatch {
    /// Its ID.
    pub id: String,
    /// The folder that it is in.
    pub folder: PathBuf,
    /// Its files.
    pub files: Vec<FileInfo>,
    /// What is in them.
    pub counts: BatchCounts,
}

/// Runs a job that was created and waits for its end. Exactly one process runs it.
///
/// # Errors
/// [`Error::JobFailed`] where the job failed: then it says so in the catalog too, and no batch of it
/// is visible. A cancelled one ends with an error that says so; one that another process runs or that
/// is finished, with a conflict.
pub fn run_job(
    store: &Store,
    id: i64,
    options: &RunOptions,
    progress: &Arc<Progress>,
) -> Result<FinishedJob> {
    let span = tracing::info_span!("export job", id);
    let _span = span.enter();
    sweep(store)?;
    let staging = JobStaging::create(store, id)?;
    let record = store.catalog().job(id)?;
    let record = record.ok_or_else(|| catalog::Error::not_found(Kind::Job, id))?;
    let mut run = RunningJob {
        store,
        options,
        progress,
        job: Job::of(&record)?,
        started: Instant::now(),
    };
    run.begin()?;
    let result = watched(store, id, progress, || {
        let work = AssertUnwindSafe(|| run.export(&record, &staging.folder));
        catch_unwind(work).unwrap_or_else(|panic| Err(Error::Panic(what_it_said(&*panic))))
    });
    let batches = result.map_err(|error| run.fail(error, &[]))?;
    if let Err(error) = run.succeed(&batches) {
        return Err(run.fail(error, &batches));
    }
    Ok(run.finished(batches))
}

/// What a panic was told with.
pub(crate) fn what_it_said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a word").to_owned()
}

/// A job at work.
struct RunningJob<'a> {
    store: &'a Store,
    options: &'a RunOptions,
    progress: &'a Arc<Progress>,
    job: Job,
    started: Instant,
}

impl RunningJob<'_> {
    fn begin(&mut self) -> Result<()> {
        let found = self.job.status;
        if self.move_to(JobStatus::New, JobStatus::Processing)? {
            return Ok(());
        }
        let id = self.job.id;
        let now = self.store.catalog().job(id)?.map(|job| job.status);
        let now = now.unwrap_or(found);
        Err(catalog::Error::Conflict(format!("job {id} is {now}, no longer NEW")).into())
    }

    fn move_to(&mut self, from: JobStatus, to: JobStatus) -> Result<bool> {
        self.job.set_status(to);
        Ok(self.store.catalog().move_job(&JobMove {
            id: self.job.id,
            from,
            to,
            body: &self.job.document()?,
            unless_cancelled: to == JobStatus::Processing,
        })?)
    }

    /// Writes the batches and publishes them.
    fn export(&mut self, record: &JobRecord, staging: &Path) -> Result<Vec<ExportedBatch>> {
        let store = self.store;
        let in_row = |e: serde_json::Error| damaged(record.id, &e);
        let request: ExportRequest = record.request.read().map_err(in_row)?;
        let policy: MergePolicy = record.policy.read().map_err(in_row)?;
        let snapshot = store.snapshot(Some(record.generation))?;
        let plan = Plan::new(&request, policy, &UnionSchemas::from(&snapshot))?;
        let target = match &self.options.out {
            Some(out) => out.clone(),
            None => store.layout().batches(),
        };
        fs::create_dir_all(&target).map_err(StoreError::io(&target))?;
        let start = Instant::now();
        let export = Export::new(&snapshot, &plan)?
            .with_dictionaries()
            .with_progress(Arc::clone(self.progress));
        let mut staged: Vec<(String, StagedBatch, BatchCounts)> = Vec::new();
        let ids = self.job.batch_ids().into_iter();
        for (number, (id, batch)) in ids.zip(export.batches()).enumerate() {
            let mut writer = BatchWriter::create(
                staging.join(&id),
                target.join(&id),
                batch.schema(),
                self.batch_options(record, number),
            )?;
            let counts = batch.write_into(&mut writer)?;
            let batch = writer.finish()?;
            self.progress
                .add_bytes(batch.files().iter().map(|file| file.length).sum());
            staged.push((id, batch, counts));
        }
        self.job.metrics.profile_export_time = Some(JobTime::ended(start.elapsed()));
        self.progress.check()?;
        let start = Instant::now();
        let mut published = Vec::new();
        for (id, batch, counts) in staged {
            let files = batch.files().to_vec();
            match batch.publish() {
                Ok(folder) => published.push(ExportedBatch {
                    id,
                    folder,
                    files,
                    counts,
                }),
                Err(error) => {
                    withdraw(&published);
                    return Err(error.into());
                }
            }
        }
        self.job.metrics.acp_dataset_write_time = Some(JobTime::ended(start.elapsed()));
        Ok(published)
    }

    fn batch_options(&self, record: &JobRecord, number: usize) -> BatchOptions {
        let mut request = record.request.value().clone();
        if let Some(batch) = (self.job.destination.batches.iter().flatten()).nth(number)
            && let Some(Value::Array(segments)) = request.pointer_mut("/filter/segments")
        {
            // The others are nothing that this file's readers should know.
            segments.retain(|segment| segment["segmentId"] == *batch.segment_id);
        }
        let text = |name: &str, value: String| (format!("profile-export.{name}"), value);
        BatchOptions {
            writer: WriterOptions {
                metadata: vec![
                    text("request", request.to_string()),
                    text("jobId", record.id.to_string()),
                    text("mergePolicy", record.policy.value().to_string()),
                    text("generation", record.generation.to_string()),
                ],
                ..self.options.writer.clone()
            },
            max_rows_per_file: self.options.max_rows_per_file,
            durable: self.store.is_durable() || self.options.out.is_some(),
        }
    }

    /// Makes the batches part of the store, unless somebody has asked to cancel meanwhile.
    fn succeed(&mut self, batches: &[ExportedBatch]) -> Result<()> {
        self.tell_metrics(&total(batches), batches);
        self.job.set_status(JobStatus::Succeeded);
        let records: Vec<Batch> = batches.iter().map(|batch| self.record(batch)).collect();
        let catalog = self.store.catalog();
        if catalog.finish_job(self.job.id, &self.job.document()?, &records)? {
            Ok(())
        } else {
            Err(decode::Error::Cancelled.into())
        }
    }

    fn finished(self, batches: Vec<ExportedBatch>) -> FinishedJob {
        let totals = total(&batches);
        FinishedJob {
            job: self.job,
            batches,
            profiles: totals.profiles,
            events: totals.events,
        }
    }

    /// Puts the figures into the job object.
    fn tell_metrics(&mut self, totals: &BatchCounts, batches: &[ExportedBatch]) {
        let files = batches.iter().flat_map(|batch| &batch.files);
        let metrics = &mut self.job.metrics;
        metrics.total_time = JobTime::ended(self.started.elapsed());
        metrics.total_exported_profile_counter = Some(totals.profiles);
        metrics.exported_profile_by_namespace_counter = Some(totals.by_namespace.clone());
        metrics.total_exported_event_counter = Some(totals.events);
        metrics.total_written_bytes = Some(files.map(|file| file.length).sum());
        metrics.peak_memory_bytes = peak_memory();
        metrics.exported_profile_by_segment_counter =
            self.job.destination.batches.as_ref().map(|segments| {
                let profiles = batches.iter().map(|batch| batch.counts.profiles);
                let segments = segments.iter().map(|segment| segment.segment_id.clone());
                segments.zip(profiles).collect::<BTreeMap<_, _>>()
            });
    }

    /// A batch as the catalog keeps it.
    fn record(&self, batch: &ExportedBatch) -> Batch {
        let now = self.job.update_time;
        let took = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        Batch {
            id: batch.id.clone(),
            status: BatchStatus::Success,
            ims_org: self.job.ims_org_id.clone(),
            related_objects: Batch::of_dataset(&self.job.destination.dataset_id),
            job_id: Some(self.job.id),
            input_format: None,
            tags: None,
            created: now,
            updated: now,
            version: None,
            metrics: BatchMetrics {
                records_written: Some(batch.counts.profiles),
                events_written: Some(batch.counts.events),
                start_time: Some(now.millis().saturating_sub(took)),
                end_time: Some(now.millis()),
                ..BatchMetrics::default()
            },
            errors: None,
            files: batch.files.iter().map(batch_file).collect(),
            completed: None,
            broken_off: 0,
            folder: self.options.out.as_ref().map(|_| {
                // A path that can't be made absolute is still the place where it was written.
                fs::canonicalize(&batch.folder).unwrap_or_else(|_| batch.folder.clone())
            }),
        }
    }

    /// Says in the catalog how the job ended, and takes back what it published; returns what its caller
    /// gets.
    fn fail(&mut self, error: Error, published: &[ExportedBatch]) -> Error {
        self.job.metrics.total_time = JobTime::ended(self.started.elapsed());
        let cancelled = error.is_cancelled();
        if !cancelled {
            self.job.errors = vec![JobError::of(&error)];
        }
        let status = if cancelled {
            JobStatus::Cancelled
        } else {
            JobStatus::Failed
        };
        // Where even this can't be written, the job is found dead and failed at the next start.
        let told = self.move_to(JobStatus::Processing, status);
        if matches!(told, Ok(true)) {
            // Only now: where the end of the job could not be written, SQLite's journal may still hold
            // that it succeeded.
            withdraw(published);
        }
        let message = match (told, cancelled) {
            (_, true) => return error,
            (Ok(_), false) => error.to_string(),
            (Err(catalog), false) => {
                format!("{error}; and the catalog could not be told: {catalog}")
            }
        };
        Error::JobFailed {
            id: self.job.id,
            message,
        }
    }
}

fn batch_file(file: &FileInfo) -> BatchFile {
    BatchFile {
        name: file.name.clone(),
        length: file.length,
        rows: Some(file.rows),
        digest: Some(BatchFile::digest_text(file.digest)),
    }
}

/// What all batches hold together.
fn total(batches: &[ExportedBatch]) -> BatchCounts {
    let mut totals = BatchCounts::default();
    for batch in batches {
        totals.profiles += batch.counts.profiles;
        totals.events += batch.counts.events;
        for (namespace, count) in &batch.counts.by_namespace {
            *totals.by_namespace.entry(namespace.clone()).or_default() += count;
        }
    }
    totals
}

/// Takes back the batches of a job that fails after it published some of them.
fn withdraw(batches: &[ExportedBatch]) {
    for batch in batches {
        // What can't be removed now is swept at the next start.
        let _ = fs::remove_dir_all(&batch.folder);
    }
}
