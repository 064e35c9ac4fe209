//! Export plans whose shards are made elsewhere: while one is pinned, the runs that it reads stay on the disk.

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use xdm::Timestamp;

use crate::Catalog;
use crate::error::{Error, Result};
use crate::json::Json;

/// What documents of this kind are called.
const KIND: &str = "exportPlan";

/// The oldest generation that a plan pins, of any organisation and sandbox: one that has expired pins nothing.
pub(crate) const PINNED: &str = "SELECT min(json_extract(body, '$.generation')) FROM documents
    WHERE kind = 'exportPlan'
      AND json_extract(body, '$.expires') > 1000 * CAST(strftime('%s', 'now') AS INTEGER)";

/// Those that nobody will end: a week behind the day that they pin no more, since one whose shards are all made can still be
/// committed. One with a job is in the middle of that.
const FORGOTTEN: &str = "DELETE FROM documents
    WHERE kind = 'exportPlan'
      AND json_extract(body, '$.job') IS NULL
      AND json_extract(body, '$.expires') < 1000 * (CAST(strftime('%s', 'now') AS INTEGER) - 7 * 24 * 60 * 60)";

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

    /// Pins the generation that the store has now for a plan, until that moment or [`Catalog::unpin_plan`]. Plans that expired
    /// more than a week ago, of any organisation and sandbox, are forgotten.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn pin_plan(&self, plan: &str, expires: Timestamp) -> Result<PlanPin> {
        self.write(|t| {
            t.execute(FORGOTTEN, [])?;
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
    /// The plan is not pinned any more; the catalog can't be written.
    pub fn note_plan_job(&self, plan: &str, job: i64) -> Result<()> {
        self.write(|t| {
            let changed = t.execute(
                "UPDATE documents SET body = json_set(body, '$.job', ?5)
                 WHERE kind = ?1 AND org = ?2 AND sandbox = ?3 AND id = ?4",
                params![KIND, self.scope.org, self.scope.sandbox, plan, job],
            )?;
            match changed {
                0 => Err(Error::Conflict(format!(
                    "plan {plan} was aborted meanwhile"
                ))),
                _ => Ok(()),
            }
        })
    }

    /// The plans that are pinned, by ID, also those that have expired.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn plan_pins(&self) -> Result<Vec<(String, PlanPin)>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT id, body FROM documents WHERE kind = ?1 AND org = ?2 AND sandbox = ?3 ORDER BY id",
        )?;
        let of = params![KIND, self.scope.org, self.scope.sandbox];
        let rows = statement.query_map(of, |row| {
            let Json(pin): Json<PlanPin> = row.get(1)?;
            Ok((row.get(0)?, pin))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Lets go of what a plan pins as long as this is the job that commits it, or none is; says whether it did.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn unpin_plan_of(&self, plan: &str, job: Option<i64>) -> Result<bool> {
        self.write(|t| {
            let deleted = t.execute(
                "DELETE FROM documents WHERE kind = ?1 AND org = ?2 AND sandbox = ?3 AND id = ?4
                   AND json_extract(body, '$.job') IS ?5",
                params![KIND, self.scope.org, self.scope.sandbox, plan, job],
            )?;
            Ok(deleted > 0)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;

    #[test]
    fn plans_that_nobody_ended_go_a_week_behind_their_time_unless_a_job_is_about_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let catalog = Catalog::open(
            &folder.path().join("catalog.sqlite"),
            Scope::default(),
            false,
            || Ok(true),
        )
        .expect("a catalog");
        let now = Timestamp::now().millis();
        let days = |n: i64| Timestamp::from_millis(now + n * 24 * 60 * 60 * 1000);
        for (plan, expires) in [("late", -6), ("live", 1), ("begun", -8)] {
            catalog.pin_plan(plan, days(expires)).expect("a pin");
        }
        // Neither those that have just expired nor those that a commit is about go.
        catalog.note_plan_job("begun", 7).expect("a note");
        for plan in ["old", "older"] {
            catalog.pin_plan(plan, days(-8)).expect("a pin");
        }
        let ids = || {
            let pins = catalog.plan_pins().expect("pins").into_iter();
            pins.map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(ids(), ["begun", "late", "live", "older"]);
        catalog.pin_plan("new", days(1)).expect("a pin");
        assert_eq!(ids(), ["begun", "late", "live", "new"]);
    }

    #[test]
    fn a_job_is_noted_of_a_plan_that_is_there_and_keeps_it_from_those_who_know_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("catalog.sqlite");
        let catalog = Catalog::open(&path, Scope::default(), false, || Ok(true)).expect("one");
        catalog.pin_plan("plan", Timestamp::now()).expect("a pin");
        catalog.note_plan_job("plan", 7).expect("a note");
        assert!(!catalog.unpin_plan_of("plan", None).expect("a look"));
        assert!(catalog.unpin_plan_of("plan", Some(7)).expect("an end"));
        let late = catalog.note_plan_job("plan", 8).expect_err("no plan");
        assert!(late.to_string().contains("aborted meanwhile"), "{late}");
    }
}
