//! Parquet batches, published all at once.
//!
//! A [`BatchWriter`] writes the files of one batch into a hidden folder; [`StagedBatch::publish`]
//! makes them visible by one rename. Columns of a row group are encoded in parallel on rayon's
//! threads into the one file; what comes out depends on the rows alone.

mod batch;
mod encoding;
mod error;
mod file;
mod sink;

pub use batch::{BatchWriter, StagedBatch};
pub use error::{Result, WriteError};
pub use file::{FileInfo, FileOptions};
