use std::collections::HashSet;

use catalog::{Batch, BatchError, BatchStatus};
use store::{Store, sweep_folder};
use xdm::Timestamp;

use crate::error::Result;

/// How often a process may end while it loads a batch until the batch is taken for the cause.
const MOST_BREAKS: u32 = 2;

/// Puts the batches whose loading broke off back in line, in any organisation and sandbox, and deletes
/// the files that no batch needs. One whose loading broke off twice has failed: it may be what ended
/// the process, and would end it for ever. For whoever runs the queue, when it begins.
///
/// # Errors
/// The catalog can't be read or written.
pub fn sweep_incoming(store: &Store) -> Result<()> {
    let catalog = store.catalog();
    catalog.change_processing_batches(broke_off)?;
    let mut wanted = HashSet::new();
    for status in [BatchStatus::Loading, BatchStatus::Staged] {
        let batches = catalog.incoming_batches(status)?;
        wanted.extend(batches.into_iter().map(|(_, id)| id));
    }
    Ok(sweep_folder(&store.layout().incoming(), |id| {
        Ok(!wanted.contains(id))
    })?)
}

/// The code of docs/errors.md for work whose process is gone.
const PROCESS_GONE: &str = "PE-0010";

fn broke_off(batch: &mut Batch) {
    batch.broken_off += 1;
    batch.updated = Timestamp::now();
    batch.status = BatchStatus::Staged;
    if batch.broken_off < MOST_BREAKS {
        return;
    }
    batch.status = BatchStatus::Failed;
    batch.errors = Some(vec![BatchError {
        code: PROCESS_GONE.to_owned(),
        description: format!(
            "the process that loaded it ended {} times before it was done, so it is not tried again and none \
             of its records is loaded; its files may be the cause: send them in smaller parts, or in \
             another form",
            batch.broken_off
        ),
        cause: None,
    }]);
}
