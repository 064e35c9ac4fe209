//! What works off the queue, when it can't, and when it is to stop.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use profile_export::platform::{DatasetBody, Incoming, IncomingBody, complete_incoming};
use profile_export::store::{BatchStatus, Scope, Store};
use profile_export_server::{Server, ServerError, Settings};
use serde_json::json;
use store::FileLock;
use tempfile::TempDir;

use crate::ingestion::RECORD;
use crate::log::{keep_log, logged};
use crate::serving::Serving;

/// A batch with a record that waits to be loaded; returns its ID.
fn stage(store: &Store) -> String {
    let id = begin(store);
    complete_incoming(store, &id).unwrap();
    id
}

/// A batch with a record that takes files yet; returns its ID.
fn begin(store: &Store) -> String {
    let dataset =
        json!({"name": "people", "schemaRef": {"id": "https://ns.adobe.com/acme/people"}});
    let dataset: DatasetBody = serde_json::from_value(dataset).unwrap();
    let dataset = store.catalog().create_dataset(dataset.into_dataset());
    let body = json!({"datasetId": dataset.unwrap().id, "inputFormat": {"format": "json"}});
    let body: IncomingBody = serde_json::from_value(body).unwrap();
    let id = body.create(store).unwrap().id;
    let incoming = Incoming::open(store, &id).unwrap();
    let mut file = incoming.begin_file("a.json").unwrap();
    file.write(RECORD.as_bytes()).unwrap();
    incoming.finish_file(file).unwrap();
    id
}

fn status(store: &Store, id: &str) -> BatchStatus {
    store.catalog().batch(id).unwrap().unwrap().status
}

async fn bind(folder: &Path) -> Result<Server, ServerError> {
    Server::bind(Settings::new(folder, ([127, 0, 0, 1], 0).into())).await
}

#[tokio::test]
async fn a_store_has_one_server_and_a_lock_that_cannot_be_made_is_not_taken_for_another() {
    let home = TempDir::new().unwrap();
    let first = bind(home.path()).await.unwrap();
    let second = bind(home.path()).await.err().unwrap();
    assert!(matches!(second, ServerError::Busy(_)), "{second}");
    drop(first);
    let lock = home.path().join("serve.lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let refused = bind(home.path()).await.err().unwrap();
    assert!(matches!(refused, ServerError::Store(_)), "{refused}");
    assert!(refused.to_string().contains("serve.lock"), "{refused}");
}

#[test]
fn a_batch_that_cannot_be_loaded_is_told_once_and_tried_ever_more_seldom() {
    keep_log();
    let server = Serving::empty();
    let other = Scope {
        org: "other".to_owned(),
        sandbox: "prod".to_owned(),
    };
    let store = Store::open(&server.folder, other).unwrap();
    // The server has not opened the store for this organisation, and can't.
    let incoming = server.folder.join("incoming");
    let aside = server.folder.join("aside");
    let id = begin(&store);
    fs::rename(&incoming, &aside).unwrap();
    fs::write(&incoming, "").unwrap();
    complete_incoming(&store, &id).unwrap();
    let told = |text: &str| {
        let lines = logged(&id);
        lines.iter().filter(|line| line.contains(text)).count()
    };
    server.until(|| (told("failed again") > 0).then_some(()));
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(told("WARN"), 1, "{:?}", logged(&id));
    assert!(told("failed again") < 5, "{:?}", logged(&id));
    assert_eq!(told("batch loaded"), 0);
    assert_eq!(status(&store, &id), BatchStatus::Staged);
    fs::remove_file(&incoming).unwrap();
    fs::rename(&aside, &incoming).unwrap();
    server.until(|| (told("batch loaded") == 1).then_some(()));
    assert_eq!(status(&store, &id), BatchStatus::Success);
}

#[test]
fn a_server_stops_while_a_load_waits_for_another_process() {
    let home = TempDir::new().unwrap();
    let server = Serving::on(home.path(), |settings| {
        settings.grace = Duration::from_millis(100);
    });
    let store = server.store();
    let held = FileLock::acquire(&store.layout().load_lock()).unwrap();
    let id = stage(&store);
    server.until(|| (status(&store, &id) == BatchStatus::Processing).then_some(()));
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(10));
    // The wait is over, though the other process goes on: nothing keeps the next server out.
    let serve_lock = store.layout().serve_lock();
    assert!(FileLock::try_acquire(&serve_lock).unwrap().is_some());
    assert_eq!(status(&store, &id), BatchStatus::Staged);
    drop(held);
    let server = Serving::on(home.path(), |_| {});
    server.until(|| (status(&store, &id) == BatchStatus::Success).then_some(()));
}
