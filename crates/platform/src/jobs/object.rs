//! The job object, as the platform's documents show it.

use std::collections::BTreeMap;
use std::error::Error as _;

use catalog::{Document, JobRecord, JobStatus, Kind, new_id};
use export::{
    AdditionalFields, EvaluationInfo, ExportRequest, FilterRequest, MapKeys, MergePolicyRef, Plan,
    SchemaRef, SinceJob,
};
use serde::{Deserialize, Serialize};
use xdm::{Timestamp, epoch_millis};

use super::since::JobChanges;
use crate::error::{Error, Result};
use crate::next_step::next_step;

/// An export job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Given out at creation.
    pub id: i64,
    /// Always `BATCH`.
    pub job_type: String,
    /// Always `ups`.
    pub profile_instance_id: String,
    /// Where its batches go.
    pub destination: JobDestination,
    /// The class that is exported.
    pub schema: SchemaRef,
    /// The merge policy as it was resolved.
    pub merge_policy: MergePolicyRef,
    /// Its state.
    pub status: JobStatus,
    /// 24 hex digits.
    pub request_id: String,
    /// Always without content.
    pub compute_gateway_job_id: JobGateway,
    /// Its figures.
    pub metrics: JobMetrics,
    /// Why it failed.
    pub errors: Vec<JobError>,
    /// The organisation.
    pub ims_org_id: String,
    /// When it was created.
    #[serde(with = "epoch_millis")]
    pub creation_time: Timestamp,
    /// When it was last changed.
    #[serde(with = "epoch_millis")]
    pub update_time: Timestamp,
    /// The request's fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<String>,
    /// The request's filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterRequest>,
    /// The request's events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_fields: Option<AdditionalFields>,
    /// The request's mandatory fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mandatory_fields: Option<Vec<String>>,
    /// The request's deduplication keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deduplication_keys: Option<Vec<String>>,
    /// The request's namespace that has a row for each identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_per_identity: Option<String>,
    /// The request's earlier job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_job: Option<SinceJob>,
    /// How namespaces are spelled as keys of maps, where the request says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_keys: Option<MapKeys>,
    /// Whether its segments are evaluated first, where the request says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation_info: Option<EvaluationInfo>,
}

/// Where a job's batches go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDestination {
    /// The dataset that they are written to.
    pub dataset_id: String,
    /// The same as the platform's documents also spell it.
    pub data_set_id: String,
    /// Whether there is a batch for each segment.
    pub segment_per_batch: bool,
    /// The batches, where there is one for each segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batches: Option<Vec<JobBatch>>,
    /// The batch, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<String>,
}

/// The batch of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobBatch {
    /// The segment.
    pub segment_id: String,
    /// Its namespace, where the request names one.
    pub segment_ns: Option<String>,
    /// The statuses that count.
    pub status: Vec<String>,
    /// The batch's ID.
    pub batch_id: String,
}

/// What the platform's own machinery calls a job: nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobGateway {
    /// Always empty.
    #[serde(default)]
    pub export_job: String,
}

/// A job's figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobMetrics {
    /// From its creation, later from its start, to its end.
    pub total_time: JobTime,
    /// The work until the files were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_export_time: Option<JobTime>,
    /// Making them visible.
    #[serde(
        rename = "aCPDatasetWriteTime",
        skip_serializing_if = "Option::is_none"
    )]
    pub acp_dataset_write_time: Option<JobTime>,
    /// Rows in all batches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_exported_profile_counter: Option<u64>,
    /// Rows by the namespace of their primary identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exported_profile_by_namespace_counter: Option<BTreeMap<String, u64>>,
    /// Events in all rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_exported_event_counter: Option<u64>,
    /// How much of a running job's rows are made, in millionths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress_in_millionths: Option<u32>,
    /// Profiles that were left out since they lack a mandatory field, or an identity where each has a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete_profile_counter: Option<u64>,
    /// Profiles that were left out since another one of their batch has their key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate_profile_counter: Option<u64>,
    /// How its profiles are others than those of an earlier job, where that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<JobChanges>,
    /// The length of all files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_written_bytes: Option<u64>,
    /// The most memory that the process has held, where the system says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// Rows by segment, where there is a batch for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exported_profile_by_segment_counter: Option<BTreeMap<String, u64>>,
    /// Profiles of more than 50 identities, where the merge policy has an identity graph and there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large_profiles: Option<LargeProfiles>,
    /// Segments of the request that no record names, if there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_segments: Vec<JobSegment>,
}

/// A segment that no record names: its ID is perhaps mistyped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSegment {
    /// Its ID, as the request has it.
    pub segment_id: String,
    /// Its namespace, where the request says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment_ns: Option<String>,
    /// The namespace and ID, with a colon between them, of the nearest that records name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<String>,
}

/// Profiles of so many identities that one device, test account or default value may have made one of many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LargeProfiles {
    /// How many there are.
    pub profiles: u64,
    /// How many profiles were left out for having more identities than the job takes.
    pub left_out: u64,
    /// The largest, at the most ten.
    pub largest: Vec<LargeProfile>,
}

/// A profile of many identities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LargeProfile {
    /// The namespace of one of its primary identities.
    pub namespace: String,
    /// The id of that.
    pub id: String,
    /// How many identities it has.
    pub identities: u32,
}

/// When a step began and ended: milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobTime {
    /// When it began.
    pub start_time_in_ms: i64,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time_in_ms: Option<i64>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_time_in_ms: Option<i64>,
}

/// Why a job failed. As JSON it has what to do about it, too: `nextStep`, which follows from the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", into = "JobErrorObject")]
pub struct JobError {
    /// A stable code; docs/errors.md lists them.
    pub code: String,
    /// What went wrong, and what would be right.
    pub msg: String,
    /// The chain of causes, a line each.
    pub call_stack: String,
}

/// An error with what to do about it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JobErrorObject {
    code: String,
    msg: String,
    call_stack: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step: Option<&'static str>,
}

impl From<JobError> for JobErrorObject {
    fn from(error: JobError) -> Self {
        Self {
            next_step: next_step(&error.code),
            code: error.code,
            msg: error.msg,
            call_stack: error.call_stack,
        }
    }
}

impl Job {
    /// The object of a new job.
    pub(super) fn new(
        org: &str,
        request: &ExportRequest,
        plan: &Plan,
        batch_ids: &[String],
        (id, now): (i64, Timestamp),
    ) -> Self {
        let target = &request.destination;
        let mut destination = JobDestination {
            dataset_id: target.dataset_id.clone(),
            data_set_id: target.dataset_id.clone(),
            segment_per_batch: target.segment_per_batch == Some(true),
            batches: None,
            batch_id: None,
        };
        if destination.segment_per_batch {
            let segments = plan.batches.iter().flat_map(|batch| &batch.segments);
            let batches = segments.zip(batch_ids).map(|(segment, batch_id)| JobBatch {
                segment_id: segment.id.clone(),
                segment_ns: segment.namespace.clone(),
                status: segment.statuses.iter().map(ToString::to_string).collect(),
                batch_id: batch_id.clone(),
            });
            destination.batches = Some(batches.collect());
        } else {
            destination.batch_id = batch_ids.first().cloned();
        }
        Self {
            id,
            job_type: "BATCH".to_owned(),
            profile_instance_id: "ups".to_owned(),
            destination,
            schema: request.schema.clone(),
            merge_policy: MergePolicyRef {
                id: plan.policy.id.clone(),
                version: Some(plan.policy.version),
            },
            status: JobStatus::New,
            request_id: new_id(),
            compute_gateway_job_id: JobGateway::default(),
            metrics: JobMetrics {
                total_time: JobTime {
                    start_time_in_ms: now.millis(),
                    ..JobTime::default()
                },
                ..JobMetrics::default()
            },
            errors: Vec::new(),
            ims_org_id: org.to_owned(),
            creation_time: now,
            update_time: now,
            fields: request.fields.clone(),
            filter: request.filter.clone(),
            additional_fields: request.additional_fields.clone(),
            mandatory_fields: request.mandatory_fields.clone(),
            deduplication_keys: request.deduplication_keys.clone(),
            row_per_identity: request.row_per_identity.clone(),
            since_job: request.since_job,
            map_keys: request.map_keys,
            evaluation_info: request.evaluation_info.clone(),
        }
    }

    /// The job that the catalog keeps.
    pub(crate) fn of(record: &JobRecord) -> Result<Self> {
        record.body.read().map_err(|e| damaged(record.id, &e))
    }

    /// The job as the catalog keeps it.
    pub(crate) fn document(&self) -> Result<Document> {
        Document::of(self).map_err(|e| damaged(self.id, &e))
    }

    /// The IDs of its batches, in the order of its plan.
    #[must_use]
    pub fn batch_ids(&self) -> Vec<String> {
        let destination = &self.destination;
        let list = destination.batches.iter().flatten();
        list.map(|batch| &batch.batch_id)
            .chain(&destination.batch_id)
            .cloned()
            .collect()
    }

    /// Moves on to another state.
    pub(super) fn set_status(&mut self, status: JobStatus) {
        self.status = status;
        self.update_time = Timestamp::now();
    }
}

/// A part of a job's row that can't be read.
pub(super) fn damaged(id: i64, problem: &serde_json::Error) -> Error {
    lacking(id, &problem.to_string())
}

/// A job's row whose parts do not go together.
pub(super) fn lacking(id: i64, problem: &str) -> Error {
    catalog::Error::Damaged {
        kind: Kind::Job,
        id: id.to_string(),
        problem: problem.to_owned(),
    }
    .into()
}

impl JobTime {
    /// A step that took so long and ends now.
    pub(crate) fn ended(took: std::time::Duration) -> Self {
        let end = Timestamp::now().millis();
        let took = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        Self {
            start_time_in_ms: end - took,
            end_time_in_ms: Some(end),
            total_time_in_ms: Some(took),
        }
    }
}

impl JobError {
    /// An entry of a failed job's `errors`.
    pub(crate) fn of(error: &Error) -> Self {
        let mut causes = vec![error.to_string()];
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        Self {
            code: error.code().to_owned(),
            msg: error.to_string(),
            call_stack: causes.join("\n"),
        }
    }
}
