//! What statements write into a store.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use tempfile::TempDir;

use super::{only, refused, rows, sql};
use crate::faults::{kill_at, moments};
use crate::lives::Place;
use crate::program::{fixture_store, program, run, stderr, stdout};

const CITIES: &str = "CREATE TABLE cities AS SELECT homeAddress.city AS city, count(*) AS people, \
                      max(loyalty) AS best FROM profile_snapshot_export GROUP BY 1";

fn done(store: &str, statement: &str) {
    stdout(&sql(store, statement, &[]));
}

fn batches(store: &Path) -> usize {
    fs::read_dir(store.join("batches")).unwrap().count()
}

#[test]
fn a_table_of_a_query_is_a_dataset_with_the_query_s_rows() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let made = sql(&store, CITIES, &[]);
    let count = only(&store, "SELECT count(*) AS n FROM cities")
        .as_u64()
        .unwrap();
    assert!(count > 3);
    assert!(
        stderr(&made).contains(&format!("SELECT {count}")),
        "{}",
        stderr(&made)
    );
    // The same rows as those of the query.
    let query = CITIES.split_once(" AS ").unwrap().1;
    let same = format!(
        "SELECT count(*) AS n FROM (SELECT city, people FROM ({query}) INTERSECT SELECT city, people FROM cities)"
    );
    assert_eq!(only(&store, &same), count);
    let known = rows(
        &store,
        "SELECT * FROM system_datasets WHERE table_name = 'cities'",
    );
    assert_eq!(known[0]["name"], "cities");
    let id = known[0]["id"].as_str().unwrap();
    let batch = format!("SELECT * FROM system_batches WHERE dataset_id = '{id}'");
    let batch = rows(&store, &batch);
    assert_eq!(batch[0]["status"], "success");
    assert_eq!(batch[0]["came_in"], false);
    assert_eq!(batch[0]["records_written"], count);
    // It is a snapshot, as a job's is, and is looked at by who verifies the store.
    let history = rows(
        &store,
        "SELECT snapshot_id FROM (SELECT history_meta('cities'))",
    );
    assert_eq!(history, [json!({"snapshot_id": batch[0]["id"]})]);
    stdout(&run(&["store", "verify", "--store", &store]));
    // Profiles know nothing of it.
    let loaded = run(&["ingest", "--dataset", "cities", "--store", &store, "-"]);
    assert!(
        !loaded.status.success() && stderr(&loaded).contains("INSERT INTO"),
        "{}",
        stderr(&loaded)
    );

    refused(&store, CITIES, "42P07");
    refused(&store, "CREATE TABLE CRM AS SELECT 1 AS n", "42P07");
    done(&store, &CITIES.replace("TABLE", "TABLE IF NOT EXISTS"));
    assert_eq!(only(&store, "SELECT count(*) AS n FROM cities"), count);
}

#[test]
fn rows_are_added_to_a_table_by_the_names_of_its_columns() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    done(
        &store,
        "CREATE TABLE t AS SELECT 1 AS n, 'a' AS s, 0.5 AS d, null AS nothing, array(struct(1 AS x)) AS list",
    );
    done(&store, "INSERT INTO t SELECT 'b' AS S, 2 AS N");
    done(&store, "INSERT INTO t (d, n) VALUES (1, 3), (2.5, 4)");
    done(&store, "INSERT INTO t VALUES (5, 'e', 5.5, 'text', null)");
    done(&store, "INSERT INTO t SELECT * FROM t WHERE n = 1");
    done(&store, "INSERT INTO t SELECT n FROM t WHERE false");
    let found = rows(&store, "SELECT * FROM t ORDER BY n");
    let list = json!([{"x": 1}]);
    assert_eq!(
        found,
        [
            json!({"n": 1, "s": "a", "d": 0.5, "list": list}),
            json!({"n": 1, "s": "a", "d": 0.5, "list": list}),
            json!({"n": 2, "s": "b"}),
            json!({"n": 3, "d": 1.0}),
            json!({"n": 4, "d": 2.5}),
            json!({"n": 5, "s": "e", "d": 5.5, "nothing": "text"}),
        ]
    );
    // A batch of no rows is none.
    assert_eq!(batches(Path::new(&store)), 5);
    for (statement, code, names) in [
        ("INSERT INTO t SELECT 'x' AS n", "42804", "\"n\""),
        ("INSERT INTO t SELECT 1 AS other", "42703", "\"other\""),
        (
            "INSERT INTO t (n) SELECT 1 AS a, 2 AS b",
            "42601",
            "1 columns",
        ),
        (
            "INSERT INTO t (n, N) SELECT 1 AS a, 2 AS b",
            "42701",
            "called",
        ),
        ("INSERT INTO nowhere SELECT 1 AS n", "42P01", "nowhere"),
        (
            "INSERT INTO profile_snapshot_export SELECT 1 AS n",
            "42809",
            "takes no rows",
        ),
        (
            "CREATE TEMP TABLE own AS SELECT 1 AS n; INSERT INTO own SELECT 2 AS n",
            "42809",
            "temporary",
        ),
        (
            "CREATE VIEW v AS SELECT 1 AS n; INSERT INTO v SELECT 2 AS n",
            "42809",
            "view",
        ),
        ("CREATE TABLE u AS SELECT 1 AS a, 2 AS A", "42701", "called"),
        (
            "CREATE TABLE u WITH (colour = 'red') AS SELECT 1 AS a",
            "0A000",
            "colour",
        ),
        (
            "CREATE TABLE u WITH (label = 'PROFILE') AS SELECT 1 AS a",
            "22023",
            "schema",
        ),
        (
            "CREATE TABLE u WITH (schema = 'nothing') AS SELECT 1 AS a",
            "42704",
            "nothing",
        ),
    ] {
        let said = refused(&store, statement, code);
        assert!(said.contains(names), "{statement}: {said}");
    }
    assert_eq!(only(&store, "SELECT count(*) AS n FROM t"), 6);
}

#[test]
fn a_table_without_batches_has_its_columns() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    done(
        &store,
        "CREATE TABLE t AS SELECT 'z' AS z, CAST(1 AS int) AS i, array(struct(1 AS x, 'a' AS y)) AS a, map('k', 0.5) AS m",
    );
    let batch = "SELECT b.id FROM system_batches b JOIN system_datasets d ON b.dataset_id = d.id WHERE table_name = 't'";
    let batch = only(&store, batch);
    stdout(&run(&[
        "batches",
        "delete",
        batch.as_str().unwrap(),
        "--store",
        &store,
    ]));
    assert_eq!(batches(Path::new(&store)), 0);
    assert_eq!(rows(&store, "SELECT * FROM t"), [json!(null); 0]);
    let wide = refused(&store, "INSERT INTO t (i) VALUES (3000000000)", "22000");
    assert!(wide.contains("Int32"), "{wide}");
    done(&store, "INSERT INTO t VALUES ('b', 2, null, map('l', 1.5))");
    assert_eq!(
        rows(&store, "SELECT * FROM t"),
        [json!({"z": "b", "i": 2, "m": {"l": 1.5}})]
    );
}

/// What is read again is what was written.
#[test]
fn a_number_that_its_column_can_t_hold_as_it_is_is_refused() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    done(
        &store,
        "CREATE TABLE t AS SELECT 0.5 AS d, array(0.5) AS list, struct(0.5 AS x) AS part",
    );
    for value in [
        "d) VALUES (1), (9007199254740993)",
        "list) VALUES (array(1)), (array(1, 9007199254740993))",
        "part) SELECT struct(n AS x) AS part FROM (SELECT explode(array(1, 9007199254740993)) AS n)",
    ] {
        let said = refused(&store, &format!("INSERT INTO t ({value}"), "22000");
        assert!(said.contains("row 2"), "{value}: {said}");
    }
    done(
        &store,
        "INSERT INTO t (d) VALUES (9007199254740992), (0.1), (CAST(9007199254740993 AS double))",
    );
    let sum = only(
        &store,
        "SELECT count(*) AS n FROM t WHERE d IN (0.1, 9007199254740992)",
    );
    assert_eq!(sum, 3);
}

#[test]
fn rows_of_a_dataset_of_records_are_loaded_as_records() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let people = |column: &str| {
        only(
            &store,
            &format!("SELECT count(*) AS n FROM profile_snapshot_export WHERE {column}"),
        )
        .as_u64()
        .unwrap()
    };
    let before = people("true");
    let insert = "INSERT INTO loyalty SELECT struct(concat('new', n, '@example.com') AS address) AS PersonalEmail, \
                  struct(n * 10 AS points, 'gold' AS tier) AS loyalty FROM (SELECT explode(array(1, 2, 3)) AS n)";
    let inserted = sql(&store, insert, &[]);
    assert!(
        stderr(&inserted).contains("INSERT 0 3"),
        "{}",
        stderr(&inserted)
    );
    assert_eq!(people("true"), before + 3);
    assert_eq!(
        people("personalEmail.address = 'new2@example.com' AND loyalty.points = 20"),
        1
    );
    let batch = rows(&store, "SELECT * FROM system_batches");
    assert_eq!(batch.len(), 1);
    assert_eq!(
        (&batch[0]["came_in"], &batch[0]["records_written"]),
        (&json!(true), &json!(3))
    );
    // As any batch that came in, it can be taken back.
    let events = "INSERT INTO visits (_id, timestamp, identityMap) VALUES ('sql-1', to_timestamp('2018-11-01 10:00:00'), \
                  map('Email', array(struct('new1@example.com' AS id, true AS primary))))";
    done(&store, events);
    // An event that is there already is not written once more, and not counted.
    let again = sql(&store, events, &[]);
    let said = stderr(&again);
    assert!(
        said.contains("INSERT 0 0") && said.contains("1 rows were there already"),
        "{said}"
    );
    assert_eq!(
        only(
            &store,
            "SELECT count(*) AS n FROM visits WHERE _id = 'sql-1'"
        ),
        1
    );

    let one_bad = |email: &str, points: &str| {
        format!(
            "INSERT INTO loyalty SELECT struct({email} AS address) AS personalEmail, struct({points} AS points) AS loyalty \
             FROM (SELECT explode(array(1, 2, 3)) AS n)"
        )
    };
    let said = refused(
        &store,
        &one_bad("CASE WHEN n = 2 THEN null ELSE concat('bad', n) END", "n"),
        "22000",
    );
    assert!(
        said.contains("row 2") && said.contains("personalEmail"),
        "{said}"
    );
    let said = refused(
        &store,
        &one_bad("concat('bad', n)", "CASE WHEN n = 3 THEN 0.5 ELSE 1.0 END"),
        "22000",
    );
    assert!(
        said.contains("row 3") && said.contains("loyalty.points"),
        "{said}"
    );
    refused(&store, "INSERT INTO loyalty SELECT 'a' AS nosuch", "42703");
    refused(&store, "INSERT INTO loyalty SELECT * FROM loyalty", "42703");
    refused(&store, "INSERT INTO loyalty VALUES ('a')", "42601");
    assert_eq!(people("true"), before + 3);
    assert_eq!(rows(&store, "SELECT * FROM system_batches").len(), 3);
}

#[test]
fn a_table_on_a_schema_has_records() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let made = "CREATE TABLE more WITH (schema = 'loyalty', rowvalidation = 'false', label = 'PROFILE') AS \
                SELECT struct('more@example.com' AS address) AS personalEmail, struct(5 AS points) AS loyalty";
    done(&store, made);
    let found = "SELECT count(*) AS n FROM profile_snapshot_export WHERE personalEmail.address = 'more@example.com'";
    assert_eq!(only(&store, found), 1);
    // Its records are those of the other dataset on that schema: who they are stands where it says, and a number is one.
    let wrong = made.replace("TABLE more", "TABLE wrong");
    let elsewhere = wrong.replace(
        "struct('more@example.com' AS address) AS personalEmail",
        "map('Email', array(struct('more@example.com' AS id, true AS primary))) AS identityMap",
    );
    let said = refused(&store, &elsewhere, "22000");
    assert!(said.contains("personalEmail"), "{said}");
    refused(
        &store,
        &wrong.replace("5 AS points", "'many' AS points"),
        "22000",
    );
    // What is no record makes no dataset.
    let bad = "CREATE TABLE bad WITH (schema = 'loyalty') AS SELECT struct(5 AS points) AS loyalty";
    refused(&store, bad, "22000");
    refused(&store, "SELECT * FROM bad", "42P01");
}

#[test]
fn dropped_tables_are_gone_and_what_is_always_there_stays() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    done(&store, CITIES);
    assert_eq!(batches(Path::new(&store)), 1);
    refused(&store, "DROP TABLE cities, system_jobs", "42501");
    refused(&store, "DROP TABLE profile_snapshot_export", "42501");
    refused(&store, "DROP TABLE nowhere", "42P01");
    refused(
        &store,
        "CREATE VIEW v AS SELECT 1 AS n; DROP TABLE v",
        "42809",
    );
    done(
        &store,
        "DROP TABLE cities, loyalty, cities; DROP TABLE IF EXISTS cities",
    );
    refused(&store, "SELECT * FROM cities", "42P01");
    refused(&store, "SELECT * FROM loyalty", "42P01");
    assert_eq!(batches(Path::new(&store)), 0);
}

/// Each statement is a transaction of its own, and whoever takes them back must know.
#[test]
fn rollback_says_what_stays() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let said = refused(
        &store,
        "BEGIN; CREATE TABLE t AS SELECT 1 AS n; INSERT INTO t VALUES (2); ROLLBACK",
        "0A000",
    );
    assert!(said.contains("CREATE TABLE t, INSERT INTO t"), "{said}");
    assert_eq!(only(&store, "SELECT count(*) AS n FROM t"), 2);
    done(
        &store,
        "BEGIN; INSERT INTO t VALUES (3); COMMIT; BEGIN; SELECT * FROM t; ROLLBACK; ROLLBACK",
    );
    let said = refused(&store, "BEGIN; DROP TABLE t; ROLLBACK", "0A000");
    assert!(said.contains("DROP TABLE t"), "{said}");
}

#[test]
fn a_session_that_may_only_read_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    for statement in [
        CITIES,
        "INSERT INTO loyalty SELECT 1 AS loyalty",
        "DROP TABLE crm",
    ] {
        let output = sql(&store, statement, &["--read-only"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("[42501]"), "{}", stderr(&output));
    }
    // Its own is its own.
    let own = "CREATE TEMP TABLE t AS SELECT 1 AS n; DROP TABLE t";
    stdout(&sql(&store, own, &["--read-only"]));
}

/// A load waits for its rows, and profiles are made on the same threads: one must not wait for the other.
#[test]
fn one_thread_is_enough_to_write_what_profiles_are() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let insert = "INSERT INTO loyalty SELECT personalEmail, struct(1 AS points) AS loyalty FROM profile_snapshot_export \
                  WHERE personalEmail.address IS NOT NULL";
    stdout(&sql(&store, insert, &["--threads", "1"]));
    assert!(
        only(
            &store,
            "SELECT count(*) AS n FROM loyalty WHERE loyalty.points = 1"
        )
        .as_u64()
        .unwrap()
            > 3
    );
}

/// Whenever a process is killed that writes: the rows are there, all of them, or none; and nothing is left of them.
#[test]
fn a_killed_statement_has_written_all_or_nothing() {
    let place = Place::small();
    let store = place.store.to_str().unwrap();
    let many = "(SELECT pos AS n FROM (SELECT posexplode(split(repeat('x,', 59999), ','))))";
    done(store, "CREATE TABLE t AS SELECT 0 AS n, 'x' AS s");
    let statements = [
        format!("INSERT INTO t SELECT n, concat('s', n) AS s FROM {many}"),
        format!(
            "INSERT INTO crm SELECT map('Email', array(struct(concat('k', n) AS id, true AS primary))) AS identityMap, \
             array('killed') AS tags FROM {many}"
        ),
    ];
    let counts = [
        "SELECT count(*) - 1 AS n FROM t",
        "SELECT count(*) AS n FROM crm WHERE tags[0] = 'killed'",
    ];
    for (statement, count) in std::iter::zip(&statements, counts) {
        let write = || {
            let mut command = program();
            command.args(["sql", statement, "--store", store, "--quiet"]);
            command
        };
        let start = Instant::now();
        assert!(write().status().unwrap().success());
        let whole = start.elapsed();
        let mut expected = 60_000;
        assert_eq!(only(store, count), expected);
        for moment in 0..moments() {
            let told = kill_at(&mut write(), moment, moments(), whole);
            let found = only(store, count).as_u64().unwrap();
            // Records of the same identities replace each other.
            let more = if count.contains("crm") { 0 } else { 60_000 };
            assert!(
                found == expected || found == expected + more,
                "{found} after {expected}"
            );
            assert!(!told || found == expected + more, "it was told to be done");
            expected = found;
        }
    }
    stdout(&run(&["store", "verify", "--store", store]));
    // The next one that writes deletes what is left.
    done(store, "INSERT INTO t SELECT 1 AS n");
    let known = only(
        store,
        "SELECT count(*) AS n FROM system_batches WHERE came_in = false",
    );
    assert_eq!(batches(&place.store), known.as_u64().unwrap() as usize);
    assert_eq!(
        fs::read_dir(place.store.join("staging")).unwrap().count(),
        0
    );
}

#[test]
fn who_is_deleted_everywhere_is_gone_from_what_statements_wrote() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let whose = "person226@example.com";
    let made = format!(
        "CREATE TABLE t AS SELECT personalEmail.address AS email FROM profile_snapshot_export WHERE personalEmail.address = '{whose}'"
    );
    done(&store, &made);
    done(&store, "CREATE TABLE others AS SELECT 1 AS n");
    assert_eq!(only(&store, "SELECT count(*) AS n FROM t"), 1);
    let whose = format!("Email:{whose}");
    stdout(&run(&[
        "profiles",
        "delete",
        &whose,
        "--everywhere",
        "--store",
        &store,
    ]));
    stdout(&run(&[
        "store", "verify", "--gone", &whose, "--store", &store,
    ]));
    let left = rows(
        &store,
        "SELECT table_name FROM system_batches b JOIN system_datasets d ON b.dataset_id = d.id",
    );
    assert_eq!(left, [json!({"table_name": "others"})]);
}
