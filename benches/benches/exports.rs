//! How long whole exports take, from the store and without one: `{work}/{threads}`.
#![allow(missing_docs)]

mod place;

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use profile_export::jobs::{FolderExport, RunOptions, create_job, export_folder, run_job};
use profile_export::platform::SourceFolder;
use profile_export::request::ExportRequest;
use profile_export::store::LoadOptions;
use profile_export::xdm::Dataset;
use serde_json::{Value, json};

use place::{Place, on_threads};

/// The tutorial's request, everything about everybody, and three fields with all events.
fn requests(target: &str) -> [(&'static str, Value); 3] {
    let segment = |ns: &str, id: &str, status: &str| json!({"segmentId": id, "segmentNs": ns, "status": [status]});
    let with = |more: Value| {
        let mut body = json!({"destination": {"datasetId": target}, "schema": {"name": "_xdm.context.profile"}});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        body
    };
    let tutorial = with(json!({
        "fields": "identities.id,personalEmail.address",
        "destination": {"datasetId": target, "segmentPerBatch": true},
        "filter": {
            "segments": [segment("AAM", "segment-0021-8b1f2c3d", "realized"), segment("UPS", "segment-0040-8b1f2c3d", "exited")],
            "segmentQualificationTime": {"startTime": "2026-02-01T00:00:00Z", "endTime": "2026-09-01T00:00:00Z"},
            "fromIngestTimestamp": "2026-03-01T00:00:00Z",
        },
        "additionalFields": {"eventList": {"fields": "environment.browserDetails.name,environment.browserDetails.version"}},
    }));
    let events = json!({"eventList": {"fields": "eventType,timestamp"}});
    let three = with(json!({
        "fields": "_id,personalEmail.address,person.name.lastName", "additionalFields": events,
    }));
    [("W1", tutorial), ("W2", with(json!({}))), ("W3", three)]
}

fn exports(criterion: &mut Criterion) {
    let place = Place::new();
    let target = place
        .store
        .catalog()
        .create_dataset(Dataset::target("", "Exports"));
    let target = target.expect("a dataset").id;
    let source = SourceFolder::open(&place.source).expect("a source folder");
    let mut group = criterion.benchmark_group("export");
    group.sample_size(10);
    for (work, body) in requests(&target) {
        let request = ExportRequest::from_json(body.to_string().as_bytes()).expect("a request");
        for threads in [1, 2] {
            group.bench_function(format!("{work}/{threads}"), |bencher| {
                bencher.iter(|| {
                    on_threads(threads, || {
                        let job = create_job(&place.store, &request).expect("a job");
                        let options = RunOptions::default();
                        run_job(&place.store, job.id, &options, &Arc::default()).expect("done")
                    })
                });
            });
            group.bench_function(format!("{work}-from-ndjson/{threads}"), |bencher| {
                bencher.iter(|| {
                    on_threads(threads, || {
                        let out = tempfile::tempdir_in(place.folder.path()).expect("a folder");
                        let options = FolderExport {
                            request: &request,
                            out: out.path(),
                            load: LoadOptions::default(),
                            run: RunOptions::default(),
                        };
                        export_folder(&source, &options, &Arc::default()).expect("done")
                    })
                });
            });
        }
    }
}

criterion_group!(benches, exports);
criterion_main!(benches);
