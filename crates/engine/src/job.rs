//! The life of an export job.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};
use store::{BatchRecord, Dataset, JobRecord, Progress, Store, StoreError, new_id};
use writer::{FileInfo, StagedBatch};

use crate::documents::resolve_policy;
use crate::error::{Error, Result};
use crate::memory::peak_memory;
use crate::export::{ExportOptions, Exported, export};
use crate::plan::Plan;
use crate::request::{ExportRequest, MergePolicyRef, RequestError};

/// How a job is run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Where batches are published; the store's own folder where it is missing.
    pub out: Option<PathBuf>,
    /// Rows after which a batch's next file begins.
    pub max_rows_per_file: Option<usize>,
}

/// What a job that succeeded wrote.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The job object.
    pub job: Value,
    /// Each batch's folder and files.
    pub batches: Vec<(PathBuf, Vec<FileInfo>)>,
    /// Rows in all batches.
    pub profiles: u64,
    /// Events in all rows.
    pub events: u64,
}

/// Creates a job from a request; it reads the store as it stands now.
///
/// # Errors
/// A request that can't be done as asked; then nothing is created.
pub fn create_job(store: &Store, request: &ExportRequest) -> Result<JobRecord> {
    let catalog = store.catalog();
    let target = &request.destination.dataset_id;
    let dataset = catalog.dataset(target)?.filter(|d| d.id == *target);
    let problem = match dataset {
        None => Some(format!("no dataset {target:?}; create it first")),
        Some(dataset) => dataset.why_no_target(),
    };
    if let Some(problem) = problem {
        return Err(RequestError::new("destination.datasetId", problem).into());
    }
    let policy = resolve_policy(catalog, request)?;
    let plan = Plan::new(
        request,
        policy,
        &catalog.union(xdm::Class::Profile, None)?,
        &catalog.union(xdm::Class::Event, None)?,
    )?;
    let now = now_millis();
    let ids: Vec<String> = plan.batches.iter().map(|_| new_id()).collect();
    Ok(catalog.create_job(now, |id| job_object(store, request, &plan, id, &ids, now))?)
}

/// Runs a job that was created and waits for its end.
///
/// # Errors
/// [`Error::JobFailed`] where the job failed: then it says so in the catalog too, and no batch of it
/// is visible. A cancelled one ends with [`StoreError::Cancelled`].
pub fn run_job(
    store: &Store,
    job: &JobRecord,
    options: &RunOptions,
    progress: &Progress,
) -> Result<Finished> {
    sweep(store)?;
    let mut body = job.body.clone();
    let started = Instant::now();
    let staging = JobStaging::create(store, job.id)?;
    set(&mut body, "status", json!("PROCESSING"));
    update(store, job.id, "PROCESSING", &mut body, &[])?;
    let result = work(store, job, options, progress, &mut body, &staging.folder);
    let result = result.and_then(|(published, exported)| {
        finish(store, job, &mut body, &started, published, exported)
    });
    match result {
        Ok(finished) => Ok(finished),
        Err(error) => {
            let status = if error.is_cancelled() {
                "CANCELLED"
            } else {
                "FAILED"
            };
            if !error.is_cancelled() {
                set(&mut body, "errors", json!([error_object(&error)]));
            }
            set(&mut body, "status", json!(status));
            end_times(&mut body, "totalTime", started.elapsed().as_millis());
            update(store, job.id, status, &mut body, &[])?;
            if error.is_cancelled() {
                return Err(error);
            }
            Err(Error::JobFailed {
                id: job.id,
                message: error.to_string(),
            })
        }
    }
}

type Published = Vec<(String, PathBuf, Vec<FileInfo>)>;

fn work(
    store: &Store,
    job: &JobRecord,
    options: &RunOptions,
    progress: &Progress,
    body: &mut Value,
    staging: &Path,
) -> Result<(Published, Vec<Exported>)> {
    let request = request_of(&job.body)?;
    let snapshot = store.snapshot(Some(job.generation))?;
    let policy = resolve_policy(store.catalog(), &request)?;
    let plan = Plan::new(
        &request,
        policy,
        &snapshot.profile_union,
        &snapshot.event_union,
    )?;
    let ids = batch_ids(&job.body);
    let target = options
        .out
        .clone()
        .unwrap_or_else(|| store.batches_folder());
    fs::create_dir_all(&target).map_err(|source| StoreError::Io {
        path: target.clone(),
        source,
    })?;
    let settings = ExportOptions {
        staging,
        target: &target,
        ids: &ids,
        metadata: vec![
            (
                "profile-export.request".to_owned(),
                request.to_json().to_string(),
            ),
            ("profile-export.jobId".to_owned(), job.id.to_string()),
            (
                "profile-export.mergePolicy".to_owned(),
                json!(plan.policy).to_string(),
            ),
            (
                "profile-export.generation".to_owned(),
                job.generation.to_string(),
            ),
        ],
        max_rows_per_file: options.max_rows_per_file,
        durable: store.is_durable() || options.out.is_some(),
    };
    let start = Instant::now();
    let (staged, exported): (Vec<StagedBatch>, Vec<Exported>) =
        export(&snapshot, &plan, &settings, progress)?
            .into_iter()
            .unzip();
    end_times(body, "profileExportTime", start.elapsed().as_millis());
    progress.check()?;
    let start = Instant::now();
    let mut published: Published = Vec::new();
    for (id, batch) in ids.into_iter().zip(staged) {
        let files = batch.files().to_vec();
        match batch.publish() {
            Ok(folder) => published.push((id, folder, files)),
            Err(error) => {
                withdraw(&published);
                return Err(error.into());
            }
        }
    }
    end_times(body, "aCPDatasetWriteTime", start.elapsed().as_millis());
    Ok((published, exported))
}

/// Takes back the batches of a job that fails after it published some of them.
fn withdraw(published: &Published) {
    for (_, folder, _) in published {
        let _ = fs::remove_dir_all(folder);
    }
}

fn finish(
    store: &Store,
    job: &JobRecord,
    body: &mut Value,
    started: &Instant,
    published: Published,
    exported: Vec<Exported>,
) -> Result<Finished> {
    let mut by_namespace: BTreeMap<String, u64> = BTreeMap::new();
    let (mut profiles, mut events) = (0, 0);
    for batch in &exported {
        profiles += batch.profiles;
        events += batch.events;
        for (namespace, count) in &batch.by_namespace {
            *by_namespace.entry(namespace.clone()).or_default() += count;
        }
    }
    let bytes: u64 = published
        .iter()
        .flat_map(|(_, _, files)| files)
        .map(|file| file.length)
        .sum();
    end_times(body, "totalTime", started.elapsed().as_millis());
    let segments = body.pointer("/destination/batches").cloned();
    let by_segment: serde_json::Map<String, Value> = segments
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .zip(&exported)
        .map(|(batch, exported)| {
            let id = batch
                .get("segmentId")
                .and_then(Value::as_str)
                .unwrap_or_default();
            (id.to_owned(), json!(exported.profiles))
        })
        .collect();
    if let Some(metrics) = body.get_mut("metrics") {
        set(metrics, "totalExportedProfileCounter", json!(profiles));
        set(
            metrics,
            "exportedProfileByNamespaceCounter",
            json!(by_namespace),
        );
        set(metrics, "totalExportedEventCounter", json!(events));
        set(metrics, "totalWrittenBytes", json!(bytes));
        set(metrics, "peakMemoryBytes", json!(peak_memory()));
        if !by_segment.is_empty() {
            set(
                metrics,
                "exportedProfileBySegmentCounter",
                Value::Object(by_segment),
            );
        }
    }
    set(body, "status", json!("SUCCEEDED"));
    let dataset = body
        .pointer("/destination/datasetId")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let records: Vec<BatchRecord> = published
        .iter()
        .zip(&exported)
        .map(|((id, _, files), exported)| BatchRecord {
            id: id.clone(),
            dataset: dataset.clone(),
            body: json!({
                "jobId": job.id,
                "profiles": exported.profiles,
                "events": exported.events,
                "files": files.iter().map(|file| json!({
                    "name": file.name,
                    "length": file.length,
                    "rows": file.rows,
                    "digest": format!("xxh3-128:{:032x}", file.digest),
                })).collect::<Vec<_>>(),
            }),
        })
        .collect();
    if let Err(error) = update(store, job.id, "SUCCEEDED", body, &records) {
        withdraw(&published);
        return Err(error);
    }
    Ok(Finished {
        job: body.clone(),
        batches: published
            .into_iter()
            .map(|(_, folder, files)| (folder, files))
            .collect(),
        profiles,
        events,
    })
}

/// Fails the jobs whose process is gone and deletes what dead jobs left behind.
///
/// # Errors
/// The catalog or the folders can't be read or written.
pub fn sweep(store: &Store) -> Result<()> {
    let folder = store.staging_folder();
    let io = |source| StoreError::Io {
        path: folder.clone(),
        source,
    };
    let mut live = HashSet::new();
    for job in store.catalog().processing_jobs()? {
        let path = folder.join(job.id.to_string());
        let alive = match File::open(path.join("lock")) {
            Ok(lock) => lock.try_lock_shared().is_err(),
            Err(_) => false,
        };
        if alive {
            live.extend(batch_ids(&job.body));
            live.insert(job.id.to_string());
            continue;
        }
        let mut body = job.body.clone();
        set(&mut body, "status", json!("FAILED"));
        set(
            &mut body,
            "errors",
            json!([{
                "code": "PE-0010",
                "msg": "the process that ran the job is gone; run the request again",
                "callStack": "",
            }]),
        );
        store.catalog().fail_dead_job(job.id, &body)?;
    }
    for entry in fs::read_dir(&folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let held = File::open(path.join("lock")).is_ok_and(|lock| lock.try_lock_shared().is_err());
        if !held {
            // Another process may be faster.
            let _ = fs::remove_dir_all(&path);
        }
    }
    store.sweep_batches(&live)?;
    Ok(())
}

/// A running job's folder, with a lock that the process holds as long as it lives.
struct JobStaging {
    folder: PathBuf,
    _lock: File,
}

impl JobStaging {
    fn create(store: &Store, id: i64) -> Result<Self> {
        let folder = store.staging_folder().join(id.to_string());
        let io = |source| StoreError::Io {
            path: folder.clone(),
            source,
        };
        fs::create_dir_all(&folder).map_err(io)?;
        let lock = File::create(folder.join("lock")).map_err(io)?;
        lock.try_lock().map_err(|_| {
            StoreError::Refused(format!("job {id} is run by another process already"))
        })?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }
}

impl Drop for JobStaging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn job_object(
    store: &Store,
    request: &ExportRequest,
    plan: &Plan,
    id: i64,
    batches: &[String],
    now: i64,
) -> Value {
    let body = request.to_json();
    let mut destination = json!({
        "datasetId": request.destination.dataset_id,
        "dataSetId": request.destination.dataset_id,
        "segmentPerBatch": request.destination.segment_per_batch.unwrap_or(false),
    });
    if request.destination.segment_per_batch == Some(true) {
        let list: Vec<Value> = plan
            .batches
            .iter()
            .flat_map(|batch| &batch.segments)
            .zip(batches)
            .map(|(segment, batch)| {
                json!({
                    "segmentId": segment.id,
                    "segmentNs": segment.namespace,
                    "status": segment.statuses.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "batchId": batch,
                })
            })
            .collect();
        set(&mut destination, "batches", json!(list));
    } else if let [batch] = batches {
        set(&mut destination, "batchId", json!(batch));
    }
    let mut job = json!({
        "id": id,
        "jobType": "BATCH",
        "profileInstanceId": "ups",
        "destination": destination,
        "schema": body.get("schema"),
        "mergePolicy": MergePolicyRef {
            id: plan.policy.id.clone(),
            version: Some(plan.policy.version),
        },
        "status": "NEW",
        "requestId": new_id(),
        "computeGatewayJobId": {"exportJob": ""},
        "metrics": {"totalTime": {"startTimeInMs": now}},
        "errors": [],
        "imsOrgId": store.catalog().scope().org,
        "creationTime": now,
        "updateTime": now,
    });
    for name in ["fields", "filter", "additionalFields"] {
        if let Some(value) = body.get(name) {
            set(&mut job, name, value.clone());
        }
    }
    job
}

/// The request that a job object echoes, with the merge policy as it was resolved.
fn request_of(job: &Value) -> Result<ExportRequest> {
    let mut body = json!({});
    for name in [
        "fields",
        "filter",
        "additionalFields",
        "mergePolicy",
        "schema",
    ] {
        if let Some(value) = job.get(name) {
            set(&mut body, name, value.clone());
        }
    }
    let destination = job.get("destination");
    let part = |name: &str| destination.and_then(|d| d.get(name)).cloned();
    set(
        &mut body,
        "destination",
        json!({"datasetId": part("datasetId"), "segmentPerBatch": part("segmentPerBatch")}),
    );
    Ok(crate::request::read_json(body.to_string().as_bytes())?)
}

fn batch_ids(job: &Value) -> Vec<String> {
    let single = job.pointer("/destination/batchId");
    let list = job
        .pointer("/destination/batches")
        .and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|batch| batch.get("batchId"))
        .chain(single)
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn error_object(error: &Error) -> Value {
    let mut causes = Vec::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    json!({"code": error.code(), "msg": error.to_string(), "callStack": causes.join("\n")})
}

/// Sets when a step ended and how long it took.
fn end_times(body: &mut Value, step: &str, took: u128) {
    let end = now_millis();
    let took = i64::try_from(took).unwrap_or(i64::MAX);
    if let Some(metrics) = body.get_mut("metrics") {
        set(
            metrics,
            step,
            json!({"startTimeInMs": end - took, "endTimeInMs": end, "totalTimeInMs": took}),
        );
    }
}

fn update(
    store: &Store,
    id: i64,
    status: &str,
    body: &mut Value,
    batches: &[BatchRecord],
) -> Result<()> {
    let now = now_millis();
    set(body, "updateTime", json!(now));
    Ok(store.catalog().update_job(id, status, body, now, batches)?)
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

fn now_millis() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Makes the target dataset of a request, where a source folder that is exported without a store
/// does not have it.
pub(crate) fn ensure_target(store: &Store, request: &ExportRequest) -> Result<()> {
    let id = &request.destination.dataset_id;
    if store.catalog().dataset(id)?.is_none() && Dataset::is_id(id) {
        let name = format!("target of the export ({id})");
        store.catalog().create_dataset(Dataset::target(id, &name))?;
    }
    Ok(())
}
