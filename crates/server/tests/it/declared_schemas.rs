//! Schemas of the registry that somebody declared, and what they refer to.

use std::fs;

use profile_export_server::{Server, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::descriptors::identity;
use crate::registry::{PEOPLE, PROFILE, REGISTRY, dataset, encoded, get, ids, load, with_people};
use crate::serving::{HEADERS, Serving};

pub fn loyalty() -> Value {
    let fields = json!({"_acme": {"type": "object", "properties": {
        "loyalty": {"type": "object", "properties": {"id": {"type": "string"}, "points": {"type": "integer"}}}}}});
    json!({"title": "Loyalty", "type": "object", "description": "Members",
        "allOf": [{"$ref": PROFILE}, {"$ref": "#/definitions/own"}],
        "definitions": {"own": {"properties": fields}}})
}

#[test]
fn a_schema_is_declared_and_its_datasets_take_what_fits_it() {
    let server = with_people();
    let schemas = format!("{REGISTRY}/tenant/schemas");
    let made = server.post(&format!("{schemas}/"), &loyalty()).is(201);
    let id = made["$id"].as_str().unwrap();
    assert_eq!(made["allOf"], loyalty()["allOf"]);
    assert!(id.starts_with("https://ns.adobe.com/acme/schemas/"), "{id}");
    let path = format!("/tenant/schemas/{}", encoded(id));
    let full = get(&server, &path, "xdm-full+json; version=1").is(200);
    assert_eq!(
        full["properties"]["_acme"]["properties"]["loyalty"]["properties"]["points"]["meta:xdmType"],
        "long"
    );
    assert!(
        full["properties"]["xdm:identityMap"].is_object(),
        "of the class"
    );

    // Joined to the union, and no way back; its fields stay.
    let change =
        |op: &str, path: &str, value: Value| json!([{"op": op, "path": path, "value": value}]);
    let at = format!("{REGISTRY}{path}");
    let joined = server
        .send(
            "PATCH",
            &format!("{at}/"),
            &change("add", "/meta:immutableTags", json!(["union"])),
        )
        .is(200);
    assert_eq!(
        (&joined["meta:immutableTags"], &joined["version"]),
        (&json!(["union"]), &json!("1.1"))
    );
    server
        .send(
            "PATCH",
            &at,
            &change("remove", "/meta:immutableTags", json!(null)),
        )
        .refuses(400, "the tag union stays");
    server
        .send("PATCH", &at, &change("add", "/allOf/-", json!({})))
        .refuses(400, "allOf");
    server
        .send("PATCH", &at, &change("replace", "/title", json!("Members")))
        .is(200);

    // A dataset of it knows its fields before any record has them.
    let members = dataset(&server, "members", id);
    let union = get(
        &server,
        "/tenant/unions/_xdm.context.profile__union",
        "xed-full+json",
    )
    .is(200);
    assert!(union["properties"]["_acme"]["properties"]["loyalty"].is_object());
    let record = |points: Value| json!({"identityMap": {"Email": [{"id": "cy", "primary": true}]}, "_acme": {"loyalty": {"points": points}}});
    let bad = load(&server, &members, &record(json!("many")).to_string());
    assert_eq!(bad["status"], "failed", "{bad}");
    let good = load(&server, &members, &record(json!(7)).to_string());
    assert_eq!(good["status"], "success", "{good}");

    // What datasets are made on stays.
    server.delete(&at).refuses(409, "members");
    server.send("PUT", &at, &loyalty()).refuses(409, "members");
    let other = server.post(&schemas, &loyalty()).is(201);
    let other = format!("{schemas}/{}", encoded(other["$id"].as_str().unwrap()));
    let mut anew = loyalty();
    anew["title"] = json!("Anew");
    assert_eq!(server.send("PUT", &other, &anew).is(200)["title"], "Anew");
    assert_eq!(server.delete(&other).status, 204);
    server.get(&other).refuses(404, "schemas");
    server.delete(&other).refuses(404, "schemas");
    // What is made from the store can't be changed.
    server
        .delete(&format!("{schemas}/_acme.schemas.people"))
        .refuses(409, "nobody declared it");
    server
        .post(&format!("{REGISTRY}/tenant/fieldgroups"), &json!({}))
        .refuses(400, "tenant/schemas");
    server
        .delete(&format!("{REGISTRY}/global/classes/_xdm.context.profile"))
        .refuses(400, "tenant/schemas");

    // Nobody else sees it.
    let mut headers = HEADERS.to_vec();
    headers.retain(|(name, _)| *name != "x-sandbox-name");
    headers.push(("x-sandbox-name", "dev"));
    assert_eq!(server.ask("GET", &at, &headers, b"").status, 404);
}

#[test]
fn a_schema_may_have_what_the_registry_has() {
    let server = with_people();
    let groups = get(&server, "/tenant/fieldgroups", "xed-id+json").is(200);
    let group = ids(&groups)[0];
    let body = json!({"title": "Again", "allOf": [{"$ref": PROFILE}, {"$ref": group}],
        "properties": {"friends": {"type": "array", "items": {"$ref": "https://ns.adobe.com/xdm/context/identityitem"}}}});
    let made = server
        .post(&format!("{REGISTRY}/tenant/schemas"), &body)
        .is(201);
    let path = format!("/tenant/schemas/{}", made["meta:altId"].as_str().unwrap());
    let full = get(&server, &path, "xed-full+json").is(200);
    assert!(full["properties"]["orders"].is_object());
    assert!(full["properties"]["friends"]["items"]["properties"]["id"].is_object());
}

#[test]
fn what_a_schema_says_that_is_not_understood_is_refused_by_name() {
    let server = with_people();
    let refused = |change: Value, status: u16, says: &str| {
        let mut body = loyalty();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        server
            .post(&format!("{REGISTRY}/tenant/schemas"), &body)
            .refuses(status, says);
    };
    refused(
        json!({"allOf": [{"$ref": PROFILE}, {"$ref": "https://ns.adobe.com/acme/mixins/none"}]}),
        400,
        "allOf[1].$ref: found",
    );
    refused(
        json!({"allOf": [{"$ref": "#/definitions/own"}]}),
        400,
        "found 0 classes",
    );
    refused(
        json!({"allOf": [{"$ref": PROFILE}, {"$ref": "#/definitions/none"}]}),
        400,
        "none",
    );
    refused(json!({"title": " "}), 400, "title");
    refused(json!({"type": "array"}), 400, "type");
    refused(json!({"oneOf": []}), 400, "oneOf: unknown");
    refused(json!({"$id": "x"}), 400, "$id");
    refused(json!({"$id": PEOPLE}), 409, "is there already");
    let wide = |fields: usize| {
        let fields = (0..fields).map(|i| (format!("f{i}"), json!({"type": "string"})));
        let fields: serde_json::Map<String, Value> = fields.collect();
        json!({"properties": {"_wide": {"type": "object", "properties": fields}}})
    };
    refused(wide(1001), 400, "has 1001 fields");
    let mut body = loyalty();
    body["properties"] = wide(1000)["properties"].clone();
    server
        .post(&format!("{REGISTRY}/tenant/schemas"), &body)
        .is(201);
    // Their meta:altId is the same.
    let alike = json!({"$id": "https://ns.adobe.com/acme.schemas.people"});
    refused(alike, 409, "is there already");
    let alike = json!({"$id": "https://ns.adobe.com/xdm.context/profile"});
    refused(alike, 409, "is there already");
    refused(
        json!({"meta:immutableTags": ["other"]}),
        400,
        "meta:immutableTags",
    );
    refused(
        json!({"properties": {"orders": {"type": "string"}}}),
        409,
        "orders",
    );
}

/// What a folder has beside what is always there is the platform's, and declared schemas may have it.
#[test]
fn documents_of_a_folder_are_what_schemas_may_refer_to() {
    let folder = TempDir::new().unwrap();
    let group = "https://ns.adobe.com/xdm/mixins/person-details";
    let document = json!({"$id": group, "title": "Person details", "meta:intendedToExtend": [PROFILE],
        "definitions": {"own": {"properties": {"xdm:birthDate": {"type": "string", "format": "date"}}}},
        "allOf": [{"$ref": "#/definitions/own"}]});
    fs::write(
        folder.path().join("details.schema.json"),
        document.to_string(),
    )
    .unwrap();
    let server = Serving::with(|settings| settings.schemas = Some(folder.path().to_owned()));
    let groups = get(&server, "/global/fieldgroups", "xed-id+json").is(200);
    assert!(ids(&groups).contains(&group), "{groups}");
    let shown = get(
        &server,
        &format!("/global/fieldgroups/{}", encoded(group)),
        "xdm-full+json",
    )
    .is(200);
    assert_eq!(shown["properties"]["xdm:birthDate"]["format"], "date");
    let body = json!({"title": "People", "allOf": [{"$ref": PROFILE}, {"$ref": group}]});
    let made = server
        .post(&format!("{REGISTRY}/tenant/schemas"), &body)
        .is(201);
    let people = dataset(&server, "people", made["$id"].as_str().unwrap());
    let record = |day: &str| {
        json!({"identityMap": {"Email": [{"id": "ann", "primary": true}]}, "birthDate": day})
            .to_string()
    };
    assert_eq!(
        load(&server, &people, &record("someday"))["status"],
        "failed"
    );
    assert_eq!(
        load(&server, &people, &record("2001-02-03"))["status"],
        "success"
    );
}

#[test]
fn a_folder_of_schemas_that_can_t_be_read_keeps_the_server_from_starting() {
    let (store, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fs::write(folder.path().join("a.json"), "{}").unwrap();
    let mut settings = Settings::new(store.path(), ([127, 0, 0, 1], 0).into());
    settings.schemas = Some(folder.path().to_owned());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let refused = runtime
        .block_on(Server::bind(settings))
        .err()
        .unwrap()
        .to_string();
    assert!(refused.contains("a.json: it has no $id"), "{refused}");
}

#[test]
fn what_was_declared_is_there_behind_the_next_start() {
    let home = TempDir::new().unwrap();
    let (schema, said) = {
        let server = Serving::on(home.path(), |_| {});
        let made = server
            .post(&format!("{REGISTRY}/tenant/schemas"), &loyalty())
            .is(201);
        let id = made["$id"].as_str().unwrap().to_owned();
        let said = server
            .post(
                &format!("{REGISTRY}/tenant/descriptors"),
                &identity(&id, "/_acme/loyalty/id"),
            )
            .is(201);
        (made, said)
    };
    let server = Serving::on(home.path(), |_| {});
    let path = format!(
        "{REGISTRY}/tenant/schemas/{}",
        encoded(schema["$id"].as_str().unwrap())
    );
    assert_eq!(server.get(&path).is(200), schema);
    let path = format!(
        "{REGISTRY}/tenant/descriptors/{}",
        said["@id"].as_str().unwrap()
    );
    assert_eq!(server.get(&path).is(200), said);
}

#[test]
fn a_schema_that_is_declared_anew_keeps_the_fields_of_its_identities() {
    let server = Serving::empty();
    let schemas = format!("{REGISTRY}/tenant/schemas");
    let made = server.post(&schemas, &loyalty()).is(201);
    let id = made["$id"].as_str().unwrap();
    let descriptors = format!("{REGISTRY}/tenant/descriptors");
    let said = server
        .post(&descriptors, &identity(id, "/_acme/loyalty/id"))
        .is(201);
    let at = format!("{schemas}/{}", encoded(id));
    let mut without = loyalty();
    without["definitions"]["own"]["properties"] = json!({"other": {"type": "string"}});
    server
        .send("PUT", &at, &without)
        .refuses(409, "has no field");
    let mut with_number = loyalty();
    let fields = "/definitions/own/properties/_acme/properties/loyalty/properties/id/type";
    *with_number.pointer_mut(fields).unwrap() = json!("integer");
    server
        .send("PUT", &at, &with_number)
        .refuses(409, "an identity is a string");
    let one = format!("{descriptors}/{}", said["@id"].as_str().unwrap());
    assert_eq!(server.delete(&one).status, 204);
    server.send("PUT", &at, &without).is(200);
}

#[test]
fn changes_of_a_schema_at_one_time_all_hold() {
    let server = Serving::empty();
    let schemas = format!("{REGISTRY}/tenant/schemas");
    let made = server.post(&schemas, &loyalty()).is(201);
    let at = format!("{schemas}/{}", encoded(made["$id"].as_str().unwrap()));
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for title in 0..10 {
                    let change =
                        json!([{"op": "replace", "path": "/title", "value": title.to_string()}]);
                    server.send("PATCH", &at, &change).is(200);
                }
            });
        }
    });
    assert_eq!(server.get(&at).is(200)["version"], "1.40");
}
