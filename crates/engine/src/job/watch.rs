//! A running job's progress, told to other processes through a small file in its folder, and their
//! wish to cancel it, told through the catalog.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{JobRecord, Progress, Store};

use super::object::set;

/// How often the runner looks for a wish to cancel and tells how far it is.
const TICK: Duration = Duration::from_millis(100);
const FILE: &str = "progress.json";

/// How far a running job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobProgress {
    /// Rows written so far.
    pub rows: u64,
    /// Bytes written so far.
    pub bytes: u64,
}

/// How far a job is, where it runs now.
#[must_use]
pub fn job_progress(store: &Store, id: i64) -> Option<JobProgress> {
    let path = store.staging_folder().join(id.to_string()).join(FILE);
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The job object, with how far the job is where it runs now.
#[must_use]
pub fn show_job(store: &Store, job: JobRecord) -> Value {
    let mut body = job.body;
    if job.status == "PROCESSING"
        && let (Some(progress), Some(metrics)) =
            (job_progress(store, job.id), body.get_mut("metrics"))
    {
        set(metrics, "totalExportedProfileCounter", json!(progress.rows));
        set(metrics, "totalWrittenBytes", json!(progress.bytes));
    }
    body
}

/// Does some work while another thread tells its progress and looks for a wish to cancel it.
pub(super) fn watched<T>(
    store: &Store,
    id: i64,
    folder: &Path,
    progress: &Progress,
    work: impl FnOnce() -> T,
) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                // Progress is a courtesy: a full disk must not end the job here.
                let now = JobProgress {
                    rows: progress.rows(),
                    bytes: progress.bytes(),
                };
                if let Ok(text) = serde_json::to_vec(&now) {
                    let _ = fs::write(folder.join(FILE), text);
                }
                if store.catalog().is_cancel_requested(id).unwrap_or(false) {
                    progress.cancel();
                }
                std::thread::park_timeout(TICK);
            }
        });
        let result = work();
        done.store(true, Ordering::Release);
        watcher.thread().unpark();
        result
    })
}
