//! What is due, and doing it: once for each due time, whoever looks and however often.

use catalog::{Catalog, Document, DocumentKind, JobStatus, Scope};
use store::Store;
use xdm::Timestamp;

use super::object::{Schedule, ScheduleState, ScheduledJob, Work, within};
use super::times::Times;
use crate::error::{Error, Result};
use crate::evaluation::{SegmentJob, create_scheduled_job};
use crate::jobs::{JobError, create_waiting};

/// What became of a due time.
#[derive(Debug)]
pub enum ScheduleRun {
    /// A job was created, which waits.
    Created(ScheduledJob),
    /// None could be created; the schedule says why, and goes on at its next time.
    Refused(Error),
    /// There was nothing to do, or there is later: the job of the time before still waits.
    Nothing,
}

/// The schedules of all sandboxes that are due.
///
/// # Errors
/// The catalog can't be read.
pub fn due_schedules(store: &Store, now: Timestamp) -> Result<Vec<(Scope, String)>> {
    let active = store.catalog().active_schedules()?;
    // One that can't be read says so where it is run.
    let is_due = |id: &str, document: &Document| {
        let due = Schedule::read(id, document).and_then(|schedule| schedule.due(now));
        due.as_ref().map_or(true, Option::is_some)
    };
    let due = active
        .into_iter()
        .filter(|(_, id, document)| is_due(id, document));
    Ok(due.map(|(scope, id, _)| (scope, id)).collect())
}

/// Creates the job of a schedule that is due. The due time is done in the transaction that creates the job, so that no
/// time is done twice.
///
/// # Errors
/// The catalog can't be read or written; the time is still due then.
pub fn run_schedule(store: &Store, id: &str, now: Timestamp) -> Result<ScheduleRun> {
    let run = with_due(store, id, now, |schedule, catalog| {
        if schedule.waits(catalog)? {
            return Ok(None);
        }
        let job = schedule.create_job(catalog, now)?;
        schedule.last_job_id = Some(job.clone());
        schedule.errors = Vec::new();
        Ok(Some(ScheduleRun::Created(job)))
    });
    match run {
        // It is about what the schedule asks for, so that trying again at once is no use.
        Err(error) if error.kind().told_outside().is_none() => {
            let errors = vec![JobError::of(&error)];
            let mut refused = Some(error);
            with_due(store, id, now, |schedule, _| {
                schedule.errors = errors;
                Ok(refused.take().map(ScheduleRun::Refused))
            })
        }
        other => other,
    }
}

/// Does the due time of a schedule by `work`, where there is one and `work` does it.
fn with_due(
    store: &Store,
    id: &str,
    now: Timestamp,
    work: impl FnOnce(&mut Schedule, &Catalog) -> Result<Option<ScheduleRun>>,
) -> Result<ScheduleRun> {
    store.catalog().atomically(|catalog| {
        let Some(mut schedule) = Schedule::find(catalog, id)? else {
            return Ok(ScheduleRun::Nothing);
        };
        let Some(due) = schedule.due(now)? else {
            return Ok(ScheduleRun::Nothing);
        };
        let Some(run) = work(&mut schedule, catalog)? else {
            return Ok(ScheduleRun::Nothing);
        };
        schedule.last_run_epoch = Some(due.seconds());
        schedule.due_after_epoch = due.seconds();
        schedule.put(catalog)?;
        Ok(run)
    })
}

impl Schedule {
    /// The due time that is to be done now.
    fn due(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        if self.state != ScheduleState::Active {
            return Ok(None);
        }
        let times = Times::parse(&self.schedule)?;
        let after = Timestamp::from_millis(self.due_after_epoch.saturating_mul(1000));
        Ok(due_time(&times, after, now))
    }

    /// Whether the job of the time before has not begun. The time stays due, so that it is done when that has begun.
    fn waits(&self, catalog: &Catalog) -> Result<bool> {
        let status = match &self.last_job_id {
            None => None,
            Some(ScheduledJob::Export(id)) => catalog.job(*id)?.map(|job| job.status),
            Some(ScheduledJob::Segment(id)) => {
                let document = catalog.document(DocumentKind::SegmentJob, id, None)?;
                let job = document.and_then(|document| document.read::<SegmentJob>().ok());
                job.map(|job| job.status)
            }
        };
        Ok(status == Some(JobStatus::New))
    }

    fn create_job(&self, catalog: &Catalog, now: Timestamp) -> Result<ScheduledJob> {
        match self.work()? {
            Work::Segments(target) => {
                let job = create_scheduled_job(catalog, &target, now, &self.id);
                Ok(ScheduledJob::Segment(within(None, job)?.id))
            }
            Work::Export(request) => {
                let job = create_waiting(catalog, &request);
                Ok(ScheduledJob::Export(within(Some("exportRequest"), job)?.id))
            }
        }
    }
}

/// Which due time is to be done now: the latest that there has been, if it is after all that are done or do not count. Of
/// times that were missed that is one; before `after`, where a clock went back, it is none.
fn due_time(times: &Times, after: Timestamp, now: Timestamp) -> Option<Timestamp> {
    times.last(now).filter(|time| *time > after)
}

#[cfg(test)]
mod tests {
    use export::ExportRequest;
    use serde_json::{Value, json};

    use super::*;
    use crate::evaluation::segment_jobs;
    use crate::jobs::{JobPage, list_jobs};
    use crate::schedules::{
        NewSchedule, ScheduleChange, change_schedule, create_schedule, schedule,
    };
    use crate::segments::{delete_segment, put_segment};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-{text}Z")).expect("a time")
    }

    #[test]
    fn of_missed_times_the_latest_is_done_and_none_twice() {
        let times = Times::parse("0 0 2 * * ?").expect("times");
        let due = |after: &str, now: &str| due_time(&times, at(after), at(now));
        // Made at noon: not due before the next night.
        assert_eq!(due("20T12:00:00", "20T12:00:00"), None);
        assert_eq!(due("20T12:00:00", "21T01:59:59.999"), None);
        assert_eq!(due("20T12:00:00", "21T02:00:00"), Some(at("21T02:00:00")));
        // Made at the very time.
        assert_eq!(due("21T02:00:00", "21T02:00:00.4"), None);
        // Three nights missed.
        assert_eq!(due("20T12:00:00", "23T10:00:00"), Some(at("23T02:00:00")));
        assert_eq!(due("23T02:00:00", "23T10:00:00"), None);
        // The clock goes back before a time that was done, and comes there again.
        for now in ["23T01:00:00", "22T03:00:00", "23T02:00:00"] {
            assert_eq!(due("23T02:00:00", now), None, "{now}");
        }
        assert_eq!(due("23T02:00:00", "24T02:00:00"), Some(at("24T02:00:00")));
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path(), Scope::default()).expect("a store");
        let definition = json!({"id": "a", "expression": {"type": "PQL", "value": "true"}});
        put_segment(store.catalog(), definition).expect("it is kept");
        (folder, store)
    }

    fn made(store: &Store, more: Value, now: Timestamp) -> Result<String> {
        let mut body = json!({"name": "nightly", "state": "active", "schedule": "0 0 2 * * ?"});
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let new: NewSchedule = serde_json::from_value(body).expect("a schedule");
        Ok(create_schedule(store, new, now)?.id)
    }

    fn due_ids(store: &Store, now: Timestamp) -> Vec<String> {
        let due = due_schedules(store, now).expect("schedules").into_iter();
        due.map(|(_, id)| id).collect()
    }

    #[test]
    fn a_due_time_is_done_once_also_after_a_restart() {
        let (folder, store) = store();
        let properties = json!({"type": "batch_segmentation", "properties": {"segments": ["a"]}});
        let id = made(&store, properties, at("20T12:00:00")).expect("a schedule");
        assert!(due_ids(&store, at("20T23:00:00")).is_empty());
        // Nobody looked for two nights.
        let now = at("22T09:00:00");
        assert_eq!(due_ids(&store, now), std::slice::from_ref(&id));
        let other = Store::open(folder.path(), Scope::default()).expect("a store");
        let run = run_schedule(&store, &id, now).expect("it is done");
        let ScheduleRun::Created(ScheduledJob::Segment(job)) = run else {
            panic!("{run:?}");
        };
        for again in [&store, &other] {
            assert!(due_ids(again, now).is_empty());
            let run = run_schedule(again, &id, now).expect("a look");
            assert!(matches!(run, ScheduleRun::Nothing), "{run:?}");
        }
        let jobs = segment_jobs(&other).expect("jobs");
        assert_eq!((jobs.len(), &jobs[0].id), (1, &job));
        assert_eq!(jobs[0].source, "scheduler");
        let properties = jobs[0].properties.as_ref().expect("properties");
        assert_eq!(properties["scheduleId"], id.as_str());
        assert!(properties["runId"].is_string());
        let kept = schedule(&other, &id).expect("the schedule");
        assert_eq!(kept.last_run_epoch, Some(at("22T02:00:00").seconds()));
        assert_eq!(kept.last_job_id, Some(ScheduledJob::Segment(job)));
    }

    #[test]
    fn what_was_activated_or_got_other_times_is_due_from_then_on() {
        let (_folder, store) = store();
        let all = json!({"type": "batch_segmentation", "properties": {"segments": ["*"]}, "state": "inactive"});
        let id = made(&store, all, at("20T12:00:00")).expect("a schedule");
        let change = |state, schedule: Option<&str>, now: &str| {
            let schedule = schedule.map(str::to_owned);
            change_schedule(&store, &id, ScheduleChange { state, schedule }, at(now))
                .expect("it is changed")
        };
        assert!(due_ids(&store, at("22T09:00:00")).is_empty());
        change(Some(ScheduleState::Active), None, "22T09:00:00");
        assert!(due_ids(&store, at("22T09:00:00")).is_empty());
        assert_eq!(due_ids(&store, at("23T02:00:00")).len(), 1);
        // Saying so again takes nothing away that is due.
        change(Some(ScheduleState::Active), None, "23T02:00:00");
        assert_eq!(due_ids(&store, at("23T02:00:00")).len(), 1);
        change(None, Some("0 0 3 * * ?"), "23T04:00:00");
        assert!(due_ids(&store, at("23T05:00:00")).is_empty());
        change(Some(ScheduleState::Inactive), None, "23T05:00:00");
        assert!(due_ids(&store, at("25T05:00:00")).is_empty());
        let run = run_schedule(&store, &id, at("25T05:00:00")).expect("a look");
        assert!(matches!(run, ScheduleRun::Nothing), "{run:?}");
    }

    #[test]
    fn what_can_not_be_created_is_told_and_done_at_the_next_time() {
        let (_folder, store) = store();
        let properties = json!({"type": "batch_segmentation", "properties": {"segments": ["a"]}});
        let id = made(&store, properties, at("20T12:00:00")).expect("a schedule");
        let definition = crate::segments::segment(store.catalog(), "a").expect("a definition");
        delete_segment(store.catalog(), "a").expect("it is gone");
        let now = at("21T02:00:00");
        let run = run_schedule(&store, &id, now).expect("it is done");
        assert!(matches!(run, ScheduleRun::Refused(_)), "{run:?}");
        let kept = schedule(&store, &id).expect("the schedule");
        assert!(kept.errors[0].msg.contains("no segment \"a\""), "{kept:?}");
        assert!(due_ids(&store, now).is_empty());
        put_segment(store.catalog(), definition).expect("it is back");
        let now = at("22T02:00:00");
        let run = run_schedule(&store, &id, now).expect("it is done");
        assert!(matches!(run, ScheduleRun::Created(_)), "{run:?}");
        assert!(schedule(&store, &id).expect("it").errors.is_empty());
        // Nobody runs jobs: the next time waits for that one.
        let now = at("23T02:00:00");
        let run = run_schedule(&store, &id, now).expect("a look");
        assert!(matches!(run, ScheduleRun::Nothing), "{run:?}");
        assert_eq!(due_ids(&store, now), [id]);
        assert_eq!(segment_jobs(&store).expect("jobs").len(), 1);
    }

    #[test]
    fn exports_are_created_as_their_request_says() {
        let (_folder, store) = store();
        let target = xdm::Dataset::target("", "nightly");
        let target = store.catalog().create_dataset(target).expect("a dataset");
        let mut request = ExportRequest::default();
        request.destination.dataset_id = target.id;
        let properties = json!({"exportRequest": request});
        let more = json!({"type": "export", "properties": properties});
        let id = made(&store, more, at("20T12:00:00")).expect("a schedule");
        let run = run_schedule(&store, &id, at("21T02:00:00")).expect("it is done");
        let ScheduleRun::Created(ScheduledJob::Export(job)) = run else {
            panic!("{run:?}");
        };
        let jobs = list_jobs(&store, &JobPage::default()).expect("jobs");
        let ids: Vec<i64> = jobs.records.iter().map(|job| job.id).collect();
        assert_eq!(ids, [job]);
        let run = run_schedule(&store, &id, at("21T02:00:00")).expect("a look");
        assert!(matches!(run, ScheduleRun::Nothing), "{run:?}");
    }

    #[test]
    fn what_could_not_be_done_is_refused_by_name() {
        let (_folder, store) = store();
        let segments =
            |ids: Value| json!({"type": "batch_segmentation", "properties": {"segments": ids}});
        let mut times = segments(json!(["*"]));
        times["schedule"] = json!("0 0 0 30 2 ?");
        for (more, says) in [
            (times, "schedule: found"),
            (segments(json!(["a", "b"])), "no segment \"b\""),
            (segments(json!(["a", "*"])), "properties.segments: \"*\""),
            (
                segments(json!([])),
                "properties.segments: it names no segment",
            ),
            (
                json!({"type": "batch_segmentation", "properties": {}}),
                "properties.segments: missing",
            ),
            (
                json!({"type": "export", "properties": {}}),
                "properties.exportRequest: missing",
            ),
            (
                json!({"type": "export", "properties": {"segments": ["*"]}}),
                "properties.segments: found one",
            ),
            (
                json!({"type": "export", "properties": {"exportRequest": ExportRequest::default()}}),
                "properties.exportRequest.destination.datasetId: missing",
            ),
        ] {
            let error = made(&store, more.clone(), at("20T12:00:00")).expect_err("it is refused");
            assert!(error.to_string().contains(says), "{more}: {error}");
        }
    }
}
