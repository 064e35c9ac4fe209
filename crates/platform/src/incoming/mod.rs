//! Batches that come in: created, given files, completed, then loaded by whoever runs the queue.
//!
//! A batch's files wait in a folder of the store under names of our own making; what their senders
//! call them stands in the catalog alone.

mod body;
mod load;
mod parts;
mod revert;
mod sweep;
mod upload;

use std::fs;
use std::path::{Path, PathBuf};

use catalog::{Batch, BatchStatus, Catalog};
use store::{Store, StoreError};
use xdm::{Timestamp, digest128};

pub use body::IncomingBody;
pub use load::load_incoming;
pub(crate) use load::metrics;
pub use parts::{IncomingPart, UploadStatus};
pub(crate) use revert::delete_batch_records;
pub use revert::revert_incoming;
pub use sweep::sweep_incoming;
pub use upload::{Incoming, IncomingFile, abort_incoming, complete_incoming};

use crate::error::Result;

fn move_to(
    store: &Store,
    id: &str,
    from: BatchStatus,
    to: BatchStatus,
    change: impl FnOnce(&mut Batch) -> Result<()>,
) -> Result<Batch> {
    move_in(store.catalog(), id, from, to, change)
}

/// The same in a catalog, which may have a transaction open.
fn move_in(
    catalog: &Catalog,
    id: &str,
    from: BatchStatus,
    to: BatchStatus,
    change: impl FnOnce(&mut Batch) -> Result<()>,
) -> Result<Batch> {
    catalog.change_batch(id, from, |batch| {
        batch.status = to;
        batch.updated = Timestamp::now();
        change(batch)
    })
}

fn remove_files(store: &Store, id: &str) {
    // What can't be removed now is swept at the next start.
    let _ = fs::remove_dir_all(store.layout().incoming_batch(id));
}

/// Where a file that its sender calls `name` lies: the name is a digest, so nothing from outside is a
/// path of ours.
fn file_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{:032x}", digest128(name.as_bytes())))
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + use<> {
    StoreError::io(path)
}
