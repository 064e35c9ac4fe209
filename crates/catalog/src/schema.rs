use rusqlite::{Connection, TransactionBehavior};

use crate::digest;
use crate::error::{Error, Result};

/// Each entry takes the catalog from one version to the next; the first makes it.
const MIGRATIONS: [&str; 3] = [FIRST, INGESTED_BATCHES, IDENTITY];

/// The first version whose tables are those of the newest.
const OLDEST_READABLE: usize = 2;

const FIRST: &str = "
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    INSERT INTO counters VALUES ('generation', 0), ('sequence', 0);
    CREATE TABLE datasets (
        org TEXT NOT NULL,
        sandbox TEXT NOT NULL,
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        created INTEGER NOT NULL,
        deleted INTEGER NOT NULL DEFAULT 0,
        body TEXT NOT NULL,
        PRIMARY KEY (org, sandbox, id)
    ) STRICT;
    CREATE UNIQUE INDEX dataset_names ON datasets (org, sandbox, name) WHERE deleted = 0;
    CREATE TABLE unions (
        org TEXT NOT NULL,
        sandbox TEXT NOT NULL,
        class TEXT NOT NULL,
        generation INTEGER NOT NULL,
        fields TEXT NOT NULL,
        PRIMARY KEY (org, sandbox, class, generation)
    ) STRICT;
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        org TEXT NOT NULL,
        sandbox TEXT NOT NULL,
        dataset TEXT NOT NULL,
        folder TEXT NOT NULL UNIQUE,
        added INTEGER NOT NULL,
        removed INTEGER,
        files TEXT NOT NULL,
        FOREIGN KEY (org, sandbox, dataset) REFERENCES datasets (org, sandbox, id)
    ) STRICT;
    CREATE TABLE documents (
        kind TEXT NOT NULL,
        org TEXT NOT NULL,
        sandbox TEXT NOT NULL,
        id TEXT NOT NULL,
        version INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (kind, org, sandbox, id, version)
    ) STRICT;
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        org TEXT NOT NULL,
        sandbox TEXT NOT NULL,
        status TEXT NOT NULL,
        generation INTEGER NOT NULL,
        created INTEGER NOT NULL,
        cancel INTEGER NOT NULL DEFAULT 0,
        request TEXT NOT NULL,
        policy TEXT NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX jobs_by_age ON jobs (org, sandbox, created, id);
    CREATE INDEX jobs_by_status ON jobs (status, id);
    CREATE TABLE batches (
        id TEXT PRIMARY KEY,
        org TEXT NOT NULL,
        sandbox TEXT NOT NULL,
        job INTEGER NOT NULL REFERENCES jobs (id),
        dataset TEXT NOT NULL,
        created INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX batches_by_dataset ON batches (org, sandbox, dataset, created);
";

/// A batch may come in as well: then it has no job, and a status of its own. Lists of jobs by state
/// and by change get an index each.
const INGESTED_BATCHES: &str = "
    CREATE TABLE new_batches (
        id TEXT PRIMARY KEY,
        org TEXT NOT NULL,
        sandbox TEXT NOT NULL,
        job INTEGER REFERENCES jobs (id),
        dataset TEXT NOT NULL,
        status TEXT NOT NULL,
        created INTEGER NOT NULL,
        body TEXT NOT NULL
    ) STRICT;
    INSERT INTO new_batches SELECT id, org, sandbox, job, dataset, 'success', created, body FROM batches;
    DROP TABLE batches;
    ALTER TABLE new_batches RENAME TO batches;
    CREATE INDEX batches_by_dataset ON batches (org, sandbox, dataset, created, id);
    CREATE INDEX batches_by_age ON batches (org, sandbox, created, id);
    CREATE INDEX ingested_batches ON batches (status, created) WHERE job IS NULL;
    CREATE INDEX jobs_by_state ON jobs (org, sandbox, status, created, id);
    CREATE INDEX jobs_by_change ON jobs (org, sandbox, json_extract(body, '$.updateTime'), id);
    CREATE INDEX jobs_created ON jobs (created);
";

/// The store has an identity, and tables have digests, see [`digest`]. Union schemas may have the type
/// [`xdm::FieldType::Text`], which earlier releases don't know.
const IDENTITY: &str = "
    CREATE TABLE identity (id TEXT NOT NULL) STRICT;
    INSERT INTO identity VALUES (lower(hex(randomblob(16))));
";
/// The first version that has digests.
const FIRST_WITH_DIGESTS: usize = 3;

/// Brings a catalog to the newest version. One that has it is not written in.
pub(super) fn prepare(
    connection: &mut Connection,
    may_be_made: impl FnOnce() -> std::io::Result<bool>,
) -> Result<()> {
    if version(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have come first.
    let version = version(&transaction)?;
    if version == 0 && !may_be_made().map_err(Error::Beside)? {
        return Err(Error::Lost);
    }
    for migration in MIGRATIONS.iter().skip(version) {
        transaction.execute_batch(migration)?;
    }
    if version < FIRST_WITH_DIGESTS {
        digest::create(&transaction)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as u32)?;
    transaction.commit()?;
    Ok(())
}

/// Checks that a catalog which is only read can be read.
pub(super) fn check(connection: &Connection) -> Result<()> {
    match version(connection)? {
        0 => Err(Error::Lost),
        version if version < OLDEST_READABLE => Err(Error::OlderFormat {
            found: version as u32,
        }),
        _ => Ok(()),
    }
}

/// Whether the tables have digests; a catalog of before, which is only read, has none.
pub(super) fn has_digests(connection: &Connection) -> Result<bool> {
    Ok(version(connection)? >= FIRST_WITH_DIGESTS)
}

fn version(connection: &Connection) -> Result<usize> {
    let version: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version as usize > MIGRATIONS.len() {
        return Err(Error::NewerFormat {
            found: version,
            known: MIGRATIONS.len() as u32,
        });
    }
    Ok(version as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalog_of_the_first_version_keeps_its_batches() {
        let mut connection = Connection::open_in_memory().expect("a database");
        digest::register(&connection).expect("a function");
        connection.execute_batch(FIRST).expect("the first version");
        connection
            .execute_batch(
                "PRAGMA user_version = 1;
                 INSERT INTO jobs VALUES (7, 'o', 's', 'SUCCEEDED', 1, 5, 0, '{}', '{}', '{}');
                 INSERT INTO batches VALUES ('b', 'o', 's', 7, 'd', 5, '{}');",
            )
            .expect("a batch");
        prepare(&mut connection, || Ok(false)).expect("migrated");
        let found: (i64, String) = connection
            .query_row("SELECT job, status FROM batches WHERE id = 'b'", [], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })
            .expect("the batch");
        assert_eq!(found, (7, "success".to_owned()));
    }
}
