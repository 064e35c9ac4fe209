//! System jobs, which delete the records of datasets and of batches: `/data/core/ups/system/jobs`.

use axum::Json;
use axum::http::StatusCode;
use export::read_value;
use profile_export::platform::{
    SystemJob, SystemJobBody, create_system_job as create, delete_system_job as delete, system_job,
    system_jobs,
};
use serde_json::{Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{Problems, SystemJobObject, SystemJobPage};

/// Jobs on a page where nobody says, and at the most.
const PAGE: u32 = 100;
/// So many may wait in a sandbox.
const MOST: usize = 1000;

/// Delete the records of a dataset, or the events of a batch, which then happens by itself
///
/// The dataset or batch itself stays.
#[utoipa::path(
    post, path = "/data/core/ups/system/jobs", tag = "System jobs", request_body = SystemJobBody,
    responses((status = 200, description = "The job", body = SystemJobObject), Problems),
)]
pub(crate) async fn create_system_job(
    caller: WriteAccess,
    JsonBody(body): JsonBody<Value>,
) -> Answer<Json<Value>> {
    let body: SystemJobBody = read_value(body)?;
    let job = caller
        .on_store(move |store| {
            let open = store.catalog().open_system_jobs()?;
            let own = open
                .iter()
                .filter(|(scope, _)| scope == store.catalog().scope());
            let own = own.count();
            if own >= MOST {
                return Err(Problem::busy(format!(
                    "{own} system jobs of this sandbox wait already"
                )));
            }
            Ok(create(store, &body)?)
        })
        .await?;
    caller.app().queue.wake();
    shown(&job).map(Json)
}

/// List system jobs, newest first
#[utoipa::path(
    get, path = "/data/core/ups/system/jobs", tag = "System jobs",
    params(
        ("start" = Option<u32>, Query, description = "How many are left out before the first page"),
        ("limit" = Option<u32>, Query, description = "Jobs on a page, at the most and by default 100", minimum = 1),
        ("page" = Option<u32>, Query, description = "The page's number, from 0"),
        ("sort" = Option<String>, Query, description = "createEpoch or updateEpoch, with :asc or :desc"),
    ),
    responses((status = 200, description = "A page of jobs", body = SystemJobPage), Problems),
)]
pub(crate) async fn list_system_jobs(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let start = query.number("start", 0, u32::MAX)?.unwrap_or(0) as usize;
    let limit = query
        .number("limit", 1, u32::MAX)?
        .unwrap_or(PAGE)
        .min(PAGE) as usize;
    let page = query.number("page", 0, u32::MAX)?.unwrap_or(0) as usize;
    let mut jobs = caller.on_store(|store| Ok(system_jobs(store)?)).await?;
    match query.get("sort") {
        None | Some("createEpoch" | "createEpoch:desc") => {}
        Some("createEpoch:asc") => jobs.reverse(),
        Some("updateEpoch" | "updateEpoch:asc") => jobs.sort_by_key(|job| job.update_epoch),
        Some("updateEpoch:desc") => jobs.sort_by_key(|job| std::cmp::Reverse(job.update_epoch)),
        Some(other) => {
            return Err(Problem::bad_request(format!(
                "sort: found {other:?}; allowed are createEpoch and updateEpoch, with :asc or :desc"
            )));
        }
    }
    let total = jobs.len();
    let first = start.saturating_add(page.saturating_mul(limit));
    let children = jobs.iter().skip(first).take(limit).map(shown);
    let children: Vec<Value> = children.collect::<Answer<_>>()?;
    let has_more = first.saturating_add(children.len()) < total;
    let next = match has_more {
        true => (page + 1).to_string(),
        false => String::new(),
    };
    Ok(Json(json!({
        "_page": {"count": children.len(), "next": next},
        "children": children,
    })))
}

/// Show a system job
#[utoipa::path(
    get, path = "/data/core/ups/system/jobs/{id}", tag = "System jobs",
    params(("id" = String, Path, description = "The job's ID")),
    responses((status = 200, description = "The job", body = SystemJobObject), Problems),
)]
pub(crate) async fn get_system_job(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let job = caller
        .on_store(move |store| Ok(system_job(store, &id)?))
        .await?;
    shown(&job).map(Json)
}

/// Forget a system job; one that waits is not done, and what is deleted does not come back
#[utoipa::path(
    delete, path = "/data/core/ups/system/jobs/{id}", tag = "System jobs",
    params(("id" = String, Path, description = "The job's ID")),
    responses((status = 200, description = "It is forgotten"), Problems),
)]
pub(crate) async fn delete_system_job(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    caller
        .on_store(move |store| Ok(delete(store, &id)?))
        .await?;
    Ok(StatusCode::OK)
}

fn shown(job: &SystemJob) -> Answer<Value> {
    serde_json::to_value(job).map_err(|error| Problem::internal(&error))
}
