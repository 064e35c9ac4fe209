//! The server as a process: stopped at its first moment, killed while it loads.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use profile_export::platform::{Incoming, IncomingBody, complete_incoming};
use profile_export::store::{Batch, BatchStatus, Scope, Store};
use serde_json::json;

use crate::lives::Place;

/// A server that listens.
fn serve(place: &Place) -> Child {
    let mut server = place.command("serve");
    let server = server.args(["--listen", "127.0.0.1:0"]);
    let server = server.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = server.spawn().unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(server.stdout.as_mut().unwrap());
    output.read_line(&mut line).unwrap();
    assert!(line.starts_with("http://"), "{line:?}");
    server
}

#[test]
fn a_server_that_is_told_to_stop_as_soon_as_it_says_where_it_is_ends_well() {
    let place = Place::small();
    // The shell's own kill: another program would come too late.
    let script = r#"coproc server { exec "$0" serve --quiet --store "$1" --listen 127.0.0.1:0 2> /dev/null; }
                    read -r url <& "${server[0]}" && kill -TERM "$server_PID" && wait "$server_PID""#;
    for _ in 0..20 {
        let mut shell = Command::new("bash");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_profile-export")]);
        let status = shell.arg(&place.store).status().unwrap();
        assert!(status.success(), "{status}");
    }
}

fn batch(store: &Store, id: &str) -> Batch {
    store.catalog().batch(id).unwrap().unwrap()
}

#[test]
fn a_batch_whose_server_is_killed_twice_while_it_loads_fails_and_the_next_is_loaded() {
    let place = Place::small();
    let store = Store::open(&place.store, Scope::default()).unwrap();
    let send = || {
        let body =
            json!({"datasetId": "5b020a27e7040801dedba61a", "inputFormat": {"format": "json"}});
        let body = IncomingBody::from_json(body.to_string().as_bytes()).unwrap();
        let id = body.create(&store).unwrap().id;
        let incoming = Incoming::open(&store, &id).unwrap();
        let mut file = incoming.begin_file("a.json").unwrap();
        let record = json!({"identityMap": {"Email": [{"id": "a@x.example"}]}, "ingestedAt": "2026-01-01T00:00:00Z"});
        file.write(record.to_string().as_bytes()).unwrap();
        incoming.finish_file(file).unwrap();
        complete_incoming(&store, &id).unwrap();
        id
    };
    let until = |id: &str, status: BatchStatus| {
        let start = Instant::now();
        while batch(&store, id).status != status {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{:?}",
                batch(&store, id)
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let id = send();
    // A load waits for this, and is killed as it waits.
    let lock = File::create(store.layout().load_lock()).unwrap();
    lock.lock().unwrap();
    for _ in 0..2 {
        let mut server = serve(&place);
        until(&id, BatchStatus::Processing);
        server.kill().unwrap();
        server.wait().unwrap();
    }
    drop(lock);
    let mut server = serve(&place);
    let failed = batch(&store, &id);
    assert_eq!(failed.status, BatchStatus::Failed, "{failed:?}");
    assert_eq!(failed.errors.unwrap()[0].code, "PE-0010");
    let next = send();
    until(&next, BatchStatus::Success);
    server.kill().unwrap();
    server.wait().unwrap();
}
