//! Files that come in parts, one behind the other.

use std::fs::{self, File};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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
    /// The file can't be made; a part of it is being taken; the batch was ended meanwhile.
    pub fn begin_parts(&self, name: &str) -> Result<()> {
        let path = self.growing(name);
        let folder = self.store.layout().incoming_batch(&self.batch.id);
        fs::create_dir_all(&folder).map_err(io(&folder))?;
        self.change(|batch| {
            // Emptied under its lock: whoever writes a part would go on behind what is gone, and leave zeros there.
            let file = begun(&path, name)?;
            file.set_len(0).map_err(io(&path))?;
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
        let mut file = begun(&path, name)?;
        let length = file.metadata().map_err(io(&path))?.len();
        if first > length {
            return Err(conflict(format!(
                "the part begins at byte {first}, and the next one of {name:?} is {length}: parts come one behind the other"
            )));
        }
        // Looked up again, now that nobody else can complete it.
        self.change(|batch| {
            let mut uploads = batch.uploads.iter_mut();
            let upload = uploads.find(|upload| upload.name == name);
            let upload = upload.ok_or_else(|| nothing_began(name))?;
            let Some(total) = total else {
                return Ok(());
            };
            match upload.total.replace(total) {
                Some(known) if known != total => Err(conflict(format!(
                    "the length of {name:?} was {known} bytes in an earlier part, and is {total} in this one"
                ))),
                _ => Ok(()),
            }
        })?;
        file.seek(SeekFrom::Start(first)).map_err(io(&path))?;
        let again = if first < length {
            Some(Again::begin(path.with_extension("again"))?)
        } else {
            None
        };
        Ok(IncomingPart {
            path,
            file,
            again,
            length,
            first,
            end: first,
            is_whole: false,
        })
    }

    /// Makes a file that came in parts part of the batch. Does nothing where that was said before.
    ///
    /// # Errors
    /// Nobody began the file; it is shorter than its parts said; a part of it is being taken; the batch was ended meanwhile.
    pub fn finish_parts(&self, name: &str) -> Result<()> {
        let is_open = self.batch.uploads.iter().any(|upload| upload.name == name);
        if !is_open && self.batch.files.iter().any(|file| file.name == name) {
            return Ok(());
        }
        self.upload(name)?;
        let path = self.growing(name);
        if !path.try_exists().map_err(io(&path))? {
            return self.finish_again(name);
        }
        let file = begun(&path, name)?;
        file.sync_all().map_err(io(&path))?;
        let length = file.metadata().map_err(io(&path))?.len();
        self.change(|batch| {
            let upload = take_upload(batch, name)?;
            if let Some(total) = upload.total.filter(|total| *total != length) {
                return Err(too_short(name, length, total));
            }
            self.take_in(batch, name, &path, length)
        })
    }

    /// The same where the process ended between the renaming of the file and the change of the batch.
    fn finish_again(&self, name: &str) -> Result<()> {
        let folder = self.store.layout().incoming_batch(&self.batch.id);
        let path = file_path(&folder, name);
        let length = length_of(&path)?;
        self.change(|batch| {
            let upload = take_upload(batch, name)?;
            let is_earlier = batch.files.iter().any(|file| file.name == name);
            match (length, upload.total) {
                (Some(length), Some(total)) if length == total => {
                    self.take_in(batch, name, &path, length)
                }
                // A file of this name that was there before could be taken for it.
                (Some(length), None) if !is_earlier => self.take_in(batch, name, &path, length),
                (_, Some(total)) => Err(too_short(name, 0, total)),
                (_, None) => Err(conflict(format!(
                    "nothing of {name:?} is there: send it first"
                ))),
            }
        })
    }

    /// How far a file is; `None` where there is none of this name.
    ///
    /// # Errors
    /// The file can't be looked at.
    pub fn upload_status(&self, name: &str) -> Result<Option<UploadStatus>> {
        if self.batch.uploads.iter().any(|upload| upload.name == name) {
            let path = self.growing(name);
            return Ok(Some(UploadStatus {
                length: length_of(&path)?.unwrap_or(0),
                is_whole: false,
            }));
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

/// A file that comes in parts, locked: empty where there is none, as behind a process that ended while it was completed.
fn begun(path: &Path, name: &str) -> Result<File> {
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(false).open(path);
    let file = file.map_err(io(path))?;
    if file.try_lock().is_err() {
        return Err(conflict(format!(
            "a part of {name:?} is being taken: wait until it is there, or its sender gives up"
        )));
    }
    // Whoever had the lock before may have completed the file, which is then no longer this one.
    let inode = file.metadata().map_err(io(path))?.ino();
    match fs::metadata(path) {
        Ok(there) if there.ino() == inode => Ok(file),
        _ => Err(conflict(format!(
            "{name:?} was completed or given up meanwhile"
        ))),
    }
}

fn length_of(path: &Path) -> Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(file) => Ok(Some(file.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(path)(error).into()),
    }
}

fn take_upload(batch: &mut Batch, name: &str) -> Result<Upload> {
    let place = batch.uploads.iter().position(|upload| upload.name == name);
    let upload = place.map(|place| batch.uploads.remove(place));
    upload.ok_or_else(|| nothing_began(name))
}

fn too_short(name: &str, length: u64, total: u64) -> Error {
    conflict(format!(
        "{length} bytes of {name:?} are there, of {total}: send the others first"
    ))
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
///
/// What comes behind the file is written there, and cut off where the part is refused. What takes the place of bytes that are
/// there lies aside until it is whole: these were taken, and a part that is refused leaves them.
pub struct IncomingPart {
    path: PathBuf,
    /// Locked as long as it is open.
    file: File,
    again: Option<Again>,
    /// What was there before.
    length: u64,
    first: u64,
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
        match &mut self.again {
            Some(again) => again.file.write_all(bytes).map_err(io(&again.path))?,
            None => self.file.write_all(bytes).map_err(io(&self.path))?,
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Ends the part, whose last byte is the one before `end`.
    ///
    /// # Errors
    /// It is shorter or longer; then nothing of it stays, and the file is as it was. The file can't be written or synced.
    pub fn finish(mut self, end: u64) -> Result<()> {
        if self.end != end {
            return Err(conflict(format!(
                "the part ends behind byte {}, and says {end}: nothing of it was taken",
                self.end
            )));
        }
        if let Some(mut again) = self.again.take() {
            if end >= self.length {
                // Nothing is behind it: what a crash leaves is short, and says so, not a mixture.
                self.length = self.first;
                self.file.set_len(self.first).map_err(io(&self.path))?;
            }
            again.file.rewind().map_err(io(&again.path))?;
            std::io::copy(&mut again.file, &mut self.file).map_err(io(&self.path))?;
        }
        self.file.sync_all().map_err(io(&self.path))?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for IncomingPart {
    fn drop(&mut self) {
        if !self.is_whole {
            // What can't be cut off is overwritten by the part when it comes again, which begins no later.
            let _ = self.file.set_len(self.length);
        }
    }
}

/// A part that takes the place of bytes that are there, until it is whole.
struct Again {
    path: PathBuf,
    file: File,
}

impl Again {
    fn begin(path: PathBuf) -> Result<Self> {
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(true);
        let file = options.open(&path).map_err(io(&path))?;
        Ok(Self { path, file })
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        // What can't be removed goes with the batch.
        let _ = fs::remove_file(&self.path);
    }
}
