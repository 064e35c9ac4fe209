//! Runs that are merged by themselves, and what exports find before, meanwhile and after.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use profile_export::export::{Export, Plan, UnionSchemas};
use profile_export::request::{ExportRequest, MergePolicy};
use profile_export::store::{DatasetInputs, Input, LoadOptions, RunLimit, Scope, Stats, Store};
use profile_export::xdm::{Class, Timestamp};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::scratch::{Scratch, request, sorted};

const CRM: &str = "5b020a27e7040801dedba61a";
const VISITS: &str = "5b020a27e7040801dedba61b";

fn person(n: usize, city: &str) -> Value {
    json!({"identityMap": {"Email": [{"id": format!("p{n}"), "primary": true}]}, "city": city})
}

fn visit(n: usize) -> Value {
    json!({"identityMap": {"Email": [{"id": format!("p{}", n % 40)}]}, "_id": format!("visit {n}"),
           "timestamp": format!("2020-01-01T00:{:02}:{:02}Z", n / 60 % 60, n % 60)})
}

fn with_limit(persons: u64, records: u64) -> Scratch {
    let scratch = Scratch::with(|store| store.with_run_limit(RunLimit { persons, records }));
    scratch.dataset(CRM, Class::Profile, json!({}));
    scratch.dataset(VISITS, Class::Event, json!({}));
    scratch
}

fn everything(scratch: &Scratch) -> Vec<String> {
    sorted(scratch.rows(&request(json!({"additionalFields": {"eventList": {}}}))))
}

fn runs(stats: &Stats, dataset: &str) -> u64 {
    let found = stats.datasets.iter().find(|found| found.id == dataset);
    found.unwrap().runs
}

/// Loads records without merging anything.
fn load_apart(store: &Store, dataset: &str, file: std::path::PathBuf) {
    let options = LoadOptions {
        now: Timestamp::from_millis(1_000),
        merge: false,
        ..LoadOptions::default()
    };
    let inputs = DatasetInputs::new(dataset, vec![Input::File(file)]);
    store
        .ingest(&[inputs], &options, &Default::default())
        .unwrap();
}

/// A hundred nights, each of some persons and events: few runs are left, and all exports are those of a store whose
/// runs were never merged.
#[test]
fn many_nights_leave_few_runs_and_the_same_exports() {
    let merged = with_limit(1 << 19, 1 << 22);
    let apart = with_limit(1 << 19, 1 << 22);
    let mut by_itself = 0;
    for night in 0..100 {
        let people: Vec<Value> = (0..5)
            .map(|n| person(night * 3 % 50 + n, &format!("city {night}")))
            .collect();
        // Some events were there the night before.
        let visits: Vec<Value> = (0..6).map(|n| visit(night * 4 + n)).collect();
        for (dataset, records) in [(CRM, people), (VISITS, visits)] {
            by_itself += merged.load(dataset, &records).unwrap().merged;
            let text: String = records.iter().map(|record| format!("{record}\n")).collect();
            load_apart(&apart.store, dataset, apart.file("night.ndjson", text));
        }
    }
    let (stats, stats_apart) = (merged.store.stats().unwrap(), apart.store.stats().unwrap());
    for dataset in [CRM, VISITS] {
        assert_eq!(runs(&stats_apart, dataset), 100);
        assert!(runs(&stats, dataset) <= 2 * 7, "{stats:?}");
    }
    // All but the last few of each, most of them once.
    assert!((170..400).contains(&by_itself), "{by_itself}");
    let right = everything(&apart);
    assert_eq!(right.len(), 54);
    assert_eq!(everything(&merged), right);
    assert_eq!(merged.store.verify().unwrap(), Default::default());
    merged.store.compact().unwrap();
    assert_eq!(everything(&merged), right);
}

/// Where a merge is larger than a run may be, it becomes runs of different persons, which are one layer.
#[test]
fn a_merge_beyond_the_limit_becomes_a_layer_of_several_runs() {
    let scratch = with_limit(10, 60);
    let people: Vec<Value> = (0..50).map(|n| person(n, "Oslo")).collect();
    let visits: Vec<Value> = (0..400).map(visit).collect();
    for records in people.chunks(7) {
        scratch.load(CRM, records).unwrap();
    }
    for records in visits.chunks(60) {
        scratch.load(VISITS, records).unwrap();
    }
    let right = everything(&scratch);
    let stats = scratch.store.compact().unwrap();
    for (dataset, class) in [(CRM, "profile"), (VISITS, "event")] {
        let found = stats
            .datasets
            .iter()
            .find(|found| found.id == dataset)
            .unwrap();
        assert_eq!(found.class, class);
        assert!((4..12).contains(&found.runs), "{found:?}");
        assert_eq!(found.tiers.iter().map(|tier| tier.layers).sum::<u64>(), 1);
    }
    // No person is in two of the layer's runs.
    let snapshot = scratch.store.snapshot(None).unwrap();
    for id in [CRM, VISITS] {
        let runs: Vec<_> = snapshot
            .runs
            .iter()
            .filter(|run| run.dataset == id)
            .collect();
        let mut persons: Vec<_> = runs
            .iter()
            .flat_map(|run| (0..run.persons()).map(|i| run.person(i)))
            .collect();
        let all = persons.len();
        persons.sort_unstable();
        persons.dedup();
        assert_eq!(persons.len(), all);
    }
    assert_eq!(everything(&scratch), right);
    // Each part knows its events: none comes in twice.
    let again = scratch.load(VISITS, &visits).unwrap();
    assert_eq!((again.loaded, again.dropped), (0, 400));
    // There is nothing left to do.
    let generation = scratch.store.catalog().generation().unwrap();
    scratch.store.compact().unwrap();
    assert_eq!(scratch.store.catalog().generation().unwrap(), generation);
}

#[test]
fn what_a_compaction_would_save_is_told() {
    let scratch = with_limit(1 << 19, 1 << 22);
    for city in ["Oslo", "Paris", "Rome"] {
        let people: Vec<Value> = (0..20).map(|n| person(n, city)).collect();
        scratch.load(CRM, &people).unwrap();
    }
    let of_crm = |stats: Stats| {
        let mut datasets = stats.datasets.into_iter();
        datasets.find(|found| found.id == CRM).unwrap()
    };
    let before = of_crm(scratch.store.stats_in_full().unwrap());
    assert_eq!((before.records, before.replaced), (60, Some(40)));
    assert_eq!(before.savings, Some(before.bytes * 2 / 3));
    let quick = of_crm(scratch.store.stats().unwrap());
    assert_eq!((quick.replaced, quick.savings), (None, None));
    scratch.store.compact().unwrap();
    let after = of_crm(scratch.store.stats_in_full().unwrap());
    assert_eq!((after.records, after.replaced), (20, Some(0)));
    assert_eq!(after.savings, Some(0));
    assert!(after.bytes < before.bytes);
    assert!(after.unpacked_bytes < before.unpacked_bytes);
    assert!(after.unpacked_bytes > Some(20 * 16));
}

/// A load whose records are in has succeeded, whatever becomes of the merge behind it.
#[test]
fn a_load_holds_where_runs_can_not_be_merged() {
    let scratch = with_limit(1 << 19, 1 << 22);
    for n in 0..7 {
        assert_eq!(scratch.load(CRM, &[person(n, "Oslo")]).unwrap().merged, 0);
    }
    let runs = scratch.store.layout().runs();
    let catalog = Connection::open(scratch.store.layout().catalog()).unwrap();
    // A merge takes runs away, which a load does not.
    catalog
        .execute_batch(
            "CREATE TRIGGER broken BEFORE UPDATE ON runs BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )
        .unwrap();
    let report = scratch.load(CRM, &[person(7, "Oslo")]).unwrap();
    assert_eq!((report.loaded, report.merged), (1, 0));
    assert!(report.not_merged.unwrap().contains("broken"));
    // SQLite's journal may bring the merge back.
    assert_eq!(fs::read_dir(&runs).unwrap().count(), 9);
    assert_eq!(everything(&scratch).len(), 8);
    catalog.execute_batch("DROP TRIGGER broken").unwrap();
    // The next load tries again.
    let report = scratch.load(CRM, &[person(8, "Oslo")]).unwrap();
    assert_eq!((report.merged, report.not_merged), (9, None));
    assert_eq!(everything(&scratch).len(), 9);
    assert_eq!(fs::read_dir(&runs).unwrap().count(), 1);
}

/// Who began to read before a merge reads the old runs to the end.
#[test]
fn a_reader_from_before_a_merge_reads_on() {
    let scratch = with_limit(1 << 19, 1 << 22);
    for n in 0..7 {
        scratch.load(CRM, &[person(n, "Oslo")]).unwrap();
    }
    let before = scratch.store.snapshot(None).unwrap();
    assert_eq!(scratch.load(CRM, &[person(0, "Paris")]).unwrap().merged, 8);
    let request = request(json!({"fields": "city"}));
    let request = ExportRequest::from_json(request.to_string().as_bytes()).unwrap();
    let [policy, _] = MergePolicy::built_in();
    let plan = Plan::new(&request, policy, &UnionSchemas::from(&before)).unwrap();
    let export = Export::new(&before, &plan).unwrap();
    let rows: Vec<RecordBatch> = export.batch(0).chunks().map(Result::unwrap).collect();
    let cities = rows.iter().flat_map(|rows| {
        let column = cast(rows.column(0), &DataType::Utf8).unwrap();
        let column = column.as_string::<i32>().clone();
        (0..column.len()).map(move |i| column.value(i).to_owned())
    });
    assert_eq!(cities.collect::<Vec<_>>(), ["Oslo"; 7]);
}

/// Whoever reads the store while runs merge finds all that was loaded before.
#[test]
fn a_snapshot_beside_merges_lacks_nothing() {
    let scratch = with_limit(1 << 19, 1 << 22);
    let root = scratch.store.layout().root().to_owned();
    let loaded = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let store = Store::open(&root, Scope::default()).unwrap();
            loop {
                let before = loaded.load(Ordering::SeqCst);
                let snapshot = store.snapshot(None).unwrap();
                let rows: usize = snapshot.runs.iter().map(|run| run.rows()).sum();
                assert!(rows >= before, "{rows} of {before}");
                let stats = store.stats_in_full().unwrap();
                let figures = stats.datasets.iter().find(|found| found.id == CRM).unwrap();
                assert!(figures.records >= before as u64, "{figures:?}");
                if before == 120 {
                    break;
                }
            }
        });
        for n in 0..120 {
            scratch.load(CRM, &[person(n, "Oslo")]).unwrap();
            loaded.store(n + 1, Ordering::SeqCst);
        }
    });
}
