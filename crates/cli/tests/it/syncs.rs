//! The order of writes, syncs, renames and commits: no test that leaves the power on can see what a sync
//! that is missing would lose.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::by_number::calls_of;
use crate::by_number::operations::{
    COMMIT, COMPACT, DELETE_BATCH, FIRST_LOAD, LOAD, Operation, RUN, RUN_FROM, RUN_NAMED, RUN_OUT,
    RUN_SHARD,
};
use crate::ground::{CRM, Ground, shared, write};
use crate::served::Served;
use crate::shim::{self, Call, Class};

pub const NOTHING: [PathBuf; 0] = [];
const JOURNAL: &str = "store/catalog.sqlite-wal";

/// Where in the log the last commit is written.
pub fn last_commit(calls: &[Call]) -> usize {
    let is_frame = |call: &Call| call.class == Class::Write && call.path == Path::new(JOURNAL);
    calls.iter().rposition(is_frame).expect("a commit")
}

/// What of all that was written or made in `folder` is not on the disk when the log is as far as `end`:
/// files whose last write no sync came after, folders that were not synced after a name was made in them.
pub fn not_on_the_disk(calls: &[Call], folder: &str, end: usize) -> Vec<PathBuf> {
    let mut dirty: BTreeMap<PathBuf, bool> = BTreeMap::new();
    let mut known: Vec<PathBuf> = Vec::new();
    for call in calls.iter().take(end).filter(|call| !call.failed) {
        let path = call.path.clone();
        let parent = path.parent().unwrap_or(Path::new("")).to_owned();
        match (call.class, &call.to) {
            (Class::Write | Class::Truncate, _) => {
                if !known.contains(&path) {
                    known.push(path.clone());
                    dirty.insert(parent, true);
                }
                dirty.insert(path, true);
            }
            (Class::Mkdir, _) => {
                dirty.insert(parent, true);
                dirty.insert(path, true);
            }
            (Class::Sync, _) => {
                dirty.insert(path, false);
            }
            (Class::Unlink, _) => {
                dirty.retain(|known, _| !known.starts_with(&path));
            }
            (Class::Rename, Some(to)) => {
                let moved = std::mem::take(&mut dirty).into_iter().map(|(known, is)| {
                    let rest = known.strip_prefix(&path).map(Path::to_owned);
                    match rest {
                        Ok(rest) if rest.as_os_str().is_empty() => (to.clone(), is),
                        Ok(rest) => (to.join(rest), is),
                        Err(_) => (known, is),
                    }
                });
                dirty = moved.collect();
                dirty.insert(to.parent().unwrap_or(Path::new("")).to_owned(), true);
            }
            (Class::Rename | Class::Open | Class::Stat, _) => {}
        }
    }
    let dirty = dirty
        .into_iter()
        .filter(|(_, is)| *is)
        .map(|(path, _)| path);
    dirty.filter(|path| path.starts_with(folder)).collect()
}

/// The calls of an operation that was done on a copy of the common ground.
fn calls(operation: &Operation) -> Vec<Call> {
    calls_of(operation, &shared().copy())
}

/// Whether the last commit before `end` was synced by then.
fn is_committed(calls: &[Call], end: usize) -> bool {
    let journal: Vec<&Call> = calls
        .iter()
        .take(end)
        .filter(|call| call.path == Path::new(JOURNAL) && !call.failed)
        .collect();
    journal.last().is_some_and(|call| call.class == Class::Sync)
}

/// The same of an export that has a batch for each of some segments.
fn calls_of_segments(operation: &Operation, segments: usize) -> Vec<Call> {
    let ground = shared().copy();
    let path = ground.path("request.json");
    let mut request: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let entries: Vec<Value> = (0..segments)
        .map(|n| json!({"segmentId": format!("segment-{n}")}))
        .collect();
    request["filter"] = json!({"segments": entries});
    request["destination"]["segmentPerBatch"] = json!(true);
    write(&path, &[request]);
    calls_of(operation, &ground)
}

fn first_unlink(calls: &[Call], folder: &str) -> usize {
    let is_it = |call: &Call| call.class == Class::Unlink && call.path.starts_with(folder);
    calls.iter().position(is_it).expect("a deletion")
}

#[test]
fn runs_are_on_the_disk_before_the_commit_that_names_them() {
    for operation in [LOAD, COMPACT] {
        let calls = calls(&operation);
        let missing = not_on_the_disk(&calls, "store/runs", last_commit(&calls));
        assert_eq!(missing, NOTHING, "{}", operation.name);
        assert!(
            calls
                .iter()
                .any(|call| { call.class == Class::Write && call.path.starts_with("store/runs") })
        );
    }
    let ground = shared().copy();
    fs::remove_dir_all(ground.path("store")).unwrap();
    let calls = calls_of(&FIRST_LOAD, &ground);
    let missing = not_on_the_disk(&calls, "store/runs", last_commit(&calls));
    assert_eq!(missing, NOTHING, "a first load");
}

#[test]
fn batches_are_on_the_disk_before_they_are_visible_and_before_the_commit_that_names_them() {
    for (operation, folder) in [
        (RUN, "store/batches"),
        (RUN_OUT, "out"),
        (RUN_NAMED, "out"),
        (RUN_FROM, "out"),
    ] {
        let calls = calls(&operation);
        let is_published = |call: &Call| call.to.as_ref().is_some_and(|to| to.starts_with(folder));
        let published = calls.iter().position(is_published).expect("a rename");
        let staged = calls[published].path.to_str().unwrap();
        let missing = not_on_the_disk(&calls, staged, published);
        assert_eq!(missing, NOTHING, "{}", operation.name);
        if operation.name == RUN_FROM.name {
            // Its store is thrown away, so the rename is all there is, and what makes it last.
            let synced = calls[published..]
                .iter()
                .any(|call| call.class == Class::Sync && call.path == Path::new(folder));
            assert!(synced, "{}", operation.name);
            continue;
        }
        let mut missing = not_on_the_disk(&calls, folder, last_commit(&calls));
        // Hidden ones go with the job.
        missing.retain(|path| !path.to_string_lossy().contains("/."));
        assert_eq!(missing, NOTHING, "{}", operation.name);
    }
}

#[test]
fn a_shard_is_on_the_disk_before_its_manifest_and_a_commit_before_it_is_visible() {
    let ground = shared().copy();
    ground.succeeds(&["plan", "request.json", "--shards", "1", "-o", "plan.json"]);
    let calls = calls_of(&RUN_SHARD, &ground);
    let is_manifest = |call: &Call| (call.to.as_ref()).is_some_and(|to| to.ends_with("shard.json"));
    let told = calls.iter().position(is_manifest).expect("a manifest");
    let mut missing = not_on_the_disk(&calls, "out", told);
    missing.retain(|path| path.extension().is_some_and(|ending| ending == "shard"));
    assert_eq!(missing, NOTHING);
    let is_file =
        |call: &Call| call.class == Class::Write && call.path.ends_with("batch-00000.shard");
    assert!(calls.iter().any(is_file));
    // The names, too, when it is told as done.
    assert_eq!(not_on_the_disk(&calls, "out", calls.len()), NOTHING);

    let calls = calls_of(&COMMIT, &ground);
    let published = first_published(&calls, "out");
    let staged = calls[published].path.to_str().unwrap();
    assert_eq!(not_on_the_disk(&calls, staged, published), NOTHING);
    let synced = calls[published..].iter();
    let mut synced =
        synced.filter(|call| call.class == Class::Sync && call.path == Path::new("out"));
    assert!(synced.next().is_some());
}

/// The first batch of an operation that is renamed into sight.
pub fn first_published(calls: &[Call], folder: &str) -> usize {
    let is_in = |to: &PathBuf| to.starts_with(folder) && !is_hidden(to);
    let is_it = |call: &Call| call.class == Class::Rename && call.to.as_ref().is_some_and(is_in);
    calls.iter().position(is_it).expect("a batch")
}

fn is_hidden(path: &Path) -> bool {
    let mut parts = path.components();
    parts.any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."))
}

/// Whether a job's batches need it: they themselves, and what names them.
fn is_needed(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    let name = name.unwrap_or_default();
    let is_id = name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id
        || name.starts_with("part-")
        || ["goal.json", "unfinished.json", "files.json", "out"].contains(&&*name)
}

#[test]
fn a_job_is_on_the_disk_with_what_names_its_batches_before_the_first_is_visible() {
    for (operation, folder) in [
        (RUN, "store/batches"),
        (RUN_OUT, "out"),
        (RUN_NAMED, "out"),
        (RUN_FROM, "out"),
    ] {
        for segments in [1, 3] {
            let calls = calls_of_segments(&operation, segments);
            let published = first_published(&calls, folder);
            for staged in ["store/staging", "out"] {
                let mut missing = not_on_the_disk(&calls, staged, published);
                missing.retain(|path| is_needed(path));
                // Folders that a template makes come to the disk with the names in them, before the commit.
                let is_made = |path: &PathBuf| path.starts_with("out") && !is_hidden(path);
                missing.retain(|path| operation.name != RUN_NAMED.name || !is_made(path));
                assert_eq!(missing, NOTHING, "{} of {segments}", operation.name);
            }
            if operation.name != RUN_FROM.name {
                assert!(is_committed(&calls, published), "{}", operation.name);
            }
        }
    }
}

/// What a sync is there for, by what it syncs.
fn purpose(path: &Path) -> &'static str {
    let text = path.to_string_lossy();
    match path.file_name().map(|name| name.to_string_lossy()) {
        Some(name) if name.starts_with("part-") => "a file of a batch",
        Some(name) if name == "catalog.sqlite-wal" => "the journal",
        Some(name) if name == "catalog.sqlite" => "the catalog, when it is closed",
        Some(name) if name == "goal.json" => "where the job writes",
        Some(name) if name == "unfinished.new" => "what the job is about to publish",
        Some(name) if name == "store" => "the journal's name",
        None => "a new target's name",
        Some(_) if text == "out" || text == "store/batches" => "names of batches",
        Some(name) if name.starts_with(".profile-export-") => "names in the hidden folder",
        Some(_) if text.starts_with("store/staging/") && path.components().count() == 3 => {
            "the note's name"
        }
        Some(_) => "names of a batch's files",
    }
}

/// How often an export waits for the disk, and for what: each wait is here for a reason, and none is there again for
/// each batch but those of its own files.
#[test]
fn an_export_syncs_each_thing_as_often_as_is_needed_and_no_more() {
    let closing = [("the catalog, when it is closed", 1)];
    let in_store = [
        // The new journal's head, the job's beginning, its end with its batches, and when it is closed.
        ("the journal", 4),
        ("the journal's name", 1),
        ("names of batches", 1),
    ];
    let elsewhere = [
        ("the journal", 4),
        ("the journal's name", 1),
        ("a new target's name", 1),
        ("where the job writes", 1),
        ("the note's name", 1),
        ("what the job is about to publish", 1),
        // That of what it is about to publish, and that this is over.
        ("names in the hidden folder", 2),
        // That of the hidden folder, and those of the batches.
        ("names of batches", 2),
    ];
    for (operation, common) in [(RUN, &in_store[..]), (RUN_OUT, &elsewhere)] {
        for segments in [1, 3] {
            let mut expected: BTreeMap<&str, usize> =
                common.iter().chain(&closing).copied().collect();
            expected.insert("a file of a batch", segments);
            expected.insert("names of a batch's files", segments);
            let calls = calls_of_segments(&operation, segments);
            let mut found: BTreeMap<&str, usize> = BTreeMap::new();
            for call in calls.iter().filter(|call| call.class == Class::Sync) {
                *found.entry(purpose(&call.path)).or_default() += 1;
            }
            assert_eq!(found, expected, "{} of {segments}", operation.name);
        }
    }
}

#[test]
fn a_commit_is_on_the_disk_before_anything_follows_from_it() {
    // The old runs go after a compaction, a batch's files after its deletion.
    for (operation, folder) in [(COMPACT, "store/runs"), (DELETE_BATCH, "store/batches")] {
        let calls = calls(&operation);
        let deleted = first_unlink(&calls, folder);
        assert!(is_committed(&calls, deleted), "{}", operation.name);
    }
    // A job lets go of its lock when it has succeeded.
    let calls = calls(&RUN);
    let is_lock = |call: &Call| {
        call.class == Class::Unlink && call.path.extension().is_some_and(|end| end == "lock")
    };
    let released = calls.iter().rposition(is_lock).expect("a lock");
    assert!(is_committed(&calls, released));
}

/// The calls of a server that takes a batch and loads it.
fn calls_of_an_import() -> Vec<Call> {
    let ground: Ground = shared().copy();
    let log = ground.path("calls.log");
    let mut command = ground.command(&["serve"]);
    shim::watch(&mut command, ground.root(), None, Some(&log));
    let server = Served::start(&mut command).unwrap();
    let records = fs::read(ground.path("more.ndjson")).unwrap();
    let batch = server.send_batch(CRM, &records).unwrap().unwrap();
    let end = server.batch_end(&batch, Duration::from_secs(20)).unwrap();
    assert_eq!(end.as_deref(), Some("success"));
    assert!(server.stop().success());
    shim::calls(&log)
}

fn upload(calls: &[Call]) -> usize {
    let is_upload =
        |call: &Call| call.class == Class::Rename && call.path.starts_with("store/incoming");
    calls.iter().position(is_upload).expect("an upload")
}

#[test]
fn an_upload_is_on_the_disk_before_the_batch_has_it() {
    let calls = calls_of_an_import();
    let taken = upload(&calls);
    let part = calls[taken].path.to_str().unwrap();
    assert_eq!(not_on_the_disk(&calls, part, taken), NOTHING);
    // And the batch is told as loaded before its files go.
    let deleted = calls[taken..]
        .iter()
        .position(|call| call.class == Class::Unlink && call.path.starts_with("store/incoming"))
        .expect("a deletion");
    assert!(is_committed(&calls, taken + deleted));
}

#[test]
fn the_name_of_an_upload_is_on_the_disk_before_the_batch_has_it() {
    let calls = calls_of_an_import();
    let taken = upload(&calls);
    let is_frame = |call: &Call| call.class == Class::Write && call.path == Path::new(JOURNAL);
    let commit = calls[taken..].iter().position(is_frame).expect("a commit");
    let missing = not_on_the_disk(&calls, "store/incoming", taken + commit);
    assert_eq!(missing, NOTHING);
}

#[test]
fn a_new_store_is_on_the_disk_with_its_first_load() {
    let ground = shared().copy();
    fs::remove_dir_all(ground.path("store")).unwrap();
    let calls = calls_of(&FIRST_LOAD, &ground);
    assert!(!not_on_the_disk(&calls, "", calls.len()).contains(&PathBuf::new()));
}

#[test]
fn a_new_target_is_on_the_disk_with_its_first_batch() {
    let calls = calls(&RUN_OUT);
    assert!(!not_on_the_disk(&calls, "", calls.len()).contains(&PathBuf::new()));
}
