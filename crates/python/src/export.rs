//! Exports: a request over a store as it was, or over record batches of the caller's own.

use std::path::PathBuf;
use std::sync::Arc;

use bucket::BucketOutput;
use platform::{Outcome, Prepared};
use profile_export::export::{Progress, Shard, WriterOptions};
use profile_export::jobs::{BatchNames, JobSegment};
use profile_export::request::RequestError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use serde_json::{Value, json};

use crate::errors::Result;
use crate::files::FileForm;
use crate::objects::{Schema, to_python, told};
use crate::place::shown;
use crate::rows::{Rows, Stream};
use crate::store::if_exists_of;
use crate::work::Workers;

/// A plan over the records as they were when it was made. Each pass over its rows works them out anew.
#[pyclass(frozen, module = "profile_export")]
pub(crate) struct Export {
    workers: Workers,
    prepared: Prepared,
}

impl Export {
    pub(crate) fn new(workers: Workers, prepared: Prepared) -> Self {
        Self { workers, prepared }
    }

    /// The same export, counted in another progress.
    fn watched(&self, progress: &Arc<Progress>) -> Prepared {
        let prepared = self.prepared.clone();
        Prepared {
            export: prepared.export.with_progress(Arc::clone(progress)),
            ..prepared
        }
    }

    fn check_number(&self, number: usize) -> Result<()> {
        let batches = self.prepared.export.batch_count();
        match number < batches {
            true => Ok(()),
            false => {
                let problem = format!("found {number}; there are {batches}, counted from 0");
                Err(RequestError::new("batch", problem).into())
            }
        }
    }

    fn policy(&self) -> Value {
        let policy = &self.prepared.policy;
        json!({"id": policy.id, "name": policy.name, "version": policy.version})
    }
}

#[pymethods]
impl Export {
    #[getter]
    fn schema(&self) -> Schema {
        Schema(self.prepared.export.schema())
    }

    /// The request, with IDs where it had names.
    #[getter]
    fn request<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.prepared.request)
    }

    #[getter]
    fn merge_policy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &self.prepared.policy)
    }

    #[getter]
    fn generation(&self) -> i64 {
        self.prepared.generation
    }

    /// The segment of each batch; `None` where all are in one.
    #[getter]
    fn batch_segments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let numbers = 0..self.prepared.export.batch_count();
        let segments = numbers.map(|number| self.prepared.request.batch_segment(number));
        to_python(py, &segments.collect::<Vec<_>>())
    }

    fn rows(&self, number: usize, watcher: Option<Py<PyAny>>) -> Result<Rows> {
        self.check_number(number)?;
        let workers = self.workers.clone();
        Ok(Rows::new(
            workers,
            (&self.prepared.export, number, Shard::ALL),
            watcher,
        ))
    }

    fn stream<'py>(&self, py: Python<'py>, number: usize) -> Result<Bound<'py, PyCapsule>> {
        self.check_number(number)?;
        let workers = self.workers.clone();
        Ok(Stream::capsule(
            py,
            workers,
            (&self.prepared.export, number),
        )?)
    }

    /// The segments of the request that no record names, as a job has them.
    fn unknown_segments<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let export = &self.prepared.export;
        let unknown = py.detach(|| export.unknown_segments())?.into_iter();
        Ok(to_python(
            py,
            &unknown.map(JobSegment::from).collect::<Vec<_>>(),
        )?)
    }

    /// Writes the only batch as a file; returns its profiles, events and bytes.
    fn write_file(
        &self,
        py: Python<'_>,
        path: PathBuf,
        replaces: bool,
        form: FileForm,
        watcher: Option<Bound<'_, PyAny>>,
    ) -> Result<(u64, u64, u64)> {
        let options = form.options()?;
        let outcome = self.workers.run(py, (watcher.as_ref(), 0), |progress| {
            self.watched(progress).write_file(&path, replaces, &options)
        })?;
        let Outcome { counts, bytes } = outcome;
        Ok((counts.profiles, counts.events, bytes))
    }

    /// Writes its batches below an address of an object store; returns what is there.
    fn write_to_bucket<'py>(
        &self,
        py: Python<'py>,
        address: &str,
        if_exists: &str,
        form: FileForm,
        watcher: Option<Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let (if_exists, options) = (if_exists_of(if_exists)?, form.options()?);
        let written = self.workers.run(py, (watcher.as_ref(), 0), |progress| {
            let output = BucketOutput::open(address, if_exists)?;
            output.write(&self.watched(progress), &BatchNames::Partitions, &options)
        })?;
        Ok(to_python(py, &shown(address, &written))?)
    }

    /// What each batch would have.
    fn plan<'py>(
        &self,
        py: Python<'py>,
        watcher: Option<Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let found = self.workers.run(py, (watcher.as_ref(), 0), |progress| {
            let prepared = self.watched(progress);
            let unknown = prepared.export.unknown_segments()?;
            Ok((unknown, prepared.outcomes(&WriterOptions::default())?))
        });
        let (unknown, outcomes) = found?;
        let request = &self.prepared.request;
        let batches: Vec<Value> = (outcomes.iter().enumerate())
            .map(|(number, Outcome { counts, bytes })| {
                let segment = request.batch_segment(number);
                json!({"segment": segment, "profiles": counts.profiles, "events": counts.events,
                       "lacking": counts.lacking, "duplicates": counts.duplicates, "bytes": bytes})
            })
            .collect();
        let schema = self.prepared.export.schema();
        let fields: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
        let unknown: Vec<&String> = unknown.iter().map(|segment| &segment.id).collect();
        let mut policy = self.policy();
        policy["why"] = json!(self.prepared.why_policy());
        let told = json!({"request": request, "mergePolicy": policy, "fields": fields,
                          "unknownSegments": unknown, "batches": batches});
        Ok(to_python(py, &told)?)
    }

    /// The first rows, as JSON has them.
    fn preview<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
        watcher: Option<Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let rows = self.workers.run(py, (watcher.as_ref(), 0), |progress| {
            self.watched(progress).first_rows(limit)
        });
        told(py, rows)
    }

    /// Why the profile of an identity is in it, or is not; `None` where there is none.
    fn explain<'py>(
        &self,
        py: Python<'py>,
        identity: (String, String),
        watcher: Option<Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>> {
        let (namespace, id) = identity;
        let explanation = self.workers.run(py, (watcher.as_ref(), 0), |progress| {
            Ok(self.watched(progress).export.explain(&namespace, &id)?)
        })?;
        let told =
            explanation.map(|found| json!({"mergePolicy": self.policy(), "explanation": found}));
        Ok(to_python(py, &told)?)
    }
}
