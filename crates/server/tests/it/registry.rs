//! The schema registry: what is made from the store.

use serde_json::{Value, json};

use crate::ingestion::{begin, complete, upload};
use crate::serving::{Answer, DATASETS, HEADERS, Serving};

pub const REGISTRY: &str = "/data/foundation/schemaregistry";
pub const PROFILE: &str = "https://ns.adobe.com/xdm/context/profile";
pub const PEOPLE: &str = "https://ns.adobe.com/acme/schemas/people";

/// Asks with an `Accept` of the platform's.
pub fn get(server: &Serving, path: &str, form: &str) -> Answer {
    let mut headers = HEADERS.to_vec();
    let accept = format!("application/vnd.adobe.{form}");
    headers.push(("accept", &accept));
    server.ask("GET", &format!("{REGISTRY}{path}"), &headers, b"")
}

pub fn encoded(id: &str) -> String {
    id.replace(':', "%3A").replace('/', "%2F")
}

pub fn ids(list: &Value) -> Vec<&str> {
    let results = list["results"].as_array().unwrap().iter();
    results.map(|one| one["$id"].as_str().unwrap()).collect()
}

pub fn dataset(server: &Serving, name: &str, schema: &str) -> String {
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

pub fn load(server: &Serving, dataset: &str, records: &str) -> Value {
    let batch = begin(server, dataset, &json!({"format": "json"}));
    upload(server, dataset, &batch, "a.json", records.as_bytes());
    complete(server, &batch)
}

/// A store with the records of two people, in a dataset of a schema that nobody declared.
pub fn with_people() -> Serving {
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
    // The link to the next page asks for what this one was asked for.
    let asked = format!(
        "property=meta:immutableTags==union&properties=title&orderby=title&limit=1&property=meta:class=={PROFILE}"
    );
    dataset(
        &server,
        "pupils",
        "https://ns.adobe.com/acme/schemas/pupils",
    );
    let page = server
        .get(&format!("{REGISTRY}/tenant/schemas?{asked}"))
        .is(200);
    assert_eq!(page["results"], json!([{"title": "people"}]));
    let page = server
        .get(page["_links"]["next"]["href"].as_str().unwrap())
        .is(200);
    assert_eq!(page["results"], json!([{"title": "pupils"}]));
    assert_eq!(page["_links"].get("next"), None);
    let some = server
        .get(&format!("{REGISTRY}/tenant/schemas?properties=title"))
        .is(200);
    let visits = json!({"title": "visits"});
    assert!(some["results"].as_array().unwrap().contains(&visits));
    server
        .get(&format!("{REGISTRY}/tenant/schemas?property=title~v"))
        .refuses(400, "property");
    for wrong in ["property=titel==people", "orderby=-titel"] {
        server
            .get(&format!("{REGISTRY}/tenant/schemas?{wrong}"))
            .refuses(400, "\"titel\", which none of these has");
        server
            .get(&format!("{REGISTRY}/tenant/descriptors?{wrong}"))
            .refuses(400, "\"titel\", which none of these has");
    }
    server
        .get(&format!("{REGISTRY}/tenant/schemas?start=x"))
        .refuses(400, "_page.next");
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

/// The class stays what it is, and the dataset's schema is one of its own.
#[test]
fn a_dataset_on_the_id_of_a_class_does_not_hide_the_class() {
    let server = Serving::empty();
    let class = "https://ns.adobe.com/xdm/context/experienceevent";
    let visits = dataset(&server, "visits", class);
    let record = json!({"_id": "1", "timestamp": "2026-01-01T00:00:00Z", "page": "home",
        "identityMap": {"Email": [{"id": "ann", "primary": true}]}});
    let done = load(&server, &visits, &record.to_string());
    assert_eq!(done["status"], "success", "{done}");
    let shown = get(
        &server,
        "/global/classes/_xdm.context.experienceevent",
        "xed+json",
    )
    .is(200);
    assert_eq!(shown["title"], "XDM ExperienceEvent");
    let schemas = get(&server, "/tenant/schemas", "xed-id+json").is(200);
    let own = format!("https://ns.adobe.com/acme/schemas/{visits}");
    assert_eq!(ids(&schemas), [own.as_str()]);
    let path = format!("/tenant/schemas/{}", encoded(&own));
    let full = get(&server, &path, "xed-full+json").is(200);
    assert!(full["properties"]["page"].is_object(), "{full}");
}

/// No record has a value of them; they are told as soon as one has.
#[test]
fn fields_whose_type_nobody_knows_are_not_told_as_strings() {
    let server = with_people();
    let others = dataset(
        &server,
        "others",
        "https://ns.adobe.com/acme/schemas/others",
    );
    let told = || {
        let of = |path: &str| {
            let full = get(&server, path, "xed-full+json").is(200);
            let properties = full["properties"].as_object().unwrap();
            ["nothing", "tags"].map(|name| properties.get(name).map(|one| one["type"].clone()))
        };
        let union = of("/tenant/unions/_xdm.context.profile__union");
        assert_eq!(union, of("/tenant/schemas/_acme.schemas.others"));
        union
    };
    let mut record = json!({"identityMap": {"Email": [{"id": "cy", "primary": true}]}, "nothing": null, "tags": []});
    assert_eq!(
        load(&server, &others, &record.to_string())["status"],
        "success"
    );
    assert_eq!(told(), [None, None]);
    record["nothing"] = json!(7);
    record["tags"] = json!(["a"]);
    assert_eq!(
        load(&server, &others, &record.to_string())["status"],
        "success"
    );
    assert_eq!(told(), [Some(json!("integer")), Some(json!("array"))]);
}
