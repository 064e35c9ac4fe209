//! A job of very many segments: what it keeps open and in memory does not grow with them.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::lives::Place;

#[test]
fn a_job_of_many_batches_keeps_few_files_open() {
    let place = Place::small();
    let mut request: Value = serde_json::from_slice(&fs::read(&place.request).unwrap()).unwrap();
    let segments: Vec<Value> = (0..600)
        .map(|n| json!({"segmentId": format!("segment-{n}")}))
        .collect();
    request["filter"] = json!({"segments": segments});
    request["destination"]["segmentPerBatch"] = json!(true);
    fs::write(&place.request, request.to_string()).unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 200 && exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_profile-export"))
        .args(["--quiet", "run"])
        .arg(&place.request)
        .arg("--store")
        .arg(&place.store)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let job: Value = serde_json::from_slice(&output.stdout).unwrap();
    let batches = job["destination"]["batches"].as_array().unwrap();
    assert_eq!(batches.len(), 600);
    for batch in batches {
        let id = batch["batchId"].as_str().unwrap();
        let file = place
            .store
            .join("batches")
            .join(id)
            .join("part-00000.parquet");
        assert!(file.exists(), "{file:?}");
    }
}
