//! Runs: the immutable files of a store.
//!
//! A run holds records of one dataset, sorted by person. Its folder has
//!
//! | file | rows | columns |
//! |---|---|---|
//! | `persons.arrow` | one a person, sorted by `person` | `person` (16 bytes), `namespace`, `id`, `firstRecord` |
//! | `records.arrow` | one a fragment, or one an event sorted by (`timestamp`, `_id`) within a person | `ingestedAt`, `sequence`, `updatedAt`, `links`, `record` |
//! | `segments.arrow`, `members.arrow` | the membership index (profile runs) | see the crate `membership` |
//! | `ids.arrow` | the sorted digests of the events' `_id`s (event runs) | `id` (16 bytes) |
//!
//! All are Arrow IPC files that any Arrow reader opens. Beside each stands its seal, see [`sealed`].

mod order;
mod read;
mod sealed;
mod write;

pub(crate) use order::{Entry, in_run_order};
pub(crate) use read::SortedIds;
pub use read::{Records, RowValues, Run};
pub(crate) use sealed::{FileSeal, Mapped, SealedFile, Sealing};
pub(crate) use write::{RunFiles, RunRows, RunTables, sync_folder, write_run};

/// The system columns beside `record`.
pub(crate) mod system {
    pub(crate) const NAMESPACE: &str = "namespace";
    pub(crate) const ID: &str = "id";
    pub(crate) const INGESTED_AT: &str = "ingestedAt";
    pub(crate) const SEQUENCE: &str = "sequence";
    pub(crate) const UPDATED_AT: &str = "updatedAt";
    pub(crate) const LINKS: &str = "links";
    pub(crate) const RECORD: &str = "record";
}

/// Rows in each record batch of a run's files.
pub(crate) const BATCH_ROWS: usize = 1 << 15;
