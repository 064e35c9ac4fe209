//! Profile Export: an offline export engine over local profile stores.
//!
//! What Adobe Experience Platform's export-jobs service does in its cloud, as a library: load profile
//! records and experience events into a [`Store`](store::Store), then run
//! [`ExportRequest`](request::ExportRequest)s on it, each of which becomes Parquet files, or streams of
//! record batches.
//!
//! ```
//! # #[cfg(feature = "platform")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use profile_export::export::Progress;
//! use profile_export::jobs::{RunOptions, create_job, run_job};
//! use profile_export::platform::SourceFolder;
//! use profile_export::request::{Destination, ExportRequest, FilterRequest, SegmentRequest};
//! use profile_export::store::{LoadOptions, Scope, Store};
//! use profile_export::xdm::Dataset;
//!
//! # let folder = tempfile::tempdir()?;
//! # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/retailer");
//! let store = Store::open(folder.path().join("store"), Scope::default())?;
//!
//! // Load a source folder: datasets with their data files, merge policies, segments.
//! let source = SourceFolder::open(&fixtures)?;
//! let progress = Arc::new(Progress::default());
//! let report = source.load(&store, &LoadOptions::default(), &progress)?;
//! assert!(report.loaded > 1000);
//!
//! // Exports write into a dataset of the profile union schema.
//! let target = store.catalog().create_dataset(Dataset::target("", "Exports"))?;
//! let request = ExportRequest {
//!     fields: Some("personalEmail.address,person.name".to_owned()),
//!     filter: Some(FilterRequest {
//!         segments: Some(vec![SegmentRequest {
//!             segment_id: "holiday-shoppers".to_owned(),
//!             status: Some(vec!["realized".to_owned()]),
//!             segment_ns: None,
//!         }]),
//!         ..FilterRequest::default()
//!     }),
//!     destination: Destination { dataset_id: target.id, segment_per_batch: None },
//!     ..ExportRequest::default()
//! };
//!
//! // Every refusal happens here, before anything is written …
//! let job = create_job(&store, &request)?;
//! // … and this runs the job: its batch becomes visible all at once.
//! let finished = run_job(&store, job.id, &RunOptions::default(), &progress)?;
//! let batch = &finished.batches[0];
//! assert!(batch.folder.join(&batch.files[0].name).is_file());
//! assert_eq!(batch.files[0].rows, finished.profiles);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "platform"))]
//! # fn main() {}
//! ```
//!
//! The same rows as a stream, without a job or a file: [`export::Export`]. Record batches of the caller's
//! own, without a store: [`export::export_rows`]. A [`Progress`](export::Progress) shared with another
//! thread shows how far the work is, and cancels it. The repository's `examples/` have more.
//!
//! Expressions of PQL over record batches of any origin: [`segment`].
//!
//! What it is not: no database, no service, and not yet a segmentation engine (it exports the memberships that
//! profiles carry, and counts whom an expression takes); rayon's current thread pool does the work.
//!
//! Without the feature `platform` (a default one) there are no stores and no jobs, and no SQLite.

pub use arrow;

/// Requests: the body of the platform's `POST /export/jobs`, and the merge policies that it names.
pub mod request {
    pub use ::export::{
        AdditionalFields, Destination, EvaluationInfo, EventFilterRequest, EventList,
        ExportRequest, FilterRequest, MapKeys, MergePolicyRef, RequestError, SchemaRef,
        SegmentRequest, SinceJob, TimeWindow, read_json,
    };
    pub use merge::{
        AttributeMerge, AttributeMergeType, IdentityGraph, IdentityGraphType, MergePolicy,
        PolicyProblem, SchemaName,
    };
}

/// Exports as streams of record batches: plans, shards, rows, and Parquet into any sink.
pub mod export {
    pub use ::export::{
        BatchCounts, BatchMemberships, BlockCache, Chunks, Composition, Condition, DatasetBatches,
        DatasetRows, Error, EventPart, EventPlan, Explanation, Export, ExportBatch, FieldOrigin,
        FoundProfile, FoundRecords, FragmentPart, GraphReport, INGESTED_AT, LargeComponent,
        LostValue, MembershipSeen, Plan, ProfileReader, RecordWithoutPart, Result, Shard,
        TimeRange, UnionSchemas, UnknownSegment, Unstitched, export_rows, json_values, leaves,
        snapshot_of,
    };
    pub use decode::{Phase, Progress, ProgressSnapshot};
    pub use filter::{EventFilter, MembershipFilter, ProfileFilter, SegmentFilter};
    pub use membership::Status;
    pub use projection::Projection;
    pub use run::{Run, Snapshot};
    pub use writer::{
        Codec, Compression, CsvOptions, Encodings, FileInfo, FileWriter, Format, WriteError,
        WriterOptions, Written, json_rows,
    };
}

/// Stores: loading records, keeping them, and the catalog of all that is part of them.
#[cfg(feature = "platform")]
pub mod store {
    pub use ::store::{
        BadRecordLimit, Batches, DatasetInputs, DatasetStats, DeletedRecords, DeletedRuns,
        GoneReport, Input, JsonForm, Layout, LoadOptions, LoadReport, OnBadRecord, ReadOptions,
        RecordSelection, Restored, Result, RunLimit, Scope, Sought, Stats, Store, StoreError,
        TierStats, Verified,
    };
    pub use catalog::{
        Batch, BatchError, BatchFile, BatchFilter, BatchMetrics, BatchProperty, BatchQuery,
        BatchStatus, Catalog, Document, DocumentKind, Error as CatalogError, FileFormat,
        InputFormat, JobQuery, JobRecord, JobSort, JobStatus, Kind, RelatedObject, Upload, new_id,
        new_uuid,
    };
    pub use decode::Error as DecodeError;
    pub use run::Error as RunError;
}

/// Export jobs: created, run by exactly one process, watched, cancelled, listed.
#[cfg(feature = "platform")]
pub mod jobs {
    pub use ::platform::{
        BatchNames, CancelOutcome, ExportedBatch, FinishedJob, FolderExport, Job, JobBatch,
        JobChanges, JobDestination, JobError, JobGateway, JobLink, JobList, JobMetrics, JobPage,
        JobPageInfo, JobProgress, JobSegment, JobTime, Keep, LargeProfile, LargeProfiles,
        NameTemplate, RunOptions, cancel_job, create_job, delete_job, export_folder, forget_job,
        forget_jobs, get_job, job_progress, jobs_to_forget, list_jobs, retry_job, run_job,
        run_request, sweep,
    };
    pub use catalog::JobStatus;
}

/// One export by many machines: planned once, made in shards wherever there is a core, shown all at once.
#[cfg(feature = "platform")]
pub mod sharded {
    pub use ::platform::{
        Committed, PlanOptions, ShardFile, ShardManifest, ShardPlan, abort_pinned, abort_plan,
        commit_plan, keep_plan, plan_shards, run_shard,
    };
}

/// Queries of the platform's query service: they wait in the catalog until somebody runs them.
#[cfg(feature = "platform")]
pub mod queries {
    pub use ::platform::{
        CtasParameters, InsertIntoParameters, NewQuerySchedule, QueryBody, QueryDid, QueryEnd,
        QueryOutcome, QueryProblem, QuerySchedule, QueryScheduleChange, QueryScheduleState,
        QueryScheduleTimes, QueryState, QueryTarget, QueryTemplate, QueryWork, SqlQuery,
        TemplateBody, begin_query, cancel_query, change_query_schedule, create_query,
        create_query_schedule, create_query_template, delete_query_schedule, delete_query_template,
        due_query_schedules, end_query, fail_left_query, queries, query, query_schedule,
        query_schedules, query_template, query_templates, replace_query_template,
        run_query_schedule, soft_delete_query, trigger_query_schedule,
    };
}

/// The platform's other objects: source folders, batches that come in, merge policies, segments.
#[cfg(feature = "platform")]
pub mod platform {
    pub use ::platform::{
        Audience, Container, DatasetBody, DatasetChange, DeletedProfile, DestinationBody,
        DestinationKind, Erasure, Error, ErrorKind, Estimate, EventPage, EventQuery, ExplainedPart,
        FileDescription, IdentityNamespace, IfExists, Incoming, IncomingBody, IncomingFile,
        IncomingPart, InputDataset, Lookup, Lookups, Manifest, ManifestBatch, ManifestExport,
        ManifestFile, Members, NamedSegment, NamespaceBody, NewSchedule, OtherJob, Outcome,
        OutputFolder, Place, PlannedBatch, PolicyChoice, Prepared, ProfileReport, Projection,
        ProjectionBody, ProjectionDestination, Property, Registry, ReplicationPolicy, Resource,
        ResourceForm, ResourceKind, Result, Rows, RowsTarget, Schedule, ScheduleChange,
        ScheduleKind, ScheduleProperties, ScheduleRun, ScheduleState, ScheduledJob, SchemaRefBody,
        SegmentExplanation, SegmentJob, SegmentJobMetrics, SegmentJobSegment, SegmentJobTarget,
        SegmentsToCount, SourceFolder, SourceOptions, StoredMembership, SystemJob, SystemJobBody,
        SystemJobStatus, TABLE_LABEL, TableNames, Told, UNSTITCHED_DAYS, UploadStatus, WrittenRows,
        abort_incoming, ad_hoc_columns, ad_hoc_dataset, asked_segments, change_schedule,
        change_schema, check_definition, check_local, check_out, check_target, complete_incoming,
        create_dataset, create_descriptor, create_identity_namespace, create_schedule,
        create_schema, create_segment_job, create_system_job, dataset_id, delete_batch,
        delete_descriptor, delete_merge_policy, delete_profile, delete_projection,
        delete_projection_destination, delete_schedule, delete_schema, delete_segment,
        delete_segment_job, delete_system_job, descriptor, descriptors, due_schedules, erase,
        estimate, estimate_by_namespace, evaluate_segments, explain_segment, expression_of,
        expression_schema, first_members, has_expression, identity_namespaces, identity_of_xid,
        is_bucket, load_incoming, load_rows, members_by_segment, merge_policies, merge_policy,
        misfit, named_projection, namesake, namespace_number, next_step, overlap, own_table,
        policy_id, policy_of_segment, profile_report, projection, projection_destination,
        projection_destinations, projections, put_merge_policy, put_projection,
        put_projection_destination, put_segment, put_segments, replace_descriptor,
        replace_identity_namespace, replace_schema, revert_incoming, run_schedule, run_segment_job,
        run_system_job, schedule, schedules, schemas_of_folder, segment, segment_id, segment_job,
        segment_jobs, segments, sweep_incoming, system_job, system_jobs, whole_file, with_ids,
        with_source, with_target, write_rows, xid_of,
    };
}

/// Segments: expressions of PQL, and who is in them, over record batches of any origin.
pub mod segment {
    pub use ::segment::{EVENTS, Error, Evaluation, Result, Segment, schema_of};
    pub use pql::typed::{Column, Columns};
    pub use pql::{Checked, Error as ExpressionError, Expression, Fields, Schema, Type};
}

/// The vocabulary: datasets, identities, field paths and types, timestamps.
pub mod xdm {
    pub use ::xdm::{
        Class, Dataset, DatasetError, FieldPath, FieldType, Fields, Identity, Namespaces,
        PathError, PersonKey, PrimaryIdentity, SchemaError, Timestamp, TypeConflict,
        fields_from_json_schema, quote_part,
    };
}

/// What is shared between threads can be.
#[cfg(test)]
mod tests {
    fn is_shared<T: Send + Sync + 'static>() {}

    #[test]
    fn what_pipelines_share_between_threads_can_be_shared() {
        is_shared::<crate::export::Export>();
        is_shared::<crate::export::ExportBatch>();
        is_shared::<crate::export::Plan>();
        is_shared::<crate::export::Progress>();
        is_shared::<crate::export::Snapshot>();
        is_shared::<crate::export::Error>();
        is_shared::<crate::store::Store>();
        is_shared::<crate::jobs::Job>();
        is_shared::<crate::platform::Error>();
    }

    #[test]
    fn a_stream_moves_between_threads() {
        fn moves<T: Send + 'static>() {}
        moves::<crate::export::Chunks>();
    }
}
