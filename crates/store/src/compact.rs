use std::collections::BTreeMap;

use catalog::{NewRun, RunChange, RunRecord};
use run::{Run, fold, sync_folder};

use crate::error::Result;
use crate::{Stats, Store};

impl Store {
    /// Folds each dataset's runs into one, without the fragments that later ones replaced.
    ///
    /// Exports that run meanwhile keep reading the old runs, whose files go when nothing needs them.
    ///
    /// # Errors
    /// A damaged run, a full disk; then the store is as before.
    pub fn compact(&self) -> Result<Stats> {
        let lock = self.lock_runs()?;
        let generation = self.catalog().generation()?;
        let mut by_dataset: BTreeMap<String, Vec<RunRecord>> = BTreeMap::new();
        for run in self.catalog().runs(generation)? {
            by_dataset
                .entry(run.dataset.id.clone())
                .or_default()
                .push(run);
        }
        let result = self.compact_datasets(generation, by_dataset);
        self.sweep_runs(&lock)?;
        result?;
        self.stats()
    }

    fn compact_datasets(
        &self,
        generation: i64,
        by_dataset: BTreeMap<String, Vec<RunRecord>>,
    ) -> Result<()> {
        let mut added = Vec::new();
        let mut removed = Vec::new();
        for (number, (id, records)) in by_dataset.into_iter().enumerate() {
            let Some(first) = records.first().filter(|_| records.len() > 1) else {
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
        if added.is_empty() {
            return Ok(());
        }
        if self.is_durable() {
            sync_folder(&self.layout().runs())?;
        }
        self.catalog().change_runs(&RunChange {
            added: &added,
            removed: &removed,
            unions: &[],
            next_sequence: self.catalog().next_sequence()?,
        })?;
        Ok(())
    }
}
