//! How long each stage takes on the same people: `{stage}/{shape}/{threads}`.
#![allow(missing_docs)]

mod place;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use filter::{MembershipFilter, SegmentFilter};
use gather::{Column, RowRef};
use membership::{MembershipIndex, Status};
use merge::{Groups, merge};
use projection::Projection;
use run::{Run, Snapshot};
use writer::{BatchOptions, BatchWriter, Codec, WriterOptions};
use xdm::{Class, FieldPath, Timestamp};

use place::{Place, load, on_threads};

/// The runs of profile datasets.
fn profile_runs(snapshot: &Snapshot) -> Vec<&Run> {
    snapshot
        .runs
        .iter()
        .filter(|run| run.class == Class::Profile)
        .map(|run| &**run)
        .collect()
}

/// Everybody's fragments, crm first.
fn fragments(runs: &[&Run]) -> Groups {
    let mut first = Vec::new();
    let mut batches = 0;
    for run in runs {
        first.push(batches);
        batches += run.batch_count() as u32;
    }
    let mut groups = Groups::default();
    let Some(crm) = runs.first() else {
        return groups;
    };
    for person in 0..crm.persons() {
        let key = crm.person(person);
        groups.push(runs.iter().zip(&first).filter_map(|(run, first)| {
            let (batch, row) = Run::locate(run.rows_of(run.find(key)?).start);
            Some(RowRef::new(first + batch, row))
        }));
    }
    groups
}

fn columns(runs: &[&Run], projection: &Projection) -> Vec<(String, Column)> {
    let column = |name: &str, ty: &xdm::FieldType| {
        let ty = ty.data_type();
        let arrays: Vec<Option<ArrayRef>> = runs
            .iter()
            .flat_map(|run| run.record_field(name, &ty).expect("a field").batches)
            .collect();
        (
            name.to_owned(),
            Column::new(&ty, &arrays).expect("a column"),
        )
    };
    projection
        .needed()
        .iter()
        .map(|(name, ty)| column(name, ty))
        .collect()
}

fn stages(criterion: &mut Criterion) {
    let place = Place::new();
    let snapshot = place.store.snapshot(None).expect("a snapshot");
    let runs = profile_runs(&snapshot);
    let groups = fragments(&runs);
    let people = groups.len() as u64;

    let mut group = criterion.benchmark_group("load");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(people));
    for threads in [1, 2] {
        group.bench_function(format!("ndjson/{threads}"), |bencher| {
            bencher.iter_batched(
                || tempfile::tempdir_in(place.folder.path()).expect("a folder"),
                |folder| {
                    let store = folder.path().join("store");
                    on_threads(threads, || load(&place.source, store));
                    folder
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();

    let indexes = |filter: &MembershipFilter| -> Vec<Option<MembershipIndex>> {
        let indexes = (runs.iter())
            .map(|run| run.members(|namespace, id| filter.looks_at(namespace, id)))
            .collect::<Result<_, _>>();
        indexes.expect("the memberships")
    };
    let segment = |ns: &str, id: &str, status| SegmentFilter {
        id: id.to_owned(),
        namespace: Some(ns.to_owned()),
        statuses: vec![status],
    };
    let two = MembershipFilter {
        segments: vec![
            segment("AAM", "segment-0021-8b1f2c3d", Status::Realized),
            segment("UPS", "segment-0040-8b1f2c3d", Status::Exited),
        ],
        ..MembershipFilter::default()
    };
    let window = MembershipFilter {
        qualified_from: Some(Timestamp::default()),
        ..MembershipFilter::default()
    };
    let mut group = criterion.benchmark_group("filter");
    group.throughput(Throughput::Elements(people));
    for (shape, filter) in [("two-segments", two), ("any-segment", window)] {
        group.bench_function(format!("{shape}/1"), |bencher| {
            bencher.iter(|| {
                let matches = filter.scan(indexes(&filter));
                groups
                    .iter()
                    .filter(|fragments| matches.takes(fragments))
                    .count()
            });
        });
    }
    group.finish();

    let all = Projection::new(&[], &snapshot.profile_union).expect("all fields");
    let three = FieldPath::parse_list("_id,personalEmail.address,person.name.lastName");
    let three = Projection::new(&three.expect("paths"), &snapshot.profile_union).expect("fields");
    let mut merging = criterion.benchmark_group("merge");
    merging.throughput(Throughput::Elements(people));
    let mut written: Vec<(&str, RecordBatch)> = Vec::new();
    let mut projected = Vec::new();
    for (shape, projection) in [("all-fields", &all), ("three-fields", &three)] {
        let columns = columns(&runs, projection);
        let fields: Vec<(&str, &Column)> = columns.iter().map(|(n, c)| (n.as_str(), c)).collect();
        merging.bench_function(format!("{shape}/1"), |bencher| {
            bencher.iter(|| merge(&fields, &groups).expect("merged"));
        });
        let merged = merge(&fields, &groups).expect("merged");
        let parts = projection.apply(merged.clone()).expect("projected");
        projected.push((shape, projection, merged));
        let fields: Vec<Field> = parts
            .iter()
            .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
            .collect();
        let arrays = parts.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
        written.push((shape, batch.expect("rows")));
    }
    merging.finish();

    let mut group = criterion.benchmark_group("project");
    group.throughput(Throughput::Elements(people));
    for (shape, projection, merged) in projected {
        group.bench_function(format!("{shape}/1"), |bencher| {
            bencher.iter(|| projection.apply(merged.clone()).expect("projected"));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("write");
    group
        .sample_size(20)
        .throughput(Throughput::Elements(people));
    for (shape, batch) in written {
        for (threads, level) in [(1, 1), (2, 1), (1, 3)] {
            group.bench_function(format!("{shape}-zstd-{level}/{threads}"), |bencher| {
                bencher.iter(|| {
                    let folder = tempfile::tempdir_in(place.folder.path()).expect("a folder");
                    let options = BatchOptions {
                        writer: WriterOptions {
                            codec: Codec::Zstd(level),
                            ..WriterOptions::default()
                        },
                        ..BatchOptions::default()
                    };
                    on_threads(threads, || {
                        let (staging, target) = (folder.path().join("a"), folder.path().join("b"));
                        let mut writer =
                            BatchWriter::create(staging, target, batch.schema(), options)
                                .expect("a batch");
                        writer.write(batch.clone()).expect("written");
                        writer.finish().expect("finished");
                    });
                });
            });
        }
    }
}

criterion_group!(benches, stages);
criterion_main!(benches);
