//! The card of a job.

use profile_export::jobs::{Job, JobStatus};
use profile_export::request::SinceJob;

use crate::card::Card;
use crate::listing::{Cell, Table};
use crate::names::Names;

/// What there is to say of a job, its errors apart.
pub fn card(job: &Job, names: &Names) -> Card {
    let metrics = &job.metrics;
    let filter = job.filter.as_ref();
    let window = filter.and_then(|filter| filter.segment_qualification_time.as_ref());
    let window = window.map(|window| {
        let end = |end: &Option<String>| end.clone().unwrap_or_else(|| "…".to_owned());
        format!("{} to {}", end(&window.start_time), end(&window.end_time))
    });
    let events = job.additional_fields.as_ref();
    let events = events.and_then(|fields| fields.event_list.as_ref());
    let all = || "all".to_owned();
    let dataset = &job.destination.dataset_id;
    let version = job.merge_policy.version;
    let version = version.map_or_else(String::new, |version| format!(" (version {version})"));
    let evaluates = job.evaluation_info.as_ref();
    let evaluates = evaluates.is_some_and(|info| info.segmentation);
    let took = metrics.total_time.total_time_in_ms;
    Card::new(format!("job {}: {}", job.id, job.status))
        .line("who", Cell::Text(who(job, names)))
        .line("qualified", Cell::of(window))
        .line("fields", Cell::Text(job.fields.clone().unwrap_or_else(all)))
        .line(
            "event fields",
            Cell::of(events.map(|list| list.fields.clone().unwrap_or_else(all))),
        )
        .line(
            "merge policy",
            Cell::Text(format!("{}{version}", job.merge_policy.id)),
        )
        .line("segments", Cell::of(evaluates.then_some("evaluated first")))
        .line("required", listed(job.mandatory_fields.as_deref()))
        .line("one for each", listed(job.deduplication_keys.as_deref()))
        .line("a row for each", Cell::of(job.row_per_identity.as_deref()))
        .line("changes since", Cell::of(job.since_job.as_ref().map(since)))
        .line("into", Cell::Text(names.dataset(dataset).to_owned()))
        .line("known to nobody", unknown(job))
        .line("created", Cell::Time(job.creation_time))
        .line("took", Cell::of(took.map(|took| format!("{took} ms"))))
        .line(
            "profiles",
            Cell::count(metrics.total_exported_profile_counter),
        )
        .line("events", Cell::count(metrics.total_exported_event_counter))
        .line(
            "size",
            (metrics.total_written_bytes).map_or(Cell::Empty, Cell::Bytes),
        )
        .part("Batches", batches(job, names))
}

/// The same with its errors.
pub fn card_with_errors(job: &Job, names: &Names) -> Card {
    let errors = job.errors.iter();
    errors.fold(card(job, names), |card, error| {
        card.error(&error.code, &error.msg)
    })
}

/// The segments of a job, by their names where they have some.
pub fn segments<'a>(job: &'a Job, names: &'a Names) -> Vec<&'a str> {
    let wanted = job
        .filter
        .as_ref()
        .and_then(|filter| filter.segments.as_ref());
    let wanted = wanted.into_iter().flatten();
    wanted.map(|one| names.segment(&one.segment_id)).collect()
}

/// The segments, with the statuses that count where the request says them.
fn who(job: &Job, names: &Names) -> String {
    let filter = job.filter.as_ref();
    let wanted = filter.and_then(|filter| filter.segments.as_deref());
    let wanted: Vec<String> = (wanted.into_iter().flatten())
        .map(|one| {
            let name = names.segment(&one.segment_id);
            match &one.status {
                Some(statuses) => format!("{name} ({})", statuses.join(" or ")),
                None => name.to_owned(),
            }
        })
        .collect();
    match wanted.is_empty() {
        true => "everybody".to_owned(),
        false => wanted.join(", "),
    }
}

fn listed(texts: Option<&[String]>) -> Cell {
    Cell::of(texts.map(|texts| texts.join(", ")))
}

fn since(job: &SinceJob) -> String {
    match job {
        SinceJob::Last => "the last job of this request".to_owned(),
        SinceJob::Job(id) => format!("job {id}"),
    }
}

/// The segments that no record names: mostly they are mistyped.
fn unknown(job: &Job) -> Cell {
    let unknown = &job.metrics.unknown_segments;
    let ids: Vec<&str> = unknown.iter().map(|one| &*one.segment_id).collect();
    Cell::of((!ids.is_empty()).then(|| ids.join(", ")))
}

/// The batches that a job wrote: until then they are IDs and nothing else.
fn batches(job: &Job, names: &Names) -> Table<3> {
    let head = ["ID", "SEGMENT", "PROFILES"];
    if job.status != JobStatus::Succeeded {
        return Table {
            head,
            rows: Vec::new(),
        };
    }
    let by_segment = job.metrics.exported_profile_by_segment_counter.as_ref();
    let own = job.destination.batches.iter().flatten().map(|batch| {
        let profiles = by_segment.and_then(|by| by.get(&batch.segment_id)).copied();
        [
            Cell::Text(batch.batch_id.clone()),
            Cell::Text(names.segment(&batch.segment_id).to_owned()),
            Cell::count(profiles),
        ]
    });
    let one = job.destination.batch_id.iter().map(|id| {
        [
            Cell::Text(id.clone()),
            Cell::Text(who(job, names)),
            Cell::count(job.metrics.total_exported_profile_counter),
        ]
    });
    Table {
        head,
        rows: own.chain(one).collect(),
    }
}
