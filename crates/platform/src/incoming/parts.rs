//! Files that come in parts, one behind the other.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use catalog::{Batch, BatchStatus, Upload};

use super::{Incoming, file_path, io, move_to};
use crate::error::{Error, Result};

/// How far a file is that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadStatus {
    /// What is there of it, in bytes.
    pub length: u64,
    /// Whether it is part of the batch; else it comes in parts, and more of them may follow.
    pub is_whole: bool,
}

impl Incoming<'_> {
    /// Begins to take a file in parts. What was there of one of the same name that was not completed is dropped.
    ///
    /// # Errors
    /// The file can't be made; the batch was ended meanwhile.
    pub fn begin_parts(&self, name: &str) -> Result<()> {
        let path = self.growing(name);
        let folder = self.store.layout().incoming_batch(&self.batch.id);
        fs::create_dir_all(&folder).map_err(io(&folder))?;
        self.change(|batch| {
            let file = File::create(&path).map_err(io(&path))?;
            file.sync_all().map_err(io(&path))?;
            run::sync_folder(&folder).map_err(store::StoreError::from)?;
            batch.uploads.retain(|upload| upload.name != name);
            batch.uploads.push(Upload {
                name: name.to_owned(),
                total: None,
            });
            Ok(())
        })
    }

    /// Begins to take a part of a file, from the byte `first` on; `total` is the file's length where its sender says it.
    ///
    /// # Errors
    /// Nobody began the file; the part is not behind those that are there, or another one is being taken; two totals.
    pub fn begin_part(&self, name: &str, first: u64, total: Option<u64>) -> Result<IncomingPart> {
        let path = self.growing(name);
        self.upload(name)?;
        let file = File::options().write(true).open(&path);
        let mut file = file.map_err(io(&path))?;
        if file.try_lock().is_err() {
            return Err(conflict(format!("another part of {name:?} is being taken")));
        }
        let length = file.metadata().map_err(io(&path))?.len();
        if first > length {
            return Err(conflict(format!(
                "the part begins at byte {first}, and the next one of {name:?} is {length}: parts come one behind the other"
            )));
        }
        if let Some(total) = total {
            self.change(|batch| {
                let mut uploads = batch.uploads.iter_mut();
                let upload = uploads.find(|upload| upload.name == name);
                let upload = upload.ok_or_else(|| nothing_began(name))?;
                match upload.total.replace(total) {
                    Some(known) if known != total => Err(conflict(format!(
                        "the length of {name:?} was {known} bytes in an earlier part, and is {total} in this one"
                    ))),
                    _ => Ok(()),
                }
            })?;
        }
        file.seek(SeekFrom::Start(first)).map_err(io(&path))?;
        Ok(IncomingPart {
            path,
            file,
            length,
            end: first,
            is_whole: false,
        })
    }

    /// Makes a file that came in parts part of the batch. Does nothing where that was said before.
    ///
    /// # Errors
    /// Nobody began the file; it is shorter than its parts said; the batch was ended meanwhile.
    pub fn finish_parts(&self, name: &str) -> Result<()> {
        let is_open = self.batch.uploads.iter().any(|upload| upload.name == name);
        if !is_open && self.batch.files.iter().any(|file| file.name == name) {
            return Ok(());
        }
        self.upload(name)?;
        let path = self.growing(name);
        let file = File::options().write(true).open(&path);
        let file = file.map_err(io(&path))?;
        if file.try_lock().is_err() {
            return Err(conflict(format!("a part of {name:?} is being taken")));
        }
        file.sync_all().map_err(io(&path))?;
        let length = file.metadata().map_err(io(&path))?.len();
        self.change(|batch| {
            let place = batch.uploads.iter().position(|upload| upload.name == name);
            let upload = place.map(|place| batch.uploads.remove(place));
            let upload = upload.ok_or_else(|| nothing_began(name))?;
            if let Some(total) = upload.total.filter(|total| *total != length) {
                return Err(conflict(format!(
                    "{length} bytes of {name:?} are there, of {total}: send the others first"
                )));
            }
            self.take_in(batch, name, &path, length)
        })
    }

    /// How far a file is; `None` where there is none of this name.
    ///
    /// # Errors
    /// The file can't be looked at.
    pub fn upload_status(&self, name: &str) -> Result<Option<UploadStatus>> {
        if self.batch.uploads.iter().any(|upload| upload.name == name) {
            let path = self.growing(name);
            let length = fs::metadata(&path).map_err(io(&path))?.len();
            let is_whole = false;
            return Ok(Some(UploadStatus { length, is_whole }));
        }
        let file = self.batch.files.iter().find(|file| file.name == name);
        Ok(file.map(|file| UploadStatus {
            length: file.length,
            is_whole: true,
        }))
    }

    fn upload(&self, name: &str) -> Result<&Upload> {
        let mut uploads = self.batch.uploads.iter();
        let upload = uploads.find(|upload| upload.name == name);
        upload.ok_or_else(|| nothing_began(name))
    }

    fn change(&self, change: impl FnOnce(&mut Batch) -> Result<()>) -> Result<()> {
        let loading = BatchStatus::Loading;
        move_to(self.store, &self.batch.id, loading, loading, change).map(|_| ())
    }

    /// Where a file that comes in parts lies until it is whole.
    fn growing(&self, name: &str) -> PathBuf {
        let folder = self.store.layout().incoming_batch(&self.batch.id);
        file_path(&folder, name).with_extension("parts")
    }
}

fn nothing_began(name: &str) -> Error {
    conflict(format!(
        "nobody began to send {name:?} in parts: that is action=INITIALIZE"
    ))
}

fn conflict(problem: String) -> Error {
    catalog::Error::Conflict(problem).into()
}

/// A part on its way into a file.
pub struct IncomingPart {
    path: PathBuf,
    /// Locked as long as it is open.
    file: File,
    /// What was there before.
    length: u64,
    /// Behind what is written.
    end: u64,
    is_whole: bool,
}

impl IncomingPart {
    /// Adds bytes.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(io(&self.path))?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Ends the part, whose last byte is the one before `end`.
    ///
    /// # Errors
    /// It is shorter or longer; then nothing of it stays. The file can't be synced.
    pub fn finish(mut self, end: u64) -> Result<()> {
        if self.end != end {
            return Err(conflict(format!(
                "the part ends behind byte {}, and says {end}: nothing of it was taken",
                self.end
            )));
        }
        self.file.sync_all().map_err(io(&self.path))?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for IncomingPart {
    fn drop(&mut self) {
        if !self.is_whole && self.end > self.length {
            // What can't be cut off is overwritten by the part when it comes again, which begins no later.
            let _ = self.file.set_len(self.length);
        }
    }
}
