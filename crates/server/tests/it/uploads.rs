//! Large files that come in parts.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use profile_export::platform::{ErrorKind, Incoming};
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

/// The file of a batch that comes in parts; its name is of the server's making.
fn growing(server: &Serving, batch: &str) -> PathBuf {
    let folder = server.store().layout().incoming_batch(batch);
    let files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.into_iter().next().unwrap()
}

#[test]
fn a_part_that_is_refused_leaves_what_was_there_of_the_same_bytes() {
    let server = Serving::empty();
    let (batch, path) = file(&server, "large.json");
    act(&server, &path, "INITIALIZE").is(201);
    let taken = |range: &str, bytes: &[u8], status: u16| {
        assert_eq!(part(&server, &path, range, bytes).status, status, "{range}");
        fs::read_to_string(growing(&server, &batch)).unwrap()
    };
    assert_eq!(taken("bytes 0-5/20", b"abcdef", 200), "abcdef");
    assert_eq!(taken("bytes 0-5/20", b"XY", 409), "abcdef");
    assert_eq!(taken("bytes 2-9/20", b"XYXYXYXYXYXY", 409), "abcdef");
    assert_eq!(taken("bytes 6-9/20", b"XY", 409), "abcdef");
    // In the middle what is behind it stays; the part of the end may be longer than it was.
    assert_eq!(taken("bytes 1-2/20", b"BC", 200), "aBCdef");
    assert_eq!(taken("bytes 4-7/20", b"EFGH", 200), "aBCdEFGH");
    assert_eq!(head(&server, &path).1, "8");
}

#[test]
fn a_file_is_neither_begun_anew_nor_completed_while_a_part_of_it_is_taken() {
    let server = Serving::empty();
    let (batch, path) = file(&server, "large.json");
    act(&server, &path, "INITIALIZE").is(201);
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let headers: String = HEADERS
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let begin = format!(
        "PATCH {path} HTTP/1.1\r\nhost: {}\r\n{headers}content-range: bytes 0-7/8\r\n\
         content-length: 8\r\nconnection: close\r\n\r\nabcd",
        server.address()
    );
    slow.write_all(begin.as_bytes()).unwrap();
    let parts = growing(&server, &batch);
    server.until(|| (fs::metadata(&parts).unwrap().len() == 4).then_some(()));
    for action in ["INITIALIZE", "COMPLETE"] {
        act(&server, &path, action).refuses(409, "is being taken");
    }
    part(&server, &path, "bytes 0-0/8", b"x").refuses(409, "is being taken");
    slow.write_all(b"efgh").unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(fs::read_to_string(&parts).unwrap(), "abcdefgh");
    act(&server, &path, "COMPLETE").is(201);
}

#[test]
fn a_part_of_a_file_that_was_completed_meanwhile_is_refused() {
    let server = Serving::empty();
    let (batch, path) = file(&server, "large.json");
    act(&server, &path, "INITIALIZE").is(201);
    let store = server.store();
    // Looked at before the file is completed.
    let late = Incoming::open(&store, &batch).unwrap();
    act(&server, &path, "COMPLETE").is(201);
    let refused = late.begin_part("large.json", 0, None).err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    assert_eq!(head(&server, &path), (200, "0".to_owned(), "?1".to_owned()));
}

#[test]
fn a_file_whose_completion_broke_off_is_completed_or_sent_again() {
    let record = format!("{RECORD}\n");
    let bytes = record.as_bytes();
    let length = bytes.len();
    // As a process leaves it that ends between the renaming and the change of the batch.
    let broken = |server: &Serving, total: &str| {
        let (batch, path) = file(server, "large.json");
        act(server, &path, "INITIALIZE").is(201);
        let range = format!("bytes 0-{}/{total}", length - 1);
        part(server, &path, &range, bytes).is(200);
        let parts = growing(server, &batch);
        fs::rename(&parts, parts.with_extension("")).unwrap();
        assert_eq!(head(server, &path), (200, "0".to_owned(), "?0".to_owned()));
        (batch, path, range)
    };
    let loaded = |server: &Serving, batch: &str| {
        let done = complete(server, batch);
        assert_eq!(done["metrics"]["recordsWritten"], 1, "{done}");
    };
    for total in [length.to_string(), "*".to_owned()] {
        let server = Serving::empty();
        let (batch, path, _) = broken(&server, &total);
        act(&server, &path, "COMPLETE").is(201);
        assert_eq!(
            head(&server, &path),
            (200, length.to_string(), "?1".to_owned())
        );
        loaded(&server, &batch);
    }
    let server = Serving::empty();
    let (batch, path, range) = broken(&server, &length.to_string());
    part(&server, &path, &range, bytes).is(200);
    act(&server, &path, "COMPLETE").is(201);
    loaded(&server, &batch);
    // What is there under the file's name is not all of it.
    let server = Serving::empty();
    let (_, path, _) = broken(&server, &(length + 1).to_string());
    act(&server, &path, "COMPLETE").refuses(409, "send the others first");
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
