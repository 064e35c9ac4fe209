//! Export plans whose shards are made elsewhere: while one is pinned, the runs that it reads stay on the disk.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use xdm::Timestamp;

use crate::Catalog;
use crate::error::Result;
use crate::json::Json;

/// What documents of this kind are called.
const KIND: &str = "exportPlan";

/// The oldest generation that a plan pins, of any organisation and sandbox: one that has expired pins nothing.
pub(crate) const PINNED: &str = "SELECT min(json_extract(body, '$.generation')) FROM documents
    WHERE kind = 'exportPlan'
      AND json_extract(body, '$.expires') > 1000 * CAST(strftime('%s', 'now') AS INTEGER)";

/// That a plan reads a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanPin {
    /// The generation.
    pub generation: i64,
    /// When it ends, in milliseconds since 1970.
    pub expires: i64,
    /// The job that was begun to commit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<i64>,
}

/// A plan that reads the store as it was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PinnedPlan {
    /// Its ID.
    pub id: String,
    /// Its organisation.
    pub org: String,
    /// Its sandbox.
    pub sandbox: String,
    /// When it ends by itself, in milliseconds since 1970.
    pub expires: i64,
}

impl Catalog {
    /// The plans of any organisation and sandbox that pin an older generation than this one, and have not expired.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn plans_before(&self, generation: i64) -> Result<Vec<PinnedPlan>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT id, org, sandbox, json_extract(body, '$.expires') FROM documents
             WHERE kind = ?1 AND json_extract(body, '$.generation') < ?2
               AND json_extract(body, '$.expires') > 1000 * CAST(strftime('%s', 'now') AS INTEGER)
             ORDER BY org, sandbox, id",
        )?;
        let rows = statement.query_map(params![KIND, generation], |row| {
            Ok(PinnedPlan {
                id: row.get(0)?,
                org: row.get(1)?,
                sandbox: row.get(2)?,
                expires: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Pins the generation that the store has now for a plan, until that moment or [`Catalog::unpin_plan`].
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn pin_plan(&self, plan: &str, expires: Timestamp) -> Result<PlanPin> {
        self.write(|t| {
            let generation = t.query_row(
                "SELECT value FROM counters WHERE name = 'generation'",
                [],
                |row| row.get(0),
            )?;
            let pin = PlanPin {
                generation,
                expires: expires.millis(),
                job: None,
            };
            t.execute(
                "INSERT INTO documents (kind, org, sandbox, id, version, body)
                 VALUES (?1, ?2, ?3, ?4, 1, ?5)",
                params![KIND, self.scope.org, self.scope.sandbox, plan, Json(&pin)],
            )?;
            Ok(pin)
        })
    }

    /// What a plan pins, also where that has expired; `None` where it was let go of.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn plan_pin(&self, plan: &str) -> Result<Option<PlanPin>> {
        let found: Option<Json<PlanPin>> = self
            .connection()
            .query_row(
                "SELECT body FROM documents
                 WHERE kind = ?1 AND org = ?2 AND sandbox = ?3 AND id = ?4",
                params![KIND, self.scope.org, self.scope.sandbox, plan],
                |row| row.get(0),
            )
            .optional()?;
        Ok(found.map(|Json(pin)| pin))
    }

    /// Notes the job that commits a plan which is pinned.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn note_plan_job(&self, plan: &str, job: i64) -> Result<()> {
        self.write(|t| {
            t.execute(
                "UPDATE documents SET body = json_set(body, '$.job', ?5)
                 WHERE kind = ?1 AND org = ?2 AND sandbox = ?3 AND id = ?4",
                params![KIND, self.scope.org, self.scope.sandbox, plan, job],
            )?;
            Ok(())
        })
    }

    /// Lets go of what a plan pins; says whether it did.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn unpin_plan(&self, plan: &str) -> Result<bool> {
        self.write(|t| {
            let deleted = t.execute(
                "DELETE FROM documents WHERE kind = ?1 AND org = ?2 AND sandbox = ?3 AND id = ?4",
                params![KIND, self.scope.org, self.scope.sandbox, plan],
            )?;
            Ok(deleted > 0)
        })
    }
}
