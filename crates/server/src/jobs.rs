//! Export jobs: `/data/core/ups/export/jobs`.

use std::path::Path;

use axum::Json;
use axum::http::StatusCode;
use profile_export::jobs::{
    Job, JobError, JobList, JobPage, cancel_job, create_job, get_job as get, list_jobs as list,
};
use profile_export::platform::ErrorKind;
use profile_export::request::ExportRequest;

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::JsonBody;
use crate::path;
use crate::problem::{Answer, Problem, cut};
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
    let mut page = caller
        .on_store(move |store| Ok(list(store, &page)?))
        .await?;
    let store = &caller.app().settings.store;
    let records = page.records.into_iter();
    page.records = records.map(|job| told(job, store)).collect();
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
pub(crate) async fn get_job(
    caller: ReadAccess,
    path::Path(id): path::Path<String>,
) -> Answer<Json<Job>> {
    let id = job_id(&id)?;
    let job = caller.on_store(move |store| Ok(get(store, id)?)).await?;
    Ok(Json(told(job, &caller.app().settings.store)))
}

/// Cancel an export job that waits or runs
#[utoipa::path(
    delete, path = "/data/core/ups/export/jobs/{id}", tag = "Export jobs",
    params(("id" = i64, Path, description = "The job's ID", minimum = 1)),
    responses((status = 204, description = "It is cancelled, or will be within a second"), Problems),
)]
pub(crate) async fn delete_job(
    caller: WriteAccess,
    path::Path(id): path::Path<String>,
) -> Answer<StatusCode> {
    let id = job_id(&id)?;
    caller
        .on_store(move |store| {
            cancel_job(store, id)?;
            Ok(())
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A job as clients see it: what went wrong here, rather than with the request, may name files of this
/// machine.
fn told(mut job: Job, store: &Path) -> Job {
    tell_outside(&mut job.errors, store);
    job
}

/// Puts words for clients in place of those for who runs the store.
pub(crate) fn tell_outside(errors: &mut [JobError], store: &Path) {
    let ours = format!("{}/", store.display());
    for error in errors {
        let names_a_file = error.msg.contains(&ours) || error.call_stack.contains(&ours);
        let words = match ErrorKind::told_outside_of_code(&error.code) {
            None if names_a_file => ErrorKind::NewerFormat.told_outside(),
            words => words,
        };
        let (msg, call_stack) = match words {
            Some(words) => (words.to_owned(), String::new()),
            None => (cut(error.msg.clone()), cut(error.call_stack.clone())),
        };
        (error.msg, error.call_stack) = (msg, call_stack);
    }
}

/// A text that is no number names no job.
fn job_id(text: &str) -> Answer<i64> {
    text.parse()
        .map_err(|_| Problem::not_found(format!("no job {text:?}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told_of(code: &str, msg: &str) -> JobError {
        let job = json!({
            "id": 1, "jobType": "BATCH", "profileInstanceId": "ups", "status": "FAILED",
            "destination": {"datasetId": "d", "dataSetId": "d", "segmentPerBatch": false},
            "schema": {"name": "x"}, "mergePolicy": {"id": "p"}, "requestId": "r",
            "computeGatewayJobId": {}, "metrics": {}, "imsOrgId": "o", "creationTime": 1, "updateTime": 2,
            "errors": [{"code": code, "msg": msg, "callStack": msg}],
        });
        let job: Job = serde_json::from_value(job).expect("a job");
        told(job, Path::new("/srv/store")).errors.remove(0)
    }

    #[test]
    fn files_of_the_server_are_told_to_nobody_outside() {
        for code in [
            "PE-0000", "PE-0002", "PE-0003", "PE-0005", "PE-0006", "PE-0007", "PE-0008",
        ] {
            let error = told_of(code, "/srv/store/runs/1: no space left");
            assert_eq!(error.code, code);
            assert!(
                !error.msg.is_empty() && !error.msg.contains("/srv"),
                "{error:?}"
            );
            assert_eq!(error.call_stack, "");
        }
        for code in ["PE-0006", "PE-0008"] {
            let elsewhere = told_of(code, "/home/ann/out: no space left");
            assert!(!elsewhere.msg.contains("ann"), "{elsewhere:?}");
        }
    }

    #[test]
    fn what_the_request_is_about_is_told_up_to_a_length() {
        for code in ["PE-0001", "PE-0003", "PE-0009", "PE-0010"] {
            let error = told_of(code, "no dataset of that ID");
            assert_eq!(error.msg, "no dataset of that ID");
            assert!(told_of(code, &"x".repeat(100_000)).msg.len() < 3000);
        }
    }
}
