use catalog::{JobOffset, JobQuery, JobSort, JobStatus};
use export::RequestError;
use serde::{Deserialize, Serialize};
use store::Store;
use xdm::Timestamp;

use super::object::Job;
use super::watch::with_progress;
use crate::error::Result;

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

/// A list of jobs, in the platform's form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobList {
    /// Where in all jobs the page is.
    pub page: JobPageInfo,
    /// The jobs.
    pub records: Vec<Job>,
    /// Where the next page is.
    pub link: JobLink,
}

/// Where in all jobs a page is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobPageInfo {
    /// What the jobs are sorted by.
    pub sort_field: String,
    /// `asc` or `desc`.
    pub sort: String,
    /// Where the next page begins.
    pub page_offset: String,
    /// How many jobs are on the page.
    pub page_size: usize,
}

/// Where the next page of a list is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobLink {
    /// Its path and query; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Lists jobs: `records`, `page` and `link`, newest first unless asked otherwise. `link.next` is there
/// only where there is a next page.
///
/// # Errors
/// A malformed offset, an unknown state or order.
pub fn list_jobs(store: &Store, page: &JobPage) -> Result<JobList> {
    let (sort, field, order) = sort_of(page.sort.as_deref())?;
    let offset = offset_of(page.offset.as_deref(), sort)?;
    let status = page.status.as_deref().map(status_of).transpose()?;
    if page.limit == Some(0) {
        return Err(RequestError::new("limit", "found 0; allowed is 1 or more").into());
    }
    let mut jobs = store.catalog().jobs(&JobQuery {
        // One more than asked for tells whether there is a next page.
        limit: page.limit.map(|limit| limit.saturating_add(1)),
        offset,
        status,
        sort,
    })?;
    let limit = page.limit.map_or(usize::MAX, |limit| limit as usize);
    let has_next = jobs.len() > limit;
    jobs.truncate(limit);
    let by_cursor = matches!(sort, JobSort::CreatedDescending | JobSort::CreatedAscending);
    let cursor = match (jobs.last(), offset) {
        (Some(last), _) if by_cursor => format!("{}_{}", last.created.millis(), last.id),
        (_, JobOffset::Count(count)) => (count as usize + jobs.len()).to_string(),
        (None, JobOffset::After(..)) => page.offset.clone().unwrap_or_default(),
        (Some(last), JobOffset::After(..)) => format!("{}_{}", last.created.millis(), last.id),
    };
    let mut link = JobLink::default();
    if has_next {
        let status = page.status.as_ref().map(|s| format!("&status={s}"));
        let sort = page.sort.as_ref().map(|s| format!("&sort={s}"));
        let next = format!(
            "/export/jobs/?limit={limit}&offset={cursor}{}{}",
            status.unwrap_or_default(),
            sort.unwrap_or_default()
        );
        link.next = Some(next);
    }
    let records = jobs
        .iter()
        .map(|record| with_progress(store, Job::of(record)?))
        .collect::<Result<Vec<_>>>()?;
    Ok(JobList {
        page: JobPageInfo {
            sort_field: field.to_owned(),
            sort: order.to_owned(),
            page_offset: cursor,
            page_size: records.len(),
        },
        records,
        link,
    })
}

fn status_of(word: &str) -> Result<JobStatus, RequestError> {
    JobStatus::of(word).ok_or_else(|| {
        let allowed: Vec<&str> = JobStatus::ALL.iter().map(|status| status.word()).collect();
        let problem = format!("found {word:?}; allowed are {}", allowed.join(", "));
        RequestError::new("status", problem)
    })
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
            (Ok(created), Ok(id)) => Some(JobOffset::After(Timestamp::from_millis(created), id)),
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
