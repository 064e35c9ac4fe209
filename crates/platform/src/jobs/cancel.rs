use catalog::{JobMove, JobStatus, Kind};
use store::Store;

use super::object::Job;
use super::staging::sweep;
use crate::error::Result;

/// What asking to cancel a job led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It had not begun and is cancelled.
    Cancelled,
    /// It runs and will stop within a second.
    Requested,
}

/// Cancels a job, or asks the process that runs it to.
///
/// # Errors
/// There is no such job, or it is finished.
pub fn cancel_job(store: &Store, id: i64) -> Result<CancelOutcome> {
    sweep(store)?;
    let catalog = store.catalog();
    let not_found = || catalog::Error::not_found(Kind::Job, id);
    let record = catalog.job(id)?.ok_or_else(not_found)?;
    if record.status == JobStatus::New {
        let mut job = Job::of(&record)?;
        job.set_status(JobStatus::Cancelled);
        let moved = catalog.move_job(&JobMove {
            id,
            from: JobStatus::New,
            to: JobStatus::Cancelled,
            body: &job.document()?,
            unless_cancelled: false,
        })?;
        if moved {
            return Ok(CancelOutcome::Cancelled);
        }
    }
    catalog.request_cancel(id)?;
    let status = catalog.job(id)?.ok_or_else(not_found)?.status;
    if status == JobStatus::Processing {
        return Ok(CancelOutcome::Requested);
    }
    Err(catalog::Error::Conflict(format!(
        "job {id} is {status}; only a job that waits or runs can be cancelled"
    ))
    .into())
}
