//! Queries that are created at times: `/data/foundation/query/schedules`, and their runs.

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use export::read_value;
use profile_export::queries::{
    NewQuerySchedule, QuerySchedule, QueryScheduleChange, QueryScheduleState, SqlQuery,
    change_query_schedule, create_query_schedule, delete_query_schedule, queries, query,
    query_schedule, query_schedules, trigger_query_schedule,
};
use profile_export::store::{CatalogError, Kind, Store};
use profile_export::xdm::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::query_lists::{Listed, Listing};
use crate::query_schemas::{
    QueryAccepted, QueryRunObject, QueryRunPage, QueryScheduleObject, QuerySchedulePage,
    QuerySchedulePatch,
};
use crate::query_service::{accepted, cancel, check_room};
use crate::schedules::Operation;
use crate::schemas::Problems;

const PATH: &str = "/data/foundation/query/schedules";

impl Listed for QuerySchedule {
    fn times(&self) -> (i64, i64) {
        (self.created, self.updated)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn property(&self, name: &str) -> Option<Vec<String>> {
        Some(match name {
            "created" => vec![Timestamp::from_millis(self.created).to_string()],
            "templateId" => self.query.template_id.iter().cloned().collect(),
            "userId" => vec![self.user_id.clone()],
            _ => return None,
        })
    }
}

/// List query schedules, newest first
#[utoipa::path(
    get, path = "/data/foundation/query/schedules", tag = "Query service",
    params(
        ("orderby" = Option<String>, Query, description = "created or updated, with + or - before it"),
        ("limit" = Option<u32>, Query, description = "Schedules on a page, at the most 1000 [default: 20]", minimum = 1),
        ("start" = Option<String>, Query, description = "Where the page begins: what a link has, or a time"),
        ("property" = Option<String>, Query, description = "Conditions on created, templateId and userId, comma-separated"),
    ),
    responses((status = 200, description = "A page of schedules", body = QuerySchedulePage), Problems),
)]
pub(crate) async fn list_query_schedules(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let listing = Listing::of(&query, 20, &["created", "templateId", "userId"])?;
    let all = caller.on_store(|store| Ok(query_schedules(store)?)).await?;
    Ok(Json(listing.page((PATH, "schedules"), all, shown)))
}

/// Create a query at times
#[utoipa::path(
    post, path = "/data/foundation/query/schedules", tag = "Query service", request_body = NewQuerySchedule,
    responses((status = 202, description = "The schedule, which is enabled at once", body = QueryScheduleObject), Problems),
)]
pub(crate) async fn create_schedule(
    caller: WriteAccess,
    JsonBody(new): JsonBody<NewQuerySchedule>,
) -> Answer<impl IntoResponse> {
    let user = caller.user().to_owned();
    let made = caller
        .on_store(move |store| Ok(create_query_schedule(store, new, &user, Timestamp::now())?));
    let made = made.await?;
    caller.app().queue.scheduler.notify_one();
    let mut shown = shown(&made);
    // What the platform answers before it has it.
    shown["state"] = json!("REGISTERING");
    Ok((StatusCode::ACCEPTED, Json(shown)))
}

/// Show a query schedule
#[utoipa::path(
    get, path = "/data/foundation/query/schedules/{id}", tag = "Query service",
    params(("id" = String, Path, description = "The schedule's ID")),
    responses((status = 200, description = "The schedule", body = QueryScheduleObject), Problems),
)]
pub(crate) async fn get_query_schedule(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let found = caller.on_store(move |store| Ok(query_schedule(store, &id)?));
    Ok(Json(shown(&found.await?)))
}

/// The changes of a `PATCH`, as the platform has them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    body: Vec<Change>,
}

/// One of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(rename = "op")]
    _op: Operation,
    path: Member,
    value: String,
}

#[derive(Deserialize)]
enum Member {
    #[serde(rename = "/state")]
    State,
    #[serde(rename = "/schedule/schedule")]
    Schedule,
}

/// Enable or disable a query schedule, or give it other times
#[utoipa::path(
    patch, path = "/data/foundation/query/schedules/{id}", tag = "Query service",
    params(("id" = String, Path, description = "The schedule's ID")),
    request_body = QuerySchedulePatch,
    responses((status = 202, description = "It is changed", body = QueryAccepted), Problems),
)]
pub(crate) async fn patch_query_schedule(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Value>,
) -> Answer<impl IntoResponse> {
    let changes: Vec<Change> = match body {
        // As clients send it.
        list @ Value::Array(_) => read_value(list)?,
        object => read_value::<Body>(object)?.body,
    };
    let mut wanted = QueryScheduleChange::default();
    for (i, change) in changes.into_iter().enumerate() {
        match change.path {
            Member::Schedule => wanted.schedule = Some(change.value),
            Member::State => {
                wanted.state = Some(match change.value.as_str() {
                    "enable" | "ENABLED" => QueryScheduleState::Enabled,
                    "disable" | "DISABLED" => QueryScheduleState::Disabled,
                    other => {
                        return Err(Problem::bad_request(format!(
                            "[{i}].value: found {other:?}; allowed are enable and disable"
                        )));
                    }
                });
            }
        }
    }
    let changed = caller
        .on_store(move |store| Ok(change_query_schedule(store, &id, wanted, Timestamp::now())?));
    changed.await?;
    Ok(accepted("Request to patch has been submitted"))
}

/// Forget a query schedule; its runs stay
#[utoipa::path(
    delete, path = "/data/foundation/query/schedules/{id}", tag = "Query service",
    params(("id" = String, Path, description = "The schedule's ID")),
    responses((status = 202, description = "It is gone", body = QueryAccepted), Problems),
)]
pub(crate) async fn remove_query_schedule(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<impl IntoResponse> {
    let deleted = caller.on_store(move |store| Ok(delete_query_schedule(store, &id)?));
    deleted.await?;
    Ok(accepted("Schedule deleted successfully"))
}

/// List the runs of a query schedule, newest first
#[utoipa::path(
    get, path = "/data/foundation/query/schedules/{id}/runs", tag = "Query service",
    params(
        ("id" = String, Path, description = "The schedule's ID"),
        ("orderby" = Option<String>, Query, description = "created or updated, with + or - before it"),
        ("limit" = Option<u32>, Query, description = "Runs on a page, at the most 1000 [default: 20]", minimum = 1),
        ("start" = Option<String>, Query, description = "Where the page begins: what a link has, or a time"),
        ("property" = Option<String>, Query, description = "Conditions on created and state, comma-separated"),
    ),
    responses((status = 200, description = "A page of runs", body = QueryRunPage), Problems),
)]
pub(crate) async fn list_runs(
    caller: ReadAccess,
    Path(id): Path<String>,
    query: Query,
) -> Answer<Json<Value>> {
    let listing = Listing::of(&query, 20, &["created", "updated", "state", "id"])?;
    let path = format!("{PATH}/{id}/runs");
    let runs = caller.on_store(move |store| {
        query_schedule(store, &id)?;
        let mut all = queries(store)?;
        all.retain(|query| query.schedule_id.as_deref() == Some(&id));
        Ok(all)
    });
    Ok(Json(listing.page(
        (&path, "runsSchedules"),
        runs.await?,
        run,
    )))
}

/// Run a query schedule now
#[utoipa::path(
    post, path = "/data/foundation/query/schedules/{id}/runs", tag = "Query service",
    params(("id" = String, Path, description = "The schedule's ID")),
    responses((status = 202, description = "It will be run", body = QueryAccepted), Problems),
)]
pub(crate) async fn trigger(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<impl IntoResponse> {
    let user = caller.user().to_owned();
    let most = caller.app().settings.max_waiting_jobs;
    let made = caller.on_store(move |store| {
        check_room(store, most)?;
        Ok(trigger_query_schedule(store, &id, &user)?)
    });
    made.await?;
    caller.app().queue.wake();
    Ok(accepted(
        "Request to trigger run for a scheduled query has been submitted",
    ))
}

/// Show a run of a query schedule
#[utoipa::path(
    get, path = "/data/foundation/query/schedules/{id}/runs/{run}", tag = "Query service",
    params(("id" = String, Path, description = "The schedule's ID"), ("run" = String, Path, description = "The run's ID")),
    responses((status = 200, description = "The run", body = QueryRunObject), Problems),
)]
pub(crate) async fn get_run(
    caller: ReadAccess,
    Path((id, name)): Path<(String, String)>,
) -> Answer<Json<Value>> {
    let found = caller.on_store(move |store| run_of(store, &id, &name));
    Ok(Json(run(&found.await?)))
}

/// Cancel a run of a query schedule
#[utoipa::path(
    patch, path = "/data/foundation/query/schedules/{id}/runs/{run}", tag = "Query service",
    request_body = RunChange,
    params(("id" = String, Path, description = "The schedule's ID"), ("run" = String, Path, description = "The run's ID")),
    responses((status = 202, description = "It will be cancelled", body = QueryAccepted), Problems),
)]
pub(crate) async fn cancel_run(
    caller: WriteAccess,
    Path((id, name)): Path<(String, String)>,
    JsonBody(RunChange {
        op: RunOperation::Cancel,
    }): JsonBody<RunChange>,
) -> Answer<impl IntoResponse> {
    let found = caller.on_store(move |store| run_of(store, &id, &name));
    cancel(&caller, found.await?.id).await?;
    Ok(accepted(
        "Request to cancel run for a scheduled query has been submitted",
    ))
}

/// What becomes of a run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueryRunChange)]
pub(crate) struct RunChange {
    op: RunOperation,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = QueryRunOperation)]
enum RunOperation {
    Cancel,
}

fn run_of(store: &Store, schedule: &str, id: &str) -> Answer<SqlQuery> {
    let found = query(store, id)?;
    match found.schedule_id.as_deref() == Some(schedule) {
        true => Ok(found),
        false => Err(CatalogError::not_found(Kind::Query, id).into()),
    }
}

fn shown(schedule: &QuerySchedule) -> Value {
    let path = format!("{PATH}/{}", schedule.id);
    let change = |value: &str| {
        let body = json!({"body": [{"op": "replace", "path": "/state", "value": value}]});
        json!({"href": path, "method": "PATCH", "body": body.to_string()})
    };
    json!({
        "id": schedule.id,
        "state": schedule.state,
        "query": schedule.query,
        "schedule": schedule.schedule,
        "userId": schedule.user_id,
        "errors": schedule.errors,
        "version": 1,
        // As texts, as the platform has them.
        "created": schedule.created.to_string(),
        "updated": schedule.updated.to_string(),
        "_links": {
            "self": {"href": path, "method": "GET"},
            "enable": change("enable"),
            "disable": change("disable"),
            "runs": {"href": format!("{path}/runs"), "method": "GET"},
            "trigger": {"href": format!("{path}/runs"), "method": "POST"},
            "delete": {"href": path, "method": "DELETE"},
        },
    })
}

fn run(query: &SqlQuery) -> Value {
    let schedule = query.schedule_id.as_deref().unwrap_or_default();
    let path = format!("{PATH}/{schedule}/runs/{}", query.id);
    let created = Timestamp::from_millis(query.created).to_string();
    json!({
        "id": query.id,
        "queryId": query.id,
        "scheduleId": schedule,
        "state": query.state,
        "externalTrigger": if query.triggered { "manual" } else { "scheduled" },
        "errors": query.errors,
        "rowCount": query.row_count,
        "created": created,
        "updated": Timestamp::from_millis(query.updated).to_string(),
        "version": 1,
        "_links": {
            "self": {"href": path, "method": "GET"},
            "cancel": {"href": path, "method": "PATCH", "body": "{\"op\":\"cancel\"}"},
        },
    })
}
