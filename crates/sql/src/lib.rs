//! SQL in the dialect of the platform's Query Service over a profile store.

mod tables;

pub use tables::{Snapshot, Snapshots, Tables};
