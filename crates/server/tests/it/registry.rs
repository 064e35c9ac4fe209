//! The schema registry: what is made from the store, and what somebody declares.

use std::fs;

use profile_export_server::{Server, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ingestion::{begin, complete, upload};
use crate::serving::{Answer, DATASETS, HEADERS, Serving};

const REGISTRY: &str = "/data/foundation/schemaregistry";
const PROFILE: &str = "https://ns.adobe.com/xdm/context/profile";
const PEOPLE: &str = "https://ns.adobe.com/acme/schemas/people";

/// Asks with an `Accept` of the platform's.
fn get(server: &Serving, path: &str, form: &str) -> Answer {
    let mut headers = HEADERS.to_vec();
    let accept = format!("application/vnd.adobe.{form}");
    headers.push(("accept", &accept));
    server.ask("GET", &format!("{REGISTRY}{path}"), &headers, b"")
}

fn encoded(id: &str) -> String {
    id.replace(':', "%3A").replace('/', "%2F")
}

fn ids(list: &Value) -> Vec<&str> {
    let results = list["results"].as_array().unwrap().iter();
    results.map(|one| one["$id"].as_str().unwrap()).collect()
}

fn dataset(server: &Serving, name: &str, schema: &str) -> String {
    let body = json!({"name": name, "schemaRef": {"id": schema}});
    let made = server.post(DATASETS, &body).is(201);
    made[0]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned()
}

fn load(server: &Serving, dataset: &str, records: &str) -> Value {
    let batch = begin(server, dataset, &json!({"format": "json"}));
    upload(server, dataset, &batch, "a.json", records.as_bytes());
    complete(server, &batch)
}

/// A store with the records of two people, in a dataset of a schema that nobody declared.
fn with_people() -> Serving {
    let server = Serving::empty();
    let people = dataset(&server, "people", PEOPLE);
    let record = |id: &str| {
        json!({"identityMap": {"Email": [{"id": id, "primary": true}]}, "person": {"name": {"firstName": id}},
            "orders": [{"sku": "s", "price": 1.5}], "_acme": {"points": 3}})
    };
    let done = load(
        &server,
        &people,
        &format!("{}\n{}", record("ann"), record("bo")),
    );
    assert_eq!(done["status"], "success", "{done}");
    server
}

#[test]
fn schemas_are_made_from_what_records_have() {
    let server = with_people();
    for path in ["stats", "stats/"] {
        let stats = server.get(&format!("{REGISTRY}/{path}")).is(200);
        assert_eq!(
            (&stats["imsOrg"], &stats["tenantId"]),
            (&json!("acme"), &json!("acme"))
        );
        assert_eq!(
            stats["counts"],
            json!({"schemas": 1, "mixins": 1, "datatypes": 0, "classes": 0, "unions": 2})
        );
        assert_eq!(stats["classUsage"][PROFILE][0]["$id"], PEOPLE);
        assert_eq!(
            stats["recentlyCreatedResources"].as_array().unwrap().len(),
            2
        );
    }
    // The list has IDs, or whole schemas, as is accepted.
    let list = get(&server, "/tenant/schemas/", "xed-id+json").is(200);
    assert_eq!(
        list["results"],
        json!([{"title": "people", "$id": PEOPLE, "meta:altId": "_acme.schemas.people", "version": "1.0"}])
    );
    assert_eq!(
        list["_page"],
        json!({"orderby": "$id", "next": null, "count": 1})
    );
    let whole = get(&server, "/tenant/schemas", "xed+json").is(200);
    let group = whole["results"][0]["allOf"][1]["$ref"].as_str().unwrap();
    assert_eq!(whole["results"][0]["allOf"][0]["$ref"], PROFILE);

    // By either ID; with fields in XDM's names or in the compatible ones.
    for id in [encoded(PEOPLE).as_str(), "_acme.schemas.people"] {
        let full = get(
            &server,
            &format!("/tenant/schemas/{id}"),
            "xdm-full+json; version=1",
        )
        .is(200);
        assert_eq!(
            (&full["meta:class"], &full["meta:immutableTags"]),
            (&json!(PROFILE), &json!(["union"]))
        );
        let properties = &full["properties"];
        assert_eq!(
            properties["xdm:person"]["properties"]["xdm:name"]["properties"]["xdm:firstName"]["type"],
            "string"
        );
        assert_eq!(
            properties["_acme"]["properties"]["points"]["meta:xdmType"],
            "long"
        );
        assert_eq!(properties["xdm:identityMap"]["meta:xdmType"], "map");
    }
    let compatible = get(
        &server,
        "/tenant/schemas/_acme.schemas.people",
        "xed-full-notext+json;version=1",
    )
    .is(200);
    assert_eq!(
        compatible["properties"]["person"]["meta:xdmField"],
        "xdm:person"
    );
    assert!(compatible.get("title").is_none());
    let flat = get(
        &server,
        "/tenant/schemas/_acme.schemas.people",
        "xdm-full-flat+json; version=1",
    )
    .is(200);
    assert_eq!(
        flat["properties"]["xdm:orders[*]/xdm:price"]["type"],
        "number"
    );
    assert!(flat["properties"].get("xdm:person").is_none());
    let plain = server
        .get(&format!("{REGISTRY}/tenant/schemas/_acme.schemas.people"))
        .is(200);
    assert!(plain["allOf"].is_array() && plain.get("properties").is_none());

    // What they have beside the class is a field group.
    let groups = get(&server, "/tenant/fieldgroups/", "xdm+json").is(200);
    assert_eq!(ids(&groups), [group]);
    assert_eq!(
        groups["results"][0]["meta:intendedToExtend"],
        json!([PROFILE])
    );
    let group = get(
        &server,
        &format!("/tenant/fieldgroups/{}", encoded(group)),
        "xed-full+json",
    )
    .is(200);
    assert!(
        group["properties"]["orders"].is_object()
            && group["properties"].get("identityMap").is_none()
    );
    assert_eq!(
        ids(&get(&server, "/tenant/mixins", "xed-id+json").is(200)).len(),
        1
    );
    assert_eq!(
        get(&server, "/tenant/datatypes/", "xdm-id+json").is(200)["results"],
        json!([])
    );

    let sample = server
        .get(&format!("{REGISTRY}/rpc/sampledata/{}", encoded(PEOPLE)))
        .is(200);
    assert_eq!(sample["xdm:orders"][0]["xdm:price"], 7.5);
    let exported = server
        .get(&format!("{REGISTRY}/rpc/export/_acme.schemas.people"))
        .is(200);
    let kinds: Vec<&Value> = exported
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["meta:resourceType"])
        .collect();
    assert_eq!(kinds, ["fieldgroups", "schemas"]);
}

#[test]
fn classes_unions_and_what_they_use_are_always_there() {
    let server = Serving::empty();
    let classes = get(&server, "/global/classes", "xed-id+json").is(200);
    assert_eq!(
        ids(&classes),
        ["https://ns.adobe.com/xdm/context/experienceevent", PROFILE]
    );
    let class = get(
        &server,
        "/global/classes/_xdm.context.experienceevent",
        "xdm-full+json; version=1",
    )
    .is(200);
    assert_eq!(class["properties"]["xdm:timestamp"]["format"], "date-time");
    assert_eq!(class["properties"]["@id"]["type"], "string");
    let behaviors = server.get(&format!("{REGISTRY}/global/behaviors")).is(200);
    assert_eq!(
        ids(&behaviors),
        [
            "https://ns.adobe.com/xdm/data/record",
            "https://ns.adobe.com/xdm/data/time-series"
        ]
    );
    let unions = server.get(&format!("{REGISTRY}/tenant/unions")).is(200);
    assert_eq!(ids(&unions).len(), 2);
    // A union is a schema, too, but in no list of those.
    for kind in ["unions", "schemas"] {
        let union = get(
            &server,
            &format!("/tenant/{kind}/_xdm.context.profile__union"),
            "xdm-full+json; version=1",
        )
        .is(200);
        assert_eq!(
            (&union["meta:resourceType"], &union["version"]),
            (&json!("unions"), &json!("1.0"))
        );
        assert!(union["properties"]["xdm:segmentMembership"].is_object());
    }
    for path in [
        "/tenant/schemas",
        "/tenant/classes",
        "/global/schemas",
        "/tenant/behaviors",
        "/global/unions",
    ] {
        assert_eq!(
            server.get(&format!("{REGISTRY}{path}")).is(200)["results"],
            json!([]),
            "{path}"
        );
    }
    let item = get(
        &server,
        "/global/datatypes/_xdm.context.identityitem",
        "xdm-full+json",
    )
    .is(200);
    assert!(item["properties"]["xdm:id"].is_object());
    server
        .get(&format!("{REGISTRY}/tenant/schemas/none"))
        .refuses(404, "none");
    server
        .get(&format!("{REGISTRY}/tenant/globes"))
        .refuses(404, "There is /");
    server
        .get(&format!("{REGISTRY}/rpc/sampledata/none"))
        .refuses(404, "none");
}

#[test]
fn lists_are_filtered_ordered_and_paged() {
    let server = with_people();
    dataset(
        &server,
        "visits",
        "https://ns.adobe.com/acme/schemas/experienceevent-visits",
    );
    let found = |query: &str| {
        let list = get(&server, &format!("/tenant/schemas?{query}"), "xed-id+json").is(200);
        let titles = list["results"].as_array().unwrap().iter();
        let titles: Vec<String> = titles
            .map(|one| one["title"].as_str().unwrap().to_owned())
            .collect();
        (titles, list["_page"]["next"].clone())
    };
    let none = Value::Null;
    assert_eq!(
        found("orderby=-title"),
        (vec!["visits".to_owned(), "people".to_owned()], none.clone())
    );
    assert_eq!(
        found(&format!(
            "property=meta:immutableTags==union&property=meta:class=={PROFILE}"
        ))
        .0,
        ["people"]
    );
    assert_eq!(
        found("property=meta:extends!=https://ns.adobe.com/xdm/data/adhoc")
            .0
            .len(),
        2
    );
    let (first, next) = found("orderby=title&limit=1");
    assert_eq!(first, ["people"]);
    let next = encoded(next.as_str().unwrap());
    assert_eq!(
        found(&format!("orderby=title&limit=1&start={next}")),
        (vec!["visits".to_owned()], none)
    );
    let some = server
        .get(&format!("{REGISTRY}/tenant/schemas?properties=title"))
        .is(200);
    assert_eq!(some["results"][0], json!({"title": "visits"}));
    server
        .get(&format!("{REGISTRY}/tenant/schemas?property=title~v"))
        .refuses(400, "property");
    server
        .get(&format!("{REGISTRY}/tenant/schemas?start=x"))
        .refuses(400, "_page.next");
}

fn loyalty() -> Value {
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

fn identity(schema: &str, property: &str) -> Value {
    json!({"@type": "xdm:descriptorIdentity", "xdm:sourceSchema": schema, "xdm:sourceVersion": 1,
        "xdm:sourceProperty": property, "xdm:namespace": "Loyalty", "xdm:isPrimary": true})
}

#[test]
fn an_identity_descriptor_says_where_the_primary_identity_of_datasets_is() {
    let server = Serving::empty();
    let made = server
        .post(&format!("{REGISTRY}/tenant/schemas"), &loyalty())
        .is(201);
    let id = made["$id"].as_str().unwrap();
    let before = dataset(&server, "before", id);
    let descriptors = format!("{REGISTRY}/tenant/descriptors");
    let said = server
        .post(&descriptors, &identity(id, "/_acme/loyalty/id"))
        .is(201);
    let of = said["@id"].as_str().unwrap();
    assert_eq!(
        (&said["xdm:property"], &said["imsOrg"]),
        (&json!("xdm:code"), &json!("acme"))
    );
    let behind = dataset(&server, "behind", id);

    // Both read it from there: the one that was made before has no record yet.
    for (dataset, number) in [(&before, "1"), (&behind, "2")] {
        let record = json!({"_acme": {"loyalty": {"id": number, "points": 5}}});
        assert_eq!(
            load(&server, dataset, &record.to_string())["status"],
            "success"
        );
        let query =
            format!("schema.name=_xdm.context.profile&entityId={number}&entityIdNS=loyalty");
        let found = server
            .get(&format!("/data/core/ups/access/entities?{query}"))
            .is(200);
        let entity = found.as_object().unwrap().values().next().unwrap();
        assert_eq!(entity["entity"]["_acme"]["loyalty"]["points"], 5, "{found}");
    }

    // In all forms: by type, in pages, IDs, links; beside the schema.
    let by_type = server.get(&descriptors).is(200);
    assert_eq!(by_type["xdm:descriptorIdentity"][0]["@id"], *of);
    let pages = get(
        &server,
        "/tenant/descriptors/?property=@type==xdm:descriptorIdentity",
        "xdm-v2+json",
    )
    .is(200);
    assert_eq!(
        (
            &pages["results"][0]["xdm:namespace"],
            &pages["_page"]["next"]
        ),
        (&json!("Loyalty"), &Value::Null)
    );
    assert_eq!(
        get(&server, "/tenant/descriptors", "xdm-v2-id+json").is(200)["results"],
        json!([of])
    );
    let link = get(&server, "/tenant/descriptors", "xdm-link+json").is(200);
    assert_eq!(
        link["xdm:descriptorIdentity"],
        json!([format!("{descriptors}/{of}")])
    );
    let none = get(
        &server,
        "/tenant/descriptors?property=xdm:sourceSchema==x",
        "xdm-v2+json",
    )
    .is(200);
    assert_eq!(none["results"], json!([]));
    let path = format!("/tenant/schemas/{}", encoded(id));
    let described = get(&server, &path, "xed-full-desc+json; version=1").is(200);
    assert_eq!(described["meta:descriptors"][0]["@id"], *of);
    assert_eq!(
        server.get(&format!("{descriptors}/{of}")).is(200)["xdm:sourceProperty"],
        "/_acme/loyalty/id"
    );

    // Records are what they are.
    server
        .post(&descriptors, &identity(id, "/_acme/loyalty/id"))
        .refuses(409, "a schema has one");
    let one = format!("{descriptors}/{of}");
    server
        .delete(&one)
        .refuses(409, "records whose primary identity is that of");
    let mut other = identity(id, "/_acme/loyalty/id");
    other["xdm:namespace"] = json!("Email");
    server
        .send("PUT", &one, &other)
        .refuses(409, "records whose primary identity");
    assert_eq!(
        server
            .send("PUT", &one, &identity(id, "/_acme/loyalty/id"))
            .is(201),
        json!({"@id": of})
    );
    for dataset in [before, behind] {
        server.delete(&format!("{DATASETS}/{dataset}")).is(200);
    }
    assert_eq!(server.delete(&one).status, 204);
    server.get(&one).refuses(404, "descriptor");
    assert_eq!(server.get(&descriptors).is(200), json!({}));
}

#[test]
fn a_descriptor_that_is_taken_away_leaves_identities_to_the_identity_map() {
    let server = Serving::empty();
    let made = server
        .post(&format!("{REGISTRY}/tenant/schemas"), &loyalty())
        .is(201);
    let id = made["$id"].as_str().unwrap();
    let dataset = dataset(&server, "members", id);
    let descriptors = format!("{REGISTRY}/tenant/descriptors");
    let mut by_number = identity(id, "/_acme/loyalty/id");
    by_number["xdm:namespace"] = json!(6);
    by_number["xdm:property"] = json!("xdm:id");
    let said = server.post(&descriptors, &by_number).is(201);
    assert_eq!(said["xdm:namespace"], "Email");
    let primary = || {
        server
            .store()
            .catalog()
            .dataset(&dataset)
            .unwrap()
            .unwrap()
            .primary_identity
    };
    assert_eq!(primary().as_deref(), Some("_acme.loyalty.id=Email"));
    assert_eq!(
        server
            .delete(&format!("{descriptors}/{}", said["@id"].as_str().unwrap()))
            .status,
        204
    );
    assert_eq!(primary(), None);
}

#[test]
fn what_a_descriptor_says_that_is_not_done_is_refused_by_name() {
    let server = with_people();
    let descriptors = format!("{REGISTRY}/tenant/descriptors");
    let refused = |change: Value, status: u16, says: &str| {
        let mut body = identity(PEOPLE, "/xdm:person/xdm:name/xdm:firstName");
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        server.post(&descriptors, &body).refuses(status, says);
    };
    refused(
        json!({}),
        409,
        "2 records whose primary identity is that of identityMap",
    );
    refused(
        json!({"xdm:isPrimary": false}),
        400,
        "xdm:isPrimary: found false",
    );
    refused(
        json!({"xdm:sourceSchema": "https://ns.adobe.com/acme/schemas/peple"}),
        400,
        "did you mean",
    );
    refused(
        json!({"xdm:sourceSchema": PROFILE}),
        400,
        "is no schema here",
    );
    refused(
        json!({"xdm:sourceProperty": "/_acme/points"}),
        400,
        "an identity is a string",
    );
    refused(
        json!({"xdm:sourceProperty": "/orders/*/sku"}),
        400,
        "xdm:sourceProperty",
    );
    refused(
        json!({"xdm:sourceProperty": "person"}),
        400,
        "xdm:sourceProperty",
    );
    refused(json!({"xdm:namespace": "a b"}), 400, "xdm:namespace");
    refused(
        json!({"xdm:namespace": 4711, "xdm:property": "xdm:id"}),
        400,
        "xdm:namespace",
    );
    refused(json!({"xdm:property": "xdm:name"}), 400, "xdm:property");
    refused(
        json!({"@type": "xdm:descriptorRelationship"}),
        400,
        "@type: found",
    );
    refused(json!({"xdm:more": 1}), 400, "xdm:more: unknown");
    // Those that are told alone.
    let note = json!({"@type": "xdm:alternateDisplayInfo", "xdm:sourceSchema": PEOPLE, "xdm:sourceProperty": "/person",
        "xdm:title": {"en_us": "Who"}});
    let made = server.post(&descriptors, &note).is(201);
    let path = format!("{descriptors}/{}", made["@id"].as_str().unwrap());
    assert_eq!(server.get(&path).is(200)["xdm:title"]["en_us"], "Who");
    server
        .send("PUT", &path, &identity(PEOPLE, "/person/name/firstName"))
        .refuses(400, "@type");
    assert_eq!(server.delete(&path).status, 204);
}

/// What a dataset's own description says is told, and stays.
#[test]
fn the_primary_identity_of_a_dataset_is_told_as_a_descriptor() {
    let server = Serving::fixtures();
    let listed = get(&server, "/tenant/descriptors/", "xdm-v2+json").is(200);
    let known: Vec<&Value> = listed["results"].as_array().unwrap().iter().collect();
    let datasets = server.store().catalog().datasets().unwrap();
    let said = datasets
        .iter()
        .filter(|dataset| dataset.primary_identity.is_some());
    assert_eq!(known.len(), said.count());
    for one in known {
        let schema = one["xdm:sourceSchema"].as_str().unwrap();
        let shown = get(
            &server,
            &format!("/tenant/schemas/{}", encoded(schema)),
            "xed-full+json",
        )
        .is(200);
        let path = one["xdm:sourceProperty"].as_str().unwrap();
        let field = path
            .split('/')
            .skip(1)
            .fold(&shown, |at, name| &at["properties"][name]);
        assert_eq!(field["type"], "string", "{one}");
        let id = one["@id"].as_str().unwrap();
        server
            .delete(&format!("{REGISTRY}/tenant/descriptors/{id}"))
            .refuses(409, "it stays");
    }
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
fn a_schema_has_what_the_records_of_its_own_datasets_have() {
    let server = with_people();
    let shop = dataset(
        &server,
        "shop",
        "https://ns.adobe.com/xdm/context/profile__union",
    );
    let record = json!({"identityMap": {"Email": [{"id": "ann", "primary": true}]}, "spent": 3, "nothing": null});
    assert_eq!(
        load(&server, &shop, &record.to_string())["status"],
        "success"
    );
    let fields = |path: &str| {
        let shown = get(&server, &format!("/tenant/{path}"), "xed-full+json").is(200);
        let mut names: Vec<String> = shown["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        names.sort();
        names
    };
    // One that names no schema has one by its own ID.
    assert_eq!(
        fields(&format!("schemas/_acme.schemas.{shop}")),
        ["identityMap", "segmentMembership", "spent"]
    );
    assert_eq!(
        fields(&format!("fieldgroups/_acme.mixins.{shop}")),
        ["spent"]
    );
    assert_eq!(
        fields("schemas/_acme.schemas.people"),
        [
            "_acme",
            "identityMap",
            "orders",
            "person",
            "segmentMembership"
        ]
    );
    let union = fields("unions/_xdm.context.profile__union");
    assert!(
        ["orders", "spent"]
            .iter()
            .all(|name| union.contains(&(*name).to_owned())),
        "{union:?}"
    );
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
