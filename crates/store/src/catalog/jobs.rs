use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use super::Catalog;
use crate::error::Result;

/// A job as the catalog keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRecord {
    /// Given out at creation.
    pub id: i64,
    /// Its state, as in the job object.
    pub status: String,
    /// The generation of the store that it reads.
    pub generation: i64,
    /// The job object.
    pub body: Value,
}

/// A batch of a job that succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchRecord {
    /// 24 hex digits, given out when the job was created.
    pub id: String,
    /// The dataset that it was written to.
    pub dataset: String,
    /// Its files with their sizes, rows and digests.
    pub body: Value,
}

impl Catalog {
    /// Adds a job in state `NEW` that reads the store as it is now. `body` makes the job object from
    /// the job's ID.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn create_job(&self, created: i64, body: impl FnOnce(i64) -> Value) -> Result<JobRecord> {
        self.write(|t| {
            let generation: i64 = t.query_row(
                "SELECT value FROM counters WHERE name = 'generation'",
                [],
                |row| row.get(0),
            )?;
            t.execute(
                "INSERT INTO jobs (org, sandbox, status, generation, created, body)
                 VALUES (?1, ?2, 'NEW', ?3, ?4, '{}')",
                params![self.scope.org, self.scope.sandbox, generation, created],
            )?;
            let id = t.last_insert_rowid();
            let body = body(id);
            t.execute(
                "UPDATE jobs SET body = ?2 WHERE id = ?1",
                params![id, body.to_string()],
            )?;
            Ok(JobRecord {
                id,
                status: "NEW".to_owned(),
                generation,
                body,
            })
        })
    }

    /// Replaces a job's state and object, and adds its batches, all in one transaction.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn update_job(
        &self,
        id: i64,
        status: &str,
        body: &Value,
        created: i64,
        batches: &[BatchRecord],
    ) -> Result<()> {
        self.write(|t| {
            t.execute(
                "UPDATE jobs SET status = ?2, body = ?3 WHERE id = ?1",
                params![id, status, body.to_string()],
            )?;
            for batch in batches {
                t.execute(
                    "INSERT INTO batches (id, org, sandbox, job, dataset, created, body)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        batch.id,
                        self.scope.org,
                        self.scope.sandbox,
                        id,
                        batch.dataset,
                        created,
                        batch.body.to_string()
                    ],
                )?;
            }
            Ok(())
        })
    }

    /// The job with this ID.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn job(&self, id: i64) -> Result<Option<JobRecord>> {
        Ok(self
            .connection()
            .query_row(
                "SELECT body, status, generation FROM jobs WHERE id = ?1 AND org = ?2 AND sandbox = ?3",
                params![id, self.scope.org, self.scope.sandbox],
                |row| {
                    Ok(JobRecord {
                        id,
                        status: row.get(1)?,
                        generation: row.get(2)?,
                        body: super::datasets::body(row)?,
                    })
                },
            )
            .optional()?)
    }

    /// All jobs in state `PROCESSING`, in any organisation and sandbox.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn processing_jobs(&self) -> Result<Vec<JobRecord>> {
        let connection = self.connection();
        let mut statement = connection
            .prepare("SELECT body, id, generation FROM jobs WHERE status = 'PROCESSING'")?;
        let rows = statement.query_map([], |row| {
            Ok(JobRecord {
                id: row.get(1)?,
                status: "PROCESSING".to_owned(),
                generation: row.get(2)?,
                body: super::datasets::body(row)?,
            })
        })?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// Fails a job whose process is gone, unless it ended meanwhile.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn fail_dead_job(&self, id: i64, body: &Value) -> Result<()> {
        self.write(|t| {
            t.execute(
                "UPDATE jobs SET status = 'FAILED', body = ?2 WHERE id = ?1 AND status = 'PROCESSING'",
                params![id, body.to_string()],
            )?;
            Ok(())
        })
    }

    /// The IDs of all batches that are part of the store, in any organisation and sandbox.
    pub(crate) fn all_batch_ids(&self) -> Result<Vec<String>> {
        let connection = self.connection();
        let mut statement = connection.prepare("SELECT id FROM batches")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// All batches, with their bodies.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn batches(&self) -> Result<Vec<BatchRecord>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT body, id, dataset FROM batches WHERE org = ?1 AND sandbox = ?2
             ORDER BY created DESC, id",
        )?;
        let rows = statement.query_map(params![self.scope.org, self.scope.sandbox], |row| {
            Ok(BatchRecord {
                id: row.get(1)?,
                dataset: row.get(2)?,
                body: super::datasets::body(row)?,
            })
        })?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }
}

/// A new ID of 24 lower-case hex digits: the time in milliseconds, then randomness.
#[must_use]
pub fn new_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let millis = chrono::Utc::now().timestamp_millis();
    let random = RandomState::new().hash_one(millis);
    format!("{:011x}{:013x}", millis & 0xfff_ffff_ffff, random >> 12)
}
