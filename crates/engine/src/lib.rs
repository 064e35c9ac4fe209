//! Profile Export: an offline export engine over local profile stores.

mod direct;
mod documents;
mod error;
mod export;
mod folder;
mod graph;
mod job;
mod people;
mod pipeline;
mod plan;
mod request;
mod sources;

pub use direct::export_folder;
pub use documents::{merge_policies, put_merge_policy, put_segment, segments};
pub use error::{Error, Result};
pub use folder::SourceFolder;
pub use job::{Finished, RunOptions, create_job, run_job, sweep};
pub use merge::MergePolicy;
pub use plan::{EventPlan, Plan};
pub use request::{ExportRequest, RequestError, read_json};
pub use store::{
    Dataset, DatasetInputs, Input, JobRecord, LoadReport, OnBadRecord, Progress, Scope, Store,
    StoreError,
};
