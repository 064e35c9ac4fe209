use std::fs;
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::{JobStatus, PlanPin};
use decode::Progress;
use store::{Store, StoreError, make_folder, remove_folder};

use super::attempt::ShardManifest;
use super::plan::{ShardPlan, shard_folder};
use crate::address::check_out;
use crate::error::{Error, Result};
use crate::jobs::{BatchNames, FinishedJob, Job, RunOptions, run_shards, sweep, sweep_goal};
use crate::manifest::{IfExists, Manifest};
use crate::output::OutputFolder;

/// How many shards that are missing are named.
const MOST_NAMED: usize = 20;

/// Shows the export of a plan whose shards are all made, as a job: of each shard the files of one finished attempt, then the
/// manifest, then nothing more is kept for the plan. Returns the job; `None` where the plan was committed before, to this
/// folder. One that was broken off is done again.
///
/// # Errors
/// Shards without a finished attempt; a plan that is not of this store, or was aborted; what is in the folder, as for
/// [`OutputFolder::open`]; files that are not as their manifest says; the job fails.
pub fn commit_plan(
    store: &Store,
    plan: &ShardPlan,
    (out, if_exists): (&Path, IfExists),
    progress: &Arc<Progress>,
) -> Result<Option<FinishedJob>> {
    check_scope(store, plan)?;
    check_out(out, Some(store.layout().root()))?;
    if Manifest::read(out)?.is_some_and(|manifest| manifest.has_plan(&plan.id)) {
        complete(store, out, if_exists)?;
        end(store, plan, Some(out))?;
        return Ok(None);
    }
    let pin = store.catalog().plan_pin(&plan.id)?;
    let pin = pin.ok_or_else(|| unknown(store, plan))?;
    undo(store, plan, &pin)?;
    let shards = finished_attempts(plan, out)?;
    make_folder(out)?;
    let output = OutputFolder::open(out, Some(store.layout().root()), if_exists)?;
    let options = RunOptions {
        out: Some(out.to_owned()),
        names: BatchNames::Partitions,
        replaces: output.replaceable(),
        max_identities: None,
        writer: plan.writer.clone(),
        ..RunOptions::default()
    };
    let finished = run_shards(store, (plan, &shards), &options, progress)?;
    output.finish(&finished, Some(store))?;
    end(store, plan, Some(out))?;
    Ok(Some(finished))
}

/// Gives a plan up: what attempts at its shards wrote below the folder of the export, if there is one, goes, and the store
/// need not keep what it reads. Says whether there was something to give up.
///
/// # Errors
/// It was committed to that folder; files can't be deleted, the catalog can't be written.
pub fn abort_plan(store: &Store, plan: &ShardPlan, out: Option<&Path>) -> Result<bool> {
    check_scope(store, plan)?;
    if let Some(out) = out
        && Manifest::read(out)?.is_some_and(|manifest| manifest.has_plan(&plan.id))
    {
        let problem = format!(
            "plan {} was committed to {}; batches delete takes it back",
            plan.id,
            out.display()
        );
        return Err(catalog::Error::Conflict(problem).into());
    }
    if let Some(pin) = store.catalog().plan_pin(&plan.id)? {
        undo(store, plan, &pin)?;
    }
    end(store, plan, out)
}

/// Clears what attempts left, and lets go of the store's runs.
fn end(store: &Store, plan: &ShardPlan, out: Option<&Path>) -> Result<bool> {
    let mut was_there = false;
    if let Some(out) = out {
        let staging = plan.staging(out);
        was_there = staging.try_exists().map_err(StoreError::io(&staging))?;
        remove_folder(&staging)?;
    }
    Ok(store.catalog().unpin_plan(&plan.id)? || was_there)
}

/// Does what is left of a commit that was broken off behind its manifest: what it replaces goes, and then it is said that all
/// is there.
fn complete(store: &Store, out: &Path, if_exists: IfExists) -> Result<()> {
    sweep(store)?;
    sweep_goal(out);
    let named = Manifest::read(out)?.unwrap_or_else(Manifest::empty);
    if Manifest::is_said(out) {
        return Ok(());
    }
    if if_exists == IfExists::Replace {
        for name in names_in(out)? {
            let id = Manifest::batch_of(&name)
                .filter(|id| named.batches().all(|batch| batch.id != **id));
            match id {
                Some(id) if store.catalog().batch(id)?.is_some() => store.delete_batch(id)?,
                Some(_) => remove_folder(&out.join(&name))?,
                None => {}
            }
        }
    }
    // Whatever else is there its manifest has to name.
    drop(OutputFolder::open(
        out,
        Some(store.layout().root()),
        IfExists::Append,
    )?);
    Manifest::say(out)
}

/// Takes back what a commit made that was broken off behind its job and before its manifest.
fn undo(store: &Store, plan: &ShardPlan, pin: &PlanPin) -> Result<()> {
    let Some(job) = pin.job else {
        return Ok(());
    };
    // One whose process is gone has failed, and left nothing.
    sweep(store)?;
    let found = store.catalog().job(job)?;
    match found.map(|found| found.status) {
        Some(JobStatus::Succeeded) => take_back(store, plan, job),
        Some(JobStatus::New | JobStatus::Processing) => {
            let problem = format!("job {job} is at work on the commit of this plan");
            Err(catalog::Error::Conflict(problem).into())
        }
        _ => Ok(()),
    }
}

/// Deletes a job with its batches, and their files, unless a manifest says that they are there.
fn take_back(store: &Store, plan: &ShardPlan, job: i64) -> Result<()> {
    let catalog = store.catalog();
    let record = catalog.job(job)?;
    let Some(record) = record else {
        return Ok(());
    };
    for id in Job::of(&record)?.batch_ids() {
        let Some(batch) = catalog.batch(&id)? else {
            continue;
        };
        let out = batch.folder.as_deref().and_then(Path::parent);
        if let Some(out) = out
            && Manifest::read(out)?.is_some_and(|manifest| manifest.has_plan(&plan.id))
        {
            let problem = format!("plan {} was committed to {}", plan.id, out.display());
            return Err(catalog::Error::Conflict(problem).into());
        }
        store.delete_batch(&id)?;
    }
    catalog.delete_job(job)?;
    Ok(())
}

/// One finished attempt of each shard, the first by name where there are several: they have the same rows. With each comes
/// the folder that it is in.
fn finished_attempts(plan: &ShardPlan, out: &Path) -> Result<Vec<(PathBuf, ShardManifest)>> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    let batches = plan.batch_count()?;
    for number in 0..plan.shards.len() {
        let folder = plan.staging(out).join(shard_folder(number));
        let mut first = None;
        for attempt in names_in(&folder)? {
            let at = folder.join(attempt);
            if let Some(manifest) = ShardManifest::read(&at, plan, number)? {
                first = Some((at, manifest));
                break;
            }
        }
        match first {
            Some((at, manifest)) if manifest.batches.len() == batches => found.push((at, manifest)),
            Some((at, manifest)) => {
                let problem = format!(
                    "it has {} batches, and the plan has {batches}: delete its folder, and make the shard again",
                    manifest.batches.len()
                );
                return Err(Error::out(&at, problem));
            }
            None => missing.push(number.to_string()),
        }
    }
    match missing.len() {
        0 => Ok(found),
        n => {
            let named = missing.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>();
            let more = match n.saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let problem = format!(
                "{n} of {} shards of plan {} have no finished attempt in {}: {}{more}; run-shard makes them",
                plan.shards.len(),
                plan.id,
                out.display(),
                named.join(", ")
            );
            Err(catalog::Error::Conflict(problem).into())
        }
    }
}

fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StoreError::io(folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(StoreError::io(folder))?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn check_scope(store: &Store, plan: &ShardPlan) -> Result<()> {
    let scope = store.catalog().scope();
    if (&scope.org, &scope.sandbox) == (&plan.org, &plan.sandbox) {
        return Ok(());
    }
    let problem = format!(
        "plan {} is of organisation {:?} and sandbox {:?}, and this is {:?} and {:?}",
        plan.id, plan.org, plan.sandbox, scope.org, scope.sandbox
    );
    Err(catalog::Error::Conflict(problem).into())
}

fn unknown(store: &Store, plan: &ShardPlan) -> Error {
    let problem = format!(
        "plan {} is none of the store {}, or none any more: it was aborted, or committed to another folder; plan again",
        plan.id,
        store.layout().root().display()
    );
    catalog::Error::Conflict(problem).into()
}
