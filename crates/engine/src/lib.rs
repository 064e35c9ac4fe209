//! Profile Export: an offline export engine over local profile stores.

mod dataset_body;
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
mod rows;
mod sources;

pub use dataset_body::{DatasetBody, FileDescription, SchemaRefBody};
pub use direct::export_folder;
pub use documents::{merge_policies, put_merge_policy, put_segment, read_list, segments};
pub use error::{Error, Result};
pub use folder::SourceFolder;
pub use job::{Finished, RunOptions, create_job, run_job, sweep};
pub use merge::MergePolicy;
pub use plan::{EventPlan, Plan};
pub use request::{ExportRequest, RequestError, read_json};
pub use rows::export_rows;
pub use store::{
    Dataset, DatasetBatches, DatasetInputs, Input, JobRecord, LoadReport, OnBadRecord, Progress,
    Scope, Store, StoreError,
};
pub use xdm::{Class, parse_rfc3339};
