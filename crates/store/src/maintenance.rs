//! Looking after a store: figures, compaction, verification.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StructArray};
use arrow::datatypes::Field;
use gather::RowRef;
use serde::Serialize;
use serde_json::Value;
use xdm::{Class, digest128};

use crate::catalog::{BatchQuery, BatchRecord, RunChange, RunRecord};
use crate::error::{AtPath, Result, StoreError};
use crate::run::{Entry, Run, RunRows, SealedFile, in_run_order, sync_folder, system, write_run};
use crate::store::Store;

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
            let bytes = run.files.files.iter().map(|f| f.length).sum::<u64>();
            let entry = datasets.entry(run.dataset.id.clone()).or_default();
            entry.runs += 1;
            entry.records += run.files.records;
            entry.bytes += bytes;
            stats.runs += 1;
            stats.bytes += bytes;
        }
        for dataset in self.catalog().datasets()? {
            let mut entry = datasets.remove(&dataset.id).unwrap_or_default();
            entry.class = dataset.class.word().to_owned();
            entry.id = dataset.id;
            entry.name = dataset.name;
            stats.datasets.push(entry);
        }
        Ok(stats)
    }

    /// Folds each dataset's runs into one, without the fragments that later ones replaced.
    ///
    /// Exports that run meanwhile keep reading the old runs, whose files go when nothing needs them.
    ///
    /// # Errors
    /// A damaged run, a full disk; then the store is as before.
    pub fn compact(&self) -> Result<Stats> {
        let _lock = self.lock_runs()?;
        let generation = self.catalog().generation()?;
        let mut by_dataset: BTreeMap<String, Vec<RunRecord>> = BTreeMap::new();
        for run in self.catalog().runs(generation)? {
            by_dataset
                .entry(run.dataset.id.clone())
                .or_default()
                .push(run);
        }
        let result = self.compact_datasets(generation, by_dataset);
        self.sweep_runs()?;
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
                .map(|r| Run::open(&self.runs_folder().join(&r.folder), &id, class, &r.files))
                .collect::<Result<Vec<_>>>()?;
            let folder = format!("{:08}-c{number:03}", generation + 1);
            let files = fold(
                &runs,
                class,
                &self.catalog().union(class, None)?,
                &self.runs_folder().join(&folder),
                self.is_durable(),
            )?;
            added.push((id, folder, files));
            removed.extend(records.iter().map(|r| r.id));
        }
        if added.is_empty() {
            return Ok(());
        }
        if self.is_durable() {
            sync_folder(&self.runs_folder())?;
        }
        self.catalog().change_runs(&RunChange {
            added: &added,
            removed: &removed,
            unions: &[],
            next_sequence: self.catalog().next_sequence()?,
        })?;
        Ok(())
    }

    /// Checks every byte of every file that the catalog names: the runs' and the batches'.
    ///
    /// Returns what is wrong, an empty list where all is well.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn verify(&self) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        let generation = self.catalog().generation()?;
        for run in self.catalog().runs(generation)? {
            let folder = self.runs_folder().join(&run.folder);
            for file in &run.files.files {
                let checked = SealedFile::open(&folder, file).and_then(|f| f.check_all());
                if let Err(error) = checked {
                    problems.push(error.to_string());
                }
            }
        }
        for batch in self.catalog().batches(&BatchQuery::default())? {
            let files = batch.body.get("files").and_then(Value::as_array);
            for file in files.into_iter().flatten() {
                if let Some(problem) = verify_batch_file(&self.batch_folder(&batch), file) {
                    problems.push(problem);
                }
            }
        }
        Ok(problems)
    }

    /// Where a batch's files are: in the store, unless its job was told another place.
    #[must_use]
    pub fn batch_folder(&self, batch: &BatchRecord) -> PathBuf {
        match batch.body.get("folder").and_then(Value::as_str) {
            Some(folder) => PathBuf::from(folder),
            None => self.batches_folder().join(&batch.id),
        }
    }

    /// Deletes a batch with its files; says whether there was one.
    ///
    /// # Errors
    /// The catalog can't be written, the files can't be deleted; a batch that came in.
    pub fn delete_batch(&self, id: &str) -> Result<bool> {
        let Some(batch) = self.catalog().batch(id)? else {
            return Ok(false);
        };
        if batch.came_in() {
            return Err(StoreError::Refused(format!(
                "batch {id} came in: its records are part of dataset {} and can't be taken out",
                batch.dataset
            )));
        }
        // First out of sight, then off the disk: a crash in between leaves what is swept.
        let folder = self.batch_folder(&batch);
        let deleted = self.catalog().delete_batch(id)?;
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).at(folder),
            _ => Ok(deleted),
        }
    }

    /// The batch folders that there are, whether the catalog knows them or not.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn batch_folders(&self) -> Result<Vec<PathBuf>> {
        let folder = self.batches_folder();
        let entries = fs::read_dir(&folder).at(&folder)?;
        entries.map(|entry| Ok(entry.at(&folder)?.path())).collect()
    }

    /// Deletes those of the folders that are neither a batch in the catalog nor `live`.
    ///
    /// # Errors
    /// The catalog can't be read, a folder can't be deleted.
    pub fn sweep_batches(&self, folders: &[PathBuf], live: &HashSet<String>) -> Result<()> {
        let known: HashSet<String> = self.catalog().all_batch_ids()?.into_iter().collect();
        for folder in folders {
            let id = folder.file_name().unwrap_or_default().to_string_lossy();
            if !known.contains(id.as_ref()) && !live.contains(id.as_ref()) {
                match fs::remove_dir_all(folder) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error).at(folder);
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn verify_batch_file(folder: &Path, file: &Value) -> Option<String> {
    let name = file.get("name").and_then(Value::as_str)?;
    let path = folder.join(name);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => return Some(format!("{}: {error}", path.display())),
    };
    let digest = format!("xxh3-128:{:032x}", digest128(&bytes));
    let known = file.get("digest").and_then(Value::as_str)?;
    (digest != known).then(|| format!("{} is damaged: its digest differs", path.display()))
}

/// Writes the live records of several runs as one.
fn fold(
    runs: &[Run],
    class: Class,
    types: &xdm::Fields,
    folder: &Path,
    durable: bool,
) -> Result<crate::run::RunFiles> {
    let mut sources: Vec<Option<ArrayRef>> = Vec::new();
    let mut entries: Vec<Entry> = Vec::new();
    let mut ids: Vec<u128> = Vec::new();
    for run in runs {
        let first_source = sources.len() as u32;
        let ingested = run.ingest_times()?;
        let happened = match class {
            Class::Profile => Vec::new(),
            Class::Event => event_times(run)?,
        };
        let sequences = run.sequences()?;
        ids.extend(run.event_ids()?.iter());
        for (person, row) in rows_with_person(run) {
            let (batch, in_batch) = Run::locate(row);
            entries.push(Entry {
                person: run.person(person).0,
                time: match happened.get(row as usize) {
                    Some(time) => *time,
                    None => ingested.get(row),
                },
                sequence: sequences.get(row),
                at: RowRef::new(first_source + batch, in_batch),
            });
        }
        sources.extend(whole_rows(run)?.into_iter().map(Some));
    }
    ids.sort_unstable();
    let rows = in_run_order(class, entries, &sources)?;
    let run = RunRows {
        class,
        types,
        sources: &sources,
        rows: &rows,
        ids: &ids,
    };
    let (files, unsynced) = write_run(folder, &run)?;
    if durable {
        unsynced.sync()?;
    }
    Ok(files)
}

fn event_times(run: &Run) -> Result<Vec<i64>> {
    let ty = xdm::FieldType::DateTime.data_type();
    let column = run.record_field("timestamp", &ty)?;
    let mut times = Vec::with_capacity(run.rows());
    for batch in column.batches {
        let batch = batch.ok_or_else(|| StoreError::Refused("events without times".to_owned()))?;
        times.extend_from_slice(
            batch
                .as_primitive::<arrow::datatypes::TimestampMicrosecondType>()
                .values(),
        );
    }
    Ok(times)
}

fn rows_with_person(run: &Run) -> impl Iterator<Item = (usize, u32)> + '_ {
    (0..run.persons()).flat_map(|person| run.rows_of(person).map(move |row| (person, row)))
}

/// The batches of a run with the identity columns that the file keeps apart.
fn whole_rows(run: &Run) -> Result<Vec<ArrayRef>> {
    let (namespaces, ids) = run.identity_column();
    let mut persons = rows_with_person(run).map(|(person, _)| RowRef::new(0, person as u32));
    run.whole()?
        .into_iter()
        .map(|batch| {
            let rows: Vec<RowRef> = persons.by_ref().take(batch.num_rows()).collect();
            let mut fields = Vec::new();
            let mut arrays = Vec::new();
            for (name, column) in [(system::NAMESPACE, namespaces), (system::ID, ids)] {
                fields.push(Arc::new(Field::new(
                    name,
                    column.data_type().clone(),
                    false,
                )));
                arrays.push(column.gather(&rows)?);
            }
            fields.extend(batch.schema().fields().iter().cloned());
            arrays.extend(batch.columns().iter().cloned());
            let whole = StructArray::try_new(fields.into(), arrays, None)?;
            Ok(Arc::new(whole) as ArrayRef)
        })
        .collect()
}
