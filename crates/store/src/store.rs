use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use catalog::{Batch, Catalog, Kind, Scope};
use decode::Progress;
use rayon::prelude::*;
use run::{Run, RunFiles, RunLimit, Snapshot};
use xdm::Class;

use crate::error::{AtPath, Result, StoreError};
use crate::identity;
use crate::layout::Layout;
use crate::lock::FileLock;
use crate::sweep::{remove_files, remove_folder, sweep_folder};
use crate::verify::verify_file;

/// A folder with a catalog, runs and batches: see [`Layout`].
pub struct Store {
    layout: Layout,
    catalog: Catalog,
    durable: bool,
    tell_wait: Option<Box<TellWait>>,
    pub(crate) run_limit: RunLimit,
}

/// Told once, in words, what a load or a compaction waits for.
type TellWait = dyn Fn(&str) + Send + Sync;

/// After this long a wait is told.
const SHORT_WAIT: Duration = Duration::from_secs(1);

/// Proof that its holder alone changes the runs.
pub(crate) struct RunsLock(FileLock);

impl Store {
    /// Opens a store, making the folder where it is missing. One that can't be written is read.
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
        let layout = Layout::new(folder);
        if durable {
            layout.check_ours()?;
        }
        let made = layout.create(durable);
        let catalog = Catalog::open(&layout.catalog(), scope, durable, || {
            Ok(is_empty(&layout.runs())?
                && is_empty(&layout.batches())?
                && !layout.identity().try_exists()?)
        });
        let catalog = match (catalog, made) {
            (Ok(catalog), Err(_)) if catalog.is_read_only() => catalog,
            (catalog, made) => {
                made?;
                catalog?
            }
        };
        let store = Self {
            layout,
            catalog,
            durable,
            tell_wait: None,
            run_limit: RunLimit::default(),
        };
        if !store.catalog.is_read_only() {
            identity::check(&store.layout.identity(), &store.catalog, durable)?;
            store.renew_reserve();
        }
        Ok(store)
    }

    /// The same store, which tells what a load or a compaction waits for when that takes a second.
    #[must_use]
    pub fn telling_waits(self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            tell_wait: Some(Box::new(tell)),
            ..self
        }
    }

    /// The same store, whose merges write runs of other sizes: smaller ones take less memory.
    #[must_use]
    pub fn with_run_limit(self, run_limit: RunLimit) -> Self {
        Self { run_limit, ..self }
    }

    /// The store's catalog.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Where everything in the store is.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether what it holds is synced to disk.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.durable
    }

    /// Takes the lock that whoever changes the runs must hold, unless `progress` is cancelled first, and
    /// sweeps what a crash left behind.
    pub(crate) fn lock_runs(&self, progress: &Progress) -> Result<RunsLock> {
        let lock = RunsLock(self.wait_for(self.layout.load_lock(), progress)?);
        self.sweep_runs(&lock)?;
        Ok(lock)
    }

    /// Takes the lock that an evaluation of segments holds from its first read to its load, unless `progress` is
    /// cancelled first: what is deleted meanwhile would be loaded behind the deletion. Whoever changes the runs while they
    /// have it takes it first.
    ///
    /// # Errors
    /// The lock's file can't be made or locked, the store can only be read; `progress` was cancelled.
    pub fn lock_evaluations(&self, progress: &Progress) -> Result<FileLock> {
        self.wait_for(self.layout.evaluation_lock(), progress)
    }

    fn wait_for(&self, path: PathBuf, progress: &Progress) -> Result<FileLock> {
        self.catalog.check_writable()?;
        let mut told = false;
        let lock = FileLock::acquire_while(&path, |waited| {
            if waited >= SHORT_WAIT && !told {
                told = true;
                self.tell_wait(&path);
            }
            !progress.is_cancelled()
        });
        Ok(lock.at(&path)?.ok_or(decode::Error::Cancelled)?)
    }

    fn tell_wait(&self, path: &Path) {
        let Some(tell) = &self.tell_wait else {
            return;
        };
        let who = match FileLock::holder(path) {
            Some(process) => format!("process {process}"),
            None => "another process".to_owned(),
        };
        tell(&format!(
            "waiting for {who}, which changes this store now: it holds {}",
            path.display()
        ));
    }

    /// Deletes the run folders that the catalog does not name. While one that it names is missing,
    /// nothing is deleted: what is true is not known then.
    pub(crate) fn sweep_runs(&self, RunsLock(_held): &RunsLock) -> Result<()> {
        let known: HashSet<String> = self.catalog.run_folders()?.into_iter().collect();
        let (mut named, mut others) = (0, 0);
        sweep_folder(&self.layout.runs(), |name| {
            *(if known.contains(name) {
                &mut named
            } else {
                &mut others
            }) += 1;
            Ok(false)
        })?;
        if others == 0 || named < known.len() {
            return Ok(());
        }
        self.catalog.forget_removed_runs()?;
        sweep_folder(&self.layout.runs(), |name| Ok(!known.contains(name)))
    }

    /// The store as it is, or as it was at an earlier generation.
    ///
    /// # Errors
    /// A run that is missing or damaged.
    pub fn snapshot(&self, generation: Option<i64>) -> Result<Snapshot> {
        self.catalog.check_records()?;
        if let Some(generation) = generation {
            return self.snapshot_at(generation, None);
        }
        self.undisturbed(|generation| self.snapshot_at(generation, None))
    }

    /// The store as it is, for who has an earlier snapshot open: runs that it still has are not opened anew, and what they
    /// keep of what was read stays.
    ///
    /// # Errors
    /// A run that is missing or damaged.
    pub fn snapshot_after(&self, earlier: Option<&Snapshot>) -> Result<Snapshot> {
        self.catalog.check_records()?;
        self.undisturbed(|generation| self.snapshot_at(generation, earlier))
    }

    /// Reads the store as it is: once more where it has changed meanwhile. Nothing holds a generation that no job
    /// has, so a merge may take away what was to be read.
    pub(crate) fn undisturbed<T>(&self, read: impl Fn(i64) -> Result<T>) -> Result<T> {
        loop {
            let generation = self.catalog.generation()?;
            let found = read(generation);
            if self.catalog.generation()? == generation {
                return found;
            }
        }
    }

    fn snapshot_at(&self, generation: i64, earlier: Option<&Snapshot>) -> Result<Snapshot> {
        let open = |folder: &Path, files: &RunFiles| {
            let open = earlier.into_iter().flat_map(|earlier| &earlier.runs);
            let mut open = open.filter(|run| run.check_whole().is_ok());
            open.find(|run| run.is_of(folder, files)).map(Arc::clone)
        };
        let runs = self
            .catalog
            .runs(generation)?
            .par_iter()
            .map(|run| {
                let dataset = &run.dataset;
                let folder = self.layout.run(&run.folder);
                if let Some(open) = open(&folder, &run.files) {
                    return Ok(open);
                }
                Run::open(&folder, &dataset.id, dataset.class, &run.files).map(Arc::new)
            })
            .collect::<Result<_, _>>()?;
        Ok(Snapshot {
            generation,
            profile_union: self.catalog.union(Class::Profile, Some(generation))?,
            event_union: self.catalog.union(Class::Event, Some(generation))?,
            namespaces: self.catalog.namespaces()?,
            datasets: self.catalog.datasets_ever()?,
            runs,
        })
    }

    /// Where a batch's files are: in the store, unless its job was told another place.
    #[must_use]
    pub fn batch_folder(&self, batch: &Batch) -> PathBuf {
        match batch.outside() {
            Some(folder) => folder.to_owned(),
            None => self.layout.batches().join(&batch.id),
        }
    }

    /// Deletes a batch of an export with its files.
    ///
    /// # Errors
    /// There is no such batch, or it came in; the catalog can't be written, the files can't be deleted.
    pub fn delete_batch(&self, id: &str) -> Result<()> {
        let batch = self.catalog.batch(id)?;
        let batch = batch.ok_or_else(|| catalog::Error::not_found(Kind::Batch, id))?;
        if batch.came_in() {
            return Err(catalog::Error::Conflict(format!(
                "batch {id} came in: its records are part of dataset {}; reverting the batch deletes them with it",
                batch.dataset()
            ))
            .into());
        }
        // First out of sight, then off the disk: a crash in between leaves what is swept.
        self.freeing(|catalog| Ok(catalog.delete_batch(id)?))?;
        let removed = match &batch.among {
            Some(folder) => remove_own(folder, &batch),
            None => remove_folder(&self.batch_folder(&batch)),
        };
        let removed = removed.and_then(|()| remove_folder(&self.layout.state(id)));
        removed.map_err(StoreError::left(
            &format!("batch {id}"),
            self.batch_folder(&batch),
        ))?;
        self.renew_reserve();
        Ok(())
    }
}

/// Deletes the files of a batch that lie among others, as far as they are still the batch's.
fn remove_own(folder: &Path, batch: &Batch) -> Result<()> {
    let progress = Progress::default();
    let (mut own, mut other) = (Vec::new(), None);
    for file in &batch.files {
        let path = folder.join(&file.name);
        match path.exists() && verify_file(&path, file, &progress).is_some() {
            true => other = Some(path),
            false => own.push(&*file.name),
        }
    }
    remove_files(folder, own.into_iter())?;
    match other {
        None => Ok(()),
        Some(path) => {
            let reason = "it has other bytes than the batch, so it is somebody else's, and stays";
            let reason = io::Error::other(reason);
            Err(StoreError::Io { path, reason })
        }
    }
}

/// Whether there is no folder in a folder; files are not ours.
fn is_empty(folder: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if entry?.file_type()?.is_dir() {
            return Ok(false);
        }
    }
    Ok(true)
}
