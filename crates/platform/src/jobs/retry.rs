//! Finished jobs, done again.

use std::sync::Arc;

use catalog::Kind;
use decode::Progress;
use export::RequestError;
use store::Store;

use super::object::{Job, damaged};
use super::run::{FinishedJob, RunOptions, run_request};
use super::staging::sweep;
use crate::error::Result;

/// Runs the request of a finished job again, as a new job.
///
/// # Errors
/// There is no such job, or it waits or runs; it left out profiles of many identities, and nothing is said of these now;
/// those of [`run_request`].
pub fn retry_job(
    store: &Store,
    id: i64,
    options: &RunOptions,
    progress: &Arc<Progress>,
) -> Result<FinishedJob> {
    sweep(store)?;
    let record = store.catalog().job(id)?;
    let record = record.ok_or_else(|| catalog::Error::not_found(Kind::Job, id))?;
    if !record.status.is_final() {
        let problem = format!(
            "job {id} is {}; only a finished one is run again",
            record.status
        );
        return Err(catalog::Error::Conflict(problem).into());
    }
    let request = record.request.read().map_err(|e| damaged(id, &e))?;
    let large = Job::of(&record)?.metrics.large_profiles;
    if options.max_identities.is_none() && large.is_some_and(|large| large.left_out > 0) {
        let problem = "missing, and that job left out profiles of many identities: say how many are too many here, too";
        return Err(RequestError::new("max_identities", problem).into());
    }
    run_request(store, &request, options, progress)
}
