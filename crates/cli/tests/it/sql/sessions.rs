//! What is a session's own: settings, cursors, views.

use tempfile::TempDir;

use super::{refused, sql};
use crate::program::{fixture_store, stdout};

#[test]
fn settings_are_kept_and_shown_and_others_are_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let shown = sql(
        &store,
        "SHOW auto_to_json; SET auto_to_json = true; SHOW auto_to_json; SET auto_to_json TO DEFAULT; \
         SHOW auto_to_json; SET TIME ZONE 'utc'; SHOW transaction isolation level",
        &[],
    );
    assert_eq!(
        stdout(&shown),
        "auto_to_json\noff\nauto_to_json\non\nauto_to_json\noff\ntransaction_isolation_level\nread committed\n"
    );
    let all = stdout(&sql(&store, "SHOW ALL", &[]));
    assert!(all.starts_with("name\tsetting\tdescription\n"), "{all}");
    assert!(all.contains("\nTimeZone\tUTC\t"), "{all}");
    for (statement, code, names) in [
        ("SET work_mem = '1GB'", "42704", "work_mem"),
        ("SHOW work_mem", "42704", "work_mem"),
        ("SET timezone = 'Europe/Zurich'", "22023", "TimeZone"),
        ("SET server_version = '9'", "55P02", "server_version"),
    ] {
        let said = refused(&store, statement, code);
        assert!(said.contains(names), "{said}");
    }
}

#[test]
fn a_cursor_gives_its_rows_piece_by_piece() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let query = "SELECT explode(array(1, 2, 3, 4, 5, 6, 7, 8, 9)) AS n";
    let fetched = sql(
        &store,
        &format!(
            "BEGIN; DECLARE c CURSOR FOR {query}; FETCH 2 FROM c; FETCH NEXT FROM c; FETCH FORWARD 3 FROM c; \
             FETCH ALL FROM c; FETCH 5 FROM c; CLOSE c; COMMIT"
        ),
        &[],
    );
    let lines = stdout(&fetched).replace('\n', " ");
    assert_eq!(lines, "n 1 2 n 3 n 4 5 6 n 7 8 9 n ");
    // A transaction's end ends its cursors.
    for end in ["CLOSE c", "CLOSE ALL", "COMMIT", "ROLLBACK"] {
        let statements = format!("BEGIN; DECLARE c CURSOR FOR {query}; {end}; FETCH 1 FROM c");
        refused(&store, &statements, "34000");
    }
    refused(&store, "CLOSE c", "34000");
    let twice = format!("DECLARE c CURSOR FOR {query}; DECLARE c CURSOR FOR {query}");
    refused(&store, &twice, "42P03");
    let many = (0..21).map(|n| format!("DECLARE c{n} CURSOR FOR {query};"));
    refused(&store, &many.collect::<String>(), "53400");
}

/// Rows that nobody could keep: the cursor makes no more than are fetched.
#[test]
fn a_cursor_makes_no_more_rows_than_are_fetched() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let fetched = sql(
        &store,
        "DECLARE c CURSOR FOR SELECT explode(split(repeat('x,', 9999), ',')) AS n FROM visits a, visits b; FETCH 3 FROM c",
        &[],
    );
    assert_eq!(stdout(&fetched), "n\nx\nx\nx\n");
}

#[test]
fn the_last_view_that_a_session_may_have_can_be_replaced() {
    let folder = TempDir::new().unwrap();
    let store = fixture_store(&folder);
    let views: String = (0..100)
        .map(|n| format!("CREATE VIEW v{n} AS SELECT {n} AS n;"))
        .collect();
    let replaced =
        format!("{views} CREATE OR REPLACE VIEW v99 AS SELECT 7 AS n; SELECT n FROM v99");
    assert_eq!(stdout(&sql(&store, &replaced, &[])), "n\n7\n");
    refused(
        &store,
        &format!("{views} CREATE VIEW w AS SELECT 1 AS n"),
        "54001",
    );
}
