//! What is deleted over HTTP is gone: for exports and look-ups at once, and off the disk.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use profile_export::export::Progress;
use profile_export::store::{Scope, Sought, Store};
use profile_export_server::{NewToken, Rights, Tokens};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ingestion::{begin, complete, dataset, upload};
use crate::serving::{BATCHES, DATASETS, HEADERS, IMPORT, Serving};

const ENTITIES: &str = "/data/core/ups/access/entities";
const SYSTEM: &str = "/data/core/ups/system/jobs";
const ANN: &str = "schema.name=_xdm.context.profile&entityId=ann%40x.org&entityIdNS=email";
const ANNS_EVENTS: &str = "schema.name=_xdm.context.experienceevent&relatedSchema.name=_xdm.context.profile\
     &relatedEntityId=ann%40x.org&relatedEntityIdNS=Email";

fn person(id: &str) -> String {
    json!({"identityMap": {"Email": [{"id": id, "primary": true}]}, "name": id}).to_string()
}

fn event(id: &str, whose: &str) -> String {
    json!({"_id": id, "timestamp": "2026-01-01T00:00:00Z", "identityMap": {"Email": [{"id": whose}]}})
        .to_string()
}

fn event_dataset(server: &Serving) -> String {
    let body = json!({"name": "visits", "schemaRef": {"id": "https://ns.adobe.com/xdm/context/experienceevent__union"}});
    let made = server.post(DATASETS, &body).is(201);
    let made = made[0].as_str().unwrap();
    made.rsplit('/').next().unwrap().to_owned()
}

/// A batch of these lines that is loaded.
fn load(server: &Serving, dataset: &str, lines: &[String]) -> String {
    let batch = begin(server, dataset, &json!({"format": "json"}));
    upload(
        server,
        dataset,
        &batch,
        "a.json",
        lines.join("\n").as_bytes(),
    );
    let done = complete(server, &batch);
    assert_eq!(done["status"], "success", "{done}");
    batch
}

/// How many files of the store hold a text.
fn holding(server: &Serving, text: &str) -> usize {
    let found = server
        .store()
        .verify_gone(&[Sought::new(text)], &Progress::default());
    let found = found.unwrap();
    assert!(found.unread.is_empty(), "{found:?}");
    found.holding.len()
}

/// The names and events that an export has.
fn exported(server: &Serving, target: &str) -> (u64, u64) {
    let more = json!({"filter": {"emptyProfiles": true}, "additionalFields": {"eventList": {}}});
    let done = server.finished(server.job(target, &more));
    let metrics = &done["metrics"];
    let count = |name: &str| metrics[name].as_u64().unwrap();
    (
        count("totalExportedProfileCounter"),
        count("totalExportedEventCounter"),
    )
}

#[test]
fn a_deleted_profile_is_in_no_answer_and_on_no_disk() {
    let server = Serving::empty();
    let (people, visits) = (dataset(&server), event_dataset(&server));
    load(&server, &people, &[person("ann@x.org"), person("bo@x.org")]);
    load(
        &server,
        &visits,
        &[
            event("1", "ann@x.org"),
            event("2", "ann@x.org"),
            event("3", "bo@x.org"),
        ],
    );
    let seen = |query: &str| server.get(&format!("{ENTITIES}?{query}")).is(200);
    assert_eq!(seen(ANNS_EVENTS)["children"].as_array().unwrap().len(), 2);
    assert_eq!(holding(&server, "ann@x.org"), 2);

    let answer = server.delete(&format!("{ENTITIES}?{ANNS_EVENTS}"));
    assert_eq!((answer.status, answer.body.len()), (202, 0));
    assert_eq!(seen(ANNS_EVENTS)["children"], json!([]));
    let profile = seen(ANN);
    assert_eq!(
        profile.as_object().unwrap().values().next().unwrap()["entity"]["name"],
        "ann@x.org"
    );

    server.delete(&format!("{ENTITIES}?{ANN}")).is(202);
    let profile = seen(ANN);
    assert_eq!(
        profile.as_object().unwrap().values().next().unwrap()["entity"],
        json!({})
    );
    assert_eq!(holding(&server, "ann@x.org"), 0);
    assert_eq!(holding(&server, "bo@x.org"), 2);
    let target = server.target();
    assert_eq!(exported(&server, &target), (1, 1));
    // Once more is no error, and what comes in later is there.
    server.delete(&format!("{ENTITIES}?{ANN}")).is(202);
    load(&server, &people, &[person("ann@x.org")]);
    assert_eq!(exported(&server, &target), (2, 1));
}

#[test]
fn what_names_nobody_is_refused() {
    let server = Serving::empty();
    let refuses = |query: &str, says: &str| {
        server
            .delete(&format!("{ENTITIES}?{query}"))
            .refuses(400, says);
    };
    refuses("schema.name=_xdm.context.profile", "entityId");
    refuses(
        "schema.name=other&entityId=a&entityIdNS=Email",
        "schema.name",
    );
    refuses(
        "schema.name=_xdm.context.profile&entityId=anonymous&entityIdNS=Email",
        "placeholder",
    );
    refuses(&format!("{ANN}&mergePolicyId=none"), "mergePolicyId");
}

#[test]
fn only_who_may_write_there_deletes() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("tokens.json");
    let token = |name: &str, org: &str, sandbox: &str, rights: Rights| {
        let new = NewToken {
            name: name.to_owned(),
            org: org.to_owned(),
            sandbox: sandbox.to_owned(),
            rights,
        };
        format!("Bearer {}", Tokens::create(&file, new).unwrap())
    };
    let writes = token("writes", "acme", "prod", Rights::Write);
    let reads = token("reads", "acme", "prod", Rights::Read);
    let elsewhere = token("elsewhere", "other", "prod", Rights::Write);
    let beside = token("beside", "acme", "dev", Rights::Write);
    let folder = home.path().join("store");
    let store = Store::open(
        &folder,
        Scope {
            org: "acme".to_owned(),
            sandbox: "prod".to_owned(),
        },
    )
    .unwrap();
    let dataset =
        profile_export::xdm::Dataset::new("", "people", profile_export::xdm::Class::Profile);
    let dataset = store.catalog().create_dataset(dataset).unwrap().id;
    drop(store);
    let server = Serving::on(&folder, |settings| settings.token_file = Some(file.clone()));
    let paths = [
        ("DELETE", format!("{ENTITIES}?{ANN}")),
        ("DELETE", format!("{BATCHES}/5b020a27e7040801dedba61a")),
        (
            "POST",
            format!("{IMPORT}/5b020a27e7040801dedba61a?action=REVERT"),
        ),
        ("POST", SYSTEM.to_owned()),
        ("DELETE", format!("{SYSTEM}/1")),
    ];
    let body = json!({"dataSetId": dataset}).to_string();
    for (method, path) in &paths {
        let status = |token: Option<&str>, org: &'static str, sandbox: &'static str| {
            let mut headers = vec![
                ("x-api-key", "key"),
                ("x-gw-ims-org-id", org),
                ("x-sandbox-name", sandbox),
            ];
            headers.extend(token.map(|token| ("authorization", token)));
            let body: &[u8] = if *path == SYSTEM {
                headers.push(("content-type", "application/json"));
                body.as_bytes()
            } else {
                b""
            };
            server.ask(method, path, &headers, body).status
        };
        assert_eq!(status(None, "acme", "prod"), 401, "{path}");
        assert_eq!(status(Some("Bearer wrong"), "acme", "prod"), 401, "{path}");
        assert_eq!(status(Some(&reads), "acme", "prod"), 403, "{path}");
        assert_eq!(status(Some(&elsewhere), "acme", "prod"), 403, "{path}");
        assert_eq!(status(Some(&beside), "acme", "prod"), 403, "{path}");
        assert!(
            [200, 202, 404].contains(&status(Some(&writes), "acme", "prod")),
            "{path}"
        );
    }
    // Who reads may see what was deleted, who is of elsewhere not.
    let listed = |token: &str, org: &'static str| {
        let headers = [
            ("authorization", token),
            ("x-api-key", "key"),
            ("x-gw-ims-org-id", org),
            ("x-sandbox-name", "prod"),
        ];
        server.ask("GET", SYSTEM, &headers, b"").is(200)["children"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(
        (listed(&reads, "acme"), listed(&elsewhere, "other")),
        (1, 0)
    );
}

#[test]
fn another_sandbox_has_other_people() {
    let server = Serving::empty();
    let people = dataset(&server);
    let batch = load(&server, &people, &[person("ann@x.org")]);
    let mut headers = HEADERS.to_vec();
    headers.retain(|(name, _)| *name != "x-sandbox-name");
    headers.push(("x-sandbox-name", "dev"));
    let ask = |method: &str, path: &str| server.ask(method, path, &headers, b"").status;
    assert_eq!(ask("DELETE", &format!("{ENTITIES}?{ANN}")), 202);
    assert_eq!(ask("DELETE", &format!("{BATCHES}/{batch}")), 404);
    assert_eq!(ask("POST", &format!("{IMPORT}/{batch}?action=REVERT")), 404);
    headers.push(("content-type", "application/json"));
    let body = json!({"dataSetId": people}).to_string();
    assert_eq!(
        server.ask("POST", SYSTEM, &headers, body.as_bytes()).status,
        404
    );
    assert_eq!(holding(&server, "ann@x.org"), 1);
}

#[test]
fn a_batch_that_is_taken_back_is_gone_with_its_records() {
    let server = Serving::empty();
    let (people, visits) = (dataset(&server), event_dataset(&server));
    let target = server.target();
    load(&server, &visits, &[event("1", "ann@x.org")]);
    let second = load(
        &server,
        &visits,
        &[event("2", "bo@x.org"), event("3", "ann@x.org")],
    );
    let folded = load(
        &server,
        &people,
        &[person("ann@x.org"), person("cid@x.org")],
    );
    // Whatever runs the records are in by now.
    server.store().compact().unwrap();
    assert_eq!(exported(&server, &target), (3, 3));
    let shown = server.get(&format!("{BATCHES}/{second}")).is(200);
    assert_eq!(shown[&second]["sequences"], Value::Null);

    let revert = |batch: &str| {
        server.ask(
            "POST",
            &format!("{IMPORT}/{batch}?action=revert"),
            &HEADERS,
            b"",
        )
    };
    revert(&second).is(200);
    assert_eq!(exported(&server, &target), (2, 1));
    server.get(&format!("{BATCHES}/{second}")).is(404);
    revert(&second).is(404);
    // The exports of before hold it, the store's runs no more.
    let runs = server.folder.join("runs");
    let found = server
        .store()
        .verify_gone(&[Sought::new("bo@x.org")], &Progress::default())
        .unwrap();
    assert!(
        !found.holding.iter().any(|path| path.starts_with(&runs)),
        "{found:?}"
    );

    let gone = server.delete(&format!("{BATCHES}/{folded}")).is(200);
    assert_eq!(gone, json!([format!("@/batches/{folded}")]));
    assert_eq!(exported(&server, &target), (1, 1));

    let open = begin(&server, &people, &json!({"format": "json"}));
    server
        .delete(&format!("{BATCHES}/{open}"))
        .refuses(409, "loading");
    revert(&open).refuses(409, "loading");
    server
        .ask(
            "POST",
            &format!("{IMPORT}/{open}?action=ABORT"),
            &HEADERS,
            b"",
        )
        .is(200);
    server.delete(&format!("{BATCHES}/{open}")).is(200);
    server.get(&format!("{BATCHES}/{open}")).is(404);
    server
        .ask(
            "POST",
            &format!("{IMPORT}/{open}?action=UNDO"),
            &HEADERS,
            b"",
        )
        .refuses(400, "REVERT");
}

#[test]
fn a_batch_of_an_export_is_deleted_with_its_files() {
    let server = Serving::empty();
    let people = dataset(&server);
    let target = server.target();
    load(&server, &people, &[person("ann@x.org")]);
    let done = server.finished(server.job(&target, &json!({"sinceJob": "last"})));
    let batch = done["destination"]["batchId"].as_str().unwrap();
    let files = ["batches", "states"].map(|folder| server.folder.join(folder).join(batch));
    assert!(files.iter().all(|path| path.exists()));
    server.delete(&format!("{BATCHES}/{batch}")).is(200);
    assert!(!files.iter().any(|path| path.exists()));
    server.get(&format!("{BATCHES}/{batch}")).is(404);
    server.delete(&format!("{BATCHES}/{batch}")).is(404);
}

#[test]
fn system_jobs_delete_the_records_of_datasets_and_batches() {
    let server = Serving::empty();
    let (people, visits) = (dataset(&server), event_dataset(&server));
    let target = server.target();
    let of_people = load(&server, &people, &[person("ann@x.org"), person("bo@x.org")]);
    load(&server, &visits, &[event("1", "ann@x.org")]);
    let of_visits = load(
        &server,
        &visits,
        &[event("2", "ann@x.org"), event("3", "cid@x.org")],
    );
    let done = |body: &Value| {
        let job = server.post(SYSTEM, body).is(200);
        assert_eq!(
            (&job["jobType"], &job["status"]),
            (&json!("DELETE"), &json!("NEW"))
        );
        let path = format!("{SYSTEM}/{}", job["id"].as_str().unwrap());
        server.until(|| {
            let job = server.get(&path).is(200);
            ["COMPLETED", "ERROR"]
                .contains(&job["status"].as_str().unwrap())
                .then_some(job)
        })
    };
    let records = |job: &Value| -> u64 {
        assert_eq!(job["status"], "COMPLETED", "{job}");
        let metrics: Value = serde_json::from_str(job["metrics"].as_str().unwrap()).unwrap();
        metrics["recordsProcessed"].as_u64().unwrap()
    };
    let first = done(&json!({"batchId": of_visits}));
    assert_eq!(records(&first), 2);
    assert_eq!(exported(&server, &target), (2, 1));
    let second = done(&json!({"dataSetId": people}));
    assert_eq!(records(&second), 2);
    assert_eq!(exported(&server, &target), (1, 1));
    // The dataset stays, and takes records again.
    load(&server, &people, &[person("dan@x.org")]);
    assert_eq!(exported(&server, &target), (2, 1));

    server
        .post(SYSTEM, &json!({"batchId": of_people}))
        .refuses(400, "events");
    server.post(SYSTEM, &json!({})).refuses(400, "dataSetId");
    server
        .post(SYSTEM, &json!({"dataSetId": people, "batchId": of_visits}))
        .refuses(400, "one of");
    server
        .post(SYSTEM, &json!({"dataSetID": people}))
        .refuses(400, "dataSetId");
    server
        .post(SYSTEM, &json!({"dataSetId": "5b020a27e7040801dedba61a"}))
        .refuses(404, "5b020a");

    let page = server
        .get(&format!("{SYSTEM}?limit=1&sort=createEpoch:asc"))
        .is(200);
    assert_eq!(page["_page"], json!({"count": 1, "next": "1"}));
    let last = server.get(&format!("{SYSTEM}?limit=1&page=1")).is(200);
    assert_eq!(
        (
            &last["_page"]["next"],
            last["children"].as_array().unwrap().len()
        ),
        (&json!(""), 1)
    );
    server
        .get(&format!("{SYSTEM}?sort=name"))
        .refuses(400, "sort");
    let path = format!("{SYSTEM}/{}", second["id"].as_str().unwrap());
    let answer = server.delete(&path);
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    server.get(&path).is(404);
    server.delete(&path).is(404);
}

/// A job that a server left behind is done by the next.
#[test]
fn a_system_job_survives_its_server() {
    let home = TempDir::new().unwrap();
    let folder: &Path = home.path();
    let server = Serving::on(folder, |_| {});
    let people = dataset(&server);
    load(&server, &people, &[person("ann@x.org")]);
    let store = server.store();
    drop(server);
    let target = profile_export::platform::SystemJobBody {
        dataset_id: Some(people),
        batch_id: None,
    };
    let job = profile_export::platform::create_system_job(&store, &target).unwrap();
    assert_eq!(store.snapshot(None).unwrap().runs.len(), 1);
    let server = Serving::on(folder, |_| {});
    server.until(|| {
        let job = server.get(&format!("{SYSTEM}/{}", job.id)).is(200);
        (job["status"] == "COMPLETED").then_some(())
    });
    assert_eq!(store.snapshot(None).unwrap().runs.len(), 0);
}

/// A deletion waits for an evaluation, which would load what it has read before: longer than a look does, with a limit of its
/// own, and without keeping others from the store.
#[test]
fn a_deletion_waits_for_an_evaluation_within_a_limit_of_its_own() {
    let home = TempDir::new().unwrap();
    let server = Serving::on(home.path(), |settings| {
        settings.deletion_timeout = Duration::from_millis(700);
        settings.max_requests = 2;
    });
    let people = dataset(&server);
    let batch = load(&server, &people, &[person("ann@x.org"), person("bo@x.org")]);
    let evaluation = File::create(server.store().layout().evaluation_lock()).unwrap();
    evaluation.lock().unwrap();
    std::thread::scope(|scope| {
        let asked = [(); 4].map(|()| {
            scope.spawn(|| {
                server
                    .delete(&format!("{ENTITIES}?{ANN}"))
                    .refuses(503, "the deletion took");
            })
        });
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(server.get(DATASETS).status, 200);
        assert!(asked.iter().all(|asked| !asked.is_finished()));
    });
    let revert = format!("{IMPORT}/{batch}?action=REVERT");
    server
        .ask("POST", &revert, &HEADERS, b"")
        .refuses(503, "the deletion took");
    assert_eq!(holding(&server, "ann@x.org"), 1);
    evaluation.unlock().unwrap();
    server.delete(&format!("{ENTITIES}?{ANN}")).is(202);
    assert_eq!(holding(&server, "ann@x.org"), 0);
}
