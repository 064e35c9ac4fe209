//! Large files that come in parts.

use serde_json::json;

use crate::ingestion::{RECORD, begin, complete, dataset};
use crate::serving::{Answer, BATCHES, HEADERS, IMPORT, Serving};

/// A batch that takes files, and the path of one.
fn file(server: &Serving, name: &str) -> (String, String) {
    let dataset = dataset(server);
    let batch = begin(server, &dataset, &json!({"format": "json"}));
    let path = format!("{IMPORT}/{batch}/datasets/{dataset}/files/{name}");
    (batch, path)
}

fn act(server: &Serving, path: &str, action: &str) -> Answer {
    server.ask("POST", &format!("{path}?action={action}"), &HEADERS, b"")
}

fn part(server: &Serving, path: &str, range: &str, bytes: &[u8]) -> Answer {
    let mut headers = HEADERS.to_vec();
    headers.push(("content-range", range));
    server.ask("PATCH", path, &headers, bytes)
}

fn head(server: &Serving, path: &str) -> (u16, String, String) {
    let answer = server.ask("HEAD", path, &HEADERS, b"");
    (
        answer.status,
        answer.header("content-length").to_owned(),
        answer.header("upload-complete").to_owned(),
    )
}

#[test]
fn a_file_that_comes_in_parts_is_loaded_like_one_that_comes_whole() {
    let server = Serving::empty();
    let (batch, path) = file(&server, "large.json");
    let record = format!("{RECORD}\n");
    let (total, middle) = (record.len(), 40);
    act(&server, &path, "INITIALIZE").is(201);
    assert_eq!(head(&server, &path), (200, "0".to_owned(), "?0".to_owned()));
    let first = format!("bytes 0-{}/{total}", middle - 1);
    let bytes = record.as_bytes();
    part(&server, &path, &first, &bytes[..middle]).is(200);
    assert_eq!(
        head(&server, &path),
        (200, middle.to_string(), "?0".to_owned())
    );
    // Its answer got lost.
    part(&server, &path, &first, &bytes[..middle]).is(200);
    assert_eq!(head(&server, &path).1, middle.to_string());
    // Not whole yet: neither the file nor the batch is completed.
    act(&server, &path, "COMPLETE").refuses(409, "send the others first");
    server
        .ask(
            "POST",
            &format!("{IMPORT}/{batch}?action=COMPLETE"),
            &HEADERS,
            b"",
        )
        .refuses(409, "\"large.json\" comes in parts");
    part(
        &server,
        &path,
        &format!("bytes {middle}-{}/{total}", total - 1),
        &bytes[middle..],
    )
    .is(200);
    act(&server, &path, "complete").is(201);
    // That answer got lost, too.
    act(&server, &path, "COMPLETE").is(201);
    assert_eq!(
        head(&server, &path),
        (200, total.to_string(), "?1".to_owned())
    );
    let done = complete(&server, &batch);
    assert_eq!(
        (&done["status"], &done["metrics"]["recordsWritten"]),
        (&json!("success"), &json!(1))
    );
    act(&server, &path, "INITIALIZE").refuses(409, "no longer loading");
}

#[test]
fn parts_that_do_not_fit_are_refused_and_leave_nothing() {
    let server = Serving::with(|settings| settings.max_upload = 1000);
    let (batch, path) = file(&server, "large.json");
    part(&server, &path, "bytes 0-1/10", b"ab").refuses(409, "action=INITIALIZE");
    act(&server, &path, "COMPLETE").refuses(409, "action=INITIALIZE");
    act(&server, &path, "BEGIN").refuses(400, "allowed are INITIALIZE and COMPLETE");
    assert_eq!(head(&server, &path).0, 404);
    act(&server, &path, "INITIALIZE").is(201);
    part(&server, &path, "bytes 0-3/10", b"abcd").is(200);
    for (range, bytes, status, says) in [
        ("", &b"ef"[..], 400, "Content-Range"),
        ("bytes 4-3/10", b"ef", 400, "Content-Range"),
        (
            "bytes 6-7/10",
            b"ef",
            409,
            "the next one of \"large.json\" is 4",
        ),
        ("bytes 4-6/10", b"ef", 409, "nothing of it was taken"),
        ("bytes 4-4/10", b"ef", 409, "nothing of it was taken"),
        (
            "bytes 4-5/12",
            b"ef",
            409,
            "was 10 bytes in an earlier part",
        ),
        ("bytes 4-1003", b"ef", 413, "1000 bytes"),
        ("bytes 4-5/2000", b"ef", 413, "1000 bytes"),
    ] {
        part(&server, &path, range, bytes).refuses(status, says);
        assert_eq!(head(&server, &path).1, "4", "{range}");
    }
    // A part longer than the limit is cut off where it passes it.
    part(&server, &path, "bytes 4-900", &vec![b'x'; 2000]).refuses(413, "larger than 996 bytes");
    assert_eq!(head(&server, &path).1, "4");
    // Begun anew, nothing of it is left.
    act(&server, &path, "INITIALIZE").is(201);
    assert_eq!(head(&server, &path).1, "0");
    let elsewhere = path.replace("/datasets/", "/datasets/0");
    act(&server, &elsewhere, "INITIALIZE").refuses(404, "is for dataset");
    // Whoever gives the batch up gives the file up.
    server
        .ask(
            "POST",
            &format!("{IMPORT}/{batch}?action=ABORT"),
            &HEADERS,
            b"",
        )
        .is(200);
    assert!(!server.store().layout().incoming_batch(&batch).exists());
    let shown = server.get(&format!("{BATCHES}/{batch}")).is(200);
    assert!(shown[&batch].get("uploads").is_none(), "{shown}");
}

#[test]
fn a_batch_that_would_replace_others_is_refused_by_name() {
    let server = Serving::empty();
    let dataset = dataset(&server);
    let body = json!({"datasetId": dataset, "inputFormat": {"format": "json"},
                      "replay": {"predecessors": ["a"], "reason": "replace"}});
    server
        .post(IMPORT, &body)
        .refuses(400, "replay: batches can't be replaced");
}
