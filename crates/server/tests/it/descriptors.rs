//! Descriptors of the schema registry, and what becomes of datasets by them.

use profile_export::xdm::{Class, Dataset};
use serde_json::{Value, json};

use crate::declared_schemas::loyalty;
use crate::registry::{PEOPLE, PROFILE, REGISTRY, dataset, encoded, get, load, with_people};
use crate::serving::{DATASETS, Serving};

pub fn identity(schema: &str, property: &str) -> Value {
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

/// aepp takes what it gets for all that there is, and asks for ever where there is a next page.
#[test]
fn all_descriptors_are_listed_at_once_unless_a_page_is_asked_for() {
    let server = with_people();
    let store = server.store();
    for i in 0..301 {
        let id = format!("note-{i:03}");
        let note = json!({"@id": id, "@type": "xdm:descriptorDeprecated", "xdm:sourceSchema": PEOPLE,
            "xdm:sourceProperty": "/person"});
        let note = catalog::Document::of(&note).unwrap();
        let kind = profile_export::store::DocumentKind::Descriptor;
        store.catalog().put_document(kind, &id, 1, &note).unwrap();
    }
    let by_type = get(&server, "/tenant/descriptors", "xdm+json").is(200);
    let notes = &by_type["xdm:descriptorDeprecated"];
    assert_eq!(notes.as_array().unwrap().len(), 301);
    let listed = get(&server, "/tenant/descriptors/", "xdm-v2+json").is(200);
    assert_eq!(listed["results"].as_array().unwrap().len(), 301);
    assert_eq!(listed["_page"]["next"], Value::Null);
    assert_eq!(listed["_links"].get("next"), None);
    let page = get(&server, "/tenant/descriptors?limit=300", "xdm-v2+json").is(200);
    assert_eq!(page["results"].as_array().unwrap().len(), 300);
    assert_eq!(page["_page"]["next"], "note-300");
    let rest = "/tenant/descriptors?start=note-300";
    let rest = get(&server, rest, "xdm-v2+json").is(200);
    assert_eq!(rest["results"].as_array().unwrap().len(), 1);
    get(&server, "/tenant/descriptors?limit=300", "xdm+json").refuses(400, "have no pages");
}

/// A dataset's own description is not a descriptor's to take away, and spelling is not what makes another identity.
#[test]
fn a_dataset_that_says_its_primary_identity_itself_keeps_it() {
    let server = Serving::empty();
    let made = server
        .post(&format!("{REGISTRY}/tenant/schemas"), &loyalty())
        .is(201);
    let id = made["$id"].as_str().unwrap();
    let described = Dataset {
        schema_ref: Some(json!({"id": id})),
        primary_identity: Some("\"_acme\".loyalty.id=LOYALTY".to_owned()),
        ..Dataset::new("", "described", Class::Profile)
    };
    let store = server.store();
    let own = store
        .catalog()
        .create_dataset(described.clone())
        .unwrap()
        .id;
    let record = json!({"_acme": {"loyalty": {"id": "1"}}});
    assert_eq!(
        load(&server, &own, &record.to_string())["status"],
        "success"
    );
    let other = dataset(&server, "other", id);
    let primary = |id: &str| {
        let found = store.catalog().dataset(id).unwrap().unwrap();
        found.primary_identity
    };
    let descriptors = format!("{REGISTRY}/tenant/descriptors");
    let body = identity(id, "/_acme/loyalty/id");
    let said = server.post(&descriptors, &body).is(201);
    assert_eq!(said.get("datasets"), None, "{said}");
    let one = format!("{descriptors}/{}", said["@id"].as_str().unwrap());
    assert_eq!(server.get(&one).is(200).get("datasets"), None);
    server.send("PUT", &one, &body).is(201);
    assert_eq!(primary(&other).as_deref(), Some("_acme.loyalty.id=Loyalty"));
    assert_eq!(server.delete(&one).status, 204);
    assert_eq!(primary(&own), described.primary_identity);
    assert_eq!(primary(&other), None);
}
