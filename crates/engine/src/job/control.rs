use serde_json::{Value, json};
use store::{JobOffset, JobQuery, JobSort, Store, StoreError};

use super::object::{now_millis, set};
use super::staging::sweep;
use super::watch::show_job;
use crate::error::Result;
use crate::request::RequestError;

/// What asking to cancel a job led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It had not begun and is cancelled.
    Cancelled,
    /// It runs and will stop within a second.
    Requested,
}

/// Cancels a job, or asks the process that runs it to.
///
/// # Errors
/// There is no such job, or it is finished.
pub fn cancel_job(store: &Store, id: i64) -> Result<CancelOutcome> {
    sweep(store)?;
    let catalog = store.catalog();
    let job = catalog
        .job(id)?
        .ok_or_else(|| StoreError::Refused(format!("no job {id}")))?;
    if job.status == "NEW" {
        let mut body = job.body;
        set(&mut body, "status", json!("CANCELLED"));
        set(&mut body, "updateTime", json!(now_millis()));
        if catalog.move_job(id, "NEW", "CANCELLED", &body, false)? {
            return Ok(CancelOutcome::Cancelled);
        }
    }
    catalog.request_cancel(id)?;
    let status = catalog.job(id)?.map_or(job.status, |job| job.status);
    if status == "PROCESSING" {
        return Ok(CancelOutcome::Requested);
    }
    Err(StoreError::Refused(format!(
        "job {id} is {status}; only a job that waits or runs can be cancelled"
    ))
    .into())
}

/// A page of the list of jobs, in the platform's form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobPage {
    /// At the most this many jobs; all where it is missing.
    pub limit: Option<u32>,
    /// A number of jobs, or the cursor `createdMs_id` of the page before.
    pub offset: Option<String>,
    /// Only jobs in this state.
    pub status: Option<String>,
    /// `createdTime` or `updateTime`, with `:asc` or `:desc` behind it.
    pub sort: Option<String>,
}

const STATES: [&str; 5] = ["NEW", "PROCESSING", "SUCCEEDED", "FAILED", "CANCELLED"];

/// Lists jobs: `records`, `page` and `link`, newest first unless asked otherwise. `link.next` is there
/// only where there is a next page.
///
/// # Errors
/// A malformed offset, an unknown state or order.
pub fn list_jobs(store: &Store, page: &JobPage) -> Result<Value> {
    let (sort, field, order) = sort_of(page.sort.as_deref())?;
    let offset = offset_of(page.offset.as_deref(), sort)?;
    if let Some(status) = &page.status
        && !STATES.contains(&status.as_str())
    {
        let problem = format!("found {status:?}; allowed are {}", STATES.join(", "));
        return Err(RequestError::new("status", problem).into());
    }
    if page.limit == Some(0) {
        return Err(RequestError::new("limit", "found 0; allowed is 1 or more").into());
    }
    let mut jobs = store.catalog().jobs(&JobQuery {
        // One more than asked for tells whether there is a next page.
        limit: page.limit.map(|limit| limit.saturating_add(1)),
        offset,
        status: page.status.clone(),
        sort,
    })?;
    let limit = page.limit.map_or(usize::MAX, |limit| limit as usize);
    let has_next = jobs.len() > limit;
    jobs.truncate(limit);
    let by_cursor = matches!(sort, JobSort::CreatedDescending | JobSort::CreatedAscending);
    let cursor = match (jobs.last(), offset) {
        (Some(last), _) if by_cursor => format!("{}_{}", last.created, last.id),
        (_, JobOffset::Count(count)) => (count as usize + jobs.len()).to_string(),
        _ => page.offset.clone().unwrap_or_default(),
    };
    let mut link = json!({});
    if has_next {
        let status = page.status.as_ref().map(|s| format!("&status={s}"));
        let sort = page.sort.as_ref().map(|s| format!("&sort={s}"));
        let next = format!(
            "/export/jobs/?limit={limit}&offset={cursor}{}{}",
            status.unwrap_or_default(),
            sort.unwrap_or_default()
        );
        set(&mut link, "next", json!(next));
    }
    let records: Vec<Value> = jobs.into_iter().map(|job| show_job(store, job)).collect();
    Ok(json!({
        "page": {
            "sortField": field,
            "sort": order,
            "pageOffset": cursor,
            "pageSize": records.len(),
        },
        "records": records,
        "link": link,
    }))
}

fn sort_of(text: Option<&str>) -> Result<(JobSort, &'static str, &'static str), RequestError> {
    let text = text.unwrap_or("createdTime:desc");
    let (field, order) = text.split_once(':').unwrap_or((text, "desc"));
    Ok(match (field, order) {
        ("createdTime" | "creationTime", "desc") => {
            (JobSort::CreatedDescending, "createdTime", "desc")
        }
        ("createdTime" | "creationTime", "asc") => {
            (JobSort::CreatedAscending, "createdTime", "asc")
        }
        ("updateTime", "desc") => (JobSort::UpdatedDescending, "updateTime", "desc"),
        ("updateTime", "asc") => (JobSort::UpdatedAscending, "updateTime", "asc"),
        _ => {
            let problem = format!(
                "found {text:?}; allowed are createdTime and updateTime, with :asc or :desc"
            );
            return Err(RequestError::new("sort", problem));
        }
    })
}

fn offset_of(text: Option<&str>, sort: JobSort) -> Result<JobOffset, RequestError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(JobOffset::default());
    };
    let by_time = matches!(sort, JobSort::UpdatedDescending | JobSort::UpdatedAscending);
    let offset = match text.split_once('_') {
        None => text.parse().ok().map(JobOffset::Count),
        Some(_) if by_time => None,
        Some((created, id)) => match (created.parse(), id.parse()) {
            (Ok(created), Ok(id)) => Some(JobOffset::After(created, id)),
            _ => None,
        },
    };
    offset.ok_or_else(|| {
        let problem = format!(
            "found {text:?}; allowed is a number, or the pageOffset of the page before in a list by \
             createdTime"
        );
        RequestError::new("offset", problem)
    })
}
