//! Digests of the catalog's tables, by which damage comes to light that leaves the database well-formed.
//!
//! Each table has the exclusive or of its rows' digests in the table `digests`, kept by triggers. SQLite's own
//! checks see the form of the file alone: a digit that changed in a row is a row like any other to them.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use xxhash_rust::xxh3::Xxh3;

use crate::error::Result;
use crate::schema;

/// The tables with their columns: a row's digest is of these values in this order.
pub(crate) const TABLES: [(&str, &str); 7] = [
    ("counters", "name, value"),
    ("datasets", "org, sandbox, id, name, created, deleted, body"),
    ("unions", "org, sandbox, class, generation, fields"),
    (
        "runs",
        "id, org, sandbox, dataset, folder, added, removed, files",
    ),
    ("documents", "kind, org, sandbox, id, version, body"),
    (
        "jobs",
        "id, org, sandbox, status, generation, created, cancel, request, policy, body",
    ),
    (
        "batches",
        "id, org, sandbox, job, dataset, status, created, body",
    ),
];

/// The tables that decide what is in an export.
const OF_RECORDS: [&str; 5] = ["counters", "datasets", "unions", "runs", "documents"];

/// Makes the function `with_row(digest, table, column, …)` known to a connection: the digest with the row, or
/// without it where it has it.
pub(crate) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("with_row", -1, flags, |context| {
        let before: i64 = context.get(0)?;
        Ok(before ^ row_digest(context))
    })?;
    Ok(())
}

fn row_digest(context: &Context<'_>) -> i64 {
    let mut digest = Xxh3::new();
    for i in 1..context.len() {
        // Each value with its type and length, so that no two rows read the same.
        let (tag, bytes): (u8, &[u8]) = match context.get_raw(i) {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(value) => (1, &value.to_le_bytes()),
            ValueRef::Real(value) => (2, &value.to_le_bytes()),
            ValueRef::Text(text) => (3, text),
            ValueRef::Blob(bytes) => (4, bytes),
        };
        digest.update(&[tag]);
        digest.update(&(bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    }
    digest.digest().cast_signed()
}

/// Makes the table of digests with the triggers that keep it.
pub(crate) fn create(connection: &Connection) -> Result<()> {
    connection.execute_batch(
        "CREATE TABLE digests (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;",
    )?;
    for (table, columns) in TABLES {
        let row = |of: &str| {
            columns
                .replace(", ", &format!(", {of}."))
                .replacen("", &format!("{of}."), 1)
        };
        let (old, new) = (row("OLD"), row("NEW"));
        let set =
            |value: &str| format!("UPDATE digests SET value = {value} WHERE name = '{table}';");
        let with = |before: &str, row: &str| format!("with_row({before}, '{table}', {row})");
        connection.execute_batch(&format!(
            "CREATE TRIGGER {table}_added AFTER INSERT ON {table} BEGIN {} END;
             CREATE TRIGGER {table}_removed AFTER DELETE ON {table} BEGIN {} END;
             CREATE TRIGGER {table}_changed AFTER UPDATE ON {table} BEGIN {} END;",
            set(&with("value", &new)),
            set(&with("value", &old)),
            set(&with(&with("value", &old), &new)),
        ))?;
        connection.execute(
            "INSERT INTO digests VALUES (?1, ?2)",
            params![table, computed(connection, table, columns)?],
        )?;
    }
    Ok(())
}

fn computed(connection: &Connection, table: &str, columns: &str) -> Result<i64> {
    let mut statement = connection.prepare(&format!(
        "SELECT with_row(0, '{table}', {columns}) FROM {table}"
    ))?;
    let mut rows = statement.query([])?;
    let mut digest = 0;
    while let Some(row) = rows.next()? {
        digest ^= row.get::<_, i64>(0)?;
    }
    Ok(digest)
}

/// The tables whose rows are not those that were written.
pub(crate) fn damaged(connection: &Connection) -> Result<Vec<&'static str>> {
    damaged_of(connection, &TABLES)
}

/// The first table of those that decide what is in an export which is damaged, or whose indexes are.
pub(crate) fn damaged_of_records(connection: &Connection) -> Result<Option<&'static str>> {
    for (table, columns) in TABLES {
        if !OF_RECORDS.contains(&table) {
            continue;
        }
        let check = format!("PRAGMA integrity_check('{table}')");
        let form: String = connection.query_row(&check, [], |row| row.get(0))?;
        if form != "ok" || !damaged_of(connection, &[(table, columns)])?.is_empty() {
            return Ok(Some(table));
        }
    }
    Ok(None)
}

fn damaged_of(
    connection: &Connection,
    tables: &[(&'static str, &str)],
) -> Result<Vec<&'static str>> {
    let mut damaged = Vec::new();
    if !schema::has_digests(connection)? {
        return Ok(damaged);
    }
    for (table, columns) in tables {
        let known: i64 = connection.query_row(
            "SELECT value FROM digests WHERE name = ?1",
            [table],
            |row| row.get(0),
        )?;
        if known != computed(connection, table, columns)? {
            damaged.push(*table);
        }
    }
    Ok(damaged)
}
