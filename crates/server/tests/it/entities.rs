//! Profiles and events by an identity, as clients of Profile Access ask for them.

use std::fs;

use profile_export::export::Progress;
use profile_export::store::{DatasetInputs, Input, LoadOptions};
use profile_export::xdm::{Class, Dataset};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::serving::Serving;

const ENTITIES: &str = "/data/core/ups/access/entities";
const PROFILE: &str = "schema.name=_xdm.context.profile";
const EVENT: &str =
    "schema.name=_xdm.context.experienceevent&relatedSchema.name=_xdm.context.profile";

const PEOPLE: &str = r#"
{"identityMap": {"Email": [{"id": "ann@x.org", "primary": true}], "ECID": [{"id": "7"}]}, "person": {"name": {"firstName": "Ann"}}}
{"identityMap": {"Email": [{"id": "bo@x.org", "primary": true}]}, "person": {"name": {"firstName": "Bo"}}}
"#;

fn events() -> String {
    let event = |n: u32| {
        json!({"_id": format!("e{n}"), "timestamp": format!("2026-01-0{n}T00:00:00Z"),
            "eventType": if n.is_multiple_of(2) { "buy" } else { "visit" }, "price": n,
            "identityMap": {"Email": [{"id": "ann@x.org", "primary": true}]}})
    };
    (1..6).map(|n| format!("{}\n", event(n))).collect()
}

fn ann_and_bo() -> Serving {
    let server = Serving::empty();
    let store = server.store();
    let files = TempDir::new().unwrap();
    for (id, class, text) in [
        (
            "0000000000000000000000a1",
            Class::Profile,
            PEOPLE.trim().to_owned(),
        ),
        ("0000000000000000000000e1", Class::Event, events()),
    ] {
        store
            .catalog()
            .create_dataset(Dataset::new(id, id, class))
            .unwrap();
        let file = files.path().join(id);
        fs::write(&file, text).unwrap();
        let inputs = DatasetInputs::new(id, vec![Input::File(file)]);
        store
            .ingest(&[inputs], &LoadOptions::default(), &Progress::default())
            .unwrap();
    }
    server
}

fn only(answer: &Value) -> (&String, &Value) {
    let object = answer.as_object().unwrap();
    assert_eq!(object.len(), 1, "{answer}");
    object.iter().next().unwrap()
}

#[test]
fn a_profile_comes_by_its_xid_with_its_sources() {
    let server = ann_and_bo();
    let answer = server
        .get(&format!(
            "{ENTITIES}?{PROFILE}&entityId=ann%40x.org&entityIdNS=email"
        ))
        .is(200);
    let (xid, profile) = only(&answer);
    assert_eq!(profile["entityId"], **xid);
    assert_eq!(profile["sources"], json!(["0000000000000000000000a1"]));
    assert_eq!(profile["entity"]["person"]["name"]["firstName"], "Ann");
    assert!(
        profile["lastModifiedAt"]
            .as_str()
            .unwrap()
            .starts_with("20")
    );
    // The XID is taken back, and fields are chosen.
    let again = server
        .get(&format!(
            "{ENTITIES}?{PROFILE}&entityId={xid}&fields=person.name&withCA=False"
        ))
        .is(200);
    assert_eq!(
        again[xid]["entity"],
        json!({"person": {"name": {"firstName": "Ann"}}})
    );
    // Somebody whom nobody knows.
    let nobody = server
        .get(&format!("{ENTITIES}?{PROFILE}&entityId=x&entityIdNS=Email"))
        .is(200);
    let (_, nobody) = only(&nobody);
    assert_eq!(nobody["entity"], json!({}));
    assert_eq!(nobody["sources"], json!([""]));
    assert_eq!(nobody["lastModifiedAt"], "1970-01-01T00:00:00Z");
    // A secondary identity is known to a policy with a graph alone.
    let by_ecid = format!("{ENTITIES}?{PROFILE}&entityId=7&entityIdNS=ECID");
    assert_eq!(only(&server.get(&by_ecid).is(200)).1["entity"], json!({}));
    let joined = server
        .get(&format!("{by_ecid}&mergePolicyId=timestampOrdered-pdg-mp"))
        .is(200);
    assert_eq!(
        only(&joined).1["entity"]["person"]["name"]["firstName"],
        "Ann"
    );
    for (query, said) in [
        ("entityId=a&entityIdNS=Email", "schema.name"),
        (&format!("{PROFILE}&entityIdNS=Email"), "entityId"),
        (&format!("{PROFILE}&entityId=ann"), "no XID"),
        (
            &format!("{PROFILE}&entityId=a&entityIdNS=Email&fields=nothing"),
            "nothing",
        ),
        (
            &format!("{PROFILE}&entityId=a&entityIdNS=Email&limits=1"),
            "limits",
        ),
        (
            &format!("{PROFILE}&entityId=a&entityIdNS=Email&startTime=1"),
            "startTime",
        ),
    ] {
        server
            .get(&format!("{ENTITIES}?{query}"))
            .refuses(400, said);
    }
    server
        .get(&format!(
            "{ENTITIES}?{PROFILE}&entityId=a&entityIdNS=Email&mergePolicyId=x"
        ))
        .refuses(400, "mergePolicyId");
}

#[test]
fn events_come_in_pages_that_documents_and_client_can_follow() {
    let server = ann_and_bo();
    let whose =
        "relatedEntityId=ann%40x.org&relatedEntityIdNS=Email&entityId=ann%40x.org&entityIdNS=Email";
    let ids = |answer: &Value| -> Vec<String> {
        let children = answer["children"].as_array().unwrap().iter();
        children
            .map(|child| child["entityId"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = server.get(&format!("{ENTITIES}?{EVENT}&{whose}")).is(200);
    assert_eq!(ids(&all), ["e1", "e2", "e3", "e4", "e5"]);
    assert_eq!(all["_links"]["next"]["href"], "");
    assert_eq!(
        all["_page"],
        json!({"orderby": "timestamp", "start": "e1", "count": 5, "next": ""})
    );
    let first = &all["children"][0];
    assert_eq!(first["timestamp"], 1_767_225_600_000_i64);
    assert_eq!(first["entity"]["eventType"], "visit");
    // Both words for where the next page begins.
    for word in ["start", "offsets"] {
        let mut found = Vec::new();
        let mut query =
            format!("{EVENT}&{whose}&limit=2&fields=eventType&orderby=-timestamp&offsets=");
        loop {
            let page = server.get(&format!("{ENTITIES}?{query}")).is(200);
            found.extend(ids(&page));
            let href = page["_links"]["next"]["href"].as_str().unwrap();
            if href.is_empty() {
                break;
            }
            let (path, next) = href.split_once('?').unwrap();
            assert_eq!(path, "/entities");
            let other = if word == "start" {
                "offsets="
            } else {
                "start="
            };
            let kept = next.split('&').filter(|pair| !pair.starts_with(other));
            query = kept.collect::<Vec<_>>().join("&");
            assert!(query.contains(word));
        }
        assert_eq!(found, ["e5", "e4", "e3", "e2", "e1"]);
    }
    let some = |more: &str| {
        ids(&server
            .get(&format!("{ENTITIES}?{EVENT}&{whose}&{more}"))
            .is(200))
    };
    assert_eq!(
        some("startTime=1767312000000&endTime=1767484800000"),
        ["e2", "e3"]
    );
    // Seconds, as the platform's samples have them.
    assert_eq!(
        some("startTime=1767312000&endTime=1767484800"),
        ["e2", "e3"]
    );
    assert_eq!(
        some("property=eventType%3D%22buy%22&property=price%3E2"),
        ["e4"]
    );
    let nobody = server
        .get(&format!(
            "{ENTITIES}?{EVENT}&relatedEntityId=x&relatedEntityIdNS=Email"
        ))
        .is(200);
    assert_eq!(ids(&nobody).len(), 0);
    for (more, said) in [
        ("orderby=price", "orderby"),
        ("start=e9", "e9"),
        ("property=price", "no operator"),
        ("property=prize%3D1", "prize"),
        ("property=price%3Ea", "a number"),
        ("limit=0", "limit"),
    ] {
        server
            .get(&format!("{ENTITIES}?{EVENT}&{whose}&{more}"))
            .refuses(400, said);
    }
}

#[test]
fn several_identities_have_an_entry_each() {
    let server = ann_and_bo();
    let email = |id: &str| json!({"entityId": id, "entityIdNS": {"code": "Email"}});
    let body = json!({"schema": {"name": "_xdm.context.profile"}, "fields": ["person.name"],
        "identities": [email("ann@x.org"), email("bo@x.org"), email("x")]});
    let answer = server.post(ENTITIES, &body).is(200);
    let mut names: Vec<String> = answer
        .as_object()
        .unwrap()
        .values()
        .map(|entry| entry["entity"]["person"]["name"]["firstName"].to_string())
        .collect();
    names.sort();
    assert_eq!(names, ["\"Ann\"", "\"Bo\"", "null"]);
    // Events, page by page, by the payload of the one before.
    let related = json!({"relatedEntityId": "ann@x.org", "relatedEntityIdNS": {"code": "Email"}});
    let mut body = json!({"schema": {"name": "_xdm.context.experienceevent"}, "relatedSchema": {"name": "_xdm.context.profile"},
        "identities": [related], "limit": 3, "timeFilter": {"startTime": 1_767_312_000_000_i64}});
    let mut pages = Vec::new();
    loop {
        let answer = server.post(ENTITIES, &body).is(200);
        let (_, page) = only(&answer);
        pages.push(page["_page"]["count"].as_u64().unwrap());
        let next = &page["_links"]["next"];
        if next["href"] == "" {
            break;
        }
        body = next["payload"].clone();
    }
    assert_eq!(pages, [3, 1]);
    body["schema"]["name"] = json!("_xdm.context.profile");
    body["identities"] = json!([
        email("a"),
        json!({"entityId": "a", "entityIdNS": {"code": "EMAIL"}})
    ]);
    server.post(ENTITIES, &body).refuses(400, "once more");
    body["identities"] = json!([{"entityId": "a", "entityIDNS": {"code": "Email"}}]);
    server.post(ENTITIES, &body).refuses(400, "entityIDNS");
}

#[test]
fn events_of_one_id_are_each_on_one_page() {
    let server = Serving::empty();
    let store = server.store();
    let files = TempDir::new().unwrap();
    for id in [
        "0000000000000000000000e1",
        "0000000000000000000000e2",
        "0000000000000000000000e3",
    ] {
        store
            .catalog()
            .create_dataset(Dataset::new(id, id, Class::Event))
            .unwrap();
        let file = files.path().join(id);
        fs::write(&file, events()).unwrap();
        let inputs = DatasetInputs::new(id, vec![Input::File(file)]);
        store
            .ingest(&[inputs], &LoadOptions::default(), &Progress::default())
            .unwrap();
    }
    let mut query =
        format!("{ENTITIES}?{EVENT}&relatedEntityId=ann%40x.org&relatedEntityIdNS=Email&limit=2");
    let mut found = Vec::new();
    loop {
        let page = server.get(&query).is(200);
        let children = page["children"].as_array().unwrap().iter();
        found.extend(children.map(|child| child["entityId"].as_str().unwrap().to_owned()));
        let href = page["_links"]["next"]["href"].as_str().unwrap();
        if href.is_empty() {
            break;
        }
        query = format!("/data/core/ups/access{href}");
    }
    let expected: Vec<String> = (1..6).flat_map(|n| vec![format!("e{n}"); 3]).collect();
    assert_eq!(found, expected);
}
