//! Proof that values are gone: a look at every file of a store.

mod files;
mod sought;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use decode::{Phase, Progress};
use run::Leaf;
use serde::Serialize;

pub(crate) use sought::Held;
pub use sought::Sought;

use crate::Store;
use crate::error::{AtPath, Result};

/// What a look for values found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GoneReport {
    /// How many files were looked at.
    pub files: u64,
    /// The files that hold one.
    pub holding: Vec<PathBuf>,
    /// Those that hold none, but have a common one (see [`Sought`]) as a word within a longer text or as a number, which may
    /// be another thing.
    pub mentioning: Vec<PathBuf>,
    /// Files that can't be looked at, and why: whether they hold one is not known.
    pub unread: Vec<String>,
}

impl GoneReport {
    /// Whether all files were looked at, and none holds a value.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.holding.is_empty() && self.unread.is_empty()
    }
}

impl Store {
    /// Looks for values in every file of the store, whatever organisation and sandbox it is of, and whether the catalog
    /// names it or not: at every text and integer of records in runs, dictionaries too, at every text of the catalog and its copies, of batches and states,
    /// of files that come in, unpacked; and at the bytes of every file as they are.
    ///
    /// # Errors
    /// A folder can't be read; `progress` was cancelled.
    pub fn verify_gone(&self, values: &[Sought], progress: &Progress) -> Result<GoneReport> {
        progress.begin(Phase::Verify);
        let mut paths = Vec::new();
        list(self.layout().root(), &mut paths)?;
        paths.sort();
        self.look_for(values, paths, progress)
    }

    /// Looks for values in these files, as [`Store::verify_gone`] does in all. One that is not there is passed over.
    ///
    /// # Errors
    /// `progress` was cancelled.
    pub fn look_for(
        &self,
        values: &[Sought],
        paths: Vec<PathBuf>,
        progress: &Progress,
    ) -> Result<GoneReport> {
        let mut report = GoneReport::default();
        for path in paths {
            progress.check()?;
            match self.look_at(&path, values, progress) {
                Ok(Held::No) => {}
                Ok(Held::Mentioned) => report.mentioning.push(path),
                Ok(Held::Yes) => report.holding.push(path),
                // Somebody deleted it meanwhile.
                Err(_) if !path.exists() => continue,
                Err(reason) => report.unread.push(reason),
            }
            report.files += 1;
        }
        progress.check()?;
        Ok(report)
    }
}

/// Whether a value of a row is one of those that are looked for.
pub(crate) fn in_leaf(values: &[Sought], leaf: Leaf<'_>) -> Held {
    let held = values.iter().map(|value| match leaf {
        Leaf::Text(text) => value.in_text(text),
        Leaf::Integer(integer) => value.in_integer(integer),
    });
    held.max().unwrap_or_default()
}

/// All files below a folder, links as they are.
fn list(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.at(folder)?,
    };
    for entry in entries {
        let entry = entry.at(folder)?;
        let path = entry.path();
        match entry.file_type() {
            Ok(ty) if ty.is_dir() => list(&path, paths)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            ty => {
                ty.at(&path)?;
                paths.push(path);
            }
        }
    }
    Ok(())
}
