use std::time::Instant;

use profile_export::jobs::{
    FinishedJob, FolderExport, JobTime, RunOptions, create_job, export_folder, run_job,
};
use profile_export::request::ExportRequest;

use crate::args::{Arguments, RunArgs};
use crate::failure::Failure;
use crate::loading::{load_options, open_source, say_loaded};
use crate::output::{bytes, count, print_json, read};
use crate::progress::{Watch, say};
use crate::stores::open;

pub fn run(arguments: &Arguments, run: &RunArgs) -> Result<(), Failure> {
    let request = ExportRequest::from_json(&read(&run.request)?)?;
    let started = Instant::now();
    let finished = match (&run.store, &run.from, &run.out) {
        (Some(store), None, out) => {
            let store = open(arguments, store)?;
            let job = create_job(&store, &request)?;
            let options = RunOptions {
                out: out.clone(),
                max_rows_per_file: run.max_rows_per_file,
                ..RunOptions::default()
            };
            let watch = Watch::start(arguments, 0);
            run_job(&store, job.id, &options, &watch.progress)?
        }
        (None, Some(from), Some(out)) => {
            let source = open_source(arguments, from)?;
            let watch = Watch::start(arguments, source.length());
            let options = FolderExport {
                request: &request,
                out,
                load: load_options(&run.loading),
                max_rows_per_file: run.max_rows_per_file,
            };
            let (report, finished) = export_folder(&source, &options, &watch.progress)?;
            drop(watch);
            say_loaded(arguments, &report, &run.loading);
            finished
        }
        _ => {
            return Err(Failure::usage(
                "give --store DIR, or --from DIR and --out DIR",
            ));
        }
    };
    print_json(&finished.job)?;
    say(arguments, &summary(&finished, started));
    Ok(())
}

/// What was written where, and how long each stage took.
pub fn summary(finished: &FinishedJob, started: Instant) -> String {
    let mut text = String::new();
    for batch in &finished.batches {
        for file in &batch.files {
            text.push_str(&format!(
                "{}: {} profiles, {}\n",
                batch.folder.join(&file.name).display(),
                count(file.rows),
                bytes(file.length)
            ));
        }
    }
    let metrics = &finished.job.metrics;
    let took = |step: Option<&JobTime>| step.and_then(|step| step.total_time_in_ms).unwrap_or(0);
    let whole = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    text.push_str(&format!(
        "{} profiles and {} events in {:.3} s (load and plan {} ms, export {} ms, publish {} ms)",
        count(finished.profiles),
        count(finished.events),
        started.elapsed().as_secs_f64(),
        whole.saturating_sub(took(Some(&metrics.total_time))),
        took(metrics.profile_export_time.as_ref()),
        took(metrics.acp_dataset_write_time.as_ref()),
    ));
    text
}
