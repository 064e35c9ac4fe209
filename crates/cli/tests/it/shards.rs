//! Exports in shards: the same rows as at once, whatever becomes of the attempts and of the commit.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::by_number::spread::some_faults;
use crate::ground::names;
use crate::outputs::refused;
use crate::program::{fixture_store, fixtures, program, run, stderr, stdout, text};
use crate::shim::{self, Class, Fault, What};
use crate::stopped::Stopped;

/// A store, and an export of it in shards.
struct Place {
    folder: TempDir,
    store: String,
}

impl Place {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = fixture_store(&folder);
        Self { folder, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn staging(&self) -> PathBuf {
        let out = self.path("out");
        let hidden = names(&out)
            .into_iter()
            .find(|name| name.starts_with(".plan-"));
        out.join(hidden.unwrap())
    }

    fn plan(&self, name: &str, shards: usize, more: &[&str]) -> Output {
        let (shards, path) = (shards.to_string(), self.path(name));
        let all = [
            "plan",
            "--store",
            &self.store,
            "--shards",
            &shards,
            "-o",
            text(&path),
        ];
        run(&[&all[..], more].concat())
    }

    fn shard(&self, plan: &str, number: usize, attempt: &str) -> Output {
        run(&[
            "run-shard",
            "--plan",
            text(&self.path(plan)),
            "--shard",
            &number.to_string(),
            "--attempt",
            attempt,
            "--out",
            text(&self.path("out")),
        ])
    }

    fn all_shards(&self, plan: &str, shards: usize) {
        for number in (0..shards).rev() {
            stdout(&self.shard(plan, number, "a"));
        }
    }

    fn commit(&self, plan: &str, more: &[&str]) -> Output {
        let (plan, out) = (self.path(plan), self.path("out"));
        let all = ["commit", "--plan", text(&plan), "--out", text(&out)];
        run(&[&all[..], more].concat())
    }

    fn abort(&self, plan: &str) -> Output {
        let (plan, out) = (self.path(plan), self.path("out"));
        run(&["abort", "--plan", text(&plan), "--out", text(&out)])
    }

    /// What a command of this plan is, for this folder.
    fn command(&self, command: &str, more: &[&str]) -> Command {
        let (plan, out) = (self.path("plan.json"), self.path("out"));
        let mut program = program();
        program.args([command, "--plan", text(&plan), "--out", text(&out)]);
        program.args(more);
        program
    }

    /// Runs a command until it is about to make a call of this kind at such a path for the first time, and stops it there.
    /// `twin` is a place like this one, where it runs to its end before.
    fn stopped(
        &self,
        (command, more): (&str, &[&str]),
        (class, path): (Class, &str),
        twin: &Self,
    ) -> Stopped {
        let log = twin.path(&format!("{command}.log"));
        let mut whole = twin.command(command, more);
        shim::watch(&mut whole, twin.folder.path(), None, Some(&log));
        stdout(&whole.output().unwrap());
        let calls = shim::calls(&log);
        Stopped::start(
            self.command(command, more),
            self.folder.path(),
            &calls,
            (class, path),
        )
    }

    /// What every reader sees: names that begin with a dot are hidden.
    fn seen(&self) -> Vec<String> {
        let names = names(&self.path("out")).into_iter();
        names.filter(|name| !name.starts_with('.')).collect()
    }

    /// The bytes of each batch's files one after the other, in the order of the manifest.
    fn batches(&self, out: &str) -> Vec<String> {
        let manifest = self.manifest(out);
        let batches = manifest["exports"][0]["batches"].as_array().unwrap();
        let file = |file: &Value| {
            let path = self.path(out).join(file["path"].as_str().unwrap());
            fs::read_to_string(path).unwrap()
        };
        let files = |batch: &Value| {
            batch["files"]
                .as_array()
                .unwrap()
                .iter()
                .map(file)
                .collect()
        };
        batches.iter().map(files).collect()
    }

    fn manifest(&self, out: &str) -> Value {
        let text = fs::read(self.path(out).join("_manifest.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn is_whole(&self) {
        stdout(&run(&["verify-manifest", text(&self.path("out"))]));
        let out = self.path("out");
        let hidden = names(&out).into_iter().filter(|name| name.starts_with('.'));
        // A job's folder that died before its lock was made rests for a while: it may be about to make it.
        let rests = |name: &String| {
            name.starts_with(".profile-export-") && !out.join(name).join("lock").exists()
        };
        let hidden: Vec<_> = hidden.filter(|name| !rests(name)).collect();
        assert_eq!(hidden, [] as [&str; 0]);
    }

    fn at_once(&self, more: &[&str]) {
        let out = self.path("single");
        let all = [
            "export",
            "--store",
            &self.store,
            "--out",
            text(&out),
            "--if-exists",
            "replace",
        ];
        stdout(&run(&[&all[..], more].concat()));
    }

    fn catalog_batches(&self) -> usize {
        let listed = run(&["batches", "list", "--store", &self.store, "--json"]);
        let listed: Value = serde_json::from_str(&stdout(&listed)).unwrap();
        let batches = listed.as_array().unwrap().iter();
        batches
            .filter(|batch| !batch["metrics"]["recordsWritten"].is_null())
            .count()
    }
}

/// Two places that are alike: a plan, and all its shards.
fn twins() -> [Place; 2] {
    [(); 2].map(|()| {
        let place = Place::new();
        stdout(&place.plan("plan.json", 2, &NDJSON));
        place.all_shards("plan.json", 2);
        place
    })
}

const NDJSON: [&str; 2] = ["--format", "ndjson"];

#[test]
fn what_shards_commit_is_what_an_export_at_once_writes() {
    let requests: [&[&str]; 5] = [
        &[],
        &["--segment", "holiday-shoppers", "--events"],
        &[
            "--merge-policy",
            "timestampOrdered-pdg-mp",
            "--events",
            "--empty-profiles",
        ],
        &[
            "--segment",
            "holiday-shoppers",
            "--segment",
            "gold",
            "--segment-per-batch",
        ],
        &[
            "--row-per-identity",
            "Email",
            "--fields",
            "person.name",
            "--require",
            "person.name.firstName",
        ],
    ];
    for (request, shards) in requests.into_iter().zip([1, 7, 3, 4, 2]) {
        let place = Place::new();
        place.at_once(&[request, &NDJSON].concat());
        stdout(&place.plan("plan.json", shards, &[request, &NDJSON].concat()));
        place.all_shards("plan.json", shards);
        assert_eq!(place.seen(), [] as [&str; 0], "{request:?}");
        let job = place.commit("plan.json", &["--json"]);
        let job: Value = serde_json::from_str(&stdout(&job)).unwrap();
        assert_eq!(job["status"], "SUCCEEDED");
        place.is_whole();
        assert_eq!(place.batches("out"), place.batches("single"), "{request:?}");
        let [made, once] = ["out", "single"].map(|out| place.manifest(out)["exports"][0].take());
        for what in [
            "schemaDigest",
            "generation",
            "profiles",
            "events",
            "mergePolicy",
        ] {
            assert_eq!(made[what], once[what], "{what} of {request:?}");
        }
        assert_eq!(made["jobId"], job["id"]);
        assert!(made["profiles"].as_u64().unwrap() > 0, "{request:?}");
        let jobs = run(&["jobs", "list", "--store", &place.store, "--json"]);
        let jobs: Value = serde_json::from_str(&stdout(&jobs)).unwrap();
        let by_namespace = "exportedProfileByNamespaceCounter";
        let found = |n: usize| jobs["records"][n]["metrics"][by_namespace].clone();
        assert_eq!(found(0), found(1), "{request:?}");
        assert!(found(0).is_object());
    }
}

#[test]
fn parquet_files_name_their_plan_and_their_own_segment_alone() {
    let place = Place::new();
    let two = [
        "--segment",
        "holiday-shoppers",
        "--segment",
        "gold",
        "--segment-per-batch",
    ];
    stdout(&place.plan("plan.json", 2, &two));
    place.all_shards("plan.json", 2);
    stdout(&place.commit("plan.json", &[]));
    place.is_whole();
    let manifest = place.manifest("out");
    let plan = manifest["exports"][0]["planId"].as_str().unwrap();
    let batches = manifest["exports"][0]["batches"].as_array().unwrap();
    for (batch, [own, other]) in batches
        .iter()
        .zip([["holiday-shoppers", "gold"], ["gold", "holiday-shoppers"]])
    {
        for file in batch["files"].as_array().unwrap() {
            let bytes = fs::read(place.path("out").join(file["path"].as_str().unwrap())).unwrap();
            let said = String::from_utf8_lossy(&bytes[bytes.len() / 2..]).into_owned();
            assert!(said.contains(plan) && said.contains(own), "{file}");
            assert!(!said.contains(other), "{file}");
        }
    }
}

#[test]
fn attempts_that_come_twice_die_or_come_late_never_show() {
    let place = Place::new();
    place.at_once(&NDJSON);
    stdout(&place.plan("plan.json", 3, &NDJSON));
    place.all_shards("plan.json", 3);
    // Twice, of another name and of the same.
    stdout(&place.shard("plan.json", 1, "b"));
    stdout(&place.shard("plan.json", 1, "a"));
    // One that died in the middle, the first by name.
    let shard = place.staging().join("shard-00002");
    let finished = shard.join(&names(&shard)[0]);
    let dead = shard.join("0-dead");
    fs::create_dir(&dead).unwrap();
    let file = names(&finished)
        .into_iter()
        .find(|name| name.starts_with("batch"))
        .unwrap();
    let bytes = fs::read(finished.join(&file)).unwrap();
    fs::write(dead.join(&file), &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(place.seen(), [] as [&str; 0]);
    // One of a damaged file, and something that is no attempt.
    let damaged = place.staging().join("shard-00001");
    assert_eq!(names(&damaged).len(), 3);
    let damaged_file = damaged.join(&names(&damaged)[0]).join(&file);
    fs::write(damaged_file, "short").unwrap();
    fs::write(damaged.join(".DS_Store"), "theirs").unwrap();
    stdout(&place.commit("plan.json", &[]));
    place.is_whole();
    assert_eq!(place.batches("out"), place.batches("single"));
    // Late.
    let late = place.shard("plan.json", 0, "c");
    refused(&late, 5, "comes too late");
    place.is_whole();
    let again = stdout(&place.commit("plan.json", &[]));
    assert!(again.contains("already"), "{again}");
    place.is_whole();
    refused(&place.abort("plan.json"), 5, "was committed");
    assert_eq!(place.catalog_batches(), 2);
}

#[test]
fn shards_that_are_missing_or_of_another_plan_are_named() {
    let place = Place::new();
    stdout(&place.plan("plan.json", 4, &NDJSON));
    stdout(&place.shard("plan.json", 2, "a"));
    let said = "3 of 4 shards";
    refused(&place.commit("plan.json", &[]), 5, said);
    refused(&place.commit("plan.json", &[]), 5, "0, 1, 3");
    assert_eq!(place.seen(), [] as [&str; 0]);
    // What can't be looked into may be the one that is missing.
    let closed = place.staging().join("shard-00003");
    fs::create_dir(&closed).unwrap();
    std::os::unix::fs::symlink("nowhere", closed.join("a")).unwrap();
    refused(&place.commit("plan.json", &[]), 2, "can't be looked into");
    fs::remove_dir_all(&closed).unwrap();
    refused(&place.shard("plan.json", 4, "a"), 2, "has 4 shards");
    refused(&place.shard("plan.json", 0, "../x"), 2, "attempt");

    // The same of another plan does not do.
    let first = place.staging();
    stdout(&place.plan("other.json", 4, &NDJSON));
    for number in 0..4 {
        stdout(&place.shard("other.json", number, "a"));
    }
    let out = place.path("out");
    let other = names(&out)
        .into_iter()
        .find(|name| out.join(name) != first)
        .unwrap();
    for number in [0, 1, 3] {
        let shard = format!("shard-{number:05}");
        fs::rename(out.join(&other).join(&shard), first.join(&shard)).unwrap();
    }
    refused(&place.commit("plan.json", &[]), 2, "lies with plan");
    assert_eq!(place.seen(), [] as [&str; 0]);
    assert_eq!(place.catalog_batches(), 0);

    // A file that is shorter than its manifest says.
    for number in [0, 1, 3] {
        fs::remove_dir_all(first.join(format!("shard-{number:05}"))).unwrap();
        stdout(&place.shard("plan.json", number, "a"));
    }
    let shard = first.join("shard-00001");
    let attempt = shard.join(&names(&shard)[0]);
    let file = names(&attempt)
        .into_iter()
        .find(|name| name.starts_with("batch"))
        .unwrap();
    let theirs = place.path("theirs");
    fs::rename(attempt.join(&file), &theirs).unwrap();
    fs::write(attempt.join(&file), "short").unwrap();
    refused(&place.commit("plan.json", &[]), 2, "make the shard again");
    // A link to the same bytes would be published as a link.
    fs::remove_file(attempt.join(&file)).unwrap();
    std::os::unix::fs::symlink(&theirs, attempt.join(&file)).unwrap();
    refused(&place.commit("plan.json", &[]), 2, "no file");
    fs::remove_file(attempt.join(&file)).unwrap();
    // Nor does a manifest lead anywhere else, or to another program's files.
    let manifest = attempt.join("shard.json");
    let said = fs::read_to_string(&manifest).unwrap();
    for (changed, problem) in [
        (said.replace(&file, text(&theirs)), "is called"),
        (said.replace(&file, "../../../../theirs"), "is called"),
        (
            said.replace("\"program\":\"", "\"program\":\"9"),
            "of this program",
        ),
    ] {
        assert_ne!(changed, said);
        fs::write(&manifest, changed).unwrap();
        refused(&place.commit("plan.json", &[]), 2, problem);
    }
    assert_eq!(place.seen(), [] as [&str; 0]);
    assert_eq!(place.catalog_batches(), 0);
}

#[test]
fn a_plan_reads_the_store_as_it_was_until_it_ends() {
    let place = Place::new();
    place.at_once(&NDJSON);
    stdout(&place.plan("plan.json", 3, &NDJSON));
    stdout(&place.shard("plan.json", 0, "a"));
    // All that could take it away: loads, a compaction, a deletion.
    let store = ["--store", &place.store];
    let more = place.path("more.ndjson");
    let person = json!({"_id": "new", "identityMap": {"Email": [{"id": "new@example.com", "primary": true}]}});
    fs::write(&more, format!("{person}\n")).unwrap();
    stdout(&run(&[
        &["ingest"],
        &store[..],
        &["--dataset", "newcomers", text(&more)],
    ]
    .concat()));
    let datasets = run(&[&["datasets", "list", "--json"], &store[..]].concat());
    let datasets: Value = serde_json::from_str(&stdout(&datasets)).unwrap();
    let one = datasets
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["class"] == "profile" && one["name"] != "newcomers");
    let one = one.unwrap()["id"].as_str().unwrap();
    stdout(&run(&[&["datasets", "delete", one], &store[..]].concat()));
    stdout(&run(&[&["store", "compact"], &store[..]].concat()));
    for number in [1, 2] {
        stdout(&place.shard("plan.json", number, "a"));
    }
    let plan: Value = serde_json::from_slice(&fs::read(place.path("plan.json")).unwrap()).unwrap();
    let planned = plan["runs"].as_array().unwrap().iter();
    let planned: Vec<&str> = planned.map(|run| run["folder"].as_str().unwrap()).collect();
    let kept = || {
        let there = names(&Path::new(&place.store).join("runs"));
        planned
            .iter()
            .filter(|run| there.iter().any(|name| name == **run))
            .count()
    };
    assert_eq!(kept(), planned.len());
    stdout(&place.commit("plan.json", &[]));
    place.is_whole();
    assert_eq!(place.batches("out"), place.batches("single"));

    // Behind the commit the runs go with the next change, and a plan that is aborted finds none.
    stdout(&place.plan("aborted.json", 2, &NDJSON));
    refused(&place.abort("aborted.json"), 5, "has nothing of plan");
    let aborted = place.path("aborted.json");
    let listed = stdout(&run(&[&["store", "plans", "--json"], &store[..]].concat()));
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let id = serde_json::from_slice::<Value>(&fs::read(&aborted).unwrap()).unwrap()["id"].take();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["planId"], id);
    let by_id = [
        "abort",
        "--plan-id",
        id.as_str().unwrap(),
        "--store",
        &place.store,
    ];
    let given_up = stdout(&run(&by_id));
    assert!(given_up.contains("given up"), "{given_up}");
    refused(
        &place.commit("aborted.json", &["--if-exists", "append"]),
        5,
        "aborted",
    );
    stdout(&run(&[
        &["ingest"],
        &store[..],
        &["--from", text(&fixtures())],
    ]
    .concat()));
    stdout(&run(&[&["store", "compact"], &store[..]].concat()));
    stdout(&run(&[&["store", "compact"], &store[..]].concat()));
    assert!(kept() < planned.len());
    refused(&place.shard("aborted.json", 0, "a"), 5, "plan again");
}

#[test]
fn executors_read_no_catalog_and_may_see_the_store_elsewhere() {
    let place = Place::new();
    stdout(&place.plan("plan.json", 1, &NDJSON));
    let elsewhere = place.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(Path::new(&place.store).join("runs"), elsewhere.join("runs")).unwrap();
    refused(
        &place.shard("plan.json", 0, "a"),
        5,
        "as this machine sees it",
    );
    let (plan, out) = (place.path("plan.json"), place.path("out"));
    let shard = [
        "run-shard",
        "--plan",
        text(&plan),
        "--shard",
        "0",
        "--out",
        text(&out),
    ];
    stdout(&run(&[&shard[..], &["--store", text(&elsewhere)]].concat()));
}

#[test]
fn plans_that_are_none_are_refused_by_name() {
    let place = Place::new();
    stdout(&place.plan("plan.json", 2, &NDJSON));
    let text_of = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    let plan = text_of("plan.json");
    for (changed, said) in [
        (
            plan.replacen("\"generation\":", "\"generation\":1", 1),
            "changed since",
        ),
        (
            plan.replacen("\"version\":1", "\"version\":2", 1),
            "version 2",
        ),
        (
            plan.replacen("\"program\":\"", "\"program\":\"9", 1),
            "of this program",
        ),
        (
            plan.replacen("\"folder\":\"", "\"folder\":\"../", 1),
            "by its name alone",
        ),
        ("{}".to_owned(), "no plan"),
    ] {
        assert_ne!(changed, plan);
        fs::write(place.path("changed.json"), changed).unwrap();
        refused(&place.shard("changed.json", 0, "a"), 2, said);
    }
    refused(
        &place.plan("p.json", 2, &["--dedupe", "personalEmail.address"]),
        2,
        "shard",
    );
    refused(
        &place.plan("p.json", 2, &["--name-template", "{n}.parquet"]),
        2,
        "--name-template",
    );
    refused(
        &place.plan("p.json", 2, &["--fields", "nowhere"]),
        2,
        "nowhere",
    );
    refused(
        &place.plan("p.json", 2, &["--since-job", "last"]),
        2,
        "sinceJob",
    );
    assert!(!place.path("p.json").exists());
    std::os::unix::fs::symlink(place.path("plan.json"), place.path("link.json")).unwrap();
    refused(&place.plan("link.json", 2, &[]), 2, "there is a link");
    let to_stream = ["plan", "--store", &place.store, "--shards", "2", "-o", "-"];
    refused(&run(&to_stream), 2, "a stream");
    let source = fixtures();
    let from = run(&[
        "plan",
        "--from",
        text(&source),
        "--shards",
        "2",
        "-o",
        text(&place.path("p.json")),
    ]);
    refused(&from, 2, "needs a store");
    let plan = place.path("plan.json");
    let outside = ["abort", "--plan", text(&plan), "--out", "hdfs:/x"];
    refused(&run(&outside), 2, "a scheme");
    // Another sandbox's store has not planned it.
    refused(
        &place.commit("plan.json", &["--sandbox", "other"]),
        5,
        "sandbox",
    );
}

#[test]
#[cfg(not(feature = "cloud"))]
fn a_program_without_object_stores_says_so_of_their_addresses() {
    let place = Place::new();
    stdout(&place.plan("plan.json", 2, &NDJSON));
    for command in [&["run-shard", "--shard", "0"][..], &["commit"], &["abort"]] {
        let plan = place.path("plan.json");
        let to = ["--plan", text(&plan), "--out", "s3://bucket/x"];
        refused(
            &run(&[command, &to[..]].concat()),
            2,
            "without object stores",
        );
    }
}

/// Breaks a step at many of its calls, does it again, and holds what is there then to what is there without a fault.
fn broken_at_many_calls(step: impl Fn(&Place) -> Vec<String>, rest: impl Fn(&Place)) {
    let fresh = |shards: usize| {
        let place = Place::new();
        stdout(&place.plan("plan.json", 2, &NDJSON));
        for number in 0..shards {
            stdout(&place.shard("plan.json", number, "a"));
        }
        place
    };
    let whole = fresh(2);
    whole.at_once(&NDJSON);
    let expected = whole.batches("single");
    let log = whole.path("calls.log");
    let mut command = program();
    command.args(step(&whole));
    shim::watch(&mut command, whole.folder.path(), None, Some(&log));
    assert!(command.output().unwrap().status.success());
    let mut wrong = Vec::new();
    for fault in some_faults(&shim::calls(&log)) {
        let place = fresh(2);
        let mut command = program();
        command.args(step(&place));
        shim::watch(&mut command, place.folder.path(), Some(fault), None);
        let broken = command.output().unwrap();
        let code = broken.status.code();
        if !(matches!(code, Some(0..=3 | 5)) || broken.status.signal() == Some(9)) {
            wrong.push(format!("{fault}: {}: {}", broken.status, stderr(&broken)));
        }
        let mut again = program();
        again.args(step(&place));
        let again = again.output().unwrap();
        if !again.status.success() {
            wrong.push(format!(
                "{fault}: again: {} behind {:?} {}",
                stderr(&again),
                code,
                stderr(&broken)
            ));
            continue;
        }
        rest(&place);
        place.is_whole();
        assert!(place.batches("out") == expected, "{fault}");
        assert_eq!(
            place.manifest("out")["exports"].as_array().unwrap().len(),
            1,
            "{fault}"
        );
        assert_eq!(place.catalog_batches(), 1, "{fault}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_commit_whose_calls_fail_or_kill_it_is_done_by_the_next() {
    let step = |place: &Place| {
        let (plan, out) = (place.path("plan.json"), place.path("out"));
        words(&["commit", "--plan", text(&plan), "--out", text(&out)])
    };
    broken_at_many_calls(step, |_| {});
}

#[test]
fn an_attempt_whose_calls_fail_or_kill_it_never_shows() {
    let step = |place: &Place| {
        let (plan, out) = (place.path("plan.json"), place.path("out"));
        words(&[
            "run-shard",
            "--plan",
            text(&plan),
            "--shard",
            "1",
            "--out",
            text(&out),
            "--attempt",
            "0",
        ])
    };
    broken_at_many_calls(step, |place| {
        stdout(&place.commit("plan.json", &[]));
    });
}

#[test]
fn what_comes_beside_a_commit_that_is_about_its_manifest_is_refused() {
    let beside: [&[&str]; 5] = [
        &["commit"],
        &["commit", "--if-exists", "append"],
        &["commit", "--if-exists", "replace"],
        &["abort"],
        // It does not name the folder.
        &["abort-alone"],
    ];
    for command in beside {
        let [place, twin] = twins();
        let manifest = (Class::Rename, "_manifest.json.new");
        let first = place.stopped(("commit", &[]), manifest, &twin);
        let (&name, more) = command.split_first().unwrap();
        let second = match name {
            "abort-alone" => run(&["abort", "--plan", text(&place.path("plan.json"))]),
            _ => place.command(name, more).output().unwrap(),
        };
        let first = first.go_on();
        refused(&second, 5, "another process commits");
        stdout(&first);
        place.is_whole();
        assert_eq!(place.batches("out"), twin.batches("out"), "{command:?}");
        assert_eq!(place.catalog_batches(), 1, "{command:?}");
    }
}

#[test]
fn a_commit_that_dies_among_what_it_replaces_is_completed() {
    let [place, twin] = twins();
    for place in [&place, &twin] {
        let out = place.path("out");
        stdout(&run(&[
            "export",
            "--store",
            &place.store,
            "--out",
            text(&out),
            "--segment",
            "gold",
            "--name-template",
            "spread/{batch.id}.{ext}",
        ]));
    }
    let replace: (&str, &[&str]) = ("commit", &["--if-exists", "replace"]);
    let dying = place.stopped(replace, (Class::Unlink, "spread/"), &twin);
    dying.kill();
    assert_eq!(
        place.manifest("out")["exports"].as_array().unwrap().len(),
        2
    );
    let again = stdout(&place.commit("plan.json", replace.1));
    assert!(again.contains("already"), "{again}");
    assert_eq!(
        place.manifest("out")["exports"].as_array().unwrap().len(),
        1
    );
    assert!(!place.path("out/spread").exists());
    place.is_whole();
    assert_eq!(place.catalog_batches(), 1);
}

#[test]
fn two_commits_that_append_show_a_plan_once() {
    let [place, twin] = twins();
    let append: (&str, &[&str]) = ("commit", &["--if-exists", "append"]);
    let lock = (Class::Open, ".profile-export-lock");
    let first = place.stopped(append, lock, &twin);
    refused(
        &place.commit("plan.json", append.1),
        5,
        "another process commits",
    );
    stdout(&first.go_on());
    let again = stdout(&place.commit("plan.json", append.1));
    assert!(again.contains("already"), "{again}");
    place.is_whole();
    assert_eq!(
        place.manifest("out")["exports"].as_array().unwrap().len(),
        1
    );
    assert_eq!(place.catalog_batches(), 1);
}

#[test]
fn a_commit_that_is_repeated_leaves_another_export_alone() {
    let [place, twin] = twins();
    for place in [&place, &twin] {
        stdout(&place.commit("plan.json", &[]));
        stdout(&place.plan("second.json", 1, &NDJSON));
        stdout(&place.shard("second.json", 0, "a"));
        // The command that is stopped is the second plan's.
        fs::rename(place.path("plan.json"), place.path("first.json")).unwrap();
        fs::rename(place.path("second.json"), place.path("plan.json")).unwrap();
    }
    let append: (&str, &[&str]) = ("commit", &["--if-exists", "append"]);
    let second = place.stopped(append, (Class::Rename, "_manifest.json.new"), &twin);
    let repeated = place.commit("first.json", &["--if-exists", "replace"]);
    stdout(&second.go_on());
    refused(&repeated, 5, "another export");
    place.is_whole();
    assert_eq!(
        place.manifest("out")["exports"].as_array().unwrap().len(),
        2
    );
    assert_eq!(place.catalog_batches(), 2);
    let again = stdout(&place.commit("first.json", &["--if-exists", "replace"]));
    assert!(again.contains("already"), "{again}");
    place.is_whole();
}

#[test]
fn what_attempts_left_and_can_not_be_removed_fails_no_commit() {
    let [place, twin] = twins();
    let log = twin.path("calls.log");
    let mut whole = twin.command("commit", &[]);
    shim::watch(&mut whole, twin.folder.path(), None, Some(&log));
    stdout(&whole.output().unwrap());
    let calls = shim::calls(&log);
    let mut removals = calls.iter().filter(|call| call.class == Class::Unlink);
    let first = removals.position(|call| call.path.to_string_lossy().contains(".plan-"));
    // As with the files of another user's executors.
    let fault = Fault {
        class: Class::Unlink,
        number: first.unwrap() as u64 + 1,
        what: What::Fails(shim::Errno::Eacces),
        and_all_later: true,
    };
    let mut command = place.command("commit", &[]);
    shim::watch(&mut command, place.folder.path(), Some(fault), None);
    let output = command.output().unwrap();
    assert!(
        stderr(&output).contains("can't be removed"),
        "{}",
        stderr(&output)
    );
    stdout(&output);
    let plans = ["store", "plans", "--store", &place.store, "--json"];
    assert_eq!(stdout(&run(&plans)).trim(), "[]");
    stdout(&place.commit("plan.json", &[]));
    place.is_whole();
}
