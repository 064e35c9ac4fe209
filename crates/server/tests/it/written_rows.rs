//! What a statement wrote, as clients of the catalog and of Data Access see it.

use std::fs;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use profile_export::arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchIterator, StringArray, StructArray,
};
use profile_export::arrow::datatypes::{DataType, Field};
use profile_export::export::Progress;
use profile_export::platform::{
    Rows, RowsTarget, WrittenRows, ad_hoc_dataset, load_rows, write_rows,
};
use profile_export::store::{Store, new_id};
use profile_export::xdm::{Class, Dataset};
use serde_json::json;

use crate::serving::{BATCHES, DATASETS, EXPORT, Serving};

fn batch() -> RecordBatch {
    let cities: ArrayRef = Arc::new(StringArray::from(vec!["Nice", "Bern"]));
    let people: ArrayRef = Arc::new(Int64Array::from(vec![3, 4]));
    RecordBatch::try_from_iter([("city", cities), ("people", people)]).unwrap()
}

fn write(store: &Store, name: &str) -> WrittenRows {
    let rows = batch();
    let schema = rows.schema();
    let dataset = ad_hoc_dataset(store, name, &schema).unwrap();
    let rows: Rows = Box::new(RecordBatchIterator::new([Ok(rows)], schema));
    write_rows(store, RowsTarget::New(&dataset), rows, &Progress::default()).unwrap()
}

#[test]
fn rows_of_a_statement_are_a_batch_of_their_dataset() {
    let server = Serving::fixtures();
    let written = write(&server.store(), "cities");
    let (dataset, id) = (&written.dataset, written.batch.as_ref().unwrap());
    assert_eq!(written.rows, 2);

    let shown = server.get(&format!("{DATASETS}/{dataset}")).is(200);
    let shown = &shown[dataset];
    assert_eq!(shown["classification"]["dataBehavior"], "adhoc");
    assert_eq!(shown["tags"], json!({"adobe/pqs/table": ["cities"]}));
    let schema = shown["schemaRef"]["id"].as_str().unwrap();
    let path = format!(
        "/data/foundation/schemaregistry/tenant/schemas/{}",
        schema.replace(':', "%3A").replace('/', "%2F")
    );
    let headers = [
        &crate::serving::HEADERS[..],
        &[("accept", "application/vnd.adobe.xed-full+json; version=1")],
    ]
    .concat();
    let schema = server.ask("GET", &path, &headers, b"").is(200);
    assert_eq!(
        schema["properties"]["people"]["type"], "integer",
        "{schema}"
    );

    let batch = server.get(&format!("{BATCHES}/{id}")).is(200);
    let batch = &batch[id];
    assert_eq!(
        (&batch["status"], &batch["metrics"]["recordsWritten"]),
        (&json!("success"), &json!(2))
    );
    assert_eq!(batch.get("written"), None);
    let files = server.get(&format!("{EXPORT}/batches/{id}/files")).is(200);
    let file = files["data"][0]["_links"]["self"]["href"].as_str().unwrap();
    let listed = server.get(file).is(200);
    let bytes = server.get(
        listed["data"][0]["_links"]["self"]["href"]
            .as_str()
            .unwrap(),
    );
    assert_eq!(bytes.status, 200);
    assert_eq!(bytes.body.get(..4), Some(&b"PAR1"[..]));

    // It takes no files, and is no goal of exports.
    let refused = server.post(crate::serving::IMPORT, &json!({"datasetId": dataset}));
    refused.refuses(400, "INSERT INTO");
    let job = crate::serving::job_request(dataset, &json!({}));
    assert_eq!(server.post(crate::serving::JOBS, &job).status, 400);
    // Its rows are not what is deleted by a system job, which would say that it has deleted all.
    let refused = server.post("/data/core/ups/system/jobs", &json!({"dataSetId": dataset}));
    refused.refuses(400, "rows that statements wrote");
    // A damaged file is found.
    assert!(server.store().verify().unwrap().problems.is_empty());
    let folder = server.folder.join("batches").join(id);
    for file in fs::read_dir(&folder).unwrap() {
        fs::write(file.unwrap().path(), "other").unwrap();
    }
    assert_eq!(server.store().verify().unwrap().problems.len(), 1);

    server.delete(&format!("{DATASETS}/{dataset}")).is(200);
    assert_eq!(server.get(&format!("{BATCHES}/{id}")).status, 404);
    assert!(!folder.exists());
}

#[test]
fn a_batch_of_rows_is_deleted_with_its_files() {
    let server = Serving::empty();
    let written = write(&server.store(), "cities");
    let id = written.batch.unwrap();
    server.delete(&format!("{BATCHES}/{id}")).is(200);
    assert!(!server.folder.join("batches").join(&id).exists());
    assert_eq!(
        server
            .get(&format!("{DATASETS}/{}", written.dataset))
            .status,
        200
    );
}

/// Two statements began before either had made its dataset.
#[test]
fn two_names_that_are_one_table_are_not_both_made() {
    let server = Serving::empty();
    let store = server.store();
    let schema = batch().schema();
    let [first, second] = ["a b", "A_b"].map(|name| ad_hoc_dataset(&store, name, &schema).unwrap());
    let write = |dataset| {
        let rows: Rows = Box::new(RecordBatchIterator::new([Ok(batch())], batch().schema()));
        write_rows(&store, RowsTarget::New(dataset), rows, &Progress::default())
    };
    write(&first).unwrap();
    let refused = write(&second).unwrap_err();
    assert!(refused.to_string().contains("a table \"a_b\""), "{refused}");
    assert_eq!(store.catalog().datasets().unwrap().len(), 1);
}

/// Records of people: an address for each.
fn people(name: &str) -> RecordBatch {
    let addresses: ArrayRef = Arc::new(StringArray::from(vec![format!("{name}@example.com")]));
    let address = Arc::new(Field::new("address", DataType::Utf8, true));
    let emails: ArrayRef = Arc::new(StructArray::from(vec![(address, addresses)]));
    RecordBatch::try_from_iter([("personalEmail", emails)]).unwrap()
}

/// However long a query takes, others load meanwhile.
#[test]
fn rows_that_are_not_there_yet_keep_nobody_from_the_store() {
    let server = Serving::empty();
    let store = server.store();
    let dataset = |name: &str| Dataset {
        primary_identity: Some("personalEmail.address=Email".to_owned()),
        ..Dataset::new(&new_id(), name, Class::Profile)
    };
    let (slow, quick) = (dataset("slow"), dataset("quick"));
    let schema = people("a").schema();
    let other = server.store();
    let rows = std::iter::once_with(move || {
        let rows: Rows = Box::new(RecordBatchIterator::new(
            [Ok(people("quick"))],
            people("quick").schema(),
        ));
        let progress = Progress::default();
        // Who waits for ever is told to stop.
        std::thread::scope(|scope| {
            let (done, is_done) = std::sync::mpsc::channel::<()>();
            let progress = &progress;
            scope.spawn(move || {
                if is_done.recv_timeout(Duration::from_secs(10)) == Err(RecvTimeoutError::Timeout) {
                    progress.cancel();
                }
            });
            let loaded = load_rows(&other, RowsTarget::New(&quick), rows, progress);
            drop(done);
            assert_eq!(loaded.unwrap().rows, 1);
        });
        Ok(people("slow"))
    });
    let rows: Rows = Box::new(RecordBatchIterator::new(rows, schema));
    let loaded = load_rows(&store, RowsTarget::New(&slow), rows, &Progress::default());
    assert_eq!(loaded.unwrap().rows, 1);
    assert_eq!(
        fs::read_dir(server.folder.join("staging")).unwrap().count(),
        0
    );
}
