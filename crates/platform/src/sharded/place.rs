//! Where attempts at shards put what they make.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use store::{StoreError, make_folder, remove_folder};

use crate::address::check_out;
use crate::error::Result;
use crate::manifest::{Manifest, write_whole};

/// Where attempts at the shards of a plan put what they make: the place of the export, which all machines see. Names are
/// those below it, with slashes between their parts.
pub trait ShardPlace: Sync {
    /// What takes the bytes of a file.
    type Sink: Write + Send;

    /// What it is called.
    fn address(&self) -> &Path;

    /// What is said of the exports that are there; `None` where nothing is.
    ///
    /// # Errors
    /// It can't be read, or is none.
    fn manifest(&self) -> Result<Option<Manifest>>;

    /// Makes room for files below a name.
    ///
    /// # Errors
    /// The place takes nothing.
    fn begin(&self, below: &str) -> Result<()>;

    /// Whether that room was taken away meanwhile.
    ///
    /// # Errors
    /// The place can't be looked at.
    fn is_lost(&self, below: &str) -> Result<bool>;

    /// Begins a file.
    ///
    /// # Errors
    /// The place takes nothing.
    fn create(&self, name: &str) -> io::Result<Self::Sink>;

    /// Ends a file, which is there to stay when this returns without an error.
    ///
    /// # Errors
    /// The place takes no more.
    fn close(&self, sink: Self::Sink) -> io::Result<()>;

    /// Puts a small file below a name: whole or not at all.
    ///
    /// # Errors
    /// The place takes no more.
    fn put(&self, below: &str, name: &str, bytes: &[u8]) -> Result<()>;

    /// The bytes of a file.
    ///
    /// # Errors
    /// It can't be read, or is not there.
    fn get(&self, name: &str) -> Result<Vec<u8>>;

    /// What is below a name, by whole names, a few parts deep.
    ///
    /// # Errors
    /// The place can't be looked at.
    fn files(&self, below: &str) -> Result<BTreeMap<String, FoundFile>>;

    /// Deletes what is below a name.
    ///
    /// # Errors
    /// Something can't be deleted.
    fn remove(&self, below: &str) -> Result<()>;

    /// The same of an attempt that came too late, as far as can be: with what is empty around it then.
    fn remove_late(&self, attempt: &str);
}

/// What is in a shard's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundFile {
    /// A file of this length in bytes.
    Plain(u64),
    /// Something else, such as a link, which would show whatever it points to, or a folder that can't be looked into.
    Other,
}

/// How deep attempts' files are: `.plan-…/shard-…/ATTEMPT/FILE`.
const DEPTH: usize = 3;

/// A folder that all machines see.
pub(crate) struct FolderPlace(PathBuf);

impl FolderPlace {
    /// Refuses what can't be one.
    pub(crate) fn checked(out: &Path, store: &Path) -> Result<Self> {
        check_out(out, Some(store))?;
        Ok(Self::new(out))
    }

    pub(crate) fn new(out: &Path) -> Self {
        Self(out.to_owned())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn walk(
        &self,
        below: &str,
        depth: usize,
        found: &mut BTreeMap<String, FoundFile>,
    ) -> Result<()> {
        let folder = self.path(below);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(_) if depth < DEPTH => {
                found.insert(below.to_owned(), FoundFile::Other);
                return Ok(());
            }
            entries => entries.map_err(StoreError::io(&folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(StoreError::io(&folder))?;
            let name = format!("{below}/{}", entry.file_name().to_string_lossy());
            if depth > 1 && entry.path().is_dir() {
                self.walk(&name, depth - 1, found)?;
            } else if let Some(file) = FoundFile::at(&entry.path())? {
                found.insert(name, file);
            }
        }
        Ok(())
    }
}

impl FoundFile {
    /// What is at a path; `None` where nothing is, or is any more.
    pub(crate) fn at(path: &Path) -> Result<Option<Self>> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io(path)(error).into()),
            Ok(found) if found.is_file() => Ok(Some(Self::Plain(found.len()))),
            Ok(_) => Ok(Some(Self::Other)),
        }
    }
}

impl ShardPlace for FolderPlace {
    type Sink = File;

    fn address(&self) -> &Path {
        &self.0
    }

    fn manifest(&self) -> Result<Option<Manifest>> {
        Manifest::read(&self.0)
    }

    fn begin(&self, below: &str) -> Result<()> {
        Ok(make_folder(&self.path(below))?)
    }

    fn is_lost(&self, below: &str) -> Result<bool> {
        let path = self.path(below);
        Ok(!path.try_exists().map_err(StoreError::io(&path))?)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        File::create_new(self.path(name))
    }

    fn close(&self, file: File) -> io::Result<()> {
        file.sync_all()
    }

    fn put(&self, below: &str, name: &str, bytes: &[u8]) -> Result<()> {
        write_whole(&self.path(below), name, bytes)
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.path(name);
        Ok(fs::read(&path).map_err(StoreError::io(&path))?)
    }

    fn files(&self, below: &str) -> Result<BTreeMap<String, FoundFile>> {
        let mut found = BTreeMap::new();
        self.walk(below, DEPTH, &mut found)?;
        Ok(found)
    }

    fn remove(&self, below: &str) -> Result<()> {
        Ok(remove_folder(&self.path(below))?)
    }

    fn remove_late(&self, attempt: &str) {
        let _ = self.remove(attempt);
        store::remove_empty(&self.0, attempt);
    }
}
