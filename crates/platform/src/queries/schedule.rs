use catalog::{Catalog, DocumentKind, Error as CatalogError, Kind, Scope, new_uuid};
use export::RequestError;
use serde::{Deserialize, Serialize};
use store::Store;
use xdm::Timestamp;

use super::body::QueryBody;
use super::cron::Cadence;
use super::query::{QueryProblem, RunOf, SqlQuery, create_in};
use crate::error::Result;
use crate::kept::{Kept, all, delete, next_moment, one, put};

/// A query that is created at times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QuerySchedule {
    /// A UUID.
    pub id: String,
    /// What is created.
    pub query: QueryBody,
    /// When.
    pub schedule: QueryScheduleTimes,
    /// Whether it is done.
    pub state: QueryScheduleState,
    /// Who made it.
    pub user_id: String,
    /// When it was made: milliseconds since 1970.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// Times up to this one are done or do not count.
    pub due_after: i64,
    /// Why no query could be created the last time.
    #[serde(default)]
    pub errors: Vec<QueryProblem>,
}

/// When a query is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueryScheduleTimes {
    /// Five fields of cron, in UTC; or `@once`, `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    pub schedule: String,
    /// From when on: RFC 3339; at once where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub start_date: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub end_date: Option<String>,
    /// So many runs may wait or run at a time; 1 where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, minimum = 1))]
    pub max_active_runs: Option<u32>,
}

/// A schedule that is to be made: the body of the platform's `POST /query/schedules`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = QueryScheduleRequest))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewQuerySchedule {
    /// What is created.
    pub query: QueryBody,
    /// When.
    pub schedule: QueryScheduleTimes,
}

/// Whether a schedule is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum QueryScheduleState {
    /// At its times.
    Enabled,
    /// Never.
    Disabled,
}

/// What changes of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryScheduleChange {
    /// Its state.
    pub state: Option<QueryScheduleState>,
    /// The text of its times.
    pub schedule: Option<String>,
}

impl Kept for QuerySchedule {
    const DOCUMENT: DocumentKind = DocumentKind::QuerySchedule;
    const KIND: Kind = Kind::Schedule;

    fn id(&self) -> &str {
        &self.id
    }

    fn created(&self) -> i64 {
        self.created
    }
}

impl QueryScheduleTimes {
    fn date(path: &str, text: Option<&String>) -> Result<Option<Timestamp>, RequestError> {
        let Some(text) = text else {
            return Ok(None);
        };
        Timestamp::parse(text).map(Some).ok_or_else(|| {
            let problem = format!("found {text:?}; expected a time such as 2026-11-30T06:00:00Z");
            RequestError::new(format!("schedule.{path}"), problem)
        })
    }

    fn start(&self) -> Result<Option<Timestamp>, RequestError> {
        Self::date("startDate", self.start_date.as_ref())
    }

    fn end(&self) -> Result<Option<Timestamp>, RequestError> {
        Self::date("endDate", self.end_date.as_ref())
    }

    fn check(&self, now: Timestamp) -> Result<(), RequestError> {
        let (start, end) = (self.start()?, self.end()?);
        if end.is_some_and(|end| end <= start.unwrap_or(now)) {
            return Err(RequestError::new(
                "schedule.endDate",
                "it is not after its beginning",
            ));
        }
        if self.max_active_runs == Some(0) {
            return Err(RequestError::new(
                "schedule.maxActiveRuns",
                "found 0; allowed are whole numbers from 1",
            ));
        }
        match Cadence::parse(&self.schedule)?.comes(now) {
            true => Ok(()),
            false => Err(RequestError::new(
                "schedule.schedule",
                "that time never comes",
            )),
        }
    }
}

impl QuerySchedule {
    fn most_runs(&self) -> usize {
        self.schedule.max_active_runs.unwrap_or(1) as usize
    }

    /// The due time that is to be done now.
    fn due(&self, now: Timestamp) -> Result<Option<Timestamp>, RequestError> {
        if self.state != QueryScheduleState::Enabled {
            return Ok(None);
        }
        let made = Timestamp::from_millis(self.created);
        let start = self.schedule.start()?.unwrap_or(made);
        let after = Timestamp::from_millis(self.due_after);
        // One that was missed before the end is made up for behind it.
        let until = self.schedule.end()?.map_or(now, |end| end.min(now));
        Ok(Cadence::parse(&self.schedule.schedule)?.due(start, after, until))
    }
}

/// Makes a schedule, which is enabled.
///
/// # Errors
/// As for [`QueryBody::work`]; times that are none, or never come.
pub fn create_query_schedule(
    store: &Store,
    new: NewQuerySchedule,
    user: &str,
    now: Timestamp,
) -> Result<QuerySchedule> {
    new.schedule.check(now)?;
    store.catalog().atomically(|catalog| {
        new.query.work(catalog)?;
        let newest = next_moment::<QuerySchedule>(catalog)?;
        let made = now.millis().max(newest);
        // What is to be done once is due also where its time has passed.
        let first = match Cadence::parse(&new.schedule.schedule)? {
            Cadence::Once => new
                .schedule
                .start()?
                .map_or(made, |start| start.millis().min(made)),
            Cadence::Times(_) => made + 1,
        };
        let schedule = QuerySchedule {
            id: new_uuid(),
            query: new.query,
            schedule: new.schedule,
            state: QueryScheduleState::Enabled,
            user_id: user.to_owned(),
            created: made,
            updated: made,
            due_after: first - 1,
            errors: Vec::new(),
        };
        put(catalog, &schedule)?;
        Ok(schedule)
    })
}

/// All schedules, the newest first.
///
/// # Errors
/// The catalog can't be read.
pub fn query_schedules(store: &Store) -> Result<Vec<QuerySchedule>> {
    all(store.catalog())
}

/// A schedule.
///
/// # Errors
/// There is none.
pub fn query_schedule(store: &Store, id: &str) -> Result<QuerySchedule> {
    one(store.catalog(), id)
}

/// Changes a schedule. One that is enabled, or gets other times, is due from now on; what is to be done once, and was not yet,
/// is due when it is enabled, or from its beginning on where that comes.
///
/// # Errors
/// There is none; times that are none, or never come.
pub fn change_query_schedule(
    store: &Store,
    id: &str,
    change: QueryScheduleChange,
    now: Timestamp,
) -> Result<QuerySchedule> {
    store.catalog().atomically(|catalog| {
        let mut schedule: QuerySchedule = one(catalog, id)?;
        let was = (schedule.state, schedule.schedule.schedule.clone());
        if let Some(text) = change.schedule {
            schedule.schedule.schedule = text;
            schedule.schedule.check(now)?;
        }
        schedule.state = change.state.unwrap_or(schedule.state);
        let is_other = was.1 != schedule.schedule.schedule;
        match Cadence::parse(&schedule.schedule.schedule)? {
            Cadence::Once if is_other => {
                let start = schedule.schedule.start()?;
                schedule.due_after = start.map_or(schedule.created, Timestamp::millis) - 1;
            }
            Cadence::Times(_) if is_other || was.0 != schedule.state => {
                schedule.due_after = now.millis();
            }
            // Whether it was done is known by that.
            Cadence::Once | Cadence::Times(_) => {}
        }
        schedule.updated = now.millis();
        put(catalog, &schedule)?;
        Ok(schedule)
    })
}

/// Forgets a schedule. Its runs stay.
///
/// # Errors
/// There is none.
pub fn delete_query_schedule(store: &Store, id: &str) -> Result<()> {
    delete::<QuerySchedule>(store.catalog(), id)
}

/// Creates a query of a schedule now, whatever its times.
///
/// # Errors
/// There is no such schedule, or enough of its runs have not ended; as for [`QueryBody::work`].
pub fn trigger_query_schedule(store: &Store, id: &str, user: &str) -> Result<SqlQuery> {
    store.catalog().atomically(|catalog| {
        let schedule: QuerySchedule = one(catalog, id)?;
        let (open, most) = (open_runs(catalog, id)?, schedule.most_runs());
        if open >= most {
            let problem = format!(
                "{open} runs of schedule {id} have not ended, and maxActiveRuns is {most}; cancel one, or wait for its end"
            );
            return Err(CatalogError::Conflict(problem).into());
        }
        let run = RunOf {
            schedule: id,
            triggered: true,
        };
        create_in(catalog, schedule.query, user, Some(run))
    })
}

/// The schedules of all sandboxes that are due.
///
/// # Errors
/// The catalog can't be read.
pub fn due_query_schedules(store: &Store, now: Timestamp) -> Result<Vec<(Scope, String)>> {
    let enabled = store.catalog().enabled_query_schedules()?;
    let due = enabled.into_iter().filter(|(_, _, document)| {
        let schedule = document.read::<QuerySchedule>();
        schedule.is_ok_and(|schedule| schedule.due(now).is_ok_and(|due| due.is_some()))
    });
    Ok(due.map(|(scope, id, _)| (scope, id)).collect())
}

/// Creates the query of a schedule that is due, in the transaction that notes that its time is done. `None` where nothing is
/// due, or enough of its runs have not ended: then the time stays due.
///
/// # Errors
/// The catalog can't be read or written. That no query could be created is told in the schedule, which goes on.
pub fn run_query_schedule(store: &Store, id: &str, now: Timestamp) -> Result<Option<SqlQuery>> {
    store.catalog().atomically(|catalog| {
        let mut schedule: QuerySchedule = one(catalog, id)?;
        let Some(due) = schedule.due(now)? else {
            return Ok(None);
        };
        if open_runs(catalog, id)? >= schedule.most_runs() {
            return Ok(None);
        }
        schedule.due_after = due.millis();
        let run = RunOf {
            schedule: id,
            triggered: false,
        };
        let made = create_in(
            catalog,
            schedule.query.clone(),
            &schedule.user_id,
            Some(run),
        );
        let (made, errors) = match made {
            Ok(query) => (Some(query), Vec::new()),
            Err(error) if error.kind().told_outside().is_none() => {
                (None, vec![QueryProblem::new("42000", error.to_string())])
            }
            Err(error) => return Err(error),
        };
        schedule.errors = errors;
        put(catalog, &schedule)?;
        Ok(made)
    })
}

fn open_runs(catalog: &Catalog, schedule: &str) -> Result<usize> {
    let queries: Vec<SqlQuery> = all(catalog)?;
    let own = queries
        .iter()
        .filter(|query| query.schedule_id.as_deref() == Some(schedule));
    Ok(own.filter(|query| !query.state.is_final()).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    #[test]
    fn what_was_missed_before_the_end_is_due_behind_it() {
        let schedule = QuerySchedule {
            id: String::new(),
            query: QueryBody::default(),
            schedule: QueryScheduleTimes {
                schedule: "@hourly".to_owned(),
                start_date: None,
                end_date: Some("2026-11-30T06:30:00Z".to_owned()),
                max_active_runs: None,
            },
            state: QueryScheduleState::Enabled,
            user_id: String::new(),
            created: at("2026-11-30T04:10:00Z").millis(),
            updated: 0,
            due_after: at("2026-11-30T05:00:00Z").millis(),
            errors: Vec::new(),
        };
        let now = at("2026-12-01T12:00:00Z");
        let due = at("2026-11-30T06:00:00Z");
        assert_eq!(schedule.due(now).expect("times"), Some(due));
        let done = QuerySchedule {
            due_after: due.millis(),
            ..schedule
        };
        assert_eq!(done.due(now).expect("times"), None);
    }
}
