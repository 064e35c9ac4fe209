//! Exports into the buckets of object stores: `s3://`, `gs://`, `az://`, `abfss://`.
//!
//! Each batch streams into its object while its rows are made: nothing lies on a disk of this machine. What is there
//! when an export ends is what `--out` makes in a folder: `batchId=…/segmentId=…/part-00000.parquet` below the address,
//! a `_manifest.json` that names all of it and was written last, and `_SUCCESS` behind it. A bucket has no rename that
//! shows many objects at once; so whoever reads waits for `_SUCCESS`, or takes what the manifest names.
//!
//! Two exports to one address meet at the manifest, which is put only where it is as it was found: the second one to
//! come takes its objects away again and says so.
//!
//! ```no_run
//! use profile_export_bucket::BucketOutput;
//! use platform::{BatchNames, IfExists, Prepared};
//!
//! # fn f(prepared: Prepared) -> platform::Result<()> {
//! let output = BucketOutput::open("s3://exports/holiday", IfExists::Fail)?;
//! let written = output.write(&prepared, &BatchNames::Partitions, &writer::WriterOptions::default())?;
//! println!("{} batches", written.batches.len());
//! # Ok(())
//! # }
//! ```
//!
//! An export in shards ([`run_shard`], [`commit_plan`], [`abort_pinned`]) has its attempts below names that nobody reads, and is
//! shown by copies within the store.
//!
//! What it is not: a store. Records are loaded into a folder of this machine and exported from there.

mod address;
mod connection;
mod output;
mod profile;
mod shards;
mod upload;

pub use output::{BucketOutput, WrittenBatches};
pub use shards::{abort_pinned, commit_plan, keep_plan, left_at, run_shard};
