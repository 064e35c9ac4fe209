//! What is said of inputs, and what of them can be asked for.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{fixtures, program, run, stderr, stdout, text};

#[test]
fn what_is_wrong_with_an_input_is_said_by_name() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store");
    let load = |name: &str, content: &[u8]| {
        let file = folder.path().join(name);
        if !content.is_empty() {
            fs::write(&file, content).unwrap();
        }
        let arguments = ["ingest", "--store", text(&store), "--dataset", "crm"];
        let mut command = program();
        command
            .args(arguments)
            .arg("--primary-identity")
            .arg("email=Email");
        let output = command.arg(&file).output().unwrap();
        assert!(!output.status.success());
        stderr(&output)
    };
    for name in ["missing[1.ndjson", "missing[1].ndjson", "missing.ndjson"] {
        let message = load(name, b"");
        assert!(
            message.contains(&format!("{name}: no such file")),
            "{message}"
        );
    }
    for number in ["123456789012345678901234567890", "-9223372036854775809"] {
        let message = load("long.ndjson", format!("{{\"n\": {number}}}\n").as_bytes());
        assert!(message.contains("64 bits"), "{message}");
    }
    let message = load("large.ndjson", b"{\"n\": 1e999}\n");
    assert!(message.contains("64-bit float does not hold"), "{message}");
}

/// The retailer's records hold no Parquet, so an export brings a file to be damaged.
#[test]
fn a_damaged_parquet_file_is_one_line_of_error() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let request = fixtures().join("requests/all-profiles.json");
    let source = fixtures();
    let arguments = [
        "run",
        text(&request),
        "--from",
        text(&source),
        "--out",
        text(&out),
    ];
    let job: Value = serde_json::from_str(&stdout(&run(&arguments))).unwrap();
    let batch = out.join(job["destination"]["batchId"].as_str().unwrap());
    let whole = fs::read(batch.join("part-00000.parquet")).unwrap();
    let store = folder.path().join("store");
    let file = folder.path().join("damaged.parquet");
    let mut failed = 0;
    for n in 0..60 {
        let mut bytes = whole.clone();
        let at = bytes.len() * n / 60;
        for byte in bytes.iter_mut().skip(at).take(4) {
            *byte ^= 0x55;
        }
        fs::write(&file, bytes).unwrap();
        let arguments = [
            "ingest",
            "--quiet",
            "--store",
            text(&store),
            "--dataset",
            "crm",
        ];
        let output = program().args(arguments).arg(&file).output().unwrap();
        let message = stderr(&output);
        assert!(!message.contains("panicked"), "{n}: {message}");
        let told = message.lines().filter(|line| !line.starts_with("next: "));
        assert!(told.count() <= 1, "{n}: {message}");
        failed += usize::from(!output.status.success());
    }
    assert!(failed > 30, "{failed}");
}

#[test]
fn a_field_without_a_name_can_be_asked_for() {
    let folder = TempDir::new().unwrap();
    let dataset = folder.path().join("source/crm");
    fs::create_dir_all(&dataset).unwrap();
    let description = r#"{"id": "5b020a27e7040801dedba61a", "name": "crm", "class": "profile",
        "primaryIdentity": "email=Email"}"#;
    fs::write(dataset.join("dataset.json"), description).unwrap();
    let record = r#"{"email": "a", "": 7, "person": {"": "x"}}"#;
    fs::write(dataset.join("data.ndjson"), record).unwrap();
    let request = folder.path().join("request.json");
    let source = folder.path().join("source");
    let out = folder.path().join("out");
    for (fields, exit) in [
        ("\"\"", 0),
        ("person.\"\"", 0),
        ("email.\"\"", 2),
        ("person.", 2),
    ] {
        let body = json!({"fields": fields, "schema": {"name": "_xdm.context.profile"},
            "destination": {"datasetId": "5b020a27e7040801dedba61e"}});
        fs::write(&request, body.to_string()).unwrap();
        let arguments = [
            "run",
            text(&request),
            "--from",
            text(&source),
            "--out",
            text(&out),
        ];
        let output = run(&arguments);
        assert_eq!(
            output.status.code(),
            Some(exit),
            "{fields}: {}",
            stderr(&output)
        );
    }
}
