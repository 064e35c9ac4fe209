use std::time::Duration;

use profile_export::jobs::{
    CancelOutcome, JobPage, JobStatus, RunOptions, cancel_job, create_job, get_job, job_progress,
    list_jobs, run_job, sweep,
};
use profile_export::request::ExportRequest;
use profile_export::store::Store;

use crate::args::{Arguments, JobsCommand};
use crate::export::tell_end;
use crate::failure::Failure;
use crate::message::say;
use crate::output::{count, print_json, read};
use crate::progress::Watch;
use crate::stores::open;

pub fn run(arguments: &Arguments, command: &JobsCommand) -> Result<(), Failure> {
    match command {
        JobsCommand::Create { request, store } => {
            let request = ExportRequest::from_json(&read(request)?)?;
            let job = create_job(&open(arguments, &store.store)?, &request)?;
            print_json(&job)
        }
        JobsCommand::Run {
            id,
            next: _,
            all,
            store,
        } => {
            let store = open(arguments, &store.store)?;
            match id {
                Some(id) => run_one(arguments, &store, *id),
                None => run_waiting(arguments, &store, *all),
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
            print_json(&list_jobs(
                &store,
                &JobPage {
                    limit: *limit,
                    offset: offset.clone(),
                    status: status.clone(),
                    sort: sort.clone(),
                },
            )?)
        }
        JobsCommand::Get { id, store } => {
            let store = open(arguments, &store.store)?;
            sweep(&store)?;
            print_json(&get_job(&store, *id)?)
        }
        JobsCommand::Watch { id, store } => watch(arguments, &open(arguments, &store.store)?, *id),
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
            print_json(&job)
        }
    }
}

fn run_one(arguments: &Arguments, store: &Store, id: i64) -> Result<(), Failure> {
    let started = std::time::Instant::now();
    let watch = Watch::start(arguments, 0);
    let finished = run_job(store, id, &RunOptions::default(), &watch.progress);
    drop(watch);
    tell_end(arguments, finished, started).map(drop)
}

/// Runs the oldest waiting job, or one after the other until none waits. A job that another process
/// takes first is that one's.
fn run_waiting(arguments: &Arguments, store: &Store, all: bool) -> Result<(), Failure> {
    let mut failed = None;
    while let Some(job) = store.catalog().next_job()? {
        match run_one(arguments, store, job.id) {
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
            line.push_str(&format!(", {} rows", count(progress.rows)));
        }
        if line != told {
            say(arguments, &line);
            told = line;
        }
        if !job.status.is_final() {
            std::thread::sleep(Duration::from_millis(100));
            continue;
        }
        print_json(&job)?;
        return match job.status {
            JobStatus::Succeeded => Ok(()),
            status => {
                let why = job.errors.first().map(|e| format!(": {}", e.msg));
                let why = why.unwrap_or_default();
                Err(Failure::failed(format!("job {id} is {status}{why}")))
            }
        };
    }
}
