//! An erasure is many deletions: where one of its calls fails or ends it, some are made and others not, the store is
//! sound, and the same erasure ends it.

use std::fmt::Write;

use super::operations::ERASE;
use super::{calls_of, ended, spread};
use crate::ground::{Ground, Seen, shared};
use crate::shim::{self, Fault};

/// Looks for the id in every file.
const GONE: [&str; 4] = ["store", "verify", "--gone", "Email:p25@example.com"];

#[test]
fn an_erasure_whose_calls_fail_or_kill_it_is_ended_by_the_next() {
    let shared = shared();
    let before = Seen::of(&shared.copy());
    let whole = shared.copy();
    assert!(!is_gone(&whole), "the test needs somebody who is there");
    let calls = calls_of(&ERASE, &whole);
    assert!(is_gone(&whole));
    let after = Seen::of(&whole);
    assert_eq!(after.rows.len(), before.rows.len() - 1);
    assert_eq!((before.batches, after.batches), (1, 0));

    let mut wrong = String::new();
    for fault in spread::faults(&calls) {
        let ground = shared.copy();
        if let Err(problem) = broken(&ground, fault, &before, &after) {
            writeln!(wrong, "an erasure with {fault}: {problem}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn is_gone(ground: &Ground) -> bool {
    ground.command(&GONE).output().unwrap().status.success()
}

fn broken(ground: &Ground, fault: Fault, before: &Seen, after: &Seen) -> Result<(), String> {
    let mut command = ERASE.command(ground);
    shim::watch(&mut command, ground.root(), Some(fault), None);
    let (status, said) = ended(command.spawn().unwrap());
    let seen = Seen::of(ground);
    if status.success() && (seen != *after || !is_gone(ground)) {
        return Err("told as done, and it is not".to_owned());
    }
    if seen.rows != before.rows && seen.rows != after.rows {
        return Err(format!("{status}: some of the records are gone: {said}"));
    }
    let (status, said) = ended(ERASE.command(ground).spawn().unwrap());
    if !status.success() {
        return Err(format!("the next one: {status}: {said}"));
    }
    match Seen::of(ground) == *after && is_gone(ground) {
        true => Ok(()),
        false => Err("the next one did not end it".to_owned()),
    }
}
