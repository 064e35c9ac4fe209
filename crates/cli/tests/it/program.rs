//! Arguments, streams, exit codes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/retailer")
}

pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_profile-export"));
    command.stdin(Stdio::null());
    // The settings of whoever runs the tests are theirs.
    command.env("XDG_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

pub fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A store in a folder, with the fixtures in it.
pub fn fixture_store(folder: &TempDir) -> String {
    let store = text(&folder.path().join("store")).to_owned();
    let source = fixtures();
    stdout(&run(&[
        "ingest",
        "--store",
        &store,
        "--from",
        text(&source),
    ]));
    store
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_source_folder_exports_in_one_command() {
    let out = TempDir::new().unwrap();
    let source = fixtures();
    let request = source.join("requests/tutorial.json");
    let arguments = [
        "run",
        text(&request),
        "--from",
        text(&source),
        "--out",
        text(out.path()),
    ];
    let output = run(&arguments);
    let job: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(job["status"], "SUCCEEDED");
    let batches = job["destination"]["batches"].as_array().unwrap();
    assert_eq!(batches.len(), 2);
    let metrics = &job["metrics"];
    let total = metrics["totalExportedProfileCounter"].as_u64().unwrap();
    for counter in [
        "exportedProfileByNamespaceCounter",
        "exportedProfileBySegmentCounter",
    ] {
        let counts = metrics[counter].as_object().unwrap();
        let sum: u64 = counts.values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(sum, total, "{metrics}");
        assert!(counts.len() == 2, "{metrics}");
    }
    for batch in batches {
        let folder = out.path().join(batch["batchId"].as_str().unwrap());
        assert!(folder.join("part-00000.parquet").is_file());
    }
    // Nothing but the batches stays, and the closing line says what was written where.
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 2);
    assert!(
        stderr(&output).contains("part-00000.parquet: "),
        "{}",
        stderr(&output)
    );
    let quiet = program().args(arguments).arg("--quiet").output().unwrap();
    assert_eq!(stderr(&quiet), "");
}

#[test]
fn a_store_is_made_loaded_looked_at_and_exported() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store");
    let store = text(&store);
    stdout(&run(&[
        "ingest",
        "--store",
        store,
        "--from",
        text(&fixtures()),
    ]));
    let again = run(&[
        "ingest",
        "--store",
        store,
        "--from",
        text(&fixtures()),
        "--json",
    ]);
    let report: Value = serde_json::from_str(&stdout(&again)).unwrap();
    assert_eq!(report["bad"], 0);

    let body = folder.path().join("dataset.json");
    fs::write(
        &body,
        json!({"name": "Exports", "schemaRef": {
        "id": "https://ns.adobe.com/xdm/context/profile__union",
        "contentType": "application/vnd.adobe.xed+json;version=1"}})
        .to_string(),
    )
    .unwrap();
    let made: Value = serde_json::from_str(&stdout(&run(&[
        "datasets",
        "create",
        text(&body),
        "--store",
        store,
    ])))
    .unwrap();
    let id = made[0]
        .as_str()
        .unwrap()
        .strip_prefix("@/dataSets/")
        .unwrap()
        .to_owned();
    assert!(stdout(&run(&["datasets", "list", "--store", store])).contains(&id));

    let policy = folder.path().join("policy.json");
    fs::write(
        &policy,
        r#"{"name": "mine", "identityGraph": {"type": "pdg"}}"#,
    )
    .unwrap();
    let made: Value = serde_json::from_str(&stdout(&run(&[
        "merge-policies",
        "create",
        text(&policy),
        "--store",
        store,
    ])))
    .unwrap();
    let policies = stdout(&run(&["merge-policies", "list", "--store", store]));
    assert!(
        policies.contains(made["id"].as_str().unwrap()),
        "{policies}"
    );
    assert!(stdout(&run(&["segments", "list", "--store", store])).contains("holiday-shoppers"));

    let mut request: Value =
        serde_json::from_slice(&fs::read(fixtures().join("requests/all-profiles.json")).unwrap())
            .unwrap();
    request["destination"]["datasetId"] = json!(id);
    let mut child = program()
        .args(["run", "-", "--store", store, "--threads", "2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(request.to_string().as_bytes())
        .unwrap();
    let job: Value = serde_json::from_str(&stdout(&child.wait_with_output().unwrap())).unwrap();
    let first = job["metrics"]["totalExportedProfileCounter"].clone();

    assert!(stdout(&run(&["store", "stats", "--store", store])).contains("visits"));
    stdout(&run(&["store", "compact", "--store", store]));
    stdout(&run(&["store", "verify", "--store", store]));
    let path = folder.path().join("request.json");
    fs::write(&path, request.to_string()).unwrap();
    let job: Value =
        serde_json::from_str(&stdout(&run(&["run", text(&path), "--store", store]))).unwrap();
    assert_eq!(job["metrics"]["totalExportedProfileCounter"], first);
}

#[test]
fn files_load_into_a_dataset_that_is_made_on_the_way() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store");
    for (name, email) in [("a.ndjson", "a"), ("b.ndjson", "b")] {
        fs::write(
            folder.path().join(name),
            format!("{{\"email\": \"{email}\"}}\n"),
        )
        .unwrap();
    }
    let pattern = folder.path().join("*.ndjson");
    let output = run(&[
        "ingest",
        "--store",
        text(&store),
        "--dataset",
        "crm",
        "--primary-identity",
        "email=Email",
        "--ingested-at",
        "2020-01-01T00:00:00+01:00",
        text(&pattern),
        "--json",
    ]);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["loaded"], 2);
}

#[test]
fn a_bad_record_fails_the_load_or_goes_to_the_rejects_file() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store");
    let file = folder.path().join("records.ndjson");
    fs::write(&file, "{\"email\": \"a\"}\nnonsense\n").unwrap();
    let load = |more: &[&str]| {
        let mut arguments = vec!["ingest", "--store", text(&store), "--dataset", "crm"];
        arguments.extend(["--primary-identity", "email=Email", text(&file)]);
        arguments.extend(more);
        run(&arguments)
    };
    let output = load(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("records.ndjson, line 2: broken JSON"),
        "{}",
        stderr(&output)
    );
    let rejects = folder.path().join("rejects.ndjson");
    let skip = ["--on-bad-record", "skip", "--rejects", text(&rejects)];
    let output = load(&skip);
    assert!(output.status.success());
    assert!(fs::read_to_string(&rejects).unwrap().contains("nonsense"));
    // One without bad records takes the file of the one before away.
    fs::write(&file, "{\"email\": \"a\"}\n").unwrap();
    assert!(load(&skip).status.success());
    assert!(!rejects.exists());
}

#[test]
fn wrong_usage_and_bad_requests_exit_with_2() {
    let folder = TempDir::new().unwrap();
    let store = folder.path().join("store");
    let bad = folder.path().join("bad.json");
    fs::write(&bad, r#"{"fieldz": "x"}"#).unwrap();
    let cases: [(&[&str], &str); 6] = [
        (&["run"], "Usage"),
        (&["run", text(&bad)], "--store"),
        (
            &["run", text(&bad), "--store", text(&store)],
            "did you mean \"fields\"?",
        ),
        (
            &["run", "missing.json", "--store", text(&store)],
            "missing.json",
        ),
        (
            &["store", "stats", "--store", text(&store)],
            "no store; make one with",
        ),
        (
            &[
                "ingest",
                "--store",
                text(&store),
                "--from",
                text(folder.path()),
            ],
            "no folder in it has a dataset.json",
        ),
    ];
    for (arguments, expected) in cases {
        let output = run(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(expected),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert_eq!(output.stdout, b"");
    }
}

#[test]
fn completions_are_printed() {
    assert!(stdout(&run(&["completions", "bash"])).contains("profile-export"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = program()
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

pub fn parsed(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}
