use std::path::PathBuf;
use std::sync::Arc;

use profile_export::export::Progress;
use profile_export::jobs::{RunOptions, create_job, run_job};
use profile_export::request::{AdditionalFields, Destination, EventList, ExportRequest};
use profile_export::store::Store;
use profile_export::xdm::Dataset;
use profile_export_datafusion::BatchTable;

use crate::{retailer, rows, session, sorted};

/// The files of a job that exports these fields, and events if it is to.
fn exported(store: &Store, dataset: &str, fields: &str, events: bool) -> Vec<PathBuf> {
    let request = ExportRequest {
        fields: Some(fields.to_owned()),
        additional_fields: events.then(|| AdditionalFields {
            event_list: Some(EventList::default()),
        }),
        destination: Destination {
            dataset_id: dataset.to_owned(),
            segment_per_batch: None,
        },
        ..ExportRequest::default()
    };
    let job = create_job(store, &request).expect("a job");
    let progress = Arc::new(Progress::default());
    let finished = run_job(store, job.id, &RunOptions::default(), &progress).expect("run");
    let batch = &finished.batches[0];
    (batch.files.iter())
        .map(|file| batch.folder.join(&file.name))
        .collect()
}

#[tokio::test]
async fn batches_of_other_fields_are_one_table() {
    let (_folder, store) = retailer();
    let dataset = store
        .catalog()
        .create_dataset(Dataset::target("", "Exports"));
    let dataset = dataset.expect("a dataset").id;
    let first = exported(&store, &dataset, "person.name.firstName", false);
    let second = exported(&store, &dataset, "person.name,identityMap", true);

    let context = session();
    let both = BatchTable::new(&[first.clone(), second.clone()].concat()).expect("a table");
    context.register_table("t", Arc::new(both)).expect("new");
    for (name, files) in [("a", first), ("b", second)] {
        let table = BatchTable::new(&files).expect("a table");
        context.register_table(name, Arc::new(table)).expect("new");
    }
    let mut expected = sorted(&context, "SELECT \"person\" FROM a").await;
    let all = sorted(&context, "SELECT * FROM b").await;
    expected.extend(all);
    expected.sort();
    assert!(expected.len() > 40);
    assert_eq!(sorted(&context, "SELECT * FROM t").await, expected);
    let firsts =
        "SELECT \"person\"['name']['firstName'] AS n FROM t WHERE \"timeSeriesEvents\" IS NULL";
    assert!(!rows(&context, firsts).await.is_empty());
    let counted = sorted(&context, "SELECT count(*) AS n FROM t").await;
    assert_eq!(counted, [format!("{{\"n\":{}}}", expected.len())]);
}

#[test]
fn a_file_that_is_gone_is_named() {
    let files = [PathBuf::from("nowhere/part-00000.parquet")];
    let error = BatchTable::new(&files).expect_err("no file");
    assert!(
        error.to_string().contains("nowhere/part-00000.parquet"),
        "{error}"
    );
}

#[tokio::test]
async fn no_batches_are_a_table_without_columns() {
    let context = session();
    let table = BatchTable::new(&[]).expect("a table");
    context.register_table("t", Arc::new(table)).expect("new");
    let counted = sorted(&context, "SELECT count(*) AS n FROM t").await;
    assert_eq!(counted, ["{\"n\":0}"]);
}
