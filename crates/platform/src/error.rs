use std::path::{Path, PathBuf};

use export::RequestError;
use store::StoreError;
use writer::WriteError;

use crate::jobs::Job;

/// What can go wrong with the platform's objects.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request can't be done as asked; nothing was created.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The store refused or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The export itself could not be done.
    #[error(transparent)]
    Export(export::Error),
    /// A batch could not be written.
    #[error("writing the batch: {0}")]
    Write(WriteError),
    /// A file of a source folder could not be read.
    #[error("{path}: {problem}")]
    Source {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The folder that batches are to be published in can't be used.
    #[error("{path}: {problem}")]
    Out {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// There is nothing in a batch that came in.
    #[error("the batch is empty: {0}; send a file with records")]
    EmptyBatch(String),
    /// The job ended without success.
    #[error("job {id} failed: {message}")]
    JobFailed {
        /// The job's ID.
        id: i64,
        /// The job object, which has its errors.
        job: Box<Job>,
        /// Its error.
        message: String,
    },
    /// The job was cancelled while it ran.
    #[error("job {id} was cancelled")]
    JobCancelled {
        /// The job's ID.
        id: i64,
        /// The job object.
        job: Box<Job>,
    },
    /// The program made a mistake and broke off.
    #[error("the program broke off: {0}; this is a mistake of ours")]
    Panic(String),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Kinds of errors: what exit codes, HTTP statuses and the codes of docs/errors.md follow from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request can't be done as asked.
    BadRequest,
    /// A file of a source folder can't be read.
    BadSource,
    /// There is no such thing.
    NotFound,
    /// What is asked for contradicts what there is.
    Conflict,
    /// An input is none.
    BadInput,
    /// A dataset's description, or its schema, is wrong.
    InvalidDataset,
    /// The store is of a newer program.
    NewerFormat,
    /// A record can't be loaded.
    BadRecord,
    /// There is nothing in a batch that came in.
    EmptyBatch,
    /// A file of the store is not as it was written.
    Damaged,
    /// The operating system refused.
    Io,
    /// The catalog can't be read or written.
    Catalog,
    /// A batch can't be written.
    Write,
    /// The work stopped because it was asked to.
    Cancelled,
    /// A job failed; its own errors say why.
    JobFailed,
    /// A mistake of the program.
    Internal,
}

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Request(_) | Self::Out { .. } => ErrorKind::BadRequest,
            Self::Store(error) => of_store(error),
            Self::Export(error) => of_export(error),
            Self::Write(_) => ErrorKind::Write,
            Self::Source { .. } => ErrorKind::BadSource,
            Self::EmptyBatch(_) => ErrorKind::EmptyBatch,
            Self::JobFailed { .. } => ErrorKind::JobFailed,
            Self::JobCancelled { .. } => ErrorKind::Cancelled,
            Self::Panic(_) => ErrorKind::Internal,
        }
    }

    /// That a place can't be exported to.
    pub(crate) fn out(path: &Path, problem: impl Into<String>) -> Self {
        Self::Out {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    /// Whether the work stopped because it was asked to.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.kind() == ErrorKind::Cancelled
    }

    /// The stable code that a failed job's `errors` give.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind().code()
    }
}

impl ErrorKind {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 16] = [
        Self::BadRequest,
        Self::BadSource,
        Self::NotFound,
        Self::Conflict,
        Self::BadInput,
        Self::InvalidDataset,
        Self::NewerFormat,
        Self::BadRecord,
        Self::EmptyBatch,
        Self::Damaged,
        Self::Io,
        Self::Catalog,
        Self::Write,
        Self::Cancelled,
        Self::JobFailed,
        Self::Internal,
    ];

    /// The stable code of docs/errors.md.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::JobFailed | Self::Internal => "PE-0000",
            Self::BadRequest => "PE-0001",
            Self::BadSource => "PE-0002",
            Self::NotFound
            | Self::Conflict
            | Self::BadInput
            | Self::InvalidDataset
            | Self::NewerFormat => "PE-0003",
            Self::BadRecord => "PE-0004",
            // The platform's own code.
            Self::EmptyBatch => "106",
            Self::Damaged => "PE-0005",
            Self::Io => "PE-0006",
            Self::Catalog => "PE-0007",
            Self::Write => "PE-0008",
            Self::Cancelled => "PE-0009",
        }
    }

    /// What clients are told of errors of this kind: their texts may name files of the machine, which are
    /// nobody's business outside. `None` where the texts are about what the caller sent.
    #[must_use]
    pub fn told_outside(self) -> Option<&'static str> {
        Some(match self {
            Self::JobFailed | Self::Internal => {
                "the program made a mistake; who runs the store finds it in its log"
            }
            Self::BadSource => "a file of a source folder can't be read",
            Self::NewerFormat => "the store is of a newer program than the one that serves it",
            Self::Damaged => {
                "a file of the store is damaged; who runs it finds out which by store verify"
            }
            Self::Io => {
                "the server's system refused to read or write a file: it may be full; its log says which"
            }
            Self::Catalog => {
                "the store's catalog can't be read or written; the server's log says why"
            }
            Self::Write => {
                "a batch can't be written: the disk may be full; the server's log says where"
            }
            _ => return None,
        })
    }

    /// The same by a code of docs/errors.md. A newer format has its code in common with what callers
    /// are to be told.
    #[must_use]
    pub fn told_outside_of_code(code: &str) -> Option<&'static str> {
        const KINDS: [ErrorKind; 6] = [
            ErrorKind::Internal,
            ErrorKind::BadSource,
            ErrorKind::Damaged,
            ErrorKind::Io,
            ErrorKind::Catalog,
            ErrorKind::Write,
        ];
        let mut kinds = KINDS.into_iter();
        kinds.find(|kind| kind.code() == code)?.told_outside()
    }

    /// Whether the caller, not the work, is at fault: then nothing was created.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::BadRequest
                | Self::BadSource
                | Self::NotFound
                | Self::Conflict
                | Self::BadInput
                | Self::InvalidDataset
                | Self::NewerFormat
        )
    }
}

fn of_store(error: &StoreError) -> ErrorKind {
    match error {
        StoreError::Io { .. } | StoreError::Left { .. } => ErrorKind::Io,
        StoreError::NotEmpty { .. } => ErrorKind::Conflict,
        StoreError::Catalog(error) => of_catalog(error),
        StoreError::Run(error) => of_run(error),
        StoreError::Decode(error) => of_decode(error),
        StoreError::TooManyBad { .. } => ErrorKind::BadRecord,
        _ => ErrorKind::Internal,
    }
}

fn of_catalog(error: &catalog::Error) -> ErrorKind {
    match error {
        catalog::Error::NotFound { .. } => ErrorKind::NotFound,
        catalog::Error::Conflict(_) => ErrorKind::Conflict,
        catalog::Error::Dataset(_) | catalog::Error::TypeConflict { .. } => {
            ErrorKind::InvalidDataset
        }
        catalog::Error::NewerFormat { .. } => ErrorKind::NewerFormat,
        catalog::Error::OlderFormat { .. } => ErrorKind::Catalog,
        catalog::Error::ReadOnly(_) => ErrorKind::Io,
        catalog::Error::Beside(_) => ErrorKind::Io,
        catalog::Error::Lost
        | catalog::Error::Foreign
        | catalog::Error::Damaged { .. }
        | catalog::Error::DamagedTable(_) => ErrorKind::Damaged,
        catalog::Error::Sqlite(_) | catalog::Error::Unclear(_) => ErrorKind::Catalog,
        _ => ErrorKind::Internal,
    }
}

fn of_run(error: &run::Error) -> ErrorKind {
    match error {
        run::Error::Io { .. } => ErrorKind::Io,
        run::Error::Damaged { .. } => ErrorKind::Damaged,
        run::Error::NewerFormat { .. } => ErrorKind::NewerFormat,
        _ => ErrorKind::Internal,
    }
}

fn of_decode(error: &decode::Error) -> ErrorKind {
    match error {
        decode::Error::Io { .. } => ErrorKind::Io,
        decode::Error::Input { .. } => ErrorKind::BadInput,
        decode::Error::BadRecord { .. } | decode::Error::LongLine { .. } => ErrorKind::BadRecord,
        decode::Error::Dataset(_) | decode::Error::TypeConflict { .. } => ErrorKind::InvalidDataset,
        decode::Error::Cancelled => ErrorKind::Cancelled,
        _ => ErrorKind::Internal,
    }
}

fn of_export(error: &export::Error) -> ErrorKind {
    match error {
        export::Error::Request(_) | export::Error::BeyondUnion { .. } => ErrorKind::BadRequest,
        export::Error::Run(error) => of_run(error),
        export::Error::Decode(error) => of_decode(error),
        export::Error::Write(_) => ErrorKind::Write,
        _ => ErrorKind::Internal,
    }
}

impl From<export::Error> for Error {
    fn from(error: export::Error) -> Self {
        match error {
            export::Error::Request(error) => Self::Request(error),
            export::Error::Write(error) => Self::Write(error),
            other => Self::Export(other),
        }
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<catalog::Error> for Error {
    fn from(error: catalog::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<decode::Error> for Error {
    fn from(error: decode::Error) -> Self {
        Self::Store(error.into())
    }
}
