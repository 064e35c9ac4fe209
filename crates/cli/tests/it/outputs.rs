//! What exports are written as, and where: formats, standard output, folders with a manifest.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{fixture_store, fixtures, run, stderr, stdout, text};

/// An export of the fixtures' shoppers with their events.
fn export(more: &[&str]) -> Output {
    let source = fixtures();
    let mut arguments = vec![
        "export",
        "--from",
        text(&source),
        "--segment",
        "holiday-shoppers",
        "--fields",
        "_id,personalEmail.address,person.name,identityMap,tags",
        "--events",
        "_id,timestamp",
    ];
    arguments.extend(more);
    run(&arguments)
}

pub fn refused(output: &Output, code: i32, said: &str) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
    assert!(stderr(output).contains(said), "{}", stderr(output));
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[test]
fn a_files_name_says_its_format() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name);
    let made = |name: &str, more: &[&str]| {
        let path = file(name);
        let told = export(&[&["--out", text(&path), "--json"], more].concat());
        let told: Value = serde_json::from_str(&stdout(&told)).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(told["bytes"], bytes.len(), "{name}");
        (told["profiles"].as_u64().unwrap(), bytes)
    };
    let (profiles, parquet) = made("a.parquet", &[]);
    assert_eq!(&parquet[..4], b"PAR1");
    let (_, snappy) = made("b.parquet", &["--parquet-profile", "compatible"]);
    let (_, gzip) = made("c.parquet", &["--compression", "gzip"]);
    assert!(snappy != parquet && gzip != parquet && gzip != snappy);

    let (rows, plain) = made("a.ndjson", &[]);
    let parsed = lines(&plain);
    assert_eq!((rows, parsed.len() as u64), (profiles, profiles));
    assert!(parsed.iter().any(|row| {
        row["personalEmail"]["address"].is_string()
            && row["identityMap"]["Email"][0]["id"].is_string()
            && row["person"]["name"]["firstName"].is_string()
            && row["timeSeriesEvents"][0]["timestamp"]
                .as_str()
                .is_some_and(|at| at.ends_with('Z'))
    }));
    let mut unpacked = Vec::new();
    let (_, packed) = made("a.json.gz", &[]);
    let mut gzip = flate2::read::GzDecoder::new(&packed[..]);
    gzip.read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == plain);
    let (_, packed) = made("a.jsonl.zst", &[]);
    assert!(zstd::decode_all(&packed[..]).unwrap() == plain);

    let (_, csv) = made("a.csv", &["--csv-header", "person.name.firstName=first"]);
    let csv = String::from_utf8(csv).unwrap();
    let header = csv.lines().next().unwrap();
    assert!(
        header
            == "identityMap,_id,first,person.name.lastName,personalEmail.address,tags,timeSeriesEvents",
        "{header}"
    );
    // Nothing but the files is left.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 7);
}

#[test]
fn standard_output_takes_the_rows_alone() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.ndjson");
    stdout(&export(&["--out", text(&file)]));
    let streamed = export(&["--out", "-"]);
    assert!(stdout(&streamed).as_bytes() == fs::read(&file).unwrap());
    assert!(
        stderr(&streamed).contains(" profiles and "),
        "{}",
        stderr(&streamed)
    );
    let csv = export(&[
        "--out",
        "-",
        "--format",
        "csv",
        "--csv-delimiter",
        "tab",
        "--quiet",
    ]);
    assert!(stdout(&csv).starts_with("identityMap\t_id\tperson.name.firstName\t"));
    assert_eq!(stderr(&csv), "");
    let parquet = export(&["--out", "-", "--format", "parquet"]);
    assert!(parquet.stdout.starts_with(b"PAR1") && parquet.stdout.ends_with(b"PAR1"));
    refused(&export(&["--out", "-", "--json"]), 2, "--json");
    refused(
        &export(&["--out", "-", "--segment-per-batch"]),
        2,
        "give a folder",
    );
}

#[test]
fn options_without_effect_and_contradictions_are_refused() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str| text(&folder.path().join(name)).to_owned();
    for (name, more, said) in [
        ("a.parquet", &["--format", "csv"][..], "another format"),
        ("a.parquet.gz", &[], "compresses its pages"),
        ("a.csv", &["--compression", "gzip"], "end in .gz"),
        ("a.csv.gz", &["--compression", "zstd"], "end in .gz"),
        (
            "out",
            &["--format", "csv", "--compression", "snappy"],
            "gzip or zstd",
        ),
        (
            "out",
            &["--format", "csv", "--parquet-profile", "compatible"],
            "for Parquet",
        ),
        ("a.ndjson", &["--csv-null", ""], "--format csv"),
        ("a.csv", &["--csv-delimiter", "::"], "one ASCII character"),
        ("a.csv", &["--if-exists", "append"], "nothing is added"),
    ] {
        refused(&export(&[&["--out", &file(name)], more].concat()), 2, said);
    }
    // A header of no column is known when the columns are.
    let wrong = export(&["--out", &file("a.csv"), "--csv-header", "person.nam=x"]);
    assert!(!wrong.status.success());
    assert!(
        stderr(&wrong).contains("person.name.firstName"),
        "{}",
        stderr(&wrong)
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    // What the store keeps is Parquet.
    let store = fixture_store(&folder);
    refused(
        &run(&["export", "--store", &store, "--format", "csv"]),
        2,
        "are Parquet",
    );
    refused(
        &run(&["export", "--store", &store, "--if-exists", "replace"]),
        2,
        "--out",
    );
}

pub fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("_manifest.json")).unwrap()).unwrap()
}

/// All files of a folder, from it on.
pub fn files(folder: &Path) -> Vec<String> {
    fn add(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => add(root, &path, found),
                false => found.push(text(path.strip_prefix(root).unwrap()).to_owned()),
            }
        }
    }
    let mut found = Vec::new();
    add(folder, folder, &mut found);
    found.sort();
    found
}

/// The files that a manifest names.
fn named(manifest: &Value) -> Vec<String> {
    let exports = manifest["exports"].as_array().unwrap().iter();
    let batches = exports.flat_map(|export| export["batches"].as_array().unwrap());
    let files = batches.flat_map(|batch| batch["files"].as_array().unwrap());
    let mut paths: Vec<String> = files
        .map(|file| file["path"].as_str().unwrap().to_owned())
        .collect();
    paths.sort();
    paths
}

pub fn verify(folder: &Path) -> Output {
    run(&["verify-manifest", text(folder)])
}

#[test]
fn a_folder_has_partitions_and_a_manifest_and_no_two_runs_unless_asked() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let to = |more: &[&str]| export(&[&["--out", text(&out)], more].concat());
    let per_segment = ["--segment", "gold members", "--segment-per-batch"];
    stdout(&to(&per_segment));
    let first = manifest(&out);
    let export = &first["exports"][0];
    assert_eq!(export["request"]["destination"]["segmentPerBatch"], true);
    assert!(
        export["mergePolicy"]["id"].is_string() && export["generation"].is_i64(),
        "{export}"
    );
    assert!(export["jobId"].is_null(), "a folder's store is thrown away");
    let paths = named(&first);
    assert_eq!(paths.len(), 2);
    for (batch, segment) in std::iter::zip(
        export["batches"].as_array().unwrap(),
        ["holiday-shoppers", "gold members"],
    ) {
        let id = batch["id"].as_str().unwrap();
        let path = format!("batchId={id}/segmentId={segment}/part-00000.parquet");
        assert_eq!(
            (&batch["segmentId"], &batch["files"][0]["path"]),
            (&segment.into(), &path.into())
        );
        assert_eq!(batch["files"][0]["rows"], batch["profiles"]);
    }
    let mut expected = paths.clone();
    expected.extend(["_SUCCESS".to_owned(), "_manifest.json".to_owned()]);
    expected.sort();
    assert_eq!(files(&out), expected);
    stdout(&verify(&out));

    refused(&to(&[]), 2, "it has 2 batches already");
    assert_eq!(files(&out), expected);
    stdout(&to(&["--if-exists", "append"]));
    let both = manifest(&out);
    assert_eq!(both["exports"].as_array().unwrap().len(), 2);
    assert_eq!(both["exports"][0], first["exports"][0]);
    assert_eq!(
        both["exports"][0]["schemaDigest"],
        both["exports"][1]["schemaDigest"]
    );
    stdout(&verify(&out));
    let other = to(&[
        "--if-exists",
        "append",
        "--format",
        "csv",
        "--fields",
        "_id",
    ]);
    // --fields came twice.
    assert_eq!(other.status.code(), Some(2), "{}", stderr(&other));

    stdout(&to(&[
        "--if-exists",
        "replace",
        "--format",
        "ndjson",
        "--compression",
        "gzip",
    ]));
    let last = manifest(&out);
    let paths = named(&last);
    assert!(
        paths.len() == 1 && paths[0].ends_with("/part-00000.ndjson.gz"),
        "{paths:?}"
    );
    assert_eq!(files(&out).len(), 3);

    // What no export wrote there stays untouched.
    fs::write(out.join("notes.txt"), "mine").unwrap();
    refused(&to(&["--if-exists", "replace"]), 2, "notes.txt");
    assert_eq!(files(&out).len(), 4);
}

#[test]
fn a_copied_folder_is_verified_without_a_store() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    stdout(&export(&["--out", text(&out)]));
    let copy = folder.path().join("copy");
    for path in files(&out) {
        let target = copy.join(&path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(out.join(&path), target).unwrap();
    }
    fs::remove_dir_all(&out).unwrap();
    assert!(stdout(&verify(&copy)).starts_with("1 exports, 1 files"));
    let part: PathBuf = copy.join(&named(&manifest(&copy))[0]);
    let whole = fs::read(&part).unwrap();
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    fs::write(&part, &damaged).unwrap();
    refused(&verify(&copy), 1, "1 problems");
    fs::write(&part, &whole).unwrap();
    let stranger = part.with_file_name("part-00001.parquet");
    fs::write(&stranger, &whole).unwrap();
    let found = verify(&copy);
    assert!(String::from_utf8_lossy(&found.stdout).contains("part-00001.parquet: not in"));
    assert_eq!(found.status.code(), Some(1));
    fs::remove_file(stranger).unwrap();
    fs::remove_file(copy.join("_SUCCESS")).unwrap();
    refused(&verify(&copy), 1, "1 problems");
    // A manifest that names files elsewhere is not followed.
    let mut hostile = manifest(&copy);
    hostile["exports"][0]["batches"][0]["files"][0]["path"] = "../../etc/passwd".into();
    fs::write(copy.join("_manifest.json"), hostile.to_string()).unwrap();
    let found = verify(&copy);
    assert!(String::from_utf8_lossy(&found.stdout).contains("not in the manifest's folder"));
    refused(&verify(folder.path()), 3, "no _manifest.json");
}

/// The catalog knows the batches of a folder, and forgets those that are replaced.
#[test]
fn what_a_folder_from_a_store_replaces_leaves_the_catalog_too() {
    let folder = TempDir::new().unwrap();
    let (store, out) = (fixture_store(&folder), folder.path().join("out"));
    let (store, out) = (store.as_str(), text(&out));
    let to = |if_exists: &str| {
        let arguments = [
            "export",
            "--store",
            store,
            "--out",
            out,
            "--if-exists",
            if_exists,
        ];
        stdout(&run(&arguments));
        let manifest = manifest(Path::new(out));
        let ids = manifest["exports"].as_array().unwrap().iter();
        ids.map(|export| {
            assert!(export["jobId"].is_i64());
            export["batches"][0]["id"].as_str().unwrap().to_owned()
        })
        .collect::<Vec<String>>()
    };
    let listed = || {
        let listed = stdout(&run(&["batches", "list", "--store", store, "--json"]));
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let ids = listed.as_array().unwrap().iter();
        ids.map(|batch| batch["id"].as_str().unwrap().to_owned())
            .collect::<Vec<String>>()
    };
    let first = to("fail");
    assert_eq!(listed(), first);
    let files = stdout(&run(&["batches", "files", &first[0], "--store", store]));
    assert!(files.contains("batchId="), "{files}");
    assert_eq!(to("append").len(), 2);
    let last = to("replace");
    assert_eq!((listed(), last.len()), (last, 1));
    stdout(&run(&["store", "verify", "--store", store]));
}

/// Only one export goes into a folder at a time.
#[test]
fn a_folder_that_another_export_goes_into_is_a_conflict() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let lock = fs::File::create(out.join(".profile-export-lock")).unwrap();
    lock.lock().unwrap();
    refused(&export(&["--out", text(&out)]), 5, "another export");
    drop(lock);
    stdout(&export(&["--out", text(&out)]));
    assert_eq!(files(&out).len(), 3);
}

#[test]
fn rows_that_a_full_disk_does_not_take_are_a_failure_in_every_format() {
    for format in ["parquet", "ndjson", "csv"] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = crate::program::program();
        command.args([
            "export", "--fields", "_id", "--out", "-", "--format", format, "--from",
        ]);
        let output = command.arg(fixtures()).stdout(full).output().unwrap();
        refused(&output, 1, "standard output");
    }
}

/// A copy's manifest names batches that lie elsewhere: those are nothing to delete.
#[test]
fn replacing_in_a_copy_leaves_what_it_was_copied_from() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    let (store, first, copy) = (fixture_store(&folder), path("first"), path("copy"));
    let to = |out: &str, more: &[&str]| {
        let arguments = ["export", "--store", &store, "--fields", "_id", "--out", out];
        run(&[&arguments[..], more].concat())
    };
    stdout(&to(&first, &[]));
    let copied = std::process::Command::new("cp")
        .args(["-r", &first, &copy])
        .status()
        .unwrap();
    assert!(copied.success());
    stdout(&to(&copy, &["--if-exists", "replace"]));
    stdout(&verify(Path::new(&first)));
    stdout(&verify(Path::new(&copy)));
    stdout(&run(&["store", "verify", "--store", &store]));
    // What is deleted by hand is no part of what stands there as whole.
    let id = manifest(Path::new(&first))["exports"][0]["batches"][0]["id"].clone();
    stdout(&run(&[
        "batches",
        "delete",
        id.as_str().unwrap(),
        "--store",
        &store,
    ]));
    assert_eq!(files(Path::new(&first)), ["_manifest.json"]);
    refused(
        &to(&first, &["--if-exists", "append"]),
        2,
        "is not there any more",
    );
    stdout(&to(&first, &["--if-exists", "replace"]));
    stdout(&verify(Path::new(&first)));
    // Files of a job that is deleted stay where the user has them.
    stdout(&run(&["jobs", "delete", "3", "--store", &store]));
    stdout(&verify(Path::new(&first)));
}

#[test]
fn what_readers_would_take_for_a_part_of_a_folder_is_found_and_other_columns_are_told() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    stdout(&export(&["--out", text(&out)]));
    let source = fixtures();
    let other = [
        "export",
        "--from",
        text(&source),
        "--fields",
        "_id",
        "--out",
        text(&out),
    ];
    let other = run(&[&other[..], &["--if-exists", "append"]].concat());
    assert!(
        stderr(&other).contains("different columns"),
        "{}",
        stderr(&other)
    );
    assert_eq!(files(&out).len(), 4);
    stdout(&verify(&out));
    for stranger in ["extra.parquet", "more/extra.parquet"] {
        let path = out.join(stranger);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        refused(&verify(&out), 1, "1 problems");
        fs::remove_file(path).unwrap();
    }
    // While an export is at work nothing says that all is there, and what fails changes nothing.
    let refused_one = [
        "export",
        "--from",
        text(&source),
        "--fields",
        "no.such",
        "--out",
        text(&out),
    ];
    let refused_one = run(&[&refused_one[..], &["--if-exists", "append"]].concat());
    assert_eq!(refused_one.status.code(), Some(2));
    stdout(&verify(&out));
}
