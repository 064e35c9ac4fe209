use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::{JobStatus, PlanPin};
use decode::Progress;
use store::{Store, StoreError};
use xdm::Dataset;

use super::attempt::has_plan;
use super::finished::FinishedShards;
use super::place::{FolderPlace, ShardPlace};
use super::plan::{ShardPlan, staging_of};
use super::without_job::PlanLock;
use crate::error::{Error, Result};
use crate::jobs::{BatchNames, FinishedJob, Job, RunOptions, run_shards, sweep};
use crate::manifest::{IfExists, Manifest};
use crate::output::{FolderLock, OutputFolder};

/// Shows the export of a plan whose shards are all made, as a job: of each shard the files of one finished attempt, then the
/// manifest, then nothing more is kept for the plan. Returns the job; `None` where the plan was committed before, to this
/// folder. One that was broken off is done again. What attempts left and can't be removed, [`ShardPlan::left_in`] names.
///
/// # Errors
/// Shards without a finished attempt; a plan that is not of this store, or was aborted; what is in the folder, as for
/// [`OutputFolder::open`](crate::OutputFolder::open); files that are not as their manifest says; the job fails.
pub fn commit_plan(
    store: &Store,
    plan: &ShardPlan,
    (out, if_exists): (&Path, IfExists),
    progress: &Arc<Progress>,
) -> Result<Option<FinishedJob>> {
    plan.check_scope(store)?;
    let _lock = PlanLock::take(store, &plan.id)?;
    let place = FolderPlace::checked(out, store.layout().root())?;
    if !is_there(out)? {
        // What has no shards makes no folder.
        pinned(store, plan)?;
        FinishedShards::find(plan, &place, progress)?;
    }
    // Held until nothing of the plan is left: what another commit of it is about must not be taken for what a dead one left.
    let lock = FolderLock::take(out, Some(store.layout().root()))?;
    if has_plan(&place, &plan.id)? {
        complete(store, plan, lock, (&place, if_exists))?;
        return Ok(None);
    }
    let pin = pinned(store, plan)?;
    undo(store, &plan.id, &pin, Some(&lock))?;
    let shards = FinishedShards::find(plan, &place, progress)?;
    let mut output = lock.open(if_exists)?;
    let options = RunOptions {
        out: Some(out.to_owned()),
        names: BatchNames::Partitions,
        replaces: output.replaceable(),
        max_identities: None,
        writer: plan.writer.clone(),
        ..RunOptions::default()
    };
    let finished = run_shards(store, (plan, &shards), &options, progress)?;
    output.tell(&finished, Some(store))?;
    end(store, plan, &place)?;
    Ok(Some(finished))
}

/// Gives a plan up: what attempts at its shards wrote below the folder of the export, if there is one, goes, and the store
/// need not keep what it reads. Says whether there was something to give up.
///
/// # Errors
/// It was, or is being, committed; there is nothing of it in that folder; files can't be deleted, the catalog can't be written.
pub fn abort_plan(store: &Store, plan: &ShardPlan, out: Option<&Path>) -> Result<bool> {
    plan.check_scope(store)?;
    abort_pinned(store, &plan.id, out)
}

/// The same, by the plan's ID alone, for those whose file is gone.
///
/// # Errors
/// As for [`abort_plan`]; an ID that is none.
pub fn abort_pinned(store: &Store, id: &str, out: Option<&Path>) -> Result<bool> {
    check_id(id)?;
    let _lock = PlanLock::take(store, id)?;
    let Some(out) = out else {
        return let_go(store, id, None);
    };
    let root = store.layout().root();
    let place = FolderPlace::checked(out, root)?;
    let mut lock = None;
    if is_there(out)? {
        lock = Some(FolderLock::take(out, Some(root))?);
    }
    if has_plan(&place, id)? {
        return Err(committed(id, out));
    }
    let staging = staging_of(id);
    let has_staging = !place.is_lost(&staging)?;
    if !has_staging {
        has_nothing(store, id, out)?;
    }
    let was_pinned = let_go(store, id, lock.as_ref())?;
    place.remove(&staging)?;
    Ok(was_pinned || has_staging)
}

/// Refuses what is no plan's ID.
pub(super) fn check_id(id: &str) -> Result<()> {
    match Dataset::is_id(id) {
        true => Ok(()),
        false => {
            let problem = format!("found {id:?}; a plan's ID has 24 hex digits");
            Err(export::RequestError::new("plan-id", problem).into())
        }
    }
}

/// Refuses a place that has nothing of a plan which the store keeps: its shards may be in another one.
pub(super) fn has_nothing(store: &Store, id: &str, out: &Path) -> Result<()> {
    if store.catalog().plan_pin(id)?.is_none() {
        return Ok(());
    }
    let problem = format!(
        "{} has nothing of plan {id}: give the place that its shards were made in, or none where none was made",
        out.display()
    );
    Err(catalog::Error::Conflict(problem).into())
}

/// Takes back what a commit of a plan began, and lets go of what the plan reads; says whether it read something.
pub(super) fn let_go(store: &Store, id: &str, held: Option<&FolderLock>) -> Result<bool> {
    let Some(pin) = store.catalog().plan_pin(id)? else {
        return Ok(false);
    };
    undo(store, id, &pin, held)?;
    match store.catalog().unpin_plan_of(id, pin.job)? {
        true => Ok(true),
        false => {
            let problem = format!("plan {id} was ended, or its commit was begun, meanwhile");
            Err(catalog::Error::Conflict(problem).into())
        }
    }
}

/// Lets go of the store's runs, and clears what attempts left. Those of another user's may stay: the export is there.
pub(super) fn end(store: &Store, plan: &ShardPlan, place: &impl ShardPlace) -> Result<()> {
    store.catalog().unpin_plan(&plan.id)?;
    let staging = staging_of(&plan.id);
    if let Err(error) = place.remove(&staging) {
        let folder = place.address().join(staging);
        tracing::warn!(folder = %folder.display(), %error, "what attempts at shards left can't be removed");
    }
    Ok(())
}

/// Does what is left of a commit that was broken off behind its manifest: what it replaces goes, and then it is said that all
/// is there.
fn complete(
    store: &Store,
    plan: &ShardPlan,
    lock: FolderLock,
    (place, if_exists): (&FolderPlace, IfExists),
) -> Result<()> {
    sweep(store)?;
    let out = place.address();
    if Manifest::is_said(out) {
        return end(store, plan, place);
    }
    OutputFolder::complete(lock, if_exists, (&plan.id, store))?;
    end(store, plan, place)
}

/// Takes back what a commit made that was broken off behind its job and before its manifest.
pub(super) fn undo(
    store: &Store,
    plan: &str,
    pin: &PlanPin,
    held: Option<&FolderLock>,
) -> Result<()> {
    let Some(job) = pin.job else {
        return Ok(());
    };
    // One whose process is gone has failed, and left nothing.
    sweep(store)?;
    let found = store.catalog().job(job)?;
    match found.map(|found| found.status) {
        Some(JobStatus::Succeeded) => take_back(store, plan, job, held),
        Some(JobStatus::New | JobStatus::Processing) => {
            let problem = format!("job {job} is at work on the commit of this plan");
            Err(catalog::Error::Conflict(problem).into())
        }
        _ => Ok(()),
    }
}

/// Deletes a job with its batches, and their files, unless a manifest says that they are there.
fn take_back(store: &Store, plan: &str, job: i64, held: Option<&FolderLock>) -> Result<()> {
    let catalog = store.catalog();
    let record = catalog.job(job)?;
    let Some(record) = record else {
        return Ok(());
    };
    let (mut batches, mut goal) = (Vec::new(), None);
    for id in Job::of(&record)?.batch_ids() {
        if let Some(batch) = catalog.batch(&id)? {
            goal = goal.or(batch
                .folder
                .as_deref()
                .and_then(Path::parent)
                .map(PathBuf::from));
            batches.push(id);
        }
    }
    let mut lock = None;
    if let Some(goal) = goal.as_deref().filter(|goal| goal.is_dir()) {
        // Whoever is about its manifest holds it.
        if !held.is_some_and(|held| held.is_of(goal)) {
            lock = Some(FolderLock::take(goal, Some(store.layout().root()))?);
        }
        if has_plan(&FolderPlace::new(goal), plan)? {
            return Err(committed(plan, goal));
        }
    }
    for id in &batches {
        store.delete_batch(id)?;
    }
    catalog.delete_job(job)?;
    drop(lock);
    Ok(())
}

fn is_there(folder: &Path) -> Result<bool> {
    Ok(folder.try_exists().map_err(StoreError::io(folder))?)
}

fn committed(plan: &str, out: &Path) -> Error {
    let problem = format!(
        "plan {plan} was committed to {}; batches delete takes it back",
        out.display()
    );
    catalog::Error::Conflict(problem).into()
}

pub(super) fn pinned(store: &Store, plan: &ShardPlan) -> Result<PlanPin> {
    let pin = store.catalog().plan_pin(&plan.id)?;
    pin.ok_or_else(|| unknown(store, plan))
}

fn unknown(store: &Store, plan: &ShardPlan) -> Error {
    let problem = format!(
        "plan {} is none of the store {}, or none any more: it was aborted, committed to another folder, or expired long ago; plan again",
        plan.id,
        store.layout().root().display()
    );
    catalog::Error::Conflict(problem).into()
}
