//! Merge policies over HTTP.

use profile_export::store::DocumentKind;
use serde_json::{Value, json};

use crate::serving::{POLICIES, Serving};

fn names(page: &Value) -> Vec<&str> {
    let children = page["children"].as_array().unwrap();
    children
        .iter()
        .map(|policy| policy["name"].as_str().unwrap())
        .collect()
}

#[test]
fn lists_have_filters_an_order_and_a_next_page() {
    let server = Serving::fixtures();
    let list = |query: &str| server.get(&format!("{POLICIES}{query}")).is(200);
    let all = list("?limit=100");
    assert_eq!(all["_page"]["totalCount"], 6);
    assert_eq!(all["_links"]["next"]["href"], "");
    let mut sorted = names(&all);
    sorted.sort_unstable();
    assert_eq!(names(&list("?orderBy=name")), sorted);
    sorted.reverse();
    assert_eq!(names(&list("?orderBy=-name")), sorted);

    let mut seen = Vec::new();
    let mut page = list("?limit=4&orderBy=-name");
    loop {
        seen.extend(names(&page).iter().map(|n| (*n).to_owned()));
        let next = page["_links"]["next"]["href"].as_str().unwrap().to_owned();
        if next.is_empty() {
            break;
        }
        // The client puts its own parameters behind the link's.
        page = server
            .get(&format!("/data/core/ups{next}&limit=4&orderBy="))
            .is(200);
    }
    assert_eq!(seen, sorted);

    assert_eq!(list("?identityGraph.type=pdg")["_page"]["totalCount"], 3);
    assert_eq!(
        list("?attributeMerge.type=dataSetPrecedence")["_page"]["totalCount"],
        2
    );
    assert_eq!(
        list("?schema.name=_xdm.context.profile")["_page"]["totalCount"],
        6
    );
    assert_eq!(list("?default=True")["_page"]["totalCount"], 1);
    assert_eq!(list("?isActiveOnEdge=true")["_page"]["totalCount"], 0);
    assert_eq!(list("?version=2")["_page"]["totalCount"], 0);
    server
        .get(&format!("{POLICIES}?default=maybe"))
        .refuses(400, "default");
    server
        .get(&format!("{POLICIES}?orderBy=size"))
        .refuses(400, "orderBy");
}

#[test]
fn every_change_makes_a_version_and_the_old_ones_stay() {
    let server = Serving::fixtures();
    let made = server
        .post(POLICIES, &json!({
            "name": "Mine", "identityGraph": {"type": "none"}, "schema": {"name": "_xdm.context.profile"},
            "attributeMerge": {"type": "timestampOrdered"}, "default": false,
        }))
        .is(200);
    let path = format!("{POLICIES}/{}", made["id"].as_str().unwrap());
    assert_eq!(
        (&made["version"], &made["imsOrgId"]),
        (&json!(1), &json!("acme"))
    );
    assert_eq!(made["sandbox"]["sandboxName"], "prod");
    assert!(made["updateEpoch"].as_i64().unwrap() > 1_700_000_000);

    // A client sends back what it got.
    let mut body = server.get(&path).is(200);
    body["name"] = json!("Renamed");
    let put = server.send("PUT", &path, &body).is(200);
    assert_eq!(
        (&put["version"], &put["name"]),
        (&json!(2), &json!("Renamed"))
    );

    let patch = |changes: Value| server.send("PATCH", &path, &changes);
    let patched =
        patch(json!([{"op": "add", "path": "/identityGraph.type", "value": "pdg"}])).is(200);
    assert_eq!(
        (&patched["version"], &patched["identityGraph"]["type"]),
        (&json!(3), &json!("pdg"))
    );
    let order = json!([
        {"op": "replace", "path": "/attributeMerge.type", "value": "dataSetPrecedence"},
        {"op": "add", "path": "/attributeMerge.order", "value": ["5b020a27e7040801dedba61a"]},
    ]);
    assert_eq!(patch(order).is(200)["version"], 4);
    patch(json!([{"op": "add", "path": "/nme", "value": "x"}])).refuses(400, "[0].path");
    patch(json!([{"op": "move", "path": "/name", "value": "x"}])).refuses(400, "[0].op");
    patch(json!([{"op": "add", "path": "/name", "value": 7}])).refuses(400, "name");
    let cut = json!([{"op": "add", "path": "/identityGraph.type", "value": "xyz"}]);
    patch(cut).refuses(400, "identityGraph");
    assert_eq!(server.get(&path).is(200)["version"], 4);
    assert_eq!(
        server.get(&format!("{path}?version=1")).is(200)["name"],
        "Mine"
    );
    server.get(&format!("{path}?version=9")).refuses(404, "9");

    let target = server.target();
    let old = json!({"mergePolicy": {"id": made["id"], "version": 1}});
    let job = server.finished(server.job(&target, &old));
    assert_eq!(job["mergePolicy"]["version"], 1);

    let deleted = server.delete(&path);
    assert_eq!((deleted.status, deleted.body.len()), (200, 0));
    server.get(&path).refuses(404, made["id"].as_str().unwrap());
    server
        .delete(&path)
        .refuses(404, made["id"].as_str().unwrap());
    server
        .send("PUT", &path, &body)
        .refuses(404, made["id"].as_str().unwrap());
}

#[test]
fn several_are_had_in_one_request() {
    let server = Serving::fixtures();
    let wanted = json!({"ids": [{"id": "latest"}, {"id": "crm-first"}, {"id": "none"}]});
    let got = server
        .post(&format!("{POLICIES}/bulk-get"), &wanted)
        .is(207);
    let mut ids: Vec<&String> = got["results"].as_object().unwrap().keys().collect();
    ids.sort();
    assert_eq!(ids, ["crm-first", "latest"]);
    server
        .post(&format!("{POLICIES}/bulk-get"), &json!({"ids": ["latest"]}))
        .refuses(400, "ids[0]");
}

#[test]
fn bad_policies_are_refused() {
    let server = Serving::fixtures();
    let post = |more: Value| {
        let mut body = json!({"name": "x", "attributeMerge": {"type": "timestampOrdered"},
                              "identityGraph": {"type": "none"}, "schema": {"name": "_xdm.context.profile"}});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        server.post(POLICIES, &body)
    };
    post(json!({"id": "latest"})).refuses(409, "latest");
    post(json!({"isActiveOnEdge": true})).refuses(400, "isActiveOnEdge");
    post(json!({"isActiveOnEdge": "false"})).is(200);
    post(json!({"attributeMerge": {"type": "dataSetPrecedence"}})).refuses(400, "order");
    post(json!({"schema": {"name": "_xdm.context.experienceevent"}})).refuses(400, "schema");
    post(json!({"nmae": "x"})).refuses(400, "nmae");
    server
        .delete(&format!("{POLICIES}/timestampOrdered-none-mp"))
        .refuses(400, "timestampOrdered-none-mp");
}

#[test]
fn a_policy_that_cannot_be_looked_for_is_not_taken_for_none() {
    let server = Serving::empty();
    let store = server.store();
    let broken = json!({"id": "broken", "version": "one"}).into();
    let kind = DocumentKind::MergePolicy;
    store
        .catalog()
        .put_document(kind, "broken", 1, &broken)
        .unwrap();
    let new = json!({"id": "new", "name": "New", "attributeMerge": {"type": "timestampOrdered"}});
    server.post(POLICIES, &new).refuses(500, "log");
    let made = store.catalog().document(kind, "new", None).unwrap();
    assert!(made.is_none());
}
