//! Explanations of single profiles: they say what exports do.

use std::collections::BTreeSet;

use profile_export::export::{
    BatchMemberships, Explanation, Export, Plan, UnionSchemas, json_rows,
};
use profile_export::platform::{merge_policy, with_ids};
use profile_export::request::{ExportRequest, MergePolicy};
use profile_export::store::Store;
use profile_export::xdm::Class;
use serde_json::{Map, Value, json};

use crate::scratch::{Scratch, request};

const CRM: &str = "0000000000000000000000a1";
const LOYALTY: &str = "0000000000000000000000a2";
const VISITS: &str = "0000000000000000000000e1";

pub fn export_of(store: &Store, request: &Value, policy: &str) -> Export {
    let request = ExportRequest::from_json(request.to_string().as_bytes()).unwrap();
    let request = with_ids(store.catalog(), &request).unwrap();
    let snapshot = store.snapshot(None).unwrap();
    let policy: MergePolicy = merge_policy(store.catalog(), policy, None).unwrap();
    let plan = Plan::new(&request, policy, &UnionSchemas::from(&snapshot)).unwrap();
    Export::new(&snapshot, &plan).unwrap()
}

/// The leaves of an object by their paths, as text: without events, and without what is empty.
fn leaves(value: &Value, path: &str, found: &mut Map<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields
                .iter()
                .filter(|(name, _)| *name != "timeSeriesEvents")
            {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                leaves(value, &path, found);
            }
        }
        leaf => {
            found.insert(path.to_owned(), leaf.clone());
        }
    }
}

fn text(leaves: Map<String, Value>) -> String {
    let sorted: std::collections::BTreeMap<String, Value> = leaves.into_iter().collect();
    json!(sorted).to_string()
}

/// Every profile of a store, explained: those in a batch are its rows, leaf by leaf, and no other is.
pub fn check(store: &Store, request: &Value, policy: &str) {
    // Those are about rows, and refused.
    let mut request = request.clone();
    request["deduplicationKeys"] = Value::Null;
    request["rowPerIdentity"] = Value::Null;
    let request = &request;
    let export = export_of(store, request, policy);
    let snapshot = store.snapshot(None).unwrap();
    let mut people = BTreeSet::new();
    for run in &snapshot.runs {
        for person in 0..run.persons() {
            let (namespace, id) = run.identity(person).unwrap();
            people.insert((namespace.to_ascii_lowercase(), id.to_owned()));
        }
    }
    let mut seen = BTreeSet::new();
    let mut explained: Vec<Explanation> = Vec::new();
    for (namespace, id) in &people {
        // One that has only events is nobody where events are not asked for.
        let Some(explanation) = export.explain(namespace, id).unwrap() else {
            continue;
        };
        let mut identities = explanation.identities.clone();
        identities.sort();
        if seen.insert(identities) {
            explained.push(explanation);
        }
    }
    for (number, batch) in export.batches().enumerate() {
        let mut rows = Vec::new();
        for chunk in batch.chunks() {
            let lines = json_rows(&chunk.unwrap()).unwrap();
            for row in serde_json::Deserializer::from_slice(&lines).into_iter::<Value>() {
                let mut found = Map::new();
                leaves(&row.unwrap(), "", &mut found);
                rows.push(text(found));
            }
        }
        let in_batch = |one: &&Explanation| one.is_exported && one.batches[number].takes;
        let mut expected: Vec<String> = (explained.iter().filter(in_batch))
            .map(|one| {
                let fields = one.fields.iter();
                text(
                    fields
                        .map(|field| (field.path.clone(), field.value.clone()))
                        .collect(),
                )
            })
            .collect();
        rows.sort();
        expected.sort();
        assert_eq!(expected, rows, "batch {number} of {request}");
    }
}

/// What a fragment's value looks like that won, or lost.
fn origins(explanation: &Explanation) -> Vec<(&str, Option<usize>, usize)> {
    let fields = explanation.fields.iter();
    fields
        .map(|field| (field.path.as_str(), field.fragment, field.lost.len()))
        .collect()
}

#[test]
fn an_explanation_names_the_winner_of_each_field_and_what_decided() {
    let scratch = Scratch::new();
    for (id, class) in [
        (CRM, Class::Profile),
        (LOYALTY, Class::Profile),
        (VISITS, Class::Event),
    ] {
        scratch.dataset(id, class, json!({"ingestedAtField": "at"}));
    }
    let identity = json!({"Email": [{"id": "a", "primary": true}]});
    let crm = |at: &str, name: &str| {
        json!({"identityMap": identity, "at": at, "person": {"name": {"first": name}}, "city": "Nice",
               "segmentMembership": {"ups": {"gold": {"status": "realized",
                                                       "lastQualificationTime": "2020-01-01T00:00:00Z"}}}})
    };
    scratch
        .load(CRM, &[crm("2020-01-01T00:00:00Z", "Old")])
        .unwrap();
    scratch
        .load(CRM, &[crm("2020-01-02T00:00:00Z", "Ann")])
        .unwrap();
    let loyalty = json!({"identityMap": identity, "at": "2020-01-03T00:00:00Z", "city": "Köln", "points": 7,
                         "segmentMembership": {"ups": {"gold": {"status": "exited"}}}});
    scratch.load(LOYALTY, &[loyalty]).unwrap();
    let event = |id: &str, at: &str| json!({"identityMap": identity, "_id": id, "timestamp": "2019-01-01T00:00:00Z", "at": at, "eventType": format!("shop.{id}")});
    let events = [
        event("late", "2020-02-01T00:00:00Z"),
        event("early", "2019-02-01T00:00:00Z"),
    ];
    scratch.load(VISITS, &events).unwrap();
    let body = |status: &str| {
        request(json!({
            "fields": "person,city,points",
            "filter": {"segments": [{"segmentId": "gold", "status": [status]}],
                       "fromIngestTimestamp": "2020-01-02T12:00:00Z"},
            "additionalFields": {"eventList": {"filter": {"fromIngestTimestamp": "2020-01-01T00:00:00Z"}}},
        }))
    };
    let export = export_of(
        &scratch.store,
        &body("realized"),
        "timestampOrdered-none-mp",
    );
    let one = export.explain("EMAIL", "a").unwrap().expect("there is one");
    assert_eq!(one.identities, ["Email:a"]);
    assert!(!one.is_exported);
    let holds: Vec<bool> = one
        .conditions
        .iter()
        .map(|condition| condition.holds)
        .collect();
    assert_eq!(holds, [true, true, false], "{:?}", one.conditions);
    let datasets: Vec<&str> = one
        .fragments
        .iter()
        .map(|part| part.dataset.as_str())
        .collect();
    assert_eq!(
        datasets,
        [format!("dataset {LOYALTY}"), format!("dataset {CRM}")]
    );
    assert_eq!(one.fragments[1].ingested, "2020-01-02T00:00:00Z");
    assert_eq!(
        origins(&one),
        [
            ("person.name.first", Some(1), 0),
            ("city", Some(0), 1),
            ("points", Some(0), 0)
        ]
    );
    assert_eq!(one.fields[1].lost[0].value, "Nice");
    assert!(
        one.records_without_part[0].reason.contains("replaced"),
        "{:?}",
        one.records_without_part
    );
    let [
        BatchMemberships {
            memberships,
            takes: false,
            ..
        },
    ] = &one.batches[..]
    else {
        panic!("{:?}", one.batches);
    };
    let verdicts: Vec<(usize, bool, &str)> = (memberships.iter())
        .map(|seen| (seen.fragment, seen.counts, seen.reason.as_str()))
        .collect();
    assert_eq!(
        verdicts,
        [
            (0, false, "its status is not asked for: realized"),
            (1, false, "a better fragment has one of this segment")
        ]
    );
    // An event's type is told, whether or not its field is exported.
    let events: Vec<(&str, bool, Option<&str>)> = one
        .events
        .iter()
        .map(|event| {
            (
                event.id.as_str(),
                event.is_added,
                event.event_type.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        events,
        [
            ("early", false, Some("shop.early")),
            ("late", true, Some("shop.late"))
        ]
    );
    assert!(
        one.events[0]
            .reason
            .as_ref()
            .is_some_and(|why| why.contains("fromIngestTimestamp"))
    );
    // Where no segment is asked for those that the fields show are told.
    let open = request(json!({"fields": "city,segmentMembership"}));
    let export = export_of(&scratch.store, &open, "timestampOrdered-none-mp");
    let open = export.explain("Email", "a").unwrap().expect("the same");
    assert!(open.is_exported && open.batches[0].takes);
    let told: Vec<(&str, &str, bool, &str)> = (open.batches[0].memberships.iter())
        .map(|seen| {
            let (id, status) = (seen.segment_id.as_str(), seen.status.as_str());
            (id, status, seen.counts, seen.reason.as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("gold", "exited", false, "no segment is asked for"),
            (
                "gold",
                "realized",
                false,
                "a better fragment has one of this segment"
            )
        ]
    );
    // The other status takes them, and nobody is another person.
    let export = export_of(&scratch.store, &body("exited"), "timestampOrdered-none-mp");
    assert!(
        export
            .explain("Email", "a")
            .unwrap()
            .is_some_and(|one| one.is_exported)
    );
    assert!(export.explain("Email", "b").unwrap().is_none());
    check(&scratch.store, &body("exited"), "timestampOrdered-none-mp");
    check(&scratch.store, &body("realized"), "timestampOrdered-pdg-mp");
}

#[test]
fn an_identity_that_records_link_is_explained_by_the_identity_graph() {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({}));
    let linked = json!({"identityMap": {"Email": [{"id": "a", "primary": true}], "Phone": [{"id": "1"}]}, "city": "Nice"});
    scratch.load(CRM, &[linked]).unwrap();
    let body = request(json!({"fields": "city"}));
    let by_graph = export_of(&scratch.store, &body, "timestampOrdered-pdg-mp");
    for (namespace, id) in [("Email", "a"), ("PHONE", "1")] {
        let one = by_graph.explain(namespace, id).unwrap().expect(namespace);
        assert_eq!(one.identities, ["Email:a"]);
        assert!(one.is_exported && one.fields.len() == 1, "{one:?}");
    }
    assert!(by_graph.explain("Phone", "2").unwrap().is_none());
    // Without a graph nobody is linked.
    let alone = export_of(&scratch.store, &body, "timestampOrdered-none-mp");
    assert!(alone.explain("Phone", "1").unwrap().is_none());
}

#[test]
fn an_event_type_that_is_no_text_is_not_told() {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({}));
    scratch.dataset(VISITS, Class::Event, json!({}));
    let identity = json!({"Email": [{"id": "a", "primary": true}]});
    scratch
        .load(CRM, &[json!({"identityMap": identity, "city": "Nice"})])
        .unwrap();
    let event = json!({"identityMap": identity, "_id": "e", "timestamp": "2019-01-01T00:00:00Z", "eventType": 7});
    scratch.load(VISITS, &[event]).unwrap();
    let body =
        request(json!({"fields": "city", "additionalFields": {"eventList": {"fields": "_id"}}}));
    let export = export_of(&scratch.store, &body, "timestampOrdered-none-mp");
    let one = export.explain("Email", "a").unwrap().expect("there is one");
    assert_eq!(one.events.len(), 1);
    assert_eq!(one.events[0].event_type, None);
}
