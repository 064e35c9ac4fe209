//! Deleting records: the runs that have them are written anew without them.

mod beside;
mod selection;

use std::collections::BTreeSet;

use catalog::{NewRun, RunRecord};
use decode::{Phase, Progress};
use run::{Leaf, Run, without};
use serde::Serialize;
use xdm::Class;

pub use selection::RecordSelection;
use selection::Rows;

use crate::Store;
use crate::error::{Result, StoreError};
use crate::gone::Sought;
use crate::tiers::folder_name_of_rest;

/// What a deletion took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedRuns {
    /// The records, by dataset, in the order of IDs; none of datasets that lost none.
    pub datasets: Vec<DeletedRecords>,
    /// How many runs were written anew, or were left with nothing.
    pub runs: u64,
}

/// The records that a dataset lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedRecords {
    /// The dataset's ID.
    pub dataset_id: String,
    /// Its name.
    pub name: String,
    /// Its class in one word.
    pub class: &'static str,
    /// How many records: fragments that later ones had replaced count, too.
    pub records: u64,
}

impl DeletedRuns {
    /// How many records it took.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.datasets.iter().map(|dataset| dataset.records).sum()
    }
}

/// A run that loses records.
struct Affected {
    record: RunRecord,
    run: Run,
    /// The rows that go; none where it is written anew for what no row has.
    rows: Rows,
}

impl Affected {
    fn count(&self) -> u64 {
        self.rows.count(&self.run)
    }
}

impl Store {
    /// Deletes records: those of the selection, and of a dataset of profiles those that they had replaced, which would
    /// come back otherwise. The runs that have them are written anew without them, all at once: a reader has all of them
    /// or none. No copy of the catalog stays that would bring them back.
    ///
    /// Where `values` are given, runs that still hold one where no row has it (in a dictionary, of records that were
    /// replaced) are written anew, too.
    ///
    /// Jobs that were created before read the store as it was then, and keep the old runs on the disk until they end.
    ///
    /// # Errors
    /// A damaged run, a full disk, a dataset that was deleted meanwhile; `progress` was cancelled. Then the store is as
    /// before. [`StoreError::Left`] where the records are gone and files that had them are not.
    pub fn delete_records(
        &self,
        selection: &RecordSelection<'_>,
        values: &[Sought],
        progress: &Progress,
    ) -> Result<DeletedRuns> {
        let lock = self.lock_runs(progress)?;
        self.catalog().check_records()?;
        progress.begin(Phase::Merge);
        let mut affected = Vec::new();
        let mut deleted = DeletedRuns::default();
        for records in self
            .runs_by_dataset(self.catalog().generation()?)?
            .into_values()
        {
            let of_dataset = self.affected(selection, records, values, progress)?;
            let count = of_dataset.iter().map(Affected::count).sum();
            if let Some(first) = of_dataset.first().filter(|_| count > 0) {
                let dataset = &first.record.dataset;
                deleted.datasets.push(DeletedRecords {
                    dataset_id: dataset.id.clone(),
                    name: dataset.name.clone(),
                    class: dataset.class.word(),
                    records: count,
                });
            }
            affected.extend(of_dataset);
        }
        deleted.runs = affected.len() as u64;
        if affected.is_empty() {
            return Ok(deleted);
        }
        let removed: Vec<RunRecord> = affected.iter().map(|run| run.record.clone()).collect();
        let added = self.write_rests(affected, progress).inspect_err(|_| {
            // What was written is swept now, or at the next load where even that fails.
            let _ = self.sweep_runs(&lock);
        })?;
        // Before: what is told as deleted is deleted everywhere, and what is not is whole.
        self.remove_copies()?;
        self.replace(&[removed], &added, &[])?;
        self.back_up();
        let swept = self.sweep_runs(&lock);
        swept.map_err(StoreError::left("what was asked for", self.layout().runs()))?;
        Ok(deleted)
    }

    /// The runs of a dataset that lose records, or hold a value that no row has.
    fn affected(
        &self,
        selection: &RecordSelection<'_>,
        records: Vec<RunRecord>,
        values: &[Sought],
        progress: &Progress,
    ) -> Result<Vec<Affected>> {
        let Some(first) = records.first() else {
            return Ok(Vec::new());
        };
        let dataset = first.dataset.clone();
        let is_concerned = selection.concerns(&dataset.id, dataset.class);
        // Values are looked for in all runs, whosesoever.
        if !is_concerned && values.is_empty() {
            return Ok(Vec::new());
        }
        let runs = records.iter().map(|record| {
            let folder = self.layout().run(&record.folder);
            Run::open(&folder, &dataset.id, dataset.class, &record.files)
        });
        let runs: Vec<Run> = runs.collect::<Result<_, _>>()?;
        let rows = match is_concerned {
            true => selection.rows(&dataset, &runs, self.catalog().next_sequence()?, progress)?,
            false => runs.iter().map(|_| Rows::These(BTreeSet::new())).collect(),
        };
        let mut affected = Vec::new();
        for ((record, run), rows) in records.into_iter().zip(runs).zip(rows) {
            progress.check()?;
            if rows.count(&run) > 0 || self.holds(&record, values)? {
                affected.push(Affected { record, run, rows });
            }
        }
        Ok(affected)
    }

    /// Whether a run's files hold a value, wherever.
    fn holds(&self, record: &RunRecord, values: &[Sought]) -> Result<bool> {
        let mut holds = false;
        if values.is_empty() {
            return Ok(holds);
        }
        for file in &record.files.files {
            let path = self.layout().run(&record.folder).join(&file.name);
            // A number stands in rows alone: writing the run anew would leave it.
            let mut look = |leaf: Leaf<'_>| {
                if let Leaf::Text(text) = leaf {
                    holds = holds || values.iter().any(|value| value.is_in(text));
                }
            };
            run::each_leaf_of_file(&path, &mut look)?;
        }
        Ok(holds)
    }

    /// Writes what is left of runs, all or none.
    fn write_rests(&self, affected: Vec<Affected>, progress: &Progress) -> Result<Vec<NewRun>> {
        let generation = self.catalog().generation()? + 1;
        let share = 1.0 / affected.len() as f64;
        let mut added = Vec::new();
        for (number, Affected { record, run, rows }) in affected.into_iter().enumerate() {
            let class: Class = record.dataset.class;
            let union = self.catalog().union(class, None)?;
            let Rows::These(rows) = rows else {
                progress.add_share(share);
                continue;
            };
            let name = |part: usize| folder_name_of_rest(&record.folder, generation, number, part);
            let folder = |part: usize| self.layout().run(&name(part));
            let go_on = || Ok::<_, StoreError>(progress.check()?);
            let written = without(run, &rows, class, &union, self.run_limit, folder, go_on)?;
            for (part, (files, unsynced)) in written.into_iter().enumerate() {
                if self.is_durable() {
                    unsynced.sync()?;
                }
                added.push(NewRun {
                    dataset: record.dataset.id.clone(),
                    folder: name(part),
                    files,
                });
            }
            progress.add_share(share);
        }
        if self.is_durable() && !added.is_empty() {
            run::sync_folder(&self.layout().runs())?;
        }
        Ok(added)
    }
}
