//! A store: records in, exports, jobs and definitions out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use platform::{
    Error, ErrorKind, IfExists, Manifest, ManifestExport, OutputFolder, Prepared, SegmentJobTarget,
    SourceFolder,
};
use profile_export::jobs::{
    BatchNames, JobPage, RunOptions, get_job, list_jobs, run_request, sweep,
};
use profile_export::platform::{
    check_definition, check_out, dataset_id, evaluate_segments, expression_schema, merge_policies,
    policy_of_segment, put_segment, segment_id, segments, with_ids, with_target,
};
use profile_export::request::{ExportRequest, RequestError};
use profile_export::segment::{Expression, Segment};
use profile_export::sharded::{PlanOptions, abort_plan, commit_plan, plan_shards};
use profile_export::store::{
    BatchQuery, CatalogError, Kind, LoadReport, Scope, Store as EngineStore,
};
use profile_export::xdm::Timestamp;
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::errors::Result;
use crate::export::Export;
use crate::files::FileForm;
use crate::ingest::{BadRecords, Load, Target, moment};
use crate::objects::told;
use crate::shards::ShardPlan;
use crate::work::Workers;

/// An open store.
#[pyclass(frozen, module = "profile_export")]
pub(crate) struct Store {
    folder: PathBuf,
    store: Arc<EngineStore>,
    workers: Workers,
}

/// A progress callback of Python's side, if there is one.
type Watcher<'py> = Option<Bound<'py, PyAny>>;

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
        self.ingest(py, Load::of_files(target, &files)?, bad_records, watcher)
    }

    fn ingest_data<'py>(
        &self,
        py: Python<'py>,
        data: Bound<'py, PyAny>,
        target: Target,
        bad_records: BadRecords,
        watcher: Watcher<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        self.ingest(py, Load::of_data(target, &data)?, bad_records, watcher)
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
        form: FileForm,
        max_rows_per_file: Option<usize>,
        max_identities: Option<u32>,
        watcher: Watcher<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let request = ExportRequest::from_json(request.as_bytes())?;
        let if_exists = if_exists_of(if_exists)?;
        let options = RunOptions {
            out,
            names: BatchNames::Partitions,
            max_rows_per_file,
            max_identities,
            writer: form.options()?,
            ..RunOptions::default()
        };
        let finished = self.workers.run(py, (watcher.as_ref(), 0), |progress| {
            self.run_job(&request, &options, if_exists, progress)
        });
        told(py, finished)
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

    /// Refuses a folder that an export can't go into, before anything is made.
    fn check_target(&self, py: Python<'_>, out: PathBuf, if_exists: &str) -> Result<()> {
        let if_exists = if_exists_of(if_exists)?;
        self.workers.run(py, (None, 0), |_| {
            OutputFolder::check(&out, Some(&self.folder), if_exists)
        })
    }

    /// Shows the export of a plan; returns its job, also where it was shown before; `None` where the store has forgotten that.
    fn commit<'py>(
        &self,
        py: Python<'py>,
        plan: &ShardPlan,
        out: PathBuf,
        if_exists: &str,
        watcher: Watcher<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let if_exists = if_exists_of(if_exists)?;
        let finished = self.workers.run(py, (watcher.as_ref(), 0), |progress| {
            let plan = plan.plan();
            let finished = commit_plan(&self.store, plan, (&out, if_exists), progress)?;
            if let Some(finished) = finished {
                return Ok(Some(finished.job));
            }
            let manifest = Manifest::read(&out)?.unwrap_or_else(Manifest::empty);
            let of_plan = |export: &&ManifestExport| export.plan_id.as_deref() == Some(&*plan.id);
            let job = manifest.exports.iter().find(of_plan);
            match job.and_then(|export| export.job_id) {
                None => Ok(None),
                Some(job) => match get_job(&self.store, job) {
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    job => job.map(Some),
                },
            }
        })?;
        told(py, Ok(finished))
    }

    /// Gives a plan up; says whether there was something to give up.
    fn abort(&self, py: Python<'_>, plan: &ShardPlan, out: Option<PathBuf>) -> Result<bool> {
        self.workers.run(py, (None, 0), |_| {
            abort_plan(&self.store, plan.plan(), out.as_deref())
        })
    }

    /// Evaluates segment definitions, all that have an expression where none is named; returns the segment job.
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        wanted: Vec<String>,
        now: Option<String>,
        watcher: Watcher<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let now = moment("now", now.as_deref())?.unwrap_or_else(Timestamp::now);
        let job = self.workers.run(py, (watcher.as_ref(), 0), |progress| {
            let ids = wanted
                .iter()
                .map(|word| segment_id(self.store.catalog(), word, "segments"));
            let target = match wanted.is_empty() {
                true => SegmentJobTarget::All,
                false => SegmentJobTarget::Segments(ids.collect::<Result<_, _>>()?),
            };
            evaluate_segments(&self.store, &target, now, progress)
        });
        told(py, job)
    }

    /// Counts whom an expression takes, with nothing written.
    fn estimate<'py>(
        &self,
        py: Python<'py>,
        expression: &str,
        merge_policy: Option<String>,
        now: Option<String>,
        watcher: Watcher<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let refused = |error: profile_export::segment::ExpressionError| {
            RequestError::new("expression", error.to_string())
        };
        let now = moment("now", now.as_deref())?.unwrap_or_else(Timestamp::now);
        let read = Expression::parse(expression).map_err(refused)?;
        let estimate = self.workers.run(py, (watcher.as_ref(), 0), |progress| {
            let catalog = self.store.catalog();
            let checked = read.check(&expression_schema(catalog)?).map_err(refused)?;
            let policy = merge_policy.as_deref();
            let policy = policy
                .map(|word| platform::policy_id(catalog, word, "merge_policy"))
                .transpose()?;
            let policy = policy_of_segment(catalog, policy.as_deref(), None)?;
            let id = policy.id.clone();
            let segment = Segment::new("(expression)".to_owned(), checked);
            let found = platform::estimate(&self.store, policy, vec![segment], now, progress)?;
            Ok(
                json!({"members": found.members.first(), "profiles": found.profiles,
                      "optedOut": found.opted_out, "mergePolicyId": id, "now": now.to_string()}),
            )
        });
        told(py, estimate)
    }

    fn jobs<'py>(
        &self,
        py: Python<'py>,
        limit: Option<u32>,
        status: Option<String>,
    ) -> Result<Bound<'py, PyAny>> {
        let page = JobPage {
            limit,
            status,
            ..JobPage::default()
        };
        let jobs = self.workers.run(py, (None, 0), |_| {
            sweep(&self.store)?;
            Ok(list_jobs(&self.store, &page)?.records)
        });
        told(py, jobs)
    }

    fn job<'py>(&self, py: Python<'py>, id: i64) -> Result<Bound<'py, PyAny>> {
        let job = self.workers.run(py, (None, 0), |_| {
            sweep(&self.store)?;
            get_job(&self.store, id)
        });
        told(py, job)
    }

    fn batches<'py>(&self, py: Python<'py>, dataset: Option<String>) -> Result<Bound<'py, PyAny>> {
        let batches = self.workers.run(py, (None, 0), |_| {
            let catalog = self.store.catalog();
            let dataset = dataset.as_ref().map(|word| dataset_id(catalog, word));
            let query = BatchQuery {
                dataset: dataset.transpose()?,
                ..BatchQuery::default()
            };
            Ok(catalog.batches(&query)?)
        });
        told(py, batches)
    }

    /// Where the files of a batch are.
    fn batch_files(&self, py: Python<'_>, id: &str) -> Result<Vec<PathBuf>> {
        self.workers.run(py, (None, 0), |_| {
            let batch = self.store.catalog().batch(id)?;
            let batch = batch.ok_or_else(|| CatalogError::not_found(Kind::Batch, id))?;
            let folder = self.store.batch_folder(&batch);
            Ok(batch
                .files
                .iter()
                .map(|file| folder.join(&file.name))
                .collect())
        })
    }

    fn datasets<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let found = (self.workers).run(py, (None, 0), |_| Ok(self.store.catalog().datasets()?));
        told(py, found)
    }

    fn merge_policies<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let found = (self.workers).run(py, (None, 0), |_| merge_policies(self.store.catalog()));
        told(py, found)
    }

    fn segments<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        let found = (self.workers).run(py, (None, 0), |_| segments(self.store.catalog()));
        told(py, found)
    }

    /// Keeps a segment definition, checked; returns it as it is kept.
    fn put_segment<'py>(&self, py: Python<'py>, definition: &str) -> Result<Bound<'py, PyAny>> {
        let definition: Value = serde_json::from_str(definition)
            .map_err(|error| RequestError::new(".", error.to_string()))?;
        let kept = self.workers.run(py, (None, 0), |_| {
            check_definition(&definition)?;
            put_segment(self.store.catalog(), definition)
        });
        told(py, kept)
    }
}

impl Store {
    fn ingest<'py>(
        &self,
        py: Python<'py>,
        load: Load,
        bad_records: BadRecords,
        watcher: Watcher<'py>,
    ) -> Result<Bound<'py, PyAny>> {
        let options = bad_records.options();
        let watched = (watcher.as_ref(), load.length());
        let report = (self.workers).run(py, watched, |progress| {
            load.load(&self.store, &options, progress)
        });
        told(py, report.map(report_of))
    }

    fn run_job(
        &self,
        request: &ExportRequest,
        options: &RunOptions,
        if_exists: IfExists,
        progress: &Arc<profile_export::export::Progress>,
    ) -> Result<Value, Error> {
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
        if let Some(output) = output {
            output.finish(&finished, Some(store))?;
        }
        serde_json::to_value(&finished.job).map_err(|error| Error::Panic(error.to_string()))
    }
}

fn if_exists_of(word: &str) -> Result<IfExists, RequestError> {
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
