//! Lists in each form, names in the place of IDs, and tidying up.

use std::fs;
use std::process::Output;
use std::sync::Arc;

use profile_export::platform::{Registry, create_schema, members_by_segment};
use profile_export::store::{Scope, Store};
use profile_export::xdm::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{fixture_store, parsed, run, stderr, stdout, text};

struct Place {
    folder: TempDir,
    store: String,
}

fn place() -> Place {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    Place { folder, store }
}

impl Place {
    fn run(&self, arguments: &[&str]) -> Output {
        run(&[arguments, &["--store", &self.store]].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(&stdout(&output)).unwrap()
    }

    fn export(&self, segment: &str) {
        stdout(&self.run(&["export", "--segment", segment, "--fields", "_id"]));
    }

    /// The IDs and states of all jobs, newest first.
    fn jobs(&self) -> Vec<(i64, String)> {
        let list = self.json(&["jobs", "list"]);
        let jobs = list["records"].as_array().unwrap().iter();
        jobs.map(|job| {
            (
                job["id"].as_i64().unwrap(),
                job["status"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
    }
}

#[test]
fn a_list_has_a_form_for_each_who_reads_it() {
    let place = place();
    place.export("holiday-shoppers");
    for list in ["jobs", "batches", "datasets", "segments", "merge-policies"] {
        let tabs = stdout(&place.run(&[list, "list", "--tsv"]));
        let rows: Vec<Vec<&str>> = tabs
            .lines()
            .map(|line| line.split('\t').collect())
            .collect();
        assert!(rows.len() > 1 && rows[0][0] == "ID", "{tabs}");
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{tabs}");
        let lines = stdout(&place.run(&[list, "list", "--jsonl"]));
        let entries: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(entries.len() + 1, rows.len(), "{list}");
        for (entry, row) in std::iter::zip(&entries, &rows[1..]) {
            let id = entry["id"]
                .as_str()
                .map_or_else(|| entry["id"].to_string(), str::to_owned);
            assert_eq!(id, row[0]);
        }
        let whole = place.json(&[list, "list"]);
        let whole = whole.get("records").unwrap_or(&whole);
        assert_eq!(whole.as_array().unwrap(), &entries);
    }
    // What scripts have read so far stays as it was.
    let piped = stdout(&place.run(&["jobs", "list"]));
    assert!(serde_json::from_str::<Value>(&piped).unwrap()["page"].is_object());
    let piped = stdout(&place.run(&["datasets", "list"]));
    assert!(piped.lines().any(|line| line.ends_with("  crm")), "{piped}");
    let batches = place.json(&["batches", "list"]);
    let id = batches[0]["id"].as_str().unwrap();
    assert_eq!(
        stdout(&place.run(&["batches", "files", id, "--jsonl"]))
            .lines()
            .count(),
        1
    );
    assert_eq!(
        stdout(&place.run(&["store", "stats", "--jsonl"]))
            .lines()
            .count(),
        1
    );
    assert_eq!(
        place.run(&["store", "stats", "--tsv"]).status.code(),
        Some(2)
    );
    let both = place.run(&["jobs", "list", "--json", "--tsv"]);
    assert_eq!(both.status.code(), Some(2), "{}", stderr(&both));
}

#[test]
fn names_stand_for_ids() {
    let place = place();
    place.export("holiday-shoppers");
    let all = place.json(&["batches", "list"]);
    let batches = place.json(&["batches", "list", "--dataset", "Profile exports"]);
    assert_eq!((&batches, batches.as_array().unwrap().len()), (&all, 1));
    let none = place.json(&["batches", "list", "--dataset", "crm"]);
    assert_eq!(none.as_array().unwrap().len(), 0);
    let segments = place.json(&["segments", "list"]);
    let (id, name) = (
        segments[0]["id"].as_str().unwrap(),
        segments[0]["name"].as_str().unwrap(),
    );
    assert_ne!(id, name);
    assert_eq!(place.json(&["segments", "get", name]), segments[0]);
    stdout(&place.run(&["segments", "delete", name]));
    assert_eq!(place.run(&["segments", "get", id]).status.code(), Some(3));
    let policies = place.json(&["merge-policies", "list"]);
    let (id, name) = (
        policies[0]["id"].as_str().unwrap(),
        policies[0]["name"].as_str().unwrap(),
    );
    assert_eq!(place.json(&["merge-policies", "get", name])["id"], id);
    stdout(&place.run(&["datasets", "delete", "crm"]));
    assert_eq!(
        place.run(&["datasets", "get", "crm"]).status.code(),
        Some(3)
    );
}

#[test]
fn a_finished_job_is_run_again_and_deleted_with_its_batches() {
    let place = place();
    place.export("holiday-shoppers");
    let again = place.json(&["jobs", "retry", "1"]);
    assert_eq!(
        (&again["id"], &again["status"]),
        (&2.into(), &"SUCCEEDED".into())
    );
    assert_eq!(again["fields"], "_id");
    let waiting = place.folder.path().join("request.json");
    let request =
        stdout(&place.run(&["export", "--print-request", "--dataset", "Profile exports"]));
    fs::write(&waiting, request).unwrap();
    let dataset = place.json(&["datasets", "get", "Profile exports"])["id"].clone();
    let body = fs::read_to_string(&waiting).unwrap();
    fs::write(
        &waiting,
        body.replace("Profile exports", dataset.as_str().unwrap()),
    )
    .unwrap();
    stdout(&place.run(&["jobs", "create", text(&waiting)]));
    let early = place.run(&["jobs", "retry", "3"]);
    assert_eq!(early.status.code(), Some(5), "{}", stderr(&early));
    let refused = place.run(&["jobs", "delete", "3"]);
    assert_eq!(refused.status.code(), Some(5), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("cancel it first"),
        "{}",
        stderr(&refused)
    );
    let batch = place.json(&["jobs", "get", "1"])["destination"]["batchId"].clone();
    let folder = place
        .folder
        .path()
        .join("store/batches")
        .join(batch.as_str().unwrap());
    assert!(folder.is_dir());
    stdout(&place.run(&["jobs", "delete", "1"]));
    assert!(!folder.exists());
    let states: Vec<(i64, String)> = place.jobs();
    assert_eq!(states, [(3, "NEW".to_owned()), (2, "SUCCEEDED".to_owned())]);
    for arguments in [
        ["jobs", "delete", "1"],
        ["jobs", "retry", "1"],
        ["jobs", "get", "1"],
    ] {
        assert_eq!(place.run(&arguments).status.code(), Some(3));
    }
    stdout(&place.run(&["store", "verify"]));
}

#[test]
fn forgetting_keeps_the_newest_of_each_audience() {
    let place = place();
    for segment in ["a", "b", "a", "a", "b"] {
        place.export(segment);
    }
    // One that goes to a folder is forgotten, and its files are not ours to delete.
    let out = place.folder.path().join("out");
    stdout(&place.run(&["export", "--segment", "c", "--out", text(&out)]));
    stdout(&place.run(&[
        "export",
        "--segment",
        "c",
        "--out",
        text(&out),
        "--if-exists",
        "append",
    ]));
    let forget = |more: &[&str]| {
        let arguments = [&["store", "forget"], more].concat();
        let jobs = place.json(&arguments);
        let ids = jobs.as_array().unwrap().iter();
        ids.map(|job| job["id"].as_i64().unwrap())
            .collect::<Vec<i64>>()
    };
    assert_eq!(place.run(&["store", "forget"]).status.code(), Some(2));
    assert_eq!(forget(&["--keep-last", "2", "--dry-run"]), [1]);
    assert_eq!(place.jobs().len(), 7);
    assert_eq!(forget(&["--keep-last", "2"]), [1]);
    // All are of today.
    assert_eq!(forget(&["--keep-daily", "7"]), [2, 3, 6]);
    let left: Vec<i64> = place.jobs().into_iter().map(|(id, _)| id).collect();
    assert_eq!(left, [7, 5, 4]);
    assert_eq!(
        place.json(&["batches", "list"]).as_array().unwrap().len(),
        3
    );
    stdout(&run(&["verify-manifest", text(&out)]));
    stdout(&place.run(&["store", "verify"]));
    assert_eq!(forget(&["--keep-last", "1"]), [] as [i64; 0]);
    // Another request is no newer version, and a job without its batches nothing that is kept.
    stdout(&place.run(&["export", "--segment", "a", "--fields", "_id,person"]));
    let newest = place.json(&["jobs", "list", "--limit", "1"])["records"][0].clone();
    assert_eq!(forget(&["--keep-last", "1"]), [] as [i64; 0]);
    place.export("a");
    let last = place.json(&["jobs", "list", "--limit", "1"])["records"][0].clone();
    let batch = last["destination"]["batchId"].as_str().unwrap();
    stdout(&place.run(&["batches", "delete", batch]));
    assert_eq!(
        forget(&["--keep-last", "1"]),
        [last["id"].as_i64().unwrap()]
    );
    assert!(place.jobs().iter().any(|(id, _)| *id == newest["id"]));
}

#[test]
fn a_store_is_made_by_init_or_ingest_alone() {
    let folder = TempDir::new().unwrap();
    let store = text(&folder.path().join("new")).to_owned();
    let list = run(&["jobs", "list", "--store", &store]);
    assert!(!list.status.success() && !folder.path().join("new").exists());
    stdout(&run(&["store", "init", "--store", &store]));
    stdout(&run(&["jobs", "list", "--store", &store]));
    // Again it is what it was.
    stdout(&run(&["store", "init", "--store", &store]));
    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("photo.jpg"), "mine").unwrap();
    let refused = run(&["store", "init", "--store", text(&foreign)]);
    assert!(!refused.status.success(), "{}", stderr(&refused));
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1);
}

/// The counts are those that exports of each status would have.
#[test]
fn segments_are_listed_with_their_members_by_status() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let plain: Value = parsed(&run(&["segments", "list", "--store", &store, "--json"]));
    assert!(plain[0].get("members").is_none());
    let listed: Value = parsed(&run(&[
        "segments", "list", "--counts", "--store", &store, "--json",
    ]));
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), plain.as_array().unwrap().len());
    let mut all = 0;
    for segment in listed {
        for status in ["realized", "existing", "exited"] {
            let exported = run(&[
                "plan",
                "--json",
                "--store",
                &store,
                "--fields",
                "_id",
                "--merge-policy",
                "timestampOrdered-none-mp",
                "--status",
                status,
                "--segment",
                segment["id"].as_str().unwrap(),
            ]);
            let expected = parsed(&exported)["batches"][0]["profiles"].clone();
            assert_eq!(segment["members"][status], expected, "{segment} {status}");
            all += expected.as_u64().unwrap();
        }
    }
    assert!(all > 0);
    let table = stdout(&run(&[
        "segments", "list", "--counts", "--store", &store, "--tsv",
    ]));
    let head = "ID\tMERGE POLICY\tREALIZED\tEXISTING\tEXITED\tNAME";
    assert_eq!(table.lines().next().unwrap(), head);
    assert_eq!(table.lines().count(), listed.len() + 1);
}

/// What records name is an ID, also where another segment is called so.
#[test]
fn members_of_an_id_are_not_those_of_a_segment_that_is_called_so() {
    let place = place();
    let counted = || {
        let store = Store::open(&place.store, Scope::default()).unwrap();
        members_by_segment(&store, &Arc::default()).unwrap()
    };
    let before = counted();
    assert!(before["holiday-shoppers"].realized > 0);
    stdout(&place.run(&["segments", "delete", "holiday-shoppers"]));
    let definition = place.folder.path().join("definition.json");
    fs::write(
        &definition,
        r#"{"id": "another", "name": "holiday-shoppers"}"#,
    )
    .unwrap();
    stdout(&place.run(&["segments", "create", text(&definition)]));
    assert_eq!(counted(), before);
}

/// As over HTTP, where schemas are declared.
#[test]
fn datasets_have_the_fields_of_the_declared_schemas_that_they_are_created_on() {
    let place = place();
    let store = Store::open(&place.store, Scope::default()).unwrap();
    let id = "https://ns.adobe.com/local/schemas/members";
    let body = json!({"$id": id, "title": "Members",
        "allOf": [{"$ref": "https://ns.adobe.com/xdm/context/profile"}],
        "properties": {"_local": {"type": "object", "properties": {"points": {"type": "integer"}}}}});
    let registry = Registry::of(&store, &[]).unwrap();
    create_schema(&store, &registry, body, Timestamp::now()).unwrap();
    let points = |dataset: &str| {
        let dataset = store.catalog().dataset(dataset).unwrap().unwrap();
        let schema = dataset.schema.unwrap_or_default();
        schema["properties"]["_local"]["properties"]["points"]["type"].clone()
    };
    let folder = place.folder.path();
    let file = folder.join("members.json");
    let body = json!({"name": "members", "schemaRef": {"id": id}});
    fs::write(&file, body.to_string()).unwrap();
    let made = parsed(&place.run(&["datasets", "create", text(&file)]));
    let made = made[0].as_str().unwrap().rsplit('/').next().unwrap();
    assert_eq!(points(made), "integer");

    let source = folder.join("source");
    fs::create_dir_all(source.join("others")).unwrap();
    let other = "0000000000000000000000f1";
    let description = |class: &str| {
        let body = json!({"id": other, "name": "others", "class": class, "schemaRef": {"id": id}});
        fs::write(source.join("others/dataset.json"), body.to_string()).unwrap();
    };
    let record = json!({"_local": {"points": 3}, "identityMap": {"Email": [{"id": "a"}]},
        "_id": "1", "timestamp": "2026-01-01T00:00:00Z"});
    fs::write(source.join("others/a.ndjson"), record.to_string()).unwrap();
    description("event");
    let refused = stderr(&place.run(&["ingest", "--from", text(&source)]));
    assert!(refused.contains("of the class event"), "{refused}");
    description("profile");
    stdout(&place.run(&["ingest", "--from", text(&source)]));
    assert_eq!(points(other), "integer");
}

#[test]
fn segments_and_datasets_stand_in_tables_by_their_names() {
    let place = place();
    place.export("Segment 0 of AAM");
    stdout(&place.run(&["export", "--fields", "_id"]));
    let column = |list: &str, name: &str| -> Vec<String> {
        let tabs = stdout(&place.run(&[list, "list", "--tsv"]));
        let mut lines = tabs.lines().map(|line| line.split('\t'));
        let at = lines.next().unwrap().position(|head| head == name).unwrap();
        let cells = lines.map(|mut cells| cells.nth(at).unwrap().to_owned());
        cells.collect()
    };
    assert_eq!(column("jobs", "SEGMENTS"), ["", "Segment 0 of AAM"]);
    assert_eq!(column("batches", "SEGMENT"), ["", "Segment 0 of AAM"]);
    assert_eq!(column("batches", "DATASET"), ["Profile exports"; 2]);
    // For machines they are IDs.
    let batches = place.json(&["batches", "list"]);
    let dataset = &batches[0]["relatedObjects"][0]["id"];
    assert_eq!(dataset.as_str().unwrap().len(), 24, "{dataset}");
    // A batch of a job that writes one for each segment has that one.
    let two = [
        "--segment",
        "Segment 0 of AAM",
        "--segment",
        "Segment 1 of UPS",
    ];
    let two = [&["export", "--segment-per-batch"], &two[..]].concat();
    stdout(&place.run(&two));
    let mut newest = column("batches", "SEGMENT");
    newest.truncate(2);
    newest.sort();
    assert_eq!(newest, ["Segment 0 of AAM", "Segment 1 of UPS"]);
}
