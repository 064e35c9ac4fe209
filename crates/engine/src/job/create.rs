use serde_json::json;
use store::{Dataset, JobRecord, NewJob, Store, new_id};
use xdm::Class;

use super::object::{job_object, now_millis};
use crate::documents::resolve_policy;
use crate::error::Result;
use crate::plan::Plan;
use crate::request::{ExportRequest, RequestError};

/// Creates a job from a request; it reads the store, and uses the merge policy, as they stand now.
///
/// # Errors
/// A request that can't be done as asked; then nothing is created.
pub fn create_job(store: &Store, request: &ExportRequest) -> Result<JobRecord> {
    let catalog = store.catalog();
    let target = &request.destination.dataset_id;
    let dataset = catalog.dataset(target)?.filter(|d| d.id == *target);
    let problem = match dataset {
        None => Some(format!("no dataset {target:?}; create it first")),
        Some(dataset) => dataset.why_no_target(),
    };
    if let Some(problem) = problem {
        return Err(RequestError::new("destination.datasetId", problem).into());
    }
    let policy = resolve_policy(catalog, request)?;
    let plan = Plan::new(
        request,
        policy,
        &catalog.union(Class::Profile, None)?,
        &catalog.union(Class::Event, None)?,
    )?;
    let ids: Vec<String> = plan.batches.iter().map(|_| new_id()).collect();
    let job = NewJob {
        now: now_millis(),
        request: &request.to_json(),
        policy: &json!(plan.policy),
    };
    Ok(catalog.create_job(&job, |id, created| {
        job_object(store, request, &plan, id, &ids, created)
    })?)
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
