use std::collections::BTreeMap;
use std::fs::{File, read_to_string};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use profile_export::store::Store;
use profile_export_datafusion::DatasetTable;
use serde_json::Value;

use crate::{load, retailer, session, sorted};

fn fixture(name: &str) -> String {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/retailer");
    read_to_string(fixtures.join(name)).expect("a fixture")
}

fn id_of(store: &Store, name: &str) -> String {
    let dataset = store.catalog().dataset(name).expect("a catalog");
    dataset.expect("a dataset").id
}

async fn of_dataset(store: &Store, name: &str, sql: &str) -> Vec<String> {
    let snapshot = store.snapshot(None).expect("a snapshot");
    let table = DatasetTable::new(&snapshot, &id_of(store, name)).expect("a table");
    let context = session();
    context.register_table("t", Arc::new(table)).expect("new");
    sorted(&context, sql).await
}

#[tokio::test]
async fn an_event_is_a_row() {
    let (_folder, store) = retailer();
    let events = fixture("visits/events.ndjson");
    let mut ids = BTreeMap::new();
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).expect("an event");
        let id = event["_id"].as_str().expect("an ID").to_owned();
        ids.insert(id, event["eventType"].clone());
    }
    let expected: Vec<String> = ids
        .iter()
        .map(|(id, ty)| serde_json::json!({"_id": id, "eventType": ty}).to_string())
        .collect();
    // Loaded again they are the same ones.
    for _ in 0..2 {
        let found = of_dataset(&store, "visits", "SELECT \"_id\", \"eventType\" FROM t").await;
        assert_eq!(found, expected);
        load(&store);
    }
    let counted = of_dataset(&store, "visits", "SELECT count(*) AS n FROM t").await;
    assert_eq!(counted, [format!("{{\"n\":{}}}", ids.len())]);
}

/// The customers' second file replaces some of the first.
#[tokio::test]
async fn of_fragments_those_are_rows_that_nothing_replaced() {
    let (_folder, store) = retailer();
    let mut latest = BTreeMap::new();
    for file in ["crm/01-customers.ndjson", "crm/02-late-updates.ndjson"] {
        for line in fixture(file).lines() {
            let record: Value = serde_json::from_str(line).expect("a record");
            let email = &record["identityMap"]["Email"][0];
            // Those whose identity is another come once.
            let whose = match email["primary"] == true {
                true => email["id"].clone(),
                false => record["_id"].clone(),
            };
            let at = record["ingestedAt"].as_str().expect("a time").to_owned();
            let id = record["_id"].clone();
            let kept = latest
                .entry(whose.to_string())
                .or_insert_with(|| (at.clone(), id.clone()));
            // What came in later stands, of the same moment the later record.
            if at >= kept.0 {
                *kept = (at, id);
            }
        }
    }
    let mut expected: Vec<String> = latest.into_values().map(|(_, id)| id.to_string()).collect();
    expected.sort();
    for _ in 0..2 {
        let found = of_dataset(&store, "crm", "SELECT \"_id\" FROM t").await;
        let found: Vec<String> = found
            .iter()
            .map(|row| row[7..row.len() - 1].to_owned())
            .collect();
        assert_eq!(found, expected);
        // All of them again: each replaces its own.
        load(&store);
    }
}

#[tokio::test]
async fn a_row_says_when_it_came_in_and_has_no_field_of_other_datasets() {
    let (_folder, store) = retailer();
    let snapshot = store.snapshot(None).expect("a snapshot");
    let schema = |name: &str| {
        use datafusion::catalog::TableProvider;
        let table = DatasetTable::new(&snapshot, &id_of(&store, name)).expect("a table");
        let schema = table.schema();
        let names: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        names
    };
    let loyalty = schema("loyalty");
    let mut members = String::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/retailer/loyalty/members.ndjson.gz");
    flate2::read::MultiGzDecoder::new(File::open(file).expect("a fixture"))
        .read_to_string(&mut members)
        .expect("text");
    for line in members.lines() {
        let record: Value = serde_json::from_str(line).expect("a record");
        for field in record.as_object().expect("an object").keys() {
            // The dataset says that it is when the record came in.
            if field == "ingestedAt" {
                continue;
            }
            assert!(loyalty.contains(field), "{field} is not in {loyalty:?}");
        }
    }
    assert!(!schema("visits").contains(&"loyalty".to_owned()));
    let times = "SELECT count(*) AS n FROM t WHERE \"_acp_ingested_at\" < now()";
    let all = "SELECT count(*) AS n FROM t";
    assert_eq!(
        of_dataset(&store, "loyalty", times).await,
        of_dataset(&store, "loyalty", all).await
    );
}
