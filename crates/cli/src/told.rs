//! What is told of exports.

use std::time::Instant;

use profile_export::export::{BatchCounts, UnknownSegment};
use profile_export::jobs::{FinishedJob, JobChanges, JobTime, LargeProfiles};
use profile_export::platform::Error;
use profile_export::request::ExportRequest;

use crate::args::Arguments;
use crate::card::print_object;
use crate::failure::Failure;
use crate::jobs::card;
use crate::message::say;
use crate::names::Names;
use crate::output::{bytes, count, table};

/// What is said where exports lie side by side that no reader takes for one table.
pub const FORMS: &str =
    "warning: the exports at this place have different columns or formats; its manifest says which";

/// A line of what was written.
pub struct Written {
    pub segment: String,
    pub profiles: u64,
    pub events: u64,
    pub bytes: u64,
    pub place: String,
}

impl Written {
    /// The line of the batch with this number.
    pub fn new(
        request: &ExportRequest,
        number: usize,
        counts: &BatchCounts,
        bytes: u64,
        place: String,
    ) -> Self {
        let own = request.batch_segment(number);
        Self {
            segment: own.map_or_else(|| segments(request), |own| own.segment_id.clone()),
            profiles: counts.profiles,
            events: counts.events,
            bytes,
            place,
        }
    }
}

/// The batches of a job, with their segments.
pub fn of_job(finished: &FinishedJob, request: &ExportRequest) -> Vec<Written> {
    let lines = finished.batches.iter().enumerate().map(|(number, batch)| {
        let bytes = batch.files.iter().map(|file| file.length).sum();
        let place = batch.place().display().to_string();
        Written::new(request, number, &batch.counts, bytes, place)
    });
    lines.collect()
}

/// The segments of a request in few words.
fn segments(request: &ExportRequest) -> String {
    let wanted = request
        .filter
        .as_ref()
        .and_then(|filter| filter.segments.as_deref());
    match wanted {
        None | Some([]) => "everybody".to_owned(),
        Some([one]) => one.segment_id.clone(),
        Some([first, rest @ ..]) => format!("{} or {} more", first.segment_id, rest.len()),
    }
}

/// What was written, or would be, as a table.
pub fn written(lines: &[Written]) -> String {
    let cells: Vec<[String; 5]> = (lines.iter())
        .map(|line| {
            [
                line.segment.clone(),
                count(line.profiles),
                count(line.events),
                bytes(line.bytes),
                line.place.clone(),
            ]
        })
        .collect();
    let rows = cells
        .iter()
        .map(|cells| cells.each_ref().map(String::as_str));
    table(["SEGMENT", "PROFILES", "EVENTS", "SIZE", "WHERE"], rows)
}

/// Prints a job that ended, however it did; `names` are those of the store that it is of.
pub fn tell_end(
    arguments: &Arguments,
    ended: Result<FinishedJob, Error>,
    started: Instant,
    names: impl FnOnce() -> Result<Names, Failure>,
) -> Result<FinishedJob, Failure> {
    match ended {
        Ok(finished) => {
            print_object(arguments, &finished.job, || {
                // The job has succeeded, whatever else can't be read now.
                Ok(card(&finished.job, &names().unwrap_or_default()))
            })?;
            for line in summary(&finished, started) {
                say(arguments, &line);
            }
            Ok(finished)
        }
        Err(error) => {
            if let Error::JobFailed { job, .. } | Error::JobCancelled { job, .. } = &error {
                // How it ended is what the exit code has to say, not that this could not be printed.
                let _ = print_object(arguments, job, || {
                    Ok(card(job, &names().unwrap_or_default()))
                });
            }
            Err(error.into())
        }
    }
}

/// What was written where, and how long each stage took, a line each.
pub fn summary(finished: &FinishedJob, started: Instant) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in &finished.batches {
        for file in &batch.files {
            lines.push(format!(
                "{}: {} profiles, {}",
                batch.folder.join(&file.name).display(),
                count(file.rows),
                bytes(file.length)
            ));
        }
    }
    let metrics = &finished.job.metrics;
    if let Some(large) = &metrics.large_profiles {
        lines.push(large_profiles(large));
    }
    lines.extend(left_out(
        metrics.incomplete_profile_counter.unwrap_or_default(),
        metrics.duplicate_profile_counter.unwrap_or_default(),
    ));
    lines.extend(metrics.changes.as_ref().map(changes));
    for segment in &metrics.unknown_segments {
        let (namespace, near) = (
            segment.segment_ns.as_deref(),
            segment.did_you_mean.as_deref(),
        );
        lines.push(unknown(&segment.segment_id, namespace, near));
    }
    let took = |step: Option<&JobTime>| step.and_then(|step| step.total_time_in_ms).unwrap_or(0);
    let whole = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    lines.push(format!(
        "{} profiles and {} events in {:.3} s (load and plan {} ms, export {} ms, publish {} ms)",
        count(finished.profiles),
        count(finished.events),
        started.elapsed().as_secs_f64(),
        whole.saturating_sub(took(Some(&metrics.total_time))),
        took(metrics.profile_export_time.as_ref()),
        took(metrics.acp_dataset_write_time.as_ref()),
    ));
    lines
}

/// How the profiles are others than those of an earlier job.
fn changes(changes: &JobChanges) -> String {
    let JobChanges {
        entered,
        changed,
        left,
        unchanged,
        since_job,
    } = changes;
    match since_job {
        None => format!(
            "{} profiles entered: this is the first job of its request that later ones can be told since",
            count(*entered)
        ),
        Some(id) => format!(
            "since job {id}: {} entered, {} changed, {} left, {} are as they were",
            count(*entered),
            count(*changed),
            count(*left),
            count(*unchanged)
        ),
    }
}

/// That profiles are left out, since they lack what is mandatory or another one has their key, if some are.
pub fn left_out(lacking: u64, duplicates: u64) -> impl Iterator<Item = String> {
    let lines = [
        (lacking, "lack a mandatory field or identity"),
        (duplicates, "have the key of another one"),
    ];
    let some = lines.into_iter().filter(|(profiles, _)| *profiles > 0);
    some.map(|(profiles, why)| format!("{} profiles {why} and are left out", count(profiles)))
}

/// That no record names a segment.
pub fn unknown_segment(segment: &UnknownSegment) -> String {
    let near = segment
        .near
        .as_ref()
        .map(|(namespace, id)| format!("{namespace}:{id}"));
    unknown(&segment.id, segment.namespace.as_deref(), near.as_deref())
}

fn unknown(id: &str, namespace: Option<&str>, near: Option<&str>) -> String {
    let namespace = namespace.map_or_else(String::new, |namespace| {
        format!(" of the namespace {namespace:?}")
    });
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
    format!("warning: no record has a membership of the segment {id:?}{namespace}{near}")
}

/// That profiles have very many identities, which is mostly a mistake in the data.
fn large_profiles(large: &LargeProfiles) -> String {
    let mut line = format!(
        "{} profiles have more than 50 identities",
        count(large.profiles)
    );
    if let Some(largest) = large.largest.first() {
        line.push_str(&format!(
            ", that of {}:{} has {}",
            largest.namespace,
            largest.id,
            count(largest.identities.into())
        ));
    }
    match large.left_out {
        0 => line.push_str("; --max-identities leaves such out"),
        n => line.push_str(&format!("; {} profiles are left out", count(n))),
    }
    line
}
