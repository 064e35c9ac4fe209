use catalog::{Catalog, Document, JobRecord, JobStatus, NewJob, new_id};
use export::{ExportRequest, Plan, RequestError};
use store::Store;
use xdm::{Dataset, Timestamp};

use super::object::{Job, damaged};
use super::since;
use crate::error::{Error, Result};
use crate::evaluation::SegmentJobTarget;
use crate::resolve::plan_of;

/// Creates a job from a request; it reads the store, and uses the merge policy, as they stand now.
///
/// # Errors
/// A request that can't be done as asked; then nothing is created.
pub fn create_job(store: &Store, request: &ExportRequest) -> Result<Job> {
    since::check_named(store, request)?;
    create_waiting(store.catalog(), request)
}

/// The same in a catalog that may have a transaction open.
pub(crate) fn create_waiting(catalog: &Catalog, request: &ExportRequest) -> Result<Job> {
    Job::of(&create_in(catalog, request, JobStatus::New, |_| Ok(()))?)
}

/// What a job of a request does.
///
/// # Errors
/// It can't be done as asked.
pub(crate) fn plan_job(catalog: &Catalog, request: &ExportRequest) -> Result<Plan> {
    check_target(catalog, &request.destination.dataset_id)?;
    let plan = plan_of(catalog, &request.at_once())?;
    since::check(catalog, request, &plan)?;
    if request.evaluates_segments() {
        let refused = |error: Error| {
            let problem = format!("found true, but {error}");
            RequestError::new("evaluationInfo.segmentation", problem)
        };
        let target = SegmentJobTarget::of_request(request);
        target.entries(catalog).map_err(refused)?;
    }
    Ok(plan)
}

/// Creates a job in a state; `claim` is given its ID before anybody else sees it.
pub(super) fn create_in(
    catalog: &Catalog,
    request: &ExportRequest,
    status: JobStatus,
    claim: impl FnOnce(i64) -> Result<()>,
) -> Result<JobRecord> {
    let plan = plan_job(catalog, request)?;
    create_planned(catalog, (request, &plan, None), status, claim)
}

/// The same of a request that was planned, and of the generation that it is of where that is not the newest.
pub(super) fn create_planned(
    catalog: &Catalog,
    (request, plan, generation): (&ExportRequest, &Plan, Option<i64>),
    status: JobStatus,
    claim: impl FnOnce(i64) -> Result<()>,
) -> Result<JobRecord> {
    let ids: Vec<String> = plan.batches.iter().map(|_| new_id()).collect();
    let document = |value: serde_json::Result<Document>| value.map_err(|e| damaged(0, &e));
    let new = NewJob {
        now: Timestamp::now(),
        status,
        generation,
        request: &document(Document::of(request))?,
        policy: &document(Document::of(&plan.policy))?,
    };
    catalog.create_job::<Error>(&new, |id, created| {
        claim(id)?;
        let mut job = Job::new(&catalog.scope().org, request, plan, &ids, (id, created));
        job.status = status;
        job.document()
    })
}

/// Refuses a dataset, by its ID, that exports can't be written to.
///
/// # Errors
/// There is none, or it is none of the profile union schema.
pub fn check_target(catalog: &Catalog, id: &str) -> Result<()> {
    let dataset = catalog.dataset(id)?.filter(|dataset| dataset.id == id);
    let problem = match dataset {
        _ if id.is_empty() => {
            Some("missing: the dataset that the batches are written to".to_owned())
        }
        None => Some(format!("no dataset {id:?}; create it first")),
        Some(dataset) => dataset.why_no_target(),
    };
    match problem {
        None => Ok(()),
        Some(problem) => Err(RequestError::new("destination.datasetId", problem).into()),
    }
}

/// Makes the target dataset of a request, where a source folder that is exported without a store
/// does not have it.
pub(crate) fn ensure_target(store: &Store, request: &ExportRequest) -> Result<()> {
    let id = &request.destination.dataset_id;
    if store.catalog().dataset(id)?.is_none() && Dataset::is_id(id) {
        let name = format!("target of the export ({id})");
        store.catalog().create_dataset(Dataset::target(id, &name))?;
    }
    Ok(())
}
