//! One profile, looked up.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{fixture_store, parsed, run, stderr};

#[test]
fn a_profile_is_shown_with_its_events_and_its_fragments() {
    let folder = TempDir::new().unwrap();
    let path = fixture_store(&folder);
    let store = ["--store", &path];
    let get = |identity: &str, more: &[&str]| {
        run(&[&["profiles", "get", identity][..], &store, more].concat())
    };
    let found = parsed(&get(
        "email:person226@example.com",
        &["--fields", "personalEmail.address"],
    ));
    assert_eq!(
        found["entity"],
        json!({"personalEmail": {"address": "person226@example.com"}})
    );
    assert_eq!(found["identities"], json!(["Email:person226@example.com"]));
    let whole = parsed(&get(
        "Email:person226@example.com",
        &["--events=_id,timestamp", "--fragments"],
    ));
    let events = whole["entity"]["timeSeriesEvents"].as_array().unwrap();
    assert!(events.len() > 1);
    let times: Vec<&Value> = events.iter().map(|event| &event["timestamp"]).collect();
    assert!(
        times
            .windows(2)
            .all(|two| two[0].as_str() <= two[1].as_str())
    );
    let fragments = whole["fragments"].as_array().unwrap();
    assert!(
        fragments
            .iter()
            .all(|one| one["dataset"].is_string() && one["values"].is_object())
    );
    assert!(
        whole["fields"]
            .as_array()
            .unwrap()
            .iter()
            .any(|field| field["path"] == "personalEmail.address")
    );
    let nobody = get("Email:nobody@example.com", &[]);
    assert_eq!(nobody.status.code(), Some(3));
    assert!(
        stderr(&nobody).contains("nobody@example.com"),
        "{}",
        stderr(&nobody)
    );
    let wrong = get(
        "Email:person226@example.com",
        &["--fields", "personalEmail.adress"],
    );
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        stderr(&wrong).contains("personalEmail.address"),
        "{}",
        stderr(&wrong)
    );
}
