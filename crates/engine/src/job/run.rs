use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use merge::MergePolicy;
use serde_json::{Value, json};
use store::{BatchRecord, JobRecord, Progress, Store, StoreError};
use writer::{FileInfo, StagedBatch};

use super::object::{batch_ids, end_times, error_object, now_millis, set};
use super::staging::{JobStaging, sweep};
use super::watch::watched;
use crate::error::{Error, Result};
use crate::export::{ExportOptions, Exported, export};
use crate::memory::peak_memory;
use crate::plan::Plan;
use crate::request::{ExportRequest, read_json};

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

/// Runs a job that was created and waits for its end. Exactly one process runs it.
///
/// # Errors
/// [`Error::JobFailed`] where the job failed: then it says so in the catalog too, and no batch of it
/// is visible. A cancelled one ends with [`StoreError::Cancelled`]; one that another process runs or
/// that is finished, with [`StoreError::Refused`].
pub fn run_job(
    store: &Store,
    job: &JobRecord,
    options: &RunOptions,
    progress: &Progress,
) -> Result<Finished> {
    sweep(store)?;
    let staging = JobStaging::create(store, job.id)?;
    let mut run = Run {
        store,
        job,
        options,
        progress,
        body: job.body.clone(),
        started: Instant::now(),
    };
    run.begin()?;
    let result = watched(store, job.id, &staging.folder, progress, || {
        run.export(&staging.folder)
    });
    let result = result.and_then(|(published, exported)| run.succeed(published, &exported));
    result.map_err(|error| run.fail(error))
}

/// A job at work.
struct Run<'a> {
    store: &'a Store,
    job: &'a JobRecord,
    options: &'a RunOptions,
    progress: &'a Progress,
    body: Value,
    started: Instant,
}

/// Each batch's ID, folder and files.
type Published = Vec<(String, PathBuf, Vec<FileInfo>)>;

impl Run<'_> {
    fn begin(&mut self) -> Result<()> {
        if !self.move_to("NEW", "PROCESSING", true)? {
            let now = self.store.catalog().job(self.job.id)?;
            return Err(StoreError::Refused(format!(
                "job {} is {}, no longer NEW",
                self.job.id,
                now.map_or("gone".to_owned(), |job| job.status)
            ))
            .into());
        }
        Ok(())
    }

    fn move_to(&mut self, from: &str, to: &str, must_want: bool) -> Result<bool> {
        set(&mut self.body, "status", json!(to));
        set(&mut self.body, "updateTime", json!(now_millis()));
        let catalog = self.store.catalog();
        Ok(catalog.move_job(self.job.id, from, to, &self.body, must_want)?)
    }

    /// Writes the batches and publishes them.
    fn export(&mut self, staging: &Path) -> Result<(Published, Vec<Exported>)> {
        let (store, job) = (self.store, self.job);
        let request: ExportRequest = read_json(job.request.to_string().as_bytes())?;
        let policy: MergePolicy = read_json(job.policy.to_string().as_bytes())?;
        let snapshot = store.snapshot(Some(job.generation))?;
        let plan = Plan::new(
            &request,
            policy,
            &snapshot.profile_union,
            &snapshot.event_union,
        )?;
        let target = match &self.options.out {
            Some(out) => out.clone(),
            None => store.batches_folder(),
        };
        fs::create_dir_all(&target).map_err(|source| StoreError::Io {
            path: target.clone(),
            source,
        })?;
        let ids = batch_ids(&job.body);
        let text = |name: &str, value: String| (format!("profile-export.{name}"), value);
        let settings = ExportOptions {
            staging,
            target: &target,
            ids: &ids,
            metadata: vec![
                text("request", job.request.to_string()),
                text("jobId", job.id.to_string()),
                text("mergePolicy", job.policy.to_string()),
                text("generation", job.generation.to_string()),
            ],
            max_rows_per_file: self.options.max_rows_per_file,
            durable: store.is_durable() || self.options.out.is_some(),
        };
        let start = Instant::now();
        let written = export(&snapshot, &plan, &settings, self.progress)?;
        let (staged, exported): (Vec<StagedBatch>, Vec<Exported>) = written.into_iter().unzip();
        end_times(
            &mut self.body,
            "profileExportTime",
            start.elapsed().as_millis(),
        );
        self.progress.check()?;
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
        end_times(
            &mut self.body,
            "aCPDatasetWriteTime",
            start.elapsed().as_millis(),
        );
        Ok((published, exported))
    }

    /// Makes the batches part of the store, unless somebody has asked to cancel meanwhile.
    fn succeed(&mut self, published: Published, exported: &[Exported]) -> Result<Finished> {
        let totals = self.tell_metrics(&published, exported);
        let now = now_millis();
        set(&mut self.body, "status", json!("SUCCEEDED"));
        set(&mut self.body, "updateTime", json!(now));
        let records = self.batch_records(&published, exported, now);
        let catalog = self.store.catalog();
        match catalog.finish_job(self.job.id, &self.body, now, &records) {
            Ok(true) => {}
            Ok(false) => {
                withdraw(&published);
                return Err(StoreError::Cancelled.into());
            }
            Err(error) => {
                withdraw(&published);
                return Err(error.into());
            }
        }
        Ok(Finished {
            job: self.body.clone(),
            batches: published
                .into_iter()
                .map(|(_, folder, files)| (folder, files))
                .collect(),
            profiles: totals.0,
            events: totals.1,
        })
    }

    /// Puts the figures into the job object; returns the profiles and events in all batches.
    fn tell_metrics(&mut self, published: &Published, exported: &[Exported]) -> (u64, u64) {
        let mut by_namespace: BTreeMap<&str, u64> = BTreeMap::new();
        let (mut profiles, mut events) = (0, 0);
        for batch in exported {
            profiles += batch.profiles;
            events += batch.events;
            for (namespace, count) in &batch.by_namespace {
                *by_namespace.entry(namespace).or_default() += count;
            }
        }
        let files = published.iter().flat_map(|(_, _, files)| files);
        let bytes: u64 = files.map(|file| file.length).sum();
        let segments = self.body.pointer("/destination/batches");
        let by_segment: serde_json::Map<String, Value> = segments
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .zip(exported)
            .map(|(batch, exported)| {
                let id = batch.get("segmentId").and_then(Value::as_str);
                (id.unwrap_or_default().to_owned(), json!(exported.profiles))
            })
            .collect();
        end_times(
            &mut self.body,
            "totalTime",
            self.started.elapsed().as_millis(),
        );
        if let Some(metrics) = self.body.get_mut("metrics") {
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
        (profiles, events)
    }

    fn batch_records(
        &self,
        published: &Published,
        exported: &[Exported],
        now: i64,
    ) -> Vec<BatchRecord> {
        let dataset = self.body.pointer("/destination/datasetId");
        let dataset = dataset.and_then(Value::as_str).unwrap_or_default();
        published
            .iter()
            .zip(exported)
            .map(|((id, folder, files), exported)| {
                let mut body = json!({
                    "id": id,
                    "status": "success",
                    "imsOrg": self.store.catalog().scope().org,
                    "relatedObjects": [{"type": "dataSet", "id": dataset}],
                    "jobId": self.job.id,
                    "created": now,
                    "updated": now,
                    "metrics": {
                        "recordsWritten": exported.profiles,
                        "eventsWritten": exported.events,
                        "startTime": now - i64::try_from(self.started.elapsed().as_millis()).unwrap_or(0),
                        "endTime": now,
                    },
                    "files": files.iter().map(|file| json!({
                        "name": file.name,
                        "length": file.length,
                        "rows": file.rows,
                        "digest": format!("xxh3-128:{:032x}", file.digest),
                    })).collect::<Vec<_>>(),
                });
                if self.options.out.is_some() {
                    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.clone());
                    set(&mut body, "folder", json!(folder));
                }
                BatchRecord {
                    id: id.clone(),
                    dataset: dataset.to_owned(),
                    status: "success".to_owned(),
                    body,
                }
            })
            .collect()
    }

    /// Says in the catalog how the job ended; returns what its caller gets.
    fn fail(&mut self, error: Error) -> Error {
        end_times(
            &mut self.body,
            "totalTime",
            self.started.elapsed().as_millis(),
        );
        let cancelled = error.is_cancelled();
        if !cancelled {
            set(&mut self.body, "errors", json!([error_object(&error)]));
        }
        let status = if cancelled { "CANCELLED" } else { "FAILED" };
        // Where even this can't be written, the job is found dead and failed at the next start.
        let told = self.move_to("PROCESSING", status, false);
        match (told, cancelled) {
            (_, true) => error,
            (Ok(_), false) => Error::JobFailed {
                id: self.job.id,
                message: error.to_string(),
            },
            (Err(catalog), false) => Error::JobFailed {
                id: self.job.id,
                message: format!("{error}; and the catalog could not be told: {catalog}"),
            },
        }
    }
}

/// Takes back the batches of a job that fails after it published some of them.
fn withdraw(published: &Published) {
    for (_, folder, _) in published {
        let _ = fs::remove_dir_all(folder);
    }
}
