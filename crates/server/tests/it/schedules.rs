//! Schedules, and what the server does at their times.

use serde_json::{Value, json};

use crate::serving::{DATASETS, JOBS, SCHEDULES, SEGMENTS, Serving, union_dataset};

const SEGMENT_JOBS: &str = "/data/core/ups/segment/jobs";
/// A segment of the fixtures, whose expression takes everybody.
const EVERYBODY: &str = "85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21";

fn body(more: &Value) -> Value {
    let mut body = json!({
        "name": "nightly", "type": "batch_segmentation", "schedule": "0 0 2 * * ?",
        "properties": {"segments": ["*"]},
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn made(server: &Serving, more: &Value) -> String {
    let schedule = server.post(SCHEDULES, &body(more)).is(200);
    schedule["id"].as_str().unwrap().to_owned()
}

fn patch(server: &Serving, id: &str, path: &str, value: &str) {
    let changes = json!([{"op": "add", "path": path, "value": value}]);
    let path = format!("{SCHEDULES}/{id}");
    assert_eq!(server.send("PATCH", &path, &changes).is(204), Value::Null);
}

#[test]
fn schedules_are_created_listed_changed_and_deleted() {
    let server = Serving::fixtures();
    let made = server.post(SCHEDULES, &body(&json!({}))).is(200);
    let id = made["id"].as_str().unwrap();
    let mut right = body(&json!({"id": id, "state": "inactive", "imsOrgId": "acme", "errors": []}));
    right["sandbox"] = json!({"sandboxName": "prod"});
    for name in ["createEpoch", "updateEpoch"] {
        assert!(made[name].as_i64().unwrap() > 1_700_000_000);
        right[name] = made[name].clone();
    }
    assert_eq!(made, right);
    let path = format!("{SCHEDULES}/{id}");
    assert_eq!(server.get(&path).is(200), right);

    // As the Python client sends it, and without times.
    let mut short = body(&json!({"frequency": "daily"}));
    short.as_object_mut().unwrap().remove("schedule");
    let second = server.post(SCHEDULES, &short).is(200);
    assert_eq!(
        (&second["frequency"], &second["schedule"]),
        (&json!("daily"), &json!("0 0 1 * * ?"))
    );

    let page = server.get(SCHEDULES).is(200);
    assert_eq!(page["_page"], json!({"totalCount": 2, "pageSize": 2}));
    assert_eq!(page["_links"], json!({"next": {}}));
    let page = server.get(&format!("{SCHEDULES}?limit=1")).is(200);
    assert_eq!(page["_page"], json!({"totalCount": 2, "pageSize": 1}));
    let next = page["_links"]["next"]["href"].as_str().unwrap();
    let rest = server.get(next).is(200);
    assert_ne!(rest["children"][0]["id"], page["children"][0]["id"]);
    assert_eq!(rest["_links"], json!({"next": {}}));
    let empty = server.get(&format!("{SCHEDULES}?start=9")).is(200);
    assert_eq!(empty["children"], json!([]));

    patch(&server, id, "/schedule", "0 30 4 ? * MON-FRI 2099");
    let changes = json!([{"op": "replace", "path": "/state", "value": "active"}]);
    server.send("PATCH", &path, &changes).is(204);
    let changed = server.get(&path).is(200);
    assert_eq!(changed["state"], "active");
    assert_eq!(changed["schedule"], "0 30 4 ? * MON-FRI 2099");

    server.delete(&path).is(204);
    server.get(&path).refuses(404, "no schedule");
    server.delete(&path).refuses(404, "no schedule");
    server
        .send("PATCH", &path, &changes)
        .refuses(404, "no schedule");
}

#[test]
fn what_is_no_schedule_is_refused_by_name() {
    let server = Serving::fixtures();
    for (more, says) in [
        (
            json!({"schedule": "0 0 25 * * ?"}),
            "schedule: found \"0 0 25 * * ?\"; its hours is \"25\"",
        ),
        (json!({"schedule": "0 2 * * *"}), "it has 5 fields"),
        (json!({"schedule": "0 0 2 * * ? 2020"}), "never comes"),
        (json!({"type": "streaming"}), "type"),
        (json!({"state": "on"}), "state"),
        (json!({"frequency": "hourly"}), "frequency"),
        (json!({"id": "a"}), "id"),
        (
            json!({"properties": {"segments": "*"}}),
            "properties.segments",
        ),
        (json!({"properties": {"segment": ["*"]}}), "segments"),
        (
            json!({"properties": {"segments": ["*", EVERYBODY]}}),
            "properties.segments",
        ),
        (json!({"type": "export"}), "properties.segments"),
        (
            json!({"type": "export", "properties": {}}),
            "properties.exportRequest",
        ),
        (
            json!({"type": "export", "properties": {"exportRequest": {"destination": {}, "schema": {}}}}),
            "properties.exportRequest",
        ),
        (
            json!({"type": "export", "properties": {"exportRequest": {
                "destination": {}, "schema": {"name": "_xdm.context.profile"}, "sinceJob": 7}}}),
            "sinceJob",
        ),
    ] {
        server.post(SCHEDULES, &body(&more)).refuses(400, says);
    }
    let nobody = json!({"properties": {"segments": ["nobody"]}});
    server
        .post(SCHEDULES, &body(&nobody))
        .refuses(404, "nobody");
    server.post(SCHEDULES, &json!([])).refuses(400, "");
    let mut nameless = body(&json!({}));
    nameless.as_object_mut().unwrap().remove("name");
    server.post(SCHEDULES, &nameless).refuses(400, "name");
    assert_eq!(server.get(SCHEDULES).is(200)["_page"]["totalCount"], 0);

    let path = format!("{SCHEDULES}/{}", made(&server, &json!({})));
    for (change, says) in [
        (json!({"op": "remove", "path": "/state", "value": ""}), "op"),
        (json!({"op": "add", "path": "/name", "value": "b"}), "/name"),
        (
            json!({"op": "add", "path": "/state", "value": "on"}),
            "[0].value",
        ),
        (json!({"op": "add", "path": "/state"}), "value"),
        (
            json!({"op": "add", "path": "/schedule", "value": "daily"}),
            "it has 1 fields",
        ),
    ] {
        let answer = server.send("PATCH", &path, &json!([change]));
        answer.refuses(400, says);
    }
    // All changes or none.
    let changes = json!([
        {"op": "add", "path": "/state", "value": "active"},
        {"op": "add", "path": "/schedule", "value": "no"},
    ]);
    server
        .send("PATCH", &path, &changes)
        .refuses(400, "schedule");
    assert_eq!(server.get(&path).is(200)["state"], "inactive");
}

#[test]
fn an_active_schedule_makes_segment_jobs_until_it_is_deactivated() {
    let server = Serving::fixtures();
    let more = json!({"schedule": "* * * * * ?", "properties": {"segments": [EVERYBODY]}});
    let id = made(&server, &more);
    let jobs = || {
        let path =
            format!("{SEGMENT_JOBS}?property=properties.scheduleId=={id}&sort=creationTime:asc");
        server.get(&path).is(200)["children"]
            .as_array()
            .unwrap()
            .clone()
    };
    assert!(jobs().is_empty());
    patch(&server, &id, "/state", "active");
    let job = server.until(|| {
        let job = jobs().into_iter().next()?;
        let status = job["status"].as_str().unwrap();
        (!["NEW", "PROCESSING"].contains(&status)).then_some(job)
    });
    assert_eq!(job["status"], "SUCCEEDED", "{job}");
    assert_eq!(job["source"], "scheduler");
    assert!(job["properties"]["runId"].is_string());
    let schedule = server.get(&format!("{SCHEDULES}/{id}")).is(200);
    assert!(schedule["lastRunEpoch"].is_i64() && schedule["lastJobId"].is_string());

    patch(&server, &id, "/state", "inactive");
    // One that is created now waits for the transaction of the patch, or was there before it.
    let before = jobs().len();
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert_eq!(jobs().len(), before);
}

#[test]
fn a_schedule_whose_job_can_not_be_created_says_so_and_goes_on() {
    let server = Serving::fixtures();
    let expression = json!({"type": "PQL", "format": "pql/text", "value": "true"});
    let definition = json!({"id": "gone", "name": "Gone", "expression": expression});
    server.post(SEGMENTS, &definition).is(200);
    let more = json!({"schedule": "* * * * * ?", "properties": {"segments": ["gone"]}});
    let path = format!("{SCHEDULES}/{}", made(&server, &more));
    server.delete(&format!("{SEGMENTS}/gone")).is(200);
    let changes = json!([{"op": "add", "path": "/state", "value": "active"}]);
    server.send("PATCH", &path, &changes).is(204);
    let last_run = |is_fine: bool| {
        server.until(|| {
            let schedule = server.get(&path).is(200);
            let errors = schedule["errors"].as_array().unwrap();
            let has_run = schedule["lastRunEpoch"].is_i64();
            (has_run && errors.is_empty() == is_fine).then(|| schedule.clone())
        })
    };
    let failed = last_run(false);
    let problem = failed["errors"][0]["msg"].as_str().unwrap();
    assert!(problem.contains("gone"), "{problem}");
    server.post(SEGMENTS, &definition).is(200);
    let done = last_run(true);
    assert!(done["lastRunEpoch"].as_i64() > failed["lastRunEpoch"].as_i64());
}

#[test]
fn exports_are_run_at_their_times() {
    let server = Serving::fixtures();
    let target = server.post(DATASETS, &union_dataset("nightly")).is(201)[0].clone();
    let target = target.as_str().unwrap().rsplit('/').next().unwrap();
    let request = json!({
        "destination": {"datasetId": target}, "schema": {"name": "_xdm.context.profile"}, "fields": "_id",
    });
    let more = json!({"type": "export", "properties": {"exportRequest": request}, "schedule": "* * * * * ?"});
    let id = made(&server, &more);
    patch(&server, &id, "/state", "active");
    let job =
        server.until(|| server.get(&format!("{SCHEDULES}/{id}")).is(200)["lastJobId"].as_i64());
    patch(&server, &id, "/state", "inactive");
    assert_eq!(server.finished(job)["status"], "SUCCEEDED");
    assert_eq!(
        server.get(&format!("{JOBS}/{job}")).is(200)["fields"],
        "_id"
    );
}
