//! One set of records in every form that files of records come in, and forms that are refused.

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use profile_export::arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchIterator, StringArray,
};
use profile_export::platform::Result;
use profile_export::store::{
    Batches, CatalogError, DatasetInputs, Input, JsonForm, LoadOptions, LoadReport, OnBadRecord,
    ReadOptions, Scope, Store,
};
use profile_export::xdm::{Class, Dataset};
use serde_json::{Value, json};

use crate::scratch::{Scratch, request, sorted};

const CRM: &str = "0000000000000000000000a1";

fn records() -> Vec<Value> {
    (0..40)
        .map(|n| {
            json!({"identityMap": {"Email": [{"id": format!("p{n}")}]},
                   "x": n, "text": "a {brace}, [a list] and a \"quote\"\\"})
        })
        .collect()
}

fn lines() -> String {
    records()
        .iter()
        .map(|record| format!("{record}\n"))
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn load(scratch: &Scratch, bytes: &[u8], read: ReadOptions) -> Result<LoadReport> {
    scratch.dataset(CRM, Class::Profile, json!({}));
    let input = Input::File(scratch.file("records.json", bytes));
    let options = LoadOptions {
        on_bad_record: OnBadRecord::Fail,
        read,
        ..LoadOptions::default()
    };
    let load = DatasetInputs::new(CRM, vec![input]);
    Ok(scratch
        .store
        .ingest(&[load], &options, &Default::default())?)
}

#[track_caller]
fn holds_the_records(bytes: &[u8]) {
    let scratch = Scratch::new();
    load(&scratch, bytes, ReadOptions::default()).unwrap();
    let rows = scratch.rows(&request(json!({"fields": "x,text"})));
    let expected: Vec<Value> = (records().iter())
        .map(|record| json!({"x": record["x"].as_f64(), "text": record["text"]}))
        .collect();
    assert_eq!(sorted(rows), sorted(expected));
}

#[track_caller]
fn is_refused(bytes: &[u8], read: ReadOptions) -> String {
    let scratch = Scratch::new();
    let error = load(&scratch, bytes, read).unwrap_err().to_string();
    assert_eq!(scratch.store.stats().unwrap().datasets[0].records, 0);
    error
}

#[test]
fn lines_are_read_plain_and_packed() {
    let plain = lines();
    let bytes = plain.as_bytes();
    holds_the_records(bytes);
    holds_the_records(&gzip(bytes));
    holds_the_records(&zstd(bytes));
    holds_the_records(plain.trim_end().as_bytes());
    holds_the_records(plain.replace('\n', "\r\n").as_bytes());
    holds_the_records(plain.replace('\n', "\n\n").as_bytes());
}

#[test]
fn members_and_frames_one_after_the_other_are_one_file() {
    let plain = lines();
    let (first, second) = plain.as_bytes().split_at(1000);
    holds_the_records(&[gzip(first), gzip(second)].concat());
    holds_the_records(&[zstd(first), zstd(second)].concat());
}

#[test]
fn zeros_behind_the_last_gzip_member_are_padding() {
    let packed = gzip(lines().as_bytes());
    for zeros in [1, 512, 300_000] {
        holds_the_records(&[packed.clone(), vec![0; zeros]].concat());
    }
    let more = [packed.clone(), vec![0; 9], packed.clone()].concat();
    // Between members too: nothing that is there is lost.
    holds_the_records(&more);
    is_refused(&[packed, b"more".to_vec()].concat(), ReadOptions::default());
}

#[test]
fn a_packed_file_that_is_cut_off_is_an_error() {
    for packed in [gzip(lines().as_bytes()), zstd(lines().as_bytes())] {
        for length in [5, packed.len() / 2, packed.len() - 1] {
            is_refused(&packed[..length], ReadOptions::default());
        }
    }
}

#[test]
fn frames_to_be_skipped_are_skipped() {
    // As pzstd writes them before each frame: four bytes, the length of the next frame.
    let frame = zstd(lines().as_bytes());
    let mut bytes = vec![0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0];
    bytes.extend_from_slice(&(frame.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&frame);
    holds_the_records(&bytes);
}

#[test]
fn a_window_of_two_gigabytes_is_allowed() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(31).unwrap();
    encoder.write_all(lines().as_bytes()).unwrap();
    holds_the_records(&encoder.finish().unwrap());
}

#[test]
fn packed_twice_is_refused() {
    let packed = gzip(&gzip(lines().as_bytes()));
    assert!(is_refused(&packed, ReadOptions::default()).contains("compressed twice"));
    is_refused(&gzip(&zstd(lines().as_bytes())), ReadOptions::default());
}

#[test]
fn packed_parquet_that_unfolds_far_is_refused_before_it_fills_the_memory() {
    let zeros = vec![0; 257 << 20];
    let packed = zstd(&[b"PAR1", zeros.as_slice()].concat());
    assert!(packed.len() < 1 << 20);
    let told = is_refused(&packed, ReadOptions::default());
    assert!(told.contains("unfolds to more than 256 MiB"), "{told}");
}

#[test]
fn byte_order_marks_are_read_over_where_files_were_put_together() {
    let plain = lines();
    let (first, second) = plain.split_at(plain.find('\n').unwrap() + 1);
    holds_the_records(format!("\u{feff}{plain}").as_bytes());
    holds_the_records(format!("\u{feff}{first}\u{feff}{second}").as_bytes());
}

#[test]
fn lists_and_objects_over_many_lines_are_noticed() {
    let records = records();
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let list = Value::Array(records.clone());
    holds_the_records(list.to_string().as_bytes());
    holds_the_records(pretty(&list).as_bytes());
    holds_the_records(format!("\u{feff}\n  {}\n", pretty(&list)).as_bytes());
    holds_the_records(&gzip(pretty(&list).as_bytes()));
    let one_after_the_other: String = records.iter().map(|r| pretty(r) + "\n").collect();
    holds_the_records(one_after_the_other.as_bytes());
    let touching: String = records.iter().map(pretty).collect();
    holds_the_records(touching.as_bytes());
}

#[test]
fn a_list_that_is_cut_off_or_holds_something_else_is_an_error() {
    let list = Value::Array(records()).to_string();
    let read = ReadOptions::default();
    is_refused(&list.as_bytes()[..list.len() - 1], read);
    is_refused(&list.as_bytes()[..list.len() / 2], read);
    is_refused(format!("{list}]").as_bytes(), read);
    is_refused(list.replacen('[', "[1,", 1).as_bytes(), read);
    is_refused(list.replacen("},{", "}{", 1).as_bytes(), read);
}

#[test]
fn what_is_told_of_the_form_is_kept_to() {
    let lines_only = ReadOptions {
        json_form: JsonForm::Lines,
        ..ReadOptions::default()
    };
    is_refused(Value::Array(records()).to_string().as_bytes(), lines_only);
    let documents = ReadOptions {
        json_form: JsonForm::Documents,
        ..ReadOptions::default()
    };
    let scratch = Scratch::new();
    let loaded = load(&scratch, lines().as_bytes(), documents).unwrap();
    assert_eq!(loaded.loaded, 40);
}

#[test]
fn a_record_longer_than_allowed_is_refused_with_its_line() {
    let long = json!({"identityMap": {"Email": [{"id": "long"}]}, "text": "y".repeat(5 << 20)});
    let read = ReadOptions {
        max_line: 1 << 20,
        ..ReadOptions::default()
    };
    for text in [
        format!("{}{long}\n", lines()),
        format!("{}{long}", lines()),
        format!("[{},{long}]", records()[0]),
    ] {
        let error = is_refused(text.as_bytes(), read);
        assert!(error.contains("longer than 1 MiB"), "{error}");
        let scratch = Scratch::new();
        load(&scratch, text.as_bytes(), ReadOptions::default()).unwrap();
    }
}

/// The records as the caller's own record batches, of which the third row of each is nobody's.
fn batches_with_nobody() -> Input {
    let batch = |first: i64| {
        let ids = (first..first + 5).map(|n| (n % 5 != 2).then(|| format!("p{n}")));
        let ids: ArrayRef = Arc::new(StringArray::from_iter(ids));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + 5));
        RecordBatch::try_from_iter_with_nullable([("email", ids, true), ("x", numbers, true)])
    };
    let batches = [batch(0), batch(5)];
    let schema = batches[0].as_ref().unwrap().schema();
    let reader = RecordBatchIterator::new(batches, schema);
    Input::Batches(Batches::new("my rows", Box::new(reader)))
}

#[test]
fn record_batches_of_the_callers_are_loaded_and_bad_rows_are_told() {
    let scratch = Scratch::new();
    scratch.dataset(
        CRM,
        Class::Profile,
        json!({"primaryIdentity": "email=Email"}),
    );
    let load = |input: Input, options: &LoadOptions| {
        let load = DatasetInputs::new(CRM, vec![input]);
        scratch.store.ingest(&[load], options, &Default::default())
    };
    let refused = load(batches_with_nobody(), &LoadOptions::default()).unwrap_err();
    assert!(refused.to_string().contains("my rows, line 3"), "{refused}");
    assert_eq!(scratch.store.stats().unwrap().datasets[0].records, 0);

    let rejects = scratch.folder.path().join("rejects.ndjson");
    let skip = LoadOptions {
        on_bad_record: OnBadRecord::Skip {
            rejects: rejects.clone(),
            limit: Default::default(),
        },
        ..LoadOptions::default()
    };
    let input = batches_with_nobody();
    let report = load(input.clone(), &skip).unwrap();
    assert_eq!((report.read, report.loaded, report.bad), (10, 8, 2));
    let told = std::fs::read_to_string(rejects).unwrap();
    let told = told.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = told.map(|line: Value| line["line"].clone()).collect();
    assert_eq!(lines, [3, 8]);
    let rows = scratch.rows(&request(json!({"fields": "x"})));
    let expected = [0, 1, 3, 4, 5, 6, 8, 9].map(|n| json!({"x": n as f64}));
    assert_eq!(sorted(rows), sorted(expected.to_vec()));

    let again = load(input, &skip).unwrap_err();
    assert!(
        again.to_string().contains("my rows: it was read before"),
        "{again}"
    );
}

/// What the records are read by is that of the load's beginning; nobody reads them again.
#[test]
fn a_load_fails_whose_dataset_gets_another_primary_identity_meanwhile() {
    for changed in ["primary identity", "schema"] {
        let scratch = Scratch::new();
        let by_email = json!({"primaryIdentity": "email=Email"});
        scratch.dataset(CRM, Class::Profile, by_email);
        let store =
            Store::open_temporary(scratch.folder.path().join("store"), Scope::default()).unwrap();
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values(["a", "b"]));
        let batch = RecordBatch::try_from_iter([("email", ids.clone()), ("other", ids)]).unwrap();
        let schema = batch.schema();
        let batches = [batch].into_iter().map(move |batch| {
            let change = |dataset: &mut Dataset| {
                match changed {
                    "schema" => {
                        dataset.schema = Some(json!({"properties": {"other": {"type": "string"}}}))
                    }
                    _ => dataset.primary_identity = Some("other=Email".to_owned()),
                }
                Ok::<_, CatalogError>(())
            };
            store.catalog().change_dataset(CRM, change).unwrap();
            Ok(batch)
        });
        let reader = RecordBatchIterator::new(batches, schema);
        let input = Input::Batches(Batches::new("my rows", Box::new(reader)));
        let load = DatasetInputs::new(CRM, vec![input]);
        let options = LoadOptions::default();
        let refused = (scratch.store.ingest(&[load], &options, &Default::default())).unwrap_err();
        let says = format!("the {changed} of dataset {CRM}");
        assert!(refused.to_string().starts_with(&says), "{refused}");
        assert_eq!(scratch.store.stats().unwrap().datasets[0].records, 0);
    }
}
