//! SQL in the dialect of the platform's Query Service over a profile store.

pub mod dialect;
mod tables;

pub use tables::{Snapshot, Snapshots, Tables};
