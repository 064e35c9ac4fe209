//! Finished jobs that nobody wants any more.

use std::collections::{BTreeMap, BTreeSet};

use catalog::{JobQuery, JobRecord, JobStatus, Kind};
use export::{ExportRequest, SinceJob};
use serde_json::json;
use store::Store;

use super::object::{Job, damaged};
use super::staging::sweep;
use crate::error::{ErrorKind, Result};

/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Deletes a job that is finished, with its batches; their files stay where they are in a folder of the user's.
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
    forget_job(store, &Job::of(&record)?)
}

/// Which exports are kept, of those of one request, whatever its times; with neither number none is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// So many that succeeded, the newest.
    pub last: usize,
    /// And of each of so many days (UTC) that have one the newest.
    pub daily: usize,
}

/// The finished jobs that are not kept, oldest first: exports of which newer ones of the same request are kept, and
/// what failed or was cancelled before one that is kept. Requests that differ in times alone are the same. A job whose
/// batches are all deleted is nothing that could be kept, but one of a request with `sinceJob`; those in folders of the
/// user's count by themselves.
///
/// # Errors
/// The catalog can't be read.
pub fn jobs_to_forget(store: &Store, keep: &Keep) -> Result<Vec<Job>> {
    let records = store.catalog().jobs(&JobQuery::default())?;
    let mut groups: BTreeMap<String, Vec<(JobRecord, bool)>> = BTreeMap::new();
    for record in records
        .into_iter()
        .filter(|record| record.status.is_final())
    {
        let place = place_of(store, &record)?;
        let mut request: ExportRequest =
            record.request.read().map_err(|e| damaged(record.id, &e))?;
        // Whoever follows changes job by job has one request all the same, and its times belong to it.
        let is_followed = request.since_job.is_some();
        request.since_job = request.since_job.map(|_| SinceJob::Last);
        if let Some(filter) = request.filter.as_mut().filter(|_| !is_followed) {
            filter.from_ingest_timestamp = None;
            filter.segment_qualification_time = None;
        }
        if let Some(list) = request
            .additional_fields
            .as_mut()
            .and_then(|more| more.event_list.as_mut())
            .filter(|_| !is_followed)
        {
            list.filter = None;
        }
        // What failed belongs to those that lie in the store.
        let is_outside = place == Some(Place::Outside);
        let of = json!([request, is_outside]).to_string();
        groups
            .entry(of)
            .or_default()
            // Without the last one that was told since another, the next would begin anew, and not say who has left.
            .push((record, place.is_some() || is_followed));
    }
    let mut forgotten = Vec::new();
    // Newest first, as the catalog lists them.
    for of_group in groups.values() {
        let (mut succeeded, mut days) = (0, BTreeSet::new());
        for (record, has_batches) in of_group {
            let is_kept = match (record.status, has_batches) {
                (JobStatus::Succeeded, true) => {
                    succeeded += 1;
                    let is_first = days.insert(record.created.millis().div_euclid(DAY));
                    succeeded <= keep.last || (is_first && days.len() <= keep.daily)
                }
                (JobStatus::Succeeded, false) => false,
                _ => succeeded == 0,
            };
            if !is_kept {
                forgotten.push(Job::of(record)?);
            }
        }
    }
    forgotten.sort_by_key(|job| job.id);
    Ok(forgotten)
}

/// Forgets the finished jobs that are not kept; returns them, oldest first. One that somebody else forgets at the same time
/// is forgotten.
///
/// # Errors
/// The catalog can't be read or written, files can't be deleted.
pub fn forget_jobs(store: &Store, keep: &Keep) -> Result<Vec<Job>> {
    sweep(store)?;
    let jobs = jobs_to_forget(store, keep)?;
    for job in &jobs {
        match forget_job(store, job) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            done => done?,
        }
    }
    Ok(jobs)
}

/// Where a job's batches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Store,
    Outside,
}

/// Where those of a job's batches are that are left; `None` where none is.
fn place_of(store: &Store, record: &JobRecord) -> Result<Option<Place>> {
    for id in Job::of(record)?.batch_ids() {
        if let Some(batch) = store.catalog().batch(&id)? {
            return Ok(Some(match batch.outside() {
                Some(_) => Place::Outside,
                None => Place::Store,
            }));
        }
    }
    Ok(None)
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
            Some(batch) if batch.outside().is_some() => {
                catalog.delete_batch(&id)?;
            }
            Some(_) => store.delete_batch(&id)?,
            None => {}
        }
    }
    catalog.delete_job(job.id)?;
    Ok(())
}
