//! Schedules: `/data/core/ups/config/schedules`.

use std::path::Path as FilePath;

use axum::Json;
use axum::http::StatusCode;
use profile_export::platform::{
    NewSchedule, Schedule, ScheduleChange, ScheduleState, change_schedule,
    create_schedule as create, delete_schedule as delete, schedule, schedules,
};
use profile_export::xdm::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::children;
use crate::jobs::tell_outside;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{Problems, ScheduleObject, SchedulePage, SchedulePatch, ScheduleRequest};

const PATH: &str = "/data/core/ups/config/schedules";

/// List schedules, newest first
#[utoipa::path(
    get, path = "/data/core/ups/config/schedules", tag = "Schedules",
    params(
        ("start" = Option<u32>, Query, description = "How many are left out before the page"),
        ("limit" = Option<u32>, Query, description = "Schedules on a page [default: 100]", minimum = 1),
    ),
    responses((status = 200, description = "A page of schedules", body = SchedulePage), Problems),
)]
pub(crate) async fn list_schedules(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let all = caller.on_store(|store| Ok(schedules(store)?)).await?;
    let store = &caller.app().settings.store;
    let found = all.into_iter().map(|one| told(one, store));
    let found = found.collect::<Answer<_>>()?;
    Ok(Json(children::page(PATH, &query, &[], found)?))
}

/// Create a schedule, at whose times a segment job or an export job is created
#[utoipa::path(
    post, path = "/data/core/ups/config/schedules", tag = "Schedules",
    request_body = ScheduleRequest,
    responses((status = 200, description = "The schedule", body = ScheduleObject), Problems),
)]
pub(crate) async fn create_schedule(
    caller: WriteAccess,
    JsonBody(new): JsonBody<NewSchedule>,
) -> Answer<Json<Value>> {
    let made = caller.on_store(move |store| Ok(create(store, new, Timestamp::now())?));
    Ok(Json(told(made.await?, &caller.app().settings.store)?))
}

/// Show a schedule
#[utoipa::path(
    get, path = "/data/core/ups/config/schedules/{id}", tag = "Schedules",
    params(("id" = String, Path, description = "The schedule's ID")),
    responses((status = 200, description = "The schedule", body = ScheduleObject), Problems),
)]
pub(crate) async fn get_schedule(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let found = caller.on_store(move |store| Ok(schedule(store, &id)?));
    Ok(Json(told(found.await?, &caller.app().settings.store)?))
}

/// One change of a `PATCH`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[serde(rename = "op")]
    _op: Operation,
    path: Member,
    value: String,
}

/// Both put a value in the place of what there is.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Operation {
    Add,
    Replace,
}

#[derive(Deserialize)]
enum Member {
    #[serde(rename = "/state")]
    State,
    #[serde(rename = "/schedule")]
    Schedule,
}

/// Activate or deactivate a schedule, or give it other times: it is due from then on
#[utoipa::path(
    patch, path = "/data/core/ups/config/schedules/{id}", tag = "Schedules",
    params(("id" = String, Path, description = "The schedule's ID")),
    request_body = SchedulePatch,
    responses((status = 204, description = "It is changed"), Problems),
)]
pub(crate) async fn patch_schedule(
    caller: WriteAccess,
    Path(id): Path<String>,
    JsonBody(changes): JsonBody<Vec<Change>>,
) -> Answer<StatusCode> {
    let mut wanted = ScheduleChange::default();
    for (i, change) in changes.into_iter().enumerate() {
        match change.path {
            Member::State => {
                let state = serde_json::from_value::<ScheduleState>(json!(change.value));
                wanted.state = Some(state.map_err(|_| {
                    Problem::bad_request(format!(
                        "[{i}].value: found {:?}; allowed are active and inactive",
                        change.value
                    ))
                })?);
            }
            Member::Schedule => wanted.schedule = Some(change.value),
        }
    }
    let changed =
        caller.on_store(move |store| Ok(change_schedule(store, &id, wanted, Timestamp::now())?));
    changed.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a schedule; the jobs that it created stay
#[utoipa::path(
    delete, path = "/data/core/ups/config/schedules/{id}", tag = "Schedules",
    params(("id" = String, Path, description = "The schedule's ID")),
    responses((status = 204, description = "It is gone"), Problems),
)]
pub(crate) async fn delete_schedule(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    caller
        .on_store(move |store| Ok(delete(store, &id)?))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A schedule as clients see it.
fn told(mut schedule: Schedule, store: &FilePath) -> Answer<Value> {
    tell_outside(&mut schedule.errors, store);
    let mut shown = serde_json::to_value(&schedule).map_err(|error| Problem::internal(&error))?;
    if let Some(object) = shown.as_object_mut() {
        object.shift_remove("dueAfterEpoch");
    }
    Ok(shown)
}
