use rusqlite::{OptionalExtension, params};
use xdm::Dataset;

use crate::error::{Error, Kind, Result};
use crate::json::Json;
use crate::{Catalog, Scope, new_id, scope};

impl Catalog {
    /// The organisations and sandboxes that have a dataset or a job.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn scopes(&self) -> Result<Vec<Scope>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT org, sandbox FROM datasets WHERE deleted = 0
             UNION SELECT org, sandbox FROM jobs ORDER BY org, sandbox",
        )?;
        let rows = statement.query_map([], scope)?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// Adds a dataset; an empty ID is given out.
    ///
    /// # Errors
    /// A malformed or taken ID, a taken name, a schema that can't be read or that contradicts the
    /// union schema.
    pub fn create_dataset(&self, mut dataset: Dataset) -> Result<Dataset> {
        if dataset.id.is_empty() {
            dataset.id = new_id();
        }
        dataset.check()?;
        let mut union = self.union(dataset.class, None)?;
        union
            .unite(&dataset.declared_fields()?)
            .map_err(|conflict| Error::TypeConflict {
                dataset: dataset.name.clone(),
                conflict,
            })?;
        self.write(|t| {
            let taken: Option<(String, String)> = t
                .query_row(
                    "SELECT id, name FROM datasets
                     WHERE org = ?1 AND sandbox = ?2 AND deleted = 0 AND (id = ?3 OR name = ?4)",
                    params![self.scope.org, self.scope.sandbox, dataset.id, dataset.name],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            if let Some((id, name)) = taken {
                return Err(Error::Conflict(if id == dataset.id {
                    format!("dataset ID {id} is taken")
                } else {
                    format!("dataset name {name:?} is taken by dataset {id}; names are unique")
                }));
            }
            // A deleted dataset's row stays for the jobs that still read it; its ID may come back.
            t.execute(
                "INSERT INTO datasets (org, sandbox, id, name, created, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (org, sandbox, id) DO UPDATE
                 SET name = ?4, created = ?5, body = ?6, deleted = 0",
                params![
                    self.scope.org,
                    self.scope.sandbox,
                    dataset.id,
                    dataset.name,
                    dataset.created.millis(),
                    Json(&dataset),
                ],
            )?;
            Ok(())
        })?;
        Ok(dataset)
    }

    /// Changes what is said of a dataset; its ID and its class stay. Returns it as it is then.
    ///
    /// # Errors
    /// There is no such dataset; `change` errs, or makes something that is none, or takes another's name: then it stays as
    /// it is.
    pub fn change_dataset<E: From<Error>>(
        &self,
        id: &str,
        change: impl FnOnce(&mut Dataset) -> Result<(), E>,
    ) -> Result<Dataset, E> {
        self.write_with(|t| {
            let scope = params![self.scope.org, self.scope.sandbox, id];
            let known = t
                .query_row(
                    "SELECT body FROM datasets WHERE org = ?1 AND sandbox = ?2 AND id = ?3 AND deleted = 0",
                    scope,
                    |row| row.get(0).map(|Json(dataset)| dataset),
                )
                .optional()
                .map_err(Error::from)?;
            let mut dataset: Dataset = known.ok_or_else(|| Error::not_found(Kind::Dataset, id))?;
            change(&mut dataset)?;
            dataset.check().map_err(Error::from)?;
            let taken: Option<String> = t
                .query_row(
                    "SELECT id FROM datasets
                     WHERE org = ?1 AND sandbox = ?2 AND deleted = 0 AND id <> ?3 AND name = ?4",
                    params![self.scope.org, self.scope.sandbox, id, dataset.name],
                    |row| row.get(0),
                )
                .optional()
                .map_err(Error::from)?;
            if let Some(other) = taken {
                let name = &dataset.name;
                let problem = format!("dataset name {name:?} is taken by dataset {other}; names are unique");
                return Err(Error::Conflict(problem).into());
            }
            t.execute(
                "UPDATE datasets SET name = ?4, body = ?5 WHERE org = ?1 AND sandbox = ?2 AND id = ?3",
                params![self.scope.org, self.scope.sandbox, id, dataset.name, Json(&dataset)],
            )
            .map_err(Error::from)?;
            Ok(dataset)
        })
    }

    /// Deletes a dataset with its records; jobs that were created before still read them.
    ///
    /// # Errors
    /// There is no such dataset, or batches were written to it.
    pub fn delete_dataset(&self, id: &str) -> Result<()> {
        self.write(|t| {
            let scope = params![self.scope.org, self.scope.sandbox, id];
            let batches: i64 = t.query_row(
                "SELECT count(*) FROM batches
                 WHERE org = ?1 AND sandbox = ?2 AND dataset = ?3 AND job IS NOT NULL",
                scope,
                |row| row.get(0),
            )?;
            if batches > 0 {
                return Err(Error::Conflict(format!(
                    "dataset {id} holds {batches} batches; delete them first"
                )));
            }
            let deleted = t.execute(
                "UPDATE datasets SET deleted = 1
                 WHERE org = ?1 AND sandbox = ?2 AND id = ?3 AND deleted = 0",
                scope,
            )?;
            if deleted == 0 {
                return Err(Error::not_found(Kind::Dataset, id));
            }
            t.execute(
                "DELETE FROM batches WHERE org = ?1 AND sandbox = ?2 AND dataset = ?3",
                scope,
            )?;
            t.execute(
                "UPDATE counters SET value = value + 1 WHERE name = 'generation'",
                [],
            )?;
            t.execute(
                "UPDATE runs SET removed = (SELECT value FROM counters WHERE name = 'generation')
                 WHERE org = ?1 AND sandbox = ?2 AND dataset = ?3 AND removed IS NULL",
                scope,
            )?;
            Ok(())
        })
    }

    /// All datasets, newest first.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn datasets(&self) -> Result<Vec<Dataset>> {
        self.select_datasets(false)
    }

    /// All datasets and the deleted ones too, which an earlier job may still read.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn datasets_ever(&self) -> Result<Vec<Dataset>> {
        self.select_datasets(true)
    }

    fn select_datasets(&self, deleted_too: bool) -> Result<Vec<Dataset>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT body FROM datasets WHERE org = ?1 AND sandbox = ?2 AND deleted <= ?3
             ORDER BY created DESC, id",
        )?;
        let rows = statement.query_map(
            params![self.scope.org, self.scope.sandbox, deleted_too],
            |row| row.get(0).map(|Json(dataset)| dataset),
        )?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// The dataset with this ID or this name.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn dataset(&self, id_or_name: &str) -> Result<Option<Dataset>> {
        Ok(self
            .connection()
            .query_row(
                "SELECT body FROM datasets
                 WHERE org = ?1 AND sandbox = ?2 AND deleted = 0 AND (id = ?3 OR name = ?3)
                 ORDER BY id = ?3 DESC LIMIT 1",
                params![self.scope.org, self.scope.sandbox, id_or_name],
                |row| row.get(0).map(|Json(dataset)| dataset),
            )
            .optional()?)
    }
}
