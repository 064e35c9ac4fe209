//! Follows an export through a callback, and cancels it half-way.
//!
//!     cargo run --example watch_and_cancel

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use profile_export::export::Progress;
use profile_export::jobs::{JobStatus, RunOptions, create_job, get_job, run_job};
use profile_export::request::{Destination, ExportRequest};
use profile_export::store::{DatasetInputs, Input, LoadOptions, Scope, Store};
use profile_export::xdm::{Class, Dataset};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let people = folder.path().join("people.ndjson");
    let lines =
        (0..50_000).map(|n| format!("{{\"identityMap\":{{\"CRMID\":[{{\"id\":\"{n}\"}}]}}}}\n"));
    std::fs::write(&people, lines.collect::<String>())?;
    let store = Store::open(folder.path().join("store"), Scope::default())?;
    let catalog = store.catalog();
    let crm = catalog.create_dataset(Dataset::new("", "crm", Class::Profile))?;
    let load = DatasetInputs::new(&crm.id, vec![Input::File(people)]);
    store.ingest(&[load], &LoadOptions::default(), &Progress::default())?;

    let target = catalog.create_dataset(Dataset::target("", "Exports"))?;
    let request = ExportRequest {
        destination: Destination {
            dataset_id: target.id,
            segment_per_batch: None,
        },
        ..ExportRequest::default()
    };
    let job = create_job(&store, &request)?;

    // The callback is called on whatever thread did the rows.
    let seen = Arc::new(AtomicU64::new(0));
    let last = Arc::clone(&seen);
    let progress = Progress::with_callback(move |at| last.store(at.rows, Ordering::Relaxed));
    let progress = Arc::new(progress);
    let result = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while seen.load(Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
            progress.cancel();
        });
        let result = run_job(&store, job.id, &RunOptions::default(), &progress);
        // Where the job was quicker, there is nothing left to wait for.
        seen.fetch_max(1, Ordering::Relaxed);
        watcher.join().map(|()| result)
    });
    let status = get_job(&store, job.id)?.status;
    match result {
        Ok(Err(error)) => println!("{status}: {error}"),
        Ok(Ok(finished)) => println!("{status}: all {} rows were quicker", finished.profiles),
        Err(_) => return Err("the watcher gave up".into()),
    }
    assert!(matches!(
        status,
        JobStatus::Cancelled | JobStatus::Succeeded
    ));
    Ok(())
}
