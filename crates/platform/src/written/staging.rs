//! The folder that rows are written in before their batch is part of the store.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use store::{FileLock, Store, StoreError};

use crate::error::{Error, Result};

/// A folder beside a lock that its process holds as long as it lives, or until the batch is in the catalog.
pub(super) struct RowsStaging {
    pub(super) folder: PathBuf,
    lock: Option<FileLock>,
}

impl RowsStaging {
    pub(super) fn create(store: &Store, batch: &str) -> Result<Self> {
        let path = store.layout().rows_lock(batch);
        // Nobody else knows the batch's ID, but for who sweeps, which takes a moment.
        let lock = FileLock::acquire(&path).map_err(StoreError::io(&path))?;
        let folder = store.layout().rows(batch);
        fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        Ok(Self {
            folder,
            lock: Some(lock),
        })
    }
}

impl Drop for RowsStaging {
    fn drop(&mut self) {
        // While the lock is held; what can't be removed now is swept later.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = self.lock.take().map(FileLock::remove);
    }
}

/// The batches whose rows are being written now. What is left of others, whose processes are gone, is deleted.
pub(crate) fn live_batches(store: &Store) -> Result<HashSet<String>> {
    let layout = store.layout();
    let staging = layout.staging();
    let mut live = HashSet::new();
    for entry in fs::read_dir(&staging).map_err(StoreError::io(&staging))? {
        let name = entry.map_err(StoreError::io(&staging))?.file_name();
        let name = name.to_string_lossy();
        let Some(batch) = name.strip_prefix("rows-") else {
            continue;
        };
        let batch = batch.strip_suffix(".lock").unwrap_or(batch);
        let path = layout.rows_lock(batch);
        let lock = FileLock::try_acquire(&path)
            .map_err(|reason| Error::from(StoreError::Io { path, reason }))?;
        match lock {
            None => drop(live.insert(batch.to_owned())),
            Some(lock) => {
                let _ = fs::remove_dir_all(layout.rows(batch));
                let _ = lock.remove();
            }
        }
    }
    Ok(live)
}

#[cfg(test)]
mod tests {
    use store::Scope;

    use super::*;
    use crate::jobs::sweep;

    /// Between the moment when files are shown and the one when the catalog names their batch.
    #[test]
    fn a_batch_that_is_being_written_is_swept_by_nobody_and_one_that_was_left_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Scope::default()).expect("a store");
        let shown = store.layout().batches().join("b");
        fs::create_dir(&shown).expect("a batch");
        let staging = RowsStaging::create(&store, "b").expect("a folder");
        let hidden = staging.folder.clone();
        sweep(&store).expect("swept");
        assert!(shown.exists() && hidden.exists());
        // As a process leaves them that is killed.
        drop(staging);
        fs::create_dir(&hidden).expect("a folder");
        fs::write(store.layout().rows_lock("b"), "").expect("a lock");
        sweep(&store).expect("swept");
        assert!(!shown.exists() && !hidden.exists() && !store.layout().rows_lock("b").exists());
    }
}
