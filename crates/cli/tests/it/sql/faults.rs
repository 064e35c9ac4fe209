//! Statements that write: with every call of theirs gone wrong, and what is on the disk when.

use crate::by_number::operations::{
    CREATE_TABLE, DROP_TABLE, INSERT_RECORDS, INSERT_ROWS, Operation, RUN,
};
use crate::by_number::{break_at_many_calls, calls_of};
use crate::ground::{Ground, Seen, shared};
use crate::shim::{Call, Class};
use crate::stopped::Stopped;
use crate::syncs::{NOTHING, first_published, last_commit, not_on_the_disk};

/// There is a table to add to.
fn with_a_table(ground: &Ground) {
    ground.succeeds(CREATE_TABLE.arguments);
}

#[test]
fn a_table_that_is_made_while_calls_fail_or_kill_is_as_it_was_told() {
    break_at_many_calls(&CREATE_TABLE, |_| {});
}

#[test]
fn rows_that_are_added_while_calls_fail_or_kill_are_as_they_were_told() {
    break_at_many_calls(&INSERT_ROWS, with_a_table);
}

#[test]
fn records_that_are_added_while_calls_fail_or_kill_are_as_they_were_told() {
    break_at_many_calls(&INSERT_RECORDS, |_| {});
}

#[test]
fn a_table_that_is_dropped_while_calls_fail_or_kill_is_as_it_was_told() {
    break_at_many_calls(&DROP_TABLE, |_| {});
}

fn calls(operation: &Operation, prepare: impl Fn(&Ground)) -> Vec<Call> {
    let ground = shared().copy();
    prepare(&ground);
    calls_of(operation, &ground)
}

#[test]
fn rows_are_on_the_disk_before_they_are_visible_and_before_the_commit_that_names_them() {
    let made = calls(&CREATE_TABLE, |_| {});
    let added = calls(&INSERT_ROWS, with_a_table);
    for (calls, name) in [(made, CREATE_TABLE.name), (added, INSERT_ROWS.name)] {
        let published = first_published(&calls, "store/batches");
        let staged = calls[published].path.to_str().unwrap();
        let is_row = |call: &Call| call.class == Class::Write && call.path.starts_with(staged);
        assert!(calls.iter().any(is_row), "{name}");
        assert_eq!(
            not_on_the_disk(&calls, staged, published),
            NOTHING,
            "{name}"
        );
        let missing = not_on_the_disk(&calls, "store/batches", last_commit(&calls));
        assert_eq!(missing, NOTHING, "{name}");
    }
    let calls = calls(&INSERT_RECORDS, |_| {});
    let missing = not_on_the_disk(&calls, "store/runs", last_commit(&calls));
    assert_eq!(missing, NOTHING, "{}", INSERT_RECORDS.name);
}

/// Whoever writes into a store sweeps what the dead have left, and what is in no catalog.
#[test]
fn rows_that_are_being_written_are_swept_by_nobody() {
    let whole = calls(&CREATE_TABLE, |_| {});
    // Before its files are shown, and when they are, and the catalog does not name them yet.
    for moment in [
        (Class::Rename, "store/batches"),
        (Class::Sync, "store/batches"),
    ] {
        let ground = shared().copy();
        let making = CREATE_TABLE.command(&ground);
        let making = Stopped::start(making, ground.root(), &whole, moment);
        ground.succeeds(RUN.arguments);
        ground.succeeds(&["sql", "CREATE TABLE other AS SELECT 1 AS n"]);
        let made = making.go_on();
        assert!(made.status.success(), "{moment:?}: {made:?}");
        let seen = Seen::of(&ground);
        assert_eq!(seen.batches, 4, "{moment:?}");
        ground.succeeds(INSERT_ROWS.arguments);
    }
}
