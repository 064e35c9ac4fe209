//! Finished jobs that nobody wants any more.

use std::collections::{BTreeMap, BTreeSet};

use catalog::{JobQuery, JobRecord, JobStatus, Kind};
use export::ExportRequest;
use serde_json::json;
use store::Store;

use super::object::{Job, damaged};
use super::staging::sweep;
use crate::error::Result;

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Deletes a job that is finished, with its batches and their files.
///
/// # Errors
/// There is no such job, or it waits or runs; files can't be deleted, the catalog can't be written.
pub fn delete_job(store: &Store, id: i64) -> Result<()> {
    sweep(store)?;
    let catalog = store.catalog();
    let not_found = || catalog::Error::not_found(Kind::Job, id);
    let record = catalog.job(id)?.ok_or_else(not_found)?;
    if !record.status.is_final() {
        let problem = format!("job {id} is {}; cancel it first", record.status);
        return Err(catalog::Error::Conflict(problem).into());
    }
    for batch in Job::of(&record)?.batch_ids() {
        if catalog.batch(&batch)?.is_some() {
            store.delete_batch(&batch)?;
        }
    }
    catalog.delete_job(id)?;
    Ok(())
}

/// The request of a job, to be run again.
///
/// # Errors
/// There is no such job.
pub fn request_of_job(store: &Store, id: i64) -> Result<ExportRequest> {
    let record = store.catalog().job(id)?;
    let record = record.ok_or_else(|| catalog::Error::not_found(Kind::Job, id))?;
    record.request.read().map_err(|e| damaged(id, &e))
}

/// Which exports are kept, of those of the same segments into the same dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// So many that succeeded, the newest.
    pub last: usize,
    /// And of each of so many days (UTC) that have one the newest.
    pub daily: usize,
}

/// The finished jobs that are not kept, oldest first: exports of the same segments into the same dataset of which
/// newer ones are kept, and what failed or was cancelled before one that is kept. Where nothing is kept, that is all.
///
/// # Errors
/// The catalog can't be read.
pub fn jobs_to_forget(store: &Store, keep: &Keep) -> Result<Vec<Job>> {
    let records = store.catalog().jobs(&JobQuery::default())?;
    let mut groups: BTreeMap<String, Vec<JobRecord>> = BTreeMap::new();
    for record in records
        .into_iter()
        .filter(|record| record.status.is_final())
    {
        let request: ExportRequest = record.request.read().map_err(|e| damaged(record.id, &e))?;
        let segments = request.filter.and_then(|filter| filter.segments);
        let of = json!([request.destination.dataset_id, segments]);
        groups.entry(of.to_string()).or_default().push(record);
    }
    let mut forgotten = Vec::new();
    // Newest first, as the catalog lists them.
    for of_group in groups.values() {
        let (mut succeeded, mut days) = (0, BTreeSet::new());
        for record in of_group {
            let is_kept = if record.status == JobStatus::Succeeded {
                succeeded += 1;
                let is_first = days.insert(record.created.millis().div_euclid(DAY));
                succeeded <= keep.last || (is_first && days.len() <= keep.daily)
            } else {
                succeeded == 0
            };
            if !is_kept {
                forgotten.push(Job::of(record)?);
            }
        }
    }
    forgotten.sort_by_key(|job| job.id);
    Ok(forgotten)
}

/// Forgets a finished job: its batches in the store go with their files; those that went to a folder of the user's
/// are left there, and only the catalog forgets them.
///
/// # Errors
/// As for [`delete_job`].
pub fn forget_job(store: &Store, job: &Job) -> Result<()> {
    let catalog = store.catalog();
    for id in job.batch_ids() {
        match catalog.batch(&id)? {
            Some(batch) if batch.folder.is_some() => {
                catalog.delete_batch(&id)?;
            }
            Some(_) => store.delete_batch(&id)?,
            None => {}
        }
    }
    catalog.delete_job(job.id)?;
    Ok(())
}
