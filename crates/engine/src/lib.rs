//! Profile Export: an offline export engine over local profile stores.
//!
//! What Adobe Experience Platform's export-jobs service does in its cloud, as a library: load profile
//! records and experience events into a [`Store`], then run [`ExportRequest`]s on it, each of which
//! becomes Parquet files.
//!
//! ```
//! use profile_export::{
//!     Dataset, ExportRequest, OnBadRecord, Progress, RunOptions, Scope, SourceFolder, Store,
//!     create_job, run_job,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/retailer");
//! let store = Store::open(folder.path().join("store"), Scope::default())?;
//!
//! // Load a source folder: datasets with their data files, merge policies, segments.
//! let source = SourceFolder::open(&fixtures)?;
//! let now = 1_790_000_000_000_000; // microseconds since 1970
//! let report = source.load(&store, &OnBadRecord::Fail, now, &Progress::default())?;
//! assert!(report.loaded > 1000);
//!
//! // Exports write into a dataset of the profile union schema.
//! let target = store.catalog().create_dataset(Dataset::target("", "Exports"))?;
//! let request = serde_json::json!({
//!     "fields": "personalEmail.address,person.name",
//!     "filter": {"segments": [{"segmentId": "holiday-shoppers", "status": ["realized"]}]},
//!     "destination": {"datasetId": target.id},
//!     "schema": {"name": "_xdm.context.profile"},
//! });
//! let request = ExportRequest::from_json(request.to_string().as_bytes())?;
//!
//! // Every refusal happens here, before anything is written …
//! let job = create_job(&store, &request)?;
//! // … and this runs the job: its batch becomes visible all at once.
//! let finished = run_job(&store, &job, &RunOptions::default(), &Progress::default())?;
//! let (batch, files) = &finished.batches[0];
//! assert!(batch.join(&files[0].name).is_file());
//! assert_eq!(files[0].rows, finished.profiles);
//! # Ok(())
//! # }
//! ```
//!
//! [`export_folder`] does all of that in one call for data that is exported once. [`export_rows`] is
//! the core without a store: Arrow record batches of some people in, export rows out. A [`Progress`]
//! shared with another thread shows how far the work is, and cancels it.
//!
//! What it is not: no database, no segmentation engine (it exports the memberships that profiles
//! carry), and no service; rayon's current thread pool does the work.

mod dataset_body;
mod direct;
mod documents;
mod error;
mod export;
mod folder;
mod graph;
mod incoming;
mod job;
mod memory;
mod people;
mod pipeline;
mod plan;
mod request;
mod rows;
mod sources;

pub use dataset_body::{DatasetBody, FileDescription, SchemaRefBody};
pub use direct::export_folder;
pub use documents::{
    delete_merge_policy, delete_segment, merge_policies, merge_policy, put_merge_policy,
    put_segment, read_list, segment, segments,
};
pub use error::{Error, Result};
pub use folder::SourceFolder;
pub use incoming::{
    Incoming, IncomingBody, IncomingFile, IncomingFormat, load_incoming, sweep_incoming,
};
pub use job::{
    CancelOutcome, Finished, JobPage, JobProgress, RunOptions, cancel_job, create_job,
    job_progress, list_jobs, now_millis, run_job, show_job, sweep,
};
pub use memory::peak_memory;
pub use merge::MergePolicy;
pub use plan::{EventPlan, Plan};
pub use request::{ExportRequest, RequestError, read_json};
pub use rows::export_rows;
pub use store::{
    BatchQuery, BatchRecord, Dataset, DatasetBatches, DatasetInputs, Input, JobRecord, LoadReport,
    OnBadRecord, Progress, Scope, Store, StoreError, new_id,
};
pub use xdm::{Class, parse_rfc3339};
