//! Batches' files over HTTP.

use std::fs;

use serde_json::{Value, json};

use crate::serving::{EXPORT, HEADERS, Serving};

struct Exported {
    server: Serving,
    batch: String,
    /// The file's path under the server's root.
    file: String,
    bytes: Vec<u8>,
}

fn exported() -> Exported {
    let server = Serving::fixtures();
    let target = server.target();
    let job = server.job(&target, &json!({"fields": "_id,personalEmail"}));
    let done = server.finished(job);
    let batch = done["destination"]["batchId"].as_str().unwrap().to_owned();
    let files = server
        .get(&format!("{EXPORT}/batches/{batch}/files"))
        .is(200);
    assert_eq!(files["_page"], json!({"limit": 100, "count": 1}));
    let link = |value: &Value| value["_links"]["self"]["href"].as_str().unwrap().to_owned();
    let id = files["data"][0]["dataSetFileId"].as_str().unwrap();
    assert_eq!(link(&files["data"][0]), format!("{EXPORT}/files/{id}"));
    let listed = server.get(&link(&files["data"][0])).is(200);
    let file = link(&listed["data"][0]);
    let name = listed["data"][0]["name"].as_str().unwrap();
    let record = server.store().catalog().batch(&batch).unwrap().unwrap();
    let bytes = fs::read(server.store().batch_folder(&record).join(name)).unwrap();
    assert_eq!(listed["data"][0]["length"], bytes.len().to_string());
    Exported {
        server,
        batch,
        file,
        bytes,
    }
}

#[test]
fn a_file_comes_whole_in_part_or_not_at_all() {
    let Exported {
        server,
        file,
        bytes,
        ..
    } = exported();
    let ask = |method: &str, more: &[(&str, &str)]| {
        let mut headers = HEADERS.to_vec();
        headers.extend(more);
        server.ask(method, &file, &headers, b"")
    };
    let whole = ask("GET", &[]);
    assert_eq!((whole.status, &whole.body), (200, &bytes));
    assert_eq!(
        whole.header("content-type"),
        "application/vnd.apache.parquet"
    );
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let length = bytes.len().to_string();
    assert_eq!(whole.header("content-length"), length);
    let tag = whole.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 10, "{tag}");

    let head = ask("HEAD", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        (head.header("content-length"), head.header("etag")),
        (&*length, &*tag)
    );

    let part = |range: &str| ask("GET", &[("range", range)]);
    let first = part("bytes=0-99");
    assert_eq!((first.status, &first.body[..]), (206, &bytes[..100]));
    assert_eq!(
        first.header("content-range"),
        format!("bytes 0-99/{length}")
    );
    assert_eq!(first.header("content-length"), "100");
    assert_eq!(part("bytes=-8").body, bytes[bytes.len() - 8..]);
    assert_eq!(part("bytes=100-").body, bytes[100..]);
    assert_eq!(part(&format!("bytes=10-{}", u64::MAX)).body, bytes[10..]);
    let beyond = part(&format!("bytes={length}-"));
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, &*format!("bytes */{length}"))
    );
    for nonsense in ["bytes=9-1", "lines=0-1", "bytes=a-b", "bytes=0-1,5-6"] {
        let answer = part(nonsense);
        assert!(
            matches!(answer.status, 200 | 416),
            "{nonsense}: {}",
            answer.status
        );
    }

    assert_eq!(ask("GET", &[("if-none-match", &tag)]).status, 304);
    assert_eq!(ask("GET", &[("if-none-match", "\"other\"")]).body, bytes);
    assert_eq!(
        ask("GET", &[("range", "bytes=0-0"), ("if-range", &tag)]).status,
        206
    );
    assert_eq!(
        ask("GET", &[("range", "bytes=0-0"), ("if-range", "\"other\"")]).status,
        200
    );
}

#[test]
fn no_path_from_outside_reaches_the_file_system() {
    let Exported { server, batch, .. } = exported();
    for path in [
        "../catalog.sqlite",
        "/etc/passwd",
        "..%2f..%2fcatalog.sqlite",
        "other.parquet",
    ] {
        server
            .get(&format!("{EXPORT}/files/{batch}-1?path={path}"))
            .refuses(404, "path");
    }
    for id in ["0", "2", "x", "-1", "..%2f1", "99999999999999999999"] {
        server
            .get(&format!("{EXPORT}/files/{batch}-{id}"))
            .refuses(404, "no file");
    }
    for id in ["..%2f..%2fetc%2fpasswd-1", "%00-1", "none"] {
        server
            .get(&format!("{EXPORT}/files/{id}"))
            .refuses(404, "no file");
        server
            .get(&format!("{EXPORT}/batches/{id}/files"))
            .refuses(404, "no batch");
    }
    let failed = server
        .get(&format!("{EXPORT}/batches/{batch}/failed"))
        .is(200);
    assert_eq!(failed["data"], json!([]));
    let none = server
        .get(&format!("{EXPORT}/batches/{batch}/files?start=1"))
        .is(200);
    assert_eq!(none["data"], json!([]));
}

#[test]
fn a_batch_that_is_deleted_without_its_files_is_told_as_deleted() {
    let server = Serving::fixtures();
    let target = server.target();
    let done = server.finished(server.job(&target, &json!({"fields": "_id"})));
    let batch = done["destination"]["batchId"].as_str().unwrap();
    let store = server.store();
    let folder = store.layout().batches().join(batch);
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "").unwrap();
    let told = store.delete_batch(batch).unwrap_err().to_string();
    let says = format!("batch {batch} is deleted, but not its files");
    assert!(told.contains(&says), "{told}");
    assert!(store.catalog().batch(batch).unwrap().is_none());
    assert!(folder.exists());
}
