use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

use super::Catalog;
use super::datasets::body;
use crate::error::Result;

/// A batch of a job that succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchRecord {
    /// 24 hex digits, given out when the job was created.
    pub id: String,
    /// The dataset that it was written to.
    pub dataset: String,
    /// Its job, counts and times, and its files with their sizes, rows and digests.
    pub body: Value,
}

fn record(row: &Row<'_>) -> rusqlite::Result<BatchRecord> {
    Ok(BatchRecord {
        id: row.get(1)?,
        dataset: row.get(2)?,
        body: body(row)?,
    })
}

impl Catalog {
    /// All batches, or those of one dataset, newest first.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn batches(&self, dataset: Option<&str>) -> Result<Vec<BatchRecord>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT body, id, dataset FROM batches
             WHERE org = ?1 AND sandbox = ?2 AND dataset = coalesce(?3, dataset)
             ORDER BY created DESC, id DESC",
        )?;
        let rows =
            statement.query_map(params![self.scope.org, self.scope.sandbox, dataset], record)?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// The batch with this ID.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn batch(&self, id: &str) -> Result<Option<BatchRecord>> {
        Ok(self
            .connection()
            .query_row(
                "SELECT body, id, dataset FROM batches
                 WHERE org = ?1 AND sandbox = ?2 AND id = ?3",
                params![self.scope.org, self.scope.sandbox, id],
                record,
            )
            .optional()?)
    }

    /// Forgets a batch; says whether there was one.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn delete_batch(&self, id: &str) -> Result<bool> {
        self.write(|t| {
            let deleted = t.execute(
                "DELETE FROM batches WHERE org = ?1 AND sandbox = ?2 AND id = ?3",
                params![self.scope.org, self.scope.sandbox, id],
            )?;
            Ok(deleted > 0)
        })
    }

    /// The IDs of all batches that are part of the store, in any organisation and sandbox.
    pub(crate) fn all_batch_ids(&self) -> Result<Vec<String>> {
        let connection = self.connection();
        let mut statement = connection.prepare("SELECT id FROM batches")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }
}
