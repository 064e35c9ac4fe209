use catalog::{NewRun, RunChange, RunRecord};
use decode::{Phase, Progress};
use run::{FORMAT, Run, fold, sync_folder};
use xdm::{Class, Fields};

use crate::error::{Result, StoreError};
use crate::store::RunsLock;
use crate::tiers::{due, folder_name, layers};
use crate::{Stats, Store};

impl Store {
    /// Folds each dataset's runs into one layer of today's format, without the fragments that later ones replaced, and
    /// takes the fields that only deleted datasets had out of the union schemas.
    ///
    /// Exports that run meanwhile keep reading the old runs, whose files go when nothing needs them.
    ///
    /// # Errors
    /// A damaged run, a full disk; then the store is as before.
    pub fn compact(&self) -> Result<Stats> {
        self.compact_with(&Progress::default())
    }

    /// The same, until `progress` is cancelled.
    ///
    /// # Errors
    /// As for [`Store::compact`]; `progress` was cancelled.
    pub fn compact_with(&self, progress: &Progress) -> Result<Stats> {
        let lock = self.lock_runs(progress)?;
        let mut sets = Vec::new();
        for (_, runs) in self.runs_by_dataset(self.catalog().generation()?)? {
            // One layer is as it should be, unless it is of an earlier format.
            let is_done = layers(&runs).len() <= 1 && runs.iter().all(|r| r.files.format == FORMAT);
            if !is_done {
                sets.push(runs);
            }
        }
        let folded = self.fold_sets(&sets, progress, &lock)?;
        let unions = self.narrower_unions()?;
        if !folded.is_empty() || !unions.is_empty() {
            self.replace(&sets, &folded, &unions)?;
            self.sweep_runs(&lock)?;
            self.back_up();
        }
        self.stats()
    }

    /// Merges the layers of full tiers, tier by tier; returns how many runs were merged.
    ///
    /// # Errors
    /// As for [`Store::compact`]; what was merged before stays merged.
    pub(crate) fn merge_tiers(&self, lock: &RunsLock, progress: &Progress) -> Result<u64> {
        let mut merged = 0;
        loop {
            let runs = self.runs_by_dataset(self.catalog().generation()?)?;
            let sets: Vec<_> = runs.values().filter_map(|runs| due(runs)).collect();
            if sets.is_empty() {
                return Ok(merged);
            }
            let folded = self.fold_sets(&sets, progress, lock)?;
            self.replace(&sets, &folded, &[])?;
            self.sweep_runs(lock)?;
            merged += sets.iter().map(Vec::len).sum::<usize>() as u64;
        }
    }

    /// Writes the runs that take the places of each set of runs of one dataset, all or none.
    fn fold_sets(
        &self,
        sets: &[Vec<RunRecord>],
        progress: &Progress,
        lock: &RunsLock,
    ) -> Result<Vec<NewRun>> {
        self.write_folded(sets, progress).inspect_err(|_| {
            // What was written is swept now, or at the next load where even that fails.
            let _ = self.sweep_runs(lock);
        })
    }

    fn write_folded(&self, sets: &[Vec<RunRecord>], progress: &Progress) -> Result<Vec<NewRun>> {
        let generation = self.catalog().generation()? + 1;
        let mut added = Vec::new();
        progress.begin(Phase::Merge);
        for (number, records) in sets.iter().enumerate() {
            let Some(first) = records.first() else {
                continue;
            };
            let (id, class) = (&first.dataset.id, first.dataset.class);
            let runs = records
                .iter()
                .map(|r| Run::open(&self.layout().run(&r.folder), id, class, &r.files))
                .collect::<Result<Vec<_>, _>>()?;
            let union = self.catalog().union(class, None)?;
            let name = |part: usize| folder_name(generation, number, part);
            let folder = |part: usize| self.layout().run(&name(part));
            let go_on = || Ok::<_, StoreError>(progress.check()?);
            let written = fold(&runs, class, &union, self.run_limit, folder, go_on)?;
            for (part, (files, unsynced)) in written.into_iter().enumerate() {
                if self.is_durable() {
                    unsynced.sync()?;
                }
                added.push(NewRun {
                    dataset: id.clone(),
                    folder: name(part),
                    files,
                });
            }
            progress.add_share(1.0 / sets.len() as f64);
        }
        if self.is_durable() && !added.is_empty() {
            sync_folder(&self.layout().runs())?;
        }
        Ok(added)
    }

    /// Puts runs in the places of those that they were made of, whose files are left to a sweep.
    pub(crate) fn replace(
        &self,
        sets: &[Vec<RunRecord>],
        added: &[NewRun],
        unions: &[(Class, Fields)],
    ) -> Result<()> {
        let removed: Vec<i64> = sets.iter().flatten().map(|run| run.id).collect();
        let mut namespaces = self.catalog().namespaces()?;
        if namespaces.codes().is_empty() {
            // A program that did not note them loaded these runs, and those made of them have lost which was the older.
            namespaces = self.snapshot(None)?.namespaces_of_runs()?;
        }
        // Where this fails all runs stay: it may hold all the same, see `Catalog::change_runs`.
        self.catalog().change_runs(&RunChange {
            added,
            removed: &removed,
            unions,
            namespaces: &namespaces,
            next_sequence: self.catalog().next_sequence()?,
        })?;
        Ok(())
    }
}
