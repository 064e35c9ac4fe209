//! Opening the catalog's file: to write in it, or, where that can't be, to read it.
//!
//! SQLite in WAL mode makes files beside the database also to read it. Where it can't, on a file system that is
//! read-only or full or in somebody else's folder, the file is read as one that nobody changes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use tempfile::TempDir;

use crate::digest;
use crate::error::{Error, Result};
use crate::schema;

/// How long a connection waits for others.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Each change is on the disk when it is made.
pub(crate) const FULL: &str = "FULL";

/// A catalog's connection.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    /// What keeps it from being written in.
    pub(crate) unwritable: Option<Unwritable>,
}

/// Why a catalog can only be read.
pub(crate) struct Unwritable {
    pub(crate) reason: String,
    /// Where the file is a copy, its folder.
    _copy: Option<TempDir>,
}

/// Opens the file, making it where it is missing or empty and `may_be_made` says yes.
pub(crate) fn open(
    path: &Path,
    durable: bool,
    may_be_made: impl FnOnce() -> io::Result<bool>,
) -> Result<Opened> {
    match writable(path, durable, may_be_made) {
        Ok(connection) => Ok(Opened {
            connection,
            unwritable: None,
        }),
        Err(Error::Sqlite(error)) if is_unwritable(&error) && has_content(path) => {
            readable(path, error.to_string())
        }
        Err(error) => Err(error),
    }
}

/// One more connection to a catalog that can be written in.
pub(crate) fn another(path: &Path, durable: bool) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    configure(&connection, durable)?;
    Ok(connection)
}

fn writable(
    path: &Path,
    durable: bool,
    may_be_made: impl FnOnce() -> io::Result<bool>,
) -> Result<Connection> {
    let mut connection = another(path, durable)?;
    schema::prepare(&mut connection, may_be_made)?;
    Ok(connection)
}

/// Whether each change waits for the disk.
pub(crate) fn set_synchronous(connection: &Connection, how: &str) -> Result<()> {
    Ok(connection.pragma_update(None, "synchronous", how)?)
}

/// Sets what counts for one connection.
pub(crate) fn configure(connection: &Connection, durable: bool) -> Result<()> {
    let begin = Instant::now();
    // A new file gets its mode from the first; SQLite doesn't let the others wait for that.
    while let Err(error) = connection.pragma_update(None, "journal_mode", "WAL") {
        let is_busy = error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
        if !is_busy || begin.elapsed() > PATIENCE {
            return Err(error.into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    set_synchronous(connection, if durable { FULL } else { "OFF" })?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What is replaced is removed for the digests, too.
    connection.pragma_update(None, "recursive_triggers", true)?;
    digest::register(connection)?;
    Ok(())
}

/// Whether an error says that the file, or those beside it, can't be written, and nothing of its content.
fn is_unwritable(error: &rusqlite::Error) -> bool {
    let Some(error) = error.sqlite_error() else {
        return false;
    };
    matches!(
        error.code,
        ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::DiskFull
    ) || matches!(
        error.extended_code,
        ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_SHMOPEN
    )
}

fn has_content(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > 0)
}

fn readable(path: &Path, reason: String) -> Result<Opened> {
    // Where somebody who may write has it open, the files beside it are there.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if let Ok(connection) = Connection::open_with_flags(path, flags)
        && connection.busy_timeout(PATIENCE).is_ok()
        && schema::check(&connection).is_ok()
    {
        return read_only(connection, reason, None);
    }
    if has_content(&beside(path, "-wal")) {
        let (connection, folder) = copied(path)?;
        return read_only(connection, reason, Some(folder));
    }
    let flags = flags | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(immutable(path)?, flags)?;
    read_only(connection, reason, None)
}

/// Opens a copy: the newest changes are in the journal, which is not read without the files beside it.
fn copied(path: &Path) -> Result<(Connection, TempDir)> {
    let folder = TempDir::with_prefix("profile-export-catalog-").map_err(Error::Beside)?;
    let copy = folder.path().join("catalog.sqlite");
    fs::copy(path, &copy).map_err(Error::Beside)?;
    fs::copy(beside(path, "-wal"), beside(&copy, "-wal")).map_err(Error::Beside)?;
    Ok((Connection::open(&copy)?, folder))
}

fn read_only(connection: Connection, reason: String, copy: Option<TempDir>) -> Result<Opened> {
    schema::check(&connection)?;
    digest::register(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(Opened {
        connection,
        unwritable: Some(Unwritable {
            reason,
            _copy: copy,
        }),
    })
}

pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The URI of a file that nobody changes.
pub(crate) fn immutable(path: &Path) -> Result<String> {
    let path = std::path::absolute(path).map_err(Error::Beside)?;
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(uri + "?immutable=1")
}

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::*;

    fn made(path: &Path) -> Connection {
        let connection = writable(path, true, || Ok(true)).expect("a catalog");
        change(&connection, 7);
        connection
    }

    fn change(connection: &Connection, generation: i64) {
        connection
            .execute(
                "UPDATE counters SET value = ?1 WHERE name = 'generation'",
                params![generation],
            )
            .expect("a change");
    }

    fn generation(opened: &Opened) -> i64 {
        let sql = "SELECT value FROM counters WHERE name = 'generation'";
        let row = |row: &rusqlite::Row<'_>| row.get(0);
        opened.connection.query_row(sql, [], row).expect("a row")
    }

    fn is_written(opened: &Opened) -> bool {
        let sql = "UPDATE counters SET value = 0";
        opened.connection.execute(sql, []).is_ok()
    }

    #[test]
    fn a_catalog_that_nobody_has_open_is_read_as_it_is_whatever_its_name() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("a?b#c%20 d.sqlite");
        drop(made(&path));
        let opened = readable(&path, String::new()).expect("opened");
        assert_eq!(generation(&opened), 7);
        assert!(!is_written(&opened));
    }

    #[test]
    fn what_is_in_the_journal_alone_is_read_too() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("catalog.sqlite");
        let live = made(&path);
        // As a snapshot of the file system has them: without the file in which SQLite keeps its index.
        let snapshot = folder.path().join("snapshot");
        fs::create_dir(&snapshot).expect("a folder");
        let copy = snapshot.join("catalog.sqlite");
        change(&live, 8);
        fs::copy(&path, &copy).expect("copied");
        fs::copy(beside(&path, "-wal"), beside(&copy, "-wal")).expect("copied");
        assert!(has_content(&beside(&copy, "-wal")));
        let (connection, folder) = copied(&copy).expect("opened");
        let opened = read_only(connection, String::new(), Some(folder)).expect("opened");
        assert_eq!(generation(&opened), 8);
        assert!(!is_written(&opened));
        drop(live);
    }

    #[test]
    fn a_catalog_that_has_the_newest_version_is_opened_without_a_write() {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("catalog.sqlite");
        drop(made(&path));
        let before = fs::read(&path).expect("the file");
        let opened = open(&path, true, || Ok(false)).expect("opened");
        assert!(opened.unwritable.is_none());
        assert!(!has_content(&beside(&path, "-wal")), "nothing is written");
        assert_eq!(fs::read(&path).expect("the file"), before);
    }
}
