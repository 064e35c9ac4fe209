use catalog::{Batch, BatchStatus, Kind};
use decode::Progress;
use store::{DeletedRuns, RecordSelection, Store};

use crate::error::Result;

/// Deletes the records that a batch that came in brought, and then forgets the batch. What its fragments had replaced does
/// not come back.
///
/// One that failed or was given up has no records; it is forgotten.
///
/// # Errors
/// There is no such batch; it is being loaded, or will be; it was loaded by a program that did not note which records are
/// its own; a damaged run, a full disk. Then the store is as before.
pub fn revert_incoming(store: &Store, id: &str, progress: &Progress) -> Result<DeletedRuns> {
    let batch = find(store, id)?;
    let deleted = match batch.status {
        BatchStatus::Success => delete_records(store, &batch, progress)?,
        BatchStatus::Failed | BatchStatus::Aborted => DeletedRuns::default(),
        BatchStatus::Loading | BatchStatus::Staged | BatchStatus::Processing => {
            let problem = format!(
                "batch {id} is {}; give it up, or wait until it is loaded",
                batch.status
            );
            return Err(catalog::Error::Conflict(problem).into());
        }
    };
    // Behind the records: where this is not reached, the same once more ends it.
    store.catalog().delete_batch(id)?;
    super::remove_files(store, id);
    Ok(deleted)
}

/// Deletes the records that a batch that came in brought; the batch stays.
///
/// # Errors
/// As for [`revert_incoming`]; it is not loaded.
pub fn delete_batch_records(store: &Store, id: &str, progress: &Progress) -> Result<DeletedRuns> {
    let batch = find(store, id)?;
    if batch.status != BatchStatus::Success {
        let problem = format!("batch {id} is {}: it has no records", batch.status);
        return Err(catalog::Error::Conflict(problem).into());
    }
    delete_records(store, &batch, progress)
}

fn find(store: &Store, id: &str) -> Result<Batch> {
    let found = store.catalog().batch(id)?.filter(Batch::came_in);
    Ok(found.ok_or_else(|| catalog::Error::not_found(Kind::Batch, id))?)
}

fn delete_records(store: &Store, batch: &Batch, progress: &Progress) -> Result<DeletedRuns> {
    let [from, to] = batch.sequences.ok_or_else(|| {
        catalog::Error::Conflict(format!(
            "batch {} was loaded by a program that did not note which records are its own; its dataset {} can be deleted",
            batch.id,
            batch.dataset()
        ))
    })?;
    let _evaluation = store.lock_evaluations(progress)?;
    let selection = RecordSelection::Loaded {
        dataset: batch.dataset(),
        sequences: from..to,
    };
    Ok(store.delete_records(&selection, &[], progress)?)
}
