//! The profile and event store: loads records, keeps them in runs, takes snapshots, compacts, verifies.
//!
//! A load becomes one or more immutable runs (crate `run`); the catalog (crate `catalog`) names the runs
//! that are part of the store. A reader takes a [`Snapshot`](run::Snapshot) and is never disturbed by
//! later loads.
//!
//! ```
//! use profile_export_store::{Input, LoadOptions, DatasetInputs, Scope, Store};
//! use decode::Progress;
//! use xdm::{Class, Dataset};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let store = Store::open(folder.path().join("store"), Scope::default())?;
//! let crm = store.catalog().create_dataset(Dataset::new("", "crm", Class::Profile))?;
//!
//! let file = folder.path().join("people.ndjson");
//! std::fs::write(&file, r#"{"identityMap": {"Email": [{"id": "ann@example.com"}]}}"#)?;
//! let load = DatasetInputs::new(&crm.id, vec![Input::File(file)]);
//! let report = store.ingest(&[load], &LoadOptions::default(), &Progress::default())?;
//! assert_eq!(report.loaded, 1);
//! assert_eq!(store.snapshot(None)?.runs.len(), 1);
//! # Ok(())
//! # }
//! ```

mod backup;
mod compact;
mod deletion;
mod error;
mod gone;
mod identity;
mod ingest;
mod layout;
mod load;
mod lock;
mod publish;
mod rejects;
mod reserve;
mod stats;
mod store;
mod sweep;
mod tiers;
mod union;
mod verify;

pub use backup::Restored;
pub use catalog::Scope;
pub use decode::{Batches, Input, JsonForm, ReadOptions};
pub use deletion::{DeletedRecords, DeletedRuns, RecordSelection};
pub use error::{Result, StoreError};
pub use gone::{GoneReport, Sought};
pub use ingest::{BadRecordLimit, DatasetInputs, LoadOptions, LoadReport, OnBadRecord};
pub use layout::Layout;
pub use lock::FileLock;
pub use publish::{make_folder, make_folder_unsynced};
pub use run::RunLimit;
pub use stats::{DatasetStats, Stats, TierStats};
pub use store::Store;
pub use sweep::{remove_empty, remove_files, remove_folder, sweep_folder};
pub use verify::{Verified, verify_file};
