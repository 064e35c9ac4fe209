//! Whether the catalog is as it was written, and copies of it to go back to.

use std::path::Path;

use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::{Catalog, digest};

impl Catalog {
    /// What is wrong with the catalog's file and tables; nothing where all is as it was written.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn verify(&self) -> Result<Vec<String>> {
        let connection = self.connection();
        consistent(&connection, |connection| {
            let mut problems = Vec::new();
            let mut statement = connection.prepare("PRAGMA integrity_check")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let found: String = row.get(0)?;
                if found != "ok" {
                    problems.push(format!("the catalog: {found}"));
                }
            }
            let damaged = digest::damaged(connection)?.into_iter();
            problems.extend(damaged.map(|table| Error::DamagedTable(table).to_string()));
            Ok(problems)
        })
    }

    /// Says no where a table that decides what is in an export is not as it was written.
    ///
    /// # Errors
    /// [`Error::DamagedTable`]; the catalog can't be read.
    pub fn check_records(&self) -> Result<()> {
        let connection = self.connection();
        match consistent(&connection, digest::damaged_of_records)? {
            None => Ok(()),
            Some(table) => Err(Error::DamagedTable(table)),
        }
    }

    /// Writes a copy of the catalog as it is now into a new file.
    ///
    /// # Errors
    /// The file is there, or can't be written.
    pub fn copy_to(&self, path: &Path) -> Result<()> {
        let path = path.to_str().ok_or_else(|| {
            Error::Beside(std::io::Error::other(format!(
                "{}: SQLite takes names that are UTF-8 alone",
                path.display()
            )))
        })?;
        self.connection().execute("VACUUM INTO ?1", [path])?;
        Ok(())
    }
}

/// Reads by one state of the catalog.
fn consistent<T>(connection: &Connection, f: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    if !connection.is_autocommit() {
        return f(connection);
    }
    let transaction = connection.unchecked_transaction()?;
    f(&transaction)
}
