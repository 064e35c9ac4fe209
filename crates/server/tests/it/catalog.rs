//! Datasets and batches over HTTP.

use serde_json::{Value, json};

use crate::serving::{BATCHES, DATASETS, Serving, union_dataset};

#[test]
fn a_dataset_is_created_shown_listed_and_deleted() {
    let server = Serving::fixtures();
    let body = json!({
        "name": "Target",
        "schemaRef": {
            "id": "https://ns.adobe.com/xdm/context/profile__union",
            "contentType": "application/vnd.adobe.xed+json;version=1",
        },
        "fileDescription": {"persisted": true, "containerFormat": "parquet", "format": "parquet"},
        "aspect": "production",
    });
    let made = server
        .post(&format!("{DATASETS}/?requestDataSource=False"), &body)
        .is(201);
    let id = made[0]
        .as_str()
        .unwrap()
        .strip_prefix("@/dataSets/")
        .unwrap();
    assert!(
        id.len() == 24
            && id
                .bytes()
                .all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
    );
    server.post(DATASETS, &body).refuses(409, "Target");
    let shown = &server.get(&format!("{DATASETS}/{id}")).is(200)[id];
    assert_eq!(shown["schemaRef"], body["schemaRef"]);
    assert_eq!(shown["fileDescription"], body["fileDescription"]);
    assert_eq!(shown["classification"]["dataBehavior"], "record");
    assert_eq!(shown["tags"]["adobe/pqs/table"], json!(["target"]));
    assert_eq!(shown["rows"], 0);
    let all = server.get(DATASETS).is(200);
    assert_eq!(all.as_object().unwrap().len(), 5);
    assert!(all["5b020a27e7040801dedba61a"]["rows"].as_u64().unwrap() > 0);
    assert_eq!(
        all["5b020a27e7040801dedba61d"]["classification"]["dataBehavior"],
        "time-series"
    );
    let page = server
        .get(&format!("{DATASETS}?limit=2&start=4&properties=name"))
        .is(200);
    assert_eq!(page.as_object().unwrap().len(), 1);
    assert!(
        page.as_object()
            .unwrap()
            .values()
            .all(|d| d.as_object().unwrap().len() == 1)
    );
    server
        .get(&format!("{DATASETS}?limit=0"))
        .refuses(400, "limit");
    server.delete(&format!("{DATASETS}/{id}")).is(200);
    server.get(&format!("{DATASETS}/{id}")).refuses(404, id);
    server
        .post(DATASETS, &json!({"name": " ", "schemaRef": {"id": "x"}}))
        .refuses(400, "name");
    server
        .post(DATASETS, &json!({"name": "x"}))
        .refuses(400, "schemaRef");
}

#[test]
fn only_a_persisted_union_dataset_takes_exports() {
    let server = Serving::fixtures();
    let mut body = union_dataset("not persisted");
    body["fileDescription"] = json!({"persisted": false});
    let make = |body: &Value| {
        let made = server.post(DATASETS, body).is(201);
        made[0]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap()
            .to_owned()
    };
    let other =
        json!({"name": "other", "schemaRef": {"id": "https://ns.adobe.com/acme/schemas/x"}});
    for (id, says) in [(make(&body), "persisted"), (make(&other), "profile__union")] {
        let request = crate::serving::job_request(&id, &json!({}));
        server
            .post(crate::serving::JOBS, &request)
            .refuses(400, says);
    }
}

#[test]
fn batches_are_listed_by_dataset_in_either_order() {
    let server = Serving::fixtures();
    let target = server.target();
    let batches: Vec<String> = (0..3)
        .map(|_| {
            let job = server.job(&target, &json!({"fields": "_id"}));
            let done = server.finished(job);
            done["destination"]["batchId"].as_str().unwrap().to_owned()
        })
        .collect();
    let list = |query: &str| -> Vec<String> {
        let page = server.get(&format!("{BATCHES}{query}")).is(200);
        page.as_object().unwrap().keys().cloned().collect()
    };
    let newest: Vec<String> = batches.iter().rev().cloned().collect();
    assert_eq!(list(""), newest);
    assert_eq!(
        list(&format!("?dataSet={target}&orderBy=desc:created&limit=2")),
        newest[..2]
    );
    assert_eq!(list("?orderBy=asc:created&start=1"), batches[1..]);
    assert_eq!(list("?dataSet=none"), [""; 0]);
    server
        .get(&format!("{BATCHES}?orderBy=size"))
        .refuses(400, "orderBy");
    let shown = &server.get(&format!("{BATCHES}/{}", batches[0])).is(200)[&batches[0]];
    assert_eq!(shown["status"], "success");
    assert_eq!(
        shown["relatedObjects"],
        json!([{"type": "dataSet", "id": target}])
    );
    assert!(shown["metrics"]["recordsWritten"].as_u64().unwrap() > 0);
    assert!(shown.get("folder").is_none());
    assert_eq!(
        server.get(&format!("{DATASETS}/{target}")).is(200)[&target]["lastBatchId"],
        newest[0]
    );
    server.get(&format!("{BATCHES}/none")).refuses(404, "none");
    server
        .delete(&format!("{DATASETS}/{target}"))
        .refuses(409, "batches");
}
