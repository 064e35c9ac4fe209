//! Killed processes and full disks: what was committed is whole, what was not is invisible, and the
//! same command succeeds when it is run again.

use std::process::{Command, Stdio};
use std::time::Duration;

use profile_export_benches::write_workload;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lives::{Place, json as json_of};
use crate::program::program;

/// Set to kill at hundreds of moments instead of tens.
const DEEP: &str = "PROFILE_EXPORT_DEEP_TESTS";

pub fn is_deep() -> bool {
    std::env::var_os(DEEP).is_some()
}

pub fn moments() -> u64 {
    if is_deep() { 120 } else { 10 }
}

/// Runs a command and kills it after a while that grows from nothing to its whole life.
pub fn kill_at(command: &mut Command, moment: u64, of: u64, whole: Duration) -> bool {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(whole.mul_f64(moment as f64 / of as f64));
    let _ = child.kill();
    child.wait().unwrap().success()
}

#[test]
fn a_killed_load_leaves_the_store_as_it_was_or_whole() {
    let source = TempDir::new().unwrap();
    write_workload(source.path(), 0..1500, 7).unwrap();
    let folder = TempDir::new().unwrap();
    let load = |store: &str| {
        let mut command = program();
        command
            .args(["ingest", "--quiet", "--store"])
            .arg(folder.path().join(store));
        command.arg("--from").arg(source.path());
        command
    };
    let start = std::time::Instant::now();
    assert!(load("whole").status().unwrap().success());
    let whole = start.elapsed();
    let stats = |store: &str| -> Value {
        let mut command = program();
        command
            .args(["store", "stats", "--json", "--store"])
            .arg(folder.path().join(store));
        let output = command.output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    };
    let records = |stats: &Value| -> u64 {
        let datasets = stats["datasets"].as_array();
        datasets
            .into_iter()
            .flatten()
            .map(|d| d["records"].as_u64().unwrap())
            .sum()
    };
    let expected = records(&stats("whole"));
    assert!(expected > 10_000);
    for moment in 0..moments() {
        let store = format!("killed-{moment}");
        kill_at(&mut load(&store), moment, moments(), whole);
        let found = records(&stats(&store));
        assert!(
            found == 0 || found == expected,
            "{found} of {expected} records at moment {moment}"
        );
        assert!(load(&store).status().unwrap().success(), "moment {moment}");
        let mut verify = program();
        verify
            .args(["store", "verify", "--store"])
            .arg(folder.path().join(&store));
        assert!(verify.output().unwrap().status.success());
        // The second load of the same profiles makes runs of its own; no event is there twice.
        let events = stats(&store);
        let events = events["datasets"]
            .as_array()
            .unwrap()
            .iter()
            .find(|d| d["class"] == "event")
            .unwrap();
        let whole = stats("whole");
        let same = whole["datasets"]
            .as_array()
            .unwrap()
            .iter()
            .find(|d| d["class"] == "event")
            .unwrap();
        assert_eq!(events["records"], same["records"]);
    }
}

#[test]
fn a_killed_export_is_failed_and_leaves_nothing() {
    let place = Place::large(1500);
    let first = place.create();
    let start = std::time::Instant::now();
    assert!(place.start(first).wait().unwrap().success());
    let whole = start.elapsed();
    let digest = |id: i64| {
        let batch = place.job(id)["destination"]["batchId"]
            .as_str()
            .unwrap()
            .to_owned();
        json_of(place.command("batches files").args([&batch]))["data"][0]["rows"].clone()
    };
    let expected = digest(first);
    for moment in 0..moments() {
        let id = place.create();
        let mut run = place.command("jobs run");
        kill_at(run.args([&id.to_string()]), moment, moments(), whole);
        place.assert_sound();
        let job = place.job(id);
        match job["status"].as_str().unwrap() {
            "SUCCEEDED" => assert_eq!(digest(id), expected),
            "FAILED" => {
                assert_eq!(job["errors"][0]["code"], "PE-0010", "{job}");
                let batch = job["destination"]["batchId"].as_str().unwrap();
                let get = place.command("batches get").args([batch]).output().unwrap();
                assert_eq!(
                    get.status.code(),
                    Some(3),
                    "a failed job's batch is invisible"
                );
            }
            "NEW" => assert!(place.start(id).wait().unwrap().success()),
            other => panic!("{other} after a kill"),
        }
    }
    let again = place.create();
    assert!(place.start(again).wait().unwrap().success());
    assert_eq!(digest(again), expected);
    place.assert_sound();
}

/// A limit on the length of files stands in for a full disk: writes fail in the same places.
#[test]
fn a_full_disk_is_a_clear_error_and_the_store_works_on() {
    let source = TempDir::new().unwrap();
    write_workload(source.path(), 0..2000, 3).unwrap();
    let place = Place::large(50);
    let limited = |arguments: &[&str]| {
        let script = "trap '' XFSZ; ulimit -f 300; exec \"$@\"";
        let mut command = Command::new("bash");
        command.args(["-c", script, "bash", env!("CARGO_BIN_EXE_profile-export")]);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let store = place.store.to_str().unwrap();
    let from = source.path().to_str().unwrap();
    let before = json_of(place.command("store stats").args(["--json"]));
    let output = limited(&["ingest", "--store", store, "--from", from]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("run.pack: File too large"), "{message}");
    let after = json_of(place.command("store stats").args(["--json"]));
    assert_eq!(
        after["bytes"], before["bytes"],
        "nothing of the load is visible"
    );
    place.assert_sound();

    // With room it loads; then the export meets the limit.
    let mut load = place.command("ingest");
    assert!(load.args(["--from", from]).status().unwrap().success());
    let request = place.request.to_str().unwrap();
    let output = limited(&["run", request, "--store", store]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let failed = json_of(place.command("jobs list").args(["--status", "FAILED"]));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, failed["records"][0]);
    let error = &printed["errors"][0];
    assert_eq!(error["code"], "PE-0008", "{error}");
    assert!(
        error["callStack"]
            .as_str()
            .unwrap()
            .contains("File too large"),
        "{error}"
    );
    let id = printed["id"].to_string();
    let watched = place.command("jobs watch").arg(id).output().unwrap();
    assert_eq!(watched.status.code(), Some(1));
    let why = String::from_utf8_lossy(&watched.stderr).into_owned();
    assert!(
        why.contains(&format!(
            "failed: {} [PE-0008]\nnext: {}\n",
            error["msg"].as_str().unwrap(),
            error["nextStep"].as_str().unwrap()
        )),
        "{why}"
    );
    place.assert_sound();
    assert_eq!(
        json_of(place.command("batches list").args(["--json"])),
        json!([])
    );
    let id = place.create();
    assert!(place.start(id).wait().unwrap().success());
}
