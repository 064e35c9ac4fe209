//! What queries may say: a filter holds, or is refused by name.

use serde_json::{Value, json};

use crate::ingestion::{RECORD, begin, complete, dataset, upload};
use crate::serving::{
    BATCHES, DATASETS, EXPORT, HEADERS, IMPORT, JOBS, POLICIES, SEGMENTS, Serving, union_dataset,
};

#[test]
fn a_parameter_that_nobody_knows_is_refused_everywhere() {
    let server = Serving::fixtures();
    let (one, other) = ("latest", "5b020a27e7040801dedba61a");
    for path in [
        JOBS,
        &format!("{JOBS}/1"),
        POLICIES,
        &format!("{POLICIES}/{one}"),
        SEGMENTS,
        &format!("{SEGMENTS}/x"),
        DATASETS,
        &format!("{DATASETS}/{other}"),
        BATCHES,
        &format!("{BATCHES}/x"),
        &format!("{EXPORT}/batches/x/files"),
        &format!("{EXPORT}/batches/x/failed"),
        &format!("{EXPORT}/files/x"),
        &format!("{IMPORT}/x"),
    ] {
        for name in ["nobodyKnows", "property"] {
            let says = format!("unknown query parameter {name:?}");
            let query = format!("{path}?{name}=1");
            server.get(&query).refuses(400, &says);
            // Said by nobody, it means nothing.
            let status = server.get(&format!("{path}?{name}=")).status;
            assert_ne!(status, 400, "{path}");
        }
    }
    server
        .get(&format!("{JOBS}/?stauts=NEW"))
        .refuses(400, r#"did you mean "status"?"#);
    server
        .delete(&format!("{JOBS}/1?force=true"))
        .refuses(400, "there are none here");
    server
        .post(&format!("{JOBS}?dryRun=true"), &json!({}))
        .refuses(400, "dryRun");
    let head = server.ask("HEAD", &format!("{EXPORT}/files/x?range=1"), &HEADERS, b"");
    assert_eq!(head.status, 400);
    // Who may not ask is not told what could be asked.
    assert_eq!(
        server
            .ask("GET", &format!("{JOBS}?nobodyKnows=1"), &[], b"")
            .status,
        401
    );
    for path in ["/health", "/metrics", "/", "/openapi.json"] {
        assert_eq!(
            server.ask("GET", &format!("{path}?t=1"), &[], b"").status,
            200
        );
    }
}

#[test]
fn a_parameter_says_one_thing_but_for_the_limit() {
    let server = Serving::fixtures();
    server
        .get(&format!(
            "{POLICIES}?start=0&limit=2&limit=100&orderBy=name&orderBy="
        ))
        .is(200);
    // Without a link that is followed there is one limit.
    for list in [POLICIES, JOBS, BATCHES] {
        server
            .get(&format!("{list}?limit=2&limit=3"))
            .refuses(400, r#"limit: found "2" and "3""#);
        server.get(&format!("{list}?limit=2&limit=2")).is(200);
    }
    server.get(&format!("{JOBS}?status=NEW&status=NEW")).is(200);
    server
        .get(&format!("{JOBS}?status=NEW&status=FAILED"))
        .refuses(400, r#"status: found "NEW" and "FAILED""#);
}

#[test]
fn a_filter_of_the_catalog_that_says_nothing_is_refused() {
    let server = Serving::fixtures();
    let last = "/data/foundation/catalog/lastBatches";
    for (list, names) in [
        (
            BATCHES,
            &[
                "status",
                "batch",
                "dataSet",
                "created",
                "createdAfter",
                "tags",
            ][..],
        ),
        (DATASETS, &["name", "state", "createdBefore", "tags"]),
        (
            last,
            &["dataSetId", "dataSet", "lastBatchStatus", "created"],
        ),
    ] {
        for name in names {
            for query in [format!("{name}="), format!("limit=1&{name}=%20")] {
                server
                    .get(&format!("{list}?{query}"))
                    .refuses(400, &format!("{name}: found \"\""));
            }
        }
        server.get(&format!("{list}?limit=&orderBy=")).is(200);
    }
    server
        .get(&format!("{last}?dataSetId=a&dataSet=b"))
        .refuses(400, "dataSet: found \"b\", and dataSetId is \"a\"");
    server.get(&format!("{last}?dataSetId=a&dataSet=a")).is(200);
}

fn ids(page: &Value) -> Vec<&str> {
    page.as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn batches_are_filtered_and_sorted_as_the_query_says() {
    let server = Serving::empty();
    let dataset = dataset(&server);
    let format = json!({"format": "json"});
    let labels = json!({
        "datasetId": dataset, "inputFormat": format, "tags": {"source": ["crm"], "run": ["17"]},
    });
    let labelled = server.post(IMPORT, &labels).is(201)["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let batch = |bytes: &[u8]| {
        let batch = begin(&server, &dataset, &format);
        upload(&server, &dataset, &batch, "a", bytes);
        assert!(complete(&server, &batch).is_object());
        batch
    };
    let good = batch(RECORD.as_bytes());
    let bad = batch(b"nonsense");
    let last = batch(RECORD.as_bytes());
    let list = |query: &str| server.get(&format!("{BATCHES}?{query}")).is(200);
    let created = |id: &str| {
        list(&format!("batch={id}"))[id]["created"]
            .as_i64()
            .unwrap()
    };
    let ended = list(&format!("batch={bad}"))[&bad]["metrics"]["endTime"]
        .as_i64()
        .unwrap();
    let after = created(&good) + 1;
    for (query, right) in [
        (format!("batch={labelled}"), vec![&labelled]),
        (format!("batch={bad},{good},none"), vec![&bad, &good]),
        (format!("batch=!{bad}&limit=1"), vec![&last]),
        ("status=failed".to_owned(), vec![&bad]),
        ("status=FAILURE".to_owned(), vec![&bad]),
        ("status=active".to_owned(), vec![&last, &good]),
        ("status=failed,loading".to_owned(), vec![&bad, &labelled]),
        ("status=!success,loading".to_owned(), vec![&bad]),
        ("status=stalled".to_owned(), vec![]),
        ("createdAfter=4102444800000".to_owned(), vec![]),
        ("createdBefore=1".to_owned(), vec![]),
        ("createdBefore=2001-01-01T00:00:00Z".to_owned(), vec![]),
        (
            "createdAfter=2001-01-01T00:00:00Z&status=failed".to_owned(),
            vec![&bad],
        ),
        (
            format!("createdBefore={after}&createdAfter=1&status=success"),
            vec![&good],
        ),
        (format!("created={}", created(&bad)), vec![&bad]),
        ("created=1".to_owned(), vec![]),
        ("updated=1".to_owned(), vec![]),
        ("startAfter=1&status=failed".to_owned(), vec![&bad]),
        ("startBefore=1".to_owned(), vec![]),
        (
            format!("endAfter={}&endBefore={}", ended - 1, ended + 1),
            vec![&bad],
        ),
        (format!("dataSet={dataset}&limit=1&start=1"), vec![&bad]),
        ("dataSet=!none&limit=1".to_owned(), vec![&last]),
        (format!("dataSet=!{dataset}"), vec![]),
        ("tags=source:crm,run:1*".to_owned(), vec![&labelled]),
        ("tags=source:*".to_owned(), vec![&labelled]),
        ("tags=source:web".to_owned(), vec![]),
        (
            "orderBy=status,desc:created".to_owned(),
            vec![&bad, &labelled, &last, &good],
        ),
        (
            "orderBy=asc:created".to_owned(),
            vec![&labelled, &good, &bad, &last],
        ),
    ] {
        assert_eq!(ids(&list(&query)), right, "{query}");
    }
    for (query, says) in [
        ("status=failing", "status"),
        ("createdAfter=yesterday", "createdAfter"),
        ("created=1,x", "created"),
        ("orderBy=size", "orderBy"),
        ("tags=source", "tags"),
        ("property=status==failed", "property"),
    ] {
        server.get(&format!("{BATCHES}?{query}")).refuses(400, says);
    }
    let shown = server
        .get(&format!("{BATCHES}/{bad}?properties=status,sandboxId"))
        .is(200);
    assert_eq!(
        shown[&bad],
        json!({"status": "failed", "sandboxId": "prod"})
    );
}

#[test]
fn a_batch_has_what_the_platforms_clients_read_of_it() {
    let server = Serving::empty();
    let dataset = dataset(&server);
    let batch = begin(&server, &dataset, &json!({"format": "json"}));
    let keys = |object: &Value| {
        for name in [
            "sandboxId",
            "imsOrg",
            "externalId",
            "created",
            "updated",
            "errors",
            "relatedObjects",
            "metrics",
            "tags",
            "version",
            "inputFormat",
            "status",
        ] {
            assert!(object.get(name).is_some(), "{name}: {object}");
        }
        assert_eq!(
            (&object["sandboxId"], &object["externalId"]),
            (&json!("prod"), &json!(batch))
        );
        for name in ["folder", "brokenOff"] {
            assert!(object.get(name).is_none(), "{name}: {object}");
        }
    };
    keys(&server.get(&format!("{IMPORT}/{batch}")).is(200));
    keys(&server.get(&format!("{BATCHES}/{batch}")).is(200)[&batch]);
    keys(&server.get(BATCHES).is(200)[&batch]);
}

#[test]
fn datasets_are_filtered_and_sorted_as_the_query_says() {
    let server = Serving::empty();
    let make = |name: &str, tags: Value| {
        let mut body = union_dataset(name);
        body["tags"] = tags;
        body["description"] = json!(format!("The {name}"));
        server.post(DATASETS, &body).is(201);
        // Times are milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    make("a", json!({"team": ["crm"]}));
    make(
        "c",
        json!({"team": ["web"], "unifiedProfile": ["enabled:false"]}),
    );
    make("b, b", json!({}));
    let list = |query: &str| -> Vec<String> {
        let page = server.get(&format!("{DATASETS}?{query}")).is(200);
        let all = page.as_object().unwrap().values();
        all.map(|d| d["name"].as_str().unwrap().to_owned())
            .collect()
    };
    for (query, right) in [
        ("orderBy=name", ["a", "b, b", "c"].as_slice()),
        ("orderBy=desc:name&limit=2", &["c", "b, b"]),
        ("orderBy=created", &["a", "c", "b, b"]),
        ("name=a,c&orderBy=name", &["a", "c"]),
        ("name=!a,c", &["b, b"]),
        ("name=b,%20b", &["b, b"]),
        ("tags=team:*&orderBy=name", &["a", "c"]),
        ("tags=team:w*", &["c"]),
        (
            "tags=unifiedProfile:enabled:true&orderBy=name",
            &["a", "b, b"],
        ),
        ("state=ACTIVE&name=a", &["a"]),
        ("state=DRAFT", &[]),
        ("createdBefore=1", &[]),
        ("createdAfter=1&name=a", &["a"]),
        ("created=1", &[]),
    ] {
        assert_eq!(list(query), right, "{query}");
    }
    server
        .get(&format!("{DATASETS}?orderBy=rows"))
        .refuses(400, "orderBy");
    // What a client says of a dataset is kept.
    let all = server.get(&format!("{DATASETS}?name=c")).is(200);
    let shown = all.as_object().unwrap().values().next().unwrap();
    assert_eq!(shown["description"], "The c");
    assert_eq!(shown["tags"]["team"], json!(["web"]));
    assert_eq!(shown["tags"]["adobe/pqs/table"], json!(["c"]));
}

#[test]
fn segments_are_filtered_and_sorted_as_the_query_says() {
    let server = Serving::empty();
    for (id, time) in [("a", json!(30)), ("b", json!(4)), ("c", Value::Null)] {
        let mut body = json!({"id": id, "evaluationInfo": {"continuous": {"enabled": id == "b"}}});
        if !time.is_null() {
            body["updateTime"] = time;
        }
        server.keep(&body);
    }
    let list = |query: &str| -> Vec<String> {
        let page = server.get(&format!("{SEGMENTS}?{query}")).is(200);
        let all = page["segments"].as_array().unwrap().iter();
        all.map(|s| s["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(list("sort=updateTime:asc"), ["b", "a", "c"]);
    assert_eq!(list("sort=updateTime:desc"), ["a", "b", "c"]);
    assert_eq!(list("sort=id:desc&start=1&limit=1"), ["b"]);
    assert_eq!(list("evaluationInfo.continuous.enabled=True"), ["b"]);
    assert_eq!(
        list("evaluationInfo.continuous.enabled=false&sort=id"),
        ["a", "c"]
    );
    server
        .get(&format!("{SEGMENTS}?sort=size:asc"))
        .refuses(400, "sort");
    server
        .get(&format!("{SEGMENTS}?sort=id:up"))
        .refuses(400, "sort");
}
