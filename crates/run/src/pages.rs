//! What is known of a run's files.
//!
//! In the first format a `.seal` lies beside each with the XXH3-64 digests of its pages of 64 KiB.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) const PAGE: usize = 1 << 16;

/// What the catalog knows of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChecksum {
    /// Its name in the run's folder.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// The digest of its root; in the first format of the list of its pages' checksums.
    pub digest: String,
}

pub(crate) fn checksum_path(path: &Path) -> PathBuf {
    path.with_extension("arrow.seal")
}
