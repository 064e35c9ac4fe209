//! A server on a port of its own, and short ways to ask it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use profile_export::export::Progress;
use profile_export::platform::{SourceFolder, put_segment};
use profile_export::store::{LoadOptions, Scope, Store};
use profile_export_server::{Server, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use ureq::http::{HeaderMap, Request};

pub const JOBS: &str = "/data/core/ups/export/jobs";
pub const POLICIES: &str = "/data/core/ups/config/mergePolicies";
pub const SEGMENTS: &str = "/data/core/ups/segment/definitions";
pub const AUDIENCES: &str = "/data/core/ups/audiences";
pub const PREVIEW: &str = "/data/core/ups/preview";
pub const SCHEDULES: &str = "/data/core/ups/config/schedules";
pub const ESTIMATE: &str = "/data/core/ups/estimate";
pub const DATASETS: &str = "/data/foundation/catalog/dataSets";
pub const BATCHES: &str = "/data/foundation/catalog/batches";
pub const EXPORT: &str = "/data/foundation/export";
pub const IMPORT: &str = "/data/foundation/import/batches";

/// The headers that every request carries.
pub const HEADERS: [(&str, &str); 4] = [
    ("authorization", "Bearer token"),
    ("x-api-key", "key"),
    ("x-gw-ims-org-id", "acme"),
    ("x-sandbox-name", "prod"),
];

pub fn scope() -> Scope {
    Scope {
        org: "acme".to_owned(),
        sandbox: "prod".to_owned(),
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The body, where the status is this one.
    #[track_caller]
    pub fn is(&self, status: u16) -> Value {
        assert_eq!(
            self.status,
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        if self.body.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// Checks that it is a problem in the platform's form whose detail says this.
    #[track_caller]
    pub fn refuses(&self, status: u16, says: &str) {
        let body = self.is(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(body["status"], status);
        assert!(body["title"].is_string());
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{detail:?} does not say {says:?}");
    }
}

pub struct Serving {
    pub url: String,
    pub folder: PathBuf,
    _home: Option<TempDir>,
    agent: ureq::Agent,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// A server over a store with nothing in it.
    pub fn empty() -> Self {
        Self::with(|_| {})
    }

    /// A server over the fixtures.
    pub fn fixtures() -> Self {
        let home = TempDir::new().unwrap();
        load_fixtures(home.path());
        Self::on(home.path(), |_| {}).keeping(home)
    }

    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let home = TempDir::new().unwrap();
        Self::on(home.path(), change).keeping(home)
    }

    /// A server over the store in a folder.
    pub fn on(folder: &Path, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new(folder, ([127, 0, 0, 1], 0).into());
        change(&mut settings);
        let (ready, address) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let server = Server::bind(settings).await.unwrap();
                ready.send(server.address()).unwrap();
                server
                    .run(async { stopped.await.unwrap_or(()) })
                    .await
                    .unwrap();
            });
        });
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            // A server that refuses before it has read the body ends the connection: the next request gets one of its own.
            .max_idle_connections(0)
            .build();
        Self {
            url: format!("http://{}", address.recv().unwrap()),
            folder: folder.to_owned(),
            _home: None,
            agent: config.into(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn keeping(mut self, home: TempDir) -> Self {
        self._home = Some(home);
        self
    }

    /// Asks with exactly these headers.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = if body.is_empty() {
            self.agent.run(request.body(()).unwrap())
        } else {
            self.agent.run(request.body(body).unwrap())
        };
        let mut answer = answer.unwrap();
        Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: answer
                .body_mut()
                .with_config()
                .limit(1 << 30)
                .read_to_vec()
                .unwrap(),
        }
    }

    pub fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Sends bytes as they are and reads until the other side is done.
    pub fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        // A server that refuses what it has read so far may not read the rest.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &HEADERS, b"")
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, &HEADERS, b"")
    }

    pub fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let mut headers = HEADERS.to_vec();
        headers.push(("content-type", "application/json"));
        self.ask(method, path, &headers, body.to_string().as_bytes())
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body)
    }

    /// Puts a definition into the store, where nobody says when.
    pub fn keep(&self, definition: &Value) {
        put_segment(self.store().catalog(), definition.clone()).unwrap();
    }

    /// Makes a dataset for exports; returns its ID.
    pub fn target(&self) -> String {
        let made = self
            .post(DATASETS, &union_dataset("Profile export"))
            .is(201);
        let reference = made[0].as_str().unwrap();
        reference.strip_prefix("@/dataSets/").unwrap().to_owned()
    }

    /// Creates a job with these parts beside what every request has; returns its ID.
    pub fn job(&self, target: &str, more: &Value) -> i64 {
        let job = self.post(JOBS, &job_request(target, more)).is(200);
        job["id"].as_i64().unwrap()
    }

    /// Waits until a job is at its end; returns it.
    pub fn finished(&self, id: i64) -> Value {
        self.until(|| {
            let job = self.get(&format!("{JOBS}/{id}")).is(200);
            let status = job["status"].as_str().unwrap();
            ["SUCCEEDED", "FAILED", "CANCELLED"]
                .contains(&status)
                .then_some(job)
        })
    }

    /// Looks again and again until there is something.
    #[track_caller]
    pub fn until<T>(&self, look: impl Fn() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "it never came");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn store(&self) -> Store {
        Store::open(&self.folder, scope()).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

pub fn load_fixtures(folder: &Path) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/retailer");
    let store = Store::open(folder, scope()).unwrap();
    let source = SourceFolder::open(&fixtures).unwrap();
    source
        .load(&store, &LoadOptions::default(), &Progress::default())
        .unwrap();
}

pub fn union_dataset(name: &str) -> Value {
    json!({"name": name, "schemaRef": {"id": "https://ns.adobe.com/xdm/context/profile__union"}})
}

pub fn job_request(target: &str, more: &Value) -> Value {
    let mut body = json!({
        "destination": {"datasetId": target},
        "schema": {"name": "_xdm.context.profile"},
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}
