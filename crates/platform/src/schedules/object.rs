//! Schedules as the catalog keeps them.

use std::cmp::Reverse;
use std::fmt;

use catalog::{Catalog, Document, DocumentKind, Kind, new_uuid};
use export::{ExportRequest, RequestError, SinceJob};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Store;
use xdm::Timestamp;

use super::times::Times;
use crate::error::{Error, Result};
use crate::evaluation::SegmentJobTarget;
use crate::jobs::{JobError, plan_job};

/// When a schedule is due that does not say so: every day.
const DAILY: &str = "0 0 1 * * ?";

/// A segment job or an export job that is created at times: the platform's schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// A UUID.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Whether it is done.
    pub state: ScheduleState,
    /// What is created.
    #[serde(rename = "type")]
    pub kind: ScheduleKind,
    /// Its times, as Quartz writes them, in UTC.
    pub schedule: String,
    /// `daily`, where its creator said so: one of the platform's clients does. It has no effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<Frequency>,
    /// What the jobs are about.
    pub properties: ScheduleProperties,
    /// The organisation.
    pub ims_org_id: String,
    /// The sandbox: `sandboxName`.
    pub sandbox: Value,
    /// When it was created, in seconds.
    pub create_epoch: i64,
    /// When it was last changed, in seconds.
    pub update_epoch: i64,
    /// The due time that was done last, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run_epoch: Option<i64>,
    /// The job that was created last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_job_id: Option<ScheduledJob>,
    /// Why none could be created the last time.
    #[serde(default)]
    pub errors: Vec<JobError>,
    /// Times up to this one, in seconds, are done or do not count: it is the due time done last, or when the schedule was
    /// activated or got other times. A clock that went back repeats nothing; where it had been far ahead, activating the
    /// schedule anew puts it right.
    pub due_after_epoch: i64,
}

/// Whether a schedule is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleState {
    /// At its times.
    Active,
    /// Never.
    #[default]
    Inactive,
}

/// What a schedule creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Segment jobs.
    BatchSegmentation,
    /// Export jobs.
    Export,
}

/// What the platform calls how often a schedule is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frequency {
    /// Each day.
    Daily,
}

/// What a schedule's jobs are about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScheduleProperties {
    /// The segments that are evaluated: their IDs, or `*` alone for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segments: Option<Vec<String>>,
    /// The export jobs, as the body of `POST /export/jobs`. The platform's documents say of no form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_request: Option<ExportRequest>,
}

/// The ID of a job that a schedule created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ScheduledJob {
    /// Of an export job.
    Export(i64),
    /// Of a segment job.
    Segment(String),
}

impl fmt::Display for ScheduledJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Export(id) => id.fmt(f),
            Self::Segment(id) => id.fmt(f),
        }
    }
}

/// A schedule that is to be created.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSchedule {
    /// What it is called.
    pub name: String,
    /// Whether it is done; it is not where nobody says.
    #[serde(default)]
    pub state: ScheduleState,
    /// What is created.
    #[serde(rename = "type")]
    pub kind: ScheduleKind,
    /// Its times; once a day where they are missing.
    #[serde(default)]
    pub schedule: Option<String>,
    /// `daily`, or missing.
    #[serde(default)]
    pub frequency: Option<Frequency>,
    /// What the jobs are about.
    pub properties: ScheduleProperties,
}

/// What changes of a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleChange {
    /// Its state.
    pub state: Option<ScheduleState>,
    /// Its times.
    pub schedule: Option<String>,
}

/// What is done at a schedule's times.
pub(super) enum Work {
    Segments(SegmentJobTarget),
    Export(Box<ExportRequest>),
}

/// Creates a schedule. One that is active is due from now on.
///
/// # Errors
/// Times that are none, or never come; a job that could not be created now. A schedule of all segments may be made
/// before there is one.
pub fn create_schedule(store: &Store, new: NewSchedule, now: Timestamp) -> Result<Schedule> {
    let scope = store.catalog().scope();
    let schedule = Schedule {
        id: new_uuid(),
        name: new.name,
        state: new.state,
        kind: new.kind,
        schedule: new.schedule.unwrap_or_else(|| DAILY.to_owned()),
        frequency: new.frequency,
        properties: new.properties,
        ims_org_id: scope.org.clone(),
        sandbox: json!({"sandboxName": scope.sandbox}),
        create_epoch: now.seconds(),
        update_epoch: now.seconds(),
        last_run_epoch: None,
        last_job_id: None,
        errors: Vec::new(),
        due_after_epoch: now.seconds(),
    };
    check_times(&schedule.schedule, now)?;
    schedule.work()?.check(store.catalog())?;
    schedule.put(store.catalog())?;
    Ok(schedule)
}

/// Changes a schedule. One that is activated, or gets other times, is due from now on.
///
/// # Errors
/// There is no such schedule; times that are none, or never come.
pub fn change_schedule(
    store: &Store,
    id: &str,
    change: ScheduleChange,
    now: Timestamp,
) -> Result<Schedule> {
    store.catalog().atomically(|catalog| {
        let mut schedule = Schedule::of(catalog, id)?;
        let was = (schedule.state, schedule.schedule.clone());
        if let Some(text) = change.schedule {
            check_times(&text, now)?;
            schedule.schedule = text;
        }
        schedule.state = change.state.unwrap_or(schedule.state);
        if was != (schedule.state, schedule.schedule.clone()) {
            schedule.due_after_epoch = now.seconds();
        }
        schedule.update_epoch = now.seconds();
        schedule.put(catalog)?;
        Ok(schedule)
    })
}

/// Deletes a schedule. The jobs that it created stay.
///
/// # Errors
/// There is no such schedule.
pub fn delete_schedule(store: &Store, id: &str) -> Result<()> {
    match store
        .catalog()
        .delete_document(DocumentKind::Schedule, id)?
    {
        true => Ok(()),
        false => Err(catalog::Error::not_found(Kind::Schedule, id).into()),
    }
}

/// A schedule.
///
/// # Errors
/// There is no such schedule.
pub fn schedule(store: &Store, id: &str) -> Result<Schedule> {
    Schedule::of(store.catalog(), id)
}

/// All schedules, the latest first.
///
/// # Errors
/// The catalog can't be read.
pub fn schedules(store: &Store) -> Result<Vec<Schedule>> {
    let documents = store.catalog().documents(DocumentKind::Schedule)?;
    let schedules = documents
        .iter()
        .map(|document| Schedule::read("", document));
    let mut schedules: Vec<Schedule> = schedules.collect::<Result<_>>()?;
    schedules.sort_by_key(|schedule| Reverse(schedule.create_epoch));
    Ok(schedules)
}

fn check_times(text: &str, now: Timestamp) -> Result<()> {
    match Times::parse(text)?.next(now) {
        Some(_) => Ok(()),
        None => {
            let problem = format!("found {text:?}; that time never comes");
            Err(RequestError::new("schedule", problem).into())
        }
    }
}

impl Schedule {
    /// Reads what the catalog keeps.
    pub(super) fn read(id: &str, document: &Document) -> Result<Self> {
        document.read().map_err(|error| damaged(id, &error))
    }

    /// The schedule that a catalog keeps.
    pub(super) fn of(catalog: &Catalog, id: &str) -> Result<Self> {
        Self::find(catalog, id)?.ok_or_else(|| catalog::Error::not_found(Kind::Schedule, id).into())
    }

    pub(super) fn find(catalog: &Catalog, id: &str) -> Result<Option<Self>> {
        let document = catalog.document(DocumentKind::Schedule, id, None)?;
        document
            .map(|document| Self::read(id, &document))
            .transpose()
    }

    pub(super) fn put(&self, catalog: &Catalog) -> Result<()> {
        let document = Document::of(self).map_err(|error| damaged(&self.id, &error))?;
        Ok(catalog.put_document(DocumentKind::Schedule, &self.id, 1, &document)?)
    }

    /// What is done at its times.
    ///
    /// # Errors
    /// Properties that are not its type's.
    pub(super) fn work(&self) -> Result<Work, RequestError> {
        let missing = |path: &str, what: &str| RequestError::new(path, format!("missing; {what}"));
        let foreign = |path: &str, kind: &str| {
            RequestError::new(
                path,
                format!("found one, but schedules of type {kind} have none"),
            )
        };
        let ScheduleProperties {
            segments,
            export_request,
        } = self.properties.clone();
        let (of_segments, of_export) = ("properties.segments", "properties.exportRequest");
        match (self.kind, segments, export_request) {
            (ScheduleKind::BatchSegmentation, _, Some(_)) => {
                Err(foreign(of_export, "batch_segmentation"))
            }
            (ScheduleKind::BatchSegmentation, Some(ids), None) => {
                let target = SegmentJobTarget::of_ids(ids);
                target
                    .map(Work::Segments)
                    .map_err(|error| inside(None, error))
            }
            (ScheduleKind::BatchSegmentation, None, None) => Err(missing(
                of_segments,
                "allowed are [\"*\"] and a list of IDs",
            )),
            (ScheduleKind::Export, Some(_), _) => Err(foreign(of_segments, "export")),
            (ScheduleKind::Export, None, Some(request)) => Ok(Work::Export(Box::new(request))),
            (ScheduleKind::Export, None, None) => {
                Err(missing(of_export, "allowed is the body of an export job"))
            }
        }
    }
}

impl Work {
    /// Refuses what could not be done now.
    fn check(&self, catalog: &Catalog) -> Result<()> {
        match self {
            // There may be definitions when it is due.
            Self::Segments(SegmentJobTarget::All) => Ok(()),
            Self::Segments(target) => within(None, target.entries(catalog)).map(drop),
            Self::Export(request) => {
                if let Some(SinceJob::Job(id)) = request.since_job {
                    let problem = format!(
                        "found {id}, which will be forgotten one day; a schedule's jobs are told since \"last\", the one before"
                    );
                    let refused = RequestError::new("sinceJob", problem);
                    return within(Some("exportRequest"), Err(refused.into()));
                }
                within(Some("exportRequest"), plan_job(catalog, request)).map(drop)
            }
        }
    }
}

/// Says where in a schedule the work is that is refused.
pub(super) fn within<T>(part: Option<&str>, result: Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        Error::Request(error) => inside(part, error).into(),
        other => other,
    })
}

fn inside(part: Option<&str>, error: RequestError) -> RequestError {
    let part = part.map_or(String::new(), |part| format!("{part}."));
    RequestError::new(format!("properties.{part}{}", error.path), error.problem)
}

fn damaged(id: &str, error: &serde_json::Error) -> Error {
    let damaged = catalog::Error::Damaged {
        kind: Kind::Schedule,
        id: id.to_owned(),
        problem: error.to_string(),
    };
    damaged.into()
}
