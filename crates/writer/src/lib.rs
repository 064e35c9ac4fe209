//! Parquet batches, published all at once.
//!
//! A [`ParquetWriter`] writes one file into any sink. A [`BatchWriter`] writes the files of one batch into a hidden
//! folder, [`Syncs`] brings those of many to the disk, and [`publish`] makes them visible by one rename each. Columns of a row group are encoded in parallel on rayon's
//! threads into the one file; what comes out depends on the rows alone.

mod batch;
mod digest;
mod encoding;
mod error;
mod options;
mod parquet_writer;
mod syncs;

pub use batch::{BatchOptions, BatchWriter, FileInfo, StagedBatch, publish};
pub use error::{Result, WriteError};
pub use options::{Codec, Encodings, WriterOptions};
pub use parquet::errors::ParquetError as EncodeError;
pub use parquet_writer::{ParquetWriter, Written};
pub use syncs::Syncs;
