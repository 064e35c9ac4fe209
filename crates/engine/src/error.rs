use projection::ProjectionError;
use store::StoreError;
use writer::WriteError;

use crate::request::RequestError;

/// What can go wrong in an export.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request can't be done as asked; nothing was created.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The store refused or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A batch could not be written.
    #[error("writing the batch: {0}")]
    Write(#[from] WriteError),
    /// An Arrow operation failed.
    #[error("{0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A file of a source folder could not be read.
    #[error("{path}: {problem}")]
    Source {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The job ended without success.
    #[error("job {id} failed: {message}")]
    JobFailed {
        /// The job's ID.
        id: i64,
        /// Its error.
        message: String,
    },
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether the caller, not the work, is at fault: then nothing was created.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Request(_) | Self::Source { .. } | Self::Store(StoreError::Refused(_))
        )
    }

    /// Whether the work stopped because it was asked to.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Store(StoreError::Cancelled))
    }

    /// The stable code that a failed job's `errors` give; `docs/errors.md` lists them.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Request(_) => "PE-0001",
            Self::Source { .. } => "PE-0002",
            Self::Store(StoreError::Refused(_)) => "PE-0003",
            Self::Store(StoreError::BadRecord { .. }) => "PE-0004",
            Self::Store(StoreError::Damaged { .. }) => "PE-0005",
            Self::Store(StoreError::Io { .. }) => "PE-0006",
            Self::Store(StoreError::Catalog(_)) => "PE-0007",
            Self::Write(_) => "PE-0008",
            Self::Store(StoreError::Cancelled) => "PE-0009",
            _ => "PE-0000",
        }
    }
}

impl From<(&str, ProjectionError)> for Error {
    fn from((path, error): (&str, ProjectionError)) -> Self {
        Self::Request(RequestError::new(path, error.to_string()))
    }
}
