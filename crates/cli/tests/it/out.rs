//! `--out`: batches in a folder of the user's, all of a job or none, on any file system.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::faults::{kill_at, moments};
use crate::lives::{Place, json as json_of};
use crate::program::{fixtures, program};

/// Batches of a job that is killed: enough that making them visible takes a while.
const BATCHES: usize = 40;

/// Makes the place's request one with many batches.
fn with_many_batches(place: &Place) -> &Place {
    let mut request: Value = serde_json::from_slice(&fs::read(&place.request).unwrap()).unwrap();
    request["destination"]["segmentPerBatch"] = json!(true);
    let segments = (0..BATCHES).map(|n| json!({"segmentId": format!("segment-{n}")}));
    request["filter"] = json!({"segments": segments.collect::<Vec<_>>()});
    fs::write(&place.request, request.to_string()).unwrap();
    place
}

fn run_out(place: &Place, out: &Path) -> Command {
    let mut command = place.command("run");
    command.arg(&place.request).arg("--out").arg(out);
    command
}

fn run_from(place: &Place, source: &Path, out: &Path) -> Command {
    let mut command = program();
    command.args(["run", "--quiet"]).arg(&place.request);
    command.arg("--from").arg(source).arg("--out").arg(out);
    command
}

/// The names in a folder: those that a user sees, and the hidden ones.
fn names(out: &Path) -> (Vec<String>, Vec<String>) {
    let Ok(entries) = fs::read_dir(out) else {
        return Default::default();
    };
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .partition(|name| !name.starts_with('.'))
}

/// All batches of a job are there, or none, and nothing hidden.
fn assert_all_or_none(out: &Path, when: &str) -> usize {
    let (seen, hidden) = names(out);
    assert!(hidden.is_empty(), "{when}: {hidden:?}");
    assert!(
        seen.is_empty() || seen.len() == BATCHES,
        "{when}: {} of {BATCHES} batches",
        seen.len()
    );
    for name in &seen {
        assert!(
            out.join(name).join("part-00000.parquet").is_file(),
            "{when}"
        );
    }
    seen.len()
}

/// Starts a job and kills it when its first batch can be seen.
fn kill_when_seen(mut command: Command, out: &Path) {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while child.try_wait().unwrap().is_none() && names(out).0.is_empty() {
        std::thread::yield_now();
    }
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn a_killed_job_leaves_all_its_batches_outside_of_the_store_or_none() {
    let place = Place::small();
    let folder = TempDir::new().unwrap();
    with_many_batches(&place);
    let start = std::time::Instant::now();
    assert!(
        run_out(&place, &folder.path().join("whole"))
            .output()
            .unwrap()
            .status
            .success()
    );
    let whole = start.elapsed();
    assert_eq!(
        assert_all_or_none(&folder.path().join("whole"), "whole"),
        BATCHES
    );
    let jobs = || json_of(place.command("jobs list").args(["--limit", "1"]));
    let check = |out: &Path, when: &str| {
        // Any look at the store's jobs sweeps.
        let job = jobs()["records"][0].clone();
        let seen = assert_all_or_none(out, when);
        let succeeded = job["status"] == "SUCCEEDED";
        if seen > 0 {
            assert!(succeeded, "{when}: {job}");
        }
        place.assert_sound();
    };
    for moment in 0..moments() {
        let out = folder.path().join(format!("moment-{moment}"));
        kill_at(&mut run_out(&place, &out), moment, moments(), whole);
        check(&out, &format!("moment {moment}"));
        let out = folder.path().join(format!("seen-{moment}"));
        kill_when_seen(run_out(&place, &out), &out);
        check(&out, &format!("seen {moment}"));
    }
}

#[test]
fn the_next_export_to_a_folder_clears_what_killed_ones_left_there() {
    let place = Place::small();
    with_many_batches(&place);
    let folder = TempDir::new().unwrap();
    let clean = Place::small();
    for moment in 0..moments() {
        let out = folder.path().join(format!("out-{moment}"));
        match moment % 2 {
            0 => kill_when_seen(run_out(&place, &out), &out),
            _ => kill_when_seen(run_from(&place, &fixtures(), &out), &out),
        }
        // Another store, or none: whoever comes next.
        let before = names(&out).0.len();
        let status = match moment % 4 {
            0 | 1 => run_out(&clean, &out).output().unwrap().status,
            _ => run_from(&clean, &fixtures(), &out).output().unwrap().status,
        };
        assert!(status.success());
        let (seen, hidden) = names(&out);
        assert!(hidden.is_empty(), "{hidden:?}");
        assert!(
            seen.len() == 1 || seen.len() == BATCHES + 1,
            "{before} batches were left, {} are there",
            seen.len()
        );
    }
}

#[test]
fn a_goal_on_another_file_system_works() {
    let place = Place::small();
    with_many_batches(&place);
    let shared = Path::new("/dev/shm");
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    if device(shared).is_none() || device(shared) == device(&place.store) {
        eprintln!("skipped: /dev/shm is no file system of its own here");
        return;
    }
    let folder = TempDir::new_in(shared).unwrap();
    let out = folder.path().join("out");
    let output = run_out(&place, &out).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(assert_all_or_none(&out, "store"), BATCHES);
    let output = run_from(&place, &fixtures(), &out).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let (seen, hidden) = names(&out);
    assert_eq!((seen.len(), hidden.len()), (2 * BATCHES, 0));
    place.assert_sound();
}

#[test]
fn what_is_no_folder_is_refused_before_anything_is_done() {
    let place = Place::small();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "mine").unwrap();
    let inside = place.store.join("batches/x");
    let goals: [(PathBuf, &str); 11] = [
        ("s3://bucket/exports".into(), "scheme"),
        ("gs://bucket".into(), "scheme"),
        ("abfss://c@a.dfs.core.windows.net/x".into(), "scheme"),
        ("file:///tmp/exports".into(), "write /tmp/exports"),
        ("file:exports".into(), "scheme"),
        ("hdfs:/x".into(), "scheme"),
        ("-".into(), "a folder is wanted"),
        (file.clone(), "a file"),
        (file.join("below"), "is a file"),
        (inside, "a folder of the store"),
        (place.store.clone(), "a folder of the store"),
    ];
    for (goal, expected) in goals {
        let refused = |output: Output| {
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{goal:?}: {message}");
            assert!(message.contains(expected), "{goal:?}: {message}");
            assert_eq!(output.stdout, b"");
        };
        let mut command = run_out(&place, &goal);
        refused(command.current_dir(folder.path()).output().unwrap());
        if expected != "a folder of the store" {
            let mut command = run_from(&place, &fixtures(), &goal);
            refused(command.current_dir(folder.path()).output().unwrap());
        }
    }
    assert_eq!(
        json_of(&mut place.command("jobs list"))["records"],
        json!([])
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // A folder of such a name is one, where it is written as one.
    let mut command = run_out(&place, Path::new("./s3://b"));
    let output = command.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(names(&folder.path().join("s3:/b")).0.len(), 1);
    // Nor is a store an address.
    for (option, address) in [
        ("--store", "s3://bucket/store"),
        ("--store", "file:///tmp/store"),
        ("--rejects", "s3://bucket/rejects.ndjson"),
    ] {
        let mut command = program();
        command.args(["ingest", option, address, "--from"]);
        let output = command
            .arg(fixtures())
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}

#[test]
fn a_folder_is_exported_to_again_and_by_several_at_once() {
    let place = Place::small();
    with_many_batches(&place);
    let folder = TempDir::new().unwrap();
    let out = folder.path();
    // What others have there stays, whatever it is called.
    fs::create_dir(out.join(".profile-export")).unwrap();
    fs::write(out.join(".profile-export-note"), "mine").unwrap();
    // One of a process that died before it had a lock goes.
    fs::create_dir(out.join(".profile-export-dead")).unwrap();
    let children: Vec<_> = (0..4)
        .map(|n| match n % 2 {
            0 => run_out(&place, out),
            _ => run_from(&place, &fixtures(), out),
        })
        .map(|mut command| command.stdout(Stdio::null()).spawn().unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let (seen, mut hidden) = names(out);
    hidden.sort();
    assert_eq!(seen.len(), 4 * BATCHES);
    assert_eq!(hidden, [".profile-export", ".profile-export-note"]);
    place.assert_sound();
}

#[test]
fn a_cancelled_job_leaves_nothing_in_its_goal() {
    let place = Place::large(20_000);
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    for signal in ["-INT", "-TERM"] {
        let child = run_out(&place, &out)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        while names(&out).1.is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let pid = child.id().to_string();
        let mut kill = Command::new("kill");
        assert!(kill.args([signal, &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{signal}");
        assert_eq!(names(&out), (vec![], vec![]), "{signal}");
        let job = &json_of(place.command("jobs list").args(["--limit", "1"]))["records"][0];
        assert_eq!(job["status"], "CANCELLED", "{signal}");
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(&printed, job, "{signal}");
    }
}
