//! What type a field has does not depend on the order of files, datasets and loads.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, ListArray, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::Date32Type;
use profile_export::export::Progress;
use profile_export::store::{DatasetInputs, Input, LoadOptions};
use profile_export::xdm::Class;
use serde_json::{Value, json};

use crate::scratch::{Scratch, request, sorted};
use crate::types::outcome::written;

const DATASETS: [&str; 3] = [
    "0000000000000000000000a1",
    "0000000000000000000000a2",
    "0000000000000000000000a3",
];

/// The orders of three things.
const ORDERS: [[usize; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

/// How three files come in.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    OneDataset,
    OneLoad,
    ThreeLoads,
}

const ARRIVALS: [Arrival; 3] = [Arrival::OneDataset, Arrival::OneLoad, Arrival::ThreeLoads];

fn columns(id: &str, columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let key: ArrayRef = Arc::new(StringArray::from(vec![id]));
    let all = std::iter::once(("k", key)).chain(columns);
    written(&RecordBatch::try_from_iter(all).unwrap()).unwrap()
}

fn line(record: &Value) -> Vec<u8> {
    format!("{record}\n").into_bytes()
}

/// All rows, or the error.
fn loaded(
    files: &[(&str, Vec<u8>)],
    order: [usize; 3],
    arrival: Arrival,
) -> Result<Vec<String>, String> {
    let scratch = Scratch::new();
    for id in DATASETS {
        scratch.dataset(id, Class::Profile, json!({"primaryIdentity": "k=Email"}));
    }
    let paths: Vec<PathBuf> = (files.iter())
        .map(|(name, bytes)| scratch.file(name, bytes))
        .collect();
    let input = |at: usize| Input::File(paths[at].clone());
    let by_dataset = order.map(|at| DatasetInputs::new(DATASETS[at], vec![input(at)]));
    let loads: Vec<Vec<DatasetInputs>> = match arrival {
        Arrival::OneDataset => vec![vec![DatasetInputs::new(
            DATASETS[0],
            order.map(input).to_vec(),
        )]],
        Arrival::OneLoad => vec![by_dataset.to_vec()],
        Arrival::ThreeLoads => by_dataset.map(|load| vec![load]).to_vec(),
    };
    for load in loads {
        let (options, progress) = (LoadOptions::default(), Progress::default());
        let report = scratch.store.ingest(&load, &options, &progress);
        report.map_err(|error| error.to_string())?;
    }
    Ok(sorted(scratch.rows(&request(json!({"fields": "k,v,w,x"})))))
}

fn in_every_order(
    files: &[(&str, Vec<u8>); 3],
    check: impl Fn(Result<Vec<String>, String>, String),
) {
    for order in ORDERS {
        for arrival in ARRIVALS {
            check(
                loaded(files, order, arrival),
                format!("{order:?}, {arrival:?}"),
            );
        }
    }
}

#[test]
fn date_times_as_text_and_as_timestamps_meet_as_date_times() {
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![5_000]));
    let days: ArrayRef = Arc::new(Date32Array::from(vec![1]));
    let lists = ListArray::from_iter_primitive::<Date32Type, _, _>([Some([Some(2)])]);
    let files = [
        (
            "a.ndjson",
            line(
                &json!({"k": "a", "v": "1970-01-01T01:00:00+01:00", "w": "1970-01-01", "x": ["1970-01-05"]}),
            ),
        ),
        (
            "b.parquet",
            columns("b", vec![("v", times), ("w", days), ("x", Arc::new(lists))]),
        ),
        (
            "c.ndjson",
            line(&json!({"k": "c", "v": "1970-01-01T00:00:07Z", "w": null})),
        ),
    ];
    in_every_order(&files, |rows, how| {
        let expected = [
            json!({"k": "a", "v": {"µs": 0}, "w": {"day": 0}, "x": [{"day": 4}]}),
            json!({"k": "b", "v": {"µs": 5_000_000}, "w": {"day": 1}, "x": [{"day": 2}]}),
            json!({"k": "c", "v": {"µs": 7_000_000}}),
        ];
        assert_eq!(rows, Ok(sorted(expected.to_vec())), "{how}");
    });
}

#[test]
fn other_text_and_timestamps_are_an_error_that_names_the_field() {
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![5_000]));
    let files = [
        (
            "a.ndjson",
            line(&json!({"k": "a", "v": "1970-01-01T00:00:00Z"})),
        ),
        ("b.parquet", columns("b", vec![("v", times)])),
        ("c.ndjson", line(&json!({"k": "c", "v": "soon"}))),
    ];
    in_every_order(&files, |rows, how| {
        let error = rows.expect_err(&how);
        assert!(error.contains(": v: expected a"), "{error}; {how}");
    });
}

#[test]
fn text_that_was_loaded_is_read_as_a_schema_says_that_comes_later() {
    let scratch = Scratch::new();
    let [first, second, third] = DATASETS;
    let (key, of) = (
        "k=Email",
        |format| json!({"type": "string", "format": format}),
    );
    scratch.dataset(first, Class::Profile, json!({"primaryIdentity": key}));
    let records = [
        json!({"k": "a", "v": "1970-01-01T00:00:01Z", "w": "soon"}),
        json!({"k": "b", "v": null}),
    ];
    scratch.load(first, &records).unwrap();
    let declared = json!({"type": "object", "properties": {"v": of("date-time")}});
    scratch.dataset(
        second,
        Class::Profile,
        json!({"primaryIdentity": key, "schema": declared}),
    );
    let late = json!({"k": "c", "v": "1970-01-01T00:00:03Z"});
    scratch.load(second, &[late]).unwrap();
    let rows = scratch.rows(&request(json!({"fields": "v"})));
    let expected = [
        json!({"v": {"µs": 1_000_000}}),
        json!({}),
        json!({"v": {"µs": 3_000_000}}),
    ];
    assert_eq!(sorted(rows), sorted(expected.to_vec()));

    let contradicts = json!({"type": "object", "properties": {"w": of("date-time")}});
    let body =
        json!({"id": third, "name": "third", "class": Class::Profile, "schema": contradicts});
    let error = scratch
        .store
        .catalog()
        .create_dataset(serde_json::from_value(body).unwrap())
        .unwrap_err();
    assert!(error.to_string().contains("w is string"), "{error}");
}
