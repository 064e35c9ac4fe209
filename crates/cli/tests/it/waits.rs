//! Commands that wait, for another process or for input: they say so, and they can be ended.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use profile_export::store::{Scope, Store};
use store::FileLock;
use tempfile::TempDir;

use crate::lives::{Place, json as json_of};
use crate::program::{fixtures, program};
use crate::streams::Served;

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let mut kill = Command::new("kill");
    assert!(kill.args([name, &pid]).status().unwrap().success());
}

/// Waits for a process's end and says what it wrote to standard error.
fn end(mut child: Child, within: Duration) -> (Option<i32>, String) {
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > within {
            child.kill().unwrap();
            panic!("it did not end within {within:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut text = String::new();
    child.stderr.unwrap().read_to_string(&mut text).unwrap();
    (status.code(), text)
}

fn piped(command: &mut Command) -> Child {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn who_waits_for_the_lock_says_so_and_stops_at_once() {
    let place = Place::small();
    let path = place.store.join("load.lock");
    let held = FileLock::acquire(&path).unwrap();
    let load = |quiet: bool| {
        let mut command = place.loud("ingest");
        if quiet {
            command.arg("--quiet");
        }
        piped(command.arg("--from").arg(fixtures()))
    };
    let compact = || piped(&mut place.loud("store compact"));
    for (child, name, tells) in [
        (load(false), "-INT", true),
        (load(false), "-TERM", true),
        (load(true), "-INT", false),
        (compact(), "-INT", true),
        (compact(), "-TERM", true),
    ] {
        std::thread::sleep(Duration::from_millis(1500));
        signal(&child, name);
        let (code, text) = end(child, Duration::from_secs(2));
        assert_eq!(code, Some(130), "{text}");
        let holder = format!("waiting for process {}", std::process::id());
        assert_eq!(text.contains(&holder), tells, "{text}");
        assert_eq!(text.contains("load.lock"), tells, "{text}");
    }
    // Whoever is patient gets it, once it is free.
    let child = load(false);
    std::thread::sleep(Duration::from_millis(200));
    drop(held);
    let (code, text) = end(child, Duration::from_secs(60));
    assert_eq!(code, Some(0), "{text}");
    assert!(!text.contains("waiting"), "{text}");
    place.assert_sound();
}

#[test]
fn a_load_that_waits_for_its_input_is_in_nobodys_way_and_ends_at_once() {
    let place = Place::small();
    let ingest = || {
        let mut command = place.loud("ingest");
        piped(command.args([
            "--dataset",
            "piped",
            "--primary-identity",
            "email=Email",
            "-",
        ]))
    };
    for name in ["-INT", "-TERM"] {
        let waits = ingest();
        std::thread::sleep(Duration::from_millis(300));
        // Another one loads meanwhile.
        let mut other = place.command("ingest");
        let status = other.arg("--from").arg(fixtures()).status().unwrap();
        assert!(status.success());
        signal(&waits, name);
        assert_eq!(end(waits, Duration::from_secs(1)).0, Some(130));
    }
    // Also when the first bytes have come.
    let mut began = ingest();
    let mut stdin = began.stdin.take().unwrap();
    stdin.write_all(b"{\"email\": \"a\"}\n").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    signal(&began, "-INT");
    assert_eq!(end(began, Duration::from_secs(3)).0, Some(130));
    place.assert_sound();
    // What was piped in is whole.
    let mut whole = ingest();
    let mut stdin = whole.stdin.take().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    for n in 0..1000 {
        writeln!(stdin, "{{\"email\": \"{n}\"}}").unwrap();
    }
    drop(stdin);
    assert_eq!(end(whole, Duration::from_secs(60)).0, Some(0));
    let stats = json_of(place.command("store stats").arg("--json"));
    let datasets = stats["datasets"].as_array().unwrap();
    let piped = datasets.iter().find(|d| d["name"] == "piped").unwrap();
    assert_eq!(piped["records"], 1000);
}

#[test]
fn what_does_not_hear_a_signal_ends_at_the_second_or_after_a_while() {
    let folder = TempDir::new().unwrap();
    let source = folder.path().join("source");
    let dataset = source.join("crm");
    std::fs::create_dir_all(&dataset).unwrap();
    let description = r#"{"id": "5b020a27e7040801dedba61a", "name": "crm", "class": "profile"}"#;
    std::fs::write(dataset.join("dataset.json"), description).unwrap();
    // A pipe that nobody writes to.
    let pipe = dataset.join("data.ndjson");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let out = folder.path().join("out");
    let mut command = program();
    command
        .arg("run")
        .arg(fixtures().join("requests/all-profiles.json"))
        .arg("--from")
        .arg(&source)
        .arg("--out")
        .arg(&out);
    let mut run = || {
        let child = piped(&mut command);
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, "-TERM");
        child
    };
    let asked_twice = run();
    std::thread::sleep(Duration::from_millis(200));
    signal(&asked_twice, "-INT");
    assert_eq!(end(asked_twice, Duration::from_secs(2)).0, Some(130));
    assert_eq!(end(run(), Duration::from_secs(8)).0, Some(130));
}

#[test]
fn nobody_else_can_take_the_job_of_a_run() {
    let place = Place::small();
    let served = Served::start(&place, Stdio::null());
    let folder = TempDir::new().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let seen = scope.spawn(|| {
            let store = Store::open(&place.store, Scope::default()).unwrap();
            let mut seen = Vec::new();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                seen.extend(store.catalog().waiting_jobs(10).unwrap());
            }
            seen
        });
        for n in 0..20 {
            let out = folder.path().join(n.to_string());
            let mut command = place.command("run");
            command.arg(&place.request).arg("--out").arg(&out);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            assert_eq!(std::fs::read_dir(out).unwrap().count(), 1);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(
            seen.join().unwrap(),
            [],
            "a job waited for somebody to take it"
        );
    });
    drop(served);
    place.assert_sound();
}
