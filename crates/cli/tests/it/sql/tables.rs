//! What tables there are, and what is in them.

use serde_json::Value;
use tempfile::TempDir;

use super::{only, refused, rows, sql};
use crate::program::{fixture_store, fixtures, parsed, run, stderr, stdout, text};

#[test]
fn there_is_a_table_of_each_dataset_and_of_profiles_and_of_what_the_catalog_knows() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let names: Vec<String> = rows(&store, "SHOW TABLES")
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect();
    for name in [
        "crm",
        "loyalty",
        "visits",
        "web",
        "profile_snapshot_export",
        "system_jobs",
        "system_segments",
    ] {
        assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
    }
    // Each can be read.
    for name in names {
        only(&store, &format!("SELECT count(*) AS n FROM {name}"));
    }
}

#[test]
fn profiles_are_those_of_an_export_and_the_store_selects_its_members() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let out = folder.path().join("members.ndjson");
    let exported = run(&[
        "export",
        "--segment",
        "holiday-shoppers",
        "--status",
        "realized",
        "--segment-ns",
        "AAM",
        "--fields",
        "personalEmail.address,segmentMembership",
        "--store",
        &store,
        "--out",
        text(&out),
    ]);
    stdout(&exported);
    let mut expected: Vec<String> = std::fs::read_to_string(&out)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            // One that says no status counts as realized to a filter, and to SQL as what it says: none.
            let status = &row["segmentMembership"]["AAM"]["holiday-shoppers"]["status"];
            (status == "realized").then(|| row["personalEmail"]["address"].to_string())
        })
        .collect();
    expected.sort();
    assert!(expected.len() > 2);
    let query = "SELECT personalEmail.address AS a FROM profile_snapshot_export \
                 WHERE segmentMembership['AAM']['holiday-shoppers'].status = 'realized'";
    let mut found: Vec<String> = rows(&store, query)
        .iter()
        .map(|row| row["a"].to_string())
        .collect();
    found.sort();
    assert_eq!(found, expected);
    let plan = stdout(&sql(&store, &format!("EXPLAIN {query}"), &[]));
    assert!(plan.contains("AAM/holiday-shoppers: realized"), "{plan}");
    assert!(!plan.contains("timeSeriesEvents"), "{plan}");
}

#[test]
fn a_batch_is_a_snapshot() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let target = fixtures().join("target.json");
    let made = parsed(&run(&[
        "datasets",
        "create",
        text(&target),
        "--store",
        &store,
    ]));
    let dataset = made[0]
        .as_str()
        .unwrap()
        .strip_prefix("@/dataSets/")
        .unwrap();
    let request = std::fs::read(fixtures().join("requests/one-segment.json")).unwrap();
    let mut request: Value = serde_json::from_slice(&request).unwrap();
    request["destination"]["datasetId"] = dataset.into();
    let path = folder.path().join("request.json");
    std::fs::write(&path, request.to_string()).unwrap();
    let export = || stdout(&run(&["run", text(&path), "--store", &store, "--json"]));
    export();
    let one = format!("SELECT table_name FROM system_datasets WHERE id = '{dataset}'");
    let one = rows(&store, &one);
    let table = one[0]["table_name"].as_str().unwrap().to_owned();
    let count = |snapshots: &str| {
        only(
            &store,
            &format!("SELECT count(*) AS n FROM {table} {snapshots}"),
        )
    };
    let first = count("").as_u64().unwrap();
    assert!(first > 0);
    export();
    assert_eq!(count(""), 2 * first);
    let history =
        format!("SELECT snapshot_id, parent_id, is_current FROM (SELECT history_meta('{table}'))");
    let history = rows(&store, &history);
    assert_eq!(history.len(), 2);
    let ids: Vec<&str> = history
        .iter()
        .map(|row| row["snapshot_id"].as_str().unwrap())
        .collect();
    assert_eq!(history[0].get("parent_id"), None);
    assert_eq!(history[1]["parent_id"], ids[0]);
    assert_eq!(history[1]["is_current"], true);
    for (snapshots, times) in [
        (format!("SNAPSHOT SINCE '{}'", ids[0]), 1),
        (format!("SNAPSHOT SINCE '{}'", ids[1]), 0),
        (format!("SNAPSHOT AS OF '{}'", ids[0]), 1),
        (format!("SNAPSHOT BETWEEN '{}' AND '{}'", ids[0], ids[1]), 1),
        ("SNAPSHOT SINCE HEAD".to_owned(), 2),
        ("SNAPSHOT AS OF TAIL".to_owned(), 2),
        ("SNAPSHOT BETWEEN HEAD AND TAIL".to_owned(), 2),
        (format!("SNAPSHOT BETWEEN '{}' AND TAIL", ids[0]), 1),
    ] {
        assert_eq!(count(&snapshots), times * first, "{snapshots}");
    }
    for wrong in [
        "SNAPSHOT SINCE 'nothing'",
        &format!("SNAPSHOT BETWEEN '{}' AND '{}'", ids[1], ids[0]),
    ] {
        let refused = sql(&store, &format!("SELECT 1 FROM {table} {wrong}"), &[]);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    }
    let said = refused(&store, "SELECT 1 FROM visits SNAPSHOT AS OF TAIL", "0A000");
    assert!(said.contains("no snapshots"), "{said}");
    // Nothing but exports writes into it, and it is not dropped as long as it has their batches.
    refused(
        &store,
        &format!("INSERT INTO {table} SELECT 1 AS n"),
        "42809",
    );
    refused(&store, &format!("DROP TABLE {table}"), "55000");
    // All are dropped, or none.
    refused(&store, &format!("DROP TABLE visits, {table}"), "55000");
    rows(&store, "SELECT * FROM visits LIMIT 1");
    let jobs = "SELECT count(*) AS n FROM system_jobs WHERE status = 'SUCCEEDED'";
    assert_eq!(only(&store, jobs), 2);
}

#[test]
fn segments_have_the_counts_that_their_list_has() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let listed = run(&["segments", "list", "--counts", "--store", &store, "--tsv"]);
    let listed = stdout(&listed);
    let rows = rows(
        &store,
        "SELECT * FROM system_segments ORDER BY namespace, id",
    );
    assert!(rows.len() > 3);
    for row in &rows {
        let counts = ["realized", "existing", "exited"].map(|status| row[status].as_u64().unwrap());
        let id = row["id"].as_str().unwrap();
        let line = listed.lines().find(|line| line.contains(id)).unwrap();
        let same_id = rows.iter().filter(|other| other["id"] == row["id"]).count();
        if same_id == 1 {
            for count in counts {
                assert!(
                    line.split('\t').any(|cell| cell == count.to_string()),
                    "{row} {line}"
                );
            }
        }
    }
}
