//! The query service, over something that runs no SQL: what statements say is what becomes of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use profile_export::export::Progress;
use profile_export::queries::{
    QueryDid, QueryEnd, QueryProblem, QueryTarget, QueryWork, begin_query,
};
use profile_export::store::Store;
use profile_export_server::SqlRunner;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::serving::{DATASETS, HEADERS, Serving, union_dataset};

const SERVICE: &str = "/data/foundation/query";
const QUERIES: &str = "/data/foundation/query/queries";
const TEMPLATES: &str = "/data/foundation/query/query-templates";
const SCHEDULES: &str = "/data/foundation/query/schedules";

/// `rows N`, `wait`, `panic`; all else is no SQL.
#[derive(Debug)]
pub(crate) struct Words;

impl SqlRunner for Words {
    fn run(&self, _: &Arc<Store>, work: &QueryWork, progress: &Progress) -> QueryEnd {
        let dataset = match &work.target {
            QueryTarget::Nothing => None,
            QueryTarget::New(new) => Some(new.dataset_name.clone()),
            QueryTarget::Dataset(id) => Some(id.clone()),
        };
        match work.sql.split_once(' ').unwrap_or((&work.sql, "")) {
            ("rows", number) => QueryEnd::done(QueryDid {
                rows: number.parse().unwrap(),
                dataset,
                ..QueryDid::default()
            }),
            ("writes", _) => QueryEnd::done(QueryDid {
                made: true,
                added: true,
                ..QueryDid::default()
            }),
            ("wait", _) => {
                while !progress.is_cancelled() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                match work.sql.ends_with("half") {
                    false => QueryEnd::stopped(),
                    true => QueryEnd {
                        did: QueryDid {
                            dataset: Some("other".to_owned()),
                            ..QueryDid::default()
                        },
                        ..QueryEnd::stopped()
                    },
                }
            }
            ("panic", _) => panic!("on purpose"),
            (word, _) => QueryEnd::failed(QueryProblem::new("42601", format!("found {word:?}"))),
        }
    }
}

fn serving(folder: &Path) -> Serving {
    Serving::on(folder, |settings| settings.sql = Some(Arc::new(Words)))
}

fn create(server: &Serving, body: &Value) -> String {
    let made = server.post(QUERIES, body).is(202);
    assert_eq!(made["state"], "SUBMITTED");
    made["id"].as_str().unwrap().to_owned()
}

fn ended(server: &Serving, id: &str) -> Value {
    server.until(|| {
        let query = server.get(&format!("{QUERIES}/{id}")).is(200);
        let open = ["SUBMITTED", "IN_PROGRESS"].contains(&query["state"].as_str().unwrap());
        (!open).then_some(query)
    })
}

fn is_in(server: &Serving, id: &str, state: &str) {
    server.until(|| {
        let query = server.get(&format!("{QUERIES}/{id}")).is(200);
        (query["state"] == state).then_some(())
    });
}

#[test]
fn a_server_without_sql_says_so() {
    let server = Serving::empty();
    server.get(QUERIES).refuses(404, "built without SQL");
    let described = server.get("/openapi.json").is(200);
    assert_eq!(described["paths"].get(QUERIES), None);
}

#[test]
fn queries_run_by_themselves_and_say_how_they_ended() {
    let home = TempDir::new().unwrap();
    let server = serving(home.path());
    let id = create(
        &server,
        &json!({"dbName": "prod:all", "sql": "rows 7", "name": "seven"}),
    );
    let query = ended(&server, &id);
    assert_eq!(
        (&query["state"], &query["rowCount"], &query["errors"]),
        (&json!("SUCCESS"), &json!(7), &json!([]))
    );
    assert_eq!(
        query["request"],
        json!({"dbName": "prod:all", "sql": "rows 7", "name": "seven"})
    );
    assert_eq!(
        (&query["client"], &query["userId"]),
        (&json!("API"), &json!("local"))
    );
    let failed = ended(&server, &create(&server, &json!({"sql": "nonsense"})));
    assert_eq!(failed["state"], "FAILED");
    assert_eq!(
        failed["errors"],
        json!([{"code": "42601", "message": "found \"nonsense\"", "errorType": "USER_ERROR"}])
    );
    let broken = ended(&server, &create(&server, &json!({"sql": "panic"})));
    assert_eq!(
        (&broken["state"], &broken["errors"][0]["code"]),
        (&json!("FAILED"), &json!("XX000"))
    );

    let made = server.post(DATASETS, &union_dataset("People")).is(201);
    let dataset = made[0]
        .as_str()
        .unwrap()
        .strip_prefix("@/dataSets/")
        .unwrap();
    let into = ended(
        &server,
        &create(
            &server,
            &json!({"sql": "rows 2", "insertIntoParameters": {"datasetName": "People"}}),
        ),
    );
    assert_eq!(into["isInsertInto"], true);
    assert_eq!(into["_links"]["referenced_datasets"][0]["id"], dataset);
    let ctas =
        json!({"sql": "rows 2", "ctasParameters": {"datasetName": "new", "description": "x"}});
    assert_eq!(ended(&server, &create(&server, &ctas))["isCTAS"], true);

    for (body, says) in [
        (json!({}), "sql: missing"),
        (json!({"sql": " "}), "no statement"),
        (
            json!({"sql": "rows 1", "templateId": "x"}),
            "one of the two",
        ),
        (json!({"templateId": "x"}), "no query template"),
        (json!({"sql": "rows 1", "dbName": "dev:all"}), "prod:all"),
        (
            json!({"sql": "rows $n", "queryParameters": {"m": 1}}),
            "queryParameters.n",
        ),
        (
            json!({"sql": "rows 1", "insertIntoParameters": {"datasetName": "nowhere"}}),
            "nowhere",
        ),
        (json!({"sql": "rows 1", "colour": "red"}), "colour"),
    ] {
        server.post(QUERIES, &body).refuses(400, says);
    }
    server
        .get(&format!("{QUERIES}/nothing"))
        .refuses(404, "nothing");
    // Nobody who may only read runs statements.
    server
        .get(&format!("{SERVICE}/connection_parameters"))
        .refuses(404, "serve --sql");
}

#[test]
fn queries_are_cancelled_and_left_out_of_lists() {
    let home = TempDir::new().unwrap();
    let server = Serving::on(home.path(), |settings| {
        settings.sql = Some(Arc::new(Words));
        settings.workers = 1;
    });
    let running = create(&server, &json!({"sql": "wait"}));
    is_in(&server, &running, "IN_PROGRESS");
    let waiting = create(&server, &json!({"sql": "rows 1"}));
    let path = |id: &str| format!("{QUERIES}/{id}");
    let patch = |id: &str, op: &str| server.send("PATCH", &path(id), &json!({"op": op}));
    patch(&running, "soft_delete").refuses(409, "cancel it first");
    assert_eq!(patch(&waiting, "cancel").is(202)["statusCode"], 202);
    assert_eq!(server.get(&path(&waiting)).is(200)["state"], "KILLED");
    patch(&running, "cancel").is(202);
    assert_eq!(ended(&server, &running)["state"], "KILLED");
    patch(&running, "cancel").refuses(409, "it has ended");
    patch(&running, "soft_delete").is(202);
    server.delete(&path(&waiting)).is(202);
    let listed = |more: &str| {
        server.get(&format!("{QUERIES}?{more}")).is(200)["queries"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(listed(""), 0);
    assert_eq!(listed("excludeSoftDeleted=false"), 2);
    assert_eq!(patch(&running, "explode").status, 400);
}

#[test]
fn what_was_written_before_a_query_was_ended_is_told() {
    let home = TempDir::new().unwrap();
    let server = serving(home.path());
    let id = create(&server, &json!({"sql": "wait half"}));
    is_in(&server, &id, "IN_PROGRESS");
    let path = format!("{QUERIES}/{id}");
    server
        .send("PATCH", &path, &json!({"op": "cancel"}))
        .is(202);
    let killed = ended(&server, &id);
    assert_eq!(killed["state"], "KILLED");
    let told = killed["errors"][0]["message"].as_str().unwrap();
    assert!(told.contains("dataset other"), "{told}");
    assert_eq!(killed["_links"]["referenced_datasets"][0]["id"], "other");
    // What statements do by themselves is known when they are done.
    let wrote = ended(&server, &create(&server, &json!({"sql": "writes"})));
    assert_eq!(
        (&wrote["isCTAS"], &wrote["isInsertInto"]),
        (&json!(true), &json!(true))
    );
}

#[test]
fn so_many_queries_wait_and_no_more_and_what_they_name_may_go() {
    let home = TempDir::new().unwrap();
    let server = Serving::on(home.path(), |settings| {
        settings.sql = Some(Arc::new(Words));
        settings.workers = 1;
        settings.max_waiting_jobs = 1;
    });
    let running = create(&server, &json!({"sql": "wait"}));
    is_in(&server, &running, "IN_PROGRESS");
    let body = json!({"name": "some", "sql": "rows 5"});
    let template = server.post(TEMPLATES, &body).is(202);
    let template = template["id"].as_str().unwrap();
    let waiting = create(&server, &json!({"templateId": template}));
    server
        .post(QUERIES, &json!({"sql": "rows 1"}))
        .refuses(503, "wait already");
    server.delete(&format!("{TEMPLATES}/{template}")).is(202);
    let path = format!("{QUERIES}/{running}");
    server
        .send("PATCH", &path, &json!({"op": "cancel"}))
        .is(202);
    assert_eq!(ended(&server, &waiting)["rowCount"], 5);
}

#[test]
fn lists_have_pages_orders_and_filters() {
    let home = TempDir::new().unwrap();
    let server = serving(home.path());
    let ids: Vec<String> = (0..5)
        .map(|n| create(&server, &json!({"sql": format!("rows {n}")})))
        .collect();
    ids.iter().for_each(|id| drop(ended(&server, id)));
    let mut seen = Vec::new();
    let mut link = format!("{QUERIES}?limit=2&orderby=%2Bcreated");
    loop {
        let page = server.get(&link).is(200);
        let queries = page["queries"].as_array().unwrap();
        assert_eq!(page["_page"]["count"], queries.len());
        seen.extend(
            queries
                .iter()
                .map(|query| query["id"].as_str().unwrap().to_owned()),
        );
        match page["_links"]["next"]["href"].as_str() {
            Some(next) => link = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let newest = server.get(&format!("{QUERIES}?limit=1")).is(200);
    assert_eq!(newest["queries"][0]["id"], *ids[4]);
    for (property, count) in [
        ("state==SUCCESS".to_owned(), 5),
        ("state==FAILED".to_owned(), 0),
        (format!("id=={}", ids[1]), 1),
        ("sql~ROWS%203".to_owned(), 1),
        ("userId==local,created%3E2020-01-01T00:00:00Z".to_owned(), 5),
    ] {
        let page = server
            .get(&format!("{QUERIES}?property={property}"))
            .is(200);
        assert_eq!(
            page["queries"].as_array().unwrap().len(),
            count,
            "{property}"
        );
    }
    server
        .get(&format!("{QUERIES}?property=colour==red"))
        .refuses(400, "colour");
    server
        .get(&format!("{QUERIES}?property="))
        .refuses(400, "property");
}

#[test]
fn what_ran_when_a_process_died_has_failed_and_what_waited_is_run() {
    let home = TempDir::new().unwrap();
    // One without SQL runs nothing.
    let waits = {
        let server = serving(home.path());
        let id = create(&server, &json!({"sql": "wait"}));
        is_in(&server, &id, "IN_PROGRESS");
        id
    };
    let server = serving(home.path());
    let stopped = server.get(&format!("{QUERIES}/{waits}")).is(200);
    assert_eq!(
        (&stopped["state"], &stopped["errors"][0]["code"]),
        (&json!("FAILED"), &json!("57P01"))
    );
    let store = server.store();
    drop(server);
    let body = serde_json::from_value(json!({"sql": "rows 1"})).unwrap();
    let left = profile_export::queries::create_query(&store, body, "me")
        .unwrap()
        .id;
    begin_query(&store, &left).unwrap();
    let body = serde_json::from_value(json!({"sql": "rows 3"})).unwrap();
    let waiting = profile_export::queries::create_query(&store, body, "me")
        .unwrap()
        .id;
    drop(store);
    let server = serving(home.path());
    let failed = server.get(&format!("{QUERIES}/{left}")).is(200);
    assert_eq!(
        (&failed["state"], &failed["errors"][0]["code"]),
        (&json!("FAILED"), &json!("58000"))
    );
    assert!(
        failed["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("process")
    );
    assert_eq!(ended(&server, &waiting)["rowCount"], 3);
}

#[test]
fn templates_are_kept_and_queries_fill_them_in() {
    let home = TempDir::new().unwrap();
    let server = serving(home.path());
    let body = json!({"name": "some", "sql": "rows $n", "queryParameters": {"n": 5}});
    let made = server.post(TEMPLATES, &body).is(202);
    let id = made["id"].as_str().unwrap();
    let query = ended(&server, &create(&server, &json!({"templateId": id})));
    assert_eq!(
        (&query["rowCount"], &query["sql"], &query["templateId"]),
        (&json!(5), &json!("rows 5"), &json!(id))
    );
    let query = json!({"templateId": id, "queryParameters": {"n": 6}});
    assert_eq!(ended(&server, &create(&server, &query))["rowCount"], 6);
    let path = format!("{TEMPLATES}/{id}");
    let changed = server
        .send("PUT", &path, &json!({"name": "other", "sql": "rows 1"}))
        .is(202);
    assert_eq!(
        (&changed["version"], &changed["created"]),
        (&json!(2), &made["created"])
    );
    assert_eq!(server.get(&path).is(200), changed);
    let listed = |property: &str| {
        server
            .get(&format!("{TEMPLATES}?property={property}"))
            .is(200)["templates"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!([listed("name~oth"), listed("name==some")], [1, 0]);
    server
        .post(TEMPLATES, &json!({"name": " ", "sql": "rows 1"}))
        .refuses(400, "name");
    server.delete(&path).is(202);
    server.get(&path).refuses(404, id);
}

#[test]
fn schedules_create_runs_by_themselves_and_when_they_are_asked_to() {
    let home = TempDir::new().unwrap();
    let server = serving(home.path());
    let body = |times: &str| json!({"query": {"dbName": "prod:all", "sql": "rows 4", "name": "four"}, "schedule": {"schedule": times}});
    let made = server.post(SCHEDULES, &body("@once")).is(202);
    assert_eq!(made["state"], "REGISTERING");
    assert!(made["created"].as_str().unwrap().parse::<i64>().unwrap() > 1_700_000_000_000);
    let id = made["id"].as_str().unwrap();
    let runs = |id: &str| {
        server.get(&format!("{SCHEDULES}/{id}/runs")).is(200)["runsSchedules"]
            .as_array()
            .unwrap()
            .clone()
    };
    let first = server.until(|| runs(id).first().cloned());
    assert_eq!(first["externalTrigger"], "scheduled");
    let run = first["id"].as_str().unwrap();
    assert_eq!(ended(&server, run)["scheduleId"], *id);

    // At other times none is due now.
    let nightly = server.post(SCHEDULES, &body("30 2 * * *")).is(202);
    let nightly = nightly["id"].as_str().unwrap();
    let path = format!("{SCHEDULES}/{nightly}");
    assert_eq!(server.get(&path).is(200)["state"], "ENABLED");
    server.post(&format!("{path}/runs"), &json!({})).is(202);
    let triggered = runs(nightly);
    assert_eq!(
        (triggered.len(), &triggered[0]["externalTrigger"]),
        (1, &json!("manual"))
    );
    let run = triggered[0]["id"].as_str().unwrap();
    assert_eq!(
        server.get(&format!("{path}/runs/{run}")).is(200)["queryId"],
        *run
    );
    server
        .get(&format!("{SCHEDULES}/{id}/runs/{run}"))
        .refuses(404, run);

    let change = |place: &str, value: &str| {
        let change = json!({"body": [{"op": "replace", "path": place, "value": value}]});
        server.send("PATCH", &path, &change)
    };
    change("/state", "disable").is(202);
    change("/schedule/schedule", "@daily").is(202);
    let shown = server.get(&path).is(200);
    assert_eq!(
        (&shown["state"], &shown["schedule"]["schedule"]),
        (&json!("DISABLED"), &json!("@daily"))
    );
    change("/state", "sleep").refuses(400, "enable and disable");
    change("/schedule/schedule", "sometimes").refuses(400, "schedule.schedule");
    let listed = server.get(&format!("{SCHEDULES}?limit=1")).is(200);
    assert_eq!(listed["schedules"][0]["id"], *nightly);
    // One that runs keeps others from being asked for; one that is to be done once is due.
    let body = json!({"query": {"sql": "wait"}, "schedule": {"schedule": "30 2 * * *"}});
    let slow = server.post(SCHEDULES, &body).is(202);
    let slow_path = format!("{SCHEDULES}/{}", slow["id"].as_str().unwrap());
    server
        .post(&format!("{slow_path}/runs"), &json!({}))
        .is(202);
    server
        .post(&format!("{slow_path}/runs"), &json!({}))
        .refuses(409, "maxActiveRuns");
    change("/state", "enable").is(202);
    change("/schedule/schedule", "@once").is(202);
    server.until(|| (runs(nightly).len() == 2).then_some(()));
    change("/state", "disable").is(202);
    change("/state", "enable").is(202);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(runs(nightly).len(), 2);
    server.delete(&path).is(202);
    server.get(&path).refuses(404, nightly);
    // One that was done once is not done again.
    assert_eq!(runs(id).len(), 1);
}

#[test]
fn whoever_may_only_read_runs_nothing() {
    let home = TempDir::new().unwrap();
    let tokens = home.path().join("tokens.json");
    let token = profile_export_server::Tokens::create(
        &tokens,
        profile_export_server::NewToken {
            name: "reader".to_owned(),
            org: "acme".to_owned(),
            sandbox: "prod".to_owned(),
            rights: profile_export_server::Rights::Read,
        },
    )
    .unwrap();
    let store = home.path().join("store");
    let server = Serving::on(&store, |settings| {
        settings.sql = Some(Arc::new(Words));
        settings.token_file = Some(tokens.clone());
        let front = ([0, 0, 0, 0], 5433).into();
        settings.postgres.set(front).expect("it was not set");
    });
    let bearer = format!("Bearer {token}");
    let mut headers = HEADERS.to_vec();
    headers[0].1 = &bearer;
    assert_eq!(
        server.ask("GET", QUERIES, &headers, b"").is(200)["queries"],
        json!([])
    );
    let where_to = server
        .ask(
            "GET",
            &format!("{SERVICE}/connection_parameters"),
            &headers,
            b"",
        )
        .is(200);
    assert_eq!(
        (
            &where_to["port"],
            &where_to["dbName"],
            &where_to["username"]
        ),
        (&json!(5433), &json!("prod:all"), &json!("acme"))
    );
    assert_eq!(where_to["token"], *token);
    // All addresses are none to connect to: the one that was asked at is.
    assert_eq!(
        (&where_to["host"], &where_to["websocketHost"]),
        (&json!("127.0.0.1"), &json!("127.0.0.1"))
    );
    let body = json!({"sql": "rows 1"}).to_string();
    for path in [QUERIES, TEMPLATES, SCHEDULES] {
        assert_eq!(
            server.ask("POST", path, &headers, body.as_bytes()).status,
            403,
            "{path}"
        );
    }
}
