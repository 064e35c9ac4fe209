use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use store::{Store, StoreError};

use super::object::{batch_ids, now_millis, set};
use crate::error::Result;

/// A running job's folder, beside a lock that its process holds as long as it lives.
pub(super) struct JobStaging {
    pub(super) folder: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl JobStaging {
    /// Takes the job's lock and makes its folder.
    pub(super) fn create(store: &Store, id: i64) -> Result<Self> {
        let folder = store.staging_folder().join(id.to_string());
        let lock_path = lock_path(store, id);
        let lock = wait_for_lock(store, id, &lock_path)?;
        fs::create_dir_all(&folder).map_err(io(&folder))?;
        Ok(Self {
            folder,
            lock_path,
            _lock: lock,
        })
    }
}

impl Drop for JobStaging {
    fn drop(&mut self) {
        // While the lock is held; what can't be removed now is swept later.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// Takes the lock of a job that is to be run. Somebody who sweeps holds it for a moment; one who runs
/// the job has moved it on from `NEW`.
fn wait_for_lock(store: &Store, id: i64, path: &Path) -> Result<File> {
    for _ in 0..40 {
        if let Some(lock) = take_lock(path).map_err(io(path))? {
            return Ok(lock);
        }
        if store
            .catalog()
            .job(id)?
            .is_none_or(|job| job.status != "NEW")
        {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    Err(StoreError::Refused(format!("job {id} is run by another process already")).into())
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { path, source }
}

fn lock_path(store: &Store, id: i64) -> PathBuf {
    store.staging_folder().join(format!("{id}.lock"))
}

/// Locks a file, made where it is missing; `None` where another process holds it.
///
/// Whoever lets go deletes the file, so a lock counts only on the file that still has the name.
fn take_lock(path: &Path) -> std::io::Result<Option<File>> {
    loop {
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        match fs::metadata(path) {
            Ok(named) if named.ino() == lock.metadata()?.ino() => return Ok(Some(lock)),
            _ => {}
        }
    }
}

/// Fails the jobs whose process is gone and deletes what dead jobs left behind.
///
/// # Errors
/// The catalog or the folders can't be read or written.
pub fn sweep(store: &Store) -> Result<()> {
    // The folders first: one that is there now is of a job that runs now, or has ended by the time
    // that the catalog is asked.
    let folders = store.batch_folders()?;
    let mut live = HashSet::new();
    for job in store.catalog().processing_jobs()? {
        let path = lock_path(store, job.id);
        let Some(_lock) = take_lock(&path).map_err(io(&path))? else {
            live.extend(batch_ids(&job.body));
            continue;
        };
        let mut body = job.body.clone();
        set(&mut body, "status", json!("FAILED"));
        set(&mut body, "updateTime", json!(now_millis()));
        let error: Value = json!([{
            "code": "PE-0010",
            "msg": "the process that ran the job is gone; run the request again",
            "callStack": "",
        }]);
        set(&mut body, "errors", error);
        // It may have ended between the look and the lock: then this changes nothing.
        store
            .catalog()
            .move_job(job.id, "PROCESSING", "FAILED", &body, false)?;
        clear(store, job.id);
    }
    let folder = store.staging_folder();
    for entry in fs::read_dir(&folder).map_err(io(&folder))? {
        let name = entry.map_err(io(&folder))?.file_name();
        let name = name.to_string_lossy();
        let Ok(id) = name.split('.').next().unwrap_or_default().parse() else {
            continue;
        };
        let path = lock_path(store, id);
        if let Some(_lock) = take_lock(&path).map_err(io(&path))? {
            clear(store, id);
        }
    }
    Ok(store.sweep_batches(&folders, &live)?)
}

/// Deletes what a job left; its lock is held.
fn clear(store: &Store, id: i64) {
    let _ = fs::remove_dir_all(store.staging_folder().join(id.to_string()));
    let _ = fs::remove_file(lock_path(store, id));
}
