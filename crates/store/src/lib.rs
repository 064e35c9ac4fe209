//! The profile and event store: loads records, lays them out on disk, maps them back.
//!
//! A load becomes one or more immutable runs ([`Run`]); the catalog, a SQLite file, names the runs
//! that are part of the store. A reader takes a [`Snapshot`] and is never disturbed by later loads.

mod catalog;
mod error;
mod load;
mod maintenance;
mod progress;
mod record;
mod run;
mod store;

pub use catalog::{
    BatchQuery, BatchRecord, Catalog, Dataset, DocumentKind, JobOffset, JobQuery, JobRecord,
    JobSort, NewJob, Scope, new_id,
};
pub use error::{Result, StoreError};
pub use load::{DatasetBatches, Input, LoadReport, OnBadRecord, PrimaryIdentity};
pub use maintenance::{DatasetStats, Stats};
pub use progress::Progress;
pub use run::{Records, RowValues, Run};
pub use store::{DatasetInputs, Snapshot, Store};
