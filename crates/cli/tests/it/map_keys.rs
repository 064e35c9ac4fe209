//! One spelling of each namespace in an output.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::outputs::refused;
use crate::program::{run, stdout, text};

/// A source folder with a dataset of profiles and one of events; each record is a line.
fn source(folder: &Path, profiles: &[Value], events: &[Value]) {
    for (name, id, class, records) in [
        ("crm", "5b020a27e7040801dedba61a", "profile", profiles),
        ("visits", "5b020a27e7040801dedba61b", "event", events),
    ] {
        let dataset = folder.join(name);
        fs::create_dir_all(&dataset).unwrap();
        let description = json!({"id": id, "name": name, "class": class});
        fs::write(dataset.join("dataset.json"), description.to_string()).unwrap();
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        fs::write(dataset.join("records.ndjson"), lines.join("\n")).unwrap();
    }
}

fn profile(id: u32, namespace: &str, segments: &str) -> Value {
    json!({
        "identityMap": {namespace: [{"id": id.to_string()}]},
        "segmentMembership": {segments: {"gold": {"status": "realized"}}},
    })
}

fn event(id: u32, namespaces: [&str; 2]) -> Value {
    let [one, two] = namespaces;
    json!({
        "_id": format!("e{id}"),
        "timestamp": "2018-10-25T13:22:04Z",
        "identityMap": {one: [{"id": id.to_string(), "primary": true}], two: [{"id": id.to_string()}, {"id": "x"}]},
    })
}

fn rows(arguments: &[&str]) -> Vec<Value> {
    let all = ["export", "--quiet", "--events", "identityMap", "--out", "-"];
    let text = stdout(&run(&[&all, arguments].concat()));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The keys of the maps of rows, and of their events.
fn keys(rows: &[Value]) -> BTreeSet<String> {
    let events = rows
        .iter()
        .flat_map(|row| row["timeSeriesEvents"].as_array().unwrap());
    let maps = rows.iter().chain(events).flat_map(|record| {
        ["identityMap", "segmentMembership"].map(|name| record[name].as_object())
    });
    let keys = maps.flatten().flat_map(|map| map.keys());
    keys.cloned().collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_namespace_has_the_spelling_that_was_loaded_first_whatever_comes_later() {
    let folder = TempDir::new().unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    source(
        &first,
        &[
            profile(1, "crmId", "UPS"),
            profile(2, "CRMID", "ups"),
            profile(3, "EMAIL", "Partner"),
        ],
        &[event(1, ["CrmId", "loyalty"]), event(2, ["crmid", "CRMID"])],
    );
    // What comes later is spelled otherwise, is the latest, and replaces the first.
    source(
        &second,
        &[profile(1, "CRMID", "Ups"), profile(4, "Crmid", "PARTNER")],
        &[event(4, ["CRMID", "Loyalty"])],
    );
    let expected = set(&["crmId", "Email", "ups", "Partner", "loyalty"]);
    let of_folder = rows(&["--from", text(&first)]);
    assert_eq!(keys(&of_folder), expected);
    // Two spellings in one event are one entry, with each identity once.
    let twice = of_folder
        .iter()
        .find(|row| row["identityMap"]["crmId"][0]["id"] == "2")
        .unwrap();
    let united = &twice["timeSeriesEvents"][0]["identityMap"];
    let ids = united["crmId"].as_array().unwrap().iter();
    let ids: Vec<&str> = ids.map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(
        (united.as_object().unwrap().len(), ids),
        (1, vec!["2", "x"])
    );

    let store = folder.path().join("store");
    let store = text(&store);
    stdout(&run(&[
        "ingest",
        "--quiet",
        "--store",
        store,
        "--from",
        text(&first),
    ]));
    assert_eq!(rows(&["--store", store]), of_folder);
    stdout(&run(&[
        "ingest",
        "--quiet",
        "--store",
        store,
        "--from",
        text(&second),
    ]));
    let both = rows(&["--store", store]);
    assert_eq!((keys(&both), both.len()), (expected, 4));
    for threads in ["1", "3"] {
        assert_eq!(rows(&["--store", store, "--threads", threads]), both);
    }
    // Also where nothing is left of the record that brought it.
    stdout(&run(&["store", "compact", "--quiet", "--store", store]));
    assert_eq!(rows(&["--store", store]), both);
    stdout(&run(&["store", "verify", "--store", store]));

    // As the records have them, a profile's as its fragment with priority.
    let as_is = rows(&["--store", store, "--map-keys", "as-is"]);
    let expected = set(&[
        "CRMID", "Crmid", "CrmId", "crmid", "EMAIL", "Loyalty", "loyalty", "Partner", "PARTNER",
        "Ups", "ups",
    ]);
    assert_eq!(keys(&as_is), expected);
    // A key is named in any case.
    let named = rows(&["--store", store, "--fields", "identityMap.cRmId"]);
    assert!(
        named
            .iter()
            .any(|row| row["identityMap"]["crmId"][0]["id"] == "4"),
        "{named:?}"
    );
}

#[test]
fn it_is_a_property_of_requests() {
    let printed = run(&["export", "--map-keys", "as-is", "--print-request"]);
    let request: Value = serde_json::from_str(&stdout(&printed)).unwrap();
    assert_eq!(request["mapKeys"], "as-is");
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("request.json");
    let of = |how: &str| {
        let body = json!({"schema": {"name": "_xdm.context.profile"}, "mapKeys": how});
        fs::write(&path, body.to_string()).unwrap();
        let source = crate::program::fixtures();
        run(&["preview", text(&path), "--from", text(&source), "--json"])
    };
    stdout(&of("as-is"));
    refused(&of("other"), 2, "mapKeys");
    refused(&of("other"), 2, "one-spelling");
}
