//! Somebody is deleted on the command line, and what is told of it.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::program::{fixture_store, fixtures, parsed, run, stderr, stdout, text};

const WHO: &str = "Email:person226@example.com";

#[test]
fn a_person_is_deleted_and_erased_and_it_is_told_what_went() {
    let folder = TempDir::new().unwrap();
    let path = fixture_store(&folder);
    let store = ["--store", &path];
    let ask = |arguments: &[&str]| run(&[arguments, &store].concat());
    let told = ask(&["store", "verify", "--gone", WHO]);
    assert_eq!(told.status.code(), Some(1), "{}", stderr(&told));
    let said = String::from_utf8(told.stdout).unwrap();
    assert_eq!(said.matches("holds it: runs/").count(), 2, "{said}");

    // An export of before, in the store and given out.
    let target = fixtures().join("target.json");
    let made = parsed(&ask(&["datasets", "create", text(&target)]));
    let target = made[0].as_str().unwrap().trim_start_matches("@/dataSets/");
    let wanted =
        json!({"schema": {"name": "_xdm.context.profile"}, "destination": {"datasetId": target}});
    let request = folder.path().join("request.json");
    fs::write(&request, wanted.to_string()).unwrap();
    let (request, out) = (text(&request), folder.path().join("out"));
    assert_eq!(parsed(&ask(&["run", request]))["status"], "SUCCEEDED");
    stdout(&ask(&["run", request, "--out", text(&out)]));

    let deleted = parsed(&ask(&["profiles", "delete", WHO, "--json"]));
    let datasets = deleted["datasets"].as_array().unwrap();
    let counts: Vec<(&str, u64)> = (datasets.iter())
        .map(|one| {
            (
                one["name"].as_str().unwrap(),
                one["records"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(counts, [("crm", 1), ("visits", 6)]);
    let again = ask(&["profiles", "delete", WHO]);
    assert_eq!(again.status.code(), Some(3), "{}", stderr(&again));
    assert!(stderr(&again).contains("person226@example.com"));

    // The batch in the store goes; the files that were given out are named.
    assert_eq!(
        ask(&["store", "verify", "--gone", WHO]).status.code(),
        Some(1)
    );
    let erased = stdout(&ask(&["profiles", "delete", WHO, "--everywhere"]));
    assert!(erased.contains("0 records deleted"), "{erased}");
    assert_eq!(erased.matches("export batch").count(), 1, "{erased}");
    assert_eq!(
        erased.matches("given out, and not deleted").count(),
        1,
        "{erased}"
    );
    assert!(erased.contains("no file of"), "{erased}");
    let gone = ask(&["store", "verify", "--gone", WHO, "--json"]);
    assert_eq!(parsed(&gone)["holding"], json!([]));
    assert_eq!(
        parsed(&ask(&["store", "verify", "--json"]))["problems"],
        json!([])
    );
    let nobody = ask(&["profiles", "delete", "Email:null"]);
    assert_eq!(nobody.status.code(), Some(2), "{}", stderr(&nobody));
}
