//! What is too much is told so, and nothing happened.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::serving::{
    DATASETS, HEADERS, IMPORT, JOBS, Serving, job_request, load_fixtures, union_dataset,
};

#[test]
fn a_job_too_many_is_told_to_come_back_and_does_not_exist() {
    let home = tempfile::TempDir::new().unwrap();
    load_fixtures(home.path());
    let server = Serving::on(home.path(), |settings| settings.max_waiting_jobs = 0);
    let target = server.target();
    let answer = server.post(JOBS, &job_request(&target, &json!({})));
    answer.refuses(503, "wait");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(server.get(JOBS).is(200)["records"], json!([]));
}

#[test]
fn who_has_too_many_jobs_keeps_nobody_else_out() {
    let home = tempfile::TempDir::new().unwrap();
    let server = Serving::on(home.path(), |settings| settings.max_waiting_jobs = 3);
    // What waits goes on waiting.
    let catalog = rusqlite::Connection::open(server.store().layout().catalog()).unwrap();
    let refusing = "CREATE TRIGGER refusing BEFORE UPDATE ON jobs WHEN NEW.status = 'PROCESSING'
                    BEGIN SELECT RAISE(ABORT, 'not now'); END";
    catalog.execute_batch(refusing).unwrap();
    let ask = |org: &'static str, path: &str, body: &serde_json::Value| {
        let mut headers = HEADERS.to_vec();
        headers.retain(|(name, _)| *name != "x-gw-ims-org-id");
        headers.push(("x-gw-ims-org-id", org));
        server.ask("POST", path, &headers, body.to_string().as_bytes())
    };
    let target = |org: &'static str| {
        let made = ask(org, DATASETS, &union_dataset("Target")).is(201);
        let id = made[0].as_str().unwrap().rsplit('/').next();
        id.unwrap().to_owned()
    };
    let (many, few) = (target("many"), target("few"));
    for _ in 0..3 {
        ask("many", JOBS, &job_request(&many, &json!({}))).is(200);
    }
    ask("many", JOBS, &job_request(&many, &json!({}))).refuses(503, "3 jobs of this sandbox");
    ask("few", JOBS, &job_request(&few, &json!({}))).is(200);
}

#[test]
fn bodies_heads_and_files_have_a_largest_size() {
    let server = Serving::with(|settings| {
        settings.max_body = 1000;
        settings.max_upload = 1000;
    });
    server
        .post(DATASETS, &union_dataset(&"x".repeat(1000)))
        .refuses(413, "1000");
    let target = server.target();
    let body = json!({"datasetId": target, "inputFormat": {"format": "json"}});
    let batch = server.post(IMPORT, &body).is(201)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("{IMPORT}/{batch}/datasets/{target}/files/a");
    server
        .ask("PUT", &path, &HEADERS, &[b' '; 1001])
        .refuses(413, "1000");
    assert_eq!(
        server.get(&format!("{IMPORT}/{batch}")).is(200)["files"],
        json!([])
    );
    let head = format!(
        "GET {JOBS} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\n\r\n",
        "k".repeat(100_000)
    );
    let answer = server.raw(head.as_bytes());
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    server.get(JOBS).is(200);
}

#[test]
fn a_sender_that_falls_silent_is_given_up() {
    let server = Serving::with(|settings| settings.request_timeout = Duration::from_millis(200));
    let request = head("POST", JOBS, "content-length: 10") + "{";
    let answer = server.raw(request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn a_body_that_breaks_off_is_not_told_as_too_large() {
    let server = Serving::empty();
    let request = head("POST", JOBS, "transfer-encoding: chunked") + "no length\r\n";
    let answer = server.raw(request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("the body broke off"), "{answer}");
}

#[test]
fn senders_whose_bodies_do_not_come_keep_nobody_waiting() {
    let server = Serving::empty();
    let dataset = server.target();
    let body = json!({"datasetId": dataset, "inputFormat": {"format": "json"}});
    let batch = server.post(IMPORT, &body).is(201);
    let upload = format!(
        "{IMPORT}/{}/datasets/{dataset}/files/a",
        batch["id"].as_str().unwrap()
    );
    let slow: Vec<TcpStream> = (0..140)
        .map(|i| {
            let (method, path) = [("POST", JOBS), ("PUT", &upload)][i % 2];
            let mut stream = TcpStream::connect(server.address()).unwrap();
            let request = head(method, path, "content-length: 10") + "{";
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    // Each has been read as far as it goes.
    server.until(|| metric(&server, "http_connections").filter(|open| *open >= 140));
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    server.ask("GET", "/health", &[], b"").is(200);
    server.get(JOBS).is(200);
    assert!(start.elapsed() < Duration::from_secs(5));
    drop(slow);
}

#[test]
fn work_too_much_at_a_time_is_told_to_come_back_but_health_and_metrics_are_told() {
    let server = Serving::with(|settings| {
        settings.max_requests = 0;
        settings.request_timeout = Duration::from_millis(200);
    });
    let answer = server.get(JOBS);
    answer.refuses(503, "too many requests");
    assert_eq!(answer.header("retry-after"), "1");
    server.ask("GET", "/health", &[], b"").is(200);
    assert_eq!(server.ask("GET", "/metrics", &[], b"").status, 200);
}

#[test]
fn a_client_that_does_not_read_is_given_up() {
    let server = Serving::with(|settings| settings.write_timeout = Duration::from_secs(1));
    let open = || metric(&server, "http_connections");
    server.until(|| (open() == Some(1)).then_some(()));
    let mut deaf = TcpStream::connect(server.address()).unwrap();
    let request = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";
    // Far more answers than all buffers on the way hold.
    deaf.write_all(request.repeat(500).as_bytes()).unwrap();
    server.until(|| (open() == Some(2)).then_some(()));
    let start = Instant::now();
    server.until(|| (open() == Some(1)).then_some(()));
    assert!(start.elapsed() < Duration::from_secs(10));
    drop(deaf);
}

#[test]
fn connections_too_many_are_told_to_come_back() {
    let server = Serving::with(|settings| settings.max_connections = 2);
    let idle: Vec<TcpStream> = (0..2)
        .map(|_| TcpStream::connect(server.address()).unwrap())
        .collect();
    // The idle ones are taken first.
    std::thread::sleep(Duration::from_millis(200));
    let answer = server.raw(b"");
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"),
        "{answer}"
    );
    drop(idle);
    server.until(|| {
        let answer =
            server.raw(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        answer.starts_with("HTTP/1.1 200").then_some(())
    });
}

#[test]
fn what_is_not_there_is_told_in_the_same_form() {
    let server = Serving::empty();
    server.get("/nowhere").refuses(404, "/nowhere");
    let no_text = server.get(&format!("{JOBS}/%FF"));
    no_text.refuses(400, "UTF-8");
    let answer = server.send("PUT", JOBS, &json!({}));
    answer.refuses(405, "Allow");
    assert!(answer.header("allow").contains("GET"));
}

/// The head of a request with what every one carries, and one line more.
fn head(method: &str, path: &str, line: &str) -> String {
    let headers: String = HEADERS
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}{line}\r\n\r\n")
}

/// The number that a metric says.
fn metric(server: &Serving, name: &str) -> Option<u64> {
    let answer = server.ask("GET", "/metrics", &[], b"");
    let text = String::from_utf8(answer.body).unwrap();
    let start = format!("profile_export_{name} ");
    text.lines()
        .find_map(|line| line.strip_prefix(&start)?.parse().ok())
}
