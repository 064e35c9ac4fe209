use run::RunFiles;
use rusqlite::{Connection, OptionalExtension, params};
use xdm::{Class, Dataset, Fields, Namespaces};

use crate::error::{Error, Result};
use crate::json::Json;
use crate::plans::PINNED;
use crate::{Catalog, Scope};

/// A run that is part of the store.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// Its number in the catalog.
    pub id: i64,
    /// The dataset whose records it holds.
    pub dataset: Dataset,
    /// The name of its folder.
    pub folder: String,
    /// Its files.
    pub files: RunFiles,
}

/// A run that is to become part of the store.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The ID of the dataset whose records it holds.
    pub dataset: String,
    /// The name of its folder.
    pub folder: String,
    /// Its files.
    pub files: RunFiles,
}

/// A change of the store's runs, made all at once.
pub struct RunChange<'a> {
    /// Runs that become part of it.
    pub added: &'a [NewRun],
    /// The numbers of those that cease to be.
    pub removed: &'a [i64],
    /// Union schemas that have changed.
    pub unions: &'a [(Class, Fields)],
    /// How namespaces are spelled: those of before, and behind them those that it brings.
    pub namespaces: &'a Namespaces,
    /// The place of the next record.
    pub next_sequence: u64,
}

/// Runs that were removed before any job that still waits or runs, and any plan that is pinned.
fn forgotten() -> String {
    format!(
        "removed IS NOT NULL
         AND removed <= coalesce((SELECT min(generation) FROM jobs WHERE status IN ('NEW', 'PROCESSING')), removed)
         AND removed <= coalesce(({PINNED}), removed)"
    )
}

impl Catalog {
    /// The number of the newest change of the store's runs.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn generation(&self) -> Result<i64> {
        self.counter("generation")
    }

    /// The place of the next record.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn next_sequence(&self) -> Result<u64> {
        Ok(self.counter("sequence")?.cast_unsigned())
    }

    fn counter(&self, name: &str) -> Result<i64> {
        Ok(self.connection().query_row(
            "SELECT value FROM counters WHERE name = ?1",
            [name],
            |row| row.get(0),
        )?)
    }

    /// The union schema of a class as of a generation, or now.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn union(&self, class: Class, generation: Option<i64>) -> Result<Fields> {
        let stored: Option<Json<Fields>> = self
            .connection()
            .query_row(
                "SELECT fields FROM unions
                 WHERE org = ?1 AND sandbox = ?2 AND class = ?3 AND generation <= coalesce(?4, generation)
                 ORDER BY generation DESC LIMIT 1",
                params![self.scope.org, self.scope.sandbox, class.word(), generation],
                |row| row.get(0),
            )
            .optional()?;
        // Before the first load a union has the fields of its class alone.
        Ok(stored.map_or_else(|| class.standard_fields(), |Json(fields)| fields))
    }

    /// The runs of this organisation and sandbox as of a generation.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn runs(&self, generation: i64) -> Result<Vec<RunRecord>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT d.body, r.id, r.folder, r.files FROM runs r
             JOIN datasets d ON d.org = r.org AND d.sandbox = r.sandbox AND d.id = r.dataset
             WHERE r.org = ?1 AND r.sandbox = ?2
               AND r.added <= ?3 AND (r.removed IS NULL OR r.removed > ?3)
             ORDER BY r.id",
        )?;
        let rows = statement.query_map(
            params![self.scope.org, self.scope.sandbox, generation],
            |row| {
                let Json(dataset) = row.get(0)?;
                let Json(files) = row.get(3)?;
                Ok(RunRecord {
                    dataset,
                    id: row.get(1)?,
                    folder: row.get(2)?,
                    files,
                })
            },
        )?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// Makes a change visible; returns the new generation.
    ///
    /// # Errors
    /// A dataset of an added run was deleted meanwhile; the catalog can't be written. After a write that
    /// failed the files of the change must stay: it may still be in SQLite's journal, and hold when the
    /// catalog is opened again.
    pub fn change_runs(&self, change: &RunChange<'_>) -> Result<i64> {
        self.write(|t| {
            t.execute(
                "UPDATE counters SET value = value + 1 WHERE name = 'generation'",
                [],
            )?;
            t.execute(
                "UPDATE counters SET value = ?1 WHERE name = 'sequence'",
                [change.next_sequence.cast_signed()],
            )?;
            let generation: i64 = t.query_row(
                "SELECT value FROM counters WHERE name = 'generation'",
                [],
                |row| row.get(0),
            )?;
            for run in change.added {
                // Otherwise what was deleted would come back.
                if !is_dataset(t, &self.scope, &run.dataset)? {
                    return Err(Error::Conflict(format!(
                        "dataset {} was deleted meanwhile; nothing is changed",
                        run.dataset
                    )));
                }
                t.execute(
                    "INSERT INTO runs (org, sandbox, dataset, folder, added, files)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        self.scope.org,
                        self.scope.sandbox,
                        run.dataset,
                        run.folder,
                        generation,
                        Json(&run.files)
                    ],
                )?;
            }
            for id in change.removed {
                t.execute(
                    "UPDATE runs SET removed = ?2 WHERE id = ?1 AND removed IS NULL",
                    params![id, generation],
                )?;
            }
            for (class, fields) in change.unions {
                self.put_union(t, *class, generation, fields)?;
            }
            self.add_namespaces(t, change.namespaces)?;
            Ok(generation)
        })
    }

    fn put_union(
        &self,
        t: &Connection,
        class: Class,
        generation: i64,
        fields: &Fields,
    ) -> Result<()> {
        t.execute(
            "INSERT OR REPLACE INTO unions (org, sandbox, class, generation, fields)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                self.scope.org,
                self.scope.sandbox,
                class.word(),
                generation,
                Json(fields)
            ],
        )?;
        Ok(())
    }

    /// The folders and files of all runs that are needed, in any organisation and sandbox.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn all_runs(&self) -> Result<Vec<(String, RunFiles)>> {
        let connection = self.connection();
        let mut statement = connection.prepare(&format!(
            "SELECT folder, files FROM runs WHERE NOT ({}) ORDER BY id",
            forgotten()
        ))?;
        let rows = statement.query_map([], |row| {
            let Json(files) = row.get(1)?;
            Ok((row.get(0)?, files))
        })?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// The folders of all runs, in any organisation and sandbox, without those that were removed before
    /// any job that still waits or runs, and any plan that is pinned.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn run_folders(&self) -> Result<Vec<String>> {
        let connection = self.connection();
        let mut statement = connection.prepare(&format!(
            "SELECT folder FROM runs WHERE NOT ({})",
            forgotten()
        ))?;
        let folders = statement.query_map([], |row| row.get(0))?;
        folders.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// Forgets the other runs. It always writes: a change before it that failed can't come back out of
    /// SQLite's journal once this holds.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn forget_removed_runs(&self) -> Result<()> {
        self.write(|t| {
            t.execute(
                "INSERT INTO counters VALUES ('sweeps', 1)
                 ON CONFLICT (name) DO UPDATE SET value = value + 1",
                [],
            )?;
            t.execute(&format!("DELETE FROM runs WHERE {}", forgotten()), [])?;
            Ok(())
        })
    }
}

fn is_dataset(t: &Connection, scope: &Scope, id: &str) -> Result<bool> {
    Ok(t.query_row(
        "SELECT EXISTS (SELECT 1 FROM datasets
                        WHERE org = ?1 AND sandbox = ?2 AND id = ?3 AND deleted = 0)",
        [&scope.org, &scope.sandbox, id],
        |row| row.get(0),
    )?)
}
