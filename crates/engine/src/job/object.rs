//! The job object, as the platform's documents show it.

use merge::MergePolicy;
use serde_json::{Value, json};
use store::{Store, new_id};

use crate::error::Error;
use crate::plan::Plan;
use crate::request::{ExportRequest, MergePolicyRef};

/// The object of a new job.
pub(super) fn job_object(
    store: &Store,
    request: &ExportRequest,
    plan: &Plan,
    id: i64,
    batches: &[String],
    now: i64,
) -> Value {
    let body = request.to_json();
    let mut destination = json!({
        "datasetId": request.destination.dataset_id,
        "dataSetId": request.destination.dataset_id,
        "segmentPerBatch": request.destination.segment_per_batch.unwrap_or(false),
    });
    if request.destination.segment_per_batch == Some(true) {
        let list: Vec<Value> = plan
            .batches
            .iter()
            .flat_map(|batch| &batch.segments)
            .zip(batches)
            .map(|(segment, batch)| {
                json!({
                    "segmentId": segment.id,
                    "segmentNs": segment.namespace,
                    "status": segment.statuses.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "batchId": batch,
                })
            })
            .collect();
        set(&mut destination, "batches", json!(list));
    } else if let [batch] = batches {
        set(&mut destination, "batchId", json!(batch));
    }
    let policy: &MergePolicy = &plan.policy;
    let mut job = json!({
        "id": id,
        "jobType": "BATCH",
        "profileInstanceId": "ups",
        "destination": destination,
        "schema": body.get("schema"),
        "mergePolicy": MergePolicyRef {
            id: policy.id.clone(),
            version: Some(policy.version),
        },
        "status": "NEW",
        "requestId": new_id(),
        "computeGatewayJobId": {"exportJob": ""},
        "metrics": {"totalTime": {"startTimeInMs": now}},
        "errors": [],
        "imsOrgId": store.catalog().scope().org,
        "creationTime": now,
        "updateTime": now,
    });
    for name in ["fields", "filter", "additionalFields"] {
        if let Some(value) = body.get(name) {
            set(&mut job, name, value.clone());
        }
    }
    job
}

/// The IDs of a job's batches, in the order of its plan.
pub(super) fn batch_ids(job: &Value) -> Vec<String> {
    let single = job.pointer("/destination/batchId");
    let list = job
        .pointer("/destination/batches")
        .and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|batch| batch.get("batchId"))
        .chain(single)
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// An entry of a failed job's `errors`.
pub(super) fn error_object(error: &Error) -> Value {
    let mut causes = Vec::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    json!({"code": error.code(), "msg": error.to_string(), "callStack": causes.join("\n")})
}

/// Sets when a step ended and how long it took.
pub(super) fn end_times(body: &mut Value, step: &str, took: u128) {
    let end = now_millis();
    let took = i64::try_from(took).unwrap_or(i64::MAX);
    if let Some(metrics) = body.get_mut("metrics") {
        set(
            metrics,
            step,
            json!({"startTimeInMs": end - took, "endTimeInMs": end, "totalTimeInMs": took}),
        );
    }
}

/// Sets a property of an object.
pub(crate) fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// Now, in milliseconds since 1970.
#[must_use]
pub fn now_millis() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
