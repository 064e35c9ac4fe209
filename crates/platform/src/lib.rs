//! The platform's objects over a store: export jobs, batches that come in, merge policies, segment
//! definitions, schedules, source folders.

mod access;
mod address;
mod asked_segments;
mod dataset_body;
mod dataset_change;
mod erasure;
mod error;
mod evaluation;
mod export_file;
mod export_folder;
mod folder;
mod incoming;
mod input_dataset;
mod jobs;
mod kept;
mod manifest;
mod members;
mod memory;
mod names;
mod namespaces;
mod next_step;
mod output;
mod policies;
mod profile_report;
mod projections;
mod queries;
mod registry;
mod resolve;
mod schedules;
mod segments;
mod sharded;
mod system_jobs;
mod table_names;
mod written;

pub use access::{EventPage, EventQuery, Lookup, Lookups, Property, identity_of_xid, xid_of};
pub use address::{check_local, check_out, is_bucket};
pub use asked_segments::asked_segments;
pub use dataset_body::{DatasetBody, FileDescription, SchemaRefBody};
pub use dataset_change::DatasetChange;
pub use erasure::{DeletedProfile, Erasure, OtherJob, Told, delete_profile, erase};
pub use error::{Error, ErrorKind, Result};
pub use evaluation::{
    Audience, Estimate, ExplainedPart, SegmentExplanation, SegmentJob, SegmentJobMetrics,
    SegmentJobSegment, SegmentJobTarget, StoredMembership, check_definition, create_segment_job,
    delete_segment_job, estimate, estimate_by_namespace, evaluate_segments, explain_segment,
    expression_of, expression_schema, first_members, has_expression, misfit, overlap,
    policy_of_segment, run_segment_job, segment_job, segment_jobs,
};
pub use export::{Members, NamedSegment};
pub use export_file::{Outcome, PlannedBatch, Prepared, whole_file};
pub use export_folder::{FolderExport, SourceOptions, export_folder, with_source};
pub use folder::SourceFolder;
pub use incoming::{
    Incoming, IncomingBody, IncomingFile, IncomingPart, UploadStatus, abort_incoming,
    complete_incoming, load_incoming, revert_incoming, sweep_incoming,
};
pub use input_dataset::InputDataset;
pub use jobs::{
    BatchNames, CancelOutcome, ExportedBatch, FinishedJob, Job, JobBatch, JobChanges,
    JobDestination, JobError, JobGateway, JobLink, JobList, JobMetrics, JobPage, JobPageInfo,
    JobProgress, JobSegment, JobTime, Keep, LargeProfile, LargeProfiles, NameTemplate, RunOptions,
    cancel_job, check_target, create_job, delete_job, forget_job, forget_jobs, get_job,
    job_progress, jobs_to_forget, list_jobs, retry_job, run_job, run_request, sweep, what_it_said,
};
pub use manifest::{
    IfExists, MANIFEST, Manifest, ManifestBatch, ManifestExport, ManifestFile, SUCCESS,
};
pub use members::{SegmentsToCount, members_by_segment};
pub use memory::peak_memory;
pub use names::{dataset_id, policy_id, segment_id, with_ids, with_target};
pub use namespaces::{
    ID_TYPES, IdentityNamespace, NamespaceBody, create_identity_namespace, identity_namespaces,
    namespace_number, replace_identity_namespace,
};
pub use next_step::next_step;
pub use output::{OutputFolder, delete_batch};
pub use policies::{
    delete_merge_policy, merge_policies, merge_policy, put_merge_policy, read_merge_policies,
};
pub use profile_report::{ProfileReport, UNSTITCHED_DAYS, profile_report};
pub use projections::{
    DestinationBody, DestinationKind, Place, Projection, ProjectionBody, ProjectionDestination,
    ReplicationPolicy, delete_projection, delete_projection_destination, named_projection,
    projection, projection_destination, projection_destinations, projections, put_projection,
    put_projection_destination,
};
pub use queries::{
    CtasParameters, InsertIntoParameters, NewQuerySchedule, QueryBody, QueryDid, QueryEnd,
    QueryOutcome, QueryProblem, QuerySchedule, QueryScheduleChange, QueryScheduleState,
    QueryScheduleTimes, QueryState, QueryTarget, QueryTemplate, QueryWork, SqlQuery, TemplateBody,
    begin_query, cancel_query, change_query_schedule, create_query, create_query_schedule,
    create_query_template, delete_query_schedule, delete_query_template, due_query_schedules,
    end_query, fail_left_query, queries, query, query_schedule, query_schedules, query_template,
    query_templates, replace_query_template, run_query_schedule, soft_delete_query,
    trigger_query_schedule,
};
pub use registry::{
    Container, Registry, Resource, ResourceForm, ResourceKind, change_schema, create_dataset,
    create_descriptor, create_schema, delete_descriptor, delete_schema, descriptor, descriptors,
    replace_descriptor, replace_schema, schemas_of_folder,
};
pub use resolve::PolicyChoice;
pub use schedules::{
    NewSchedule, Schedule, ScheduleChange, ScheduleKind, ScheduleProperties, ScheduleRun,
    ScheduleState, ScheduledJob, change_schedule, create_schedule, delete_schedule, due_schedules,
    run_schedule, schedule, schedules,
};
pub use segments::{
    delete_segment, namesake, put_segment, put_segments, read_segments, segment, segments,
};
pub use sharded::{
    Committed, FinishedShards, FoundFile, GatheredBatch, PlanOptions, ShardFile, ShardManifest,
    ShardPlace, ShardPlan, abort_pinned, abort_plan, abort_without_job, commit_plan,
    commit_without_job, keep_plan, keep_plan_in, plan_shards, run_shard, run_shard_in,
};
pub use system_jobs::{
    SystemJob, SystemJobBody, SystemJobStatus, create_system_job, delete_system_job,
    run_system_job, system_job, system_jobs,
};
pub use table_names::{TABLE_LABEL, TableNames, own_table};
pub use written::{
    Rows, RowsTarget, WrittenRows, ad_hoc_columns, ad_hoc_dataset, load_rows, write_rows,
};
