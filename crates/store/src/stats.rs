use std::collections::BTreeMap;

use serde::Serialize;

use crate::Store;
use crate::error::Result;

/// Figures of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// The number of the newest change.
    pub generation: i64,
    /// How many runs hold the records.
    pub runs: u64,
    /// The length of the runs' files together.
    pub bytes: u64,
    /// Each dataset's share.
    pub datasets: Vec<DatasetStats>,
}

/// Figures of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasetStats {
    /// The dataset's ID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `profile` or `event`.
    pub class: String,
    /// How many runs it has.
    pub runs: u64,
    /// Records in them; replaced fragments count until a compaction.
    pub records: u64,
    /// The length of their files together.
    pub bytes: u64,
}

impl Store {
    /// Figures of the store.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn stats(&self) -> Result<Stats> {
        let generation = self.catalog().generation()?;
        let mut stats = Stats {
            generation,
            ..Stats::default()
        };
        let mut datasets: BTreeMap<String, DatasetStats> = BTreeMap::new();
        for run in self.catalog().runs(generation)? {
            let bytes = run.files.length();
            let entry = datasets.entry(run.dataset.id.clone()).or_default();
            entry.runs += 1;
            entry.records += run.files.records;
            entry.bytes += bytes;
            stats.runs += 1;
            stats.bytes += bytes;
        }
        for dataset in self.catalog().datasets()? {
            // One without records has no runs.
            let mut entry = datasets.remove(&dataset.id).unwrap_or_default();
            entry.class = dataset.class.word().to_owned();
            entry.id = dataset.id;
            entry.name = dataset.name;
            stats.datasets.push(entry);
        }
        Ok(stats)
    }
}
