//! SQL over a store.

// The library before libc is Linux's way.
#[cfg(all(feature = "sql", target_os = "linux"))]
mod faults;
#[cfg(feature = "sql")]
mod forms;
#[cfg(feature = "sql")]
mod sessions;
#[cfg(feature = "sql")]
mod tables;
#[cfg(feature = "sql")]
mod writing;

#[cfg(feature = "sql")]
use serde_json::Value;

/// A program without DataFusion says so.
#[cfg(not(feature = "sql"))]
#[test]
fn sql_is_told_to_be_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("store");
    let store = store.to_str().expect("a path");
    let serve = [
        "serve",
        "--no-http",
        "--sql",
        "127.0.0.1:0",
        "--store",
        store,
    ];
    for arguments in [&["sql", "SELECT 1", "--store", store][..], &serve] {
        let refused = crate::program::run(arguments);
        assert_eq!(refused.status.code(), Some(2));
        let said = crate::program::stderr(&refused);
        assert!(said.contains("--features sql"), "{said}");
    }
}

/// What the rows of a query are, as objects.
#[cfg(feature = "sql")]
fn rows(store: &str, statement: &str) -> Vec<Value> {
    match crate::program::parsed(&sql(store, statement, &["--json"])) {
        Value::Array(rows) => rows,
        other => panic!("{other}"),
    }
}

/// The only value of the only row.
#[cfg(feature = "sql")]
fn only(store: &str, statement: &str) -> Value {
    let rows = rows(store, statement);
    assert_eq!(rows.len(), 1, "{rows:?}");
    let mut values = rows[0].as_object().unwrap().values();
    values.next().unwrap().clone()
}

/// What is said of a statement that is refused with this code.
#[cfg(feature = "sql")]
fn refused(store: &str, statement: &str, code: &str) -> String {
    let output = sql(store, statement, &["--quiet"]);
    let said = crate::program::stderr(&output);
    assert!(!output.status.success(), "{statement}");
    assert!(said.contains(&format!("[{code}]")), "{statement}: {said}");
    said
}

#[cfg(feature = "sql")]
fn sql(store: &str, statement: &str, more: &[&str]) -> std::process::Output {
    crate::program::run(&[&["sql", statement, "--store", store][..], more].concat())
}
