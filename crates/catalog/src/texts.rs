//! All texts of a catalog, to look for one that must not be there.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use crate::error::Result;
use crate::{Catalog, open};

impl Catalog {
    /// Hands every text of every table to `look`, with the table's name.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn each_text(&self, look: &mut dyn FnMut(&str, &str)) -> Result<()> {
        each_text(&self.connection(), look)
    }

    /// Hands every text of a catalog's file to `look` that nobody changes: a copy, or one that was set aside. What is in
    /// a journal beside it is not read.
    ///
    /// # Errors
    /// It is no database, or damaged.
    pub fn each_text_of_copy(path: &Path, look: &mut dyn FnMut(&str, &str)) -> Result<()> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        each_text(
            &Connection::open_with_flags(open::immutable(path)?, flags)?,
            look,
        )
    }

    /// Writes the catalog's file anew and empties its journal: nothing of rows that were deleted or changed is in
    /// either then.
    ///
    /// # Errors
    /// The catalog can't be written, or somebody reads it for more than a minute.
    pub fn purge(&self) -> Result<()> {
        self.check_writable()?;
        let connection = self.connection();
        connection.execute_batch("VACUUM")?;
        let begin = std::time::Instant::now();
        loop {
            let (is_busy, _, _): (bool, i64, i64) =
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
            if !is_busy {
                return Ok(());
            }
            if begin.elapsed() > open::PATIENCE {
                return Err(crate::Error::Conflict(
                    "the catalog's journal can't be emptied: another process reads it".to_owned(),
                ));
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

fn each_text(connection: &Connection, look: &mut dyn FnMut(&str, &str)) -> Result<()> {
    let mut statement =
        connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")?;
    let tables = statement.query_map([], |row| row.get(0))?;
    for table in tables.collect::<Result<Vec<String>, _>>()? {
        let quoted = table.replace('"', "\"\"");
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{quoted}\""))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(column)? {
                    look(&table, &String::from_utf8_lossy(bytes));
                }
            }
        }
    }
    Ok(())
}
