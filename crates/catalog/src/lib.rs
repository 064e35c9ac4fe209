//! The catalog: one SQLite file that names everything which is part of the store.
//!
//! What it does not name does not exist: files are written and synced first, then one transaction
//! makes them visible. Bodies that users see are kept as JSON; columns hold what is searched by.

mod batch;
mod batch_query;
mod batches;
mod check;
mod datasets;
mod digest;
mod documents;
mod error;
mod id;
mod jobs;
mod json;
mod namespaces;
mod open;
mod plans;
mod runs;
mod schema;
mod status;
mod texts;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Row, TransactionBehavior};

pub use batch::{
    Batch, BatchError, BatchFile, BatchMetrics, FileFormat, InputFormat, RelatedObject, Upload,
};
pub use batch_query::{BatchFilter, BatchProperty, BatchQuery};
pub use documents::DocumentKind;
use error::of_commit;
pub use error::{Error, Kind, Result};
pub use id::{new_id, new_uuid};
pub use jobs::{JobMove, JobOffset, JobQuery, JobRecord, JobSort, NewJob};
pub use json::Document;
use open::Unwritable;
pub use plans::{PinnedPlan, PlanPin};
pub use runs::{NewRun, RunChange, RunRecord};
pub use status::{BatchStatus, JobStatus};

/// The organisation and the sandbox whose data a caller sees.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The organisation's ID.
    pub org: String,
    /// The sandbox's name.
    pub sandbox: String,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            org: "default".to_owned(),
            sandbox: "prod".to_owned(),
        }
    }
}

/// Reads a scope from a row's first two columns.
fn scope(row: &Row<'_>) -> rusqlite::Result<Scope> {
    Ok(Scope {
        org: row.get(0)?,
        sandbox: row.get(1)?,
    })
}

/// The catalog, seen from one organisation and sandbox.
pub struct Catalog {
    connection: Mutex<Connection>,
    scope: Scope,
    durable: bool,
    /// Whether all its changes are part of a transaction that is open.
    is_nested: bool,
    unwritable: Option<Unwritable>,
}

impl Catalog {
    /// Opens the catalog's file, making it where it is missing or empty and `may_be_made` says yes. One
    /// that is not `durable` is not synced to the disk. Where it can't be written it is read.
    ///
    /// # Errors
    /// A file that is no catalog of ours, or that can't be read or written; [`Error::Lost`].
    pub fn open(
        path: &Path,
        scope: Scope,
        durable: bool,
        may_be_made: impl FnOnce() -> std::io::Result<bool>,
    ) -> Result<Self> {
        let opened = open::open(path, durable, may_be_made)?;
        Ok(Self {
            connection: Mutex::new(opened.connection),
            scope,
            durable,
            is_nested: false,
            unwritable: opened.unwritable,
        })
    }

    /// What tells this store's catalog from all others.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn identity(&self) -> Result<String> {
        let connection = self.connection();
        Ok(connection.query_row("SELECT id FROM identity", [], |row| row.get(0))?)
    }

    /// Whether it can only be read: its file system is read-only or full, or its folder somebody else's.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.unwritable.is_some()
    }

    /// Says no where it can only be read.
    ///
    /// # Errors
    /// [`Error::ReadOnly`].
    pub fn check_writable(&self) -> Result<()> {
        match &self.unwritable {
            None => Ok(()),
            Some(unwritable) => Err(Error::ReadOnly(unwritable.reason.clone())),
        }
    }

    /// Runs `f` on a catalog whose changes hold all together or, after an error, not at all. Other
    /// changes wait meanwhile; one that `f` makes by `self` would wait for ever.
    ///
    /// # Errors
    /// What `f` returns; the catalog can't be written.
    pub fn atomically<T, E: From<Error>>(
        &self,
        f: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let nested = self.nested()?;
        let value = f(&nested)?;
        let commit = nested.connection().execute_batch("COMMIT");
        commit.map_err(of_commit)?;
        Ok(value)
    }

    /// The same for changes that are tried and taken back.
    ///
    /// # Errors
    /// What `f` returns; the catalog can't be written.
    pub fn rehearse<T, E: From<Error>>(
        &self,
        f: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        // The transaction ends with its connection.
        f(&self.nested()?)
    }

    /// A catalog of its own connection, with a transaction that is open.
    fn nested(&self) -> Result<Self> {
        self.check_writable()?;
        let connection = {
            let own = self.connection();
            open::another(Path::new(path_of(&own)), self.durable)?
        };
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self {
            connection: Mutex::new(connection),
            scope: self.scope.clone(),
            durable: self.durable,
            is_nested: true,
            unwritable: None,
        })
    }

    /// The file that has to be synced for the beginning of a job to be on the disk: it is not waited for where it is
    /// written. `None` where it is there already.
    #[must_use]
    pub fn journal(&self) -> Option<PathBuf> {
        let own = self.connection();
        let journal = open::beside(Path::new(path_of(&own)), "-wal");
        // Other journals than that of WAL mode are synced with each change.
        (self.durable && journal.exists()).then_some(journal)
    }

    /// Whose data this is.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere rolled its transaction back; the connection itself is whole.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f` in one transaction that takes the write lock at once.
    fn write<T>(&self, f: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.write_with(f)
    }

    /// The same for work with errors of its own.
    fn write_with<T, E: From<Error>>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.check_writable()?;
        self.write_on(&mut self.connection(), f)
    }

    /// The same for what is told to nobody before [`Catalog::journal`] is synced, or a later change made: it does not
    /// wait for the disk.
    fn write_soon<T, E: From<Error>>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.is_nested || !self.durable {
            return self.write_with(f);
        }
        self.check_writable()?;
        let mut connection = self.connection();
        open::set_synchronous(&connection, "NORMAL")?;
        let written = self.write_on(&mut connection, f);
        open::set_synchronous(&connection, open::FULL)?;
        written
    }

    fn write_on<T, E: From<Error>>(
        &self,
        connection: &mut Connection,
        f: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.is_nested {
            let savepoint = connection.savepoint().map_err(Error::from)?;
            let value = f(&savepoint)?;
            savepoint.commit().map_err(Error::from)?;
            return Ok(value);
        }
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Error::from)?;
        let value = f(&transaction)?;
        transaction.commit().map_err(of_commit)?;
        Ok(value)
    }
}

fn path_of(connection: &Connection) -> &str {
    connection
        .path()
        .unwrap_or_else(|| unreachable!("a catalog is a file"))
}
