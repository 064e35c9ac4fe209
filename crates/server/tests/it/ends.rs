//! How batches that come in end: what is told is what became of their records.

use std::time::Duration;

use profile_export::export::Progress;
use profile_export::platform::{Error, complete_incoming, load_incoming};
use profile_export::store::{BatchStatus, Store};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ingestion::{RECORD, begin, complete, dataset, upload};
use crate::log::{keep_log, logged};
use crate::serving::{Answer, BATCHES, DATASETS, HEADERS, IMPORT, Serving, scope};

fn action(server: &Serving, batch: &str, action: &str) -> Answer {
    let path = format!("{IMPORT}/{batch}?action={action}");
    server.ask("POST", &path, &HEADERS, b"")
}

fn shown(server: &Serving, batch: &str) -> Value {
    server.get(&format!("{BATCHES}/{batch}")).is(200)[batch].clone()
}

/// How many records a dataset has.
fn rows(server: &Serving, dataset: &str) -> Value {
    server.get(&format!("{DATASETS}/{dataset}")).is(200)[dataset]["rows"].clone()
}

/// A batch with a record in it, which takes files yet; returns its dataset and its ID.
fn batch_of(server: &Serving) -> (String, String) {
    let dataset = dataset(server);
    let batch = begin(server, &dataset, &json!({"format": "json"}));
    upload(server, &dataset, &batch, "a.json", RECORD.as_bytes());
    (dataset, batch)
}

#[test]
fn an_end_that_is_told_again_is_no_error_and_changes_nothing() {
    let server = Serving::empty();
    let (dataset, batch) = batch_of(&server);
    complete(&server, &batch);
    let before = shown(&server, &batch);
    assert_eq!(before["status"], "success");
    action(&server, &batch, "COMPLETE").is(200);
    assert_eq!(shown(&server, &batch), before);
    action(&server, &batch, "ABORT").refuses(409, "success");

    // One that failed was completed, too.
    let bad = begin(&server, &dataset, &json!({"format": "json"}));
    upload(&server, &dataset, &bad, "a.json", b"nonsense");
    assert_eq!(complete(&server, &bad)["status"], "failed");
    action(&server, &bad, "COMPLETE").is(200);
    assert_eq!(shown(&server, &bad)["status"], "failed");

    let given_up = begin(&server, &dataset, &json!({"format": "json"}));
    for _ in 0..2 {
        action(&server, &given_up, "ABORT").is(200);
    }
    action(&server, &given_up, "COMPLETE").refuses(409, "aborted");
    assert_eq!(shown(&server, &given_up)["status"], "aborted");
    action(&server, "none", "COMPLETE").refuses(404, "none");
}

#[test]
fn a_batch_with_nothing_in_it_fails_and_says_so() {
    let server = Serving::empty();
    let dataset = dataset(&server);
    let lines = json!({"format": "json"});
    let documents = json!({"format": "json", "isMultiLineJson": true});
    let parquet = json!({"format": "parquet"});
    let empty_gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0";
    let none: &[(&str, &[u8])] = &[];
    for (format, files, says) in [
        (&lines, none, "no file"),
        (&parquet, none, "no file"),
        (&lines, &[("a.json", b"".as_slice())], "a.json has no bytes"),
        (&parquet, &[("a.parquet", b"")], "a.parquet has no bytes"),
        (
            &lines,
            &[("a.json", RECORD.as_bytes()), ("b.json", b"")],
            "b.json has no bytes",
        ),
        (&lines, &[("a.json", b"\n \n")], "record"),
        (&lines, &[("a.json", empty_gzip)], "record"),
        (&documents, &[("a.json", b"[]")], "record"),
    ] {
        let batch = begin(&server, &dataset, format);
        for (name, bytes) in files {
            upload(&server, &dataset, &batch, name, bytes);
        }
        let failed = complete(&server, &batch);
        assert_eq!(failed["status"], "failed", "{says}: {failed}");
        let error = &failed["errors"][0];
        assert_eq!(error["code"], "106", "{error}");
        assert!(
            error["description"].as_str().unwrap().contains(says),
            "{error}"
        );
        assert_eq!(rows(&server, &dataset), 0);
    }
}

#[test]
fn what_the_files_are_follows_from_the_dataset_where_the_batch_does_not_say_it() {
    let server = Serving::empty();
    let format = |format: &str| {
        let body = json!({
            "name": format, "schemaRef": {"id": "https://ns.adobe.com/acme/schemas/people"},
            "fileDescription": {"persisted": true, "containerFormat": format, "format": format},
        });
        let made = server.post(DATASETS, &body).is(201);
        let id = made[0]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned();
        let batch = server.post(IMPORT, &json!({"datasetId": id})).is(201);
        batch["inputFormat"]["format"].clone()
    };
    assert_eq!(format("parquet"), "parquet");
    assert_eq!(format("json"), "json");
    let silent = server.post(IMPORT, &json!({"datasetId": dataset(&server)}));
    assert_eq!(silent.is(201)["inputFormat"]["format"], "parquet");
    let body =
        json!({"name": "csv", "schemaRef": {"id": "x"}, "fileDescription": {"format": "csv"}});
    server
        .post(DATASETS, &body)
        .refuses(400, "fileDescription.format");
}

/// Changes what state a batch is in, as a process that dies in that state leaves it.
fn leave(store: &Store, batch: &str, from: BatchStatus, to: BatchStatus) {
    let change = |batch: &mut profile_export::store::Batch| {
        batch.status = to;
        Ok(())
    };
    let catalog = store.catalog();
    catalog.change_batch::<Error>(batch, from, change).unwrap();
}

#[test]
fn a_batch_whose_loading_broke_off_twice_has_failed() {
    let home = TempDir::new().unwrap();
    let (dataset, batch) = {
        let server = Serving::on(home.path(), |_| {});
        batch_of(&server)
    };
    let store = Store::open(home.path(), scope()).unwrap();
    complete_incoming(&store, &batch).unwrap();
    leave(&store, &batch, BatchStatus::Staged, BatchStatus::Processing);
    // A start that does not come as far as to load it.
    profile_export::platform::sweep_incoming(&store).unwrap();
    leave(&store, &batch, BatchStatus::Staged, BatchStatus::Processing);
    let server = Serving::on(home.path(), |_| {});
    let failed = shown(&server, &batch);
    assert_eq!(failed["status"], "failed", "{failed}");
    let error = &failed["errors"][0];
    assert_eq!(error["code"], "PE-0010");
    assert!(
        error["description"].as_str().unwrap().contains("2 times"),
        "{error}"
    );
    assert_eq!(rows(&server, &dataset), 0);
    assert!(!home.path().join("incoming").join(&batch).exists());
    action(&server, &batch, "COMPLETE").is(200);
}

#[test]
fn a_load_that_breaks_off_by_a_mistake_of_ours_has_failed() {
    let home = TempDir::new().unwrap();
    let (dataset, batch) = {
        let server = Serving::on(home.path(), |_| {});
        batch_of(&server)
    };
    let store = Store::open(home.path(), scope()).unwrap();
    complete_incoming(&store, &batch).unwrap();
    let progress = Progress::with_callback(|_| panic!("a mistake"));
    load_incoming(&store, &batch, &progress).unwrap();
    let server = Serving::on(home.path(), |_| {});
    let failed = shown(&server, &batch);
    assert_eq!(failed["status"], "failed", "{failed}");
    assert_eq!(failed["errors"][0]["code"], "PE-0000");
    assert_eq!(rows(&server, &dataset), 0);
}

/// Makes the catalog refuse to bring a batch into a state, as a disk that is full would, until what is
/// returned is dropped.
fn refuse(store: &Store, state: &str) -> Refusing {
    let catalog = Connection::open(store.layout().catalog()).unwrap();
    let trigger = format!(
        "CREATE TRIGGER refusing BEFORE UPDATE ON batches WHEN NEW.status = '{state}'
         BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    );
    catalog.execute_batch(&trigger).unwrap();
    Refusing(catalog)
}

struct Refusing(Connection);

impl Drop for Refusing {
    fn drop(&mut self) {
        self.0.execute_batch("DROP TRIGGER refusing").unwrap();
    }
}

#[test]
fn a_batch_is_loaded_and_told_so_at_once_or_neither() {
    keep_log();
    let server = Serving::empty();
    let (dataset, batch) = batch_of(&server);
    let refusing = refuse(&server.store(), "success");
    let failed = complete(&server, &batch);
    // The catalog could not be told of the success, so the records are not in, either.
    assert_eq!(failed["status"], "failed", "{failed}");
    assert_eq!(failed["errors"][0]["code"], "PE-0007");
    assert_eq!(rows(&server, &dataset), 0);
    // What broke is for who runs the store.
    let told = failed["errors"][0].to_string();
    assert!(!told.contains("the disk is full"), "{told}");
    let kept = server.store().catalog().batch(&batch).unwrap().unwrap();
    let cause = kept.errors.unwrap()[0].cause.clone().unwrap();
    assert!(cause.contains("the disk is full"), "{cause}");
    // And for the log.
    let says = |line: &String| line.contains("the disk is full");
    server.until(|| logged(&batch).iter().any(says).then_some(()));
    drop(refusing);
    let again = begin(&server, &dataset, &json!({"format": "json"}));
    upload(&server, &dataset, &again, "a.json", RECORD.as_bytes());
    assert_eq!(complete(&server, &again)["status"], "success");
    assert_eq!(rows(&server, &dataset), 1);
}

#[test]
fn an_end_that_cannot_be_told_is_told_as_soon_as_it_can_be() {
    let server = Serving::empty();
    let dataset = dataset(&server);
    let batch = begin(&server, &dataset, &json!({"format": "json"}));
    upload(&server, &dataset, &batch, "a.json", b"nonsense");
    let refusing = refuse(&server.store(), "failed");
    action(&server, &batch, "COMPLETE").is(200);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(shown(&server, &batch)["status"], "processing");
    drop(refusing);
    let failed = server.until(|| {
        let shown = shown(&server, &batch);
        (shown["status"] == "failed").then_some(shown)
    });
    assert_eq!(failed["errors"][0]["code"], "PE-0004", "{failed}");
}

#[test]
fn a_batch_whose_loading_cannot_be_told_waits_and_is_not_told_as_loaded() {
    keep_log();
    let server = Serving::empty();
    let (dataset, batch) = batch_of(&server);
    let refusing = refuse(&server.store(), "processing");
    action(&server, &batch, "COMPLETE").is(200);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(shown(&server, &batch)["status"], "staged");
    let lines = logged(&batch);
    assert!(
        !lines.iter().any(|line| line.contains("batch loaded")),
        "{lines:?}"
    );
    let failed = lines.iter().filter(|line| line.contains("message=failed"));
    assert!(failed.count() < 5, "{lines:?}");
    drop(refusing);
    server.until(|| (shown(&server, &batch)["status"] == "success").then_some(()));
    assert_eq!(rows(&server, &dataset), 1);
}
