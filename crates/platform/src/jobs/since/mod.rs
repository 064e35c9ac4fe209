//! Exports since an earlier job: who entered, changed and left.
//!
//! A job that is asked for this leaves for each of its batches what it had of whom (its [`state`]). The next one of the
//! same request compares its rows with that.

mod changes;
mod state;

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use catalog::{Catalog, JobQuery, JobRecord, JobStatus};
use decode::Progress;
use export::{BatchCounts, Export, ExportBatch, ExportRequest, Plan, RequestError, SinceJob};
use filter::{MembershipFilter, ProfileFilter};
use run::Snapshot;
use serde::{Deserialize, Serialize};
use store::{Store, make_folder, remove_folder};
use writer::{BatchWriter, Syncs};

use self::changes::BatchChanges;
use self::state::{Known, StateWriter, has_state};
use super::object::{Job, damaged};
use crate::error::{Error, Result};

/// Where a request asks for it.
const AT: &str = "sinceJob";
/// What became of a profile.
const CHANGE: &str = "change";
/// Whose row it is.
const PRIMARY_IDENTITY: &str = "primaryIdentity";
/// How many jobs of a request can be compared with: the latest.
const KEPT: usize = 8;

/// How the profiles of a job are others than those of an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobChanges {
    /// The earlier job; none where this is the first of its request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_job: Option<i64>,
    /// Profiles that the earlier job did not have.
    pub entered: u64,
    /// Profiles whose exported fields are others now.
    pub changed: u64,
    /// Profiles that the earlier job had and this has not.
    pub left: u64,
    /// Profiles that are as they were, of which there is no row.
    pub unchanged: u64,
}

impl JobChanges {
    pub(super) fn add(&mut self, other: &Self) {
        self.entered += other.entered;
        self.changed += other.changed;
        self.left += other.left;
        self.unchanged += other.unchanged;
    }
}

/// Refuses a request that can't be compared with an earlier job; `plan` is what it asks for otherwise.
///
/// # Errors
/// There is no such job of that request, or columns would collide.
pub(super) fn check(catalog: &Catalog, request: &ExportRequest, plan: &Plan) -> Result<()> {
    let Some(since) = request.since_job else {
        return Ok(());
    };
    let refused = |problem: String| Err(RequestError::new(AT, problem).into());
    if plan.row_per_identity.is_some() {
        return refused(
            "a profile has one change, and rowPerIdentity gives it several rows; leave one of them out".to_owned(),
        );
    }
    let fields = plan.projection.output();
    let is_ours = |name: &str| {
        let mut own = [CHANGE, PRIMARY_IDENTITY].into_iter();
        own.any(|own| own.eq_ignore_ascii_case(name))
    };
    if let Some(name) = fields
        .iter()
        .map(|(name, _)| name)
        .find(|name| is_ours(name))
    {
        return refused(format!(
            "its columns are {CHANGE} and {PRIMARY_IDENTITY}, and {name:?} is a field of the profiles; name other fields in fields"
        ));
    }
    match since {
        SinceJob::Last => Ok(()),
        SinceJob::Job(id) => earlier(catalog, request, id).map(drop),
    }
}

/// The job with an ID, if it is one of the same request that succeeded.
fn earlier(catalog: &Catalog, request: &ExportRequest, id: i64) -> Result<JobRecord> {
    let refused = |problem: String| Err(RequestError::new(AT, problem).into());
    let Some(record) = catalog.job(id)? else {
        return refused(format!("no job {id}"));
    };
    if record.status != JobStatus::Succeeded {
        return refused(format!(
            "job {id} is {}; only one that succeeded has rows to compare with",
            record.status
        ));
    }
    if comparable(&request_of(&record)?) != comparable(request) {
        return refused(format!(
            "job {id} is of another request, so its rows can't be compared with these"
        ));
    }
    Ok(record)
}

/// The same, if what it had is there.
fn named(store: &Store, request: &ExportRequest, id: i64) -> Result<Job> {
    let job = Job::of(&earlier(store.catalog(), request, id)?)?;
    match is_comparable(store, &job)? {
        true => Ok(job),
        false => {
            let problem = format!(
                "job {id} left nothing to compare with: it was exported without sinceJob, its batches are gone, or more \
                 than {KEPT} later ones of its request have been told since others"
            );
            Err(RequestError::new(AT, problem).into())
        }
    }
}

/// Refuses a request before there is a job of it, where what it is to be compared with is gone.
///
/// # Errors
/// The job that it names left nothing.
pub(super) fn check_named(store: &Store, request: &ExportRequest) -> Result<()> {
    match request.since_job {
        Some(SinceJob::Job(id)) => named(store, request, id).map(drop),
        Some(SinceJob::Last) | None => Ok(()),
    }
}

fn request_of(record: &JobRecord) -> Result<ExportRequest> {
    record.request.read().map_err(|e| damaged(record.id, &e))
}

/// What two requests have alike whose rows can be compared, whatever they are compared with and whether segments are
/// evaluated before.
fn comparable(request: &ExportRequest) -> ExportRequest {
    request.at_once().evaluated()
}

/// The jobs of a request in a state that were asked for changes, the latest first.
fn of_request(
    catalog: &Catalog,
    request: &ExportRequest,
    status: JobStatus,
) -> Result<Vec<JobRecord>> {
    let query = JobQuery {
        status: Some(status),
        ..JobQuery::default()
    };
    let wanted = comparable(request);
    let mut jobs = Vec::new();
    for record in catalog.jobs(&query)? {
        let own = request_of(&record)?;
        if own.since_job.is_some() && comparable(&own) == wanted {
            jobs.push(record);
        }
    }
    jobs.sort_by_key(|record| Reverse(record.id));
    Ok(jobs)
}

/// The latest job of a request before this one.
///
/// # Errors
/// It runs still, or nothing is left to compare with: a later one would miss what it told.
fn last(store: &Store, request: &ExportRequest, own: i64) -> Result<Option<Job>> {
    let catalog = store.catalog();
    let others = of_request(catalog, request, JobStatus::Processing)?;
    if let Some(other) = others.into_iter().find(|other| other.id < own) {
        let problem = format!(
            "job {} of the same request runs, and this one is to be told since it; run it again when that has ended",
            other.id
        );
        return Err(catalog::Error::Conflict(problem).into());
    }
    let succeeded = of_request(catalog, request, JobStatus::Succeeded)?;
    let Some(last) = succeeded.into_iter().find(|other| other.id < own) else {
        return Ok(None);
    };
    let last = Job::of(&last)?;
    match is_comparable(store, &last)? {
        true => Ok(Some(last)),
        false => {
            let problem = format!(
                "the last job of this request is {}, and what it had is gone with its batches; name an earlier one that \
                 whoever follows the changes has applied, or delete job {} to begin anew behind it",
                last.id, last.id
            );
            Err(RequestError::new(AT, problem).into())
        }
    }
}

/// Whether what a job had is there.
fn is_comparable(store: &Store, job: &Job) -> Result<bool> {
    for id in job.batch_ids() {
        if !has_state(store, &id)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Forgets what the jobs of a request had before the latest few.
pub(super) fn forget_old(store: &Store, request: &ExportRequest) -> Result<()> {
    let jobs = of_request(store.catalog(), request, JobStatus::Succeeded)?;
    let mut kept = 0;
    for record in jobs {
        let job = Job::of(&record)?;
        if kept < KEPT {
            kept += usize::from(is_comparable(store, &job)?);
            continue;
        }
        for id in job.batch_ids() {
            remove_folder(&store.layout().state(&id))?;
        }
    }
    Ok(())
}

/// A job that compares its rows with those of an earlier one.
pub(super) struct Since<'a> {
    store: &'a Store,
    base: Option<Job>,
    schema: SchemaRef,
    syncs: Option<Arc<Syncs>>,
    /// Where those who left are looked for.
    origin: Option<Origin>,
}

/// The profiles by themselves, whatever their memberships.
struct Origin {
    snapshot: Snapshot,
    plan: Plan,
    progress: Arc<Progress>,
    /// Made when somebody has left: mostly the identity graph is what it costs.
    export: Mutex<Option<Export>>,
}

impl Origin {
    fn export(&self) -> Result<Export> {
        let mut made = self.export.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(export) = &*made {
            return Ok(export.clone());
        }
        let export = Export::new(&self.snapshot, &self.plan)?.with_dictionaries();
        Ok(made.insert(export).clone())
    }
}

impl<'a> Since<'a> {
    /// Finds the earlier job that a request names; `None` where it names none.
    ///
    /// # Errors
    /// There is none, or it left nothing to compare with.
    pub(super) fn find(
        store: &'a Store,
        (request, own): (&ExportRequest, i64),
        syncs: Option<Arc<Syncs>>,
    ) -> Result<Option<Self>> {
        let Some(since) = request.since_job else {
            return Ok(None);
        };
        let base = match since {
            SinceJob::Last => last(store, request, own)?,
            SinceJob::Job(id) => Some(named(store, request, id)?),
        };
        make_folder(&store.layout().states())?;
        Ok(Some(Self {
            store,
            base,
            schema: Arc::new(Schema::empty()),
            syncs,
            origin: None,
        }))
    }

    /// Prepares the look at those who left; rows are those of an export by `plan`.
    pub(super) fn prepare(
        &mut self,
        snapshot: &Snapshot,
        plan: &Plan,
        export: &Export,
        progress: &Arc<Progress>,
    ) {
        self.schema = told(&export.schema());
        let open = plan.batches.iter().map(|_| MembershipFilter::default());
        self.origin = Some(Origin {
            snapshot: snapshot.clone(),
            plan: Plan {
                batches: open.collect(),
                profiles: ProfileFilter {
                    from_ingest: None,
                    empty_profiles: true,
                },
                mandatory: Vec::new(),
                deduplication: None,
                ..plan.clone()
            },
            progress: Arc::clone(progress),
            export: Mutex::default(),
        });
    }

    /// The columns that are told, with text in dictionaries as the export has it.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// What nothing is compared with yet.
    pub(super) fn no_changes(&self) -> JobChanges {
        JobChanges {
            since_job: self.base.as_ref().map(|job| job.id),
            ..JobChanges::default()
        }
    }

    /// Writes what a batch has that is new, and what it is compared with the next time.
    pub(super) fn write(
        &self,
        batch: &ExportBatch,
        (number, id): (usize, &str),
        writer: &mut BatchWriter,
    ) -> Result<(BatchCounts, JobChanges)> {
        let known = match &self.base {
            None => Known::default(),
            Some(job) => {
                let ids = job.batch_ids();
                let before = ids.get(number).ok_or_else(|| {
                    Error::Panic("an earlier job of the same request with fewer batches".to_owned())
                })?;
                Known::read(self.store, before)?
            }
        };
        let state = StateWriter::create(self.store, id)?;
        let mut changes = BatchChanges::new(&self.schema, known, state);
        let mut chunks = batch.chunks();
        for rows in &mut chunks {
            writer.write(changes.take(&rows?)?)?;
        }
        let of_all = chunks.counts().clone();
        let missing = changes.missing();
        if let (Some(origin), false) = (&self.origin, missing.is_empty()) {
            let gone = origin.export()?.batch(number).of_persons(missing);
            for rows in gone.chunks() {
                origin.progress.check()?;
                writer.write(changes.take_left(&rows?)?)?;
            }
            changes.take_gone(|rows| {
                origin.progress.check()?;
                Ok(writer.write(rows)?)
            })?;
        }
        let (mut counts, changes) = changes.finish(self.syncs.as_deref())?;
        counts.lacking = of_all.lacking;
        counts.duplicates = of_all.duplicates;
        Ok((counts, changes))
    }
}

/// The columns of an export's rows with their persons, as they are told: without these, and with what became of whom.
pub(super) fn told(with_persons: &SchemaRef) -> SchemaRef {
    let own = [
        Field::new(CHANGE, DataType::Utf8, true),
        Field::new(PRIMARY_IDENTITY, DataType::Struct(identity_fields()), true),
    ];
    let fields = with_persons.fields();
    let kept = fields.iter().take(fields.len().saturating_sub(2));
    let all = own.into_iter().map(Arc::new).chain(kept.cloned());
    Arc::new(Schema::new(all.collect::<Vec<_>>()))
}

/// Of XDM's identity items.
fn identity_fields() -> Fields {
    let code = Field::new("code", DataType::Utf8, true);
    let fields = [
        Field::new(
            "namespace",
            DataType::Struct([code].into_iter().collect()),
            true,
        ),
        Field::new("id", DataType::Utf8, true),
    ];
    fields.into_iter().collect()
}

/// Refuses a request that is told since an earlier job where there are none: a store that is thrown away.
pub(crate) fn without_earlier_jobs(request: &ExportRequest) -> Result<()> {
    if request.since_job.is_none() {
        return Ok(());
    }
    let problem = "a folder of sources knows no earlier jobs; load it into a store (ingest) and export from that";
    Err(RequestError::new(AT, problem).into())
}
