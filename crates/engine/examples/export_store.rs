//! Loads the fixtures into a store and exports an audience: as a job that writes Parquet, and the same
//! rows as a stream of record batches.
//!
//!     cargo run --example export_store

use std::sync::Arc;

use profile_export::export::{Export, Plan, Progress, UnionSchemas};
use profile_export::jobs::{RunOptions, create_job, run_job};
use profile_export::platform::{SourceFolder, merge_policy};
use profile_export::request::{Destination, ExportRequest, FilterRequest, SegmentRequest};
use profile_export::store::{LoadOptions, Scope, Store};
use profile_export::xdm::Dataset;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path().join("store"), Scope::default())?;
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/retailer");
    let source = SourceFolder::open(fixtures.as_ref())?;
    let report = source.load(&store, &LoadOptions::default(), &Progress::default())?;
    println!("{} records loaded", report.loaded);

    let target = Dataset::target("", "Holiday shoppers");
    let target = store.catalog().create_dataset(target)?;
    let request = ExportRequest {
        fields: Some("personalEmail.address,person.name".to_owned()),
        filter: Some(FilterRequest {
            segments: Some(vec![SegmentRequest {
                segment_id: "holiday-shoppers".to_owned(),
                segment_ns: None,
                status: None,
            }]),
            ..FilterRequest::default()
        }),
        destination: Destination {
            dataset_id: target.id,
            segment_per_batch: None,
        },
        ..ExportRequest::default()
    };

    // As a job: its batch is visible all at once, and the catalog remembers it.
    let job = create_job(&store, &request)?;
    let finished = run_job(&store, job.id, &RunOptions::default(), &Arc::default())?;
    for batch in &finished.batches {
        for file in &batch.files {
            println!("{}: {} profiles", file.name, file.rows);
        }
    }

    // As a stream: nothing is written.
    let snapshot = store.snapshot(None)?;
    let policy = merge_policy(store.catalog(), &job.merge_policy.id, None)?;
    let plan = Plan::new(&request, policy, &UnionSchemas::from(&snapshot))?;
    let export = Export::new(&snapshot, &plan)?;
    let mut rows = 0;
    for chunk in export.batch(0).chunks() {
        rows += chunk?.num_rows() as u64;
    }
    assert_eq!(rows, finished.profiles);
    println!("{rows} rows streamed: {}", export.schema());
    Ok(())
}
