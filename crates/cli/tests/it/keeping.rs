//! Exports that go by themselves when newer ones are there (`--keep-last`, `--keep-daily`).

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::outputs::refused;
use crate::program::{fixture_store, parsed, program, stderr, stdout, text};

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

    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.current_dir(self.folder.path()).args(arguments);
        command.args(["--store", &self.store]);
        command
    }

    /// Exports of two requests, in turn.
    fn export(&self, fields: &str, more: &[&str]) -> String {
        let mut command = self.program(&["export", "--fields", fields]);
        let output = command.args(more).output().unwrap();
        stdout(&output);
        stderr(&output)
    }

    fn jobs(&self) -> Vec<(i64, String)> {
        let listed = parsed(&self.program(&["jobs", "list", "--json"]).output().unwrap());
        let jobs = listed["records"].as_array().unwrap().iter();
        let jobs = jobs.map(|job| {
            let fields = job["fields"].as_str().unwrap().to_owned();
            (job["id"].as_i64().unwrap(), fields)
        });
        jobs.collect()
    }

    /// The folders of batches in the store.
    fn batches(&self) -> usize {
        let folder = PathBuf::from(&self.store).join("batches");
        fs::read_dir(folder).unwrap().count()
    }

    fn assert_sound(&self) {
        stdout(&self.program(&["store", "verify"]).output().unwrap());
    }
}

fn of(ids: &[(i64, &str)]) -> Vec<(i64, String)> {
    ids.iter()
        .map(|(id, fields)| (*id, (*fields).to_owned()))
        .collect()
}

#[test]
fn all_are_kept_unless_it_is_said_and_then_the_newest_of_each_request() {
    let place = Place::new();
    for _ in 0..3 {
        place.export("_id", &[]);
    }
    place.export("person.name", &[]);
    assert_eq!((place.jobs().len(), place.batches()), (4, 4));
    let said = place.export("_id", &["--keep-last", "2"]);
    assert!(said.contains("2 older jobs are forgotten"), "{said}");
    assert_eq!(
        place.jobs(),
        of(&[(5, "_id"), (4, "person.name"), (3, "_id")])
    );
    assert_eq!(place.batches(), 3);
    // A day that has several keeps its newest.
    place.export("_id", &["--keep-daily", "7"]);
    assert_eq!(place.jobs(), of(&[(6, "_id"), (4, "person.name")]));
    place.assert_sound();
}

#[test]
fn settings_say_it_for_every_job_and_flags_and_the_environment_come_before() {
    let place = Place::new();
    fs::write(
        place.folder.path().join("profile-export.toml"),
        "keep-last = 1\n",
    )
    .unwrap();
    place.export("_id", &[]);
    place.export("_id", &[]);
    assert_eq!(place.jobs(), of(&[(2, "_id")]));
    // What a request's job on the command line keeps, and what is run again.
    let mut retry = place.program(&["jobs", "retry", "2"]);
    stdout(&retry.output().unwrap());
    assert_eq!(place.jobs(), of(&[(3, "_id")]));
    place.export("_id", &["--keep-last", "9"]);
    let mut command = place.program(&["export", "--fields", "_id"]);
    let output = command
        .env("PROFILE_EXPORT_KEEP_LAST", "2")
        .output()
        .unwrap();
    stdout(&output);
    assert_eq!(place.jobs(), of(&[(5, "_id"), (4, "_id")]));

    let shown = || {
        let mut command = program();
        command.current_dir(place.folder.path());
        command.args(["config", "show", "--json"]);
        command
    };
    let of = |shown: &Value, name: &str| {
        let setting = &shown[name];
        let text = |name: &str| setting[name].as_str().unwrap().to_owned();
        (text("value"), text("origin"))
    };
    let file = text(
        &fs::canonicalize(place.folder.path())
            .unwrap()
            .join("profile-export.toml"),
    )
    .to_owned();
    let found = parsed(&shown().output().unwrap());
    assert_eq!(of(&found, "keep-last"), ("1".to_owned(), file));
    assert_eq!(
        of(&found, "keep-daily"),
        ("all".to_owned(), "default".to_owned())
    );
    let found = parsed(
        &shown()
            .env("PROFILE_EXPORT_KEEP_DAILY", "3")
            .output()
            .unwrap(),
    );
    let variable = "PROFILE_EXPORT_KEEP_DAILY".to_owned();
    assert_eq!(of(&found, "keep-daily"), ("3".to_owned(), variable));

    fs::write(
        place.folder.path().join("profile-export.toml"),
        "keep-last = 0\n",
    )
    .unwrap();
    let output = place
        .program(&["export", "--fields", "_id"])
        .output()
        .unwrap();
    refused(&output, 2, "keep-last = 0");
    assert_eq!(place.jobs_without_settings().len(), 2);
}

impl Place {
    fn jobs_without_settings(&self) -> Vec<(i64, String)> {
        fs::remove_file(self.folder.path().join("profile-export.toml")).unwrap();
        self.jobs()
    }
}

/// What went to a folder of the user's is the store's to forget, not to delete; a job that fails forgets nothing.
#[test]
fn files_outside_of_the_store_stay_and_a_failed_job_forgets_nothing() {
    let place = Place::new();
    let out = text(&place.folder.path().join("out")).to_owned();
    for _ in 0..3 {
        let more = ["--out", &out, "--if-exists", "append", "--keep-last", "1"];
        place.export("_id", &more);
    }
    assert_eq!(place.jobs().len(), 1);
    stdout(&program().args(["verify-manifest", &out]).output().unwrap());
    let batches = fs::read_dir(&out).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("batchId=")
    });
    assert_eq!(batches.count(), 3);
    place.export("_id", &[]);
    let before = place.jobs();
    let mut failing = place.program(&["export", "--fields", "nothing", "--keep-last", "1"]);
    refused(&failing.output().unwrap(), 2, "nothing");
    assert_eq!(place.jobs(), before);
    // Nor does one of nobody, where that is a failure.
    let nobody = [
        "export",
        "--fields",
        "_id",
        "--ingested-since",
        "2100-01-01",
    ];
    let mut nobody = place.program(&nobody);
    nobody.args(["--keep-last", "1", "--fail-if-empty"]);
    refused(&nobody.output().unwrap(), 4, "");
    assert_eq!(place.jobs().len(), before.len() + 1);
}

/// The last job that others are told since stays, whatever lies beside it, and whether its batches do.
#[test]
fn changes_go_on_beside_jobs_that_go() {
    let place = Place::new();
    let feeds = [
        ["--ingested-since", "2000-01-01"],
        ["--ingested-since", "2001-01-01"],
    ];
    let export = |feed: &[&str]| {
        let more = [&["--since-job", "last", "--keep-last", "1"], feed].concat();
        place.export("_id", &more)
    };
    for feed in &feeds {
        assert!(export(feed).contains("this is the first job"));
    }
    for feed in &feeds {
        let said = export(feed);
        assert!(said.contains("0 entered, 0 changed, 0 left"), "{said}");
    }
    assert_eq!(place.jobs().len(), 2);
    // What the last one had goes with its batch: the next says so, and does not begin anew.
    let listed = parsed(
        &place
            .program(&["batches", "list", "--json"])
            .output()
            .unwrap(),
    );
    for batch in listed.as_array().unwrap() {
        let batch = batch["id"].as_str().unwrap();
        stdout(
            &place
                .program(&["batches", "delete", batch])
                .output()
                .unwrap(),
        );
    }
    place.export("_id", &["--keep-last", "1"]);
    let mut next = place.program(&["export", "--fields", "_id", "--since-job", "last"]);
    refused(
        &next.args(feeds[0]).output().unwrap(),
        1,
        "gone with its batches",
    );
}
