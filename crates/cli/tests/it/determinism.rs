//! What the program makes of a folder depends on what is in it: not on how many threads there are, and not
//! on the order in which the file system has its files. How much is decoded at once can't be told from
//! outside; the engine's tests vary it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use profile_export_benches::write_workload;
use tempfile::TempDir;

use crate::faults::is_deep;
use crate::program::program;

const THREADS: [&str; 3] = ["1", "2", "7"];

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let relative = |path: &PathBuf| path.strip_prefix(folder).unwrap().to_owned();
    let files = files(folder);
    files
        .iter()
        .map(|path| (relative(path), fs::read(path).unwrap()))
        .collect()
}

/// A workload whose data files are cut into some, with lines that are damaged here and there.
fn damaged(seed: u64) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = TempDir::new().unwrap();
    write_workload(folder.path(), 0..150, seed).unwrap();
    let mut source = BTreeMap::new();
    for (path, bytes) in contents(folder.path()) {
        if path.extension().is_none_or(|ending| ending != "ndjson") {
            source.insert(path, bytes);
            continue;
        }
        let text = String::from_utf8(bytes).unwrap();
        let mut parts = vec![String::new(); 4];
        for (n, line) in text.lines().enumerate() {
            let line = match (n as u64 + seed) % 97 {
                0 => &line[..line.len() / 2],
                31 => "{\"identityMap\": 7}",
                62 => "not a record",
                _ => line,
            };
            let part = &mut parts[n % 4];
            part.push_str(line);
            part.push('\n');
        }
        for (n, part) in parts.into_iter().enumerate() {
            source.insert(
                path.with_file_name(format!("part-{n}.ndjson")),
                part.into_bytes(),
            );
        }
    }
    source
}

/// The runs' files, what was rejected, and how the program ended and what it said.
type Left = (
    BTreeMap<PathBuf, Vec<u8>>,
    Option<String>,
    Option<i32>,
    String,
);

fn load(source: &BTreeMap<PathBuf, Vec<u8>>, backwards: bool, threads: &str, bad: &str) -> Left {
    let folder = TempDir::new().unwrap();
    let mut order: Vec<_> = source.iter().collect();
    if backwards {
        order.reverse();
    }
    for (path, bytes) in order {
        let path = folder.path().join("source").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let arguments = [
        "ingest",
        "--quiet",
        "--from",
        "source",
        "--store",
        "store",
        "--rejects",
        "rejects",
    ];
    let output = program()
        .args(arguments)
        .args(["--threads", threads, "--on-bad-record", bad])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let rejects = fs::read_to_string(folder.path().join("rejects")).ok();
    let runs = contents(&folder.path().join("store/runs"));
    let said = String::from_utf8(output.stderr).unwrap();
    (runs, rejects, output.status.code(), said)
}

#[test]
fn a_damaged_folder_loads_to_the_same_bytes_and_rejects_whatever_loads_it() {
    for seed in 0..if is_deep() { 20 } else { 1 } {
        let source = damaged(seed);
        for bad in ["skip", "fail"] {
            let first = load(&source, false, THREADS[0], bad);
            assert_eq!(
                first.2,
                Some(if bad == "skip" { 0 } else { 1 }),
                "{}",
                first.3
            );
            assert_eq!(first.1.is_some(), bad == "skip");
            for threads in THREADS {
                for backwards in [false, true] {
                    let left = load(&source, backwards, threads, bad);
                    let is_same = left == first;
                    assert!(
                        is_same,
                        "seed {seed}, {bad}, {threads} threads, backwards {backwards}: {}",
                        left.3
                    );
                }
            }
        }
    }
}
