//! A batch that comes in by HTTP while calls of the server fail, or end it.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use super::{differs, spread};
use crate::ground::{CRM, Ground, Seen, shared};
use crate::served::Served;
use crate::shim::{self, Fault};

/// How long a load may take that is not broken.
const LONG: Duration = Duration::from_secs(20);
/// How long a broken one is watched before the server is started anew: it rests longer after each time
/// that it fails.
const SHORT: Duration = Duration::from_millis(700);

#[test]
fn a_batch_that_comes_in_while_calls_of_the_server_fail_is_as_it_was_told() {
    let shared = shared();
    let before = Seen::of(&shared);
    let whole = shared.copy();
    let log = whole.path("calls.log");
    let mut command = whole.command(&["serve"]);
    shim::watch(&mut command, whole.root(), None, Some(&log));
    let server = Served::start(&mut command).unwrap();
    let records = fs::read(whole.path("more.ndjson")).unwrap();
    let batch = server.send_batch(CRM, &records).unwrap().unwrap();
    let end = server.batch_end(&batch, LONG).unwrap();
    assert_eq!(end.as_deref(), Some("success"));
    assert!(server.stop().success());
    let after = Seen::of(&whole);
    assert_ne!(before.rows, after.rows);

    let mut wrong = String::new();
    for fault in spread::some_faults(&shim::calls(&log)) {
        let ground = shared.copy();
        if let Err(problem) = broken(&ground, fault, &records, &before, &after) {
            writeln!(wrong, "a batch with {fault}: {problem}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// What a sender was told.
#[derive(Debug, Default)]
struct Told {
    /// The batch, where it was taken.
    taken: Option<String>,
    /// How it ended, where that was told.
    end: Option<String>,
}

fn broken(
    ground: &Ground,
    fault: Fault,
    records: &[u8],
    before: &Seen,
    after: &Seen,
) -> Result<(), String> {
    let mut command = ground.command(&["serve"]);
    shim::watch(&mut command, ground.root(), Some(fault), None);
    let mut told = Told::default();
    if let Ok(server) = Served::start(&mut command) {
        // A server that is gone has told what it told until then.
        told.taken = server.send_batch(CRM, records).ok().flatten();
        if let Some(batch) = &told.taken {
            told.end = server.batch_end(batch, SHORT).ok().flatten();
        }
        server.stop();
    }
    let server = Served::start(&mut ground.command(&["serve"]));
    let server = server.map_err(|status| format!("the next server: {status}"))?;
    if let Some(batch) = &told.taken {
        let end = server.batch_end(batch, LONG).map_err(|e| e.to_string())?;
        if end.is_none() || (told.end.is_some() && told.end != end) {
            return Err(format!("{told:?}, and then {end:?}"));
        }
        told.end = end;
    }
    server.stop();
    let seen = Seen::of(ground);
    // A sound batch may be told as failed where the disk failed; then nothing of it is there.
    let expected = match told.end.as_deref() {
        Some("success") => seen == *after,
        Some(_) => seen == *before,
        // It was not taken, or its sender can't know; nothing was asked to be loaded twice.
        None => seen == *before || seen == *after,
    };
    if !expected {
        return Err(differs(&format!("{told:?}"), &seen, before, after));
    }
    Ok(())
}
