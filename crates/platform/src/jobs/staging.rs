use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use catalog::{JobMove, JobStatus};
use store::{FileLock, Store, StoreError, sweep_folder};
use writer::{FileInfo, Syncs};

use super::goal::{Goal, sweep_noted};
use super::object::{Job, JobError};
use crate::error::{Error, Result};
use crate::written::live_batches;

/// Where a job that writes outside the store notes its folder there.
const NOTE: &str = "goal.json";

/// A running job's folder, beside a lock that its process holds as long as it lives.
pub(super) struct JobStaging {
    folder: PathBuf,
    lock: Option<FileLock>,
    goal: Option<Goal>,
}

impl JobStaging {
    /// Takes the lock of a job that waits and makes its folder.
    pub(super) fn create(store: &Store, id: i64) -> Result<Self> {
        Self::with_lock(store, id, wait_for_lock(store, id)?)
    }

    /// Takes the lock of a job that nobody else knows yet. Only somebody who sweeps what an earlier attempt
    /// left, of which the catalog does not know, can hold it.
    pub(super) fn create_unseen(store: &Store, id: i64) -> Result<Self> {
        for _ in 0..40 {
            if let Some(lock) = try_lock(store, id)? {
                return Self::with_lock(store, id, lock);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        Err(taken(id))
    }

    fn with_lock(store: &Store, id: i64, lock: FileLock) -> Result<Self> {
        let folder = store.layout().job(id);
        fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        Ok(Self {
            folder,
            lock: Some(lock),
            goal: None,
        })
    }

    /// Makes the hidden folder in the goal that the job's batches are to be published in.
    pub(super) fn open_goal(
        &mut self,
        store: &Store,
        job: &Job,
        out: &Path,
        syncs: &Syncs,
    ) -> Result<()> {
        // Nobody sweeps a store that is thrown away.
        let note = store.is_durable().then(|| self.folder.join(NOTE));
        let goal = self.goal.insert(Goal::plan(out, note.as_deref(), syncs)?);
        goal.make(store, job.id, job.batch_ids(), syncs)
    }

    /// Names the files of batches that have no folders of their own, before the first is published.
    pub(super) fn note_files<'a>(
        &self,
        batches: impl Iterator<Item = (&'a str, &'a [FileInfo])>,
        syncs: &Syncs,
    ) -> Result<()> {
        match &self.goal {
            Some(goal) => goal.note_files(batches, syncs),
            None => Ok(()),
        }
    }

    /// Refuses noted files that another process is about to publish, too.
    pub(super) fn check_alone(&self) -> Result<()> {
        self.goal.as_ref().map_or(Ok(()), Goal::check_alone)
    }

    /// Where batches are written before they are published.
    pub(super) fn batches(&self) -> &Path {
        self.goal.as_ref().map_or(&self.folder, Goal::hidden)
    }

    /// Says that the job has succeeded. Where that fails, what is in the goal is left to a sweep.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.settle(Goal::finish)
    }

    /// Takes back what was published in the goal. Where that fails, it is left to a sweep.
    pub(super) fn withdraw(&mut self) -> Result<()> {
        self.settle(Goal::withdraw)
    }

    fn settle(&mut self, how: impl FnOnce(&mut Goal) -> Result<()>) -> Result<()> {
        if let Some(goal) = &mut self.goal {
            how(goal)?;
            self.goal = None;
        }
        Ok(())
    }
}

impl Drop for JobStaging {
    fn drop(&mut self) {
        // While the lock is held; what can't be removed now is swept later. So is a goal that is not settled,
        // for which the note stays.
        if self.goal.is_none() {
            let _ = fs::remove_dir_all(&self.folder);
        }
        let _ = self.lock.take().map(FileLock::remove);
    }
}

/// Takes the lock of a job that is to be run. Somebody who sweeps holds it for a moment; one who runs
/// the job has moved it on from `NEW`.
fn wait_for_lock(store: &Store, id: i64) -> Result<FileLock> {
    for _ in 0..40 {
        if let Some(lock) = try_lock(store, id)? {
            return Ok(lock);
        }
        let job = store.catalog().job(id)?;
        if job.is_none_or(|job| job.status != JobStatus::New) {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    Err(taken(id))
}

fn taken(id: i64) -> Error {
    let problem = format!("job {id} is run by another process already");
    catalog::Error::Conflict(problem).into()
}

fn try_lock(store: &Store, id: i64) -> Result<Option<FileLock>> {
    let path = store.layout().job_lock(id);
    Ok(FileLock::try_acquire(&path).map_err(StoreError::io(&path))?)
}

/// Fails the jobs whose process is gone and deletes what dead jobs left behind.
///
/// # Errors
/// The catalog or the folders can't be read or written.
pub fn sweep(store: &Store) -> Result<()> {
    let layout = store.layout();
    let catalog = store.catalog();
    if catalog.is_read_only() {
        return Ok(());
    }
    // The folders first: one that is there now is of a job that runs now, or has ended by the time
    // that the catalog is asked.
    let mut batches = HashSet::new();
    let of_batches = [layout.batches(), layout.states()];
    let of_batches: Vec<PathBuf> = of_batches.into_iter().filter(|one| one.exists()).collect();
    for folder in &of_batches {
        sweep_folder(folder, |id| {
            batches.insert(id.to_owned());
            Ok(false)
        })?;
    }
    let mut live = live_batches(store)?;
    for record in catalog.processing_jobs()? {
        let mut job = Job::of(&record)?;
        let Some(lock) = try_lock(store, job.id)? else {
            live.extend(job.batch_ids());
            continue;
        };
        job.set_status(JobStatus::Failed);
        job.errors = vec![JobError {
            code: "PE-0010".to_owned(),
            msg: "the process that ran the job is gone; run the request again".to_owned(),
            call_stack: String::new(),
        }];
        // It may have ended between the look and the lock: then this changes nothing.
        catalog.move_job(&JobMove {
            id: job.id,
            from: JobStatus::Processing,
            to: JobStatus::Failed,
            body: &job.document()?,
            unless_cancelled: false,
        })?;
        clear(store, job.id, lock);
    }
    let staging = layout.staging();
    for entry in fs::read_dir(&staging).map_err(StoreError::io(&staging))? {
        let name = entry.map_err(StoreError::io(&staging))?.file_name();
        let name = name.to_string_lossy();
        let held = name.strip_suffix(".lock");
        if let Some(plan) = held.and_then(|held| held.strip_prefix("plan-")) {
            let path = layout.plan_lock(plan);
            let lock = FileLock::try_acquire(&path).map_err(StoreError::io(&path))?;
            // Nobody is about that plan.
            let _ = lock.map(FileLock::remove);
            continue;
        }
        let Ok(id) = held.unwrap_or(&name).parse() else {
            continue;
        };
        if let Some(lock) = try_lock(store, id)? {
            clear(store, id, lock);
        }
    }
    let known: HashSet<String> = catalog.all_batch_ids()?.into_iter().collect();
    for folder in &of_batches {
        sweep_folder(folder, |id| {
            Ok(batches.contains(id) && !known.contains(id) && !live.contains(id))
        })?;
    }
    Ok(())
}

/// Deletes what a job left. What can't be deleted now is swept again.
fn clear(store: &Store, id: i64, lock: FileLock) {
    let folder = store.layout().job(id);
    if matches!(sweep_noted(store, &folder.join(NOTE)), Ok(true)) {
        let _ = fs::remove_dir_all(folder);
    }
    let _ = lock.remove();
}
