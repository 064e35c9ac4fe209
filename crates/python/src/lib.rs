//! The part of the Python package `profile_export` that is Rust.
//!
//! Python's side (`python/profile_export`) turns arguments into requests and tells what is told; here work is done on
//! threads that don't hold Python's lock (`work.rs`), errors become exceptions (`errors.rs`), and rows leave and enter by
//! Arrow's C interface (`capsule.rs`), which needs no Python library on either side. Objects of the platform cross as
//! JSON text.
//!
//! The interface is Arrow's own (`arrow` with `ffi`) and not pyo3-arrow: three kinds of capsules are all that is needed, and
//! pyo3-arrow would be thirteen crates more (numpy, ndarray, chrono-tz and what they need). arrow stays on the workspace's
//! version.

mod capsule;
mod definitions;
mod errors;
mod export;
mod files;
mod ingest;
mod jobs;
mod objects;
mod place;
mod profiles;
mod records;
mod rows;
mod shards;
mod sources;
mod store;
mod upkeep;
mod work;

/// What Python imports as `profile_export._profile_export`.
#[pyo3::pymodule]
mod _profile_export {
    #[pymodule_export]
    use crate::definitions::{
        datasets, delete_dataset, delete_merge_policy, delete_segment, estimate, evaluate,
        explain_segment, merge_policies, put_merge_policy, put_segment, segment, segments,
    };
    #[pymodule_export]
    use crate::export::Export;
    #[pymodule_export]
    use crate::jobs::{
        batch, batch_files, batches, cancel_job, delete_batch, delete_job, job, jobs, retry_job,
    };
    #[pymodule_export]
    use crate::objects::{RecordBatch, Schema};
    #[pymodule_export]
    use crate::place::{check_folder, is_bucket};
    #[pymodule_export]
    use crate::profiles::{delete_profile, profile};
    #[pymodule_export]
    use crate::records::export_batches;
    #[pymodule_export]
    use crate::rows::Rows;
    #[pymodule_export]
    use crate::shards::ShardPlan;
    #[pymodule_export]
    use crate::store::Store;
    #[pymodule_export]
    use crate::upkeep::{
        abort, check_plan, compact, forget, plans, stats, verify, verify_manifest,
    };
}
