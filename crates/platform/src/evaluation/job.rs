//! Segment jobs: evaluations of segments as the platform's objects.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use catalog::{Catalog, Document, DocumentKind, JobStatus, Kind, new_id, new_uuid};
use decode::Progress;
use export::{ExportRequest, MergePolicyRef, RequestError, SchemaRef};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{FileLock, Store};
use xdm::{SEGMENT_NAMESPACE, Timestamp, epoch_millis};

use super::definitions::{expression_of, has_expression, policy_of_segment};
use super::evaluate::{Evaluation, Outcome, id_of};
use crate::error::{Error, Result};
use crate::jobs::{JobError, JobTime, while_looking};
use crate::segments::{segment, segments};

/// An evaluation of segments: the platform's segment job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentJob {
    /// A UUID.
    pub id: String,
    /// The organisation.
    pub ims_org_id: String,
    /// The sandbox: `sandboxName`.
    pub sandbox: Value,
    /// Always `ups`.
    pub profile_instance_id: String,
    /// Who asked for it: `api`, or `scheduler`.
    pub source: String,
    /// What the scheduler says of it: `scheduleId` and `runId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<Value>,
    /// Its state.
    pub status: JobStatus,
    /// Whether somebody asked to cancel it while it ran.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelling: bool,
    /// A UUID of what it writes.
    pub batch_id: String,
    /// What is evaluated: `*` is all definitions that have an expression, as they are when it begins.
    pub segments: Vec<SegmentJobSegment>,
    /// What `now` means in expressions, and when memberships begin and end.
    #[serde(with = "epoch_millis")]
    pub evaluation_time: Timestamp,
    /// Its figures.
    pub metrics: SegmentJobMetrics,
    /// Why it failed.
    pub errors: Vec<JobError>,
    /// 24 hex digits.
    pub request_id: String,
    /// The class that is evaluated.
    pub schema: SchemaRef,
    /// When it was created.
    #[serde(with = "epoch_millis")]
    pub creation_time: Timestamp,
    /// When it was last changed.
    #[serde(with = "epoch_millis")]
    pub update_time: Timestamp,
}

/// A segment of a segment job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentJobSegment {
    /// Its ID; `*` for all.
    pub segment_id: String,
    /// Its definition as it is evaluated, with the merge policy as it was resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<Value>,
}

/// The figures of a segment job. Those by segment have its ID.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SegmentJobMetrics {
    /// From its creation, later from its start, to its end.
    pub total_time: JobTime,
    /// The evaluation.
    pub profile_segmentation_time: JobTime,
    /// Profiles that were looked at, by each merge policy.
    pub total_profiles: u64,
    /// The same by merge policy.
    pub total_profiles_by_merge_policy: BTreeMap<String, u64>,
    /// Profiles that opted out, by merge policy: segments leave them out unless their definitions say otherwise.
    pub opted_out_profiles_by_merge_policy: BTreeMap<String, u64>,
    /// Profiles in each segment.
    pub segmented_profile_counter: BTreeMap<String, u64>,
    /// The same by the namespaces of their identities, in lower case: a profile of several counts for each.
    pub segmented_profile_by_namespace_counter: BTreeMap<String, BTreeMap<String, u64>>,
    /// Profiles by the status of their membership.
    pub segmented_profile_by_status_counter: BTreeMap<String, BTreeMap<String, u64>>,
    /// Profiles that this job took out.
    pub exited_profile_counter: BTreeMap<String, u64>,
    /// How long the condition of each segment took in milliseconds, of all threads together and without the reading. What
    /// several ask is worked out once, and is the time of the first of them.
    pub condition_time_in_ms: BTreeMap<String, f64>,
}

/// Which segments are to be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentJobTarget {
    /// All definitions that have an expression and are not inactive.
    All,
    /// These.
    Segments(Vec<String>),
}

impl SegmentJobTarget {
    /// Those with these IDs, or all where the one is `*`.
    ///
    /// # Errors
    /// `*` beside others.
    pub fn of_ids(ids: Vec<String>) -> Result<Self, RequestError> {
        match ids.iter().any(|id| id == ALL) {
            false => Ok(Self::Segments(ids)),
            true if ids.len() == 1 => Ok(Self::All),
            true => {
                let problem = "\"*\" is all of them; name no other beside it";
                Err(RequestError::new("segments", problem))
            }
        }
    }

    /// The platform's own segments that an export's filter names; all where it names none.
    pub(crate) fn of_request(request: &ExportRequest) -> Self {
        let filter = request.filter.as_ref();
        let wanted = filter.and_then(|filter| filter.segments.as_deref());
        let wanted = wanted.unwrap_or_default();
        let is_own = |namespace: &Option<String>| {
            let namespace = namespace.as_deref();
            namespace.is_none_or(|name| name.eq_ignore_ascii_case(SEGMENT_NAMESPACE))
        };
        let own = wanted.iter().filter(|one| is_own(&one.segment_ns));
        match wanted.is_empty() {
            true => Self::All,
            false => Self::Segments(own.map(|one| one.segment_id.clone()).collect()),
        }
    }

    /// What a job of it lists.
    ///
    /// # Errors
    /// No segment, or one that has no definition or no expression.
    pub(crate) fn entries(&self, catalog: &Catalog) -> Result<Vec<SegmentJobSegment>> {
        let Self::Segments(ids) = self else {
            if !segments(catalog)?.iter().any(is_evaluated) {
                let problem = "no definition has an expression: create one first";
                return Err(RequestError::new("segments", problem).into());
            }
            return Ok(vec![SegmentJobSegment {
                segment_id: ALL.to_owned(),
                segment: None,
            }]);
        };
        let mut entries: Vec<SegmentJobSegment> = Vec::new();
        for id in ids {
            if entries.iter().any(|known| known.segment_id == *id) {
                continue;
            }
            let definition = segment(catalog, id)?;
            entries.push(SegmentJobSegment {
                segment_id: id.clone(),
                segment: Some(pinned(catalog, id, definition)?),
            });
        }
        if entries.is_empty() {
            return Err(RequestError::new("segments", "it names no segment to evaluate").into());
        }
        Ok(entries)
    }
}

/// How many jobs that have ended are kept in a sandbox.
const KEPT: usize = 200;
/// All segments.
const ALL: &str = "*";

/// What a job keeps of a definition, so that it is evaluated as it was when the job was created.
fn pinned(catalog: &Catalog, id: &str, definition: Value) -> Result<Value> {
    expression_of(&definition).map_err(|error| {
        RequestError::new(
            "segments",
            format!("segment {id} can't be evaluated: {error}"),
        )
    })?;
    let policy = policy_of_segment(catalog, None, Some(&definition))?;
    let policy = MergePolicyRef {
        id: policy.id,
        version: Some(policy.version),
    };
    let mut kept = json!({
        "id": id, "version": 1, "expression": definition.get("expression"),
        "mergePolicyId": policy.id, "mergePolicy": policy,
    });
    for name in ["name", "dataGovernancePolicy"] {
        if let Some(value) = definition.get(name) {
            kept[name] = value.clone();
        }
    }
    Ok(kept)
}

/// Whether a definition is evaluated where all are: one without an expression stands for memberships that data brings
/// along, an inactive one is not evaluated.
fn is_evaluated(definition: &Value) -> bool {
    let says = |name: &str| definition.get(name).and_then(Value::as_str);
    let is_inactive = ["lifecycleState", "state"]
        .iter()
        .any(|name| says(name) == Some("inactive"));
    has_expression(definition) && !is_inactive
}

/// Creates a job that waits.
///
/// # Errors
/// A segment that has no definition or no expression; then nothing is created.
pub fn create_segment_job(
    store: &Store,
    target: &SegmentJobTarget,
    now: Timestamp,
) -> Result<SegmentJob> {
    let job = SegmentJob::new(store.catalog(), target, now)?;
    job.save(store.catalog())?;
    Ok(job)
}

/// Creates a job that waits for a schedule, in a catalog that may have a transaction open.
pub(crate) fn create_scheduled_job(
    catalog: &Catalog,
    target: &SegmentJobTarget,
    now: Timestamp,
    schedule: &str,
) -> Result<SegmentJob> {
    let mut job = SegmentJob::new(catalog, target, now)?;
    job.source = "scheduler".to_owned();
    job.properties = Some(json!({"scheduleId": schedule, "runId": new_uuid()}));
    job.put(catalog)?;
    Ok(job)
}

/// Evaluates segments now and waits for the end.
///
/// # Errors
/// A segment that has no definition or can't be evaluated; then no membership has changed, and the job says why.
pub fn evaluate_segments(
    store: &Store,
    target: &SegmentJobTarget,
    now: Timestamp,
    progress: &Arc<Progress>,
) -> Result<SegmentJob> {
    let mut job = SegmentJob::new(store.catalog(), target, now)?;
    // Each evaluation starts from what the one before found.
    let lock = store.lock_evaluations(progress)?;
    sweep(store, &lock)?;
    job.set_status(JobStatus::Processing);
    job.save(store.catalog())?;
    job.work(store, progress)?;
    Ok(job)
}

/// Runs a job that waits, to its end. Exactly one process runs it: jobs of a store run one after the other.
///
/// # Errors
/// There is no such job, or it waits no longer; the store can't say how it ended. A job that fails is no error.
pub fn run_segment_job(store: &Store, id: &str, progress: &Arc<Progress>) -> Result<SegmentJob> {
    // Each evaluation starts from what the one before found.
    let lock = store.lock_evaluations(progress)?;
    sweep(store, &lock)?;
    let mut job = store.catalog().atomically(|catalog| {
        let mut job = SegmentJob::of(catalog, id)?;
        if job.status != JobStatus::New {
            let problem = format!("segment job {id} is {}, no longer NEW", job.status);
            return Err(catalog::Error::Conflict(problem).into());
        }
        job.set_status(JobStatus::Processing);
        job.put(catalog)?;
        Ok::<_, Error>(job)
    })?;
    match job.work(store, progress) {
        Err(_) if job.status.is_final() => Ok(job),
        done => done.map(|()| job),
    }
}

/// A job.
///
/// # Errors
/// There is no such job.
pub fn segment_job(store: &Store, id: &str) -> Result<SegmentJob> {
    sweep_if_idle(store)?;
    SegmentJob::of(store.catalog(), id)
}

/// All jobs, the latest first.
///
/// # Errors
/// The catalog can't be read.
pub fn segment_jobs(store: &Store) -> Result<Vec<SegmentJob>> {
    sweep_if_idle(store)?;
    all(store.catalog())
}

/// Cancels a job that waits or runs, and deletes one that has ended. The memberships that it made stay.
///
/// # Errors
/// There is no such job.
pub fn delete_segment_job(store: &Store, id: &str) -> Result<()> {
    sweep_if_idle(store)?;
    store.catalog().atomically(|catalog| {
        let mut job = SegmentJob::of(catalog, id)?;
        match job.status {
            JobStatus::New => {
                job.set_status(JobStatus::Cancelled);
                job.put(catalog)
            }
            JobStatus::Processing => {
                job.cancelling = true;
                job.put(catalog)
            }
            _ => {
                catalog.delete_document(DocumentKind::SegmentJob, id)?;
                Ok(())
            }
        }
    })
}

fn all(catalog: &Catalog) -> Result<Vec<SegmentJob>> {
    let documents = catalog.documents(DocumentKind::SegmentJob)?;
    let jobs = documents.iter().map(|document| read("", document));
    let mut jobs: Vec<SegmentJob> = jobs.collect::<Result<_>>()?;
    jobs.sort_by_key(|job| Reverse((job.creation_time, job.id.clone())));
    Ok(jobs)
}

fn read(id: &str, document: &Document) -> Result<SegmentJob> {
    document.read().map_err(|error| damaged(id, &error))
}

fn damaged(id: &str, error: &serde_json::Error) -> Error {
    let damaged = catalog::Error::Damaged {
        kind: Kind::SegmentJob,
        id: id.to_owned(),
        problem: error.to_string(),
    };
    damaged.into()
}

/// Forgets the oldest jobs that have ended, beyond so many as are kept.
fn forget_old(catalog: &Catalog) -> Result<()> {
    let ended = all(catalog)?
        .into_iter()
        .filter(|job| job.status.is_final());
    for job in ended.skip(KEPT) {
        catalog.delete_document(DocumentKind::SegmentJob, &job.id)?;
    }
    Ok(())
}

/// Fails the jobs of processes that are gone: whoever holds the lock knows that none runs.
fn sweep(store: &Store, _held: &FileLock) -> Result<()> {
    for id in store.catalog().open_segment_jobs(JobStatus::Processing)? {
        store.catalog().atomically(|catalog| {
            let mut job = SegmentJob::of(catalog, &id)?;
            let problem = "the process that ran it ended before it did; no membership has changed";
            job.errors = vec![JobError::of(&Error::Panic(problem.to_owned()))];
            job.set_status(JobStatus::Failed);
            job.put(catalog)
        })?;
    }
    Ok(())
}

fn sweep_if_idle(store: &Store) -> Result<()> {
    if (store.catalog().open_segment_jobs(JobStatus::Processing)?).is_empty() {
        return Ok(());
    }
    let path = store.layout().evaluation_lock();
    // Where it can't be had, or the store can only be read, another look will do it.
    match FileLock::try_acquire(&path) {
        Ok(Some(lock)) => sweep(store, &lock),
        _ => Ok(()),
    }
}

impl SegmentJob {
    fn new(
        catalog: &Catalog,
        target: &SegmentJobTarget,
        evaluation_time: Timestamp,
    ) -> Result<Self> {
        let now = Timestamp::now();
        let scope = catalog.scope();
        Ok(Self {
            id: new_uuid(),
            ims_org_id: scope.org.clone(),
            sandbox: json!({"sandboxName": scope.sandbox}),
            profile_instance_id: "ups".to_owned(),
            source: "api".to_owned(),
            properties: None,
            status: JobStatus::New,
            cancelling: false,
            batch_id: new_uuid(),
            segments: target.entries(catalog)?,
            // As exact as the job object has it.
            evaluation_time: Timestamp::from_millis(evaluation_time.millis()),
            metrics: SegmentJobMetrics {
                total_time: JobTime {
                    start_time_in_ms: now.millis(),
                    ..JobTime::default()
                },
                ..SegmentJobMetrics::default()
            },
            errors: Vec::new(),
            request_id: new_id(),
            schema: SchemaRef::default(),
            creation_time: now,
            update_time: now,
        })
    }

    /// The job that a catalog keeps.
    fn of(catalog: &Catalog, id: &str) -> Result<Self> {
        let document = catalog.document(DocumentKind::SegmentJob, id, None)?;
        let document = document.ok_or_else(|| catalog::Error::not_found(Kind::SegmentJob, id))?;
        read(id, &document)
    }

    /// Keeps it as it is now, in a transaction that is open: the job, and that it has not ended, which is looked for
    /// often and quickly found.
    fn put(&self, catalog: &Catalog) -> Result<()> {
        let document = Document::of(self).map_err(|error| damaged(&self.id, &error))?;
        catalog.put_document(DocumentKind::SegmentJob, &self.id, 1, &document)?;
        let open = DocumentKind::OpenSegmentJob;
        if self.status.is_final() {
            catalog.delete_document(open, &self.id)?;
            return Ok(());
        }
        let at = self.creation_time.micros();
        let told = json!({"status": self.status, "creationTime": at});
        Ok(catalog.put_document(open, &self.id, 1, &told.into())?)
    }

    /// The same in a transaction of its own.
    fn save(&self, catalog: &Catalog) -> Result<()> {
        catalog.atomically(|catalog| self.put(catalog))
    }

    fn set_status(&mut self, status: JobStatus) {
        self.status = status;
        self.update_time = Timestamp::now();
    }

    /// Does the job, whose process holds the lock; it has ended then, in the catalog too.
    fn work(&mut self, store: &Store, progress: &Arc<Progress>) -> Result<()> {
        let started = Instant::now();
        let catalog = store.catalog();
        let ended = Cell::new(None);
        let done =
            forget_old(catalog).and_then(|()| self.evaluate(store, progress, &ended, started));
        if let Some(job) = ended.take().filter(|_| done.is_ok()) {
            *self = job;
            return Ok(());
        }
        let error = match done {
            Ok(()) => return Err(Error::Panic("an evaluation without an end".to_owned())),
            Err(error) => error,
        };
        // SQLite's journal may hold what it could not say to be durable.
        if let Ok(found) = Self::of(catalog, &self.id)
            && found.status == JobStatus::Succeeded
        {
            *self = found;
            return Ok(());
        }
        self.metrics.total_time = JobTime::ended(started.elapsed());
        match error.is_cancelled() {
            true => self.set_status(JobStatus::Cancelled),
            false => {
                self.errors = vec![JobError::of(&error)];
                self.set_status(JobStatus::Failed);
            }
        }
        // Where even this can't be written, it is found dead later.
        self.save(catalog)?;
        Err(error)
    }

    fn evaluate(
        &self,
        store: &Store,
        progress: &Arc<Progress>,
        ended: &Cell<Option<Self>>,
        started: Instant,
    ) -> Result<()> {
        let definitions = self.definitions(store.catalog())?;
        let evaluation = Evaluation {
            store,
            definitions: &definitions,
            now: self.evaluation_time,
            progress,
        };
        let id = &self.id;
        let is_cancelled = |catalog: &Catalog| Ok::<_, Error>(Self::of(catalog, id)?.cancelling);
        while_looking(
            || {
                // What can't be asked now is asked again at the next look.
                if is_cancelled(store.catalog()).unwrap_or(false) {
                    progress.cancel();
                }
            },
            || {
                evaluation.run(|catalog, outcome| {
                    if is_cancelled(catalog)? {
                        return Err(decode::Error::Cancelled.into());
                    }
                    let job = self.succeeded(&definitions, outcome, started);
                    job.put(catalog)?;
                    ended.set(Some(job));
                    Ok(())
                })
            },
        )?;
        Ok(())
    }

    /// What is evaluated.
    fn definitions(&self, catalog: &Catalog) -> Result<Vec<Value>> {
        let mut definitions = Vec::new();
        for entry in &self.segments {
            match &entry.segment {
                Some(definition) => definitions.push(definition.clone()),
                None => {
                    for definition in segments(catalog)?.into_iter().filter(is_evaluated) {
                        if let Some(id) = id_of(&definition) {
                            definitions.push(pinned(catalog, &id, definition)?);
                        }
                    }
                }
            }
        }
        Ok(definitions)
    }

    fn succeeded(&self, definitions: &[Value], outcome: &Outcome, started: Instant) -> Self {
        let mut job = self.clone();
        let metrics = &mut job.metrics;
        metrics.total_time = JobTime::ended(started.elapsed());
        metrics.profile_segmentation_time = metrics.total_time;
        metrics.total_profiles = outcome.profiles.values().sum();
        metrics.total_profiles_by_merge_policy = outcome.profiles.clone();
        metrics.opted_out_profiles_by_merge_policy = outcome.opted_out.clone();
        for (definition, counts) in definitions.iter().zip(&outcome.counts) {
            let Some(id) = id_of(definition) else {
                continue;
            };
            let by_status = [
                ("realized", counts.entered),
                ("existing", counts.stayed),
                ("exited", counts.exited),
            ];
            let by_status = by_status.map(|(status, n)| (status.to_owned(), n));
            let own = || id.clone();
            (metrics.segmented_profile_counter).insert(own(), counts.entered + counts.stayed);
            (metrics.segmented_profile_by_namespace_counter)
                .insert(own(), counts.by_namespace.clone());
            (metrics.segmented_profile_by_status_counter)
                .insert(own(), by_status.into_iter().collect());
            metrics.exited_profile_counter.insert(own(), counts.left);
            let took = counts.took.as_micros() as f64 / 1000.0;
            metrics.condition_time_in_ms.insert(own(), took);
        }
        job.set_status(JobStatus::Succeeded);
        job
    }
}
