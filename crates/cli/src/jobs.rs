mod card;

use std::time::Duration;

use profile_export::jobs::{
    CancelOutcome, Job, JobPage, JobStatus, RunOptions, cancel_job, create_job, delete_job,
    get_job, job_progress, list_jobs, retry_job, run_job, sweep,
};
use profile_export::request::ExportRequest;
use profile_export::store::Store;

use crate::args::{Arguments, JobsCommand, KeepArgs};
use crate::card::print_object;
use crate::failure::Failure;
use crate::keep::forget_older;
use crate::listing::{Cell, Table, print_list, wants_table};
use crate::message::say;
use crate::names::Names;
use crate::output::{count, print_json, read, short};
use crate::progress::Watch;
use crate::stores::open;
use crate::told::tell_end;

pub use card::{card, segments};

pub fn run(arguments: &Arguments, command: &JobsCommand) -> Result<(), Failure> {
    match command {
        JobsCommand::Create { request, store } => {
            let request = ExportRequest::from_json(&read(request)?)?;
            let store = open(arguments, &store.store)?;
            let job = create_job(&store, &request)?;
            print_job(arguments, &store, &job)
        }
        JobsCommand::Run {
            id,
            next: _,
            all,
            keep,
            store,
        } => {
            let store = open(arguments, &store.store)?;
            match id {
                Some(id) => run_one(arguments, &store, *id, keep),
                None => run_waiting(arguments, &store, *all, keep),
            }
        }
        JobsCommand::List {
            limit,
            offset,
            status,
            sort,
            store,
        } => {
            let store = open(arguments, &store.store)?;
            sweep(&store)?;
            let list = list_jobs(
                &store,
                &JobPage {
                    limit: *limit,
                    offset: offset.clone(),
                    status: status.clone(),
                    sort: sort.clone(),
                },
            )?;
            if !arguments.jsonl && !wants_table(arguments) {
                return print_json(&list);
            }
            print_list(arguments, &list, &list.records, || {
                Ok(table(&list.records, &Names::of(&store)?))
            })
        }
        JobsCommand::Get { id, store } => {
            let store = open(arguments, &store.store)?;
            sweep(&store)?;
            print_job(arguments, &store, &get_job(&store, *id)?)
        }
        JobsCommand::Watch { id, store } => watch(arguments, &open(arguments, &store.store)?, *id),
        JobsCommand::Retry {
            id,
            max_identities,
            keep,
            store,
        } => {
            let store = open(arguments, &store.store)?;
            let options = RunOptions {
                max_identities: *max_identities,
                ..RunOptions::default()
            };
            let started = std::time::Instant::now();
            let watch = Watch::start(arguments, 0);
            let ended = retry_job(&store, *id, &options, &watch.progress);
            drop(watch);
            tell_end(arguments, ended, started, || Names::of(&store))?;
            forget_older(arguments, &store, keep.keep());
            Ok(())
        }
        JobsCommand::Delete { id, store } => {
            delete_job(&open(arguments, &store.store)?, *id)?;
            say(arguments, &format!("deleted job {id}"));
            Ok(())
        }
        JobsCommand::Cancel { id, store } => {
            let store = open(arguments, &store.store)?;
            if cancel_job(&store, *id)? == CancelOutcome::Requested {
                // The runner looks ten times a second.
                for _ in 0..100 {
                    if get_job(&store, *id)?.status != JobStatus::Processing {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            let job = get_job(&store, *id)?;
            say(arguments, &format!("job {id} is {}", job.status));
            print_job(arguments, &store, &job)
        }
    }
}

/// Prints a job with its errors.
fn print_job(arguments: &Arguments, store: &Store, job: &Job) -> Result<(), Failure> {
    print_object(arguments, job, || {
        Ok(card::card_with_errors(job, &Names::of(store)?))
    })
}

/// A table of jobs.
pub fn table(jobs: &[Job], names: &Names) -> Table<8> {
    let rows = jobs.iter().map(|job| {
        let took = &job.metrics.total_time.total_time_in_ms;
        [
            Cell::Text(job.id.to_string()),
            Cell::Text(job.status.to_string()),
            Cell::Time(job.creation_time),
            Cell::of(took.map(|took| format!("{took} ms"))),
            Cell::count(job.metrics.total_exported_profile_counter),
            Cell::count(job.metrics.total_exported_event_counter),
            Cell::Text(short(&card::segments(job, names).join(", "))),
            Cell::of(
                job.errors
                    .first()
                    .map(|error| format!("{}: {}", error.code, short(&error.msg))),
            ),
        ]
    });
    Table {
        head: [
            "ID", "STATUS", "CREATED", "TOOK", "PROFILES", "EVENTS", "SEGMENTS", "ERROR",
        ],
        rows: rows.collect(),
    }
}

fn run_one(arguments: &Arguments, store: &Store, id: i64, keep: &KeepArgs) -> Result<(), Failure> {
    let started = std::time::Instant::now();
    let watch = Watch::start(arguments, 0);
    let finished = run_job(store, id, &RunOptions::default(), &watch.progress);
    drop(watch);
    tell_end(arguments, finished, started, || Names::of(store))?;
    forget_older(arguments, store, keep.keep());
    Ok(())
}

/// Runs the oldest waiting job, or one after the other until none waits. A job that another process
/// takes first is that one's.
fn run_waiting(
    arguments: &Arguments,
    store: &Store,
    all: bool,
    keep: &KeepArgs,
) -> Result<(), Failure> {
    let mut failed = None;
    while let Some(job) = store.catalog().next_job()? {
        match run_one(arguments, store, job.id, keep) {
            Ok(()) => {}
            Err(failure) if get_job(store, job.id)?.status == JobStatus::New => {
                // It could not even be begun: another process is about to, or something is amiss.
                std::thread::sleep(Duration::from_millis(50));
                if get_job(store, job.id)?.status == JobStatus::New {
                    return Err(failure);
                }
            }
            Err(failure) if failure.is_interrupt() => return Err(failure),
            Err(failure) if failure.is_usage() => {}
            Err(failure) => failed = Some(failure),
        }
        if !all {
            break;
        }
    }
    failed.map_or(Ok(()), Err)
}

fn watch(arguments: &Arguments, store: &Store, id: i64) -> Result<(), Failure> {
    let mut told = String::new();
    loop {
        sweep(store)?;
        let job = get_job(store, id)?;
        let mut line = format!("job {id}: {}", job.status);
        if let Some(progress) = job_progress(store, id) {
            let share = progress.millionths / 10_000;
            line.push_str(&format!(" {share} %, {} rows", count(progress.rows)));
        }
        if line != told {
            say(arguments, &line);
            told = line;
        }
        if !job.status.is_final() {
            std::thread::sleep(Duration::from_millis(100));
            continue;
        }
        print_object(arguments, &job, || Ok(card::card(&job, &Names::of(store)?)))?;
        return match job.status {
            JobStatus::Succeeded => Ok(()),
            _ => Err(Failure::of_job(job)),
        };
    }
}
