use std::path::PathBuf;

use parquet::errors::ParquetError;

/// Why a batch could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The encoder refused.
    #[error("{path}: {source}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: ParquetError,
    },
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, WriteError>;

impl WriteError {
    /// What happened to a file that was being written. Encoders pass on what the operating system said.
    #[must_use]
    pub fn in_file(path: impl Into<PathBuf>, source: ParquetError) -> Self {
        let path = path.into();
        match source {
            ParquetError::External(inner) => match inner.downcast() {
                Ok(source) => Self::Io {
                    path,
                    source: *source,
                },
                Err(inner) => Self::Parquet {
                    path,
                    source: ParquetError::External(inner),
                },
            },
            source => Self::Parquet { path, source },
        }
    }
}

pub(crate) trait AtPath<T> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T>;
}

impl<T> AtPath<T> for std::io::Result<T> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|source| WriteError::Io {
            path: path.into(),
            source,
        })
    }
}

impl<T> AtPath<T> for parquet::errors::Result<T> {
    fn at(self, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|source| WriteError::in_file(path, source))
    }
}
