use std::time::{Duration, Instant};

use profile_export::jobs::{
    FinishedJob, FolderExport, JobTime, LargeProfiles, RunOptions, export_folder, run_request,
};
use profile_export::platform::{Error, check_out};
use profile_export::request::ExportRequest;

use crate::args::{Arguments, RunArgs};
use crate::failure::Failure;
use crate::loading::{load_options, open_source, say_loaded};
use crate::message::say;
use crate::output::{bytes, count, print_json, read};
use crate::progress::Watch;
use crate::stores::open;

/// How long an export that reads its source itself may take to stop. What one leaves that is killed, the next
/// export to the folder clears.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn run(arguments: &Arguments, run: &RunArgs) -> Result<(), Failure> {
    if let Some(out) = &run.out {
        check_out(out, run.store.as_deref())?;
    }
    let request = ExportRequest::from_json(&read(&run.request)?)?;
    let started = Instant::now();
    let finished = match (&run.store, &run.from, &run.out) {
        (Some(store), None, out) => {
            let store = open(arguments, store)?;
            let options = RunOptions {
                out: out.clone(),
                max_rows_per_file: run.max_rows_per_file,
                max_identities: run.max_identities,
                ..RunOptions::default()
            };
            let watch = Watch::start(arguments, 0);
            run_request(&store, &request, &options, &watch.progress)
        }
        (None, Some(from), Some(out)) => {
            let source = open_source(arguments, from)?;
            let watch = Watch::start(arguments, source.length()).ending_within(PATIENCE);
            let options = FolderExport {
                request: &request,
                out,
                load: load_options(&run.loading),
                max_rows_per_file: run.max_rows_per_file,
                max_identities: run.max_identities,
            };
            let exported = export_folder(&source, &options, &watch.progress);
            drop(watch);
            exported.map(|(report, finished)| {
                say_loaded(arguments, &report, &run.loading);
                finished
            })
        }
        _ => {
            return Err(Failure::usage(
                "give --store DIR, or --from DIR and --out DIR",
            ));
        }
    };
    tell_end(arguments, finished, started)
}

/// Prints a job that ended, however it did.
pub fn tell_end(
    arguments: &Arguments,
    ended: Result<FinishedJob, Error>,
    started: Instant,
) -> Result<(), Failure> {
    match ended {
        Ok(finished) => {
            print_json(&finished.job)?;
            for line in summary(&finished, started) {
                say(arguments, &line);
            }
            Ok(())
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
