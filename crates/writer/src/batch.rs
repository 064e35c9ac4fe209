use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::{AtPath, Result};
use crate::file_writer::FileWriter;
use crate::names::FileNames;
use crate::options::WriterOptions;
use crate::spread::{self, Spread, folders_of};
use crate::syncs::{Syncs, sync_path};

/// How a batch is written.
#[derive(Clone, Default)]
pub struct BatchOptions {
    /// How each of its files is written.
    pub writer: WriterOptions,
    /// Rows after which a next file begins; one file where it is missing.
    pub max_rows_per_file: Option<usize>,
    /// What its files are called; `part-00000.parquet` and so on where it is missing. One that names a single file must
    /// not meet `max_rows_per_file`.
    pub names: Option<FileNames>,
    /// Where its files come to lie among others below the target, instead of being all that is in it. What is left in
    /// the staging folder of such a batch its caller clears, see [`take_back`](crate::take_back).
    pub spread: Option<Spread>,
    /// What its files and its folder are handed to when they are written. They are on the disk when that was waited
    /// for, which must be before the batch is published; where it is missing, nothing is synced.
    pub syncs: Option<Arc<Syncs>>,
}

/// A finished file of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Its name within the batch: a path where it is in a folder there.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// How many rows it has.
    pub rows: u64,
    /// The XXH3-128 digest of its bytes.
    pub digest: u128,
}

/// Writes one batch. Dropped before it is published, it takes its files with it.
pub struct BatchWriter {
    schema: SchemaRef,
    options: BatchOptions,
    names: FileNames,
    file: Option<FileWriter<File>>,
    files: Vec<FileInfo>,
    staging: Staging,
}

/// A batch whose files are whole, but not visible yet.
pub struct StagedBatch {
    files: Vec<FileInfo>,
    staging: Staging,
}

/// The hidden folder; removed when dropped, unless it was published or its files are to lie among others.
struct Staging {
    hidden: PathBuf,
    target: PathBuf,
    spread: Option<Spread>,
    published: bool,
}

impl BatchWriter {
    /// Begins a batch in the folder `staging`, which will become the folder `target` of the same
    /// file system. The first file is made at once, so that a bad place fails before the work.
    ///
    /// # Errors
    /// `staging` exists already or can't be made; the schema is none that the format can hold.
    pub fn create(
        staging: PathBuf,
        target: PathBuf,
        schema: SchemaRef,
        options: BatchOptions,
    ) -> Result<Self> {
        fs::create_dir(&staging).at(&staging)?;
        let names = options.names.clone();
        let mut writer = Self {
            staging: Staging {
                hidden: staging,
                target,
                spread: options.spread.clone(),
                published: false,
            },
            names: names.unwrap_or_else(|| FileNames::parts(None, &options.writer.format)),
            schema,
            options,
            file: None,
            files: Vec::new(),
        };
        writer.open_file()?;
        Ok(writer)
    }

    /// Adds rows in order.
    ///
    /// # Errors
    /// The disk is full; a column is not of the schema's type.
    pub fn write(&mut self, mut batch: RecordBatch) -> Result<()> {
        let limit = self.options.max_rows_per_file.unwrap_or(usize::MAX).max(1);
        while batch.num_rows() > 0 {
            if self
                .file
                .as_ref()
                .is_none_or(|f| f.rows() as usize >= limit)
            {
                self.close_file()?;
                self.open_file()?;
            }
            let path = self.path();
            let Some(file) = &mut self.file else {
                continue;
            };
            let n = (limit - file.rows() as usize).min(batch.num_rows());
            file.push(batch.slice(0, n)).at(path)?;
            batch = batch.slice(n, batch.num_rows() - n);
        }
        Ok(())
    }

    /// Finishes the files.
    ///
    /// # Errors
    /// The disk is full.
    pub fn finish(mut self) -> Result<StagedBatch> {
        self.close_file()?;
        if let Some(syncs) = &self.options.syncs {
            let files = self.files.iter();
            let folders = files.flat_map(|file| folders_of(&self.staging.hidden, &file.name));
            for folder in folders.collect::<BTreeSet<_>>() {
                syncs.path(folder);
            }
        }
        Ok(StagedBatch {
            files: self.files,
            staging: self.staging,
        })
    }

    fn name(&self) -> String {
        self.names.of(self.files.len())
    }

    fn path(&self) -> PathBuf {
        self.staging.hidden.join(self.name())
    }

    fn open_file(&mut self) -> Result<()> {
        let path = self.path();
        if let Some((folder, _)) = self.name().rsplit_once('/') {
            let folder = self.staging.hidden.join(folder);
            fs::create_dir_all(&folder).at(&folder)?;
        }
        let file = File::create_new(&path).at(&path)?;
        let writer = FileWriter::new(file, &self.schema, &self.options.writer).at(&path)?;
        self.file = Some(writer);
        Ok(())
    }

    fn close_file(&mut self) -> Result<()> {
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        let path = self.path();
        let (file, written) = file.finish().at(&path)?;
        if let Some(syncs) = &self.options.syncs {
            syncs.file(file, path);
        }
        self.files.push(FileInfo {
            name: self.name(),
            length: written.length,
            rows: written.rows,
            digest: written.digest,
        });
        Ok(())
    }
}

impl StagedBatch {
    /// A batch whose files somebody else has written, whole, into the folder `staging`, which will become the folder
    /// `target` of the same file system.
    #[must_use]
    pub fn of_files(staging: PathBuf, target: PathBuf, files: Vec<FileInfo>) -> Self {
        Self {
            files,
            staging: Staging {
                hidden: staging,
                target,
                spread: None,
                published: false,
            },
        }
    }

    /// The files.
    #[must_use]
    pub fn files(&self) -> &[FileInfo] {
        &self.files
    }

    /// Where it will be: its folder, or the one that its files will be in among others.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.staging.target
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| &*file.name)
    }

    fn show(&mut self) -> Result<()> {
        let Staging { hidden, target, .. } = &self.staging;
        if let Some(spread) = &self.staging.spread {
            let shown = spread::show(hidden, target, spread, self.names());
            if shown.is_err() {
                self.hide();
            }
            return shown;
        }
        match fs::symlink_metadata(target) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            found => {
                let taken = found.map_or_else(|e| e, |_| ErrorKind::AlreadyExists.into());
                return Err(taken).at(target);
            }
        }
        fs::rename(hidden, target).at(target)
    }

    /// Out of sight by a rename as it came; where even that fails, file by file.
    fn hide(&mut self) {
        if let Some(spread) = &self.staging.spread {
            let Staging { hidden, target, .. } = &self.staging;
            // What can't be taken back now, the caller does, or the next start.
            let _ = spread::take_back(hidden, target, &spread.aside, self.names());
            return;
        }
        let Staging { hidden, target, .. } = &mut self.staging;
        if fs::rename(&*target, &*hidden).is_err() {
            hidden.clone_from(target);
        }
    }
}

/// Makes batches visible by a rename each, of their files where these lie among others, and, where they are to outlive the next power cut, syncs the folders that
/// they are in then, once. Where that fails for one, all are taken back.
///
/// # Errors
/// Something of that name exists already; the disk fails.
pub fn publish(batches: &mut [StagedBatch], durable: bool) -> Result<()> {
    for shown in 0..batches.len() {
        let (before, rest) = batches.split_at_mut(shown);
        if let Some(Err(error)) = rest.first_mut().map(StagedBatch::show) {
            before.iter_mut().for_each(StagedBatch::hide);
            return Err(error);
        }
    }
    if durable && let Err(error) = sync_parents(batches) {
        batches.iter_mut().for_each(StagedBatch::hide);
        return Err(error);
    }
    for batch in batches {
        batch.staging.published = true;
    }
    Ok(())
}

fn sync_parents(batches: &[StagedBatch]) -> Result<()> {
    let mut parents = BTreeSet::new();
    for batch in batches {
        match batch.staging.spread {
            Some(_) => {
                let target = batch.target();
                parents.extend(batch.names().flat_map(|name| folders_of(target, name)));
            }
            None => parents.extend(batch.target().parent().map(Path::to_owned)),
        }
    }
    parents.iter().try_for_each(|parent| sync_path(parent))
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.published && self.spread.is_none() {
            // What can't be removed now is swept at the next start.
            let _ = fs::remove_dir_all(&self.hidden);
        }
    }
}

#[cfg(test)]
mod tests;
