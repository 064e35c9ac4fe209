//! What a store holds after a load depends on the input alone: not on the number of threads, to the byte, and not
//! on how much is decoded at once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use profile_export::export::Progress;
use profile_export::store::{
    BadRecordLimit, DatasetInputs, Input, LoadOptions, OnBadRecord, ReadOptions,
};
use profile_export::xdm::{Class, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use crate::scratch::{Scratch, request, sorted};

const CRM: &str = "0000000000000000000000a1";

/// Of everything that a value can be, so that types meet, widen and contradict each other.
const VALUES: [&str; 18] = [
    "1",
    "2",
    "9007199254740993",
    "0.5",
    "true",
    "null",
    "\"text\"",
    "\"1970-01-01\"",
    "\"1970-01-01T00:00:00Z\"",
    "\"1970-01-01T00:00:00.5Z\"",
    "[]",
    "[1]",
    "[\"a\"]",
    "{}",
    "{\"a\":1}",
    "{\"a\":\"b\",\"c\":null}",
    "[{\"segmentID\":{\"_id\":\"s\"},\"status\":\"realized\"}]",
    "[{\"name\":\"s\"}]",
];

/// A line, good or not.
fn line() -> impl Strategy<Value = String> {
    let field = select(&["v", "w", "x", "segments", "f1", "f2", "f3", "xdm:v"][..]);
    let fields = vec((field, select(&VALUES[..])), 0..4);
    let record = (0..40_u32, fields).prop_map(|(id, fields)| {
        let mut line = format!(r#"{{"identityMap":{{"Email":[{{"id":"p{id}"}}]}}"#);
        for (name, value) in fields {
            line.push_str(&format!(r#","{name}":{value}"#));
        }
        line + "}"
    });
    let nobody = (select(&["v", "w", "f1"][..]), select(&VALUES[..]));
    prop_oneof![
        20 => record,
        1 => nobody.prop_map(|(name, value)| format!(r#"{{"{name}":{value}}}"#)),
        1 => Just("{\"v\":".to_owned()),
        1 => Just(String::new()),
    ]
}

/// What a load leaves.
#[derive(Clone, Debug, PartialEq)]
struct Left {
    /// How many records were read and bad. How many are replaced within their run depends on its end.
    result: Result<(u64, u64), String>,
    rejects: Option<String>,
    rows: Vec<String>,
}

/// Loads the text; returns what is left, and the bytes of the store's runs.
fn loaded(
    text: &str,
    threads: usize,
    chunk_bytes: usize,
    run_bytes: usize,
) -> (Left, BTreeMap<String, Vec<u8>>) {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    pool.install(|| {
        let scratch = Scratch::new();
        scratch.dataset(CRM, Class::Profile, json!({}));
        let path = scratch.folder.path().join("crm.ndjson");
        fs::write(&path, text).unwrap();
        let rejects = scratch.folder.path().join("rejects.ndjson");
        let options = LoadOptions {
            on_bad_record: OnBadRecord::Skip {
                rejects: rejects.clone(),
                limit: BadRecordLimit::default(),
            },
            now: Timestamp::from_millis(1_000),
            read: ReadOptions {
                chunk_bytes,
                ..ReadOptions::default()
            },
            run_bytes,
            merge: true,
        };
        let inputs = DatasetInputs::new(CRM, vec![Input::File(path)]);
        let folder = scratch.folder.path().display().to_string();
        let result = (scratch.store)
            .ingest(&[inputs], &options, &Progress::default())
            .map(|report| (report.read, report.bad))
            .map_err(|error| error.to_string().replace(&folder, ""));
        let rejects = fs::read_to_string(rejects).ok();
        let left = Left {
            result,
            rejects: rejects.map(|text| text.replace(&folder, "")),
            rows: sorted(scratch.rows(&request(json!({})))),
        };
        let mut files = BTreeMap::new();
        add_files(&scratch.store.layout().runs(), "", &mut files);
        (left, files)
    })
}

fn add_files(folder: &Path, name: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{name}/{}", entry.file_name().display());
        if entry.file_type().unwrap().is_dir() {
            add_files(&entry.path(), &name, files);
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}

fn cases() -> u32 {
    match std::env::var_os("PROFILE_EXPORT_DEEP_TESTS") {
        Some(_) => 2_000,
        None => 12,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_load_depends_on_its_input_alone(lines in vec(line(), 1..150)) {
        let text = lines.join("\n");
        let (whole, _) = loaded(&text, 1, 2 << 20, 80 << 20);
        for (chunk_bytes, run_bytes) in [(1, 1 << 20), (200, 4_000), (1_000, 1)] {
            let (left, files) = loaded(&text, 1, chunk_bytes, run_bytes);
            prop_assert_eq!(&left, &whole, "chunks of {} bytes, runs of {}", chunk_bytes, run_bytes);
            for threads in [2, 5] {
                let (same_left, same_files) = loaded(&text, threads, chunk_bytes, run_bytes);
                prop_assert_eq!(&same_left, &whole, "{} threads, chunks of {}", threads, chunk_bytes);
                prop_assert!(same_files == files, "{} threads, chunks of {}", threads, chunk_bytes);
            }
        }
    }
}
