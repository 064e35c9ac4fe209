//! What profiles are made of, as clients of the platform's sample ask for it.

use std::fs;

use profile_export::export::Progress;
use profile_export::store::{DatasetInputs, Input, LoadOptions};
use profile_export::xdm::{Class, Dataset, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ingestion::{self, begin, complete, upload};
use crate::serving::{HEADERS, POLICIES, Serving};

const STATUS: &str = "/data/core/ups/previewsamplestatus";
const CRM: &str = "0000000000000000000000a1";
const SHOP: &str = "0000000000000000000000a2";
const WEB: &str = "0000000000000000000000e1";

fn load(server: &Serving, dataset: &str, class: Class, records: &[Value]) {
    let store = server.store();
    let made = Dataset {
        description: Some(format!("of {dataset}")),
        ..Dataset::new(dataset, &format!("named {dataset}"), class)
    };
    store.catalog().create_dataset(made).unwrap();
    let files = TempDir::new().unwrap();
    let file = files.path().join("records.ndjson");
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    fs::write(&file, lines).unwrap();
    let inputs = DatasetInputs::new(dataset, vec![Input::File(file)]);
    store
        .ingest(&[inputs], &LoadOptions::default(), &Progress::default())
        .unwrap();
}

/// Ann by an address in two datasets and with a device in one of them, Bo in one, and a device that Bo's record does not
/// know, with an event of ten days ago and one of a hundred.
fn some_people() -> Serving {
    let server = Serving::empty();
    let person = |id: &str| json!({"Email": [{"id": id, "primary": true}]});
    let mut ann = person("ann");
    ann["ECID"] = json!([{"id": "7"}]);
    load(
        &server,
        CRM,
        Class::Profile,
        &[
            json!({"identityMap": ann}),
            json!({"identityMap": person("bo")}),
        ],
    );
    load(
        &server,
        SHOP,
        Class::Profile,
        &[json!({"identityMap": person("ann")})],
    );
    let ago = |days: i64| {
        Timestamp::from_millis(Timestamp::now().millis() - days * 86_400_000).to_string()
    };
    let event = |n: u32, days| json!({"_id": n.to_string(), "timestamp": ago(days), "identityMap": {"ecid": [{"id": "7", "primary": true}]}});
    load(&server, WEB, Class::Event, &[event(1, 10), event(2, 100)]);
    server
}

fn by<'a>(report: &'a Value, value: &str) -> &'a Value {
    let entries = report["data"].as_array().unwrap().iter();
    let mut found = entries.filter(|entry| entry["value"] == value);
    found
        .next()
        .unwrap_or_else(|| panic!("no {value} in {report}"))
}

#[test]
fn profiles_are_counted_by_what_they_are_made_of() {
    let server = some_people();
    let status = server.get(STATUS).is(200);
    assert_eq!(
        (&status["totalRows"], &status["numRowsToRead"]),
        (&json!("3"), &json!("3"))
    );
    assert_eq!(
        (&status["totalFragmentCount"], &status["cosmosDocCount"]),
        (&json!(4), &json!("\"5\""))
    );
    assert_eq!(
        (&status["samplingRatio"], &status["status"]),
        (&json!(1.0), &json!("TASK_FINISHED"))
    );
    assert_eq!(status["mergeStrategy"], "timestampOrdered_none");
    assert_eq!(status["lastBatchId"], "\"null\"");

    let datasets = server.get(&format!("{STATUS}/report/dataset")).is(200);
    assert_eq!(datasets["data"].as_array().unwrap().len(), 3);
    let crm = by(&datasets, CRM);
    assert_eq!(
        (
            &crm["fullIDsCount"],
            &crm["sampleCount"],
            &crm["fullIDsPercentage"]
        ),
        (&json!(2), &json!(2), &json!(0.666667))
    );
    assert_eq!(
        (&crm["name"], &crm["description"]),
        (&json!(format!("named {CRM}")), &json!(format!("of {CRM}")))
    );
    assert_eq!(crm["reportTimestamp"], datasets["reportTimestamp"]);

    let namespaces = server.get(&format!("{STATUS}/report/namespace")).is(200);
    let email = by(&namespaces, "6");
    assert_eq!(
        (
            &email["code"],
            &email["fullIDsCount"],
            &email["fullIDsFragmentCount"]
        ),
        (&json!("Email"), &json!(2), &json!(3))
    );
    let ecid = by(&namespaces, "4");
    assert_eq!(
        (
            &ecid["code"],
            &ecid["fullIDsCount"],
            &ecid["fullIDsFragmentCount"]
        ),
        (&json!("ECID"), &json!(2), &json!(2))
    );

    let overlap = server
        .get(&format!("{STATUS}/report/dataset/overlap"))
        .is(200);
    assert_eq!(
        overlap["data"],
        json!({format!("{CRM},{SHOP}"): 1, CRM: 1, WEB: 1})
    );
    let overlap = server
        .get(&format!("{STATUS}/report/namespace/overlap"))
        .is(200);
    assert_eq!(
        overlap["data"],
        json!({"ECID,Email": 1, "Email": 1, "ECID": 1})
    );

    for (path, name) in [
        ("unstitchedProfiles", "unstitchedProfiles"),
        ("unknownProfiles", "unknownProfiles"),
    ] {
        let report = server.get(&format!("{STATUS}/report/{path}")).is(200);
        let data = &report["data"];
        assert_eq!(
            (&data["totalNumberOfProfiles"], &data["totalNumberOfEvents"]),
            (&json!(3), &json!(2))
        );
        let bo = json!({"Email": {"countOfProfiles": 1, "eventsAssociated": 0}});
        assert_eq!(
            data[name]["30days"],
            json!({"countOfProfiles": 1, "eventsAssociated": 0, "nsDistribution": bo})
        );
        let both = json!({"Email": {"countOfProfiles": 1, "eventsAssociated": 0}, "ECID": {"countOfProfiles": 1, "eventsAssociated": 2}});
        assert_eq!(
            data[name]["7days"],
            json!({"countOfProfiles": 2, "eventsAssociated": 2, "nsDistribution": both})
        );
    }
}

/// By a graph Ann and her device are one profile, of three fragments.
#[test]
fn profiles_are_those_of_the_default_merge_policy() {
    let server = some_people();
    server.get(STATUS).is(200);
    let policy = json!({"name": "joined", "default": true, "schema": {"name": "_xdm.context.profile"}, "identityGraph": {"type": "pdg"},
        "attributeMerge": {"type": "timestampOrdered"}});
    server.post(POLICIES, &policy).is(200);
    let status = server.get(STATUS).is(200);
    assert_eq!(
        (&status["totalRows"], &status["mergeStrategy"]),
        (&json!("2"), &json!("timestampOrdered_pdg"))
    );
    let overlap = server
        .get(&format!("{STATUS}/report/dataset/overlap"))
        .is(200);
    assert_eq!(
        overlap["data"],
        json!({format!("{CRM},{SHOP},{WEB}"): 1, CRM: 1})
    );
}

#[test]
fn there_is_a_report_of_today_alone_and_of_profiles_alone() {
    let server = Serving::empty();
    let path = format!("{STATUS}/report/dataset");
    let today = &Timestamp::now().to_string()[..10];
    assert_eq!(
        server.get(&format!("{path}?date={today}")).is(200)["data"],
        json!([])
    );
    server
        .get(&format!("{path}?date=2020-08-01"))
        .refuses(404, "no report of");
    server
        .get(&format!("{path}?date=yesterday"))
        .refuses(400, "date: found \"yesterday\"");
    let mut headers = HEADERS.to_vec();
    headers.push(("x-model-name", "_xdm.context.profile"));
    let overlap = format!("{path}/overlap");
    assert_eq!(
        server.ask("GET", &overlap, &headers, b"").is(200)["data"],
        json!({})
    );
    headers.pop();
    headers.push(("x-model-name", "_xdm.context.account"));
    server
        .ask("GET", &overlap, &headers, b"")
        .refuses(400, "x-model-name");
}

/// Batches that jobs wrote are none that profiles came from.
#[test]
fn the_last_batch_is_the_one_that_came_in_last() {
    let server = some_people();
    let dataset = ingestion::dataset(&server);
    let came_in = |id: &str| {
        let record = json!({"identityMap": {"Email": [{"id": id, "primary": true}]}});
        let batch = begin(&server, &dataset, &json!({"format": "json"}));
        upload(
            &server,
            &dataset,
            &batch,
            "a.json",
            record.to_string().as_bytes(),
        );
        assert_eq!(complete(&server, &batch)["status"], "success");
        batch
    };
    came_in("cy");
    let last = came_in("di");
    let target = server.target();
    let job = server.job(&target, &json!({}));
    assert_eq!(server.finished(job)["status"], "SUCCEEDED");
    let status = server.get(STATUS).is(200);
    assert_eq!(status["lastBatchId"], format!("\"{last}\""));
}
