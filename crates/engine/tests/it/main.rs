//! Whole behaviour: records in, Parquet out, read back.
#![allow(clippy::unwrap_used, clippy::type_complexity, missing_docs)]

mod beside_erasure;
mod cancel;
mod cases;
mod catalog;
mod composition;
mod dataset_rows;
mod deletion;
mod determinism;
mod erasure;
mod evaluation;
mod explain;
mod explained_segments;
mod file_metadata;
mod frozen;
mod generate;
mod inputs;
mod lookup;
mod lookup_events;
mod many_batches;
mod map_keys;
mod properties;
mod readback;
mod reference;
mod safety;
mod scratch;
mod since;
mod streams;
mod tiers;
mod transitions;
mod type_order;
mod types;
mod verify;
