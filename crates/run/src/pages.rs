//! Checksums of a file's pages.
//!
//! Beside each file of a run lies a `.seal` with the XXH3-64 digests of its pages of 64 KiB; the catalog
//! holds the file's length and the digest of that list.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::error::{AtPath, Result};

pub(crate) const PAGE: usize = 1 << 16;

/// What the catalog knows of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileChecksum {
    /// Its name in the run's folder.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// The digest of the list of its pages' checksums.
    pub digest: String,
}

/// A writer that keeps the checksum of each page that goes through it.
pub(crate) struct ChecksumWriter<W> {
    inner: W,
    page: Box<Xxh3>,
    in_page: usize,
    length: u64,
    pages: Vec<u8>,
}

impl<W: Write> ChecksumWriter<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            page: Box::new(Xxh3::new()),
            in_page: 0,
            length: 0,
            pages: Vec::new(),
        }
    }

    fn end_page(&mut self) {
        self.pages.extend(self.page.digest().to_le_bytes());
        self.page.reset();
        self.in_page = 0;
    }

    /// The writer beneath, the checksum of all that was written, and the file beside it that has the
    /// pages' checksums.
    pub(crate) fn finish(mut self, path: &Path) -> Result<(W, FileChecksum, PathBuf)> {
        if self.in_page > 0 {
            self.end_page();
        }
        let checksum_path = checksum_path(path);
        std::fs::write(&checksum_path, &self.pages).at(&checksum_path)?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        let checksum = FileChecksum {
            name: name.to_string_lossy().into_owned(),
            length: self.length,
            digest: format!("{:032x}", xdm::digest128(&self.pages)),
        };
        Ok((self.inner, checksum, checksum_path))
    }
}

impl<W: Write> Write for ChecksumWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.inner.write(bytes)?;
        let mut rest = bytes.get(..n).unwrap_or(bytes);
        self.length += n as u64;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(PAGE - self.in_page));
            self.page.update(now);
            self.in_page += now.len();
            rest = later;
            if self.in_page == PAGE {
                self.end_page();
            }
        }
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

pub(crate) fn checksum_path(path: &Path) -> PathBuf {
    path.with_extension("arrow.seal")
}
