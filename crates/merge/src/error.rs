use arrow::error::ArrowError;

/// Why profiles were not merged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The work was asked to stop.
    #[error("the merge was asked to stop")]
    Stopped,
    /// An array grew past what its offsets can count, or a column is not of its type.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
