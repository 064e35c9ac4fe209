//! Every operation with every call of it gone wrong: what was told is true, the store is as before or
//! as after, and the same command does it when it is asked again.

mod erasing;
mod import;
mod known;
pub mod operations;
pub mod spread;

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use crate::faults::is_deep;
use crate::ground::{CRM, Ground, Seen, names, shared};
use crate::shim::{self, Call, Class, Fault, What, count};
use serde_json::{Value, json};

use known::{KNOWN, Outcome, known};
use operations::{Again, Operation};

/// After this long a command hangs.
const HANGS: Duration = Duration::from_secs(60);

/// What is told where SQLite's journal may hold a change that failed.
const UNCLEAR: &str = "it may hold or not";
/// What is told where a change was made and what it leaves behind is still there.
const LEFT: &str = "is deleted, but not its files";

/// What is told where a job failed and what it wrote elsewhere is there, or can't be looked at.
const STANDS: &str = "may still be there";

/// Breaks an operation at many calls and says all that was not as it should be.
pub fn break_at_many_calls(operation: &Operation, prepare: impl Fn(&Ground)) {
    let shared = shared();
    let fresh = || {
        let ground = shared.copy();
        prepare(&ground);
        ground
    };
    let before = Seen::of(&fresh());
    let whole = fresh();
    let calls = calls_of(operation, &whole);
    let after = Seen::of(&whole);

    let mut wrong = String::new();
    let mut met = HashSet::new();
    for fault in spread::faults(&calls) {
        let ground = fresh();
        let found = catch_unwind(AssertUnwindSafe(|| {
            broken(operation, &ground, fault, &before, &after)
        }));
        let found = found.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.unwrap_or_else(|| "a panic".to_owned()))
        });
        match found {
            Ok(known) => met.extend(known),
            Err(problem) => writeln!(wrong, "{} with {fault}: {problem}", operation.name).unwrap(),
        }
    }
    let here = KNOWN
        .iter()
        .filter(|known| known.operations.contains(&operation.name));
    for known in here.filter(|known| is_deep() && !met.contains(known.name)) {
        writeln!(wrong, "{}: no longer met: {}", operation.name, known.name).unwrap();
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The calls of an operation that goes well.
pub fn calls_of(operation: &Operation, ground: &Ground) -> Vec<Call> {
    let log = ground.path("calls.log");
    let mut command = operation.command(ground);
    shim::watch(&mut command, ground.root(), None, Some(&log));
    let (status, said) = ended(command.spawn().unwrap());
    assert!(status.success(), "{}: {said}", operation.name);
    shim::calls(&log)
}

/// Does an operation with a fault, looks, and does it again without; returns what was told wrong in a
/// way that is known.
fn broken(
    operation: &Operation,
    ground: &Ground,
    fault: Fault,
    before: &Seen,
    after: &Seen,
) -> Result<Option<&'static str>, String> {
    let mut broken = operation.command(ground);
    let mut again = operation.command(ground);
    shim::watch(&mut broken, ground.root(), Some(fault), None);
    let (status, said) = ended(broken.spawn().unwrap());
    let seen = Seen::of(ground);
    if fault.what == What::Short && !status.success() {
        return Err(format!("the rest was not written: {status}: {said}"));
    }
    let is_killed =
        matches!(fault.what, What::KilledBefore | What::KilledAfter) && status.signal() == Some(9);
    let known = known(&Outcome {
        operation,
        code: status.code(),
        said: &said,
        seen: &seen,
        before,
        after,
    });
    if known.is_none() {
        let told = match status.code() {
            Some(0) => "told as done".to_owned(),
            Some(1 | 2 | 3 | 5) => format!("told as failed ({})", said.trim()),
            None if is_killed => "killed".to_owned(),
            _ => return Err(format!("{status}: {said}")),
        };
        let is_true = match status.code() {
            Some(0) => seen == *after,
            Some(_) if said.contains(UNCLEAR) => seen == *before || seen == *after,
            Some(_) if said.contains(LEFT) => seen == *after,
            Some(_) if said.contains(STANDS) => {
                let is_whole = seen.out == after.out || seen.out == before.out;
                let elsewhere = before.out.clone();
                is_whole
                    && Seen {
                        out: elsewhere,
                        ..seen.clone()
                    } == *before
            }
            Some(_) => seen == *before,
            None => seen == *before || seen == *after,
        };
        if !is_true {
            return Err(differs(&told, &seen, before, after));
        }
    }
    let is_swept = known.is_some() || said.contains(STANDS);
    let (status, said) = ended(again.spawn().unwrap());
    let refusal = match operation.again {
        Again::Refused(code) if seen == *after => Some(code),
        _ => None,
    };
    let is_refused = refusal.is_some() && status.code() == refusal;
    if !is_refused && !status.success() {
        return Err(format!("the next one: {status}: {said}"));
    }
    let mut expected = after.clone();
    if operation.again == Again::Adds {
        expected.batches = seen.batches + after.batches - before.batches;
        expected.succeeded = seen.succeeded + after.succeeded - before.succeeded;
        expected.out = [seen.out, after.out.clone()].concat();
    }
    let seen = Seen::of(ground);
    if is_swept && seen.out == after.out {
        // What a job left there is swept by the next one that writes there.
        expected.out = after.out.clone();
    }
    if seen != expected {
        return Err(differs("done again", &seen, before, &expected));
    }
    nothing_else(operation, ground)?;
    Ok(known)
}

/// What went wrong is gone with the next one: runs that no catalog names, temporary stores.
fn nothing_else(operation: &Operation, ground: &Ground) -> Result<(), String> {
    // One that died before its lock was made rests for a while: it may be about to make it.
    let out = ground.path("out");
    let left: Vec<String> = names(&out)
        .into_iter()
        .filter(|name| name.starts_with('.') && out.join(name).join("lock").exists())
        .collect();
    if !left.is_empty() {
        return Err(format!("{left:?} is left in out"));
    }
    if operation.changes_runs {
        let mut known = ground.store().catalog().run_folders().unwrap();
        known.sort();
        let there = names(&ground.path("store/runs"));
        if there != known {
            return Err(format!("runs/ has {there:?}, the catalog {known:?}"));
        }
    }
    Ok(())
}

fn differs(told: &str, seen: &Seen, before: &Seen, after: &Seen) -> String {
    let short = |seen: &Seen| {
        format!(
            "{} rows ({:x}), {} datasets, {} batches, {} jobs succeeded, {:?} in out",
            seen.rows.len(),
            digest(&seen.rows),
            seen.datasets.len(),
            seen.batches,
            seen.succeeded,
            seen.out
        )
    };
    format!(
        "{told}, and there is {}; before {}; after {}",
        short(seen),
        short(before),
        short(after)
    )
}

fn digest(rows: &[String]) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    rows.hash(&mut hasher);
    hasher.finish()
}

/// How a process ended, and what it said on standard error.
fn ended(mut child: Child) -> (ExitStatus, String) {
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > HANGS {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let mut said = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        std::io::Read::read_to_end(&mut stderr, &mut said).unwrap();
    }
    (status, String::from_utf8_lossy(&said).into_owned())
}

/// A libc with other names for these calls would leave nothing to break.
#[test]
fn an_export_makes_calls_of_every_class() {
    let calls = calls_of(&operations::RUN, &shared().copy());
    for class in Class::ALL {
        assert!(count(&calls, class) > 0, "{class:?}");
    }
}

#[test]
fn a_load_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::LOAD, |_| {});
}

/// Behind the load eight runs become one.
#[test]
fn a_load_that_merges_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::LOAD, |ground| {
        for _ in 0..5 {
            ground.succeeds(&["ingest", "--dataset", "crm", "crm.ndjson"]);
        }
        assert_eq!(ground.runs(CRM), 7);
    });
}

#[test]
fn a_first_load_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::FIRST_LOAD, |ground| {
        fs::remove_dir_all(ground.path("store")).unwrap();
    });
}

#[test]
fn an_export_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::RUN, |_| {});
}

/// What it had of whom is written beside its batch, and read by the next one.
#[test]
fn an_export_since_another_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::RUN, |ground| {
        let request = fs::read(ground.path("request.json")).unwrap();
        let mut request: Value = serde_json::from_slice(&request).unwrap();
        request["sinceJob"] = json!("last");
        fs::write(ground.path("request.json"), request.to_string()).unwrap();
        ground.succeeds(&["run", "request.json"]);
    });
}

#[test]
fn an_export_elsewhere_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::RUN_OUT, |_| {});
}

#[test]
fn an_export_by_a_template_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::RUN_NAMED, |_| {});
}

#[test]
fn an_export_of_a_folder_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::RUN_FROM, |_| {});
}

#[test]
fn a_compaction_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::COMPACT, |_| {});
}

/// Everybody was in at the first evaluation, and is existing behind each later one.
#[test]
fn an_evaluation_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::EVALUATE, |ground| {
        let expression = json!({"type": "PQL", "format": "pql/text", "value": "identityMap"});
        let definition = json!({"id": "everybody", "name": "everybody", "expression": expression});
        fs::write(ground.path("segment.json"), definition.to_string()).unwrap();
        ground.succeeds(&["segments", "create", "segment.json"]);
        let evaluate = ["segments", "evaluate", "everybody", "--now", "2026-01-01"];
        ground.succeeds(&evaluate);
    });
}

#[test]
fn the_deletion_of_a_dataset_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::DELETE_DATASET, |_| {});
}

#[test]
fn the_deletion_of_a_batch_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::DELETE_BATCH, |_| {});
}

#[test]
fn the_deletion_of_a_profile_whose_calls_fail_or_kill_it_is_as_it_was_told() {
    break_at_many_calls(&operations::DELETE_PROFILE, |_| {});
}
