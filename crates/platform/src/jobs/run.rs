mod batches;
mod figures;
mod metadata;
mod places;
mod shards;

use std::any::Any;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use catalog::{Batch, JobMove, JobRecord, JobStatus, Kind};
use decode::{Phase, Progress};
use export::{BatchCounts, Export, ExportRequest, Plan, ToldPersons, UnionSchemas};
use merge::MergePolicy;
use store::Store;
use writer::{FileInfo, Format, Syncs, WriterOptions, publish};

use self::batches::{StagedJobBatch, stage_batches};
pub(crate) use self::figures::batch_file;
use self::figures::total;
pub(crate) use self::metadata::{MOST_REPEATED, stated};
use self::places::{check_names, places};
pub(crate) use self::shards::run_shards;
use super::batch_names::{BatchNames, BatchPlace};
use super::create::create_in;
use super::object::{Job, JobError, JobTime, damaged};
use super::since::{self, Since};
use super::staging::{JobStaging, sweep};
use super::watch::watched;
use crate::address::check_out;
use crate::error::{Error, Result};
use crate::evaluation::evaluate_for;

/// How a job is run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Where batches are published; the store's own folder where it is missing.
    pub out: Option<PathBuf>,
    /// What is called how in `out`.
    pub names: BatchNames,
    /// The files in `out`, from there on, that give way to files of the same name.
    pub replaces: BTreeSet<String>,
    /// Rows after which a batch's next file begins.
    pub max_rows_per_file: Option<usize>,
    /// Profiles of more identities are left out, where the merge policy has an identity graph.
    pub max_identities: Option<u32>,
    /// How files are written; their metadata is the job's. The batches of a store are Parquet.
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
    /// What was asked for.
    pub request: ExportRequest,
    /// The store's generation that they are from.
    pub generation: i64,
    /// The merge policy that made them.
    pub policy: MergePolicy,
    /// The columns of all files.
    pub schema: SchemaRef,
    /// The plan whose shards it is made of, where it was not made at once.
    pub plan: Option<String>,
}

/// A batch that a job wrote.
#[derive(Clone, Debug)]
pub struct ExportedBatch {
    /// Its ID.
    pub id: String,
    /// The folder that it is in.
    pub folder: PathBuf,
    /// Whether that has nothing else; by a template of names files lie among others.
    pub has_own_folder: bool,
    /// Its files, from the folder on.
    pub files: Vec<FileInfo>,
    /// What is in them.
    pub counts: BatchCounts,
}

impl ExportedBatch {
    /// What there is to see of it: its folder, or its file among others, the first of several.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        let files = self.files.iter().filter(|_| !self.has_own_folder);
        let mut files = files.map(|file| self.folder.join(&file.name));
        files.next().unwrap_or_else(|| self.folder.clone())
    }

    /// Where a file of it is, from the folder of the export on.
    pub(crate) fn path_of(&self, file: &FileInfo) -> String {
        match self.folder.file_name().filter(|_| self.has_own_folder) {
            Some(folder) => format!("{}/{}", folder.to_string_lossy(), file.name),
            None => file.name.clone(),
        }
    }
}

/// Runs a job that was created and waits for its end. Exactly one process runs it.
///
/// # Errors
/// [`Error::JobFailed`] where the job failed: then it says so in the catalog too, and no batch of it
/// is visible. A cancelled one ends with [`Error::JobCancelled`]; one that another process runs or that
/// is finished, with a conflict.
pub fn run_job(
    store: &Store,
    id: i64,
    options: &RunOptions,
    progress: &Arc<Progress>,
) -> Result<FinishedJob> {
    check(store, options)?;
    let span = tracing::info_span!("export job", id);
    let _span = span.enter();
    sweep(store)?;
    let staging = JobStaging::create(store, id)?;
    let record = store.catalog().job(id)?;
    let record = record.ok_or_else(|| catalog::Error::not_found(Kind::Job, id))?;
    let mut run = RunningJob::new((store, options, progress), Job::of(&record)?, staging);
    run.begin()?;
    run.work(record.id, |run| run.export(&record))
}

/// Creates a job and runs it: no other process can take it, as one that works off the waiting jobs would take
/// one that [`create_job`](super::create_job) made.
///
/// # Errors
/// As for [`create_job`](super::create_job) and [`run_job`].
pub fn run_request(
    store: &Store,
    request: &ExportRequest,
    options: &RunOptions,
    progress: &Arc<Progress>,
) -> Result<FinishedJob> {
    check(store, options)?;
    if !store.is_durable() {
        since::without_earlier_jobs(request)?;
    }
    since::check_named(store, request)?;
    check_names(store, request, options)?;
    sweep(store)?;
    let mut staging = None;
    let record = create_in(store.catalog(), request, JobStatus::Processing, |id| {
        staging = Some(JobStaging::create_unseen(store, id)?);
        Ok(())
    })?;
    let span = tracing::info_span!("export job", id = record.id);
    let _span = span.enter();
    let staging = staging.ok_or_else(|| Error::Panic("a job without a lock".to_owned()))?;
    let run = RunningJob::new((store, options, progress), Job::of(&record)?, staging);
    run.work(record.id, |run| run.export(&record))
}

fn check(store: &Store, options: &RunOptions) -> Result<()> {
    let Some(out) = &options.out else {
        return match options.writer.format {
            Format::Parquet => Ok(()),
            _ => Err(Error::Out {
                path: store.layout().batches(),
                problem:
                    "batches in a store are Parquet; other formats go to a folder outside (--out)"
                        .to_owned(),
            }),
        };
    };
    // The exports of a store that is thrown away lie around it.
    check_out(
        out,
        Some(store.layout().root()).filter(|_| store.is_durable()),
    )
}

/// What a panic was told with.
#[must_use]
pub fn what_it_said(panic: &(dyn Any + Send)) -> String {
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
    staging: JobStaging,
    /// What has to be on the disk before anything is published.
    syncs: Arc<Syncs>,
    /// The batches that were renamed into sight, or are about to be.
    published: Vec<ExportedBatch>,
    /// Whether the catalog may hold that the job succeeded, even where it said that it could not be written.
    may_hold: bool,
    /// What is exported, when that is known.
    exported: Option<Exported>,
}

/// What all batches have in common.
struct Exported {
    request: ExportRequest,
    generation: i64,
    policy: MergePolicy,
    schema: SchemaRef,
}

impl<'a> RunningJob<'a> {
    fn new(
        (store, options, progress): (&'a Store, &'a RunOptions, &'a Arc<Progress>),
        job: Job,
        staging: JobStaging,
    ) -> Self {
        Self {
            store,
            options,
            progress,
            job,
            started: Instant::now(),
            staging,
            syncs: Arc::default(),
            published: Vec::new(),
            may_hold: false,
            exported: None,
        }
    }

    /// Whether what it writes is synced to the disk.
    fn is_durable(&self) -> bool {
        self.store.is_durable() || self.options.out.is_some()
    }

    /// Does a job that is claimed: `export` writes its batches and publishes them.
    fn work(
        mut self,
        id: i64,
        export: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<FinishedJob> {
        let (store, progress) = (self.store, self.progress);
        if let Some(journal) = store.catalog().journal() {
            self.syncs.path(journal);
        }
        let exported = watched(store, id, progress, || {
            let work = AssertUnwindSafe(|| export(&mut self));
            catch_unwind(work).unwrap_or_else(|panic| Err(Error::Panic(what_it_said(&*panic))))
        });
        let done = exported.and_then(|()| self.succeed());
        match (done, self.exported.take()) {
            (Ok(()), Some(exported)) => Ok(self.finished(exported)),
            (Ok(()), None) => unreachable!("what succeeds was exported"),
            (Err(error), _) => Err(self.fail(error)),
        }
    }

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
    fn export(&mut self, record: &JobRecord) -> Result<()> {
        let store = self.store;
        let in_row = |e: serde_json::Error| damaged(record.id, &e);
        let request: ExportRequest = record.request.read().map_err(in_row)?;
        let policy: MergePolicy = record.policy.read().map_err(in_row)?;
        // What an evaluation writes is read, and what came in until then.
        let generation = match evaluate_for(store, &request, self.progress)? {
            Some(_) => None,
            None => Some(record.generation),
        };
        let syncs = self.is_durable().then(|| Arc::clone(&self.syncs));
        let mut since = Since::find(store, (&request, record.id), syncs)?;
        let snapshot = store.snapshot(generation)?;
        let unions = UnionSchemas::from(&snapshot);
        let plan = Plan {
            max_identities: self.options.max_identities,
            persons: match &since {
                Some(_) => ToldPersons::Memberships,
                None => ToldPersons::None,
            },
            ..Plan::new(&request.at_once().evaluated(), policy.clone(), &unions)?
        };
        let schema = plan.schema();
        self.exported = Some(Exported {
            request,
            generation: snapshot.generation,
            policy,
            schema: match since {
                Some(_) => since::told(&schema),
                None => schema,
            },
        });
        let places = self.places(record)?;
        let target = match &self.options.out {
            Some(out) => {
                self.staging.open_goal(store, &self.job, out, &self.syncs)?;
                out.clone()
            }
            None => store.layout().batches(),
        };
        let start = Instant::now();
        self.progress.begin(Phase::Prepare);
        let progress = Arc::clone(self.progress);
        let export = Export::watched(&snapshot, &plan, progress)?.with_dictionaries();
        self.tell_large_profiles(export.graph_report());
        self.tell_unknown_segments(export.unknown_segments()?);
        self.progress.begin(Phase::Export);
        if let Some(since) = &mut since {
            since.prepare(&snapshot, &plan, &export, self.progress);
        }
        let staged = stage_batches(self, record, (&export, since.as_ref()), (&target, places))?;
        if let Some(since) = &since {
            let mut changes = since.no_changes();
            staged.iter().for_each(|batch| changes.add(&batch.changes));
            self.job.metrics.changes = Some(changes);
        }
        self.show(staged, start)
    }

    /// Makes batches whose files are written visible; they were begun at that moment.
    fn show(&mut self, staged: Vec<StagedJobBatch>, start: Instant) -> Result<()> {
        self.progress.begin(Phase::Publish);
        let spread = staged.iter().filter(|batch| !batch.has_own_folder);
        let spread = spread.map(|batch| (batch.id.as_str(), batch.staged.files()));
        self.staging.note_files(spread, &self.syncs)?;
        self.on_the_disk()?;
        self.staging.check_alone()?;
        self.job.metrics.profile_export_time = Some(JobTime::ended(start.elapsed()));
        self.progress.check()?;
        let start = Instant::now();
        self.publish(staged)?;
        self.job.metrics.acp_dataset_write_time = Some(JobTime::ended(start.elapsed()));
        Ok(())
    }

    /// Where its batches will be.
    fn places(&self, record: &JobRecord) -> Result<Vec<BatchPlace>> {
        let Some(exported) = &self.exported else {
            unreachable!("what is exported is known before its names");
        };
        let of = (record.id, record.created);
        let ids = self.job.batch_ids();
        places(self.store, &exported.request, self.options, of, &ids)
    }

    /// Waits until the job's beginning, its batches and what tells of them are on the disk.
    fn on_the_disk(&self) -> Result<()> {
        Ok(self.syncs.wait()?)
    }

    fn publish(&mut self, staged: Vec<StagedJobBatch>) -> Result<()> {
        let (mut batches, mut published) = (Vec::new(), Vec::new());
        for one in staged {
            let StagedJobBatch {
                id,
                has_own_folder,
                staged,
                counts,
                ..
            } = one;
            published.push(ExportedBatch {
                id,
                folder: staged.target().to_owned(),
                has_own_folder,
                files: staged.files().to_vec(),
                counts,
            });
            batches.push(staged);
        }
        // Where this fails half way, they are to be taken back.
        self.published = published;
        Ok(publish(&mut batches, self.is_durable())?)
    }

    /// Makes the batches part of the store, unless somebody has asked to cancel meanwhile.
    fn succeed(&mut self) -> Result<()> {
        self.tell_metrics();
        self.job.set_status(JobStatus::Succeeded);
        let records: Vec<Batch> = self.published.iter().map(|b| self.record(b)).collect();
        let document = self.job.document()?;
        let catalog = self.store.catalog();
        // SQLite's journal may hold what it could not say to be durable.
        self.may_hold = true;
        let finished = catalog.finish_job(self.job.id, &document, &records);
        self.may_hold = finished.is_err();
        if !finished? {
            return Err(decode::Error::Cancelled.into());
        }
        if let Some(exported) = self
            .exported
            .as_ref()
            .filter(|one| one.request.since_job.is_some())
            && let Err(error) = since::forget_old(self.store, &exported.request)
        {
            // The job has succeeded; the next one of its request tries again.
            tracing::warn!(%error, "what earlier jobs had is not forgotten");
        }
        match self.staging.finish() {
            // Nobody will ask the catalog of a store that is thrown away.
            Err(error) if !self.store.is_durable() => Err(error),
            _ => Ok(()),
        }
    }

    fn finished(self, exported: Exported) -> FinishedJob {
        let totals = total(&self.published);
        FinishedJob {
            job: self.job,
            batches: self.published,
            profiles: totals.profiles,
            events: totals.events,
            request: exported.request,
            generation: exported.generation,
            policy: exported.policy,
            schema: exported.schema,
            plan: None,
        }
    }

    /// Takes back what was published and says in the catalog how the job ended; returns what its caller gets.
    fn fail(&mut self, error: Error) -> Error {
        self.syncs.abandon();
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
        let may_hold = self.may_hold && self.store.is_durable();
        let mut left = None;
        if !may_hold {
            left = self.withdraw();
        }
        // Where even this can't be written, the job is found dead and failed at the next start.
        let told = self.move_to(JobStatus::Processing, status);
        if may_hold && matches!(told, Ok(true)) {
            // Only now is it certain that the catalog does not hold the batches.
            left = self.withdraw();
        }
        let (id, job) = (self.job.id, Box::new(self.job.clone()));
        let mut message = match told {
            Ok(_) if cancelled && left.is_none() => return Error::JobCancelled { id, job },
            Ok(_) => error.to_string(),
            Err(_) if cancelled => return error,
            Err(catalog) => format!("{error}; and the catalog could not be told: {catalog}"),
        };
        message.extend(left);
        Error::JobFailed { id, job, message }
    }

    /// Takes back the batches of a job that fails after it published some of them. Says what of them others
    /// still see.
    fn withdraw(&mut self) -> Option<String> {
        for batch in self.published.iter().filter(|batch| batch.has_own_folder) {
            // What can't be removed now is swept at the next start.
            let _ = fs::remove_dir_all(&batch.folder);
        }
        let withdrawn = self.staging.withdraw();
        // In a store nobody sees a batch that its catalog does not name.
        self.options.out.as_ref()?;
        let is_left = |batch: &&ExportedBatch| match batch.has_own_folder {
            // One that can't be looked at may be there.
            true => batch.folder.try_exists().unwrap_or(true),
            false => withdrawn.is_err(),
        };
        let left = self.published.iter().find(is_left)?;
        Some(format!(
            "; and what it wrote may still be there: {} is of no job that succeeded; delete it, or the next export \
             to that folder does",
            left.place().display()
        ))
    }
}
