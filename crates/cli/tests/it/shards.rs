//! Exports in shards: the same rows as at once, whatever becomes of the attempts and of the commit.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::by_number::spread::some_faults;
use crate::ground::names;
use crate::outputs::refused;
use crate::program::{fixture_store, fixtures, program, run, stderr, stdout, text};
use crate::shim;

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
    fs::write(attempt.join(file), "short").unwrap();
    refused(&place.commit("plan.json", &[]), 1, "make the shard again");
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
    let given_up = stdout(&place.abort("aborted.json"));
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
    let (plan, out) = (place.path("plan.json"), "s3://bucket/x");
    refused(
        &run(&[
            "run-shard",
            "--plan",
            text(&plan),
            "--shard",
            "0",
            "--out",
            out,
        ]),
        2,
        "copy the export",
    );
    // Another sandbox's store has not planned it.
    refused(
        &place.commit("plan.json", &["--sandbox", "other"]),
        5,
        "sandbox",
    );
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
