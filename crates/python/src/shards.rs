//! Plans of exports in shards: what crosses to other machines, and what these do with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use platform::Error;
use profile_export::export::Progress;
use profile_export::request::RequestError;
use profile_export::sharded::{ShardPlan as EnginePlan, keep_plan, run_shard};
use pyo3::prelude::*;

use crate::errors::Result;
use crate::objects::{Schema, to_python, told};
use crate::place::Place;
use crate::rows::Rows;
use crate::work::Workers;

/// All that it takes to make any shard of an export.
#[pyclass(frozen, module = "profile_export._profile_export")]
pub(crate) struct ShardPlan(EnginePlan);

impl ShardPlan {
    pub(crate) fn new(plan: EnginePlan) -> Self {
        Self(plan)
    }

    pub(crate) fn plan(&self) -> &EnginePlan {
        &self.0
    }
}

#[pymethods]
impl ShardPlan {
    #[staticmethod]
    fn from_json(text: &str) -> Result<Self> {
        let plan = EnginePlan::from_json(text.as_bytes());
        Ok(Self(
            plan.map_err(|problem| RequestError::new("plan", problem))?,
        ))
    }

    /// The plan in a file.
    #[staticmethod]
    fn read(path: PathBuf) -> Result<Self> {
        Ok(Self(EnginePlan::read(&path)?))
    }

    /// Writes it into a file, whole or not at all.
    fn write(&self, path: PathBuf) -> Result<()> {
        Ok(self.0.write(&path)?)
    }

    fn to_json(&self) -> Result<String> {
        let text = String::from_utf8(self.0.to_json()?);
        Ok(text.map_err(|error| Error::Panic(error.to_string()))?)
    }

    #[getter]
    fn id(&self) -> &str {
        &self.0.id
    }

    #[getter]
    fn generation(&self) -> i64 {
        self.0.generation
    }

    #[getter]
    fn expires(&self) -> &str {
        &self.0.expires
    }

    #[getter]
    fn store(&self) -> &Path {
        &self.0.store
    }

    #[getter]
    fn schema(&self) -> Result<Schema> {
        Ok(Schema(self.0.schema()?))
    }

    #[getter]
    fn request<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.0.request)
    }

    #[getter]
    fn unknown_segments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.0.unknown_segments)
    }

    #[getter]
    fn batch_count(&self) -> Result<usize> {
        Ok(self.0.batch_count()?)
    }

    fn __len__(&self) -> usize {
        self.0.shards.len()
    }

    /// Makes a shard; returns its manifest.
    #[expect(clippy::too_many_arguments, reason = "Python's side names each")]
    fn run_shard<'py>(
        &self,
        py: Python<'py>,
        shard: usize,
        attempt: &str,
        out: PathBuf,
        store: Option<PathBuf>,
        threads: Option<usize>,
        watcher: Option<Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let workers = Workers::new(threads)?;
        let store = store.as_deref();
        let made = workers.run(py, (watcher.as_ref(), 0), |progress| {
            match Place::of(&out) {
                Place::Folder(out) => run_shard(&self.0, shard, attempt, (store, out), progress),
                Place::Bucket(address) => {
                    bucket::run_shard(&self.0, shard, attempt, (store, address), progress)
                }
            }
        });
        told(py, made)
    }

    /// Keeps it beside the attempts at its shards.
    fn keep(&self, py: Python<'_>, out: PathBuf) -> Result<()> {
        let workers = Workers::new(Some(1))?;
        workers.run(py, (None, 0), |_| match Place::of(&out) {
            Place::Folder(out) => keep_plan(&self.0, out),
            Place::Bucket(address) => bucket::keep_plan(&self.0, address),
        })
    }

    /// The rows of a shard of a batch.
    fn rows(
        &self,
        py: Python<'_>,
        number: (usize, usize),
        store: Option<PathBuf>,
        threads: Option<usize>,
        watcher: Option<Py<PyAny>>,
    ) -> Result<Rows> {
        let (shard, batch) = number;
        let range = self.0.shard(shard)?;
        let batches = self.0.batch_count()?;
        if batch >= batches {
            let problem = format!("found {batch}; there are {batches}, counted from 0");
            return Err(RequestError::new("batch", problem).into());
        }
        let workers = Workers::new(threads)?;
        let export = workers.run(py, (None, 0), |progress: &Arc<Progress>| {
            self.0.export(store.as_deref(), progress)
        })?;
        Ok(Rows::new(workers, (&export, batch, range), watcher))
    }
}
