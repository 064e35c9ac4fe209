use std::collections::BTreeMap;

use catalog::{NewRun, RunChange, RunRecord};
use decode::Progress;
use run::{FORMAT, Run, fold, sync_folder};

use crate::error::Result;
use crate::{Stats, Store};

impl Store {
    /// Folds each dataset's runs into one of today's format, without the fragments that later ones replaced, and
    /// takes the fields that only deleted datasets had out of the union schemas.
    ///
    /// Exports that run meanwhile keep reading the old runs, whose files go when nothing needs them.
    ///
    /// # Errors
    /// A damaged run, a full disk; then the store is as before.
    pub fn compact(&self) -> Result<Stats> {
        let lock = self.lock_runs(&Progress::default())?;
        let generation = self.catalog().generation()?;
        let mut by_dataset: BTreeMap<String, Vec<RunRecord>> = BTreeMap::new();
        for run in self.catalog().runs(generation)? {
            by_dataset
                .entry(run.dataset.id.clone())
                .or_default()
                .push(run);
        }
        let folded = self.fold_datasets(generation, by_dataset);
        let (added, removed) = folded.inspect_err(|_| {
            // What was written is swept now, or at the next load where even that fails.
            let _ = self.sweep_runs(&lock);
        })?;
        let unions = self.narrower_unions()?;
        if !added.is_empty() || !unions.is_empty() {
            // Where this fails all runs stay: it may hold all the same, see `Catalog::change_runs`.
            self.catalog().change_runs(&RunChange {
                added: &added,
                removed: &removed,
                unions: &unions,
                next_sequence: self.catalog().next_sequence()?,
            })?;
            self.sweep_runs(&lock)?;
            self.back_up();
        }
        self.stats()
    }

    /// Writes the runs that take the places of those with the numbers that are returned.
    fn fold_datasets(
        &self,
        generation: i64,
        by_dataset: BTreeMap<String, Vec<RunRecord>>,
    ) -> Result<(Vec<NewRun>, Vec<i64>)> {
        let mut added = Vec::new();
        let mut removed = Vec::new();
        for (number, (id, records)) in by_dataset.into_iter().enumerate() {
            // One run is as it should be, unless it is of an earlier format.
            let is_done = matches!(&records[..], [only] if only.files.format == FORMAT);
            let Some(first) = records.first().filter(|_| !is_done) else {
                continue;
            };
            let class = first.dataset.class;
            let runs = records
                .iter()
                .map(|r| Run::open(&self.layout().run(&r.folder), &id, class, &r.files))
                .collect::<Result<Vec<_>, _>>()?;
            let folder = format!("{:08}-c{number:03}", generation + 1);
            let union = self.catalog().union(class, None)?;
            let (files, unsynced) = fold(&runs, class, &union, &self.layout().run(&folder))?;
            if self.is_durable() {
                unsynced.sync()?;
            }
            added.push(NewRun {
                dataset: id,
                folder,
                files,
            });
            removed.extend(records.iter().map(|r| r.id));
        }
        if self.is_durable() && !added.is_empty() {
            sync_folder(&self.layout().runs())?;
        }
        Ok((added, removed))
    }
}
