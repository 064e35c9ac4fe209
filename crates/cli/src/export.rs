//! Exports: as jobs into the store or a folder, or into one file.

use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

use profile_export::jobs::{BatchNames, FinishedJob, RunOptions};
use profile_export::platform::{Error, IfExists, Outcome, OutputFolder, Prepared, check_out};
use profile_export::request::ExportRequest;
use serde_json::json;

use crate::args::{Arguments, DemandArgs, ExportArgs, IfExistsArg, RunArgs};
use crate::audience;
use crate::bucket;
use crate::card::print_object;
use crate::failure::Failure;
use crate::goal::Goal;
use crate::jobs::card;
use crate::message::say;
use crate::origin::{Origin, Work};
use crate::output::{bytes, count, print, print_result, read};
use crate::plan;
use crate::settings::Settings;
use crate::stores::open;
use crate::told::{FORMS, Written, left_out, of_job, summary, tell_end, unknown_segment, written};

/// Runs a request's job and prints it.
pub fn run(arguments: &Arguments, settings: &Settings, run: &RunArgs) -> Result<(), Failure> {
    let origin = Origin::of(settings, &run.origin)?;
    let request = ExportRequest::from_json(&read(&run.request)?)?;
    let started = Instant::now();
    let goal = run.out.as_deref().map_or(Goal::Store, Goal::Folder);
    let work = Work {
        origin,
        loading: &run.loading,
        keep: run.keep.keep(),
        run: RunOptions {
            out: run.out.clone(),
            names: goal.names(&run.files, BatchNames::Ids)?,
            max_rows_per_file: run.files.max_rows_per_file,
            max_identities: run.max_identities,
            writer: goal.writer(&run.files)?,
            ..RunOptions::default()
        },
    };
    let (ended, rejected) = work.job(arguments, &request)?;
    let finished = tell_end(arguments, ended, started, || work.names(arguments))?;
    check_demands(&run.demands, &rows(&finished), rejected)?;
    work.forget_older(arguments)
}

/// Exports what the options say, and prints what was written.
pub fn export(
    arguments: &Arguments,
    settings: &Settings,
    export: &ExportArgs,
) -> Result<(), Failure> {
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
        return print_result(arguments, &request);
    }
    let origin = Origin::of(settings, &export.origin)?;
    let goal = Goal::of(export.out.as_deref());
    let writer = goal.writer(&export.files)?;
    match goal {
        Goal::File(file) => check_file(file, export.if_exists, &origin, &request)?,
        Goal::Standard => check_stream(arguments, &request)?,
        Goal::Bucket(_) => bucket::check(export)?,
        Goal::Store | Goal::Folder(_) => {}
    }
    let work = Work {
        loading: &export.loading,
        keep: export.keep.keep(),
        origin,
        run: RunOptions {
            out: (export.out.clone())
                .filter(|_| !export.dry_run && matches!(goal, Goal::Folder(_) | Goal::File(_))),
            names: goal.names(&export.files, BatchNames::Partitions)?,
            max_rows_per_file: export.files.max_rows_per_file,
            max_identities: export.audience.max_identities,
            writer,
            ..RunOptions::default()
        },
    };
    if export.dry_run {
        match goal {
            Goal::Folder(folder) => {
                OutputFolder::check(folder, work.origin.store(), export.if_exists.into())?;
            }
            Goal::Bucket(address) => bucket::look(export, address)?,
            Goal::Store | Goal::File(_) | Goal::Standard => {}
        }
        work.check_target(arguments, &request)?;
        let is_job = matches!(goal, Goal::Folder(_)) && work.origin.store().is_some();
        let check = |prepared: &Prepared| {
            let out = export.out.as_deref().unwrap_or(Path::new("the store"));
            prepared.check_names(out, &work.run, is_job)
        };
        let (rows, rejected) = plan::tell(arguments, &work, &request, check)?;
        return check_demands(&export.demands, &rows, rejected);
    }
    if let Goal::File(file) = goal {
        return export_file(arguments, export, &work, (&request, file));
    }
    if let Goal::Bucket(address) = goal {
        return bucket::export(arguments, export, &work, (&request, address));
    }
    if goal == Goal::Standard {
        if export.if_exists != IfExistsArg::Fail {
            return Err(Failure::usage("--if-exists is for files and folders"));
        }
        return export_stream(arguments, export, &work, &request);
    }
    export_batches(arguments, export, work, (&request, goal))
}

/// Exports as a job: into the store, or into a folder with a manifest.
fn export_batches(
    arguments: &Arguments,
    export: &ExportArgs,
    mut work: Work<'_>,
    (request, goal): (&ExportRequest, Goal<'_>),
) -> Result<(), Failure> {
    let started = Instant::now();
    let output = match goal {
        Goal::Folder(folder) => Some(OutputFolder::open(
            folder,
            work.origin.store(),
            export.if_exists.into(),
        )?),
        _ if export.if_exists != IfExistsArg::Fail => {
            return Err(Failure::usage(
                "--if-exists is for --out: in the store nothing is written over",
            ));
        }
        _ => None,
    };
    if let Some(output) = &output {
        work.run.replaces = output.replaceable();
    }
    let (ended, rejected) = work.job(arguments, request)?;
    if let (Ok(finished), Some(output)) = (&ended, output) {
        let store = work.origin.store().map(|store| open(arguments, store));
        let said = output.finish(finished, store.transpose()?.as_ref());
        match said {
            Ok(true) => {}
            Ok(false) => say(arguments, FORMS),
            Err(error) => {
                // What is there has to be told, however it ends.
                let _ = print_object(arguments, &finished.job, || {
                    Ok(card(&finished.job, &work.names(arguments)?))
                });
                return Err(Failure::failed(format!(
                    "{error}; the job has succeeded, its batches are in the folder and in no manifest: \
                     jobs delete {} and delete them, or --if-exists replace",
                    finished.job.id
                )));
            }
        }
    }
    let finished = if arguments.is_for_machines() {
        tell_end(arguments, ended, started, || work.names(arguments))?
    } else {
        let finished = ended?;
        print(&written(&of_job(&finished, request)))?;
        // Where each file is stands in the table.
        let files: usize = finished.batches.iter().map(|batch| batch.files.len()).sum();
        for line in summary(&finished, started).iter().skip(files) {
            say(arguments, line);
        }
        finished
    };
    check_demands(&export.demands, &rows(&finished), rejected)?;
    work.forget_older(arguments)
}

impl From<IfExistsArg> for IfExists {
    fn from(argument: IfExistsArg) -> Self {
        match argument {
            IfExistsArg::Fail => Self::Fail,
            IfExistsArg::Replace => Self::Replace,
            IfExistsArg::Append => Self::Append,
        }
    }
}

fn export_file(
    arguments: &Arguments,
    export: &ExportArgs,
    work: &Work<'_>,
    (request, file): (&ExportRequest, &Path),
) -> Result<(), Failure> {
    let started = Instant::now();
    let (outcome, rejected) = export_one(arguments, export, work, request, |prepared| {
        prepared.write_file(
            file,
            export.if_exists == IfExistsArg::Replace,
            &work.run.writer,
        )
    })?;
    if arguments.is_for_machines() {
        print_result(
            arguments,
            &json!({"file": file, "profiles": outcome.counts.profiles,
                           "events": outcome.counts.events, "bytes": outcome.bytes}),
        )?;
    } else {
        let place = file.display().to_string();
        let line = Written::new(request, 0, &outcome.counts, outcome.bytes, place);
        print(&written(&[line]))?;
    }
    say(
        arguments,
        &format!("in {:.3} s", started.elapsed().as_secs_f64()),
    );
    check_demands(&export.demands, &[outcome.counts.profiles], rejected)
}

/// Exports to standard output: what is told goes to standard error.
fn export_stream(
    arguments: &Arguments,
    export: &ExportArgs,
    work: &Work<'_>,
    request: &ExportRequest,
) -> Result<(), Failure> {
    let started = Instant::now();
    let (outcome, rejected) = export_one(arguments, export, work, request, |prepared| {
        let sink = BufWriter::with_capacity(1 << 16, std::io::stdout());
        prepared.write_to(sink, Path::new("standard output"), &work.run.writer)
    })?;
    let line = format!(
        "{} profiles and {} events, {}, in {:.3} s",
        count(outcome.counts.profiles),
        count(outcome.counts.events),
        bytes(outcome.bytes),
        started.elapsed().as_secs_f64()
    );
    say(arguments, &line);
    check_demands(&export.demands, &[outcome.counts.profiles], rejected)
}

/// Writes the only batch of an export; returns what it has, and how many records were rejected.
fn export_one(
    arguments: &Arguments,
    export: &ExportArgs,
    work: &Work<'_>,
    request: &ExportRequest,
    write: impl FnOnce(&Prepared) -> Result<Outcome, Error>,
) -> Result<(Outcome, u64), Failure> {
    if export.dataset.is_some() || export.files.max_rows_per_file.is_some() {
        return Err(Failure::usage(
            "a file is part of no dataset and has all rows: give a folder with --dataset and --max-rows-per-file",
        ));
    }
    let (outcome, rejected) = without_job(arguments, work, request, write)?;
    for line in left_out(outcome.counts.lacking, outcome.counts.duplicates) {
        say(arguments, &line);
    }
    Ok((outcome, rejected))
}

/// Does an export that is no job, and says which of its segments nobody has; returns what it wrote, and how many records
/// were rejected.
pub fn without_job<T>(
    arguments: &Arguments,
    work: &Work<'_>,
    request: &ExportRequest,
    write: impl FnOnce(&Prepared) -> Result<T, Error>,
) -> Result<(T, u64), Failure> {
    let (done, rejected) = work.prepared(arguments, request, Prepared::to_write, |prepared| {
        Ok((write(prepared)?, prepared.export.unknown_segments()?))
    })?;
    let (written, unknown) = done;
    for segment in &unknown {
        say(arguments, &unknown_segment(segment));
    }
    Ok((written, rejected))
}

/// Refuses what can't go to standard output, before anything is read.
fn check_stream(arguments: &Arguments, request: &ExportRequest) -> Result<(), Failure> {
    let refused = |problem: &str| Err(Failure::usage(format!("--out -: {problem}")));
    if request.destination.segment_per_batch == Some(true) {
        return refused("one stream, where each segment has a batch; give a folder");
    }
    if arguments.is_for_machines() {
        return refused("standard output takes the rows, and not what --json prints of them");
    }
    Ok(())
}

/// Refuses what can't become the file of an export, before anything is read.
fn check_file(
    file: &Path,
    if_exists: IfExistsArg,
    origin: &Origin,
    request: &ExportRequest,
) -> Result<(), Failure> {
    let refused = |problem: &str| Err(Failure::usage(format!("{}: {problem}", file.display())));
    if request.destination.segment_per_batch == Some(true) {
        return refused("one file, where each segment has a batch; give a folder");
    }
    if if_exists == IfExistsArg::Append {
        return refused("nothing is added to a file; --if-exists replace, or give a folder");
    }
    match file.symlink_metadata() {
        Ok(_) if if_exists == IfExistsArg::Fail => {
            return refused("it exists; give another name, or --if-exists replace");
        }
        Ok(found) if !found.is_file() => return refused("it is no file that could be replaced"),
        _ => {}
    }
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return refused("there is no such folder");
    }
    Ok(check_out(folder, origin.store())?)
}

/// Rows of each batch.
fn rows(finished: &FinishedJob) -> Vec<u64> {
    finished
        .batches
        .iter()
        .map(|batch| batch.counts.profiles)
        .collect()
}

pub fn check_demands(demands: &DemandArgs, rows: &[u64], rejected: u64) -> Result<(), Failure> {
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
