//! System jobs: deletions of a dataset's records, or of a batch's of events, which happen by themselves.

use std::time::Instant;

use catalog::{Document, DocumentKind, Kind, new_uuid};
use decode::Progress;
use export::RequestError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{DeletedRuns, RecordSelection, Store};
use xdm::{Class, Timestamp};

use crate::error::Result;
use crate::incoming::delete_batch_records;

/// How many jobs that have ended are kept: the newest.
const KEPT: usize = 1000;

/// What a system job deletes: its body, as the platform has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SystemJobBody {
    /// The dataset all of whose records go.
    #[serde(default, rename = "dataSetId", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub dataset_id: Option<String>,
    /// The batch whose events go.
    #[serde(default, rename = "batchId", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub batch_id: Option<String>,
}

/// The state of a system job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum SystemJobStatus {
    /// It waits.
    New,
    /// It is being done.
    Processing,
    /// What it deletes is deleted.
    Completed,
    /// Nothing is deleted; its errors say why.
    Error,
}

impl SystemJobStatus {
    /// Whether it will not change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Error)
    }
}

/// A system job, in the platform's form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemJob {
    /// Given out when it was created.
    pub id: String,
    /// The organisation.
    pub ims_org_id: String,
    /// What it deletes.
    #[serde(flatten)]
    pub target: SystemJobBody,
    /// Always `DELETE`.
    pub job_type: String,
    /// Its state.
    pub status: SystemJobStatus,
    /// Figures, as JSON in a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<String>,
    /// Why it ended without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<String>,
    /// When it was created: seconds since 1970.
    pub create_epoch: i64,
    /// When it was last changed.
    pub update_epoch: i64,
    /// The place of the next record when it was created: what was loaded later stays. Kept in the catalog, and shown to
    /// nobody; none in jobs of earlier versions.
    #[serde(default, skip_serializing)]
    before: Option<u64>,
}

/// Creates a job, which [`run_system_job`] does.
///
/// # Errors
/// The body names none of dataset and batch, or both, or one that there isn't; a dataset whose rows are no records; a batch whose records are fragments.
pub fn create_system_job(store: &Store, target: &SystemJobBody) -> Result<SystemJob> {
    let catalog = store.catalog();
    match (&target.dataset_id, &target.batch_id) {
        (Some(id), None) => {
            let found = catalog.dataset(id)?.filter(|dataset| dataset.id == *id);
            let found = found.ok_or_else(|| catalog::Error::not_found(Kind::Dataset, id))?;
            if found.ad_hoc.is_some() {
                let problem = format!(
                    "dataset {id} has no records, but rows that statements wrote: delete it, or batches of it"
                );
                return Err(RequestError::new("dataSetId", problem).into());
            }
        }
        (None, Some(id)) => {
            let batch = catalog.batch(id)?.filter(|batch| batch.came_in());
            let batch = batch.ok_or_else(|| catalog::Error::not_found(Kind::Batch, id))?;
            let dataset = catalog.dataset(batch.dataset())?;
            if dataset.is_none_or(|dataset| dataset.class != Class::Event) {
                return Err(RequestError::new(
                    "batchId",
                    format!("batch {id} has no events: only batches of events are deleted by a system job"),
                )
                .into());
            }
        }
        _ => {
            let problem = "allowed is one of dataSetId and batchId";
            return Err(RequestError::new("body", problem).into());
        }
    }
    let now = Timestamp::now().seconds();
    let job = SystemJob {
        id: new_uuid(),
        ims_org_id: catalog.scope().org.clone(),
        target: target.clone(),
        job_type: "DELETE".to_owned(),
        status: SystemJobStatus::New,
        metrics: None,
        errors: None,
        create_epoch: now,
        update_epoch: now,
        before: Some(catalog.next_sequence()?),
    };
    let ended = system_jobs(store)?.into_iter();
    for old in ended.filter(|job| job.status.is_final()).skip(KEPT) {
        catalog.delete_document(DocumentKind::SystemJob, &old.id)?;
    }
    job.put(store)?;
    Ok(job)
}

/// All jobs, newest first.
///
/// # Errors
/// The catalog can't be read.
pub fn system_jobs(store: &Store) -> Result<Vec<SystemJob>> {
    let documents = store.catalog().documents(DocumentKind::SystemJob)?;
    let jobs = documents.iter().map(SystemJob::of);
    let mut jobs: Vec<SystemJob> = jobs.collect::<Result<_>>()?;
    jobs.sort_by(|a, b| (b.create_epoch, &b.id).cmp(&(a.create_epoch, &a.id)));
    Ok(jobs)
}

/// The job with this ID.
///
/// # Errors
/// There is none.
pub fn system_job(store: &Store, id: &str) -> Result<SystemJob> {
    let found = store
        .catalog()
        .document(DocumentKind::SystemJob, id, None)?;
    SystemJob::of(&found.ok_or_else(|| catalog::Error::not_found(Kind::SystemJob, id))?)
}

/// Forgets a job; one that waits is not done, one that is being done is done all the same.
///
/// # Errors
/// There is none.
pub fn delete_system_job(store: &Store, id: &str) -> Result<()> {
    match store
        .catalog()
        .delete_document(DocumentKind::SystemJob, id)?
    {
        true => Ok(()),
        false => Err(catalog::Error::not_found(Kind::SystemJob, id).into()),
    }
}

/// Does a job that has not ended: also one that a process left behind, which deleted all or nothing.
///
/// # Errors
/// There is no such job; `progress` was cancelled: then it waits. Why nothing could be deleted is told in the job.
pub fn run_system_job(store: &Store, id: &str, progress: &Progress) -> Result<SystemJob> {
    let mut job = system_job(store, id)?;
    if job.status.is_final() {
        return Ok(job);
    }
    // One of an earlier version takes what is there now, also where it has to be done once more.
    let before = match job.before {
        Some(before) => before,
        None => store.catalog().next_sequence()?,
    };
    job.before = Some(before);
    job.set_status(store, SystemJobStatus::Processing)?;
    let begun = Instant::now();
    let deleted = match &job.target {
        SystemJobBody {
            dataset_id: Some(dataset),
            ..
        } => delete_of_dataset(store, dataset, before, progress),
        SystemJobBody { batch_id, .. } => {
            delete_batch_records(store, batch_id.as_deref().unwrap_or_default(), progress)
        }
    };
    match deleted {
        Ok(deleted) => {
            let figures = json!({
                "recordsProcessed": deleted.records(),
                "timeTakenInSec": begun.elapsed().as_secs(),
            });
            job.metrics = Some(figures.to_string());
            job.set_status(store, SystemJobStatus::Completed)?;
        }
        Err(error) if error.is_cancelled() => {
            job.set_status(store, SystemJobStatus::New)?;
            return Err(error);
        }
        Err(error) => {
            let words = error.kind().told_outside();
            job.errors = Some(words.map_or_else(|| error.to_string(), str::to_owned));
            job.set_status(store, SystemJobStatus::Error)?;
            tracing::warn!(job = id, %error, "a system job failed");
        }
    }
    Ok(job)
}

fn delete_of_dataset(
    store: &Store,
    dataset: &str,
    before: u64,
    progress: &Progress,
) -> Result<DeletedRuns> {
    let _evaluation = store.lock_evaluations(progress)?;
    let selection = RecordSelection::OfDataset { dataset, before };
    Ok(store.delete_records(&selection, &[], progress)?)
}

impl SystemJob {
    fn of(document: &Document) -> Result<Self> {
        let read = document.read();
        Ok(read.map_err(|error| {
            catalog::Error::Conflict(format!("a system job is not as it was written: {error}"))
        })?)
    }

    fn set_status(&mut self, store: &Store, status: SystemJobStatus) -> Result<()> {
        self.status = status;
        self.update_epoch = Timestamp::now().seconds();
        // Somebody may have forgotten it meanwhile: then it stays so.
        store.catalog().atomically(|catalog| {
            match catalog.document(DocumentKind::SystemJob, &self.id, None)? {
                Some(_) => Ok(catalog.put_document(
                    DocumentKind::SystemJob,
                    &self.id,
                    1,
                    &self.document()?,
                )?),
                None => Err(catalog::Error::not_found(Kind::SystemJob, &self.id).into()),
            }
        })
    }

    fn put(&self, store: &Store) -> Result<()> {
        let document = self.document()?;
        Ok(store
            .catalog()
            .put_document(DocumentKind::SystemJob, &self.id, 1, &document)?)
    }

    fn document(&self) -> Result<Document> {
        let text = serde_json::to_value(self);
        let mut text =
            text.map_err(|error| catalog::Error::Conflict(format!("a system job: {error}")))?;
        text["before"] = json!(self.before);
        Ok(text.into())
    }
}
