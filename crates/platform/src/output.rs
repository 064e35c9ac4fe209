//! A folder of the user's that exports go into, with a manifest of what it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use catalog::{Batch, BatchFile, Error as CatalogError};
use decode::Progress;
use store::{
    FileLock, Scope, Store, StoreError, make_folder, remove_files, sweep_folder, verify_file,
};

use crate::address::check_out;
use crate::error::{Error, Result};
use crate::jobs::{BatchNames, FinishedJob, PREFIX, batch_of, sweep_goal};
use crate::manifest::{IfExists, Manifest, ManifestExport, is_inside};

/// That nobody else exports into a folder as long as this lives.
pub(crate) struct FolderLock {
    folder: PathBuf,
    /// The folder of the store that exports into it, if there is one.
    store: Option<PathBuf>,
    lock: Option<FileLock>,
}

impl FolderLock {
    /// Takes the lock of a folder, which is made where it is missing, and touches nothing else there.
    pub(crate) fn take(folder: &Path, store: Option<&Path>) -> Result<Self> {
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
        Ok(Self {
            folder: folder.to_owned(),
            store: store.map(Path::to_owned),
            lock,
        })
    }

    /// Whether it is that of a folder, whichever name that goes by.
    pub(crate) fn is_of(&self, folder: &Path) -> bool {
        let real = |path: &Path| fs::canonicalize(path).ok();
        real(&self.folder).is_some_and(|own| real(folder) == Some(own))
    }

    /// Looks what is in the folder; see [`OutputFolder::open`].
    pub(crate) fn open(self, if_exists: IfExists) -> Result<OutputFolder> {
        let folder = self.folder.clone();
        // What a killed export left is nobody's.
        sweep_goal(&folder);
        let left = left_behind(&folder, self.store.as_deref(), if_exists)?;
        let before = look(&folder, &left, if_exists)?;
        let was_whole = Manifest::is_said(&folder);
        // From now on batches come and go.
        Manifest::unsay(&folder)?;
        Ok(OutputFolder {
            folder,
            before,
            left,
            replaces: if_exists == IfExists::Replace,
            was_whole,
            _lock: self,
        })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // One that stays is nobody's lock when this process has ended.
        let _ = self.lock.take().map(FileLock::remove);
    }
}

/// A folder that an export is to go into: nobody else exports into it as long as this lives.
pub struct OutputFolder {
    folder: PathBuf,
    before: Manifest,
    /// What the store has there and the manifest does not name, where it is to be replaced.
    left: Vec<Batch>,
    replaces: bool,
    /// Whether it was said that all is there, which is to be said again where nothing changes.
    was_whole: bool,
    /// Let go of behind all else.
    _lock: FolderLock,
}

impl OutputFolder {
    /// Makes the folder, or looks what is in it. `store` is the folder of the store, which it can't be in.
    ///
    /// # Errors
    /// It has something, and that is not allowed; it has what no export wrote; another export goes on there.
    pub fn open(folder: &Path, store: Option<&Path>, if_exists: IfExists) -> Result<Self> {
        FolderLock::take(folder, store)?.open(if_exists)
    }

    /// Looks whether an export could go into the folder, and makes nothing.
    ///
    /// # Errors
    /// As for [`OutputFolder::open`], but that another export may go on there.
    pub fn check(folder: &Path, store: Option<&Path>, if_exists: IfExists) -> Result<()> {
        check_out(folder, store)?;
        match folder.try_exists().map_err(StoreError::io(folder))? {
            true => {
                let left = left_behind(folder, store, if_exists)?;
                look(folder, &left, if_exists).map(drop)
            }
            false => Ok(()),
        }
    }

    /// The files, from the folder on, that may give way to files of the same name: those that are replaced, and are not
    /// in folders of their batches.
    #[must_use]
    pub fn replaceable(&self) -> BTreeSet<String> {
        let left = self.left.iter().flat_map(|batch| &batch.files);
        let files = (self.before.spread_files()).chain(left.map(|file| &*file.name));
        files.filter(|_| self.replaces).map(str::to_owned).collect()
    }

    /// Does what comes behind the manifest, where the export of a plan broke off there: all else is replaced, if anything is.
    pub(crate) fn complete(
        lock: FolderLock,
        if_exists: IfExists,
        (plan, store): (&str, &Store),
    ) -> Result<()> {
        let folder = lock.folder.clone();
        let mut output = lock.open(match if_exists {
            IfExists::Replace => IfExists::Replace,
            IfExists::Append | IfExists::Fail => IfExists::Append,
        })?;
        if output.replaces {
            let own = output.before.alone(plan);
            if let Some(own) = own.map_err(|problem| Error::out(&folder, problem))? {
                output.give_way(&own, Some(store))?;
            }
            // Whatever else is there its manifest has to name.
            look(&folder, &[], IfExists::Append)?;
        }
        output.was_whole = false;
        Manifest::say(&folder)
    }

    /// Says in the manifest what a job has written there, and takes away what that replaces; in the catalog of its
    /// store too, if it has one. Returns whether all exports there have the same columns and format.
    ///
    /// # Errors
    /// The manifest can't be written, or what is replaced can't be deleted: then nothing says that all is there.
    pub fn finish(mut self, finished: &FinishedJob, store: Option<&Store>) -> Result<bool> {
        self.tell(finished, store)
    }

    /// The same, and the folder stays locked.
    pub(crate) fn tell(&mut self, finished: &FinishedJob, store: Option<&Store>) -> Result<bool> {
        let folder = &self.folder.clone();
        let mut manifest = match self.replaces {
            true => Manifest::empty(),
            false => self.before.clone(),
        };
        (manifest.exports).push(ManifestExport::of(finished, store.is_some())?);
        self.was_whole = false;
        if !self.replaceable().is_empty() {
            // Nothing but the manifest says that they are no stranger's: it names them until they are gone.
            let mut both = self.before.clone();
            both.exports.extend(manifest.exports.iter().cloned());
            both.write(folder)?;
        }
        self.give_way(&manifest, store)?;
        Manifest::say(folder)?;
        Ok(manifest.has_one_form())
    }

    /// Writes a manifest, and takes away what that does not name, where it is replaced.
    fn give_way(&self, manifest: &Manifest, store: Option<&Store>) -> Result<()> {
        let folder = &self.folder;
        let replaced = self.replaceable();
        let mut replaced: Vec<&str> = replaced.iter().map(String::as_str).collect();
        if !replaced.is_empty() {
            let files = manifest.batches().flat_map(|batch| &batch.files);
            let kept: BTreeSet<&str> = files.map(|file| &*file.path).collect();
            replaced.retain(|path| !kept.contains(path) && is_inside(path));
            remove_files(folder, replaced.into_iter())?;
            if let Some(store) = store {
                forget_overwritten(store, folder, manifest)?;
            }
        }
        manifest.write(folder)?;
        if self.replaces {
            let real = fs::canonicalize(folder).map_err(StoreError::io(folder))?;
            let named = |id: &str| manifest.batches().any(|batch| batch.id == id);
            let there = names_in(folder)?;
            let before = self.before.batches().map(|batch| &*batch.id);
            let ids: BTreeSet<&str> = before
                .chain(self.left.iter().map(|batch| &*batch.id))
                .chain(there.iter().filter_map(|name| batch_of(name)))
                .filter(|id| !named(id))
                .collect();
            for id in ids {
                // A manifest may be a copy: the catalog's batch is this one only where it lies here.
                let Some(store) = store else { continue };
                let Some(known) = store.catalog().batch(id)? else {
                    continue;
                };
                let own = BatchNames::Partitions.folder_of(id);
                if known.folder.is_some() && known.folder == own.map(|own| real.join(own)) {
                    store.delete_batch(id)?;
                } else if known.among.as_deref() == Some(&*real) {
                    // Its files are gone.
                    store.catalog().delete_batch(id)?;
                }
            }
            sweep_folder(folder, |name| {
                Ok(batch_of(name).is_some_and(|id| !named(id)))
            })?;
        }
        Ok(())
    }
}

/// Forgets the batches whose files have given way to those of a manifest: also of jobs that were killed before a
/// manifest named them.
fn forget_overwritten(store: &Store, folder: &Path, manifest: &Manifest) -> Result<()> {
    let real = fs::canonicalize(folder).map_err(StoreError::io(folder))?;
    let files = manifest.batches().flat_map(|batch| &batch.files);
    let names: BTreeSet<&str> = files.map(|file| &*file.path).collect();
    for batch in store.catalog().all_published()? {
        let is_named = manifest.batches().any(|named| named.id == batch.id);
        if batch.among.as_deref() == Some(&*real)
            && !is_named
            && (batch.files.iter()).any(|file| names.contains(&*file.name))
        {
            store.catalog().delete_batch(&batch.id)?;
        }
    }
    Ok(())
}

/// The batches of a store whose files lie among others in a folder that is to be replaced, and that no manifest there
/// names: their job was killed behind its last transaction.
fn left_behind(folder: &Path, store: Option<&Path>, if_exists: IfExists) -> Result<Vec<Batch>> {
    let (Some(store), IfExists::Replace) = (store, if_exists) else {
        return Ok(Vec::new());
    };
    let named = Manifest::read(folder)?.unwrap_or_else(Manifest::empty);
    let real = fs::canonicalize(folder).map_err(StoreError::io(folder))?;
    let mut left = Store::open(store, Scope::default())?
        .catalog()
        .all_published()?;
    left.retain(|batch| {
        batch.among.as_deref() == Some(&*real) && !named.batches().any(|it| it.id == batch.id)
    });
    // What somebody has put in the place of such a file is theirs. One export may have written over another's.
    let mut written: BTreeMap<&str, Vec<&BatchFile>> = BTreeMap::new();
    for file in left.iter().flat_map(|batch| &batch.files) {
        written.entry(&file.name).or_default().push(file);
    }
    named
        .spread_files()
        .for_each(|name| drop(written.remove(name)));
    for (name, files) in written {
        let path = real.join(name);
        let is_there = path.try_exists().map_err(StoreError::io(&path))?;
        let is_own = |file: &&BatchFile| verify_file(&path, file, &Progress::default()).is_none();
        if is_there && !files.iter().any(is_own) {
            let problem = format!(
                "{name} is not as an export of the store wrote it; delete it, or give another place"
            );
            return Err(Error::out(folder, problem));
        }
    }
    Ok(left)
}

/// The manifest of what is in a folder, where that may be there. What was `left` there is no stranger's.
fn look(folder: &Path, left: &[Batch], if_exists: IfExists) -> Result<Manifest> {
    let mut names = names_in(folder)?;
    let files = left.iter().flat_map(|batch| &batch.files);
    let own: BTreeSet<&str> = files
        .filter_map(|file| file.name.split('/').next())
        .collect();
    names.retain(|name| !own.contains(&**name));
    Manifest::read(folder)?
        .unwrap_or_else(Manifest::empty)
        .admit(&names, if_exists)
        .map_err(|problem| Error::out(folder, problem))
}

/// The names in a folder.
fn names_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(StoreError::io(folder))? {
        let name = entry.map_err(StoreError::io(folder))?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    Ok(names)
}

/// Deletes a batch with its files. Where it is in a folder with a manifest, nothing says any more that all is there.
///
/// # Errors
/// As for [`Store::delete_batch`].
pub fn delete_batch(store: &Store, id: &str) -> Result<()> {
    let batch = store.catalog().batch(id)?;
    store.delete_batch(id)?;
    let folder = batch.as_ref().and_then(|batch| match &batch.among {
        Some(folder) => Some(folder.as_path()),
        None => batch.folder.as_deref()?.parent(),
    });
    match folder {
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
    }
}
