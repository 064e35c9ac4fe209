//! Segments evaluated over HTTP, from the definition to the export of who is in.

use profile_export::export::Progress;
use profile_export::platform::{
    SegmentJobTarget, create_segment_job, delete_segment_job, run_segment_job, segment_job,
};
use profile_export::store::Store;
use profile_export::xdm::{Dataset, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use tempfile::TempDir;

use crate::serving::{SEGMENTS, Serving, load_fixtures, scope};

const JOBS: &str = "/data/core/ups/segment/jobs";
/// A segment of the fixtures, whose expression takes everybody.
const EVERYBODY: &str = "85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21";

fn ended(server: &Serving, id: &str) -> Value {
    server.until(|| {
        let job = server.get(&format!("{JOBS}/{id}")).is(200);
        let status = job["status"].as_str().unwrap();
        ["SUCCEEDED", "FAILED", "CANCELLED"]
            .contains(&status)
            .then_some(job)
    })
}

#[test]
fn a_definition_is_evaluated_and_an_export_has_who_is_in() {
    let server = Serving::fixtures();
    let expression = json!({"type": "PQL", "format": "pql/text",
        "value": "xEvent[eventType = \"commerce.purchase\"].count() > 1"});
    let body = json!({"name": "Buyers", "schema": {"name": "_xdm.context.profile"}, "expression": expression,
        "mergePolicyId": "latest"});
    let made = server.post(SEGMENTS, &body).is(200);
    let id = made["id"].as_str().unwrap();
    let job = server.post(JOBS, &json!([{"segmentId": id}])).is(200);
    assert_eq!(
        (&job["status"], &job["source"], &job["modelName"]),
        (&json!("NEW"), &json!("api"), &json!("_xdm.context.profile"))
    );
    assert_eq!(job["segments"][0]["segment"]["mergePolicy"]["id"], "latest");
    let job = ended(&server, job["id"].as_str().unwrap());
    assert_eq!(job["status"], "SUCCEEDED", "{job}");
    let metrics = &job["metrics"];
    assert_eq!(
        metrics["totalProfilesByMergePolicy"],
        json!({"latest": 403})
    );
    let members = metrics["segmentedProfileCounter"][id].as_u64().unwrap();
    assert!(members > 10);
    let by_status = json!({"realized": members, "existing": 0, "exited": 0});
    assert_eq!(metrics["segmentedProfileByStatusCounter"][id], by_status);
    assert!(metrics["segmentedProfileByNamespaceCounter"][id]["ecid"].is_u64());

    let target = server.target();
    let filter = json!({"segments": [{"segmentId": id, "segmentNs": "ups", "status": ["realized"]}], "emptyProfiles": true});
    let export = server.job(&target, &json!({"filter": filter, "fields": "identityMap"}));
    let done = server.finished(export);
    assert_eq!(done["metrics"]["totalExportedProfileCounter"], members);

    // The same once more from an export that evaluates first: nobody enters, so nobody is realized.
    let more = json!({"filter": filter, "evaluationInfo": {"segmentation": true}, "fields": "identityMap"});
    let done = server.finished(server.job(&target, &more));
    assert_eq!(done["metrics"]["totalExportedProfileCounter"], 0, "{done}");
}

#[test]
fn all_definitions_are_evaluated_by_one_job_each_by_its_own_policy() {
    let server = Serving::fixtures();
    let body =
        json!({"schema": {"name": "_xdm.context.profile"}, "segments": [{"segmentId": "*"}]});
    let job = server.post(JOBS, &body).is(200);
    assert_eq!(job["segments"], json!([{"segmentId": "*"}]));
    let job = ended(&server, job["id"].as_str().unwrap());
    let metrics = &job["metrics"];
    assert_eq!(
        metrics["totalProfilesByMergePolicy"],
        json!({"latest": 403, "crm-first": 379, "crm-first-pdg": 328})
    );
    assert_eq!(metrics["totalProfiles"], 403 + 379 + 328);
    // Sixty-six had said so in their data already.
    let by_status = json!({"realized": 337, "existing": 66, "exited": 0});
    assert_eq!(
        metrics["segmentedProfileByStatusCounter"][EVERYBODY],
        by_status
    );
}

#[test]
fn jobs_are_listed_looked_up_and_deleted() {
    let server = Serving::fixtures();
    let made: Vec<String> = [EVERYBODY, "holiday-shoppers"]
        .iter()
        .map(|id| {
            let job = server.post(JOBS, &json!([{"segmentId": id}])).is(200);
            let id = job["id"].as_str().unwrap().to_owned();
            assert_eq!(ended(&server, &id)["status"], "SUCCEEDED");
            id
        })
        .collect();
    let ids = |query: &str| {
        let page = server.get(&format!("{JOBS}?{query}")).is(200);
        let children = page["children"].as_array().unwrap().clone();
        assert_eq!(page["_page"]["pageSize"], children.len());
        let ids = children
            .iter()
            .map(|job| job["id"].as_str().unwrap().to_owned());
        (
            ids.collect::<Vec<_>>(),
            page["_links"]["next"]["href"].as_str().map(str::to_owned),
        )
    };
    let [first, second] = [&made[0], &made[1]].map(String::clone);
    assert_eq!(ids(""), (vec![second.clone(), first.clone()], None));
    assert_eq!(
        ids("sort=creationTime:asc").0,
        [first.clone(), second.clone()]
    );
    assert_eq!(
        ids("property=segments~segmentId==holiday-shoppers").0,
        std::slice::from_ref(&second)
    );
    assert_eq!(
        ids("property=status==FAILED&status=SUCCEEDED").0,
        [] as [&str; 0]
    );
    let (page, next) = ids("limit=1");
    assert_eq!(page, std::slice::from_ref(&second));
    let next = server.get(&next.unwrap()).is(200);
    assert_eq!(next["children"][0]["id"], first.as_str());
    let wanted = json!({"ids": [{"id": first}, {"id": "nobody"}]});
    let found = server.post(&format!("{JOBS}/bulk-get"), &wanted).is(207);
    assert_eq!(found["results"][&first]["status"], "SUCCEEDED");
    assert!(
        found["errors"]["404"][0]["message"]
            .as_str()
            .unwrap()
            .contains("nobody")
    );
    let path = format!("{JOBS}/{first}");
    server.delete(&path).is(204);
    server.get(&path).refuses(404, "segment job");
    server.delete(&path).refuses(404, "segment job");

    server
        .post(JOBS, &json!([{"segmentId": "nobody"}]))
        .refuses(404, "nobody");
    server.post(JOBS, &json!([])).refuses(400, "segments");
    server
        .post(JOBS, &json!([{"segmentId": "*"}, {"segmentId": EVERYBODY}]))
        .refuses(400, "\"*\"");
    server
        .post(
            JOBS,
            &json!({"segments": [{"segmentId": EVERYBODY}], "now": 1}),
        )
        .refuses(400, "now");
    server
        .get(&format!("{JOBS}?sort=name"))
        .refuses(400, "sort");
    server
        .get(&format!("{JOBS}?property=a=b"))
        .refuses(400, "property");
    server
        .get(&format!("{JOBS}?status=done"))
        .refuses(400, "status");
}

#[test]
fn a_job_that_waits_is_cancelled_and_one_whose_process_is_gone_has_failed() {
    let home = TempDir::new().unwrap();
    load_fixtures(home.path());
    let store = Store::open(home.path(), scope()).unwrap();
    let target = SegmentJobTarget::Segments(vec![EVERYBODY.to_owned()]);
    let create = || create_segment_job(&store, &target, Timestamp::now()).unwrap();
    let waits = create();
    delete_segment_job(&store, &waits.id).unwrap();
    let refused = run_segment_job(&store, &waits.id, &Arc::new(Progress::default()));
    assert!(refused.unwrap_err().to_string().contains("CANCELLED"));
    // One that was told to stop before it wrote changes nothing.
    let stopped = create();
    let progress = Arc::new(Progress::default());
    progress.cancel();
    let ended = run_segment_job(&store, &stopped.id, &progress).unwrap();
    assert_eq!(ended.status.word(), "CANCELLED");
    assert!(
        store
            .catalog()
            .dataset(Dataset::EVALUATED_MEMBERSHIPS)
            .unwrap()
            .is_none()
    );
    let mut dead = serde_json::to_value(create()).unwrap();
    dead["status"] = json!("PROCESSING");
    let id = dead["id"].as_str().unwrap().to_owned();
    let kind = profile_export::store::DocumentKind::SegmentJob;
    store
        .catalog()
        .put_document(kind, &id, 1, &dead.into())
        .unwrap();
    let open = profile_export::store::DocumentKind::OpenSegmentJob;
    let told = json!({"status": "PROCESSING", "creationTime": 1});
    store
        .catalog()
        .put_document(open, &id, 1, &told.into())
        .unwrap();
    let found = segment_job(&store, &id).unwrap();
    assert_eq!(found.status.word(), "FAILED");
    assert!(
        found.errors[0].msg.contains("no membership has changed"),
        "{:?}",
        found.errors
    );
}
