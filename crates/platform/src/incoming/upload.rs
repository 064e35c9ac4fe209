use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use catalog::{Batch, BatchFile, BatchStatus, new_id};
use store::{Store, StoreError};
use xdm::Timestamp;

use super::{file_path, io, move_to, remove_files};
use crate::error::{Error, ErrorKind, Result};

/// A batch that comes in and takes files.
pub struct Incoming<'a> {
    pub(super) store: &'a Store,
    pub(super) batch: Batch,
}

impl<'a> Incoming<'a> {
    /// The batch with this ID.
    ///
    /// # Errors
    /// There is none, or it takes no more files.
    pub fn open(store: &'a Store, id: &str) -> Result<Self> {
        let batch = store
            .catalog()
            .change_batch::<Error>(id, BatchStatus::Loading, |_| Ok(()))?;
        Ok(Self { store, batch })
    }

    /// The dataset that it is loaded into.
    #[must_use]
    pub fn dataset(&self) -> &str {
        self.batch.dataset()
    }

    /// Begins to take a file of this name; one of the same name that is there is replaced when the
    /// new one is whole.
    ///
    /// # Errors
    /// The file can't be made.
    pub fn begin_file(&self, name: &str) -> Result<IncomingFile> {
        let folder = self.store.layout().incoming_batch(&self.batch.id);
        fs::create_dir_all(&folder).map_err(io(&folder))?;
        let part = folder.join(format!("{}.part", new_id()));
        let file = File::create_new(&part).map_err(io(&part))?;
        Ok(IncomingFile {
            name: name.to_owned(),
            part,
            file,
            length: 0,
        })
    }

    /// Makes a whole file part of the batch.
    ///
    /// # Errors
    /// The file can't be synced; the batch was ended meanwhile.
    pub fn finish_file(&self, file: IncomingFile) -> Result<()> {
        file.file.sync_all().map_err(io(&file.part))?;
        let loading = BatchStatus::Loading;
        move_to(self.store, &self.batch.id, loading, loading, |batch| {
            self.take_in(batch, &file.name, &file.part, file.length)
        })?;
        Ok(())
    }

    /// Makes a file that is whole and synced part of a batch, in the transaction that changes it.
    pub(super) fn take_in(
        &self,
        batch: &mut Batch,
        name: &str,
        from: &Path,
        length: u64,
    ) -> Result<()> {
        let layout = self.store.layout();
        let path = file_path(&layout.incoming_batch(&self.batch.id), name);
        fs::rename(from, &path).map_err(io(&path))?;
        for folder in [layout.incoming_batch(&self.batch.id), layout.incoming()] {
            run::sync_folder(&folder).map_err(StoreError::from)?;
        }
        batch.files.retain(|known| known.name != name);
        batch.files.push(BatchFile {
            name: name.to_owned(),
            length,
            rows: None,
            digest: None,
        });
        batch.files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(())
    }
}

/// Ends the taking of files: the batch waits to be loaded. Does nothing where that was said before,
/// whatever has become of the batch since: senders repeat it when its answer gets lost.
///
/// # Errors
/// There is no such batch, or it was given up; a file comes in parts and is not whole yet.
pub fn complete_incoming(store: &Store, id: &str) -> Result<()> {
    end(store, id, BatchStatus::Staged, |batch| {
        batch.completed.is_some()
    })
}

/// Gives a batch up, with its files. Does nothing where that was said before.
///
/// # Errors
/// There is no such batch, or it was completed.
pub fn abort_incoming(store: &Store, id: &str) -> Result<()> {
    end(store, id, BatchStatus::Aborted, |batch| {
        batch.status == BatchStatus::Aborted
    })?;
    remove_files(store, id);
    Ok(())
}

fn end(
    store: &Store,
    id: &str,
    to: BatchStatus,
    is_said: impl FnOnce(&Batch) -> bool,
) -> Result<()> {
    let ended = move_to(store, id, BatchStatus::Loading, to, |batch| {
        if let (BatchStatus::Staged, Some(open)) = (to, batch.uploads.first()) {
            let problem = format!(
                "file {:?} comes in parts and was not completed: complete it, or abort the batch",
                open.name
            );
            return Err(catalog::Error::Conflict(problem).into());
        }
        batch.uploads.clear();
        batch.completed = (to == BatchStatus::Staged).then(|| Timestamp::now().millis());
        Ok(())
    });
    match ended {
        Err(error) if error.kind() == ErrorKind::Conflict => match store.catalog().batch(id)? {
            Some(batch) if is_said(&batch) => Ok(()),
            _ => Err(error),
        },
        ended => ended.map(|_| ()),
    }
}

/// A file on its way into a batch.
pub struct IncomingFile {
    name: String,
    part: PathBuf,
    file: File,
    length: u64,
}

impl IncomingFile {
    /// Adds bytes.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(io(&self.part))?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for IncomingFile {
    fn drop(&mut self) {
        // Gone where the file is whole; else its sender broke off.
        let _ = fs::remove_file(&self.part);
    }
}
