//! SQL in the dialect of the platform's Query Service over a profile store.

mod history;
mod store_tables;
mod system;
mod tables;

pub use store_tables::{PROFILES, StoreTables, TableInfo};
pub use tables::{Snapshot, Snapshots, Tables};
