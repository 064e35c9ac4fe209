//! Expressions whose people are counted and shown before there is a definition.

use profile_export_server::Settings;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ingestion::{begin, complete, dataset, upload};
use crate::serving::{Answer, ESTIMATE, HEADERS, PREVIEW, SEGMENTS, Serving, load_fixtures};

/// Ann and Bo live in Nice, Cleo in Leeds; Bo is known by a number, too.
const PEOPLE: &str = r#"
{"_id": "1", "identityMap": {"Email": [{"id": "ann@x.org", "primary": true}]}, "homeAddress": {"city": "Nice"}}
{"_id": "2", "identityMap": {"Email": [{"id": "bo@x.org", "primary": true}], "CRMID": [{"id": "C/2"}]}, "homeAddress": {"city": "Nice"}}
{"_id": "3", "identityMap": {"Email": [{"id": "cleo@x.org", "primary": true}]}, "homeAddress": {"city": "Leeds"}}
"#;

fn three_people() -> Serving {
    let server = Serving::empty();
    let dataset = dataset(&server);
    let batch = begin(&server, &dataset, &json!({"format": "json"}));
    upload(
        &server,
        &dataset,
        &batch,
        "people.json",
        PEOPLE.trim().as_bytes(),
    );
    assert_eq!(complete(&server, &batch)["metrics"]["recordsWritten"], 3);
    server
}

fn body(expression: &str) -> Value {
    json!({
        "predicateExpression": expression,
        "predicateType": "pql/text",
        "predicateModel": "_xdm.context.profile",
    })
}

fn with(expression: &str, name: &str, value: Value) -> Value {
    let mut body = body(expression);
    body[name] = value;
    body
}

/// The estimate of a new preview when it is at its end, and the preview's ID.
fn estimated(server: &Serving, body: &Value) -> (Value, String) {
    let made = server.post(PREVIEW, body).is(201);
    let id = made["previewId"].as_str().unwrap().to_owned();
    let done = server.until(|| {
        let estimate = server.get(&format!("{ESTIMATE}/{id}")).is(200);
        let state = estimate["state"].as_str().unwrap();
        ["RESULT_READY", "FAILED"]
            .contains(&state)
            .then_some(estimate)
    });
    (done, id)
}

/// The size of an estimate, and of how many.
fn counts(server: &Serving, body: &Value) -> (u64, u64) {
    let (estimate, _) = estimated(server, body);
    assert_eq!(estimate["state"], "RESULT_READY", "{estimate}");
    let number = |name: &str| estimate[name].as_u64().unwrap();
    (number("estimatedSize"), number("totalRows"))
}

fn named(page: &Value) -> Vec<&str> {
    let results = page["results"].as_array().unwrap().iter();
    results
        .map(|one| one.as_object().unwrap().keys().next().unwrap().as_str())
        .collect()
}

#[test]
fn a_preview_has_the_people_and_its_estimate_their_number() {
    let server = three_people();
    let answer = server.post(PREVIEW, &body(r#"homeAddress.city = "Nice""#));
    let made = answer.is(201);
    let id = made["previewId"].as_str().unwrap();
    assert_eq!(answer.header("x-location"), format!("{PREVIEW}/{id}"));
    assert_eq!(made["state"], "NEW");
    assert_eq!(made["previewQueryStatus"], "NEW");
    assert_eq!(made["previewExecutionId"], 0);
    assert_eq!(made["previewQueryId"].as_str().unwrap().len(), 36);

    let (mut estimate, id) = estimated(&server, &body(r#"homeAddress.city = "Nice""#));
    assert!(estimate["now"].is_string());
    estimate.as_object_mut().unwrap().remove("now");
    let namespaces = server.get("/data/core/idnamespace/identities").is(200);
    let mut namespaces = namespaces.as_array().unwrap().iter();
    let crmid = namespaces.find(|one| one["code"] == "CRMID").unwrap()["id"].clone();
    assert_eq!(
        estimate,
        json!({
            "state": "RESULT_READY",
            "estimatedSize": 2,
            "profilesMatchedSoFar": 2,
            "numRowsToRead": 3,
            "totalRows": 3,
            "profilesReadSoFar": 3,
            "estimatedNamespaceDistribution": [
                {"namespaceId": crmid.to_string(), "profilesMatchedSoFar": 1},
                {"namespaceId": "6", "profilesMatchedSoFar": 2},
            ],
            "standardError": 0,
            "confidenceInterval": "95%",
            "mergePolicy": {"id": "timestampOrdered-none-mp", "version": 1},
            "_links": {"preview": format!("{PREVIEW}/{id}")},
        })
    );

    let mut page = server.get(&format!("{PREVIEW}/{id}")).is(200);
    let results = page["results"].as_array_mut().unwrap();
    results.sort_by_key(ToString::to_string);
    let href = "/data/core/ups/access/entities?schema.name=_xdm.context.profile&entityId=";
    let [ann, bo, number] = [
        ("ann%40x.org", "Email"),
        ("bo%40x.org", "Email"),
        ("C%2F2", "CRMID"),
    ]
    .map(|(id, namespace)| format!("{href}{id}&entityIdNS={namespace}"));
    assert_eq!(
        page,
        json!({
            "results": [
                {"Email:ann@x.org": {"_href": ann, "endCustomerIds": {"Email:ann@x.org": {"_href": ann}}}},
                {"Email:bo@x.org": {"_href": bo, "endCustomerIds": {
                    "CRMID:C/2": {"_href": number}, "Email:bo@x.org": {"_href": bo},
                }}},
            ],
            "state": "RESULT_READY",
            "page": {"offset": 0, "size": 2},
            "links": {"_self": format!("{PREVIEW}/{id}?offset=0&limit=1000"), "next": "", "prev": ""},
        })
    );

    // Nobody, of nobody.
    let nobody = Serving::empty();
    assert_eq!(counts(&nobody, &body("1 = 1")), (0, 0));
}

#[test]
fn pages_of_people_follow_one_another() {
    let server = Serving::fixtures();
    // Those who live in France, counted by hand from the records.
    let french = body(r#"homeAddress.countryCode = "FR""#);
    let (estimate, id) = estimated(&server, &french);
    assert_eq!(estimate["estimatedSize"], 52);
    let all = server.get(&format!("{PREVIEW}/{id}")).is(200);
    assert_eq!(all["page"], json!({"offset": 0, "size": 52}));
    let all = named(&all);
    for known in ["person000", "person020", "person028"] {
        let known = format!("Email:{known}@example.com");
        assert!(all.contains(&known.as_str()), "{all:?}");
    }
    let mut pages = vec![server.get(&format!("{PREVIEW}/{id}?limit=20")).is(200)];
    while let Some(next) = pages.last().and_then(|page| page["links"]["next"].as_str())
        && !next.is_empty()
    {
        let page = server.get(next).is(200);
        assert_eq!(page["links"]["_self"], next);
        pages.push(page);
    }
    let sizes: Vec<&Value> = pages.iter().map(|page| &page["page"]["size"]).collect();
    assert_eq!(sizes, [20, 20, 12]);
    let paged: Vec<&str> = pages.iter().flat_map(named).collect();
    assert_eq!(paged, all);
    let previous = pages[2]["links"]["prev"].as_str().unwrap();
    assert_eq!(server.get(previous).is(200)["results"], pages[1]["results"]);

    for beyond in [52, 10_000, i32::MAX] {
        let page = server
            .get(&format!("{PREVIEW}/{id}?offset={beyond}"))
            .is(200);
        assert_eq!(
            (&page["results"], &page["links"]["next"]),
            (&json!([]), &json!(""))
        );
    }
    for (query, name) in [
        ("limit=0", "limit"),
        ("offset=-1", "offset"),
        ("page=1", "page"),
    ] {
        server
            .get(&format!("{PREVIEW}/{id}?{query}"))
            .refuses(400, name);
    }
}

#[test]
fn the_graph_or_the_policy_say_who_is_one_person() {
    let server = Serving::fixtures();
    // Counted by hand from the records: primary identities, and those that identity maps join.
    assert_eq!(counts(&server, &body("xEvent")), (307, 403));
    for (name, value, counted) in [
        ("graphType", json!("none"), (307, 403)),
        ("graphType", json!("simple"), (307, 403)),
        ("graphType", json!("pdg"), (268, 328)),
        ("mergeStrategy", json!("simple"), (307, 403)),
        ("mergePolicyId", json!("latest-pdg"), (268, 328)),
    ] {
        let asked = with("xEvent", name, value);
        assert_eq!(counts(&server, &asked), counted, "{asked}");
    }
    let both = |graph: &str| {
        let mut asked = with("xEvent", "mergePolicyId", json!("latest-pdg"));
        asked["graphType"] = json!(graph);
        asked
    };
    assert_eq!(counts(&server, &both("pdg")), (268, 328));
    server
        .post(PREVIEW, &both("none"))
        .refuses(400, "graphType: the merge policy \"latest-pdg\"");
}

#[test]
fn an_expression_may_be_json() {
    let server = three_people();
    let text = json!({"name": "x", "expression": {"type": "PQL", "value": r#"homeAddress.city = "Leeds""#}});
    let converted = server
        .post("/data/core/ups/segment/conversion", &text)
        .is(200);
    let node = converted["expression"]["value"].as_str().unwrap();
    let nodes: Value = serde_json::from_str(node).unwrap();
    for expression in [json!(node), nodes.clone()] {
        let mut asked = with("", "predicateExpression", expression);
        asked["predicateType"] = json!("pql/json");
        assert_eq!(counts(&server, &asked), (1, 3));
    }
    // The least that may be said.
    assert_eq!(
        counts(&server, &json!({"predicateExpression": "true"})),
        (3, 3)
    );
    server
        .post(PREVIEW, &json!({"predicateExpression": nodes}))
        .refuses(400, "pql/json");
}

#[test]
fn what_is_no_preview_is_refused_with_its_place() {
    let server = three_people();
    for (asked, says) in [
        (
            body("homeAddress.city ="),
            "predicateExpression: line 1, column 19",
        ),
        (body("true\nand homeAddres.city"), "line 2, column 5"),
        (body("homeAddres.city"), "did you mean \"homeAddress\"?"),
        (body(r#"inSegment("nobody")"#), "no segment \"nobody\""),
        (json!({"predicateType": "pql/text"}), "predicateExpression"),
        (
            with("true", "predicateExpression", json!(7)),
            "found no string",
        ),
        (with("true", "predicateType", json!("sql")), "predicateType"),
        (
            with(
                "true",
                "predicateModel",
                json!("_xdm.context.experienceevent"),
            ),
            "predicateModel: found \"_xdm.context.experienceevent\"",
        ),
        (with("true", "graphType", json!("private")), "graphType"),
        (
            with("true", "mergeStrategy", json!("best")),
            "mergeStrategy",
        ),
        (with("true", "mergePolicyId", json!("none")), "none"),
        (
            with("true", "grahpType", json!("pdg")),
            "did you mean \"graphType\"?",
        ),
    ] {
        server.post(PREVIEW, &asked).refuses(400, says);
    }
    server.post(PREVIEW, &json!([])).refuses(400, "");
    server.ask("POST", PREVIEW, &HEADERS, b"{").refuses(400, "");
}

#[test]
fn a_preview_is_there_for_its_sandbox_until_it_is_deleted() {
    let server = three_people();
    let (_, id) = estimated(&server, &body("true"));
    let addresses = [format!("{PREVIEW}/{id}"), format!("{ESTIMATE}/{id}")];
    for (header, value) in [("x-gw-ims-org-id", "another"), ("x-sandbox-name", "dev")] {
        let mut others = HEADERS;
        for (name, own) in &mut others {
            if *name == header {
                *own = value;
            }
        }
        let refuses = |answer: Answer| answer.refuses(404, "no preview");
        for address in &addresses {
            refuses(server.ask("GET", address, &others, b""));
        }
        refuses(server.ask("DELETE", &addresses[0], &others, b""));
    }
    for unknown in ["none", "MDphOmI6MA", "%25", &id[1..]] {
        server
            .get(&format!("{PREVIEW}/{unknown}"))
            .refuses(404, "no preview");
        server
            .get(&format!("{ESTIMATE}/{unknown}"))
            .refuses(404, "no preview");
    }
    assert_eq!(named(&server.get(&addresses[0]).is(200)).len(), 3);

    let gone = server.delete(&addresses[0]).is(200);
    assert_eq!(gone["status"], true);
    assert!(gone["message"].as_str().unwrap().contains(&id));
    server.delete(&addresses[0]).refuses(404, &id);
    for address in &addresses {
        server.get(address).refuses(404, "POST it again");
    }
}

#[test]
fn a_restart_forgets_previews() {
    let home = TempDir::new().unwrap();
    load_fixtures(home.path());
    let unchanged = |_: &mut Settings| {};
    let server = Serving::on(home.path(), unchanged);
    let (_, id) = estimated(&server, &body("true"));
    drop(server);
    let server = Serving::on(home.path(), unchanged);
    server
        .get(&format!("{PREVIEW}/{id}"))
        .refuses(404, "until the server ends");
}

#[test]
fn a_preview_that_fails_says_why() {
    let server = three_people();
    // Whether the fields are there is looked at when it is evaluated.
    let broken = json!({"id": "broken", "expression": {"type": "PQL", "value": "nothing.like.it"}});
    server.post(SEGMENTS, &broken).is(200);
    let (estimate, id) = estimated(&server, &body(r#"inSegment("broken") or true"#));
    assert_eq!(estimate["state"], "FAILED", "{estimate}");
    assert_eq!(estimate.get("estimatedSize"), None);
    let page = server.get(&format!("{PREVIEW}/{id}")).is(200);
    assert_eq!(
        (&page["state"], &page["results"]),
        (&json!("FAILED"), &json!([]))
    );
    for answer in [&estimate, &page] {
        let why = answer["error"]["description"].as_str().unwrap();
        assert!(why.contains("broken") && why.contains("nothing"), "{why}");
        assert!(answer["error"]["traceback"].is_string());
    }
    // The next one is none the worse.
    assert_eq!(counts(&server, &body("true")), (3, 3));
}

#[test]
fn many_previews_are_all_worked_out() {
    let server = three_people();
    let ids: Vec<String> = (0..30)
        .map(|_| {
            let made = server.post(PREVIEW, &body("homeAddress")).is(201);
            made["previewId"].as_str().unwrap().to_owned()
        })
        .collect();
    for id in ids {
        server.until(|| {
            let estimate = server.get(&format!("{ESTIMATE}/{id}")).is(200);
            (estimate["estimatedSize"] == 3).then_some(())
        });
    }
}
