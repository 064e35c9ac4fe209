//! The catalog: one SQLite file that names everything which is part of the store.
//!
//! What it does not name does not exist: files are written and synced first, then one transaction
//! makes them visible. Bodies that users see are kept as JSON; columns hold what is searched by.

mod batch;
mod batches;
mod datasets;
mod documents;
mod error;
mod id;
mod jobs;
mod json;
mod runs;
mod schema;
mod status;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Row, TransactionBehavior};

pub use batch::{
    Batch, BatchError, BatchFile, BatchMetrics, FileFormat, InputFormat, RelatedObject,
};
pub use batches::BatchQuery;
pub use documents::DocumentKind;
pub use error::{Error, Kind, Result};
pub use id::new_id;
pub use jobs::{JobMove, JobOffset, JobQuery, JobRecord, JobSort, NewJob};
pub use json::Document;
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
}

impl Catalog {
    /// Opens the catalog's file, making it where it is missing or empty and `may_be_made` says yes. One
    /// that is not `durable` is not synced to the disk.
    ///
    /// # Errors
    /// A file that is no catalog of ours, or that can't be read or written; [`Error::Lost`].
    pub fn open(
        path: &Path,
        scope: Scope,
        durable: bool,
        may_be_made: impl FnOnce() -> std::io::Result<bool>,
    ) -> Result<Self> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(60))?;
        schema::prepare(&mut connection, durable, may_be_made)?;
        Ok(Self {
            connection: Mutex::new(connection),
            scope,
            durable,
            is_nested: false,
        })
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
        commit.map_err(Error::from)?;
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
        let connection = {
            let own = self.connection();
            let path = own
                .path()
                .unwrap_or_else(|| unreachable!("a catalog is a file"));
            Connection::open(path)?
        };
        connection.busy_timeout(Duration::from_secs(60))?;
        schema::configure(&connection, self.durable)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self {
            connection: Mutex::new(connection),
            scope: self.scope.clone(),
            durable: self.durable,
            is_nested: true,
        })
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
        let mut connection = self.connection();
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
        transaction.commit().map_err(Error::from)?;
        Ok(value)
    }
}
