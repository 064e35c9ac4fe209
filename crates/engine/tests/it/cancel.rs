//! A wish to cancel that comes when all work is done and only the commit is left.

use profile_export::jobs::create_job;
use profile_export::request::ExportRequest;
use profile_export::store::{BatchQuery, Document};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::scratch::{Scratch, request};

#[test]
fn a_wish_to_cancel_that_comes_before_the_commit_counts() {
    let scratch = Scratch::new();
    let wanted = ExportRequest::from_json(request(json!({})).to_string().as_bytes()).unwrap();
    let job = create_job(&scratch.store, &wanted).unwrap();
    let finished = scratch.run(&request(json!({}))).unwrap();
    let catalog = scratch.store.catalog();
    let written = catalog.batches(&BatchQuery::default()).unwrap();
    assert_eq!(written.len(), 1);
    catalog.delete_batch(&finished.batches[0].id).unwrap();

    let connection = Connection::open(scratch.store.layout().catalog()).unwrap();
    // It keeps the digests of the catalog's rows, by a function that only the program has.
    connection
        .execute_batch("DROP TRIGGER jobs_changed")
        .unwrap();
    let begin = "UPDATE jobs SET status = 'PROCESSING' WHERE id = ?1";
    connection.execute(begin, [job.id]).unwrap();
    catalog.request_cancel(job.id).unwrap();
    let body: Document = Value::Null.into();
    assert!(!catalog.finish_job(job.id, &body, &written).unwrap());
    assert_eq!(catalog.batches(&BatchQuery::default()).unwrap(), []);
}
