//! Folders and files called by a template (`--name-template`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::faults::{kill_at, moments};
use crate::outputs::{files, manifest, refused, verify};
use crate::program::{fixture_store, fixtures, program, run, stderr, stdout, text};

/// Segments of the fixtures, the second by its name.
const SEGMENTS: [&str; 5] = [
    "--segment",
    "holiday-shoppers",
    "--segment",
    "Segment 1 of UPS",
    "--segment-per-batch",
];

struct Place {
    folder: TempDir,
    store: String,
    out: PathBuf,
}

fn place() -> Place {
    let folder = TempDir::new().unwrap();
    Place {
        store: fixture_store(&folder),
        out: folder.path().join("out"),
        folder,
    }
}

impl Place {
    fn export(&self, template: &str, more: &[&str]) -> Output {
        let to = [
            "export",
            "--fields",
            "_id",
            "--store",
            &self.store,
            "--merge-policy",
            "latest",
            "--out",
            text(&self.out),
            "--name-template",
            template,
        ];
        run(&[&to[..], more].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let more = ["--json", "--store", &self.store];
        serde_json::from_str(&stdout(&run(&[arguments, &more].concat()))).unwrap()
    }

    /// The files that are no part of the manifest's.
    fn data(&self) -> Vec<String> {
        let mut found = files(&self.out);
        found.retain(|name| !name.starts_with('_'));
        found
    }

    fn assert_sound(&self) {
        stdout(&verify(&self.out));
        stdout(&run(&["store", "verify", "--store", &self.store]));
    }
}

#[test]
fn files_are_called_as_the_template_says_and_the_manifest_names_them() {
    let place = place();
    let done = place.export("{segment.name}/{date}/part-{n}.{ext}", &SEGMENTS);
    // What a file is called is told.
    assert!(stdout(&done).contains("/Segment 1 of UPS/20"), "{done:?}");
    let names = place.data();
    let today = &manifest(&place.out)["exports"][0]["finished"]
        .as_str()
        .unwrap()[..10]
        .to_owned();
    let expected = ["Segment 1 of UPS", "Segment 3 of AAM"]
        .map(|name| format!("{name}/{today}/part-00000.parquet"));
    assert_eq!(names, expected);
    place.assert_sound();

    // The catalog knows where they are, and a batch that is deleted takes nothing else with it.
    let batches = place.json(&["batches", "list"]);
    let id = |number: usize| batches[number]["id"].as_str().unwrap().to_owned();
    let listed = place.json(&["batches", "files", &id(0)]);
    assert!(listed.to_string().contains("/Segment "), "{listed}");
    fs::write(place.out.join("Segment 1 of UPS/notes.txt"), "mine").unwrap();
    refused(&verify(&place.out), 1, "1 problems");
    for number in 0..2 {
        stdout(&run(&[
            "batches",
            "delete",
            &id(number),
            "--store",
            &place.store,
        ]));
    }
    assert_eq!(place.data(), ["Segment 1 of UPS/notes.txt"]);
    assert!(!place.out.join("_SUCCESS").exists());
    assert!(!place.out.join("Segment 3 of AAM").exists());
}

#[test]
fn several_files_of_a_batch_are_numbered_and_formats_are_as_the_name_says() {
    let place = place();
    let more = ["--segment", "holiday-shoppers", "--max-rows-per-file", "7"];
    stdout(&place.export("{segment.id}-{job.id}-{n}.csv.gz", &more));
    let expected = [0, 1, 2].map(|n| format!("holiday-shoppers-1-0000{n}.csv.gz"));
    assert_eq!(place.data(), expected);
    place.assert_sound();
    // Without a store there is no job, and the table is the same.
    let out = place.folder.path().join("from");
    let source = fixtures();
    let of_source = |template: &str| {
        run(&[
            "export",
            "--from",
            text(&source),
            "--fields",
            "_id",
            "--out",
            text(&out),
            "--name-template",
            template,
        ])
    };
    refused(&of_source("{job.id}.{ext}"), 2, "{batch.id}");
    stdout(&of_source("all/{batch.id}.{ext}"));
    stdout(&verify(&out));
    let id = manifest(&out)["exports"][0]["batches"][0]["id"].clone();
    let name = format!("all/{}.parquet", id.as_str().unwrap());
    assert!(files(&out).contains(&name));
}

#[test]
fn templates_that_can_not_be_kept_are_refused_before_anything_is_written() {
    let place = place();
    let per_segment = &SEGMENTS[..];
    let one = &["--segment", "holiday-shoppers"][..];
    for (template, more, said) in [
        ("{segment}.parquet", one, "did you mean \"segment.id\"?"),
        ("/tmp/{n}.parquet", one, "below --out"),
        ("../{n}.parquet", one, "below --out"),
        ("_{n}.parquet", one, "underscore"),
        ("{n}", one, ".{ext}"),
        ("{n}.txt", one, ".{ext}"),
        ("{date}.{ext}", per_segment, "two files the name"),
        ("{segment.name}.{ext}", &[], "--segment-per-batch"),
        (
            "{segment.id}.{ext}",
            &["--segment", "gold", "--max-rows-per-file", "2"],
            "no {n}",
        ),
        (
            "{n}.parquet",
            &["--segment", "gold", "--format", "csv"],
            "another format",
        ),
    ] {
        refused(&place.export(template, more), 2, said);
    }
    let file = text(&place.out).to_owned() + ".parquet";
    let to_file = [
        "export",
        "--store",
        &place.store,
        "--out",
        &file,
        "--name-template",
        "{n}.parquet",
    ];
    refused(&run(&to_file), 2, "a folder");
    let left = fs::read_dir(&place.out).map_or(0, Iterator::count);
    assert_eq!(left, 0);
    let jobs = place.json(&["jobs", "list"]);
    assert_eq!(jobs["records"], json!([]), "no job was made");
}

#[test]
fn exports_of_one_name_replace_each_other_and_others_stay_side_by_side() {
    let place = place();
    let template = "{segment.name}.{ext}";
    stdout(&place.export(template, &SEGMENTS));
    let names = place.data();
    assert_eq!(
        names,
        ["Segment 1 of UPS.parquet", "Segment 3 of AAM.parquet"]
    );
    let before = fs::read(place.out.join(&names[0])).unwrap();
    refused(
        &place.export(template, &SEGMENTS),
        2,
        "it has 2 batches already",
    );
    let append = [&SEGMENTS[..], &["--if-exists", "append"]].concat();
    refused(&place.export(template, &append), 2, "it exists");
    place.assert_sound();

    // The same names, with other rows.
    let replace = [
        &SEGMENTS[..],
        &["--if-exists", "replace", "--require", "_id"],
    ]
    .concat();
    stdout(&place.export(template, &replace));
    assert_eq!(place.data(), names);
    assert!(fs::read(place.out.join(&names[0])).unwrap() != before);
    place.assert_sound();
    assert_eq!(
        place.json(&["batches", "list"]).as_array().unwrap().len(),
        2
    );

    // Others beside them, then one in the place of all, as partitions.
    stdout(&place.export("more/{batch.id}.{ext}", &append));
    assert_eq!(place.data().len(), 4);
    place.assert_sound();
    let partitions = [
        "export",
        "--fields",
        "_id",
        "--store",
        &place.store,
        "--if-exists",
        "replace",
        "--out",
        text(&place.out),
    ];
    stdout(&run(&partitions));
    let left = place.data();
    assert!(
        left.len() == 1 && left[0].starts_with("batchId="),
        "{left:?}"
    );
    stdout(&place.export(template, &replace));
    assert_eq!(place.data(), names);
    place.assert_sound();

    // What no export wrote is nobody's to replace, also below folders of exports.
    fs::write(place.out.join("mine.parquet"), "").unwrap();
    refused(&place.export(template, &replace), 2, "mine.parquet");
}

#[test]
fn a_request_that_is_run_names_its_files_too() {
    let place = place();
    let request = place.folder.path().join("request.json");
    let body = json!({"schema": {"name": "_xdm.context.profile"}, "fields": "_id"});
    fs::write(&request, body.to_string()).unwrap();
    let to = || {
        run(&[
            "run",
            text(&request),
            "--store",
            &place.store,
            "--out",
            text(&place.out),
            "--name-template",
            "all/part-{n}.{ext}",
        ])
    };
    stdout(&to());
    assert_eq!(files(&place.out), ["all/part-00000.parquet"]);
    let written = fs::read(place.out.join("all/part-00000.parquet")).unwrap();
    refused(&to(), 2, "it exists");
    assert!(fs::read(place.out.join("all/part-00000.parquet")).unwrap() == written);
    stdout(&run(&["store", "verify", "--store", &place.store]));
}

/// Whenever a process is killed that replaces files of the same names: the old ones are there, or the new ones.
#[test]
fn a_killed_export_leaves_the_files_that_it_was_to_replace() {
    let place = place();
    let command = |fields: &str, if_exists: &str| -> Command {
        let mut command = program();
        command.args([
            "export",
            "--quiet",
            "--store",
            &place.store,
            "--merge-policy",
            "latest",
        ]);
        command.args([
            "--name-template",
            "{segment.name}/{n}.ndjson",
            "--if-exists",
            if_exists,
        ]);
        command.args(SEGMENTS).args(["--fields", fields, "--out"]);
        command.arg(&place.out).stdout(Stdio::null());
        command
    };
    let start = std::time::Instant::now();
    assert!(command("_id", "fail").status().unwrap().success());
    let whole = start.elapsed();
    let names = place.data();
    let read = || -> Vec<Option<bool>> {
        // Which fields each file has; none where it is missing.
        let of = |name: &String| {
            let text = fs::read_to_string(place.out.join(name)).ok()?;
            Some(text.contains("personalEmail"))
        };
        names.iter().map(of).collect()
    };
    assert_eq!(read(), [Some(false); 2]);
    let mut has_emails = false;
    for moment in 0..2 * moments() {
        let fields = match has_emails {
            true => "_id",
            false => "_id,personalEmail.address",
        };
        kill_at(
            &mut command(fields, "replace"),
            moment % moments(),
            moments(),
            whole,
        );
        // Any look at the store's jobs sweeps.
        let jobs = place.json(&["jobs", "list", "--limit", "1"]);
        let is_new = jobs["records"][0]["status"] == "SUCCEEDED"
            && jobs["records"][0]["fields"] == json!(fields);
        has_emails ^= is_new;
        assert_eq!(read(), [Some(has_emails); 2], "{moment}: {jobs}");
        let hidden = fs::read_dir(&place.out).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            let name = name.to_string_lossy().into_owned();
            name.starts_with(".profile-export-") && name != ".profile-export-lock"
        });
        assert_eq!(hidden.count(), 0, "{moment}");
    }
    let output = command("_id", "replace").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(read(), [Some(false); 2]);
    place.assert_sound();
}

/// A list of files that somebody else left in a shared folder deletes nothing that it did not put there.
#[test]
fn a_list_of_files_from_elsewhere_deletes_nothing() {
    let place = place();
    stdout(&place.export("{n}.{ext}", &[]));
    let hidden = place.out.join(".profile-export-0123456789abcdef01234567");
    fs::create_dir(&hidden).unwrap();
    fs::write(hidden.join("lock"), "").unwrap();
    let id = "0123456789abcdef01234567";
    let unfinished = json!({"store": null, "job": 1, "batches": [id]});
    fs::write(hidden.join("unfinished.json"), unfinished.to_string()).unwrap();
    let outside = place.folder.path().join("mine");
    fs::write(&outside, "mine").unwrap();
    fs::write(
        hidden.join("files.json"),
        json!({id: ["../mine"]}).to_string(),
    )
    .unwrap();
    stdout(&place.export("{n}-2.{ext}", &["--if-exists", "append"]));
    assert!(outside.exists() && !hidden.exists());
    assert_eq!(place.data(), ["00000-2.parquet", "00000.parquet"]);
    assert!(Path::new(&place.store).exists());
}

/// What an export would refuse, a dry run of it refuses, and it makes nothing.
#[test]
fn a_dry_run_looks_into_the_folder_and_at_the_names() {
    let place = place();
    let dry = |template: &str, more: &[&str]| {
        place.export(template, &[&SEGMENTS[..], &["--dry-run"], more].concat())
    };
    let template = "{segment.id}.{ext}";
    assert!(stdout(&dry(template, &[])).contains("(nothing is written)"));
    refused(&dry("{date}.{ext}", &[]), 2, "two files the name");
    stdout(&dry("{job.id}-{segment.id}.{ext}", &[]));
    refused(&dry(template, &["--max-rows-per-file", "2"]), 2, "no {n}");
    assert!(!place.out.exists());

    stdout(&place.export(template, &SEGMENTS));
    let before = files(&place.out);
    refused(&dry(template, &[]), 2, "it has 2 batches already");
    stdout(&dry(template, &["--if-exists", "replace"]));
    stdout(&dry("more/{segment.id}.{ext}", &["--if-exists", "append"]));
    fs::write(place.out.join("mine"), "").unwrap();
    refused(&dry(template, &["--if-exists", "replace"]), 2, "mine");
    fs::remove_file(place.out.join("mine")).unwrap();
    assert_eq!(files(&place.out), before);
    place.assert_sound();
}

/// clap makes a new line of some words in braces.
#[test]
fn the_help_shows_a_template_as_it_is_written() {
    let help = stdout(&run(&["export", "--help"]));
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("such as {segment.name}/{date}.{ext}; in braces stand"),
        "{words}"
    );
}

/// A batch whose files another store has replaced is forgotten, and they stay.
#[test]
fn files_that_another_store_replaced_are_nobodys_to_delete() {
    let place = place();
    let template = "all.{ext}";
    stdout(&place.export(template, &[]));
    let folder = TempDir::new().unwrap();
    let other = Place {
        store: fixture_store(&folder),
        out: place.out.clone(),
        folder,
    };
    let replace = ["--if-exists", "replace", "--segment", "holiday-shoppers"];
    stdout(&other.export(template, &replace));
    let written = fs::read(place.out.join("all.parquet")).unwrap();
    let listed = place.json(&["batches", "list"]);
    let batch = listed[0]["id"].as_str().unwrap();
    let deleted = run(&["batches", "delete", batch, "--store", &place.store]);
    refused(&deleted, 1, "somebody else's");
    assert!(fs::read(place.out.join("all.parquet")).unwrap() == written);
    assert_eq!(place.json(&["batches", "list"]), json!([]));
}

/// A process that is killed between the job's last transaction and the manifest leaves files that the catalog alone knows.
#[test]
fn what_a_killed_export_left_without_a_manifest_gives_way_to_the_next() {
    let place = place();
    let template = "{segment.name}/{job.id}-{n}.parquet";
    stdout(&place.export(template, &SEGMENTS));
    let left = place.data();
    for name in ["_manifest.json", "_SUCCESS"] {
        fs::remove_file(place.out.join(name)).unwrap();
    }
    for if_exists in ["fail", "append"] {
        let again = place.export(
            template,
            &[&SEGMENTS[..], &["--if-exists", if_exists]].concat(),
        );
        refused(&again, 2, "no export wrote there");
    }
    // A file of nobody's stays in the way, and one that took the place of an export's.
    let replace = [&SEGMENTS[..], &["--if-exists", "replace"]].concat();
    fs::write(place.out.join("mine.txt"), "mine").unwrap();
    refused(&place.export(template, &replace), 2, "mine.txt");
    assert_eq!(place.data().len(), 3);
    fs::remove_file(place.out.join("mine.txt")).unwrap();
    let first = place.out.join(&left[0]);
    let written = fs::read(&first).unwrap();
    fs::write(&first, "mine").unwrap();
    refused(
        &place.export(template, &replace),
        2,
        "not as an export of the store wrote it",
    );
    assert_eq!(fs::read(&first).unwrap(), b"mine");
    fs::write(&first, written).unwrap();
    stdout(&place.export(template, &[&replace[..], &["--dry-run"]].concat()));
    stdout(&place.export(template, &replace));
    let now = place.data();
    assert_eq!(now.len(), 2);
    assert!(now.iter().all(|name| !left.contains(name)), "{now:?}");
    let batches = place.json(&["batches", "list"]);
    assert_eq!(batches.as_array().unwrap().len(), 2, "{batches}");
    place.assert_sound();
}
