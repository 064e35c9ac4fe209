use std::path::PathBuf;

use arrow::error::ArrowError;
use xdm::{DatasetError, TypeConflict};

/// Why input can't be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("{path}: {reason}")]
    Io {
        /// The file, or what a stream is called.
        path: PathBuf,
        /// The operating system's reason.
        reason: std::io::Error,
    },
    /// Something that is given as input is none.
    #[error("{name}: {problem}")]
    Input {
        /// The input as it was named.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A record that can't be loaded.
    #[error("{file}, line {line}: {problem}")]
    BadRecord {
        /// The file as it was named.
        file: String,
        /// Its line, or its row in a Parquet file, counted from 1.
        line: u64,
        /// The field and what is wrong with it.
        problem: String,
    },
    /// A line that is too long, the first behind the last chunk of its input, or of all. Its number is not known
    /// where it was met, see [`Error::at_line`]: to count lines there would cost as much as to find them later.
    #[error("{file}: {problem}")]
    LongLine {
        /// The file as it was named.
        file: String,
        /// Whether no chunk of its input came before it.
        starts_input: bool,
        /// What is wrong with it.
        problem: String,
    },
    /// A dataset's description is wrong.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A field has two types that nothing holds both of.
    #[error("dataset {dataset}: {conflict}")]
    TypeConflict {
        /// The dataset's name.
        dataset: String,
        /// The field and its types.
        conflict: TypeConflict,
    },
    /// An Arrow operation failed.
    #[error("{0}")]
    Arrow(ArrowError),
    /// The work was asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// The error with the number of its line, where it is one behind the chunks that were handed over, of which
    /// `next_line` is the line behind the last.
    #[must_use]
    pub fn at_line(self, next_line: u64) -> Self {
        match self {
            Self::LongLine {
                file,
                starts_input,
                problem,
            } => Self::BadRecord {
                file,
                line: if starts_input { 1 } else { next_line },
                problem,
            },
            other => other,
        }
    }
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
