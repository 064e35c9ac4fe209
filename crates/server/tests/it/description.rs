//! What the server says of itself.

use serde_json::{Value, json};

use crate::log::{keep_log, logged};
use crate::serving::{HEADERS, JOBS, Serving};

#[test]
fn the_description_has_every_operation_with_schemas_that_are_read() {
    let server = Serving::empty();
    let description = server.ask("GET", "/openapi.json", &[], b"").is(200);
    let mut operations = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !operation.is_object() {
                continue;
            }
            operations += 1;
            let name = format!("{method} {path}");
            assert!(operation["summary"].is_string(), "{name}");
            for status in ["401", "403", "503"] {
                assert!(
                    operation["responses"][status].is_object(),
                    "{name}: {status}"
                );
            }
        }
    }
    assert!(operations >= 54, "{operations}");
    let schemas = description["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        assert!(
            schema["type"].is_string(),
            "{name} could not be read: {schema}"
        );
    }
    let patch = &schemas["PatchRequest"]["items"];
    assert_eq!(patch["required"], json!(["op", "path", "value"]));
    assert_eq!(patch["properties"]["value"], json!({}));
    let job = &schemas["ExportJob"]["properties"]["status"]["enum"];
    assert!(job.as_array().unwrap().contains(&json!("CANCELLED")));
    assert_eq!(
        description["components"]["securitySchemes"]
            .as_object()
            .unwrap()
            .len(),
        4
    );
}

#[test]
fn requests_are_described_as_strictly_as_they_are_read() {
    let server = Serving::empty();
    let description = server.ask("GET", "/openapi.json", &[], b"").is(200);
    let schemas = &description["components"]["schemas"];
    for name in [
        "ExportJobRequest",
        "FilterRequest",
        "DatasetRequest",
        "IncomingRequest",
        "BulkGet",
        "ExpressionBody",
        "PreviewBody",
        "ScheduleRequest",
    ] {
        assert_eq!(schemas[name]["additionalProperties"], false, "{name}");
    }
    let job = &schemas["ExportJobRequest"];
    assert_eq!(job["required"], json!(["destination", "schema"]));
    assert_eq!(
        schemas["FilterRequest"]["properties"]["fromIngestTimestamp"]["format"],
        "date-time"
    );
    // What may be missing may be null, too, but is not described so.
    assert!(!schemas.to_string().contains("\"null\""), "{schemas}");
}

#[test]
fn health_and_metrics_need_no_headers() {
    let server = Serving::fixtures();
    let health = server.ask("GET", "/health", &[], b"").is(200);
    assert_eq!(health["status"], "up");
    let target = server.target();
    let done = server.finished(server.job(&target, &json!({"fields": "_id"})));
    let rows = &done["metrics"]["totalExportedProfileCounter"];
    server
        .get("/data/core/ups/export/jobs/none")
        .refuses(404, "none");
    let wanted = [
        "profile_export_jobs{status=\"SUCCEEDED\"} 1".to_owned(),
        "profile_export_jobs_ended_total{status=\"SUCCEEDED\"} 1".to_owned(),
        format!("profile_export_exported_profiles_total {rows}"),
        "route=\"/data/core/ups/export/jobs/{id}\",status=\"404\"} 1".to_owned(),
        "profile_export_http_request_duration_seconds_count".to_owned(),
        "# EOF".to_owned(),
    ];
    // A worker counts its job just after the catalog says that it is done.
    let text = server.until(|| {
        let answer = server.ask("GET", "/metrics", &[], b"");
        let text = String::from_utf8(answer.body).unwrap();
        text.contains(&wanted[1]).then_some(text)
    });
    for line in wanted {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
}

#[test]
fn methods_that_http_does_not_name_are_counted_as_one() {
    let server = Serving::empty();
    for method in ["BREW", "brew", &"X".repeat(5000), "get"] {
        server.raw(
            format!("{method} / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .as_bytes(),
        );
    }
    let answer = server.ask("GET", "/metrics", &[], b"");
    let text = String::from_utf8(answer.body).unwrap();
    let wanted = "http_requests_total{method=\"other\",route=\"/\",status=\"405\"} 4";
    assert!(text.contains(wanted), "{text}");
    assert!(!text.contains("BREW") && text.len() < 10_000, "{text}");
}

#[test]
fn what_waits_and_watches_asks_again_and_again_is_no_line_of_the_usual_log() {
    keep_log();
    let server = Serving::fixtures();
    let target = server.target();
    let job = server.job(&target, &json!({"fields": "_id"}));
    server.finished(job);
    let ask = |path: &str, id: &str| {
        let mut headers = HEADERS.to_vec();
        headers.push(("x-request-id", id));
        server.ask("GET", path, &headers, b"");
        logged(&format!("request_id={id:?}")).pop().unwrap()
    };
    for (path, id, level) in [
        ("/health", "quiet-1", "DEBUG"),
        (&format!("{JOBS}/{job}"), "quiet-2", "DEBUG"),
        (JOBS, "loud-1", "INFO"),
        (&format!("{JOBS}/4711"), "loud-2", "INFO"),
    ] {
        let line = ask(path, id);
        assert!(line.starts_with(level), "{path}: {line}");
    }
}

#[test]
fn the_description_is_shown_by_a_page_of_the_program() {
    let server = Serving::empty();
    let ask = |path: &str| server.ask("GET", path, &[], b"");
    let page = ask("/reference");
    assert_eq!(page.status, 200);
    let html = String::from_utf8(page.body).unwrap();
    let parts = html.split('"').filter(|part| part.starts_with('/'));
    let parts: Vec<&str> = parts.collect();
    assert_eq!(parts.len(), 6, "{parts:?}");
    for path in parts {
        let answer = ask(path);
        assert_eq!(answer.status, 200, "{path}");
        if path.starts_with("/reference/swagger-ui") {
            assert_eq!(answer.header("content-encoding"), "gzip");
            assert!(answer.body.starts_with(b"\x1f\x8b") && answer.body.len() < 500_000);
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'"), "{policy}");
        }
    }
    let licences = String::from_utf8(ask("/reference/licences.txt").body).unwrap();
    assert!(licences.contains("SmartBear") && licences.contains("Apache License 2.0"));
}

#[test]
fn every_answer_has_a_request_id_and_a_kind_that_is_no_guess() {
    let server = Serving::empty();
    let ask = |path, id: &str| {
        let mut headers = HEADERS.to_vec();
        headers.push(("x-request-id", id));
        let answer = server.ask("GET", path, &headers, b"");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(server.get(JOBS).header("x-request-id").len(), 24);
    let longest = "x".repeat(100);
    for fit in ["mine-1", &longest] {
        for path in [JOBS, "/nowhere"] {
            assert_eq!(ask(path, fit), fit);
        }
    }
    let too_long = "x".repeat(101);
    for unfit in ["", "two words", &too_long] {
        let made = ask(JOBS, unfit);
        assert_eq!(made.len(), 24, "{unfit:?} became {made:?}");
    }
}

#[test]
fn the_page_comes_from_the_program_alone() {
    let server = Serving::empty();
    for (path, kind) in [
        ("/", "text/html"),
        ("/page/page.css", "text/css"),
        ("/page/page.js", "text/javascript"),
    ] {
        let answer = server.ask("GET", path, &[], b"");
        assert_eq!(answer.status, 200);
        assert!(answer.header("content-type").starts_with(kind));
        assert!(
            answer
                .header("content-security-policy")
                .contains("default-src 'none'")
        );
        let text = String::from_utf8(answer.body).unwrap();
        assert!(
            !text.contains("http://") && !text.contains("https://"),
            "{path} loads from elsewhere"
        );
    }
    let list: Value = server.get(JOBS).is(200);
    assert_eq!(list["records"], json!([]));
}
