//! Copies of the catalog, one for each of the latest changes of the records, and the way back to one.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use catalog::{BatchQuery, Catalog, Scope};

use crate::Store;
use crate::error::{AtPath, Result, StoreError};
use crate::identity;
use crate::layout::Layout;
use crate::lock::FileLock;
use crate::sweep::remove_folder;

/// How many copies are kept.
const KEPT: usize = 3;
/// What one is called while it is written.
const UNFINISHED: &str = "unfinished";

/// What a return to an earlier catalog did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The change of the records up to which the store is as it was.
    pub generation: i64,
    /// Where the catalog of before is, with all that the restored one does not name.
    pub set_aside: PathBuf,
    /// How many runs were put there.
    pub runs: usize,
    /// How many batches were put there.
    pub batches: usize,
}

impl Store {
    /// Copies the catalog as it is now, and lets go of older copies.
    ///
    /// The records are in the store already: where there is no room for a copy, there is none of this change.
    pub(crate) fn back_up(&self) {
        if self.is_durable() {
            let _ = self.try_back_up();
        }
    }

    fn try_back_up(&self) -> Result<()> {
        let folder = self.layout().backups();
        fs::create_dir_all(&folder).at(&folder)?;
        let path = folder.join(format!(
            "catalog-{:08}.sqlite",
            self.catalog().generation()?
        ));
        let unfinished = folder.join(UNFINISHED);
        remove_file(&unfinished)?;
        self.catalog().copy_to(&unfinished)?;
        let file = File::open(&unfinished).at(&unfinished)?;
        file.sync_all().at(&unfinished)?;
        fs::rename(&unfinished, &path).at(&path)?;
        for old in copies(&folder)?.iter().skip(KEPT) {
            remove_file(old)?;
        }
        Ok(())
    }

    /// Deletes a dataset: its records are in no export from now on, and the next compaction deletes them. No copy
    /// of the catalog stays that would bring them back.
    ///
    /// # Errors
    /// There is no such dataset; the catalog or its copies can't be written.
    pub fn delete_dataset(&self, id: &str) -> Result<()> {
        self.delete_datasets(&[id.to_owned()])
    }

    /// Deletes datasets in the same way: all of them, or none.
    ///
    /// # Errors
    /// As for one, where one of them can't be deleted.
    pub fn delete_datasets(&self, ids: &[String]) -> Result<()> {
        let ids: BTreeSet<&String> = ids.iter().collect();
        let delete = |catalog: &Catalog| {
            let mut files = Vec::new();
            for id in &ids {
                let batches = catalog.batches(&BatchQuery {
                    dataset: Some((*id).clone()),
                    ..BatchQuery::default()
                })?;
                files.extend(batches.into_iter().filter(|batch| batch.written));
                catalog.delete_dataset(id)?;
            }
            Ok::<_, catalog::Error>(files)
        };
        // Where it is refused, the copies stay.
        self.catalog().rehearse(delete)?;
        // Before: what is told as deleted is deleted everywhere, and what is not is whole.
        self.remove_copies()?;
        for batch in self.catalog().atomically(delete)? {
            // What can't be removed now is swept, as nothing names it any more.
            let _ = remove_folder(&self.batch_folder(&batch));
        }
        self.back_up();
        Ok(())
    }

    /// Deletes all copies of the catalog, and what became of one that was not finished.
    pub(crate) fn remove_copies(&self) -> Result<()> {
        let folder = self.layout().backups();
        for old in copies(&folder)? {
            remove_file(&old)?;
        }
        remove_file(&folder.join(UNFINISHED))
    }

    /// Writes the catalog anew, and the one copy of it that stays: no row of before is in any file of it then.
    ///
    /// # Errors
    /// The catalog or its copies can't be written.
    pub fn purge_catalog(&self) -> Result<()> {
        self.catalog().purge()?;
        self.remove_copies()?;
        self.back_up();
        Ok(())
    }

    /// Puts the newest copy of the catalog in its place that is whole and whose runs are all there, in whatever
    /// state the catalog is. What that copy does not name is set aside, not deleted.
    ///
    /// # Errors
    /// Another process works on the store; there is no such copy; a file can't be moved.
    pub fn restore(folder: impl Into<PathBuf>) -> Result<Restored> {
        let layout = Layout::new(folder);
        let _locks = all_locks(&layout)?;
        let staged = layout.root().join("catalog.restored");
        let Some((generation, runs, batches)) = stage_newest(&layout, &staged)? else {
            return Err(StoreError::Catalog(catalog::Error::Conflict(format!(
                "{}: there is no copy of the catalog that is whole and whose runs are all there",
                layout.backups().display()
            ))));
        };
        let set_aside = new_folder(&layout.set_aside())?;
        for ending in ["", "-wal", "-shm"] {
            let name = format!("catalog.sqlite{ending}");
            move_to(&layout.root().join(&name), &set_aside.join(&name))?;
        }
        move_to(&staged, &layout.catalog())?;
        remove_file(&layout.identity())?;
        let scope = Scope::default();
        let catalog = Catalog::open(&layout.catalog(), scope, true, || Ok(false))?;
        identity::check(&layout.identity(), &catalog, true)?;
        Ok(Restored {
            generation,
            runs: move_others(&layout.runs(), &set_aside.join("runs"), &runs)?,
            batches: move_others(&layout.batches(), &set_aside.join("batches"), &batches)?,
            set_aside,
        })
    }
}

/// The copies, newest first.
fn copies(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.at(folder)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.at(folder)?.path();
        if path.extension().is_some_and(|ending| ending == "sqlite") {
            found.push(path);
        }
    }
    found.sort();
    found.reverse();
    Ok(found)
}

/// The locks of all who change a store.
fn all_locks(layout: &Layout) -> Result<Vec<FileLock>> {
    let mut paths = vec![layout.load_lock(), layout.serve_lock()];
    let staging = layout.staging();
    for entry in fs::read_dir(&staging).at(&staging)? {
        let path = entry.at(&staging)?.path();
        if path.extension().is_some_and(|ending| ending == "lock") {
            paths.push(path);
        }
    }
    let locks = paths.iter().map(|path| {
        let lock = FileLock::try_acquire(path).at(path)?;
        lock.ok_or_else(|| {
            StoreError::Catalog(catalog::Error::Conflict(format!(
                "{} is held: another process works on the store",
                path.display()
            )))
        })
    });
    locks.collect()
}

type Names = Vec<String>;

/// Puts the newest copy that will do in place; returns its generation and what it names.
fn stage_newest(layout: &Layout, staged: &Path) -> Result<Option<(i64, Names, Names)>> {
    for copy in copies(&layout.backups())? {
        remove_file(staged)?;
        fs::copy(&copy, staged).at(&copy)?;
        let catalog = Catalog::open(staged, Scope::default(), true, || Ok(false));
        // One that can't be read is no better than the catalog itself.
        let Ok(catalog) = catalog else {
            continue;
        };
        if !catalog.verify().is_ok_and(|problems| problems.is_empty()) {
            continue;
        }
        let runs: Names = catalog.run_folders()?;
        if runs.iter().all(|name| layout.run(name).is_dir()) {
            return Ok(Some((
                catalog.generation()?,
                runs,
                catalog.all_batch_ids()?,
            )));
        }
    }
    remove_file(staged)?;
    Ok(None)
}

/// A new folder in a folder, with the next number as its name.
fn new_folder(parent: &Path) -> Result<PathBuf> {
    fs::create_dir_all(parent).at(parent)?;
    for number in 1.. {
        let path = parent.join(number.to_string());
        match fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => {
                made.at(&path)?;
                return Ok(path);
            }
        }
    }
    unreachable!("there is a number that no folder has")
}

/// Moves the folders whose names are not `known` ones; returns how many.
fn move_others(from: &Path, to: &Path, known: &[String]) -> Result<usize> {
    let mut moved = 0;
    for entry in fs::read_dir(from).at(from)? {
        let entry = entry.at(from)?;
        let name = entry.file_name();
        let is_known = known.iter().any(|known| **known == name);
        if entry.file_type().at(entry.path())?.is_dir() && !is_known {
            fs::create_dir_all(to).at(to)?;
            move_to(&entry.path(), &to.join(name))?;
            moved += 1;
        }
    }
    Ok(moved)
}

fn move_to(from: &Path, to: &Path) -> Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        moved => moved.at(from),
    }
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.at(path),
    }
}
