use std::path::Path;

use decode::Progress;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ipc::IpcFile;
use crate::pack::PackFile;
use crate::pages::FileChecksum;

/// The newest format of runs, which this program writes; FORMAT.md draws it.
pub const FORMAT: u32 = 2;

/// The files of a run as the catalog knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFiles {
    /// The format that they have; the first one where nothing says so.
    #[serde(default = "first_format")]
    pub format: u32,
    /// The files.
    pub files: Vec<FileChecksum>,
    /// The bytes of the columns before they were packed, where that is known.
    #[serde(default)]
    pub unpacked: Option<u64>,
    /// How many persons have records in them.
    pub persons: u64,
    /// How many records they hold.
    pub records: u64,
}

fn first_format() -> u32 {
    1
}

impl RunFiles {
    /// Whether this program knows the format.
    pub(crate) fn check_format(&self, folder: &Path) -> Result<()> {
        if self.format > FORMAT {
            return Err(Error::NewerFormat {
                path: folder.to_owned(),
                found: self.format,
                known: FORMAT,
            });
        }
        Ok(())
    }

    /// The length of all files together, in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.files.iter().map(|file| file.length).sum()
    }

    /// The bytes of the columns before they were packed: in the first format nothing is, and of the first runs of
    /// the second it is not known.
    #[must_use]
    pub fn unpacked(&self) -> Option<u64> {
        match self.format {
            1 => Some(self.length()),
            _ => self.unpacked,
        }
    }

    /// Checks every byte of every file, some of them at a time in memory; returns what is wrong. Bytes that were looked
    /// at are counted in `progress`; where that is cancelled, the rest is not looked at.
    #[must_use]
    pub fn verify(&self, folder: &Path, progress: &Progress) -> Vec<Error> {
        if let Err(error) = self.check_format(folder) {
            return vec![error];
        }
        self.files
            .iter()
            .filter_map(|file| {
                let checked = match self.format {
                    1 => IpcFile::open(folder, file).and_then(|f| f.check_all(progress)),
                    _ => PackFile::open(folder, file).and_then(|f| f.check_all(progress)),
                };
                checked.err()
            })
            .collect()
    }
}
