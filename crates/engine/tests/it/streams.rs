//! Exports as streams: partitions, shards, sinks, cancelling.

use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use profile_export::export::{
    DatasetBatches, Export, Plan, Progress, Shard, UnionSchemas, WriterOptions, export_rows,
    snapshot_of,
};
use profile_export::request::{ExportRequest, MergePolicy};
use profile_export::xdm::{Class, Dataset, PersonKey, Timestamp};
use serde_json::{Value, json};

use crate::readback;
use crate::scratch::{Scratch, request};

const CRM: &str = "0000000000000000000000a1";
const VISITS: &str = "0000000000000000000000e1";

fn wanted(more: Value) -> ExportRequest {
    ExportRequest::from_json(request(more).to_string().as_bytes()).unwrap()
}

/// A store with many people, some of whom are one by the identity graph.
fn many(people: usize) -> Scratch {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({}));
    scratch.dataset(VISITS, Class::Event, json!({}));
    let records: Vec<Value> = (0..people)
        .map(|n| {
            json!({"identityMap": {"Email": [{"id": format!("p{n}"), "primary": true}],
                                   "Phone": [{"id": format!("{}", n / 3)}]},
                   "x": n, "city": city(n),
                   "segmentMembership": {"ups": {format!("s{}", n % 4): {"status": "realized"}}}})
        })
        .collect();
    scratch.load(CRM, &records).unwrap();
    let events: Vec<Value> = (0..people)
        .map(|n| {
            json!({"identityMap": {"Email": [{"id": format!("p{}", n * 7 % people)}]},
                   "_id": format!("{n}"), "timestamp": "2020-01-01T00:00:00Z"})
        })
        .collect();
    scratch.load(VISITS, &events).unwrap();
    scratch
}

fn city(n: usize) -> &'static str {
    ["Köln", "Nice", "Leeds"][n % 3]
}

fn export_of(scratch: &Scratch, request: &ExportRequest, policy: usize) -> (Export, Plan) {
    let snapshot = scratch.store.snapshot(None).unwrap();
    let policy = MergePolicy::built_in()[policy].clone();
    let plan = Plan::new(request, policy, &UnionSchemas::from(&snapshot)).unwrap();
    (Export::new(&snapshot, &plan).unwrap(), plan)
}

fn whole(export: &Export, batch: usize, shard: Shard) -> RecordBatch {
    let batch = export.batch(batch).in_shard(shard);
    let chunks: Vec<RecordBatch> = batch.chunks().map(|chunk| chunk.unwrap()).collect();
    concat_batches(&batch.schema(), &chunks).unwrap()
}

#[test]
fn the_shards_of_a_plan_one_after_the_other_are_the_export() {
    let scratch = many(9_500);
    let requests = [
        json!({"additionalFields": {"eventList": {}}, "filter": {"emptyProfiles": true}}),
        json!({"fields": "x", "filter": {"segments": [{"segmentId": "s1"}, {"segmentId": "s2"}]},
               "destination": {"datasetId": crate::scratch::TARGET, "segmentPerBatch": true}}),
    ];
    for body in requests {
        for policy in [0, 1] {
            let (export, plan) = export_of(&scratch, &wanted(body.clone()), policy);
            for number in 0..export.batch_count() {
                let all = whole(&export, number, Shard::ALL);
                assert!(all.num_rows() > 500);
                for n in [1, 2, 5, 16] {
                    // Each by an export of its own, as another process would.
                    let shards: Vec<RecordBatch> = plan
                        .shards(n)
                        .unwrap()
                        .into_iter()
                        .map(|shard| {
                            let (other, _) = export_of(&scratch, &wanted(body.clone()), policy);
                            whole(&other, number, shard)
                        })
                        .collect();
                    let united = concat_batches(&export.schema(), &shards).unwrap();
                    assert_eq!(united, all, "policy {policy}, {n} shards");
                }
            }
        }
    }
}

#[test]
fn a_plan_that_deduplicates_has_no_shards() {
    let scratch = many(10);
    let (_, plan) = export_of(&scratch, &wanted(json!({"deduplicationKeys": ["x"]})), 0);
    assert_eq!(plan.shards(1).unwrap(), [Shard::ALL]);
    let refused = plan.shards(2).unwrap_err().to_string();
    assert!(
        refused.contains("deduplicationKeys: it looks at all"),
        "{refused}"
    );
}

#[test]
fn partitions_of_record_batches_have_one_schema_and_the_same_rows() {
    let mut dataset = Dataset::new(CRM, "crm", Class::Profile);
    dataset.primary_identity = Some("email=Email".to_owned());
    // People with a city, people with none, and few or many different ones.
    let batch = |range: std::ops::Range<usize>| {
        let emails: Vec<String> = range.clone().map(|n| format!("p{}", n % 700)).collect();
        let cities: Vec<Option<String>> = (range.clone())
            .map(|n| (n % 3 > 0).then(|| format!("c{}", if n < 500 { n % 4 } else { n })))
            .collect();
        let points: Vec<Option<i64>> = range.map(|n| (n % 2 == 0).then_some(n as i64)).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("email", Arc::new(StringArray::from(emails))),
            ("city", Arc::new(StringArray::from(cities))),
            ("points", Arc::new(Int64Array::from(points))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let all = batch(0..2000);
    let unions = UnionSchemas::of([(&dataset, all.schema().as_ref())]).unwrap();
    let [policy, _] = MergePolicy::built_in();
    let body = wanted(json!({"fields": "email,city,points"}));
    let export = |n: usize| {
        // A person's records stay together, in their order.
        let keys = all.column(0).clone();
        let keys = keys.as_any().downcast_ref::<StringArray>().unwrap();
        let part_of = |row: usize| (PersonKey::of("Email", keys.value(row)).0 % n as u128) as usize;
        let parts = (0..n).map(|part| {
            let rows: Vec<u32> = (0..all.num_rows())
                .filter(|row| part_of(*row) == part)
                .map(|row| row as u32)
                .collect();
            let rows = arrow::array::UInt32Array::from(rows);
            let batches = vec![arrow::compute::take_record_batch(&all, &rows).unwrap()];
            let records = DatasetBatches {
                dataset: dataset.clone(),
                batches,
                ingested_at: Timestamp::default(),
            };
            let mut rows = export_rows(&body, policy.clone(), &unions, &[records]).unwrap();
            rows.remove(0)
        });
        parts.collect::<Vec<_>>()
    };
    let one = export(1);
    assert_eq!(one[0].num_rows(), 700);
    let rows = |parts: &[RecordBatch]| {
        let mut texts: Vec<String> = Vec::new();
        for part in parts {
            assert_eq!(part.schema(), one[0].schema());
            texts.extend((0..part.num_rows()).map(|row| format!("{:?}", part.slice(row, 1))));
        }
        texts.sort();
        texts
    };
    for n in [2, 7] {
        assert_eq!(rows(&export(n)), rows(&one), "{n} partitions");
    }
}

#[test]
fn record_batches_that_the_union_schemas_do_not_have_are_refused() {
    let mut dataset = Dataset::new(CRM, "crm", Class::Profile);
    dataset.primary_identity = Some("email=Email".to_owned());
    let emails: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let city: ArrayRef = Arc::new(StringArray::from(vec!["Nice"]));
    let known = RecordBatch::try_from_iter([("email", emails.clone())]).unwrap();
    let unions = UnionSchemas::of([(&dataset, known.schema().as_ref())]).unwrap();
    let more = RecordBatch::try_from_iter([("email", emails), ("city", city)]).unwrap();
    let records = DatasetBatches {
        dataset,
        batches: vec![more],
        ingested_at: Timestamp::default(),
    };
    let error = snapshot_of(&[records], &unions).err().unwrap().to_string();
    assert!(error.contains("field city"), "{error}");
}

#[test]
fn the_schema_is_the_plans_and_text_comes_plain_unless_dictionaries_are_wanted() {
    let scratch = many(2_000);
    let (export, plan) = export_of(&scratch, &wanted(json!({"fields": "city,identityMap"})), 0);
    assert_eq!(export.schema(), plan.schema());
    let rows = whole(&export, 0, Shard::ALL);
    let city = rows
        .schema()
        .field_with_name("city")
        .unwrap()
        .data_type()
        .clone();
    assert_eq!(city, DataType::Utf8);
    let packed = export.with_dictionaries();
    let rows = whole(&packed, 0, Shard::ALL);
    let city = rows
        .schema()
        .field_with_name("city")
        .unwrap()
        .data_type()
        .clone();
    assert!(matches!(city, DataType::Dictionary(..)), "{city}");
}

#[test]
fn a_batch_is_written_into_any_sink_and_into_a_file_that_is_not_there_yet() {
    let scratch = many(300);
    let (export, _) = export_of(&scratch, &wanted(json!({"fields": "x,city"})), 0);
    let options = WriterOptions::default();
    let (bytes, written, counts) = export
        .batch(0)
        .write_to(Vec::new(), Path::new("memory"), &options)
        .unwrap();
    assert_eq!((written.rows, counts.profiles), (300, 300));
    assert_eq!(written.length, bytes.len() as u64);
    assert_eq!(counts.by_namespace["Email"], 300);
    let path = scratch.folder.path().join("out.parquet");
    export.batch(0).write_file(&path, &options).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(readback::rows(&path).len(), 300);
    let error = export.batch(0).write_file(&path, &options);
    assert!(error.is_err_and(|e| e.to_string().contains("out.parquet")));
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "what was there stays");
}

#[test]
fn a_stream_tells_its_progress_and_stops_when_it_is_cancelled() {
    let scratch = many(20_000);
    let told = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&told);
    let progress = Arc::new(Progress::with_callback(move |at| {
        ears.lock().unwrap().push(at.rows);
    }));
    let (export, _) = export_of(&scratch, &wanted(json!({"fields": "x"})), 0);
    let export = export.with_progress(Arc::clone(&progress));
    let mut chunks = export.batch(0).chunks();
    let first = chunks.next().unwrap().unwrap().num_rows() as u64;
    assert_eq!(*told.lock().unwrap(), [first]);
    progress.cancel();
    // What is ahead already may still come.
    let error = chunks.find_map(Result::err).expect("cancelled");
    assert!(error.is_cancelled());
    assert!(chunks.next().is_none());
}

#[test]
fn a_stream_comes_to_its_end_on_one_thread_of_a_pool_and_stops_when_it_is_dropped() {
    let scratch = many(20_000);
    let (export, _) = export_of(&scratch, &wanted(json!({"fields": "x"})), 0);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let rows: usize = pool.install(|| {
        drop(export.batch(0).chunks().next());
        export
            .batch(0)
            .chunks()
            .map(|chunk| chunk.unwrap().num_rows())
            .sum()
    });
    assert_eq!(rows, 20_000);
}

#[test]
fn a_run_that_is_cut_while_it_is_read_fails_the_export_and_not_the_process() {
    for policy in [0, 1] {
        for taken in 0..2 {
            let scratch = many(9_000);
            let request = wanted(json!({"additionalFields": {"eventList": {}}}));
            let (whole, _) = export_of(&scratch, &request, policy);
            let whole: Vec<RecordBatch> = whole.batch(0).chunks().map(Result::unwrap).collect();
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(1)
                .build()
                .unwrap();
            let (export, _) = export_of(&scratch, &request, policy);
            let runs = scratch.store.layout().runs();
            pool.install(|| {
                let mut chunks = export.batch(0).chunks();
                let mut found: Vec<_> = chunks.by_ref().take(taken).collect();
                for run in std::fs::read_dir(&runs).unwrap() {
                    for file in std::fs::read_dir(run.unwrap().path()).unwrap() {
                        let path = file.unwrap().path();
                        let file = std::fs::File::options().write(true).open(path).unwrap();
                        file.set_len(0).unwrap();
                    }
                }
                found.extend(chunks);
                // What was made before is right; behind it comes an error, not other rows.
                if let Some(Err(error)) = found.last() {
                    assert!(error.to_string().contains("damaged"), "{error}");
                    found.pop();
                } else {
                    assert!(taken > 0 && found.len() == whole.len());
                }
                for (made, right) in found.iter().zip(&whole) {
                    assert_eq!(made.as_ref().unwrap(), right);
                }
            });
        }
    }
}

#[test]
fn a_compaction_changes_no_export() {
    let scratch = many(40_000);
    // Some are replaced, by records that have another field, and text that does not repeat.
    let later = |n: usize| {
        json!({"identityMap": {"Email": [{"id": format!("p{n}"), "primary": true}]},
               "city": format!("city {n}"), "late": {"deep": [n.is_multiple_of(2)]}})
    };
    let records: Vec<Value> = (0..1_000).map(|n| later(n * 41)).collect();
    scratch.load(CRM, &records).unwrap();
    let event = |n: usize| {
        json!({"identityMap": {"Email": [{"id": format!("p{n}")}]}, "_id": format!("later {n}"),
               "timestamp": format!("2019-01-01T00:00:{:02}Z", n % 60)})
    };
    let events: Vec<Value> = (0..40_000).map(|n| event(n / 2)).collect();
    scratch.load(VISITS, &events).unwrap();
    let exports = || -> Vec<RecordBatch> {
        let requests = [
            wanted(json!({"additionalFields": {"eventList": {}}})),
            wanted(json!({"filter": {"segments": [{"segmentId": "s1"}]}})),
        ];
        let both = requests.iter().flat_map(|request| {
            [0, 1].map(|policy| {
                let (export, plan) = export_of(&scratch, request, policy);
                let rows: Vec<RecordBatch> = export.batch(0).chunks().map(Result::unwrap).collect();
                concat_batches(&plan.schema(), &rows).unwrap()
            })
        });
        both.collect()
    };
    let before = exports();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1);
    // With one thread the events are folded in three stretches.
    pool.build()
        .unwrap()
        .install(|| scratch.store.compact().unwrap());
    assert_eq!(scratch.store.stats().unwrap().runs, 2);
    assert_eq!(scratch.store.verify().unwrap(), Default::default());
    for (found, right) in exports().iter().zip(&before) {
        assert!(
            found == right,
            "{} rows, {} before",
            found.num_rows(),
            right.num_rows()
        );
    }
}

#[test]
fn profiles_of_many_identities_are_told_and_left_out_where_that_is_asked_for() {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({}));
    let person = |email: String, phone: &str| json!({"identityMap": {"Email": [{"id": email, "primary": true}], "Phone": [{"id": phone}]}});
    // A kiosk of 60 customers, a family of 3, and one by herself.
    let mut records: Vec<Value> = (0..60).map(|n| person(format!("k{n}"), "kiosk")).collect();
    records.extend((0..3).map(|n| person(format!("f{n}"), "family")));
    records.push(json!({"identityMap": {"Email": [{"id": "alone"}]}}));
    scratch.load(CRM, &records).unwrap();
    let snapshot = scratch.store.snapshot(None).unwrap();
    let exported = |policy: usize, max_identities: Option<u32>| {
        let policy = MergePolicy::built_in()[policy].clone();
        let unions = UnionSchemas::from(&snapshot);
        let plan = Plan {
            max_identities,
            ..Plan::new(&wanted(json!({})), policy, &unions).unwrap()
        };
        let export = Export::new(&snapshot, &plan).unwrap();
        let rows: usize = (export.batch(0).chunks())
            .map(|chunk| chunk.unwrap().num_rows())
            .sum();
        (rows, export.graph_report().cloned())
    };
    let (rows, report) = exported(1, None);
    let report = report.unwrap();
    assert_eq!((rows, report.large, report.left_out), (3, 1, 0));
    assert_eq!(report.largest[0].identities, 61);
    assert!(report.largest[0].id.starts_with('k'));
    for (most, rows, left_out) in [(61, 3, 0), (60, 2, 1), (4, 2, 1), (3, 1, 2), (0, 0, 3)] {
        let (found, report) = exported(1, Some(most));
        assert_eq!(
            (found, report.unwrap().left_out),
            (rows, left_out),
            "{most}"
        );
    }
    assert_eq!(exported(0, Some(1)), (64, None));
}
