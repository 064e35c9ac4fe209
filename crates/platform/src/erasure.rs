//! Deleting what is known of somebody: their records, or all that a store holds of them.

use std::path::PathBuf;

use catalog::{Batch, BatchQuery, JobQuery};
use decode::Progress;
use export::RequestError;
use serde::Serialize;
use store::{
    DeletedRecords, FileLock, GoneReport, RecordSelection, Sought, Store, StoreError, remove_folder,
};
use xdm::{Class, Identity, is_identity};

use crate::access::{Lookup, Lookups};
use crate::error::Result;
use crate::jobs::{Job, forget_job, sweep};

/// Records that were deleted of somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedProfile {
    /// The identities whose records they were.
    pub identities: Vec<String>,
    /// The records by dataset.
    pub datasets: Vec<DeletedRecords>,
    /// How many runs were written anew.
    pub runs: u64,
}

/// Deletes the records that bear an identity, as the primary one or in `identityMap`, of one class or of both. With a
/// merge policy that has an identity graph those of all the profile's identities go.
///
/// # Errors
/// An id that is nobody's, a merge policy that there isn't, a damaged store, a full disk; then nothing is deleted.
pub fn delete_profile(
    store: &Store,
    identity: &Identity,
    class: Option<Class>,
    merge_policy: Option<&str>,
    progress: &Progress,
) -> Result<DeletedProfile> {
    let identities = linked(store, identity, merge_policy)?;
    delete_of(store, &identities, class, &[], progress)
}

/// What an erasure took, and what it could not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    /// The records.
    #[serde(flatten)]
    pub profile: DeletedProfile,
    /// The IDs of the export batches that held one of the ids: they are deleted, files and states.
    pub batches: Vec<String>,
    /// The finished jobs whose objects held one: they are forgotten.
    pub jobs: Vec<i64>,
    /// Files of batches that were given out and hold one: they are not the store's, and stay.
    pub given_out: Vec<PathBuf>,
    /// Batches that were given out to where there is nothing to look at.
    pub moved: Vec<String>,
    /// What of the store's files holds one still, or can't be looked at.
    pub remaining: GoneReport,
    /// Jobs that wait or run and read the store as it was before.
    pub open_jobs: Vec<i64>,
}

/// Erases somebody from a store: their records as [`delete_profile`] does; the export batches that hold the id, with
/// what later jobs would be told since them, and finished jobs that name it; what was read back of all that in the
/// catalog's file, in its journal and copies. Then every file of the store is looked at.
///
/// An erasure that was broken off is ended by the next one of the same identities.
///
/// # Errors
/// As for [`delete_profile`]. What remains is no error: [`Erasure::remaining`] says it.
pub fn erase(
    store: &Store,
    identity: &Identity,
    merge_policy: Option<&str>,
    tell: impl FnOnce(&[Identity]),
    progress: &Progress,
) -> Result<Erasure> {
    store.catalog().check_writable().map_err(StoreError::from)?;
    // What an evaluation read before would be loaded behind it.
    let path = store.layout().evaluation_lock();
    let lock = FileLock::acquire_while(&path, |_| !progress.is_cancelled());
    let lock = lock.map_err(StoreError::io(&path))?;
    let _evaluation = lock.ok_or(decode::Error::Cancelled)?;
    sweep(store)?;
    remove_folder(&store.layout().evaluation())?;
    let identities = linked(store, identity, merge_policy)?;
    tell(&identities);
    let values: Vec<Sought> = identities.iter().map(|it| Sought::new(&it.id)).collect();
    let profile = delete_of(store, &identities, None, &values, progress)?;
    let mut erasure = Erasure {
        profile,
        batches: Vec::new(),
        jobs: Vec::new(),
        given_out: Vec::new(),
        moved: Vec::new(),
        remaining: GoneReport::default(),
        open_jobs: Vec::new(),
    };
    erasure.take_batches(store, &values, progress)?;
    erasure.take_jobs(store, &values)?;
    store.purge_catalog()?;
    erasure.remaining = store.verify_gone(&values, progress)?;
    Ok(erasure)
}

impl Erasure {
    /// Deletes the batches of jobs that hold a value.
    fn take_batches(
        &mut self,
        store: &Store,
        values: &[Sought],
        progress: &Progress,
    ) -> Result<()> {
        let batches = store.catalog().batches(&BatchQuery::default())?;
        for batch in batches.into_iter().filter(|batch| !batch.came_in()) {
            let folder = store.batch_folder(&batch);
            let files = batch.files.iter().map(|file| folder.join(&file.name));
            let files: Vec<PathBuf> = files.collect();
            if batch.outside().is_some() {
                if !files.iter().any(|file| file.exists()) {
                    let place = folder.display();
                    self.moved.push(format!("batch {}: {place}", batch.id));
                }
                let found = store.look_for(values, files, progress)?;
                self.given_out.extend(found.holding);
                // What it had of whom is the store's all the same.
                self.take_state(store, &batch, values, progress)?;
                continue;
            }
            let found = store.look_for(values, files, progress)?;
            let holds = !found.holding.is_empty() || found_in_text(&batch, values);
            if holds || self.state_holds(store, &batch, values, progress)? {
                store.delete_batch(&batch.id)?;
                remove_folder(&store.layout().state(&batch.id))?;
                self.batches.push(batch.id);
            }
        }
        Ok(())
    }

    /// Deletes what a batch outside of the store had of whom, where that holds a value.
    fn take_state(
        &self,
        store: &Store,
        batch: &Batch,
        values: &[Sought],
        progress: &Progress,
    ) -> Result<()> {
        if self.state_holds(store, batch, values, progress)? {
            remove_folder(&store.layout().state(&batch.id))?;
        }
        Ok(())
    }

    fn state_holds(
        &self,
        store: &Store,
        batch: &Batch,
        values: &[Sought],
        progress: &Progress,
    ) -> Result<bool> {
        let folder = store.layout().state(&batch.id);
        let Ok(entries) = folder.read_dir() else {
            return Ok(false);
        };
        let files = entries.map(|entry| Ok(entry?.path()));
        let files: std::io::Result<Vec<PathBuf>> = files.collect();
        let files = files.map_err(StoreError::io(&folder))?;
        Ok(!(store.look_for(values, files, progress)?.holding).is_empty())
    }

    /// Forgets the finished jobs that hold a value, and names those that are not finished.
    fn take_jobs(&mut self, store: &Store, values: &[Sought]) -> Result<()> {
        let generation = store.catalog().generation()?;
        for record in store.catalog().jobs(&JobQuery::default())? {
            if !record.status.is_final() {
                if record.generation < generation {
                    self.open_jobs.push(record.id);
                }
                continue;
            }
            let job = Job::of(&record)?;
            let texts = [&record.body, &record.request, &record.policy];
            let texts = texts.map(|document| serde_json::to_string(document.value()));
            let holds = |text: &String| values.iter().any(|value| value.is_in(text));
            if texts.iter().flatten().any(holds) {
                forget_job(store, &job)?;
                self.jobs.push(job.id);
            }
        }
        Ok(())
    }
}

fn found_in_text(batch: &Batch, values: &[Sought]) -> bool {
    let text = serde_json::to_string(batch);
    text.is_ok_and(|text| values.iter().any(|value| value.is_in(&text)))
}

fn delete_of(
    store: &Store,
    identities: &[Identity],
    class: Option<Class>,
    values: &[Sought],
    progress: &Progress,
) -> Result<DeletedProfile> {
    let selection = RecordSelection::Bearing { identities, class };
    let deleted = store.delete_records(&selection, values, progress)?;
    Ok(DeletedProfile {
        identities: identities.iter().map(ToString::to_string).collect(),
        datasets: deleted.datasets,
        runs: deleted.runs,
    })
}

/// The identity, and with a merge policy that has an identity graph the primary ones of the whole profile.
fn linked(store: &Store, identity: &Identity, merge_policy: Option<&str>) -> Result<Vec<Identity>> {
    if !is_identity(&identity.id, &[]) {
        let problem = format!(
            "found {identity}: {:?} is a placeholder, nobody's id",
            identity.id
        );
        return Err(RequestError::new("identity", problem).into());
    }
    let mut identities = vec![identity.clone()];
    let Some(policy) = merge_policy else {
        return Ok(identities);
    };
    let lookup = Lookup {
        merge_policy: Some(policy.to_owned()),
        ..Lookup::default()
    };
    let found = Lookups::default().find(store, &lookup, identity)?;
    for (namespace, id) in found.into_iter().flat_map(|found| found.identities) {
        let is_known = |it: &Identity| it.id == id && it.namespace.eq_ignore_ascii_case(&namespace);
        if !identities.iter().any(is_known) {
            identities.push(Identity { namespace, id });
        }
    }
    Ok(identities)
}
