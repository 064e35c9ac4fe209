//! A running job's progress, told to other processes through a small file in its folder, and their
//! wish to cancel it, told through the catalog.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;
use std::time::Duration;

use catalog::{JobStatus, Kind};
use decode::{Phase, Progress};
use serde::{Deserialize, Serialize};
use store::Store;

use super::object::Job;
use crate::error::Result;

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
    /// How much of its rows are made, in millionths.
    #[serde(default)]
    pub millionths: u32,
}

/// How far a job is, where it runs now.
#[must_use]
pub fn job_progress(store: &Store, id: i64) -> Option<JobProgress> {
    let path = store.layout().job(id).join(FILE);
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// A job, with how far it is where it runs now.
///
/// # Errors
/// There is no such job.
pub fn get_job(store: &Store, id: i64) -> Result<Job> {
    let record = store.catalog().job(id)?;
    let record = record.ok_or_else(|| catalog::Error::not_found(Kind::Job, id))?;
    with_progress(store, Job::of(&record)?)
}

pub(super) fn with_progress(store: &Store, mut job: Job) -> Result<Job> {
    if job.status == JobStatus::Processing
        && let Some(progress) = job_progress(store, job.id)
    {
        job.metrics.total_exported_profile_counter = Some(progress.rows);
        job.metrics.total_written_bytes = Some(progress.bytes);
        job.metrics.progress_in_millionths = Some(progress.millionths);
    }
    Ok(job)
}

/// Does some work while another thread tells its progress and looks for a wish to cancel it.
pub(super) fn watched<T>(
    store: &Store,
    id: i64,
    progress: &Progress,
    work: impl FnOnce() -> T,
) -> T {
    let file = store.layout().job(id).join(FILE);
    let look = || {
        let at = progress.snapshot();
        let now = JobProgress {
            rows: at.rows,
            bytes: at.bytes,
            millionths: match at.phase {
                Phase::Export => at.millionths,
                Phase::Publish => 1_000_000,
                _ => 0,
            },
        };
        // Progress is a courtesy: a full disk must not end the job here.
        if let Ok(text) = serde_json::to_vec(&now) {
            let _ = fs::write(&file, text);
        }
        // Where the catalog can't be asked now, it is asked again at the next look.
        if store.catalog().is_cancel_requested(id).unwrap_or(false) {
            progress.cancel();
        }
    };
    while_looking(look, work)
}

/// Does some work while another thread looks at something ten times a second.
pub(crate) fn while_looking<T>(look: impl Fn() + Send + Sync, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                look();
                std::thread::park_timeout(TICK);
            }
        });
        // Also where the work unwinds: the scope would wait for the watcher for ever.
        let _stop = StopWatching {
            done: &done,
            watcher: watcher.thread(),
        };
        work()
    })
}

struct StopWatching<'a> {
    done: &'a AtomicBool,
    watcher: &'a Thread,
}

impl Drop for StopWatching<'_> {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        self.watcher.unpark();
    }
}
