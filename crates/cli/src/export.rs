use std::time::Instant;

use profile_export::{
    ExportRequest, Finished, RunOptions, Scope, SourceFolder, Store, create_job, export_folder,
    run_job,
};

use crate::args::{Arguments, RunArgs};
use crate::failure::Failure;
use crate::ingest::{now_micros, on_bad_record, say_loaded};
use crate::output::{bytes, count, print_json, read};
use crate::progress::{Watch, say};

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
            };
            let watch = Watch::start(arguments, 0);
            run_job(&store, &job, &options, &watch.progress)?
        }
        (None, Some(from), Some(out)) => {
            let source = SourceFolder::open(from)?;
            let watch = Watch::start(arguments, source.length());
            let (report, finished) = export_folder(
                &request,
                &source,
                out,
                &on_bad_record(&run.bad_records),
                run.max_rows_per_file,
                now_micros(),
                &watch.progress,
            )?;
            drop(watch);
            say_loaded(arguments, &report, &run.bad_records);
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

/// Opens a store that must exist.
pub fn open(arguments: &Arguments, folder: &std::path::Path) -> Result<Store, Failure> {
    if !folder.join("catalog.sqlite").is_file() {
        return Err(Failure::usage(format!(
            "{}: no store; make one with: profile-export ingest --store {} --from DIR",
            folder.display(),
            folder.display()
        )));
    }
    Ok(Store::open(folder, scope(arguments))?)
}

pub fn scope(arguments: &Arguments) -> Scope {
    Scope {
        org: arguments.org.clone(),
        sandbox: arguments.sandbox.clone(),
    }
}

/// What was written where, and how long each stage took.
pub fn summary(finished: &Finished, started: Instant) -> String {
    let mut text = String::new();
    for (folder, files) in &finished.batches {
        for file in files {
            text.push_str(&format!(
                "{}: {} profiles, {}\n",
                folder.join(&file.name).display(),
                count(file.rows),
                bytes(file.length)
            ));
        }
    }
    let took = |step: &str| {
        let path = format!("/metrics/{step}/totalTimeInMs");
        finished.job.pointer(&path).cloned().unwrap_or_default()
    };
    text.push_str(&format!(
        "{} profiles and {} events in {:.3} s (load and plan {} ms, export {} ms, publish {} ms)",
        count(finished.profiles),
        count(finished.events),
        started.elapsed().as_secs_f64(),
        started
            .elapsed()
            .as_millis()
            .saturating_sub(u128::from(took("totalTime").as_u64().unwrap_or(0))),
        took("profileExportTime"),
        took("aCPDatasetWriteTime"),
    ));
    text
}
