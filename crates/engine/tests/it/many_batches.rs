//! Jobs of many batches, which are made side by side.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, OnceLock};

use profile_export::export::{Codec, Progress, WriterOptions};
use profile_export::jobs::{FinishedJob, JobStatus, RunOptions, create_job, get_job, run_job};
use profile_export::platform::{Error, Result};
use profile_export::request::ExportRequest;
use profile_export::store::BatchQuery;
use profile_export::xdm::Class;
use serde_json::{Value, json};

use crate::scratch::{Scratch, TARGET, request};

const CRM: &str = "0000000000000000000000a1";
const SEGMENTS: usize = 24;

/// A store of 500 people, of whom the one with the number n is in each segment whose number divides n: the first
/// segment has all, the others ever fewer.
fn people() -> Scratch {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({}));
    let person = |n: usize| {
        let in_segment = |s: &usize| n.is_multiple_of(s + 1);
        let segments: serde_json::Map<String, Value> = (0..SEGMENTS)
            .filter(in_segment)
            .map(|s| (format!("segment-{s}"), json!({"status": "realized"})))
            .collect();
        json!({"identityMap": {"Email": [{"id": format!("p{n}")}]}, "x": n, "segmentMembership": {"ups": segments}})
    };
    let records: Vec<Value> = (0..500).map(person).collect();
    scratch.load(CRM, &records).unwrap();
    scratch
}

/// A request for a batch for each segment.
fn wanted() -> ExportRequest {
    let segments: Vec<Value> = (0..SEGMENTS)
        .map(|s| json!({"segmentId": format!("segment-{s}")}))
        .collect();
    let body = request(json!({
        "filter": {"segments": segments},
        "destination": {"datasetId": TARGET, "segmentPerBatch": true},
    }));
    ExportRequest::from_json(body.to_string().as_bytes()).unwrap()
}

fn run(scratch: &Scratch, options: &RunOptions, progress: &Arc<Progress>) -> Result<FinishedJob> {
    let job = create_job(&scratch.store, &wanted()).unwrap();
    run_job(&scratch.store, job.id, options, progress)
}

/// What is in the store's folders of batches and of jobs at work.
fn left(scratch: &Scratch) -> Vec<String> {
    let layout = scratch.store.layout();
    let folders = [layout.batches(), layout.staging()];
    let entries = folders.map(|folder| fs::read_dir(folder).unwrap());
    let names = entries.into_iter().flatten();
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn batches_that_are_made_side_by_side_are_the_same_in_the_same_order() {
    let outcome = || {
        // A store each: the job's ID stands in its files.
        let scratch = people();
        let job = run(&scratch, &RunOptions::default(), &Arc::default()).unwrap();
        let destinations = job.job.destination.batches.clone().unwrap();
        let given: Vec<&String> = destinations.iter().map(|batch| &batch.batch_id).collect();
        let made: Vec<&String> = job.batches.iter().map(|batch| &batch.id).collect();
        assert_eq!(made, given);
        let known = scratch.store.catalog().batches(&BatchQuery::default());
        let known: BTreeSet<String> = known.unwrap().into_iter().map(|batch| batch.id).collect();
        assert_eq!(known, made.into_iter().cloned().collect());
        let files = job.batches.iter().map(|batch| batch.files.clone());
        let counts = job.batches.iter().map(|batch| batch.counts.profiles);
        let metrics = &job.job.metrics;
        (
            files.collect::<Vec<_>>(),
            counts.collect::<Vec<_>>(),
            metrics.exported_profile_by_segment_counter.clone(),
            metrics.total_exported_profile_counter,
        )
    };
    let in_pool = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(outcome)
    };
    let one_by_one = in_pool(1);
    assert_eq!(one_by_one.1[..4], [500, 250, 167, 125]);
    assert_eq!(in_pool(3), one_by_one);
    // Only a caller that is no thread of a pool gets batches side by side.
    for _ in 0..3 {
        assert_eq!(outcome(), one_by_one);
    }
}

#[test]
fn of_several_batches_that_cant_be_written_the_first_is_told_and_nothing_stays() {
    let scratch = people();
    let options = RunOptions {
        writer: WriterOptions {
            codec: Codec::Zstd(99),
            ..WriterOptions::default()
        },
        ..RunOptions::default()
    };
    for _ in 0..10 {
        let error = run(&scratch, &options, &Arc::default()).unwrap_err();
        let Error::JobFailed { job, message, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(job.status, JobStatus::Failed);
        let first = &job.destination.batches.as_ref().unwrap()[0].batch_id;
        assert!(message.contains(first), "{message}");
        assert_eq!(left(&scratch), [""; 0]);
    }
}

#[test]
fn where_one_of_a_jobs_batches_cant_be_published_none_is_seen() {
    let scratch = people();
    let out = scratch.folder.path().join("out");
    let job = create_job(&scratch.store, &wanted()).unwrap();
    let taken = job.destination.batches.unwrap()[SEGMENTS / 2]
        .batch_id
        .clone();
    fs::create_dir_all(out.join(&taken)).unwrap();
    let options = RunOptions {
        out: Some(out.clone()),
        ..RunOptions::default()
    };
    let error = run_job(&scratch.store, job.id, &options, &Arc::default()).unwrap_err();
    assert!(error.to_string().contains(&taken), "{error}");
    for entry in fs::read_dir(&out).unwrap() {
        assert_eq!(entry.unwrap().file_name(), taken.as_str());
    }
}

#[test]
fn a_job_that_is_cancelled_between_its_batches_leaves_nothing() {
    let scratch = people();
    let own: Arc<OnceLock<Arc<Progress>>> = Arc::default();
    let ears = Arc::clone(&own);
    let progress = Arc::new(Progress::with_callback(move |at| {
        // After the first batch, and before the last.
        if at.rows > 600
            && let Some(progress) = ears.get()
        {
            progress.cancel();
        }
    }));
    own.set(Arc::clone(&progress)).unwrap();
    let error = run(&scratch, &RunOptions::default(), &progress).unwrap_err();
    let Error::JobCancelled { id, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(
        get_job(&scratch.store, id).unwrap().status,
        JobStatus::Cancelled
    );
    assert_eq!(left(&scratch), [""; 0]);
}
