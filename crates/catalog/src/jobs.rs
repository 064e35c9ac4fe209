use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use serde_json::Value;
use xdm::Timestamp;

use crate::error::{Error, Result};
use crate::json::Json;
use crate::{Batch, Catalog, Document, JobStatus, Scope, scope};

/// A job as the catalog keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRecord {
    /// Given out at creation.
    pub id: i64,
    /// Its state, as in the job object.
    pub status: JobStatus,
    /// The generation of the store that it reads.
    pub generation: i64,
    /// When it was created, to the millisecond, and never before the job before it.
    pub created: Timestamp,
    /// The request as it was given.
    pub request: Document,
    /// The merge policy as it was resolved.
    pub policy: Document,
    /// The job object.
    pub body: Document,
}

/// What a new job is made of.
pub struct NewJob<'a> {
    /// The moment of its creation.
    pub now: Timestamp,
    /// The state that it begins in: `NEW`, or `PROCESSING` where whoever creates it also runs it, so that
    /// nobody else can.
    pub status: JobStatus,
    /// The generation that it reads; where it is missing, the newest.
    pub generation: Option<i64>,
    /// The request as it was given.
    pub request: &'a Document,
    /// The merge policy as it was resolved.
    pub policy: &'a Document,
}

/// What a list of jobs shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// At the most this many.
    pub limit: Option<u32>,
    /// From where on.
    pub offset: JobOffset,
    /// Only jobs in this state.
    pub status: Option<JobStatus>,
    /// In what order.
    pub sort: JobSort,
}

/// Where a page of a list begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobOffset {
    /// After this many jobs.
    Count(u32),
    /// After the job that was created at this time with this ID.
    After(Timestamp, i64),
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobSort {
    /// Newest first.
    #[default]
    CreatedDescending,
    /// Oldest first.
    CreatedAscending,
    /// Latest change first.
    UpdatedDescending,
    /// Latest change last.
    UpdatedAscending,
}

impl Default for JobOffset {
    fn default() -> Self {
        Self::Count(0)
    }
}

const COLUMNS: &str = "body, id, status, generation, created, request, policy";

fn record(row: &Row<'_>) -> rusqlite::Result<JobRecord> {
    Ok(JobRecord {
        body: row.get(0)?,
        id: row.get(1)?,
        status: row.get(2)?,
        generation: row.get(3)?,
        created: Timestamp::from_millis(row.get(4)?),
        request: row.get(5)?,
        policy: row.get(6)?,
    })
}

/// A change of a job's state.
pub struct JobMove<'a> {
    /// The job.
    pub id: i64,
    /// The state that it must be in.
    pub from: JobStatus,
    /// The state that it gets.
    pub to: JobStatus,
    /// The job object that it gets.
    pub body: &'a Document,
    /// Whether it stays as it is where somebody has asked to cancel it.
    pub unless_cancelled: bool,
}

impl Catalog {
    /// Adds a job. `body` makes the job object from the job's ID and
    /// time; nobody sees the job before it returns. Where it begins `PROCESSING`, [`Catalog::journal`] has to be synced
    /// for it to be on the disk.
    ///
    /// # Errors
    /// The catalog can't be written; `body` errs.
    pub fn create_job<E: From<Error>>(
        &self,
        job: &NewJob<'_>,
        body: impl FnOnce(i64, Timestamp) -> Result<Document, E>,
    ) -> Result<JobRecord, E> {
        let insert = |t: &Connection| {
            let mut record = self.insert_job(t, job)?;
            record.body = body(record.id, record.created)?;
            t.execute(
                "UPDATE jobs SET body = ?2 WHERE id = ?1",
                params![record.id, record.body],
            )
            .map_err(Error::from)?;
            Ok(record)
        };
        match job.status {
            JobStatus::Processing => self.write_soon(insert),
            _ => self.write_with(insert),
        }
    }

    fn insert_job(&self, t: &Connection, job: &NewJob<'_>) -> Result<JobRecord> {
        let newest: i64 = t.query_row(
            "SELECT value FROM counters WHERE name = 'generation'",
            [],
            |row| row.get(0),
        )?;
        let generation = job.generation.unwrap_or(newest);
        // A clock that is set back must not change the order of the jobs.
        let last: i64 = t.query_row("SELECT coalesce(max(created), 0) FROM jobs", [], |row| {
            row.get(0)
        })?;
        let created = job.now.millis().max(last);
        let status = job.status;
        t.execute(
            "INSERT INTO jobs (org, sandbox, status, generation, created, request, policy, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '{}')",
            params![
                self.scope.org,
                self.scope.sandbox,
                status,
                generation,
                created,
                job.request,
                job.policy
            ],
        )?;
        Ok(JobRecord {
            id: t.last_insert_rowid(),
            status,
            generation,
            created: Timestamp::from_millis(created),
            request: job.request.clone(),
            policy: job.policy.clone(),
            body: Value::Null.into(),
        })
    }

    /// Moves a job from one state to another; says whether it was in the first. Where it begins to be `PROCESSING`,
    /// [`Catalog::journal`] has to be synced for that to be on the disk.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn move_job(&self, change: &JobMove<'_>) -> Result<bool> {
        let change_row = |t: &Connection| {
            let moved = t.execute(
                "UPDATE jobs SET status = ?3, body = ?4
                 WHERE id = ?1 AND status = ?2 AND (cancel = 0 OR NOT ?5)",
                params![
                    change.id,
                    change.from,
                    change.to,
                    change.body,
                    change.unless_cancelled
                ],
            )?;
            Ok(moved > 0)
        };
        match change.to {
            JobStatus::Processing => self.write_soon(change_row),
            _ => self.write(change_row),
        }
    }

    /// Ends a running job in success and adds its batches, all at once; says false, and does nothing,
    /// where somebody has asked to cancel it.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn finish_job(&self, id: i64, body: &Document, batches: &[Batch]) -> Result<bool> {
        self.write(|t| {
            let moved = t.execute(
                "UPDATE jobs SET status = 'SUCCEEDED', body = ?2
                 WHERE id = ?1 AND status = 'PROCESSING' AND cancel = 0",
                params![id, body],
            )?;
            if moved == 0 {
                return Ok(false);
            }
            for batch in batches {
                t.execute(
                    "INSERT INTO batches (id, org, sandbox, job, dataset, status, created, body)
                     VALUES (?1, ?2, ?3, ?4, ?5, 'success', ?6, ?7)",
                    params![
                        batch.id,
                        self.scope.org,
                        self.scope.sandbox,
                        id,
                        batch.dataset(),
                        batch.created.millis(),
                        Json(batch)
                    ],
                )?;
            }
            Ok(true)
        })
    }

    /// The jobs of any organisation and sandbox that wait or run and read an older generation than this one.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn open_jobs_before(&self, generation: i64) -> Result<Vec<(Scope, i64)>> {
        let connection = self.connection();
        let mut statement = connection.prepare(
            "SELECT org, sandbox, id FROM jobs
             WHERE status IN ('NEW', 'PROCESSING') AND generation < ?1 ORDER BY id",
        )?;
        let rows = statement.query_map([generation], |row| {
            let scope = Scope {
                org: row.get(0)?,
                sandbox: row.get(1)?,
            };
            Ok((scope, row.get(2)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The job with this ID.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn job(&self, id: i64) -> Result<Option<JobRecord>> {
        Ok(self
            .connection()
            .query_row(
                &format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1 AND org = ?2 AND sandbox = ?3"),
                params![id, self.scope.org, self.scope.sandbox],
                record,
            )
            .optional()?)
    }

    /// The oldest job in state `NEW`.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn next_job(&self) -> Result<Option<JobRecord>> {
        Ok(self
            .connection()
            .query_row(
                &format!(
                    "SELECT {COLUMNS} FROM jobs WHERE status = 'NEW' AND org = ?1 AND sandbox = ?2
                     ORDER BY id LIMIT 1"
                ),
                params![self.scope.org, self.scope.sandbox],
                record,
            )
            .optional()?)
    }

    /// The oldest jobs in state `NEW`, at the most `limit` of each organisation and sandbox.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn waiting_jobs(&self, limit: u32) -> Result<Vec<(Scope, i64)>> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT org, sandbox, id FROM (
                 SELECT org, sandbox, id,
                     row_number() OVER (PARTITION BY org, sandbox ORDER BY id) AS place
                 FROM jobs WHERE status = 'NEW')
             WHERE place <= ?1 ORDER BY id",
        )?;
        let rows = statement.query_map([limit], |row| Ok((scope(row)?, row.get(2)?)))?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// How many jobs wait.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn count_waiting_jobs(&self) -> Result<u32> {
        let count = self.connection().query_row(
            "SELECT count(*) FROM jobs WHERE org = ?1 AND sandbox = ?2 AND status = 'NEW'",
            params![self.scope.org, self.scope.sandbox],
            |row| row.get(0),
        )?;
        Ok(count)
    }

    /// How many jobs there are in each state, in any organisation and sandbox.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn count_jobs(&self) -> Result<Vec<(JobStatus, i64)>> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT status, count(*) FROM jobs GROUP BY status")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// A page of the list of jobs.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn jobs(&self, query: &JobQuery) -> Result<Vec<JobRecord>> {
        let order = match query.sort {
            JobSort::CreatedDescending => "created DESC, id DESC",
            JobSort::CreatedAscending => "created, id",
            JobSort::UpdatedDescending => "json_extract(body, '$.updateTime') DESC, id DESC",
            JobSort::UpdatedAscending => "json_extract(body, '$.updateTime'), id",
        };
        let (count, after) = match query.offset {
            JobOffset::Count(count) => (count, None),
            JobOffset::After(created, id) => (0, Some((created.millis(), id))),
        };
        // Only the conditions that are asked for: SQLite finds an index for each combination, so that
        // a page costs the same however many jobs there are.
        let mut conditions = "org = :org AND sandbox = :sandbox".to_owned();
        let (limit, status) = (query.limit.map_or(-1, i64::from), &query.status);
        let scope = &self.scope;
        let mut values: Vec<(&str, &dyn ToSql)> = vec![
            (":org", &scope.org),
            (":sandbox", &scope.sandbox),
            (":limit", &limit),
            (":count", &count),
        ];
        if let Some(status) = status {
            conditions.push_str(" AND status = :status");
            values.push((":status", status));
        }
        if let Some((created, id)) = &after {
            let sign = match query.sort {
                JobSort::CreatedAscending => ">",
                _ => "<",
            };
            conditions.push_str(&format!(" AND (created, id) {sign} (:created, :id)"));
            values.extend([(":created", created as &dyn ToSql), (":id", id)]);
        }
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM jobs WHERE {conditions}
             ORDER BY {order} LIMIT :limit OFFSET :count"
        ))?;
        let rows = statement.query_map(values.as_slice(), record)?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// All jobs in state `PROCESSING`, in any organisation and sandbox.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn processing_jobs(&self) -> Result<Vec<JobRecord>> {
        let connection = self.connection();
        let mut statement = connection.prepare(&format!(
            "SELECT {COLUMNS} FROM jobs WHERE status = 'PROCESSING'"
        ))?;
        let rows = statement.query_map([], record)?;
        rows.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// Deletes a job that is finished and has no batch; says whether there was one.
    ///
    /// # Errors
    /// The catalog can't be written; a batch of it is there.
    pub fn delete_job(&self, id: i64) -> Result<bool> {
        self.write(|t| {
            let deleted = t.execute(
                "DELETE FROM jobs WHERE org = ?1 AND sandbox = ?2 AND id = ?3
                     AND status IN ('SUCCEEDED', 'FAILED', 'CANCELLED')",
                params![self.scope.org, self.scope.sandbox, id],
            )?;
            Ok(deleted > 0)
        })
    }

    /// Asks for a running job to be cancelled; whoever runs it looks for that.
    ///
    /// # Errors
    /// The catalog can't be written.
    pub fn request_cancel(&self, id: i64) -> Result<()> {
        self.write(|t| {
            t.execute("UPDATE jobs SET cancel = 1 WHERE id = ?1", [id])?;
            Ok(())
        })
    }

    /// Whether somebody has asked for a job to be cancelled.
    ///
    /// # Errors
    /// The catalog can't be read.
    pub fn is_cancel_requested(&self, id: i64) -> Result<bool> {
        let cancel: Option<bool> = self
            .connection()
            .query_row("SELECT cancel FROM jobs WHERE id = ?1", [id], |row| {
                row.get(0)
            })
            .optional()?;
        // A job that is gone is wanted by nobody.
        Ok(cancel.unwrap_or(true))
    }
}
