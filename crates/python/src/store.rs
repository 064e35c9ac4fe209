//! A store: records in, exports, jobs and definitions out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bucket::{BucketOutput, commit_plan as commit_to_bucket};
use platform::{Error, ErrorKind, IfExists, Manifest, OutputFolder, Prepared, SourceFolder};
use profile_export::export::Progress;
use profile_export::jobs::{BatchNames, Job, RunOptions, get_job, run_request};
use profile_export::platform::{Lookups, check_out, with_ids, with_target};
use profile_export::request::{ExportRequest, RequestError};
use profile_export::sharded::{
    Committed, PlanOptions, ShardPlan as EnginePlan, commit_plan, plan_shards,
};
use profile_export::store::{LoadReport, Scope, Store as EngineStore};
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::errors::{Failure, Result};
use crate::export::Export;
use crate::files::{FileForm, template_of};
use crate::ingest::{BadRecords, Load, Target};
use crate::objects::{to_python, told};
use crate::place::{self, Place};
use crate::shards::ShardPlan;
use crate::sources::Sources;
use crate::work::Workers;

/// An open store.
#[pyclass(frozen, module = "profile_export")]
pub(crate) struct Store {
    folder: PathBuf,
    store: Arc<EngineStore>,
    lookups: Lookups,
    workers: Workers,
}

/// A progress callback of Python's side, if there is one.
pub(crate) type Watcher<'py> = Option<Bound<'py, PyAny>>;

#[pymethods]
impl Store {
    #[new]
    fn new(
        py: Python<'_>,
        folder: PathBuf,
        org: Option<String>,
        sandbox: Option<String>,
        threads: Option<usize>,
    ) -> Result<Self> {
        let defaults = Scope::default();
        let scope = Scope {
            org: org.unwrap_or(defaults.org),
            sandbox: sandbox.unwrap_or(defaults.sandbox),
        };
        let workers = Workers::new(threads)?;
        let at = folder.clone();
        let opened = workers.run(py, (None, 0), move |_| Ok(EngineStore::open(at, scope)?))?;
        Ok(Self {
            folder,
            store: Arc::new(opened),
            lookups: Lookups::default(),
            workers,
        })
    }

    #[getter]
    fn path(&self) -> &Path {
        &self.folder
    }

    fn ingest_folder<'py>(
        &self,
        py: Python<'py>,
        source: PathBuf,
        bad_records: BadRecords,
        watcher: Watcher<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let options = bad_records.options();
        let source = SourceFolder::open(&source)?;
        let watched = (watcher.as_ref(), source.length());
        let report = (self.workers).run(py, watched, |progress| {
            source.load(&self.store, &options, progress)
        });
        told(py, report.map(report_of))
    }

    fn ingest_files<'py>(
        &self,
        py: Python<'py>,
        files: Vec<String>,
        target: Target,
        bad_records: BadRecords,
        watcher: Watcher<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let load = Load::of_files(target, &files)?;
        self.ingest(py, (load, Sources::new()), bad_records, watcher)
    }

    fn ingest_data<'py>(
        &self,
        py: Python<'py>,
        data: Bound<'py, PyAny>,
        target: Target,
        bad_records: BadRecords,
        watcher: Watcher<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let mut sources = Sources::new();
        let load = Load::of_data(target, &data, &mut sources)?;
        self.ingest(py, (load, sources), bad_records, watcher)
    }

    /// Prepares an export; one that is only looked at evaluates no segments.
    fn export(
        &self,
        py: Python<'_>,
        request: &str,
        max_identities: Option<u32>,
        only_looks: bool,
        watcher: Watcher<'_>,
    ) -> Result<Export> {
        let request = ExportRequest::from_json(request.as_bytes())?;
        let prepare = match only_looks {
            true => Prepared::new,
            false => Prepared::to_write,
        };
        let prepared = self.workers.run(py, (watcher.as_ref(), 0), |progress| {
            prepare(&self.store, &request, max_identities, progress)
        })?;
        Ok(Export::new(self.workers.clone(), prepared))
    }

    /// Runs a request as a job, into the store or into a folder with a manifest; returns the job.
    #[expect(clippy::too_many_arguments, reason = "Python's side names each")]
    fn run<'py>(
        &self,
        py: Python<'py>,
        request: &str,
        out: Option<PathBuf>,
        if_exists: &str,
        name_template: Option<&str>,
        form: FileForm,
        max_rows_per_file: Option<usize>,
        max_identities: Option<u32>,
        watcher: Watcher<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let request = ExportRequest::from_json(request.as_bytes())?;
        let if_exists = if_exists_of(if_exists)?;
        let writer = form.options()?;
        let names = match name_template {
            None => BatchNames::Partitions,
            Some(_) if out.is_none() => {
                let problem = "found one, but no out: what is in the store has names of its own";
                return Err(RequestError::new("name_template", problem).into());
            }
            Some(template) => BatchNames::Template(template_of(template, &writer.format)?),
        };
        let options = RunOptions {
            out,
            names,
            max_rows_per_file,
            max_identities,
            writer,
            ..RunOptions::default()
        };
        let ran = self.workers.run(py, (watcher.as_ref(), 0), |progress| {
            self.run_job(&request, &options, if_exists, progress)
        })?;
        match ran.unsaid {
            None => Ok(to_python(py, &ran.job)?),
            // What is there has to be told, however it ends.
            Some(error) => Err(Failure::Unsaid(Box::new((error, ran.job)))),
        }
    }

    /// Plans an export in shards.
    #[expect(clippy::too_many_arguments, reason = "Python's side names each")]
    fn plan_shards(
        &self,
        py: Python<'_>,
        request: &str,
        shards: usize,
        form: FileForm,
        max_identities: Option<u32>,
        keep_for: Option<f64>,
        watcher: Watcher<'_>,
    ) -> Result<ShardPlan> {
        let request = ExportRequest::from_json(request.as_bytes())?;
        let keep_for = match keep_for {
            None => PlanOptions::WEEK,
            Some(seconds) => Duration::try_from_secs_f64(seconds)
                .map_err(|error| RequestError::new("keep_for", error.to_string()))?,
        };
        let options = PlanOptions {
            shards,
            max_identities,
            writer: form.options()?,
            keep_for,
        };
        let planned = self.workers.run(py, (watcher.as_ref(), 0), |progress| {
            plan_shards(&self.store, &request, &options, progress)
        })?;
        Ok(ShardPlan::new(planned))
    }

    /// Refuses a place that an export can't go into, before anything is made.
    fn check_target(&self, py: Python<'_>, out: PathBuf, if_exists: &str) -> Result<()> {
        let if_exists = if_exists_of(if_exists)?;
        self.look(py, |_| match Place::of(&out) {
            Place::Folder(out) => OutputFolder::check(out, Some(&self.folder), if_exists),
            Place::Bucket(address) => BucketOutput::open(address, if_exists).map(drop),
        })
    }

    /// Shows the export of a plan; returns its job, or what is below an address, also where it was shown before; `None` where
    /// the store has forgotten the job.
    fn commit<'py>(
        &self,
        py: Python<'py>,
        plan: &ShardPlan,
        out: PathBuf,
        if_exists: &str,
        watcher: Watcher<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let if_exists = if_exists_of(if_exists)?;
        let plan = plan.plan();
        let shown = self.work(
            py,
            (watcher.as_ref(), 0),
            |store, progress| match Place::of(&out) {
                Place::Bucket(address) => {
                    let to = (address, if_exists);
                    Ok(Some(match commit_to_bucket(store, plan, to, progress)? {
                        Committed::Now(written) => place::shown(address, &written),
                        Committed::Before(export) => place::shown_before(address, &export),
                    }))
                }
                Place::Folder(out) => {
                    let finished = commit_plan(store, plan, (out, if_exists), progress)?;
                    let job = match finished {
                        Some(finished) => Some(finished.job),
                        None => job_before(store, plan, out)?,
                    };
                    job.map(|job| value(&job)).transpose()
                }
            },
        );
        told(py, shown)
    }
}

impl Store {
    fn ingest<'py>(
        &self,
        py: Python<'py>,
        (load, sources): (Load, Sources),
        bad_records: BadRecords,
        watcher: Watcher<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let options = bad_records.options();
        let watched = (watcher.as_ref(), load.length());
        let report = (self.workers).run_over(py, watched, sources, |progress| {
            load.load(&self.store, &options, progress)
        });
        told(py, report.map(report_of))
    }

    /// Does something with the store that is over soon.
    pub(crate) fn look<T: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&EngineStore) -> Result<T, Error> + Send,
    ) -> Result<T> {
        self.workers.run(py, (None, 0), |_| f(&self.store))
    }

    /// Does long work with it; see [`Workers::run`].
    pub(crate) fn work<T: Send>(
        &self,
        py: Python<'_>,
        watched: (Option<&Bound<'_, PyAny>>, u64),
        f: impl FnOnce(&EngineStore, &Arc<Progress>) -> Result<T, Error> + Send,
    ) -> Result<T> {
        self.workers
            .run(py, watched, |progress| f(&self.store, progress))
    }

    /// What look-ups of profiles share.
    pub(crate) fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    fn run_job(
        &self,
        request: &ExportRequest,
        options: &RunOptions,
        if_exists: IfExists,
        progress: &Arc<Progress>,
    ) -> Result<Ran, Error> {
        let output = match &options.out {
            None => None,
            Some(out) => {
                check_out(out, Some(&self.folder))?;
                Some(OutputFolder::open(out, Some(&self.folder), if_exists)?)
            }
        };
        let store = &*self.store;
        let request = with_target(store, &with_ids(store.catalog(), request)?)?;
        let options = RunOptions {
            replaces: output
                .as_ref()
                .map_or_else(BTreeSet::new, OutputFolder::replaceable),
            ..options.clone()
        };
        let finished = run_request(store, &request, &options, progress)?;
        let said = output.map(|output| output.finish(&finished, Some(store)));
        Ok(Ran {
            job: value(&finished.job)?,
            unsaid: said.and_then(Result::err),
        })
    }
}

/// A job that succeeded.
struct Ran {
    job: Value,
    /// Why no manifest names its batches, where none could be written.
    unsaid: Option<Error>,
}

/// The job of a plan that was committed before; `None` where the store has forgotten it.
fn job_before(store: &EngineStore, plan: &EnginePlan, out: &Path) -> Result<Option<Job>, Error> {
    let manifest = Manifest::read(out)?.unwrap_or_else(Manifest::empty);
    let Some(job) = manifest.of_plan(&plan.id).and_then(|export| export.job_id) else {
        return Ok(None);
    };
    match get_job(store, job) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        job => job.map(Some),
    }
}

fn value(job: &Job) -> Result<Value, Error> {
    serde_json::to_value(job).map_err(|error| Error::Panic(error.to_string()))
}

pub(crate) fn if_exists_of(word: &str) -> Result<IfExists, RequestError> {
    Ok(match word {
        "fail" => IfExists::Fail,
        "replace" => IfExists::Replace,
        "append" => IfExists::Append,
        other => {
            let problem = format!("found {other:?}; allowed: fail, replace, append");
            return Err(RequestError::new("if_exists", problem));
        }
    })
}

fn report_of(report: LoadReport) -> Value {
    json!({"read": report.read, "loaded": report.loaded, "dropped": report.dropped, "bad": report.bad,
           "merged": report.merged, "not_merged": report.not_merged})
}
