//! What a store does by itself changes no row: statements over its tables, and over copies of all their rows.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures_util::TryStreamExt as _;
use profile_export::export::Progress;
use profile_export::platform::SourceFolder;
use profile_export::store::{BadRecordLimit, LoadOptions, OnBadRecord, Scope, Store};
use profile_export_sql::{Options, Outcome, Session};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The tables, and the copies.
const TABLES: [(&str, &str); 5] = [
    ("profile_snapshot_export", "p"),
    ("profile_snapshot_export_timestampordered_pdg_mp", "j"),
    ("crm", "c"),
    ("mail", "m"),
    ("visits", "v"),
];
const NAMESPACES: [&str; 6] = ["ECID", "ecid", "Email", "email", "crmId", "CRMID"];
/// Some are nobody's, to all datasets or to one; some differ in case or blanks alone.
const IDS: [&str; 9] = ["a", "A", "b", "b ", "anonymous", "NULL", " ", "n/a", "c"];
const DAYS: [&str; 3] = ["2024-01-01", "2024-02-01", "2024-03-01"];

/// An identity: the number of its namespace and of its id, and whether it is the primary one.
type Known = (usize, usize, bool);

#[derive(Clone, Debug)]
enum Step {
    /// Loads records: of `crm`, `mail` or `visits`, with what their identity maps name, and the day of each.
    Load(usize, Vec<(Vec<Known>, usize, usize)>),
    Compact,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let known = (0..NAMESPACES.len(), 0..IDS.len(), any::<bool>());
    let record = (
        prop::collection::vec(known, 0..4),
        0..IDS.len(),
        0..DAYS.len(),
    );
    let load = (0..3usize, prop::collection::vec(record, 1..6));
    let step = prop_oneof![
        8 => load.prop_map(|(dataset, records)| Step::Load(dataset, records)),
        1 => Just(Step::Compact),
    ];
    prop::collection::vec(step, 1..8)
}

/// A record; a number that no other has makes its event ID.
fn record(dataset: usize, (known, mail, day): &(Vec<Known>, usize, usize), number: usize) -> Value {
    let mut map = json!({});
    for (namespace, id, primary) in known {
        let list = &mut map[NAMESPACES[*namespace]];
        if list.is_null() {
            *list = json!([]);
        }
        if let Some(list) = list.as_array_mut() {
            list.push(json!({"id": IDS[*id], "primary": primary}));
        }
    }
    let mut record =
        json!({"identityMap": map, "ingestedAt": format!("{}T00:00:00Z", DAYS[*day]), "n": number});
    match dataset {
        0 => record["city"] = json!(DAYS[*day]),
        1 => record["who"] = json!({"mail": IDS[*mail]}),
        _ => {
            record["_id"] = json!(format!("e{number}"));
            record["timestamp"] = json!(format!("{}T12:00:00Z", DAYS[*mail % DAYS.len()]));
        }
    }
    record
}

const DATASETS: [(&str, &str); 3] = [
    (
        "crm",
        r#"{"id": "5b020a27e7040801dedba61a", "name": "crm", "class": "profile", "ingestedAtField": "ingestedAt"}"#,
    ),
    (
        "mail",
        r#"{"id": "5b020a27e7040801dedba61b", "name": "mail", "class": "profile", "ingestedAtField": "ingestedAt",
                 "primaryIdentity": "who.mail=Email", "placeholderIdentities": ["n/a"]}"#,
    ),
    (
        "visits",
        r#"{"id": "5b020a27e7040801dedba61c", "name": "visits", "class": "event", "ingestedAtField": "ingestedAt"}"#,
    ),
];

fn load(store: &Store, folder: &Path, records: &[(usize, Vec<Value>)]) {
    let _ = fs::remove_dir_all(folder);
    for (number, (name, dataset)) in DATASETS.iter().enumerate() {
        let own = folder.join(name);
        fs::create_dir_all(&own).expect("a folder");
        fs::write(own.join("dataset.json"), dataset).expect("a dataset");
        let of_dataset = records.iter().filter(|(of, _)| *of == number);
        let lines: Vec<String> = of_dataset
            .flat_map(|(_, records)| records.iter().map(Value::to_string))
            .collect();
        fs::write(own.join("records.ndjson"), lines.join("\n")).expect("records");
    }
    let source = SourceFolder::open(folder).expect("a source");
    let options = LoadOptions {
        // Records that are nobody's.
        on_bad_record: OnBadRecord::Skip {
            rejects: folder.with_extension("rejects"),
            limit: BadRecordLimit::None,
        },
        ..LoadOptions::default()
    };
    source
        .load(store, &options, &Arc::new(Progress::default()))
        .expect("loaded");
}

/// What each load has of a dataset: a good record.
fn first(dataset: usize) -> (usize, Vec<Value>) {
    let known = (vec![(0, 0, true), (2, 2, false)], 2, 0);
    (dataset, vec![record(dataset, &known, dataset)])
}

/// A store that has at least one good record of each dataset, and then these.
fn store_of(steps: &[Step], folder: &Path) -> Arc<Store> {
    let store = Store::open(folder.join("store"), Scope::default()).expect("a store");
    let source = folder.join("source");
    load(&store, &source, &[first(0), first(1), first(2)]);
    let mut number = DATASETS.len();
    for step in steps {
        match step {
            Step::Compact => drop(store.compact().expect("compacted")),
            Step::Load(dataset, records) => {
                let records = records.iter().map(|one| {
                    number += 1;
                    record(*dataset, one, number)
                });
                let records = (*dataset, records.collect());
                load(&store, &source, &[first(0), first(1), first(2), records]);
            }
        }
    }
    Arc::new(store)
}

async fn rows(session: &Session, sql: &str) -> Vec<String> {
    let mut statements = session.parse(sql).expect("a statement");
    let statement = statements.remove(0);
    let outcome = session.run(&statement).await;
    let Outcome::Rows(stream) = outcome.unwrap_or_else(|error| panic!("{sql}: {error}")) else {
        return Vec::new();
    };
    let batches: Result<Vec<_>, _> = stream.try_collect().await;
    let batches = batches.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let options = FormatOptions::new().with_null("null");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns = batch.columns().iter();
        let columns = columns.map(|column| ArrayFormatter::try_new(column, &options));
        let columns: Vec<_> = columns.collect::<Result<_, _>>().expect("formatters");
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|c| c.value(row).to_string()).collect();
            rows.push(cells.join(" | "));
        }
    }
    rows.sort();
    rows
}

/// Conditions on an identity of some namespace and id, and on another.
fn conditions() -> Vec<String> {
    let mut all = Vec::new();
    for (namespace, other) in [
        ("ECID", "Email"),
        ("ecid", "ECID"),
        ("Email", "crmId"),
        ("crmId", "email"),
        ("CRMID", "ecid"),
    ] {
        for (id, second) in [
            ("a", "b"),
            ("A", "c"),
            ("b ", "a"),
            ("anonymous", "b"),
            ("NULL", "a"),
            (" ", "c"),
            ("n/a", "A"),
            ("gone", "c"),
        ] {
            let list = format!("identityMap['{namespace}']");
            all.extend([
                format!("{list}[0].id = '{id}'"),
                format!("'{id}' = identityMap.{namespace}[1].id"),
                format!("{list}.id[0] IN ('{id}', '{second}')"),
                format!("exists({list}, i -> i.id = '{id}' AND i.primary)"),
                format!(
                    "array_contains({list}.id, '{id}') OR identityMap['{other}'][0].id = '{second}'"
                ),
                format!("{list}[0].id = '{id}' AND identityMap['{other}'][0].id = '{second}'"),
                format!("coalesce({list}, identityMap['{other}'])[0].id = '{id}'"),
                format!("filter({list}, i -> i.primary)[0].id = '{id}' OR n = 3"),
                format!("NOT ({list}[0].id = '{id}')"),
            ]);
        }
    }
    all
}

/// Statements over a table, with what `EXPLAIN` says of those whose conditions the store takes.
fn statements(number: usize) -> Vec<(String, Option<&'static str>)> {
    let conditions = conditions();
    let mut all = Vec::new();
    // A few of them over each store.
    for condition in conditions.iter().skip(number * 7 % 45).step_by(45) {
        let is_taken = !condition.starts_with("NOT") && !condition.ends_with("n = 3");
        let told = is_taken.then_some("identities=[");
        all.push((
            format!("SELECT n, identityMap FROM $t WHERE {condition}"),
            told,
        ));
        all.push((format!("SELECT count(*) FROM $t WHERE {condition}"), told));
    }
    let namespaces = NAMESPACES.iter().cycle().skip(number % 6);
    let ids = IDS.iter().cycle().skip(number % 9);
    for (id, namespace) in ids.zip(namespaces).take(2) {
        let list = format!("identityMap['{namespace}']");
        all.extend([
            (format!("SELECT n, e.id FROM (SELECT n, explode({list}) AS e FROM $t) WHERE e.id = '{id}'"), Some("identities=[")),
            (format!("SELECT n, e.id FROM $t LATERAL VIEW OUTER explode({list}) AS e WHERE e.id = '{id}' AND e.primary"), Some("identities=[")),
            (format!("SELECT n, pos FROM (SELECT n, posexplode({list}) AS (pos, e) FROM $t) WHERE e.id = '{id}' AND pos < 2"), Some("identities=[")),
            (format!("SELECT n, id FROM (SELECT n, inline({list}) FROM $t WHERE n > 1) WHERE id = '{id}'"), Some("identities=[")),
            (format!("SELECT a.n, b.n FROM $t a JOIN $t b ON a.n = b.n WHERE a.identityMap.ECID[0].id = '{id}'"), Some("identities=[")),
            // Others would be limited, numbered or counted.
            (format!("SELECT n, r FROM (SELECT n, identityMap, row_number() OVER (ORDER BY n) AS r FROM $t) WHERE {list}[0].id = '{id}'"), None),
            (format!("SELECT count(*), max(e.id) FROM (SELECT explode(l) AS e FROM (SELECT {list} AS l FROM $t ORDER BY n LIMIT 2)) WHERE e.id = '{id}'"), None),
        ]);
    }
    all
}

fn times() -> Vec<(String, Option<&'static str>)> {
    let mut all = Vec::new();
    for column in ["timestamp", "_acp_ingested_at"] {
        let told = if column == "timestamp" {
            "timestamp=["
        } else {
            "_acp_ingested_at=["
        };
        for day in [
            "2024-01-01 12:00:00",
            "2024-02-01",
            "2024-02-15",
            "2025-01-01",
        ] {
            all.extend([
                (
                    format!("SELECT n, {column} FROM $t WHERE {column} >= to_timestamp('{day}')"),
                    Some(told),
                ),
                (
                    format!("SELECT n FROM $t WHERE {column} < to_timestamp('{day}') AND n > 2"),
                    Some(told),
                ),
                (
                    format!("SELECT n FROM $t WHERE to_timestamp('{day}') = {column}"),
                    Some(told),
                ),
                (
                    format!("SELECT n FROM $t WHERE {column} BETWEEN '2024-01-15' AND '{day}'"),
                    Some(told),
                ),
                (
                    format!("SELECT count(*) FROM $t WHERE {column} <= '{day}' OR n = 4"),
                    None,
                ),
            ]);
        }
    }
    all
}

async fn check(steps: &[Step], number: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store_of(steps, folder.path());
    let session = Session::new(Arc::clone(&store), &Options::default()).expect("a session");
    for (table, copy) in TABLES.into_iter().skip(number % 2).step_by(2) {
        rows(
            &session,
            &format!("CREATE TEMP TABLE {copy} AS SELECT * FROM {table}"),
        )
        .await;
        let mut all = statements(number);
        if table == "visits" {
            all.extend(times());
        }
        for (statement, told) in all {
            let [of_table, of_copy] = [table, copy].map(|name| statement.replace("$t", name));
            let plan = rows(&session, &format!("EXPLAIN {of_table}"))
                .await
                .join("\n");
            let (store_does, told) = match told {
                Some(told) => (true, told),
                None => (false, "=["),
            };
            let scans = plan
                .lines()
                .filter(|line| line.contains("Table:"))
                .map(|line| line.replace("columns=[", ""));
            let is_told = scans.into_iter().any(|line| line.contains(told));
            assert_eq!(is_told, store_does, "{of_table}\n{plan}");
            assert_eq!(
                rows(&session, &of_table).await,
                rows(&session, &of_copy).await,
                "{of_table} of {steps:?}"
            );
        }
    }
}

#[test]
fn statements_have_the_rows_that_they_have_of_a_copy_of_the_table() {
    let deep = std::env::var_os("PROFILE_EXPORT_DEEP_TESTS").is_some();
    let config = ProptestConfig {
        cases: if deep { 300 } else { 4 },
        max_shrink_iters: 20,
        ..ProptestConfig::default()
    };
    let runtime = Runtime::new().expect("a runtime");
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let cases = (steps(), 0..1000usize);
    let checked = runner.run(&cases, |(steps, number)| {
        runtime.block_on(check(&steps, number));
        Ok(())
    });
    checked.expect("the same rows");
}

#[test]
fn a_session_finds_what_was_loaded_since() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store_of(&[], folder.path());
    let session = Session::new(Arc::clone(&store), &Options::default()).expect("a session");
    let runtime = Runtime::new().expect("a runtime");
    let find = "SELECT n FROM profile_snapshot_export WHERE identityMap.Email[0].id = 'c'";
    let found = || runtime.block_on(rows(&session, find));
    assert!(found().is_empty());
    let new = record(0, &(vec![(3, 8, true)], 0, 0), 99);
    let all = [first(0), first(1), first(2), (0, vec![new])];
    load(&store, &folder.path().join("source"), &all);
    assert_eq!(found(), ["99"]);
    assert_eq!(found(), ["99"]);
}
