//! Steps that keep a store safe and that nothing else notices when they are left out.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::by_number::calls_of;
use crate::by_number::operations::RUN_OUT;
use crate::ground::{Ground, Seen, names, shared};
use crate::shim::{self, Class, Errno, Fault, What};

#[test]
fn a_byte_of_a_batch_that_changes_is_told_by_verify() {
    let ground = shared().copy();
    let batch = ground
        .path("store/batches")
        .join(ground.batches().remove(0));
    let file = batch.join(names(&batch).remove(0));
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    let output = ground.command(&["store", "verify"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// Other checks would find it, too; this one says what is wrong.
#[test]
fn a_file_of_a_run_that_was_cut_is_told_with_both_lengths() {
    let ground = shared().copy();
    let runs = ground.path("store/runs");
    let file = runs.join(names(&runs).remove(0)).join("run.pack");
    let length = fs::metadata(&file).unwrap().len();
    let cut = fs::File::options().write(true).open(&file).unwrap();
    cut.set_len(length - 1).unwrap();
    let output = ground
        .command(&["store", "verify"])
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    let expected = format!("it has {} bytes, the catalog says {length}", length - 1);
    assert!(told.contains(&expected), "{told}");
}

/// The last commit fails and the next one works: the job is told as failed, and nothing of it stays.
#[test]
fn a_job_whose_commit_fails_takes_back_what_it_published() {
    let calls = calls_of(&RUN_OUT, &shared().copy());
    let is_published = |call: &shim::Call| {
        let out = Path::new("out");
        call.class == Class::Rename && call.to.as_ref().is_some_and(|to| to.parent() == Some(out))
    };
    let published = calls.iter().position(is_published);
    let is_commit = |call: &shim::Call| {
        call.class == Class::Sync && call.path == Path::new("store/catalog.sqlite-wal")
    };
    let after = calls.iter().skip(published.unwrap()).position(is_commit);
    let end = published.unwrap() + after.unwrap() + 1;
    let fault = Fault {
        class: Class::Sync,
        number: shim::count(&calls[..end], Class::Sync),
        what: What::Fails(Errno::Eio),
        and_all_later: false,
    };
    let ground: Ground = shared().copy();
    let before = Seen::of(&ground);
    let mut command = RUN_OUT.command(&ground);
    shim::watch(&mut command, ground.root(), Some(fault), None);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(Seen::of(&ground), before);
}
