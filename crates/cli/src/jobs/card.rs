//! The card of a job.

use profile_export::jobs::{Job, JobStatus};

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
        .line("who", Cell::Text(who(job, names).join(", ")))
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
        .line("into", Cell::Text(names.dataset(dataset).to_owned()))
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

fn who<'a>(job: &'a Job, names: &'a Names) -> Vec<&'a str> {
    match segments(job, names) {
        none if none.is_empty() => vec!["everybody"],
        some => some,
    }
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
            Cell::Text(who(job, names).join(", ")),
            Cell::count(job.metrics.total_exported_profile_counter),
        ]
    });
    Table {
        head,
        rows: own.chain(one).collect(),
    }
}
