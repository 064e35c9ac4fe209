use std::path::PathBuf;

/// What can go wrong in a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The catalog refused.
    #[error("catalog: {0}")]
    Catalog(#[from] rusqlite::Error),
    /// An Arrow operation failed.
    #[error("{0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A file of the store is not as it was written.
    #[error("{path} is damaged: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A record that can't be loaded; nothing of the load was kept.
    #[error("{file}, line {line}: {problem}")]
    BadRecord {
        /// The file as it was named.
        file: String,
        /// Its line, or its row in a Parquet file, counted from 1.
        line: u64,
        /// The field and what is wrong with it.
        problem: String,
    },
    /// Something that was asked for can't be done as asked.
    #[error("{0}")]
    Refused(String),
    /// A cancelled load; nothing of it was kept.
    #[error("cancelled")]
    Cancelled,
}

/// A result of this crate.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Names the file in an I/O error.
pub(crate) trait AtPath<T> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T>;
}

impl<T> AtPath<T> for std::io::Result<T> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|source| StoreError::Io {
            path: path.into(),
            source,
        })
    }
}
