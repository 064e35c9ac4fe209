//! Files of rows, and batches of them that are published all at once.
//!
//! A [`FileWriter`] writes one file of any [`Format`] into any sink, a [`ParquetWriter`] one of Parquet. A
//! [`BatchWriter`] writes the files of one batch into a hidden folder, [`Syncs`] brings those of many to the disk, and
//! [`publish`] makes them visible by one rename each, or by one of each file where these come to lie among others
//! ([`Spread`]). Columns of a row group are encoded in parallel on rayon's threads into the one file; what comes out
//! depends on the rows alone.

mod batch;
mod digest;
mod encoding;
mod error;
mod file_writer;
mod format;
mod names;
mod options;
mod parquet_writer;
mod spread;
mod syncs;
mod text;

pub use batch::{BatchOptions, BatchWriter, FileInfo, StagedBatch, publish};
pub use error::{Result, WriteError};
pub use file_writer::{FileWriter, Written};
pub use format::{Compression, CsvOptions, Format};
pub use names::FileNames;
pub use options::{Codec, Encodings, WriterOptions};
pub use parquet::errors::ParquetError as EncodeError;
pub use parquet_writer::ParquetWriter;
pub use spread::{Spread, take_back};
pub use syncs::Syncs;
pub use text::json_rows;
