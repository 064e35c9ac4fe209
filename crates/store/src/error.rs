use std::path::{Path, PathBuf};

/// What can go wrong in a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file could not be read or written.
    #[error("{path}: {reason}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        reason: std::io::Error,
    },
    /// The catalog says no, or can't be read or written.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// A run can't be read or written.
    #[error(transparent)]
    Run(#[from] run::Error),
    /// Input can't be read.
    #[error(transparent)]
    Decode(#[from] decode::Error),
    /// More records are bad than may be.
    #[error("{bad} of {read} records are bad: too many to skip them; nothing is loaded")]
    TooManyBad {
        /// How many are.
        bad: u64,
        /// How many there are.
        read: u64,
    },
    /// Something is deleted, and its files are not.
    #[error(
        "{what} is deleted, but not its files: {path}: {reason}; within the store they are swept later"
    )]
    Left {
        /// What it is.
        what: String,
        /// What could not be deleted.
        path: PathBuf,
        /// The operating system's reason.
        reason: std::io::Error,
    },
    /// A store can't be made where something else is.
    #[error(
        "{path}: it has {name:?}, which is no store's; a store is made in a new folder, or an empty one"
    )]
    NotEmpty {
        /// The folder.
        path: PathBuf,
        /// What is in it.
        name: String,
    },
    /// A thread of a load is gone without saying why.
    #[error("{0} gave up; this is a mistake of the program")]
    Internal(&'static str),
}

/// A result of this crate.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    /// That what is deleted left files behind: the error's, or some in the folder.
    pub(crate) fn left(what: &str, folder: PathBuf) -> impl FnOnce(Self) -> Self {
        let what = what.to_owned();
        move |error| match error {
            Self::Io { path, reason } => Self::Left { what, path, reason },
            other => Self::Left {
                what,
                path: folder,
                reason: std::io::Error::other(other.to_string()),
            },
        }
    }

    /// An I/O error at a path.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |reason| Self::Io { path, reason }
    }

    /// Whether the work stopped because it was asked to.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Decode(decode::Error::Cancelled))
    }
}

/// Names the file in an I/O error.
pub(crate) trait AtPath<T> {
    fn at(self, path: impl AsRef<Path>) -> Result<T>;
}

impl<T> AtPath<T> for std::io::Result<T> {
    fn at(self, path: impl AsRef<Path>) -> Result<T> {
        self.map_err(StoreError::io(path.as_ref()))
    }
}
