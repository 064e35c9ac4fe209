//! The lives of jobs: run once, cancelled, seen by several processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use profile_export_benches::write_workload;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{fixtures, program};

/// A store with something in it, and a request on it.
pub struct Place {
    _folder: TempDir,
    pub store: PathBuf,
    pub request: PathBuf,
}

impl Place {
    /// A store of the fixtures.
    pub fn small() -> Self {
        Self::of(&fixtures())
    }

    /// A store of so many people of the benchmarks' workload; exporting it takes a while.
    pub fn large(people: u64) -> Self {
        let source = TempDir::new().unwrap();
        write_workload(source.path(), 0..people, 1).unwrap();
        Self::of(source.path())
    }

    fn of(source: &Path) -> Self {
        let folder = TempDir::new().unwrap();
        let store = folder.path().join("store");
        let request = folder.path().join("request.json");
        let place = Self {
            _folder: folder,
            store,
            request,
        };
        let source = source.to_str().unwrap();
        assert!(
            place
                .command("ingest")
                .args(["--from", source])
                .status()
                .unwrap()
                .success()
        );
        let body = fixtures().join("target.json");
        let made = json(place.command("datasets create").arg(body));
        let id = made[0]
            .as_str()
            .unwrap()
            .strip_prefix("@/dataSets/")
            .unwrap();
        let request = json!({
            "destination": {"datasetId": id},
            "schema": {"name": "_xdm.context.profile"},
            "additionalFields": {"eventList": {}},
        });
        fs::write(&place.request, request.to_string()).unwrap();
        place
    }

    pub fn command(&self, name: &str) -> Command {
        let mut command = self.loud(name);
        command.arg("--quiet");
        command
    }

    /// A command that says all that it has to say.
    pub fn loud(&self, name: &str) -> Command {
        let mut command = program();
        command
            .args(name.split(' '))
            .arg("--store")
            .arg(&self.store);
        command
    }

    pub fn create(&self) -> i64 {
        json(self.command("jobs create").arg(&self.request))["id"]
            .as_i64()
            .unwrap()
    }

    pub fn job(&self, id: i64) -> Value {
        json(self.command("jobs get").args([&id.to_string()]))
    }

    pub fn start(&self, id: i64) -> Child {
        self.command("jobs run")
            .args([&id.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// The store holds what its catalog names and nothing else, and every byte is right.
    pub fn assert_sound(&self) {
        // The next start of any job sweeps what dead ones left.
        assert!(self.command("jobs list").output().unwrap().status.success());
        let output = self.command("store verify").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let known = json(self.command("batches list").args(["--json"]));
        let known: Vec<&str> = known
            .as_array()
            .unwrap()
            .iter()
            .map(|b| b["id"].as_str().unwrap())
            .collect();
        for entry in fs::read_dir(self.store.join("batches")).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(
                known.contains(&name.to_str().unwrap()),
                "{name:?} is in no catalog"
            );
        }
        assert_eq!(fs::read_dir(self.store.join("staging")).unwrap().count(), 0);
    }
}

/// The JSON that a command prints.
pub fn json(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "waited too long for {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_job_waits_runs_once_and_tells_its_figures() {
    let place = Place::small();
    let id = place.create();
    assert_eq!(place.job(id)["status"], "NEW");
    assert!(place.start(id).wait().unwrap().success());
    let job = place.job(id);
    assert_eq!(job["status"], "SUCCEEDED");
    let metrics = &job["metrics"];
    for step in ["totalTime", "profileExportTime", "aCPDatasetWriteTime"] {
        assert!(
            metrics[step]["endTimeInMs"].as_i64() >= metrics[step]["startTimeInMs"].as_i64(),
            "{metrics}"
        );
    }
    assert_eq!(metrics["totalExportedProfileCounter"], 390);
    assert!(metrics["totalExportedEventCounter"].as_u64() > Some(0));
    assert!(metrics["totalWrittenBytes"].as_u64() > Some(1000));
    if cfg!(target_os = "linux") {
        assert!(metrics["peakMemoryBytes"].as_u64() > Some(1_000_000));
    }
    assert_eq!(
        job["destination"]["datasetId"],
        job["destination"]["dataSetId"]
    );

    // Once is enough, and a finished job can't be cancelled.
    assert_eq!(place.start(id).wait().unwrap().code(), Some(5));
    let output = place
        .command("jobs cancel")
        .args([&id.to_string()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is SUCCEEDED"));
    assert_eq!(
        json(place.command("jobs watch").args([&id.to_string()]))["status"],
        "SUCCEEDED"
    );

    let batch = job["destination"]["batchId"].as_str().unwrap();
    let object = json(place.command("batches get").args([batch]));
    assert_eq!(object[batch]["jobId"], id);
    let files = json(place.command("batches files").args([batch]));
    let file = &files["data"][0];
    assert_eq!(file["rows"], 390);
    let path = file["path"].as_str().unwrap();
    assert_eq!(
        fs::metadata(path).unwrap().len(),
        file["length"].as_u64().unwrap()
    );
    place.assert_sound();
    assert!(
        place
            .command("batches delete")
            .args([batch])
            .status()
            .unwrap()
            .success()
    );
    assert!(!Path::new(path).exists());
    place.assert_sound();
}

#[test]
fn a_waiting_job_is_cancelled_at_once() {
    let place = Place::small();
    let id = place.create();
    let job = json(place.command("jobs cancel").args([&id.to_string()]));
    assert_eq!(job["status"], "CANCELLED");
    assert_eq!(place.start(id).wait().unwrap().code(), Some(5));
}

#[test]
fn a_running_job_is_cancelled_from_another_process_and_by_ctrl_c() {
    let place = Place::large(20_000);
    for by_signal in [false, true] {
        let id = place.create();
        let mut child = place.start(id);
        wait_for("the job to begin", || {
            place
                .store
                .join("staging")
                .join(id.to_string())
                .join("progress.json")
                .exists()
        });
        let asked = Instant::now();
        if by_signal {
            let pid = child.id().to_string();
            assert!(
                Command::new("kill")
                    .args(["-INT", &pid])
                    .status()
                    .unwrap()
                    .success()
            );
        } else {
            place
                .command("jobs cancel")
                .args([&id.to_string()])
                .output()
                .unwrap();
        }
        let status = child.wait().unwrap();
        // Slow machines and debug builds get more than the second that users are promised.
        assert!(asked.elapsed() < Duration::from_secs(10));
        let state = place.job(id)["status"].clone();
        assert_eq!(state, "CANCELLED", "{status:?}");
        assert_eq!(status.code(), Some(130));
        place.assert_sound();
    }
    assert_eq!(
        json(place.command("batches list").args(["--json"])),
        json!([])
    );
}

#[test]
fn organisations_and_sandboxes_do_not_see_each_other() {
    let place = Place::small();
    let id = place.create();
    let elsewhere = |command: &mut Command| {
        command.args(["--org", "other", "--sandbox", "dev"]);
        command.output().unwrap()
    };
    let listed =
        |output: std::process::Output| -> Value { serde_json::from_slice(&output.stdout).unwrap() };
    let datasets = elsewhere(place.command("datasets list").args(["--json"]));
    assert_eq!(listed(datasets), json!([]));
    assert_eq!(
        listed(elsewhere(&mut place.command("jobs list")))["records"],
        json!([])
    );
    let get = elsewhere(place.command("jobs get").args([&id.to_string()]));
    assert_eq!(get.status.code(), Some(3));
    // The same folder, with the same dataset IDs, loads there too.
    let mut load = place.command("ingest");
    load.arg("--from")
        .arg(fixtures())
        .env("PROFILE_EXPORT_ORG", "other");
    assert!(
        load.env("PROFILE_EXPORT_SANDBOX", "dev")
            .status()
            .unwrap()
            .success()
    );
    let datasets = elsewhere(place.command("datasets list").args(["--json"]));
    assert_eq!(listed(datasets).as_array().unwrap().len(), 4);
    assert_eq!(place.job(id)["imsOrgId"], "default");
}

#[test]
fn a_dataset_is_deleted_with_its_records_but_not_with_its_batches() {
    let place = Place::small();
    let target = json(place.command("datasets list").args(["--json"]))[0]["id"].clone();
    let waiting = place.create();
    let crm = "5b020a27e7040801dedba61a";
    assert!(
        place
            .command("datasets delete")
            .args([crm])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        place
            .command("datasets get")
            .args([crm])
            .status()
            .unwrap()
            .code(),
        Some(3)
    );
    let after = place.create();
    assert!(
        place
            .command("jobs run")
            .args(["--all"])
            .output()
            .unwrap()
            .status
            .success()
    );
    let profiles = |id| {
        place.job(id)["metrics"]["totalExportedProfileCounter"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(
        profiles(waiting),
        390,
        "it reads the store as it stood when it was created"
    );
    assert!(profiles(after) < 390);
    let target = target.as_str().unwrap();
    let output = place
        .command("datasets delete")
        .args([target])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("holds 2 batches; delete them first"));
}

/// Two processes that create, run, list and cancel at once lose no job and run none twice.
#[test]
fn two_processes_share_the_work() {
    let place = Place::small();
    let jobs = 24;
    let ids: Vec<i64> = (0..jobs).map(|_| place.create()).collect();
    let workers: Vec<Child> = (0..2)
        .map(|_| {
            place
                .command("jobs run")
                .args(["--all"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    let cancelled: Vec<i64> = ids
        .iter()
        .rev()
        .step_by(6)
        .copied()
        .filter(|id| {
            let output = place
                .command("jobs cancel")
                .args([&id.to_string()])
                .output()
                .unwrap();
            output.status.success() && place.job(*id)["status"] == "CANCELLED"
        })
        .collect();
    let late = place.create();
    for mut worker in workers {
        worker.wait().unwrap();
    }
    place.command("jobs run").args(["--all"]).output().unwrap();
    for id in ids.iter().chain([&late]) {
        let expected = if cancelled.contains(id) {
            "CANCELLED"
        } else {
            "SUCCEEDED"
        };
        let job = place.job(*id);
        assert_eq!(job["status"], expected, "{job}");
    }
    let batches = json(place.command("batches list").args(["--json"]));
    assert_eq!(
        batches.as_array().unwrap().len(),
        ids.len() + 1 - cancelled.len()
    );
    place.assert_sound();
}

/// Paging through the list gives each job once: by cursor even while new ones are being added.
#[test]
fn paging_gives_each_job_once() {
    use profile_export::export::Progress;
    use profile_export::jobs::{JobPage, create_job, list_jobs};
    use profile_export::platform::SourceFolder;
    use profile_export::request::ExportRequest;
    use profile_export::store::{LoadOptions, Scope, Store};
    use profile_export::xdm::Dataset;
    let folder = TempDir::new().unwrap();
    let store = Store::open_temporary(folder.path(), Scope::default()).unwrap();
    let source = SourceFolder::open(&fixtures()).unwrap();
    source
        .load(&store, &LoadOptions::default(), &Progress::default())
        .unwrap();
    let target = store
        .catalog()
        .create_dataset(Dataset::target("", "target"))
        .unwrap();
    let body = json!({"destination": {"datasetId": target.id}, "schema": {"name": "_xdm.context.profile"}});
    let request = ExportRequest::from_json(body.to_string().as_bytes()).unwrap();
    let create = || create_job(&store, &request).unwrap().id;
    let mut known: Vec<i64> = (0..7).map(|_| create()).collect();
    let config = ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let by = (1..12u32, any::<bool>(), any::<bool>());
    proptest::test_runner::TestRunner::new(config)
        .run(&by, |(limit, by_cursor, ascending)| {
            let before = known_ids(&store);
            let sort = if ascending {
                "createdTime:asc"
            } else {
                "createdTime:desc"
            };
            let mut seen = Vec::new();
            let mut offset = None;
            loop {
                let page = JobPage {
                    limit: Some(limit),
                    offset,
                    sort: Some(sort.to_owned()),
                    status: None,
                };
                let list = list_jobs(&store, &page).unwrap();
                prop_assert!(list.records.len() <= limit as usize);
                seen.extend(list.records.iter().map(|job| job.id));
                let Some(next) = &list.link.next else {
                    // Never null: a client of the platform's breaks on that.
                    prop_assert_eq!(json!(list.link), json!({}));
                    break;
                };
                prop_assert!(next.contains("offset="));
                offset = if by_cursor {
                    // New ones come in front of what a list of the newest has shown.
                    if !ascending && seen.len() < 20 {
                        create();
                    }
                    Some(list.page.page_offset)
                } else {
                    Some(seen.len().to_string())
                };
            }
            let mut expected = before;
            if !ascending {
                expected.reverse();
            }
            prop_assert_eq!(seen, expected);
            Ok(())
        })
        .unwrap();
    known.push(create());
    assert!(known.is_sorted());
}

fn known_ids(store: &profile_export::store::Store) -> Vec<i64> {
    let page = profile_export::jobs::JobPage::default();
    let list = profile_export::jobs::list_jobs(store, &page).unwrap();
    let mut ids: Vec<i64> = list.records.iter().map(|job| job.id).collect();
    ids.reverse();
    ids
}
