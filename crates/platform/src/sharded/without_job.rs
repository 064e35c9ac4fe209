//! Plans whose export is no job: it goes to a place that the store's machine neither verifies nor deletes, such as a bucket,
//! and all that is told of it is a manifest there.

use std::path::Path;
use std::time::Duration;

use decode::Progress;
use export::BatchCounts;
use store::{FileLock, Store, StoreError};

use super::attempt::has_plan;
use super::commit::{check_id, end, has_nothing, let_go, pinned, undo};
use super::finished::FinishedShards;
use super::place::{FolderPlace, ShardPlace};
use super::plan::{ShardPlan, staging_of};
use crate::error::{Error, Result};
use crate::jobs::{BatchNames, NamedExport};
use crate::manifest::{ManifestBatch, ManifestExport, ManifestFile};

/// What the plan is called where it is kept beside the attempts.
const PLAN: &str = "plan.json";
/// How long another commit or abort of the plan is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a commit ended.
#[derive(Clone, Debug)]
pub enum Committed<T> {
    /// The export is there now.
    Now(T),
    /// It was there before.
    Before(Box<ManifestExport>),
}

/// A batch that is made of the files of shards.
#[derive(Clone, Debug)]
pub struct GatheredBatch {
    /// The batch, its files under the names that they are to get.
    pub batch: ManifestBatch,
    /// What is in it.
    pub counts: BatchCounts,
    /// Where attempts put the files, in the order of the batch's.
    pub sources: Vec<String>,
}

/// Shows the export of a plan whose shards are all made: `show` gives the files of one finished attempt each their names, its
/// manifest last; then nothing more is kept for the plan. One that was broken off is done again; where its manifest is
/// there already, `complete` does what comes behind that.
///
/// # Errors
/// Shards without a finished attempt; a plan that is not of this store, or was aborted; another process commits or aborts it;
/// files that are not as their manifest says; `progress` was cancelled; those of `show` and `complete`.
pub fn commit_without_job<T>(
    store: &Store,
    plan: &ShardPlan,
    place: &impl ShardPlace,
    progress: &Progress,
    show: impl FnOnce(Vec<GatheredBatch>) -> Result<T>,
    complete: impl FnOnce() -> Result<()>,
) -> Result<Committed<T>> {
    plan.check_scope(store)?;
    let _lock = PlanLock::take(store, &plan.id)?;
    let manifest = place.manifest()?;
    if let Some(export) = manifest.as_ref().and_then(|there| there.of_plan(&plan.id)) {
        complete()?;
        end(store, plan, place)?;
        return Ok(Committed::Before(Box::new(export.clone())));
    }
    let pin = pinned(store, plan)?;
    undo(store, &plan.id, &pin, None)?;
    let shards = FinishedShards::find(plan, place, progress)?;
    let shown = show(gathered(plan, &shards)?)?;
    end(store, plan, place)?;
    Ok(Committed::Now(shown))
}

/// Gives the plan with this ID up: what attempts at its shards left in a place goes, `undo_show` takes away what a commit
/// showed that died before its manifest, and the store need not keep what it reads. Says whether there was something to give
/// up.
///
/// # Errors
/// It was, or is being, committed; there is nothing of it in that place; what is there can't be deleted; the catalog can't be
/// written.
pub fn abort_without_job(
    store: &Store,
    id: &str,
    place: &impl ShardPlace,
    undo_show: impl FnOnce() -> Result<()>,
) -> Result<bool> {
    check_id(id)?;
    let _lock = PlanLock::take(store, id)?;
    if has_plan(place, id)? {
        let problem = format!(
            "plan {id} was committed to {}: delete what its manifest names, or let another export replace it",
            place.address().display()
        );
        return Err(catalog::Error::Conflict(problem).into());
    }
    let staging = staging_of(id);
    let has_staging = !place.files(&staging)?.is_empty();
    if !has_staging {
        has_nothing(store, id, place.address())?;
    }
    let was_pinned = let_go(store, id, None)?;
    undo_show()?;
    place.remove(&staging)?;
    Ok(was_pinned || has_staging)
}

/// Keeps a plan beside the attempts at its shards, for whoever goes on where the one who planned is gone.
///
/// # Errors
/// The folder can't be one of an export; a full disk.
pub fn keep_plan(plan: &ShardPlan, out: &Path) -> Result<()> {
    keep_plan_in(plan, &FolderPlace::checked(out, &plan.store)?)
}

/// The same in any place.
///
/// # Errors
/// The place takes nothing.
pub fn keep_plan_in(plan: &ShardPlan, place: &impl ShardPlace) -> Result<()> {
    let staging = staging_of(&plan.id);
    place.begin(&staging)?;
    place.put(&staging, PLAN, &plan.to_json()?)
}

/// The batches of a plan, of the shards that count.
fn gathered(plan: &ShardPlan, shards: &FinishedShards) -> Result<Vec<GatheredBatch>> {
    let numbers = 0..plan.batch_count()?;
    let ids: Vec<String> = numbers.map(|number| plan.batch_id(number)).collect();
    let named = NamedExport {
        request: &plan.request,
        segment_names: &[],
        begun: xdm::Timestamp::now(),
        job: None,
        format: &plan.writer.format,
        has_many_files: true,
    };
    let places = BatchNames::Partitions.places(&named, &ids);
    let places = places.map_err(Error::Panic)?;
    let mut batches = Vec::new();
    for (number, (id, place)) in ids.into_iter().zip(places).enumerate() {
        let shown = shards.batch(number)?;
        let mut batch = ManifestBatch::begun(&plan.request, number, id);
        batch.profiles = shown.counts.profiles;
        batch.events = shown.counts.events;
        let mut sources = Vec::new();
        for (shard, source, file) in shown.files {
            batch.files.push(ManifestFile {
                path: place.file(shard),
                rows: file.rows,
                bytes: file.bytes,
                digest: file.digest.clone(),
            });
            sources.push(source);
        }
        batches.push(GatheredBatch {
            batch,
            counts: shown.counts,
            sources,
        });
    }
    Ok(batches)
}

impl ShardPlan {
    /// The ID of a batch that no job gives one: the same whoever commits, so that the next goes over what one left that died.
    fn batch_id(&self, number: usize) -> String {
        format!("{}{number:08x}", plans_digits(&self.id))
    }

    /// Whether a batch is one that the commit of the plan with this ID shows where it is no job.
    #[must_use]
    pub fn has_batch(plan: &str, batch: &str) -> bool {
        batch.starts_with(&plans_digits(plan))
    }
}

/// The first 16 of the 24 digits of its batches' IDs; the others are a batch's number.
fn plans_digits(plan: &str) -> String {
    format!("{:016x}", xdm::digest128(plan.as_bytes()) >> 64)
}

/// That nobody else commits or aborts a plan: what one is about to show the other would take away.
pub(super) struct PlanLock(Option<FileLock>);

impl PlanLock {
    pub(super) fn take(store: &Store, plan: &str) -> Result<Self> {
        let path = store.layout().plan_lock(plan);
        // Who sweeps holds it for a moment.
        let lock = FileLock::acquire_while(&path, |waited| waited < PATIENCE);
        let lock = lock.map_err(StoreError::io(&path))?;
        if lock.is_none() {
            let problem = format!("another process commits or aborts plan {plan}");
            return Err(catalog::Error::Conflict(problem).into());
        }
        Ok(Self(lock))
    }
}

impl Drop for PlanLock {
    fn drop(&mut self) {
        // One that stays is nobody's lock when this process has ended, and is swept.
        let _ = self.0.take().map(FileLock::remove);
    }
}

#[cfg(test)]
mod tests {
    use store::Scope;

    use super::*;
    use crate::jobs::sweep;

    #[test]
    fn a_lock_that_was_left_is_swept_and_one_that_is_held_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Scope::default()).expect("a store");
        let path = store.layout().plan_lock("1");
        let held = PlanLock::take(&store, "1").expect("a lock");
        sweep(&store).expect("swept");
        assert!(path.exists() && PlanLock::take(&store, "1").is_err());
        drop(held);
        assert!(!path.exists());
        // As a process leaves it that is killed.
        std::fs::write(&path, "").expect("a file");
        sweep(&store).expect("swept");
        assert!(!path.exists());
    }

    #[test]
    fn a_batch_has_an_id_that_says_whose_it_is() {
        let id = |plan: &str, number: u32| format!("{}{number:08x}", plans_digits(plan));
        assert!(xdm::Dataset::is_id(&id("0123456789abcdef01234567", 7)));
        assert!(
            ShardPlan::has_batch("a", &id("a", 0)) && ShardPlan::has_batch("a", &id("a", 99_999))
        );
        assert!(!ShardPlan::has_batch("a", &id("b", 0)));
    }
}
