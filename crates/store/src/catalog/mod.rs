//! The catalog: one SQLite file that names everything which is part of the store.
//!
//! What it does not name does not exist: files are written and synced first, then one transaction
//! makes them visible. Bodies that users see are kept as JSON; columns hold what is searched by.

mod batches;
mod datasets;
mod documents;
mod jobs;
mod runs;
mod schema;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Row, Transaction, TransactionBehavior};

pub use batches::{BatchQuery, BatchRecord};
pub use datasets::Dataset;
pub use documents::DocumentKind;
pub use jobs::new_id;
pub use jobs::{JobOffset, JobQuery, JobRecord, JobSort, NewJob};
pub(crate) use runs::{RunChange, RunRecord};

use crate::error::Result;

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
}

impl Catalog {
    /// Opens the catalog's file, making it where it is missing.
    pub(crate) fn open(path: &Path, scope: Scope, durable: bool) -> Result<Self> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(60))?;
        schema::prepare(&mut connection, durable)?;
        Ok(Self {
            connection: Mutex::new(connection),
            scope,
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
    fn write<T>(&self, f: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = f(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
}
