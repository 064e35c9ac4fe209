//! What the files of an export say of the job that wrote them.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use profile_export::jobs::{FinishedJob, RunOptions, create_job, run_job};
use profile_export::request::ExportRequest;
use profile_export::xdm::Class;
use serde_json::{Value, json};

use crate::scratch::{Scratch, request};

const CRM: &str = "0000000000000000000000a1";

/// A store of three people in one segment, each with a number.
fn people() -> Scratch {
    let scratch = Scratch::new();
    scratch.dataset(CRM, Class::Profile, json!({}));
    let person = |n: u32| {
        let membership = json!({"ups": {"gold": {"status": "realized"}}});
        json!({"identityMap": {"Email": [{"id": format!("p{n}")}]}, "x": n, "segmentMembership": membership})
    };
    let records: Vec<Value> = (0..3).map(person).collect();
    scratch.load(CRM, &records).unwrap();
    scratch
}

fn run(scratch: &Scratch, wanted: &Value, options: &RunOptions) -> FinishedJob {
    let wanted = ExportRequest::from_json(wanted.to_string().as_bytes()).unwrap();
    let job = create_job(&scratch.store, &wanted).unwrap();
    run_job(&scratch.store, job.id, options, &<_>::default()).unwrap()
}

/// The key-value metadata of a job's files, in order.
fn metadata(job: &FinishedJob) -> Vec<BTreeMap<String, String>> {
    let files = (job.batches.iter())
        .flat_map(|batch| batch.files.iter().map(|file| batch.folder.join(&file.name)));
    files.map(|path| metadata_of(&path)).collect()
}

fn metadata_of(path: &Path) -> BTreeMap<String, String> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    (pairs.unwrap().iter())
        .map(|pair| (pair.key.clone(), pair.value.clone().unwrap()))
        .collect()
}

fn stated_request(metadata: &BTreeMap<String, String>) -> Value {
    serde_json::from_str(&metadata["profile-export.request"]).unwrap()
}

#[test]
fn a_file_names_its_own_segment_alone_also_where_two_entries_differ_in_namespace_or_status() {
    let entries = json!([
        {"segmentId": "gold", "segmentNs": "ups"},
        {"segmentId": "gold", "segmentNs": "AAM"},
        {"segmentId": "gold", "segmentNs": "ups", "status": ["exited"]},
        {"segmentId": "silver"},
    ]);
    let wanted = request(json!({
        "fields": "x",
        "filter": {"segments": entries, "emptyProfiles": true},
        "destination": {"datasetId": crate::scratch::TARGET, "segmentPerBatch": true},
    }));
    let scratch = people();
    let job = run(&scratch, &wanted, &RunOptions::default());
    let by_segment = job.job.metrics.exported_profile_by_segment_counter.clone();
    // Three people are in one of the three batches of the first segment.
    assert_eq!(by_segment.unwrap()["gold"], 3);
    let stated = metadata(&job);
    assert_eq!(stated.len(), 4);
    for (metadata, entry) in stated.iter().zip(entries.as_array().unwrap()) {
        let request = stated_request(metadata);
        assert_eq!(request["filter"]["segments"], json!([entry]));
        assert_eq!(request["filter"]["emptyProfiles"], json!(true));
        assert_eq!(request["fields"], json!("x"));
        assert_eq!(metadata["profile-export.jobId"], job.job.id.to_string());
        assert!(!metadata.contains_key("profile-export.leftOut"));
    }
}

#[test]
fn what_would_be_repeated_at_length_is_left_out_of_the_files_by_name_and_stays_in_the_job() {
    let scratch = people();
    let fields = vec!["x"; 40_000].join(",");
    let wanted = request(json!({"fields": fields}));
    // The only file of a job says all.
    let whole = run(&scratch, &wanted, &RunOptions::default());
    assert_eq!(
        stated_request(&metadata(&whole)[0])["fields"],
        json!(fields)
    );
    let by_rows = RunOptions {
        max_rows_per_file: Some(1),
        ..RunOptions::default()
    };
    let in_files = run(&scratch, &wanted, &by_rows);
    let per_segment = request(json!({
        "fields": fields,
        "filter": {"segments": [{"segmentId": "gold"}, {"segmentId": "silver"}]},
        "destination": {"datasetId": crate::scratch::TARGET, "segmentPerBatch": true},
    }));
    let in_batches = run(&scratch, &per_segment, &RunOptions::default());
    for (job, files) in [(in_files, 3), (in_batches, 2)] {
        let stated = metadata(&job);
        assert_eq!(stated.len(), files);
        for metadata in &stated {
            assert_eq!(metadata["profile-export.leftOut"], "request");
            assert!(!metadata.contains_key("profile-export.request"));
            assert!(metadata.contains_key("profile-export.mergePolicy"));
            assert_eq!(metadata["profile-export.jobId"], job.job.id.to_string());
        }
        assert_eq!(job.job.fields.as_deref(), Some(fields.as_str()));
    }
}

#[test]
fn a_job_of_one_batch_names_all_its_segments() {
    let segments: Vec<Value> = (0..3000)
        .map(|n| json!({"segmentId": format!("segment-{n}")}))
        .collect();
    let wanted = request(json!({"filter": {"segments": segments}}));
    let scratch = people();
    let stated = metadata(&run(&scratch, &wanted, &RunOptions::default()));
    assert_eq!(stated.len(), 1);
    let request = stated_request(&stated[0]);
    assert_eq!(
        request["filter"]["segments"].as_array().unwrap().len(),
        3000
    );
}
