//! Where an export goes outside of a store.

use std::path::{Path, PathBuf};

use bucket::WrittenBatches;
use profile_export::platform::{ManifestExport, check_local, is_bucket as is_address};
use profile_export::request::RequestError;
use pyo3::prelude::*;
use serde_json::{Value, json};

use crate::errors::Result;

/// Where an export goes outside of a store.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// A folder that this machine sees.
    Folder(&'a Path),
    /// Below an address of an object store.
    Bucket(&'a str),
}

impl<'a> Place<'a> {
    /// What `out` means.
    pub(crate) fn of(out: &'a Path) -> Self {
        match out.to_str().filter(|_| is_address(out)) {
            Some(address) => Self::Bucket(address),
            None => Self::Folder(out),
        }
    }
}

/// Whether a word is the address of a place in a bucket.
#[pyfunction]
pub(crate) fn is_bucket(out: PathBuf) -> bool {
    matches!(Place::of(&out), Place::Bucket(_))
}

/// Refuses what can't be a folder of this machine, as it was given: an address becomes a name below the working folder
/// where it is made absolute.
#[pyfunction]
pub(crate) fn check_folder(argument: &str, folder: PathBuf) -> Result<()> {
    let refused = |problem| RequestError::new(argument, format!("found {folder:?}: {problem}"));
    Ok(check_local(&folder).map_err(refused)?)
}

/// What Python is told of an export that went below an address.
pub(crate) fn shown(address: &str, written: &WrittenBatches) -> Value {
    let batches: Vec<_> = written.batches.iter().map(|(batch, _)| batch).collect();
    json!({"address": address, "batches": batches})
}

/// The same of one that was there before.
pub(crate) fn shown_before(address: &str, export: &ManifestExport) -> Value {
    json!({"address": address, "batches": export.batches})
}
