//! Stores that earlier releases wrote open for ever.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use profile_export::export::Progress;
use profile_export::jobs::{JobPage, JobStatus, RunOptions, create_job, list_jobs, run_job};
use profile_export::request::ExportRequest;
use profile_export::store::{
    BatchQuery, DatasetInputs, Input, LoadOptions, Scope, Store, Verified,
};
use profile_export::xdm::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::readback;
use crate::scratch::{batches, sorted};

pub fn frozen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/stores")
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Runs the requests of the jobs that succeeded once more; their rows must be those of the batches that
/// they wrote back then.
fn run_again(store: &Store, ids: RangeInclusive<i64>) {
    let jobs = list_jobs(store, &JobPage::default()).unwrap().records;
    let mut again = 0;
    for job in jobs.iter().filter(|job| ids.contains(&job.id)) {
        assert_eq!(job.status, JobStatus::Succeeded);
        let record = store.catalog().job(job.id).unwrap().unwrap();
        let request: ExportRequest = record.request.read().unwrap();
        let new = create_job(store, &request).unwrap();
        let found = run_job(store, new.id, &RunOptions::default(), &Arc::default()).unwrap();
        let ids = job.batch_ids();
        assert_eq!(found.batches.len(), ids.len());
        for (found, id) in batches(&found).into_iter().zip(ids) {
            let then = store
                .layout()
                .batches()
                .join(&id)
                .join("part-00000.parquet");
            assert_eq!(
                sorted(found),
                sorted(spelled_as_now(readback::rows(&then))),
                "job {}",
                job.id
            );
        }
        again += 1;
    }
    assert_eq!(again, 5);
}

fn open(version: &str) -> (TempDir, Store) {
    let folder = TempDir::new().unwrap();
    let home = folder.path().join("store");
    copy(&frozen().join(version).join("store"), &home);
    let store = Store::open(&home, Scope::default()).unwrap();
    (folder, store)
}

/// Rows of before namespaces had one spelling, with their events.
fn spelled_as_now(mut rows: Vec<Value>) -> Vec<Value> {
    for row in &mut rows {
        spell(row);
        let events = row.get_mut("timeSeriesEvents");
        let events = events.and_then(Value::as_array_mut);
        events.into_iter().flatten().for_each(spell);
    }
    rows
}

fn spell(record: &mut Value) {
    for (field, then, now) in [
        ("segmentMembership", "UPS", "ups"),
        ("identityMap", "email", "Email"),
        ("identityMap", "ecid", "ECID"),
    ] {
        if let Some(map) = record.get_mut(field).and_then(Value::as_object_mut)
            && let Some(values) = map.remove(then)
        {
            map.insert(now.to_owned(), values);
        }
    }
}

#[test]
fn a_store_of_the_first_format_opens_exports_and_is_compacted() {
    let (_folder, store) = open("v1");
    assert_eq!(store.verify().unwrap(), Verified::default());
    let stats = store.stats().unwrap();
    let records: u64 = stats.datasets.iter().map(|dataset| dataset.records).sum();
    assert_eq!((stats.runs, records), (5, 135));
    let mut batches_then = store.catalog().batches(&BatchQuery::default()).unwrap();
    assert_eq!(batches_then.len(), 7);
    assert!(batches_then.remove(0).files[0].digest.is_some());

    // A job that waits reads the store as of its creation, records that were replaced since too.
    let waits = run_job(&store, 1, &RunOptions::default(), &Arc::default()).unwrap();
    let then: Vec<Value> = readback::rows(&frozen().join("v1/job-1.parquet"));
    assert_eq!(
        sorted(batches(&waits).remove(0)),
        sorted(spelled_as_now(then))
    );

    // Jobs 1 and 2 read the store as it was before its second load.
    run_again(&store, 3..=7);
    let compacted = store.compact().unwrap();
    assert_eq!(compacted.runs, 4);
    assert_eq!(store.verify().unwrap(), Verified::default());
    let now = store.catalog().generation().unwrap();
    for run in store.catalog().runs(now).unwrap() {
        assert_eq!(run.files.format, 2, "{}", run.folder);
    }
}

#[test]
fn a_compacted_store_of_the_first_format_exports_the_same() {
    let (_folder, store) = open("v1");
    store.compact().unwrap();
    run_again(&store, 3..=7);
}

/// It also has runs of the first format, which a job that waits reads.
#[test]
fn a_store_of_the_second_format_opens_exports_and_is_compacted() {
    let (_folder, store) = open("v2");
    assert_eq!(store.verify().unwrap(), Verified::default());
    let waits = run_job(&store, 1, &RunOptions::default(), &Arc::default()).unwrap();
    let then: Vec<Value> = readback::rows(&frozen().join("v1/job-1.parquet"));
    assert_eq!(
        sorted(batches(&waits).remove(0)),
        sorted(spelled_as_now(then))
    );
    run_again(&store, 9..=13);
    assert_eq!(store.compact().unwrap().runs, 4);
    assert_eq!(store.verify().unwrap(), Verified::default());
    run_again(&store, 9..=13);
}

/// It notes how its namespaces are spelled with the first change of its records, before anything else says it.
#[test]
fn a_store_of_before_keeps_the_spelling_of_its_namespaces_with_the_next_load_or_compaction() {
    for (version, compacts) in [("v1", true), ("v1", false), ("v2", false)] {
        let (folder, store) = open(version);
        let codes = || store.catalog().namespaces().unwrap();
        assert!(codes().codes().is_empty(), "{version}");
        match compacts {
            true => drop(store.compact().unwrap()),
            false => {
                let file = folder.path().join("more.ndjson");
                fs::write(&file, r#"{"identityMap": {"crmid": [{"id": "new"}]}}"#).unwrap();
                let crm = store.catalog().dataset("crm").unwrap().unwrap();
                let load = DatasetInputs {
                    ingested_at: Some(Timestamp::now()),
                    ..DatasetInputs::new(&crm.id, vec![Input::File(file)])
                };
                let options = LoadOptions::default();
                store
                    .ingest(&[load], &options, &Progress::default())
                    .unwrap();
            }
        }
        assert_eq!(codes().spelled("crmid"), "CRMID", "{version}");
        assert!(codes().codes().contains(&"Email".to_owned()), "{version}");
    }
}
