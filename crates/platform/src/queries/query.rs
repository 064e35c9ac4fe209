use catalog::{Catalog, DocumentKind, Kind, new_uuid};
use serde::{Deserialize, Serialize};
use store::Store;
use xdm::Timestamp;

use super::body::{QueryBody, QueryTarget, QueryWork};
use crate::error::Result;
use crate::kept::{Kept, all, one, put};

/// How many queries that have ended are kept: the newest.
const KEPT: usize = 1000;

/// A query, in the platform's form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SqlQuery {
    /// A UUID.
    pub id: String,
    /// What was asked for.
    pub request: QueryBody,
    /// The text that is run.
    pub final_sql: String,
    /// Its state.
    pub state: QueryState,
    /// How many rows it gave, or wrote.
    pub row_count: u64,
    /// Why it failed.
    pub errors: Vec<QueryProblem>,
    /// Whether it makes a dataset: what its statements do is known at its end.
    #[serde(rename = "isCTAS")]
    pub is_ctas: bool,
    /// Whether it adds to one, known in the same way.
    pub is_insert_into: bool,
    /// What becomes of its rows.
    pub target: QueryTarget,
    /// Always 1.
    pub version: i64,
    /// How long it took, in milliseconds.
    pub elapsed_time: i64,
    /// When it was created: milliseconds since 1970, which no two of a sandbox have in common.
    pub created: i64,
    /// When it last changed.
    pub updated: i64,
    /// Who sent it.
    pub user_id: String,
    /// The dataset that it wrote into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// The schedule that it is a run of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_id: Option<String>,
    /// Of a run, whether somebody asked for it rather than the time.
    #[serde(default)]
    pub triggered: bool,
    /// Whether lists leave it out.
    #[serde(default)]
    pub soft_deleted: bool,
    /// Whether somebody wants it to end.
    #[serde(default)]
    pub cancelled: bool,
}

/// The state of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum QueryState {
    /// It waits.
    Submitted,
    /// It runs.
    InProgress,
    /// It is done.
    Success,
    /// It could not be done; its errors say why.
    Failed,
    /// Somebody ended it.
    Killed,
}

impl QueryState {
    /// Whether it will not change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Killed)
    }

    /// The platform's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::InProgress => "IN_PROGRESS",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }
}

/// Why a query failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueryProblem {
    /// Five characters of the SQL standard or of PostgreSQL.
    pub code: String,
    /// What was found, and what would be right.
    pub message: String,
    /// Whether the statement or the server is to blame.
    pub error_type: String,
}

impl QueryProblem {
    /// A problem by its code.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        // Of PostgreSQL's classes, those of the system and of what it ran out of.
        let is_ours = ["53", "57", "58", "XX"]
            .iter()
            .any(|class| code.starts_with(class));
        Self {
            code: code.to_owned(),
            message: message.into(),
            error_type: if is_ours {
                "SYSTEM_ERROR"
            } else {
                "USER_ERROR"
            }
            .to_owned(),
        }
    }
}

/// How a query ended, and what its statements did until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryEnd {
    /// How.
    pub how: QueryOutcome,
    /// What is done, which stays however it ended.
    pub did: QueryDid,
}

/// How a query ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryOutcome {
    /// It is done.
    Done,
    /// It could not be done.
    Failed(QueryProblem),
    /// It stopped since somebody asked for that; the statement that ran then wrote nothing.
    Stopped,
}

/// What a query's statements did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryDid {
    /// Rows that the last statement gave, or wrote.
    pub rows: u64,
    /// The dataset that was written into last.
    pub dataset: Option<String>,
    /// Whether one was made.
    pub made: bool,
    /// Whether rows were added to one.
    pub added: bool,
}

impl QueryEnd {
    /// It is done.
    #[must_use]
    pub fn done(did: QueryDid) -> Self {
        let how = QueryOutcome::Done;
        Self { how, did }
    }

    /// It could not be done, and did nothing.
    #[must_use]
    pub fn failed(problem: QueryProblem) -> Self {
        let how = QueryOutcome::Failed(problem);
        Self {
            how,
            did: QueryDid::default(),
        }
    }

    /// It stopped, and did nothing.
    #[must_use]
    pub fn stopped() -> Self {
        let how = QueryOutcome::Stopped;
        Self {
            how,
            did: QueryDid::default(),
        }
    }
}

impl Kept for SqlQuery {
    const DOCUMENT: DocumentKind = DocumentKind::Query;
    const KIND: Kind = Kind::Query;

    fn id(&self) -> &str {
        &self.id
    }

    fn created(&self) -> i64 {
        self.created
    }
}

impl SqlQuery {
    fn is_open(&self) -> bool {
        !self.state.is_final()
    }
}

/// Creates a query, which waits until it is run.
///
/// # Errors
/// As for [`QueryBody::work`].
pub fn create_query(store: &Store, request: QueryBody, user: &str) -> Result<SqlQuery> {
    store
        .catalog()
        .atomically(|catalog| create_in(catalog, request, user, None))
}

/// Of which schedule a query is a run, and whether somebody asked for it.
#[derive(Clone, Copy)]
pub(super) struct RunOf<'a> {
    pub(super) schedule: &'a str,
    pub(super) triggered: bool,
}

pub(super) fn create_in(
    catalog: &Catalog,
    request: QueryBody,
    user: &str,
    run: Option<RunOf<'_>>,
) -> Result<SqlQuery> {
    let work = request.work(catalog)?;
    let known: Vec<SqlQuery> = all(catalog)?;
    for old in known.iter().filter(|query| !query.is_open()).skip(KEPT) {
        catalog.delete_document(DocumentKind::Query, &old.id)?;
    }
    // Pages of lists begin at such a moment.
    let newest = known.first().map_or(0, |newest| newest.created + 1);
    let now = Timestamp::now().millis().max(newest);
    let query = SqlQuery {
        id: new_uuid(),
        request,
        state: QueryState::Submitted,
        row_count: 0,
        errors: Vec::new(),
        is_ctas: matches!(work.target, QueryTarget::New(_)),
        is_insert_into: matches!(work.target, QueryTarget::Dataset(_)),
        final_sql: work.sql,
        target: work.target,
        version: 1,
        elapsed_time: 0,
        created: now,
        updated: now,
        user_id: user.to_owned(),
        dataset: None,
        schedule_id: run.map(|run| run.schedule.to_owned()),
        triggered: run.is_some_and(|run| run.triggered),
        soft_deleted: false,
        cancelled: false,
    };
    put(catalog, &query)?;
    Ok(query)
}

/// All queries, the newest first: those that lists leave out, too.
///
/// # Errors
/// The catalog can't be read.
pub fn queries(store: &Store) -> Result<Vec<SqlQuery>> {
    all(store.catalog())
}

/// A query.
///
/// # Errors
/// There is none.
pub fn query(store: &Store, id: &str) -> Result<SqlQuery> {
    one(store.catalog(), id)
}

/// Changes a query, in a transaction of its own.
fn change(
    store: &Store,
    id: &str,
    change: impl FnOnce(&Catalog, &mut SqlQuery) -> Result<()>,
) -> Result<SqlQuery> {
    store.catalog().atomically(|catalog| {
        let mut query: SqlQuery = one(catalog, id)?;
        change(catalog, &mut query)?;
        query.updated = Timestamp::now().millis().max(query.updated);
        put(catalog, &query)?;
        Ok(query)
    })
}

/// Ends a query: one that waits is not run; one that runs is told to stop, by whoever runs it.
///
/// # Errors
/// There is none, or it has ended.
pub fn cancel_query(store: &Store, id: &str) -> Result<SqlQuery> {
    change(store, id, |_, query| {
        match query.state {
            QueryState::Submitted => query.state = QueryState::Killed,
            QueryState::InProgress => {}
            ended => {
                let problem = format!("query {id} is {}: it has ended", ended.word());
                return Err(catalog::Error::Conflict(problem).into());
            }
        }
        query.cancelled = true;
        Ok(())
    })
}

/// Leaves a query out of lists.
///
/// # Errors
/// There is none, or it has not ended.
pub fn soft_delete_query(store: &Store, id: &str) -> Result<SqlQuery> {
    change(store, id, |_, query| {
        if query.is_open() {
            let problem = format!("query {id} is {}: cancel it first", query.state.word());
            return Err(catalog::Error::Conflict(problem).into());
        }
        query.soft_deleted = true;
        Ok(())
    })
}

/// Notes that a query runs from now on; returns what is to be run. Templates and names that it was created with may have
/// changed since.
///
/// # Errors
/// There is none, or it does not wait any more.
pub fn begin_query(store: &Store, id: &str) -> Result<QueryWork> {
    let query = change(store, id, |_, query| {
        if query.state != QueryState::Submitted {
            let problem = format!("query {id} is {}: it does not wait", query.state.word());
            return Err(catalog::Error::Conflict(problem).into());
        }
        query.state = QueryState::InProgress;
        Ok(())
    })?;
    Ok(QueryWork {
        sql: query.final_sql,
        target: query.target,
    })
}

/// Notes how a query that ran so many milliseconds ended.
///
/// # Errors
/// There is none, or it does not run.
pub fn end_query(store: &Store, id: &str, took: i64, end: QueryEnd) -> Result<SqlQuery> {
    change(store, id, |_, query| {
        if query.state != QueryState::InProgress {
            let problem = format!("query {id} is {}: it does not run", query.state.word());
            return Err(catalog::Error::Conflict(problem).into());
        }
        let QueryEnd { how, did } = end;
        query.elapsed_time = took;
        query.is_ctas |= did.made;
        query.is_insert_into |= did.added;
        // What statements before it wrote, where it was not done.
        let stays = did.dataset.as_ref().map(|dataset| {
            format!(
                "; what its statements wrote before that stays, the last into dataset {dataset}"
            )
        });
        query.dataset = did.dataset;
        let (state, mut errors) = match how {
            QueryOutcome::Done => {
                query.row_count = did.rows;
                (QueryState::Success, Vec::new())
            }
            QueryOutcome::Failed(problem) => (QueryState::Failed, vec![problem]),
            QueryOutcome::Stopped if query.cancelled => {
                let told = stays
                    .as_ref()
                    .map(|_| QueryProblem::new("57014", "it was cancelled"));
                (QueryState::Killed, told.into_iter().collect())
            }
            QueryOutcome::Stopped => {
                let problem = "the server was stopped while it ran; send it again";
                (
                    QueryState::Failed,
                    vec![QueryProblem::new("57P01", problem)],
                )
            }
        };
        if let (Some(problem), Some(stays)) = (errors.first_mut(), stays) {
            problem.message.push_str(&stays);
        }
        query.state = state;
        query.errors = errors;
        Ok(())
    })
}

/// Fails a query that a process ran which is gone: for whoever runs them, when it begins. What each of its statements wrote
/// is there whole or not at all.
///
/// # Errors
/// There is none, or it does not run; the catalog can't be read or written.
pub fn fail_left_query(store: &Store, id: &str) -> Result<SqlQuery> {
    let gone = "the process that ran it ended before its end was noted; where it writes, its rows may be there, all of a \
                statement's or none: look at the newest batches of its dataset (system_batches) before you send it again";
    end_query(
        store,
        id,
        0,
        QueryEnd::failed(QueryProblem::new("58000", gone)),
    )
}
