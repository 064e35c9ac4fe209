use rusqlite::{OptionalExtension, Row, params, params_from_iter};

use crate::error::{Error, Kind, Result};
use crate::json::Json;
use crate::{Batch, BatchQuery, BatchStatus, Catalog, Scope, scope};

fn batch(row: &Row<'_>) -> rusqlite::Result<Batch> {
    let Json(batch) = row.get(0)?;
    Ok(batch)
}

impl Catalog {
    /// A page of the batches.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn batches(&self, query: &BatchQuery) -> Result<Vec<Batch>> {
        let (sql, values) = query.sql(&self.scope);
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(values), batch)?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// Adds a batch that has no job: one that comes in, or that a statement wrote.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn create_batch(&self, batch: &Batch) -> Result<()> {
        self.write(|t| {
            t.execute(
                "INSERT INTO batches (id, org, sandbox, job, dataset, status, created, body)
                 VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6, ?7)",
                params![
                    batch.id,
                    self.scope.org,
                    self.scope.sandbox,
                    batch.dataset(),
                    batch.status,
                    batch.created.millis(),
                    Json(batch)
                ],
            )?;
            Ok(())
        })
    }

    /// Changes a batch that comes in, where it is in status `from`; returns it as it is then.
    ///
    /// # Errors
    /// There is no such batch in that status; `change` errs: then it stays as it is.
    pub fn change_batch<E: From<Error>>(
        &self,
        id: &str,
        from: BatchStatus,
        change: impl FnOnce(&mut Batch) -> Result<(), E>,
    ) -> Result<Batch, E> {
        self.write_with(|t| {
            let known = t
                .query_row(
                    "SELECT body FROM batches
                     WHERE id = ?1 AND org = ?2 AND sandbox = ?3 AND job IS NULL",
                    params![id, self.scope.org, self.scope.sandbox],
                    batch,
                )
                .optional()
                .map_err(Error::from)?;
            let mut batch = known.ok_or_else(|| Error::not_found(Kind::Batch, id))?;
            if batch.status != from {
                let problem = format!("batch {id} is {}, no longer {from}", batch.status);
                return Err(Error::Conflict(problem).into());
            }
            change(&mut batch)?;
            t.execute(
                "UPDATE batches SET status = ?2, body = ?3 WHERE id = ?1",
                params![id, batch.status, Json(&batch)],
            )
            .map_err(Error::from)?;
            Ok(batch)
        })
    }

    /// Changes the batches that are being loaded, in any organisation and sandbox: all or none.
    ///
    /// # Errors
    /// The catalog can't be read or written.
    pub fn change_processing_batches(&self, mut change: impl FnMut(&mut Batch)) -> Result<()> {
        self.write(|t| {
            let mut statement =
                t.prepare("SELECT body FROM batches WHERE status = ?1 AND job IS NULL")?;
            let found = statement.query_map([BatchStatus::Processing], batch)?;
            for mut batch in found.collect::<Result<Vec<_>, _>>()? {
                change(&mut batch);
                t.execute(
                    "UPDATE batches SET status = ?2, body = ?3 WHERE id = ?1",
                    params![batch.id, batch.status, Json(&batch)],
                )?;
            }
            Ok(())
        })
    }

    /// The batches that come in and have this status, oldest first, in any organisation and sandbox.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn incoming_batches(&self, status: BatchStatus) -> Result<Vec<(Scope, String)>> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT org, sandbox, id FROM batches WHERE status = ?1 AND job IS NULL
             ORDER BY created, id",
        )?;
        let rows = statement.query_map([status], |row| Ok((scope(row)?, row.get(2)?)))?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// The batch with this ID.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn batch(&self, id: &str) -> Result<Option<Batch>> {
        Ok(self
            .connection()
            .query_row(
                "SELECT body FROM batches
                 WHERE org = ?1 AND sandbox = ?2 AND id = ?3",
                params![self.scope.org, self.scope.sandbox, id],
                batch,
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

    /// All batches that jobs published or statements wrote, in any organisation and sandbox.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn all_published(&self) -> Result<Vec<Batch>> {
        let connection = self.connection();
        let mut statement = connection
            .prepare(
                "SELECT body FROM batches
                 WHERE job IS NOT NULL OR json_extract(body, '$.written') IS NOT NULL ORDER BY created",
            )?;
        let rows = statement.query_map([], batch)?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// The IDs of all batches that are part of the store, in any organisation and sandbox.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn all_batch_ids(&self) -> Result<Vec<String>> {
        let connection = self.connection();
        let mut statement = connection.prepare("SELECT id FROM batches")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }
}
