//! What people read on a terminal, and that pipes have JSON as before.

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{fixture_store, program, run, stderr, stdout, text};

/// Runs the program in a terminal of its own, by `script`; returns what it shows on standard output, and its exit code.
fn on_terminal(arguments: &[&str]) -> (String, Option<i32>) {
    let quoted = |word: &&str| format!("'{}'", word.replace('\'', "'\\''"));
    let words: Vec<String> = arguments.iter().map(quoted).collect();
    let line = format!(
        "'{}' {} 2>/dev/null",
        env!("CARGO_BIN_EXE_profile-export"),
        words.join(" ")
    );
    // The settings of whoever runs the tests are theirs.
    let own = program();
    let settings = own
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let output = std::process::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .envs(settings)
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    (shown.replace("\r\n", "\n"), output.status.code())
}

/// A file with a request.
fn request(folder: &TempDir) -> String {
    let file = folder.path().join("request.json");
    let body = json!({"schema": {"name": "_xdm.context.profile"}, "fields": "personalEmail",
                      "filter": {"segments": [{"segmentId": "holiday-shoppers"}]}});
    fs::write(&file, body.to_string()).unwrap();
    text(&file).to_owned()
}

/// The line of a card that has this name.
fn line<'a>(card: &'a str, name: &str) -> &'a str {
    let start = format!("  {name} ");
    let found = card.lines().find(|line| line.starts_with(&start));
    found.unwrap_or_else(|| panic!("no {name} in\n{card}"))[start.len()..].trim()
}

#[test]
fn on_a_terminal_each_object_is_a_card_and_in_a_pipe_it_is_json() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let at = |arguments: &[&str]| -> String {
        let arguments = [arguments, &["--store", &store]].concat();
        let (shown, code) = on_terminal(&arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {shown}");
        assert!(serde_json::from_str::<Value>(&shown).is_err(), "{shown}");
        let piped = stdout(&run(&arguments));
        assert!(serde_json::from_str::<Value>(&piped).is_ok(), "{piped}");
        let (json, _) = on_terminal(&[&arguments[..], &["--json"]].concat());
        assert!(serde_json::from_str::<Value>(&json).is_ok(), "{json}");
        shown
    };

    let ran = at(&["run", &request(&folder)]);
    assert!(ran.starts_with("job 1: SUCCEEDED\n"), "{ran}");
    assert_eq!(line(&ran, "into"), "Profile exports");
    assert!(line(&ran, "created").ends_with("s ago)"), "{ran}");
    let profiles: u64 = line(&ran, "profiles").parse().unwrap();
    assert!(profiles > 0 && ran.contains("\nBatches\n  ID "), "{ran}");
    let batch = ran.lines().last().unwrap().split_whitespace().next();
    let batch = batch.unwrap().to_owned();

    let shown = at(&["batches", "get", &batch]);
    assert!(shown.starts_with(&format!("batch {batch}: success\n")));
    assert_eq!(line(&shown, "dataset"), "Profile exports");
    assert_eq!(line(&shown, "job"), "1");
    assert!(!line(&shown, "segment").is_empty());
    assert!(shown.contains("part-00000.parquet"), "{shown}");

    let shown = at(&["datasets", "get", "crm"]);
    assert!(shown.starts_with("dataset crm\n"), "{shown}");
    assert_eq!(line(&shown, "class"), "profile");
    assert!(line(&shown, "records").parse::<u64>().unwrap() > 0);

    let list = stdout(&run(&["segments", "list", "--store", &store, "--json"]));
    let list: Value = serde_json::from_str(&list).unwrap();
    let (id, name) = (&list[0]["id"], list[0]["name"].as_str().unwrap());
    let shown = at(&["segments", "get", name]);
    assert!(shown.starts_with(&format!("segment {name}\n")), "{shown}");
    assert_eq!(line(&shown, "id"), id.as_str().unwrap());

    let shown = at(&["merge-policies", "get", "timestampOrdered-pdg-mp"]);
    assert_eq!(line(&shown, "identity graph"), "pdg");
    assert_eq!(line(&shown, "wins"), "the latest value");

    let rows = stdout(&run(&[
        "preview",
        "--store",
        &store,
        "--fields",
        "identityMap",
        "--limit",
        "1",
        "--json",
    ]));
    let rows: Value = serde_json::from_str(&rows).unwrap();
    let identities = rows[0]["identityMap"].as_object().unwrap();
    let found = identities.iter().find_map(|(namespace, list)| {
        let identity = format!("{namespace}:{}", list[0]["id"].as_str()?);
        let looked = run(&["profiles", "get", &identity, "--store", &store]);
        looked.status.success().then_some(identity)
    });
    let identity = found.unwrap();
    let shown = at(&["profiles", "get", &identity, "--events"]);
    assert!(
        shown.to_lowercase().starts_with(&identity.to_lowercase()),
        "{shown}"
    );
    assert!(shown.contains("\nFields\n  FIELD "), "{shown}");
    let shown = at(&["profiles", "get", &identity, "--fragments"]);
    assert!(shown.contains("WHAT LOST"), "{shown}");
}

#[test]
fn a_failed_job_shows_its_code_and_what_to_do() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    stdout(&run(&["run", &request(&folder), "--store", &store]));
    // Each run loses its end.
    for entry in fs::read_dir(folder.path().join("store/runs")).unwrap() {
        let pack = entry.unwrap().path().join("run.pack");
        let bytes = fs::read(&pack).unwrap();
        fs::write(&pack, &bytes[..bytes.len() / 2]).unwrap();
    }
    let failed = run(&["jobs", "retry", "1", "--store", &store]);
    assert_eq!(failed.status.code(), Some(1), "{}", stderr(&failed));
    let next = profile_export::platform::next_step("PE-0005").unwrap();
    let told = stderr(&failed);
    assert!(told.contains("[PE-0005]\n"), "{told}");
    assert!(told.contains(&format!("\nnext: {next}\n")), "{told}");
    let job: Value = serde_json::from_slice(&failed.stdout).unwrap();
    assert_eq!(job["errors"][0]["nextStep"], next);
    let id = job["id"].to_string();

    let (shown, code) = on_terminal(&["jobs", "get", &id, "--store", &store]);
    assert_eq!(code, Some(0));
    assert!(shown.starts_with(&format!("job {id}: FAILED\n")), "{shown}");
    assert!(line(&shown, "error").starts_with("PE-0005: "), "{shown}");
    assert_eq!(line(&shown, "next"), next);
    // Who watches is told on standard error, and the card repeats nothing of it.
    let (shown, code) = on_terminal(&["jobs", "watch", &id, "--store", &store]);
    assert_eq!(code, Some(1));
    assert!(shown.starts_with(&format!("job {id}: FAILED\n")), "{shown}");
    assert!(!shown.contains("PE-0005"), "{shown}");
    let watched = run(&["jobs", "watch", &id, "--store", &store]);
    assert!(
        stderr(&watched).contains("[PE-0005]\nnext: "),
        "{}",
        stderr(&watched)
    );
}
