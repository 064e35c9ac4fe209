//! Export jobs: `/data/core/ups/export/jobs`.

use axum::Json;
use axum::http::StatusCode;
use profile_export::jobs::{
    Job, JobList, JobPage, cancel_job, create_job, get_job as get, list_jobs as list,
};
use profile_export::request::ExportRequest;

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::path::Path;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::{ExportJob, ExportJobPage, Problems};

/// The most jobs on a page, and how many there are where nobody says.
const PAGE: u32 = 1000;

/// List export jobs, newest first
#[utoipa::path(
    get, path = "/data/core/ups/export/jobs", tag = "Export jobs",
    params(
        ("limit" = Option<u32>, Query, description = "Jobs on a page, at the most and by default 1000", minimum = 1),
        ("offset" = Option<String>, Query, description = "A number of jobs, or the pageOffset of the page before"),
        ("status" = Option<String>, Query, description = "NEW, PROCESSING, SUCCEEDED, FAILED or CANCELLED"),
        ("sort" = Option<String>, Query, description = "createdTime or updateTime, with :asc or :desc"),
    ),
    responses((status = 200, description = "A page of jobs", body = ExportJobPage), Problems),
)]
pub(crate) async fn list_jobs(caller: ReadAccess, query: Query) -> Answer<Json<JobList>> {
    let page = JobPage {
        limit: Some(query.number("limit", 1, PAGE)?.unwrap_or(PAGE)),
        offset: query.text("offset"),
        status: query.text("status"),
        sort: query.text("sort"),
    };
    let page = caller
        .on_store(move |store| Ok(list(store, &page)?))
        .await?;
    Ok(Json(page))
}

/// Create an export job, which then runs by itself
#[utoipa::path(
    post, path = "/data/core/ups/export/jobs", tag = "Export jobs",
    request_body = ExportRequest,
    responses((status = 200, description = "The job", body = ExportJob), Problems),
)]
pub(crate) async fn create_export_job(
    caller: WriteAccess,
    JsonBody(request): JsonBody<ExportRequest>,
) -> Answer<Json<Job>> {
    let most = caller.app().settings.max_waiting_jobs;
    let job = caller
        .on_store(move |store| {
            let waiting = store.catalog().count_waiting_jobs()?;
            if waiting >= most {
                return Err(Problem::busy(format!(
                    "{waiting} jobs of this sandbox wait already"
                )));
            }
            Ok(create_job(store, &request)?)
        })
        .await?;
    caller.app().queue.wake();
    Ok(Json(job))
}

/// Show an export job
#[utoipa::path(
    get, path = "/data/core/ups/export/jobs/{id}", tag = "Export jobs",
    params(("id" = i64, Path, description = "The job's ID", minimum = 1)),
    responses((status = 200, description = "The job", body = ExportJob), Problems),
)]
pub(crate) async fn get_job(caller: ReadAccess, Path(id): Path<String>) -> Answer<Json<Job>> {
    let id = job_id(&id)?;
    let job = caller.on_store(move |store| Ok(get(store, id)?)).await?;
    Ok(Json(job))
}

/// Cancel an export job that waits or runs
#[utoipa::path(
    delete, path = "/data/core/ups/export/jobs/{id}", tag = "Export jobs",
    params(("id" = i64, Path, description = "The job's ID", minimum = 1)),
    responses((status = 204, description = "It is cancelled, or will be within a second"), Problems),
)]
pub(crate) async fn delete_job(caller: WriteAccess, Path(id): Path<String>) -> Answer<StatusCode> {
    let id = job_id(&id)?;
    caller
        .on_store(move |store| {
            cancel_job(store, id)?;
            Ok(())
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A text that is no number names no job.
fn job_id(text: &str) -> Answer<i64> {
    text.parse()
        .map_err(|_| Problem::not_found(format!("no job {text:?}")))
}
