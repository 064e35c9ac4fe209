//! Looking after a store.

use std::path::PathBuf;

use profile_export::jobs::{Keep, forget_jobs, jobs_to_forget, sweep};
use profile_export::platform::Manifest;
use profile_export::sharded::abort_pinned;
use profile_export::store::Verified;
use profile_export::xdm::Timestamp;
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::errors::Result;
use crate::objects::told;
use crate::place::Place;
use crate::shards::ShardPlan;
use crate::store::{Store, Watcher};
use crate::work::Workers;

/// Figures of the runs, with what a compaction would take away.
#[pyfunction]
pub(crate) fn stats<'py>(
    py: Python<'py>,
    store: &Store,
    watcher: Watcher<'py>,
) -> Result<Bound<'py, PyAny>> {
    let found = store.work(py, (watcher.as_ref(), 0), |store, _| {
        Ok(store.stats_in_full()?)
    });
    told(py, found)
}

/// Folds the runs of each dataset into one layer; returns the figures then.
#[pyfunction]
pub(crate) fn compact<'py>(
    py: Python<'py>,
    store: &Store,
    watcher: Watcher<'py>,
) -> Result<Bound<'py, PyAny>> {
    let found = store.work(py, (watcher.as_ref(), 0), |store, progress| {
        store.compact_with(progress)?;
        Ok(store.stats_in_full()?)
    });
    told(py, found)
}

/// Compares every byte with what was written: what is not so, and which batches outside of the store are gone.
#[pyfunction]
pub(crate) fn verify<'py>(
    py: Python<'py>,
    store: &Store,
    watcher: Watcher<'py>,
) -> Result<(Vec<String>, Vec<String>)> {
    let length = store.look(py, |store| Ok(store.bytes_to_verify()?))?;
    let Verified { problems, moved } =
        store.work(py, (watcher.as_ref(), length), |store, progress| {
            Ok(store.verify_with(progress)?)
        })?;
    Ok((problems, moved))
}

/// Compares a folder of exports with its manifest: what is wrong; `None` where it has none.
#[pyfunction]
pub(crate) fn verify_manifest<'py>(
    py: Python<'py>,
    folder: PathBuf,
    watcher: Watcher<'py>,
) -> Result<Option<Vec<String>>> {
    let workers = Workers::new(None)?;
    let manifest = workers.run(py, (None, 0), |_| Manifest::read(&folder))?;
    let Some(manifest) = manifest else {
        return Ok(None);
    };
    let files = manifest.batches().flat_map(|batch| &batch.files);
    let length = files.map(|file| file.bytes).sum();
    let problems = workers.run(py, (watcher.as_ref(), length), |progress| {
        manifest.verify(&folder, progress)
    })?;
    Ok(Some(problems))
}

/// The plans that nobody has ended.
#[pyfunction]
pub(crate) fn plans<'py>(py: Python<'py>, store: &Store) -> Result<Bound<'py, PyAny>> {
    let found = store.look(py, |store| {
        let pins = store.catalog().plan_pins()?;
        let told = pins.into_iter().map(|(id, pin)| {
            let expires = Timestamp::from_millis(pin.expires).to_string();
            json!({"planId": id, "generation": pin.generation, "expires": expires, "jobId": pin.job})
        });
        Ok(told.collect::<Vec<Value>>())
    });
    told(py, found)
}

/// Refuses a plan of another organisation or sandbox.
#[pyfunction]
pub(crate) fn check_plan(py: Python<'_>, store: &Store, plan: &ShardPlan) -> Result<()> {
    let plan = plan.plan();
    store.look(py, |store| plan.check_scope(store))
}

/// Gives the plan with this ID up; says whether there was something to give up.
#[pyfunction]
pub(crate) fn abort(py: Python<'_>, store: &Store, id: &str, out: Option<PathBuf>) -> Result<bool> {
    let place = out.as_deref().map(Place::of);
    store.look(py, |store| match place {
        Some(Place::Bucket(address)) => bucket::abort_pinned(store, id, address),
        Some(Place::Folder(out)) => abort_pinned(store, id, Some(out)),
        None => abort_pinned(store, id, None),
    })
}

/// Forgets the exports that are not kept, or says which these are.
#[pyfunction]
pub(crate) fn forget<'py>(
    py: Python<'py>,
    store: &Store,
    keep: (usize, usize),
    dry_run: bool,
) -> Result<Bound<'py, PyAny>> {
    let (last, daily) = keep;
    let keep = Keep { last, daily };
    let jobs = store.look(py, |store| match dry_run {
        true => {
            sweep(store)?;
            jobs_to_forget(store, &keep)
        }
        false => forget_jobs(store, &keep),
    });
    told(py, jobs)
}
