//! Export jobs over HTTP.

use profile_export::jobs::{JobStatus, Keep, create_job};
use profile_export::request::ExportRequest;
use profile_export::store::Store;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::serving::{JOBS, POLICIES, SEGMENTS, Serving, job_request, load_fixtures};

#[test]
fn a_created_job_runs_by_itself_and_its_batch_appears() {
    let server = Serving::fixtures();
    let target = server.target();
    let request = job_request(
        &target,
        &json!({"fields": "personalEmail.address", "filter": {"emptyProfiles": false}}),
    );
    let created = server.post(JOBS, &request).is(200);
    assert_eq!(created["jobType"], "BATCH");
    assert_eq!(created["profileInstanceId"], "ups");
    assert_eq!(created["imsOrgId"], "acme");
    assert_eq!(created["fields"], "personalEmail.address");
    assert_eq!(
        created["mergePolicy"],
        json!({"id": "timestampOrdered-none-mp", "version": 1})
    );
    assert_eq!(created["destination"]["dataSetId"], target.as_str());
    let done = server.finished(created["id"].as_i64().unwrap());
    assert_eq!(done["status"], "SUCCEEDED");
    assert_eq!(
        done["destination"]["batchId"],
        created["destination"]["batchId"]
    );
    assert!(
        done["metrics"]["totalExportedProfileCounter"]
            .as_u64()
            .unwrap()
            > 0
    );
    assert!(done["metrics"]["aCPDatasetWriteTime"]["totalTimeInMs"].is_u64());
}

#[test]
fn bad_requests_name_what_is_wrong_and_create_nothing() {
    let server = Serving::fixtures();
    let target = server.target();
    let post = |more: Value| server.post(JOBS, &job_request(&target, &more));
    post(json!({"feilds": "_id"})).refuses(400, "did you mean \"fields\"?");
    post(json!({"fields": "personalEmail.adress"})).refuses(400, "personalEmail.address");
    post(json!({"filter": {"segments": [{"segmentNs": "ups"}]}})).refuses(400, "segmentId");
    post(json!({"destination": {"datasetId": "nowhere"}})).refuses(400, "destination.datasetId");
    post(json!({"mergePolicy": {"id": "none"}})).refuses(400, "mergePolicy");
    let evaluated = json!({"filter": {"segments": [{"segmentId": "none"}]}, "evaluationInfo": {"segmentation": true}});
    post(evaluated).refuses(400, "evaluationInfo");
    server
        .ask("POST", JOBS, &crate::serving::HEADERS, b"{broken")
        .refuses(400, "key must be");
    server
        .ask("POST", JOBS, &crate::serving::HEADERS, b"")
        .refuses(400, "EOF");
    assert_eq!(server.get(JOBS).is(200)["records"], json!([]));
}

#[test]
fn lists_have_pages_states_and_orders_with_and_without_a_slash() {
    let server = Serving::fixtures();
    let target = server.target();
    let ids: Vec<i64> = (0..5)
        .map(|_| server.job(&target, &json!({"fields": "_id"})))
        .collect();
    for id in &ids {
        server.finished(*id);
    }
    let list = |query: &str| server.get(&format!("{JOBS}{query}")).is(200);
    let shown = |page: &Value| -> Vec<i64> {
        let records = page["records"].as_array().unwrap().iter();
        records.map(|job| job["id"].as_i64().unwrap()).collect()
    };
    let newest: Vec<i64> = ids.iter().rev().copied().collect();
    let all = list("/");
    assert_eq!(shown(&all), newest);
    assert!(
        all["link"].get("next").is_none(),
        "the client takes null for a page"
    );
    let first = list("/?limit=2");
    assert_eq!(shown(&first), newest[..2]);
    assert_eq!(first["page"]["pageSize"], 2);
    let next = first["link"]["next"].as_str().unwrap();
    assert!(
        next.starts_with("/export/jobs/?") && next.contains("offset="),
        "{next}"
    );
    let cursor = first["page"]["pageOffset"].as_str().unwrap();
    assert!(
        cursor
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_'),
        "{cursor}"
    );
    assert_eq!(
        shown(&list(&format!("?limit=2&offset={cursor}"))),
        newest[2..4]
    );
    // The platform's own next link, under the service's root, with the client's parameters behind it.
    assert_eq!(
        shown(
            &server
                .get(&format!("/data/core/ups{next}&limit=100"))
                .is(200)
        ),
        newest[2..4]
    );
    assert_eq!(shown(&list("?offset=3")), newest[3..]);
    assert_eq!(shown(&list("?sort=createdTime:asc")), ids);
    assert_eq!(shown(&list("?status=SUCCEEDED")), newest);
    assert_eq!(shown(&list("?status=NEW")), [0i64; 0]);
    server
        .get(&format!("{JOBS}?status=DONE"))
        .refuses(400, "SUCCEEDED");
    server.get(&format!("{JOBS}?limit=0")).refuses(400, "limit");
    server.get(&format!("{JOBS}?limit=x")).refuses(400, "limit");
    server
        .get(&format!("{JOBS}?offset=x"))
        .refuses(400, "offset");
    server
        .get(&format!("{JOBS}?sort=size"))
        .refuses(400, "sort");
}

#[test]
fn a_waiting_job_is_cancelled_and_a_finished_one_is_not() {
    let home = TempDir::new().unwrap();
    load_fixtures(home.path());
    let server = Serving::on(home.path(), |settings| settings.workers = 1);
    let target = server.target();
    let ids: Vec<i64> = (0..8).map(|_| server.job(&target, &json!({}))).collect();
    let last = format!("{JOBS}/{}", ids[7]);
    let answer = server.delete(&last);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(server.finished(ids[7])["status"], "CANCELLED");
    server.delete(&last).refuses(409, "CANCELLED");
    assert_eq!(server.finished(ids[0])["status"], "SUCCEEDED");
    server
        .delete(&format!("{JOBS}/{}", ids[0]))
        .refuses(409, "SUCCEEDED");
    for path in ["/0", "/x", "/99999999999999999999", "/%2e%2e"] {
        server.get(&format!("{JOBS}{path}")).refuses(404, "no job");
        server
            .delete(&format!("{JOBS}{path}"))
            .refuses(404, "no job");
    }
}

#[test]
fn the_queue_survives_and_jobs_of_the_dead_are_failed() {
    let home = TempDir::new().unwrap();
    load_fixtures(home.path());
    let target = {
        let server = Serving::on(home.path(), |_| {});
        server.target()
    };
    let store = Store::open(home.path(), crate::serving::scope()).unwrap();
    let request = job_request(&target, &json!({"fields": "_id"})).to_string();
    let request = ExportRequest::from_json(request.as_bytes()).unwrap();
    let (waits, dead) = (
        create_job(&store, &request).unwrap(),
        create_job(&store, &request).unwrap(),
    );
    let claimed = store.catalog().move_job(&catalog::JobMove {
        id: dead.id,
        from: JobStatus::New,
        to: JobStatus::Processing,
        body: &catalog::Document::of(&dead).unwrap(),
        unless_cancelled: true,
    });
    assert!(claimed.unwrap());
    drop(store);
    let server = Serving::on(home.path(), |_| {});
    assert_eq!(server.finished(waits.id)["status"], "SUCCEEDED");
    let failed = server.finished(dead.id);
    assert_eq!(failed["status"], "FAILED");
    assert_eq!(failed["errors"][0]["code"], "PE-0010");
}

#[test]
fn segment_definitions_are_created_listed_and_choose_the_policy() {
    let server = Serving::fixtures();
    let body = json!({
        "id": "mine", "name": "Mine", "schema": {"name": "_xdm.context.profile"}, "mergePolicyId": "crm-first",
        "expression": {"type": "PQL", "format": "pql/text", "value": "true"},
    });
    let made = server.post(SEGMENTS, &body).is(200);
    assert_eq!(made["id"], "mine");
    server.post(SEGMENTS, &body).refuses(409, "mine");
    for id in [json!(7), json!(null), json!("")] {
        server.post(SEGMENTS, &json!({"id": id})).refuses(400, "id");
    }
    assert_eq!(
        server.get(&format!("{SEGMENTS}/mine")).is(200)["name"],
        "Mine"
    );
    server.get(&format!("{SEGMENTS}/none")).refuses(404, "none");
    let all = server.get(SEGMENTS).is(200);
    assert_eq!(all["page"]["totalCount"], 5);
    let page = server.get(&format!("{SEGMENTS}?limit=2&page=2")).is(200);
    assert_eq!(
        (
            page["segments"].as_array().unwrap().len(),
            &page["page"]["totalPages"]
        ),
        (1, &json!(3))
    );
    let target = server.target();
    let filter = json!({"filter": {"segments": [{"segmentId": "mine"}]}});
    let job = server.post(JOBS, &job_request(&target, &filter)).is(200);
    assert_eq!(job["mergePolicy"]["id"], "crm-first");
    let both =
        json!({"filter": {"segments": [{"segmentId": "mine"}, {"segmentId": "holiday-shoppers"}]}});
    server
        .post(JOBS, &job_request(&target, &both))
        .refuses(400, "crm-first-pdg");
    server.get(&format!("{POLICIES}/crm-first")).is(200);
}

#[test]
fn segment_definitions_are_replaced_converted_and_deleted() {
    let server = Serving::fixtures();
    let of = |id: &str, expression: &str| {
        json!({"id": id, "name": id, "schema": {"name": "_xdm.context.profile"},
               "expression": {"type": "PQL", "format": "pql/text", "value": expression}})
    };
    server.post(SEGMENTS, &of("a", "personalEmail")).is(200);
    server
        .post(SEGMENTS, &of("b", r#"inSegment("a") and xEvent"#))
        .is(200);
    server
        .post(SEGMENTS, &of("c", "personalEmail and ("))
        .refuses(400, "line 1, column");
    let arl = json!({"id": "d", "expression": {"type": "ARL", "value": "x"}});
    server.post(SEGMENTS, &arl).refuses(400, "ARL");

    let one = format!("{SEGMENTS}/a");
    let made = server
        .send("PATCH", &one, &of("a", "not (personalEmail)"))
        .is(200);
    assert_eq!(made["expression"]["value"], "not (personalEmail)");
    server
        .send("PATCH", &one, &of("x", "personalEmail"))
        .refuses(400, "id");
    server
        .send("PATCH", &one, &of("a", "("))
        .refuses(400, "line 1");
    server
        .send("PATCH", &format!("{SEGMENTS}/none"), &of("none", "1 = 1"))
        .refuses(404, "none");

    let bulk = json!({"ids": [{"id": "a"}, {"id": "none"}]});
    let found = server.post(&format!("{SEGMENTS}/bulk-get"), &bulk).is(207);
    assert_eq!(found["results"]["a"]["id"], "a");
    assert!(
        found["errors"]["404"][0]["message"]
            .as_str()
            .unwrap()
            .contains("none")
    );

    let conversion = "/data/core/ups/segment/conversion";
    let json = server
        .post(conversion, &of("b", r#"inSegment("a") and xEvent"#))
        .is(200);
    assert_eq!(json["expression"]["format"], "pql/json");
    let text = server.post(conversion, &json).is(200);
    assert_eq!(text["expression"]["value"], r#"inSegment("a") and xEvent"#);

    server.delete(&one).refuses(409, "\"b\"");
    server.delete(&format!("{SEGMENTS}/b")).is(200);
    server.delete(&one).is(200);
    server.get(&one).refuses(404, "a");
}

#[test]
fn a_job_that_fails_tells_no_file_of_the_server() {
    let server = Serving::fixtures();
    let target = server.target();
    for run in fs::read_dir(server.folder.join("runs")).unwrap() {
        for file in fs::read_dir(run.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            let mut bytes = fs::read(&file).unwrap();
            bytes.iter_mut().for_each(|byte| *byte ^= 0x5a);
            fs::write(&file, bytes).unwrap();
        }
    }
    let job = server.job(&target, &json!({"fields": "_id"}));
    let failed = server.finished(job);
    assert_eq!(failed["status"], "FAILED", "{failed}");
    let ours = server.folder.to_str().unwrap();
    let listed = server.get(JOBS).is(200)["records"][0].clone();
    for job in [failed, listed] {
        assert_eq!(job["errors"][0]["code"], "PE-0005", "{job}");
        assert!(!job["errors"][0]["msg"].as_str().unwrap().is_empty());
        assert!(!job.to_string().contains(ours), "{job}");
    }
    // Who runs the store is told which.
    let kept = profile_export::jobs::get_job(&server.store(), job).unwrap();
    assert!(kept.errors[0].msg.contains(ours), "{:?}", kept.errors);
}

#[test]
fn older_jobs_go_behind_a_newer_one_where_the_settings_say_so() {
    let home = TempDir::new().unwrap();
    load_fixtures(home.path());
    let server = Serving::on(home.path(), |settings| {
        settings.keep = Some(Keep { last: 2, daily: 0 });
    });
    let target = server.target();
    let mut ids = Vec::new();
    for _ in 0..4 {
        let request = job_request(&target, &json!({"fields": "_id"}));
        let id = server.post(JOBS, &request).is(200)["id"].as_i64().unwrap();
        assert_eq!(server.finished(id)["status"], "SUCCEEDED");
        ids.push(id);
    }
    // The last one forgets behind its end, which was seen already.
    let kept = || -> Vec<i64> {
        let listed = server.get(JOBS).is(200);
        let jobs = listed["records"].as_array().unwrap().iter();
        jobs.map(|job| job["id"].as_i64().unwrap()).collect()
    };
    let until = Instant::now() + Duration::from_secs(20);
    while kept().len() > 2 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(kept(), [ids[3], ids[2]]);
}
