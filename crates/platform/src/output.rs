//! A folder of the user's that exports go into, with a manifest of what it holds.

use std::fs;
use std::path::{Path, PathBuf};

use catalog::Error as CatalogError;
use store::{FileLock, Store, StoreError, make_folder, sweep_folder};

use crate::address::check_out;
use crate::error::{Error, Result};
use crate::jobs::{BatchFolders, FinishedJob, PREFIX, batch_of, sweep_goal};
use crate::manifest::{IfExists, Manifest, ManifestExport};

/// A folder that an export is to go into: nobody else exports into it as long as this lives.
pub struct OutputFolder {
    folder: PathBuf,
    before: Manifest,
    replaces: bool,
    lock: Option<FileLock>,
    /// Whether it was said that all is there, which is to be said again where nothing changes.
    was_whole: bool,
}

impl OutputFolder {
    /// Makes the folder, or looks what is in it. `store` is the folder of the store, which it can't be in.
    ///
    /// # Errors
    /// It has something, and that is not allowed; it has what no export wrote; another export goes on there.
    pub fn open(folder: &Path, store: Option<&Path>, if_exists: IfExists) -> Result<Self> {
        check_out(folder, store)?;
        make_folder(folder)?;
        let path = folder.join(format!("{PREFIX}lock"));
        let lock = FileLock::try_acquire(&path).map_err(StoreError::io(&path))?;
        if lock.is_none() {
            let holder = FileLock::holder(&path);
            let holder = holder.map_or_else(String::new, |id| format!(" (process {id})"));
            let problem = format!("another export{holder} goes into {}", folder.display());
            return Err(CatalogError::Conflict(problem).into());
        }
        let mut opened = Self {
            folder: folder.to_owned(),
            before: Manifest::empty(),
            replaces: if_exists == IfExists::Replace,
            lock,
            was_whole: false,
        };
        // What a killed export left is nobody's.
        sweep_goal(folder);
        opened.before = opened.look(if_exists)?;
        opened.was_whole = Manifest::is_said(folder);
        // From now on batches come and go.
        Manifest::unsay(folder)?;
        Ok(opened)
    }

    /// The manifest of what is there, where that may be there.
    fn look(&self, if_exists: IfExists) -> Result<Manifest> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(StoreError::io(&self.folder))? {
            let name = entry.map_err(StoreError::io(&self.folder))?.file_name();
            names.push(name.to_string_lossy().into_owned());
        }
        Manifest::read(&self.folder)?
            .unwrap_or_else(Manifest::empty)
            .admit(&names, if_exists)
            .map_err(|problem| Error::out(&self.folder, problem))
    }

    /// Says in the manifest what a job has written there, and takes away what that replaces; in the catalog of its
    /// store too, if it has one. Returns whether all exports there have the same columns and format.
    ///
    /// # Errors
    /// The manifest can't be written, or what is replaced can't be deleted: then nothing says that all is there.
    pub fn finish(mut self, finished: &FinishedJob, store: Option<&Store>) -> Result<bool> {
        let folder = &self.folder.clone();
        let mut manifest = match self.replaces {
            true => Manifest::empty(),
            false => self.before.clone(),
        };
        (manifest.exports).push(ManifestExport::of(finished, store.is_some())?);
        self.was_whole = false;
        manifest.write(folder)?;
        if self.replaces {
            let real = fs::canonicalize(folder).map_err(StoreError::io(folder))?;
            for batch in self.before.batches() {
                // A manifest may be a copy: the catalog's batch is this one only where it lies here.
                if let Some(store) = store
                    && let Some(known) = store.catalog().batch(&batch.id)?
                    && known.folder == Some(real.join(BatchFolders::Partitions.of(&batch.id)))
                {
                    store.delete_batch(&batch.id)?;
                }
            }
            let named = |id: &str| manifest.batches().any(|batch| batch.id == id);
            sweep_folder(folder, |name| {
                Ok(batch_of(name).is_some_and(|id| !named(id)))
            })?;
        }
        Manifest::say(folder)?;
        Ok(manifest.has_one_form())
    }
}

/// Deletes a batch with its files. Where it is in a folder with a manifest, nothing says any more that all is there.
///
/// # Errors
/// As for [`Store::delete_batch`].
pub fn delete_batch(store: &Store, id: &str) -> Result<()> {
    let batch = store.catalog().batch(id)?;
    store.delete_batch(id)?;
    let folder = batch.and_then(|batch| batch.folder);
    match folder.as_deref().and_then(Path::parent) {
        Some(folder) if folder.is_dir() => Manifest::unsay(folder),
        _ => Ok(()),
    }
}

impl Drop for OutputFolder {
    fn drop(&mut self) {
        if self.was_whole {
            // Nothing has changed. Where it can't be said again, it is told as not whole, which is no loss.
            let _ = Manifest::say(&self.folder);
        }
        // One that stays is nobody's lock when this process has ended.
        let _ = self.lock.take().map(FileLock::remove);
    }
}
