//! SQL over a store.

#[cfg(feature = "sql")]
mod forms;
#[cfg(feature = "sql")]
mod tables;

/// A program without DataFusion says so.
#[cfg(not(feature = "sql"))]
#[test]
fn sql_is_told_to_be_missing() {
    let refused = crate::program::run(&["sql", "SELECT 1", "--store", "anywhere"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = crate::program::stderr(&refused);
    assert!(said.contains("--features sql"), "{said}");
}

#[cfg(feature = "sql")]
fn sql(store: &str, statement: &str, more: &[&str]) -> std::process::Output {
    crate::program::run(&[&["sql", statement, "--store", store][..], more].concat())
}
