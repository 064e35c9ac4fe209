use arrow::error::ArrowError;
use projection::ProjectionError;
use writer::WriteError;

use crate::RequestError;

/// What can go wrong in an export.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request can't be done as asked.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A run can't be read.
    #[error(transparent)]
    Run(#[from] run::Error),
    /// Records can't be read, or the work was asked to stop.
    #[error(transparent)]
    Decode(#[from] decode::Error),
    /// A record batch has something that the union schema does not have.
    #[error("dataset {dataset}: {problem}; the union schema that the plan was made with lacks it")]
    BeyondUnion {
        /// The dataset's name.
        dataset: String,
        /// The field and its type.
        problem: String,
    },
    /// Rows can't be written.
    #[error("writing the batch: {0}")]
    Write(WriteError),
    /// An Arrow operation failed.
    #[error("{0}")]
    Arrow(ArrowError),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether the work stopped because it was asked to.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Decode(decode::Error::Cancelled))
    }
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<(&str, ProjectionError)> for Error {
    fn from((path, error): (&str, ProjectionError)) -> Self {
        Self::Request(RequestError::new(path, error.to_string()))
    }
}
