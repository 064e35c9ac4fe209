//! Who may come in, and what they see.

use profile_export_server::{Exposed, NewToken, Rights, Server, ServerError, Settings, Tokens};
use serde_json::json;
use tempfile::TempDir;

use crate::serving::{BATCHES, DATASETS, EXPORT, HEADERS, JOBS, POLICIES, Serving, job_request};

/// The usual headers with one of them set to something else, or left out.
fn but<'a>(name: &str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let mut headers = Vec::new();
    for (known, usual) in HEADERS {
        match (known == name, value) {
            (false, _) => headers.push((known, usual)),
            (true, Some(value)) => headers.push((known, value)),
            (true, None) => {}
        }
    }
    headers
}

#[test]
fn each_of_the_four_headers_is_required() {
    let server = Serving::empty();
    for path in [
        JOBS,
        DATASETS,
        BATCHES,
        POLICIES,
        "/data/core/ups/export/jobs/1",
    ] {
        let ask = |name, value| server.ask("GET", path, &but(name, value), b"");
        ask("authorization", None).refuses(401, "Authorization");
        ask("authorization", Some("Basic abc")).refuses(401, "Bearer");
        ask("authorization", Some("Bearer  ")).refuses(401, "Authorization");
        ask("authorization", Some("Bearer")).refuses(401, "Authorization");
        ask("authorization", Some("Bearertoken")).refuses(401, "Authorization");
        ask("x-api-key", None).refuses(403, "x-api-key");
        ask("x-gw-ims-org-id", None).refuses(400, "x-gw-ims-org-id");
        ask("x-gw-ims-org-id", Some(" ")).refuses(400, "x-gw-ims-org-id");
        ask("x-sandbox-name", None).refuses(400, "x-sandbox-name");
        let long = "s".repeat(201);
        ask("x-sandbox-name", Some(&long)).refuses(400, "200 bytes");
        // They are there, so they are not told as missing.
        ask("x-api-key", Some("clé")).refuses(403, "x-api-key: found other bytes");
        ask("x-sandbox-name", Some("café")).refuses(400, "x-sandbox-name: found other bytes");
    }
    let answer = server.ask("GET", JOBS, &but("authorization", None), b"");
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
    for scheme in ["bearer token", "BEARER  token"] {
        let headers = but("authorization", Some(scheme));
        server.ask("GET", JOBS, &headers, b"").is(200);
    }
}

#[test]
fn tokens_are_for_organisations_sandboxes_and_rights() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tokens.json");
    let make = |name: &str, sandbox: &str, rights| {
        let new = NewToken {
            name: name.to_owned(),
            org: "acme".to_owned(),
            sandbox: sandbox.to_owned(),
            rights,
        };
        format!("Bearer {}", Tokens::create(&file, new).unwrap())
    };
    let reader = make("reader", "prod", Rights::Read);
    let writer = make("writer", "*", Rights::Write);
    let server = Serving::with(|settings| settings.token_file = Some(file));
    let ask = |method: &str, token: &str, org: &str, sandbox: &str, body: &[u8]| {
        let headers = [
            ("authorization", token),
            ("x-api-key", "key"),
            ("x-gw-ims-org-id", org),
            ("x-sandbox-name", sandbox),
        ];
        server.ask(method, DATASETS, &headers, body)
    };
    ask("GET", "Bearer guess", "acme", "prod", b"").refuses(401, "unknown token");
    ask("GET", &reader, "acme", "prod", b"").is(200);
    ask("GET", &reader, "acme", "dev", b"").refuses(403, "x-sandbox-name");
    ask("GET", &reader, "other", "prod", b"").refuses(403, "x-gw-ims-org-id");
    ask("POST", &reader, "acme", "prod", b"{}").refuses(403, "only read");
    ask("GET", &writer, "acme", "dev", b"").is(200);
    ask("GET", &writer, "other", "dev", b"").refuses(403, "x-gw-ims-org-id");
    let body = crate::serving::union_dataset("x").to_string();
    ask("POST", &writer, "acme", "dev", body.as_bytes()).is(201);
}

#[test]
fn organisations_and_sandboxes_see_their_own_alone() {
    let server = Serving::fixtures();
    let target = server.target();
    let job = server.job(&target, &json!({"fields": "_id"}));
    let done = server.finished(job);
    let batch = done["destination"]["batchId"].as_str().unwrap();
    let file = format!("{EXPORT}/files/{batch}-1");
    for (name, value) in [("x-gw-ims-org-id", "other"), ("x-sandbox-name", "dev")] {
        let ask = |method, path: &str, body: &[u8]| {
            server.ask(method, path, &but(name, Some(value)), body)
        };
        assert_eq!(ask("GET", JOBS, b"").is(200)["records"], json!([]));
        assert_eq!(ask("GET", DATASETS, b"").is(200), json!({}));
        assert_eq!(ask("GET", BATCHES, b"").is(200), json!({}));
        ask("GET", &format!("{JOBS}/{job}"), b"").refuses(404, "no job");
        ask("DELETE", &format!("{JOBS}/{job}"), b"").refuses(404, "no job");
        ask("GET", &format!("{DATASETS}/{target}"), b"").refuses(404, "no dataset");
        ask("GET", &format!("{BATCHES}/{batch}"), b"").refuses(404, "no batch");
        ask("GET", &file, b"").refuses(404, "no file");
        ask("GET", &format!("{POLICIES}/crm-first"), b"").refuses(404, "crm-first");
        let request = job_request(&target, &json!({})).to_string();
        ask("POST", JOBS, request.as_bytes()).refuses(400, "destination.datasetId");
    }
    server.get(&file).is(200);
}

#[tokio::test]
async fn nothing_is_open_to_other_machines_without_tokens() {
    let folder = TempDir::new().unwrap();
    let settings = Settings::new(folder.path(), ([0, 0, 0, 0], 0).into());
    let refused = Server::bind(settings).await.err().unwrap();
    assert!(
        matches!(refused, ServerError::Exposed(Exposed::Open(_))),
        "{refused}"
    );
}

#[test]
fn an_open_server_answers_to_local_names_alone() {
    let server = Serving::empty();
    let mut headers = HEADERS.to_vec();
    headers.push(("host", "elsewhere.example"));
    server.ask("GET", JOBS, &headers, b"").refuses(421, "Host");
    for host in ["localhost:1234", "[::1]:1234"] {
        headers.pop();
        headers.push(("host", host));
        server.ask("GET", JOBS, &headers, b"").is(200);
    }
    // A parser that stops at the bracket takes it for ::1.
    let answer = raw(&server, "host: [::1]elsewhere.example\r\n");
    assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
}

#[test]
fn two_hosts_are_refused() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("tokens.json");
    std::fs::write(&file, "[]").unwrap();
    for server in [
        Serving::empty(),
        Serving::with(|settings| settings.token_file = Some(file.clone())),
    ] {
        let answer = raw(&server, "host: localhost\r\nhost: localhost\r\n");
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains("Host: found more than one"), "{answer}");
    }
}

#[test]
fn whose_a_request_is_is_said_once() {
    let server = Serving::empty();
    for (name, value) in [
        ("authorization", "Bearer other"),
        ("x-api-key", "other"),
        ("x-gw-ims-org-id", "other"),
        ("x-sandbox-name", "other"),
    ] {
        let mut headers = HEADERS.to_vec();
        headers.push((name, value));
        let says = format!("{name}: found more than one");
        server.ask("GET", JOBS, &headers, b"").refuses(400, &says);
    }
}

/// Asks for the health with exactly these lines of headers.
fn raw(server: &Serving, lines: &str) -> String {
    let head = format!("GET /health HTTP/1.1\r\n{lines}connection: close\r\n\r\n");
    server.raw(head.as_bytes())
}

#[test]
fn who_asks_for_an_organisation_that_has_nothing_is_told_which_there_are() {
    let server = Serving::empty();
    let path = format!("{DATASETS}/5b020a27e7040801dedba61e");
    let ask = |org| server.ask("GET", &path, &but("x-gw-ims-org-id", Some(org)), b"");
    // Nothing is kept for anybody.
    let detail = |org| ask(org).is(404)["detail"].as_str().unwrap().to_owned();
    assert!(!detail("acmee").contains("nothing is kept"));
    server.target();
    ask("acmee").refuses(
        404,
        "nothing is kept for x-gw-ims-org-id \"acmee\" and x-sandbox-name \"prod\"",
    );
    ask("acmee").refuses(404, "there is something for acme prod");
    assert!(!detail("acme").contains("nothing is kept"));
    // An empty list has no place for it but a header.
    let warning = |path: &str, org| {
        let answer = server.ask("GET", path, &but("x-gw-ims-org-id", Some(org)), b"");
        assert_eq!(answer.status, 200);
        answer.header("warning").to_owned()
    };
    for path in [DATASETS, JOBS, "/data/core/ups/config/projections"] {
        let told = warning(path, "acmee");
        assert!(
            told.starts_with("299 profile-export \"nothing is kept for"),
            "{told}"
        );
        assert!(told.contains("there is something for acme prod"), "{told}");
        assert_eq!(warning(path, "acme"), "");
    }
    // As soon as it has something, it is told no more.
    let mut headers = but("x-gw-ims-org-id", Some("acmee"));
    headers.push(("content-type", "application/json"));
    let body = crate::serving::union_dataset("First").to_string();
    server
        .ask("POST", DATASETS, &headers, body.as_bytes())
        .is(201);
    assert_eq!(warning(DATASETS, "acmee"), "");
}

#[test]
fn where_a_token_file_says_who_may_come_in_nobody_is_told_who_there_is() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("tokens.json");
    let new = NewToken {
        name: "all".to_owned(),
        org: "*".to_owned(),
        sandbox: "*".to_owned(),
        rights: Rights::Write,
    };
    let token = format!("Bearer {}", Tokens::create(&file, new).unwrap());
    let server = Serving::with(|settings| settings.token_file = Some(file));
    let ask = |method, path: &str, org, body: &[u8]| {
        let mut headers = but("authorization", Some(&token));
        headers.retain(|(name, _)| *name != "x-gw-ims-org-id");
        headers.push(("x-gw-ims-org-id", org));
        server.ask(method, path, &headers, body)
    };
    let body = crate::serving::union_dataset("Secret").to_string();
    ask("POST", DATASETS, "acme", body.as_bytes()).is(201);
    let path = format!("{DATASETS}/5b020a27e7040801dedba61e");
    let refused = ask("GET", &path, "acmee", b"").is(404);
    assert!(!refused.to_string().contains("acme"), "{refused}");
    assert_eq!(ask("GET", DATASETS, "acmee", b"").header("warning"), "");
}
