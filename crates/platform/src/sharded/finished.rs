//! Which attempts at the shards of a plan count.

use std::collections::{BTreeMap, BTreeSet};

use decode::Progress;
use export::BatchCounts;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::attempt::{ShardFile, ShardManifest};
use super::place::{FoundFile, ShardPlace};
use super::plan::{ShardPlan, shard_folder, staging_of};
use crate::error::{Error, Result};

/// How many manifests of attempts are read at once.
const READ_AT_ONCE: usize = 16;
/// How many shards that are missing are named.
const MOST_NAMED: usize = 20;

/// One finished attempt of each shard of a plan, in their order.
pub struct FinishedShards(Vec<(String, ShardManifest)>);

/// What is shown of a batch: its files, one of each shard that has rows.
pub(crate) struct ShownShards<'a> {
    pub(crate) counts: BatchCounts,
    /// Each with the number of its shard, and the path at which its attempt put it, from the place of the export on.
    pub(crate) files: Vec<(usize, String, &'a ShardFile)>,
}

/// An attempt that counts, or why none does.
enum Found {
    Whole(String, Box<ShardManifest>),
    Damaged(Error),
    Missing,
}

impl FinishedShards {
    /// The first attempt by name where there are several: they have the same rows. One that is damaged does not matter where
    /// another is whole.
    ///
    /// # Errors
    /// A shard has none; its only ones are damaged; `progress` was cancelled.
    pub(super) fn find(
        plan: &ShardPlan,
        place: &impl ShardPlace,
        progress: &Progress,
    ) -> Result<Self> {
        let files = place.files(&staging_of(&plan.id))?;
        let numbers = 0..plan.shards.len();
        // Each is a request of its own, where the place is a bucket: they wait, whatever cores there are.
        let threads = rayon::ThreadPoolBuilder::new().num_threads(READ_AT_ONCE);
        let threads = threads
            .build()
            .map_err(|error| Error::Panic(error.to_string()))?;
        let found: Result<Vec<Found>> = threads.install(|| {
            let found = numbers.into_par_iter().map(|number| {
                progress.check()?;
                Ok(Found::of((plan, number), place, &files))
            });
            found.collect()
        });
        let found = found?;
        let (mut shards, mut missing) = (Vec::new(), Vec::new());
        for (number, one) in found.into_iter().enumerate() {
            match one {
                Found::Whole(attempt, manifest) => shards.push((attempt, *manifest)),
                Found::Damaged(error) => return Err(error),
                Found::Missing => missing.push(number.to_string()),
            }
        }
        if missing.is_empty() {
            return Ok(Self(shards));
        }
        let named = missing.iter().take(MOST_NAMED).cloned().collect::<Vec<_>>();
        let more = match missing.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let problem = format!(
            "{} of {} shards of plan {} have no finished attempt in {}: {}{more}; run-shard makes them",
            missing.len(),
            plan.shards.len(),
            plan.id,
            place.address().display(),
            named.join(", ")
        );
        Err(catalog::Error::Conflict(problem).into())
    }

    /// The first of them; they say the same of the identity graph.
    pub(crate) fn first(&self) -> Option<&ShardManifest> {
        self.0.first().map(|(_, manifest)| manifest)
    }

    /// What is shown of the batch with this number.
    pub(crate) fn batch(&self, number: usize) -> Result<ShownShards<'_>> {
        let mut counts = BatchCounts::default();
        let mut files = Vec::new();
        for (shard, (attempt, manifest)) in self.0.iter().enumerate() {
            let file = manifest.batches.get(number);
            let file = file.ok_or_else(|| Error::Panic("a shard without a batch".to_owned()))?;
            counts.add(file.counts.clone());
            files.push((shard, format!("{attempt}/{}", file.name), file));
        }
        // Nobody is in most shards of a small segment; a batch without a file would have no columns.
        match files.iter().all(|(_, _, file)| file.rows == 0) {
            true => files.truncate(1),
            false => files.retain(|(_, _, file)| file.rows > 0),
        }
        Ok(ShownShards { counts, files })
    }
}

impl Found {
    fn of(
        (plan, number): (&ShardPlan, usize),
        place: &impl ShardPlace,
        files: &BTreeMap<String, FoundFile>,
    ) -> Self {
        let folder = shard_folder(&plan.id, number);
        let below = format!("{folder}/");
        let own = files.range(below.clone()..);
        let own = own.take_while(|(name, _)| name.starts_with(&below));
        let mut attempts = BTreeSet::new();
        let mut closed = files.get_key_value(&folder);
        for (name, file) in own {
            match name.rsplit_once('/') {
                Some((attempt, _)) if attempt != folder => drop(attempts.insert(attempt)),
                // Nor is a file an attempt that somebody put beside them.
                _ if *file == FoundFile::Other => closed = closed.or(Some((name, file))),
                _ => {}
            }
        }
        let mut problem = None;
        for attempt in attempts {
            match ShardManifest::read((place, attempt), files, (plan, number)) {
                Ok(Some(manifest)) => return Self::Whole(attempt.to_owned(), Box::new(manifest)),
                Ok(None) => {}
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        let closed = closed.map(|(name, _)| {
            let path = place.address().join(name);
            Error::out(
                &path,
                "it can't be looked into, and may have a finished attempt",
            )
        });
        problem.or(closed).map_or(Self::Missing, Self::Damaged)
    }
}
