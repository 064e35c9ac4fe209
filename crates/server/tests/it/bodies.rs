//! What bodies may be.

use serde_json::{Value, json};

use crate::serving::{DATASETS, HEADERS, IMPORT, JOBS, POLICIES, SEGMENTS, Serving, job_request};

#[test]
fn a_list_is_no_object_at_any_depth() {
    let server = Serving::fixtures();
    let target = server.target();
    let class = "_xdm.context.profile";
    let union = "https://ns.adobe.com/xdm/context/profile__union";
    let nested = |more: Value| job_request(&target, &more);
    for (method, path, body) in [
        ("POST", POLICIES, json!([])),
        ("POST", POLICIES, json!(["a"])),
        (
            "POST",
            POLICIES,
            json!({"name": "a", "identityGraph": ["pdg"]}),
        ),
        (
            "POST",
            POLICIES,
            json!({"name": "a", "attributeMerge": ["timestampOrdered"]}),
        ),
        ("PUT", &format!("{POLICIES}/latest"), json!(["latest", "a"])),
        (
            "PATCH",
            &format!("{POLICIES}/latest"),
            json!([["replace", "/name", "a"]]),
        ),
        ("POST", &format!("{POLICIES}/bulk-get"), json!([["latest"]])),
        (
            "POST",
            &format!("{POLICIES}/bulk-get"),
            json!({"ids": [["latest"]]}),
        ),
        ("POST", SEGMENTS, json!([])),
        ("POST", SEGMENTS, json!(["a"])),
        ("POST", DATASETS, json!(["T", [union]])),
        ("POST", DATASETS, json!({"name": "T", "schemaRef": [union]})),
        (
            "POST",
            DATASETS,
            json!({"name": "T", "schemaRef": {"id": union}, "fileDescription": [true]}),
        ),
        ("POST", IMPORT, json!([target, ["json"]])),
        (
            "POST",
            IMPORT,
            json!({"datasetId": target, "inputFormat": ["json", false]}),
        ),
        (
            "POST",
            JOBS,
            json!([null, null, null, null, [target, null], [class], null]),
        ),
        ("POST", JOBS, nested(json!({"schema": [class]}))),
        (
            "POST",
            JOBS,
            nested(json!({"filter": [[["a", null, null]]]})),
        ),
        (
            "POST",
            JOBS,
            nested(json!({"filter": {"segments": [["a", null, null]]}})),
        ),
        (
            "POST",
            JOBS,
            nested(json!({"additionalFields": [{"fields": "_id"}]})),
        ),
        ("POST", JOBS, nested(json!({"evaluationInfo": [false]}))),
    ] {
        let answer = server.send(method, path, &body);
        answer.refuses(400, "object");
    }
    assert_eq!(server.get(JOBS).is(200)["records"], json!([]));
    assert_eq!(
        server.get(&format!("{POLICIES}/latest")).is(200)["version"],
        1
    );
}

#[test]
fn a_property_that_comes_twice_is_refused() {
    let server = Serving::empty();
    for (path, body) in [
        (POLICIES, r#"{"name": "a", "name": "b"}"#),
        (
            SEGMENTS,
            r#"{"id": "a", "expression": {"value": "1", "value": "2"}}"#,
        ),
        (
            DATASETS,
            r#"{"name": "T", "schemaRef": {"id": "x"}, "tags": {"a": [], "a": []}}"#,
        ),
    ] {
        let answer = server.ask("POST", path, &HEADERS, body.as_bytes());
        answer.refuses(400, "twice");
    }
}

#[test]
fn an_answer_repeats_what_was_sent_up_to_a_limit() {
    let server = Serving::empty();
    let long = "é".repeat(400_000);
    let target =
        json!({"name": "T", "schemaRef": {"id": "x"}, "fileDescription": {"format": long}});
    let header = "k".repeat(10_000);
    for answer in [
        server.post(DATASETS, &target),
        server.post(JOBS, &job_request(&long, &json!({}))),
        server.post(POLICIES, &json!({&long: 1})),
        server.get(&format!("{JOBS}?status={header}")),
        server.get(&format!("{JOBS}/{header}")),
        server.get(&format!("/{header}")),
    ] {
        assert!((400..500).contains(&answer.status), "{}", answer.status);
        assert!(answer.body.len() < 4000, "{} bytes", answer.body.len());
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("bytes in all"), "{detail}");
    }
}
