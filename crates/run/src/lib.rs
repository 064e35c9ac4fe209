//! Runs: the immutable files of a store.
//!
//! A run holds records of one dataset, sorted by person, in one packed file of some tables:
//!
//! | table | rows | columns |
//! |---|---|---|
//! | `persons` | one a person, sorted by `person` | `person` (16 bytes), `namespace`, `id`, `firstRecord` |
//! | `records` | one a fragment, or one an event sorted by (`timestamp`, `_id`) within a person | `ingestedAt`, `sequence`, `updatedAt`, `links`, `record` |
//! | `segments`, `members` | the membership index (profile runs) | see the crate `membership` |
//! | `ids` | the sorted digests of the events' `_id`s (event runs) | `id` (16 bytes) |
//!
//! Each buffer of each batch is compressed, checked and read by itself. [FORMAT.md](mod@format) draws all of
//! it to the byte; runs of [the first format](mod@first_format) are read as well.
//!
//! Decoded rows become a run by a [`RunBuilder`], several runs one by [`fold`], and one another [`without`] some of its
//! records; a [`Snapshot`] is what readers take.

mod bearing;
mod builder;
mod error;
mod files;
mod fold;
mod folding;
mod ipc;
mod keys;
mod links;
mod map;
mod members;
mod named;
mod order;
mod pack;
mod pages;
mod persons;
mod read;
mod records;
mod row_index;
mod snapshot;
mod system;
mod texts;
mod without;
mod write;

#[cfg(doc)]
#[doc = include_str!("../FORMAT.md")]
pub mod format {}

#[cfg(doc)]
#[doc = include_str!("../FORMAT-1.md")]
pub mod first_format {}

pub use builder::RunBuilder;
pub use error::{Error, Result};
pub use files::{FORMAT, RunFiles};
pub use fold::{RunLimit, fold};
pub use gather::Leaf;
pub use keys::partition_point_near;
pub use pack::BlockCache;
pub use pages::FileChecksum;
pub use read::{FieldBatches, RecordTimes, Run};
pub use snapshot::Snapshot;
pub use texts::each_leaf_of_file;
pub use without::without;
pub use write::{Unsynced, sync_folder};

/// Rows in each batch of a run. An export has a batch of each run at hand, so many runs need small ones.
pub(crate) const BATCH_ROWS: usize = 1 << 13;
/// The same in the files of the first format, whose batches are read in parts.
pub(crate) const FIRST_BATCH_ROWS: usize = 1 << 15;
