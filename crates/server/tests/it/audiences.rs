//! Definitions of segments as lists and as audiences.

use serde_json::{Value, json};

use crate::serving::{AUDIENCES, Answer, HEADERS, SEGMENTS, Serving};

fn definition(id: &str, name: &str, expression: &str) -> Value {
    json!({
        "id": id, "name": name, "schema": {"name": "_xdm.context.profile"},
        "expression": {"type": "PQL", "format": "pql/text", "value": expression},
    })
}

fn ids(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap().iter();
    list.map(|one| one["id"].as_str().unwrap()).collect()
}

/// Without when it was created and changed, and where, as the server says.
fn own(mut object: Value) -> Value {
    for name in [
        "creationTime",
        "updateTime",
        "updateEpoch",
        "imsOrgId",
        "sandbox",
    ] {
        assert!(
            object.as_object_mut().unwrap().remove(name).is_some(),
            "{name}"
        );
    }
    object
}

#[test]
fn the_server_says_when_and_where_a_definition_was_made() {
    let server = Serving::empty();
    let mut body = definition("an id/é", "Mine", "true");
    body["creationTime"] = json!(0);
    body["imsOrgId"] = json!("another");
    let answer = server.post(SEGMENTS, &body);
    let path = answer.header("x-location").to_owned();
    assert_eq!(path, format!("{SEGMENTS}/an%20id%2F%C3%A9"));
    let made = answer.is(200);
    let created = made["creationTime"].as_i64().unwrap();
    assert!(created > 1_700_000_000_000);
    assert_eq!(made["updateTime"], created);
    assert_eq!(made["updateEpoch"], created / 1000);
    assert_eq!(made["imsOrgId"], "acme");
    assert_eq!(made["sandbox"]["sandboxName"], "prod");
    assert_eq!(server.get(&path).is(200), made);

    std::thread::sleep(std::time::Duration::from_millis(2));
    let answer = server.send("PATCH", &path, &body);
    assert_eq!(answer.header("x-location"), path);
    let changed = answer.is(200);
    assert_eq!(changed["creationTime"], created);
    assert!(changed["updateTime"].as_i64().unwrap() > created);
    let patch = json!([{"op": "add", "path": "/creationTime", "value": 1}]);
    let audience = path.replace(SEGMENTS, AUDIENCES);
    server
        .send("PATCH", &audience, &patch)
        .refuses(400, "creationTime");

    // When one was created that the command line brought, nobody knows.
    server.keep(&definition("brought", "Brought", "true"));
    let path = format!("{SEGMENTS}/brought");
    let changed = server
        .send("PATCH", &path, &definition("brought", "Brought", "false"))
        .is(200);
    assert_eq!(changed.get("creationTime"), None);
    assert!(changed["updateTime"].is_i64());
}

#[test]
fn definitions_come_in_pages_of_a_hundred() {
    let server = Serving::empty();
    let empty = server.get(SEGMENTS).is(200);
    assert_eq!(
        empty["page"],
        json!({"totalCount": 0, "totalPages": 0, "pageOffset": 0, "pageSize": 0, "limit": 100,
               "sortField": "creationTime", "sort": "desc"})
    );
    for number in 0..201 {
        let mut body = json!({"id": format!("s{number:03}")});
        if number < 2 {
            body["creationTime"] = json!(1000 + number);
        }
        server.keep(&body);
    }
    let first = server.get(SEGMENTS).is(200);
    assert_eq!(
        first["page"],
        json!({"totalCount": 201, "totalPages": 3, "pageOffset": 0, "pageSize": 100, "limit": 100,
               "sortField": "creationTime", "sort": "desc"})
    );
    // The newest first, then those that do not say when they were made.
    assert_eq!(ids(&first["segments"])[..3], ["s001", "s000", "s002"]);
    let size = |page: u32| {
        let page = server
            .get(&format!("{SEGMENTS}?page={page}&limit=100"))
            .is(200);
        page["segments"].as_array().unwrap().len()
    };
    assert_eq!([0, 1, 2, 3, 7].map(size), [100, 100, 1, 0, 0]);
    let by_id = server
        .get(&format!("{SEGMENTS}?sort=id:asc&limit=2&page=1"))
        .is(200);
    assert_eq!(ids(&by_id["segments"]), ["s002", "s003"]);
    assert_eq!(by_id["page"]["sortField"], "id");
    assert_eq!(by_id["page"]["sort"], "asc");
    let all = server.get(&format!("{SEGMENTS}?limit=100000")).is(200);
    assert_eq!(all["page"]["pageSize"], 201);
}

#[test]
fn definitions_are_listed_by_how_they_are_evaluated() {
    let server = Serving::empty();
    for (id, info) in [
        ("nothing", json!(null)),
        (
            "batch",
            json!({"batch": {"enabled": true}, "continuous": {"enabled": false}}),
        ),
        (
            "stream",
            json!({"batch": {"enabled": false}, "continuous": {"enabled": true}}),
        ),
        ("edge", json!({"synchronous": {"enabled": true}})),
    ] {
        let mut body = json!({"id": id});
        if !info.is_null() {
            body["evaluationInfo"] = info;
        }
        server.post(SEGMENTS, &body).is(200);
    }
    for (query, right) in [
        ("batch.enabled=true", &["batch", "nothing"][..]),
        ("batch.enabled=false", &["edge", "stream"]),
        ("continuous.enabled=True", &["stream"]),
        ("synchronous.enabled=true", &["edge"]),
        ("synchronous.enabled=False", &["batch", "nothing", "stream"]),
    ] {
        let page = server
            .get(&format!("{SEGMENTS}?sort=id&evaluationInfo.{query}"))
            .is(200);
        assert_eq!(ids(&page["segments"]), right, "{query}");
    }
    server
        .get(&format!("{SEGMENTS}?evaluationInfo.batch.enabled=maybe"))
        .refuses(400, "evaluationInfo.batch.enabled");
}

#[test]
fn a_name_belongs_to_one_definition() {
    let server = Serving::empty();
    server
        .post(SEGMENTS, &definition("a", "Gold", "true"))
        .is(200);
    server
        .post(SEGMENTS, &definition("b", "Silver", "true"))
        .is(200);
    let taken = |answer: Answer| {
        answer.refuses(422, "name: the segment definition \"a\"");
    };
    taken(server.post(SEGMENTS, &definition("c", "Gold", "true")));
    taken(server.post(SEGMENTS, &json!({"name": "Gold"})));
    let b = format!("{SEGMENTS}/b");
    taken(server.send("PATCH", &b, &definition("b", "Gold", "true")));
    taken(server.post(AUDIENCES, &json!({"name": "Gold"})));
    taken(server.send(
        "PUT",
        &format!("{AUDIENCES}/b"),
        &definition("b", "Gold", "true"),
    ));
    let rename = json!([{"op": "replace", "path": "/name", "value": "Gold"}]);
    taken(server.send("PATCH", &format!("{AUDIENCES}/b"), &rename));
    // Its own it keeps, another one is free, and so is one that is given up.
    server
        .send("PATCH", &b, &definition("b", "Silver", "false"))
        .is(200);
    server
        .send("PATCH", &b, &definition("b", "silver", "true"))
        .is(200);
    server.delete(&format!("{SEGMENTS}/a")).is(200);
    server
        .post(SEGMENTS, &definition("c", "Gold", "true"))
        .is(200);
    // None is no name.
    for body in [
        json!({"id": "x"}),
        json!({"id": "y"}),
        json!({"id": "z", "name": ""}),
        json!({"name": ""}),
    ] {
        server.post(SEGMENTS, &body).is(200);
    }
    // Another sandbox has its own.
    let mut others = HEADERS;
    others[3].1 = "dev";
    let body = definition("a", "Gold", "true").to_string();
    server
        .ask("POST", SEGMENTS, &others, body.as_bytes())
        .is(200);
}

#[test]
fn an_audience_is_a_definition_with_another_face() {
    let server = Serving::empty();
    server
        .post(SEGMENTS, &definition("base", "Base", "true"))
        .is(200);
    let mut body = definition("mine", "Mine", r#"inSegment("base")"#);
    body["type"] = json!("SegmentDefinition");
    body["labels"] = json!(["core/C1"]);
    let made = server.post(AUDIENCES, &body).is(201);
    let mut right = definition("mine", "Mine", r#"inSegment("base")"#);
    right["labels"] = json!(["core/C1"]);
    // What is kept is the definition alone.
    assert_eq!(own(server.get(&format!("{SEGMENTS}/mine")).is(200)), right);
    for (name, value) in [
        ("audienceId", json!("mine")),
        ("type", json!("SegmentDefinition")),
        ("originName", json!("REAL_TIME_CUSTOMER_PROFILE")),
        ("namespace", json!("AEPSegments")),
        ("lifecycleState", json!("published")),
        ("dependencies", json!(["base"])),
        ("dependents", json!([])),
    ] {
        right[name] = value;
    }
    let one = format!("{AUDIENCES}/mine");
    assert_eq!(server.get(&one).is(200), made);
    assert_eq!(own(made.clone()), right);
    let base = server.get(&format!("{AUDIENCES}/base")).is(200);
    assert_eq!(
        (&base["dependencies"], &base["dependents"]),
        (&json!([]), &json!(["mine"]))
    );

    // An answer may be sent back.
    let put = server.send("PUT", &one, &made).is(201);
    assert_eq!(put["creationTime"], made["creationTime"]);
    assert_eq!(own(put), right);
    let changes = json!([
        {"op": "replace", "path": "/expression/value", "value": "false"},
        {"op": "add", "path": "/labels/-", "value": "core/C2"},
        {"op": "add", "path": "/description", "value": "Nobody"},
    ]);
    let patched = server.send("PATCH", &one, &changes).is(201);
    assert_eq!(patched["expression"]["value"], "false");
    assert_eq!(patched["labels"], json!(["core/C1", "core/C2"]));
    assert_eq!(patched["dependencies"], json!([]));
    let kept = server.get(&format!("{SEGMENTS}/mine")).is(200);
    assert_eq!(
        (&kept["description"], kept.get("lifecycleState")),
        (&json!("Nobody"), None)
    );
    let draft = json!([{"op": "replace", "path": "/lifecycleState", "value": "draft"}]);
    assert_eq!(
        server.send("PATCH", &one, &draft).is(201)["lifecycleState"],
        "draft"
    );

    let replaced = server.send("PUT", &one, &json!({"name": "Other"})).is(201);
    assert_eq!(
        (&replaced["id"], replaced.get("labels")),
        (&json!("mine"), None)
    );
    let answer = server.delete(&one);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    for gone in [
        server.get(&one),
        server.delete(&one),
        server.send("PUT", &one, &json!({})),
    ] {
        gone.refuses(404, "mine");
    }
    // An ID may be told by its other name, or given out.
    assert_eq!(
        server
            .post(AUDIENCES, &json!({"audienceId": "told"}))
            .is(201)["id"],
        "told"
    );
    let given = server.post(AUDIENCES, &json!({})).is(201);
    assert_eq!(given["id"], given["audienceId"]);
}

#[test]
fn what_is_no_audience_is_refused_by_name() {
    let server = Serving::empty();
    server.post(SEGMENTS, &definition("a", "A", "true")).is(200);
    server
        .post(SEGMENTS, &definition("b", "B", r#"inSegment("a")"#))
        .is(200);
    for (body, says) in [
        (
            json!({"type": "ExternalSegment"}),
            "type: found \"ExternalSegment\"",
        ),
        (json!({"originName": "CUSTOM_UPLOAD"}), "originName"),
        (json!({"namespace": "CustomerAudienceUpload"}), "namespace"),
        (json!({"lifecycleState": "inactive"}), "lifecycleState"),
        (json!({"lifecycleState": 1}), "lifecycleState"),
        (json!({"id": "x", "audienceId": "y"}), "audienceId"),
        (json!({"audienceId": 7}), "id"),
        (json!({"name": 7}), "name"),
        (
            json!({"expression": {"type": "PQL", "value": "("}}),
            "line 1, column",
        ),
        (
            definition("c", "C", r#"inSegment("nobody")"#),
            r#"asks for inSegment("nobody"), which is not there"#,
        ),
        (definition("c", "C", r#"inSegment("c")"#), "in a circle"),
        (json!([]), "object"),
    ] {
        server.post(AUDIENCES, &body).refuses(400, says);
    }
    server
        .post(AUDIENCES, &json!({"id": "a"}))
        .refuses(409, "\"a\"");
    let one = format!("{AUDIENCES}/a");
    server.delete(&one).refuses(409, "\"b\"");
    server
        .send("PUT", &one, &json!({"id": "c"}))
        .refuses(400, "id");
    for (change, says) in [
        (
            json!({"op": "replace", "path": "/audienceId", "value": "c"}),
            "[1].path: audienceId",
        ),
        (
            json!({"op": "add", "path": "/dependents/-", "value": "c"}),
            "[1].path: dependents",
        ),
        (
            json!({"op": "replace", "path": "/none", "value": 1}),
            "[1].path: found \"/none\"",
        ),
        (json!({"op": "copy", "path": "/name", "value": 1}), "[1].op"),
        (json!({"op": "add", "path": "/name"}), "[1].value"),
        (json!({"op": "add", "path": "/name", "value": 1}), "name"),
        (
            json!({"op": "add", "path": "/expression/value", "value": "("}),
            "line 1",
        ),
        (
            json!({"op": "add", "path": "/name", "value": 1, "from": "x"}),
            "from",
        ),
    ] {
        let changes = json!([{"op": "add", "path": "/description", "value": "never"}, change]);
        server.send("PATCH", &one, &changes).refuses(400, says);
    }
    server
        .send("PATCH", &one, &json!({"name": "C"}))
        .refuses(400, "");
    // All of a patch, or none.
    assert_eq!(server.get(&one).is(200).get("description"), None);
    server
        .send("PATCH", &format!("{AUDIENCES}/c"), &json!([]))
        .refuses(404, "c");
}

#[test]
fn audiences_are_listed_filtered_and_paged() {
    let server = Serving::empty();
    for (id, name, description) in [
        ("a", "Gold members", "Many orders"),
        ("b", "Silver MEMBERS", "Some orders"),
        ("c", "Visitors", "No order"),
        ("d", "Éclair lovers", "Sweet"),
        ("e", "Others", ""),
    ] {
        let mut body = definition(
            id,
            name,
            if id == "e" {
                r#"inSegment("a")"#
            } else {
                "true"
            },
        );
        body["description"] = json!(description);
        body["updateTime"] = json!(100 - i32::from(id.as_bytes()[0]));
        server.keep(&body);
    }
    let list = |query: &str| server.get(&format!("{AUDIENCES}?{query}")).is(200);
    for (query, right) in [
        ("sort=id", &["a", "b", "c", "d", "e"][..]),
        (
            "sort=updateTime:asc&entityType=_xdm.context.profile",
            &["e", "d", "c", "b", "a"],
        ),
        ("name=members&sort=id", &["a", "b"]),
        ("name=%C3%A9CLAIR", &["d"]),
        ("description=ORDERS&name=gold", &["a"]),
        ("property=audienceId%3D%3Dc", &["c"]),
        ("property=expression.value%3D%3DinSegment(%22a%22)", &["e"]),
        ("property=updateTime%3D%3D3", &["a"]),
        ("property=dependents.0%3D%3De", &["a"]),
        ("property=nothing%3D%3D3", &[]),
        ("start=5", &[]),
    ] {
        assert_eq!(ids(&list(query)["children"]), right, "{query}");
    }
    let first = list("limit=2&sort=id:desc&name=%20");
    assert_eq!(
        first["_page"],
        json!({"totalCount": 5, "totalPages": 3, "pageSize": 2, "limit": 2, "start": 0,
               "sortField": "id", "sort": "desc", "next": 2})
    );
    assert_eq!(ids(&first["children"]), ["e", "d"]);
    let href = first["_links"]["next"]["href"].as_str().unwrap();
    assert_eq!(href, "/audiences?start=2&limit=2&sort=id%3Adesc");
    let second = server.get(&format!("/data/core/ups{href}")).is(200);
    assert_eq!(ids(&second["children"]), ["c", "b"]);
    let last = list("limit=2&sort=id:desc&start=4");
    assert_eq!(
        last["_page"],
        json!({"totalCount": 5, "totalPages": 3, "pageSize": 1, "limit": 2, "start": 4,
               "sortField": "id", "sort": "desc"})
    );
    assert_eq!(last["_links"], json!({"next": {}}));
    for (query, says) in [
        ("entityType=_xdm.context.account", "entityType"),
        ("property=name", "property"),
        ("property=name!%3D%3DA", "property"),
        ("sort=name:up", "sort"),
        ("sort=size", "sort"),
        ("limit=0", "limit"),
        ("page=1", "page"),
    ] {
        server
            .get(&format!("{AUDIENCES}?{query}"))
            .refuses(400, says);
    }
}
