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
mod errors;
mod export;
mod files;
mod ingest;
mod objects;
mod records;
mod rows;
mod shards;
mod store;
mod work;

/// What Python imports as `profile_export._profile_export`.
#[pyo3::pymodule]
mod _profile_export {
    #[pymodule_export]
    use crate::export::Export;
    #[pymodule_export]
    use crate::objects::{RecordBatch, Schema};
    #[pymodule_export]
    use crate::records::export_batches;
    #[pymodule_export]
    use crate::rows::Rows;
    #[pymodule_export]
    use crate::shards::{ShardPlan, check_folder};
    #[pymodule_export]
    use crate::store::Store;
}
