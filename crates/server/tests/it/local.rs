//! What the page asks beside the platform's API.

use serde_json::{Value, json};

use crate::serving::{HEADERS, Serving};

fn request(more: Value) -> Value {
    let mut body =
        json!({"schema": {"name": "_xdm.context.profile"}, "destination": {"datasetId": ""}});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[test]
fn a_plan_counts_what_an_export_would_have_and_writes_nothing() {
    let server = Serving::fixtures();
    let shoppers = json!({"segments": [{"segmentId": "holiday-shoppers"}]});
    let plan = server
        .post(
            "/local/plan",
            &request(json!({"filter": shoppers, "fields": "_id"})),
        )
        .json();
    let profiles = plan["profiles"].as_u64().unwrap();
    assert!(profiles > 0 && plan["events"] == 0, "{plan}");
    assert_eq!(plan["fields"], json!(["_id"]));
    assert_eq!(plan["batches"].as_array().unwrap().len(), 1);
    let everybody = server.post("/local/plan", &request(json!({}))).json();
    assert!(everybody["profiles"].as_u64().unwrap() > profiles);
    let policy = &everybody["mergePolicy"];
    assert!(
        policy["why"].as_str().unwrap().starts_with("the default"),
        "{policy}"
    );
    let unknown = json!({"segments": [{"segmentId": "nobody"}]});
    let unknown = server
        .post("/local/plan", &request(json!({"filter": unknown})))
        .json();
    assert_eq!(
        (&unknown["profiles"], &unknown["unknownSegments"]),
        (&json!(0), &json!(["nobody"]))
    );
    let preview = server
        .post("/local/preview?limit=3", &request(json!({"fields": "_id"})))
        .json();
    assert_eq!(preview["rows"].as_array().unwrap().len(), 3);
    server
        .post(
            "/local/plan",
            &request(json!({"fields": "nothing.like.it"})),
        )
        .refuses(400, "fields");
    // A page shows no more.
    let most = server
        .post(
            "/local/preview?limit=1000",
            &request(json!({"fields": "_id"})),
        )
        .json();
    assert_eq!(most["rows"].as_array().unwrap().len(), 100);
    let refused = server.post(
        "/local/plan",
        &request(json!({"fields": "nothing.like.it"})),
    );
    assert_eq!(refused.json()["code"], "PE-0001");
    let jobs = server.get("/data/core/ups/export/jobs").json();
    assert_eq!(jobs["records"], json!([]));
}

#[test]
fn a_person_is_explained_to_those_who_may_see_them() {
    let server = Serving::fixtures();
    let path = "/local/explain?identity=email:person105@example.com";
    let found = server.post(path, &request(json!({}))).json();
    assert_eq!(found["explanation"]["isExported"], true);
    assert_eq!(
        found["explanation"]["identities"],
        json!(["Email:person105@example.com"])
    );
    server
        .post("/local/explain?identity=nobody", &request(json!({})))
        .refuses(400, "identity");
    server
        .post("/local/explain?identity=Email:nobody", &request(json!({})))
        .refuses(404, "Email:nobody");
    // Another organisation has nobody, and nothing to count.
    let mut others = HEADERS;
    others.iter_mut().for_each(|(name, value)| {
        if *name == "x-gw-ims-org-id" {
            *value = "another";
        }
    });
    let body = request(json!({})).to_string();
    let mut with_type = others.to_vec();
    with_type.push(("content-type", "application/json"));
    assert_eq!(
        server.ask("POST", path, &with_type, body.as_bytes()).status,
        404
    );
    let audiences = server.ask("GET", "/local/audiences", &others, b"").json();
    assert_eq!(audiences["audiences"], json!([]));
    let mine = server.get("/local/audiences").json();
    assert!(mine["audiences"].as_array().unwrap().len() > 2, "{mine}");
    // Counted once, and told with the names of now.
    let id = mine["audiences"][0]["id"].clone();
    let named = json!({"id": "a-new-one", "name": "anew", "expression": {}});
    server
        .post("/data/core/ups/segment/definitions", &named)
        .is(200);
    let again = server.get("/local/audiences").json();
    assert_eq!(again["audiences"][0]["id"], id);
    // A definition that no record names stands behind them: nobody has looked for its members.
    let of = |audiences: &Value, id: &str| {
        let mut all = audiences["audiences"].as_array().unwrap().iter();
        all.find(|one| one["id"] == id).unwrap().clone()
    };
    assert_eq!(
        of(&again, "a-new-one"),
        json!({"namespace": "ups", "id": "a-new-one", "name": "anew", "realized": 0, "existing": 0, "exited": 0,
               "isEvaluated": false})
    );
    let nobody = json!({"id": "nobody", "name": "nobody", "expression": {"type": "PQL", "format": "pql/text", "value": "1 = 2"}});
    server
        .post("/data/core/ups/segment/definitions", &nobody)
        .is(200);
    let job = server.post(
        "/data/core/ups/segment/jobs",
        &json!([{"segmentId": "nobody"}]),
    );
    let path = format!(
        "/data/core/ups/segment/jobs/{}",
        job.json()["id"].as_str().unwrap()
    );
    while server.get(&path).json()["status"] != "SUCCEEDED" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let again = server.get("/local/audiences").json();
    assert_eq!(of(&again, "nobody")["isEvaluated"], true);
    assert_eq!(server.ask("GET", "/local/audiences", &[], b"").status, 401);
    let scopes = server.ask("GET", "/local/scopes", &[], b"").json();
    assert_eq!(scopes["scopes"].as_array().unwrap().len(), 1, "{scopes}");
    let schema = server.get("/local/schema").json();
    let names = schema["profile"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| &field["name"]);
    assert!(names.clone().any(|name| name == "personalEmail"));
}
