//! In which forms rows come, and how statements come in.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::sql;
use crate::program::{fixture_store, parsed, program, stderr, stdout, text};

const ROWS: &str = "SELECT 1 AS n, 'a\tb' AS t, NULL AS nothing, array('x', 'y') AS list";

#[test]
fn rows_come_in_the_form_that_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let tabs = stdout(&sql(&store, ROWS, &[]));
    assert_eq!(tabs, "n\tt\tnothing\tlist\n1\ta\\tb\t\t[\"x\",\"y\"]\n");
    let row = json!({"n": 1, "t": "a\tb", "list": ["x", "y"]});
    assert_eq!(parsed(&sql(&store, ROWS, &["--json"])), json!([row]));
    let lines = stdout(&sql(&store, ROWS, &["--jsonl"]));
    let line: Value = serde_json::from_str(&lines).unwrap();
    assert_eq!(line, row);
    let csv = stdout(&sql(&store, ROWS, &["--csv"]));
    assert!(csv.starts_with("n,t,nothing,list\n1,a\tb,"), "{csv}");
    let none = "SELECT 1 AS n WHERE false";
    assert_eq!(parsed(&sql(&store, none, &["--json"])), json!([]));
    assert_eq!(stdout(&sql(&store, none, &[])), "n\n");
}

#[test]
fn numbers_keep_their_digits() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    // No double has it.
    let number = "SELECT 9007199254740993 AS n";
    assert_eq!(stdout(&sql(&store, number, &[])), "n\n9007199254740993\n");
    let json = stdout(&sql(&store, number, &["--json"]));
    assert!(json.contains("9007199254740993"), "{json}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let many = "SELECT a._id FROM visits a, visits b";
    for form in [&[][..], &["--json"], &["--jsonl"], &["--csv"]] {
        let mut child = program()
            .args(["sql", many, "--store", &store])
            .args(form)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 10];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{form:?} {}",
            stderr(&output)
        );
    }
}

#[test]
fn options_that_would_do_nothing_are_refused() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let file = folder.path().join("rows.csv");
    let out = ["--out", text(&file)];
    for options in [
        &["--csv", "--csv-delimiter", ";"][..],
        &["--format", "csv"],
        &["--compression", "gzip"],
        &["--replace"],
        &["--name-template", "{n}.csv", out[0], out[1]],
    ] {
        let refused = sql(&store, "SELECT 1 AS n", options);
        assert_eq!(refused.status.code(), Some(2), "{options:?}");
    }
    let refused = sql(&store, "CREATE TEMP TABLE t AS SELECT 1 AS n", &out);
    assert_eq!(refused.status.code(), Some(2));
    assert!(!file.exists());
}

#[test]
fn rows_become_a_file_whole_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let all = "SELECT eventType, commerce FROM visits";
    for (name, begins) in [
        ("rows.parquet", &b"PAR1"[..]),
        ("rows.ndjson", b"{"),
        ("rows.csv", b"eventType,commerce."),
        ("rows.csv.gz", b"\x1f\x8b"),
    ] {
        let path = folder.path().join(name);
        let out = ["--out", text(&path)];
        assert_eq!(stdout(&sql(&store, all, &out)), "");
        let written = fs::read(&path).unwrap();
        assert!(written.starts_with(begins), "{name}");
        let again = sql(&store, all, &out);
        assert_eq!(again.status.code(), Some(2), "{}", stderr(&again));
        assert_eq!(fs::read(&path).unwrap(), written);
        let replaced = sql(&store, "SELECT 1 AS n", &["--replace", out[0], out[1]]);
        assert_eq!(stdout(&replaced), "");
        assert_ne!(fs::read(&path).unwrap(), written);
    }
    let before = fs::read_dir(folder.path()).unwrap().count();
    let path = folder.path().join("never.parquet");
    let wrong = sql(
        &store,
        "SELECT nothing FROM visits",
        &["--out", text(&path)],
    );
    assert_eq!(wrong.status.code(), Some(2));
    for out in [text(folder.path()), "s3://bucket/rows"] {
        let wrong = sql(&store, all, &["--out", out]);
        assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}

#[test]
fn two_columns_of_one_name_are_no_object() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let both = "SELECT a.n, b.n FROM (SELECT 1 AS n) a, (SELECT 2 AS n) b";
    assert_eq!(stdout(&sql(&store, both, &[])), "n\tn\n1\t2\n");
    for form in ["--json", "--jsonl", "--csv"] {
        let refused = sql(&store, both, &[form]);
        assert_eq!(refused.status.code(), Some(2), "{form}");
        assert!(stderr(&refused).contains("\"n\""), "{}", stderr(&refused));
    }
}

#[test]
fn statements_come_from_a_file_or_from_standard_input() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let several = "CREATE TEMP TABLE t AS SELECT 2 AS n;\n-- a comment\nSELECT n + 1 AS m FROM t;";
    let path = folder.path().join("statements.sql");
    fs::write(&path, several).unwrap();
    let read = program()
        .args(["sql", "-f", text(&path), "--store", &store])
        .output()
        .unwrap();
    assert_eq!(stdout(&read), "m\n3\n");
    assert!(stderr(&read).contains("CREATE TABLE"), "{}", stderr(&read));
    let mut piped = program()
        .args(["sql", "--store", &store])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    piped
        .stdin
        .take()
        .unwrap()
        .write_all(several.as_bytes())
        .unwrap();
    assert_eq!(stdout(&piped.wait_with_output().unwrap()), "m\n3\n");
    let out = folder.path().join("rows.parquet");
    let refused = sql(&store, "SELECT 1; SELECT 2", &["--out", text(&out)]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(!out.exists());
    assert_eq!(sql(&store, " ; ", &[]).status.code(), Some(2));
}

#[test]
fn what_is_wrong_has_its_code_and_its_place() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    for (statement, code, word) in [
        ("SELECT FROM WHERE", "42601", "line 1"),
        ("SELECT *\nFROM visit", "42P01", "visits"),
        ("SELECT evenType FROM visits", "42703", "eventType"),
        ("UPDATE visits SET eventType = 'x'", "0A000", "UPDATE"),
        ("SELECT nonsense(1)", "42883", "nonsense"),
    ] {
        let refused = sql(&store, statement, &[]);
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(2), "{statement}: {said}");
        assert!(
            said.contains(code) && said.contains(word),
            "{statement}: {said}"
        );
    }
}
