//! Edge projections.

use serde_json::{Value, json};

use crate::serving::{HEADERS, JOBS, Serving, job_request};

const DESTINATIONS: &str = "/data/core/ups/config/destinations";
const PROJECTIONS: &str = "/data/core/ups/config/projections";
const OF_PROFILES: &str = "/data/core/ups/config/projections?schemaName=_xdm.context.profile";

fn destination(server: &Serving) -> Value {
    server
        .post(
            DESTINATIONS,
            &json!({"type": "EDGE", "dataCenters": ["OR1"]}),
        )
        .is(200)
}

fn made(server: &Serving, name: &str, selector: &str) -> Value {
    let destination = destination(server);
    let body = json!({"name": name, "selector": selector, "destinationId": destination["id"]});
    server.post(OF_PROFILES, &body).is(200)
}

#[test]
fn destinations_are_made_listed_replaced_and_deleted() {
    let server = Serving::empty();
    let nothing = server.get(DESTINATIONS).is(200);
    assert_eq!(nothing["_embedded"]["projectionDestinations"], json!([]));
    assert_eq!(
        nothing["_links"]["self"],
        json!({"href": DESTINATIONS, "templated": false})
    );

    // With the type of the documents, as their clients send it.
    let mut headers = HEADERS.to_vec();
    headers.push((
        "content-type",
        "application/vnd.adobe.platform.projectionDestination+json; version=1",
    ));
    let body = json!({"type": "EDGE", "dataCenters": ["OR1", "VA6"], "ttl": 1200, "replicationPolicy": "PROACTIVE"});
    let first = server
        .ask("POST", DESTINATIONS, &headers, body.to_string().as_bytes())
        .is(200);
    let id = first["id"].as_str().unwrap();
    let path = format!("{DESTINATIONS}/{id}");
    assert_eq!(first["self"], json!({"href": path, "templated": false}));
    assert_eq!(
        (&first["version"], &first["ttl"], &first["dataCenters"]),
        (&json!(1), &json!(1200), &json!(["OR1", "VA6"]))
    );
    assert_eq!(server.get(&path).is(200), first);
    let usual = destination(&server);
    assert_eq!(
        (&usual["ttl"], &usual["replicationPolicy"]),
        (&json!(3600), &json!("REACTIVE"))
    );

    let anew = json!({"type": "EDGE", "dataCenters": ["NLD1"], "currentVersion": 1});
    let changed = server.send("PUT", &path, &anew).is(200);
    assert_eq!(
        (&changed["version"], &changed["dataCenters"]),
        (&json!(2), &json!(["NLD1"]))
    );
    server
        .send("PUT", &path, &anew)
        .refuses(409, "the newest is 2");
    let listed = server.get(DESTINATIONS).is(200)["_embedded"]["projectionDestinations"].clone();
    let ids: Vec<&Value> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&&first["id"]) && listed[0].get("self").is_none());
    assert!(
        listed[0]["_links"]["self"]["href"]
            .as_str()
            .unwrap()
            .starts_with(DESTINATIONS)
    );

    for (name, value, says) in [
        ("type", json!("CLOUD"), "type"),
        ("dataCenters", json!([]), "at least one"),
        ("dataCenters", json!([" "]), "at least one"),
        ("ttl", json!(599), "600 to 7776000"),
        ("replicationPolicy", json!("LATER"), "replicationPolicy"),
        ("more", json!(1), "more"),
    ] {
        let mut wrong = json!({"type": "EDGE", "dataCenters": ["OR1"]});
        wrong[name] = value;
        server.post(DESTINATIONS, &wrong).refuses(400, says);
    }
    assert_eq!(server.delete(&path).is(204), Value::Null);
    server.get(&path).refuses(404, id);
    server.delete(&path).refuses(404, id);
    server.send("PUT", &path, &anew).refuses(404, id);
}

#[test]
fn projections_are_made_listed_replaced_and_deleted() {
    let server = Serving::empty();
    let first = made(&server, "shop", "person(name,birthDate),personalEmail");
    let (id, destination) = (
        first["id"].as_str().unwrap(),
        first["destinationId"].clone(),
    );
    let path = format!("{PROJECTIONS}/{id}");
    assert_eq!(
        (&first["version"], &first["schemaName"]),
        (&json!(1), &json!("_xdm.context.profile"))
    );
    assert_eq!(server.get(&path).is(200), first);
    let listed = |query: &str| {
        let list = server.get(&format!("{PROJECTIONS}{query}")).is(200);
        list["_embedded"]["projectionConfigs"]
            .as_array()
            .unwrap()
            .clone()
    };
    let all = listed("");
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["_embedded"]["destination"]["id"], destination);
    assert_eq!(all[0]["_links"]["self"]["href"], json!(path));
    assert_eq!(listed("?schemaName=_xdm.context.profile&name=shop"), all);
    assert!(listed("?schemaName=_xdm.context.profile&name=other").is_empty());
    assert!(listed("?schemaName=_xdm.context.experienceevent").is_empty());
    server
        .get(&format!("{PROJECTIONS}?name=shop"))
        .refuses(400, "schemaName");

    let body = |name: &str, selector: &str| json!({"name": name, "selector": selector, "destinationId": destination});
    server
        .post(OF_PROFILES, &body("shop", "person"))
        .refuses(409, "is called \"shop\" already");
    server
        .post(PROJECTIONS, &body("x", "person"))
        .refuses(400, "schemaName");
    server
        .post(OF_PROFILES, &body("x", ""))
        .refuses(400, "selector");
    server
        .post(OF_PROFILES, &body("x", "person(name"))
        .refuses(400, "selector");
    server
        .post(OF_PROFILES, &body("", "person"))
        .refuses(400, "name");
    let nowhere = json!({"name": "x", "selector": "person", "destinationId": "nowhere"});
    server
        .post(OF_PROFILES, &nowhere)
        .refuses(400, "destinationId");

    let changed = server
        .send("PUT", &path, &body("shop", "person.name"))
        .is(200);
    assert_eq!(
        (&changed["version"], &changed["selector"]),
        (&json!(2), &json!("person.name"))
    );
    let of_it = format!("{DESTINATIONS}/{}", destination.as_str().unwrap());
    server.delete(&of_it).refuses(409, "shop");
    server.delete(&path).is(204);
    server.get(&path).refuses(404, id);
    server.delete(&of_it).is(204);
}

#[test]
fn a_profile_is_read_by_a_projection_and_with_parentheses_by_anybody() {
    let server = Serving::fixtures();
    made(
        &server,
        "shop",
        "person(name(firstName,lastName),birthDate),personalEmail.address",
    );
    let whose = "entityId=person226@example.com&entityIdNS=email";
    let read = |name: &str, whose: &str| {
        server.get(&format!("/data/core/ups/access/projections/{name}?{whose}"))
    };
    let found = read("shop", whose).is(200);
    let spelled_out =
        "person.name.firstName,person.name.lastName,person.birthDate,personalEmail.address";
    let entities = "/data/core/ups/access/entities?schema.name=_xdm.context.profile";
    let plain = server
        .get(&format!("{entities}&{whose}&fields={spelled_out}"))
        .is(200);
    assert_eq!(found, plain);
    let (_, entity) = found.as_object().unwrap().iter().next().unwrap();
    assert!(
        entity["entity"]["person"]["name"]["lastName"].is_string(),
        "{found}"
    );
    let same = "person(name(firstName,lastName),%20birthDate),personalEmail(address)";
    assert_eq!(
        server
            .get(&format!("{entities}&{whose}&fields={same}"))
            .is(200),
        plain
    );
    let xid = entity["entityId"].as_str().unwrap();
    assert_eq!(read("shop", &format!("entityId={xid}")).is(200), found);
    let nobody = read("shop", "entityId=nobody&entityIdNS=email").is(200);
    assert!(nobody.to_string().contains(r#""entity":{}"#), "{nobody}");
    read("shpo", whose).refuses(404, "did you mean \"shop\"?");
    read("shop", "entityIdNS=email").refuses(400, "entityId");
    read("shop", &format!("{whose}&mergePolicyId=none-such")).refuses(400, "none-such");
    made(&server, "gone", "person.shoeSize");
    read("gone", whose).refuses(400, "shoeSize");

    // The same of an export.
    let target = server.target();
    let rows = |fields: &str| {
        let request = job_request(&target, &json!({"fields": fields}));
        server.post("/local/preview?limit=3", &request).is(200)
    };
    let short = rows("person(name(lastName),birthDate),_id");
    assert_eq!(short, rows("person.name.lastName,person.birthDate,_id"));
    assert_eq!(short["rows"].as_array().unwrap().len(), 3);
    let wrong = job_request(&target, &json!({"fields": "person(name"}));
    server
        .post(JOBS, &wrong)
        .refuses(400, "an open parenthesis");
}
