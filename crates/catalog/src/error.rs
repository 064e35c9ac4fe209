use std::fmt;

use xdm::{DatasetError, TypeConflict};

/// What the catalog says no to, and what can go wrong with it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing of this kind with this ID.
    #[error("no {kind} {}{hint}", named(*.kind, .id))]
    NotFound {
        /// What was looked for.
        kind: Kind,
        /// The ID, or the name.
        id: String,
        /// What there is instead; empty, or with what parts it from the text before.
        hint: String,
    },
    /// What is asked for contradicts what there is.
    #[error("{0}")]
    Conflict(String),
    /// A dataset's description is wrong.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A dataset's schema contradicts the union schema.
    #[error("the schema of dataset {dataset}: {conflict}")]
    TypeConflict {
        /// The dataset's name.
        dataset: String,
        /// The field and its types.
        conflict: TypeConflict,
    },
    /// The catalog is of a newer program.
    #[error("the store's catalog has version {found}; this program knows versions up to {known}")]
    NewerFormat {
        /// The version that it has.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// The catalog is of an earlier program, and can't be brought to this one's version.
    #[error(
        "the store's catalog has version {found}, and it can only be read; open it once where it can be written"
    )]
    OlderFormat {
        /// The version that it has.
        found: u32,
    },
    /// The catalog can only be read.
    #[error(
        "the store can only be read: it is on a file system that is read-only or full, or in a folder of \
         somebody else ({0})"
    )]
    ReadOnly(String),
    /// The catalog is missing or empty, and what it should name is there.
    #[error(
        "the store's catalog is missing or empty, but there are records or batches beside it; put \
         catalog.sqlite back, with catalog.sqlite-wal where there was one"
    )]
    Lost,
    /// What lies beside a catalog that is missing or empty can't be read.
    #[error("beside the catalog: {0}")]
    Beside(std::io::Error),
    /// A row of the catalog is not as it was written.
    #[error("the catalog is damaged: {kind} {id}: {problem}")]
    Damaged {
        /// What the row describes.
        kind: Kind,
        /// Its ID.
        id: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A table of the catalog is not as it was written.
    #[error(
        "the catalog is damaged: its table {0} is not as it was written; store restore goes back to a copy of before"
    )]
    DamagedTable(&'static str),
    /// The catalog is of another store.
    #[error(
        "the catalog is not that of this store, whose identity is in store.json; put the right one back"
    )]
    Foreign,
    /// The disk failed while a change was made final. It is in SQLite's journal: the next who opens the catalog may
    /// find it there whole.
    #[error(
        "catalog: {0} while the change was made final: it may hold or not; what the store shows from now on is \
         true (store stats, jobs list, batches list)"
    )]
    Unclear(rusqlite::Error),
    /// SQLite refused.
    #[error("catalog: {0}")]
    Sqlite(rusqlite::Error),
}

/// How an ID stands in a message: texts from outside in quotes.
fn named(kind: Kind, id: &str) -> String {
    match kind {
        Kind::Job => id.to_owned(),
        _ => format!("{id:?}"),
    }
}

/// Kinds of things that the catalog keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A dataset.
    Dataset,
    /// A run of records.
    Run,
    /// An export job.
    Job,
    /// A batch.
    Batch,
    /// A merge policy.
    MergePolicy,
    /// A segment definition.
    Segment,
    /// An evaluation of segments.
    SegmentJob,
    /// Work that is done at times.
    Schedule,
    /// A namespace of identities.
    IdentityNamespace,
    /// Where edge projections would go.
    ProjectionDestination,
    /// Fields of profiles under a name.
    Projection,
    /// A deletion of records that is done by itself.
    SystemJob,
    /// A class, a schema, or fields of the schema registry.
    Schema,
    /// What is said of a schema's fields.
    Descriptor,
    /// A query that runs by itself.
    Query,
    /// A text that is kept for queries.
    QueryTemplate,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dataset => "dataset",
            Self::Run => "run",
            Self::Job => "job",
            Self::Batch => "batch",
            Self::MergePolicy => "merge policy",
            Self::Segment => "segment",
            Self::SegmentJob => "segment job",
            Self::Schedule => "schedule",
            Self::IdentityNamespace => "identity namespace",
            Self::ProjectionDestination => "projection destination",
            Self::Projection => "projection",
            Self::SystemJob => "system job",
            Self::Schema => "resource of the schema registry",
            Self::Descriptor => "descriptor",
            Self::Query => "query",
            Self::QueryTemplate => "query template",
        })
    }
}

impl Error {
    /// Whether the disk may be full: then what makes room is worth a try with the store's reserve.
    #[must_use]
    pub fn may_be_full(&self) -> bool {
        match self {
            Self::ReadOnly(_) => true,
            Self::Sqlite(error) => error.sqlite_error().is_some_and(|error| {
                error.code == rusqlite::ErrorCode::DiskFull
                    || error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
            }),
            _ => false,
        }
    }

    /// There is nothing of this kind with this ID.
    pub fn not_found(kind: Kind, id: impl fmt::Display) -> Self {
        Self::NotFound {
            kind,
            id: id.to_string(),
            hint: String::new(),
        }
    }
}

/// The error of a commit.
pub(crate) fn of_commit(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::SystemIoFailure) => Error::Unclear(error),
        _ => Error::Sqlite(error),
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
