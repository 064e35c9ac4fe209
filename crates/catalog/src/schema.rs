use rusqlite::{Connection, TransactionBehavior};

use crate::error::{Error, Result};

/// Each entry takes the catalog from one version to the next; the first makes it.
const MIGRATIONS: [&str; 3] = [FIRST, INGESTED_BATCHES, TEXT_TYPES];

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

/// Union schemas may have the type [`xdm::FieldType::Text`], which earlier releases don't know.
const TEXT_TYPES: &str = "";

pub(super) fn prepare(
    connection: &mut Connection,
    durable: bool,
    may_be_made: impl FnOnce() -> std::io::Result<bool>,
) -> Result<()> {
    configure(connection, durable)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = version as usize;
    if version > MIGRATIONS.len() {
        return Err(Error::NewerFormat {
            found: version as u32,
            known: MIGRATIONS.len() as u32,
        });
    }
    if version == 0 && !may_be_made().map_err(Error::Beside)? {
        return Err(Error::Lost);
    }
    for migration in MIGRATIONS.iter().skip(version) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as u32)?;
    transaction.commit()?;
    Ok(())
}

/// Sets what counts for one connection.
pub(super) fn configure(connection: &Connection, durable: bool) -> Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = if durable { "FULL" } else { "OFF" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalog_of_the_first_version_keeps_its_batches() {
        let mut connection = Connection::open_in_memory().expect("a database");
        connection.execute_batch(FIRST).expect("the first version");
        connection
            .execute_batch(
                "PRAGMA user_version = 1;
                 INSERT INTO jobs VALUES (7, 'o', 's', 'SUCCEEDED', 1, 5, 0, '{}', '{}', '{}');
                 INSERT INTO batches VALUES ('b', 'o', 's', 7, 'd', 5, '{}');",
            )
            .expect("a batch");
        prepare(&mut connection, true, || Ok(false)).expect("migrated");
        let found: (i64, String) = connection
            .query_row("SELECT job, status FROM batches WHERE id = 'b'", [], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })
            .expect("the batch");
        assert_eq!(found, (7, "success".to_owned()));
    }
}
