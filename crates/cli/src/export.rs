use std::path::Path;
use std::time::Instant;

use profile_export::export::{BatchCounts, UnknownSegment};
use profile_export::jobs::{FinishedJob, JobTime, LargeProfiles};
use profile_export::platform::{Error, check_out};
use profile_export::request::ExportRequest;
use serde_json::json;

use crate::args::{Arguments, DemandArgs, ExportArgs, RunArgs};
use crate::audience;
use crate::failure::Failure;
use crate::message::say;
use crate::origin::{Origin, Work};
use crate::output::{bytes, count, print, print_json, read, table};
use crate::plan;

/// Runs a request's job and prints it.
pub fn run(arguments: &Arguments, run: &RunArgs) -> Result<(), Failure> {
    let origin = Origin::of(&run.origin)?;
    let request = ExportRequest::from_json(&read(&run.request)?)?;
    let started = Instant::now();
    let work = Work {
        origin,
        loading: &run.loading,
        out: run.out.as_deref(),
        max_rows_per_file: run.max_rows_per_file,
        max_identities: run.max_identities,
    };
    let (ended, rejected) = work.job(arguments, &request)?;
    let finished = tell_end(arguments, ended, started)?;
    check_demands(&run.demands, &rows(&finished), rejected)
}

/// Exports what the options say, and prints what was written.
pub fn export(arguments: &Arguments, export: &ExportArgs) -> Result<(), Failure> {
    let mut request = audience::request(&export.audience)?;
    if let Some(dataset) = &export.dataset {
        request.destination.dataset_id.clone_from(dataset);
    }
    if export.print_request {
        if request.destination.dataset_id.is_empty() {
            say(
                arguments,
                "the platform's API wants a destination.datasetId, too: --dataset ID",
            );
        }
        return print_json(&request);
    }
    let origin = Origin::of(&export.origin)?;
    let out = export.out.as_deref();
    let file = out.filter(|out| is_file(out));
    if let Some(file) = file {
        check_file(file, &origin, &request)?;
    }
    let work = Work {
        loading: &export.loading,
        max_rows_per_file: export.max_rows_per_file,
        max_identities: export.audience.max_identities,
        origin,
        out: out.filter(|_| !export.dry_run),
    };
    if export.dry_run {
        work.check_target(arguments, &request)?;
        let (rows, rejected) = plan::tell(arguments, &work, &request)?;
        return check_demands(&export.demands, &rows, rejected);
    }
    let started = Instant::now();
    if let Some(file) = file {
        if export.dataset.is_some() || export.max_rows_per_file.is_some() {
            return Err(Failure::usage(
                "a file is part of no dataset and has all rows: give a folder with --dataset and --max-rows-per-file",
            ));
        }
        let (done, rejected) = work.prepared(arguments, &request, |prepared| {
            Ok((
                prepared.write_file(file)?,
                prepared.export.unknown_segments()?,
            ))
        })?;
        let (outcome, unknown) = done;
        for segment in &unknown {
            say(arguments, &unknown_segment(segment));
        }
        if arguments.json {
            print_json(&json!({"file": file, "profiles": outcome.counts.profiles,
                               "events": outcome.counts.events, "bytes": outcome.bytes}))?;
        } else {
            let place = file.display().to_string();
            let line = Written::new(&request, 0, &outcome.counts, outcome.bytes, place);
            print(&written(&[line]))?;
        }
        say(
            arguments,
            &format!("in {:.3} s", started.elapsed().as_secs_f64()),
        );
        return check_demands(&export.demands, &[outcome.counts.profiles], rejected);
    }
    let (ended, rejected) = work.job(arguments, &request)?;
    let finished = if arguments.json {
        tell_end(arguments, ended, started)?
    } else {
        let finished = ended?;
        print(&written(&of_job(&finished, &request)))?;
        // Where each file is stands in the table.
        let files: usize = finished.batches.iter().map(|batch| batch.files.len()).sum();
        for line in summary(&finished, started).iter().skip(files) {
            say(arguments, line);
        }
        finished
    };
    check_demands(&export.demands, &rows(&finished), rejected)
}

/// Refuses what can't become the file of an export, before anything is read.
fn check_file(file: &Path, origin: &Origin, request: &ExportRequest) -> Result<(), Failure> {
    let refused = |problem: &str| Err(Failure::usage(format!("{}: {problem}", file.display())));
    if request.destination.segment_per_batch == Some(true) {
        return refused("one file, where each segment has a batch; give a folder");
    }
    if file.symlink_metadata().is_ok() {
        return refused("it exists; give another name");
    }
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return refused("there is no such folder");
    }
    let store = match origin {
        Origin::Store(store) => Some(store.as_path()),
        Origin::Source(_) => None,
    };
    Ok(check_out(folder, store)?)
}

/// Whether an export's goal is one file. What ends in a slash is a folder, whatever it is called.
fn is_file(out: &Path) -> bool {
    if out.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return false;
    }
    out.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"))
}

/// Rows of each batch.
fn rows(finished: &FinishedJob) -> Vec<u64> {
    finished
        .batches
        .iter()
        .map(|batch| batch.counts.profiles)
        .collect()
}

fn check_demands(demands: &DemandArgs, rows: &[u64], rejected: u64) -> Result<(), Failure> {
    if let Some(least) = demands.fail_on_rejects.filter(|least| rejected >= *least) {
        let text = format!(
            "{} records were rejected; --fail-on-rejects={least}",
            count(rejected)
        );
        return Err(Failure::incomplete(text));
    }
    let empty = rows.iter().filter(|rows| **rows == 0).count() as u64;
    if demands.fail_if_empty && empty > 0 {
        let text = format!(
            "{} of {} batches have no profile; --fail-if-empty",
            count(empty),
            rows.len()
        );
        return Err(Failure::incomplete(text));
    }
    Ok(())
}

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
fn of_job(finished: &FinishedJob, request: &ExportRequest) -> Vec<Written> {
    let lines = finished.batches.iter().enumerate().map(|(number, batch)| {
        let bytes = batch.files.iter().map(|file| file.length).sum();
        let place = batch.folder.display().to_string();
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

/// Prints a job that ended, however it did.
pub fn tell_end(
    arguments: &Arguments,
    ended: Result<FinishedJob, Error>,
    started: Instant,
) -> Result<FinishedJob, Failure> {
    match ended {
        Ok(finished) => {
            print_json(&finished.job)?;
            for line in summary(&finished, started) {
                say(arguments, &line);
            }
            Ok(finished)
        }
        Err(error) => {
            if let Error::JobFailed { job, .. } | Error::JobCancelled { job, .. } = &error {
                // How it ended is what the exit code has to say, not that this could not be printed.
                let _ = print_json(job);
            }
            Err(error.into())
        }
    }
}

/// What was written where, and how long each stage took, a line each.
fn summary(finished: &FinishedJob, started: Instant) -> Vec<String> {
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
