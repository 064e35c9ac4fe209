use std::path::PathBuf;

use arrow::error::ArrowError;

/// What can go wrong with a run's files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{path}: {reason}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        reason: std::io::Error,
    },
    /// A file is not as it was written.
    #[error("{path} is damaged: {problem}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file is of a format that this program does not know.
    #[error("{path} has format {found}; this program knows formats up to {known}")]
    NewerFormat {
        /// The run's folder.
        path: PathBuf,
        /// The format that it has.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// An Arrow operation failed.
    #[error("{0}")]
    Arrow(ArrowError),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

/// Names the file in an I/O error.
pub(crate) trait AtPath<T> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T>;
}

impl<T> AtPath<T> for std::io::Result<T> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|reason| Error::Io {
            path: path.into(),
            reason,
        })
    }
}

impl<T> AtPath<T> for std::result::Result<T, ArrowError> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|error| match error {
            ArrowError::IoError(_, reason) => Error::Io {
                path: path.into(),
                reason,
            },
            other => Error::Arrow(other),
        })
    }
}
