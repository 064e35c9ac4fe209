//! Jobs and their batches.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use profile_export::jobs::{
    CancelOutcome, JobPage, JobStatus, RunOptions, cancel_job as cancel, delete_job as delete,
    get_job, list_jobs, retry_job as retry, sweep,
};
use profile_export::platform::{dataset_id, delete_batch as delete_one};
use profile_export::store::{Batch, BatchQuery, CatalogError, Kind, Store as EngineStore};
use pyo3::prelude::*;

use crate::errors::Result;
use crate::objects::told;
use crate::store::Store;

/// How long a job that runs is waited for which is to stop: who runs it looks ten times a second.
const PATIENCE: Duration = Duration::from_secs(2);

#[pyfunction]
pub(crate) fn jobs<'py>(
    py: Python<'py>,
    store: &Store,
    limit: Option<u32>,
    status: Option<String>,
) -> Result<Bound<'py, PyAny>> {
    let page = JobPage {
        limit,
        status,
        ..JobPage::default()
    };
    let jobs = store.look(py, |store| {
        sweep(store)?;
        Ok(list_jobs(store, &page)?.records)
    });
    told(py, jobs)
}

#[pyfunction]
pub(crate) fn job<'py>(py: Python<'py>, store: &Store, id: i64) -> Result<Bound<'py, PyAny>> {
    let job = store.look(py, |store| {
        sweep(store)?;
        get_job(store, id)
    });
    told(py, job)
}

/// Cancels a job; returns it as it is then, which is at work still where it did not stop at once.
#[pyfunction]
pub(crate) fn cancel_job<'py>(
    py: Python<'py>,
    store: &Store,
    id: i64,
) -> Result<Bound<'py, PyAny>> {
    let job = store.work(py, (None, 0), |store, progress| {
        let outcome = cancel(store, id)?;
        let asked = Instant::now();
        loop {
            let job = get_job(store, id)?;
            let runs = outcome == CancelOutcome::Requested && job.status == JobStatus::Processing;
            if !runs || asked.elapsed() > PATIENCE {
                return Ok(job);
            }
            progress.check()?;
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    told(py, job)
}

/// Runs the request of a finished job again, as a new one.
#[pyfunction]
pub(crate) fn retry_job<'py>(
    py: Python<'py>,
    store: &Store,
    id: i64,
    max_identities: Option<u32>,
    watcher: Option<Bound<'py, PyAny>>,
) -> Result<Bound<'py, PyAny>> {
    let options = RunOptions {
        max_identities,
        ..RunOptions::default()
    };
    let finished = store.work(py, (watcher.as_ref(), 0), |store, progress| {
        Ok(retry(store, id, &options, progress)?.job)
    });
    told(py, finished)
}

#[pyfunction]
pub(crate) fn delete_job(py: Python<'_>, store: &Store, id: i64) -> Result<()> {
    store.look(py, |store| delete(store, id))
}

#[pyfunction]
pub(crate) fn batches<'py>(
    py: Python<'py>,
    store: &Store,
    dataset: Option<String>,
) -> Result<Bound<'py, PyAny>> {
    let batches = store.look(py, |store| {
        let catalog = store.catalog();
        let dataset = dataset.as_ref().map(|word| dataset_id(catalog, word));
        let query = BatchQuery {
            dataset: dataset.transpose()?,
            ..BatchQuery::default()
        };
        Ok(catalog.batches(&query)?)
    });
    told(py, batches)
}

#[pyfunction]
pub(crate) fn batch<'py>(py: Python<'py>, store: &Store, id: &str) -> Result<Bound<'py, PyAny>> {
    told(py, store.look(py, |store| find(store, id)))
}

/// Where the files of a batch are.
#[pyfunction]
pub(crate) fn batch_files(py: Python<'_>, store: &Store, id: &str) -> Result<Vec<PathBuf>> {
    store.look(py, |store| {
        let batch = find(store, id)?;
        let folder = store.batch_folder(&batch);
        let names = batch.files.iter().map(|file| &file.name);
        Ok(names.map(|name| folder.join(name)).collect())
    })
}

#[pyfunction]
pub(crate) fn delete_batch(py: Python<'_>, store: &Store, id: &str) -> Result<()> {
    store.look(py, |store| delete_one(store, id))
}

fn find(store: &EngineStore, id: &str) -> platform::Result<Batch> {
    let batch = store.catalog().batch(id)?;
    Ok(batch.ok_or_else(|| CatalogError::not_found(Kind::Batch, id))?)
}
