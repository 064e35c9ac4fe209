//! The job that shows what others have written: the shards of a plan.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use catalog::{BatchFile, JobRecord, JobStatus};
use decode::Progress;
use store::{Store, StoreError};
use writer::{FileInfo, StagedBatch};

use super::batches::StagedJobBatch;
use super::{Exported, FinishedJob, RunOptions, RunningJob, check};
use crate::error::{Error, Result};
use crate::jobs::batch_names::BatchPlace;
use crate::jobs::create::create_planned;
use crate::jobs::object::Job;
use crate::jobs::since::JobChanges;
use crate::jobs::staging::{JobStaging, sweep};
use crate::sharded::{FinishedShards, FoundFile, ShardFile, ShardPlan};

/// Runs the job that makes batches of a plan's shards. The store's catalog notes it as the plan's.
///
/// # Errors
/// As for [`run_request`](super::run_request).
pub(crate) fn run_shards(
    store: &Store,
    (plan, shards): (&ShardPlan, &FinishedShards),
    options: &RunOptions,
    progress: &Arc<Progress>,
) -> Result<FinishedJob> {
    check(store, options)?;
    sweep(store)?;
    let mut staging = None;
    let of = (&plan.request, &plan.plan()?, Some(plan.generation));
    let record = create_planned(store.catalog(), of, JobStatus::Processing, |id| {
        staging = Some(JobStaging::create_unseen(store, id)?);
        Ok(())
    })?;
    let staging = staging.ok_or_else(|| Error::Panic("a job without a lock".to_owned()))?;
    let span = tracing::info_span!("commit of a plan", id = record.id, plan = plan.id);
    let _span = span.enter();
    let run = RunningJob::new((store, options, progress), Job::of(&record)?, staging);
    let finished = run.work(record.id, |run| {
        // An abort that came meanwhile has taken the plan away: then nothing is shown.
        store.catalog().note_plan_job(&plan.id, record.id)?;
        run.gather(&record, plan, shards)
    })?;
    Ok(FinishedJob {
        plan: Some(plan.id.clone()),
        ..finished
    })
}

impl RunningJob<'_> {
    /// Makes batches of the shards' files, and publishes them.
    fn gather(
        &mut self,
        record: &JobRecord,
        plan: &ShardPlan,
        shards: &FinishedShards,
    ) -> Result<()> {
        let start = Instant::now();
        self.exported = Some(Exported {
            request: plan.request.clone(),
            generation: plan.generation,
            policy: plan.merge_policy.clone(),
            schema: plan.schema()?,
        });
        let (Some(out), places) = (self.options.out.clone(), self.places(record)?) else {
            unreachable!("shards are made in a folder of the user's");
        };
        self.staging
            .open_goal(self.store, &self.job, &out, &self.syncs)?;
        self.job
            .metrics
            .unknown_segments
            .clone_from(&plan.unknown_segments);
        self.job.metrics.large_profiles = shards
            .first()
            .and_then(|shard| shard.large_profiles.clone());
        let mut staged = Vec::new();
        for (number, (id, place)) in self.job.batch_ids().into_iter().zip(places).enumerate() {
            staged.push(self.gather_batch((number, id), (&out, &place), shards)?);
            self.progress.check()?;
        }
        self.show(staged, start)
    }

    fn gather_batch(
        &self,
        (number, id): (usize, String),
        (out, place): (&Path, &BatchPlace),
        shards: &FinishedShards,
    ) -> Result<StagedJobBatch> {
        let staging = self.staging.batches().join(&id);
        let Some(folder) = &place.folder else {
            unreachable!("the batches of a plan have folders");
        };
        let shown = shards.batch(number)?;
        let mut files = Vec::new();
        for (shard, from, file) in shown.files {
            let name = place.files.of(shard);
            let path = staging.join(&name);
            let parent = path.parent().unwrap_or(&staging);
            fs::create_dir_all(parent).map_err(StoreError::io(parent))?;
            files.push(link(&out.join(from), file, &path, name)?);
            self.syncs.path(parent);
        }
        self.syncs.path(&staging);
        Ok(StagedJobBatch {
            id,
            has_own_folder: true,
            staged: StagedBatch::of_files(staging, out.join(folder), files),
            counts: shown.counts,
            changes: JobChanges::default(),
        })
    }
}

/// Gives the file of a shard another name: the attempt's stays, so that a commit which dies can be done again. Where the
/// system links no files, or not those of others, it is copied.
fn link(from: &Path, file: &ShardFile, path: &Path, name: String) -> Result<FileInfo> {
    let problem = |problem: String| Error::out(from, problem);
    // Again: it is the moment that counts.
    file.check(from, FoundFile::at(from)?)?;
    let digest = BatchFile::digest_of_text(&file.digest);
    let digest = digest.ok_or_else(|| problem(format!("its digest is {:?}", file.digest)))?;
    if fs::hard_link(from, path).is_err() {
        fs::copy(from, path).map_err(StoreError::io(path))?;
        let copied = File::open(path).and_then(|copy| copy.sync_all());
        copied.map_err(StoreError::io(path))?;
    }
    Ok(FileInfo {
        name,
        length: file.bytes,
        rows: file.rows,
        digest,
    })
}
