//! Datasets that are changed, and the names of their tables.

use serde_json::{Value, json};

use crate::ingestion::{RECORD, begin, complete, upload};
use crate::serving::{BATCHES, DATASETS, HEADERS, IMPORT, Serving, union_dataset};

const LAST_BATCHES: &str = "/data/foundation/catalog/lastBatches";

fn made(server: &Serving, body: &Value) -> String {
    let made = server.post(DATASETS, body).is(201);
    made[0]
        .as_str()
        .unwrap()
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned()
}

fn shown(server: &Serving, id: &str) -> Value {
    server.get(&format!("{DATASETS}/{id}")).is(200)[id].clone()
}

#[test]
fn fields_of_a_dataset_are_changed_and_the_others_stay() {
    let server = Serving::fixtures();
    let id = "5b020a27e7040801dedba61a";
    let before = shown(&server, id);
    assert_eq!(before["updated"], before["created"]);
    let path = format!("{DATASETS}/{id}");
    let changes =
        json!({"name": "Customers", "description": "of the shop", "tags": {"source": ["crm"]}});
    let answer = server.send("PATCH", &path, &changes).is(200);
    assert_eq!(answer, json!([format!("@/dataSets/{id}")]));
    let mut wanted = before.clone();
    for (name, value) in changes.as_object().unwrap() {
        wanted[name] = value.clone();
    }
    wanted["tags"]["adobe/pqs/table"] = json!(["customers"]);
    wanted["tags"]["unifiedProfile"] = json!(["enabled:true"]);
    let after = shown(&server, id);
    wanted["updated"] = after["updated"].clone();
    assert!(after["updated"].as_i64() > before["updated"].as_i64());
    assert_eq!(after, wanted);
    assert_eq!(
        server
            .get(&format!("{DATASETS}?name=Customers&tags=source:crm"))
            .is(200)
            .as_object()
            .unwrap()
            .len(),
        1
    );
    let newest = server
        .get(&format!("{DATASETS}?orderBy=desc:updated&limit=1"))
        .is(200);
    assert!(newest.get(id).is_some(), "{newest}");

    // One field, and null for those that are not meant.
    server
        .send("PATCH", &path, &json!({"description": "x", "tags": null}))
        .is(200);
    assert_eq!(shown(&server, id)["tags"], wanted["tags"]);
    // As it was before, to the record.
    let union = json!({"id": "https://ns.adobe.com/xdm/context/profile__union"});
    server
        .send(
            "PATCH",
            &path,
            &json!({"schemaRef": union, "state": "ACTIVE"}),
        )
        .is(200);
    for (change, says) in [
        (json!({"name": "loyalty"}), "taken by dataset"),
        (json!({"name": " "}), "needs a name"),
        (
            json!({"schemaRef": {"id": "https://ns.adobe.com/acme/x"}}),
            "the schema of a dataset stays",
        ),
        (json!({"state": "DRAFT"}), "datasets here are ACTIVE"),
        (json!({"imsOrg": "other"}), "imsOrg"),
        (json!("x"), "object"),
    ] {
        let answer = server.send("PATCH", &path, &change);
        let status = if says == "taken by dataset" { 409 } else { 400 };
        answer.refuses(status, says);
    }
    assert_eq!(shown(&server, id)["name"], "Customers");
    server
        .send("PATCH", &format!("{DATASETS}/Customers"), &changes)
        .refuses(404, "Customers");
}

#[test]
fn a_json_patch_changes_a_dataset_as_it_is_shown() {
    let server = Serving::empty();
    let id = made(&server, &union_dataset("First name"));
    let path = format!("{DATASETS}/{id}");
    let mut headers = HEADERS.to_vec();
    headers.push(("content-type", "application/json-patch+json"));
    let patch =
        |changes: &Value| server.ask("PATCH", &path, &headers, changes.to_string().as_bytes());
    // As aepp enables a dataset.
    let enable = json!([{"op": "add", "path": "/tags/unifiedProfile", "value": ["enabled:true"]}]);
    patch(&enable).is(200);
    patch(&json!([
        {"op": "replace", "path": "/name", "value": "Second name"},
        {"op": "add", "path": "/description", "value": "d"},
        {"op": "add", "path": "/tags/source", "value": ["a", "b"]},
        {"op": "remove", "path": "/tags/source/0"},
    ]))
    .is(200);
    let after = shown(&server, &id);
    assert_eq!(
        (&after["name"], &after["description"]),
        (&json!("Second name"), &json!("d"))
    );
    // The table that was given follows the name; it is none of the dataset's own labels.
    assert_eq!(after["tags"]["adobe/pqs/table"], json!(["second_name"]));
    assert_eq!(after["tags"]["source"], json!(["b"]));
    patch(&json!([{"op": "replace", "path": "/tags/adobe~1pqs~1table", "value": ["mine"]}]))
        .is(200);
    assert_eq!(
        shown(&server, &id)["tags"]["adobe/pqs/table"],
        json!(["mine"])
    );
    patch(&json!([{"op": "remove", "path": "/description"}])).is(200);
    assert!(shown(&server, &id).get("description").is_none());
    let before = shown(&server, &id);
    for (changes, says) in [
        (
            json!([{"op": "replace", "path": "/id", "value": "x"}]),
            "what can be changed is name",
        ),
        (json!([{"op": "remove", "path": "/name"}]), "name"),
        (
            json!([{"op": "replace", "path": "/name", "value": 1}]),
            "name",
        ),
        (json!([{"op": "move", "path": "/name", "value": 1}]), "op"),
        // All or nothing.
        (
            json!([{"op": "add", "path": "/description", "value": "y"}, {"op": "remove", "path": "/tags/none"}]),
            "leads somewhere",
        ),
    ] {
        patch(&changes).refuses(400, says);
        assert_eq!(shown(&server, &id), before, "{changes}");
    }
    let second = "/data/foundation/catalog/v2/dataSets";
    server
        .send(
            "PATCH",
            &format!("{second}/{id}"),
            &json!({"description": "v2"}),
        )
        .is(200);
    assert_eq!(shown(&server, &id)["description"], "v2");
}

#[test]
fn a_put_replaces_what_is_said_of_a_dataset() {
    let server = Serving::empty();
    let mut body = union_dataset("Old");
    body["description"] = json!("goes");
    body["tags"] = json!({"goes": ["x"]});
    let id = made(&server, &body);
    let path = format!("{DATASETS}/{id}");
    let new = json!({
        "name": "New", "tags": {"adobe/pqs/table": ["sample"]}, "state": "ACTIVE",
        "files": format!("@/dataSets/{id}/views/{id}/files"),
    });
    server.send("PUT", &path, &new).is(200);
    let after = shown(&server, &id);
    assert_eq!(after["name"], "New");
    assert!(
        after.get("description").is_none() && after["tags"].get("goes").is_none(),
        "{after}"
    );
    assert_eq!(after["tags"]["adobe/pqs/table"], json!(["sample"]));
    assert_eq!(after["schemaRef"]["id"], body["schemaRef"]["id"]);
    server
        .send("PUT", &path, &json!({"tags": {}}))
        .refuses(400, "name: missing");
    server.send("PUT", &path, &json!([])).refuses(400, "object");
}

#[test]
fn a_label_that_asks_for_what_is_not_done_keeps_records_out_and_goes_to_no_dataset_that_has_some() {
    let server = Serving::fixtures();
    for (name, value) in [
        ("unifiedProfile", "enabled:false"),
        ("unifiedProfile", "isUpsert:true"),
        ("unifiedIdentity", "enabled:false"),
    ] {
        let mut body = union_dataset(&format!("{name} {value}"));
        body["tags"] = json!({name: ["other", value]});
        let id = made(&server, &body);
        assert_eq!(shown(&server, &id)["tags"][name], json!(["other", value]));
        // Exports go there; nothing is loaded.
        server.finished(server.job(&id, &json!({"fields": "_id"})));
        let batch = json!({"datasetId": id, "inputFormat": {"format": "json"}});
        server
            .post(IMPORT, &batch)
            .refuses(400, &format!("{name}: {value}, which can't be done here"));
        server
            .send("PATCH", &format!("{DATASETS}/{id}"), &json!({"tags": {}}))
            .is(200);
        server.post(IMPORT, &batch).is(201);
        let loaded = format!("{DATASETS}/5b020a27e7040801dedba61a");
        let before = server.get(&loaded).is(200);
        let label = json!([{"op": "add", "path": format!("/tags/{name}"), "value": [value]}]);
        server
            .send("PATCH", &loaded, &label)
            .refuses(409, "take the label away");
        server
            .send("PATCH", &loaded, &json!({"tags": body["tags"]}))
            .refuses(409, "take the label away");
        assert_eq!(server.get(&loaded).is(200), before);
    }
}

#[test]
fn two_datasets_are_two_tables() {
    let server = Serving::empty();
    let first = made(&server, &union_dataset("A b"));
    std::thread::sleep(std::time::Duration::from_millis(3));
    let second = made(&server, &union_dataset("a_b"));
    let table = |id: &str| shown(&server, id)["tags"]["adobe/pqs/table"][0].clone();
    assert_eq!(
        (table(&first), table(&second)),
        (json!("a_b"), json!(format!("a_b_{second}")))
    );
    let found = server
        .get(&format!("{DATASETS}?tags=adobe/pqs/table:a_b"))
        .is(200);
    assert_eq!(
        found.as_object().unwrap().keys().collect::<Vec<_>>(),
        [&first]
    );
}

#[test]
fn a_label_that_names_the_table_of_another_dataset_is_refused() {
    let server = Serving::empty();
    let label = |table: &str| json!({"adobe/pqs/table": [table]});
    let [own, plain, third] =
        ["own", "A b", "third"].map(|name| made(&server, &union_dataset(name)));
    let path = format!("{DATASETS}/{third}");
    server
        .send(
            "PATCH",
            &format!("{DATASETS}/{own}"),
            &json!({"tags": label("mine")}),
        )
        .is(200);
    let before = shown(&server, &third);
    for (table, whose) in [("mine", &own), ("MINE", &own), ("a_b", &plain)] {
        let says = format!("the table of dataset {whose}");
        let tags = label(table);
        let json_patch =
            json!([{"op": "add", "path": "/tags/adobe~1pqs~1table", "value": [table]}]);
        server
            .send("PATCH", &path, &json!({"tags": tags}))
            .refuses(409, &says);
        server.send("PATCH", &path, &json_patch).refuses(409, &says);
        server
            .send("PUT", &path, &json!({"name": "third", "tags": tags}))
            .refuses(409, &says);
        let mut new = union_dataset("new");
        new["tags"] = tags;
        server.post(DATASETS, &new).refuses(409, &says);
    }
    assert_eq!(shown(&server, &third), before);
    // What is sent back as it was shown is no change of the table.
    server
        .send(
            "PUT",
            &path,
            &json!({"name": "third", "tags": before["tags"]}),
        )
        .is(200);
    server
        .send("PATCH", &path, &json!({"tags": label("third")}))
        .is(200);
}

#[test]
fn the_newest_batch_of_each_dataset_is_listed() {
    let server = Serving::empty();
    let schema = json!({"id": "https://ns.adobe.com/acme/schemas/people"});
    let datasets =
        ["one", "two"].map(|name| made(&server, &json!({"name": name, "schemaRef": schema})));
    made(&server, &union_dataset("without"));
    let mut newest = Vec::new();
    for dataset in [&datasets[0], &datasets[1], &datasets[0]] {
        let batch = begin(&server, dataset, &json!({"format": "json"}));
        upload(&server, dataset, &batch, "a.json", RECORD.as_bytes());
        complete(&server, &batch);
        newest.push(batch);
    }
    newest.remove(0);
    newest.reverse();
    let ids = |query: &str| {
        let found = server.get(&format!("{LAST_BATCHES}?{query}")).is(200);
        found
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(""), newest);
    assert_eq!(ids("orderBy=asc:created"), [&newest[1][..], &newest[0][..]]);
    assert_eq!(ids("limit=1&start=1"), newest[1..]);
    assert_eq!(
        ids(&format!("dataSetId={}&limit=20", datasets[1])),
        newest[1..]
    );
    assert_eq!(ids("lastBatchStatus=success"), newest);
    assert!(ids("lastBatchStatus=failed").is_empty());
    let properties = server
        .get(&format!("{LAST_BATCHES}?properties=status"))
        .is(200);
    assert_eq!(properties[&newest[0]], json!({"status": "success"}));
    server
        .get(&format!("{LAST_BATCHES}?lastBatchStatus=odd"))
        .refuses(400, "lastBatchStatus: found");
    server
        .get(&format!("{LAST_BATCHES}?orderBy=size"))
        .refuses(400, "orderBy");
    // What a batch says besides is nothing.
    let meta = format!("/data/foundation/export/batches/{}/meta", newest[0]);
    assert_eq!(server.get(&meta).is(200)["data"], json!([]));
    server
        .get(&format!("{meta}?path=row_errors"))
        .refuses(404, "row_errors");
    server
        .get("/data/foundation/export/batches/none/meta")
        .refuses(404, "none");
    assert_eq!(server.get(&format!("{BATCHES}/{}", newest[0])).status, 200);
}
