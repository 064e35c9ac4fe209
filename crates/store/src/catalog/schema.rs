use rusqlite::{Connection, TransactionBehavior};

use crate::error::{Result, StoreError};

/// Each entry takes the catalog from one version to the next; the first makes it.
const MIGRATIONS: [&str; 1] = ["
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
"];

pub(super) fn prepare(connection: &mut Connection, durable: bool) -> Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = if durable { "FULL" } else { "OFF" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = version as usize;
    if version > MIGRATIONS.len() {
        return Err(StoreError::Refused(format!(
            "the store's catalog has version {version}; this program knows versions up to {}",
            MIGRATIONS.len()
        )));
    }
    for migration in MIGRATIONS.iter().skip(version) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as u32)?;
    transaction.commit()?;
    Ok(())
}
