//! Bodies of requests, and the descriptions in a source folder: whatever the platform and the server read from
//! JSON. The server is asked without sockets, over a store of its own that a request which changes it ends.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use axum::body::{Body, to_bytes};
use axum::http::Request;
use profile_export::export::Progress;
use profile_export::jobs::{RunOptions, run_job};
use profile_export::platform::{Error, ErrorKind, SourceFolder};
use profile_export::store::{LoadOptions, Scope, Store};
use serde_json::{Value, json};
use server::{Server, Settings};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const JOBS: &str = "/data/core/ups/export/jobs";
const POLICIES: &str = "/data/core/ups/config/mergePolicies";
/// What the server says of a definition, whatever its sender says.
const GENERATED: [&str; 5] = [
    "creationTime",
    "updateTime",
    "updateEpoch",
    "imsOrgId",
    "sandbox",
];
const SEGMENTS: &str = "/data/core/ups/segment/definitions";
const DATASETS: &str = "/data/foundation/catalog/dataSets";
const IMPORT: &str = "/data/foundation/import/batches";

/// What there is before a request: the bodies of a source folder's files, below `body/` of this one.
const FILES: [(&str, &str); 7] = [
    ("exports/dataset.json", include_str!("body/exports.json")),
    ("crm/dataset.json", include_str!("body/crm.json")),
    ("crm/records.ndjson", include_str!("body/crm.ndjson")),
    ("visits/dataset.json", include_str!("body/visits.json")),
    ("visits/records.ndjson", include_str!("body/visits.ndjson")),
    (
        "merge-policies.json",
        include_str!("body/merge-policies.json"),
    ),
    ("segments.json", include_str!("body/segments.json")),
];

/// What a body is for.
#[derive(Clone, Copy)]
enum Purpose {
    /// Sent by a method to a path.
    Request(&'static str, &'static str),
    /// A file of a source folder.
    File(&'static str),
}

/// An input's first byte, counted from `a`, chooses.
const PURPOSES: [Purpose; 11] = [
    Purpose::Request("POST", JOBS),
    Purpose::Request("POST", POLICIES),
    Purpose::Request("PUT", "/data/core/ups/config/mergePolicies/mine"),
    Purpose::Request("PATCH", "/data/core/ups/config/mergePolicies/mine"),
    Purpose::Request("POST", "/data/core/ups/config/mergePolicies/bulk-get"),
    Purpose::Request("POST", SEGMENTS),
    Purpose::Request("POST", DATASETS),
    Purpose::Request("POST", IMPORT),
    Purpose::File("crm/dataset.json"),
    Purpose::File("merge-policies.json"),
    Purpose::File("segments.json"),
];

/// Sends a body, or loads a source folder in which it is a file. The first byte says what it is for.
///
/// # Panics
/// The server or a load makes a mistake, or what an answer told is not so.
pub fn check(input: &[u8]) {
    let Some((choice, body)) = input.split_first() else {
        return;
    };
    let number = choice.wrapping_sub(b'a');
    match PURPOSES[usize::from(number) % PURPOSES.len()] {
        Purpose::Request(method, path) => {
            let place = PLACE.take().unwrap_or_else(Place::new);
            let is_changed = place.check(method, path, body);
            PLACE.set((!is_changed).then_some(place));
        }
        Purpose::File(name) => check_file(name, body),
    }
}

thread_local! {
    /// A server that nobody has changed anything of.
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// A store in which the source folder is loaded.
static TEMPLATE: LazyLock<TempDir> = LazyLock::new(|| {
    let source = folder();
    write_files(source.path());
    let template = folder();
    let store = Store::open(template.path(), scope()).expect("a store");
    load(source.path(), &store).expect("a source folder");
    template
});

fn folder() -> TempDir {
    TempDir::new().expect("a folder")
}

fn scope() -> Scope {
    Scope {
        org: "acme".to_owned(),
        sandbox: "prod".to_owned(),
    }
}

fn write_files(folder: &Path) {
    for (name, text) in FILES {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("room");
        fs::write(path, text).expect("room");
    }
}

fn load(source: &Path, store: &Store) -> Result<(), Error> {
    SourceFolder::open(source)?.load(store, &LoadOptions::default(), &Progress::default())?;
    Ok(())
}

/// What may come of a body: nothing that is the program's own fault.
fn judge(error: &Error) {
    let kind = error.kind();
    let is_theirs = matches!(
        kind,
        ErrorKind::BadRequest
            | ErrorKind::BadSource
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::BadInput
            | ErrorKind::InvalidDataset
            | ErrorKind::BadRecord
    );
    assert!(is_theirs, "{kind:?}: {error}");
}

fn check_file(name: &str, text: &[u8]) {
    let (source, target) = (folder(), folder());
    write_files(source.path());
    fs::write(source.path().join(name), text).expect("room");
    let store = Store::open(target.path(), scope()).expect("a store");
    if let Err(error) = load(source.path(), &store) {
        judge(&error);
    }
}

/// A server in this process.
struct Place {
    runtime: Runtime,
    server: Server,
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = folder();
        copy(TEMPLATE.path(), folder.path());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let settings = Settings::new(folder.path(), ([127, 0, 0, 1], 0).into());
        let server = runtime.block_on(Server::bind(settings));
        Self {
            runtime,
            server: server.expect("a server"),
            folder,
        }
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("authorization", "Bearer token")
            .header("x-api-key", "key")
            .header("x-gw-ims-org-id", "acme")
            .header("x-sandbox-name", "prod")
            .header("content-type", "application/json")
            .body(Body::from(body.to_vec()))
            .expect("a request");
        let (status, bytes) = self.runtime.block_on(async {
            let answer = self.server.answer(request).await;
            let status = answer.status().as_u16();
            let bytes = to_bytes(answer.into_body(), usize::MAX).await;
            (status, bytes.expect("an answer"))
        });
        let answer = serde_json::from_slice(&bytes).expect("JSON");
        (status, answer)
    }

    fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask("GET", path, b"");
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Sends a body; says whether that has changed the store.
    fn check(&self, method: &str, path: &str, body: &[u8]) -> bool {
        let (status, answer) = self.ask(method, path, body);
        match status {
            200 | 201 => {
                self.check_made(path, body, &answer);
                true
            }
            207 => false,
            400..500 => {
                let detail = answer["detail"].as_str().expect("a detail");
                assert!(!detail.is_empty());
                false
            }
            other => panic!("{other}: {answer}"),
        }
    }

    /// What was told as made is there.
    fn check_made(&self, path: &str, body: &[u8], answer: &Value) {
        let mut sent: Value = serde_json::from_slice(body).expect("JSON");
        match path {
            JOBS => self.check_job(answer, &sent),
            DATASETS => {
                let reference = answer[0].as_str().expect("a reference");
                let id = reference.strip_prefix("@/dataSets/").expect("a dataset");
                let made = &self.get(&format!("{DATASETS}/{id}"))[id];
                for name in ["name", "description"] {
                    assert_eq!(made[name], sent[name]);
                }
                assert_eq!(made["schemaRef"]["id"], sent["schemaRef"]["id"]);
                holds(&made["tags"], &sent["tags"]);
            }
            IMPORT => {
                let id = answer["id"].as_str().expect("an ID");
                assert_eq!(self.get(&format!("{IMPORT}/{id}")), *answer);
                holds(&answer["tags"], &sent["tags"]);
            }
            SEGMENTS => {
                let sent = sent.as_object_mut().expect("a definition");
                sent.retain(|name, _| !GENERATED.contains(&name.as_str()));
                holds(answer, &json!(sent));
                self.check_shown(SEGMENTS, answer);
            }
            _ => {
                self.check_shown(POLICIES, answer);
                // A client may send back what it was shown.
                let id = answer["id"].as_str().expect("an ID");
                let path = format!("{POLICIES}/{}", escaped(id));
                let (status, again) = self.ask("PUT", &path, answer.to_string().as_bytes());
                assert_eq!(status, 200, "{answer} is refused: {again}");
            }
        }
    }

    fn check_shown(&self, path: &str, made: &Value) {
        let id = made["id"].as_str().expect("an ID");
        // A path has no room for these.
        if id != "." && id != ".." {
            assert_eq!(self.get(&format!("{path}/{}", escaped(id))), *made);
        }
    }

    /// A job that was created ends, and not by a mistake.
    fn check_job(&self, job: &Value, sent: &Value) {
        let evaluates = sent["evaluationInfo"]["segmentation"] == json!(true);
        let id = job["id"].as_i64().expect("an ID");
        assert_eq!(self.get(&format!("{JOBS}/{id}")), *job);
        let store = Store::open(self.folder.path(), scope()).expect("a store");
        let progress = Arc::new(Progress::default());
        match run_job(&store, id, &RunOptions::default(), &progress) {
            Ok(finished) => {
                let job = self.get(&format!("{JOBS}/{id}"));
                assert_eq!(job["status"], "SUCCEEDED");
                assert_eq!(job, json!(finished.job));
            }
            // Definitions are made up, too: one may ask for a field that no record has.
            Err(error) if evaluates && error.to_string().contains("bad request: segment ") => {}
            Err(error) => panic!("a job that was created fails: {error}: {:?}", error),
        }
    }
}

/// Checks that an object has all properties of another.
fn holds(made: &Value, sent: &Value) {
    for (name, value) in sent.as_object().into_iter().flatten() {
        assert_eq!(made.get(name), Some(value), "{name}");
    }
}

/// A text as a segment of a path.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            fs::create_dir_all(&to).expect("room");
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).expect("room");
        }
    }
}
