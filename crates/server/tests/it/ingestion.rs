//! Batches that come in over HTTP.

use std::path::Path;

use profile_export::export::Progress;
use profile_export::platform::{Error, IncomingBody, complete_incoming, load_incoming};
use profile_export::store::{BatchStatus, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::serving::{BATCHES, DATASETS, HEADERS, IMPORT, JOBS, Serving};

pub const RECORD: &str = r#"{"_id": "a", "identityMap": {"Email": [{"id": "a@x.org", "primary": true}]}, "person": {"name": {"firstName": "Ann"}}}"#;

pub fn dataset(server: &Serving) -> String {
    let body =
        json!({"name": "people", "schemaRef": {"id": "https://ns.adobe.com/acme/schemas/people"}});
    let made = server.post(DATASETS, &body).is(201);
    made[0]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned()
}

pub fn begin(server: &Serving, dataset: &str, format: &Value) -> String {
    let body = json!({"datasetId": dataset, "inputFormat": format});
    let batch = server.post(IMPORT, &body).is(201);
    assert_eq!(batch["status"], "loading");
    batch["id"].as_str().unwrap().to_owned()
}

pub fn upload(server: &Serving, dataset: &str, batch: &str, name: &str, bytes: &[u8]) {
    let path = format!("{IMPORT}/{batch}/datasets/{dataset}/files/{name}");
    let answer = server.ask("PUT", &path, &HEADERS, bytes);
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
}

pub fn complete(server: &Serving, batch: &str) -> Value {
    server
        .ask(
            "POST",
            &format!("{IMPORT}/{batch}?action=COMPLETE"),
            &HEADERS,
            b"",
        )
        .is(200);
    server.until(|| {
        let shown = server.get(&format!("{BATCHES}/{batch}")).is(200)[batch].clone();
        let status = shown["status"].as_str().unwrap();
        ["success", "failed"].contains(&status).then_some(shown)
    })
}

/// The names that an export has.
fn exported(server: &Serving) -> u64 {
    let target = server.target();
    let done = server.finished(server.job(&target, &json!({"fields": "person.name"})));
    assert_eq!(done["status"], "SUCCEEDED", "{done}");
    done["metrics"]["totalExportedProfileCounter"]
        .as_u64()
        .unwrap()
}

#[test]
fn json_comes_in_and_goes_out() {
    let server = Serving::empty();
    let dataset = dataset(&server);
    let batch = begin(&server, &dataset, &json!({"format": "json"}));
    upload(&server, &dataset, &batch, "a.json", RECORD.as_bytes());
    upload(
        &server,
        &dataset,
        &batch,
        "b.json",
        RECORD.replace("a@x.org", "b@x.org").as_bytes(),
    );
    // The same name once more replaces the file.
    upload(
        &server,
        &dataset,
        &batch,
        "b.json",
        RECORD.replace("a@x.org", "c@x.org").as_bytes(),
    );
    let done = complete(&server, &batch);
    assert_eq!(done["status"], "success", "{done}");
    assert_eq!(done["metrics"]["recordsWritten"], 2);
    assert_eq!(exported(&server), 2);
    assert!(!server.folder.join("incoming").join(&batch).exists());
}

#[test]
fn lists_and_objects_over_several_lines_come_in() {
    let server = Serving::empty();
    let dataset = dataset(&server);
    let batch = begin(
        &server,
        &dataset,
        &json!({"format": "json", "isMultiLineJson": true}),
    );
    let other = RECORD.replace("a@x.org", "b@x.org").replace(", ", ",\n  ");
    upload(
        &server,
        &dataset,
        &batch,
        "list.json",
        format!("[{RECORD},\n{other}]").as_bytes(),
    );
    assert_eq!(complete(&server, &batch)["metrics"]["recordsWritten"], 2);
}

#[test]
fn parquet_comes_in() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("in.parquet");
    write_parquet(&file);
    let server = Serving::empty();
    let dataset = dataset(&server);
    let bytes = std::fs::read(file).unwrap();
    let batch = begin(&server, &dataset, &json!({"format": "parquet"}));
    upload(&server, &dataset, &batch, "in.parquet", &bytes);
    let done = complete(&server, &batch);
    assert_eq!(done["status"], "success", "{done}");
    assert!(exported(&server) > 0);
    let wrong = begin(&server, &dataset, &json!({"format": "json"}));
    upload(&server, &dataset, &wrong, "in.json", &bytes);
    let failed = complete(&server, &wrong);
    assert!(
        failed["errors"][0]["description"]
            .as_str()
            .unwrap()
            .contains("in.json"),
        "{failed}"
    );
}

/// An export of the fixtures is Parquet that can be loaded.
fn write_parquet(path: &Path) {
    let server = Serving::fixtures();
    let target = server.target();
    let done = server.finished(server.job(&target, &json!({"fields": "identityMap,person"})));
    let batch = done["destination"]["batchId"].as_str().unwrap();
    let record = server.store().catalog().batch(batch).unwrap().unwrap();
    let name = &record.files[0].name;
    std::fs::copy(server.store().batch_folder(&record).join(name), path).unwrap();
}

#[test]
fn a_bad_record_fails_the_batch_and_says_where() {
    let server = Serving::empty();
    let dataset = dataset(&server);
    let batch = begin(&server, &dataset, &json!({"format": "json"}));
    upload(
        &server,
        &dataset,
        &batch,
        "mine.json",
        format!("{RECORD}\n{{\"_id\": 1\n").as_bytes(),
    );
    let failed = complete(&server, &batch);
    assert_eq!(failed["status"], "failed");
    let error = &failed["errors"][0];
    assert_eq!(error["code"], "PE-0004");
    let says = error["description"].as_str().unwrap();
    assert!(says.contains("mine.json") && says.contains('2'), "{says}");
    assert!(!says.contains(server.folder.to_str().unwrap()), "{says}");
    assert_eq!(
        server.get(&format!("{DATASETS}/{dataset}")).is(200)[&dataset]["rows"],
        0
    );
}

#[test]
fn what_is_wrong_with_a_file_is_told_by_the_name_that_its_sender_gave_it() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("in.parquet");
    write_parquet(&file);
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    for byte in &mut damaged[4..2000] {
        *byte ^= 0x5a;
    }
    let gzip_cut_short = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab";
    let lines = json!({"format": "json"});
    let lists = json!({"format": "json", "isMultiLineJson": true});
    let parquet = json!({"format": "parquet"});
    let server = Serving::empty();
    let dataset = dataset(&server);
    for (format, bytes) in [
        (&lines, gzip_cut_short.as_slice()),
        (&lists, gzip_cut_short),
        (&lists, b"[{]"),
        (&lists, b"[\"\xff\"]"),
        (&lines, b"{\"_id\": \"\xff\"}"),
        (&parquet, &whole[..whole.len() / 2]),
        (&parquet, &damaged),
        (&parquet, b"PAR1"),
        (&parquet, b"{}"),
    ] {
        let batch = begin(&server, &dataset, format);
        upload(&server, &dataset, &batch, "mine", bytes);
        let failed = complete(&server, &batch);
        assert_eq!(failed["status"], "failed");
        let says = failed["errors"][0]["description"].as_str().unwrap();
        assert!(says.starts_with("mine"), "{says}");
        assert!(!says.contains(server.folder.to_str().unwrap()), "{says}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let server = Serving::empty();
    let dataset = dataset(&server);
    let post = |body: Value| server.post(IMPORT, &body);
    post(json!({"datasetId": "none", "inputFormat": {"format": "json"}})).refuses(400, "datasetId");
    post(json!({"datasetId": dataset, "inputFormat": {"format": "csv"}}))
        .refuses(400, "inputFormat.format");
    let batch = begin(&server, &dataset, &json!({"format": "json"}));
    let put = |path: &str| server.ask("PUT", &format!("{IMPORT}/{path}"), &HEADERS, b"x");
    put(&format!("none/datasets/{dataset}/files/a")).refuses(404, "none");
    put(&format!("{batch}/datasets/none/files/a")).refuses(404, &dataset);
    put(&format!(
        "{batch}/datasets/{dataset}/files/{}",
        "x".repeat(2000)
    ))
    .refuses(400, "name");
    let mut part = HEADERS.to_vec();
    part.push(("content-range", "bytes 0-9/20"));
    let path = format!("{IMPORT}/{batch}/datasets/{dataset}/files/a");
    server
        .ask("PUT", &path, &part, b"x")
        .refuses(400, "Content-Range");
    server
        .ask("POST", &format!("{IMPORT}/{batch}"), &HEADERS, b"")
        .refuses(400, "action");
    server
        .ask(
            "POST",
            &format!("{IMPORT}/{batch}?action=ABORT"),
            &HEADERS,
            b"",
        )
        .is(200);
    put(&format!("{batch}/datasets/{dataset}/files/a")).refuses(409, "aborted");
    assert_eq!(
        server.get(&format!("{IMPORT}/{batch}")).is(200)["status"],
        "aborted"
    );
}

#[test]
fn names_that_climb_stay_in_the_batch() {
    let server = Serving::empty();
    let dataset = dataset(&server);
    let batch = begin(&server, &dataset, &json!({"format": "json"}));
    upload(
        &server,
        &dataset,
        &batch,
        "..%2f..%2fcatalog.sqlite",
        RECORD.as_bytes(),
    );
    assert_eq!(complete(&server, &batch)["status"], "success");
    assert_eq!(server.get(JOBS).is(200)["records"], json!([]));
}

#[test]
fn a_completed_batch_survives_a_restart() {
    let home = TempDir::new().unwrap();
    let (dataset, batch) = {
        let server = Serving::on(home.path(), |_| {});
        let dataset = dataset(&server);
        let batch = begin(&server, &dataset, &json!({"format": "json"}));
        upload(&server, &dataset, &batch, "a.json", RECORD.as_bytes());
        (dataset, batch)
    };
    // Somebody else completed it and began to load it, but died.
    let store = Store::open(home.path(), crate::serving::scope()).unwrap();
    complete_incoming(&store, &batch).unwrap();
    store
        .catalog()
        .change_batch::<Error>(&batch, BatchStatus::Staged, |b| {
            b.status = BatchStatus::Processing;
            Ok(())
        })
        .unwrap();
    let server = Serving::on(home.path(), |_| {});
    let done = server.until(|| {
        let shown = server.get(&format!("{BATCHES}/{batch}")).is(200)[&batch].clone();
        (shown["status"] == "success").then_some(shown)
    });
    assert_eq!(done["metrics"]["recordsWritten"], 1);
    assert_eq!(
        server.get(&format!("{DATASETS}/{dataset}")).is(200)[&dataset]["rows"],
        1
    );
    // Loading a batch that is loaded does nothing.
    load_incoming(&store, &batch, &Progress::default()).unwrap();
    let body = json!({"datasetId": dataset, "inputFormat": {"format": "json"}});
    let body: IncomingBody = serde_json::from_value(body).unwrap();
    assert_eq!(body.create(&store).unwrap().status, BatchStatus::Loading);
}
