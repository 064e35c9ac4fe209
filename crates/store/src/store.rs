use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use xdm::{Class, Fields};

use crate::Progress;
use crate::catalog::{Catalog, Dataset, RunChange, Scope};
use crate::error::{AtPath, Result, StoreError};
use crate::load::{Input, LoadReport, LoadSettings, LoadTarget, Loading, OnBadRecord, load};
use crate::run::{Run, RunFiles, sync_folder};

/// A folder with a catalog and runs.
///
/// ```text
/// STORE/
///   catalog.sqlite   what is part of the store
///   runs/            the records, see [`crate::Run`]
///   batches/         the exports: a folder for each batch
///   staging/         batches that are being written: a folder for each running job
///   incoming/        files of batches that are being uploaded: a folder for each batch
///   load.lock        held by whoever changes the runs
/// ```
pub struct Store {
    folder: PathBuf,
    catalog: Catalog,
    durable: bool,
}

/// One dataset's share of a load.
#[derive(Clone, Debug)]
pub struct DatasetInputs {
    /// The dataset's ID.
    pub dataset: String,
    /// What is loaded, in order.
    pub inputs: Vec<Input>,
    /// When the records came in (microseconds since 1970), if not now and no field says so.
    pub ingested_at: Option<i64>,
    /// The top-level fields that are stored, beside those that every export needs; all where it is
    /// missing. For stores that are thrown away after one export.
    pub keep: Option<Vec<String>>,
}

/// The store as it stood at one generation.
pub struct Snapshot {
    /// The number of the change that made it.
    pub generation: i64,
    /// The union schema of the profile datasets.
    pub profile_union: Fields,
    /// The union schema of the event datasets.
    pub event_union: Fields,
    /// All datasets, those without records too.
    pub datasets: Vec<Dataset>,
    /// Its runs, oldest first.
    pub runs: Vec<Run>,
}

impl Store {
    /// Opens a store, making the folder where it is missing.
    ///
    /// # Errors
    /// The folder can't be made or its catalog is no catalog of ours.
    pub fn open(folder: impl Into<PathBuf>, scope: Scope) -> Result<Self> {
        Self::open_with(folder.into(), scope, true)
    }

    /// Opens a store that is thrown away after use: nothing in it is synced to disk.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn open_temporary(folder: impl Into<PathBuf>, scope: Scope) -> Result<Self> {
        Self::open_with(folder.into(), scope, false)
    }

    fn open_with(folder: PathBuf, scope: Scope, durable: bool) -> Result<Self> {
        for name in ["runs", "batches", "staging", "incoming"] {
            let sub = folder.join(name);
            fs::create_dir_all(&sub).at(&sub)?;
        }
        let catalog = Catalog::open(&folder.join("catalog.sqlite"), scope, durable)?;
        Ok(Self {
            folder,
            catalog,
            durable,
        })
    }

    /// The store's catalog.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The folder that batches are published in.
    #[must_use]
    pub fn batches_folder(&self) -> PathBuf {
        self.folder.join("batches")
    }

    /// The folder that running jobs write in.
    #[must_use]
    pub fn staging_folder(&self) -> PathBuf {
        self.folder.join("staging")
    }

    /// The folder that uploaded files wait in until their batch is loaded.
    #[must_use]
    pub fn incoming_folder(&self) -> PathBuf {
        self.folder.join("incoming")
    }

    /// Whether what it holds is synced to disk.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.durable
    }

    fn run_folder(&self, name: &str) -> PathBuf {
        self.folder.join("runs").join(name)
    }

    /// Takes the lock that whoever changes the runs must hold, and sweeps what a crash left behind.
    pub(crate) fn lock_runs(&self) -> Result<File> {
        let path = self.folder.join("load.lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .at(&path)?;
        lock.lock().at(&path)?;
        self.sweep_runs()?;
        Ok(lock)
    }

    /// Deletes the run folders that the catalog does not name.
    pub(crate) fn sweep_runs(&self) -> Result<()> {
        let known: HashSet<String> = self.catalog.forget_removed_runs()?.into_iter().collect();
        let runs = self.folder.join("runs");
        for entry in fs::read_dir(&runs).at(&runs)? {
            let entry = entry.at(&runs)?;
            if !entry
                .file_name()
                .to_str()
                .is_some_and(|n| known.contains(n))
            {
                fs::remove_dir_all(entry.path()).at(entry.path())?;
            }
        }
        Ok(())
    }

    /// The store as it is, or as it was at an earlier generation.
    ///
    /// # Errors
    /// A run that is missing or damaged.
    pub fn snapshot(&self, generation: Option<i64>) -> Result<Snapshot> {
        let generation = match generation {
            Some(generation) => generation,
            None => self.catalog.generation()?,
        };
        let runs = self
            .catalog
            .runs(generation)?
            .par_iter()
            .map(|run| {
                let dataset = &run.dataset;
                let folder = self.run_folder(&run.folder);
                Run::open(&folder, &dataset.id, dataset.class, &run.files)
            })
            .collect::<Result<_>>()?;
        Ok(Snapshot {
            generation,
            profile_union: self.catalog.union(Class::Profile, Some(generation))?,
            event_union: self.catalog.union(Class::Event, Some(generation))?,
            datasets: self.catalog.datasets_ever()?,
            runs,
        })
    }

    /// Loads records into datasets, all of them or none.
    ///
    /// `now` is the time of the call in microseconds since 1970: the ingest timestamp where nothing
    /// else gives one.
    ///
    /// # Errors
    /// A bad record (unless they are skipped), an unreadable input, an unknown dataset, a full disk;
    /// then the store is as before.
    pub fn ingest(
        &self,
        loads: &[DatasetInputs],
        on_bad_record: &OnBadRecord,
        now: i64,
        progress: &Progress,
    ) -> Result<LoadReport> {
        let _lock = self.lock_runs()?;
        let result = self.ingest_locked(loads, on_bad_record, now, progress);
        if result.is_err() {
            // What was written is swept now, or at the next load where even that fails.
            let _ = self.sweep_runs();
        }
        result
    }

    fn ingest_locked(
        &self,
        loads: &[DatasetInputs],
        on_bad_record: &OnBadRecord,
        now: i64,
        progress: &Progress,
    ) -> Result<LoadReport> {
        let snapshot = self.snapshot(None)?;
        let mut unions = [snapshot.profile_union, snapshot.event_union];
        let mut next_sequence = self.catalog.next_sequence()?;
        let runs_folder = self.folder.join("runs");
        let settings = LoadSettings {
            on_bad_record,
            runs: &runs_folder,
            durable: self.durable,
            progress,
        };
        let mut written = WrittenRuns {
            known: snapshot.runs.into_iter().map(Arc::new).collect(),
            added: Vec::new(),
            report: LoadReport::default(),
        };
        // The last run of one dataset is written while the next dataset is parsed.
        let mut last: Option<(String, Loading<'_>)> = None;
        for (i, part) in loads.iter().enumerate() {
            let dataset = self
                .catalog
                .dataset(&part.dataset)?
                .ok_or_else(|| StoreError::Refused(format!("no dataset {:?}", part.dataset)))?;
            if last.as_ref().is_some_and(|(id, _)| *id == dataset.id) {
                // Its events are known to this one.
                written.finish(last.take())?;
            }
            let union = match dataset.class {
                Class::Profile => &mut unions[0],
                Class::Event => &mut unions[1],
            };
            let mut types = union.clone();
            types
                .unite(&dataset.declared_fields()?)
                .map_err(|e| StoreError::Refused(format!("dataset {}: {e}", dataset.name)))?;
            let keep = part.keep.clone().map(|mut keep| {
                if dataset.class == Class::Event {
                    // What events are ordered by.
                    keep.extend(["_id".to_owned(), "timestamp".to_owned()]);
                }
                keep
            });
            let target = LoadTarget {
                dataset: &dataset.id,
                class: dataset.class,
                primary_identity: dataset.primary()?,
                ingested_at: part.ingested_at.unwrap_or(now),
                ingested_at_field: match part.ingested_at {
                    Some(_) => None,
                    None => dataset.ingest_field()?,
                },
                types,
                keep: keep.as_deref(),
                first_sequence: next_sequence,
            };
            let known = written.known.iter().filter(|run| run.dataset == dataset.id);
            let known: Vec<Arc<Run>> = known.cloned().collect();
            let mut count = 0;
            let (finished, loading) = rayon::join(
                || written.finish(last.take()),
                || {
                    load(&part.inputs, &target, known, &settings, || {
                        count += 1;
                        format!("{:08}-{i:03}-{count:04}", snapshot.generation + 1)
                    })
                },
            );
            finished?;
            let loading = loading?;
            next_sequence = loading.next_sequence;
            *union = loading.types.clone();
            last = Some((dataset.id, loading));
        }
        written.finish(last)?;
        progress.check()?;
        if self.durable {
            sync_folder(&runs_folder)?;
        }
        let [profile, event] = unions;
        self.catalog.change_runs(&RunChange {
            added: &written.added,
            removed: &[],
            unions: &[(Class::Profile, profile), (Class::Event, event)],
            next_sequence,
        })?;
        Ok(written.report)
    }

    pub(crate) fn runs_folder(&self) -> PathBuf {
        self.folder.join("runs")
    }

    /// The folder of the store.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// What an ingest wrote so far.
struct WrittenRuns {
    /// All runs whose events later parts of the ingest must know.
    known: Vec<Arc<Run>>,
    /// Dataset, folder and files of the new ones.
    added: Vec<(String, String, RunFiles)>,
    report: LoadReport,
}

impl WrittenRuns {
    /// Ends the load of a dataset.
    fn finish(&mut self, last: Option<(String, Loading<'_>)>) -> Result<()> {
        let Some((dataset, loading)) = last else {
            return Ok(());
        };
        let loaded = loading.finish()?;
        self.report.read += loaded.report.read;
        self.report.loaded += loaded.report.loaded;
        self.report.dropped += loaded.report.dropped;
        self.report.bad += loaded.report.bad;
        self.known.extend(loaded.opened);
        let runs = loaded.runs.into_iter();
        self.added
            .extend(runs.map(|(folder, files)| (dataset.clone(), folder, files)));
        Ok(())
    }
}
