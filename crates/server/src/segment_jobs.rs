//! Segment jobs, which evaluate segments: `/data/core/ups/segment/jobs`.

use std::cmp::Reverse;

use axum::Json;
use axum::http::StatusCode;
use export::read_value;
use profile_export::jobs::JobStatus;
use profile_export::platform::{
    SegmentJob, SegmentJobTarget, create_segment_job as create, delete_segment_job as delete,
    segment_job, segment_jobs,
};
use profile_export::request::SchemaRef;
use profile_export::xdm::{Class, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::{ReadAccess, WriteAccess};
use crate::body::{Ids, JsonBody};
use crate::children;
use crate::jobs::tell_outside;
use crate::path::Path;
use crate::problem::{Answer, Problem, if_there};
use crate::query::Query;
use crate::schemas::{BulkResults, Problems, SegmentJobObject, SegmentJobPage, SegmentJobRequest};

const PATH: &str = "/data/core/ups/segment/jobs";

/// What is to be evaluated.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    segments: Vec<WantedSegment>,
    #[serde(default)]
    schema: SchemaRef,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WantedSegment {
    segment_id: String,
}

impl Wanted {
    fn read(body: Value) -> Answer<Self> {
        let body = match body.is_array() {
            true => json!({"segments": body}),
            false => body,
        };
        Ok(read_value(body)?)
    }

    fn target(self) -> Answer<SegmentJobTarget> {
        let class = Class::Profile.schema_name();
        if self.schema.name != class {
            return Err(Problem::bad_request(format!(
                "schema.name: found {:?}; allowed is {class:?}",
                self.schema.name
            )));
        }
        let ids = self.segments.into_iter().map(|one| one.segment_id);
        Ok(SegmentJobTarget::of_ids(ids.collect())?)
    }
}

/// Evaluate segments, which then happens by itself
#[utoipa::path(
    post, path = "/data/core/ups/segment/jobs", tag = "Segment jobs",
    request_body = SegmentJobRequest,
    responses((status = 200, description = "The job", body = SegmentJobObject), Problems),
)]
pub(crate) async fn create_segment_job(
    caller: WriteAccess,
    JsonBody(body): JsonBody<Value>,
) -> Answer<Json<Value>> {
    let most = caller.app().settings.max_waiting_jobs;
    let target = Wanted::read(body)?.target()?;
    let job = caller
        .on_store(move |store| {
            let waiting = store.catalog().waiting_segment_jobs()?;
            let own = waiting
                .iter()
                .filter(|(scope, _)| scope == store.catalog().scope());
            let own = own.count();
            if own >= most as usize {
                return Err(Problem::busy(format!(
                    "{own} segment jobs of this sandbox wait already"
                )));
            }
            Ok(create(store, &target, Timestamp::now())?)
        })
        .await?;
    caller.app().queue.wake();
    Ok(Json(told(job, &caller.app().settings.store)?))
}

/// List segment jobs, newest first
#[utoipa::path(
    get, path = "/data/core/ups/segment/jobs", tag = "Segment jobs",
    params(
        ("start" = Option<u32>, Query, description = "How many are left out before the page"),
        ("limit" = Option<u32>, Query, description = "Jobs on a page [default: 100]", minimum = 1),
        ("status" = Option<String>, Query, description = "NEW, PROCESSING, SUCCEEDED, FAILED or CANCELLED"),
        ("sort" = Option<String>, Query, description = "creationTime or updateTime, with :asc or :desc"),
        ("property" = Option<String>, Query, description = "path==value, or segments~segmentId==value"),
    ),
    responses((status = 200, description = "A page of jobs", body = SegmentJobPage), Problems),
)]
pub(crate) async fn list_segment_jobs(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let status = query.get("status").map(|word| {
        JobStatus::of(word).ok_or_else(|| {
            let words: Vec<&str> = JobStatus::ALL.iter().map(|one| one.word()).collect();
            let allowed = words.join(", ");
            Problem::bad_request(format!("status: found {word:?}; allowed are {allowed}"))
        })
    });
    let status = status.transpose()?;
    let property = query.get("property").map(Property::read).transpose()?;
    let mut jobs = caller.on_store(|store| Ok(segment_jobs(store)?)).await?;
    match query.get("sort") {
        None | Some("creationTime" | "creationTime:desc") => {}
        Some("creationTime:asc") => jobs.reverse(),
        Some("updateTime" | "updateTime:asc") => jobs.sort_by_key(|job| job.update_time),
        Some("updateTime:desc") => jobs.sort_by_key(|job| Reverse(job.update_time)),
        Some(other) => {
            return Err(Problem::bad_request(format!(
                "sort: found {other:?}; allowed are creationTime and updateTime, with :asc or :desc"
            )));
        }
    }
    jobs.retain(|job| status.is_none_or(|status| job.status == status));
    let store = &caller.app().settings.store;
    let mut found = Vec::new();
    for job in jobs {
        let job = told(job, store)?;
        if property
            .as_ref()
            .is_none_or(|property| property.is_of(&job))
        {
            found.push(job);
        }
    }
    let others = ["status", "sort", "property"];
    Ok(Json(children::page(PATH, &query, &others, found)?))
}

/// Show a segment job
#[utoipa::path(
    get, path = "/data/core/ups/segment/jobs/{id}", tag = "Segment jobs",
    params(("id" = String, Path, description = "The job's ID")),
    responses((status = 200, description = "The job", body = SegmentJobObject), Problems),
)]
pub(crate) async fn get_segment_job(
    caller: ReadAccess,
    Path(id): Path<String>,
) -> Answer<Json<Value>> {
    let job = caller
        .on_store(move |store| Ok(segment_job(store, &id)?))
        .await?;
    Ok(Json(told(job, &caller.app().settings.store)?))
}

/// Cancel a segment job that waits or runs, or delete one that has ended; the memberships that it made stay
#[utoipa::path(
    delete, path = "/data/core/ups/segment/jobs/{id}", tag = "Segment jobs",
    params(("id" = String, Path, description = "The job's ID")),
    responses((status = 204, description = "It is cancelled or gone, or will be within a second"), Problems),
)]
pub(crate) async fn delete_segment_job(
    caller: WriteAccess,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    caller
        .on_store(move |store| Ok(delete(store, &id)?))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show several segment jobs; those that there are not are named
#[utoipa::path(
    post, path = "/data/core/ups/segment/jobs/bulk-get", tag = "Segment jobs",
    request_body = Ids,
    responses((status = 207, description = "Jobs by ID", body = BulkResults), Problems),
)]
pub(crate) async fn bulk_get_segment_jobs(
    caller: ReadAccess,
    JsonBody(wanted): JsonBody<Ids>,
) -> Answer<(StatusCode, Json<Value>)> {
    let path = caller.app().settings.store.clone();
    let found = caller
        .on_store(move |store| {
            children::by_ids(&wanted, ("UPAPI-113430-404", "segment job"), |id| {
                let found = if_there(segment_job(store, id))?;
                found.map(|job| told(job, &path)).transpose()
            })
        })
        .await?;
    Ok((StatusCode::MULTI_STATUS, Json(found)))
}

/// A condition of a list: `path==value`, or `array~key==value` for one of an array's objects.
struct Property {
    path: Vec<String>,
    key: Option<String>,
    value: String,
}

impl Property {
    fn read(text: &str) -> Answer<Self> {
        let Some((left, value)) = text.split_once("==") else {
            return Err(Problem::bad_request(format!(
                "property: found {text:?}; allowed is path==value, such as segments~segmentId==ID"
            )));
        };
        let (path, key) = match left.split_once('~') {
            Some((path, key)) => (path, Some(key.to_owned())),
            None => (left, None),
        };
        Ok(Self {
            path: path.split('.').map(str::to_owned).collect(),
            key,
            value: value.to_owned(),
        })
    }

    fn is_of(&self, job: &Value) -> bool {
        let found = self
            .path
            .iter()
            .fold(job, |value, part| &value[part.as_str()]);
        let is_it = |value: &Value| match value {
            Value::String(text) => *text == self.value,
            other => {
                let text = other.to_string();
                text == self.value
            }
        };
        match &self.key {
            None => is_it(found),
            Some(key) => {
                let items = found.as_array().into_iter().flatten();
                items.into_iter().any(|item| is_it(&item[key.as_str()]))
            }
        }
    }
}

/// A job as clients see it.
fn told(mut job: SegmentJob, store: &std::path::Path) -> Answer<Value> {
    tell_outside(&mut job.errors, store);
    let is_cancelling = job.cancelling && job.status == JobStatus::Processing;
    let mut shown = serde_json::to_value(&job).map_err(|error| Problem::internal(&error))?;
    if let Some(object) = shown.as_object_mut() {
        object.remove("cancelling");
    }
    if is_cancelling {
        shown["status"] = json!("CANCELLING");
    }
    let own = format!("{PATH}/{}", job.id);
    shown["modelName"] = json!(job.schema.name);
    shown["updateEpoch"] = json!(job.update_time.seconds());
    shown["_links"] = json!({
        "cancel": {"href": own, "method": "DELETE"},
        "checkStatus": {"href": own, "method": "GET"},
    });
    Ok(shown)
}
